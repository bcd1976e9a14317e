//! The space-time diagram as text.
//!
//! ```text
//!        ms  c0    n0    n1
//!     0.000  ┃     │     │     c0 begins write(k0, 1)
//!     1.000  ●────►│     │     QUERY c0.1.1q0 k0
//!     2.200  ●─────┼──╳  │     UPDATE c0.1.1u0 k0 = 1 @1.c0.1.1 is lost
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;

use quorate_checkers::history::NemesisPhase;
use quorate_plan::Endpoint;

use super::{Story, asked, ms, shows_result};
use crate::tape::{Ended, Fate, Happened, Message};

/// Columns from one line to the next.
const STEP: usize = 6;
/// Columns before the first line.
const MARGIN: usize = 12;
/// Words do not go beyond this column.
const WIDTH: usize = 110;
/// They have so many columns, however many lines there are.
const WORDS_MIN: usize = 40;
/// More rows than this are not shown.
const ROWS_MAX: usize = 400;

pub(super) fn text(story: &Story) -> String {
    let mut page = Page::new(story);
    page.header();
    for event in story.events() {
        page.event(event.at_us, &event.what);
    }
    page.objection();
    page.finish()
}

struct Page<'a> {
    story: &'a Story,
    cast: Vec<Endpoint>,
    /// Clients with an operation that goes on.
    busy: BTreeSet<Endpoint>,
    /// Nodes that are down.
    down: BTreeSet<Endpoint>,
    rows: Vec<String>,
    last_us: Option<u64>,
}

impl<'a> Page<'a> {
    fn new(story: &'a Story) -> Self {
        let (busy, down) = (BTreeSet::new(), BTreeSet::new());
        Self { story, cast: story.cast(), busy, down, rows: Vec::new(), last_us: None }
    }

    fn header(&mut self) {
        let mut row = format!("{:>width$}  ", "ms", width = MARGIN - 2);
        for end in &self.cast {
            let name = self.story.name(*end);
            // Writing to a String cannot fail.
            let _ = write!(row, "{name:STEP$}");
        }
        self.rows.push(row.trim_end().to_owned());
    }

    fn event(&mut self, at_us: u64, what: &Happened) {
        match what {
            Happened::Invoked(place) => {
                let Some(operation) = self.story.tape.operations.get(*place) else { return };
                let client = Endpoint::Client(operation.client);
                self.busy.insert(client);
                self.mark(at_us, client, '┳', &format!("{client} begins {}", asked(operation)));
            }
            Happened::Completed(place) => {
                let Some(operation) = self.story.tape.operations.get(*place) else { return };
                let client = Endpoint::Client(operation.client);
                let how = match &operation.ended {
                    Ended::Ok(value) if shows_result(operation) => format!(" = {value}"),
                    Ended::Ok(_) => " is done".to_owned(),
                    Ended::Fail => " fails".to_owned(),
                    Ended::Info | Ended::Open => " ends: nobody knows how".to_owned(),
                };
                self.mark(at_us, client, '┻', &format!("{client} {}{how}", asked(operation)));
                self.busy.remove(&client);
            }
            Happened::Started(node) => {
                let node = Endpoint::Node(*node);
                if self.down.remove(&node) {
                    self.mark(at_us, node, '╤', &format!("{node} is up again"));
                }
            }
            Happened::Crashed(node) => {
                let node = Endpoint::Node(*node);
                self.mark(at_us, node, '╧', &format!("{node} is down"));
                self.down.insert(node);
            }
            // There is no room for what cores tell of themselves.
            Happened::Observed { .. } => {}
            Happened::Sent(place) => self.sent(at_us, *place),
            Happened::Arrived(place) => self.arrow(at_us, *place, Tip::Arrives, ""),
            Happened::Missed(place) => self.arrow(at_us, *place, Tip::Stops, " finds nobody"),
            Happened::Fault(nemesis) => {
                let phase = match nemesis.phase {
                    NemesisPhase::Begin => "begins",
                    NemesisPhase::End => "ends",
                    NemesisPhase::Skipped => "cannot be done",
                };
                let words = format!("-- {} {phase}: {}", nemesis.kind, nemesis.what);
                self.row(at_us, self.lines(), &words);
            }
            Happened::Healed => {
                self.row(at_us, self.lines(), "-- no more faults come, and all is healed");
            }
            Happened::Violated(violation) => {
                let words = format!("-- {}: {}", violation.demand, violation.what);
                self.row(at_us, self.lines(), &words);
            }
        }
    }

    /// What is sent is shown where it arrives, but for what does not.
    fn sent(&mut self, at_us: u64, place: usize) {
        let Some(message) = self.story.tape.messages.get(place) else { return };
        let is_cut = is_cut(self.story, place, message);
        match message.fate {
            Fate::Lost => self.arrow(at_us, place, Tip::Stops, " is lost"),
            Fate::Corrupted => self.arrow(at_us, place, Tip::Stops, " is damaged"),
            Fate::Held => self.arrow(at_us, place, Tip::Waits, " is held back"),
            Fate::Travels if is_cut => self.arrow(at_us, place, Tip::Stops, " is cut off"),
            Fate::Travels => {}
        }
    }

