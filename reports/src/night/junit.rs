//! The campaign as `JUnit` XML: one test case for each system in each world with each workload.

use std::fmt::Write;

use askama::Template;

use super::{Cell, Failure, Results};
use crate::ReportError;

/// As build servers read it. Runs without a verdict are skipped tests where there is nothing else.
pub fn junit(results: &Results) -> Result<String, ReportError> {
    let cases: Vec<Case> =
        results.cells.iter().zip(&results.times.spent_us).map(|cell| case(results, cell)).collect();
    let is = |of: fn(&Case) -> bool| cases.iter().filter(|case| of(case)).count();
    let template = JunitTemplate {
        failed: is(|case| !case.failures.is_empty()),
        broken: is(|case| !case.broken.is_empty()),
        skipped: is(|case| !case.skipped.is_empty()),
        seconds: seconds(results.times.elapsed_ms * 1_000),
        began: clean(&results.times.began),
        seed: results.campaign.get("seed").map(|seed| clean(seed)).unwrap_or_default(),
        cases,
    };
    Ok(template.render()?)
}

#[derive(Template)]
#[template(path = "junit.xml")]
struct JunitTemplate {
    cases: Vec<Case>,
    failed: usize,
    broken: usize,
    skipped: usize,
    seconds: String,
    began: String,
    seed: String,
}

struct Case {
    class: String,
    name: String,
    seconds: String,
    /// What it came to, for people.
    said: String,
    failures: Vec<Failed>,
    broken: String,
    skipped: String,
}

struct Failed {
    kind: String,
    message: String,
    text: String,
}

fn case(results: &Results, (cell, spent_us): (&Cell, &u64)) -> Case {
    let runs = cell.runs;
    let own = |failure: &&Failure| failure.system == cell.system;
    let failures: Vec<Failed> = if runs.invalid > 0 {
        results.failures.iter().filter(own).map(failed).collect()
    } else {
        Vec::new()
    };
    let counted = format!(
        "{} valid, {} invalid, {} unknown, {} broke the harness",
        runs.valid, runs.invalid, runs.unknown, runs.broken
    );
    let nothing = runs.valid + runs.invalid + runs.broken == 0;
    Case {
        class: clean(&format!("{}.{}", cell.system, cell.world)),
        name: clean(&cell.workload),
        seconds: seconds(*spent_us),
        broken: if runs.broken > 0 { counted.clone() } else { String::new() },
        skipped: if nothing { counted.clone() } else { String::new() },
        said: counted,
        failures,
    }
}

fn failed(failure: &Failure) -> Failed {
    let mut text = format!("{}\nseed {}\n", failure.sentence, failure.seed);
    // Writing to a String cannot fail; so below.
    for (number, step) in (1..).zip(&failure.steps) {
        let _ = writeln!(text, "{number}. {step}");
    }
    let _ = writeln!(text, "failures/{}", failure.signature);
    Failed {
        kind: clean(&failure.signature),
        message: clean(&failure.sentence),
        text: clean(&text),
    }
}

/// Microseconds as seconds.
fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us % 1_000_000 / 1_000)
}

/// XML 1.0 has no way to write most control characters, nor two that are none.
fn clean(text: &str) -> String {
    let is_writable = |letter: char| !matches!(letter, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    text.chars().map(|letter| if is_writable(letter) { letter } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::night::testing::{EVIL, results};

    #[test]
    fn what_cannot_be_written_in_xml_is_not() {
        assert_eq!(clean("a\u{1b}[31m\n\tb\u{0}"), "a\u{fffd}[31m\n\tb\u{fffd}");
    }

    #[test]
    fn failures_are_failures_and_nothing_in_them_is_markup() {
        let xml = junit(&results()).unwrap();
        assert!(xml.starts_with("<?xml"), "{xml}");
        assert!(!xml.contains(EVIL) && !xml.contains("<b>"), "{xml}");
        assert_eq!(xml.matches("<testcase ").count(), 2);
        assert_eq!(xml.matches("<failure ").count(), 1);
    }
}
