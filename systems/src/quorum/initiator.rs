//! The initiator of lock writes: proposes, decides once a write quorum has voted, and tells everybody until
//! all have acknowledged, across restarts.
//!
//! Aborts are presumed: a write without a durable decision was not and will not be committed by a later life
//! of its initiator, so that an abort needs neither a record nor an acknowledgement.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::construction::Purpose;
use super::coordinator::{Desk, patience};
use super::message::{Message, Observation, OpId, Phase, Record, WriteId};
use super::service::timer_of;
use super::stamp::Pair;
use crate::contract::{After, ClientId, Key, Micros, NodeId, Outbox, Outcome, Value};
use crate::mutant::Mutant;
use crate::parties::{NodeSet, Party};

/// A write that has no quorum of votes after so many repeats, some two seconds, is aborted.
const PROPOSE_RESENDS_MAX: u32 = 4;

/// One node's own lock writes.
#[derive(Debug)]
pub(super) struct Initiator {
    me: NodeId,
    incarnation: u64,
    proposed: BTreeMap<WriteId, Proposal>,
    decided: BTreeMap<WriteId, Decision>,
    /// Which write a timer is for.
    timers: BTreeMap<u64, WriteId>,
}

/// A write that is still open: either way.
#[derive(Debug)]
struct Proposal {
    client: ClientId,
    key: Key,
    value: Value,
    votes: BTreeMap<NodeId, u64>,
    refusers: NodeSet,
    asked: NodeSet,
    resent: u32,
}

/// A write that is committed, and not yet acknowledged by all that were asked to vote.
#[derive(Debug)]
struct Decision {
    /// Whom to tell; nobody after a restart.
    client: Option<ClientId>,
    key: Key,
    pair: Pair,
    asked: NodeSet,
    acknowledged: NodeSet,
    resent: u32,
    timer: u64,
}

/// A client's write has ended.
pub(super) type Ended = (ClientId, u64, Outcome);

impl Initiator {
    pub(super) fn new(me: NodeId, incarnation: u64) -> Self {
        Self {
            me,
            incarnation,
            proposed: BTreeMap::new(),
            decided: BTreeMap::new(),
            timers: BTreeMap::new(),
        }
    }

    /// Begins operation `number`: a write for a client.
    pub(super) fn begin(
        &mut self,
        desk: &mut Desk,
        (client, number): (ClientId, u64),
        (key, value): (Key, Value),
        out: &mut Outbox<Quorum>,
    ) {
        let write = WriteId { initiator: self.me, incarnation: self.incarnation, number };
        let proposal = Proposal {
            client,
            key,
            value,
            votes: BTreeMap::new(),
            refusers: NodeSet::EMPTY,
            asked: NodeSet::EMPTY,
            resent: 0,
        };
        self.proposed.insert(write, proposal);
        self.timers.insert(number, write);
        self.propose(desk, write, out);
    }

    fn propose(&mut self, desk: &mut Desk, write: WriteId, out: &mut Outbox<Quorum>) {
        let below = self.below(write);
        let Some(proposal) = self.proposed.get_mut(&write) else { return };
        let Proposal { key, value, resent, .. } = *proposal;
        let contacts = desk.contacts(Purpose::Write, resent);
        proposal.asked = proposal.asked.union(contacts);
        let answered = proposal.refusers.union(proposal.votes.keys().copied().collect());
        for node in contacts.without(answered).iter() {
            let message = Message::Propose { write, key, value, below };
            out.send_after(After::Nothing, node, message);
        }
        let (min, max) = patience(resent);
        out.set_timer(timer_of(write.number), min, max);
    }

    /// A member votes with its clock.
    pub(super) fn on_ok(
        &mut self,
        desk: &Desk,
        (from, write, t): (NodeId, WriteId, u64),
        out: &mut Outbox<Quorum>,
    ) -> Option<Ended> {
        let Some(proposal) = self.proposed.get_mut(&write) else {
            out.ignore("OK for a write that is not open");
            return None;
        };
        if !proposal.asked.contains(from) || proposal.votes.contains_key(&from) {
            out.ignore("OK again");
            return None;
        }
        proposal.votes.insert(from, t);
        let voters = proposal.votes.keys().copied().collect();
        if desk.config.quorums.is_write_quorum(voters) {
            self.decide(write, voters, out);
            return self.answer(desk, write, out);
        }
        None
    }

