//! Operations as bars: who did what, and what came before what.
//!
//! Distances are those of the order of events, not of time: a picture to scale would show either the
//! milliseconds or the seconds between them.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use quorate_checkers::explain::Counterexample;
use quorate_checkers::history::{Operation, Outcome, ProcessId, Value};
use quorate_checkers::judge::Results;
use quorate_checkers::model;

use crate::lanes::{self, Family, Span};
use crate::units::{count, moment, span as span_text};

/// A picture.
#[derive(Template)]
#[template(path = "timeline.html")]
pub(crate) struct Timeline {
    label: String,
    width: i32,
    height: i32,
    /// Where the rows begin and end.
    top: i32,
    bottom: i32,
    rows: Vec<Row>,
    bars: Vec<Bar>,
    bands: Vec<Band>,
    ticks: Vec<Tick>,
    /// What is not shown; empty if nothing is left out.
    note: String,
}

struct Row {
    name: String,
    y: i32,
    text_y: i32,
    width: i32,
}

struct Bar {
    /// Words for the style sheet.
    classes: String,
    x: i32,
    y: i32,
    width: i32,
    /// Where the part begins in which it may still happen, and how wide that is.
    tail: Option<(i32, i32)>,
    middle: i32,
    text: String,
    text_x: i32,
    text_y: i32,
    title: String,
}

struct Band {
    family: &'static str,
    name: String,
    title: String,
    x: i32,
    width: i32,
    y: i32,
    text_y: i32,
}

struct Tick {
    x: i32,
    text: String,
}

/// A whole run is shown if it has no more operations.
pub(crate) const WHOLE_MAX: usize = 60;
/// More operations of one proof are not looked at.
const INVOLVED_MAX: usize = 40;
/// So many others are shown around a proof.
const NEIGHBOURS_MAX: usize = 24;
/// So many faults are named.
const BANDS_MAX: usize = 10;
/// The name of an operation is cut here.
const TEXT_MAX: usize = 28;

const LEFT: i32 = 72;
const RIGHT: i32 = 20;
const WIDTH_MIN: i32 = 960;
const ROW_HEIGHT: i32 = 32;
const BAR_HEIGHT: i32 = 22;
const BAND_HEIGHT: i32 = 18;
const LETTER: i32 = 7;
const STEP: i32 = 12;
const TICK_DISTANCE: i32 = 70;

/// An operation in a picture.
struct Shown<'a> {
    operation: &'a Operation,
    text: String,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The one of a proof that returned last.
    Accused,
    /// Belongs to a proof.
    Involved,
    /// One among many.
    Plain,
    /// Stands beside a proof.
    Neighbour,
}

impl Timeline {
    /// A proof, and what else happened to its key meanwhile.
    pub(crate) fn around(
        counterexample: &Counterexample,
        operations: &[Operation],
        results: &Results,
    ) -> Self {
        let mut shown: Vec<Shown<'_>> = counterexample
            .operations
            .iter()
            .take(INVOLVED_MAX)
            .map(|involved| Shown {
                operation: &involved.operation,
                text: arrows(&involved.text),
                role: role(counterexample, involved.operation.invoke),
            })
            .collect();
        let hidden_involved = counterexample.operations.len() - shown.len();
        let (near, hidden) = neighbours(counterexample, operations, &shown);
        shown.extend(near.into_iter().map(|operation| Shown {
            operation,
            text: text(operation, false),
            role: Role::Neighbour,
        }));
        let missing = [
            (hidden_involved, "more operations of the proof are not shown."),
            (hidden, "other operations on this key meanwhile are not shown."),
        ];
        let sentences = missing.iter().filter(|(number, _)| *number > 0);
        let note: Vec<String> =
            sentences.map(|(number, what)| format!("{} {what}", count(*number as u64))).collect();
        let note = note.join(" ");
        Self::draw("The operations that cannot be ordered", shown, results, note)
    }

