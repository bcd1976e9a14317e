//! Lock writes: what a member must vote and answer, and what an initiator must decide and tell.

use quorate_systems::contract::{ClientId, Key, NodeId, Outcome, Value};
use quorate_systems::quorum::{
    Message, NodeSet, OpId, Pair, Party, Phase, Purpose, Quorum, Record, Timestamp, WriteId,
};

use super::coordinator::Desk;
use super::server::{Server, to};
use super::{Tickets, quorums};
use crate::stream::expected::bit;
use crate::stream::{Expected, To};

/// A write that has no quorum of votes after so many repeats is aborted.
const REPEATS_MAX: u32 = 4;

/// One node's part in everybody's lock writes.
#[derive(Clone, Debug, Default)]
pub(in crate::stream::quorum) struct Member {
    pub(in crate::stream::quorum) clock: u64,
    pub(in crate::stream::quorum) pending: Vec<Vote>,
    pub(in crate::stream::quorum) fates: Vec<(WriteId, Fate, u64)>,
    /// Writes of each initiator before these are finished; each with its ticket.
    below: Vec<(WriteId, u64)>,
    /// Who asked for a key, and for which pending writes it waits.
    pub(in crate::stream::quorum) waiting: Vec<(OpId, Key, Vec<WriteId>)>,
}

/// A vote whose outcome is not known.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) struct Vote {
    pub(in crate::stream::quorum) write: WriteId,
    key: Key,
    t: u64,
    ticket: u64,
    /// Whether the patience for it has ended once.
    is_old: bool,
    refusers: u64,
}

/// How a write ended, as far as a member knows.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::stream::quorum) enum Fate {
    Committed(Key, Pair),
    Aborted,
    Refused,
}

impl Member {
    pub(super) fn clear(&mut self) {
        self.clock = 0;
        self.pending.clear();
        self.fates.clear();
        self.below.clear();
        self.waiting.clear();
    }

    pub(super) fn recover(&mut self, record: &Record) {
        match record {
            Record::Stored { pair, .. } => self.clock = self.clock.max(pair.ts.t),
            Record::Pending { write, key, value: _, t } => {
                self.clock = self.clock.max(*t);
                let (write, key, t) = (*write, *key, *t);
                self.pending.push(Vote { write, key, t, ticket: 0, is_old: true, refusers: 0 });
            }
            Record::Committed { key, pair } => {
                self.clock = self.clock.max(pair.ts.t);
                if let Some(write) = WriteId::of(pair.ts) {
                    self.end(write, Fate::Committed(*key, pair.clone()), 0);
                }
            }
            Record::Aborted { write } => self.end(*write, Fate::Aborted, 0),
            Record::Refused { write } => self.end(*write, Fate::Refused, 0),
            Record::Finished { below } => {
                self.finish(*below, 0);
                let kept = std::mem::take(&mut self.pending);
                self.pending =
                    kept.into_iter().filter(|vote| !self.is_finished(vote.write)).collect();
            }
            Record::Clock { t } => self.clock = self.clock.max(*t),
            Record::Decided { .. } | Record::Forgotten { .. } | Record::Configured { .. } => {}
        }
    }

    fn end(&mut self, write: WriteId, fate: Fate, ticket: u64) {
        self.pending.retain(|vote| vote.write != write);
        self.fates.retain(|(of, ..)| *of != write);
        self.fates.push((write, fate, ticket));
    }

    fn finish(&mut self, below: WriteId, ticket: u64) {
        self.below.retain(|(of, _)| of.initiator != below.initiator);
        self.below.push((below, ticket));
        self.fates.retain(|(of, ..)| of.initiator != below.initiator || *of >= below);
    }

    fn finished(&self, initiator: NodeId) -> Option<(WriteId, u64)> {
        self.below.iter().find(|(below, _)| below.initiator == initiator).copied()
    }

    fn is_finished(&self, write: WriteId) -> bool {
        self.finished(write.initiator).is_some_and(|(below, _)| write < below)
    }

