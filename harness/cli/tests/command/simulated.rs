//! Runs in virtual time, hunts and the doctor: no processes, and always the same.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ended, Sandbox, interrupt};

const SHORT: [&str; 5] = ["run", "--world", "sim", "--time-limit", "3s"];

/// A short simulated run with more flags.
fn run(sandbox: &Sandbox, more: &[&str]) -> Ended {
    sandbox.quorate(&[&SHORT[..], more].concat())
}

/// What a label stands before.
fn told<'a>(ended: &'a Ended, label: &str) -> &'a str {
    let line = ended.stdout.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label}: {ended}")).trim()
}

fn results(sandbox: &Sandbox) -> Value {
    let bytes = fs::read(sandbox.latest().join("results.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, 254, "{ended}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
}

#[test]
fn a_simulated_run_leaves_what_a_live_one_does_and_a_digest() {
    let sandbox = Sandbox::new();
    let ended = run(&sandbox, &["--seed", "7"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stdout.starts_with("VALID"), "{ended}");
    assert!(ended.stderr.is_empty(), "progress is for terminals: {ended}");
    let folder = sandbox.latest();
    assert!(folder.join("report.html").is_file());
    let results = results(&sandbox);
    let simulation = &results["simulation"];
    assert_eq!(results["verdict"], "valid");
    assert_eq!(simulation["digest"], told(&ended, "digest"));
    assert!(simulation["virtual_us"].as_u64().unwrap() >= 3_000_000);
    assert!(simulation["milestones"]["wrote-back"].as_u64().is_some());
    let history = fs::read_to_string(folder.join("history.jsonl")).unwrap();
    let footer: Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
    assert_eq!(footer["run"]["digest"], simulation["digest"]);
    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 0, "{check}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_so_does_its_history() {
    let sandbox = Sandbox::new();
    let body = |sandbox: &Sandbox| {
        let history = fs::read_to_string(sandbox.latest().join("history.jsonl")).unwrap();
        let (_, body) = history.split_once('\n').unwrap();
        body.to_owned()
    };
    let flags = ["--seed", "11", "--faults", "all"];
    let first = run(&sandbox, &flags);
    let written = body(&sandbox);
    let second = run(&sandbox, &flags);
    assert_eq!(told(&first, "digest"), told(&second, "digest"));
    assert_eq!(written, body(&sandbox), "byte for byte");
    let again = sandbox.quorate(&["run", "--plan", "store/latest"]);
    assert_eq!(told(&first, "digest"), told(&again, "digest"), "in the world that the plan says");
    let other = run(&sandbox, &["--seed", "12", "--faults", "all"]);
    assert_ne!(told(&first, "digest"), told(&other, "digest"));
}

#[test]
fn a_planted_bug_breaks_an_invariant_and_is_told_by_its_name() {
    let sandbox = Sandbox::new();
    let ended = run(&sandbox, &["--mutant", "Q03", "--faults", "none", "--seed", "1"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stdout.starts_with("INVALID  Q-I2 does not hold at index"), "{ended}");
    assert!(told(&ended, "again").ends_with("--mutant Q03"), "{ended}");
    let page = fs::read_to_string(sandbox.latest().join("report.html")).unwrap();
    assert!(page.contains("What must always hold, and does not") && page.contains("Q-I2"));
    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 1, "{check}");
}

const HEAD: &str = "name = \"mine\"\nseed = 1\nsystem = { kind = \"quorum\", nodes = 3 }\n";

/// A plan file in a sandbox of its own.
fn plan(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("plan.toml"), format!("{HEAD}{text}")).unwrap();
    sandbox
}

#[test]
fn a_script_need_not_read_and_write_to_be_valid() {
    let sandbox = plan(ONLY_A_WRITE);
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml"]);
    assert_eq!(ended.code, 0, "{ended}");
}

/// A client that writes, and does not read.
const ONLY_A_WRITE: &str = "world = \"sim\"\nworkload = { kind = \"register\", clients = 1 }\n\
     [[scripts]]\nclient = 0\ndo = [{ f = \"write\", key = 0, value = 5 }]\n";

#[test]
fn a_quiet_run_says_nothing_but_its_verdict() {
    // A fault that is over before anything is done, which is remarkable.
    let short = "[[faults]]\nfor_ms = 1\nfault = { kind = \"pause\", nodes = [1] }\n";
    let sandbox = plan(&format!("{ONLY_A_WRITE}{short}"));
    let loud = sandbox.quorate(&["run", "--plan", "plan.toml"]);
    assert_eq!(told(&loud, "note"), "no operation succeeded during fault 0 (pause)", "{loud}");
    let quiet = sandbox.quorate(&["run", "--plan", "plan.toml", "--quiet"]);
    assert!(quiet.stdout.starts_with("VALID "), "{quiet}");
    assert_eq!((quiet.code, quiet.stdout.lines().count()), (0, 1), "{quiet}");
}

#[test]
fn a_quiet_run_says_why_its_verdict_is_unknown() {
    let sandbox = plan(&format!(
        "fault_classes = [\"pause\"]\n{ONLY_A_WRITE}\
         [[faults]]\nwhen = {{ started = {{ node = 1, nth = 7 }} }}\nfor_ms = 9\n\
         fault = {{ kind = \"pause\", nodes = [1] }}\n"
    ));
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml", "--quiet"]);
    assert!(ended.stdout.starts_with("UNKNOWN  the planned pause (n1) never began"), "{ended}");
    assert_eq!((ended.code, ended.stdout.contains("note")), (2, false), "{ended}");
}

#[test]
fn harm_that_a_plan_expects_is_told_as_expected() {
    let liars = "expect = \"invalid\"\nworld = \"sim\"\n\
                 durations = { time_limit_ms = 3000 }\nfault_classes = [\"byzantine\"]\n\
                 [[faults]]\nat_ms = 100\nfor_ms = 2500\n\
                 fault = { kind = \"byzantine\", nodes = [0, 1], lie = \"wrong-value\" }\n";
    let sandbox = plan(liars);
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stdout.starts_with("INVALID, as expected: "), "{ended}");

    let unsaid = plan(&liars.replace("expect = \"invalid\"\n", ""));
    let ended = unsaid.quorate(&["run", "--plan", "plan.toml"]);
    refused(&ended, &["2 nodes lie", "expect = \"invalid\""]);
    assert!(!unsaid.path().join("store/mine").exists(), "it leaves nothing behind");
}

#[test]
fn what_only_the_simulator_can_follow_is_refused_in_the_live_world() {
    let sandbox = plan("world = \"sim\"\nliveness = { bound_ms = 1000 }\n");
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml", "--world", "live"]);
    refused(&ended, &["plan.toml", "liveness", "--world live"]);
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml", "--world", "dream"]);
    refused(&ended, &["dream", "sim"]);
}

#[test]
fn a_plan_for_real_processes_runs_in_virtual_time_when_told_to() {
    let sandbox = plan("world = \"live\"\ndurations = { time_limit_ms = 2000 }\n");
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml", "--world", "sim"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(!told(&ended, "digest").is_empty());
}

#[test]
fn ctrl_c_ends_a_long_simulated_run_in_good_order() {
    let sandbox = Sandbox::new();
    let mut child = sandbox.start(&["run", "--world", "sim", "--time-limit", "10h"]);
    sandbox.wait_for_events(1_000);
    let began = Instant::now();
    interrupt(&child);
    let status = child.wait().unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(matches!(status.code(), Some(0 | 2)), "{status}");
    assert_eq!(results(&sandbox)["simulation"]["interrupted"], true);
    let history = fs::read_to_string(sandbox.latest().join("history.jsonl")).unwrap();
    let footer: Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
    assert_eq!(footer["run"], Value::Null, "its plan alone does not give it again");
}

#[test]
fn a_hunt_finds_a_planted_bug_and_keeps_its_first_finding_as_a_run() {
    let sandbox = Sandbox::new();
    let flags = ["hunt", "--mutant", "Q03", "--tries", "2", "--budget", "20s", "--json"];
    let hunt = sandbox.quorate(&flags);
    assert_eq!(hunt.code, 0, "{hunt}");
    let table: Value = serde_json::from_str(&hunt.stdout).unwrap();
    let row = &table["rows"][0];
    assert_eq!((&row["name"], &row["found"]), (&Value::from("Q03"), &Value::from(2)));
    assert_eq!(row["first"]["is_confirmed"], true);
    let latest = sandbox.path().join("store/hunt-quorum/latest");
    assert!(fs::read_to_string(latest.join("hunt.txt")).unwrap().contains("Q03"));
    assert!(latest.join("hunt.json").is_file() && latest.join("Q03/report.html").is_file());
    assert!(!sandbox.path().join("store/latest").exists(), "a hunt is no run to check");

    let command = row["first"]["again"].as_str().unwrap();
    let again: Vec<&str> = command.split(' ').skip(1).collect();
    let again = sandbox.quorate(&again);
    assert_eq!(again.code, 1, "{again}");
    let kept = fs::read(latest.join("Q03/results.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept["simulation"]["digest"], told(&again, "digest"));
}

#[test]
fn one_liar_more_than_a_system_bears_does_harm() {
    let sandbox = Sandbox::new();
    let control = ["hunt", "--system", "pbft", "--tries", "1", "--liars-beyond", "1"];
    let hunt = sandbox.quorate(&control);
    assert_eq!(hunt.code, 0, "{hunt}");
    assert!(hunt.stdout.contains("1 liar too many did harm in 1 of 1 tries"), "{hunt}");
    let kept = sandbox.path().join("store/hunt-pbft/latest/none/plan.toml");
    let plan = fs::read_to_string(kept).unwrap();
    assert!(plan.contains("expect = \"invalid\""), "{plan}");
    refused(&sandbox.quorate(&[&control[..], &["--mutant", "B01"]].concat()), &["--mutant"]);
    refused(&sandbox.quorate(&["hunt", "--system", "vr", "--liars-beyond", "1"]), &["vr", "liars"]);
    refused(&sandbox.quorate(&["hunt", "--liars-beyond", "0"]), &["--liars-beyond"]);
}

#[test]
fn a_hunt_leaves_the_correct_system_in_peace() {
    let sandbox = Sandbox::new();
    let hunt = sandbox.quorate(&["hunt", "--mutant", "none", "--seeds", "60"]);
    assert_eq!(hunt.code, 0, "{hunt}");
    assert!(hunt.stdout.contains("60 seeds") && hunt.stdout.contains("0 findings"), "{hunt}");
    refused(&sandbox.quorate(&["hunt", "--mutant", "Q99"]), &["Q99", "Q01", "none"]);
    refused(&sandbox.quorate(&["hunt", "--tries", "0"]), &["--tries"]);
}

#[test]
fn a_hunt_shows_the_plan_of_a_seed_which_runs_as_it_stands() {
    let sandbox = Sandbox::new();
    let shown = sandbox.quorate(&["hunt", "--show", "5"]);
    assert_eq!(shown.code, 0, "{shown}");
    fs::write(sandbox.path().join("plan.toml"), &shown.stdout).unwrap();
    let ended = sandbox.quorate(&["run", "--plan", "plan.toml"]);
    assert!(matches!(ended.code, 0 | 2), "{ended}");
    assert_eq!(told(&ended, "seed"), "5");
}

#[test]
fn the_doctor_finds_nothing_here() {
    let sandbox = Sandbox::new();
    let me = env!("CARGO_BIN_EXE_quorate");
    let doctor = sandbox.quorate(&["doctor", "--seeds", "50", "--against", me, "--json"]);
    assert_eq!(doctor.code, 0, "{doctor}");
    let diagnosis: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(diagnosis["clean"], true);
    assert_eq!(diagnosis["ways"].as_array().unwrap().len(), 6, "{doctor}");
    let missing = sandbox.quorate(&["doctor", "--seeds", "1", "--against", "nothing-here"]);
    assert_eq!(missing.code, 255, "{missing}");
    assert!(missing.stderr.contains("nothing-here"), "{missing}");
}

#[test]
fn the_new_commands_teach() {
    let sandbox = Sandbox::new();
    for command in ["hunt", "doctor"] {
        let help = sandbox.quorate(&[command, "--help"]);
        assert_eq!(help.code, 0, "{help}");
        assert!(help.stdout.contains("Examples:") && help.stdout.contains("Exit codes"), "{help}");
        assert!(!help.stdout.contains("digest-each"), "helpers' flags are nobody's business");
    }
    let list = sandbox.quorate(&["list"]);
    for part in ["wrote-back", "Q-I3", "no-panic", "hold_until", "exponential", "where: key"] {
        assert!(list.stdout.contains(part), "{part}: {list}");
    }
    let json = sandbox.quorate(&["list", "--json"]);
    let parsed: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(parsed["systems"][0]["observations"][0]["name"], "stored");
}

#[test]
fn what_a_hunt_found_is_shrunk_to_a_plan_that_tells_its_story() {
    let sandbox = Sandbox::new();
    let ended = sandbox.quorate(&["shrink", "--seed", "1", "--mutant", "Q15"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stdout.starts_with("INVALID  Q-I3"), "{ended}");
    assert!(ended.stderr.is_empty(), "progress is for terminals: {ended}");
    assert!(told(&ended, "before").starts_with("8 operations, 3 faults"), "{ended}");
    assert!(told(&ended, "after").starts_with("1 operation, 0 faults, 0 rules"), "{ended}");
    assert!(ended.stdout.contains("✗ Q-I3 is broken"), "{ended}");
    let folder = sandbox.latest();
    let plan = fs::read_to_string(folder.join("plan.toml")).unwrap();
    assert!(plan.starts_with("# A run that breaks Q-I3.\n#\n# 1. c0 begins to write 1"), "{plan}");
    let story = fs::read_to_string(folder.join("story.txt")).unwrap();
    assert!(ended.stdout.contains(&story), "{ended}");
    assert!(fs::read_to_string(folder.join("story.svg")).unwrap().starts_with("<svg "));
    assert!(folder.join("report.html").is_file());
    // All that is printed as the way on works.
    let again = sandbox.quorate(&["run", "--plan", "store/latest/plan.toml", "--mutant", "Q15"]);
    assert_eq!(again.code, 1, "{again}");
    assert_eq!(sandbox.quorate(&["check", "store/quorum-hunt-shrunk/latest"]).code, 1);
    let clean = sandbox.quorate(&["run", "--plan", "store/quorum-hunt-shrunk/latest"]);
    assert_eq!(clean.code, 0, "{clean}");
}

#[test]
fn the_history_of_a_failing_run_names_its_planted_bug_for_the_shrinker() {
    let sandbox = Sandbox::new();
    let failing = sandbox.quorate(&["shrink", "--seed", "1", "--mutant", "Q15", "--quiet"]);
    assert_eq!(failing.code, 0, "{failing}");
    let plan = fs::read(sandbox.latest().join("plan.toml")).unwrap();
    let ended = sandbox.quorate(&["shrink", "store/latest", "--json"]);
    assert_eq!(ended.code, 0, "{ended}");
    let outcome: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&outcome["demand"], &outcome["mutant"]), (&"Q-I3".into(), &"Q15".into()));
    assert_eq!(outcome["after"]["operations"], 1);
    assert_eq!(outcome["complete"], true);
    assert!(outcome["steps"].as_array().unwrap().len() >= 2);
    assert_eq!(
        fs::read(sandbox.latest().join("plan.toml")).unwrap(),
        plan,
        "it is as small as can be"
    );
}

#[test]
fn a_run_that_breaks_nothing_is_not_shrunk() {
    let sandbox = Sandbox::new();
    assert_eq!(run(&sandbox, &["--seed", "7"]).code, 0);
    let ended = sandbox.quorate(&["shrink", "store/latest"]);
    refused(&ended, &["store/latest", "breaks nothing", "hint: ", "--mutant"]);
    refused(&sandbox.quorate(&["shrink"]), &["FILE"]);
    refused(&sandbox.quorate(&["shrink", "nothing.toml"]), &["nothing.toml"]);
    refused(&sandbox.quorate(&["shrink", "--seed", "1", "store/latest"]), &["--seed"]);
}

#[test]
fn shrinking_that_is_out_of_time_keeps_the_smallest_plan_so_far() {
    let sandbox = Sandbox::new();
    let short = ["shrink", "--seed", "43", "--mutant", "Q05", "--time-limit", "10ms"];
    let ended = sandbox.quorate(&short);
    assert_eq!(ended.code, 2, "{ended}");
    assert!(ended.stdout.contains("stopped before its end"), "{ended}");
    let again = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(again.code, 1, "{again}");
}

#[test]
fn a_history_is_judged_by_the_checker_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let run = ["run", "--world", "sim", "--system", "paxos", "--workload", "append", "--seed", "3"];
    assert_eq!(sandbox.quorate(&[&run[..], &["--time-limit", "2s"]].concat()).code, 0);
    let check = |more: &[&str]| sandbox.quorate(&[&["check", "store/latest"], more].concat());
    let strict = check(&["--checker", "list-append"]);
    assert_eq!(strict.code, 0, "{strict}");
    assert!(strict.stdout.starts_with("VALID    strict-serializable: "), "{strict}");
    let json = check(&["--checker", "list-append", "--consistency", "serializable", "--json"]);
    assert!(json.stdout.contains("\"consistency\": \"serializable\""), "{json}");
    let bank = check(&["--checker", "bank"]);
    assert_eq!(bank.code, 2, "{bank}");
    assert!(bank.stdout.contains("the checker `bank` knows no function `append`"), "{bank}");
}
