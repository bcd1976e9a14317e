//! Whether a plan asks of a system only what that can do, and has promised to bear.

use std::collections::BTreeSet;

use quorate_plan::{Expectation, Fault, Function, Plan, PlannedOperation, RIGHT_RATE_PPM};
use quorate_systems::contract::{ConfigError, System};

/// What a plan asks of its system that this cannot do, or has not promised to bear: one line that begins with
/// the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegimeError {
    /// The system cannot change to these options, from those that it has by then.
    #[error("{field}: {why}")]
    Change {
        /// Where they stand.
        field: String,
        /// Why it cannot.
        why: ConfigError,
    },
    /// A client would call a function that the system does not have.
    #[error("{field}: `{function}` is more than the system can do; it can {known}")]
    Function {
        /// Where it is asked for.
        field: String,
        /// The function.
        function: String,
        /// The functions that it has, comma-separated.
        known: String,
    },
    /// More goes wrong than the system promises to bear, and the plan does not say what it expects of that.
    #[error(
        "{field}: the plan goes beyond what the system promises: {}, and it tolerates {tolerated}; say \
         `expect = \"invalid\"` if harm is what it is to show",
        who_lie(*liars)
    )]
    Beyond {
        /// Where those stand that are too many.
        field: String,
        /// How many nodes lie in the whole run.
        liars: usize,
        /// How many may.
        tolerated: usize,
    },
    /// A node, or a client, would lie in a way that makes no sense in the system.
    #[error(
        "{field}: {who} of the system as configured cannot lie so (`{lie}`); allowed are {known}"
    )]
    Lie {
        /// Where the lie stands.
        field: String,
        /// Whose it is.
        who: &'static str,
        /// The lie.
        lie: String,
        /// Those that there are, comma-separated.
        known: String,
    },
    /// A clock goes more wrong than the system promises to bear, and the plan does not say what it expects of
    /// that.
    #[error(
        "{field}: the plan goes beyond what the system promises: {how}, and it tolerates clocks that are up to \
         {tolerated} ppm too fast or too slow and never jump; say `expect = \"invalid\"` if harm is what it is to \
         show"
    )]
    BeyondDrift {
        /// Where the clock's jump or rate stands.
        field: String,
        /// What the clock does.
        how: String,
        /// How wrong a clock may be.
        tolerated: u32,
    },
}

impl RegimeError {
    /// Where in the plan it is, as [`quorate_plan::PlanError::field`] says it.
    pub fn field(&self) -> &str {
        match self {
            Self::Change { field, .. }
            | Self::Function { field, .. }
            | Self::Beyond { field, .. }
            | Self::Lie { field, .. }
            | Self::BeyondDrift { field, .. } => field,
        }
    }
}

fn who_lie(liars: usize) -> String {
    if liars == 1 { "a node lies".to_owned() } else { format!("{liars} nodes lie") }
}

/// The configurations that a run of the plan may come to: the one that it begins with, and after it one for each
/// change, in the order in which the changes stand in the plan.
pub fn configurations<S: System>(
    plan: &Plan,
    first: &S::Config,
) -> Result<Vec<S::Config>, RegimeError> {
    let mut configs = vec![first.clone()];
    for (place, planned) in plan.faults.iter().enumerate() {
        let Fault::Reconfigure { options } = &planned.fault else { continue };
        let last = configs.last().unwrap_or(first);
        let next = S::change(last, options).map_err(|why| {
            let options = format!("faults[{place}].fault.options");
            let field =
                why.option().map_or_else(|| options.clone(), |name| format!("{options}.{name}"));
            RegimeError::Change { field, why }
        })?;
        configs.push(next);
    }
    Ok(configs)
}

