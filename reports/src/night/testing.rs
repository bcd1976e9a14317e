//! A campaign in which every text would like to be markup.

use std::collections::BTreeMap;

use super::{
    Cell, Commands, Failure, FailureClass, FaultCoverage, Place, Reason, Results, SystemMilestones,
    Times, Verdicts,
};

/// What must stand on no page as it is.
pub(super) const EVIL: &str = "</script>";

fn evil(name: &str) -> String {
    format!("{name}{EVIL}<b>&\"'|\u{1b}[31m")
}

pub(super) fn commands() -> Commands {
    Commands {
        again: evil("again"),
        resume: evil("resume"),
        show: evil("show"),
        replay: evil("replay"),
    }
}

pub(super) fn results() -> Results {
    let cell = |invalid, unknown| Cell {
        system: evil("system"),
        world: evil("world"),
        workload: evil("workload"),
        runs: Verdicts { valid: 5 * invalid, invalid, unknown, broken: 0 },
        ..Cell::default()
    };
    let place = |times, beyond: Option<&str>| Place {
        name: evil("name"),
        what: evil("what"),
        is_of_world: false,
        times,
        runs: times,
        live_times: times,
        live_runs: times,
        beyond: beyond.map(evil),
    };
    let reason = || Reason {
        world: evil("world"),
        reason: evil("reason"),
        runs: 3,
        first: BTreeMap::from([(4, evil("folder"))]),
    };
    Results {
        program: evil("program"),
        verdict: "invalid".to_owned(),
        sentence: evil("sentence"),
        campaign: BTreeMap::from([
            (evil("field"), evil("value")),
            ("seed".to_owned(), evil("seed")),
        ]),
        cells: vec![cell(1, 0), cell(0, 2)],
        failures: vec![Failure {
            signature: evil("signature"),
            system: evil("system"),
            demand: evil("demand"),
            shape: evil("shape"),
            sentence: evil("sentence"),
            steps: vec![evil("step")],
            runs: vec![1, 2],
            world: evil("world"),
            seed: 7,
            before: evil("before"),
            after: evil("after"),
            is_complete: false,
        }],
        classes: vec![FailureClass {
            world: evil("world"),
            system: evil("system"),
            workload: evil("workload"),
            demand: evil("demand"),
            runs: 9,
            examined: 2,
        }],
        unknowns: vec![reason()],
        broken: vec![reason()],
        faults: vec![FaultCoverage {
            world: "sim".to_owned(),
            class: evil("class"),
            begun: 3,
            bitten: 0,
            skipped: 1,
            runs: 0,
        }],
        milestones: vec![SystemMilestones {
            system: evil("system"),
            runs: 9,
            live_runs: 9,
            places: vec![place(0, None), place(3, None), place(0, Some("beyond"))],
        }],
        times: Times {
            began: evil("began"),
            state: evil("state"),
            elapsed_ms: 61_000,
            spent_us: vec![5, 6],
        },
    }
}

#[test]
fn nothing_on_the_page_is_markup_but_what_the_page_says_itself() {
    let page = super::page(&results(), &[results(), results()], &commands()).unwrap();
    assert!(!page.contains(EVIL), "{page}");
    assert!(!page.contains("<b>&"), "{page}");
    for text in [
        "program",
        "entence",
        "signature",
        "step",
        "reason",
        "folder",
        "class",
        "what",
        "beyond",
        "field",
    ] {
        assert!(page.contains(&format!("{text}&#60;/script&#62;")), "{text} is not on the page");
    }
    assert!(!page.contains("href=\"http"), "it opens offline");
}

#[test]
fn what_was_never_reached_stands_out_and_what_cannot_be_has_its_reason() {
    let page = super::page(&results(), &[], &commands()).unwrap();
    assert!(page.contains("never reached"), "{page}");
    assert!(!page.contains("<h2 id=\"trend\">"), "there is nothing to compare with");
    let page = super::page(&results(), &[results()], &commands()).unwrap();
    assert!(page.contains("<h2 id=\"trend\">"));
}

#[test]
fn shares_are_told_from_nothing_and_from_everything() {
    let cases = [(0, 0, "–"), (0, 9, "0.00 %"), (1, 1_000_000, "< 0.01 %"), (1, 20, "5.00 %")];
    for (part, of, text) in cases {
        assert_eq!(super::share(part, of), text);
    }
    assert_eq!(super::share(999, 1_000), "> 99 %");
    assert_eq!(super::share(3, 3), "100 %");
}
