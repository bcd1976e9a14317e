//! From flags to a Plan.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use quorate_plan::{
    Durations, FaultChoice, FaultClass, FaultRequest, FaultsError, Plan, PlanError, SystemPlan,
    TWINS, ValueChoice, Workload, WorkloadKind, WorldKind, faults,
};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;
use quorate_world::registry::{self, Promises};

use crate::error::CliError;

/// What is run: everything that goes into the Plan.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What is tested: see `quorate list systems`.
    #[arg(long, default_value = "quorum", value_name = "NAME", value_parser = system)]
    pub(super) system: SystemKind,

    /// How many replicas [default: the system's own, 5 for quorum].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    nodes: Option<u16>,

    /// An option of the system, as NAME=VALUE; may be given several times. See `quorate list options`.
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, String)>,

    /// What the clients do: see `quorate list workloads` [default: what the system is for].
    #[arg(long, value_name = "NAME", value_parser = workload)]
    workload: Option<WorkloadKind>,

    /// How many clients act at once: a number, or a multiple of the nodes such as `3n`.
    #[arg(long, default_value = "3n", value_name = "COUNT", allow_hyphen_values = true)]
    concurrency: Concurrency,

    /// How long operations are issued and faults injected, such as `30s` or `5m`.
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    time_limit: Duration,

    /// Operations a second over all clients, at most; 0 for as fast as answers come.
    #[arg(long, default_value_t = 200, value_name = "PER SECOND", allow_negative_numbers = true)]
    rate: u32,

    /// How many keys are in use at once; clients are dealt out to them.
    #[arg(long, default_value_t = 3, value_name = "COUNT", allow_negative_numbers = true)]
    keys: u32,

    /// After so many operations a key is left and a new one begun [default: 300; with consensus 30].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    ops_per_key: Option<u32>,

    /// How many of a hundred operations are reads.
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100), allow_negative_numbers = true)]
    read_percent: u8,

    /// What is written: a new value every time, or one of five.
    #[arg(long, value_enum, default_value_t = Values::Unique)]
    values: Values,

    /// How long a client waits for an operation before it calls the outcome unknown.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    timeout: Duration,

    /// What goes wrong: fault classes separated by commas, `all`, or `none`. See `quorate list faults`.
    #[arg(long, default_value = "partition,kill", value_name = "CLASSES")]
    faults: FaultChoice,

    /// Repeats the plan of an earlier run with the same flags; drawn and printed when not given.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    seed: Option<u64>,

    /// The test's name: its folder in the store [default: the system and workload].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Values {
    Unique,
    Few,
}

/// `15`, or `3n`: three for each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concurrency {
    Clients(u32),
    PerNode(u32),
}

impl Arguments {
    /// The whole Plan, checked: by itself, and against what the system can do.
    pub(super) fn plan(
        &self,
        world: WorldKind,
        drawn_seed: u64,
        mutants: Mutants,
    ) -> Result<Plan, CliError> {
        let vocabulary = self.system.vocabulary();
        let nodes = self.nodes.unwrap_or(vocabulary.nodes);
        let system = SystemPlan {
            kind: self.system.name().to_owned(),
            nodes,
            options: options(&self.options)?,
        };
        let seed = self.seed.unwrap_or(drawn_seed);
        let workload = self.workload();
        let name = self.name.clone().unwrap_or_else(|| self.default_name());
        let mut plan = Plan {
            workload: Workload {
                kind: workload,
                clients: self.concurrency.clients(nodes),
                rate_per_s: self.rate,
                keys: self.keys,
                operations_per_key: self.ops_per_key.unwrap_or(workload.operations_per_key()),
                read_percent: self.read_percent,
                values: match self.values {
                    Values::Unique => ValueChoice::Unique,
                    Values::Few => ValueChoice::Few,
                },
            },
            durations: Durations {
                time_limit_ms: millis(self.time_limit),
                operation_timeout_ms: millis(self.timeout),
                ..Durations::default()
            },
            ..Plan::new(&name, seed, world, system)
        };
        // The sizes are checked before anything is drawn or enumerated from them.
        plan.validate().map_err(|error| by_flag(&error))?;
        let promises = registry::promises(self.system, nodes, &plan.system.options, mutants, seed)
            .map_err(|error| {
                CliError::usage(error).hint("see `quorate list options` for what the system takes")
            })?;
        registry::check_regime(self.system, &plan, mutants).map_err(CliError::usage)?;
        let classes = self.faults.classes(promises.bearing()).map_err(CliError::usage)?;
        give_faults(&mut plan, classes, promises).map_err(CliError::usage)?;
        plan.validate().map_err(|error| by_flag(&error))?;
        Ok(plan)
    }

    /// As asked for, or what the system is for.
    fn workload(&self) -> WorkloadKind {
        let own = self.system.vocabulary().workloads.first().copied().unwrap_or_default();
        let is_own = |kind: &&WorkloadKind| kind.name() == own;
        let own = WorkloadKind::ALL.iter().find(is_own);
        self.workload.or(own.copied()).unwrap_or(WorkloadKind::Register)
    }

