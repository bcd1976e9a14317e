//! A candidate and leader: what it may propose, call decided and count on, by what it was told.

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos::{Ballot, Entry, Promise, Report};
use quorate_systems::smr::Slot;

use super::{Spread, rank};

/// What one life has asked for, and been told.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposer {
    /// The ballot that it tries, or leads in.
    ballot: Option<Ballot>,
    is_leader: bool,
    /// The one before, which it gives up with this one.
    before: Option<Ballot>,
    /// The first slot that it asked about.
    first: Slot,
    /// Who has promised its ballot, and reported what.
    promises: Vec<(NodeId, Promise)>,
    /// Up to here it must propose what was reported.
    pub(super) adopted: Slot,
    /// What it has proposed in its ballot.
    proposed: Vec<(Slot, u64)>,
    /// What clients have asked for.
    pub(super) asked: Vec<Entry>,
    /// Who has accepted in which ballot and slot, and answered which round.
    pub(super) votes: Vec<(NodeId, Ballot, Slot)>,
    pub(super) beats: Vec<(NodeId, Ballot, u64)>,
}

/// No report of a slot further beyond its sender's snapshot is believed.
const REACH_MAX: u64 = 32_768;

impl Proposer {
    pub(super) fn campaign(&mut self, ballot: Ballot, first: Slot) {
        self.before = self.ballot.replace(ballot);
        self.is_leader = false;
        self.first = first;
        self.promises.clear();
        self.proposed.clear();
    }

    pub(super) fn is_candidate(&self, ballot: Ballot) -> bool {
        self.ballot == Some(ballot) && !self.is_leader
    }

    pub(super) fn is_leading(&self, ballot: Ballot) -> bool {
        self.ballot == Some(ballot) && self.is_leader
    }

    /// The first slot that its own promise must tell of.
    pub(super) fn first_of(&self, ballot: Ballot) -> Slot {
        assert!(self.is_candidate(ballot), "nobody has asked to promise {ballot}");
        self.first
    }

    pub(super) fn step_down(&mut self, ballot: Ballot) {
        if self.before == Some(ballot) {
            self.before = None;
            return;
        }
        assert!(self.ballot == Some(ballot), "{ballot} is not its own");
        self.ballot = None;
        self.is_leader = false;
    }

    pub(super) fn on_p1b(&mut self, from: NodeId, ballot: Ballot, promise: &Promise) {
        let reach = promise.snapshot.0.saturating_add(REACH_MAX);
        let is_far = promise.reports.iter().any(|report| report.slot.0 > reach);
        if self.is_candidate(ballot) && !is_far {
            self.promises.push((from, promise.clone()));
        }
    }

    fn reports(&self, slot: Slot) -> impl Iterator<Item = &Report> {
        let all = self.promises.iter().flat_map(|(_, promise)| &promise.reports);
        all.filter(move |report| report.slot == slot)
    }

    /// # Panics
    /// Where it has no majority, or has not all that was decided and reported.
    pub(super) fn elect(
        &mut self,
        ballot: Ballot,
        voters: NodeSet,
        majority: u32,
        (commit, adopted): (Slot, Slot),
    ) {
        assert!(self.is_candidate(ballot), "{ballot} is not what it tries");
        assert!(voters.len() >= majority, "{voters} is no majority");
        let has_promised = |node: NodeId| self.promises.iter().any(|(from, _)| *from == node);
        assert!(voters.iter().all(has_promised), "{voters}: {:?}", self.promises);
        for (_, promise) in &self.promises {
            assert!(promise.snapshot <= commit, "a snapshot is missing: {promise:?}");
            let last = promise.reports.iter().map(|report| report.slot).max();
            assert!(last <= Some(adopted), "{adopted} is not the last: {promise:?}");
        }
        self.is_leader = true;
        self.adopted = adopted;
    }

    /// # Panics
    /// Where it proposes something that it must not.
    pub(super) fn propose(
        &mut self,
        ballot: Ballot,
        slot: Slot,
        entry: u64,
        adopted: Option<Ballot>,
    ) {
        assert!(self.is_leading(ballot), "it does not lead {ballot}");
        let is_new = self.proposed.iter().all(|(of, _)| *of != slot);
        assert!(is_new, "{slot} has its proposal in {ballot}");
        self.proposed.push((slot, entry));
        let highest = self.reports(slot).map(|report| report.ballot).max_by_key(|b| rank(*b));
        let is_right = match highest {
            // Of two that were reported with one ballot, which there cannot be, either.
            Some(highest) => self.reports(slot).any(|report| {
                report.ballot == highest
                    && adopted == Some(highest)
                    && report.entry.digest() == entry
            }),
            None if slot <= self.adopted => entry == Entry::Noop.digest() && adopted.is_none(),
            None => adopted.is_none() && self.asked.iter().any(|asked| asked.digest() == entry),
        };
        let reports: Vec<&Report> = self.reports(slot).collect();
        assert!(is_right, "it proposes another entry in {slot} ({adopted:?}) than {reports:?}");
    }

    /// # Panics
    /// Where that is not what it proposes.
    pub(super) fn judge_proposal(&self, ballot: Ballot, slot: Slot, entry: &Entry) {
        assert!(self.is_leading(ballot), "it does not lead {ballot}");
        let is_proposed = self.proposed.contains(&(slot, entry.digest()));
        assert!(is_proposed, "{entry} is not what it proposes in {slot}");
    }

    /// # Panics
    /// Where that is no majority that has accepted in this ballot.
    pub(super) fn judge_decision(
        &self,
        ballot: Ballot,
        slot: Slot,
        voters: NodeSet,
        majority: u32,
    ) {
        assert!(self.is_leading(ballot), "it does not lead {ballot}");
        assert!(voters.len() >= majority, "{voters} is no majority");
        let has_voted = |node: NodeId| self.votes.contains(&(node, ballot, slot));
        assert!(voters.iter().all(has_voted), "{voters} in {slot}: {:?}", self.votes);
    }

    /// # Panics
    /// Where that is no majority that has answered this round.
    pub(super) fn judge_round(
        &self,
        me: NodeId,
        (ballot, round): (Ballot, u64),
        voters: NodeSet,
        majority: u32,
    ) {
        assert!(self.is_leading(ballot), "it does not lead {ballot}");
        assert!(voters.len() >= majority, "{voters} is no majority");
        let has_answered = |node: NodeId| node == me || self.beats.contains(&(node, ballot, round));
        assert!(voters.iter().all(has_answered), "{voters} in round {round}: {:?}", self.beats);
    }

    pub(super) fn add_to(&self, state: &mut Spread) {
        state.add(u64::from(self.ballot.is_some()) + u64::from(self.is_leader));
        state.add(self.promises.iter().fold(0, |set, (node, _)| set | 1 << (node.0 % 64)));
        state.add(self.proposed.len().min(4) as u64);
        state.add(self.asked.len().min(3) as u64);
        state.add(self.votes.len().min(4) as u64);
    }
}
