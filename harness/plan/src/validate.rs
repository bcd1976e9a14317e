//! Which plans make sense.

mod error;
mod names;
mod places;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use error::PlanError;
pub use names::check_names;

use scope::{Scope, min_max};

use crate::{
    CLIENTS_MAX, Delay, Endpoint, Fault, Function, Liveness, NODES_MAX, Plan, ScriptedOperation,
    SystemPlan, TWINS, TraceStep, VALUE_MAX, Weather, Workload, WorldKind,
};

/// The longest name of a test: file systems allow 255 bytes, and people read it.
const NAME_LEN_MAX: usize = 64;
/// A day: longer runs are a mistake in a unit.
const TIME_LIMIT_MAX_MS: u64 = 24 * 3_600_000;
/// A minute: what takes longer is as good as lost.
const SPAN_MAX_MS: u64 = 60_000;
const SPAN_MAX_US: u64 = SPAN_MAX_MS * 1_000;
/// The fastest of sixteen ranks, each twice as slow as the one before, takes no longer.
const BASE_MAX_US: u64 = 100_000;
/// Enough for every order of the links of a small cluster.
const RANKS_MAX: u8 = 16;
/// An hour either way.
const OFFSET_MAX_MS: i64 = 3_600_000;
/// Ten times as fast, or a tenth as fast.
const RATE_PPM: (u32, u32) = (100_000, 10_000_000);
/// No client gets answers at such a rate; more is a mistake.
const RATE_PER_S_MAX: u32 = 1_000_000;
/// More than any run has.
const OPERATIONS_PER_KEY_MAX: u32 = 1_000_000_000;
/// More than any run has.
const NTH_MAX: u64 = 1_000_000_000;
/// More than any step of a core has.
const EFFECTS_MAX: u8 = 64;

impl Plan {
    /// Checks all that can be checked without knowing the system: a World may take for granted what holds
    /// for a plan that passes. The system's options are checked by the system, its names by [`check_names`].
    pub fn validate(&self) -> Result<(), PlanError> {
        if !is_safe_name(&self.name) {
            return Err(PlanError::Name(self.name.clone()));
        }
        self.system.validate()?;
        self.workload.validate()?;
        self.validate_durations()?;
        self.validate_scripts()?;
        if let Some(weather) = &self.weather {
            weather.validate()?;
            self.validate_pace(weather)?;
        }
        self.validate_faults()?;
        self.validate_classes()?;
        self.validate_rules()?;
        self.validate_trace()?;
        self.validate_matches()?;
        match &self.liveness {
            Some(liveness) => self.validate_liveness(liveness),
            None => Ok(()),
        }
    }

    fn validate_durations(&self) -> Result<(), PlanError> {
        let durations = self.durations;
        for (field, ms) in [
            ("durations.time_limit_ms", durations.time_limit_ms),
            ("durations.operation_timeout_ms", durations.operation_timeout_ms),
            ("durations.final_reads_ms", durations.final_reads_ms),
        ] {
            bounds(field, ms, 1, TIME_LIMIT_MAX_MS)?;
        }
        Ok(())
    }

    /// Where messages take no time, and clients wait for nothing, virtual time would hardly go on.
    fn validate_pace(&self, weather: &Weather) -> Result<(), PlanError> {
        let takes_none =
            matches!(weather.delay, Delay::Constant { us: 0 } | Delay::Uniform { max_us: 0, .. });
        if takes_none && self.workload.rate_per_s == 0 && self.world == WorldKind::Sim {
            return Err(PlanError::StandsStill { field: "weather.delay".to_owned() });
        }
        Ok(())
    }

    fn validate_scripts(&self) -> Result<(), PlanError> {
        let mut written = BTreeMap::new();
        for (place, script) in self.scripts.iter().enumerate() {
            let client = script.client;
            let field = || format!("scripts[{place}].client");
            self.scope()
                .exists(format_args!("scripts[{place}].client"), Endpoint::Client(client))?;
            if let Some(first) = written.insert(client, place) {
                return Err(PlanError::ScriptTwice { field: field(), client, first });
            }
            for (nth, operation) in script.operations.iter().enumerate() {
                operation.validate(&format!("scripts[{place}].do[{nth}]"))?;
            }
        }
        Ok(())
    }

