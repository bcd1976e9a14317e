//! The shape of a shrunk plan: what kinds of things it is made of. Two findings with the same shape that break the
//! same demand are most likely the same bug.

use std::collections::BTreeSet;
use std::fmt;

use quorate_plan::{Act, Fault, Plan};

use crate::digest::Digest;

/// Which kinds of faults, lies, rules and operations there are in a plan: each kind once, in a fixed order, without
/// numbers, nodes, clients, keys and times. Two plans that differ in those alone have the same shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    faults: BTreeSet<String>,
    rules: BTreeSet<String>,
    operations: BTreeSet<&'static str>,
    is_traced: bool,
}

/// The name of a shape has so many digits: enough for the few shapes of a campaign.
const DIGITS: usize = 8;

impl Shape {
    /// The shape of a plan.
    pub fn of(plan: &Plan) -> Self {
        let of_messages = |act: &Act, kind: Option<&String>| {
            format!("{} {}", act_name(act), kind.map_or("any", String::as_str))
        };
        let rules = plan.rules.iter();
        let scripted = plan.scripts.iter().flat_map(|script| &script.operations);
        let mut operations: BTreeSet<&'static str> =
            scripted.map(|operation| operation.f.name()).collect();
        if plan.scripts.is_empty() {
            operations.insert(plan.workload.kind.name());
        }
        Self {
            faults: plan.faults.iter().map(|planned| fault_name(&planned.fault)).collect(),
            rules: rules.map(|rule| of_messages(&rule.act, rule.message.kind.as_ref())).collect(),
            operations,
            is_traced: !plan.trace.is_empty(),
        }
    }

    /// A short name: hexadecimal digits of a hash of it, the same on every machine.
    pub fn name(&self) -> String {
        let mut digest = Digest::new();
        digest.value(&self.to_string().as_str());
        digest.to_hex().chars().take(DIGITS).collect()
    }
}

/// `kill, byzantine silent; drop UPDATE; read, write`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let operations: Vec<&str> = self.operations.iter().copied().collect();
        let faults =
            if self.faults.is_empty() { "no fault".to_owned() } else { words(&self.faults) };
        let rules = if self.rules.is_empty() { "no rule".to_owned() } else { words(&self.rules) };
        let trace = if self.is_traced { "; a trace" } else { "" };
        write!(f, "{faults}; {rules}; {}{trace}", operations.join(", "))
    }
}

fn fault_name(fault: &Fault) -> String {
    let class = fault.class();
    match fault {
        Fault::Byzantine { lie, .. } | Fault::ByzantineClients { lie, .. } => {
            format!("{class} {lie}")
        }
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
        | Fault::Reconfigure { .. } => class.name().to_owned(),
    }
}

const fn act_name(act: &Act) -> &'static str {
    match act {
        Act::Drop => "drop",
        Act::DelayMs(_) | Act::DelayUs(_) | Act::HoldUntil(_) | Act::Hold => "delay",
        Act::DuplicateAfterMs(_) => "duplicate",
        Act::Corrupt => "corrupt",
    }
}

#[cfg(test)]
mod tests {
    use quorate_plan::from_toml;

    use super::*;

    fn plan(nodes: &str, at_ms: u32, lie: &str) -> Plan {
        from_toml(&format!(
            "name = \"a\"\nseed = {at_ms}\nworld = \"sim\"\n\
             system = {{ kind = \"quorum\", nodes = 5 }}\n\
             [[scripts]]\nclient = 0\ndo = [{{ f = \"write\", key = 0, value = {at_ms} }}]\n\
             [[rules]]\nmessage = {{ kind = \"UPDATE\", to = \"n1\" }}\nact = \"drop\"\n\
             [[faults]]\nat_ms = {at_ms}\nfor_ms = 5\n\
             fault = {{ kind = \"byzantine\", nodes = {nodes}, lie = \"{lie}\" }}\n"
        ))
        .unwrap()
    }

    #[test]
    fn numbers_nodes_and_times_do_not_matter_and_kinds_do() {
        let shape = Shape::of(&plan("[1]", 3, "silent"));
        assert_eq!(shape.to_string(), "byzantine silent; drop UPDATE; write");
        assert_eq!(shape, Shape::of(&plan("[0, 2]", 40, "silent")));
        let other = Shape::of(&plan("[1]", 3, "replay"));
        assert_ne!(shape, other);
        assert_ne!(shape.name(), other.name());
        assert_eq!(shape.name().len(), DIGITS);
    }

    #[test]
    fn a_shape_has_the_same_name_for_ever() {
        assert_eq!(Shape::of(&plan("[1]", 3, "silent")).name(), "");
    }
}
