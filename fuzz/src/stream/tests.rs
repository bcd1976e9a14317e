//! What must hold of any protocol's core, shown with one that is small enough to break in every way.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_systems::SystemKind;
use quorate_systems::contract::{
    After, Client, ClientEffect, ClientId, ClientInput, ClientStart, ConfigError, Describe,
    Dice as SystemDice, Identify, Input, Lie, LocalTime, Micros, NodeId, Options, Outbox, Outcome,
    Recovered, Replica, Start, StartError, System, Telling, Ticket, TimerId,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_systems::vocabulary::Vocabulary;
use quorate_world::invariants::{Broken, Invariants, Seen, Watched, Who};
use serde::{Deserialize, Serialize};

use super::bench::Bench;
use super::client::ClientMachine;
use super::replica::ReplicaMachine;
use super::step::{Dice, Step, input};
use super::{Cluster, NoModel, Scope, Streamed};

/// A counter: every request adds one, durably, and is told the sum.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Toy;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Asserts,
    AnswersEarly,
    WaitsForNothing,
    WritesToStrangers,
    IsMoody,
    Forgets,
    ForgetsInCheckpoints,
    StartsWhateverIsDamaged,
    TalksToItself,
    EndsTwice,
    FallsAsleep,
}

const FAULTS: &[(&str, Fault)] = &[
    ("fault=none", Fault::None),
    ("fault=asserts", Fault::Asserts),
    ("fault=early", Fault::AnswersEarly),
    ("fault=nothing", Fault::WaitsForNothing),
    ("fault=strangers", Fault::WritesToStrangers),
    ("fault=moody", Fault::IsMoody),
    ("fault=forgets", Fault::Forgets),
    ("fault=checkpoints", Fault::ForgetsInCheckpoints),
    ("fault=damaged", Fault::StartsWhateverIsDamaged),
    ("fault=talks", Fault::TalksToItself),
    ("fault=twice", Fault::EndsTwice),
    ("fault=sleeps", Fault::FallsAsleep),
];

#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
enum Message {
    Add,
    Sum(u64),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Sum(_) => "SUM",
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

#[derive(Debug)]
struct Counter {
    me: NodeId,
    fault: Fault,
    sum: u64,
}

impl Replica<Toy> for Counter {
    fn start(start: Start<Toy>, _out: &mut Outbox<Toy>) -> Result<Self, StartError> {
        let Start { me, config: fault, records, .. } = start;
        let mut sum = 0;
        for record in records {
            match record {
                Recovered::Intact(number) => sum += number,
                Recovered::Corrupt { .. } if fault == Fault::StartsWhateverIsDamaged => {}
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        Ok(Self { me, fault, sum: if fault == Fault::Forgets { 0 } else { sum } })
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Toy>) {
        static MOOD: AtomicU64 = AtomicU64::new(0);
        match input {
            Input::Request { client, message: Message::Add } => {
                assert!(self.fault != Fault::Asserts, "told to");
                self.sum += 1;
                if self.fault == Fault::IsMoody {
                    self.sum += MOOD.fetch_add(1, Ordering::Relaxed) % 2;
                }
                let ticket = out.persist(1);
                let after = match self.fault {
                    Fault::AnswersEarly => After::Nothing,
                    Fault::WaitsForNothing => After::Ticket(Ticket(ticket.0 + 1)),
                    _ => After::EveryPersist,
                };
                out.reply_after(after, client, Message::Sum(self.sum));
                match self.fault {
                    Fault::WritesToStrangers => out.send(NodeId(9), Message::Sum(0)),
                    Fault::TalksToItself => out.send(self.me, Message::Add),
                    _ => out.send(NodeId(1), Message::Add),
                }
            }
            Input::Message { message: Message::Add, .. } if self.fault == Fault::TalksToItself => {
                out.send_after(After::Nothing, self.me, Message::Add);
            }
            Input::Request { .. } | Input::Message { .. } => out.ignore("no question"),
            Input::Persisted(_) | Input::Timer(_) => {}
        }
    }

    fn checkpoint(&self) -> Vec<u64> {
        if self.fault == Fault::ForgetsInCheckpoints { vec![] } else { vec![self.sum] }
    }
}

#[derive(Debug)]
struct Asker(Fault);

impl Client<Toy> for Asker {
    fn start(start: ClientStart<Toy>) -> Self {
        Self(start.config)
    }

    fn step(
        &mut self,
        _now: LocalTime,
        input: ClientInput<Message>,
        out: &mut Vec<ClientEffect<Toy>>,
    ) {
        match input {
            ClientInput::Invoke(_) => {
                out.push(ClientEffect::Send { to: NodeId(0), message: Message::Add });
                if self.0 != Fault::FallsAsleep {
                    let (min, max) = (Micros(1), Micros(2));
                    out.push(ClientEffect::SetTimer { id: TimerId(0), min, max });
                }
            }
            ClientInput::Timer(_) => {
                out.push(ClientEffect::Complete(Outcome::Written));
                if self.0 == Fault::EndsTwice {
                    out.push(ClientEffect::Complete(Outcome::Written));
                }
            }
            ClientInput::Reconfigure(_) | ClientInput::Message { .. } | ClientInput::GiveUp => {}
        }
    }
}

static VOCABULARY: Vocabulary = Vocabulary {
    name: "toy",
    summary: "",
    nodes: 2,
    workloads: &[],
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
    type Config = Fault;
    type Message = Message;
    type Record = u64;
    type Observation = Message;
    type Replica = Counter;
    type Client = Asker;

    fn vocabulary() -> &'static Vocabulary {
        &VOCABULARY
    }

    fn configure(_nodes: u16, options: &Options, _: Mutants) -> Result<Fault, ConfigError> {
        let name = format!("fault={}", options["fault"]);
        let fault = FAULTS.iter().find(|(known, _)| *known == name);
        Ok(fault.expect("a fault of the list").1)
    }

    fn functions(_: &Fault) -> &'static [&'static str] {
        &["add"]
    }

