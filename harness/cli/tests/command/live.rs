//! Real processes, real faults, real files. Runs are a few seconds long here; what they must show is certain or all but certain in that time.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quorate_systems::wal;
use quorate_systems::wire::crc32c;
use quorate_world::inputs;

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

/// The inputs of every core of the last run, with which it can be replayed.
fn inputs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let nodes = (0..5).map(|node| format!("nodes/n{node}/inputs.log"));
    let files = nodes.chain(["clients-inputs.log".to_owned()]);
    files.map(|file| sandbox.latest().join(file)).collect()
}

/// All entries of a log that is whole.
fn entries(log: &Path) -> Vec<inputs::Entry> {
    let mut reader = inputs::Reader::new(String::new(), fs::File::open(log).unwrap());
    let mut entries = Vec::new();
    while let Some(entry) = reader.read().unwrap() {
        entries.push(entry);
    }
    entries
}

/// A planted bug that one step of a node shows, while nodes are killed, lose power and are killed once more.
const RUN_AGAIN: &str = r#"
name = "run-again"
seed = 3
world = "live"

[system]
kind = "quorum"
nodes = 5

[workload]
clients = 6
keys = 1
rate_per_s = 0

[durations]
time_limit_ms = 4000
operation_timeout_ms = 2000

[[faults]]
at_ms = 500
for_ms = 400
fault = { kind = "kill", nodes = [1] }

[[faults]]
at_ms = 1200
for_ms = 400
fault = { kind = "power-loss", nodes = [2] }

[[faults]]
at_ms = 2000
for_ms = 400
fault = { kind = "kill", nodes = [1, 3] }
"#;

#[test]
fn a_run_of_real_processes_is_replayed_from_the_inputs_of_its_cores() {
    let sandbox = Sandbox::for_clusters();
    fs::write(sandbox.path().join("plan.toml"), RUN_AGAIN).unwrap();
    let run = sandbox.quorate(&["run", "--plan", "plan.toml", "--mutant", "Q03"]);
    assert_eq!(run.code, 1, "{run}");
    let recorded = fs::read_to_string(sandbox.latest().join("history.jsonl")).unwrap();
    let kills = ends_of_nodes(&recorded);
    assert!(kills >= 3, "{recorded}");
    for path in ["store/latest", "store/latest/history.jsonl"] {
        let replay = sandbox.quorate(&["replay", path]);
        assert_eq!(replay.code, 0, "{replay}");
        let same = format!("SAME     re-executed exactly: 11 cores in {} lives, ", 11 + kills);
        assert!(replay.stdout.starts_with(&same), "{replay}");
        assert!(replay.stdout.contains("every effect as it was"), "{replay}");
    }
    let replay = sandbox.quorate(&["replay", "store/latest", "--json"]);
    let counts: serde_json::Value = serde_json::from_str(&replay.stdout).unwrap();
    assert!(counts["inputs"].as_u64().unwrap() > 200, "{replay}");
    assert!(counts["lives_cut"].as_u64().unwrap() <= kills, "only kills cut: {replay}");
    assert_eq!(counts["panics"], 0, "{replay}");

    packed_it_is_the_same_run(&sandbox);

    // With another bug in them, or none, some core does something else.
    let history = sandbox.latest().join("history.jsonl");
    fs::write(&history, recorded.replacen("\"Q03\"", "\"Q06\"", 1)).unwrap();
    let replay = sandbox.quorate(&["replay", "store/latest"]);
    assert_eq!(replay.code, 1, "{replay}");
    assert!(replay.stdout.starts_with("DIFFERS"), "{replay}");
    fs::write(&history, &recorded).unwrap();

    what_was_broken_is_judged_again(&sandbox, &recorded);
    tampered_logs_are_found_out(&sandbox);
}

