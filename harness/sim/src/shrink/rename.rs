//! Plans with fewer nodes, clients and keys: what is left moves up.

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::{
    Act, Endpoint, Fault, MessageMatch, Moment, Plan, PlannedFault, Rule, Script,
    ScriptedOperation, TraceEntry, TraceStep,
};

/// The new number of each node and client; nothing for those that are gone.
pub(super) struct Renaming {
    pub(super) nodes: Vec<Option<u16>>,
    pub(super) clients: Vec<Option<u32>>,
}

impl Renaming {
    /// All but these nodes.
    pub(super) fn without_nodes(plan: &Plan, gone: &BTreeSet<u16>) -> Self {
        let mut next = 0;
        let nodes = (0..plan.system.nodes).map(|node| {
            let is_left = !gone.contains(&node);
            next += u16::from(is_left);
            is_left.then(|| next - 1)
        });
        let nodes = nodes.collect();
        Self { nodes, clients: (0..plan.workload.clients).map(Some).collect() }
    }

    /// All but these clients.
    pub(super) fn without_clients(plan: &Plan, gone: &BTreeSet<u32>) -> Self {
        let mut next = 0;
        let clients = (0..plan.workload.clients).map(|client| {
            let is_left = !gone.contains(&client);
            next += u32::from(is_left);
            is_left.then(|| next - 1)
        });
        let clients = clients.collect();
        Self { nodes: (0..plan.system.nodes).map(Some).collect(), clients }
    }

    /// The plan without what is gone. The system's options stay as they are.
    pub(super) fn apply(&self, plan: &Plan) -> Plan {
        let mut new = plan.clone();
        new.system.nodes = count(&self.nodes);
        new.workload.clients = u32::try_from(self.clients.iter().flatten().count()).unwrap_or(1);
        new.scripts = plan.scripts.iter().filter_map(|script| self.script(script)).collect();
        new.faults = plan.faults.iter().filter_map(|fault| self.fault(fault)).collect();
        new.rules = plan.rules.iter().filter_map(|rule| self.rule(rule)).collect();
        new.trace = plan.trace.iter().filter_map(|entry| self.entry(entry)).collect();
        if let Some(liveness) = &mut new.liveness
            && let Some(core) = &mut liveness.core
        {
            *core = self.nodes_of(core);
        }
        new
    }

    fn node(&self, node: u16) -> Option<u16> {
        self.nodes.get(usize::from(node)).copied().flatten()
    }

    fn client(&self, client: u32) -> Option<u32> {
        self.clients.get(client as usize).copied().flatten()
    }

    fn end(&self, end: Endpoint) -> Option<Endpoint> {
        match end {
            Endpoint::Node(node) => self.node(node).map(Endpoint::Node),
            Endpoint::Client(client) => self.client(client).map(Endpoint::Client),
        }
    }

    fn nodes_of(&self, nodes: &BTreeSet<u16>) -> BTreeSet<u16> {
        nodes.iter().filter_map(|node| self.node(*node)).collect()
    }

    fn ends_of(&self, ends: &BTreeSet<Endpoint>) -> BTreeSet<Endpoint> {
        ends.iter().filter_map(|end| self.end(*end)).collect()
    }

    fn script(&self, script: &Script) -> Option<Script> {
        let Endpoint::Client(client) = self.end(Endpoint::Client(script.client))? else {
            return None;
        };
        let operations = script.operations.iter().map(|operation| {
            let when = operation.when.as_ref().and_then(|when| self.moment(when));
            ScriptedOperation { when, ..operation.clone() }
        });
        Some(Script { client, operations: operations.collect() })
    }

    fn fault(&self, planned: &PlannedFault) -> Option<PlannedFault> {
        let mut new = planned.clone();
        new.when = match &planned.when {
            Some(when) => Some(self.moment(when)?),
            None => None,
        };
        let is_left = match &mut new.fault {
            Fault::Partition { grudge, .. } => {
                let left: BTreeMap<_, _> = grudge
                    .iter()
                    .filter_map(|(to, shunned)| Some((self.end(*to)?, self.ends_of(shunned))))
                    .filter(|(_, shunned)| !shunned.is_empty())
                    .collect();
                *grudge = left;
                !grudge.is_empty()
            }
            Fault::Delay { ends, .. }
            | Fault::Loss { ends, .. }
            | Fault::Duplicate { ends, .. }
            | Fault::Reorder { ends, .. }
            | Fault::Corrupt { ends, .. } => {
                *ends = self.ends_of(ends);
                !ends.is_empty()
            }
            Fault::Kill { nodes, .. }
            | Fault::PowerLoss { nodes, .. }
            | Fault::Pause { nodes }
            | Fault::Clock { nodes, .. }
            | Fault::Byzantine { nodes, .. } => {
                *nodes = self.nodes_of(nodes);
                !nodes.is_empty()
            }
            Fault::ByzantineClients { clients, .. } => {
                let left = clients.iter().filter_map(|client| self.client(*client));
                *clients = left.collect();
                !clients.is_empty()
            }
            Fault::Disk { node, .. } => match self.node(*node) {
                Some(new) => {
                    *node = new;
                    true
                }
                None => false,
            },
            Fault::Reconfigure { .. } => true,
        };
        is_left.then_some(new)
    }

