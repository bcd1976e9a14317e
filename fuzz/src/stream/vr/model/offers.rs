//! Logs that a replica may make its own, since others have told it what it must know.

use std::collections::BTreeMap;

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Members, State, View};

/// Votes, answers, and the logs that follow from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    /// Of one view, by sender: the last normal view, the log, the life of the sender.
    votes: BTreeMap<NodeId, Vote>,
    /// For which view they are.
    voted: View,
    /// Answers to the question of a replica that recovers.
    answers: BTreeMap<NodeId, Answer>,
    logs: Vec<Offer>,
}

#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) last_normal: View,
    pub(super) state: State,
    pub(super) life: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) view: View,
    pub(super) state: Option<State>,
    pub(super) life: u64,
}

/// A log of a view.
#[derive(Clone, Debug)]
struct Offer {
    view: View,
    state: State,
}

impl Offers {
    /// A log was told that is to be taken as it is.
    pub(super) fn offer(&mut self, view: View, state: State) {
        self.logs.push(Offer { view, state });
    }

    /// What counted before counts no more.
    pub(super) fn clear(&mut self) {
        self.votes.clear();
        self.answers.clear();
        self.logs.clear();
    }

    /// A log was made its own: what else was told is of no use any more.
    pub(super) fn settle(&mut self) {
        self.answers.clear();
        self.logs.clear();
    }

    /// A vote for `view`, of the replica itself or another; lives that are over do not count.
    pub(super) fn vote(
        &mut self,
        view: View,
        (from, vote): (NodeId, Vote),
        (me, members): (NodeId, Members),
        is_over: impl Fn(NodeId, u64) -> bool,
    ) {
        if view != self.voted {
            self.votes.clear();
            self.voted = view;
        }
        self.votes.insert(from, vote);
        let counted: BTreeMap<NodeId, &Vote> = self
            .votes
            .iter()
            .filter(|(node, vote)| !is_over(**node, vote.life))
            .map(|(node, vote)| (*node, vote))
            .collect();
        let voters: NodeSet = counted.keys().copied().collect();
        if !members.is_quorum(voters) || !voters.contains(me) {
            return;
        }
        let rank = |vote: &Vote| (vote.last_normal, vote.state.log.last());
        let best = counted.values().map(|vote| rank(vote)).max();
        let commit = counted.values().map(|vote| vote.state.commit).max().unwrap_or_default();
        let best = counted.values().filter(|vote| Some(rank(vote)) == best);
        let offers: Vec<Offer> = best
            .map(|vote| Offer { view, state: State { commit, ..vote.state.clone() } })
            .collect();
        self.logs.extend(offers);
    }

    /// Whether all of these have voted for `view`.
    pub(super) fn have_voted(&self, view: View, voters: NodeSet) -> bool {
        self.voted == view && voters.iter().all(|node| self.votes.contains_key(&node))
    }

    /// Somebody answers a replica that recovers, with the number that it has asked with.
    pub(super) fn answer(
        &mut self,
        (from, answer): (NodeId, Answer),
        members: Members,
        primary_of: impl Fn(View) -> NodeId,
        is_over: impl Fn(NodeId, u64) -> bool,
    ) {
        self.answers.insert(from, answer);
        let counted = || self.answers.iter().filter(|(node, answer)| !is_over(**node, answer.life));
        let voters: NodeSet = counted().map(|(node, _)| *node).collect();
        let Some(view) = counted().map(|(_, answer)| answer.view).max() else { return };
        if !members.is_quorum(voters) {
            return;
        }
        let primary = primary_of(view);
        let told = counted().find(|(node, answer)| **node == primary && answer.view == view);
        if let Some(state) = told.and_then(|(_, answer)| answer.state.clone()) {
            self.logs.push(Offer { view, state });
        }
    }

    /// That one of the logs is this one, which the replica makes its own: after `after` it has these entries.
    pub(super) fn judge(
        &self,
        view: View,
        (after, entries): (Slot, &[(View, u64)]),
        (commit, known): (Slot, Slot),
    ) {
        let is_this = |offer: &&Offer| {
            let State { log, commit: told, .. } = &offer.state;
            let skipped = usize::try_from(after.since(log.after)).unwrap_or(usize::MAX);
            let rest = log.entries.iter().skip(skipped);
            let rest = rest.map(|logged| (logged.view, logged.entry.digest()));
            let may_be_committed = (*told).min(log.last()).max(known);
            offer.view == view
                && after >= log.after
                && rest.eq(entries.iter().copied())
                && commit <= may_be_committed
        };
        assert!(
            self.logs.iter().any(|offer| is_this(&offer)),
            "it takes up {view} after {after} with {} entries, committed up to {commit}, and may have: {:?}",
            entries.len(),
            self.logs
        );
    }

    /// Whether the checkpoint before one of the logs may end with `index`.
    pub(super) fn wants_checkpoint(&self, index: Slot) -> bool {
        let mut offered = self.logs.iter().map(|offer| &offer.state.log);
        offered.any(|log| log.after <= index && index <= log.last())
    }

    /// How many of each there are.
    pub(super) fn counts(&self) -> [u64; 3] {
        [self.votes.len(), self.answers.len(), self.logs.len()].map(|len| len.min(3) as u64)
    }
}