/// The history again without its violations, or with others: nobody takes its word for it.
fn what_was_broken_is_judged_again(sandbox: &Sandbox, recorded: &str) {
    let history = sandbox.latest().join("history.jsonl");
    let told = |code: i32, first: &str, said: &str| {
        let replay = sandbox.quorate(&["replay", "store/latest"]);
        assert_eq!(replay.code, code, "{replay}");
        assert!(replay.stdout.starts_with(first), "{replay}");
        assert!(replay.stdout.contains(said), "{said}: {replay}");
        let verdicts = ["SAME ", "DIFFERS ", "UNKNOWN "];
        let is_verdict = |line: &&str| verdicts.iter().any(|verdict| line.starts_with(verdict));
        assert_eq!(replay.stdout.lines().filter(is_verdict).count(), 1, "{replay}");
    };
    told(0, "SAME ", "judged   anew, by what its nodes and clients told of themselves");
    let without = sealed(recorded, |line| !line.contains("\"type\":\"violation\""));
    fs::write(&history, without.replace("\"verdict\":\"invalid\"", "\"verdict\":\"valid\""))
        .unwrap();
    told(1, "DIFFERS  the file says", "violations: recorded 0 in all, now number 1 is Q-I2 of ");
    told(1, "DIFFERS  the file says", "\ncores    re-executed exactly: ");
    let renamed = recorded.replace("\"demand\":\"Q-I2\"", "\"demand\":\"Q-I6\"");
    fs::write(&history, sealed(&renamed, |_| true)).unwrap();
    told(1, "DIFFERS  the file says", "violations: recorded number 1 is Q-I6 of ");
    let tests = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(sandbox.latest(), tests.path().join("run")).unwrap();
    let folder = sandbox.quorate(&["replay", tests.path().to_str().unwrap()]);
    assert_eq!(folder.code, 2, "{folder}");
    assert!(folder.stdout.starts_with("damaged  run: "), "{folder}");
    fs::write(&history, recorded).unwrap();

    let observed = sandbox.latest().join("nodes/n0/observed.jsonl");
    let whole = fs::read(&observed).unwrap();
    fs::remove_file(&observed).unwrap();
    told(0, "SAME ", "what was broken is the file's word and was not judged again: ");
    fs::write(&observed, whole).unwrap();
}

/// The history with some of its events, as the footer has to say it.
fn sealed(history: &str, keep: impl Fn(&str) -> bool) -> String {
    let lines: Vec<&str> = history.lines().collect();
    let (header, footer) = (lines[0], lines[lines.len() - 1]);
    let kept = lines[1..lines.len() - 1].iter().filter(|line| keep(line));
    let rest = kept.map(|line| line.split_once(',').unwrap().1);
    let events = rest.enumerate().map(|(index, rest)| format!("{{\"index\":{index},{rest}\n"));
    let events: Vec<String> = events.collect();
    let (count, events) = (events.len(), events.concat());
    let mut footer: serde_json::Value = serde_json::from_str(footer).unwrap();
    footer["events"] = count.into();
    footer["digest"] = blake3::hash(events.as_bytes()).to_hex().to_string().into();
    format!("{header}\n{events}{footer}\n")
}

/// In one file, far from its store, and as one test among others.
fn packed_it_is_the_same_run(sandbox: &Sandbox) {
    let pack = sandbox.quorate(&["pack", "store/latest"]);
    assert_eq!(pack.code, 0, "{pack}");
    let named = |path: &Path| path.to_str().is_some_and(|path| path.ends_with(".tar.gz"));
    let here = fs::read_dir(sandbox.path()).unwrap().map(|entry| entry.unwrap().path());
    let packed = here.into_iter().find(|path| named(path)).expect("it is here");
    let tests = tempfile::tempdir().unwrap();
    let kept = tests.path().join("kept.tar.gz");
    fs::rename(packed, &kept).unwrap();
    let run = |command: &str, path: &Path| sandbox.quorate(&[command, path.to_str().unwrap()]);
    let replay = run("replay", &kept);
    assert_eq!(replay.code, 0, "{replay}");
    assert!(replay.stdout.starts_with("SAME     re-executed exactly: 11 cores"), "{replay}");
    let check = run("check", &kept);
    assert_eq!(check.code, 1, "{check}");
    let report = run("report", &kept);
    assert_eq!(report.code, 0, "{report}");
    assert!(tests.path().join("kept.html").is_file(), "{report}");
    let replay = run("replay", tests.path());
    assert_eq!(replay.code, 0, "{replay}");
    assert!(replay.stdout.starts_with("still found  kept.tar.gz: "), "{replay}");
    let again = sandbox.quorate(&["pack", "store/latest", "--out", kept.to_str().unwrap()]);
    assert_eq!(again.code, 254, "{again}");
    assert!(again.stderr.contains("kept.tar.gz is there already"), "{again}");
}