    fn fate(&self, write: WriteId) -> Option<(&Fate, u64)> {
        let found = self.fates.iter().find(|(of, ..)| *of == write);
        found.map(|(_, fate, ticket)| (fate, *ticket))
    }

    /// A reader waits for the writes of its key that are pending when it asks.
    pub(super) fn on_query(
        &mut self,
        server: &Server,
        (op, key): (OpId, Key),
        expected: &mut Expected<Quorum>,
    ) {
        if self.waiting.iter().any(|(who, of, _)| (*who, *of) == (op, key)) {
            return;
        }
        let pending = self.pending.iter().filter(|vote| vote.key == key);
        let writes: Vec<WriteId> = pending.map(|vote| vote.write).collect();
        if writes.is_empty() {
            server.on_query(op, key, expected);
        } else {
            self.waiting.push((op, key, writes));
        }
    }

    /// A write is no longer pending: readers that waited for nothing else are answered.
    fn release(&mut self, server: &Server, write: WriteId, expected: &mut Expected<Quorum>) {
        for (op, key, writes) in &mut self.waiting {
            writes.retain(|of| *of != write);
            if writes.is_empty() {
                server.on_query(*op, *key, expected);
            }
        }
        self.waiting.retain(|(_, _, writes)| !writes.is_empty());
    }

    /// Takes the word of an initiator that its writes before `below` are finished.
    fn advance(
        &mut self,
        server: &Server,
        below: WriteId,
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        if self.finished(below.initiator).is_some_and(|(known, _)| known >= below) {
            return;
        }
        expected.record(Record::Finished { below });
        self.finish(below, tickets.take());
        let over: Vec<WriteId> =
            self.pending.iter().map(|vote| vote.write).filter(|of| self.is_finished(*of)).collect();
        for write in over {
            self.pending.retain(|vote| vote.write != write);
            self.release(server, write, expected);
        }
    }

    pub(super) fn on_propose(
        &mut self,
        server: &Server,
        (write, key, value, below): (WriteId, Key, Value, WriteId),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        self.advance(server, below, tickets, expected);
        if self.is_finished(write) {
            return;
        }
        let initiator = To::node(write.initiator);
        if let Some(vote) = self.pending.iter().find(|vote| vote.write == write) {
            return expected.message(initiator, Message::Ok { write, t: vote.t }, vote.ticket);
        }
        match self.fate(write) {
            Some((Fate::Committed(..), _)) => {}
            Some((Fate::Aborted | Fate::Refused, ticket)) => {
                expected.message(initiator, Message::No { write }, ticket);
            }
            None => {
                self.clock += 1;
                let t = self.clock;
                let ticket = tickets.take();
                expected.record(Record::Pending { write, key, value, t });
                let vote = Vote { write, key, t, ticket, is_old: false, refusers: 0 };
                self.pending.push(vote);
                expected.message(initiator, Message::Ok { write, t }, ticket);
            }
        }
    }

    pub(super) fn on_commit(
        &mut self,
        server: &mut Server,
        (op, key, pair, below): (OpId, Key, &Pair, Option<WriteId>),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let Some(write) = WriteId::of(pair.ts).filter(|_| pair.ts.t <= Timestamp::T_MAX) else {
            return;
        };
        if matches!(self.fate(write), Some((Fate::Aborted, _))) {
            return;
        }
        self.commit(server, write, (key, pair), tickets, expected);
        // An initiator speaks of its own writes.
        let below = below.filter(|below| below.initiator == write.initiator && *below <= write);
        if let Some(below) = below {
            self.advance(server, below, tickets, expected);
        }
        let known = match self.fate(write) {
            Some((Fate::Committed(..), ticket)) => ticket,
            Some((Fate::Aborted | Fate::Refused, _)) | None => 0,
        };
        let after = known.max(server.covers(key));
        expected.message(to(op.party), Message::CommitOk { op, write }, after);
    }

