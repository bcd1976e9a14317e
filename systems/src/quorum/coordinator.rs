//! One operation on a register, by whoever runs it: query, then update (Attiya, Bar-Noy, Dolev 1995; with
//! several writers Lynch and Shvartsman 1997).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::byzantine::{self, Finding};
use super::construction::{Construction, Purpose};
use super::draw::Draw;
use super::message::{Message, Observation, OpId, Phase};
use super::nodes::NodeSet;
use super::options::{Config, Contact, Protocol};
use super::stamp::{Pair, Party, Timestamp};
use crate::contract::{
    After, ClientEffect, Command, Key, Keyring, Micros, Milestone, NodeId, Outbox, Outcome,
    TimerId, Value,
};
use crate::mutant::Mutant;

/// Where a coordinator's effects go: a client's or a node's.
pub(super) trait Port {
    fn send(&mut self, to: NodeId, message: Message);
    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros);
    fn observe(&mut self, observation: Observation);
    fn mark(&mut self, name: &'static str);
}

impl Port for Vec<ClientEffect<Quorum>> {
    fn send(&mut self, to: NodeId, message: Message) {
        self.push(ClientEffect::Send { to, message });
    }

    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros) {
        assert!(min <= max);
        self.push(ClientEffect::SetTimer { id, min, max });
    }

    fn observe(&mut self, observation: Observation) {
        self.push(ClientEffect::Observe(observation));
    }

    fn mark(&mut self, name: &'static str) {
        self.push(ClientEffect::Mark(Milestone(name)));
    }
}

impl Port for Outbox<Quorum> {
    fn send(&mut self, to: NodeId, message: Message) {
        // A coordinator keeps nothing on disk: its incarnation makes what it says unique.
        self.send_after(After::Nothing, to, message);
    }

    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros) {
        Self::set_timer(self, id, min, max);
    }

    fn observe(&mut self, observation: Observation) {
        Self::observe(self, observation);
    }

    fn mark(&mut self, name: &'static str) {
        Self::mark(self, name);
    }
}

/// What all operations of one coordinator share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) party: Party,
    pub(super) incarnation: u64,
    pub(super) config: Config,
    pub(super) keys: Keyring,
    pub(super) draw: Draw,
}

impl Desk {
    /// Whom to ask: everybody when a message is repeated, else as the options say.
    pub(super) fn contacts(&mut self, purpose: Purpose, resent: u32) -> NodeSet {
        match self.config.contact {
            Contact::Quorum if resent == 0 => self.config.quorums.draw(purpose, &mut self.draw),
            Contact::Quorum | Contact::All => NodeSet::all(self.config.quorums.nodes()),
        }
    }

    fn op_id(&self, seq: u64, phase: Phase, attempt: u32) -> OpId {
        OpId { party: self.party, incarnation: self.incarnation, seq, phase, attempt }
    }
}

/// How far an operation has come.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    /// The message changed nothing.
    Ignored(&'static str),
    /// More answers are needed.
    Waiting,
    /// It is complete.
    Done(Outcome),
}

/// One operation that is being run.
#[derive(Debug)]
pub(super) struct Operation {
    seq: u64,
    command: Command,
    timer: TimerId,
    /// How often the present message was sent again.
    resent: u32,
    /// Counts the fresh starts of the query.
    attempt: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Asking a quorum.
    Query { replies: BTreeMap<NodeId, Pair> },
    /// Making a quorum hold `pair`. It never changes once this stage is reached: a second timestamp for
    /// one write would let its value come back after it was overwritten.
    Update { pair: Pair, holders: NodeSet },
}

impl Operation {
    /// Begins with the query phase.
    pub(super) fn begin(
        desk: &mut Desk,
        seq: u64,
        command: Command,
        timer: TimerId,
        out: &mut impl Port,
    ) -> Self {
        let stage = Stage::Query { replies: BTreeMap::new() };
        let mut operation = Self { seq, command, timer, resent: 0, attempt: 0, stage };
        operation.send(desk, out);
        operation
    }

    /// Asks again: the same question of those that have not answered it, or, where a whole quorum has
    /// answered and nothing could be believed, a new one of everybody.
    pub(super) fn on_timer(&mut self, desk: &mut Desk, out: &mut impl Port) {
        self.resent += 1;
        let is_anew = match (&self.stage, &self.command) {
            (Stage::Query { replies }, command) => {
                let heard = replies.keys().copied().collect();
                desk.config.quorums.suffices(purpose(command), heard)
            }
            (Stage::Update { .. }, Command::Read { .. }) => false,
            (Stage::Update { .. }, Command::Write { .. }) => {
                desk.config.mutants.deviates(Mutant::Q05)
            }
        };
        if is_anew {
            self.attempt += 1;
            self.stage = Stage::Query { replies: BTreeMap::new() };
        }
        self.send(desk, out);
    }