/// How many nodes faults have ended: on a busy machine one may still be down when the next fault means it.
fn ends_of_nodes(history: &str) -> u64 {
    let events = history.lines().skip(1).map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event
    });
    let begun = events.filter(|event| event["phase"] == "begin" && event["kind"] != "healing");
    begun.map(|event| event["targets"].as_array().unwrap().len() as u64).sum()
}

/// Logs that are not what the run left, in any way that could be thought of: none of them passes for it.
fn tampered_logs_are_found_out(sandbox: &Sandbox) {
    let logs = Tampered::of(sandbox);
    damaged_logs_are_not_shrunk_by_way_of_something_else(&logs);
    changed_logs_are_refused(&logs);
    exchanged_logs_are_refused(&logs);
    logs_that_break_off_leave_it_unknown(&logs);
    what_is_no_file_is_refused_at_once(&logs);
    logs.restore();
    assert_eq!(sandbox.quorate(&["replay", "store/latest"]).code, 0, "it was the tampering");

    fs::remove_file(&logs.paths[3]).unwrap();
    logs.replay(2, "n3/inputs.log is not there", "a log is gone");
    logs.replay(2, "quorate replay store/latest --world sim", "a log is gone");
    logs.restore();

    // Nobody blames a core for what was done to its log, nor the log for what another core does.
    let history = sandbox.latest().join("history.jsonl");
    let recorded = fs::read_to_string(&history).unwrap();
    fs::write(&history, without_footer(&recorded)).unwrap();
    logs_of_a_killed_harness_may_end_anywhere(&logs);
    fs::write(&history, recorded).unwrap();
}

fn without_footer(history: &str) -> String {
    let end = history.trim_end().rfind('\n').unwrap();
    history[..=end].to_owned()
}

/// The logs of the last run, with what stood in them.
struct Tampered<'a> {
    sandbox: &'a Sandbox,
    paths: Vec<PathBuf>,
    whole: Vec<Vec<u8>>,
}

/// Where the clients' log is among them.
const CLIENTS: usize = 5;

impl<'a> Tampered<'a> {
    fn of(sandbox: &'a Sandbox) -> Self {
        let paths = inputs(sandbox);
        let whole = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        Self { sandbox, paths, whole }
    }

    fn restore(&self) {
        for (path, whole) in self.paths.iter().zip(&self.whole) {
            if fs::symlink_metadata(path).is_ok_and(|about| about.is_dir()) {
                fs::remove_dir(path).unwrap();
            } else if !path.is_file() || path.is_symlink() {
                let _ = fs::remove_file(path);
            }
            fs::write(path, whole).unwrap();
        }
    }

    /// Replays the run, which must end so and say so; whatever was `done` to it is put right.
    fn replay(&self, code: u8, said: &str, done: &str) {
        let replay = self.sandbox.quorate(&["replay", "store/latest"]);
        assert_eq!(replay.code, i32::from(code), "{done}: {replay}");
        let text = format!("{}{}", replay.stdout, replay.stderr);
        assert!(text.contains(said), "{done}: {replay}");
        assert!(!replay.stdout.starts_with("SAME"), "{done}: {replay}");
        if code == 254 {
            assert!(replay.stderr.contains("\nhint: "), "{done}: {replay}");
        }
    }

    /// With another log in the place of one; as above.
    fn with(&self, place: usize, bytes: &[u8], code: u8, said: &str, done: &str) {
        fs::write(&self.paths[place], bytes).unwrap();
        self.replay(code, said, done);
        self.restore();
    }

    /// Where the records of a log begin, its title first, and where the last ends.
    fn records(&self, place: usize) -> Vec<usize> {
        let log = &self.whole[place];
        let mut begins = vec![0];
        let mut at = 0;
        while let wal::First::Record { len, .. } = wal::first(&log[at..]) {
            at += len;
            begins.push(at);
        }
        begins
    }
}

