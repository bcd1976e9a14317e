//! What was found, counted, with a few examples of each kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Anomaly, Consistency};

/// All of one kind that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What kind.
    pub anomaly: Anomaly,
    /// The weakest consistency that forbids it.
    pub forbidden_from: Consistency,
    /// How often; of cycles, in how many separate groups of transactions.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What is wrong, without a full stop.
    pub sentence: String,
    /// More about it, line by line: the transactions of a cycle, and why each comes before the next.
    pub lines: Vec<String>,
    /// The transactions that it is about, by the indices of their beginnings.
    pub transactions: Vec<u64>,
}

/// How many examples of a kind are kept.
const EXAMPLES: usize = 4;

/// Collects them.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    found: BTreeMap<Anomaly, (u64, Vec<Example>)>,
}

impl Findings {
    /// Counts one more; `example` is asked for only while there are few.
    pub(super) fn add(&mut self, anomaly: Anomaly, example: impl FnOnce() -> Example) {
        let (count, examples) = self.found.entry(anomaly).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All, the worst first.
    pub(super) fn finish(self) -> Vec<Finding> {
        let finding = |(anomaly, (count, examples)): (Anomaly, (u64, Vec<Example>))| Finding {
            anomaly,
            forbidden_from: anomaly.forbidden_from(),
            count,
            examples,
        };
        self.found.into_iter().map(finding).collect()
    }
}
