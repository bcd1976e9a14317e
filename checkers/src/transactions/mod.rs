//! Transactions over lists that are appended to: are they serialisable, strictly or within snapshots?
//!
//! A read of a list tells which appends came before it and in which order, so the order of all versions of a key can
//! be read off its longest read, and with it who must come before whom. A circle among transactions then is a proof
//! that no order exists, and what kinds of edges it has says which consistency is broken (Kingsbury and Alvaro, "Elle:
//! Inferring Isolation Anomalies from Experimental Observations", VLDB 2020; the anomalies are those of Adya's thesis,
//! MIT 1999). All of it is linear in the size of the history, but for sorting.
//!
//! What happened to a transaction matters:
//!
//! - One that is [`Fate::Ok`] happened, and its reads saw what they returned.
//! - One that is [`Fate::Failed`] did not happen. If an element of it was read, that is `G1a`.
//! - One that is [`Fate::Unknown`] may have happened. It did if any element of it was read; else it is left out. What
//!   it read is not known. It has no end, so it comes before nothing by real time.
//!
//! For serialisability, with and without sessions and real time, the answer is exact: where nothing is found, any
//! topological order of the graph is an order that explains every read. For snapshot isolation it is exact up to
//! appends that nobody read: where two transactions appended unread to one key, their order is unknown, and one that
//! fits is looked for once; if it does not fit, the verdict is unknown.

mod anomaly;
mod circle;
mod components;
mod cycles;
mod dependencies;
mod explain;
mod findings;
mod graph;
mod operations;
mod record;
mod single;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use serde::{Deserialize, Serialize};

use crate::history::{ProcessId, Value};
use crate::verdict::Verdict;

pub use anomaly::{Anomaly, Circle, Consistency, Order};
pub use findings::{Example, Finding};
pub use operations::check_operations;

use dependencies::dependencies;
use findings::Findings;
use record::Recorded;

/// One transaction: what it did at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// Who. A process does one thing at a time.
    pub process: ProcessId,
    /// Where it begins in the history. Indices of all beginnings and ends differ and are in the order of real time.
    pub invoke: u64,
    /// Where it ends; nothing if the history ends before.
    pub complete: Option<u64>,
    /// What became of it.
    pub fate: Fate,
    /// What it did, in its own order.
    pub micros: Vec<Micro<'a>>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It happened.
    Ok,
    /// It did not happen and never will.
    Failed,
    /// Nobody knows: it may have happened, or may still happen at any time.
    Unknown,
}

/// One part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Micro<'a> {
    /// Puts an element at the end of a list. No element is appended to a list twice.
    Append {
        /// Which list.
        key: &'a Value,
        /// The element.
        element: &'a Value,
    },
    /// Looks at a list.
    Read {
        /// Which list.
        key: &'a Value,
        /// All its elements. Means nothing in a transaction that is not [`Fate::Ok`].
        seen: &'a [Value],
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Invalid if there is any finding.
    pub verdict: Verdict,
    /// What the transactions were held to.
    pub consistency: Consistency,
    /// Why nothing can be said, where that is so.
    pub undecided: Option<String>,
    /// What the consistency forbids and was found, the worst first.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub counts: Counts,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Transactions.
    pub transactions: u64,
    /// Those that happened.
    pub ok: u64,
    /// Those that did not happen.
    pub failed: u64,
    /// Those of which nobody knows.
    pub unknown: u64,
    /// Of the unknown ones those that were found to have happened: something of them was read.
    pub seen: u64,
    /// Lists.
    pub keys: u64,
    /// Appends of transactions that happened.
    pub appends: u64,
    /// Of these the ones that nobody read.
    pub unread: u64,
    /// Edges between transactions that were drawn: who must come before whom.
    pub edges: u64,
}

impl Report {
    /// One sentence for each kind of finding, or why nothing can be said; nothing where all is well. Without a full
    /// stop.
    pub fn sentences(&self) -> Vec<String> {
        let of_finding = |finding: &Finding| {
            let what = finding.examples.first().map_or("", |example| example.sentence.as_str());
            let more = match finding.count {
                0 | 1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            let broken = finding.anomaly.forbidden_from();
            format!("not {broken}: {}: {what}{more}", finding.anomaly)
        };
        self.findings.iter().map(of_finding).chain(self.undecided.clone()).collect()
    }
}

/// Judges transactions.
pub fn check(transactions: &[Transaction<'_>], consistency: Consistency) -> Report {
    let mut findings = Findings::default();
    let mut counts = tally(transactions);
    let report = |verdict, undecided, findings: Findings, counts| Report {
        verdict,
        consistency,
        undecided,
        findings: findings.finish(),
        counts,
    };
    let mut recorded = match Recorded::of(transactions, &mut findings) {
        Ok(recorded) => recorded,
        Err(malformed) => {
            return report(Verdict::Unknown, Some(malformed), Findings::default(), counts);
        }
    };
    single::look(&recorded, &mut findings);
    let graph = dependencies(&recorded, consistency);
    recorded.count(&mut counts);
    counts.edges = u64::from(graph.edge_count());
    let tangled = cycles::search(&recorded, &graph, consistency, &mut findings);
    drop(graph);
    if !findings.is_empty() {
        return report(Verdict::Invalid, None, findings, counts);
    }
    let undecided = if counts.ok == 0 {
        Some("no transaction is known to have happened, so there is nothing to judge".to_owned())
    } else if tangled && !cycles::can_be_settled(&mut recorded) {
        Some(format!(
            "the order of {} appends that nobody read is not known, and the one that was tried does not fit; a read of \
             every key at the end would tell",
            counts.unread
        ))
    } else {
        None
    };
    let verdict = if undecided.is_some() { Verdict::Unknown } else { Verdict::Valid };
    report(verdict, undecided, findings, counts)
}

fn tally(transactions: &[Transaction<'_>]) -> Counts {
    let of = |fate| transactions.iter().filter(|transaction| transaction.fate == fate).count();
    Counts {
        transactions: transactions.len() as u64,
        ok: of(Fate::Ok) as u64,
        failed: of(Fate::Failed) as u64,
        unknown: of(Fate::Unknown) as u64,
        ..Counts::default()
    }
}