    fn signs(_: &Fault) -> bool {
        false
    }

    fn is_live(_: &Fault, _nodes: &[NodeId]) -> bool {
        true
    }

    fn drift_tolerated(_: &Fault) -> Option<u32> {
        None
    }

    fn forgetting_tolerated(_: &Fault) -> Option<u16> {
        None
    }

    fn answers_all(_: &Fault) -> bool {
        true
    }

    fn liars_tolerated(_: &Fault) -> u16 {
        0
    }

    fn draw_cluster(_dice: &mut SystemDice<'_>) -> (u16, Options) {
        (2, Options::new())
    }

    fn change(fault: &Fault, _options: &Options) -> Result<Fault, ConfigError> {
        Ok(*fault)
    }

    fn draw_change(_: &Fault, _dice: &mut SystemDice<'_>) -> Option<Options> {
        None
    }

    fn lie(_: Lie, telling: &Telling<'_, Self>) -> Vec<Message> {
        telling.truth()
    }
}

/// What was told must be on the disk.
struct Told {
    durable: u64,
    written: u64,
    highest: u64,
}

impl Watched for Toy {
    type Invariants = Told;
}

impl Invariants<Toy> for Told {
    const NAMES: &'static [(&'static str, &'static str)] = &[("T-1", ""), ("T-2", "")];

    fn new(_: &Fault) -> Self {
        Self { durable: 0, written: 0, highest: 0 }
    }

    fn reset(&mut self, _: &Fault) {
        *self = Self { durable: 0, written: 0, highest: 0 };
    }

    fn see(&mut self, seen: &Seen<'_, Toy>, broken: &mut Vec<Broken>) {
        let mut breaks = |invariant| {
            broken.push(Broken { invariant, by: vec![], what: format!("{seen:?}") });
        };
        match *seen {
            Seen::Started { .. } => self.written = 0,
            Seen::Found { record, .. } | Seen::Persisted { record, .. } => self.written += *record,
            Seen::Durable { .. } => self.durable = self.written,
            Seen::Sent { message: Message::Sum(sum), .. } => {
                // Of others nothing is known here: whoever demands this demands too much.
                breaks("T-2");
                // It may not tell more than is durable, and every sum is higher than those before.
                if *sum > self.durable || *sum <= self.highest {
                    breaks("T-1");
                }
                self.highest = *sum;
            }
            Seen::Sent { .. } | Seen::Observed { .. } | Seen::Lies { .. } => {}
        }
    }
}

impl Streamed for Toy {
    type Model = NoModel;
    type ClientModel = NoModel;
    type Kit = ();
    const LOCAL: &'static [&'static str] = &["T-1"];
    const NEEDS_EVERY_RECORD: bool = true;

