//! What is said of plans that somebody got wrong: `testdata/wrong-plans.txt`. With `REWRITE=1` what is said
//! now becomes what is expected.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::fs;
use std::path::PathBuf;

use quorate_plan::{
    Kind, ReadError, SystemPlan, Vocabulary, WorldKind, check_names, from_json, from_toml, to_toml,
};

const BETWEEN_CASES: &str = "\n====\n";
const BEFORE_ANSWER: &str = "\n----\n";

fn vocabulary() -> Vocabulary {
    let kind = |name: &str, fields: &[&str]| Kind {
        name: name.to_owned(),
        what: String::new(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    Vocabulary {
        name: "quorum".to_owned(),
        summary: String::new(),
        messages: vec![kind("QUERY", &["key", "seq"]), kind("UPDATE", &["key", "t"])],
        observations: vec![kind("stored", &["key"])],
        options: vec![("read".to_owned(), String::new())],
        mutants: vec![],
    }
}

/// What is said of a text, as somebody sees it who gave it as a file.
fn said_of(text: &str) -> String {
    let read = if text.trim_start().starts_with('{') { from_json(text) } else { from_toml(text) };
    let checked = read.and_then(|plan| {
        check_names(&plan, &vocabulary()).map_err(|error| ReadError::of(text, &error))
    });
    checked.unwrap_err().in_file("mine.toml")
}

#[test]
fn every_wrong_plan_is_answered_with_its_line_and_what_is_allowed() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/wrong-plans.txt");
    let before = fs::read_to_string(&path).unwrap();
    let cases = before.trim_end().split(BETWEEN_CASES);
    let answered = cases.map(|case| {
        let text = case.split(BEFORE_ANSWER).next().unwrap();
        format!("{text}{BEFORE_ANSWER}{}", said_of(text))
    });
    let after = answered.collect::<Vec<_>>().join(BETWEEN_CASES) + "\n";
    if std::env::var_os("REWRITE").is_some() {
        fs::write(&path, &after).unwrap();
    }
    assert!(before.matches(BETWEEN_CASES).count() > 30, "the file holds what it should");
    for (after, before) in after.split(BETWEEN_CASES).zip(before.split(BETWEEN_CASES)) {
        assert_eq!(after, before);
    }
}

#[test]
fn a_place_in_the_middle_of_a_long_line_is_shown() {
    let system = SystemPlan { kind: "q".to_owned(), nodes: 3, options: [].into() };
    let plan = quorate_plan::Plan::new("m", 1, WorldKind::Live, system);
    let text = serde_json::to_string(&plan).unwrap().replace(":200,", ":-200,");
    let error = from_json(&text).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    let place = lines[2].find('^').unwrap();
    assert!(lines[1].len() < 120, "{error}");
    assert!(lines[1][..=place].ends_with("\"rate_per_s\":-200"), "{error}");
}

#[test]
fn a_plan_that_is_right_is_read_without_a_word() {
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 3, options: [].into() };
    let plan = quorate_plan::Plan::new("m", 1, WorldKind::Live, system);
    assert_eq!(from_toml(&to_toml(&plan)), Ok(plan.clone()));
    assert_eq!(from_json(&serde_json::to_string(&plan).unwrap()), Ok(plan));
}

#[test]
fn a_text_that_is_no_plan_at_all_is_told_from_a_plan_that_is_wrong() {
    for text in ["", " \n", "# a comment\n", "Dear diary,", "name = \"cut of", "name = 1\n[sys"] {
        assert!(from_toml(text).unwrap_err().is_damaged(), "{text}");
    }
    for text in ["", "{", "{\"name\": ", "{]"] {
        assert!(from_json(text).unwrap_err().is_damaged(), "{text}");
    }
    for text in ["name = 1", "name = \"a\"\nfauls = []", "[system]\nkind = \"quorum\""] {
        assert!(!from_toml(text).unwrap_err().is_damaged(), "{text}");
    }
    for text in ["{}", "{\"name\": 1}"] {
        assert!(!from_json(text).unwrap_err().is_damaged(), "{text}");
    }
}