    /// The whole run, if it is short.
    pub(crate) fn whole(operations: &[Operation], results: &Results) -> Option<Self> {
        if operations.is_empty() || operations.len() > WHOLE_MAX {
            return None;
        }
        let mut roles: BTreeMap<u64, Role> = BTreeMap::new();
        for counterexample in results.linearizability.counterexamples() {
            for involved in &counterexample.operations {
                let invoke = involved.operation.invoke;
                roles.insert(invoke, role(counterexample, invoke));
            }
        }
        let keys: BTreeSet<_> = operations.iter().map(|operation| operation.key).collect();
        let shown = operations.iter().map(|operation| Shown {
            operation,
            text: text(operation, keys.len() > 1),
            role: roles.get(&operation.invoke).copied().unwrap_or(Role::Plain),
        });
        Some(Self::draw("All operations of the run", shown.collect(), results, String::new()))
    }

    fn draw(label: &str, mut shown: Vec<Shown<'_>>, results: &Results, note: String) -> Self {
        shown.sort_by_key(|shown| shown.operation.invoke);
        let spans = near_spans(&shown, results);
        let axis = Axis::new(&shown, &spans);
        let lines: BTreeSet<ProcessId> = shown.iter().map(|s| s.operation.process).collect();
        let top = i32::try_from(spans.len()).unwrap_or(0) * BAND_HEIGHT + 8;
        let y_of: BTreeMap<ProcessId, i32> =
            lines.into_iter().zip((0..).map(|row| top + row * ROW_HEIGHT)).collect();
        let bottom = top + i32::try_from(y_of.len()).unwrap_or(0) * ROW_HEIGHT;
        let bar = |shown: &Shown<'_>| {
            axis.bar(shown, y_of.get(&shown.operation.process).copied().unwrap_or(top))
        };
        let row = |(process, y): (&ProcessId, &i32)| Row {
            name: process.to_string(),
            y: *y,
            text_y: y + ROW_HEIGHT / 2 + 4,
            width: axis.right,
        };
        Self {
            label: label.to_owned(),
            width: axis.right + RIGHT,
            height: bottom + 26,
            top,
            bottom,
            rows: y_of.iter().map(row).collect(),
            bars: shown.iter().map(bar).collect(),
            bands: spans.iter().zip(0..).map(|(span, row)| axis.band(span, row)).collect(),
            ticks: axis.ticks(&shown),
            note,
        }
    }
}

fn role(counterexample: &Counterexample, invoke: u64) -> Role {
    if invoke == counterexample.accused { Role::Accused } else { Role::Involved }
}

/// Where its bar ends: a completed operation's at its completion.
fn end(operation: &Operation) -> u64 {
    operation.complete.unwrap_or(u64::MAX)
}

/// Other operations on the same key, those nearest to the proof, and how many more there are.
fn neighbours<'a>(
    counterexample: &Counterexample,
    operations: &'a [Operation],
    shown: &[Shown<'_>],
) -> (Vec<&'a Operation>, usize) {
    let involved: BTreeSet<u64> =
        counterexample.operations.iter().map(|involved| involved.operation.invoke).collect();
    let marks: Vec<u64> = shown
        .iter()
        .flat_map(|s| [Some(s.operation.invoke), s.operation.complete])
        .flatten()
        .collect();
    let (Some(first), Some(last)) = (marks.iter().min(), marks.iter().max()) else {
        return (Vec::new(), 0);
    };
    let meanwhile = |operation: &&Operation| {
        operation.key == counterexample.key
            && !involved.contains(&operation.invoke)
            && operation.invoke <= *last
            && end(operation) >= *first
    };
    let distance = |operation: &&Operation| {
        let to_mark = |mark: &u64| match (operation.invoke > *mark, end(operation) < *mark) {
            (true, _) => operation.invoke - mark,
            (_, true) => mark - end(operation),
            _ => 0,
        };
        marks.iter().map(to_mark).min()
    };
    let mut near: Vec<&Operation> = operations.iter().filter(meanwhile).collect();
    near.sort_by_key(distance);
    let hidden = near.len().saturating_sub(NEIGHBOURS_MAX);
    near.truncate(NEIGHBOURS_MAX);
    (near, hidden)
}

