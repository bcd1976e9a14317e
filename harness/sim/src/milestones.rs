//! Places of the simulated world that must sometimes be reached, as the cores have theirs.

use quorate_systems::contract::Milestone;
use quorate_systems::vocabulary::MilestoneSpec;

macro_rules! milestones {
    ($($constant:ident $name:literal $what:literal,)*) => {
        $(pub(crate) const $constant: Milestone = Milestone($name);)*

        /// Every milestone of the simulated world, with what has happened there.
        pub const MILESTONES: &[MilestoneSpec] =
            &[$(MilestoneSpec { name: $name, what: $what },)*];
    };
}

milestones! {
    CORRUPTED "message-corrupted" "a bit of a message was flipped, and its checksum told",
    DUPLICATED "message-duplicated" "a message was delivered twice",
    TIMED_OUT "operation-timed-out" "a client gave an operation up",
    RECORD_LOST "unsynced-record-lost" "a crash took a record that was not durable",
    TAIL_CUT "torn-tail-cut" "a record that was cut off while it was written was found, and cut",
    DAMAGE_REFUSED "damaged-record-refused" "a replica did not start from a log with a flipped bit",
    CHECKPOINT "checkpoint" "a checkpoint took the place of a log",
    DIED_WITHIN_STEP "died-within-step" "a node died between two effects of one step",
    TWIN "twin-started" "two copies of a replica ran under one name",
    CORE_ALONE "only-core-healed" "a core of nodes had to suffice while something else stayed broken",
    RECONFIGURED "system-reconfigured" "the administrator completed a change of the system",
}
