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
    TOO_MANY_FORGOT "too-many-forgot" "so many nodes were without their memory at the healing that the system may stand still",
    RECONFIGURED "system-reconfigured" "the administrator completed a change of the system",
}

/// Milestones of systems that no run of this world comes to, each with the reason: a hunt has not missed them.
pub const OUT_OF_REACH: &[(&str, &str)] = &[(
    "interrupted-change-finished",
    "a simulated run has one administrator, who finishes each change that it begins",
)];

/// Why no run of this world comes to the milestone of this name; nothing where runs do.
pub fn out_of_reach(name: &str) -> Option<&'static str> {
    OUT_OF_REACH.iter().find(|(milestone, _)| *milestone == name).map(|(_, why)| *why)
}