    /// How often the present message was sent again.
    pub(super) fn resent(&self) -> u32 {
        self.resent
    }

    /// How it ends when its coordinator stops here: nothing was stored before the update phase.
    pub(super) fn stop(&self) -> Outcome {
        match (&self.stage, &self.command) {
            (Stage::Query { .. }, _) | (Stage::Update { .. }, Command::Read { .. }) => {
                Outcome::Failed("no quorum answered".into())
            }
            (Stage::Update { .. }, Command::Write { .. }) => {
                Outcome::Unknown("no quorum acknowledged".into())
            }
        }
    }

    /// Takes an answer.
    pub(super) fn on_message(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        message: Message,
        out: &mut impl Port,
    ) -> Progress {
        if !NodeSet::all(desk.config.quorums.nodes()).contains(from) {
            return Progress::Ignored("from outside the cluster");
        }
        match message {
            Message::QueryOk { op, key, pair } => {
                self.on_query_ok(desk, from, (op, key, pair), out)
            }
            Message::UpdateOk { op, .. } | Message::CommitOk { op, .. } => {
                self.on_update_ok(desk, from, op, out)
            }
            _ => Progress::Ignored("not an answer"),
        }
    }

    fn on_query_ok(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        (op, key, pair): (OpId, Key, Pair),
        out: &mut impl Port,
    ) -> Progress {
        let asked_about = self.key();
        let Stage::Query { replies } = &mut self.stage else {
            return Progress::Ignored("QUERY_OK after the query phase");
        };
        if op != desk.op_id(self.seq, Phase::Query, self.attempt) || key != asked_about {
            return Progress::Ignored("QUERY_OK to another question");
        }
        if pair.ts.t > Timestamp::T_MAX {
            return Progress::Ignored("QUERY_OK with an impossible timestamp");
        }
        if replies.contains_key(&from) {
            return Progress::Ignored("QUERY_OK again");
        }
        let signed =
            matches!(desk.config.quorums.construction(), Construction::Dissemination { .. });
        // Alike answers are verified once.
        if signed
            && !replies.values().any(|seen| *seen == pair)
            && !byzantine::is_proven(&desk.keys.public, key, &pair)
        {
            out.mark("unsigned-refused");
            return Progress::Ignored("QUERY_OK with a pair that nobody signed");
        }
        replies.insert(from, pair);
        self.evaluate(desk, out)
    }

    fn on_update_ok(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        op: OpId,
        out: &mut impl Port,
    ) -> Progress {
        let Stage::Update { holders, .. } = &mut self.stage else {
            return Progress::Ignored("UPDATE_OK before the update phase");
        };
        if op != desk.op_id(self.seq, Phase::Update, self.attempt) {
            return Progress::Ignored("UPDATE_OK to another question");
        }
        // A set and not a count: repeated acknowledgements must not add up.
        if !holders.insert(from) {
            return Progress::Ignored("UPDATE_OK again");
        }
        if desk.config.quorums.is_write_quorum(*holders) {
            if matches!(self.command, Command::Read { .. }) {
                out.mark("wrote-back");
            }
            return self.complete(desk, out);
        }
        Progress::Waiting
    }

    /// Leaves the query phase once the answers suffice.
    fn evaluate(&mut self, desk: &mut Desk, out: &mut impl Port) -> Progress {
        let Stage::Query { replies } = &self.stage else { return Progress::Waiting };
        let quorums = &desk.config.quorums;
        let finding = match self.command {
            Command::Read { .. } => byzantine::believe(quorums, replies),
            Command::Write { .. } => byzantine::base(quorums, replies),
        };
        match (finding, &self.command) {
            (None, command) => {
                let heard = replies.keys().copied().collect();
                if quorums.suffices(purpose(command), heard) {
                    out.mark("nothing-believed");
                    // A write is under way and no pair has enough vouchers: look again soon.
                    let factor = 1 << self.resent.min(5);
                    out.set_timer(self.timer, Micros(5_000 * factor), Micros(10_000 * factor));
                }
                Progress::Waiting
            }
            (Some(finding), Command::Read { .. }) => {
                if replies.values().any(|reply| reply.ts > finding.pair.ts) {
                    out.mark("outvoted");
                }
                self.read_found(desk, finding, out)
            }
            (Some(finding), Command::Write { value, .. }) => {
                let pair = self.next_pair(desk, finding.pair.ts, *value);
                self.update(desk, pair, finding.reporters, out);
                Progress::Waiting
            }
        }
    }

