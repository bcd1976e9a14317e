//! What a campaign is: asked for by flags and a file, then complete.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use quorate_plan::{
    Deal, FaultClass, NODES_MAX, ReadError, Shard, WorkloadKind, WorldKind, read_toml,
};
use quorate_sim::{QueueKind, Wishes};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};
use serde::{Deserialize, Serialize};

use super::names::{MutantName, SystemName, Time, Worlds};
use crate::error::CliError;
use crate::regular;
use crate::threads;

/// What was asked for. In a file every field has the name of its flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Wanted {
    /// What everything is drawn from.
    pub(super) seed: Option<u64>,
    /// How long it may take.
    pub(super) budget: Option<Time>,
    /// How many runs there are, instead.
    pub(super) runs: Option<u64>,
    /// Which systems.
    pub(super) system: Option<Vec<SystemName>>,
    /// Where they run.
    pub(super) world: Option<Worlds>,
    /// A planted bug.
    pub(super) mutant: Option<MutantName>,
    /// What clients do.
    pub(super) workload: Option<WorkloadKind>,
    /// How many replicas.
    pub(super) nodes: Option<u16>,
    /// Which classes of faults.
    pub(super) faults: Option<Vec<FaultClass>>,
    /// How long a live run goes on.
    pub(super) time_limit: Option<Time>,
    /// How many findings of each class are shrunk.
    pub(super) shrink: Option<usize>,
    /// How many runs of a hundred may be unknown.
    pub(super) allow_unknown: Option<u8>,
    /// Which part of the campaign.
    pub(super) shard: Option<Shard>,
    /// How many threads simulate.
    pub(super) threads: Option<NonZeroUsize>,
    /// How many live clusters run at once.
    pub(super) live_jobs: Option<NonZeroUsize>,
    /// Options of the system.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) option: BTreeMap<String, String>,
}

/// A campaign, with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Campaign {
    pub(super) seed: u64,
    pub(super) until: Until,
    pub(super) systems: Vec<SystemKind>,
    pub(super) worlds: Vec<WorldKind>,
    pub(super) mutants: Mutants,
    pub(super) wishes: Wishes,
    pub(super) time_limit: Duration,
    pub(super) shrink: usize,
    pub(super) allow_unknown: u8,
    pub(super) shard: Shard,
    pub(super) threads: NonZeroUsize,
    pub(super) live_jobs: NonZeroUsize,
}

/// When a campaign is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// After so long.
    Budget(Duration),
    /// After these many runs, in all shards together.
    Runs(u64),
}

const BUDGET_DEFAULT: Duration = Duration::from_mins(10);
/// Long enough for a fault of each of a few classes, short enough for every system to have its turn.
const TIME_LIMIT_DEFAULT: Duration = Duration::from_secs(20);
const SHRINK_DEFAULT: usize = 5;
/// So many runs of a hundred may be unknown before the whole is: a small run may well see nothing done.
const ALLOW_UNKNOWN_DEFAULT: u8 = 75;
/// A seed that TOML can hold.
const SEED_MAX: u64 = i64::MAX.unsigned_abs();

