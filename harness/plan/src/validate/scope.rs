//! Whom a plan may name, and what its parts may ask for.

use std::collections::BTreeSet;
use std::fmt::{Arguments, Display};

use super::{
    EFFECTS_MAX, NTH_MAX, OFFSET_MAX_MS, PlanError, RATE_PPM, SPAN_MAX_MS, SPAN_MAX_US,
    TIME_LIMIT_MAX_MS, bounds,
};
use crate::{
    Act, CLIENT_LIES, Endpoint, Fault, Function, Grudge, LIES, MessageMatch, Moment, NodeMatch,
    ObservationMatch, OperationMatch, PlannedFault,
};

/// Who there is, and for how long. Every check is told where in the plan it looks.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    pub(super) nodes: u16,
    pub(super) clients: u32,
    pub(super) time_limit_ms: u64,
}

impl Scope {
    pub(super) fn fault(self, at: &str, planned: &PlannedFault) -> Result<(), PlanError> {
        let last_ms = self.time_limit_ms.saturating_sub(1);
        bounds(format_args!("{at}.at_ms"), planned.at_ms, 0, last_ms)?;
        bounds(format_args!("{at}.for_ms"), planned.for_ms, 1, TIME_LIMIT_MAX_MS)?;
        let at = &format!("{at}.fault");
        match &planned.fault {
            Fault::Partition { grudge, .. } => self.grudge(at, grudge),
            Fault::Delay { ends, min_ms, max_ms } => {
                self.ends(at, ends)?;
                min_max(format_args!("{at}"), ("min_ms", *min_ms), ("max_ms", *max_ms))?;
                bounds(format_args!("{at}.max_ms"), *max_ms, 1, SPAN_MAX_MS)
            }
            Fault::Loss { ends, per_mille } | Fault::Corrupt { ends, per_mille } => {
                self.ends(at, ends)?;
                per_mille_of(at, *per_mille)
            }
            Fault::Duplicate { ends, per_mille, within_ms }
            | Fault::Reorder { ends, per_mille, within_ms } => {
                self.ends(at, ends)?;
                per_mille_of(at, *per_mille)?;
                bounds(format_args!("{at}.within_ms"), *within_ms, 1, SPAN_MAX_MS)
            }
            Fault::Kill { nodes, after_effects } | Fault::PowerLoss { nodes, after_effects } => {
                self.node_set(at, nodes)?;
                let effects = after_effects.unwrap_or(1);
                bounds(format_args!("{at}.after_effects"), effects, 1, EFFECTS_MAX)
            }
            Fault::Pause { nodes } => self.node_set(at, nodes),
            Fault::Clock { nodes, offset_ms, rate_ppm } => {
                self.node_set(at, nodes)?;
                let offset = format_args!("{at}.offset_ms");
                bounds(offset, *offset_ms, -OFFSET_MAX_MS, OFFSET_MAX_MS)?;
                bounds(format_args!("{at}.rate_ppm"), *rate_ppm, RATE_PPM.0, RATE_PPM.1)
            }
            Fault::Disk { node, .. } => {
                self.exists(format_args!("{at}.node"), Endpoint::Node(*node))
            }
            Fault::Byzantine { nodes, lie } => {
                self.node_set(at, nodes)?;
                known_lie(at, lie, LIES)
            }
            Fault::ByzantineClients { clients, lie } => {
                let field = format!("{at}.clients");
                if clients.is_empty() {
                    return Err(PlanError::Nobody { field, what: "client" });
                }
                clients
                    .iter()
                    .try_for_each(|client| self.exists(&field, Endpoint::Client(*client)))?;
                known_lie(at, lie, CLIENT_LIES)
            }
            // Whether the system can change to these is the system's to say.
            Fault::Reconfigure { .. } => Ok(()),
        }
    }

    pub(super) fn moment(self, at: &str, moment: &Moment) -> Result<(), PlanError> {
        match moment {
            Moment::AtMs(ms) => {
                let last_ms = self.time_limit_ms.saturating_sub(1);
                bounds(format_args!("{at}.at_ms"), *ms, 0, last_ms)
            }
            // Their matches are checked with those of rules and the trace.
            Moment::Sent(_) | Moment::Delivered(_) => Ok(()),
            Moment::Observed(asked) => self.observation(&format!("{at}.observed"), asked),
            Moment::Invoked(asked) => self.operation(&format!("{at}.invoked"), asked),
            Moment::Completed(asked) => self.operation(&format!("{at}.completed"), asked),
            Moment::Started(asked) => self.node(&format!("{at}.started"), asked),
            Moment::Crashed(asked) => self.node(&format!("{at}.crashed"), asked),
        }
    }

    pub(super) fn message(self, at: &str, asked: &MessageMatch) -> Result<(), PlanError> {
        let MessageMatch { kind: _, from, to, fields: _, nth } = asked;
        self.exists_if_named(format_args!("{at}.from"), *from)?;
        self.exists_if_named(format_args!("{at}.to"), *to)?;
        if let (Some(from), Some(to)) = (*from, *to) {
            link(format_args!("{at}"), from, to)?;
        }
        nth_of(at, *nth)
    }

    fn observation(self, at: &str, asked: &ObservationMatch) -> Result<(), PlanError> {
        let ObservationMatch { by, name: _, fields: _, nth } = asked;
        self.exists_if_named(format_args!("{at}.by"), *by)?;
        nth_of(at, *nth)
    }

