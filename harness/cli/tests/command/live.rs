//! Real processes, real faults, real files. Runs are a few seconds long here; what they must show is certain or all but certain in that time.

use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use crate::live_inputs::inputs;
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

/// What the last run that ended came to.
fn results(sandbox: &Sandbox) -> serde_json::Value {
    let bytes = fs::read(sandbox.latest().join("results.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The files in which the nodes of the last run told what happened to them.
fn observed(sandbox: &Sandbox) -> usize {
    let files = (0..5).map(|node| format!("nodes/n{node}/observed.jsonl"));
    files.filter(|file| sandbox.latest().join(file).is_file()).count()
}

#[test]
fn a_timestamp_without_writer_id_is_found_in_what_nodes_and_clients_tell_of_themselves() {
    let sandbox = Sandbox::for_clusters();
    // Everybody writes to one key as fast as the machine lets them: two at once are certain, however busy it is.
    let flow = ["--rate", "0", "--keys", "1", "--concurrency", "6", "--timeout", "10s"];
    let arguments = ["run", "--mutant", "Q03", "--faults", "none", "--time-limit", "3s"];
    let run = sandbox.quorate(&[&arguments[..], &flow].concat());
    assert_eq!(run.code, 1, "{run}");
    let found = &results(&sandbox)["violations"]["found"];
    assert_eq!(found[0]["violation"]["demand"], "Q-I2", "{run}");
    assert!(run.stdout.contains("Q-I2 does not hold at index"), "{run}");
    assert_eq!(observed(&sandbox), 5, "the evidence is kept");
    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 1, "{check}");
    assert!(check.stdout.contains("Q-I2 does not hold at index"), "{check}");
}

#[test]
fn a_run_that_fails_fast_ends_soon_after_the_first_violation_and_leaves_all_that_others_leave() {
    let sandbox = Sandbox::for_clusters();
    let story = "../../examples/read-without-write-back.toml";
    let plan = fs::read_to_string(format!("{}/{story}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    // The write in it hears no answer, so that the run goes on for a minute and a half.
    let durations = "durations = { time_limit_ms = 90000, operation_timeout_ms = 90000 }\nweather";
    fs::write(
        sandbox.path().join("plan.toml"),
        plan.replace("\nweather", &format!("\n{durations}")),
    )
    .unwrap();
    let flags = ["--world", "live", "--plan", "plan.toml", "--mutant", "Q01", "--fail-fast"];
    let began = Instant::now();
    let run = sandbox.quorate(&[&["run"][..], &flags].concat());
    assert!(began.elapsed() < Duration::from_mins(1), "{run}");
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.contains("stopped at the first violation (--fail-fast)"), "{run}");
    assert_eq!(results(&sandbox)["linearizability"]["verdict"], "invalid");
    assert!(sandbox.latest().join("report.html").is_file());
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 1, "{check}");
    let replay = sandbox.quorate(&["replay", "store/latest"]);
    assert_eq!(replay.code, 0, "{replay}");
}

#[test]
fn a_run_that_would_fail_fast_and_does_not_fail_runs_to_its_end() {
    let sandbox = Sandbox::for_clusters();
    let arguments = ["run", "--fail-fast", "--faults", "none", "--time-limit", "3s"];
    let began = Instant::now();
    let run = sandbox.quorate(&arguments);
    assert!(began.elapsed() >= Duration::from_secs(3), "{run}");
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.stdout.contains("stopped"), "{run}");
}

#[test]
fn a_correct_run_under_kills_and_power_losses_breaks_no_invariant() {
    let sandbox = Sandbox::for_clusters();
    let faults = "kill,power-loss,pause,cut-tail";
    let run = sandbox.quorate(&["run", "--faults", faults, "--time-limit", "8s"]);
    assert!(matches!(run.code, 0 | 2), "{run}");
    let results = results(&sandbox);
    assert_eq!(results["violations"]["found"], serde_json::json!([]), "{run}");
    let history = fs::read_to_string(sandbox.latest().join("history.jsonl")).unwrap();
    assert!(!history.contains("\"trouble\""), "the invariants have seen it all: {history}");
    assert_eq!(observed(&sandbox), if run.code == 0 { 0 } else { 5 });
    let kept = inputs(&sandbox).iter().filter(|log| log.is_file()).count();
    assert_eq!(kept, if run.code == 0 { 0 } else { 6 });
    let replay = sandbox.quorate(&["replay", "store/latest"]);
    assert_eq!(replay.code, if run.code == 0 { 2 } else { 0 }, "{replay}");
}

/// Two clients with scripts, a rule, and a fault that waits for something.
const SCRIPTED: &str = r#"
name = "scripted"
seed = 1
world = "live"

[system]
kind = "quorum"
nodes = 3

[workload]
clients = 2

[durations]
time_limit_ms = 60000
operation_timeout_ms = 20000

[[scripts]]
client = 0
do = [
    { f = "write", key = 7, value = 5 },
    { f = "write", key = 7, value = 6, when = { crashed = { node = 2 } } },
]

[[scripts]]
client = 1
do = [{ f = "read", key = 7, when = { completed = { client = "c0", nth = 2 } } }]

[[rules]]
message = { kind = "UPDATE", from = "c0", to = "n0" }
act = "drop"

[[faults]]
when = { observed = { by = "n1", name = "stored" } }
at_ms = 400
for_ms = 500
fault = { kind = "kill", nodes = [2] }
"#;

#[test]
fn scripts_rules_and_moments_direct_a_run_which_ends_when_nothing_is_left_to_do() {
    let sandbox = Sandbox::for_clusters();
    fs::write(sandbox.path().join("plan.toml"), SCRIPTED).unwrap();
    let began = Instant::now();
    let run = sandbox.quorate(&["run", "--plan", "plan.toml"]);
    assert!(began.elapsed() < Duration::from_secs(30), "{run}");
    let history = fs::read_to_string(sandbox.latest().join("history.jsonl")).unwrap();
    let events: Vec<serde_json::Value> =
        history.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let ms = |kind: &str, value: u64| {
        let is_it = |event: &&serde_json::Value| {
            event["type"] == kind && event["f"] == "write" && event["value"] == value
        };
        let event = events.iter().find(is_it).unwrap_or_else(|| panic!("{events:?}"));
        event["time"].as_u64().unwrap() / 1_000_000
    };
    assert!(ms("invoke", 6) >= ms("invoke", 5) + 400, "the second write waits: {events:?}");
    // n0 does not hear of writes, so that the second one cannot do without n2, which is down for half a
    // second from the fault's beginning on. That is told before the write, which waits for the node's end.
    let place = |is_it: &dyn Fn(&serde_json::Value) -> bool| events.iter().position(is_it).unwrap();
    let second = place(&|event| event["type"] == "invoke" && event["value"] == 6);
    assert!(place(&|event| event["phase"] == "begin") < second, "{events:?}");
    let down = events.iter().find(|event| event["phase"] == "begin").unwrap();
    let down_ms = down["time"].as_u64().unwrap() / 1_000_000;
    assert!(ms("ok", 6) >= down_ms + 500, "{events:?}");
    let bites: Vec<&serde_json::Value> = events
        .iter()
        .filter(|event| event["phase"] == "end")
        .map(|event| &event["bites"])
        .collect();
    assert_eq!(bites, [1]);
    let read = events.iter().find(|event| event["type"] == "ok" && event["f"] == "read").unwrap();
    assert_eq!(read["value"], 6);
    assert_eq!(results(&sandbox)["violations"]["found"], serde_json::json!([]));
}

/// Two changes of the system, of which the first comes while a node is down and the second mostly as well. The
/// flow of operations is one that a busy machine can follow.
const CHANGED_TWICE: &str = r#"
name = "changed-twice"
seed = 5
world = "live"

[system]
kind = "quorum"
nodes = 5

[workload]
clients = 6
rate_per_s = 50

[durations]
time_limit_ms = 8000
operation_timeout_ms = 5000

[[faults]]
at_ms = 500
for_ms = 5000
fault = { kind = "kill", nodes = [1] }

[[faults]]
when = { crashed = { node = 1 } }
at_ms = 500
for_ms = 100
fault = { kind = "reconfigure", options = { members = "0,1,2" } }

[[faults]]
when = { observed = { by = "n2", name = "configured", where = { configuration = 2 } } }
at_ms = 500
for_ms = 100
fault = { kind = "reconfigure", options = { members = "1,2,3,4", quorum = "grid" } }
"#;

#[test]
fn two_changes_of_the_system_while_a_node_is_down_are_made_and_lose_nothing() {
    let sandbox = Sandbox::for_clusters();
    fs::write(sandbox.path().join("plan.toml"), CHANGED_TWICE).unwrap();
    let run = sandbox.quorate(&["run", "--plan", "plan.toml"]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(results(&sandbox)["violations"]["found"], serde_json::json!([]), "{run}");
    assert_eq!(sandbox.quorate(&["replay", "store/latest"]).code, 2, "it was valid");
    let history = fs::read_to_string(sandbox.latest().join("history.jsonl")).unwrap();
    let ended = |what: &str| {
        let is_it = |line: &&str| line.contains(r#""phase":"end""#) && line.contains(what);
        let line = history.lines().find(is_it).unwrap_or_else(|| panic!("{what}: {history}"));
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        (event["bites"].as_u64(), event["time"].as_u64().unwrap())
    };
    let (killed, back) = ended(r#""kind":"kill""#);
    let (first, first_at) = ended("to members=0,1,2");
    let (second, second_at) = ended("to members=1,2,3,4 quorum=grid");
    assert_eq!([killed, first, second], [Some(1); 3], "{history}");
    assert!(first_at < back && first_at < second_at, "{history}");
}

/// Runs a story of the examples with real processes and a bug planted, and expects this demand to be broken. A
/// story leaves nothing to luck that a flow of random operations would need on a busy machine.
fn breaks(mutant: &str, story: &str, demand: &str) -> Sandbox {
    let sandbox = Sandbox::for_clusters();
    let plan = format!("{}/../../examples/{story}.toml", env!("CARGO_MANIFEST_DIR"));
    let run = sandbox.quorate(&["run", "--world", "live", "--plan", &plan, "--mutant", mutant]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.starts_with(&format!("INVALID  {demand} does not hold")), "{run}");
    assert!(run.stdout.contains("quorate check"), "{run}");
    let page = fs::read_to_string(sandbox.latest().join("report.html")).unwrap();
    assert!(page.contains("Message by message"), "what the cores did again is drawn");
    let story = fs::read_to_string(sandbox.latest().join("story.svg")).unwrap();
    // Of several demands it tells of the one that is broken first.
    assert!(story.contains(" is broken: "), "{story}");
    assert!(story.contains("class=\"message\""), "{story}");
    let check = sandbox.quorate(&["check", "store/latest"]);
    assert_eq!(check.code, 1, "{check}");
    sandbox
}

#[test]
fn a_read_without_write_back_is_caught() {
    let sandbox = breaks("Q01", "read-without-write-back", "Q-I3");
    // Only what has happened directs this story, and no time: its clients see it for certain.
    assert_eq!(results(&sandbox)["linearizability"]["verdict"], "invalid");
}

#[test]
fn a_grid_that_asks_the_writing_row_is_caught() {
    // On a busy machine the row that is further away may be no slower, and then no client sees it.
    breaks("Q08", "grid-rows-never-meet", "Q-I4");
}

#[test]
fn half_the_votes_as_a_majority_is_caught() {
    breaks("Q10", "half-is-no-majority", "Q-I4");
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

    let replay = sandbox.quorate(&["replay", history.to_str().unwrap()]);
    assert_eq!(replay.code, 2, "{replay}");
    assert!(replay.stdout.starts_with("UNKNOWN  the history breaks off behind "), "{replay}");
    assert!(replay.stdout.contains("\ncores    re-executed exactly: "), "{replay}");
    let tests = sandbox.quorate(&["replay", "store"]);
    assert_eq!(tests.code, 2, "{tests}");
    assert!(tests.stdout.starts_with("unknown  quorum-register/"), "{tests}");
    assert!(tests.stdout.contains("\n1 replayed, 0 not as they should be, 1 of which"), "{tests}");
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

#[test]
fn a_failing_run_of_real_processes_is_shrunk_by_way_of_a_simulated_one_that_does_the_same() {
    let sandbox = Sandbox::for_clusters();
    // Whether a simulated run can be told the same is a matter of timing: what timers do is not written down. The bug
    // itself shows in every run in which clients ask no more nodes than they must, and often.
    let shrunk = (1..=3).find_map(|seed: u64| {
        let seed = seed.to_string();
        let arguments = "run --mutant Q01 --nodes 3 --option contact=quorum --concurrency 5n --rate 100 \
                         --faults partition --time-limit 6s";
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let run = sandbox.quorate(&[&arguments[..], &["--seed", &seed]].concat());
        if run.code != 1 || !run.stdout.contains("Q-I3 does not hold") {
            return None;
        }
        assert!(run.stdout.contains("\nshrink   quorate shrink "), "{run}");
        let live = sandbox.latest();
        let shrunk = sandbox.quorate(&["shrink", live.to_str().unwrap(), "--time-limit", "60s"]);
        assert!(matches!(shrunk.code, 0 | 2), "{shrunk}");
        assert!(shrunk.stdout.starts_with("INVALID  Q-I3 does not hold"), "{shrunk}");
        assert!(shrunk.stdout.contains("; breaks Q-I3 as the live run did"), "{shrunk}");
        let is_told = shrunk.stdout.contains("\nlive     from the inputs of its cores: ");
        is_told.then_some(live)
    });
    let live =
        shrunk.expect("a bug that every run shows, and that nearly every run can be told of");

    let folder = sandbox.latest();
    assert_ne!(folder, live);
    let told = fs::read_to_string(folder.join("from-live.toml")).unwrap();
    assert!(told.starts_with("# A simulated run of what real processes did"), "{told}");
    assert!(told.contains("deliver = ") && told.contains("world = \"sim\""), "{told}");
    for plan in ["from-live.toml", "plan.toml"] {
        let plan = folder.join(plan);
        let arguments = ["run", "--plan", plan.to_str().unwrap(), "--mutant"];
        let run = sandbox.quorate(&[&arguments[..], &["Q01"]].concat());
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stdout.contains("Q-I3 does not hold"), "{run}");
        // Without the bug nothing is wrong with it.
        let run = sandbox.quorate(&[&arguments[..], &["none"]].concat());
        assert!(!run.stdout.starts_with("INVALID"), "{run}");
    }

    // Without what the cores took in there is still the plan.
    fs::remove_file(live.join("clients-inputs.log")).unwrap();
    let shrunk = sandbox.quorate(&["shrink", live.to_str().unwrap(), "--time-limit", "6s"]);
    match shrunk.code {
        0 | 2 => {
            let from = "\nlive     from the plan of the live run with seed ";
            assert!(shrunk.stdout.contains(from), "{shrunk}");
        }
        code => {
            assert_eq!(code, 254, "{shrunk}");
            assert!(shrunk.stderr.contains("clients-inputs.log is not there"), "{shrunk}");
        }
    }
}

/// Runs a system with real processes for some seconds, under faults that it bears, and expects that it is valid.
fn is_valid_under_kills_and_partitions(arguments: &[&str]) {
    let sandbox = Sandbox::for_clusters();
    let faults = ["--seed", "7", "--faults", "kill,power-loss,partition,loss"];
    let run = ["run", "--time-limit", "8s"];
    let run = sandbox.quorate(&[&run[..], &faults, arguments].concat());
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.starts_with("VALID"), "{run}");
    assert!(run.stdout.contains("\nspeed    "), "{run}");
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}

#[test]
fn consensus_by_real_processes_is_valid_under_kills_and_partitions() {
    is_valid_under_kills_and_partitions(&["--system", "paxos-single"]);
}

#[test]
fn a_store_on_multi_paxos_by_real_processes_is_valid_under_kills_and_partitions() {
    let system = ["--system", "paxos", "-o", "reads=lease", "--workload", "txn"];
    is_valid_under_kills_and_partitions(&system);
}

#[test]
fn a_store_on_paxos_for_system_builders_by_real_processes_is_valid_under_kills_and_partitions() {
    is_valid_under_kills_and_partitions(&["--system", "psb", "--workload", "append"]);
}

#[test]
fn viewstamped_replication_is_valid_with_its_optimisations_under_kills_and_partitions() {
    let options = ["-o", "reads=lease", "-o", "replies=prepare", "-o", "witnesses=yes"];
    let system = ["--system", "vr", "--workload", "txn"];
    is_valid_under_kills_and_partitions(&[&system[..], &options].concat());
}

#[test]
fn a_leader_that_counts_itself_only_is_caught() {
    let sandbox = Sandbox::for_clusters();
    let run = ["run", "--system", "paxos", "--mutant", "P16", "--faults", "none"];
    let run = sandbox.quorate(&[&run[..], &["--time-limit", "3s"]].concat());
    assert_eq!(run.code, 1, "{run}");
    let found = &results(&sandbox)["violations"]["found"];
    assert_eq!(found[0]["violation"]["demand"], "P-I11", "{run}");
}
