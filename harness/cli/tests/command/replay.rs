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
    let told = "UNKNOWN  the run was cut off: its 19 events came back; run to its end, it has ";
    assert!(ended.stdout.starts_with(told), "{ended}");
    let told = " is broken; recorded up to where it was cut off: nothing yet\n";
    assert!(ended.stdout.contains(told), "{ended}");
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
    let mut other_plan = history.clone();
    other_plan[0] = other_plan[0].replace("\"durations\":", "\"spans\":");
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
        (sandbox.path().join("stranger.jsonl"), "\nhint: `quorate list mutants` says what each"),
        (write(&sandbox, "spans.jsonl", &other_plan), "line 1: the plan: unknown field"),
        (sandbox.path().join("spans.jsonl"), "\nhint: quorate 0."),
        (write(&sandbox, "empty.jsonl", &[]), "empty.jsonl: line 1: "),
        (write(&sandbox, "mute.toml", &[plan]), "does not say what it shows"),
        (sandbox.path().join("missing.jsonl"), "cannot read"),
        (sandbox.path().join("missing"), "cannot read"),
        (
            PathBuf::from("-"),
            "standard input is not read here: this needs a file\nhint: put it into",
        ),
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

/// A history with another footer.
fn with_footer(history: &[String], change: impl Fn(&mut Value)) -> Vec<String> {
    let mut history = history.to_vec();
    let last = history.last_mut().unwrap();
    let mut footer: Value = serde_json::from_str(last).unwrap();
    change(&mut footer);
    *last = footer.to_string();
    history
}

/// The same with the digest of the events that there are.
fn sealed(history: &[String]) -> Vec<String> {
    let events = &history[1..history.len() - 1];
    let text: String = events.iter().map(|event| event.clone() + "\n").collect();
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    with_footer(history, |footer| {
        footer["digest"] = digest.clone().into();
        footer["events"] = events.len().into();
    })
}

#[test]
fn what_header_and_footer_say_is_compared_and_named() {
    let sandbox = Sandbox::new();
    let history = lines(&found(&sandbox, "3").join("history.jsonl"));
    let mut model = history.clone();
    model[0] = model[0].replace("\"model\":\"register\"", "\"model\":\"teapot\"");
    let steps = with_footer(&history, |footer| footer["run"]["steps"] = 7.into());
    let verdict = with_footer(&history, |footer| footer["verdict"] = "valid".into());
    for (name, lines, told) in [
        ("model", model, "model: recorded teapot, now register"),
        ("steps", steps, "run.steps: recorded 7, now "),
        ("verdict", verdict, "verdict: recorded valid, now invalid"),
    ] {
        let path = write(&sandbox, &format!("{name}/{name}.jsonl"), &lines);
        let ended = replay(&sandbox, &path);
        assert_eq!(ended.code, 1, "{ended}");
        assert!(
            ended.stdout.starts_with("DIFFERS  the history came back, but its file"),
            "{ended}"
        );
        assert!(ended.stdout.contains(told), "{told}: {ended}");
        let ended = replay(&sandbox, path.parent().unwrap());
        assert_eq!(ended.code, 2, "{ended}");
        assert!(ended.stdout.starts_with("damaged  ") && ended.stdout.contains(told), "{ended}");
    }
}

/// As if Ctrl-C had come when faults stopped: nothing promises the digest of the world any more.
#[test]
fn a_run_that_was_stopped_differs_before_it_was_healed_and_is_unknown_after_that() {
    let sandbox = Sandbox::new();
    let whole = lines(&found(&sandbox, "3").join("history.jsonl"));
    let healing = whole.iter().position(|line| line.contains("\"kind\":\"healing\"")).unwrap();
    let stopped = with_footer(&whole, |footer| {
        footer.as_object_mut().unwrap().remove("run");
    });
    let changed = |at: usize| {
        let mut lines = stopped.clone();
        let event: Value = serde_json::from_str(&lines[at]).unwrap();
        let time = event["time"].as_u64().unwrap();
        lines[at] =
            lines[at].replace(&format!("\"time\":{time},"), &format!("\"time\":{},", time + 1));
        assert_ne!(lines[at], stopped[at]);
        // Times never go back, however many events are of one moment.
        for line in &mut lines[at + 1..] {
            *line = line.replace(&format!("\"time\":{time},"), &format!("\"time\":{},", time + 1));
        }
        sealed(&lines)
    };
    let early = replay(&sandbox, &write(&sandbox, "early.jsonl", &changed(3)));
    assert_eq!(early.code, 1, "{early}");
    assert!(early.stdout.starts_with("DIFFERS  another run, from event 2 "), "{early}");
    let late = replay(&sandbox, &write(&sandbox, "late.jsonl", &changed(healing)));
    assert_eq!(late.code, 2, "{late}");
    let told = format!("UNKNOWN  the run was cut off: its {} events came back", healing - 1);
    assert!(late.stdout.starts_with(&told), "{late}");
}