/// What came of the plan with other seeds would be of no run that there was.
fn damaged_logs_are_not_shrunk_by_way_of_something_else(logs: &Tampered<'_>) {
    let mut damaged = logs.whole[0].clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&logs.paths[0], damaged).unwrap();
    let shrunk = logs.sandbox.quorate(&["shrink", "store/latest", "--time-limit", "6s"]);
    assert_eq!(shrunk.code, 254, "{shrunk}");
    assert!(shrunk.stderr.contains("nodes/n0/inputs.log, byte "), "{shrunk}");
    assert!(shrunk.stderr.contains("\nhint: copy the whole folder anew"), "{shrunk}");
    logs.restore();
}

/// A digest that is another one, a bit that is, entries that are gone or stand there twice, bytes behind the end.
fn changed_logs_are_refused(logs: &Tampered<'_>) {
    let changed = with_another_digest(&logs.paths[3]);
    logs.with(3, &changed, 254, "its digest is not the one", "another digest");
    let mut damaged = logs.whole[3].clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 16;
    logs.with(3, &damaged, 254, "n3/inputs.log, byte ", "a flipped bit");

    for place in [0, CLIENTS] {
        let (whole, records) = (&logs.whole[place], logs.records(place));
        let half = records.len() / 2;
        let without = [&whole[..records[half]], &whole[records[half + 2]..]].concat();
        logs.with(place, &without, 254, "taken away or put in", "two entries are gone");
        let twice = [&whole[..], &whole[records[1]..]].concat();
        logs.with(place, &twice, 254, "taken away or put in", "all entries twice");
        let twice = [&whole[..], &whole[..]].concat();
        logs.with(place, &twice, 254, "no entry of this format", "all of it twice");
        for garbage in [&b"abc"[..], &[0; 4_096], &header_of(u32::MAX)] {
            let longer = [&whole[..], garbage].concat();
            logs.with(place, &longer, 254, "damaged", "bytes behind the end");
        }
        let longer = [&whole[..], &header_of(7)].concat();
        logs.with(place, &longer, 254, "at the end of the run", "more than there was");
    }
}

/// What a log would be whose entry in the middle has another digest, framed as it should be.
fn with_another_digest(log: &Path) -> Vec<u8> {
    let mut changed = entries(log);
    let half = changed.len() / 2;
    let is_digest = |entry: &inputs::Entry| matches!(entry, inputs::Entry::Did { .. });
    let place = half + changed[half..].iter().position(is_digest).unwrap();
    let inputs::Entry::Did { effects, .. } = &mut changed[place] else { panic!("a digest") };
    effects.0[0] ^= 1;
    let mut reader = inputs::Reader::new(String::new(), fs::File::open(log).unwrap());
    let mut bytes = Vec::new();
    inputs::begin(&mut bytes, reader.title().unwrap().unwrap()).unwrap();
    for (number, entry) in (1..).zip(&changed) {
        inputs::append(&mut bytes, number, entry).unwrap();
    }
    bytes
}

/// The header of a record whose payload would be so long.
fn header_of(len: u32) -> Vec<u8> {
    let mut header = b"qRec".to_vec();
    header.extend(len.to_le_bytes());
    header.extend([0; 4]);
    header.extend(crc32c(&header).to_le_bytes());
    header
}