    fn arrow(&mut self, at_us: u64, place: usize, tip: Tip, what: &str) {
        let Some(message) = self.story.tape.messages.get(place) else { return };
        let mut line = self.lines();
        let at = |end: Endpoint| self.cast.iter().position(|other| *other == end);
        let (Some(from), Some(to)) = (at(message.from), at(message.to)) else { return };
        let (from, to) = (from * STEP, to * STEP);
        let (left, right) = (from.min(to), from.max(to));
        for (column, cell) in line.iter_mut().enumerate().take(right).skip(left + 1) {
            *cell = if column.is_multiple_of(STEP) { '┼' } else { '─' };
        }
        let mut put = |column: usize, sign: char| {
            if let Some(cell) = line.get_mut(column) {
                *cell = sign;
            }
        };
        put(from, '●');
        let before = if to > from { to - 1 } else { to + 1 };
        match (tip, to > from) {
            (Tip::Arrives, true) => put(before, '►'),
            (Tip::Arrives, false) => put(before, '◄'),
            (Tip::Stops, _) => put(before, '╳'),
            (Tip::Waits, _) => put(before, '‖'),
        }
        let took = at_us - message.sent_us;
        let sent = match tip {
            Tip::Arrives if took > USUAL_US => format!(" (sent at {})", ms(message.sent_us)),
            Tip::Arrives | Tip::Stops | Tip::Waits => String::new(),
        };
        self.row(at_us, line, &format!("{}{what}{sent}", message.text));
    }

    fn mark(&mut self, at_us: u64, end: Endpoint, sign: char, words: &str) {
        let mut line = self.lines();
        let place = self.cast.iter().position(|other| *other == end);
        if let Some(cell) = place.and_then(|place| line.get_mut(place * STEP)) {
            *cell = sign;
        }
        self.row(at_us, line, words);
    }

    /// The lines of all, as they go on.
    fn lines(&self) -> Vec<char> {
        let mut line = vec![' '; self.cast.len() * STEP];
        for (place, end) in self.cast.iter().enumerate() {
            let sign = match end {
                _ if self.busy.contains(end) => '┃',
                _ if self.down.contains(end) => ' ',
                Endpoint::Client(_) => '┆',
                Endpoint::Node(_) => '│',
            };
            if let Some(cell) = line.get_mut(place * STEP) {
                *cell = sign;
            }
        }
        line
    }

    /// One row; a time that is the same as that above is left out.
    fn row(&mut self, at_us: u64, line: Vec<char>, words: &str) {
        let is_new = self.last_us != Some(at_us);
        let time = if is_new { ms(at_us) } else { String::new() };
        self.last_us = Some(at_us);
        let line: String = line.into_iter().collect();
        let start = MARGIN + self.cast.len() * STEP;
        let words = shortened(words, WIDTH.saturating_sub(start).max(WORDS_MIN));
        let row = format!("{time:>width$}  {line}{words}", width = MARGIN - 2);
        self.rows.push(row.trim_end().to_owned());
    }

    fn objection(&mut self) {
        let objection = &self.story.objection;
        let mut line = self.lines();
        for (place, end) in self.cast.iter().enumerate() {
            if objection.targets.contains(&end.to_string())
                && let Some(cell) = line.get_mut(place * STEP)
            {
                *cell = '✗';
            }
        }
        let words = format!("✗ {} is broken", objection.demand);
        self.row(objection.at_us, line, &words);
    }

    fn finish(mut self) -> String {
        if self.rows.len() > ROWS_MAX {
            let gone = self.rows.len() - ROWS_MAX;
            let middle = format!("{:>width$}  … {gone} rows", "", width = MARGIN - 2);
            let half = ROWS_MAX / 2;
            self.rows.splice(half..half + gone, [middle]);
        }
        let Story { objection, .. } = self.story;
        let mut text = self.rows.join("\n");
        text += "\n\n";
        for line in wrapped(&format!("✗ {}: {}", objection.demand, objection.what), WIDTH - 10) {
            text += &line;
            text.push('\n');
        }
        text
    }
}

/// What takes longer is told when it was sent, in microseconds.
const USUAL_US: u64 = 2_000;

/// How an arrow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tip {
    Arrives,
    Stops,
    Waits,
}

/// Whether a message was under way and never came, though its receiver was up and the run went on.
pub(super) fn is_cut(story: &Story, place: usize, message: &Message) -> bool {
    let was_missed = story.tape.events.iter().any(|event| event.what == Happened::Missed(place));
    let was_due = message.due_us.iter().all(|due| *due < story.tape.end_us());
    message.fate == Fate::Travels && message.never_arrived() && !was_missed && was_due
}

fn shortened(words: &str, width: usize) -> String {
    if words.chars().count() <= width {
        return words.to_owned();
    }
    let kept: String = words.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// Words in lines of at most so many characters; lines after the first are set in.
pub(super) fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words.split_whitespace() {
        let is_full = line.chars().count() + 1 + word.chars().count() > width;
        if is_full && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(line);
    lines
}
