//! What a live run leaves to be replayed from, the inputs of its cores: whole, packed, changed, cut off, exchanged.

use std::fs;
use std::path::{Path, PathBuf};

use quorate_systems::wal;
use quorate_systems::wire::crc32c;
use quorate_world::inputs;

use crate::support::Sandbox;

/// The inputs of every core of the last run, with which it can be replayed.
pub(crate) fn inputs(sandbox: &Sandbox) -> Vec<PathBuf> {
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
