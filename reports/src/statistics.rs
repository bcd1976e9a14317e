//! The numbers as tables.

use quorate_checkers::linearizability::Finding;
use quorate_checkers::statistics::FunctionStatistics;

use crate::units::{count, noun, span};
use crate::{Page, verdict_word};

/// Operations by function, and what was found for each key.
pub(crate) struct Tables {
    /// The few numbers that everybody wants: number, then name.
    pub(crate) tiles: Vec<(String, String)>,
    pub(crate) functions: Vec<FunctionRow>,
    pub(crate) keys: Vec<KeyRow>,
    /// How many keys are not listed.
    pub(crate) keys_hidden: usize,
}

pub(crate) struct FunctionRow {
    pub(crate) name: String,
    /// Sums of all others.
    pub(crate) is_total: bool,
    pub(crate) invoked: String,
    pub(crate) ok: String,
    pub(crate) fail: String,
    pub(crate) info: String,
    pub(crate) pending: String,
    pub(crate) rate: String,
    /// p50, p90, p99, max.
    pub(crate) latencies: [String; 4],
}

pub(crate) struct KeyRow {
    pub(crate) key: String,
    pub(crate) operations: String,
    pub(crate) nodes: String,
    pub(crate) verdict: &'static str,
    pub(crate) reason: String,
}

/// A table of more keys is not read.
const KEYS_MAX: usize = 200;

impl Tables {
    pub(crate) fn new(page: &Page<'_>) -> Self {
        let results = page.results;
        let statistics = &results.statistics;
        let mut functions: Vec<FunctionRow> = statistics
            .functions
            .iter()
            .map(|(name, row)| FunctionRow::new(name, row, false))
            .collect();
        functions.push(FunctionRow::new("all", &statistics.all, true));
        let keys = &results.linearizability.keys;
        Self {
            tiles: tiles(page),
            functions,
            keys: keys.iter().take(KEYS_MAX).map(KeyRow::new).collect(),
            keys_hidden: keys.len().saturating_sub(KEYS_MAX),
        }
    }
}

fn tiles(page: &Page<'_>) -> Vec<(String, String)> {
    let results = page.results;
    let all = &results.statistics.all;
    let of = |number: u64, what: &str| (count(number), noun(number, what));
    let mut tiles = vec![
        of(all.invoked, "operation"),
        of(results.linearizability.keys.len() as u64, "key"),
        (count(all.ok), "of them ok".to_owned()),
    ];
    if page.is_timed() {
        tiles.push((format!("{:.0}", all.ok_per_second), "ok a second".to_owned()));
    }
    if let Some(latency) = all.latency.filter(|_| page.is_timed()) {
        tiles.push((span(latency.p50_ns), "p50 latency".to_owned()));
        tiles.push((span(latency.p99_ns), "p99 latency".to_owned()));
    }
    tiles.push(of(results.vacuity.faults.len() as u64, "fault"));
    tiles
}

impl FunctionRow {
    fn new(name: &str, numbers: &FunctionStatistics, is_total: bool) -> Self {
        let none = || ["–", "–", "–", "–"].map(str::to_owned);
        Self {
            name: name.to_owned(),
            is_total,
            invoked: count(numbers.invoked),
            ok: count(numbers.ok),
            fail: count(numbers.fail),
            info: count(numbers.info),
            pending: count(numbers.pending),
            rate: format!("{:.1}", numbers.ok_per_second),
            latencies: numbers
                .latency
                .map_or_else(none, |l| [l.p50_ns, l.p90_ns, l.p99_ns, l.max_ns].map(span)),
        }
    }
}

impl KeyRow {
    fn new(result: &quorate_checkers::linearizability::KeyResult) -> Self {
        let reason = match &result.finding {
            Finding::Valid => "",
            Finding::Unknown { reason } => reason,
            Finding::Invalid { counterexample } => &counterexample.sentence,
        };
        Self {
            key: result.key.map_or_else(|| "–".to_owned(), |key| key.to_string()),
            operations: count(result.operations),
            nodes: count(result.nodes),
            verdict: verdict_word(result.finding.verdict()),
            reason: reason.to_owned(),
        }
    }
}
