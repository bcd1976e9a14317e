//! How those lie who are told to: replicas, and clients where a system bears that.
//!
//! A liar is an honest core whose words are changed on their way out. It knows the truth, remembers some of what it has
//! said and heard, and holds its own keys and nobody else's.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::contract::{Describe, Keyring, System};
use crate::parties::Party;
use crate::smr::mix;

/// How a Byzantine replica, or client, misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// Reports values that nobody wrote.
    WrongValue,
    /// Reports timestamps (ballots, views, sequence numbers) that are not its own: too high or too low.
    WrongTimestamp,
    /// Says nothing at all.
    Silent,
    /// Tells some one thing and others another.
    Equivocate,
    /// Says again what it said earlier, in place of what it should say now.
    Replay,
    /// Tells nodes the truth and clients wrong values.
    LieToClients,
    /// Two copies of the replica run under one name and with its keys, and know nothing of each other (Bano
    /// et al., "Twins", 2022). Each copy is honest.
    Twins,
    /// Tells the truth, and so late each time that it is hardly believed to live ([`System::slowness`]).
    Slow,
    /// Tells some the truth and others nothing, the same ones through the whole run.
    Starve,
    /// Passes on requests that no client made.
    ForgeRequest,
    /// Says something close to what it should, by small changes: the view or the number before or after, another
    /// digest, a field of an earlier message; or an earlier message, its own or another's, as its own and of now.
    Mutate,
    /// Reports states, at checkpoints and in transfers, that are not its own.
    FalseCheckpoint,
    /// Leaves out what would bind the next view: certificates of its own, or what follows from those of others.
    OmitCertificates,
    /// Claims what it has no certificate for.
    InventCertificates,
    /// A client gives some replicas a word for its request that is no good, and others a good one.
    SpoilAuthenticator,
}

impl Lie {
    /// Every lie.
    pub const ALL: &[Self] = &[
        Self::WrongValue,
        Self::WrongTimestamp,
        Self::Silent,
        Self::Equivocate,
        Self::Replay,
        Self::LieToClients,
        Self::Twins,
        Self::Slow,
        Self::Starve,
        Self::ForgeRequest,
        Self::Mutate,
        Self::FalseCheckpoint,
        Self::OmitCertificates,
        Self::InventCertificates,
        Self::SpoilAuthenticator,
    ];

    /// Those that replicas of any system can tell: they need nothing but values and timestamps, or not even these.
    pub const COMMON: &[Self] = &[
        Self::WrongValue,
        Self::WrongTimestamp,
        Self::Silent,
        Self::Equivocate,
        Self::Replay,
        Self::LieToClients,
        Self::Twins,
    ];

    /// Its name in plans and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongValue => "wrong-value",
            Self::WrongTimestamp => "wrong-timestamp",
            Self::Silent => "silent",
            Self::Equivocate => "equivocate",
            Self::Replay => "replay",
            Self::LieToClients => "lie-to-clients",
            Self::Twins => "twins",
            Self::Slow => "slow",
            Self::Starve => "starve",
            Self::ForgeRequest => "forge-request",
            Self::Mutate => "mutate",
            Self::FalseCheckpoint => "false-checkpoint",
            Self::OmitCertificates => "omit-certificates",
            Self::InventCertificates => "invent-certificates",
            Self::SpoilAuthenticator => "spoil-authenticator",
        }
    }
}

impl FromStr for Lie {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|lie| lie.name() == name).ok_or(())
    }
}

/// What a liar knows when its core says something.
#[derive(Debug)]
pub struct Telling<'a, S: System> {
    /// The cluster's options.
    pub config: &'a S::Config,
    /// Who lies.
    pub me: Party,
    /// What it can sign with, and verify: it can sign for nobody else.
    pub keys: &'a Keyring,
    /// Whom it speaks to: never itself.
    pub to: Party,
    /// What its core says.
    pub message: &'a S::Message,
    /// Some of what its core has said since it began to lie, with the receivers.
    pub said: &'a Memory<S::Message>,
    /// Some of what it has heard since then, with the senders.
    pub heard: &'a Memory<S::Message>,
    /// Whether the receiver is among those who are told the other story, where there are two: the same ones through the
    /// whole run, about half of all.
    pub is_deceived: bool,
    /// A number of this liar's own, the same through the whole run: what is drawn from it and from the message alone is
    /// the same for every receiver.
    pub seed: u64,
    /// Fresh entropy.
    pub draw: u64,
}