fn rows(ended: &Ended) -> Vec<(String, String)> {
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended}"));
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = told["rows"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "file"), text(row, "state"))).collect()
}

fn states(sandbox: &Sandbox, folder: &str, code: i32, expected: &[(&str, &str)]) {
    let ended = sandbox.quorate(&["replay", folder, "--json"]);
    let rows = rows(&ended);
    let rows: Vec<(&str, &str)> = rows.iter().map(|(file, state)| (&**file, &**state)).collect();
    assert_eq!(rows, expected, "{ended}");
    assert_eq!(ended.code, code, "{ended}");
}

#[test]
fn whatever_stands_beside_a_history_and_is_not_its_runs_own_is_a_test() {
    let sandbox = Sandbox::new();
    let run = found(&sandbox, "3");
    let history = run.join("history.jsonl");
    let breaks = replay(&sandbox, &history);
    let breaks = breaks.stdout.lines().find_map(|line| line.strip_prefix("shows    ")).unwrap();
    let plan = plan_that_shows(&history, breaks.split(' ').next().unwrap(), Some("Q01"));
    let wrong = plan_that_shows(&history, "Q-I8", Some("Q01"));
    let copy = |to: &str| {
        write(&sandbox, &format!("{to}/history.jsonl"), &lines(&history));
    };
    // A run's own folder, as `quorate shrink` and real processes leave it, is one run.
    copy("own");
    for name in
        ["results.json", "plan.toml", "from-live.toml", "clients.jsonl", "nodes/n0/observed.jsonl"]
    {
        write(&sandbox, &format!("own/{name}"), &["nothing to replay".to_owned()]);
    }
    let own = sandbox.quorate(&["replay", "own"]);
    assert_eq!(own.code, 0, "{own}");
    assert!(own.stdout.starts_with("SAME "), "{own}");
    // So it is below, and what was put beside it counts; a plan.toml, too, where no results are.
    copy("mixed");
    copy("mixed/bare");
    write(&sandbox, "mixed/bare/plan.toml", std::slice::from_ref(&wrong));
    write(&sandbox, "mixed/planted.toml", &[wrong]);
    std::os::unix::fs::symlink(sandbox.path().join("own"), sandbox.path().join("mixed/run"))
        .unwrap();
    write(&sandbox, "own/more/found.TOML", &[plan]);
    let expected = [
        ("history.jsonl", "still-found"),
        ("bare", "still-found"),
        ("bare/plan.toml", "no-longer-found"),
        ("planted.toml", "no-longer-found"),
        ("run", "still-found"),
        ("run/more/found.TOML", "still-found"),
    ];
    states(&sandbox, "mixed", 1, &expected);
    let world = sandbox.quorate(&["replay", "mixed", "--world", "sim"]);
    assert_eq!(world.code, 254, "{world}");
}

#[test]
fn plans_in_json_and_behind_links_are_tests_and_what_is_left_out_is_named() {
    let sandbox = Sandbox::new();
    let history = found(&sandbox, "3").join("history.jsonl");
    let plan = quorate_plan::from_toml(&plan_that_shows(&history, "Q-I8", Some("Q01"))).unwrap();
    write(&sandbox, "tests/plan.json", &[serde_json::to_string(&plan).unwrap()]);
    write(&sandbox, "tests/hunt.json", &["{}".to_owned()]);
    write(&sandbox, "elsewhere/plan.toml", &[quorate_plan::to_toml(&plan)]);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, sandbox.path().join("tests").join(name)).unwrap();
    };
    link("../elsewhere/plan.toml", "link.toml");
    link("nowhere", "nothing");
    link("..", "up");
    link(".", "latest");
    let expected = [("link.toml", "no-longer-found"), ("plan.json", "no-longer-found")];
    states(&sandbox, "tests", 1, &expected);
    let text = sandbox.quorate(&["replay", "tests"]).stdout;
    assert!(text.contains("left out         nothing: a link that leads nowhere\n"), "{text}");
    assert!(
        text.contains("left out         up: a link to a folder that holds this one\n"),
        "{text}"
    );
    assert!(text.ends_with("nothing can be said; 2 left out\n"), "{text}");
}

