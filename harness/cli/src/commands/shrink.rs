//! `quorate shrink`: the smallest plan that fails in the same way, and its story.

mod from_live;
pub(crate) mod kept;
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use quorate_plan::Plan;
use quorate_sim::shrink::{Progress, ShrinkError, Shrunk, Size, shrink};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

use self::subject::Subject;
use crate::commands::run::simulated;
use crate::commands::run::{mutant, system};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output;
use crate::packed::Opened;
use crate::panics;
use crate::progress::Display;
use crate::store::RunFolder;

/// From a run that fails to a small plan that fails in the same way, and its story.
///
/// Faults, operations, clients, keys and nodes are taken out as long as a simulated run still breaks the same
/// demand; what remains is made shorter and plainer; then every message takes a millisecond, and rules say which
/// few are lost, late or held back. What is left reads as a story: that is printed, and kept as a plan (plan.toml),
/// as the history of its run, as text and as a picture (story.txt, story.svg), ready to become a regression test.
///
/// The demand is the one that the run breaks first: an invariant (Q-I3), liveness, no-panic, or linearizability.
/// Another bug that breaks the same demand may take the place of the first if it is plainer. Shrinking depends
/// on nothing but the plan and the planted bug: the same plan is shrunk to the same one, unless it is stopped.
/// Ctrl-C stops it and keeps the smallest plan so far; so does --time-limit.
///
/// A run of real processes becomes a simulated one first, in at most half of --time-limit before that begins to
/// count: its operations become scripts, its messages arrive when they did, its nodes go down and come up when they
/// did. Parts of the run are tried, of one key and then of all, and then its plan with other seeds, until a simulated
/// run breaks the same demand. Which of these it was is said; that plan is kept, too (from-live.toml).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate shrink store/latest
  quorate shrink store/quorum-register/latest/history.jsonl
  quorate shrink plan.toml --mutant Q01
  quorate shrink --seed 43 --mutant Q05        the plan that `quorate hunt --show 43` prints

Exit codes: 0 a failing plan is kept, shrunk as far as it goes; 2 so it is, but it was stopped before it could
not be made smaller; 254 bad usage, or there is nothing to shrink since nothing fails; 255 the harness itself
failed.")]
pub(crate) struct Shrink {
    /// A run that failed: its folder, its history, or packed; or a plan as TOML or JSON.
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,

    /// The plan that a hunt draws from this seed, instead of a file.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    seed: Option<u64>,

    /// The system of the hunt: see `quorate list systems`.
    #[arg(long, default_value = "quorum", value_name = "NAME", value_parser = system, requires = "seed")]
    system: SystemKind,

    /// The planted bug that the plan runs with [default: the one that the history names, or none].
    #[arg(long, value_name = "NAME", value_parser = mutant)]
    mutant: Option<Mutants>,

    /// Stops after so long, with the smallest plan so far.
    #[arg(long, default_value = "60s", value_name = "TIME")]
    time_limit: humantime::Duration,

    /// The folder that runs are kept in.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

    /// The outcome as JSON on standard output instead of text.
    #[arg(long)]
    json: bool,

    /// No progress, and nothing but the verdict and the sizes.
    #[arg(long)]
    quiet: bool,
}

/// What came of it.
struct Made {
    kept: kept::Kept,
    shrunk: Shrunk,
    /// Which way the plan came from a run of real processes.
    how: Option<String>,
    took: Duration,
}

/// Progress is shown no more often than that.
const SHOW_EACH: Duration = Duration::from_millis(100);

