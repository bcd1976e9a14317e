//! All that happened in one run, as plain data: what a shrinker cuts at, and what a story is told from.
//!
//! A run is only recorded when somebody asks ([`crate::Simulator::run_taped`]), and is the same run then.

mod real;

use std::collections::BTreeMap;

use quorate_checkers::history::{Nemesis, Step, Violation, What};
use quorate_plan::Endpoint;
use quorate_systems::contract::{Command, Describe};
use quorate_world::convert;

/// One run. Times are microseconds of virtual time after the first operation.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tape {
    /// How many replicas there were.
    pub nodes: u16,
    /// How many clients; the administrator, who changes the system, has the number after the last one.
    pub clients: u32,
    /// Every message that travelled, in the order of sending.
    pub messages: Vec<Message>,
    /// Every operation, in the order of invocation.
    pub operations: Vec<Operation>,
    /// What happened, in its order.
    pub events: Vec<Event>,
    /// Whether it is recorded what cores told of themselves.
    has_observations: bool,
    /// How many messages of a kind went from one end to another.
    counts: BTreeMap<(&'static str, Endpoint, Endpoint), u64>,
    is_healed: bool,
}

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Operations, messages, faults, and what is broken.
    Messages,
    /// What cores tell of themselves too.
    All,
}

/// A message that left its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    /// Its kind, by the name in the system's vocabulary.
    pub kind: &'static str,
    /// What it says, in one line that begins with its kind.
    pub text: String,
    /// Which of its kind on its link it is, counted from 1, as [`quorate_plan::MessageMatch::nth`] counts.
    pub nth: u64,
    /// When it was sent.
    pub sent_us: u64,
    /// What was decided about it when it was sent.
    pub fate: Fate,
    /// When it was to arrive, and a second time if it was duplicated.
    pub due_us: Vec<u64>,
    /// When it was taken in by its receiver, as often as it was.
    pub arrived_us: Vec<u64>,
    /// Faults had stopped coming when it was sent.
    pub is_late: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way. It does not arrive where its link is cut by then, or its receiver down.
    Travels,
    /// It is lost, by weather, fault or rule.
    Lost,
    /// Its bytes are changed on the way, and it is thrown away.
    Corrupted,
    /// It is held back, until something happens.
    Held,
}

/// An operation of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Whose.
    pub client: u32,
    /// The function (`read`, `write`).
    pub f: String,
    /// What exactly.
    pub command: Command,
    /// When it began.
    pub from_us: u64,
    /// When it ended, if it did.
    pub to_us: Option<u64>,
    /// How.
    pub ended: Ended,
    /// Faults had stopped coming when it began: it is no part of the test, and shows how all has ended.
    pub is_late: bool,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not.
    Open,
    /// It was done; what a read saw (`nil` for the initial state), what a write wrote.
    Ok(String),
    /// It did not happen.
    Fail,
    /// Nobody knows.
    Info,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at_us: u64,
    /// What.
    pub what: Happened,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The message at this place left its sender.
    Sent(usize),
    /// It was taken in by its receiver.
    Arrived(usize),
    /// It came to a node that was down.
    Missed(usize),
    /// The operation at this place began.
    Invoked(usize),
    /// It ended.
    Completed(usize),
    /// A node came up.
    Started(u16),
    /// A node went down.
    Crashed(u16),
    /// A core told of a transition.
    Observed {
        /// Whose.
        by: Endpoint,
        /// Its kind, by the name in the system's vocabulary.
        kind: &'static str,
        /// What it says, in one line.
        text: String,
    },
    /// A fault began or ended, or could not begin.
    Fault(Nemesis),
    /// Faults stop coming.
    Healed,
    /// Something that must hold does not.
    Violated(Violation),
}

impl Tape {
    /// Of a run that begins.
    pub fn new(nodes: u16, clients: u32, detail: Detail) -> Self {
        Self { nodes, clients, has_observations: detail == Detail::All, ..Self::default() }
    }

    /// A core tells of a transition.
    pub(crate) fn observed(&mut self, at_us: u64, by: Endpoint, observation: &impl Describe) {
        if self.has_observations {
            let (kind, text) = (observation.kind(), observation.to_string());
            self.push(at_us, Happened::Observed { by, kind, text });
        }
    }

    /// A message leaves its sender; what becomes of it is said afterwards.
    pub(crate) fn sent(
        &mut self,
        at_us: u64,
        from: Endpoint,
        to: Endpoint,
        message: &impl Describe,
    ) {
        let kind = message.kind();
        let count = self.counts.entry((kind, from, to)).or_default();
        *count += 1;
        self.messages.push(Message {
            from,
            to,
            kind,
            text: message.to_string(),
            nth: *count,
            sent_us: at_us,
            fate: Fate::Travels,
            due_us: Vec::new(),
            arrived_us: Vec::new(),
            is_late: self.is_healed,
        });
        self.push(at_us, Happened::Sent(self.messages.len() - 1));
    }

    /// What becomes of the message that was sent last.
    pub(crate) fn fate(&mut self, fate: Fate, due_us: impl IntoIterator<Item = u64>) {
        if let Some(message) = self.messages.last_mut() {
            message.fate = fate;
            message.due_us.extend(due_us);
        }
    }

