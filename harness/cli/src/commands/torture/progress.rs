//! What a campaign is doing, for people: a line that renews itself on a terminal, a line a minute elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use quorate_plan::WorldKind;

use super::campaign::{Campaign, Until};
use super::desk::Clock;
use super::examined::Examined;
use super::tally::Tally;
use crate::output::{count, one_line};
use crate::progress::Display;

/// Shows how a campaign stands.
pub(super) struct Progress {
    display: Display,
    /// Where nobody watches: when the last line was written.
    lines: Option<Mutex<Instant>>,
    until: Until,
    /// How many runs of it are done here, one in so many.
    share: u64,
}

/// Lines are so far apart.
const LINE_EACH: Duration = Duration::from_mins(1);

impl Progress {
    /// Silent when asked to be.
    pub(super) fn new(campaign: &Campaign, is_quiet: bool) -> Self {
        let is_watched = std::io::stderr().is_terminal();
        Self {
            display: Display::new(is_quiet),
            lines: (!is_quiet && !is_watched).then(|| Mutex::new(Instant::now())),
            until: campaign.until,
            share: campaign.shard.of,
        }
    }

    /// Shows what was done.
    pub(super) fn show(&self, tally: &Tally, clock: Clock, waiting: usize) {
        match &self.lines {
            None => self.display.say(&self.line(tally, clock, waiting)),
            Some(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_EACH {
                    *last = Instant::now();
                    write(&self.line(tally, clock, waiting));
                }
            }
        }
    }

    /// Shows that something else is going on.
    pub(super) fn say(&self, what: &str) {
        self.display.say(what);
    }

    /// A finding was looked at: said where it is the first of its failure.
    pub(super) fn examined(&self, one: &Examined, known: &BTreeMap<u64, Examined>) {
        if !known.values().any(|other| one.is_taken_for(other)) {
            self.note(&format!("found {}: {}", one.signature(), one.sentence));
        }
    }

    /// A line that stays.
    pub(super) fn note(&self, line: &str) {
        match &self.lines {
            None => self.display.note(&one_line(line)),
            Some(_) => write(line),
        }
    }

    /// Takes the display away.
    pub(super) fn clear(&self) {
        self.display.clear();
    }

    /// `4m 12s of 10m · 120394 simulated (1612/s), 5 live · 1 failing, 12 unknown · shrinking 2`.
    fn line(&self, tally: &Tally, clock: Clock, waiting: usize) -> String {
        let elapsed = clock.elapsed();
        let in_world = |world: WorldKind| -> u64 {
            let own = tally.cells.iter().filter(|cell| cell.world == world.name());
            own.map(|cell| cell.runs.total()).sum()
        };
        let (simulated, live) = (in_world(WorldKind::Sim), in_world(WorldKind::Live));
        let runs = tally.runs();
        let whole = match self.until {
            Until::Budget(budget) => format!(" of {}", seconds(budget)),
            Until::Runs(all) => format!(", {} of {} runs", runs.total(), all.div_ceil(self.share)),
        };
        let rate = simulated / elapsed.as_secs().max(1);
        let mut text = format!(
            "{}{whole} · {simulated} simulated ({rate}/s), {live} live · {} failed, {} unknown",
            seconds(elapsed),
            runs.invalid,
            runs.unknown,
        );
        // Writing to a String cannot fail; so below.
        if runs.broken > 0 {
            let _ = write!(text, ", {} broke the harness", runs.broken);
        }
        if !tally.classes.is_empty() {
            let _ = write!(text, " · {} broken", count(tally.classes.len() as u64, "demand"));
        }
        if waiting > 0 {
            let _ = write!(text, " · {} to shrink", count(waiting as u64, "finding"));
        }
        text
    }
}

/// A line of its own, where nobody watches.
fn write(line: &str) {
    // Nothing can be done about a closed standard error.
    let _ = writeln!(std::io::stderr().lock(), "{}", one_line(line));
}

fn seconds(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}