    fn validate_faults(&self) -> Result<(), PlanError> {
        let mut order = Order { what: "fault", time: "at_ms", before: 0 };
        for (place, fault) in self.faults.iter().enumerate() {
            // When a moment comes, nobody knows beforehand.
            if fault.when.is_none() {
                order.next(format_args!("faults[{place}].at_ms"), fault.at_ms)?;
            }
            self.scope().fault(&format!("faults[{place}]"), fault)?;
            let twins = matches!(&fault.fault, Fault::Byzantine { lie, .. } if lie == TWINS);
            if twins && self.world == WorldKind::Live {
                return Err(PlanError::TwinsAlive { field: format!("faults[{place}].fault.lie") });
            }
        }
        Ok(())
    }

    fn validate_classes(&self) -> Result<(), PlanError> {
        let planned: BTreeSet<_> =
            self.faults.iter().map(|planned| planned.fault.class()).collect();
        let mut seen = BTreeSet::new();
        for class in &self.fault_classes {
            if !seen.insert(*class) {
                return Err(PlanError::ClassTwice(*class));
            }
            if !planned.contains(class) {
                return Err(PlanError::ClassWithoutFault(*class));
            }
        }
        Ok(())
    }

    fn validate_rules(&self) -> Result<(), PlanError> {
        let mut rules = self.rules.iter().enumerate();
        rules.try_for_each(|(place, rule)| scope::act(&format!("rules[{place}].act"), &rule.act))
    }

    fn validate_trace(&self) -> Result<(), PlanError> {
        if !self.trace.is_empty() {
            self.must_be_simulated("trace")?;
        }
        let mut order = Order { what: "trace step", time: "at_us", before: 0 };
        for (place, entry) in self.trace.iter().enumerate() {
            let field = format!("trace[{place}].at_us");
            bounds(&field, entry.at_us, 0, TIME_LIMIT_MAX_MS * 1_000)?;
            order.next(format_args!("{field}"), entry.at_us)?;
            match &entry.step {
                TraceStep::Wake { who, timer: _ } => {
                    self.scope().exists(format_args!("trace[{place}].do.wake.who"), *who)?;
                }
                TraceStep::Sync { node } => {
                    let who = Endpoint::Node(*node);
                    self.scope().exists(format_args!("trace[{place}].do.sync.node"), who)?;
                }
                // Matches are checked all together.
                TraceStep::Deliver(_) | TraceStep::Lose(_) => {}
            }
        }
        Ok(())
    }

    /// Every moment, and every match of messages, wherever it stands.
    fn validate_matches(&self) -> Result<(), PlanError> {
        let scope = self.scope();
        self.moments().try_for_each(|(at, moment)| scope.moment(&at, moment))?;
        self.message_matches().try_for_each(|(at, asked)| scope.message(&at, asked))
    }

    fn validate_liveness(&self, liveness: &Liveness) -> Result<(), PlanError> {
        self.must_be_simulated("liveness")?;
        if let Some(core) = &liveness.core {
            self.scope().nodes("liveness.core", core)?;
        }
        bounds("liveness.bound_ms", liveness.bound_ms, 1, TIME_LIMIT_MAX_MS)
    }

    fn must_be_simulated(&self, field: &str) -> Result<(), PlanError> {
        match self.world {
            WorldKind::Sim => Ok(()),
            WorldKind::Live => Err(PlanError::OnlySimulated { field: field.to_owned() }),
        }
    }

    const fn scope(&self) -> Scope {
        Scope {
            nodes: self.system.nodes,
            clients: self.workload.clients,
            time_limit_ms: self.durations.time_limit_ms,
        }
    }
}

impl SystemPlan {
    fn validate(&self) -> Result<(), PlanError> {
        if self.kind.is_empty() {
            return Err(PlanError::NoSystem);
        }
        bounds("system.nodes", self.nodes, 1, NODES_MAX)
    }
}

impl Workload {
    fn validate(&self) -> Result<(), PlanError> {
        bounds("workload.clients", self.clients, 1, CLIENTS_MAX)?;
        bounds("workload.rate_per_s", self.rate_per_s, 0, RATE_PER_S_MAX)?;
        bounds("workload.keys", self.keys, 1, CLIENTS_MAX)?;
        bounds("workload.operations_per_key", self.operations_per_key, 1, OPERATIONS_PER_KEY_MAX)?;
        bounds("workload.read_percent", self.read_percent, 0, 100)
    }
}