    fn commit(
        &mut self,
        server: &mut Server,
        write: WriteId,
        (key, pair): (Key, &Pair),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let is_newer = pair.ts > server.ts(key);
        let is_known = matches!(self.fate(write), Some((Fate::Committed(..), _)));
        if is_known || self.is_finished(write) && !is_newer {
            return;
        }
        self.clock = self.clock.max(pair.ts.t);
        let ticket = tickets.take();
        if self.is_finished(write) {
            expected.record(Record::Stored { key, pair: pair.clone() });
        } else {
            expected.record(Record::Committed { key, pair: pair.clone() });
            self.end(write, Fate::Committed(key, pair.clone()), ticket);
        }
        if is_newer {
            server.put(key, pair.clone(), ticket);
        }
        self.release(server, write, expected);
    }

    pub(super) fn on_abort(
        &mut self,
        server: &Server,
        write: WriteId,
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let is_open = matches!(self.fate(write), None | Some((Fate::Refused, _)));
        if is_open && !self.is_finished(write) {
            self.abort(server, write, tickets, expected);
        }
    }

    fn abort(
        &mut self,
        server: &Server,
        write: WriteId,
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        expected.record(Record::Aborted { write });
        self.end(write, Fate::Aborted, tickets.take());
        self.release(server, write, expected);
    }

    /// A member that has voted asks how the write ended.
    pub(super) fn on_terminate(
        &mut self,
        (me, from, write): (NodeId, NodeId, WriteId),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let from = To::node(from);
        if self.is_finished(write) {
            let after = self.finished(write.initiator).map_or(0, |(_, ticket)| ticket);
            return expected.message(from, Message::Abort { write }, after);
        }
        if self.pending.iter().any(|vote| vote.write == write) {
            return;
        }
        match self.fate(write) {
            Some((Fate::Committed(key, pair), ticket)) => {
                let op = commit_op(me, write);
                let (key, pair) = (*key, pair.clone());
                expected.message(from, Message::Commit { op, key, pair, below: None }, ticket);
            }
            Some((Fate::Aborted, ticket)) => {
                expected.message(from, Message::Abort { write }, ticket);
            }
            Some((Fate::Refused, ticket)) => expected.message(from, Message::No { write }, ticket),
            None => {
                let ticket = tickets.take();
                expected.record(Record::Refused { write });
                self.end(write, Fate::Refused, ticket);
                expected.message(from, Message::No { write }, ticket);
            }
        }
    }

    /// Who refuses for good leaves no write quorum, perhaps: then nobody can ever commit.
    pub(super) fn on_no(
        &mut self,
        (server, desk): (&Server, &Desk),
        (from, write): (NodeId, WriteId),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let Some(vote) = self.pending.iter_mut().find(|vote| vote.write == write) else { return };
        vote.refusers |= bit(from);
        if !quorums::suffices(&desk.epoch, Purpose::Write, !vote.refusers) {
            self.abort(server, write, tickets, expected);
        }
    }

    /// Patience ends: of old votes everybody is asked how they ended.
    pub(super) fn on_timer(&mut self, desk: &Desk, expected: &mut Expected<Quorum>) {
        for vote in &mut self.pending {
            if vote.is_old {
                let asked = quorums::everyone(&desk.epoch) | bit(vote.write.initiator);
                expected.message(To::Nodes(asked), Message::Terminate { write: vote.write }, 0);
            }
            vote.is_old = true;
        }
    }
}

/// Names a commit by whoever tells it.
fn commit_op(teller: NodeId, write: WriteId) -> OpId {
    let WriteId { incarnation, number: seq, .. } = write;
    OpId { party: Party::Node(teller), incarnation, seq, phase: Phase::Commit, attempt: 0 }
}

/// One node's own lock writes, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub(in crate::stream::quorum) struct Initiator {
    pub(in crate::stream::quorum) open: Vec<Proposal>,
    pub(in crate::stream::quorum) decided: Vec<Decision>,
}

/// A write that nobody has decided on.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) struct Proposal {
    pub(in crate::stream::quorum) write: WriteId,
    client: ClientId,
    key: Key,
    value: Value,
    votes: Vec<(NodeId, u64)>,
    refusers: u64,
    asked: u64,
    resent: u32,
}