impl Shrink {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let now = Timestamp::now();
        let opened = self.file.as_deref().map(Opened::at).transpose()?;
        let subject = match (&opened, self.seed) {
            (Some(opened), _) => Subject::of_file(opened.path(), self.mutant)?,
            (None, seed) => Subject::of_seed(self.system, seed.unwrap_or_default(), self.mutant),
        };
        // Whoever cannot keep anything is told before the work, not after it.
        let folder = RunFolder::create(&self.store, &name(&subject.plan.name), now)?;
        let made = self.make(&folder, subject, now).inspect_err(|_| folder.discard())?;
        folder.link_latest()?;
        let Made { kept, shrunk, how, took } = made;
        output::print(&if self.json {
            output::json(&kept.outcome(&shrunk, how.as_deref(), took))
        } else {
            self.text(&kept, &shrunk, how.as_deref(), took)
        })?;
        Ok(ExitCode::from(if shrunk.is_complete { 0 } else { 2 }))
    }

    /// Shrinks, and keeps what comes of it in a folder.
    fn make(&self, folder: &RunFolder, subject: Subject, now: Timestamp) -> Result<Made, CliError> {
        let limit = Duration::from(self.time_limit);
        let interrupt = Interrupt::heed()?;
        let subject = self.tell(subject, limit / 2, &interrupt)?;
        let began = Instant::now();
        let shrunk = self.shrink(&subject, began, &interrupt)?;
        let took = began.elapsed();
        let kept = kept::keep(&folder.path, &shrunk, subject.mutants, now)?;
        subject.keep(folder)?;
        Ok(Made { kept, shrunk, how: subject.how, took })
    }

    /// A run of real processes becomes a simulated one first.
    fn tell(
        &self,
        subject: Subject,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<Subject, CliError> {
        let display = Display::new(self.quiet || self.json);
        if subject.is_live() {
            display.say("telling the simulator what the real processes did");
        }
        let told = subject.simulated(limit, interrupt.flag());
        display.clear();
        told
    }

    /// Shrinks until nothing goes any more, the time is over, or somebody presses Ctrl-C.
    fn shrink(
        &self,
        subject: &Subject,
        began: Instant,
        interrupt: &Interrupt,
    ) -> Result<Shrunk, CliError> {
        let display = Display::new(self.quiet || self.json);
        let limit = Duration::from(self.time_limit);
        let mut shown: Option<Instant> = None;
        let mut watch = |progress: &Progress| {
            if shown.is_none_or(|shown| shown.elapsed() >= SHOW_EACH) {
                display.say(&line(progress));
                shown = Some(Instant::now());
            }
            !interrupt.has_come() && began.elapsed() < limit
        };
        let shrunk =
            panics::quietly(|| shrink(&subject.plan, subject.mutants, &subject.wanted, &mut watch));
        display.clear();
        let mut shrunk = shrunk.map_err(|error| subject.failure(&error))?;
        shrunk.plan.name = name(&subject.plan.name);
        Ok(shrunk)
    }

    fn text(
        &self,
        kept: &kept::Kept,
        shrunk: &Shrunk,
        how: Option<&str>,
        took: Duration,
    ) -> String {
        let mut text = output::verdict(&kept.results, shrunk.plan.expect);
        if let Some(how) = how {
            output::line(&mut text, "live", how);
        }
        output::line(&mut text, "breaks", &shrunk.demand);
        let tries = format!("{} plans in {:.1} s", shrunk.tries, took.as_secs_f64());
        output::line(&mut text, "before", &sizes(&shrunk.before));
        output::line(&mut text, "after", &format!("{} ({tries})", sizes(&shrunk.after)));
        if !shrunk.is_complete {
            output::line(&mut text, "note", "stopped before its end: more might go");
        }
        if self.quiet {
            return text;
        }
        text.push('\n');
        text += &kept.story;
        text.push('\n');
        kept.commands(&mut text);
        text
    }
}

/// `shrinking the weather · 312 plans · 3 operations, 1 fault, 2 rules, 2 clients, 3 nodes`.
fn line(progress: &Progress) -> String {
    let Progress { pass, tries, size } = progress;
    format!("shrinking: {pass} · {tries} plans · {}", sizes(size))
}

/// A plan whose simulated run fails as the run of real processes in this folder did; nothing if none is found in so
/// long, or before it is to stop.
pub(crate) fn from_live(
    folder: &Path,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Option<Plan>, CliError> {
    let told = Subject::of_file(folder, None)?.told(limit, stop)?;
    Ok(told.map(|found| found.plan))
}

/// `3 operations, 1 fault, 2 rules, 2 clients, 3 nodes`.
pub(crate) fn sizes(size: &Size) -> String {
    let Size { operations, faults, rules, clients, nodes, is_calm } = *size;
    let weather = if is_calm { "calm" } else { "drawn" };
    let counts = [
        (operations, "operation"),
        (faults, "fault"),
        (rules, "rule"),
        (clients, "client"),
        (nodes, "node"),
    ];
    let counts = counts.map(|(count, what)| output::count(count, what));
    format!("{}, {weather} weather", counts.join(", "))
}

/// The test that the shrunk plan is of.
fn name(of: &str) -> String {
    const END: &str = "-shrunk";
    const LEN_MAX: usize = 64;
    let stem = of.strip_suffix(END).unwrap_or(of);
    let stem: String = stem.chars().take(LEN_MAX - END.len()).collect();
    stem + END
}

impl Subject {
    /// Why nothing was shrunk.
    fn failure(&self, error: &ShrinkError) -> CliError {
        match error {
            ShrinkError::System(error) => CliError::usage(error),
            ShrinkError::Sim(error) => simulated::failure(error),
            ShrinkError::AnotherDemand { broken } => self.another_demand(broken),
            ShrinkError::NothingBroken => self.nothing_broken(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shrunk_plan_is_shrunk_again_under_the_same_name() {
        assert_eq!(name("quorum-hunt"), "quorum-hunt-shrunk");
        assert_eq!(name("quorum-hunt-shrunk"), "quorum-hunt-shrunk");
        assert_eq!(name(&"x".repeat(64)).len(), 64);
    }
}
