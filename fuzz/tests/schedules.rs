//! What a fuzzer keeps of a schedule is taken by the tools that work on runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_checkers::history::read;
use quorate_checkers::verdict::Verdict;
use quorate_fuzz::mutant::MUTANT;
use quorate_fuzz::schedule;
use quorate_plan::{Plan, from_toml};
use quorate_sim::shrink::{Wanted, shrink};
use quorate_systems::mutant::{Mutant, Mutants};

/// An input that libFuzzer kept when Q01 was planted.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/read-without-write-back")
}

/// Has the tool write something with this bug planted; what it says.
fn tool(arguments: &[&str], mutant: &str, output: &Path) -> (bool, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_quorum_schedule"))
        .args(arguments)
        .arg(kept())
        .arg("-o")
        .arg(output)
        .env(MUTANT, mutant)
        .output()
        .expect("it is there");
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_history_of_an_input_names_its_bug_and_is_what_its_plan_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let (is_done, said) = tool(&["history"], "Q01", &path);
    assert!(is_done && said.ends_with("; with Q01 it breaks Q-I3\n"), "{said}");
    let file = read(&fs::read(&path).unwrap()[..]).unwrap();
    assert_eq!(file.header.mutant.as_deref(), Some("Q01"));
    let footer = file.footer.unwrap();
    assert_eq!(footer.verdict, Verdict::Invalid);

    let plan: Plan = serde_json::from_value(file.header.plan).unwrap();
    let again = quorate_sim::run(&plan, Mutants(Some(Mutant::Q01))).unwrap();
    assert_eq!(again.outcome.digest, footer.run.unwrap());
    let correct = quorate_sim::run(&plan, Mutants::NONE).unwrap();
    assert_eq!(correct.outcome.violations, 0);
}

#[test]
fn the_plan_of_an_input_is_shrunk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    tool(&["plan"], "Q01", &path);
    let mut plan = from_toml(&fs::read_to_string(&path).unwrap()).unwrap();
    let shows = plan.shows.take().expect("it says what it shows");
    assert_eq!((shows.breaks.as_str(), shows.mutant.as_deref()), ("Q-I3", Some("Q01")));
    let again = quorate_sim::run(&plan, Mutants(Some(Mutant::Q01))).unwrap();
    assert_eq!(shows.digest, Some(again.outcome.digest.digest));
    assert_eq!(
        Some(&plan),
        schedule::plan_of("quorum_schedule", &fs::read(kept()).unwrap()).as_ref()
    );
    let shrunk = shrink(&plan, Mutants(Some(Mutant::Q01)), &Wanted::Any, &mut |_| true).unwrap();
    assert!(shrunk.after.operations <= shrunk.before.operations);
    assert!(shrunk.after.is_calm);
}

#[test]
fn a_bug_that_is_forgotten_or_misspelt_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let (is_done, said) = tool(&["history"], "", &path);
    assert!(
        is_done && said.contains("with no planted bug it breaks nothing: QUORATE_MUTANT"),
        "{said}"
    );
    let (is_done, said) = tool(&["history"], "Q99", &path);
    assert!(!is_done && said.starts_with("error: QUORATE_MUTANT=Q99: there is none"), "{said}");
}
