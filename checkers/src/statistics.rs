//! Counts, rates and latencies.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::history::{Operation, Outcome, Time};

/// The numbers of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// From the beginning of the run to the last event, in nanoseconds.
    pub duration_ns: u64,
    /// All operations together.
    pub all: FunctionStatistics,
    /// By function.
    pub functions: BTreeMap<String, FunctionStatistics>,
}

/// The numbers of one function.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionStatistics {
    /// How many were invoked: the sum of the next four.
    pub invoked: u64,
    /// How many were done.
    pub ok: u64,
    /// How many were certainly not done.
    pub fail: u64,
    /// Of how many nobody knows.
    pub info: u64,
    /// How many had no completion when the history ended.
    pub pending: u64,
    /// How many were done for each second of the run, to a thousandth.
    pub ok_per_second: f64,
    /// Of those that were done; absent if none was.
    pub latency: Option<Latency>,
}

/// Quantiles of the time from invocation to completion, in nanoseconds, to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half took no longer.
    pub p50_ns: u64,
    /// Nine of ten took no longer.
    pub p90_ns: u64,
    /// All but one of a hundred took no longer.
    pub p99_ns: u64,
    /// None took longer.
    pub max_ns: u64,
}

/// Counts and measures the operations of a history that lasted so long.
pub fn statistics(duration_ns: u64, operations: &[Operation]) -> Statistics {
    let mut all = Tally::new();
    let mut functions: BTreeMap<&str, Tally> = BTreeMap::new();
    for operation in operations {
        all.count(operation);
        functions.entry(&operation.f).or_insert_with(Tally::new).count(operation);
    }
    let functions =
        functions.into_iter().map(|(f, tally)| (f.to_owned(), tally.finish(duration_ns))).collect();
    Statistics { duration_ns, all: all.finish(duration_ns), functions }
}

struct Tally {
    numbers: FunctionStatistics,
    latencies: Histogram<u64>,
}

impl Tally {
    fn new() -> Self {
        let latencies = Histogram::new(3).expect("three digits are possible");
        Self { numbers: FunctionStatistics::default(), latencies }
    }

    fn count(&mut self, operation: &Operation) {
        self.numbers.invoked += 1;
        match operation.outcome {
            Outcome::Ok(_) => {
                self.numbers.ok += 1;
                let latency_ns = latency_ns(operation).unwrap_or(0);
                self.latencies.record(latency_ns).expect("the histogram grows as needed");
            }
            Outcome::Fail => self.numbers.fail += 1,
            Outcome::Info => self.numbers.info += 1,
            Outcome::Pending => self.numbers.pending += 1,
        }
    }

    fn finish(mut self, duration_ns: u64) -> FunctionStatistics {
        let per_second_thousandths =
            u128::from(self.numbers.ok) * 1_000_000_000_000 / u128::from(duration_ns.max(1));
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let ok_per_second = per_second_thousandths as f64 / 1_000.0;
        self.numbers.ok_per_second = if duration_ns == 0 { 0.0 } else { ok_per_second };
        let max_ns = self.latencies.max();
        let quantile = |q| self.latencies.value_at_quantile(q).min(max_ns);
        self.numbers.latency = (self.numbers.ok > 0).then(|| Latency {
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            max_ns,
        });
        self.numbers
    }
}

/// How long an operation took, in nanoseconds, if it has completed.
pub fn latency_ns(operation: &Operation) -> Option<u64> {
    Some(operation.completed_at?.0.saturating_sub(operation.invoked_at.0))
}

/// How many operations completed in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Throughput {
    /// When it begins.
    pub from: Time,
    /// Those that were done.
    pub ok: u64,
    /// Those that were certainly not done.
    pub fail: u64,
    /// Those of which nobody knows.
    pub info: u64,
}

/// Completions in stretches of `width_ns`, from time 0 to the last one without a gap. Empty if
/// nothing has completed.
///
/// # Panics
/// If `width_ns` is 0.
pub fn throughput(operations: &[Operation], width_ns: u64) -> Vec<Throughput> {
    let mut stretches: BTreeMap<u64, Throughput> = BTreeMap::new();
    for operation in operations {
        let Some(time) = operation.completed_at else { continue };
        let stretch = stretches.entry(time.0 / width_ns).or_default();
        match operation.outcome {
            Outcome::Ok(_) => stretch.ok += 1,
            Outcome::Fail => stretch.fail += 1,
            Outcome::Info | Outcome::Pending => stretch.info += 1,
        }
    }
    let count = stretches.last_key_value().map_or(0, |(last, _)| last + 1);
    (0..count)
        .map(|number| Throughput {
            from: Time(number * width_ns),
            ..stretches.get(&number).copied().unwrap_or_default()
        })
        .collect()
}

#[cfg(test)]
mod latency_tests {
    use crate::history::operations;
    use crate::statistics::statistics;
    use crate::testing::script;

    #[test]
    fn latency_is_measured_from_invocation_to_completion() {
        // A word of the script is a microsecond: 1, 1 and 4 of them.
        let history = script("0:w1 0:ok 1:r 1:ok=1 0:w2 1:r 2:r 1:ok=1 2:fail 0:ok");
        let all = statistics(history.duration_ns(), &operations(&history)).all;
        let latency = all.latency.unwrap();
        let is_near = |found: u64, right: u64| found.abs_diff(right) * 100 <= right;
        assert!(is_near(latency.p50_ns, 1_000), "{latency:?}");
        assert!(is_near(latency.max_ns, 5_000), "{latency:?}");
    }
}
