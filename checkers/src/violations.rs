//! What was found while the run went on: broken invariants, and liveness that was not met.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::{History, Time, Violation, What};
use crate::verdict::Verdict;

/// The violations that a history records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violations {
    /// Invalid as soon as there is one.
    pub verdict: Verdict,
    /// Each, in the order in which they were found.
    pub found: Vec<Found>,
}

/// One violation, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The index of its event.
    pub index: u64,
    /// When.
    pub time: Time,
    /// What.
    pub violation: Violation,
}

impl Violations {
    /// One sentence for each demand that is broken: the first case, and how many more there are.
    pub fn sentences(&self) -> Vec<String> {
        let mut by_demand: BTreeMap<&str, (&Found, usize)> = BTreeMap::new();
        for found in &self.found {
            by_demand.entry(&found.violation.demand).or_insert((found, 0)).1 += 1;
        }
        let mut first: Vec<_> = by_demand.into_values().collect();
        first.sort_by_key(|(found, _)| found.index);
        first
            .into_iter()
            .map(|(Found { index, violation, .. }, count)| {
                let more = match count - 1 {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                let Violation { demand, what, .. } = violation;
                format!("{demand} does not hold at index {index}: {what}{more}")
            })
            .collect()
    }
}

/// Collects the violations of a history.
pub fn violations(history: &History) -> Violations {
    let found: Vec<Found> = history
        .events()
        .iter()
        .filter_map(|event| match &event.what {
            What::Violation(violation) => {
                Some(Found { index: event.index, time: event.time, violation: violation.clone() })
            }
            What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Nemesis(_) => {
                None
            }
        })
        .collect();
    let verdict = if found.is_empty() { Verdict::Valid } else { Verdict::Invalid };
    Violations { verdict, found }
}