    /// The highest clock of a write quorum is above every completed write: its quorum shares a member with
    /// theirs, whose clock was raised by that commit.
    fn decide(&mut self, write: WriteId, voters: NodeSet, out: &mut Outbox<Quorum>) {
        let Some(proposal) = self.proposed.remove(&write) else { return };
        let Proposal { client, key, value, votes, asked, .. } = proposal;
        let highest = votes.values().max().expect("a write quorum is not empty");
        let ts = write.timestamp(*highest);
        let pair = Pair { ts, value: Some(value), proof: None };
        out.persist(Record::Decided { key, pair: pair.clone(), asked });
        out.observe(Observation::Decided { write, ts, voters });
        let decision = Decision {
            client: Some(client),
            key,
            pair,
            asked,
            acknowledged: NodeSet::EMPTY,
            resent: 0,
            timer: write.number,
        };
        self.decided.insert(write, decision);
        self.push(write, out);
    }

    /// Tells the decision, once durable, to all that were asked and have not acknowledged it.
    fn push(&mut self, write: WriteId, out: &mut Outbox<Quorum>) {
        let below = self.below(write);
        let Some(decision) = self.decided.get(&write) else { return };
        for node in decision.asked.without(decision.acknowledged).iter() {
            let (key, pair) = (decision.key, decision.pair.clone());
            let below = Some(Box::new(below));
            out.send(node, Message::Commit { op: self.op_id(write), key, pair, below });
        }
        let (min, max) = commit_patience(decision.resent);
        out.set_timer(timer_of(decision.timer), min, max);
    }

    fn op_id(&self, write: WriteId) -> OpId {
        OpId {
            party: Party::Node(self.me),
            incarnation: write.incarnation,
            seq: write.number,
            phase: Phase::Commit,
            attempt: 0,
        }
    }

    /// A member refuses for good.
    pub(super) fn on_no(
        &mut self,
        desk: &Desk,
        (from, write): (NodeId, WriteId),
        out: &mut Outbox<Quorum>,
    ) -> Option<Ended> {
        let proposal = self.proposed.get_mut(&write)?;
        proposal.refusers.insert(from);
        let may_vote = desk.config.quorums.everyone().without(proposal.refusers);
        if desk.config.quorums.is_write_quorum(may_vote) {
            return None;
        }
        self.abort(write, "refused by too many members", out)
    }

    /// Without a decision, in the only life that could take one, the write has certainly failed.
    fn abort(&mut self, write: WriteId, why: &str, out: &mut Outbox<Quorum>) -> Option<Ended> {
        assert!(!self.decided.contains_key(&write), "no abort after a decision");
        let proposal = self.proposed.remove(&write)?;
        self.timers.remove(&write.number);
        out.cancel_timer(timer_of(write.number));
        out.observe(Observation::Aborted { write });
        for node in proposal.asked.iter() {
            out.send_after(After::Nothing, node, Message::Abort { write });
        }
        Some((proposal.client, write.number, Outcome::Failed(why.into())))
    }

    /// A member has made the commit durable.
    pub(super) fn on_commit_ok(
        &mut self,
        desk: &Desk,
        (from, write): (NodeId, WriteId),
        out: &mut Outbox<Quorum>,
    ) -> Option<Ended> {
        let Some(decision) = self.decided.get_mut(&write) else {
            out.ignore("COMMIT_OK for a write that is finished");
            return None;
        };
        decision.acknowledged.insert(from);
        let ended = self.answer(desk, write, out);
        self.forget_if_known_to_all(write, out);
        ended
    }

    /// Answers the client once a write quorum has acknowledged, and not when the commit is sent: until
    /// then a crash could take the decision back.
    fn answer(&mut self, desk: &Desk, write: WriteId, out: &mut Outbox<Quorum>) -> Option<Ended> {
        let decision = self.decided.get_mut(&write)?;
        let holders = decision.acknowledged;
        let is_held = desk.config.quorums.is_write_quorum(holders);
        if !is_held && !desk.config.mutants.deviates(Mutant::Q15) {
            return None;
        }
        let client = decision.client.take()?;
        let (key, Pair { ts, value, .. }) = (decision.key, decision.pair.clone());
        let op = self.op_id(write);
        let configuration = desk.epoch.id();
        out.observe(Observation::Completed { op, key, ts, value, holders, configuration });
        Some((client, write.number, Outcome::Written))
    }