impl ScriptedOperation {
    fn validate(&self, at: &str) -> Result<(), PlanError> {
        let Self { f, key, value, expected, parts, when: _ } = self;
        match (f, key) {
            (Function::Transaction, Some(_)) => return Err(useless(format!("{at}.key"), *f)),
            (Function::Transaction, None) => {
                bounds(format_args!("{at}.parts"), parts.len() as u64, 1, PARTS_MAX)?;
            }
            (_, None) => return Err(needs(at, *f, "key")),
            (_, Some(_)) if !parts.is_empty() => {
                return Err(useless(format!("{at}.parts"), *f));
            }
            (_, Some(_)) => {}
        }
        arguments(at, *f, *value, *expected)?;
        for (place, part) in parts.iter().enumerate() {
            let at = format!("{at}.parts[{place}]");
            if part.f == Function::Transaction {
                return Err(PlanError::Nested { field: format!("{at}.f") });
            }
            arguments(&at, part.f, part.value, part.expected)?;
        }
        Ok(())
    }
}

/// What a function is given.
fn arguments(
    at: &str,
    f: Function,
    value: Option<u64>,
    expected: Option<u64>,
) -> Result<(), PlanError> {
    for (name, value) in [("value", value), ("expected", expected)] {
        if let Some(value) = value.filter(|value| *value > VALUE_MAX) {
            return Err(PlanError::ReservedValue { field: format!("{at}.{name}"), value });
        }
    }
    match (f, value) {
        (Function::Write, None) => {
            return Err(PlanError::WriteWithoutValue { field: at.to_owned() });
        }
        (Function::Read, Some(_)) => {
            return Err(PlanError::ReadWithValue { field: format!("{at}.value") });
        }
        (_, None) if f.takes_value() => return Err(needs(at, f, "value")),
        (_, Some(_)) if !f.takes_value() => return Err(useless(format!("{at}.value"), f)),
        (_, None | Some(_)) => {}
    }
    match (f, expected) {
        (Function::Cas, None) => Err(needs(at, f, "expected")),
        (Function::Cas, Some(_)) | (_, None) => Ok(()),
        (_, Some(_)) => Err(useless(format!("{at}.expected"), f)),
    }
}

fn needs(at: &str, f: Function, what: &'static str) -> PlanError {
    PlanError::Incomplete { field: at.to_owned(), f: f.name(), what }
}

const fn useless(field: String, f: Function) -> PlanError {
    PlanError::Useless { field, f: f.name() }
}

/// A transaction has at most so many parts.
const PARTS_MAX: u64 = 16;

impl Weather {
    fn validate(&self) -> Result<(), PlanError> {
        self.delay.validate()?;
        bounds("weather.loss_per_mille", self.loss_per_mille, 0, 1_000)?;
        bounds("weather.duplicate_per_mille", self.duplicate_per_mille, 0, 1_000)?;
        let (min, max) = (self.sync_min_us, self.sync_max_us);
        min_max(format_args!("weather"), ("sync_min_us", min), ("sync_max_us", max))?;
        bounds("weather.sync_max_us", max, 0, SPAN_MAX_US)
    }
}

impl Delay {
    fn validate(self) -> Result<(), PlanError> {
        match self {
            Self::Constant { us } => bounds("weather.delay.us", us, 0, SPAN_MAX_US),
            Self::Uniform { min_us, max_us } => {
                min_max(format_args!("weather.delay"), ("min_us", min_us), ("max_us", max_us))?;
                bounds("weather.delay.max_us", max_us, 0, SPAN_MAX_US)
            }
            Self::Exponential { mean_us } => {
                bounds("weather.delay.mean_us", mean_us, 1, SPAN_MAX_US)
            }
            // No number of change points is too many.
            Self::Priorities { base_us, ranks, changes: _ } => {
                bounds("weather.delay.base_us", base_us, 1, BASE_MAX_US)?;
                bounds("weather.delay.ranks", ranks, 1, RANKS_MAX)
            }
        }
    }
}

/// Times of one list, which must not go back.
struct Order {
    /// What the list is of.
    what: &'static str,
    /// The name of the time.
    time: &'static str,
    before: u64,
}

impl Order {
    fn next(&mut self, field: fmt::Arguments<'_>, at: u64) -> Result<(), PlanError> {
        let Self { what, time, before } = *self;
        if at < before {
            let field = field.to_string();
            return Err(PlanError::OutOfOrder { field, what, time, at, before });
        }
        self.before = at;
        Ok(())
    }
}

fn bounds<N>(field: impl fmt::Display, value: N, min: N, max: N) -> Result<(), PlanError>
where
    N: Copy + PartialOrd + Into<i128>,
{
    if min <= value && value <= max {
        return Ok(());
    }
    let field = field.to_string();
    Err(PlanError::OutOfBounds { field, value: value.into(), min: min.into(), max: max.into() })
}

fn is_safe_name(name: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME_LEN_MAX).contains(&name.len())
        && name.chars().all(is_safe)
        && !name.starts_with(['.', '-'])
        // The store links to the last run of any test under this name.
        && name != "latest"
}
