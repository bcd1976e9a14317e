//! The shape of a shrunk plan: what kinds of things bring the failure about. Two findings with the same shape that break
//! the same demand are most likely the same bug.

use std::collections::BTreeSet;
use std::fmt;

use quorate_plan::{Act, Delay, Fault, FaultClass, Plan, Weather};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What kinds of faults there are, and what becomes of which kinds of messages: each kind once, in a fixed order. Left out is
/// what differs between findings of one bug: numbers, nodes, clients, keys, times, and which operations it shows in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    faults: BTreeSet<String>,
    /// Nothing where chance decides about messages.
    messages: Option<BTreeSet<String>>,
}

/// The name of a shape has so many digits: enough for the few shapes of a campaign.
const DIGITS: usize = 8;

impl Shape {
    /// The shape of a plan.
    pub fn of(plan: &Plan) -> Self {
        let has_chance = !is_calm(plan.weather.unwrap_or_default())
            || plan.faults.iter().any(|planned| is_of_messages(planned.fault.class()))
            || !plan.trace.is_empty();
        let rules = plan.rules.iter().map(|rule| {
            let kind = rule.message.kind.as_deref().unwrap_or("any message");
            format!("{} {kind}", act_name(&rule.act))
        });
        let faults = plan.faults.iter().map(|planned| &planned.fault);
        Self {
            faults: faults.filter(|fault| !is_of_messages(fault.class())).map(fault_name).collect(),
            messages: (!has_chance).then(|| rules.collect()),
        }
    }

    /// Whether all that this one is made of is found in the other as well. Then what shows there most likely is this, with
    /// something more that could not be taken away one by one. Chance may do whatever a rule does. What shows by itself is
    /// part of nothing else, and neither is what leaves messages to chance: they say too little.
    pub fn is_part_of(&self, other: &Self) -> bool {
        let is_within = match (&self.messages, &other.messages) {
            (Some(own), Some(others)) => own.is_subset(others),
            (Some(_), None) => true,
            (None, _) => false,
        };
        let says_something = self.size() > (false, 0);
        self == other || (says_something && is_within && self.faults.is_subset(&other.faults))
    }

    /// How many kinds of things it is made of, behind whether chance decides about messages: less is easier to understand.
    pub fn size(&self) -> (bool, usize) {
        let messages = self.messages.as_ref().map_or(0, BTreeSet::len);
        (self.messages.is_none(), self.faults.len() + messages)
    }

    /// A short name: hexadecimal digits of a hash of it, the same on every machine.
    pub fn name(&self) -> String {
        let mut digest = Digest::new();
        digest.value(&self.to_string().as_str());
        digest.to_hex().chars().take(DIGITS).collect()
    }
}

/// `crash; drop REPLY`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = self.messages.as_ref().map(|messages| words(messages, "no rule"));
        let messages = messages.as_deref().unwrap_or("messages by chance");
        write!(f, "{}; {messages}", words(&self.faults, "no fault"))
    }
}

fn words(names: &BTreeSet<String>, none: &str) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// Whether nothing is lost, doubled or reordered by itself.
fn is_calm(weather: Weather) -> bool {
    matches!(weather.delay, Delay::Constant { .. })
        && weather.loss_per_mille == 0
        && weather.duplicate_per_mille == 0
}

const fn is_of_messages(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::Partition
            | FaultClass::Delay
            | FaultClass::Loss
            | FaultClass::Duplicate
            | FaultClass::Reorder
            | FaultClass::Corrupt
    )
}

/// All ways for a process to end are one: whoever comes back has lost its memory.
fn fault_name(fault: &Fault) -> String {
    let class = fault.class();
    if class.ends_processes() {
        return "crash".to_owned();
    }
    let lie = match fault {
        Fault::Byzantine { lie, .. } | Fault::ByzantineClients { lie, .. } => Some(lie),
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
        | Fault::Reconfigure { .. } => None,
    };
    lie.map_or_else(|| class.name().to_owned(), |lie| format!("{class} {lie}"))
}

