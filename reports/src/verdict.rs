//! The verdict in words.

use std::collections::BTreeSet;

use quorate_checkers::explain::Counterexample;
use quorate_checkers::history::{Operation, Violation};
use quorate_checkers::linearizability::{Finding, Linearizability};
use quorate_checkers::verdict::Verdict;
use quorate_plan::Expectation;

use crate::timeline::arrows;
use crate::units::count;
use crate::{Page, verdict_word};

/// What stands at the top of the page.
pub(crate) struct Headline {
    /// `valid`, `invalid`, `unknown`: also the class in the style sheet.
    pub(crate) word: &'static str,
    /// The verdict without colour.
    pub(crate) mark: &'static str,
    /// The verdict in two words or so.
    pub(crate) title: &'static str,
    /// Why, in one sentence.
    pub(crate) why: String,
    /// What else there is to say.
    pub(crate) more: Vec<String>,
}

/// More sentences than this are not read.
const MORE_MAX: usize = 6;

impl Headline {
    pub(crate) fn new(page: &Page<'_>, operations: &[Operation]) -> Self {
        let verdict = page.results.verdict;
        let (mark, title) = match verdict {
            Verdict::Valid => ("✓", "Linearizable"),
            Verdict::Unknown => ("?", "Not decided"),
            Verdict::Invalid => ("✗", broken(page)),
        };
        // What the title says need not be said again.
        let claim = if title == NOT_LINEARIZABLE { Linearizability::CLAIM } else { "" };
        let bare = |text: &String| sentence(text.strip_prefix(claim).unwrap_or(text));
        let mut sentences = page.results.sentences.iter().map(bare);
        let why = match verdict {
            Verdict::Valid => fits(page, operations),
            Verdict::Unknown | Verdict::Invalid => {
                sentences.next().unwrap_or_else(|| "No reason was given.".to_owned())
            }
        };
        let mut more: Vec<String> = sentences.collect();
        if more.len() > MORE_MAX {
            let hidden = more.len() - MORE_MAX;
            more.truncate(MORE_MAX);
            more.push(format!("And {hidden} more of the kind."));
        }
        if verdict == Verdict::Unknown && all_keys_fit(page) {
            more.push(format!("What there is does fit: {}", lower_first(&fits(page, operations))));
        }
        let expect = page.plan().map_or(Expectation::Valid, |plan| plan.expect);
        more.extend(expected(expect, verdict).map(str::to_owned));
        Self { word: verdict_word(verdict), mark, title, why, more }
    }
}

const NOT_LINEARIZABLE: &str = "Not linearizable";

/// Which demands are not met.
fn broken(page: &Page<'_>) -> &'static str {
    let results = page.results;
    let is_order_broken = results.linearizability.verdict == Verdict::Invalid;
    match (is_order_broken, results.violations.found.as_slice()) {
        (true, []) => NOT_LINEARIZABLE,
        (true, _) => "Not linearizable, and rules are broken",
        (false, found)
            if found.iter().all(|found| found.violation.demand == Violation::LIVENESS) =>
        {
            "Stands still"
        }
        (false, _) => "A rule is broken",
    }
}

/// What a plan that goes too far has to say of its verdict.
fn expected(expect: Expectation, verdict: Verdict) -> Option<&'static str> {
    match (expect, verdict) {
        (Expectation::Valid, _) => None,
        (Expectation::Invalid, Verdict::Invalid) => {
            Some("So it was expected: the plan goes beyond what the system promises to bear.")
        }
        (Expectation::Invalid, Verdict::Valid | Verdict::Unknown) => {
            Some("Harm was expected: the plan goes beyond what the system promises to bear.")
        }
    }
}

fn all_keys_fit(page: &Page<'_>) -> bool {
    let keys = &page.results.linearizability.keys;
    !keys.is_empty() && keys.iter().all(|key| key.finding == Finding::Valid)
}

/// Why a valid history is.
fn fits(page: &Page<'_>, operations: &[Operation]) -> String {
    let keys: BTreeSet<_> = operations.iter().filter_map(|operation| operation.key).collect();
    let of_keys = match keys.len() {
        0 => String::new(),
        1 => " on 1 key".to_owned(),
        keys => format!(" on {} keys", count(keys as u64)),
    };
    format!(
        "All {} operations{of_keys} can be put in one order that agrees with what every client saw, \
         with real time, and with the model “{}”.",
        count(operations.len() as u64),
        page.results.linearizability.model,
    )
}

/// A sentence of a checker, as a sentence. A name at its beginning (`n2`, `c1:`) stays as it is.
pub(crate) fn sentence(text: &str) -> String {
    let is_name = text.starts_with(['n', 'c']) && text.chars().nth(1).is_some_and(char::is_numeric);
    if is_name {
        return format!("{text}.");
    }
    let mut letters = text.chars();
    let first: String =
        letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first: String =
        letters.next().map(|first| first.to_lowercase().collect()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// The key that a counterexample is on.
pub(crate) fn key_of(counterexample: &Counterexample) -> Option<String> {
    counterexample.key.map(|key| key.to_string())
}

/// What would have been possible without the accused operation, one sentence each.
pub(crate) fn orders(counterexample: &Counterexample) -> Vec<String> {
    let text_of = |invoke: &u64| {
        let mut all = counterexample.operations.iter();
        let involved = all.find(|involved| involved.operation.invoke == *invoke);
        involved.map_or_else(|| format!("operation {invoke}"), |involved| arrows(&involved.text))
    };
    let in_words = |order: &quorate_checkers::explain::PossibleOrder| {
        let steps: Vec<String> = order.operations.iter().map(text_of).collect();
        format!("{}: then it holds {}", steps.join(", then "), order.holds)
    };
    counterexample.before.iter().take(ORDERS_MAX).map(in_words).collect()
}

/// A few orders make the point.
const ORDERS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_with_a_capital_and_end_with_a_stop() {
        assert_eq!(sentence("read 3 at index 4"), "Read 3 at index 4.");
        assert_eq!(sentence(""), ".");
        assert_eq!(sentence("c1 has completed 3"), "c1 has completed 3.");
        assert_eq!(sentence("not seen"), "Not seen.");
        assert_eq!(lower_first("All ß"), "all ß");
    }
}
