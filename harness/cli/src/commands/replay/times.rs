//! A plan run several times: how often what was seen once comes back, where nothing promises that it does.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use quorate_checkers::linearizability::Budget;
use quorate_plan::WorldKind;
use quorate_systems::mutant::Mutant;
use serde::Serialize;

use super::again::Showing;
use super::entry::Entry;
use crate::commands::run::{How, carry_out, plan_file};
use crate::error::CliError;
use crate::output;
use crate::progress::Display;

/// How often a run was to be tried again, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) world: WorldKind,
    pub(super) times: u32,
    pub(super) store: &'a Path,
    pub(super) budget: Budget,
    pub(super) quiet: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Repeated {
    file: String,
    world: WorldKind,
    mutant: Option<&'static str>,
    /// What the recorded run showed.
    recorded: Showing,
    /// How many runs showed the same.
    came_back: u32,
    /// Between which shares of all runs that could be made it lies, with 95 % confidence (Wilson's interval).
    interval: (f64, f64),
    runs: Vec<One>,
    /// Ctrl-C ended it before all runs were made.
    interrupted: bool,
}

#[derive(Debug, Serialize)]
struct One {
    folder: String,
    seed: u64,
    now: Showing,
}

impl Repeated {
    /// Runs the plan so many times. In virtual time each run has a seed of its own, since a seed gives one run only.
    pub(super) fn of(entry: &Entry, wanted: Wanted<'_>) -> Result<Self, CliError> {
        let Wanted { world, times, store, budget, quiet } = wanted;
        let recorded = entry.showed(budget);
        let mut plan = entry.plan.clone();
        plan.world = world;
        plan_file::check(&entry.path, &plan, None, entry.mutants)?;
        let mut runs = Vec::new();
        let mut interrupted = false;
        for nth in 0..times {
            if world == WorldKind::Sim {
                plan.seed = entry.plan.seed.wrapping_add(u64::from(nth));
            }
            let display = Arc::new(Display::new(quiet));
            let now = Timestamp::now();
            let how = How { mutants: entry.mutants, now, budget, fail_fast: false };
            let (folder, finished) = carry_out(&plan, how, store, &display)?;
            interrupted = finished.interrupted;
            let showing = Showing::of(finished.breaks.as_deref(), &finished.results);
            runs.push(One {
                folder: folder.path.display().to_string(),
                seed: plan.seed,
                now: showing,
            });
            if interrupted {
                break;
            }
        }
        let came_back = runs.iter().filter(|run| run.now == recorded).count();
        Ok(Self {
            file: entry.path.display().to_string(),
            world,
            mutant: entry.mutants.0.map(Mutant::name),
            interval: wilson(came_back, runs.len()),
            came_back: u32::try_from(came_back).expect("no more than were asked for"),
            recorded,
            runs,
            interrupted,
        })
    }

    /// 0 it came back, 1 it did not, 2 nobody knows.
    pub(super) fn exit_code(&self) -> u8 {
        let is_unknown = |run: &One| run.now == Showing::Undecided;
        match self.came_back {
            0 if self.runs.iter().any(is_unknown) => 2,
            0 => 1,
            _ => 0,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let Self { recorded, came_back, interval: (low, high), runs, world, .. } = self;
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let verdict = format!(
            "{came_back} of {} runs ({}): {}; with 95 % confidence it does in {} to {} of all runs",
            runs.len(),
            world.name(),
            recorded.text(),
            percent(*low),
            percent(*high),
        );
        output::line(&mut text, if *came_back > 0 { "AGAIN" } else { "NOT" }, &verdict);
        for One { folder, seed, now } in runs {
            output::line(&mut text, "", &format!("seed {seed}: {} ({folder})", now.text()));
        }
        if let Some(mutant) = self.mutant {
            output::line(&mut text, "planted", mutant);
        }
        if self.interrupted {
            output::line(&mut text, "note", "stopped before all runs were made");
        }
        text
    }
}

/// Wilson's score interval for a share, with 95 % confidence: sensible for few runs, and for none or all of them.
fn wilson(hits: usize, runs: usize) -> (f64, f64) {
    const Z: f64 = 1.96;
    if runs == 0 {
        return (0.0, 1.0);
    }
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let (n, p) = (count(runs), count(hits) / count(runs));
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn intervals_are_those_of_the_books() {
        // Wilson (1927), as tabulated for 95 %.
        for (hits, runs, low, high) in
            [(0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (5, 10, 0.237, 0.763), (1, 3, 0.061, 0.792)]
        {
            let (least, most) = wilson(hits, runs);
            assert!((least - low).abs() < 0.001 && (most - high).abs() < 0.001, "{least} {most}");
        }
        assert!(wilson(0, 0).0 <= 0.0 && wilson(0, 0).1 >= 1.0);
    }
}
