//! Progress of a run on standard error: one line that renews itself on a terminal, silence elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_live::Progress;
use quorate_sim::Remote;

use crate::output;

/// Shows a run's progress.
#[derive(Debug)]
pub(crate) struct Display {
    bar: ProgressBar,
}

impl Display {
    /// A display that stays silent when asked to, and when nobody is watching.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(quiet));
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { bar }
    }

    /// Shows how the run stands.
    pub(crate) fn show(&self, progress: &Progress) {
        self.bar.set_message(line(progress));
        self.bar.tick();
    }

    /// Shows how far a simulated run is, `real` after it began.
    pub(crate) fn show_simulated(&self, remote: &Remote, time_limit: Duration, real: Duration) {
        let reached = Duration::from_micros(remote.now_us());
        self.say(&format!(
            "simulating {} of {} · {} events in {}",
            seconds(reached),
            seconds(time_limit),
            remote.steps(),
            seconds(real),
        ));
    }

    /// Shows that something else is going on.
    pub(crate) fn say(&self, what: &str) {
        self.bar.set_message(output::one_line(what).into_owned());
        self.bar.tick();
    }

    /// Writes a line that stays, above the one that renews itself.
    pub(crate) fn note(&self, line: &str) {
        self.bar.println(output::harmless(line));
    }

    /// Takes the display away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Counts what is done of a known number of things; several threads may count at once.
#[derive(Debug)]
pub(crate) struct Counter {
    bar: ProgressBar,
}

impl Counter {
    /// A counter up to `total` that stays silent when asked to, and when nobody is watching.
    pub(crate) fn new(quiet: bool, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), target(quiet));
        let style = ProgressStyle::with_template("{bar:20} {pos} of {len}, {eta} left: {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    /// Counts from the beginning, for something else.
    pub(crate) fn begin(&self, what: &str) {
        self.bar.reset();
        self.bar.set_message(output::one_line(what).into_owned());
    }

    /// This is under way.
    pub(crate) fn say(&self, what: &str) {
        self.bar.set_message(output::one_line(what).into_owned());
    }

    /// There are so many.
    pub(crate) fn expect(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// Writes a line that stays, above the one that renews itself.
    pub(crate) fn note(&self, line: &str) {
        self.bar.println(output::harmless(line));
    }

    /// So many more are done.
    pub(crate) fn add(&self, count: u64) {
        self.bar.inc(count);
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Nothing, where it is not wanted or nobody is watching.
fn target(quiet: bool) -> ProgressDrawTarget {
    let watched = std::io::stderr().is_terminal() && !quiet;
    if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

/// `running 12s of 30s · 198 ops/s · 2371 ok, 12 unknown, 3 failed · partition, kill n2`.
fn line(progress: &Progress) -> String {
    let mut line = format!(
        "{} {} of {} · {} ops/s · {} ok, {} unknown, {} failed",
        progress.phase,
        seconds(progress.elapsed),
        seconds(progress.time_limit),
        progress.ops_per_s,
        progress.counts.ok,
        progress.counts.info,
        progress.counts.fail,
    );
    if !progress.faults.is_empty() {
        line += " · ";
        line += &progress.faults.join("; ");
    }
    line
}

fn seconds(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}