    fn operation(self, at: &str, asked: &OperationMatch) -> Result<(), PlanError> {
        let OperationMatch { client, f, key: _, nth } = asked;
        self.exists_if_named(format_args!("{at}.client"), *client)?;
        if let Some(endpoint @ Endpoint::Node(_)) = *client {
            return Err(PlanError::NotAClient { field: format!("{at}.client"), endpoint });
        }
        if let Some(name) = f.as_deref().filter(|name| Function::named(name).is_none()) {
            let known: Vec<&str> = Function::ALL.iter().map(|f| f.name()).collect();
            return Err(PlanError::UnknownName {
                field: format!("{at}.f"),
                owner: "the workload".to_owned(),
                what: "function",
                name: name.to_owned(),
                known: known.join(", "),
            });
        }
        nth_of(at, *nth)
    }

    fn node(self, at: &str, asked: &NodeMatch) -> Result<(), PlanError> {
        let NodeMatch { node, nth } = asked;
        self.exists_if_named(format_args!("{at}.node"), node.map(Endpoint::Node))?;
        nth_of(at, *nth)
    }

    /// `field` names this endpoint.
    pub(super) fn exists(self, field: impl Display, endpoint: Endpoint) -> Result<(), PlanError> {
        let exists = match endpoint {
            Endpoint::Node(number) => number < self.nodes,
            Endpoint::Client(number) => number < self.clients,
        };
        if exists {
            return Ok(());
        }
        let Self { nodes, clients, .. } = self;
        Err(PlanError::NoSuchEndpoint { field: field.to_string(), endpoint, nodes, clients })
    }

    fn exists_if_named(
        self,
        field: Arguments<'_>,
        endpoint: Option<Endpoint>,
    ) -> Result<(), PlanError> {
        endpoint.map_or(Ok(()), |endpoint| self.exists(field, endpoint))
    }

    fn ends(self, at: &str, ends: &BTreeSet<Endpoint>) -> Result<(), PlanError> {
        let field = format!("{at}.ends");
        if ends.is_empty() {
            return Err(PlanError::Nobody { field, what: "node or client" });
        }
        ends.iter().try_for_each(|end| self.exists(&field, *end))
    }

    fn node_set(self, at: &str, nodes: &BTreeSet<u16>) -> Result<(), PlanError> {
        self.nodes(&format!("{at}.nodes"), nodes)
    }

    /// `field` names these nodes.
    pub(super) fn nodes(self, field: &str, nodes: &BTreeSet<u16>) -> Result<(), PlanError> {
        if nodes.is_empty() {
            return Err(PlanError::Nobody { field: field.to_owned(), what: "node" });
        }
        nodes.iter().try_for_each(|node| self.exists(field, Endpoint::Node(*node)))
    }

    fn grudge(self, at: &str, grudge: &Grudge) -> Result<(), PlanError> {
        let field = format!("{at}.grudge");
        if grudge.values().all(BTreeSet::is_empty) {
            return Err(PlanError::Nobody { field, what: "link to cut" });
        }
        for (to, dropped) in grudge {
            let field = format_args!("{field}.{to}");
            self.exists(field, *to)?;
            for from in dropped {
                self.exists(field, *from)?;
                link(field, *from, *to)?;
            }
        }
        Ok(())
    }
}

/// `lie` is one of those.
fn known_lie(at: &str, lie: &str, known: &'static [&str]) -> Result<(), PlanError> {
    if known.contains(&lie) {
        return Ok(());
    }
    Err(PlanError::UnknownLie { field: format!("{at}.lie"), lie: lie.to_owned(), known })
}

/// What a rule does; the moment of a hold is checked with all others.
pub(super) fn act(at: &str, act: &Act) -> Result<(), PlanError> {
    match act {
        Act::DelayMs(ms) => bounds(format_args!("{at}.delay_ms"), *ms, 0, SPAN_MAX_MS),
        Act::DelayUs(us) => bounds(format_args!("{at}.delay_us"), *us, 0, SPAN_MAX_US),
        Act::DuplicateAfterMs(ms) => {
            bounds(format_args!("{at}.duplicate_after_ms"), *ms, 0, SPAN_MAX_MS)
        }
        Act::Drop | Act::Corrupt | Act::Hold | Act::HoldUntil(_) => Ok(()),
    }
}

/// `field` speaks of messages from one to the other.
fn link(field: Arguments<'_>, from: Endpoint, to: Endpoint) -> Result<(), PlanError> {
    let are_clients = matches!((from, to), (Endpoint::Client(_), Endpoint::Client(_)));
    if from == to || are_clients {
        return Err(PlanError::NoSuchLink { field: field.to_string(), from, to });
    }
    Ok(())
}

fn nth_of(at: &str, nth: Option<u64>) -> Result<(), PlanError> {
    bounds(format_args!("{at}.nth"), nth.unwrap_or(1), 1, NTH_MAX)
}

fn per_mille_of(at: &str, per_mille: u16) -> Result<(), PlanError> {
    bounds(format_args!("{at}.per_mille"), per_mille, 1, 1_000)
}

/// Two fields that stand below `field`.
pub(super) fn min_max(
    field: Arguments<'_>,
    (min_name, min): (&'static str, u64),
    (max_name, max): (&'static str, u64),
) -> Result<(), PlanError> {
    if min <= max {
        return Ok(());
    }
    Err(PlanError::MinAboveMax { field: field.to_string(), min_name, min, max_name, max })
}
