//! A system that keeps its memory in its nodes, and is small enough to see what the world demands of it: a request is
//! done once a majority has answered it.

use std::collections::BTreeSet;
use std::fmt;

use quorate_systems::SystemKind;
use quorate_systems::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Command, ConfigError, Describe, Dice, Identify,
    Input, Lie, LocalTime, Micros, NodeId, Options, Outbox, Outcome, Replica, Start, StartError,
    System, Telling, TimerId,
};
use quorate_systems::mutant::Mutants;
use quorate_systems::vocabulary::Vocabulary;
use quorate_world::invariants::{Broken, Invariants, Seen, Watched};
use serde::{Deserialize, Serialize};

pub(super) struct Toy;

/// How many nodes there are, and what is special about them.
#[derive(Clone, Debug)]
pub(super) struct Config {
    nodes: u16,
    /// Nobody is told that they forget.
    hides: bool,
    /// A node that was asked what it knows answers no client any more.
    deaf: bool,
    /// A node that has forgotten asks nobody what it knew.
    lost: bool,
}

impl Config {
    fn majority(&self) -> usize {
        usize::from(self.nodes / 2 + 1)
    }
}

#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub(super) enum Message {
    /// A client's nth request.
    Ask(u64),
    /// It was heard.
    Answer(u64),
    /// What did I know?
    Recovery,
    /// This.
    Recovered,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Ask(_) => "ASK",
            Self::Answer(_) => "ANSWER",
            Self::Recovery => "RECOVERY",
            Self::Recovered => "RECOVERED",
        }
    }

    fn field(&self, _name: &str) -> Option<u64> {
        None
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        match self {
            Self::Ask(n) => 4 * n,
            Self::Answer(n) => 4 * n + 1,
            Self::Recovery => 2,
            Self::Recovered => 3,
        }
    }
}

const AGAIN: Micros = Micros::from_millis(100);

pub(super) struct Node {
    config: Config,
    remembers: bool,
    told_by: BTreeSet<NodeId>,
    is_deaf: bool,
}

impl Node {
    fn ask(&self, out: &mut Outbox<Toy>) {
        if !self.remembers && !self.config.lost {
            (0..self.config.nodes).for_each(|node| out.send(NodeId(node), Message::Recovery));
            out.set_timer(TimerId(0), AGAIN, AGAIN);
        }
    }
}

impl Replica<Toy> for Node {
    fn start(start: Start<Toy>, out: &mut Outbox<Toy>) -> Result<Self, StartError> {
        let Start { config, incarnation, .. } = start;
        let remembers = incarnation.0 == 1;
        let node = Self { config, remembers, told_by: BTreeSet::new(), is_deaf: false };
        node.ask(out);
        Ok(node)
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Toy>) {
        match input {
            Input::Request { client, message: Message::Ask(n) }
                if self.remembers && !self.is_deaf =>
            {
                out.reply(client, Message::Answer(n));
            }
            Input::Message { from, message: Message::Recovery } if self.remembers => {
                self.is_deaf = self.config.deaf;
                out.send(from, Message::Recovered);
            }
            Input::Message { from, message: Message::Recovered } => {
                self.told_by.insert(from);
                self.remembers |= self.told_by.len() >= self.config.majority();
            }
            Input::Timer(_) => self.ask(out),
            Input::Message { .. } | Input::Request { .. } | Input::Persisted(_) => {
                out.ignore("nothing to say");
            }
        }
    }

    fn checkpoint(&self) -> Vec<()> {
        Vec::new()
    }

    fn remembers(&self) -> bool {
        self.remembers || self.config.hides
    }
}

pub(super) struct Asker {
    config: Config,
    count: u64,
    open: Option<Command>,
    heard: BTreeSet<NodeId>,
}

impl Asker {
    fn ask(&self, out: &mut Vec<ClientEffect<Toy>>) {
        let to = (0..self.config.nodes).map(NodeId);
        out.extend(to.map(|to| ClientEffect::Send { to, message: Message::Ask(self.count) }));
        out.push(ClientEffect::SetTimer { id: TimerId(0), min: AGAIN, max: AGAIN });
    }
}

impl Client<Toy> for Asker {
    fn start(start: ClientStart<Toy>) -> Self {
        Self { config: start.config, count: 0, open: None, heard: BTreeSet::new() }
    }

    fn step(
        &mut self,
        _now: LocalTime,
        input: ClientInput<Message>,
        out: &mut Vec<ClientEffect<Toy>>,
    ) {
        match input {
            ClientInput::Invoke(command) => {
                self.count += 1;
                self.open = Some(command);
                self.heard.clear();
                self.ask(out);
            }
            ClientInput::Message { from, message } if message == Message::Answer(self.count) => {
                self.heard.insert(from);
                if self.heard.len() < self.config.majority() {
                    return;
                }
                out.extend(self.open.take().map(|command| {
                    ClientEffect::Complete(match command.value() {
                        Some(_) => Outcome::Written,
                        None => Outcome::Read(None),
                    })
                }));
            }
            ClientInput::Timer(_) if self.open.is_some() => self.ask(out),
            ClientInput::GiveUp => self.open = None,
            ClientInput::Message { .. } | ClientInput::Timer(_) | ClientInput::Reconfigure(_) => {}
        }
    }
}

static VOCABULARY: Vocabulary = Vocabulary {
    name: "toy",
    summary: "",
    nodes: 3,
    workloads: &["register"],
    warm_up_ms: 0,
    messages: &[],
    observations: &[],
    milestones: &[],
    options: &[],
    mutants: &[],
};

impl System for Toy {
    /// Not true, and nobody asks.
    const KIND: SystemKind = SystemKind::Quorum;
    type Config = Config;
    type Message = Message;
    type Record = ();
    type Observation = Message;
    type Replica = Node;
    type Client = Asker;

    fn vocabulary() -> &'static Vocabulary {
        &VOCABULARY
    }

    fn configure(nodes: u16, options: &Options, _: Mutants) -> Result<Config, ConfigError> {
        let has = |name: &str| options.contains_key(name);
        Ok(Config { nodes, hides: has("hides"), deaf: has("deaf"), lost: has("lost") })
    }

    fn functions(_: &Config) -> &'static [&'static str] {
        &["read", "write"]
    }

    fn signs(_: &Config) -> bool {
        false
    }

    fn is_live(config: &Config, nodes: &[NodeId]) -> bool {
        nodes.len() >= config.majority()
    }

    fn answers_all(_: &Config) -> bool {
        true
    }

    fn liars_tolerated(_: &Config) -> u16 {
        0
    }

    fn drift_tolerated(_: &Config) -> Option<u32> {
        None
    }

    fn forgetting_tolerated(config: &Config) -> Option<u16> {
        (!config.hides).then_some((config.nodes - 1) / 2)
    }

    fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
        (if dice(2) == 0 { 3 } else { 5 }, Options::new())
    }

    fn change(config: &Config, _options: &Options) -> Result<Config, ConfigError> {
        Ok(config.clone())
    }

    fn draw_change(_: &Config, _dice: &mut Dice<'_>) -> Option<Options> {
        None
    }

    fn lie(_: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        telling.truth()
    }
}

impl Watched for Toy {
    type Invariants = Nothing;
}

/// Nothing is demanded of it but that it goes on.
pub(super) struct Nothing;

impl Invariants<Toy> for Nothing {
    const NAMES: &'static [(&'static str, &'static str)] = &[];

    fn new(_: &Config) -> Self {
        Self
    }

    fn reset(&mut self, _: &Config) {}

    fn see(&mut self, _: &Seen<'_, Toy>, _: &mut Vec<Broken>) {}
}
