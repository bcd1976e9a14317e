//! `quorate doctor`: is the simulator deterministic here?

mod difference;
mod process;
mod record;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use quorate_checkers::verdict::Verdict;
use quorate_systems::SystemKind;
use serde::Serialize;

use self::difference::{Difference, Way};
use self::record::{Recorder, Runs};
use crate::commands::run::system;
use crate::error::CliError;
use crate::output;
use crate::progress::Counter;
use crate::threads;

/// Whether the simulator is deterministic on this machine: the same seed must give the same run, always.
///
/// The plan of each seed is drawn and run: twice in a simulator that has run others before, once in a new one,
/// and once with another kind of event queue. Then all of it is done again by other processes: with another
/// number of threads, with the randomisation of addresses off (by `setarch -R` of util-linux), and by another
/// build of the program, if one is named. Digests over all events of the world, and the histories byte by
/// byte, must be equal. The first difference is told by its seed and by the first line of the history that
/// differs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate doctor
  quorate doctor --seeds 1000 --against target/debug/quorate

Exit codes: 0 no difference, 1 a difference, 254 bad usage, 255 it could not be found out.")]
pub(crate) struct Doctor {
    /// Which system runs: see `quorate list systems`.
    #[arg(long, default_value = "quorum", value_name = "NAME", value_parser = system)]
    system: SystemKind,

    /// How many seeds are compared.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,

    /// The first of them.
    #[arg(long, default_value_t = 1, value_name = "NUMBER", allow_negative_numbers = true)]
    seed: u64,

    /// How many threads work [default: one for each processor].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    threads: Option<NonZeroUsize>,

    /// Another build of this program, which must come to the same: `target/debug/quorate`.
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,

    /// What was found as JSON instead of text.
    #[arg(long)]
    json: bool,

    /// No progress.
    #[arg(long)]
    quiet: bool,

    /// For the doctor's own helpers: prints one digest for each so many seeds, and compares nothing.
    #[arg(long, hide = true, value_name = "COUNT", conflicts_with_all = ["against", "json"])]
    digest_each: Option<NonZeroUsize>,

    /// For the doctor's own helpers: prints the history of the first seed, and compares nothing.
    #[arg(long, hide = true, conflicts_with_all = ["against", "json", "digest_each"])]
    record: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Diagnosis {
    clean: bool,
    system: &'static str,
    first_seed: u64,
    seeds: u32,
    threads: usize,
    ways: Vec<Way>,
}

/// Seeds whose digests other processes tell as one.
const BLOCK: NonZeroUsize = NonZeroUsize::new(100).expect("not zero");

impl Doctor {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let threads = self.threads.unwrap_or_else(threads::default_count);
        let seeds = Seeds { first: self.seed, count: self.seeds as usize };
        if self.record {
            let history = Recorder::new(self.system).record(seeds.first)?;
            output::print(&String::from_utf8_lossy(&history))?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(size) = self.digest_each {
            return process::tell(self.system, seeds, size, threads);
        }
        let diagnosis = self.examine(seeds, threads)?;
        output::print(&if self.json { output::json(&diagnosis) } else { diagnosis.text() })?;
        let verdict = if diagnosis.clean { Verdict::Valid } else { Verdict::Invalid };
        Ok(ExitCode::from(verdict.exit_code()))
    }

    fn examine(&self, seeds: Seeds, threads: NonZeroUsize) -> Result<Diagnosis, CliError> {
        let counter = Counter::new(self.quiet, seeds.count as u64);
        counter.begin("in this process");
        let make = || Runs::new(self.system);
        let work = |runs: &mut Runs, job: usize| {
            let examined = runs.examine(seeds.nth(job));
            counter.add(1);
            examined
        };
        let examined = threads::spread(threads, seeds.count, make, work);
        let examined: Vec<_> = examined.into_iter().collect::<Result<_, _>>()?;
        let mut ways = Way::in_process(&examined);
        let digests: Vec<_> = examined.into_iter().map(|examined| examined.digest).collect();
        for helper in process::helpers(self.against.as_deref(), threads)? {
            counter.begin(&helper.name);
            ways.push(helper.compare(self.system, seeds, &digests, &counter)?);
        }
        counter.clear();
        Ok(Diagnosis {
            clean: ways.iter().all(|way| way.differences == 0),
            system: self.system.name(),
            first_seed: seeds.first,
            seeds: self.seeds,
            threads: threads.get(),
            ways,
        })
    }
}

/// A row of seeds.
#[derive(Clone, Copy, Debug)]
struct Seeds {
    first: u64,
    count: usize,
}

impl Seeds {
    const fn nth(self, place: usize) -> u64 {
        self.first.wrapping_add(place as u64)
    }
}

impl Diagnosis {
    fn text(&self) -> String {
        let mut text = String::new();
        let Self { first_seed, seeds, system, threads, .. } = self;
        let last = first_seed.wrapping_add(u64::from(*seeds) - 1);
        let scope =
            format!("{seeds} seeds of {system} ({first_seed} to {last}), {threads} threads");
        let (name, word) =
            if self.clean { ("CLEAN", "no difference") } else { ("DIFFERENT", "differences") };
        output::line(&mut text, name, &format!("{word}: {scope}"));
        for way in &self.ways {
            output::line(&mut text, "", &way.line());
        }
        let first = self.ways.iter().filter_map(|way| Some((way, way.first.as_ref()?)));
        for (way, difference) in first {
            difference.tell(&mut text, way);
        }
        text
    }
}