impl Wanted {
    /// Reads a campaign file; what is wrong with it is said with its line.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let text = regular::open(path)
            .and_then(std::io::read_to_string)
            .map_err(|error| regular::cannot_read(path, &error))?;
        let wrong = |error: ReadError| {
            CliError::usage(error.in_file(path.display())).hint(
                "a field of a campaign file has the name of its flag: `quorate torture --help`",
            )
        };
        let wanted: Self = read_toml(&text).map_err(wrong)?;
        if wanted.budget.is_some() && wanted.runs.is_some() {
            let what = "runs: there is a budget as well; allowed: one of the two";
            return Err(wrong(ReadError::in_field(&text, "runs", what)));
        }
        Ok(wanted)
    }

    /// What is not asked for here is taken from there.
    pub(super) fn or(self, other: Self) -> Self {
        let is_ended = self.budget.is_some() || self.runs.is_some();
        let (budget, runs) =
            if is_ended { (self.budget, self.runs) } else { (other.budget, other.runs) };
        let mut option = other.option;
        option.extend(self.option);
        Self {
            seed: self.seed.or(other.seed),
            budget,
            runs,
            system: self.system.or(other.system),
            world: self.world.or(other.world),
            mutant: self.mutant.or(other.mutant),
            workload: self.workload.or(other.workload),
            nodes: self.nodes.or(other.nodes),
            faults: self.faults.or(other.faults),
            time_limit: self.time_limit.or(other.time_limit),
            shrink: self.shrink.or(other.shrink),
            allow_unknown: self.allow_unknown.or(other.allow_unknown),
            shard: self.shard.or(other.shard),
            threads: self.threads.or(other.threads),
            live_jobs: self.live_jobs.or(other.live_jobs),
            option,
        }
    }

    /// The campaign, with this seed if none is given, checked: by itself, and against what the systems can do.
    pub(super) fn campaign(&self, drawn_seed: u64) -> Result<Campaign, CliError> {
        let until = match (self.runs, self.budget) {
            (Some(0), _) => return Err(CliError::usage("--runs: expected at least one")),
            (Some(runs), _) => Until::Runs(runs),
            (None, budget) => Until::Budget(budget.map_or(BUDGET_DEFAULT, |budget| budget.0)),
        };
        let seed = self.seed.unwrap_or(drawn_seed);
        if seed > SEED_MAX {
            let what = format_args!("--seed: {seed} is too large; allowed: 0 to {SEED_MAX}");
            return Err(CliError::usage(what));
        }
        if let Some(nodes) = self.nodes.filter(|nodes| !(1..=NODES_MAX).contains(nodes)) {
            let what = format_args!("--nodes: {nodes}; allowed: 1 to {NODES_MAX}");
            return Err(CliError::usage(what));
        }
        if self.allow_unknown.is_some_and(|share| share > 100) {
            return Err(CliError::usage("--allow-unknown: allowed: 0 to 100"));
        }
        let mutants = self.mutant.map_or(Mutants::NONE, |mutant| mutant.0);
        let campaign = Campaign {
            seed,
            until,
            systems: self.systems(mutants)?,
            worlds: self.world.unwrap_or_default().kinds(),
            mutants,
            wishes: Wishes {
                nodes: self.nodes,
                options: self.option.clone(),
                workload: self.workload,
                faults: self.faults.clone(),
                is_patient: true,
            },
            time_limit: self.time_limit.map_or(TIME_LIMIT_DEFAULT, |time| time.0),
            shrink: self.shrink.unwrap_or(SHRINK_DEFAULT),
            allow_unknown: self.allow_unknown.unwrap_or(ALLOW_UNKNOWN_DEFAULT),
            shard: self.shard.unwrap_or_default(),
            threads: self.threads.unwrap_or_else(threads::default_count),
            live_jobs: self.live_jobs.unwrap_or_else(default_live_jobs),
        };
        campaign.check()?;
        Ok(campaign)
    }

    /// Those that were named, or all that can do what is asked for.
    fn systems(&self, mutants: Mutants) -> Result<Vec<SystemKind>, CliError> {
        if let Some(named) = &self.system {
            let named: Vec<SystemKind> = SystemKind::ALL
                .iter()
                .copied()
                .filter(|kind| named.contains(&SystemName(*kind)))
                .collect();
            let refused = named.iter().find_map(|kind| Some((kind, self.refusal(*kind, mutants)?)));
            return match refused {
                _ if named.is_empty() => Err(CliError::usage("--system: expected at least one")),
                Some((kind, why)) => Err(CliError::usage(format_args!("{kind} {why}"))
                    .hint("name other systems with --system, or leave it out for all that can")),
                None => Ok(named),
            };
        }
        let all = SystemKind::ALL.iter().copied();
        let able: Vec<SystemKind> =
            all.filter(|kind| self.refusal(*kind, mutants).is_none()).collect();
        if able.is_empty() {
            return Err(CliError::usage("no system can do all that is asked for").hint(
                "see `quorate list` for options, workloads and planted bugs of each system",
            ));
        }
        Ok(able)
    }

    /// Why a system cannot take part, as the end of a sentence that begins with its name.
    fn refusal(&self, kind: SystemKind, mutants: Mutants) -> Option<String> {
        let vocabulary = kind.vocabulary();
        let foreign = mutants.0.filter(|mutant| !kind.mutants().any(|own| own == *mutant));
        if let Some(mutant) = foreign {
            return Some(format!("has no planted bug {mutant}"));
        }
        let is_known = |name: &str| vocabulary.options.iter().any(|option| option.name == name);
        if let Some(name) = self.option.keys().find(|name| !is_known(name)) {
            let known: Vec<&str> = vocabulary.options.iter().map(|option| option.name).collect();
            return Some(format!("has no option `{name}`; it has {}", known.join(", ")));
        }
        let workload = self.workload.map(WorkloadKind::name)?;
        (!vocabulary.workloads.contains(&workload)).then(|| {
            format!(
                "is not made for the workload `{workload}`; it is for {}",
                vocabulary.workloads.join(", ")
            )
        })
    }
}