    fn forget_if_known_to_all(&mut self, write: WriteId, out: &mut Outbox<Quorum>) {
        let Some(decision) = self.decided.get(&write) else { return };
        if decision.acknowledged.includes(decision.asked) {
            let timer = decision.timer;
            out.cancel_timer(timer_of(timer));
            out.persist(Record::Forgotten { write });
            self.timers.remove(&timer);
            self.decided.remove(&write);
        }
    }

    /// A member asks about a write of this initiator.
    pub(super) fn on_terminate(&self, from: NodeId, write: WriteId, out: &mut Outbox<Quorum>) {
        if self.proposed.contains_key(&write) {
            return out.ignore("TERMINATE of a write that is still open");
        }
        if let Some(decision) = self.decided.get(&write) {
            let (key, pair) = (decision.key, decision.pair.clone());
            return out
                .send(from, Message::Commit { op: self.op_id(write), key, pair, below: None });
        }
        if write.incarnation > self.incarnation {
            return out.ignore("TERMINATE of a write of a later life");
        }
        out.send(from, Message::Abort { write });
    }

    /// Repeats what write number `number` waits for; false if there is no such write.
    pub(super) fn on_timer(
        &mut self,
        desk: &mut Desk,
        number: u64,
        out: &mut Outbox<Quorum>,
    ) -> (bool, Option<Ended>) {
        let Some(write) = self.timers.get(&number).copied() else { return (false, None) };
        if let Some(proposal) = self.proposed.get_mut(&write) {
            proposal.resent += 1;
            if proposal.resent > PROPOSE_RESENDS_MAX {
                return (true, self.abort(write, "no write quorum voted in time", out));
            }
            self.propose(desk, write, out);
        } else if let Some(decision) = self.decided.get_mut(&write) {
            decision.resent += 1;
            self.push(write, out);
        }
        (true, None)
    }

    /// Every write of this initiator before this one is finished for good; `next` is not begun before.
    fn below(&self, next: WriteId) -> WriteId {
        let open = self.proposed.keys().next().copied().unwrap_or(next);
        let untold = self.decided.keys().next().copied().unwrap_or(next);
        open.min(untold).min(next)
    }

    /// Takes over one record from disk.
    pub(super) fn recover(&mut self, record: &Record) {
        match record {
            Record::Decided { key, pair, asked } => {
                if let Some(write) = WriteId::of(pair.ts) {
                    let decision = Decision {
                        client: None,
                        key: *key,
                        pair: pair.clone(),
                        asked: *asked,
                        acknowledged: NodeSet::EMPTY,
                        resent: 0,
                        timer: 0,
                    };
                    self.decided.insert(write, decision);
                }
            }
            Record::Forgotten { write } => {
                self.decided.remove(write);
            }
            Record::Stored { .. }
            | Record::Pending { .. }
            | Record::Committed { .. }
            | Record::Aborted { .. }
            | Record::Refused { .. }
            | Record::Finished { .. }
            | Record::Clock { .. }
            | Record::Configured { .. } => {}
        }
    }

    /// Goes on telling the decisions of earlier lives.
    pub(super) fn resume(&mut self, mut allot: impl FnMut() -> u64, out: &mut Outbox<Quorum>) {
        let writes: Vec<WriteId> = self.decided.keys().copied().collect();
        for write in writes {
            let Some(decision) = self.decided.get_mut(&write) else { continue };
            decision.timer = allot();
            self.timers.insert(decision.timer, write);
            out.mark("decision-resumed");
            self.push(write, out);
        }
    }

    /// Records from which the decisions come back.
    pub(super) fn checkpoint(&self) -> Vec<Record> {
        self.decided
            .values()
            .map(|decision| Record::Decided {
                key: decision.key,
                pair: decision.pair.clone(),
                asked: decision.asked,
            })
            .collect()
    }
}

/// As [`patience`], and then doubling up to eight seconds: a member that is down is told now and then, and
/// asks by itself when it is back.
fn commit_patience(resent: u32) -> (Micros, Micros) {
    let (min, max) = patience(resent);
    let factor = 1 << resent.saturating_sub(2).min(3);
    (Micros(min.0 * factor), Micros(max.0 * factor))
}
