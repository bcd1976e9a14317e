//! All operations of a run as data for the part of the page that zooms and searches: columns of numbers and a line of
//! text for each. The script that draws them is the page's own (`templates/explorer/`), and nothing of a history is
//! ever part of it.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use quorate_checkers::history::{Operation, Outcome, ProcessId};
use quorate_checkers::judge::Results;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::lanes::{Family, Span};
use crate::{PROOFS_MAX, timeline};

/// The script of the page.
pub(crate) const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("../templates/explorer/data.js"),
    include_str!("../templates/explorer/view.js"),
    include_str!("../templates/explorer/main.js"),
);

/// The digest by which the page allows its script, and no other, as a Content Security Policy has it.
pub(crate) fn script_digest() -> String {
    BASE64_STANDARD.encode(Sha256::digest(SCRIPT))
}

/// More errors than this are not carried; the history has all of them.
const ERRORS_MAX: usize = 20_000;
/// So many processes have a lane each; where there are more, one takes over from another that has gone.
const PROCESSES_MAX: usize = 64;

/// The part of the page with all operations.
#[derive(Template)]
#[template(path = "explorer.html")]
pub(crate) struct Explorer {
    /// JSON without `<`, `>` and `&`.
    data: String,
    /// How many operations there are, in words.
    count: String,
    has_faults: bool,
}

/// What the script reads.
#[derive(Serialize)]
struct Data {
    count: usize,
    /// For each operation, as LEB128: lane, process, key + 1 (0: none), role × 4 + outcome, distance of its
    /// invocation from the one before in indices and in microseconds; unless it is pending, the distance of its
    /// completion from its invocation in both. In Base64.
    columns: String,
    /// A line for each operation.
    texts: String,
    /// Operations with the reasons for which they ended so.
    errors: Vec<(usize, String)>,
    lanes: Vec<String>,
    /// The members of each proof that the page tells of, by place.
    proofs: Vec<Vec<usize>>,
    faults: Vec<Fault>,
    violations: Vec<Mark>,
    /// How long the run is, in microseconds.
    span: u64,
}

#[derive(Serialize)]
struct Fault {
    kind: String,
    family: &'static str,
    from: u64,
    to: Option<u64>,
}

#[derive(Serialize)]
struct Mark {
    at: u64,
    demand: String,
}

impl Explorer {
    /// All operations, in the order of their invocations; `clients` is how many there are, where that is known.
    pub(crate) fn new(
        operations: &[Operation],
        results: &Results,
        spans: &[Span],
        clients: Option<u32>,
        end_ns: u64,
    ) -> Result<Option<Self>, serde_json::Error> {
        let Some(first) = operations.first() else { return Ok(None) };
        let lanes = Lanes::new(operations, clients);
        let roles = roles(results);
        let has_keys = operations.iter().any(|operation| operation.key != first.key);
        let mut columns = Columns::default();
        let mut texts = String::new();
        let mut errors = Vec::new();
        for (place, operation) in operations.iter().enumerate() {
            let role = roles.get(&operation.invoke).copied().unwrap_or(0);
            columns.push(operation, lanes.of(operation.process), role);
            if place > 0 {
                texts.push('\n');
            }
            texts.extend(timeline::text(operation, has_keys).chars().map(one_line));
            if let Some(error) = operation.error.as_ref().filter(|_| errors.len() < ERRORS_MAX) {
                errors.push((place, error.clone()));
            }
        }
        let data = Data {
            count: operations.len(),
            columns: BASE64_STANDARD.encode(columns.bytes),
            texts,
            errors,
            lanes: lanes.names,
            proofs: proofs(operations, results),
            faults: spans.iter().map(Fault::new).collect(),
            violations: results.violations.found.iter().map(Mark::new).collect(),
            span: end_ns / NS_PER_US,
        };
        Ok(Some(Self {
            has_faults: !data.faults.is_empty(),
            count: crate::units::count(operations.len() as u64),
            data: inert(&serde_json::to_string(&data)?),
        }))
    }
}

/// JSON that no reader of markup takes for anything: what could begin or end an element, or be a reference, is escaped
/// in the way of JSON strings, where alone it can stand.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            other => text.push(other),
        }
    }
    text
}

/// A line of text has no end of line in it.
const fn one_line(letter: char) -> char {
    if letter == '\n' { ' ' } else { letter }
}

const NS_PER_US: u64 = 1_000;
const ACCUSED: u64 = 1;
const INVOLVED: u64 = 2;

/// Operations that are part of a proof, by the index of their invocation.
fn roles(results: &Results) -> BTreeMap<u64, u64> {
    let counterexamples = results.linearizability.counterexamples();
    let members = counterexamples.flat_map(|counterexample| {
        let accused = counterexample.accused;
        counterexample.operations.iter().map(move |involved| {
            let invoke = involved.operation.invoke;
            (invoke, if invoke == accused { ACCUSED } else { INVOLVED })
        })
    });
    members.collect()
}