impl Campaign {
    /// Whether every system can be as it is wished to be.
    fn check(&self) -> Result<(), CliError> {
        for kind in &self.systems {
            let mut simulator = quorate_sim::simulator(*kind, QueueKind::default());
            simulator.draw_as(self.seed, &self.wishes).map_err(|error| {
                CliError::usage(format_args!("{kind}: {error}"))
                    .hint("see `quorate list options` for what the system takes")
            })?;
        }
        Ok(())
    }

    /// How its runs are dealt out.
    pub(super) fn deal(&self) -> Deal {
        let systems = self.systems.len();
        Deal { seed: self.seed, worlds: self.worlds.clone(), systems }
    }

    /// All of it, as `campaign.toml` holds it: nothing is drawn or taken from the machine any more.
    pub(super) fn wanted(&self) -> Wanted {
        let (budget, runs) = match self.until {
            Until::Budget(budget) => (Some(Time(budget)), None),
            Until::Runs(runs) => (None, Some(runs)),
        };
        Wanted {
            seed: Some(self.seed),
            budget,
            runs,
            system: Some(self.systems.iter().copied().map(SystemName).collect()),
            world: Some(Worlds::of(&self.worlds)),
            mutant: Some(MutantName(self.mutants)),
            workload: self.wishes.workload,
            nodes: self.wishes.nodes,
            faults: self.wishes.faults.clone(),
            time_limit: Some(Time(self.time_limit)),
            shrink: Some(self.shrink),
            allow_unknown: Some(self.allow_unknown),
            shard: Some(self.shard),
            threads: Some(self.threads),
            live_jobs: Some(self.live_jobs),
            option: self.wishes.options.clone(),
        }
    }

    /// The same for all shards and machines: what its runs follow from.
    pub(super) fn shared(&self) -> Wanted {
        Wanted { shard: None, threads: None, live_jobs: None, ..self.wanted() }
    }