    /// A read returns at once what a write quorum already holds; anything else it writes back first, so
    /// that no later read can miss it.
    fn read_found(&mut self, desk: &mut Desk, finding: Finding, out: &mut impl Port) -> Progress {
        let Finding { pair, reporters } = finding;
        let settled = pair.ts == Timestamp::ZERO || desk.config.quorums.is_write_quorum(reporters);
        if settled || desk.config.mutants.deviates(Mutant::Q01) {
            if settled && pair.ts != Timestamp::ZERO {
                out.mark("write-back-skipped");
            }
            self.observe_choice(desk, &pair, reporters, out);
            let holders = if pair.ts == Timestamp::ZERO {
                NodeSet::all(desk.config.quorums.nodes())
            } else {
                reporters
            };
            self.stage = Stage::Update { pair, holders };
            return self.complete(desk, out);
        }
        self.update(desk, pair, reporters, out);
        Progress::Waiting
    }

    fn update(&mut self, desk: &mut Desk, pair: Pair, vouchers: NodeSet, out: &mut impl Port) {
        assert!(matches!(self.stage, Stage::Query { .. }), "a pair is chosen once");
        self.observe_choice(desk, &pair, vouchers, out);
        self.stage = Stage::Update { pair, holders: NodeSet::EMPTY };
        self.resent = 0;
        self.send(desk, out);
    }

    fn complete(&mut self, desk: &Desk, out: &mut impl Port) -> Progress {
        let Stage::Update { pair, holders } = &self.stage else { return Progress::Waiting };
        out.observe(Observation::Completed {
            op: desk.op_id(self.seq, Phase::Update, self.attempt),
            key: self.key(),
            ts: pair.ts,
            value: pair.value,
            holders: *holders,
        });
        Progress::Done(match self.command {
            Command::Read { .. } => Outcome::Read(pair.value),
            Command::Write { .. } => Outcome::Written,
        })
    }

    /// What a write of `value` stores when `base` is at or above every completed write.
    fn next_pair(&self, desk: &Desk, base: Timestamp, value: Value) -> Pair {
        let t = base.t + 1;
        let ts = if desk.config.mutants.deviates(Mutant::Q03) {
            Timestamp { t, ..Timestamp::ZERO }
        } else {
            let Desk { party, incarnation, .. } = *desk;
            Timestamp { t, writer: party, incarnation, op: self.seq }
        };
        assert!(ts.t > base.t, "above everything that was heard");
        let proof = match (desk.config.quorums.construction(), desk.party) {
            (Construction::Dissemination { .. }, Party::Client(me)) => {
                Some(byzantine::prove(me, &desk.keys, self.key(), ts, value))
            }
            _ => None,
        };
        Pair { ts, value: Some(value), proof }
    }

    fn observe_choice(&self, desk: &Desk, pair: &Pair, vouchers: NodeSet, out: &mut impl Port) {
        out.observe(Observation::Chosen {
            op: desk.op_id(self.seq, Phase::Query, self.attempt),
            key: self.key(),
            ts: pair.ts,
            value: pair.value,
            vouchers,
        });
    }

    /// Sends the present message to whoever should have it and has not answered.
    fn send(&mut self, desk: &mut Desk, out: &mut impl Port) {
        let key = self.key();
        let (message, contacts, answered) = match &self.stage {
            Stage::Query { replies } => {
                let op = desk.op_id(self.seq, Phase::Query, self.attempt);
                let contacts = desk.contacts(purpose(&self.command), self.resent);
                (Message::Query { op, key }, contacts, replies.keys().copied().collect())
            }
            Stage::Update { pair, holders } => {
                let op = desk.op_id(self.seq, Phase::Update, self.attempt);
                let pair = pair.clone();
                let message = match desk.config.protocol {
                    Protocol::Abd => Message::Update { op, key, pair },
                    Protocol::Lock => Message::Commit { op, key, pair, below: None },
                };
                (message, desk.contacts(Purpose::Write, self.resent), *holders)
            }
        };
        for node in contacts.without(answered).iter() {
            out.send(node, message.clone());
        }
        let (min, max) = patience(self.resent);
        out.set_timer(self.timer, min, max);
    }

    fn key(&self) -> Key {
        match self.command {
            Command::Read { key } | Command::Write { key, .. } => key,
        }
    }
}

fn purpose(command: &Command) -> Purpose {
    match command {
        Command::Read { .. } => Purpose::Read,
        Command::Write { .. } => Purpose::Timestamp,
    }
}

/// How long to wait for answers before asking again: doubling, up to a second.
pub(super) fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((150_000 * factor).min(500_000)), Micros((300_000 * factor).min(1_000_000)))
}
