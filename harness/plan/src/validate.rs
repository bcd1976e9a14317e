//! Which plans make sense, whatever the system.

use std::collections::BTreeSet;

use crate::{
    CLIENTS_MAX, Endpoint, Fault, Grudge, LIES, LIES_LIVE, NODES_MAX, Plan, PlannedFault,
    SystemPlan, Workload, WorldKind,
};

/// The first thing found wrong with a plan: one line that names the field, what is wrong with it, and what
/// is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The name cannot be a folder.
    #[error(
        "name: `{0}` cannot name a folder; allowed are 1 to {NAME_LEN_MAX} letters, digits, `-`, `_` \
         and `.`, not beginning with `.` or `-`, and not `latest`"
    )]
    Name(String),
    /// A number is out of its bounds.
    #[error("{field}: {value} is out of bounds; allowed are {min} to {max}")]
    OutOfBounds {
        /// Where it stands.
        field: String,
        /// The number.
        value: i128,
        /// The least allowed.
        min: i128,
        /// The most allowed.
        max: i128,
    },
    /// The system has no name.
    #[error("system.kind: is empty; it must name a system")]
    NoSystem,
    /// A fault is aimed at nobody.
    #[error("{field}: is empty; it must name at least one {what}")]
    Nobody {
        /// Where it stands.
        field: String,
        /// What is missing.
        what: &'static str,
    },
    /// A fault is aimed at somebody who is not there.
    #[error(
        "{field}: there is no {endpoint}; the plan has {nodes} nodes (n0 …) and {clients} clients (c0 …)"
    )]
    NoSuchEndpoint {
        /// Where it stands.
        field: String,
        /// Who is missing.
        endpoint: Endpoint,
        /// How many nodes there are.
        nodes: u16,
        /// How many clients there are.
        clients: u32,
    },
    /// A grudge between endpoints that have no link.
    #[error(
        "{field}: there is no link from {from} to {to}; links join two nodes, or a node and a client"
    )]
    NoSuchLink {
        /// Where it stands.
        field: String,
        /// The sender.
        from: Endpoint,
        /// The receiver.
        to: Endpoint,
    },
    /// Faults out of order.
    #[error(
        "{field}: {at_ms} is before the fault above it, at {before_ms}; faults stand in order of at_ms"
    )]
    OutOfOrder {
        /// Where it stands.
        field: String,
        /// When it begins.
        at_ms: u64,
        /// When the one before begins.
        before_ms: u64,
    },
    /// The shortest delay is longer than the longest.
    #[error("{field}: min_ms {min_ms} is more than max_ms {max_ms}")]
    MinAboveMax {
        /// Where it stands.
        field: String,
        /// The shortest.
        min_ms: u64,
        /// The longest.
        max_ms: u64,
    },
    /// Nobody knows how to lie so.
    #[error("{field}: nobody knows the lie `{lie}`; allowed are {}", LIES.join(", "))]
    UnknownLie {
        /// Where it stands.
        field: String,
        /// The lie.
        lie: String,
    },
    /// A lie that one process cannot tell.
    #[error(
        "{field}: `twins` are two copies of a replica, which only the simulated world runs; allowed in a \
         live one are {}",
        LIES_LIVE.join(", ")
    )]
    TwinsAlive {
        /// Where it stands.
        field: String,
    },
    /// A class that must bite has nothing to bite with.
    #[error("fault_classes: `{0}` must bite, but no fault in `faults` is of that class")]
    ClassWithoutFault(crate::FaultClass),
    /// A class stands twice.
    #[error("fault_classes: `{0}` stands there twice")]
    ClassTwice(crate::FaultClass),
}

/// The longest name of a test: file systems allow 255 bytes, and people read it.
const NAME_LEN_MAX: usize = 64;
/// A day: longer runs are a mistake in a unit.
const TIME_LIMIT_MAX_MS: u64 = 24 * 3_600_000;
/// A minute: what takes longer is as good as lost.
const SPAN_MAX_MS: u64 = 60_000;
/// An hour either way.
const OFFSET_MAX_MS: i64 = 3_600_000;
/// Ten times as fast, or a tenth as fast.
const RATE_PPM: (u32, u32) = (100_000, 10_000_000);
/// No client gets answers at such a rate; more is a mistake.
const RATE_PER_S_MAX: u32 = 1_000_000;
/// More than any run has.
const OPERATIONS_PER_KEY_MAX: u32 = 1_000_000_000;

impl Plan {
    /// Checks all that can be checked without knowing the system: a World may take for granted what holds
    /// for a plan that passes. The system's options are checked by the system.
    pub fn validate(&self) -> Result<(), PlanError> {
        if !is_safe_name(&self.name) {
            return Err(PlanError::Name(self.name.clone()));
        }
        self.system.validate()?;
        self.workload.validate()?;
        let durations = self.durations;
        bounds("durations.time_limit_ms", durations.time_limit_ms, 1, TIME_LIMIT_MAX_MS)?;
        bounds(
            "durations.operation_timeout_ms",
            durations.operation_timeout_ms,
            1,
            TIME_LIMIT_MAX_MS,
        )?;
        bounds("durations.final_reads_ms", durations.final_reads_ms, 1, TIME_LIMIT_MAX_MS)?;
        self.validate_faults()?;
        self.validate_classes()
    }