/// A write that is decided, and that not all know of.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) struct Decision {
    pub(in crate::stream::quorum) write: WriteId,
    client: Option<ClientId>,
    key: Key,
    pair: Pair,
    asked: u64,
    acknowledged: u64,
    ticket: u64,
    timer: u64,
}

/// A client's write has ended.
pub(super) type Ended = (ClientId, u64, Outcome);

impl Initiator {
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.decided.clear();
    }

    pub(super) fn recover(&mut self, record: &Record) {
        match record {
            Record::Decided { key, pair, asked } => {
                let Some(write) = WriteId::of(pair.ts) else { return };
                self.decided.push(Decision {
                    write,
                    client: None,
                    key: *key,
                    pair: pair.clone(),
                    asked: asked.iter().fold(0, |set, node| set | bit(node)),
                    acknowledged: 0,
                    ticket: 0,
                    timer: 0,
                });
            }
            Record::Forgotten { write } => self.decided.retain(|known| known.write != *write),
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

    /// Decisions of earlier lives are told again.
    pub(super) fn resume(
        &mut self,
        me: NodeId,
        mut number: impl FnMut() -> u64,
        expected: &mut Expected<Quorum>,
    ) {
        self.decided.sort_by_key(|decision| decision.write);
        for decision in &mut self.decided {
            decision.timer = number();
        }
        for decision in &self.decided {
            self.tell(me, decision, expected);
        }
    }

    /// Every write of this initiator before this one is finished.
    fn below(&self, next: WriteId) -> WriteId {
        let open = self.open.iter().map(|proposal| proposal.write);
        let untold = self.decided.iter().map(|decision| decision.write);
        open.chain(untold).min().map_or(next, |first| first.min(next))
    }

    fn tell(&self, me: NodeId, decision: &Decision, expected: &mut Expected<Quorum>) {
        let Decision { write, key, asked, acknowledged, ticket, .. } = *decision;
        let below = Some(Box::new(self.below(write)));
        let (op, pair) = (commit_op(me, write), decision.pair.clone());
        let commit = Message::Commit { op, key, pair, below };
        expected.message(To::Nodes(asked & !acknowledged), commit, ticket);
    }

    pub(super) fn begin(
        &mut self,
        desk: &Desk,
        (write, client): (WriteId, ClientId),
        (key, value): (Key, Value),
        expected: &mut Expected<Quorum>,
    ) {
        let proposal = Proposal {
            write,
            client,
            key,
            value,
            votes: Vec::new(),
            refusers: 0,
            asked: 0,
            resent: 0,
        };
        self.open.push(proposal);
        self.propose(desk, write, expected);
    }

    fn propose(&mut self, desk: &Desk, write: WriteId, expected: &mut Expected<Quorum>) {
        let below = self.below(write);
        let Some(proposal) = self.open.iter_mut().find(|open| open.write == write) else { return };
        let answered = proposal.votes.iter().fold(proposal.refusers, |set, (n, _)| set | bit(*n));
        let contacts = desk.contacts(proposal.resent, answered);
        if let To::Nodes(_) = contacts {
            proposal.asked |= quorums::everyone(&desk.epoch);
        }
        let Proposal { key, value, .. } = *proposal;
        expected.message(contacts, Message::Propose { write, key, value, below }, 0);
    }

    /// The core has chosen whom to ask.
    pub(super) fn has_asked(&mut self, write: WriteId, nodes: u64) {
        if let Some(proposal) = self.open.iter_mut().find(|open| open.write == write) {
            proposal.asked |= nodes;
        }
    }

    /// A member votes: once, whatever it says afterwards.
    pub(super) fn on_ok(
        &mut self,
        desk: &Desk,
        (me, from, write, t): (NodeId, NodeId, WriteId, u64),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) {
        let Some(place) = self.open.iter().position(|open| open.write == write) else { return };
        let Some(proposal) = self.open.get_mut(place) else { return };
        let has_voted = proposal.votes.iter().any(|(node, _)| *node == from);
        if has_voted || proposal.asked & bit(from) == 0 {
            return;
        }
        proposal.votes.push((from, t));
        let voters = proposal.votes.iter().fold(0, |set, (node, _)| set | bit(*node));
        if !quorums::suffices(&desk.epoch, Purpose::Write, voters) {
            return;
        }
        let Proposal { client, key, value, votes, asked, .. } = self.open.remove(place);
        let t = votes.iter().map(|(_, t)| *t).max().unwrap_or(0);
        let pair = Pair { ts: write.timestamp(t), value: Some(value), proof: None };
        let ticket = tickets.take();
        let nodes = NodeSet::from_bits(asked);
        expected.record(Record::Decided { key, pair: pair.clone(), asked: nodes });
        let decision = Decision {
            write,
            client: Some(client),
            key,
            pair,
            asked,
            acknowledged: 0,
            ticket,
            timer: write.number,
        };
        self.decided.push(decision.clone());
        self.decided.sort_by_key(|decision| decision.write);
        self.tell(me, &decision, expected);
    }

    /// A member refuses for good: enough of them, and the write has failed.
    pub(super) fn on_no(
        &mut self,
        desk: &Desk,
        (from, write): (NodeId, WriteId),
        expected: &mut Expected<Quorum>,
    ) -> Option<Ended> {
        let proposal = self.open.iter_mut().find(|open| open.write == write)?;
        proposal.refusers |= bit(from);
        if quorums::suffices(&desk.epoch, Purpose::Write, !proposal.refusers) {
            return None;
        }
        self.abort(write, expected)
    }

    fn abort(&mut self, write: WriteId, expected: &mut Expected<Quorum>) -> Option<Ended> {
        let place = self.open.iter().position(|open| open.write == write)?;
        let Proposal { client, asked, .. } = self.open.remove(place);
        expected.message(To::Nodes(asked), Message::Abort { write }, 0);
        Some((client, write.number, Outcome::Failed(String::new())))
    }

    /// A member has made the commit durable: the client is answered once a write quorum has, and the decision is
    /// forgotten once all have.
    pub(super) fn on_commit_ok(
        &mut self,
        desk: &Desk,
        (from, write): (NodeId, WriteId),
        tickets: &mut Tickets,
        expected: &mut Expected<Quorum>,
    ) -> Option<Ended> {
        let place = self.decided.iter().position(|known| known.write == write)?;
        let decision = self.decided.get_mut(place)?;
        decision.acknowledged |= bit(from);
        let is_held = quorums::suffices(&desk.epoch, Purpose::Write, decision.acknowledged);
        let client = if is_held { decision.client.take() } else { None };
        if decision.asked & !decision.acknowledged == 0 {
            tickets.take();
            expected.record(Record::Forgotten { write });
            self.decided.remove(place);
        }
        client.map(|client| (client, write.number, Outcome::Written))
    }

    pub(super) fn on_terminate(
        &self,
        incarnation: u64,
        (me, from, write): (NodeId, NodeId, WriteId),
        expected: &mut Expected<Quorum>,
    ) {
        if self.open.iter().any(|open| open.write == write) {
            return;
        }
        if let Some(known) = self.decided.iter().find(|known| known.write == write) {
            let (op, key, pair) = (commit_op(me, write), known.key, known.pair.clone());
            let commit = Message::Commit { op, key, pair, below: None };
            return expected.message(To::node(from), commit, known.ticket);
        }
        if write.incarnation <= incarnation {
            expected.message(To::node(from), Message::Abort { write }, 0);
        }
    }

    pub(super) fn on_timer(
        &mut self,
        (me, desk): (NodeId, &Desk),
        number: u64,
        expected: &mut Expected<Quorum>,
    ) -> Option<Ended> {
        if let Some(decision) = self.decided.iter().find(|known| known.timer == number) {
            self.tell(me, decision, expected);
            return None;
        }
        let proposal = self.open.iter_mut().find(|open| open.write.number == number)?;
        let write = proposal.write;
        proposal.resent += 1;
        if proposal.resent > REPEATS_MAX {
            return self.abort(write, expected);
        }
        self.propose(desk, write, expected);
        None
    }
}
