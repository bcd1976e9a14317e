//! Bytes as steps.

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::parties::Party;

use super::CLIENTS;
use crate::Seed;

/// How many bytes one step has.
pub const WIDTH: usize = 6;

/// Bytes after so many steps are not looked at: what has not happened by then hardly needs more.
pub const STEPS_MAX: usize = 64;

/// The first bytes of an input: in which cluster it happens, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which cluster, in the order of the target's list, modulo its length.
    pub cluster: u8,
    /// Which node, or which client; modulo how many there are.
    pub me: u8,
    /// Whether a second core is fed the same, to compare their effects.
    pub has_twin: bool,
    /// Whether what a node says to itself waits until a step lets it hear it. Else it hears it at once.
    pub is_hard_of_hearing: bool,
}

/// How many bytes the header has.
const HEADER: usize = 2;

impl Header {
    /// Reads the header off an input; nothing where that is too short. What follows are the steps.
    pub fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let ([cluster, flags], rest) = bytes.split_first_chunk::<HEADER>()?;
        let header = Self {
            cluster: *cluster,
            me: flags & 0b111,
            is_hard_of_hearing: flags >> 4 & 0b11 == 0b11,
            has_twin: flags >> 6 == 0b11,
        };
        Some((header, rest))
    }
}

/// Something that happens to a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something new arrives.
    Forged(Dice),
    /// An answer arrives to the message that the core sent so many messages ago.
    Answered(u8, Dice),
    /// The message that the core heard so many messages ago arrives once more.
    Again(u8),
    /// That message arrives with one field changed.
    Changed(u8, Dice),
    /// A timer fires: which of those that are set, and when of the time that it may fire in, in 255ths.
    Timer(u8, u8),
    /// A replica's disk catches up: so many records of those that wait; 255 for all of them.
    Synced(u8),
    /// A replica dies and comes up again. Of what was not durable so many records are left.
    Crash(u8),
    /// A replica dies within its next step, after so many of its effects; so many records are left as well.
    Dies(u8, u8),
    /// A replica's log is replaced by a checkpoint.
    Checkpoint,
    /// A replica dies, and this record cannot be read back at the next start; it can be at the one after.
    Damaged(u8),
    /// A replica hears what it said to itself.
    Hear,
    /// A client is asked to do something.
    Invoked(Dice),
    /// A client's operation has taken too long.
    GivenUp,
}

/// What is left to chance in a step. What each number means is up to the protocol; they are named after what they
/// are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dice {
    /// Who sends.
    pub who: u8,
    /// What kind of message, answer or change.
    pub kind: u8,
    /// Which operation, request or write.
    pub name: u8,
    /// Which timestamp, ballot or view, above or below some other.
    pub time: u8,
    /// What it carries.
    pub data: u8,
}

impl Dice {
    /// A client.
    pub(super) fn client(self) -> ClientId {
        ClientId(u32::from(self.who) % CLIENTS)
    }

    /// Anybody.
    pub(super) fn party(self) -> Party {
        match self.name & 3 {
            0 => Party::Client(ClientId(0)),
            1 => Party::Client(ClientId(1)),
            2 => Party::Node(NodeId(0)),
            _ => Party::Node(NodeId(1)),
        }
    }
}

/// A number near another one: mostly the next, sometimes one of these far ones.
pub(super) fn near(byte: u8, base: u64, far: &[u64; 4]) -> u64 {
    match byte & 7 {
        0 | 1 => base.saturating_add(1),
        2 => base,
        3 => base.saturating_sub(1),
        4 => base.saturating_add(2),
        5 => 1,
        6 => 0,
        _ => far.get(usize::from(byte >> 3 & 3)).copied().unwrap_or(0),
    }
}