    fn validate_faults(&self) -> Result<(), PlanError> {
        let mut before_ms = 0;
        for (place, fault) in self.faults.iter().enumerate() {
            let scope = Scope {
                field: format!("faults[{place}]"),
                world: self.world,
                nodes: self.system.nodes,
                clients: self.workload.clients,
            };
            let at_ms = fault.at_ms;
            if at_ms < before_ms {
                let field = scope.at("at_ms");
                return Err(PlanError::OutOfOrder { field, at_ms, before_ms });
            }
            before_ms = at_ms;
            scope.check(fault, self.durations.time_limit_ms)?;
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

/// Where in a plan a fault stands, and whom it may name.
struct Scope {
    field: String,
    world: WorldKind,
    nodes: u16,
    clients: u32,
}

impl Scope {
    fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.field)
    }

    fn in_fault(&self, name: &str) -> String {
        self.at(&format!("fault.{name}"))
    }

    fn check(&self, planned: &PlannedFault, time_limit_ms: u64) -> Result<(), PlanError> {
        bounds(&self.at("at_ms"), planned.at_ms, 0, time_limit_ms.saturating_sub(1))?;
        bounds(&self.at("for_ms"), planned.for_ms, 1, TIME_LIMIT_MAX_MS)?;
        match &planned.fault {
            Fault::Partition { grudge, .. } => self.grudge(grudge),
            Fault::Delay { ends, min_ms, max_ms } => {
                self.ends(ends)?;
                if min_ms > max_ms {
                    let field = self.at("fault");
                    return Err(PlanError::MinAboveMax { field, min_ms: *min_ms, max_ms: *max_ms });
                }
                bounds(&self.in_fault("max_ms"), *max_ms, 1, SPAN_MAX_MS)
            }
            Fault::Loss { ends, per_mille } | Fault::Corrupt { ends, per_mille } => {
                self.ends(ends)?;
                self.per_mille(*per_mille)
            }
            Fault::Duplicate { ends, per_mille, within_ms }
            | Fault::Reorder { ends, per_mille, within_ms } => {
                self.ends(ends)?;
                self.per_mille(*per_mille)?;
                bounds(&self.in_fault("within_ms"), *within_ms, 1, SPAN_MAX_MS)
            }
            Fault::Kill { nodes, .. } | Fault::PowerLoss { nodes, .. } | Fault::Pause { nodes } => {
                self.node_set(nodes)
            }
            Fault::Clock { nodes, offset_ms, rate_ppm } => {
                self.node_set(nodes)?;
                bounds(&self.in_fault("offset_ms"), *offset_ms, -OFFSET_MAX_MS, OFFSET_MAX_MS)?;
                bounds(&self.in_fault("rate_ppm"), *rate_ppm, RATE_PPM.0, RATE_PPM.1)
            }
            Fault::Disk { node, .. } => self.exists("node", Endpoint::Node(*node)),
            Fault::Byzantine { nodes, lie } => {
                self.node_set(nodes)?;
                self.lie(lie)
            }
            // Whether the system can change to these is the system's to say.
            Fault::Reconfigure { .. } => Ok(()),
        }
    }

    fn lie(&self, lie: &str) -> Result<(), PlanError> {
        let field = self.in_fault("lie");
        if !LIES.contains(&lie) {
            return Err(PlanError::UnknownLie { field, lie: lie.to_owned() });
        }
        match self.world {
            WorldKind::Live if !LIES_LIVE.contains(&lie) => Err(PlanError::TwinsAlive { field }),
            WorldKind::Live | WorldKind::Sim => Ok(()),
        }
    }

    fn per_mille(&self, per_mille: u16) -> Result<(), PlanError> {
        bounds(&self.in_fault("per_mille"), per_mille, 1, 1_000)
    }

    fn exists(&self, name: &str, endpoint: Endpoint) -> Result<(), PlanError> {
        let exists = match endpoint {
            Endpoint::Node(number) => number < self.nodes,
            Endpoint::Client(number) => number < self.clients,
        };
        if exists {
            return Ok(());
        }
        let field = self.in_fault(name);
        Err(PlanError::NoSuchEndpoint { field, endpoint, nodes: self.nodes, clients: self.clients })
    }

    fn ends(&self, ends: &BTreeSet<Endpoint>) -> Result<(), PlanError> {
        if ends.is_empty() {
            let field = self.in_fault("ends");
            return Err(PlanError::Nobody { field, what: "node or client" });
        }
        ends.iter().try_for_each(|end| self.exists("ends", *end))
    }

    fn node_set(&self, nodes: &BTreeSet<u16>) -> Result<(), PlanError> {
        if nodes.is_empty() {
            return Err(PlanError::Nobody { field: self.in_fault("nodes"), what: "node" });
        }
        nodes.iter().try_for_each(|node| self.exists("nodes", Endpoint::Node(*node)))
    }

    fn grudge(&self, grudge: &Grudge) -> Result<(), PlanError> {
        let field = self.in_fault("grudge");
        if grudge.values().all(BTreeSet::is_empty) {
            return Err(PlanError::Nobody { field, what: "link to cut" });
        }
        for (to, dropped) in grudge {
            self.exists("grudge", *to)?;
            for from in dropped {
                self.exists("grudge", *from)?;
                let is_client = |end: &Endpoint| matches!(end, Endpoint::Client(_));
                if from == to || (is_client(from) && is_client(to)) {
                    return Err(PlanError::NoSuchLink { field, from: *from, to: *to });
                }
            }
        }
        Ok(())
    }
}

fn bounds<N>(field: &str, value: N, min: N, max: N) -> Result<(), PlanError>
where
    N: Copy + PartialOrd + Into<i128>,
{
    if min <= value && value <= max {
        return Ok(());
    }
    let field = field.to_owned();
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
