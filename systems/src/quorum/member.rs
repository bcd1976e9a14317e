//! A member of lock writes: it votes with its clock, and keeps readers waiting until it knows the outcome.
//!
//! ```text
//! initiator --PROPOSE--> member   clock + 1, vote durable        --OK t--> initiator
//! initiator --COMMIT---> member   stored if newer, vote dropped  --COMMIT_OK-->
//! initiator --ABORT----> member   vote dropped
//! ```
//! A member that has voted must not decide alone. When the outcome does not come it asks everybody; only if
//! the nodes that durably refuse to vote leave no write quorum may it abort. Else it stays blocked, by the
//! nature of two-phase commit.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Quorum;
use super::construction::Quorums;
use super::message::{Message, Observation, OpId, Phase, Record, WriteId};
use super::server::{DURABLE, Server, after, respond};
use super::stamp::{Pair, Timestamp};
use crate::contract::{After, Key, Micros, NodeId, Outbox, Ticket, TimerId, Value};
use crate::parties::{NodeSet, Party};

/// The timer of the termination query.
pub(super) const TERMINATE: TimerId = TimerId(0);

/// A vote is old when this span began and ended after it was given.
const PATIENCE: (Micros, Micros) = (Micros::from_millis(300), Micros::from_millis(600));

/// More readers than this are not kept waiting; they ask again.
const WAITING_MAX: usize = 4_096;

/// So many votes are looked at after every step.
const ASSERTED_MAX: usize = 16;

/// One node's part in everybody's lock writes.
#[derive(Debug)]
pub(super) struct Member {
    me: NodeId,
    quorums: Quorums,
    /// At or above every vote of this member and every timestamp that it stored.
    clock: u64,
    /// Votes whose outcome is not known.
    pending: BTreeMap<WriteId, Vote>,
    /// What is known of all other writes at or after `below`; never of one that is pending.
    fates: BTreeMap<WriteId, Fate>,
    /// Per initiator: its writes before this one are finished for good, and forgotten.
    below: BTreeMap<NodeId, WriteId>,
    /// Readers that wait for the writes that were pending when they asked.
    waiting: BTreeMap<(Key, OpId), BTreeSet<WriteId>>,
    is_timer_set: bool,
}

#[derive(Debug)]
struct Vote {
    key: Key,
    value: Value,
    t: u64,
    ticket: Ticket,
    /// How often the timer has gone off since, or in an earlier life: from the second time on, everybody is
    /// asked.
    turns: u32,
    /// Who will never vote for it.
    refusers: NodeSet,
}

#[derive(Debug, Clone)]
enum Fate {
    /// Committed with this pair.
    Committed { key: Key, pair: Pair, ticket: Ticket },
    /// It will never be committed.
    Aborted { ticket: Ticket },
    /// This member will not vote for it; others may commit it.
    Refused { ticket: Ticket },
}

impl Member {
    pub(super) fn new(me: NodeId, quorums: Quorums) -> Self {
        Self {
            me,
            quorums,
            clock: 0,
            pending: BTreeMap::new(),
            fates: BTreeMap::new(),
            below: BTreeMap::new(),
            waiting: BTreeMap::new(),
            is_timer_set: false,
        }
    }

    /// A reader asks: it waits for the writes that are pending now, and for no later ones.
    pub(super) fn on_query(
        &mut self,
        server: &Server,
        (op, key): (OpId, Key),
        out: &mut Outbox<Quorum>,
    ) {
        if self.waiting.contains_key(&(key, op)) {
            return out.ignore("QUERY that waits already");
        }
        let writes: BTreeSet<WriteId> = self
            .pending
            .iter()
            .filter(|(_, vote)| vote.key == key)
            .map(|(write, _)| *write)
            .collect();
        if writes.is_empty() {
            return server.on_query(op, key, out);
        }
        if self.waiting.len() == WAITING_MAX {
            return out.ignore("QUERY while too many wait");
        }
        out.mark("reader-waits");
        self.waiting.insert((key, op), writes);
    }

