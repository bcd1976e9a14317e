//! Nodes that go away one after the other, each just when the one before comes back.
//!
//! ```text
//!   n0 ▓▓▓▓▓▓▓▓▓
//!   n1          ▓▓▓▓▓▓▓▓▓
//!   n2                   ▓▓▓▓▓▓▓▓▓
//! ```
//!
//! Where nodes lead in turn each of them is cut off with what it alone has, others go on without it, and it is back when
//! somebody is missing who knows of that: what has to be carried from one leader to the next is carried by few.

use std::collections::BTreeSet;

use quorate_plan::{Endpoint, Fault, FaultClass, PartitionShape, Plan, PlannedFault, two_sides};

use super::{Draw, pace};

/// One in so many seeds.
const ONE_IN: u64 = 6;
/// How long each is away, about, in milliseconds: less than others need to miss it, as long, or longer.
const SPANS_MS: [u64; 4] = [300, 600, 900, 1_500];

/// Whether a seed has such a relay.
pub(super) fn is_drawn(seed: u64, nodes: u16) -> bool {
    nodes >= 3 && Draw::new(seed, "relay").one_in(ONE_IN)
}

/// Puts a relay in place of all that takes nodes away. With `may_end`, processes end too.
pub(super) fn add(plan: &mut Plan, may_end: bool) {
    let mut draw = Draw::new(plan.seed, "relays");
    let nodes = plan.system.nodes;
    plan.faults.retain(|planned| !takes_away(planned.fault.class()));
    let span_ms = draw.of(&SPANS_MS);
    // Those with the lowest names lead first, in most systems.
    let mut node = if draw.one_in(2) { 0 } else { draw.node(nodes) };
    let is_in_turn = !draw.one_in(4);
    // How many clients go with the node: few, half or most.
    let quarters = draw.between(1, 3);
    let mut at_ms = draw.between(10, 200);
    for _ in 0..draw.between(2, 4) {
        let for_ms = draw.between(span_ms / 2, span_ms * 3 / 2);
        let fault = match draw.below(6) {
            0 if may_end => Fault::Kill { nodes: [node].into(), after_effects: None },
            1 => Fault::Pause { nodes: [node].into() },
            _ => apart(node, plan, quarters, &mut draw),
        };
        plan.faults.push(PlannedFault { when: None, at_ms, for_ms, fault });
        at_ms += for_ms;
        node = if is_in_turn { (node + 1) % nodes } else { draw.node(nodes) };
    }
    pace::lasts(plan, at_ms + span_ms, &mut draw);
    plan.faults.sort_by_key(|planned| planned.at_ms);
}

fn takes_away(class: FaultClass) -> bool {
    class.ends_processes() || matches!(class, FaultClass::Partition | FaultClass::Pause)
}

/// A node and some clients on one side, all others on the other.
fn apart(node: u16, plan: &Plan, quarters: u64, draw: &mut Draw) -> Fault {
    let clients = plan.workload.clients;
    let with_it = (0..clients).filter(|_| draw.below(4) < quarters).map(Endpoint::Client);
    let near: BTreeSet<Endpoint> = [Endpoint::Node(node)].into_iter().chain(with_it).collect();
    let grudge = two_sides(plan.system.nodes, clients, |end| near.contains(end));
    Fault::Partition { shape: PartitionShape::IsolateOne, grudge }
}