#[test]
fn a_demand_that_there_is_not_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    let history = found(&sandbox, "3").join("history.jsonl");
    for name in ["Q-I33", "nothing"] {
        let plan =
            plan_that_shows(&history, "Q-I3", None).replace("\"Q-I3\"", &format!("\"{name}\""));
        let line = plan.lines().position(|line| line.starts_with("breaks = ")).unwrap() + 1;
        let path = write(&sandbox, "tests/typo.toml", &[plan]);
        let ended = replay(&sandbox, &path);
        assert_eq!(ended.code, 254, "{ended}");
        let told = format!(
            "typo.toml:{line}:10: shows.breaks: there is no demand `{name}`; there is: Q-I1, "
        );
        assert!(ended.stderr.contains(&told), "{told}: {ended}");
        assert!(ended.stderr.contains(", liveness, no-panic, restart, linearizability"), "{ended}");
        states(&sandbox, "tests", 2, &[("typo.toml", "no-longer-applies")]);
    }
}

#[test]
fn a_history_that_was_cut_before_anything_was_broken_is_no_alarm() {
    let sandbox = Sandbox::new();
    let history = lines(&found(&sandbox, "3").join("history.jsonl"));
    write(&sandbox, "tests/cut.jsonl", &history[..20]);
    states(&sandbox, "tests", 2, &[("cut.jsonl", "unknown")]);
    // What is broken in the part that there is stays found.
    write(&sandbox, "tests/cut.jsonl", &history[..history.len() - 1]);
    states(&sandbox, "tests", 0, &[("cut.jsonl", "still-found")]);
}

#[test]
fn a_folder_calls_no_run_another_one_of_which_no_digest_was_kept() {
    let sandbox = Sandbox::new();
    let folder = found(&sandbox, "3");
    let history = lines(&folder.join("history.jsonl"));
    let told = replay(&sandbox, &folder).stdout;
    let breaks = told.lines().find_map(|line| line.strip_prefix("shows    ")).unwrap();
    let plan = plan_that_shows(
        &folder.join("history.jsonl"),
        breaks.split(' ').next().unwrap(),
        Some("Q01"),
    );
    write(&sandbox, "tests/a.jsonl", &history[..history.len() - 1]);
    let no_digest = with_footer(&history, |footer| {
        footer.as_object_mut().unwrap().remove("run");
    });
    write(&sandbox, "tests/b.jsonl", &no_digest);
    write(&sandbox, "tests/c.toml", &[plan]);
    let ended = sandbox.quorate(&["replay", "tests"]);
    assert_eq!(ended.code, 0, "{ended}");
    let told: Vec<&str> = ended.stdout.lines().collect();
    for cut in &told[..2] {
        assert!(
            cut.ends_with(", the same run as far as it goes: no digest of it was kept"),
            "{cut}"
        );
    }
    assert!(told[2].ends_with(", perhaps another run: no digest of it was kept"), "{ended}");
}

#[test]
fn a_run_that_differs_by_the_version_that_recorded_it_is_told_as_such() {
    let sandbox = Sandbox::new();
    let mut history = lines(&found(&sandbox, "3").join("history.jsonl"));
    history[0] = history[0].replace("\"mutant\":\"Q01\"", "\"mutant\":null");
    let path = write(&sandbox, "tests/edited.jsonl", &history);
    let told = "this very version recorded it: its protocol cores were changed since then, or the file was";
    let folder = sandbox.quorate(&["replay", "tests"]);
    let ended = replay(&sandbox, &path);
    assert_eq!((folder.code, ended.code), (0, 1), "{folder}\n{ended}");
    assert!(folder.stdout.starts_with("fixed  edited.jsonl: "), "{folder}");
    assert!(folder.stdout.contains(told) && ended.stdout.contains(told), "{folder}\n{ended}");
    // Of another program nothing else is to be expected.
    history[0] = history[0].replace("quorate 0", "quorate 9");
    write(&sandbox, "tests/edited.jsonl", &history);
    let folder = sandbox.quorate(&["replay", "tests"]);
    assert!(folder.stdout.starts_with("fixed  ") && !folder.stdout.contains(told), "{folder}");
}

/// Two liars of five, where one is promised to be borne: the read does not see the write.
const HARM: &str = r#"
name = "too-many-liars"
seed = 1
world = "sim"
expect = "invalid"
system = { kind = "quorum", nodes = 5, options = { quorum = "masking" } }
workload = { clients = 2 }
durations = { time_limit_ms = 100 }
weather = { delay = { kind = "constant", us = 1000 }, sync_min_us = 200, sync_max_us = 200 }
shows = { breaks = "linearizability" }
scripts = [
    { client = 0, do = [{ f = "write", key = 0, value = 1 }] },
    { client = 1, do = [{ f = "read", key = 0, when = { completed = { client = "c0" } } }] },
]
faults = [
    { at_ms = 0, for_ms = 20, fault = { kind = "byzantine", nodes = [3, 4], lie = "wrong-timestamp" } },
]
rules = [
    { message = { kind = "UPDATE", from = "c0", to = "n2" }, act = "drop" },
    { message = { kind = "QUERY", from = "c1", to = "n1" }, act = "drop" },
]
"#;

