//! Runs that come back, and runs that do not.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Ended, Sandbox};

/// A short simulated run with a planted bug, which its history shows.
fn found(sandbox: &Sandbox, seed: &str) -> PathBuf {
    let ended = sandbox.quorate(&[
        "run",
        "--world",
        "sim",
        "--time-limit",
        "3s",
        "--seed",
        seed,
        "--mutant",
        "Q01",
    ]);
    assert_eq!(ended.code, 1, "{ended}");
    sandbox.latest()
}

fn replay(sandbox: &Sandbox, path: &Path) -> Ended {
    sandbox.quorate(&["replay", path.to_str().unwrap()])
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(ToOwned::to_owned).collect()
}

fn write(sandbox: &Sandbox, name: &str, lines: &[String]) -> PathBuf {
    let path = sandbox.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

/// The plan of a run, with the demand that it breaks.
fn plan_that_shows(history: &Path, breaks: &str, mutant: Option<&str>) -> String {
    let header: Value = serde_json::from_str(&lines(history)[0]).unwrap();
    let mut plan = header["plan"].clone();
    plan["shows"] = serde_json::json!({ "breaks": breaks });
    if let Some(mutant) = mutant {
        plan["shows"]["mutant"] = mutant.into();
    }
    let plan = quorate_plan::from_json(&plan.to_string()).unwrap();
    quorate_plan::to_toml(&plan)
}

#[test]
fn a_simulated_run_comes_back_from_its_folder_and_from_its_history() {
    let sandbox = Sandbox::new();
    let folder = found(&sandbox, "3");
    for path in [folder.clone(), folder.join("history.jsonl")] {
        let ended = replay(&sandbox, &path);
        assert_eq!(ended.code, 0, "{ended}");
        assert!(ended.stdout.starts_with("SAME "), "{ended}");
        assert!(ended.stdout.contains("is broken, as recorded\n"), "{ended}");
        assert!(ended.stdout.contains("planted  Q01\n"), "{ended}");
    }
}

#[test]
fn the_first_event_that_differs_is_shown() {
    let sandbox = Sandbox::new();
    let history = lines(&found(&sandbox, "3").join("history.jsonl"));
    // As if another program had recorded it: the header is no part of what the footer vouches for.
    let mut other = history.clone();
    other[0] = other[0].replace("\"seed\":3", "\"seed\":4").replace("quorate 0", "quorate 9");
    assert_ne!(other[0], history[0]);
    let ended = replay(&sandbox, &write(&sandbox, "other.jsonl", &other));
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stdout.starts_with("DIFFERS  another run, from event "), "{ended}");
    let event = |label: &str| {
        let line = ended.stdout.lines().find_map(|line| line.strip_prefix(label)).unwrap();
        serde_json::from_str::<Value>(line.trim()).unwrap()
    };
    let (recorded, now) = (event("recorded "), event("now "));
    assert_eq!(recorded["index"], now["index"]);
    assert_ne!(recorded, now);
    assert!(ended.stdout.contains("program  recorded by quorate 9"), "{ended}");
}

#[test]
fn of_a_run_that_was_cut_off_it_is_said_how_far_it_came_back() {
    let sandbox = Sandbox::new();
    let mut history = lines(&found(&sandbox, "3").join("history.jsonl"));
    history.truncate(20);
    let ended = replay(&sandbox, &write(&sandbox, "cut.jsonl", &history));
    assert_eq!(ended.code, 2, "{ended}");
    let told = "UNKNOWN  the run was cut off: its 19 events came back";
    assert!(ended.stdout.starts_with(told), "{ended}");
}

#[test]
fn a_digest_that_is_not_that_of_the_world_is_told() {
    let sandbox = Sandbox::new();
    let mut history = lines(&found(&sandbox, "3").join("history.jsonl"));
    let last = history.last_mut().unwrap();
    let mut footer: Value = serde_json::from_str(last).unwrap();
    footer["run"]["digest"] = "0".repeat(32).into();
    *last = last.replace(
        serde_json::from_str::<Value>(last).unwrap()["run"]["digest"].as_str().unwrap(),
        footer["run"]["digest"].as_str().unwrap(),
    );
    let ended = replay(&sandbox, &write(&sandbox, "world.jsonl", &history));
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stdout.contains("but not the world behind it"), "{ended}");
}

