//! Judging a history by one checker that is asked for, instead of by the model in its header.

use clap::Args;
use clap::builder::PossibleValuesParser;
use quorate_checkers::history::{Key, Operation};
use quorate_checkers::jepsen::{self, BankOptions};
use quorate_checkers::transactions::{self, Consistency, check_operations};
use quorate_checkers::verdict::Verdict;
use serde::Serialize;

use super::Judged;
use crate::output;

/// The name of the checker of transactions.
const LIST_APPEND: &str = "list-append";

/// Which checker, and how strict it is.
#[derive(Debug, Args)]
pub(crate) struct CheckerArguments {
    /// Judge by this checker alone.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(checkers()))]
    checker: Option<String>,

    /// What list-append demands.
    #[arg(
        long,
        default_value = Consistency::StrictSerializable.name(),
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(Consistency::ALL.map(Consistency::name)),
        requires = "checker"
    )]
    consistency: String,

    /// For set-full: an element that was added must be in every read that begins afterwards.
    #[arg(long, requires = "checker")]
    linearizable: bool,

    /// For bank: what all accounts hold together; that of the first read if not given.
    #[arg(long, value_name = "AMOUNT", requires = "checker")]
    total: Option<i64>,

    /// For bank: an account may hold less than nothing.
    #[arg(long, requires = "checker")]
    negative_balances: bool,
}

impl CheckerArguments {
    /// Whether one was asked for.
    pub(super) const fn is_asked_for(&self) -> bool {
        self.checker.is_some()
    }

    /// Judges by the checker that was asked for, if one was.
    pub(crate) fn judge(&self, operations: &[Operation]) -> Option<Judgement> {
        let name = self.checker.as_deref()?;
        let Some(checker) = jepsen::Checker::by_name(name) else {
            let consistency = Consistency::by_name(&self.consistency)?;
            return Some(Judgement::Transactions(check_operations(operations, consistency)));
        };
        let reports = self.options(checker).check_by_key(operations);
        let keyed = |(key, report)| Keyed { key, report };
        Some(Judgement::ByKey(reports.into_iter().map(keyed).collect()))
    }

    fn options(&self, checker: jepsen::Checker) -> jepsen::Checker {
        match checker {
            jepsen::Checker::SetFull { .. } => {
                jepsen::Checker::SetFull { is_linearizable: self.linearizable }
            }
            jepsen::Checker::Bank(_) => jepsen::Checker::Bank(BankOptions {
                total: self.total,
                may_be_negative: self.negative_balances,
            }),
            other => other,
        }
    }
}

/// The names of all.
fn checkers() -> Vec<&'static str> {
    let others = jepsen::Checker::ALL.map(jepsen::Checker::name);
    std::iter::once(LIST_APPEND).chain(others).collect()
}

/// What a checker says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Judgement {
    Transactions(transactions::Report),
    ByKey(Vec<Keyed>),
}

/// What is said of the operations on one key.
#[derive(Debug, Serialize)]
pub(crate) struct Keyed {
    key: Option<Key>,
    report: jepsen::Report,
}

impl Judgement {
    /// As what is said of a file.
    pub(super) fn judged(&self, file: &str) -> Judged {
        Judged {
            file: file.to_owned(),
            verdict: self.verdict(),
            text: self.text(),
            results: serde_json::to_value(self).expect("results have text keys"),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Transactions(report) => report.verdict,
            Self::ByKey(keys) => {
                keys.iter().map(|keyed| keyed.report.verdict).max().unwrap_or(Verdict::Unknown)
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut label = self.verdict().to_string().to_uppercase();
        for sentence in self.sentences() {
            output::line(&mut text, &std::mem::take(&mut label), &sentence);
        }
        output::line(&mut text, &label, &self.summary());
        for line in self.example() {
            output::line(&mut text, "", line);
        }
        text
    }

    fn sentences(&self) -> Vec<String> {
        match self {
            Self::Transactions(report) => report.sentences(),
            Self::ByKey(keys) => {
                let sentences = |keyed: &Keyed| {
                    let key = keyed.key.map_or_else(String::new, |key| format!("key {key}: "));
                    let told = keyed.report.sentences().into_iter();
                    told.map(|sentence| key.clone() + &sentence).collect::<Vec<_>>()
                };
                keys.iter().flat_map(sentences).collect()
            }
        }
    }

    /// The first finding, line by line.
    fn example(&self) -> &[String] {
        match self {
            Self::Transactions(report) => {
                let first = report.findings.first().and_then(|finding| finding.examples.first());
                first.map_or(&[], |example| &example.lines)
            }
            Self::ByKey(_) => &[],
        }
    }

    fn summary(&self) -> String {
        match self {
            Self::Transactions(report) => {
                let counts = &report.counts;
                format!(
                    "{}: {} transactions on {} keys: {} ok, {} failed, {} unknown, {} of them seen; {} appends, {} of \
                     them unread; {} edges",
                    report.consistency,
                    counts.transactions,
                    counts.keys,
                    counts.ok,
                    counts.failed,
                    counts.unknown,
                    counts.seen,
                    counts.appends,
                    counts.unread,
                    counts.edges
                )
            }
            Self::ByKey(keys) => {
                let mut sums = std::collections::BTreeMap::<&str, u64>::new();
                for (name, count) in keys.iter().flat_map(|keyed| &keyed.report.counts) {
                    *sums.entry(name).or_default() += count;
                }
                let sums: Vec<String> =
                    sums.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
                let checker = keys.first().map_or("", |keyed| keyed.report.checker.as_str());
                format!("{checker}: {}", sums.join(", "))
            }
        }
    }
}
