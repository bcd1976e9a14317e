//! The page of a campaign: what a night came to, in one HTML file that opens offline; the same as `JUnit` XML for build
//! servers, and as Markdown for the summary of a job.
//!
//! Each is a pure function of [`Results`], and so is free of whatever the machine had to do with it but times.

mod coverage;
mod junit;
mod results;
mod summary;
#[cfg(test)]
mod testing;
mod tiles;
mod trend;

use askama::Template;

pub use junit::junit;
pub use results::{
    Cell, Failure, FailureClass, FaultCoverage, Place, Reason, Results, SystemMilestones, Times,
    Verdicts,
};
pub use summary::summary;

use crate::ReportError;
use crate::units::{count, span};
use coverage::{Coverage, Faults};
use trend::Chart;

/// Commands that somebody may want next.
#[derive(Clone, Debug)]
pub struct Commands {
    /// The same campaign again.
    pub again: String,
    /// The same, from where it was stopped.
    pub resume: String,
    /// The plan of one of its runs, by `NUMBER`.
    pub show: String,
    /// Everything that failed, as tests.
    pub replay: String,
}

/// Makes the page. `earlier` are campaigns to compare with, oldest first.
pub fn page(
    results: &Results,
    earlier: &[Results],
    commands: &Commands,
) -> Result<String, ReportError> {
    let template = NightTemplate {
        headline: Headline::new(results),
        tiles: tiles::tiles(results),
        failures: results
            .failures
            .iter()
            .map(|failure| FailureCard::new(failure, results))
            .collect(),
        broken: &results.broken,
        unknowns: &results.unknowns,
        faults: Faults::new(results),
        coverage: Coverage::new(results),
        rows: rows(results),
        charts: trend::charts(results, earlier),
        earlier: earlier.len(),
        commands,
        results,
    };
    Ok(template.render()?)
}

#[derive(Template)]
#[template(path = "night.html")]
struct NightTemplate<'a> {
    headline: Headline,
    tiles: Vec<(String, String)>,
    failures: Vec<FailureCard<'a>>,
    broken: &'a [Reason],
    unknowns: &'a [Reason],
    faults: Faults,
    coverage: Vec<Coverage>,
    rows: Vec<Row>,
    charts: Vec<Chart>,
    /// How many campaigns there are to compare with.
    earlier: usize,
    commands: &'a Commands,
    results: &'a Results,
}

/// What stands at the top of the page.
struct Headline {
    /// The class in the style sheet.
    class: &'static str,
    /// The verdict without colour.
    mark: &'static str,
    word: &'static str,
    title: String,
    why: String,
}

impl Headline {
    fn new(results: &Results) -> Self {
        let (class, mark, word, title) = match results.verdict.as_str() {
            "valid" => ("valid", "✓", "valid", "Nothing broke".to_owned()),
            "invalid" => {
                let failures = results.failures.len();
                let title = match failures {
                    1 => "One failure".to_owned(),
                    _ => format!("{failures} failures"),
                };
                ("invalid", "✗", "invalid", title)
            }
            "broken" => ("invalid", "!", "harness failed", "The harness broke".to_owned()),
            _ => ("unknown", "?", "unknown", "Not decided".to_owned()),
        };
        Self { class, mark, word, title, why: crate::verdict::sentence(&results.sentence) }
    }
}

/// A failure, as a person reads it.
struct FailureCard<'a> {
    failure: &'a Failure,
    sentence: String,
    /// Where its pages are.
    run_page: String,
    story_page: String,
    plan: String,
    /// `9 runs broke it; 5 of them were made small, 3 of those to this.`
    counted: String,
}

impl<'a> FailureCard<'a> {
    fn new(failure: &'a Failure, results: &Results) -> Self {
        let folder = format!("failures/{}", failure.signature);
        let is_shrunk = !failure.shape.is_empty();
        let classes = results.classes.iter();
        let own = classes
            .filter(|class| class.system == failure.system && class.demand == failure.demand);
        let (runs, examined) =
            own.fold((0, 0), |sum, class| (sum.0 + class.runs, sum.1 + class.examined));
        let these = failure.runs.len() as u64;
        let what = if is_shrunk { "are counted here" } else { "were not made small" };
        let counted = format!(
            "{} of {} broke {}; of the first {} of them {} {what}",
            count(runs),
            runs_of(results, &failure.system),
            failure.demand,
            count(examined),
            count(these),
        );
        Self {
            sentence: crate::verdict::sentence(&failure.sentence),
            run_page: format!("{folder}/report.html"),
            story_page: if is_shrunk {
                format!("{folder}/shrunk/report.html")
            } else {
                String::new()
            },
            plan: if is_shrunk {
                format!("{folder}/shrunk/plan.toml")
            } else {
                format!("{folder}/plan.toml")
            },
            counted,
            failure,
        }
    }

    fn numbers(&self) -> String {
        let numbers: Vec<String> = self.failure.runs.iter().map(u64::to_string).collect();
        numbers.join(", ")
    }
}

/// `1 234 runs of vr`.
fn runs_of(results: &Results, system: &str) -> String {
    let cells = results.cells.iter().filter(|cell| cell.system == system);
    format!("{} runs of {system}", count(cells.map(|cell| cell.runs.total()).sum()))
}

/// One system in one world with one workload, as text.
struct Row {
    system: String,
    world: String,
    workload: String,
    runs: String,
    valid: String,
    invalid: String,
    unknown: String,
    broken: String,
    is_invalid: bool,
    is_broken: bool,
    operations: String,
    ok_share: String,
    events: String,
    each: String,
}

fn rows(results: &Results) -> Vec<Row> {
    let row = |(cell, spent_us): (&Cell, &u64)| {
        let total = cell.runs.total();
        let operations = cell.ok + cell.fail + cell.info;
        Row {
            system: cell.system.clone(),
            world: cell.world.clone(),
            workload: cell.workload.clone(),
            runs: count(total),
            valid: count(cell.runs.valid),
            invalid: count(cell.runs.invalid),
            unknown: count(cell.runs.unknown),
            broken: count(cell.runs.broken),
            is_invalid: cell.runs.invalid > 0,
            is_broken: cell.runs.broken > 0,
            operations: count(operations),
            ok_share: share(cell.ok, operations),
            events: count(cell.events),
            each: spent_us.checked_div(total).map_or_else(String::new, |us| span(us * 1_000)),
        }
    };
    results.cells.iter().zip(&results.times.spent_us).map(row).collect()
}

/// A share in percent, with enough digits to be told from nothing and from everything.
pub(crate) fn share(part: u64, of: u64) -> String {
    if of == 0 {
        return "–".to_owned();
    }
    // In hundredths of a percent.
    let share = u128::from(part) * 10_000 / u128::from(of);
    match share {
        0 if part > 0 => "< 0.01 %".to_owned(),
        9_900..10_000 => "> 99 %".to_owned(),
        0..1_000 => format!("{}.{:02} %", share / 100, share % 100),
        _ => format!("{} %", share / 100),
    }
}