    /// The flags that give the same campaign again, without those of the machine.
    pub(super) fn flags(&self) -> String {
        let mut flags = vec![format!("--seed {}", self.seed)];
        flags.push(match self.until {
            Until::Budget(budget) => format!("--budget {}", compact(budget)),
            Until::Runs(runs) => format!("--runs {runs}"),
        });
        if self.systems != SystemKind::ALL {
            let names: Vec<&str> = self.systems.iter().map(|kind| kind.name()).collect();
            flags.push(format!("--system {}", names.join(",")));
        }
        if let [one] = self.worlds.as_slice() {
            flags.push(format!("--world {}", one.name()));
        }
        if let Some(mutant) = self.mutants.0 {
            flags.push(format!("--mutant {mutant}"));
        }
        flags.extend(self.wishes.workload.map(|kind| format!("--workload {}", kind.name())));
        flags.extend(self.wishes.nodes.map(|nodes| format!("--nodes {nodes}")));
        let options = self.wishes.options.iter();
        flags.extend(options.map(|(name, value)| format!("-o {name}={value}")));
        if let Some(classes) = &self.wishes.faults {
            let names: Vec<&str> = classes.iter().map(|class| class.name()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(",") };
            flags.push(format!("--faults {names}"));
        }
        if self.time_limit != TIME_LIMIT_DEFAULT {
            flags.push(format!("--time-limit {}", compact(self.time_limit)));
        }
        if self.shrink != SHRINK_DEFAULT {
            flags.push(format!("--shrink {}", self.shrink));
        }
        if self.allow_unknown != ALLOW_UNKNOWN_DEFAULT {
            flags.push(format!("--allow-unknown {}", self.allow_unknown));
        }
        if self.shard != Shard::WHOLE {
            flags.push(format!("--shard {}", self.shard));
        }
        flags.join(" ")
    }

    /// The planted bug, if there is one.
    pub(super) fn mutant(&self) -> Option<&'static str> {
        self.mutants.0.map(Mutant::name)
    }

    /// How long it may take, if it is not ended by the number of its runs.
    pub(super) const fn budget(&self) -> Option<Duration> {
        match self.until {
            Until::Budget(budget) => Some(budget),
            Until::Runs(_) => None,
        }
    }
}

/// Half of the processors: a cluster is a handful of processes that mostly wait, and the simulator takes what they
/// leave.
fn default_live_jobs() -> NonZeroUsize {
    NonZeroUsize::new(threads::default_count().get() / 2).unwrap_or(NonZeroUsize::MIN)
}

/// `1h30m`, as one word for a shell.
fn compact(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Wanted {
        read_toml(text).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_rest_has_defaults() {
        let file =
            parsed("seed = 3\nruns = 7\nsystem = [\"vr\", \"pbft\"]\n[option]\nsigs = \"mac\"");
        let flags = Wanted { budget: Some(Time(Duration::from_secs(5))), ..Wanted::default() };
        let wanted = flags.or(file.clone());
        assert_eq!((wanted.runs, wanted.seed), (None, Some(3)), "one end only");
        let campaign = parsed("seed = 3\nruns = 7").campaign(9).unwrap();
        assert_eq!(campaign.until, Until::Runs(7));
        assert_eq!(campaign.systems, SystemKind::ALL);
        assert_eq!(campaign.worlds.len(), 2);
        assert_eq!(Wanted::default().campaign(9).unwrap().seed, 9);
        assert_eq!(Wanted::default().campaign(9).unwrap().until, Until::Budget(BUDGET_DEFAULT));
    }

    #[test]
    fn what_is_written_down_gives_the_same_campaign() {
        let text = "runs = 7\nmutant = \"V15\"\nworld = \"sim\"\nfaults = []\nshard = \"1/2\"\n\
                    time-limit = \"1m 5s\"";
        let campaign = parsed(text).campaign(11).unwrap();
        assert_eq!(campaign.systems, [SystemKind::Vr], "the only one that has the bug");
        let written = toml::to_string(&campaign.wanted()).unwrap();
        assert_eq!(parsed(&written).campaign(0).unwrap(), campaign, "{written}");
        assert_eq!(
            campaign.flags(),
            "--seed 11 --runs 7 --system vr --world sim --mutant V15 --faults none --time-limit 1m5s --shard 1/2"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let refused = |text: &str| parsed(text).campaign(1).unwrap_err().message().to_owned();
        assert!(
            refused("system = [\"pbft\"]\nmutant = \"V15\"")
                .contains("pbft has no planted bug V15")
        );
        assert!(refused("system = [\"vr\"]\n[option]\nx = \"1\"").contains("vr has no option `x`"));
        assert!(refused("nodes = 0").contains("1 to 12"));
        assert!(refused("runs = 0").contains("at least one"));
        assert!(refused("[option]\nno-such = \"1\"").contains("no system"));
    }
}
