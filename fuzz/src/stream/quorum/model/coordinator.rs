//! What an operation must ask, and when it is over: query, then update.

use quorate_systems::contract::{Command, Key, NodeId, Outcome, Value};
use quorate_systems::quorum::{
    Config, Configuration, Construction, Contact, Message, OpId, Pair, Party, Phase, Protocol,
    Purpose, Quorum, Stage, Timestamp,
};

use super::quorums;
use crate::stream::expected::bit;
use crate::stream::quorum::signed;
use crate::stream::{Expected, To};

/// Whoever runs operations.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) struct Desk {
    pub(in crate::stream::quorum) party: Party,
    pub(in crate::stream::quorum) incarnation: u64,
    pub(in crate::stream::quorum) nodes: u16,
    is_lock: bool,
    asks_one_quorum: bool,
    /// Whether configurations change here.
    pub(in crate::stream::quorum) is_changeable: bool,
    /// The newest configuration that it knows of.
    pub(in crate::stream::quorum) epoch: Configuration,
    /// Pairs that it signed.
    proven: Vec<(Key, Pair)>,
}

impl Desk {
    pub(in crate::stream::quorum) fn new(config: &Config, party: Party) -> Self {
        let form = config.quorums.form().clone();
        let may_lie = matches!(
            form.construction,
            Construction::Dissemination { .. } | Construction::Masking { .. }
        );
        let is_lock = config.protocol == Protocol::Lock;
        Self {
            party,
            incarnation: 0,
            nodes: config.nodes,
            is_lock,
            asks_one_quorum: config.contact == Contact::Quorum,
            is_changeable: !is_lock && !may_lie,
            epoch: Configuration { id: 0, stage: Stage::Stable(form) },
            proven: Vec::new(),
        }
    }

    /// In the configuration of the start, in another life.
    pub(in crate::stream::quorum) fn restart(&mut self, incarnation: u64, initial: &Configuration) {
        self.incarnation = incarnation;
        if self.epoch.id != initial.id {
            self.epoch.clone_from(initial);
        }
        if incarnation == 1 {
            // What earlier lives signed may still come.
            self.proven.clear();
        }
    }

    /// Takes a configuration over if that is newer, and possible.
    pub(in crate::stream::quorum) fn learn(&mut self, configuration: &Configuration) {
        let is_newer = configuration.id > self.epoch.id;
        if is_newer && self.is_changeable && quorums::is_sound(configuration, self.nodes) {
            self.epoch.clone_from(configuration);
        }
    }

    /// Whom to send to that has not answered: those that the options say, at first; everybody when repeating.
    pub(in crate::stream::quorum) fn contacts(&self, resent: u32, answered: u64) -> To {
        let everyone = quorums::everyone(&self.epoch);
        if resent > 0 && self.is_changeable {
            return To::Nodes(((1 << self.nodes) - 1) & !answered);
        }
        if resent == 0 && self.asks_one_quorum {
            return To::Choice(everyone & !answered);
        }
        To::Nodes(everyone & !answered)
    }

    fn construction(&self) -> &Construction {
        match &self.epoch.stage {
            Stage::Stable(form) | Stage::Joint(form, _) => &form.construction,
        }
    }

    fn liars(&self) -> usize {
        match self.construction() {
            Construction::Masking { b } => (*b).into(),
            Construction::Majority
            | Construction::Counts { .. }
            | Construction::Weighted { .. }
            | Construction::Grid { .. }
            | Construction::Dissemination { .. } => 0,
        }
    }

    fn is_signed(&self) -> bool {
        matches!(self.construction(), Construction::Dissemination { .. })
    }

    fn is_proven(&self, key: Key, pair: &Pair) -> bool {
        let is_own = self.proven.iter().any(|(of, own)| *of == key && own == pair);
        is_own || signed::is_proven(key, pair)
    }

    /// The core has sent a pair that it wrote itself: from here on it may come back.
    pub(in crate::stream::quorum) fn has_signed(&mut self, key: Key, pair: &Pair) {
        if self.is_signed() && pair.proof.is_some() && !self.is_proven(key, pair) {
            self.proven.push((key, pair.clone()));
        }
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) struct Operation {
    pub(in crate::stream::quorum) seq: u64,
    pub(in crate::stream::quorum) command: Command,
    configuration: u32,
    pub(in crate::stream::quorum) attempt: u32,
    pub(in crate::stream::quorum) resent: u32,
    /// Whom it told the configuration since it last asked.
    told: u64,
    pub(in crate::stream::quorum) state: State,
}

/// How far an operation has come.
#[derive(Clone, Debug)]
pub(in crate::stream::quorum) enum State {
    /// These have answered, in the order of their places.
    Query(Vec<(NodeId, Pair)>),
    /// These hold the pair.
    Update(Pair, u64),
}

impl Operation {
    pub(in crate::stream::quorum) fn begin(
        desk: &Desk,
        seq: u64,
        command: Command,
        expected: &mut Expected<Quorum>,
    ) -> Self {
        let state = State::Query(Vec::new());
        let configuration = desk.epoch.id;
        let mut operation =
            Self { seq, command, configuration, attempt: 0, resent: 0, told: 0, state };
        operation.send(desk, expected);
        operation
    }