    /// The initiator asks for a vote.
    pub(super) fn on_propose(
        &mut self,
        server: &Server,
        (write, key, value): (WriteId, Key, Value),
        below: WriteId,
        out: &mut Outbox<Quorum>,
    ) {
        self.advance(server, below, out);
        let to = write.initiator;
        if self.is_finished(write) {
            return out.ignore("PROPOSE of a finished write");
        }
        if let Some(vote) = self.pending.get(&write) {
            let ok = Message::Ok { write, t: vote.t };
            return out.send_after(after(vote.ticket), to, ok);
        }
        match self.fates.get(&write) {
            Some(Fate::Committed { .. }) => out.ignore("PROPOSE of a committed write"),
            Some(Fate::Aborted { ticket } | Fate::Refused { ticket }) => {
                out.mark("late-proposal-refused");
                out.send_after(after(*ticket), to, Message::No { write });
            }
            None => self.vote(write, key, value, out),
        }
    }

    fn vote(&mut self, write: WriteId, key: Key, value: Value, out: &mut Outbox<Quorum>) {
        assert!(!self.fates.contains_key(&write), "no vote once the fate is known");
        self.clock += 1;
        let t = self.clock;
        let ticket = out.persist(Record::Pending { write, key, value, t });
        out.observe(Observation::Voted { write, key, t });
        let vote = Vote { key, value, t, ticket, turns: 0, refusers: NodeSet::EMPTY };
        self.pending.insert(write, vote);
        out.send_after(after(ticket), write.initiator, Message::Ok { write, t });
        self.watch(out);
    }

    /// The write is decided: by its initiator, by a reader that found it, or by a member that knew.
    pub(super) fn on_commit(
        &mut self,
        server: &mut Server,
        op: OpId,
        (key, pair): (Key, Pair),
        below: Option<&WriteId>,
        out: &mut Outbox<Quorum>,
    ) {
        if pair.ts.t > Timestamp::T_MAX {
            return out.ignore("COMMIT with an impossible timestamp");
        }
        let Some(write) = WriteId::of(pair.ts) else {
            return out.ignore("COMMIT of what no node initiated");
        };
        if matches!(self.fates.get(&write), Some(Fate::Aborted { .. })) {
            return out.ignore("COMMIT of an aborted write");
        }
        self.commit(server, write, (key, pair), out);
        // Of its own writes only the initiator can say that they are finished.
        let is_own = |below: &&WriteId| below.initiator == write.initiator && **below <= write;
        if let Some(below) = below.filter(is_own) {
            self.advance(server, *below, out);
        }
        let known = match self.fates.get(&write) {
            Some(Fate::Committed { ticket, .. }) => *ticket,
            Some(Fate::Aborted { .. } | Fate::Refused { .. }) | None => DURABLE,
        };
        // Durable are then both the pair, or a newer one, and that the write is no longer pending.
        let ticket = server.acknowledge(op, key, known, out);
        respond(op.party, Message::CommitOk { op, write }, ticket, out);
    }

    fn commit(
        &mut self,
        server: &mut Server,
        write: WriteId,
        (key, pair): (Key, Pair),
        out: &mut Outbox<Quorum>,
    ) {
        if matches!(self.fates.get(&write), Some(Fate::Committed { .. })) {
            return;
        }
        let is_newer = pair.ts > server.get(key).0.ts;
        if self.is_finished(write) && !is_newer {
            return;
        }
        self.clock = self.clock.max(pair.ts.t);
        let ticket = if self.is_finished(write) {
            out.persist(Record::Stored { key, pair: pair.clone() })
        } else {
            let ticket = out.persist(Record::Committed { key, pair: pair.clone() });
            self.pending.remove(&write);
            self.fates.insert(write, Fate::Committed { key, pair: pair.clone(), ticket });
            ticket
        };
        out.observe(Observation::Committed { write, ts: pair.ts });
        if is_newer {
            server.put(key, pair, ticket, out);
        }
        self.release(server, write, out);
    }

