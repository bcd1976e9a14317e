//! This campaign beside earlier ones.

use super::Results;
use crate::units::count;

/// One measure of all campaigns, the latest last.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// What it is now.
    pub(super) now: String,
    pub(super) bars: Vec<Bar>,
    pub(super) width: u64,
}

/// One campaign in a chart.
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) height: u64,
    /// When it was, and what it came to.
    pub(super) title: String,
    pub(super) is_now: bool,
}

const HEIGHT: u64 = 60;
const BAR: u64 = 14;
const STEP: u64 = 18;

/// How one measure is taken.
struct Measure {
    title: &'static str,
    of: fn(&Results) -> f64,
    shown: fn(f64) -> String,
}

const MEASURES: [Measure; 4] = [
    Measure { title: "Runs", of: |results| float(results.runs().total()), shown: whole },
    Measure {
        title: "Failures by signature",
        of: |results| float(results.failures.len() as u64),
        shown: whole,
    },
    Measure {
        title: "Without a verdict, in percent",
        of: |results| {
            let runs = results.runs();
            float(runs.unknown) * 100.0 / float(runs.total().max(1))
        },
        shown: |number| format!("{number:.2}"),
    },
    Measure {
        title: "Operations a second",
        of: |results| {
            let done: u64 = results.cells.iter().map(|cell| cell.ok + cell.fail + cell.info).sum();
            float(done) / results.times.seconds().max(0.001)
        },
        shown: whole,
    },
];

/// Nothing where there is nothing to compare with.
pub(super) fn charts(now: &Results, earlier: &[Results]) -> Vec<Chart> {
    if earlier.is_empty() {
        return Vec::new();
    }
    let all: Vec<&Results> = earlier.iter().chain([now]).collect();
    MEASURES.iter().map(|measure| chart(measure, &all)).collect()
}

fn chart(measure: &Measure, all: &[&Results]) -> Chart {
    let values: Vec<f64> = all.iter().map(|results| (measure.of)(results)).collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    let last = all.len().saturating_sub(1);
    let bar = |(place, (results, value)): (usize, (&&Results, &f64))| {
        let height = if most > 0.0 { scaled(*value / most) } else { 0 };
        Bar {
            x: place as u64 * STEP,
            y: HEIGHT - height,
            height,
            title: format!("{}: {}", results.times.began, (measure.shown)(*value)),
            is_now: place == last,
        }
    };
    Chart {
        title: measure.title,
        now: values.last().map(|value| (measure.shown)(*value)).unwrap_or_default(),
        bars: all.iter().zip(&values).enumerate().map(bar).collect(),
        width: all.len() as u64 * STEP - (STEP - BAR),
    }
}

/// A part of the height; whatever is not nothing can be seen.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a few pixels"
)]
fn scaled(part: f64) -> u64 {
    let height = (part * 60.0).round() as u64;
    if part > 0.0 { height.clamp(1, HEIGHT) } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "a picture for people")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count that was one")]
fn whole(number: f64) -> String {
    count(number.round() as u64)
}
