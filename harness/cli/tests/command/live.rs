//! Real processes, real faults, real files. Runs are a few seconds long here; what they must show is certain or all but certain in that time.

use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use crate::support::{Sandbox, processes_mentioning};

#[test]
fn a_run_with_defaults_is_valid_and_leaves_history_results_report_and_no_process() {
    let sandbox = Sandbox::for_clusters();
    let run = sandbox.quorate(&["run", "--time-limit", "8s", "--seed", "7"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.starts_with("VALID"), "{run}");
    assert!(run.stdout.contains("report"), "{run}");
    assert!(run.stderr.is_empty(), "progress is for terminals: {run}");

    let folder = sandbox.latest();
    for file in
        ["history.jsonl", "results.json", "report.html", "nodes/n0/log", "nodes/n4/config.json"]
    {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let results: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("results.json")).unwrap()).unwrap();
    assert_eq!(results["verdict"], "valid");
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());

    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 0, "{check}");
    assert!(check.stdout.starts_with("VALID"), "{check}");
    let page = fs::read(folder.join("report.html")).unwrap();
    let report = sandbox.quorate(&["report", "store/latest", "--out", "again.html"]);
    assert_eq!(report.code, 0, "{report}");
    assert!(!page.is_empty() && sandbox.path().join("again.html").is_file());
}

#[test]
fn every_fault_class_bites_a_system_that_stays_correct() {
    let sandbox = Sandbox::for_clusters();
    let arguments =
        ["run", "--faults", "all", "--time-limit", "20s", "-o", "quorum=masking", "--json"];
    let run = sandbox.quorate(&arguments);
    assert_eq!(run.code, 0, "{run}");
    let results: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(results["verdict"], "valid");
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}

/// Detection is not certain in one short run, so a mutant gets three.
fn is_caught(mutant: &str, time_limit: &str) {
    use quorate_systems::SystemKind;

    let spec = SystemKind::ALL
        .iter()
        .flat_map(|kind| kind.vocabulary().mutants)
        .find(|spec| spec.name == mutant)
        .unwrap();
    let sandbox = Sandbox::for_clusters();
    let mut arguments = vec!["run", "--time-limit", time_limit];
    arguments.extend(spec.flags.split_whitespace());
    for _ in 0..3 {
        let run = sandbox.quorate(&arguments);
        if run.code == 0 {
            continue;
        }
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stdout.starts_with("INVALID"), "{run}");
        assert!(run.stdout.contains("linearizab"), "{run}");
        assert!(run.stdout.contains("quorate check"), "{run}");
        assert!(sandbox.latest().join("report.html").is_file());
        let check = sandbox.quorate(&["check", "store/latest"]);
        assert_eq!(check.code, 1, "{check}");
        return;
    }
    panic!("{mutant} was not caught in three runs");
}

#[test]
fn a_read_without_write_back_is_caught() {
    is_caught("Q01", "15s");
}

#[test]
fn a_timestamp_without_writer_id_is_caught() {
    is_caught("Q03", "10s");
}

#[test]
fn a_grid_that_asks_the_writing_row_is_caught() {
    is_caught("Q08", "5s");
}

#[test]
fn half_the_votes_as_a_majority_is_caught() {
    is_caught("Q10", "15s");
}

#[test]
fn a_killed_harness_leaves_no_process_and_a_history_that_check_reads() {
    let sandbox = Sandbox::for_clusters();
    let mut run =
        sandbox.start(&["run", "--time-limit", "60s", "--faults", "partition,pause,kill"]);
    sandbox.wait_for_events(500);
    assert!(!processes_mentioning(sandbox.path()).is_empty(), "the nodes are running");
    run.kill().unwrap();
    run.wait().unwrap();
    let patience = Instant::now() + Duration::from_secs(5);
    while !processes_mentioning(sandbox.path()).is_empty() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());

    let history = sandbox.only_history();
    let check = sandbox.quorate(&["check", history.to_str().unwrap()]);
    assert!(check.code == 0 || check.code == 2, "{check}");
    assert!(check.stdout.contains("did not end"), "{check}");
}

#[test]
fn ctrl_c_heals_checks_and_reports_what_there_is() {
    let sandbox = Sandbox::for_clusters();
    let mut run = sandbox.start(&["run", "--time-limit", "120s"]);
    sandbox.wait_for_events(1_000);
    let began = Instant::now();
    crate::support::interrupt(&run);
    let status = run.wait().unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(matches!(status.code(), Some(0 | 2)), "{status}");
    assert!(sandbox.latest().join("report.html").is_file());
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_says_what_there_is() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_heard(&["run", "--time-limit", "120s", "--faults", "pause"]);
    sandbox.wait_for_events(100);
    // A machine that is busy may hear two of them as one.
    while run.try_wait().unwrap().is_none() {
        crate::support::interrupt(&run);
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut said = String::new();
    run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(255), "{said}");
    assert!(said.contains("stopped at once") && said.contains("quorate check store/"), "{said}");
    assert_eq!(
        sandbox.latest().join("history.jsonl"),
        sandbox.only_history().canonicalize().unwrap()
    );
}

#[test]
fn too_few_open_files_are_told_as_what_they_are() {
    let sandbox = Sandbox::new();
    let ended = sandbox.quorate_with_open_files(256, &["run", "--concurrency", "100"]);
    assert_eq!(ended.code, 255, "{ended}");
    assert!(ended.stderr.contains("ulimit -n"), "{ended}");
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}