/// Nobody calls a function that the system does not have.
fn functions(plan: &Plan, known: &[&str]) -> Result<(), RegimeError> {
    let refuse = |field: String, function: &str| RegimeError::Function {
        field,
        function: function.to_owned(),
        known: known.join(", "),
    };
    let is_missing = |function: &&Function| !known.contains(&function.name());
    if let Some(function) = plan.workload.kind.functions().iter().find(is_missing) {
        return Err(refuse("workload.kind".to_owned(), function.name()));
    }
    for (place, script) in plan.scripts.iter().enumerate() {
        for (nth, operation) in script.operations.iter().enumerate() {
            let planned = operation.planned();
            let parts = planned.parts().iter().map(PlannedOperation::function);
            let called: Vec<Function> = [operation.f].into_iter().chain(parts).collect();
            if let Some(function) = called.iter().find(is_missing) {
                return Err(refuse(format!("scripts[{place}].do[{nth}]"), function.name()));
            }
        }
    }
    Ok(())
}

/// Nobody lies in a way that makes no sense in the system.
fn lies<S: System>(plan: &Plan, config: &S::Config) -> Result<(), RegimeError> {
    for (place, planned) in plan.faults.iter().enumerate() {
        let (who, lie, known) = match &planned.fault {
            Fault::Byzantine { lie, .. } => ("a node", lie, S::lies(config)),
            Fault::ByzantineClients { lie, .. } => ("a client", lie, S::client_lies(config)),
            Fault::Partition { .. }
            | Fault::Delay { .. }
            | Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Kill { .. }
            | Fault::PowerLoss { .. }
            | Fault::Pause { .. }
            | Fault::Clock { .. }
            | Fault::Disk { .. }
            | Fault::Reconfigure { .. } => continue,
        };
        if !known.iter().any(|known| known.name() == lie) {
            let names: Vec<&str> = known.iter().map(|lie| lie.name()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let field = format!("faults[{place}].fault.lie");
            return Err(RegimeError::Lie { field, who, lie: lie.clone(), known });
        }
    }
    Ok(())
}

/// No clock goes more wrong than the system has promised to bear.
fn clocks(plan: &Plan, tolerated: Option<u32>) -> Result<(), RegimeError> {
    let Some(tolerated) = tolerated else { return Ok(()) };
    for (place, planned) in plan.faults.iter().enumerate() {
        let Fault::Clock { offset_ms, rate_ppm, .. } = &planned.fault else { continue };
        let refuse = |field: &str, how: String| {
            let field = format!("faults[{place}].fault.{field}");
            Err(RegimeError::BeyondDrift { field, how, tolerated })
        };
        if *offset_ms != 0 {
            return refuse("offset_ms", format!("a clock jumps by {offset_ms} ms"));
        }
        let drift = rate_ppm.abs_diff(RIGHT_RATE_PPM);
        if drift > tolerated {
            return refuse("rate_ppm", format!("a clock is {drift} ppm off"));
        }
    }
    Ok(())
}

/// A plan stays within what its system can do and promises to bear, or says that it expects harm. `config` is
/// what the system's own options come to. Processes may end in as many nodes as the plan likes: where nodes keep their
/// memory in themselves the system may stand still then, and breaks no promise.
pub fn check<S: System>(plan: &Plan, config: &S::Config) -> Result<(), RegimeError> {
    configurations::<S>(plan, config)?;
    functions(plan, S::functions(config))?;
    lies::<S>(plan, config)?;
    if plan.expect == Expectation::Invalid {
        return Ok(());
    }
    clocks(plan, S::drift_tolerated(config))?;
    let tolerated = usize::from(S::liars_tolerated(config));
    let mut liars: BTreeSet<u16> = BTreeSet::new();
    let mut too_many = None;
    for (place, planned) in plan.faults.iter().enumerate() {
        if let Fault::Byzantine { nodes, .. } = &planned.fault {
            liars.extend(nodes);
        }
        if liars.len() > tolerated {
            too_many = too_many.or(Some(place));
        }
    }
    match too_many {
        None => Ok(()),
        Some(place) => {
            let field = format!("faults[{place}].fault.nodes");
            Err(RegimeError::Beyond { field, liars: liars.len(), tolerated })
        }
    }
}