impl<S: System> Telling<'_, S> {
    /// Just what the core says.
    pub fn truth(&self) -> Vec<S::Message> {
        vec![self.message.clone()]
    }

    /// Draws that are the same for every receiver of what `about` stands for.
    pub fn story(&self, about: u64) -> Draws {
        Draws(mix(self.seed, about))
    }

    /// Draws for this message and receiver alone.
    pub const fn draws(&self) -> Draws {
        Draws(self.draw)
    }
}

/// What is wrong with a message, where lies come down to values and timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// What it reports.
    Value,
    /// How new that is.
    Timestamp,
}

/// What a liar says in a system whose lies are [`Lie::COMMON`]: the truth, or what `twist` makes of it with some entropy.
pub fn twisted<S: System>(
    lie: Lie,
    telling: &Telling<'_, S>,
    twist: impl Fn(Twist, &S::Message, u64) -> S::Message,
) -> Vec<S::Message> {
    let is_to_client = matches!(telling.to, Party::Client(_));
    let what = match lie {
        Lie::WrongValue => Twist::Value,
        Lie::WrongTimestamp => Twist::Timestamp,
        Lie::Equivocate if telling.is_deceived => Twist::Value,
        Lie::LieToClients if is_to_client => Twist::Value,
        Lie::Silent => return Vec::new(),
        Lie::Equivocate
        | Lie::LieToClients
        | Lie::Replay
        | Lie::Twins
        | Lie::Slow
        | Lie::Starve
        | Lie::ForgeRequest
        | Lie::Mutate
        | Lie::FalseCheckpoint
        | Lie::OmitCertificates
        | Lie::InventCertificates
        | Lie::SpoilAuthenticator => return telling.truth(),
    };
    vec![twist(what, telling.message, telling.draw)]
}

/// One number after the other, all of them from the first.
#[derive(Clone, Copy, Debug)]
pub struct Draws(u64);

impl Draws {
    /// Numbers that follow from this one.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = mix(self.0.wrapping_add(1), 0);
        self.0 ^ self.0 >> 32
    }

    /// A number below `bound`; 0 where there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.any() % bound.max(1)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of these, if there is any.
    pub fn of<T>(&mut self, among: impl IntoIterator<Item = T, IntoIter: Clone>) -> Option<T> {
        let mut among = among.into_iter();
        let count = among.clone().count() as u64;
        among.nth(usize::try_from(self.below(count)).ok()?)
    }
}

/// Messages that passed between a liar and others, by kind: at most [`Memory::PER_KIND`] of each.
#[derive(Clone, Debug)]
pub struct Memory<M>(BTreeMap<&'static str, Vec<(Party, M)>>);

impl<M> Default for Memory<M> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<M: Describe + Clone> Memory<M> {
    /// Enough for old news and for older news, and no more memory than that.
    pub const PER_KIND: usize = 8;

    /// Keeps a message. Where there is no room it takes the place of one of its kind, which `draw` chooses.
    pub fn keep(&mut self, other: Party, message: &M, draw: u64) {
        let alike = self.0.entry(message.kind()).or_default();
        if alike.len() < Self::PER_KIND {
            alike.push((other, message.clone()));
            return;
        }
        let place = usize::try_from(draw % Self::PER_KIND as u64).unwrap_or_default();
        if let Some((with, oldest)) = alike.get_mut(place) {
            *with = other;
            oldest.clone_from(message);
        }
    }

    /// Those of one kind.
    pub fn of_kind(&self, kind: &str) -> &[(Party, M)] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }

    /// All of them, in the order of their kinds.
    pub fn all(&self) -> impl Iterator<Item = &(Party, M)> + Clone {
        self.0.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lie_is_listed_once_and_is_found_by_its_name() {
        for (place, lie) in Lie::ALL.iter().enumerate() {
            assert_eq!(lie.name().parse(), Ok(*lie));
            assert!(!Lie::ALL[..place].contains(lie));
        }
        assert_eq!("honest".parse::<Lie>(), Err(()));
        assert!(Lie::COMMON.iter().all(|lie| Lie::ALL.contains(lie)));
    }

    #[test]
    fn draws_follow_from_their_seed_and_spread() {
        let some = |seed| {
            let mut draws = Draws::new(seed);
            [(); 4].map(|()| draws.below(1_000))
        };
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
        let mut draws = Draws::new(1);
        let hits = (0..1_000).filter(|_| draws.one_in(4)).count();
        assert!((200..300).contains(&hits), "{hits}");
        assert_eq!(draws.of([0; 0]), None);
        assert_eq!(draws.of([3]), Some(3));
    }
}
