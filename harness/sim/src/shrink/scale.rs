//! Fewer nodes, plainer options, shorter times, a small seed.

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::{Durations, Fault, Plan};

use super::rename::{Renaming, options_without, with_and_without_trace};
use super::{Work, other_seeds};

/// Seeds that are tried for a cluster that is smaller, or has other options.
const SEEDS: u64 = 12;
/// Times that are easy to read, in milliseconds.
const ROUND_MS: &[u64] = &[100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];

impl Work<'_> {
    /// As many nodes less as can be, some that lie together.
    pub(super) fn fewer_nodes(&mut self) {
        let mut count = self.current.system.nodes.saturating_sub(1);
        while count > 0 {
            if !self.without_so_many(count) {
                count -= 1;
            }
            count = count.min(self.current.system.nodes.saturating_sub(1));
        }
    }

    fn without_so_many(&mut self, count: u16) -> bool {
        let nodes = self.current.system.nodes;
        for first in (0..=nodes - count).rev() {
            let gone: BTreeSet<u16> = (first..first + count).collect();
            for plan in without_nodes(&self.current, &gone) {
                if self.improve_with_seeds(&plan, SEEDS) {
                    return true;
                }
            }
        }
        false
    }

    /// Options that are not needed, and lists of ones.
    pub(super) fn plainer_options(&mut self) {
        let names: Vec<String> = self.current.system.options.keys().cloned().collect();
        let bare = with_options(&self.current, BTreeMap::new());
        if self.improve_with_seeds(&bare, SEEDS) {
            return;
        }
        for name in &names {
            let mut plan = self.current.clone();
            plan.system.options.remove(name);
            self.improve_with_all_seeds(&plan);
        }
        for name in &names {
            for digit in ["0", "1", "2"] {
                self.level(name, digit);
            }
        }
    }

    /// Entries of a list, one after the other, become this number.
    fn level(&mut self, name: &str, digit: &str) {
        let Some(value) = self.current.system.options.get(name) else { return };
        let count = value.split(',').count();
        if count < 2 {
            return;
        }
        for place in 0..count {
            let Some(value) = self.current.system.options.get(name) else { return };
            let mut entries: Vec<&str> = value.split(',').collect();
            if let Some(entry) = entries.get_mut(place)
                && sum(digit) < sum(entry)
            {
                *entry = digit;
                let mut plan = self.current.clone();
                plan.system.options.insert(name.to_owned(), entries.join(","));
                self.take(&plan);
            }
        }
    }

    fn improve_with_all_seeds(&mut self, plan: &Plan) -> bool {
        self.improve(plan) || other_seeds(plan, SEEDS).any(|plan| self.improve(&plan))
    }

    pub(super) fn plainer_times(&mut self) {
        let base = self.current.durations;
        for ms in ROUND_MS {
            let durations = Durations { time_limit_ms: *ms, ..self.current.durations };
            let plan = Plan { durations, ..self.current.clone() };
            if *ms < base.time_limit_ms && self.improve(&plan) {
                break;
            }
        }
        let default = Durations::default();
        for ms in [default.operation_timeout_ms, 10_000] {
            let durations = Durations { operation_timeout_ms: ms, ..self.current.durations };
            let plan = Plan { durations, ..self.current.clone() };
            if self.improve(&plan) {
                break;
            }
        }
        let final_reads_ms = default.final_reads_ms;
        let durations = Durations { final_reads_ms, ..self.current.durations };
        if durations != self.current.durations {
            let plan = Plan { durations, ..self.current.clone() };
            self.take(&plan);
        }
        let plan = self.current.clone();
        let _ = other_seeds(&plan, 5).any(|plan| self.improve(&plan));
    }
}

fn sum(entry: &str) -> u64 {
    entry.parse().unwrap_or_default()
}

fn with_options(plan: &Plan, options: BTreeMap<String, String>) -> Plan {
    let mut plan = plan.clone();
    plan.system.options = options;
    plan
}

/// The plan without these nodes, once for each way that its options may have to change along.
fn without_nodes(plan: &Plan, gone: &BTreeSet<u16>) -> Vec<Plan> {
    let nodes = plan.system.nodes;
    let fewer = Renaming::without_nodes(plan, gone).apply(plan);
    let mut plans = Vec::new();
    for options in options_without(&plan.system.options, nodes, gone) {
        let mut plan = with_options(&fewer, options);
        let changes = plan.faults.iter_mut().filter_map(|planned| match &mut planned.fault {
            Fault::Reconfigure { options } => Some(options),
            _ => None,
        });
        for options in changes {
            // The first guess that changes anything is the one that changes most.
            let guesses = options_without(options, nodes, gone);
            if let Some(guess) = guesses.into_iter().next() {
                *options = guess;
            }
        }
        plans.extend(with_and_without_trace(plan));
    }
    plans
}
