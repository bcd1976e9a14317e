//! `quorate hunt`: how long it takes to find what is planted.

mod campaign;
mod keep;
mod table;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use quorate_plan::Expectation;
use quorate_sim::hunt::Hunter;
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};

use self::campaign::{Campaign, Subject};
use self::table::Table;
use crate::commands::run::{mutant, system};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output;
use crate::progress::Counter;
use crate::store::{self, RunFolder};
use crate::threads;

/// How long it takes to find each planted bug, and whether the correct system is left in peace.
///
/// Seed after seed is turned into a plan (a cluster, a workload, weather and faults, drawn without a look at
/// what is planted), run in virtual time and judged: by the system's invariants, by liveness after healing, and
/// by whether the history is linearizable. Each planted bug has several tries, each with seeds of its own; a try
/// ends with the first seed that finds something, or when its budget is spent. Then the same for the correct
/// system, which must never be accused.
///
/// The table stands in the store as hunt.txt and hunt.json, with the first finding of each bug as a run of its
/// own. What is found does not depend on the number of threads. Ctrl-C ends the hunt with what there is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate hunt
  quorate hunt --mutant Q01,Q06 --tries 3 --budget 10s
  quorate hunt --mutant none --seeds 100000
  quorate hunt --judges clients
  quorate hunt --system pbft --liars-beyond 1
  quorate hunt --show 281474976710657 > plan.toml

Exit codes: 0 every bug was found in every try and the correct system is clean, 1 the correct system was
accused, 2 a bug, or the harm of too many liars, was not found within its budget, 254 bad usage, 255 the harness
itself failed.")]
pub(crate) struct Hunt {
    /// What is hunted in: see `quorate list systems`.
    #[arg(long, default_value = "quorum", value_name = "NAME", value_parser = system)]
    system: SystemKind,

    /// Which planted bugs, separated by commas, or `none` for the correct system; `all` for everything.
    #[arg(long, default_value = "all", value_name = "NAMES")]
    mutant: String,

    /// What counts as found: everything, or only what clients can see (no invariants), as for a test from
    /// outside.
    #[arg(long, value_enum, default_value_t = Judges::All)]
    judges: Judges,

    /// How many tries each has.
    #[arg(long, default_value_t = 5, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..))]
    tries: u8,

    /// How much processor time a try may take.
    #[arg(long, default_value = "60s", value_name = "TIME")]
    budget: humantime::Duration,

    /// How many seeds the correct system runs, instead of tries within a budget.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=BASE_MAX))]
    seeds: Option<u64>,

    /// What the seeds of all tries are counted from.
    #[arg(long, default_value_t = 1, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=BASE_MAX))]
    seed: u64,

    /// A negative control: so many nodes more lie than the system bears. Nothing is promised then, and harm must be
    /// found in every try.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, conflicts_with_all = ["mutant", "seeds"], value_parser = clap::value_parser!(u16).range(1..=3))]
    liars_beyond: Option<u16>,

    /// How many threads work [default: one for each processor].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    threads: Option<NonZeroUsize>,

    /// The folder that hunts are kept in.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

    /// The table as JSON on standard output instead of text.
    #[arg(long)]
    json: bool,

    /// No progress.
    #[arg(long)]
    quiet: bool,

    /// Hunts nothing, and prints the plan of a seed as TOML: all that was drawn for it.
    #[arg(long, value_name = "SEED", allow_negative_numbers = true)]
    show: Option<u64>,
}

/// Who judges the runs of a hunt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Judges {
    /// Invariants, liveness and linearizability.
    All,
    /// Linearizability and liveness.
    Clients,
}

/// A system that bears liars in any cluster bears some in one of the first so many.
const PLANS: u64 = 64;

/// The tries of a hunt are so far apart.
const BASE_MAX: u64 = (1 << 40) - 1;