    fn default_name(&self) -> String {
        format!("{}-{}", self.system, self.workload().name())
    }
}

/// Draws faults of these classes for a plan, each of which must bite.
pub(crate) fn give_faults(
    plan: &mut Plan,
    classes: Vec<FaultClass>,
    promises: Promises,
) -> Result<(), FaultsError> {
    let bearing = promises.bearing();
    plan.faults = faults(&FaultRequest {
        seed: plan.seed,
        classes: classes.clone(),
        nodes: plan.system.nodes,
        clients: plan.workload.clients,
        time_limit_ms: plan.durations.time_limit_ms,
        liars: bearing.liars,
        lies: lies(plan.world, &promises.lies),
        client_lies: promises.client_lies.iter().map(|lie| (*lie).to_owned()).collect(),
        drift_ppm: bearing.drift_ppm,
        memory: bearing.memory,
        changes: promises.changes,
        // Processes are killed from outside.
        mid_step: plan.world == WorldKind::Sim,
    })?;
    plan.fault_classes = classes;
    Ok(())
}

/// Those of the lies that a system knows that can be told in a world.
fn lies(world: WorldKind, known: &[&str]) -> Vec<String> {
    let is_told = |lie: &&&str| world == WorldKind::Sim || **lie != TWINS;
    known.iter().filter(is_told).map(|lie| (*lie).to_owned()).collect()
}

/// Each option once: of two values for one, neither can be the one that was meant.
pub(crate) fn options(given: &[(String, String)]) -> Result<BTreeMap<String, String>, CliError> {
    let mut options = BTreeMap::new();
    for (name, value) in given {
        if let Some(other) = options.insert(name.clone(), value.clone()) {
            return Err(CliError::usage(format_args!(
                "option `{name}` is given twice, as `{other}` and as `{value}`; leave one out"
            )));
        }
    }
    Ok(options)
}

impl Concurrency {
    fn clients(self, nodes: u16) -> u32 {
        match self {
            Self::Clients(count) => count,
            Self::PerNode(count) => count.saturating_mul(u32::from(nodes)),
        }
    }
}

impl FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, per_node) = match text.strip_suffix('n') {
            Some(number) => (number, true),
            None => (text, false),
        };
        match number.parse() {
            Ok(count) if count > 0 && per_node => Ok(Self::PerNode(count)),
            Ok(count) if count > 0 => Ok(Self::Clients(count)),
            _ => Err(
                "expected a number of clients such as 15, or a multiple of the nodes such as 3n"
                    .into(),
            ),
        }
    }
}

/// What is wrong with a plan that was made from flags, by the name of the flag.
fn by_flag(error: &PlanError) -> CliError {
    const FLAGS: [(&str, &str); 9] = [
        ("name", "--name"),
        ("system.nodes", "--nodes"),
        ("workload.clients", "--concurrency"),
        ("workload.rate_per_s", "--rate"),
        ("workload.keys", "--keys"),
        ("workload.operations_per_key", "--ops-per-key"),
        ("workload.read_percent", "--read-percent"),
        ("durations.time_limit_ms", "--time-limit, in ms"),
        ("durations.operation_timeout_ms", "--timeout, in ms"),
    ];
    let text = error.to_string();
    let named = FLAGS.iter().find_map(|(field, flag)| {
        let rest = text.strip_prefix(field)?;
        rest.starts_with(':').then(|| format!("{flag}{rest}"))
    });
    CliError::usage(named.unwrap_or(text))
}

/// A system by its name.
pub(crate) fn system(name: &str) -> Result<SystemKind, String> {
    name.parse().map_err(|_| {
        let known: Vec<_> = SystemKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is: {}", known.join(", "))
    })
}

/// A workload by its name.
pub(crate) fn workload(name: &str) -> Result<WorkloadKind, String> {
    WorkloadKind::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
        let known: Vec<_> = WorkloadKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is: {}", known.join(", "))
    })
}

/// An option of a system with its value.
pub(crate) fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as quorum=grid".into()),
    }
}

/// A duration that a Plan can hold: whole milliseconds, at least one.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; expected a time such as 30s, 500ms or 5m"))?;
    if duration < Duration::from_millis(1) {
        return Err("expected at least 1ms".into());
    }
    Ok(duration)
}

/// As plans hold it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_is_a_number_or_a_multiple_of_the_nodes() {
        assert_eq!("15".parse(), Ok(Concurrency::Clients(15)));
        assert_eq!("3n".parse(), Ok(Concurrency::PerNode(3)));
        assert_eq!(Concurrency::PerNode(3).clients(5), 15);
        for bad in ["", "n", "0", "0n", "-1", "3m", "3.5n"] {
            assert!(bad.parse::<Concurrency>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_option_has_a_name_and_a_value() {
        assert_eq!(option("weights=3,1"), Ok(("weights".into(), "3,1".into())));
        assert_eq!(option("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(option("grid").is_err());
        assert!(option("=grid").is_err());
    }
}