    /// Somebody knows that the write will never be committed.
    pub(super) fn on_abort(&mut self, server: &Server, write: WriteId, out: &mut Outbox<Quorum>) {
        if self.is_finished(write) {
            return out.ignore("ABORT of a finished write");
        }
        match self.fates.get(&write) {
            // A late answer to a termination query, sent when the initiator had long forgotten the write
            // because this member, too, had acknowledged its commit.
            Some(Fate::Committed { .. }) => out.ignore("ABORT of a committed write"),
            Some(Fate::Aborted { .. }) => out.ignore("ABORT again"),
            Some(Fate::Refused { .. }) | None => self.abort(server, write, out),
        }
    }

    fn abort(&mut self, server: &Server, write: WriteId, out: &mut Outbox<Quorum>) {
        assert!(!matches!(self.fates.get(&write), Some(Fate::Committed { .. })));
        let ticket = out.persist(Record::Aborted { write });
        self.pending.remove(&write);
        self.fates.insert(write, Fate::Aborted { ticket });
        out.observe(Observation::Aborted { write });
        self.release(server, write, out);
    }

    /// Another member has voted for `write` and asks how it ended.
    pub(super) fn on_terminate(&mut self, from: NodeId, write: WriteId, out: &mut Outbox<Quorum>) {
        if self.is_finished(write) {
            // Committed, and acknowledged by the asker too, or never to be committed.
            return out.send(from, Message::Abort { write });
        }
        if self.pending.contains_key(&write) {
            return out.ignore("TERMINATE of a write that is pending here too");
        }
        match self.fates.get(&write).cloned() {
            Some(Fate::Committed { key, pair, ticket }) => {
                let op = OpId {
                    party: Party::Node(self.me),
                    incarnation: write.incarnation,
                    seq: write.number,
                    phase: Phase::Commit,
                    attempt: 0,
                };
                let commit = Message::Commit { op, key, pair, below: None };
                out.mark("outcome-told");
                out.send_after(after(ticket), from, commit);
            }
            Some(Fate::Aborted { ticket }) => {
                out.send_after(after(ticket), from, Message::Abort { write });
            }
            Some(Fate::Refused { ticket }) => {
                out.send_after(after(ticket), from, Message::No { write });
            }
            None => {
                let ticket = out.persist(Record::Refused { write });
                out.observe(Observation::Refused { write });
                self.fates.insert(write, Fate::Refused { ticket });
                out.send_after(after(ticket), from, Message::No { write });
            }
        }
    }

    /// `from` has never voted for `write` and never will.
    pub(super) fn on_no(
        &mut self,
        server: &Server,
        (from, write): (NodeId, WriteId),
        out: &mut Outbox<Quorum>,
    ) {
        let Some(vote) = self.pending.get_mut(&write) else { return };
        vote.refusers.insert(from);
        let may_vote = self.quorums.everyone().without(vote.refusers);
        if !self.quorums.is_write_quorum(may_vote) {
            out.mark("aborted-by-refusals");
            self.abort(server, write, out);
        }
    }

    /// Asks everybody how the old votes ended.
    pub(super) fn on_timer(&mut self, out: &mut Outbox<Quorum>) {
        self.is_timer_set = false;
        for (write, vote) in &mut self.pending {
            if vote.turns == 2 {
                out.mark("blocked");
            }
            if vote.turns > 0 {
                // Its initiator knows best, a member or not.
                let asked = self.quorums.everyone().union(NodeSet::of(write.initiator));
                for node in asked.iter() {
                    out.send_after(After::Nothing, node, Message::Terminate { write: *write });
                }
            }
            vote.turns = vote.turns.saturating_add(1);
        }
        self.watch(out);
    }

    fn watch(&mut self, out: &mut Outbox<Quorum>) {
        if !self.pending.is_empty() && !self.is_timer_set {
            out.set_timer(TERMINATE, PATIENCE.0, PATIENCE.1);
            self.is_timer_set = true;
        }
    }