impl Step {
    /// What these bytes make happen. Every value of the first byte means something, and some mean it often.
    pub fn of([what, who, kind, name, time, data]: [u8; WIDTH]) -> Self {
        let dice = Dice { who, kind, name, time, data };
        // The low bits say what happens; the high ones, where that is an old message, which.
        let place = what >> 5;
        match what & 0b1_1111 {
            0..=7 => Self::Forged(dice),
            8..=14 => Self::Answered(place, dice),
            15..=16 => Self::Again(place),
            17..=19 => Self::Changed(place, dice),
            20..=21 => Self::Timer(place, who),
            22..=24 => Self::Synced(if place > 4 { u8::MAX } else { place }),
            25 => Self::Crash(place),
            26 => Self::Dies(who % 16, place),
            27 => Self::Checkpoint,
            28 => Self::Damaged(who),
            29 => Self::Hear,
            30 => Self::Invoked(dice),
            _ => Self::GivenUp,
        }
    }

    /// Bytes that make it happen: of inputs that are made by hand.
    pub fn bytes(self) -> [u8; WIDTH] {
        let of = |what: u8, place: u8, dice: Dice| {
            let Dice { who, kind, name, time, data } = dice;
            [what | place << 5, who, kind, name, time, data]
        };
        let by = |who: u8| Dice { who, ..Dice::default() };
        match self {
            Self::Forged(dice) => of(0, 0, dice),
            Self::Answered(place, dice) => of(8, place, dice),
            Self::Again(place) => of(15, place, by(0)),
            Self::Changed(place, dice) => of(17, place, dice),
            Self::Timer(place, when) => of(20, place, by(when)),
            Self::Synced(share) => of(22, share.min(5), by(0)),
            Self::Crash(kept) => of(25, kept, by(0)),
            Self::Dies(after, kept) => of(26, kept, by(after)),
            Self::Checkpoint => of(27, 0, by(0)),
            Self::Damaged(which) => of(28, 0, by(which)),
            Self::Hear => of(29, 0, by(0)),
            Self::Invoked(dice) => of(30, 0, dice),
            Self::GivenUp => of(31, 0, by(0)),
        }
    }
}

/// The steps of an input, after its header.
pub(super) fn steps(bytes: &[u8]) -> impl Iterator<Item = Step> {
    let (chunks, _) = bytes.as_chunks::<WIDTH>();
    chunks.iter().take(STEPS_MAX).map(|chunk| Step::of(*chunk))
}

/// An input that is made by hand.
pub(super) fn input(header: [u8; HEADER], steps: &[Step]) -> Vec<u8> {
    header.into_iter().chain(steps.iter().flat_map(|step| step.bytes())).collect()
}

/// Inputs that are made by hand, each for every one of so many clusters, and for its first node or client.
pub(super) fn in_each(clusters: usize, scripts: &[(&str, Vec<Step>)]) -> Vec<Seed> {
    in_each_at(clusters, 0, scripts)
}

/// The same for the node or client of this place.
pub(super) fn in_each_at(clusters: usize, me: u8, scripts: &[(&str, Vec<Step>)]) -> Vec<Seed> {
    let clusters = (0..clusters).filter_map(|cluster| u8::try_from(cluster).ok());
    let seed = |cluster: u8, (name, steps): &(&str, Vec<Step>)| Seed {
        name: format!("{name}-{cluster}"),
        bytes: input([cluster, me], steps),
    };
    clusters.flat_map(|cluster| scripts.iter().map(move |script| seed(cluster, script))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_means_a_step_and_steps_come_back_from_their_bytes() {
        for what in 0..=u8::MAX {
            let step = Step::of([what, 5, 1, 2, 3, 4]);
            assert_eq!(Step::of(step.bytes()), step);
        }
    }

    #[test]
    fn a_change_in_one_step_leaves_the_others_alone() {
        let mut bytes = input([1, 2], &[Step::Crash(1), Step::Hear, Step::Checkpoint]);
        bytes[3] ^= 0xff;
        let (header, rest) = Header::split(&bytes).unwrap();
        assert_eq!((header.cluster, header.me), (1, 2));
        assert_eq!(steps(rest).skip(1).collect::<Vec<_>>(), [Step::Hear, Step::Checkpoint]);
    }
}
