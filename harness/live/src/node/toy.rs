//! A system small enough to see what the node does to it: a counter that adds up what clients send it.

use std::fmt;
use std::time::Duration;

use quorate_systems::SystemKind;
use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, ConfigError, Describe, Dice,
    Identify, Input, Lie, LocalTime, Micros, NodeId, Options, Outbox, Recovered, Replica, Start,
    StartError, System, Telling, TimerId,
};
use quorate_systems::mutant::Mutants;
use quorate_systems::vocabulary::{MessageKind, Vocabulary};
use serde::{Deserialize, Serialize};

/// How long a slow liar keeps back what it says.
pub(crate) const SLOWNESS: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Toy;

#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Add this, durably, with a record that is `padding` bytes longer than it has to be.
    Add { number: u64, padding: usize },
    /// The sum so far.
    Sum(u64),
    /// Say this to yourself so many times, then tell the client the sum.
    Echo { client: ClientId, times: u64 },
    /// Tell the client the sum so much later.
    Later(Micros),
    /// Break an assertion.
    Break,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Add { .. } => "ADD",
            Self::Sum(_) => "SUM",
            Self::Echo { .. } => "ECHO",
            Self::Later(_) => "LATER",
            Self::Break => "BREAK",
        }
    }

    fn field(&self, _name: &str) -> Option<u64> {
        None
    }
}

impl Identify for Message {
    fn identity(&self) -> u64 {
        0
    }
}

/// So much was added to the sum.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub(crate) struct Added(pub(crate) u64);

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.0)
    }
}

impl Describe for Added {
    fn kind(&self) -> &'static str {
        "added"
    }

    fn field(&self, _name: &str) -> Option<u64> {
        None
    }
}

const fn kind(name: &'static str) -> MessageKind {
    MessageKind { name, what: "", route: "", source: "", fields: &[] }
}

static VOCABULARY: Vocabulary = Vocabulary {
    name: "toy",
    summary: "",
    nodes: 3,
    workloads: &[],
    warm_up_ms: 0,
    messages: &[kind("ADD"), kind("SUM"), kind("ECHO"), kind("LATER"), kind("BREAK")],
    observations: &[],
    milestones: &[],
    options: &[],
    mutants: &[],
};

#[derive(Debug)]
pub(crate) struct Counter {
    sum: u64,
}

/// What was added, and the padding.
type Record = (u64, Vec<u8>);

impl Replica<Toy> for Counter {
    fn start(start: Start<Toy>, _out: &mut Outbox<Toy>) -> Result<Self, StartError> {
        let mut sum = 0;
        for record in start.records {
            match record {
                Recovered::Intact((number, _)) => sum += number,
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        Ok(Self { sum })
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Toy>) {
        match input {
            Input::Request { client, message: Message::Add { number, padding } } => {
                self.sum += number;
                out.persist((number, vec![0; padding]));
                out.observe(Added(number));
                out.reply(client, Message::Sum(self.sum));
            }
            Input::Request { message: echo @ Message::Echo { .. }, .. } => {
                out.send(NodeId(0), echo);
            }
            Input::Request { client, message: Message::Later(after) } => {
                out.set_timer(TimerId(u64::from(client.0)), after, after);
            }
            Input::Request { message: Message::Break, .. } => panic!("told\nto break"),
            Input::Message { from, message: Message::Echo { client, times } } if times > 0 => {
                out.send(from, Message::Echo { client, times: times - 1 });
            }
            Input::Message { message: Message::Echo { client, .. }, .. } => {
                out.reply(client, Message::Sum(self.sum));
            }
            Input::Message { message: Message::Add { number, .. }, .. } => self.sum += number,
            Input::Timer(TimerId(client)) => {
                let client = ClientId(client.try_into().expect("it was a client"));
                out.reply(client, Message::Sum(self.sum));
            }
            Input::Persisted(_) => {}
            Input::Message { .. } | Input::Request { .. } => out.ignore("no question"),
        }
    }

    fn checkpoint(&self) -> Vec<Record> {
        vec![(self.sum, Vec::new())]
    }
}

/// Nobody drives a toy's client.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Client<Toy> for Nobody {
    fn start(_start: ClientStart<Toy>) -> Self {
        Self
    }

    fn step(
        &mut self,
        _now: LocalTime,
        _input: ClientInput<Message>,
        _out: &mut Vec<ClientEffect<Toy>>,
    ) {
    }
}

impl System for Toy {
    /// Not true, and nobody asks.
    const KIND: SystemKind = SystemKind::Quorum;
    type Config = ();
    type Message = Message;
    type Record = Record;
    type Observation = Added;
    type Replica = Counter;
    type Client = Nobody;

    fn vocabulary() -> &'static Vocabulary {
        &VOCABULARY
    }

    fn configure(_nodes: u16, _options: &Options, _mutants: Mutants) -> Result<(), ConfigError> {
        Ok(())
    }

    fn functions((): &()) -> &'static [&'static str] {
        &["add"]
    }

    fn signs((): &()) -> bool {
        false
    }

    fn is_live((): &(), _nodes: &[NodeId]) -> bool {
        true
    }

    fn answers_all((): &()) -> bool {
        true
    }

    fn liars_tolerated((): &()) -> u16 {
        0
    }

    fn drift_tolerated((): &()) -> Option<u32> {
        None
    }

    fn forgetting_tolerated((): &()) -> Option<u16> {
        None
    }

    fn draw_cluster(_dice: &mut Dice<'_>) -> (u16, Options) {
        (3, Options::new())
    }

    fn change((): &(), _options: &Options) -> Result<(), ConfigError> {
        Ok(())
    }

    fn draw_change((): &(), _dice: &mut Dice<'_>) -> Option<Options> {
        None
    }

    fn slowness((): &()) -> Micros {
        Micros(u64::try_from(SLOWNESS.as_micros()).expect("less than a second"))
    }

    fn lie(_behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        match telling.message {
            Message::Sum(sum) => vec![Message::Sum(sum + 1)],
            _ => telling.truth(),
        }
    }
}
