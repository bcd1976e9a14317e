//! What is remembered of each ballot: what was promised for it, and what its leader must propose again.

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos::Ballot;
use quorate_systems::smr::Slot;

/// What an acceptor tells of one slot with its promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::invariants) struct Reported {
    /// The slot.
    pub(in crate::invariants) slot: Slot,
    /// In which ballot it accepted the entry; [`Ballot::ZERO`] where it only learned it.
    pub(in crate::invariants) ballot: Ballot,
    /// The entry's digest.
    pub(in crate::invariants) entry: u64,
    /// Whether it knows that the entry is decided.
    pub(in crate::invariants) is_decided: bool,
}

/// The highest ballots, in their order: at most [`ATTEMPTS_MAX`].
#[derive(Debug)]
pub(super) struct Attempts {
    known: Vec<Attempt>,
    /// Of ballots up to this one nothing is known that is not remembered.
    floor: Ballot,
}

const ATTEMPTS_MAX: usize = 16;

/// So many reports are remembered of one ballot.
const REPORTS_MAX: usize = 16_384;

/// One ballot.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) ballot: Ballot,
    /// The first slot that its candidate asked about.
    pub(super) from: Slot,
    /// Who has promised it.
    pub(super) promisers: NodeSet,
    /// Up to which slot the first promise of each told of a snapshot.
    snapshots: Vec<(NodeId, Slot)>,
    /// What they reported; once it leads, what its voters did.
    reports: Vec<(NodeId, Reported)>,
    /// Whether more was reported than is remembered.
    pub(super) is_partial: bool,
    /// Who made it lead.
    pub(super) voters: Option<NodeSet>,
}

/// What those who promised a ballot told of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// This is the entry of the highest ballot that anybody accepted it in.
    Accepted(Ballot, u64),
    /// Nobody has accepted anything.
    Free,
    /// A snapshot reaches beyond it: what is decided there was not told.
    Gone(NodeId, Slot),
}

impl Attempts {
    pub(super) const fn new() -> Self {
        Self { known: Vec::new(), floor: Ballot::ZERO }
    }

    /// As new.
    pub(super) fn reset(&mut self) {
        self.known.clear();
        self.floor = Ballot::ZERO;
    }

    /// What is known of `ballot`, if it is not forgotten.
    pub(super) fn get(&mut self, ballot: Ballot) -> Option<&mut Attempt> {
        if self.known.last().is_some_and(|last| last.ballot == ballot) {
            return self.known.last_mut();
        }
        if ballot <= self.floor {
            return None;
        }
        let mut place = self.known.partition_point(|attempt| attempt.ballot < ballot);
        if self.known.get(place).is_none_or(|attempt| attempt.ballot != ballot) {
            if self.known.len() == ATTEMPTS_MAX {
                if place == 0 {
                    self.floor = ballot;
                    return None;
                }
                self.floor = self.known.remove(0).ballot;
                place -= 1;
            }
            self.known.insert(place, Attempt::new(ballot));
        }
        self.known.get_mut(place)
    }
}

impl Attempt {
    fn new(ballot: Ballot) -> Self {
        Self {
            ballot,
            from: Slot::ZERO,
            promisers: NodeSet::EMPTY,
            snapshots: Vec::new(),
            reports: Vec::new(),
            is_partial: false,
            voters: None,
        }
    }

    /// A node has promised, and may report. What comes after the election is of no interest.
    pub(super) fn promise(&mut self, node: NodeId, snapshot: Slot) {
        if self.voters.is_none() && self.promisers.insert(node) {
            self.snapshots.push((node, snapshot));
        }
    }

    /// It reports one slot, perhaps again.
    pub(super) fn report(&mut self, node: NodeId, report: Reported) {
        if self.voters.is_some() || self.reports.contains(&(node, report)) {
            return;
        }
        if self.reports.len() == REPORTS_MAX {
            self.is_partial = true;
        } else {
            self.reports.push((node, report));
        }
    }

    /// These have made it lead: what others told does not count.
    pub(super) fn elect(&mut self, voters: NodeSet) {
        self.voters = Some(voters);
        self.snapshots.retain(|(node, _)| voters.contains(*node));
        self.reports.retain(|(node, _)| voters.contains(*node));
        self.reports.sort_unstable_by_key(|(_, report)| report.slot);
        self.reports.shrink_to_fit();
    }

    /// What its voters told of `slot`.
    pub(super) fn basis(&self, slot: Slot) -> Basis {
        let highest = self
            .told(slot)
            .filter(|report| !report.ballot.is_zero())
            .max_by_key(|report| report.ballot);
        let snapshot = self.snapshots.iter().max_by_key(|(_, index)| *index);
        match (highest, snapshot) {
            (Some(highest), _) => Basis::Accepted(highest.ballot, highest.entry),
            (None, Some((node, index))) if *index >= slot => Basis::Gone(*node, *index),
            (None, _) => Basis::Free,
        }
    }

    /// Whether one of its voters told that this entry is decided in `slot`.
    pub(super) fn has_decided(&self, slot: Slot, entry: u64) -> bool {
        self.told(slot).any(|report| report.is_decided && report.entry == entry)
    }

    fn told(&self, slot: Slot) -> impl Iterator<Item = &Reported> {
        let first = self.reports.partition_point(|(_, report)| report.slot < slot);
        let told = self.reports.get(first..).unwrap_or_default().iter();
        told.map(|(_, report)| report).take_while(move |report| report.slot == slot)
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::Incarnation;

    use super::*;

    fn ballot(round: u64) -> Ballot {
        Ballot { round, node: NodeId(0), incarnation: Incarnation(1) }
    }

    #[test]
    fn the_lowest_ballots_are_forgotten_first() {
        let mut attempts = Attempts::new();
        for round in 1..=ATTEMPTS_MAX as u64 {
            attempts.get(ballot(2 * round)).unwrap().from = Slot(round);
        }
        assert_eq!(attempts.get(ballot(2)).unwrap().from, Slot(1));
        assert!(attempts.get(ballot(1)).is_none());
        assert!(attempts.get(ballot(1_000)).is_some());
        assert!(attempts.get(ballot(2)).is_none());
        assert_eq!(attempts.get(ballot(4)).unwrap().from, Slot(2));
        assert!(attempts.get(ballot(5)).is_some());
        assert!(attempts.get(ballot(4)).is_none());
        assert_eq!(attempts.get(ballot(6)).unwrap().from, Slot(3));
    }

    #[test]
    fn voters_and_nobody_else_tell_what_to_propose() {
        let mut attempts = Attempts::new();
        let attempt = attempts.get(ballot(9)).unwrap();
        let told = |slot, round, entry| Reported {
            slot: Slot(slot),
            ballot: ballot(round),
            entry,
            is_decided: false,
        };
        for (node, report) in [(0, told(3, 1, 7)), (1, told(3, 2, 8)), (2, told(3, 3, 9))] {
            attempt.promise(NodeId(node), Slot(u64::from(node)));
            attempt.report(NodeId(node), report);
        }
        attempt.elect([NodeId(0), NodeId(1)].into_iter().collect());
        assert_eq!(attempt.basis(Slot(3)), Basis::Accepted(ballot(2), 8));
        assert_eq!(attempt.basis(Slot(2)), Basis::Free);
        assert_eq!(attempt.basis(Slot(1)), Basis::Gone(NodeId(1), Slot(1)));
    }
}
