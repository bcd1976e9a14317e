//! One operation on a register, by whoever runs it: query, then update (Attiya, Bar-Noy, Dolev 1995; with
//! several writers Lynch and Shvartsman 1997).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::Quorum;
use super::access::Access;
use super::byzantine::{self, Finding};
use super::configuration::{Configuration, Epoch};
use super::construction::{Construction, Purpose};
use super::draw::Draw;
use super::message::{Message, Observation, OpId, Phase};
use super::options::{Config, Contact, Protocol};
use super::replies::Replies;
use super::stamp::{Pair, Timestamp};
use crate::contract::{
    After, ClientEffect, Ignored, Key, Keyring, Micros, Milestone, NodeId, Outbox, Outcome,
    TimerId, Value,
};
use crate::mutant::Mutant;
use crate::parties::{NodeSet, Party};

/// Where a coordinator's effects go: a client's or a node's.
pub(super) trait Port {
    fn send(&mut self, to: NodeId, message: Message);
    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros);
    fn observe(&mut self, observation: Observation);
    fn mark(&mut self, name: &'static str);
    fn ignore(&mut self, why: &'static str);
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

    fn ignore(&mut self, why: &'static str) {
        self.push(ClientEffect::Ignore(Ignored(why)));
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

    fn ignore(&mut self, why: &'static str) {
        Self::ignore(self, why);
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
    /// The newest configuration that it knows of.
    pub(super) epoch: Epoch,
    /// Memory for answers that no operation uses at the moment.
    spare: Vec<Replies>,
}

impl Desk {
    pub(super) fn new(
        party: Party,
        incarnation: u64,
        (config, keys): (Config, Keyring),
        entropy: u64,
    ) -> Self {
        let initial = Configuration::initial(config.quorums.form().clone());
        let epoch = Epoch::new(initial, config.mutants);
        let draw = Draw::new(entropy);
        Self { party, incarnation, config, keys, draw, epoch, spare: Vec::new() }
    }

    /// Whom to ask: as the options say, and everybody when a message is repeated; also those that are no
    /// members, where these change: one of them may know of a newer configuration, of which all whom this
    /// coordinator takes for members know nothing.
    pub(super) fn contacts(&mut self, purpose: Purpose, resent: u32) -> NodeSet {
        if resent > 0 && self.config.unchangeable().is_none() {
            return NodeSet::all(self.config.nodes);
        }
        match self.config.contact {
            Contact::Quorum if resent == 0 => self.epoch.draw(purpose, &mut self.draw),
            Contact::Quorum | Contact::All => self.epoch.everyone(),
        }
    }

    /// Takes over a configuration that is newer than the present one; says whether it was.
    pub(super) fn learn(&mut self, configuration: &Configuration) -> bool {
        let is_news = configuration.id > self.epoch.id()
            && self.config.unchangeable().is_none()
            && configuration.is_sound(self.config.nodes);
        if is_news {
            self.epoch = Epoch::new(configuration.clone(), self.config.mutants);
        }
        is_news
    }

    pub(super) fn op_id(&self, seq: u64, phase: Phase, attempt: u32) -> OpId {
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

/// One operation that is being run. Each of its phases is wholly in one configuration: answers count only
/// while the configuration is the one in which they were asked for, and a newer one starts the phase anew.
#[derive(Debug)]
pub(super) struct Operation {
    seq: u64,
    command: Access,
    timer: TimerId,
    /// The configuration of the present phase.
    configuration: u32,
    /// Counts the fresh starts of either phase.
    attempt: u32,
    /// How often the present message was sent again.
    resent: u32,
    /// Who was told the configuration since then: each once, or duplicates would breed more of themselves without
    /// end.
    told: NodeSet,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Asking a quorum.
    Query { replies: Replies },
    /// Making a quorum hold `pair`. It never changes once this stage is reached: a second timestamp for
    /// one write would let its value come back after it was overwritten.
    Update { pair: Pair, holders: NodeSet },
}

/// What the present message is to an operation.
struct Asked {
    op: OpId,
    purpose: Purpose,
    answered: NodeSet,
}

impl Operation {
    /// Begins with the query phase.
    pub(super) fn begin(
        desk: &mut Desk,
        seq: u64,
        command: Access,
        timer: TimerId,
        out: &mut impl Port,
    ) -> Self {
        let stage = Stage::Query { replies: desk.spare.pop().unwrap_or_default() };
        let configuration = desk.epoch.id();
        let mut operation = Self {
            seq,
            command,
            timer,
            configuration,
            attempt: 0,
            resent: 0,
            told: NodeSet::EMPTY,
            stage,
        };
        operation.send(desk, out);
        operation
    }

    /// Asks again: the same question of those that have not answered it, or, where a whole quorum has
    /// answered and nothing could be believed, a new one of everybody.
    pub(super) fn on_timer(&mut self, desk: &mut Desk, out: &mut impl Port) {
        if self.is_outdated(desk) {
            return self.restart(desk, out);
        }
        self.resent += 1;
        let is_anew = match (&self.stage, &self.command) {
            (Stage::Query { replies }, command) => {
                desk.epoch.suffices(purpose(command), replies.heard())
            }
            (Stage::Update { .. }, Access::Read { .. }) => false,
            (Stage::Update { .. }, Access::Write { .. }) => {
                desk.config.mutants.deviates(Mutant::Q05)
            }
        };
        if is_anew {
            self.attempt += 1;
            self.query_anew(desk);
        }
        self.send(desk, out);
    }

    /// Back to asking, with no answers yet.
    fn query_anew(&mut self, desk: &mut Desk) {
        match &mut self.stage {
            Stage::Query { replies } => replies.clear(),
            Stage::Update { .. } => {
                self.stage = Stage::Query { replies: desk.spare.pop().unwrap_or_default() };
            }
        }
    }

    /// Whether its coordinator has learned of a newer configuration since the phase began.
    fn is_outdated(&self, desk: &Desk) -> bool {
        self.configuration != desk.epoch.id()
    }

    /// Starts the present phase anew in the configuration that has been learned; a pair that was chosen
    /// stays.
    fn restart(&mut self, desk: &mut Desk, out: &mut impl Port) {
        self.configuration = desk.epoch.id();
        self.attempt += 1;
        self.resent = 0;
        match &mut self.stage {
            Stage::Query { replies } => {
                replies.clear();
                out.mark(QUERY_RESTARTED);
            }
            Stage::Update { holders, .. } => {
                *holders = NodeSet::EMPTY;
                out.mark(UPDATE_RESTARTED);
            }
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
            (Stage::Query { .. }, _) | (Stage::Update { .. }, Access::Read { .. }) => {
                Outcome::Failed("no quorum answered".into())
            }
            (Stage::Update { .. }, Access::Write { .. }) => {
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
        if !NodeSet::all(desk.config.nodes).contains(from) {
            return Progress::Ignored("from outside the cluster");
        }
        if let Message::WrongConfig { op, configuration } = message {
            return self.on_wrong_config(desk, from, (op, &configuration), out);
        }
        if self.is_outdated(desk) {
            self.restart(desk, out);
            return Progress::Ignored("answer in an older configuration");
        }
        if !desk.epoch.everyone().contains(from) {
            return Progress::Ignored("from outside the configuration");
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

    /// A server is in another configuration: the older of the two follows the newer.
    fn on_wrong_config(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        (op, configuration): (OpId, &Configuration),
        out: &mut impl Port,
    ) -> Progress {
        desk.learn(configuration);
        if self.is_outdated(desk) {
            self.restart(desk, out);
            return Progress::Waiting;
        }
        let (message, asked) = self.question(desk);
        if asked.op != op || asked.answered.contains(from) {
            return Progress::Ignored("WRONG_CONFIG to another question");
        }
        if configuration.id >= self.configuration {
            return Progress::Ignored("WRONG_CONFIG of the same configuration");
        }
        if !self.told.insert(from) {
            return Progress::Ignored("WRONG_CONFIG again");
        }
        let configuration = Box::new(desk.epoch.configuration().clone());
        out.send(from, Message::Configure { op, configuration });
        out.send(from, message);
        Progress::Waiting
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
        if replies.heard().contains(from) {
            return Progress::Ignored("QUERY_OK again");
        }
        let signed = matches!(desk.epoch.construction(), Construction::Dissemination { .. });
        // Alike answers are verified once.
        if signed
            && !replies.pairs().any(|seen| *seen == pair)
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
        if desk.epoch.is_write_quorum(*holders) {
            if matches!(self.command, Access::Read { .. }) {
                out.mark("wrote-back");
            }
            return self.complete(desk, out);
        }
        Progress::Waiting
    }

    /// Leaves the query phase once the answers suffice.
    fn evaluate(&mut self, desk: &mut Desk, out: &mut impl Port) -> Progress {
        let Stage::Query { replies } = &self.stage else { return Progress::Waiting };
        let finding = match self.command {
            Access::Read { .. } => byzantine::believe(&desk.epoch, replies),
            Access::Write { .. } => byzantine::base(&desk.epoch, replies),
        };
        match (finding, &self.command) {
            (None, command) => {
                if desk.epoch.suffices(purpose(command), replies.heard()) {
                    out.mark("nothing-believed");
                    // A write is under way and no pair has enough vouchers: look again soon.
                    let factor = 1 << self.resent.min(5);
                    out.set_timer(self.timer, Micros(5_000 * factor), Micros(10_000 * factor));
                }
                Progress::Waiting
            }
            (Some(finding), Access::Read { .. }) => {
                if replies.pairs().any(|reply| reply.ts > finding.pair.ts) {
                    out.mark("outvoted");
                }
                self.read_found(desk, finding, out)
            }
            (Some(finding), Access::Write { value, .. }) => {
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
        let settled = pair.ts == Timestamp::ZERO || desk.epoch.is_write_quorum(reporters);
        if settled || desk.config.mutants.deviates(Mutant::Q01) {
            if settled && pair.ts != Timestamp::ZERO {
                out.mark("write-back-skipped");
            }
            self.observe_choice(desk, &pair, reporters, out);
            let holders =
                if pair.ts == Timestamp::ZERO { desk.epoch.everyone() } else { reporters };
            self.enter_update(desk, pair, holders);
            return self.complete(desk, out);
        }
        self.update(desk, pair, reporters, out);
        Progress::Waiting
    }

    fn update(&mut self, desk: &mut Desk, pair: Pair, vouchers: NodeSet, out: &mut impl Port) {
        assert!(matches!(self.stage, Stage::Query { .. }), "a pair is chosen once");
        self.observe_choice(desk, &pair, vouchers, out);
        self.enter_update(desk, pair, NodeSet::EMPTY);
        self.send(desk, out);
    }

    fn enter_update(&mut self, desk: &mut Desk, pair: Pair, holders: NodeSet) {
        let before = mem::replace(&mut self.stage, Stage::Update { pair, holders });
        if let Stage::Query { mut replies } = before {
            replies.clear();
            desk.spare.push(replies);
        }
        self.resent = 0;
    }

    fn complete(&mut self, desk: &Desk, out: &mut impl Port) -> Progress {
        let Stage::Update { pair, holders } = &self.stage else { return Progress::Waiting };
        out.observe(Observation::Completed {
            op: desk.op_id(self.seq, Phase::Update, self.attempt),
            key: self.key(),
            ts: pair.ts,
            value: pair.value,
            holders: *holders,
            configuration: self.configuration,
        });
        Progress::Done(match self.command {
            Access::Read { .. } => Outcome::Read(pair.value),
            Access::Write { .. } => Outcome::Written,
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
        let proof = match (desk.epoch.construction(), desk.party) {
            (Construction::Dissemination { .. }, Party::Client(me)) => {
                Some(Box::new(byzantine::prove(me, &desk.keys, self.key(), ts, value)))
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

    /// The present message, and what is known of those who should answer it.
    fn question(&self, desk: &Desk) -> (Message, Asked) {
        let key = self.key();
        let configuration = self.configuration;
        match &self.stage {
            Stage::Query { replies } => {
                let op = desk.op_id(self.seq, Phase::Query, self.attempt);
                let asked =
                    Asked { op, purpose: purpose(&self.command), answered: replies.heard() };
                (Message::Query { op, key, configuration }, asked)
            }
            Stage::Update { pair, holders } => {
                let op = desk.op_id(self.seq, Phase::Update, self.attempt);
                let pair = pair.clone();
                let message = match desk.config.protocol {
                    Protocol::Abd => Message::Update { op, key, pair, configuration },
                    Protocol::Lock => Message::Commit { op, key, pair, below: None },
                };
                (message, Asked { op, purpose: Purpose::Write, answered: *holders })
            }
        }
    }

    /// Sends the present message to whoever should have it and has not answered.
    fn send(&mut self, desk: &mut Desk, out: &mut impl Port) {
        self.told = NodeSet::EMPTY;
        let (message, asked) = self.question(desk);
        let contacts = desk.contacts(asked.purpose, self.resent);
        for node in contacts.without(asked.answered).iter() {
            out.send(node, message.clone());
        }
        let (min, max) = patience(self.resent);
        out.set_timer(self.timer, min, max);
    }

    fn key(&self) -> Key {
        self.command.key()
    }
}

/// Milestones, as the vocabulary lists them.
const QUERY_RESTARTED: &str = "query-restarted";
const UPDATE_RESTARTED: &str = "update-restarted";

fn purpose(command: &Access) -> Purpose {
    match command {
        Access::Read { .. } => Purpose::Read,
        Access::Write { .. } => Purpose::Timestamp,
    }
}

/// How long to wait for answers before asking again: doubling, up to a second.
pub(super) fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((150_000 * factor).min(500_000)), Micros((300_000 * factor).min(1_000_000)))
}