/// The members of each proof, the accused one first.
fn proofs(operations: &[Operation], results: &Results) -> Vec<Vec<usize>> {
    let place = |invoke: u64| operations.binary_search_by_key(&invoke, |o| o.invoke).ok();
    let told = results.linearizability.counterexamples().take(PROOFS_MAX);
    let members = told.map(|counterexample| {
        let all = counterexample.operations.iter().map(|involved| involved.operation.invoke);
        let others = all.filter(|invoke| *invoke != counterexample.accused);
        [counterexample.accused].into_iter().chain(others).filter_map(place).collect()
    });
    members.collect()
}

/// Numbers as bytes.
#[derive(Default)]
struct Columns {
    bytes: Vec<u8>,
    /// Of the invocation before.
    index: u64,
    us: u64,
}

impl Columns {
    fn push(&mut self, operation: &Operation, lane: u64, role: u64) {
        let begun_us = operation.invoked_at.0 / NS_PER_US;
        let outcome = match operation.outcome {
            Outcome::Ok(_) => 0,
            Outcome::Fail => 1,
            Outcome::Info => 2,
            Outcome::Pending => 3,
        };
        self.number(lane);
        self.number(operation.process.0);
        self.number(operation.key.map_or(0, |key| key.0.saturating_add(1)));
        self.number(role * 4 + outcome);
        self.number(operation.invoke - self.index);
        self.number(begun_us - self.us);
        if let (Some(complete), Some(at)) = (operation.complete, operation.completed_at) {
            self.number(complete - operation.invoke);
            self.number(at.0 / NS_PER_US - begun_us);
        }
        (self.index, self.us) = (operation.invoke, begun_us);
    }

    /// Seven bits in each byte, low ones first.
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is meant")]
    fn number(&mut self, mut number: u64) {
        while number > 127 {
            self.bytes.push(number as u8 | 128);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// Who is drawn where.
struct Lanes {
    names: Vec<String>,
    of: BTreeMap<ProcessId, u64>,
}

impl Lanes {
    fn new(operations: &[Operation], clients: Option<u32>) -> Self {
        let processes: BTreeSet<ProcessId> =
            operations.iter().map(|operation| operation.process).collect();
        match clients {
            Some(clients) if clients > 0 => Self::by_client(&processes, u64::from(clients)),
            _ if processes.len() <= PROCESSES_MAX => Self::one_each(&processes),
            _ => Self::packed(operations),
        }
    }

    fn of(&self, process: ProcessId) -> u64 {
        self.of.get(&process).copied().unwrap_or_default()
    }

    /// A process goes on under a number that is higher by the number of clients.
    fn by_client(processes: &BTreeSet<ProcessId>, clients: u64) -> Self {
        let present: BTreeSet<u64> = processes.iter().map(|process| process.0 % clients).collect();
        let lane: BTreeMap<u64, u64> = present.iter().copied().zip(0..).collect();
        let of_one = |process: &ProcessId| {
            (*process, lane.get(&(process.0 % clients)).copied().unwrap_or_default())
        };
        Self {
            names: present.iter().map(|client| format!("c{client}")).collect(),
            of: processes.iter().map(of_one).collect(),
        }
    }

    fn one_each(processes: &BTreeSet<ProcessId>) -> Self {
        Self {
            names: processes.iter().map(ToString::to_string).collect(),
            of: processes.iter().copied().zip(0..).collect(),
        }
    }

    /// The first lane whose processes have said their last word.
    fn packed(operations: &[Operation]) -> Self {
        let ends = operations
            .iter()
            .map(|operation| (operation.process, operation.complete.unwrap_or(operation.invoke)));
        let last: BTreeMap<ProcessId, u64> = ends.collect();
        let mut lanes = Self { names: Vec::new(), of: BTreeMap::new() };
        // Lanes by the event after which they are free.
        let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
        for operation in operations {
            let process = operation.process;
            if lanes.of.contains_key(&process) {
                continue;
            }
            let free = taken.first().copied().filter(|(until, _)| *until < operation.invoke);
            let lane = if let Some(entry) = free {
                taken.remove(&entry);
                entry.1
            } else {
                lanes.names.push((lanes.names.len() + 1).to_string());
                lanes.names.len() as u64 - 1
            };
            taken.insert((last.get(&process).copied().unwrap_or(operation.invoke), lane));
            lanes.of.insert(process, lane);
        }
        lanes
    }
}

impl Fault {
    fn new(span: &Span) -> Self {
        Self {
            kind: span.kind.clone(),
            family: Family::of(&span.kind).name(),
            from: micros(span.from),
            to: span.to.map(micros),
        }
    }
}

impl Mark {
    fn new(found: &quorate_checkers::violations::Found) -> Self {
        Self { at: found.time.0 / NS_PER_US, demand: found.violation.demand.clone() }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of the run")]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}