/// Faults that were in force between the first and the last event shown.
fn near_spans(shown: &[Shown<'_>], results: &Results) -> Vec<Span> {
    let first = shown.iter().map(|s| s.operation.invoke).min().unwrap_or(0);
    let ends = shown.iter().map(|s| s.operation.complete.unwrap_or(s.operation.invoke));
    let last = ends.max().unwrap_or(0);
    let mut spans = lanes::spans(results);
    spans.retain(|span| span.begin <= last && span.end.is_none_or(|end| end >= first));
    spans.truncate(BANDS_MAX);
    spans
}

/// What an operation did, in a few words.
pub(crate) fn text(operation: &Operation, with_key: bool) -> String {
    let text = match operation.input {
        // What is made of several values reads better in the words of the checkers.
        Value::List(_) => arrows(&model::describe(operation)),
        Value::Nil if operation.f == "delete" => operation.f.to_string(),
        Value::Nil | Value::Int(_) | Value::Text(_) => plain_text(operation),
    };
    match operation.key {
        Some(key) if with_key => format!("{text} @{key}"),
        _ => text,
    }
}

fn plain_text(operation: &Operation) -> String {
    let mut text = operation.f.to_string();
    if operation.input != Value::Nil {
        text = format!("{text} {}", operation.input);
    }
    match &operation.outcome {
        Outcome::Ok(result) if operation.input == Value::Nil || *result != operation.input => {
            format!("{text} → {result}")
        }
        Outcome::Ok(_) | Outcome::Fail | Outcome::Info | Outcome::Pending => text,
    }
}

/// A checker's words, with an arrow that looks like one.
pub(crate) fn arrows(text: &str) -> String {
    text.replace("->", "→")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

fn text_width(text: &str) -> i32 {
    i32::try_from(cut(text).chars().count()).unwrap_or(0) * LETTER + 14
}

/// Where each event is.
struct Axis {
    x_of: BTreeMap<u64, i32>,
    right: i32,
}

impl Axis {
    fn new(shown: &[Shown<'_>], spans: &[Span]) -> Self {
        let mut x_of: BTreeMap<u64, i32> = BTreeMap::new();
        let mut ends: BTreeMap<u64, &Shown<'_>> = BTreeMap::new();
        for shown in shown {
            x_of.insert(shown.operation.invoke, 0);
            if let Some(complete) = shown.operation.complete {
                x_of.insert(complete, 0);
                ends.insert(complete, shown);
            }
        }
        let (first, last) = (x_of.keys().next().copied(), x_of.keys().next_back().copied());
        for index in spans.iter().flat_map(|span| [Some(span.begin), span.end]).flatten() {
            if first.is_some_and(|first| index > first) && last.is_some_and(|last| index < last) {
                x_of.insert(index, 0);
            }
        }
        let mut x = LEFT;
        let indices: Vec<u64> = x_of.keys().copied().collect();
        for index in indices {
            x += STEP;
            // A bar must be long enough for its name.
            if let Some(shown) = ends.get(&index).filter(|shown| shown.role != Role::Neighbour) {
                let begun = x_of.get(&shown.operation.invoke).copied().unwrap_or(x);
                x = x.max(begun + text_width(&shown.text));
            }
            x_of.insert(index, x);
        }
        let open = shown.iter().filter(|shown| shown.operation.complete.is_none());
        let open_ends = open.map(|shown| {
            x_of.get(&shown.operation.invoke).copied().unwrap_or(LEFT) + text_width(&shown.text)
        });
        let mut axis = Self { right: open_ends.chain([x + 3 * STEP]).max().unwrap_or(x), x_of };
        axis.stretch();
        axis
    }

    /// Uses the whole width if there is more than needed.
    fn stretch(&mut self) {
        let (has, wants) = (self.right - LEFT, WIDTH_MIN - RIGHT - LEFT);
        if has < wants {
            for x in self.x_of.values_mut() {
                *x = LEFT + (*x - LEFT) * wants / has.max(1);
            }
            self.right = WIDTH_MIN - RIGHT;
        }
    }

    /// Where an event is, or the next one that has a place.
    fn x(&self, index: u64) -> i32 {
        self.x_of.range(index..).next().map_or(self.right, |(_, x)| *x)
    }

    fn bar(&self, shown: &Shown<'_>, row_y: i32) -> Bar {
        let operation = shown.operation;
        let x = self.x(operation.invoke);
        let ended = operation.complete.map(|complete| self.x(complete));
        let is_open = matches!(operation.outcome, Outcome::Info | Outcome::Pending);
        let solid = ended.unwrap_or(x + 8);
        let y = row_y + (ROW_HEIGHT - BAR_HEIGHT) / 2;
        let fits = text_width(&shown.text) <= solid.max(if is_open { self.right } else { 0 }) - x;
        let text =
            if fits || shown.role != Role::Neighbour { cut(&shown.text) } else { String::new() };
        Bar {
            classes: format!("{} {}", outcome(operation), role_class(shown.role)),
            x,
            y,
            width: (solid - x).max(4),
            tail: is_open.then(|| (solid, self.right - solid)),
            middle: y + BAR_HEIGHT / 2,
            text,
            text_x: x + 7,
            text_y: y + BAR_HEIGHT / 2 + 4,
            title: title(shown),
        }
    }

    fn band(&self, span: &Span, row: i32) -> Band {
        let from = self.x_of.keys().next().copied().unwrap_or(0);
        let x = if span.begin <= from { LEFT } else { self.x(span.begin) };
        let to = span.end.map_or(self.right, |end| self.x(end));
        let y = row * BAND_HEIGHT + 2;
        Band {
            family: Family::of(&span.kind).name(),
            name: span.kind.clone(),
            title: format!("fault {}: {} {}", span.number, span.kind, span.what),
            x,
            width: (to - x).max(3),
            y,
            text_y: y + 12,
        }
    }

    /// The times of the operations that matter, where there is room.
    fn ticks(&self, shown: &[Shown<'_>]) -> Vec<Tick> {
        let mut times: BTreeMap<i32, u64> = BTreeMap::new();
        for Shown { operation, .. } in shown.iter().filter(|s| s.role != Role::Neighbour) {
            times.insert(self.x(operation.invoke), operation.invoked_at.0);
            if let (Some(complete), Some(at)) = (operation.complete, operation.completed_at) {
                times.insert(self.x(complete), at.0);
            }
        }
        let mut free_from = 0;
        times.retain(|x, _| {
            let has_room = *x >= free_from && *x <= self.right - TICK_DISTANCE / 3;
            if has_room {
                free_from = x + TICK_DISTANCE;
            }
            has_room
        });
        times.into_iter().map(|(x, time)| Tick { x, text: moment(time) }).collect()
    }
}

fn outcome(operation: &Operation) -> &'static str {
    match operation.outcome {
        Outcome::Ok(_) => "ok",
        Outcome::Fail => "fail",
        Outcome::Info => "info",
        Outcome::Pending => "pending",
    }
}

fn role_class(role: Role) -> &'static str {
    match role {
        Role::Accused => "accused",
        Role::Involved => "involved",
        Role::Plain => "plain",
        Role::Neighbour => "neighbour",
    }
}

/// All that is known of an operation.
fn title(shown: &Shown<'_>) -> String {
    let operation = shown.operation;
    let begun = format!(
        "{} {}: index {}, at {}",
        operation.process,
        shown.text,
        operation.invoke,
        moment(operation.invoked_at.0)
    );
    let took = operation.completed_at.map(|at| span_text(at.0 - operation.invoked_at.0));
    let ended = match (operation.complete, took) {
        (Some(complete), Some(took)) => {
            format!("{begun}; {} at index {complete}, after {took}", outcome(operation))
        }
        _ => format!("{begun}; no answer before the history ended"),
    };
    operation.error.as_ref().map_or(ended.clone(), |error| format!("{ended} ({error})"))
}