    fn kit(_config: &Fault, _keys: Option<&ClusterKeys>) {}

    fn is_watched(_message: &Message, is_by_core: bool) -> bool {
        is_by_core
    }

    fn is_told(_observation: &Message) -> bool {
        true
    }

    fn forge(_scope: &Scope<'_, Self>, _dice: Dice) -> (Who, Message) {
        (Who::Client(ClientId(0)), Message::Add)
    }

    fn answer(
        _scope: &Scope<'_, Self>,
        _said: &Message,
        _from: NodeId,
        _dice: Dice,
    ) -> Option<Message> {
        Some(Message::Add)
    }

    fn alter(_scope: &Scope<'_, Self>, _from: Who, message: &mut Message, _dice: Dice) {
        *message = Message::Sum(0);
    }
}

type Replicas = Bench<Toy, ReplicaMachine<Toy>>;
type Clients = Bench<Toy, ClientMachine<Toy>>;

const ADD: Step = Step::Forged(Dice { who: 0, kind: 0, name: 0, time: 0, data: 0 });
const SYNC: Step = Step::Synced(u8::MAX);

/// Whether a stream of these steps shows that something is wrong with a replica that has this fault.
fn finds(fault: &'static str, flags: u8, steps: &[Step]) -> bool {
    let bench = Replicas::new(vec![Cluster::<Toy>::new(2, fault, Mutants::NONE)]);
    catch_unwind(AssertUnwindSafe(|| bench.run(&input([0, flags], steps)))).is_err()
}

#[test]
fn each_way_in_which_a_replica_can_break_the_contract_is_seen() {
    const TWIN: u8 = 0b1100_0000;
    let cases: &[(&str, u8, &[Step])] = &[
        ("fault=asserts", 0, &[ADD]),
        ("fault=early", 0, &[ADD]),
        ("fault=nothing", 0, &[ADD]),
        ("fault=strangers", 0, &[ADD, SYNC]),
        ("fault=moody", TWIN, &[ADD]),
        ("fault=forgets", 0, &[ADD, SYNC, Step::Crash(0), ADD, SYNC]),
        ("fault=checkpoints", 0, &[ADD, SYNC, Step::Checkpoint, Step::Crash(0), ADD, SYNC]),
        ("fault=damaged", 0, &[ADD, SYNC, Step::Damaged(0)]),
        ("fault=talks", 0, &[ADD, SYNC]),
    ];
    for (fault, flags, steps) in cases {
        assert!(finds(fault, *flags, steps), "{fault}");
        assert!(!finds("fault=none", *flags, steps), "{fault}: not where nothing is wrong");
    }
}

#[test]
fn a_replica_may_lose_what_was_not_durable_also_in_the_middle_of_a_step() {
    let steps = [ADD, Step::Crash(0), ADD, SYNC, Step::Dies(1, 0), ADD, ADD, SYNC, ADD];
    assert!(!finds("fault=none", 0, &steps));
    let crash = [ADD, SYNC, Step::Dies(1, 7), ADD, ADD, SYNC];
    assert!(!finds("fault=none", 0, &crash), "the record that was written stays");
}

#[test]
fn each_way_in_which_a_client_can_break_the_contract_is_seen() {
    let steps = [Step::Invoked(Dice::default()), Step::Timer(0, 0), Step::GivenUp];
    let finds = |fault| {
        let bench = Clients::new(vec![Cluster::<Toy>::new(2, fault, Mutants::NONE)]);
        catch_unwind(AssertUnwindSafe(|| bench.run(&input([0, 0], &steps)))).is_err()
    };
    assert!(finds("fault=twice"));
    assert!(finds("fault=sleeps"));
    assert!(!finds("fault=none"));
}

#[test]
fn a_finding_leaves_nothing_for_the_next_input() {
    let bench = Replicas::new(vec![Cluster::<Toy>::new(2, "fault=forgets", Mutants::NONE)]);
    let bytes = input([0, 0], &[ADD, SYNC, Step::Crash(0), ADD, SYNC]);
    let finds = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| bench.run(bytes))).is_err();
    assert!(finds(&bytes));
    assert!(!finds(&bytes[..14]));
    assert!(finds(&bytes));
}