impl Hunt {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        if let Some(seed) = self.show {
            let plan =
                Hunter::new(self.system).beyond(self.liars_beyond.unwrap_or_default()).plan(seed);
            output::print(&quorate_plan::to_toml(&plan))?;
            return Ok(ExitCode::SUCCESS);
        }
        let campaign = Campaign {
            system: self.system,
            subjects: self.subjects()?,
            tries: self.tries,
            budget: Duration::from(self.budget),
            correct_seeds: self.seeds,
            judges: self.judges,
            base: self.seed,
            liars_beyond: self.liars_beyond.unwrap_or_default(),
        };
        let now = Timestamp::now();
        let name = format!("hunt-{}", self.system);
        let folder = RunFolder::create(&self.store, &name, now)?;
        let ended = self.hunt(&campaign, &folder, now);
        let (table, kept) = ended.inspect_err(|_| folder.discard())?;
        let (text, json) = (table.text(), output::json(&table));
        // First of all: what took so long must not be lost because the store is full.
        output::print(if self.json { &json } else { &text })?;
        kept?;
        folder.link_latest_of_test()?;
        store::write_whole(&folder.path.join("hunt.json"), json.as_bytes())?;
        store::write_whole(&folder.path.join("hunt.txt"), text.as_bytes())?;
        Ok(ExitCode::from(table.exit_code()))
    }

    fn subjects(&self) -> Result<Vec<Subject>, CliError> {
        if self.liars_beyond.is_none() {
            return subjects(self.system, &self.mutant);
        }
        if bears_liars(self.system) {
            return Ok(vec![Subject::CORRECT]);
        }
        let others = SystemKind::ALL.iter().copied().filter(|kind| bears_liars(*kind));
        let others: Vec<&str> = others.map(SystemKind::name).collect();
        let what = format_args!("--liars-beyond: {} is not made for liars", self.system);
        Err(CliError::usage(what).hint(format_args!("there are {}", others.join(" and "))))
    }

    /// The table, and whether its findings could be kept.
    fn hunt(
        &self,
        campaign: &Campaign,
        folder: &RunFolder,
        now: Timestamp,
    ) -> Result<(Table, Result<(), CliError>), CliError> {
        let threads = self.threads.unwrap_or_else(threads::default_count);
        let counter = Counter::new(self.quiet, 0);
        let interrupt = Interrupt::heed()?;
        let tried = campaign.go(threads, interrupt.flag(), &counter)?;
        let mut table = Table::of(campaign, &tried, interrupt.has_come());
        let kept = keep::findings(campaign, &mut table, &folder.path, now);
        counter.clear();
        Ok((table, kept))
    }
}

/// Whether a hunt in this system draws clusters that bear liars.
fn bears_liars(kind: SystemKind) -> bool {
    let mut hunter = Hunter::new(kind).beyond(1);
    (0..PLANS).any(|seed| hunter.plan(seed).expect == Expectation::Invalid)
}

/// Whom to hunt in, in the order of the vocabulary, the correct system last. Each has a number of its own, so
/// that its seeds do not depend on who else is hunted.
fn subjects(kind: SystemKind, names: &str) -> Result<Vec<Subject>, CliError> {
    let planted = kind.vocabulary().mutants.iter().map(|spec| spec.name);
    let known: Vec<&str> = planted.chain([CORRECT]).collect();
    let wanted: Vec<&str> = match names {
        "all" => known.clone(),
        names => names.split(',').collect(),
    };
    if let Some(stranger) = wanted.iter().find(|name| !known.contains(name)) {
        let known = known.join(", ");
        return Err(CliError::usage(format_args!(
            "--mutant: {kind} has no planted bug `{stranger}`; there is: all, {known}"
        )));
    }
    let numbers = (1..).zip(&known).filter(|(_, name)| wanted.contains(name));
    let subject = |(number, name): (u64, &&str)| match mutant(name)
        .expect("vocabularies name bugs that there are")
    {
        Mutants::NONE => Subject::CORRECT,
        mutants => Subject { number, mutants },
    };
    Ok(numbers.map(subject).collect())
}

/// What the correct system is called where bugs are named.
const CORRECT: &str = "none";

/// What a subject is called.
fn name_of(mutants: Mutants) -> &'static str {
    mutants.0.map_or(CORRECT, Mutant::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_the_same_number_whoever_else_is_hunted() {
        let all = subjects(SystemKind::Quorum, "all").unwrap();
        assert_eq!(all.last(), Some(&Subject::CORRECT));
        assert_eq!(all.len(), SystemKind::Quorum.vocabulary().mutants.len() + 1);
        let some = subjects(SystemKind::Quorum, "Q03,none").unwrap();
        assert_eq!(some.len(), 2);
        assert!(some.iter().all(|subject| all.contains(subject)));
        assert!(subjects(SystemKind::Quorum, "Q03,Q99").is_err());
        assert!(subjects(SystemKind::Quorum, "").is_err());
    }
}