    pub(in crate::stream::quorum) fn key(&self) -> Key {
        match self.command {
            Command::Read { key } | Command::Write { key, .. } | Command::Propose { key, .. } => {
                key
            }
        }
    }

    fn is_read(&self) -> bool {
        matches!(self.command, Command::Read { .. })
    }

    /// What its present question needs a quorum for.
    pub(in crate::stream::quorum) fn purpose(&self) -> Purpose {
        match (&self.state, &self.command) {
            (State::Update(..), _) => Purpose::Write,
            (State::Query(_), Command::Read { .. }) => Purpose::Read,
            (State::Query(_), Command::Write { .. } | Command::Propose { .. }) => {
                Purpose::Timestamp
            }
        }
    }

    /// Who has answered its present question.
    pub(in crate::stream::quorum) fn answered(&self) -> u64 {
        match &self.state {
            State::Query(replies) => replies.iter().fold(0, |set, (node, _)| set | bit(*node)),
            State::Update(_, holders) => *holders,
        }
    }

    /// Names its present question.
    pub(in crate::stream::quorum) fn op(&self, desk: &Desk) -> OpId {
        let phase = match self.state {
            State::Query(_) => Phase::Query,
            State::Update(..) => Phase::Update,
        };
        let Desk { party, incarnation, .. } = *desk;
        OpId { party, incarnation, seq: self.seq, phase, attempt: self.attempt }
    }

    fn question(&self, desk: &Desk) -> Message {
        let (op, key, configuration) = (self.op(desk), self.key(), self.configuration);
        match &self.state {
            State::Query(_) => Message::Query { op, key, configuration },
            State::Update(pair, _) if desk.is_lock => {
                Message::Commit { op, key, pair: pair.clone(), below: None }
            }
            State::Update(pair, _) => {
                Message::Update { op, key, pair: pair.clone(), configuration }
            }
        }
    }

    fn send(&mut self, desk: &Desk, expected: &mut Expected<Quorum>) {
        self.told = 0;
        let to = desk.contacts(self.resent, self.answered());
        expected.message(to, self.question(desk), 0);
    }

    /// A newer configuration: the phase begins anew, and a pair that was chosen stays.
    fn restart(&mut self, desk: &Desk, expected: &mut Expected<Quorum>) {
        self.configuration = desk.epoch.id;
        self.attempt += 1;
        self.resent = 0;
        match &mut self.state {
            State::Query(replies) => replies.clear(),
            State::Update(_, holders) => *holders = 0,
        }
        self.send(desk, expected);
    }

    pub(in crate::stream::quorum) fn on_timer(
        &mut self,
        desk: &Desk,
        expected: &mut Expected<Quorum>,
    ) {
        if self.configuration != desk.epoch.id {
            return self.restart(desk, expected);
        }
        self.resent += 1;
        let purpose = self.purpose();
        let heard = self.answered();
        if let State::Query(replies) = &mut self.state
            && quorums::suffices(&desk.epoch, purpose, heard)
        {
            // All have answered, and nothing could be believed: a new question.
            replies.clear();
            self.attempt += 1;
        }
        self.send(desk, expected);
    }

    /// Takes an answer; how the operation ends, if it does.
    pub(in crate::stream::quorum) fn on_message(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        message: &Message,
        expected: &mut Expected<Quorum>,
    ) -> Option<Outcome> {
        if let Message::WrongConfig { op, configuration } = message {
            desk.learn(configuration);
            if self.configuration == desk.epoch.id {
                self.tell(desk, from, *op, configuration.id, expected);
            } else {
                self.restart(desk, expected);
            }
            return None;
        }
        if self.configuration != desk.epoch.id {
            self.restart(desk, expected);
            return None;
        }
        if quorums::everyone(&desk.epoch) & bit(from) == 0 || self.answered() & bit(from) != 0 {
            return None;
        }
        match message {
            Message::QueryOk { op, key, pair }
                if *op == self.op(desk) && *key == self.key() && pair.ts.t <= Timestamp::T_MAX =>
            {
                self.on_report(desk, from, pair, expected)
            }
            Message::UpdateOk { op, .. } | Message::CommitOk { op, .. } if *op == self.op(desk) => {
                let State::Update(pair, holders) = &mut self.state else { return None };
                *holders |= bit(from);
                let value = pair.value;
                let is_held = quorums::suffices(&desk.epoch, Purpose::Write, *holders);
                is_held.then(|| self.outcome(value))
            }
            _ => None,
        }
    }

