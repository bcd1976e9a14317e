//! What such a checker says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Undecided;
use crate::verdict::Verdict;

/// The judgement of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Invalid if a problem is a violation.
    pub verdict: Verdict,
    /// Who judged.
    pub checker: String,
    /// Why nothing can be said, where that is so.
    pub undecided: Option<String>,
    /// What is wrong, or worth knowing, by its name.
    pub problems: BTreeMap<String, Problem>,
    /// How much there was, by name.
    pub counts: BTreeMap<String, u64>,
}

/// All of one kind that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Whether it makes the history invalid.
    pub is_violation: bool,
    /// How often.
    pub count: u64,
    /// The first few: a sentence each, without a full stop.
    pub examples: Vec<String>,
}

/// How many examples of a kind are kept.
const EXAMPLES: usize = 8;

impl Report {
    pub(super) fn new(checker: &str) -> Self {
        Self {
            verdict: Verdict::Unknown,
            checker: checker.to_owned(),
            undecided: None,
            problems: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// One sentence for each kind of violation, or why nothing can be said.
    pub fn sentences(&self) -> Vec<String> {
        let violations = self.problems.iter().filter(|(_, problem)| problem.is_violation);
        let sentence = |(name, problem): (&String, &Problem)| {
            let what = problem.examples.first().map_or("", String::as_str);
            let more = match problem.count {
                0 | 1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            format!("{}: {name}: {what}{more}", self.checker)
        };
        violations.map(sentence).chain(self.undecided.clone()).collect()
    }

    pub(super) fn count(&mut self, name: &str, count: usize) {
        self.counts.insert(name.to_owned(), count as u64);
    }

    /// Something that must not be.
    pub(super) fn violation(&mut self, name: &str, example: impl FnOnce() -> String) {
        self.problem(name, true, example);
    }

    /// Something that is allowed and worth knowing.
    pub(super) fn note(&mut self, name: &str, example: impl FnOnce() -> String) {
        self.problem(name, false, example);
    }

    pub(super) fn has_violations(&self) -> bool {
        self.problems.values().any(|problem| problem.is_violation)
    }

    pub(super) fn finish(mut self, outcome: Result<(), Undecided>) -> Self {
        self.verdict = match outcome {
            Err(why) => {
                self.undecided = Some(why);
                Verdict::Unknown
            }
            Ok(()) if self.has_violations() => Verdict::Invalid,
            Ok(()) => Verdict::Valid,
        };
        // What cannot be decided on the whole may still be certainly broken.
        if self.has_violations() {
            self.verdict = Verdict::Invalid;
        }
        self
    }

    fn problem(&mut self, name: &str, is_violation: bool, example: impl FnOnce() -> String) {
        let problem = self.problems.entry(name.to_owned()).or_insert(Problem {
            is_violation,
            count: 0,
            examples: Vec::new(),
        });
        problem.count += 1;
        if problem.examples.len() < EXAMPLES {
            problem.examples.push(example());
        }
    }
}