/// Logs in one another's places, and those of another run.
fn exchanged_logs_are_refused(logs: &Tampered<'_>) {
    let exchange = |one: usize, other: usize, said: &str| {
        fs::write(&logs.paths[one], &logs.whole[other]).unwrap();
        fs::write(&logs.paths[other], &logs.whole[one]).unwrap();
        logs.replay(254, said, "two logs are exchanged");
        logs.restore();
    };
    exchange(0, 1, "it is the log of n1, in the place of that of n0");
    exchange(0, CLIENTS, "it is the log of the clients, in the place of that of n0");
    logs.with(1, &logs.whole[0], 254, "it is the log of n0", "n0's log for n1's");

    // Whoever calls this keeps other clusters away already.
    let other = Sandbox::new();
    fs::write(other.path().join("plan.toml"), RUN_AGAIN).unwrap();
    let run = other.quorate(&["run", "--plan", "plan.toml", "--mutant", "Q03"]);
    assert_eq!(run.code, 1, "{run}");
    let others: Vec<_> = inputs(&other).iter().map(|path| fs::read(path).unwrap()).collect();
    for place in [0, CLIENTS] {
        logs.with(place, &others[place], 254, "it is of another run, begun at", "another run's");
    }
    for (path, log) in logs.paths.iter().zip(&others) {
        fs::write(path, log).unwrap();
    }
    logs.replay(254, "it is of another run, begun at", "all logs are another run's");
    logs.restore();
}

fn logs_that_break_off_leave_it_unknown(logs: &Tampered<'_>) {
    for place in [0, CLIENTS] {
        let (whole, records) = (&logs.whole[place], logs.records(place));
        let half = records.len() / 2;
        let last = whole.len();
        // The title alone, some entry and the one after it (one of them is a digest), the middle of one, the last.
        for cut in [0, 5, records[1], records[half], records[half + 1], last / 2, last - 3] {
            let said = format!(" breaks off: {cut} of its {last} bytes are left");
            logs.with(place, &whole[..cut], 2, &said, "a log that was cut");
        }
    }
    for path in &logs.paths {
        fs::write(path, []).unwrap();
    }
    logs.replay(2, "0 cores in 0 lives", "all logs are empty");
    logs.restore();
}

fn what_is_no_file_is_refused_at_once(logs: &Tampered<'_>) {
    let path = &logs.paths[0];
    let instead = |make: &dyn Fn(), said: &str| {
        fs::remove_file(path).unwrap();
        make();
        logs.replay(254, said, "no file");
        logs.restore();
    };
    instead(&|| fs::create_dir(path).unwrap(), "n0/inputs.log is no file but a folder");
    let mkfifo = || {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    instead(&mkfifo, "n0/inputs.log is no file but a pipe");
    let to_itself = || std::os::unix::fs::symlink("inputs.log", path).unwrap();
    instead(&to_itself, "n0/inputs.log cannot be read: ");
}

/// Without a footer in the history a log may end with any entry; but not before an operation that the history tells
/// of, and not before everybody has come up.
fn logs_of_a_killed_harness_may_end_anywhere(logs: &Tampered<'_>) {
    let whole = &logs.whole[0];
    for cut in [whole.len(), whole.len() - 3, whole.len() / 2] {
        fs::write(&logs.paths[0], &whole[..cut]).unwrap();
        let replay = logs.sandbox.quorate(&["replay", "store/latest"]);
        // Nobody knows what the run showed; its cores do what they did.
        assert_eq!(replay.code, 2, "{cut}: {replay}");
        assert!(replay.stdout.contains("\ncores    re-executed exactly: "), "{cut}: {replay}");
        assert!(replay.stdout.contains("the history has no end"), "{cut}: {replay}");
    }
    logs.restore();
    logs.with(0, &[], 2, "n0 has not come up in it", "an empty log");
    let half = logs.whole[CLIENTS].len() / 2;
    let said = "clients-inputs.log breaks off: of c";
    logs.with(CLIENTS, &logs.whole[CLIENTS][..half], 2, said, "operations are missing");
    // Here a step that came to something else is not hidden behind a digest of the file.
    let changed = with_another_digest(&logs.paths[3]);
    logs.with(3, &changed, 1, "n3, life ", "another digest, and no footer");
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
    assert!(sandbox.latest().join("report.html").is_file());
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

#[test]
fn consensus_by_real_processes_is_valid_under_kills_and_partitions() {
    let sandbox = Sandbox::for_clusters();
    let faults = "kill,power-loss,partition,loss";
    let run = sandbox.quorate(&[
        "run",
        "--system",
        "paxos-single",
        "--time-limit",
        "8s",
        "--seed",
        "7",
        "--faults",
        faults,
    ]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.starts_with("VALID"), "{run}");
    assert_eq!(processes_mentioning(sandbox.path()), Vec::<String>::new());
}
