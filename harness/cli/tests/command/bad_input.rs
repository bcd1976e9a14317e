//! Bad input gets one clear line on what is wrong, where, and how to mend it; exit code 254; and leaves
//! nothing behind.

use std::fs;

use crate::support::Sandbox;

/// Expects bad usage whose message holds every part.
fn refuses(arguments: &[&str], parts: &[&str]) {
    let sandbox = Sandbox::new();
    let ended = sandbox.quorate(arguments);
    assert_eq!(ended.code, 254, "{arguments:?}: {ended}");
    assert!(ended.stdout.is_empty(), "{arguments:?}: {ended}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{arguments:?} lacks {part:?}: {ended}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    let left: Vec<_> = fs::read_dir(sandbox.path()).unwrap().collect();
    assert!(left.is_empty(), "{arguments:?} left {left:?}");
}

#[test]
fn unknown_flag_values_are_named_with_what_is_allowed() {
    refuses(&["run", "--system", "raft"], &["raft", "quorum"]);
    refuses(&["run", "--mutant", "Q99"], &["Q99", "Q01"]);
    refuses(&["run", "--faults", "partition,meteor"], &["meteor", "partition"]);
    refuses(&["run", "--workload", "bank"], &["bank", "register"]);
    refuses(&["run", "--concurrency", "0"], &["3n"]);
    refuses(&["run", "--time-limit", "soon"], &["soon", "30s"]);
    refuses(&["run", "--read-percent", "101"], &["101"]);
    refuses(&["run", "-o", "grid"], &["NAME=VALUE"]);
    refuses(&["run", "-o", "colour=red"], &["colour", "quorum"]);
    refuses(&["run", "-o", "quorum=pentagon"], &["pentagon", "majority"]);
    refuses(&["check", "x", "--checker", "stack"], &["stack", "list-append", "long-fork"]);
    refuses(
        &["check", "x", "--checker", "list-append", "--consistency", "some"],
        &["some", "snapshot-isolation", "strict-serializable"],
    );
    refuses(&["check", "x", "--consistency", "serializable"], &["--checker"]);
    refuses(&["run", "--frobnicate"], &["--frobnicate"]);
    refuses(&["explode"], &["explode"]);
}

#[test]
fn impossible_sizes_and_quorums_are_refused_with_the_reason() {
    refuses(&["run", "--nodes", "0"], &["nodes"]);
    refuses(&["run", "--nodes", "13"], &["nodes", "12"]);
    refuses(&["run", "--keys", "0"], &["keys"]);
    refuses(&["run", "--name", "../evil"], &["name"]);
    let thin = ["run", "-o", "quorum=counts", "-o", "read=2", "-o", "write=3", "--nodes", "5"];
    refuses(&thin, &["{n", "do not meet"]);
    refuses(&["run", "-o", "quorum=masking", "--nodes", "4"], &["masking", "5"]);
    refuses(&["run", "-o", "protocol=lock", "-o", "coordinator=client"], &["lock", "node"]);
    refuses(&["run", "--faults", "byzantine"], &["byzantine"]);
}

#[test]
fn files_that_are_no_histories_are_named() {
    refuses(&["check", "nowhere.jsonl"], &["nowhere.jsonl"]);
    refuses(&["report", "nowhere.jsonl"], &["nowhere.jsonl"]);
    refuses(&["pack", "nowhere"], &["nowhere"]);
    refuses(&["replay", "nowhere.tar.gz"], &["nowhere.tar.gz"]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    refuses(&["check", manifest], &["Cargo.toml", "line 1"]);
    refuses(&["check", "/proc/self/exe"], &["/proc/self/exe"]);
    refuses(&["run", "--plan", manifest], &["Cargo.toml"]);
    refuses(&["node", "--config", "nowhere.json"], &["nowhere.json"]);
    refuses(&["node", "--config", manifest], &["Cargo.toml"]);
}

#[test]
fn a_wrong_plan_is_answered_with_its_line() {
    let head = "name = \"mine\"\nseed = 1\nworld = \"live\"\n";
    let system = "system = { kind = \"quorum\", nodes = 3 }\n";
    let rule = "[[rules]]\nact = \"drop\"\nmessage = { kind = \"update\" }\n";
    let options =
        "[system]\nkind = \"quorum\"\nnodes = 3\n[system.options]\nquorum = \"pentagon\"\n";
    let change = |options: &str| {
        let change = format!("fault = {{ kind = \"reconfigure\", options = {options} }}\n");
        format!("{head}{system}[[faults]]\nat_ms = 5\nfor_ms = 100\n{change}")
    };
    let liars = "[[faults]]\nat_ms = 5\nfor_ms = 9\n\
                 fault = { kind = \"byzantine\", nodes = [1], lie = \"silent\" }\n";
    for (text, answer) in [
        (
            change("{ members = \"0,7\" }"),
            "mine.toml:8:55: faults[0].fault.options.members: option `members`: `0,7` is not",
        ),
        (
            change("{ protocol = \"lock\" }"),
            "mine.toml:8:43: faults[0].fault.options: option `protocol` cannot",
        ),
        (
            format!("{head}{system}{liars}"),
            "mine.toml:8:39: faults[0].fault.nodes: the plan goes beyond what the system promises: \
             a node lies, and it tolerates 0",
        ),
        (format!("{head}{system}fauls = []\n"), "mine.toml:5:1: fauls: there is no field `fauls`"),
        (format!("{head}{}", system.replace('3', "13")), "mine.toml:4:37: system.nodes: 13 is out"),
        (
            format!("{head}{}", system.replace("quorum", "raft")),
            "mine.toml:4:19: system.kind: there",
        ),
        (format!("{head}{options}"), "mine.toml:8:10: option `quorum`: `pentagon` is not"),
        (format!("{head}{system}{rule}"), "mine.toml:7:20: rules[0].message.kind: the system"),
    ] {
        let sandbox = Sandbox::new();
        fs::write(sandbox.path().join("mine.toml"), &text).unwrap();
        let ended = sandbox.quorate(&["run", "--plan", "mine.toml"]);
        assert_eq!(ended.code, 254, "{ended}");
        assert!(ended.stderr.starts_with(&format!("error: {answer}")), "{answer}: {ended}");
        let line = answer.split(':').nth(1).unwrap().parse::<usize>().unwrap();
        let shown = text.lines().nth(line - 1).unwrap();
        assert!(ended.stderr.contains(&format!("\n  {shown}\n  ")), "{ended}");
    }
}

#[test]
fn a_store_that_cannot_be_written_is_a_failure_of_the_harness() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("occupied"), "").unwrap();
    let ended = sandbox.quorate(&["run", "--time-limit", "2s", "--store", "occupied"]);
    assert_eq!(ended.code, 255, "{ended}");
    assert!(ended.stderr.contains("occupied") && ended.stderr.contains("--store DIR"), "{ended}");
}

