//! `quorate torture`: a campaign over everything, for a night.

mod campaign;
mod desk;
mod draw;
mod examined;
mod failures;
mod indices;
mod journal;
mod line;
mod merge;
mod names;
mod night;
mod pages;
mod progress;
mod sum;
mod tally;
mod told;
mod work;

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use quorate_plan::{FaultChoice, FaultClass, Shard, WorkloadKind};

pub(crate) use self::examined::FINDING;
pub(crate) use self::failures::has_no_failures;
pub(crate) use self::merge::Merge;

use self::campaign::{Campaign, Wanted};
use self::names::{MutantName, SystemName, Time, Worlds};
use self::night::Night;
use self::progress::Progress;
use self::told::Telling;
use crate::commands::run::arguments::{option, options, workload};
use crate::commands::run::{PROGRAM, drawn_seed};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output;
use crate::store::{self, RunFolder};

/// A campaign over systems, options, workloads, faults and seeds, in both worlds: started in the evening, read in the
/// morning.
///
/// Without any flag: all systems, simulated on all processors and as real processes beside that, for ten minutes. Every
/// run has a number, and follows from the campaign's seed and that number alone: its system, its options, its clients,
/// what goes wrong. The seed is drawn anew each time, and printed with the command that repeats the campaign.
///
/// What fails is made small, and counted by signature: the system, the demand that is broken, and the kinds of things that
/// the small plan is made of. Each signature is kept once, with its history, its plan, its small plan with a story, and
/// pages; of what passes one line stays. Runs that break the harness are told apart, and never count as valid.
///
/// The page is index.html in the campaign's folder; beside it are results.json, junit.xml and summary.md for programs.
/// A campaign that was killed goes on with --resume. Ctrl-C ends it in good order, with the page of what was done.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate torture                                  ten minutes of everything
  quorate torture --budget 8h                      a night
  quorate torture --system vr,pbft --world sim --runs 100000
  quorate torture --mutant V15 --minutes 2         is it found? Exit code 1
  quorate torture --campaign examples/campaigns/nightly.toml --budget 1h
  quorate torture --resume store/torture/latest    goes on where it was killed
  quorate torture --seed 7 --runs 40000 --shard 2/4   the third of four machines
  quorate merge shards/*/store --out store         and one page of all four
  quorate torture --seed 7 --show 4711 > plan.toml    the plan of one run

Exit codes: 0 valid, 1 a run is invalid, 2 unknown: no run of a world came to a verdict, or more than
--allow-unknown; 254 bad usage, 255 the harness failed: by itself, or in a run while none is invalid.")]
pub(crate) struct Torture {
    /// How long it may take, such as `10m` or `8h` [default: 10m].
    #[arg(long, value_name = "TIME", conflicts_with_all = ["minutes", "runs"], allow_hyphen_values = true)]
    budget: Option<Time>,

    /// The same in minutes.
    #[arg(long, value_name = "COUNT", conflicts_with = "runs", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    minutes: Option<u64>,

    /// How many runs there are, in all shards together, instead of a budget: those with the numbers 0 to COUNT - 1. In
    /// both worlds, one in a hundred is live.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,

    /// A file that says what flags say, as TOML: each field has the name of its flag. Flags win.
    #[arg(long, value_name = "FILE")]
    campaign: Option<PathBuf>,

    /// What everything is drawn from; drawn and printed when not given.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    seed: Option<u64>,

    /// Which systems, separated by commas [default: all that can do what else is asked for].
    #[arg(long, value_name = "NAMES", value_parser = systems)]
    system: Option<Systems>,

    /// Where they run [default: both].
    #[arg(long, value_enum)]
    world: Option<Worlds>,

    /// How many replicas [default: drawn].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    nodes: Option<u16>,

    /// An option of the systems, as NAME=VALUE; the others are drawn. May be given several times.
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, String)>,

    /// What the clients do [default: drawn, of what each system is for].
    #[arg(long, value_name = "NAME", value_parser = workload)]
    workload: Option<WorkloadKind>,

    /// What goes wrong: fault classes separated by commas, or `none` [default: drawn, of what each system bears].
    #[arg(long, value_name = "CLASSES")]
    faults: Option<FaultChoice>,

    /// A planted bug, to see that it is found: see `quorate list mutants` [default: none].
    #[arg(long, value_name = "NAME")]
    mutant: Option<MutantName>,

    /// How long operations are issued and faults injected in a live run [default: 20s].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    time_limit: Option<Time>,

    /// How many findings of each system, demand and world are made small; the others are counted [default: 5].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    shrink: Option<usize>,

    /// How many runs of a hundred may come to no verdict before the campaign has none [default: 75].
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(0..=100))]
    allow_unknown: Option<u8>,

    /// Does one of n parts of it, as i/n with i from 0 to n - 1: no run is in two, and together they are all.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// How many threads simulate [default: one for each processor].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    threads: Option<NonZeroUsize>,

    /// How many live clusters run at once [default: one for two processors].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    live_jobs: Option<NonZeroUsize>,

    /// Goes on with the campaign in this folder; with another --budget, --minutes or --runs until then.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["campaign", "seed", "system", "world", "nodes", "options", "workload", "faults", "mutant", "time_limit", "shrink", "shard"])]
    resume: Option<PathBuf>,

    /// The folder that campaigns are kept in.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

    #[command(flatten)]
    telling: Telling,

    /// Runs nothing, and prints the plan of the run of this number as TOML.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    show: Option<u64>,
}

/// Names with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Systems(Option<Vec<SystemName>>);

fn systems(text: &str) -> Result<Systems, String> {
    if text == "all" {
        return Ok(Systems(None));
    }
    let names = text.split(',').map(|name| name.trim().parse());
    names.collect::<Result<_, _>>().map(|names| Systems(Some(names)))
}

/// What a campaign is, in its folder.
pub(super) const CAMPAIGN: &str = "campaign.toml";
/// Its folder is of this test.
const TEST: &str = "torture";

impl Torture {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let now = Timestamp::now();
        let campaign = self.wanted()?.campaign(drawn_seed(now))?;
        if let Some(index) = self.show {
            let drawn = draw::Drawer::new(Arc::new(campaign)).draw(index);
            let plan = drawn.map_err(CliError::usage)?.plan;
            output::print(&quorate_plan::to_toml(&plan))?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(folder) = &self.resume {
            let began = began_of(folder);
            return self.go(campaign, folder, &began);
        }
        let folder = RunFolder::create(&self.store, TEST, now)?;
        folder.link_latest_of_test()?;
        self.go(campaign, &folder.path, &crate::commands::run::started(now))
    }

    /// What is asked for, by flags, by a file, or by the campaign that is to go on.
    fn wanted(&self) -> Result<Wanted, CliError> {
        let flags = self.flags()?;
        let file = match (&self.resume, &self.campaign) {
            (Some(folder), _) => Some(campaign_of(folder)?),
            (None, Some(file)) => Some(Wanted::read(file)?),
            (None, None) => None,
        };
        Ok(flags.or(file.unwrap_or_default()))
    }

    fn flags(&self) -> Result<Wanted, CliError> {
        let minutes = self.minutes.map(|minutes| Time(Duration::from_mins(minutes)));
        Ok(Wanted {
            seed: self.seed,
            budget: self.budget.or(minutes),
            runs: self.runs,
            system: self.system.clone().and_then(|Systems(names)| names),
            world: self.world,
            mutant: self.mutant,
            workload: self.workload,
            nodes: self.nodes,
            faults: self.faults.as_ref().and_then(named),
            time_limit: self.time_limit,
            shrink: self.shrink,
            allow_unknown: self.allow_unknown,
            shard: self.shard,
            threads: self.threads,
            live_jobs: self.live_jobs,
            option: options(&self.options)?,
        })
    }

    fn go(&self, campaign: Campaign, folder: &Path, began: &str) -> Result<ExitCode, CliError> {
        let path = folder.join(CAMPAIGN);
        write_campaign(&path, &campaign, began)?;
        let _lock = lock(&path)?;
        let interrupt = Interrupt::heed()?;
        let progress = Progress::new(&campaign, self.telling.is_terse());
        if !self.telling.is_terse() {
            let flags = campaign.flags();
            progress.note(&format!("seed {}; again: quorate torture {flags}", campaign.seed));
        }
        let night = Night {
            campaign: Arc::new(campaign),
            folder,
            began: began.to_owned(),
            stop: interrupt.flag(),
            progress: &progress,
            trend: self.telling.trend,
        };
        let ended = night.go();
        progress.clear();
        let (runs, failures, span) = ended?;
        let results = sum::results(folder, &night.campaign, &runs, &failures, &span);
        let code = sum::exit_code(&results.verdict);
        self.telling.print(folder, &night.campaign, &results)?;
        Ok(ExitCode::from(code))
    }
}

/// The classes that were named; nothing for all, which is to have them drawn.
fn named(choice: &FaultChoice) -> Option<Vec<FaultClass>> {
    match choice {
        FaultChoice::All => None,
        FaultChoice::Named(classes) => Some(classes.clone()),
    }
}

/// The campaign in a folder, as it was written down.
fn campaign_of(folder: &Path) -> Result<Wanted, CliError> {
    let path = folder.join(CAMPAIGN);
    if !path.is_file() {
        return Err(CliError::usage(format_args!("{}: there is no campaign", folder.display()))
            .hint("give the folder of a campaign, such as store/torture/latest"));
    }
    Wanted::read(&path)
}

/// Before the first line of a campaign's file that says when it began.
const BEGAN: &str = "# began ";

fn write_campaign(path: &Path, campaign: &Campaign, began: &str) -> Result<(), CliError> {
    let fields = toml::to_string(&campaign.wanted()).expect("a campaign is plain data");
    let text = format!(
        "{BEGAN}{began}, {PROGRAM}\n# again: quorate torture {}\n\n{fields}",
        campaign.flags()
    );
    store::write_whole(path, text.as_bytes())
}

/// When the campaign in a folder began, as its file says.
fn began_of(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join(CAMPAIGN)).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(BEGAN)).unwrap_or_default();
    line.split(',').next().unwrap_or_default().to_owned()
}

/// Keeps others away from a campaign that goes on, for as long as the file is open.
fn lock(path: &Path) -> Result<File, CliError> {
    let file = File::open(path).map_err(|error| store::cannot("read", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            let folder = store::folder_of(path).display();
            Err(CliError::usage(format_args!("{folder}: this campaign is going on already")))
        }
        Err(fs::TryLockError::Error(error)) => Err(store::cannot("lock", path, &error)),
    }
}