    /// Forgets what lies before `below`. Votes left there are for writes that were never committed: this
    /// member would have acknowledged the commit before the initiator moved on.
    fn advance(&mut self, server: &Server, below: WriteId, out: &mut Outbox<Quorum>) {
        if self.below.get(&below.initiator).is_some_and(|known| *known >= below) {
            return;
        }
        out.persist(Record::Finished { below });
        self.forget(below);
        let dropped: Vec<WriteId> =
            self.pending.keys().copied().filter(|write| self.is_finished(*write)).collect();
        for write in dropped {
            self.pending.remove(&write);
            out.observe(Observation::Aborted { write });
            self.release(server, write, out);
        }
    }

    fn forget(&mut self, below: WriteId) {
        self.below.insert(below.initiator, below);
        let first = WriteId { incarnation: 0, number: 0, ..below };
        self.fates.extract_if(first..below, |_, _| true).for_each(drop);
    }

    fn is_finished(&self, write: WriteId) -> bool {
        self.below.get(&write.initiator).is_some_and(|below| write < *below)
    }

    /// `write` is no longer pending: answers the readers that waited for nothing else.
    fn release(&mut self, server: &Server, write: WriteId, out: &mut Outbox<Quorum>) {
        self.waiting.retain(|(key, op), writes| {
            writes.remove(&write);
            if writes.is_empty() {
                server.on_query(*op, *key, out);
            }
            !writes.is_empty()
        });
    }

    /// Takes over one record from disk.
    pub(super) fn recover(&mut self, record: &Record) {
        match record {
            Record::Stored { pair, .. } => self.clock = self.clock.max(pair.ts.t),
            Record::Pending { write, key, value, t } => {
                self.clock = self.clock.max(*t);
                let vote = Vote {
                    key: *key,
                    value: *value,
                    t: *t,
                    ticket: DURABLE,
                    turns: 1,
                    refusers: NodeSet::EMPTY,
                };
                self.pending.insert(*write, vote);
            }
            Record::Committed { key, pair } => {
                self.clock = self.clock.max(pair.ts.t);
                if let Some(write) = WriteId::of(pair.ts) {
                    self.pending.remove(&write);
                    let fate = Fate::Committed { key: *key, pair: pair.clone(), ticket: DURABLE };
                    self.fates.insert(write, fate);
                }
            }
            Record::Aborted { write } => {
                self.pending.remove(write);
                self.fates.insert(*write, Fate::Aborted { ticket: DURABLE });
            }
            Record::Refused { write } => {
                self.fates.insert(*write, Fate::Refused { ticket: DURABLE });
            }
            Record::Finished { below } => {
                self.forget(*below);
                let initiator = below.initiator;
                self.pending.retain(|write, _| write.initiator != initiator || write >= below);
            }
            Record::Clock { t } => self.clock = self.clock.max(*t),
            Record::Decided { .. } | Record::Forgotten { .. } | Record::Configured { .. } => {}
        }
    }

    /// Goes on after recovery.
    pub(super) fn resume(&mut self, out: &mut Outbox<Quorum>) {
        self.watch(out);
    }

    /// Records from which the same state comes back.
    pub(super) fn checkpoint(&self) -> Vec<Record> {
        let mut records = Vec::from([Record::Clock { t: self.clock }]);
        records.extend(self.below.values().map(|below| Record::Finished { below: *below }));
        records.extend(self.fates.iter().map(|(write, fate)| match fate {
            Fate::Committed { key, pair, .. } => {
                Record::Committed { key: *key, pair: pair.clone() }
            }
            Fate::Aborted { .. } => Record::Aborted { write: *write },
            Fate::Refused { .. } => Record::Refused { write: *write },
        }));
        records.extend(self.pending.iter().map(|(write, vote)| {
            let Vote { key, value, t, .. } = *vote;
            Record::Pending { write: *write, key, value, t }
        }));
        records
    }

    /// What must hold after every step, of the oldest of its votes: to look at all where a thousand clients write
    /// would take longer than the step.
    pub(super) fn assert_invariants(&self) {
        for (write, vote) in self.pending.iter().take(ASSERTED_MAX) {
            assert!(!self.fates.contains_key(write), "a pending write has no known fate");
            assert!(!self.is_finished(*write));
            assert!(vote.t <= self.clock);
        }
    }
}