#[test]
fn help_and_version_are_no_errors_and_teach() {
    let sandbox = Sandbox::new();
    let help = sandbox.quorate(&["run", "--help"]);
    assert_eq!(help.code, 0, "{help}");
    for part in ["--faults", "Examples:", "Exit codes", "[default: 30s]"] {
        assert!(help.stdout.contains(part), "{part}: {help}");
    }
    let report = sandbox.quorate(&["report", "--help"]);
    assert!(report.stdout.contains("whatever the verdict"), "{report}");
    assert_eq!(sandbox.quorate(&["--version"]).code, 0);
    let list = sandbox.quorate(&["list"]);
    for part in ["quorum", "Q01", "partition", "register", "UPDATE_OK"] {
        assert!(list.stdout.contains(part), "{part}: {list}");
    }
    let json = sandbox.quorate(&["list", "--json"]);
    let parsed: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(parsed["systems"][0]["name"], "quorum");
}

#[test]
fn bounds_are_told_by_the_name_of_the_flag() {
    refuses(&["run", "--concurrency", "1000000n"], &["--concurrency", "5000000", "1000"]);
    refuses(&["run", "--time-limit", "99999h"], &["--time-limit, in ms", "86400000"]);
    let short = ["run", "--world", "sim", "--faults", "all", "--time-limit", "2ms"];
    refuses(&short, &["a time limit of 2 ms is too short", "6 ms or more"]);
    refuses(&["run", "--time-limit", "0s"], &["--time-limit", "at least 1ms"]);
    refuses(&["run", "--ops-per-key", "0"], &["--ops-per-key", "1 to"]);
    for flag in ["--seed", "--rate", "--keys", "--nodes", "--concurrency", "--time-limit"] {
        refuses(&["run", flag, "-1"], &["'-1'", flag]);
    }
}

#[test]
fn an_option_that_is_given_twice_is_refused() {
    let twice = ["run", "-o", "quorum=grid", "-o", "quorum=counts"];
    refuses(&twice, &["`quorum`", "twice", "grid", "counts"]);
}

#[test]
fn a_history_that_is_missing_or_changed_is_told_with_a_way_out() {
    refuses(&["check", "."], &["history.jsonl", "store/latest"]);
    let sandbox = Sandbox::new();
    let sample = include_str!("../../../../checkers/testdata/sample.jsonl");
    let without_line_3: Vec<_> =
        sample.lines().enumerate().filter_map(|(at, line)| (at != 2).then_some(line)).collect();
    fs::write(sandbox.path().join("changed.jsonl"), without_line_3.join("\n")).unwrap();
    let ended = sandbox.quorate(&["check", "changed.jsonl"]);
    assert_eq!(ended.code, 254, "{ended}");
    assert!(ended.stderr.contains("line 3") && ended.stderr.contains("unchanged copy"), "{ended}");
}

#[test]
fn a_history_is_known_for_a_plan_by_what_it_begins_with() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("saved"), "{\"quorate\":\"history\",\"version\":99}\n").unwrap();
    let ended = sandbox.quorate(&["run", "--plan", "saved"]);
    assert_eq!(ended.code, 254, "{ended}");
    assert!(ended.stderr.contains("version 99"), "{ended}");
}