#[test]
fn harm_that_is_expected_is_as_it_should_be_and_missed_when_it_is_gone() {
    let sandbox = Sandbox::new();
    let harmless = HARM
        .replace("to = \"n2\"", "to = \"n0\"")
        .replace("\"c1\", to = \"n1\"", "\"c1\", to = \"n0\"");
    write(&sandbox, "tests/harm.toml", &[HARM.to_owned()]);
    states(&sandbox, "tests", 0, &[("harm.toml", "as-expected")]);
    write(&sandbox, "tests/harmless.toml", &[harmless]);
    states(
        &sandbox,
        "tests",
        1,
        &[("harm.toml", "as-expected"), ("harmless.toml", "no-longer-found")],
    );
}

#[test]
fn files_that_nobody_can_read_are_damaged() {
    let sandbox = Sandbox::new();
    let history = lines(&found(&sandbox, "3").join("history.jsonl"));
    let mut edited = history.clone();
    edited[5] = edited[5].replace("\"time\":", "\"time\":1");
    write(&sandbox, "tests/edited.jsonl", &edited);
    write(&sandbox, "tests/older.toml", &["name = 1".to_owned()]);
    write(&sandbox, "tests/comment.toml", &["# nothing".to_owned()]);
    write(&sandbox, "tests/text.json", &["{ \"name\": ".to_owned()]);
    for (name, content) in [
        ("empty.jsonl", &b""[..]),
        ("empty.toml", b""),
        ("empty.tar.gz", b""),
        ("latin.toml", b"name = \"\xe9\""),
        ("text.toml", b"Dear diary,"),
    ] {
        fs::write(sandbox.path().join("tests").join(name), content).unwrap();
    }
    let damaged = |name| (name, "damaged");
    let expected = [
        damaged("comment.toml"),
        damaged("edited.jsonl"),
        damaged("empty.jsonl"),
        damaged("empty.tar.gz"),
        damaged("empty.toml"),
        damaged("latin.toml"),
        ("older.toml", "no-longer-applies"),
        damaged("text.json"),
        damaged("text.toml"),
    ];
    states(&sandbox, "tests", 2, &expected);
}

#[test]
fn a_pipe_is_refused_before_anybody_waits_for_it() {
    let sandbox = Sandbox::new();
    let pipe = |name: &str| {
        let path = sandbox.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        path
    };
    for name in ["run/history.jsonl", "tests/a.jsonl", "tests/b.toml", "tests/c.tar.gz"] {
        let path = pipe(name);
        for command in ["replay", "check", "shrink"] {
            let ended = sandbox.quorate(&[command, path.to_str().unwrap()]);
            assert_eq!(ended.code, 254, "{command} {name}: {ended}");
            assert!(ended.stderr.contains("it is no regular file"), "{command} {name}: {ended}");
        }
    }
    let ended = sandbox.quorate(&["replay", "run"]);
    assert!(ended.stderr.contains("it is no regular file"), "{ended}");
    let damaged = |name| (name, "damaged");
    states(&sandbox, "tests", 2, &["a.jsonl", "b.toml", "c.tar.gz"].map(damaged));
}

#[test]
fn what_a_file_says_does_nothing_to_the_terminal() {
    let sandbox = Sandbox::new();
    let mut history = lines(&found(&sandbox, "3").join("history.jsonl"));
    history[0] = history[0].replace("quorate 0.", "evil\\u001b[31m 9\\nSAME 0.");
    let ended = replay(&sandbox, &write(&sandbox, "evil.jsonl", &history));
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stdout.contains("program  recorded by evil\\u001b[31m 9\\nSAME 0."), "{ended}");
    assert!(!ended.stdout.contains(['\u{1b}', '\r']), "{ended}");
}

#[test]
fn a_store_that_cannot_be_written_is_told_before_the_work_and_nothing_is_left_of_no_work() {
    let sandbox = Sandbox::new();
    let history = found(&sandbox, "3").join("history.jsonl");
    let history = history.to_str().unwrap();
    fs::write(sandbox.path().join("occupied"), "").unwrap();
    // There is nothing to shrink either, which only the work would tell.
    let ended = sandbox.quorate(&["shrink", history, "--mutant", "none", "--store", "occupied"]);
    assert_eq!(ended.code, 255, "{ended}");
    assert!(ended.stderr.contains("occupied") && ended.stderr.contains("--store DIR"), "{ended}");
    let ended = sandbox.quorate(&["shrink", history, "--mutant", "none", "--store", "fresh"]);
    assert_eq!(ended.code, 254, "{ended}");
    let left: Vec<_> = fs::read_dir(sandbox.path().join("fresh")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
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
