//! What the log holds, and the parts of it that travel.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::view::{Members, View};
use crate::contract::ClientId;
use crate::smr::{Request, RequestNumber, Slot, digest};

/// What one op-number stands for. An op-number is a place in the log: a [`Slot`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Entry {
    /// A client's request.
    Request(Request),
    /// The last entry of its epoch (`VRR §7.1`).
    Reconfiguration(Reconfiguration),
}

/// The administrator asks for other replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reconfiguration {
    /// Who asks.
    pub client: ClientId,
    /// Which of that client's requests it is.
    pub number: RequestNumber,
    /// The replicas of the next epoch.
    pub members: Members,
}

impl Entry {
    /// The request in it.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::Request(request) => Some(request),
            Self::Reconfiguration(_) => None,
        }
    }

    /// The reconfiguration in it.
    pub fn reconfiguration(&self) -> Option<Reconfiguration> {
        match self {
            Self::Request(_) => None,
            Self::Reconfiguration(reconfiguration) => Some(*reconfiguration),
        }
    }

    /// Who asked, and which of that client's requests it is.
    pub fn asked(&self) -> (ClientId, RequestNumber) {
        match self {
            Self::Request(Request { client, number, .. })
            | Self::Reconfiguration(Reconfiguration { client, number, .. }) => (*client, *number),
        }
    }

    /// A hash of all of it: equal entries have equal ones, on every machine.
    pub fn digest(&self) -> u64 {
        digest(self)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(Request { client, number, command }) => {
                write!(f, "{client}.{number} {command}")
            }
            Self::Reconfiguration(Reconfiguration { client, number, members }) => {
                write!(f, "{client}.{number} members := {members}")
            }
        }
    }
}

/// An entry with the view in which its op-number was assigned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Logged {
    /// The view.
    pub view: View,
    /// The entry.
    pub entry: Entry,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Suffix {
    /// The entries up to here are not in it.
    pub after: Slot,
    /// The entries after that, without a gap.
    pub entries: Vec<Logged>,
}

impl Suffix {
    /// The op-number of the last entry.
    pub fn last(&self) -> Slot {
        self.after.plus(self.entries.len() as u64)
    }

    /// The entries with their op-numbers, in order.
    pub fn numbered(self) -> impl Iterator<Item = (Slot, Logged)> {
        let after = self.after;
        (1_u64..).zip(self.entries).map(move |(place, logged)| (after.plus(place), logged))
    }

    /// The entries from `after` on.
    #[must_use]
    pub fn beyond(mut self, after: Slot) -> Self {
        let gone = usize::try_from(after.since(self.after)).unwrap_or(usize::MAX);
        self.entries.drain(..gone.min(self.entries.len()));
        Self { after: self.after.max(after), entries: self.entries }
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}", self.after)?;
        match self.entries.as_slice() {
            [] => f.write_str(" nothing"),
            entries => {
                for (place, Logged { view, entry }) in (1_u64..).zip(entries) {
                    f.write_str(if place == 1 { " " } else { ", " })?;
                    write!(f, "{} {view} {entry}", self.after.plus(place))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Command, Incarnation, Key};

    fn logged(seq: u64) -> Logged {
        let number = RequestNumber { incarnation: Incarnation(1), seq };
        let command = Command::Read { key: Key(0) };
        let entry = Entry::Request(Request { client: ClientId(0), number, command });
        Logged { view: View::FIRST, entry }
    }

    #[test]
    fn what_lies_beyond_an_op_number_keeps_its_own() {
        let suffix = Suffix { after: Slot(3), entries: [4, 5, 6].map(logged).into() };
        assert_eq!(suffix.last(), Slot(6));
        let beyond = suffix.clone().beyond(Slot(5));
        assert_eq!(beyond.numbered().collect::<Vec<_>>(), [(Slot(6), logged(6))]);
        let none = suffix.clone().beyond(Slot(9));
        assert_eq!((none.after, none.last()), (Slot(9), Slot(9)));
        assert_eq!(suffix.clone().beyond(Slot(1)), suffix);
    }

    #[test]
    fn op_numbers_that_there_cannot_be_are_no_reason_to_panic() {
        let suffix = Suffix { after: Slot(u64::MAX), entries: [1, 2].map(logged).into() };
        assert_eq!(suffix.last(), Slot(u64::MAX));
        assert!(alloc::string::ToString::to_string(&suffix).starts_with("after s"));
        assert_eq!(suffix.numbered().count(), 2);
    }
}
