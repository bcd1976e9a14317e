//! Campaigns: killed and resumed, in shards and merged, with a planted bug, and with a harness that breaks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ended, Sandbox, interrupt, processes_mentioning};

/// A campaign that finds something in some of its runs, and is quick to make that small.
const CAMPAIGN: [&str; 9] =
    ["torture", "--world", "sim", "--runs", "60", "--seed", "5", "--system", "quorum,vr"];
const WITH_BUG: [&str; 8] =
    ["torture", "--world", "sim", "--runs", "40", "--seed", "7", "--mutant=Q06"];

fn latest(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("store/torture/latest").canonicalize().unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What a campaign came to, as text, without the times.
fn timeless(folder: &Path) -> String {
    let mut results = json(&folder.join("results.json"));
    assert!(results.as_object_mut().unwrap().remove("times").is_some());
    serde_json::to_string_pretty(&results).unwrap()
}

/// The runs of a campaign by their numbers, with their seeds.
fn runs(folder: &Path) -> BTreeMap<u64, u64> {
    let text = fs::read_to_string(folder.join("results.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let number = |line: &Value, field: &str| line[field].as_u64().unwrap();
    let runs: BTreeMap<u64, u64> =
        lines.iter().map(|line| (number(line, "index"), number(line, "seed"))).collect();
    assert_eq!(runs.len(), lines.len(), "each once");
    runs
}

/// Starts a campaign, and waits until so many of its runs are done.
fn started(sandbox: &Sandbox, arguments: &[&str], runs: usize) -> std::process::Child {
    let child = sandbox.start(arguments);
    let lines = sandbox.path().join("store/torture/latest/results.jsonl");
    let patience = Instant::now() + Duration::from_mins(1);
    while fs::read_to_string(&lines).map_or(0, |text| text.lines().count()) < runs {
        assert!(Instant::now() < patience, "no {runs} runs within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn a_campaign_that_was_killed_goes_on_and_comes_to_the_same() {
    let undisturbed = Sandbox::new();
    let ended = undisturbed.quorate(&CAMPAIGN);
    assert_eq!(ended.code, 0, "{ended}");
    let killed = Sandbox::new();
    let mut child = started(&killed, &CAMPAIGN, 10);
    child.kill().unwrap();
    child.wait().unwrap();
    let folder = latest(&killed);
    let before = runs_of_torn(&folder);
    assert!((10..60).contains(&before), "{before} runs were done");
    let failures = ["replay", "store/torture/latest/failures"];
    assert_eq!(killed.quorate(&failures).code, 254, "nobody knows yet");
    let ended = killed.quorate(&["torture", "--resume", "store/torture/latest"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert_eq!(latest(&killed), folder, "in the same place");
    assert_eq!(runs(&folder), runs(&latest(&undisturbed)));
    assert_eq!(runs(&folder).len(), 60);
    assert_eq!(timeless(&folder), timeless(&latest(&undisturbed)));
    assert_eq!(killed.quorate(&failures).code, 0, "there are none");
}

/// How many whole lines there are; then the last one is torn, as if the kill had come in the middle of it.
fn runs_of_torn(folder: &Path) -> usize {
    let path = folder.join("results.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end().strip_suffix('}').unwrap_or(&text)).unwrap();
    text.lines().count()
}

#[test]
fn a_campaign_with_a_planted_bug_that_was_killed_comes_to_the_same_failures() {
    let undisturbed = Sandbox::new();
    assert_eq!(undisturbed.quorate(&WITH_BUG).code, 1);
    let killed = Sandbox::new();
    let mut child = started(&killed, &WITH_BUG, 5);
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = killed.quorate(&["torture", "--resume", "store/torture/latest"]);
    assert_eq!(ended.code, 1, "{ended}");
    let (folder, other) = (latest(&killed), latest(&undisturbed));
    assert_eq!(timeless(&folder), timeless(&other));
    assert_eq!(names(&folder.join("failures")), names(&other.join("failures")));
    assert!(!folder.join("found").exists(), "nothing is left over");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn two_shards_merged_are_one_campaign() {
    let whole = Sandbox::new();
    assert_eq!(whole.quorate(&WITH_BUG).code, 1);
    let parts = Sandbox::new();
    for (shard, store) in [("0/2", "a"), ("1/2", "b")] {
        let part = [&WITH_BUG[..], &["--shard", shard, "--store", store]].concat();
        let ended = parts.quorate(&part);
        assert_eq!(ended.code, 1, "{ended}");
    }
    let ended = parts.quorate(&["merge", "a", "b", "--out", "store"]);
    assert_eq!(ended.code, 1, "{ended}");
    let (merged, one) = (latest(&parts), latest(&whole));
    assert_eq!(timeless(&merged), timeless(&one));
    assert_eq!(runs(&merged), runs(&one));
    assert_eq!(names(&merged.join("failures")), names(&one.join("failures")));
    let page = |folder: &Path| fs::read_to_string(folder.join("index.html")).unwrap();
    let headings = |page: &str| page.matches("<h2").count();
    assert_eq!(headings(&page(&merged)), headings(&page(&one)));

    let again = parts.quorate(&["merge", "a", "a", "b", "--out", "again"]);
    assert_eq!(again.code, 1, "a run that came to the same twice counts once: {again}");
    let foreign = parts.quorate(&["merge", "a", "b", "--out", "c"]);
    assert_eq!(foreign.code, 1, "{foreign}");
    let other = [&WITH_BUG[..5], &["--seed", "8", "--mutant=Q06", "--store", "d"]].concat();
    parts.quorate(&other);
    refused(&parts.quorate(&["merge", "a", "d"]), &["no parts of one campaign", "--seed 8"]);
    let lines = parts.path().join("b/torture/latest/results.jsonl");
    let text = fs::read_to_string(&lines).unwrap().replacen("\"index\":1,", "\"index\":0,", 1);
    fs::write(&lines, text).unwrap();
    refused(&parts.quorate(&["merge", "a", "b"]), &["run 0", "something else"]);
}

#[test]
fn a_planted_bug_is_found_made_small_and_told() {
    let sandbox = Sandbox::new();
    let ended = sandbox.quorate(&WITH_BUG);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stdout.starts_with("INVALID"), "{ended}");
    let folder = latest(&sandbox);
    let results = json(&folder.join("results.json"));
    let failures = results["failures"].as_array().unwrap();
    assert!((1..=3).contains(&failures.len()), "40 failing runs are a few failures: {failures:#?}");
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    for failure in failures {
        let signature = failure["signature"].as_str().unwrap();
        let place = folder.join("failures").join(signature);
        for file in ["plan.toml", "history.jsonl", "results.json", "report.html", "finding.json"] {
            assert!(place.join(file).exists(), "{signature}/{file}");
        }
        for file in ["plan.toml", "history.jsonl", "report.html", "story.svg"] {
            assert!(place.join("shrunk").join(file).exists(), "{signature}/shrunk/{file}");
        }
        assert!(page.contains(&format!("failures/{signature}/shrunk/report.html")));
        assert!(failure["steps"].as_array().unwrap().len() >= 2, "{failure}");
        let path = place.join("report.html");
        let report = fs::read_to_string(path).unwrap();
        assert!(report.contains(&format!("failures/{signature}/history.jsonl")), "it says where");
        assert!(!report.contains("/found/"), "and not where it was");
    }
    let replayed = sandbox.quorate(&["replay", "store/torture/latest/failures"]);
    assert_eq!(replayed.code, 0, "{replayed}");
    let junit = fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(junit.contains("<failure type=\"quorum-Q-I"), "{junit}");
    assert!(fs::read_to_string(folder.join("summary.md")).unwrap().starts_with("## ✗"));
}

#[test]
fn a_run_has_the_plan_that_is_shown() {
    let sandbox = Sandbox::new();
    let ended = sandbox.quorate(&WITH_BUG);
    assert_eq!(ended.code, 1, "{ended}");
    let results = json(&latest(&sandbox).join("results.json"));
    let failure = &results["failures"][0];
    let index = failure["runs"][0].to_string();
    let shown = sandbox.quorate(&[&WITH_BUG[..], &["--show", &index]].concat());
    let plan = quorate_plan::from_toml(&shown.stdout).unwrap();
    assert_eq!(Some(plan.seed), failure["seed"].as_u64());
    fs::write(sandbox.path().join("plan.toml"), &shown.stdout).unwrap();
    let run = sandbox.quorate(&["run", "--plan", "plan.toml", "--mutant", "Q06"]);
    assert_eq!(run.code, 1, "{run}");
}

#[test]
fn ctrl_c_ends_it_with_the_page_of_what_was_done() {
    let sandbox = Sandbox::new();
    let arguments = ["torture", "--world", "sim", "--budget", "10m", "--seed", "5"];
    let mut child = started(&sandbox, &arguments, 20);
    interrupt(&child);
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(0));
    let folder = latest(&sandbox);
    let results = json(&folder.join("results.json"));
    assert_eq!(results["times"]["state"], "stopped");
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains("--resume"), "it says how it goes on");
    let more = sandbox.quorate(&["torture", "--resume", "store/torture/latest", "--runs", "5"]);
    assert_eq!(more.code, 0, "it has more than those already: {more}");
}

#[test]
fn a_run_that_breaks_the_harness_is_told_apart_and_is_no_verdict() {
    let sandbox = Sandbox::for_clusters();
    let live = ["torture", "--world", "live", "--runs", "2", "--seed", "5", "--system", "quorum"];
    // Too few files for a cluster.
    let ended = sandbox.quorate_with_open_files(24, &live);
    assert_eq!(ended.code, 255, "{ended}");
    assert!(ended.stdout.starts_with("BROKEN"), "{ended}");
    let folder = latest(&sandbox);
    let results = json(&folder.join("results.json"));
    assert_eq!(results["broken"][0]["runs"], 2, "the campaign goes on: {results:#}");
    assert!(folder.join("broken/0/plan.toml").exists());
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains("What broke the harness"));
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}

#[test]
fn live_clusters_run_beside_simulated_runs_and_leave_only_their_lines() {
    let sandbox = Sandbox::for_clusters();
    let ended = sandbox.quorate(&[
        "torture",
        "--system",
        "quorum",
        "--seed",
        "5",
        "--runs",
        "100",
        "--time-limit",
        "3s",
        "--faults",
        "kill",
        "--nodes",
        "3",
    ]);
    let folder = latest(&sandbox);
    let results = json(&folder.join("results.json"));
    let worlds: Vec<&Value> =
        results["cells"].as_array().unwrap().iter().map(|cell| &cell["world"]).collect();
    assert_eq!(worlds, ["live", "sim"], "{ended}");
    assert_eq!(runs(&folder).len(), 100);
    let places = results["milestones"][0]["places"].as_array().unwrap();
    let live = |place: &Value| place["live_times"].as_u64().unwrap();
    assert!(places.iter().any(|place| live(place) > 0), "cores did it again: {places:#?}");
    let is_of_world = |place: &&Value| place["is_of_world"] == true;
    assert!(places.iter().filter(is_of_world).all(|place| live(place) == 0), "{places:#?}");
    assert_eq!(results["broken"].as_array().unwrap().len(), 0, "{results:#}");
    assert!(!folder.join("found").exists());
    let replayed = sandbox.quorate(&["replay", "store/torture/latest/failures"]);
    assert_eq!(replayed.code, 0, "{replayed}");
    assert!(replayed.stdout.starts_with("this campaign has no failures"), "{replayed}");
    assert_eq!(sandbox.quorate(&["replay", "store/torture/failures"]).code, 254);
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}

#[test]
fn what_fails_in_real_processes_is_made_small_from_what_their_cores_took_in() {
    let sandbox = Sandbox::for_clusters();
    let ended = sandbox.quorate(&[
        "torture",
        "--world=live",
        "--runs=1",
        "--seed=3",
        "--mutant=Q06",
        "--time-limit=2s",
        "--faults=none",
    ]);
    assert_eq!(ended.code, 1, "{ended}");
    let results = json(&latest(&sandbox).join("results.json"));
    let failure = &results["failures"][0];
    assert_eq!(failure["world"], "live", "{results:#}");
    assert_eq!(failure["shape"], "no fault; no rule", "{results:#}");
    let place = latest(&sandbox).join("failures").join(failure["signature"].as_str().unwrap());
    assert!(place.join("clients-inputs.log").exists(), "it can be replayed");
    assert!(place.join("shrunk/story.svg").exists());
}

fn refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, 254, "{ended}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
}

#[test]
fn what_is_wrong_with_a_campaign_is_said_with_its_line() {
    let sandbox = Sandbox::new();
    let of_file = |text: &str| {
        fs::write(sandbox.path().join("c.toml"), text).unwrap();
        sandbox.quorate(&["torture", "--campaign", "c.toml"])
    };
    refused(
        &of_file("seed = 1\nsystms = [\"vr\"]\n"),
        &["c.toml:2:1", "`systms`", "allowed: seed"],
    );
    refused(&of_file("system = [\"raft\"]\n"), &["c.toml:1:11", "raft", "paxos-single"]);
    refused(&of_file("budget = \"soon\"\n"), &["c.toml:1:10", "such as 30s"]);
    refused(&of_file("budget = \"5m\"\nruns = 3\n"), &["c.toml:2:8", "one of the two"]);
    refused(&of_file("shard = \"4/4\"\n"), &["c.toml:1:9", "0/4"]);
    refused(&of_file("faults = [\"kil\"]\n"), &["c.toml:1:11", "kil", "partition"]);
    refused(
        &sandbox.quorate(&["torture", "--mutant", "V15", "--system", "pbft"]),
        &["no planted bug"],
    );
    refused(&sandbox.quorate(&["torture", "--runs", "5", "--budget", "5m"]), &["--budget"]);
    refused(&sandbox.quorate(&["torture", "--resume", "nowhere"]), &["there is no campaign"]);
    refused(&sandbox.quorate(&["torture", "--resume", "x", "--seed", "3"]), &["--seed"]);
    assert!(!sandbox.path().join("store").exists(), "nothing was begun");
}

#[test]
fn the_example_campaigns_can_be_run() {
    let sandbox = Sandbox::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/campaigns");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let campaigns: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert!(!campaigns.is_empty());
    for campaign in campaigns {
        let path = campaign.to_str().unwrap();
        let shown = sandbox.quorate(&["torture", "--campaign", path, "--show", "0"]);
        assert_eq!(shown.code, 0, "{path}: {shown}");
        assert!(quorate_plan::from_toml(&shown.stdout).is_ok(), "{path}");
    }
}
