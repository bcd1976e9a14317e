//! Faults: fewer of them, shorter, aimed at fewer nodes, each at what happens and not at a time.

use std::collections::BTreeSet;

use quorate_plan::{Act, Endpoint, Fault, Moment, Plan, PlannedFault, RIGHT_RATE_PPM, Rule};

use super::Work;
use super::calm::exactly;
use super::cost::cost;
use super::ddmin::ddmin;
use super::operations::anchors;
use crate::tape::{Happened, Message, Tape};

/// Lengths and distances that are easy to read, in milliseconds.
const ROUND_MS: &[u64] =
    &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
/// What comes to a node so shortly before it is away may have no consequences, in microseconds.
const LAST_US: u64 = 1_000;
/// Seeds that are tried where a fault is aimed elsewhere: what a power failure leaves is drawn.
const SEEDS: u64 = 8;

impl Work<'_> {
    pub(super) fn drop_faults(&mut self) {
        let base = Plan { fault_classes: Vec::new(), ..self.current.clone() };
        self.improve(&base);
        let calm = Plan { liveness: None, ..self.current.clone() };
        self.improve(&calm);
        let base = self.current.clone();
        let without = |left: &[PlannedFault]| Plan {
            faults: left.to_vec(),
            fault_classes: Vec::new(),
            ..base.clone()
        };
        ddmin(base.faults.clone(), |left| self.take(&without(left)));
        let mut place = self.current.faults.len();
        while place > 0 {
            place -= 1;
            let mut fewer = self.current.clone();
            fewer.faults.remove(place);
            self.improve_with_seeds(&fewer, SEEDS);
        }
    }

    /// Rules for messages in place of a node that is away: where they are fewer, it is only what it does not hear
    /// that matters.
    pub(super) fn faults_to_rules(&mut self) {
        for place in (0..self.current.faults.len()).rev() {
            let tape = self.tape();
            for away in [Away::Unheard, Away::UnheardAndLast, Away::Alone] {
                if self.fault_to_rules(place, &tape, away) {
                    break;
                }
            }
        }
    }

    fn fault_to_rules(&mut self, place: usize, tape: &Tape, away: Away) -> bool {
        let before = self.current.clone();
        let Some(rules) = rules_for(&before, tape, place, away) else { return false };
        let mut plan = before.clone();
        plan.faults.remove(place);
        plan.rules.extend(rules);
        if !self.fails(&plan) {
            return false;
        }
        self.current = plan;
        self.drop_rules();
        self.plainer_rules();
        self.merge_rules();
        let is_smaller = cost(&self.current) < cost(&before);
        if is_smaller {
            self.accept(self.current.clone());
        } else {
            self.current = before;
        }
        is_smaller
    }

    pub(super) fn plainer_faults(&mut self) {
        for place in 0..self.current.faults.len() {
            self.aim_at_fewer(place);
            self.anchor(place);
            self.shorten(place);
            self.simplify(place);
        }
    }

    /// Tries a change of the fault at this place.
    fn with_fault(&mut self, place: usize, change: impl FnOnce(&mut PlannedFault)) -> bool {
        let mut plan = self.current.clone();
        let Some(planned) = plan.faults.get_mut(place) else { return false };
        change(planned);
        sort(&mut plan);
        self.improve_with_seeds(&plan, 0) || self.with_seeds_near(&plan)
    }

    /// The change makes the plan only a little smaller, and so must the seed.
    fn with_seeds_near(&mut self, plan: &Plan) -> bool {
        super::other_seeds(plan, SEEDS).any(|plan| self.improve(&plan))
    }

    fn aim_at_fewer(&mut self, place: usize) {
        let Some(planned) = self.current.faults.get_mut(place) else { return };
        for node in planned.fault.nodes_mut().cloned().unwrap_or_default() {
            self.with_fault(place, |planned| {
                if let Some(nodes) = planned.fault.nodes_mut() {
                    nodes.remove(&node);
                }
            });
        }
        let Some(planned) = self.current.faults.get(place) else { return };
        if let Fault::ByzantineClients { clients, .. } = &planned.fault {
            for client in clients.clone() {
                self.with_fault(place, |planned| {
                    if let Fault::ByzantineClients { clients, .. } = &mut planned.fault {
                        clients.remove(&client);
                    }
                });
            }
        }
        let Some(planned) = self.current.faults.get(place) else { return };
        if let Fault::Partition { grudge, .. } = &planned.fault {
            let links: Vec<_> = grudge
                .iter()
                .flat_map(|(to, shunned)| shunned.iter().map(|from| (*to, *from)))
                .collect();
            for (to, from) in links {
                self.with_fault(place, |planned| {
                    if let Fault::Partition { grudge, .. } = &mut planned.fault {
                        if let Some(shunned) = grudge.get_mut(&to) {
                            shunned.remove(&from);
                        }
                        grudge.retain(|_, shunned| !shunned.is_empty());
                    }
                });
            }
        }
    }

    /// It begins with what happens.
    fn anchor(&mut self, place: usize) {
        let tape = self.tape();
        let Some(planned) = self.current.faults.get(place) else { return };
        let Some(at_us) = begins(&tape, &self.current, place) else { return };
        let is_plain = planned.when.is_none() && planned.at_ms == 0;
        if is_plain || self.with_fault(place, |planned| (planned.when, planned.at_ms) = (None, 0)) {
            return;
        }
        for when in anchors(&tape, Some(at_us), None).into_iter().flatten() {
            let done = match when {
                Moment::AtMs(ms) => {
                    self.with_fault(place, |planned| (planned.when, planned.at_ms) = (None, ms))
                }
                when => self.with_fault(place, |planned| {
                    (planned.when, planned.at_ms) = (Some(when), 0);
                }),
            };
            if done {
                return;
            }
        }
    }

    fn shorten(&mut self, place: usize) {
        let Some(planned) = self.current.faults.get(place) else { return };
        let for_ms = planned.for_ms;
        for ms in ROUND_MS.iter().filter(|ms| **ms < for_ms) {
            if self.with_fault(place, |planned| planned.for_ms = *ms) {
                return;
            }
        }
    }

    fn simplify(&mut self, place: usize) {
        self.with_fault(place, |planned| match &mut planned.fault {
            Fault::Kill { after_effects, .. } | Fault::PowerLoss { after_effects, .. } => {
                *after_effects = None;
            }
            Fault::Clock { rate_ppm, .. } => *rate_ppm = RIGHT_RATE_PPM,
            _ => {}
        });
        self.with_fault(place, |planned| {
            if let Fault::PowerLoss { nodes, after_effects } = &planned.fault {
                let (nodes, after_effects) = (nodes.clone(), *after_effects);
                planned.fault = Fault::Kill { nodes, after_effects };
            }
        });
    }
}