    fn outcome(&self, value: Option<Value>) -> Outcome {
        if self.is_read() { Outcome::Read(value) } else { Outcome::Written }
    }

    /// A server that is behind is told the configuration, and asked again.
    fn tell(
        &mut self,
        desk: &Desk,
        from: NodeId,
        op: OpId,
        theirs: u32,
        expected: &mut Expected<Quorum>,
    ) {
        let asked_and_open = op == self.op(desk) && self.answered() & bit(from) == 0;
        if !asked_and_open || theirs >= self.configuration || self.told & bit(from) != 0 {
            return;
        }
        self.told |= bit(from);
        let configuration = Box::new(desk.epoch.clone());
        expected.message(To::node(from), Message::Configure { op, configuration }, 0);
        expected.message(To::node(from), self.question(desk), 0);
    }

    fn on_report(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        pair: &Pair,
        expected: &mut Expected<Quorum>,
    ) -> Option<Outcome> {
        if desk.is_signed() && !desk.is_proven(self.key(), pair) {
            return None;
        }
        let State::Query(replies) = &mut self.state else { return None };
        replies.push((from, pair.clone()));
        replies.sort_by_key(|(node, _)| *node);
        if !quorums::suffices(&desk.epoch, self.purpose(), self.answered()) {
            return None;
        }
        match self.command {
            Command::Propose { .. } => unreachable!("no client of a register proposes"),
            Command::Read { .. } => self.on_read_quorum(desk, expected),
            Command::Write { value, .. } => {
                let ts = self.base(desk.liars())?;
                let Desk { party: writer, incarnation, .. } = *desk;
                let ts = Timestamp { t: ts.t + 1, writer, incarnation, op: self.seq };
                self.update(desk, Pair { ts, value: Some(value), proof: None }, expected);
                None
            }
        }
    }

    /// At or above every completed write: b + 1 servers report it or something higher.
    fn base(&self, liars: usize) -> Option<Timestamp> {
        let State::Query(replies) = &self.state else { return None };
        let mut reported: Vec<Timestamp> = replies.iter().map(|(_, pair)| pair.ts).collect();
        reported.sort_unstable();
        let place = reported.len().checked_sub(liars + 1)?;
        reported.get(place).copied()
    }

    fn on_read_quorum(
        &mut self,
        desk: &mut Desk,
        expected: &mut Expected<Quorum>,
    ) -> Option<Outcome> {
        let pair = self.believed(desk)?;
        let State::Query(replies) = &self.state else { return None };
        let holders = replies.iter().filter(|(_, reply)| *reply == pair);
        let holders = holders.fold(0, |set, (node, _)| set | bit(*node));
        let is_held = quorums::suffices(&desk.epoch, Purpose::Write, holders);
        if is_held || pair.ts == Timestamp::ZERO {
            return Some(Outcome::Read(pair.value));
        }
        self.update(desk, pair, expected);
        None
    }

    /// The highest pair; where servers may lie unsigned, the highest that b + 1 report alike and that at most b of
    /// some quorum report something above. Of two with one timestamp, which honest servers never have, the one of
    /// the later node.
    fn believed(&self, desk: &Desk) -> Option<Pair> {
        let State::Query(replies) = &self.state else { return None };
        let b = desk.liars();
        // So many have answered beyond a read quorum, where that is a count.
        let spare = replies.len().checked_sub(smallest_masking_quorum(desk))?;
        let mut pairs: Vec<&Pair> = replies.iter().map(|(_, pair)| pair).collect();
        pairs.sort_by_key(|pair| pair.ts);
        let is_vouched = |pair: &Pair| {
            let alike = pairs.iter().filter(|other| ***other == *pair).count();
            let above = pairs.iter().filter(|other| other.ts > pair.ts).count();
            alike > b && above <= b + spare
        };
        let is_masking = b > 0;
        let believed = pairs.iter().rev().find(|pair| !is_masking || is_vouched(pair));
        believed.map(|pair| (*pair).clone())
    }

    fn update(&mut self, desk: &Desk, pair: Pair, expected: &mut Expected<Quorum>) {
        self.state = State::Update(pair, 0);
        self.resent = 0;
        self.send(desk, expected);
    }

    /// How it ends where its coordinator gives up: nothing is stored before the update.
    pub(in crate::stream::quorum) fn stopped(&self) -> Outcome {
        match self.state {
            State::Update(..) if !self.is_read() => Outcome::Unknown(String::new()),
            State::Query(_) | State::Update(..) => Outcome::Failed(String::new()),
        }
    }
}

/// How many a quorum has where liars are masked; nothing elsewhere.
fn smallest_masking_quorum(desk: &Desk) -> usize {
    let members = quorums::everyone(&desk.epoch).count_ones() as usize;
    if desk.liars() > 0 { members / 2 + desk.liars() + 1 } else { 0 }
}