#[test]
fn what_cannot_be_replayed_is_said_in_one_line() {
    let sandbox = Sandbox::new();
    let folder = found(&sandbox, "3");
    let history = lines(&folder.join("history.jsonl"));
    let mut edited = history.clone();
    edited[5] = edited[5].replace("\"time\":", "\"time\":1");
    let mut stranger = history.clone();
    stranger[0] = stranger[0].replace("\"mutant\":\"Q01\"", "\"mutant\":\"Q99\"");
    let plan = quorate_plan::to_toml(
        &quorate_plan::from_toml(&plan_that_shows(&folder.join("history.jsonl"), "Q-I3", None))
            .map(|mut plan| {
                plan.shows = None;
                plan
            })
            .unwrap(),
    );
    let cases = [
        (write(&sandbox, "edited.jsonl", &edited), "edited.jsonl: "),
        (write(&sandbox, "stranger.jsonl", &stranger), "nobody has planted `Q99` here"),
        (write(&sandbox, "empty.jsonl", &[]), "empty.jsonl: line 1: "),
        (write(&sandbox, "mute.toml", &[plan]), "does not say what it shows"),
        (sandbox.path().join("missing.jsonl"), "cannot read"),
        (sandbox.path().join("missing"), "cannot read"),
    ];
    for (path, what) in cases {
        let ended = replay(&sandbox, &path);
        assert_eq!(ended.code, 254, "{ended}");
        assert!(
            ended.stderr.starts_with("error: ") && ended.stderr.contains(what),
            "{what}: {ended}"
        );
    }
    fs::create_dir(sandbox.path().join("nothing")).unwrap();
    let ended = sandbox.quorate(&["replay", "nothing"]);
    assert_eq!(ended.code, 254, "{ended}");
    assert!(ended.stderr.contains("there is nothing to replay in nothing"), "{ended}");
}

#[test]
fn a_folder_is_a_set_of_tests() {
    let sandbox = Sandbox::new();
    let folder = found(&sandbox, "3");
    let history = folder.join("history.jsonl");
    let ended = replay(&sandbox, &history);
    let breaks = ended.stdout.lines().find_map(|line| line.strip_prefix("shows    ")).unwrap();
    let breaks = breaks.split(' ').next().unwrap();
    let tests = sandbox.path().join("tests");
    write(&sandbox, "tests/found.toml", &[plan_that_shows(&history, breaks, Some("Q01"))]);
    write(&sandbox, "tests/deep/fixed.toml", &[plan_that_shows(&history, breaks, None)]);
    fs::copy(&history, tests.join("whole.jsonl")).unwrap();
    let good = replay(&sandbox, &tests);
    assert_eq!(good.code, 0, "{good}");
    let told: Vec<&str> = good.stdout.lines().collect();
    assert!(told[0].starts_with("fixed        deep/fixed.toml: nothing is broken"), "{good}");
    assert!(told[1].starts_with("still found  found.toml: "), "{good}");
    assert!(told[2].ends_with(", the same run"), "{good}");
    assert_eq!(told[3], "3 replayed, 0 not as they should be, 0 of which nothing can be said");

    write(&sandbox, "tests/gone.toml", &["name = 1".to_owned()]);
    let unsaid = replay(&sandbox, &tests);
    assert_eq!(unsaid.code, 2, "{unsaid}");
    assert!(unsaid.stdout.contains("no longer applies  gone.toml: "), "{unsaid}");

    write(&sandbox, "tests/other.toml", &[plan_that_shows(&history, "Q-I8", Some("Q01"))]);
    let bad = sandbox.quorate(&["replay", "tests", "--json"]);
    assert_eq!(bad.code, 1, "{bad}");
    let rows: Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!(rows["rows"][3]["file"], "other.toml");
    assert_eq!(rows["rows"][3]["state"], "no-longer-found");
}

#[test]
fn how_often_a_run_comes_back_is_said_with_an_interval() {
    let sandbox = Sandbox::new();
    let folder = found(&sandbox, "3");
    let folder = folder.to_str().unwrap();
    let ended = sandbox.quorate(&["replay", folder, "--world", "sim", "--times", "3", "--json"]);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let runs = told["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3, "{ended}");
    assert_eq!(runs[0]["seed"], 3);
    assert_eq!(runs[0]["now"], told["recorded"], "the first has the seed of the recorded run");
    assert_ne!(runs[1]["folder"], runs[2]["folder"]);
    let same = runs.iter().filter(|run| run["now"] == told["recorded"]).count();
    assert_eq!(told["came_back"], same);
    let interval = [&told["interval"][0], &told["interval"][1]].map(|end| end.as_f64().unwrap());
    let share = f64::from(u32::try_from(same).unwrap()) / 3.0;
    assert!(interval[0] < share && share <= interval[1], "{ended}");
    assert_eq!(ended.code, 0, "{ended}");
    let ended = sandbox.quorate(&["replay", "store", "--world", "sim"]);
    assert_eq!(ended.code, 254, "{ended}");
}

/// The project's own set of tests.
#[test]
fn what_was_found_once_stays_found_or_fixed() {
    let sandbox = Sandbox::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../regressions");
    let ended = sandbox.quorate(&["replay", folder.to_str().unwrap(), "--json"]);
    assert_eq!(ended.code, 0, "{ended}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let found = told["rows"].as_array().unwrap().iter();
    let planted = found.filter(|row| row["state"] == "still-found").count();
    let list = sandbox.quorate(&["list", "mutants", "--json"]);
    let mutants: Value = serde_json::from_str(&list.stdout).unwrap();
    let systems = mutants["systems"].as_array().unwrap().iter();
    let count: usize = systems.map(|system| system["mutants"].as_array().unwrap().len()).sum();
    assert_eq!(planted, count, "one for each planted bug: {ended}");
}