/// What rules say in place of a node that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// What came while it was away does not come.
    Unheard,
    /// Nor does what came last before that: nothing may have come of it.
    UnheardAndLast,
    /// Nothing passes to it or from it.
    Alone,
}

/// Rules by which nothing passes to and from the nodes of the fault at this place while it lasts; nothing where the
/// fault is none that takes nodes away.
fn rules_for(plan: &Plan, tape: &Tape, place: usize, away: Away) -> Option<Vec<Rule>> {
    let planned = plan.faults.get(place)?;
    let nodes = match &planned.fault {
        Fault::Kill { nodes, .. } | Fault::PowerLoss { nodes, .. } | Fault::Pause { nodes } => {
            nodes.clone()
        }
        Fault::Disk { node, .. } => BTreeSet::from([*node]),
        _ => return None,
    };
    let begins = begins(tape, plan, place)?;
    let ends = begins + planned.for_ms * 1_000;
    let concerns = |end: Endpoint| matches!(end, Endpoint::Node(node) if nodes.contains(&node));
    let is_at = |message: &Message| {
        let due = message.due_us.first().copied().unwrap_or(message.sent_us);
        let is_meanwhile = message.sent_us <= ends && due >= begins;
        let is_last = due < begins && due + LAST_US >= begins;
        match away {
            Away::Alone => is_meanwhile,
            Away::Unheard => is_meanwhile && due <= ends && concerns(message.to),
            Away::UnheardAndLast => {
                concerns(message.to) && due <= ends && (is_meanwhile || is_last)
            }
        }
    };
    let messages = tape.messages.iter().enumerate().filter(|(_, message)| {
        (concerns(message.to) || concerns(message.from)) && is_at(message) && !message.is_late
    });
    let act = || match planned.fault {
        Fault::Pause { .. } => Act::Hold,
        _ => Act::Drop,
    };
    let rule = |(at, _)| Rule { message: exactly(tape, at), after: None, until: None, act: act() };
    Some(messages.map(rule).collect())
}

/// Faults without a moment stand in the order of their times.
fn sort(plan: &mut Plan) {
    plan.faults.sort_by_key(|planned| (planned.when.is_some(), planned.at_ms));
}

/// When the fault at this place of the plan began.
fn begins(tape: &Tape, plan: &Plan, place: usize) -> Option<u64> {
    let planned = plan.faults.get(place)?;
    let what = planned.fault.to_string();
    tape.events.iter().find_map(|event| match &event.what {
        Happened::Fault(nemesis) if nemesis.what.starts_with(&what) => Some(event.at_us),
        _ => None,
    })
}
