//! Verdicts while a history is read, and runs that end at the first violation.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::Sandbox;

/// A register that is written and read, one operation after the other, by two processes in turn.
fn history(operations: u64) -> String {
    let mut text = String::new();
    for number in 0..operations {
        let (process, value) = (number % 2, number / 2 * 2);
        let f = if process == 0 { "write" } else { "read" };
        let argument = if process == 0 { value.to_string() } else { "nil".to_owned() };
        writeln!(text, "{{:process {process}, :type :invoke, :f :{f}, :value {argument}}}")
            .unwrap();
        writeln!(text, "{{:process {process}, :type :ok, :f :{f}, :value {value}}}").unwrap();
    }
    text
}

#[test]
fn a_history_is_judged_while_it_is_read_up_to_the_first_violation() {
    let sandbox = Sandbox::new();
    let write = |name: &str, text: &str| fs::write(sandbox.path().join(name), text).unwrap();
    let good = history(40_000);
    write("good.edn", &good);
    // What is behind the violation is not even read: it is no history.
    write(
        "bad.edn",
        &(good.clone()
            + &history(40).replace(":ok, :f :read, :value 8", ":ok, :f :read, :value 6")
            + "("),
    );
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(good.as_bytes()).unwrap();
    fs::write(sandbox.path().join("good.edn.gz"), gzip.finish().unwrap()).unwrap();
    let check = |arguments: &[&str]| {
        sandbox.quorate(&[&["check", "--stream", "--model", "register"], arguments].concat())
    };
    for name in ["good.edn", "good.edn.gz"] {
        let good = check(&[name]);
        assert_eq!(good.code, 0, "{good}");
        assert!(
            good.stdout.starts_with("VALID    linearizable: 40000 operations on 1 key"),
            "{good}"
        );
    }
    let bad = check(&["bad.edn"]);
    assert_eq!(bad.code, 1, "{bad}");
    let told = "the object could only hold 8, and nothing that was open explains it";
    assert!(bad.stdout.contains(told), "{bad}");
    assert!(bad.stdout.contains("<- cannot be placed"), "{bad}");
    let bad = check(&["bad.edn", "--json"]);
    let results: Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!(results["verdict"], "invalid");
    assert_eq!(results["stream"]["violation"]["certain_at"], 80_019);
    assert_eq!(results["stream"]["violation"]["possible"], serde_json::json!(["8"]));
    assert!(results["stream"]["held_most"].as_u64().unwrap() < 1_000, "{results}");
}

#[test]
fn what_cannot_be_judged_while_it_is_read_is_refused() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("good.edn"), history(4)).unwrap();
    let set = sandbox.quorate(&["check", "--stream", "--model", "set", "good.edn"]);
    assert_eq!(set.code, 254, "{set}");
    assert!(set.stderr.contains("the model `set` judges whole histories only"), "{set}");
    assert!(set.stderr.contains("leave out --stream"), "{set}");
    let other = sandbox.quorate(&["check", "--stream", "--checker", "bank", "good.edn"]);
    assert_eq!(other.code, 254, "{other}");
    let run = sandbox.quorate(&[
        "run",
        "--world",
        "sim",
        "--fail-fast",
        "--system",
        "paxos",
        "--workload",
        "set",
    ]);
    assert_eq!(run.code, 254, "{run}");
    assert!(!sandbox.path().join("store").exists(), "{run}");
}

#[test]
fn a_simulated_run_that_fails_fast_is_judged_as_any_other() {
    let sandbox = Sandbox::new();
    let story = "../../examples/read-without-write-back.toml";
    let plan = format!("{}/{story}", env!("CARGO_MANIFEST_DIR"));
    let run = sandbox.quorate(&["run", "--plan", &plan, "--mutant", "Q01", "--fail-fast"]);
    assert_eq!(run.code, 1, "{run}");
    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 1, "{check}");
    let stream = sandbox.quorate(&["check", "--stream", "store/latest"]);
    assert_eq!(stream.code, 1, "{stream}");
}

#[test]
fn a_run_says_what_could_not_be_watched_for_failing_fast() {
    let sandbox = Sandbox::new();
    let many = ["--system", "vr", "--workload", "append", "--concurrency", "20", "--rate", "0"];
    let short = ["run", "--world", "sim", "--time-limit", "1s", "--faults", "none", "--fail-fast"];
    let run = sandbox.quorate(&[&short[..], &many].concat());
    assert_eq!(run.code, 0, "{run}");
    let note = "--fail-fast did not watch all of the run: key 0: more than 8192 configurations";
    assert!(run.stdout.contains(note), "{run}");
}