    /// A message that was sent at a known time is taken in, or meets a node that is down.
    pub(crate) fn arrived(
        &mut self,
        at_us: u64,
        (from, to): (Endpoint, Endpoint),
        sent_us: u64,
        message: &impl Describe,
        is_up: bool,
    ) {
        let text = message.to_string();
        let is_it = |known: &Message| (known.from, known.to) == (from, to) && known.text == text;
        // They stand in the order of sending.
        let first = self.messages.partition_point(|known| known.sent_us < sent_us);
        let then = self.messages.iter_mut().enumerate().skip(first);
        let then = then.take_while(|(_, known)| known.sent_us == sent_us);
        // Of equal ones that were sent at one time: the one that fewer of have come.
        let then: Vec<_> = then.filter(|(_, known)| is_it(known)).collect();
        let matching = then.into_iter().rev();
        let Some((place, known)) = matching.min_by_key(|(_, known)| known.arrived_us.len()) else {
            return;
        };
        if is_up {
            known.arrived_us.push(at_us);
        }
        let what = if is_up { Happened::Arrived(place) } else { Happened::Missed(place) };
        self.push(at_us, what);
    }

    /// A node comes up, or goes down.
    pub(crate) fn node(&mut self, at_us: u64, node: u16, is_up: bool) {
        self.push(at_us, if is_up { Happened::Started(node) } else { Happened::Crashed(node) });
    }

    /// Something goes into the history.
    pub(crate) fn recorded(&mut self, at_us: u64, what: &What) {
        match what {
            What::Invoke(step) => self.invoked(at_us, step),
            What::Ok(step) => self.completed(at_us, step, Ended::Ok(step.value.to_string())),
            What::Fail(step) => self.completed(at_us, step, Ended::Fail),
            What::Info(step) => self.completed(at_us, step, Ended::Info),
            What::Nemesis(nemesis) if nemesis.kind == Nemesis::HEALING => {
                self.is_healed = true;
                self.push(at_us, Happened::Healed);
            }
            What::Nemesis(nemesis) => self.push(at_us, Happened::Fault(nemesis.clone())),
            What::Violation(violation) => self.push(at_us, Happened::Violated(violation.clone())),
        }
    }

    fn invoked(&mut self, at_us: u64, step: &Step) {
        // What is not asked of a system is none of the operations of a run.
        let Ok(command) = convert::command(step) else { return };
        self.operations.push(Operation {
            client: self.client(step),
            f: step.f.to_string(),
            command,
            from_us: at_us,
            to_us: None,
            ended: Ended::Open,
            is_late: self.is_healed,
        });
        self.push(at_us, Happened::Invoked(self.operations.len() - 1));
    }

    fn completed(&mut self, at_us: u64, step: &Step, ended: Ended) {
        let client = self.client(step);
        let open = |operation: &Operation| operation.client == client && operation.to_us.is_none();
        if let Some(place) = self.operations.iter().rposition(open)
            && let Some(operation) = self.operations.get_mut(place)
        {
            operation.to_us = Some(at_us);
            operation.ended = ended;
            self.push(at_us, Happened::Completed(place));
        }
    }

    fn client(&self, step: &Step) -> u32 {
        u32::try_from(step.process.0 % u64::from(self.clients.max(1))).unwrap_or_default()
    }

    fn push(&mut self, at_us: u64, what: Happened) {
        self.events.push(Event { at_us, what });
    }

    /// The first violation that came once somebody had asked for something; one before that if there is no other.
    pub fn objection(&self) -> Option<(u64, &Violation)> {
        let violated = |event| match event {
            &Event { at_us, what: Happened::Violated(ref violation) } => Some((at_us, violation)),
            _ => None,
        };
        let invoked = |event: &Event| matches!(event.what, Happened::Invoked(_));
        let begun = self.events.iter().position(invoked).unwrap_or(self.events.len());
        let after = self.events.iter().skip(begun).find_map(violated);
        after.or_else(|| self.events.iter().find_map(violated))
    }

    /// When this demand was broken for the first time after the first operation had begun; nothing if no event says
    /// that it was.
    pub fn broken_us(&self, demand: &str) -> Option<u64> {
        let begun =
            self.events.iter().skip_while(|event| !matches!(event.what, Happened::Invoked(_)));
        let is_it = |event: &&Event| matches!(&event.what, Happened::Violated(violation) if violation.demand == demand);
        begun.into_iter().find(is_it).map(|event| event.at_us)
    }

    /// When faults stopped coming, if the run went on so long.
    pub fn healed_us(&self) -> Option<u64> {
        let healed = self.events.iter().find(|event| event.what == Happened::Healed);
        healed.map(|event| event.at_us)
    }

    /// When the last thing happened.
    pub fn end_us(&self) -> u64 {
        self.events.last().map_or(0, |event| event.at_us)
    }
}

impl Message {
    /// Whether it never came to its receiver.
    pub const fn never_arrived(&self) -> bool {
        self.arrived_us.is_empty()
    }
}