    fn rule(&self, rule: &Rule) -> Option<Rule> {
        let moment = |moment: &Option<Moment>| match moment {
            Some(moment) => self.moment(moment).map(Some),
            None => Some(None),
        };
        let act = match &rule.act {
            Act::HoldUntil(until) => Act::HoldUntil(self.moment(until)?),
            act @ (Act::Drop
            | Act::Hold
            | Act::Corrupt
            | Act::DelayMs(_)
            | Act::DelayUs(_)
            | Act::DuplicateAfterMs(_)) => act.clone(),
        };
        Some(Rule {
            message: self.message(&rule.message)?,
            after: moment(&rule.after)?,
            until: moment(&rule.until)?,
            act,
        })
    }

    fn entry(&self, entry: &TraceEntry) -> Option<TraceEntry> {
        let step = match &entry.step {
            TraceStep::Deliver(asked) => TraceStep::Deliver(self.message(asked)?),
            TraceStep::Lose(asked) => TraceStep::Lose(self.message(asked)?),
            TraceStep::Wake { who, timer } => {
                TraceStep::Wake { who: self.end(*who)?, timer: *timer }
            }
            TraceStep::Sync { node } => TraceStep::Sync { node: self.node(*node)? },
        };
        Some(TraceEntry { step, ..*entry })
    }

    fn message(&self, asked: &MessageMatch) -> Option<MessageMatch> {
        let end = |end: Option<Endpoint>| match end {
            Some(end) => self.end(end).map(Some),
            None => Some(None),
        };
        Some(MessageMatch { from: end(asked.from)?, to: end(asked.to)?, ..asked.clone() })
    }

    fn moment(&self, moment: &Moment) -> Option<Moment> {
        let mut new = moment.clone();
        match &mut new {
            Moment::AtMs(_) => {}
            Moment::Sent(asked) | Moment::Delivered(asked) => *asked = self.message(asked)?,
            Moment::Observed(asked) => {
                if let Some(by) = &mut asked.by {
                    *by = self.end(*by)?;
                }
            }
            Moment::Invoked(asked) | Moment::Completed(asked) => {
                if let Some(client) = &mut asked.client {
                    *client = self.end(*client)?;
                }
            }
            Moment::Started(asked) | Moment::Crashed(asked) => {
                if let Some(node) = &mut asked.node {
                    *node = self.node(*node)?;
                }
            }
        }
        Some(new)
    }
}

/// A plan as it is, then without its trace: a recording of one cluster may make sense for another, or not.
pub(super) fn with_and_without_trace(plan: Plan) -> impl Iterator<Item = Plan> {
    let bare = (!plan.trace.is_empty()).then(|| Plan { trace: Vec::new(), ..plan.clone() });
    std::iter::once(plan).chain(bare)
}

fn count(numbers: &[Option<u16>]) -> u16 {
    u16::try_from(numbers.iter().flatten().count()).unwrap_or(1)
}

/// Options for a cluster without these nodes, as far as that can be guessed: lists with an entry for each node lose
/// theirs, lists of nodes lose the nodes, numbers become smaller or stay. Whether one of them makes sense is the
/// system's to say.
pub(super) fn options_without(
    options: &BTreeMap<String, String>,
    nodes: u16,
    gone: &BTreeSet<u16>,
) -> Vec<BTreeMap<String, String>> {
    let mut all = vec![options.clone()];
    for (name, value) in options {
        for other in values_without(value, nodes, gone) {
            let with: Vec<_> = all
                .iter()
                .map(|options| {
                    let mut options = options.clone();
                    options.insert(name.clone(), other.clone());
                    options
                })
                .collect();
            all.extend(with);
        }
    }
    // Changes that are made at once come first: lists that do not fit are refused anyway.
    all.reverse();
    all.truncate(VARIANTS_MAX);
    all
}

/// More guesses than this are not made.
const VARIANTS_MAX: usize = 24;

fn values_without(value: &str, nodes: u16, gone: &BTreeSet<u16>) -> Vec<String> {
    let entries: Option<Vec<u64>> = value.split(',').map(|entry| entry.parse().ok()).collect();
    let Some(entries) = entries else { return Vec::new() };
    if let [number] = *entries.as_slice() {
        let by = gone.len() as u64;
        let smaller = [number.checked_sub(by), number.checked_sub(1)];
        let mut smaller: Vec<_> =
            smaller.into_iter().flatten().filter(|number| *number > 0).collect();
        smaller.dedup();
        return smaller.into_iter().map(|number| number.to_string()).collect();
    }
    let joined = |entries: Vec<u64>| {
        let texts: Vec<String> = entries.iter().map(u64::to_string).collect();
        texts.join(",")
    };
    let is_gone = |number: u64| u16::try_from(number).is_ok_and(|node| gone.contains(&node));
    let mut others = Vec::new();
    if entries.len() == usize::from(nodes) {
        let left = (0..).zip(&entries).filter(|(place, _)| !is_gone(*place));
        others.push(joined(left.map(|(_, entry)| *entry).collect()));
    }
    let renumbered = entries.iter().filter(|node| !is_gone(**node));
    let below = |node: u64| gone.iter().filter(|gone| u64::from(**gone) < node).count() as u64;
    others.push(joined(renumbered.map(|node| node - below(*node)).collect()));
    others.retain(|other| other != value && !other.is_empty());
    others
}