const fn act_name(act: &Act) -> &'static str {
    match act {
        Act::Drop | Act::Corrupt => "drop",
        Act::DelayMs(_) | Act::DelayUs(_) | Act::HoldUntil(_) | Act::Hold => "delay",
        Act::DuplicateAfterMs(_) => "duplicate",
    }
}

#[cfg(test)]
mod tests {
    use quorate_plan::from_toml;

    use super::*;

    fn plan(fault: &str, weather: &str) -> Plan {
        from_toml(&format!(
            "name = \"a\"\nseed = 1\nworld = \"sim\"\n\
             system = {{ kind = \"quorum\", nodes = 5 }}\n{weather}\n\
             [[rules]]\nmessage = {{ kind = \"UPDATE\", to = \"n1\" }}\nact = \"drop\"\n\
             [[faults]]\nat_ms = 3\nfor_ms = 5\nfault = {{ {fault} }}\n"
        ))
        .unwrap()
    }

    const CALM: &str = "weather = { delay = { kind = \"constant\", us = 1000 } }";

    #[test]
    fn nodes_do_not_matter_and_neither_does_how_a_process_ends() {
        let kill = Shape::of(&plan("kind = \"kill\", nodes = [1, 2]", CALM));
        assert_eq!(kill.to_string(), "crash; drop UPDATE");
        assert_eq!(kill, Shape::of(&plan("kind = \"disk\", node = 0, disk = \"full\"", CALM)));
        let pause = Shape::of(&plan("kind = \"pause\", nodes = [1]", CALM));
        assert_ne!(kill.name(), pause.name());
        let lie = |lie| {
            Shape::of(&plan(&format!("kind = \"byzantine\", nodes = [1], lie = \"{lie}\""), CALM))
        };
        assert_ne!(lie("silent"), lie("replay"));
        assert_eq!(lie("silent").to_string(), "byzantine silent; drop UPDATE");
    }

    #[test]
    fn where_chance_decides_about_messages_nobody_knows_which_matter() {
        let drawn = Shape::of(&plan("kind = \"kill\", nodes = [1]", ""));
        assert_eq!(drawn.to_string(), "crash; messages by chance");
        let fault = "kind = \"loss\", ends = [\"n1\"], per_mille = 5";
        let lost = Shape::of(&plan(fault, CALM));
        assert_eq!(lost.to_string(), "no fault; messages by chance");
    }

    #[test]
    fn a_shape_is_part_of_those_that_have_more_or_leave_it_to_chance() {
        let dropped = Shape::of(&plan("kind = \"kill\", nodes = [1]", CALM));
        let mut more = dropped.clone();
        more.faults.insert("reconfigure".to_owned());
        more.messages.as_mut().unwrap().insert("delay QUERY".to_owned());
        let mut chance = more.clone();
        chance.messages = None;
        let parts = |one: &Shape| [&dropped, &more, &chance].map(|other| one.is_part_of(other));
        assert_eq!(parts(&dropped), [true, true, true]);
        assert_eq!(parts(&more), [false, true, true]);
        assert_eq!(parts(&chance), [false, false, true]);
        assert!(dropped.size() < more.size() && more.size() < chance.size());
        let paused = Shape::of(&plan("kind = \"pause\", nodes = [1]", CALM));
        assert!(!paused.is_part_of(&more) && !dropped.is_part_of(&paused));
        let none = Shape { faults: BTreeSet::new(), messages: Some(BTreeSet::new()) };
        assert!(none.is_part_of(&none) && !none.is_part_of(&dropped));
        let mut vague = chance.clone();
        vague.faults.clear();
        assert!(vague.is_part_of(&vague) && !vague.is_part_of(&chance));
    }

    #[test]
    fn a_shape_has_the_same_name_for_ever() {
        assert_eq!(Shape::of(&plan("kind = \"kill\", nodes = [1]", CALM)).name(), "e289e37d");
    }
}
