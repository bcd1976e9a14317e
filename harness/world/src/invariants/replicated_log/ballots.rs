//! Ballots: one node uses each (P-I4), with one entry in each slot (P-I3), on a majority of promises (P-I5).

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos::Ballot;
use quorate_systems::smr::Slot;

use super::attempts::{Attempt, Basis, Reported};
use super::{P_I3, P_I4, P_I5, ReplicatedLog, Who, is_view, name, short};
use crate::invariants::Broken;

impl ReplicatedLog {
    /// A candidate begins with `ballot`, for the slots from `from` on.
    pub(in crate::invariants) fn begun(
        &mut self,
        by: NodeId,
        ballot: Ballot,
        from: Slot,
        broken: &mut Vec<Broken>,
    ) {
        self.uses(by, ballot, broken);
        if let Some(attempt) = self.attempts.get(ballot) {
            attempt.from = from;
        }
        let Some(node) = self.node(by) else { return };
        let last = std::mem::replace(&mut node.begun, ballot);
        if last >= ballot && !is_view(ballot) {
            let what = format!("{by} begins with {}, after {}", name(ballot), name(last));
            broken.push(Broken { invariant: P_I4, by: vec![Who::Node(by)], what });
        }
    }

    /// A node speaks as whoever leads in `ballot`, or wants to.
    #[inline]
    pub(in crate::invariants) fn uses(
        &mut self,
        by: NodeId,
        ballot: Ballot,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let is_of_this_life = is_view(ballot) || ballot.incarnation == node.incarnation;
        if (ballot.node == by && is_of_this_life) || node.usurped == ballot {
            return;
        }
        node.usurped = ballot;
        let life = node.incarnation.0;
        let what = if ballot.node == by {
            format!("{by} uses {} in its life {life}", name(ballot))
        } else {
            format!("{by} uses {}, which is {}'s", name(ballot), ballot.node)
        };
        broken.push(Broken { invariant: P_I4, by: vec![Who::Node(by)], what });
    }

    /// Somebody says which entry `ballot` stands for in `slot`. Whether that is what was said before, or the
    /// first that is.
    pub(super) fn valued(
        &mut self,
        by: NodeId,
        (slot, ballot): (Slot, Ballot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) -> bool {
        let valued = self.places.get(slot).and_then(|place| place.value(ballot));
        let Some(valued) = valued else { return true };
        let (known, first) = *valued.entry.get_or_insert((entry, Who::Node(by)));
        if known == entry {
            return true;
        }
        let what = format!(
            "in {slot}, {} stands for {} at {by} and for {} at {first}",
            name(ballot),
            short(entry),
            short(known)
        );
        broken.push(Broken { invariant: P_I3, by: vec![first, Who::Node(by)], what });
        false
    }

    /// A candidate leads: `voters` promised its ballot.
    pub(in crate::invariants) fn elected(
        &mut self,
        by: NodeId,
        ballot: Ballot,
        voters: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        self.uses(by, ballot, broken);
        self.leaders.elected(ballot);
        self.promise_to_itself(by, ballot);
        let is_majority = self.is_majority(voters);
        let Some(attempt) = self.attempts.get(ballot) else { return };
        attempt.elect(voters);
        let missing: NodeSet =
            voters.iter().filter(|node| !attempt.promisers.contains(*node)).collect();
        let why = if !is_majority {
            format!("the promises of {voters}, no majority")
        } else if !missing.is_empty() {
            format!("promises that {missing} did not give for it")
        } else {
            return;
        };
        let what = format!("{by} leads in {} on {why}", name(ballot));
        broken.push(Broken { invariant: P_I5, by: vec![Who::Node(by)], what });
    }

    /// What a candidate promises to itself is not seen on its way: its disk must hold the promise, and what it
    /// has asked to be stored is what it would report.
    fn promise_to_itself(&mut self, by: NodeId, ballot: Ballot) {
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        let (has_promised, snapshot) = (node.durable.promised >= ballot, node.asked.snapshot);
        let Some(attempt) = self.attempts.get(ballot) else { return };
        if !has_promised {
            return;
        }
        attempt.promise(by, snapshot);
        for (slot, held) in self.places.of(by) {
            let holding = held.asked;
            let is_of_interest = slot > snapshot && slot >= attempt.from;
            if is_of_interest && !holding.ballot.is_zero() && holding.ballot < ballot {
                let (ballot, entry) = (holding.ballot, holding.entry);
                attempt.report(by, Reported { slot, ballot, entry, is_decided: false });
            }
        }
    }

    /// A leader proposes, or says again what it has proposed.
    pub(in crate::invariants) fn proposed(
        &mut self,
        by: NodeId,
        (slot, ballot): (Slot, Ballot),
        entry: u64,
        broken: &mut Vec<Broken>,
    ) {
        self.uses(by, ballot, broken);
        if !self.valued(by, (slot, ballot), entry, broken) {
            return;
        }
        let Some(place) = self.places.get(slot) else { return };
        let decided = place.decided;
        let Some(valued) = place.value(ballot) else { return };
        if std::mem::replace(&mut valued.is_judged, true) {
            return;
        }
        if decided.is_some_and(|(decided, _)| decided == entry) {
            return;
        }
        let is_new = entry != self.noop && self.submitted.lacks(entry);
        let Some(attempt) = self.attempts.get(ballot) else { return };
        if let Some(why) = objection(attempt, slot, entry, is_new) {
            let (entry, ballot) = (short(entry), name(ballot));
            let what = format!("{by} proposes {entry} in {slot} of {ballot}, {why}");
            broken.push(Broken { invariant: P_I5, by: vec![Who::Node(by)], what });
        }
    }
}

/// What speaks against a proposal of `entry`, which is not known to be decided.
fn objection(attempt: &Attempt, slot: Slot, entry: u64, is_new: bool) -> Option<String> {
    if attempt.is_partial || attempt.has_decided(slot, entry) {
        return None;
    }
    if attempt.voters.is_none() {
        return Some("in which it does not lead".to_owned());
    }
    if slot < attempt.from {
        return Some(format!("and has asked for promises from {} on", attempt.from));
    }
    match attempt.basis(slot) {
        Basis::Accepted(_, highest) if highest == entry => None,
        Basis::Accepted(ballot, highest) => {
            let told = "and of what its voters told the highest is";
            Some(format!("{told} {} of {}", short(highest), name(ballot)))
        }
        Basis::Gone(node, index) => Some(format!("and {node} told of a snapshot up to {index}")),
        Basis::Free if is_new => Some("which no client has submitted".to_owned()),
        Basis::Free => None,
    }
}
