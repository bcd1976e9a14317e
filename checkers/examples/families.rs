//! How long a check takes and how much memory: a table over families of histories.
//!
//! `cargo run --release -p quorate-checkers --example families` runs them all, each in a process of its own, so that
//! peaks of memory do not add up. `… -- NAME CLIENTS OPERATIONS [SECONDS [MEGABYTES]]` runs one; names as in `benches/families`.
//! `file NAME CLIENTS OPERATIONS` measures from the bytes of a history file to the verdict, also as EDN, JSON and a log.
//!
//! What is measured beside Porcupine (`benches/porcupine/porcupine.sh`): `write NAME CLIENTS OPERATIONS` prints the history
//! of a family, and `convert FILE` any that is read here, as JSON, one event a line. `check MODEL observation|ignored SECONDS
//! FILE` judges such a file, and prints the verdict, the seconds that the check took without reading, the peak of memory in
//! megabytes, and by how many operations a violation is shown. `decide` in place of `check` explains nothing.

#![expect(clippy::print_stdout, reason = "an example for people who measure")]

#[path = "../benches/families/mod.rs"]
mod families;

use std::fs::File;
use std::io::{self, BufWriter};
use std::process::Command;
use std::time::{Duration, Instant};

use families::drawn;
use quorate_checkers::foreign::{self, Format, Meaning, NilReads, RefusedCas};
use quorate_checkers::history::{
    Builder, Header, History, Operation, Outcome, Reader, Step, Time, What, Writer, operations,
    read,
};
use quorate_checkers::linearizability::{Budget, Linearizability};
use quorate_checkers::model::by_name;
use quorate_checkers::verdict::Verdict;

/// What is measured when nothing is asked for.
const TABLE: &[(&str, usize, usize)] = &[
    ("u", 20, 1_000),
    ("k", 20, 1_000),
    ("u", 100, 100_000),
    ("u", 100, 1_000_000),
    ("u", 100, 10_000_000),
    ("f", 1, 1_000_000),
    ("f", 100, 100_000),
    ("f", 100, 1_000_000),
    ("k", 10, 1_000_000),
    ("k", 20, 100_000),
    ("k", 50, 100_000),
    ("k", 100, 1_000_000),
    ("ub", 20, 10_000),
    ("ub", 100, 100_000),
    ("fb", 10, 10_000),
    ("kb", 10, 10_000),
    ("kb", 20, 1_000),
    ("kb", 20, 10_000),
    ("up10", 5, 10_000),
    ("fp3", 5, 10_000),
    ("kp10", 5, 10_000),
    ("ubp3", 5, 10_000),
    ("ubp10", 5, 10_000),
    ("fbp3", 5, 10_000),
    ("fbp10", 5, 10_000),
    ("kbp3", 5, 10_000),
    ("kbp10", 5, 10_000),
    ("queue", 100, 10_000),
    ("queue", 100, 100_000),
    ("queue", 100, 1_000_000),
    ("queueb", 100, 10_000),
    ("queueb", 100, 100_000),
    ("queueb", 100, 1_000_000),
    ("stack", 100, 10_000),
    ("stack", 100, 100_000),
    ("stack", 100, 1_000_000),
    ("stackb", 100, 10_000),
    ("stackb", 100, 100_000),
    ("stackb", 100, 1_000_000),
    ("heap", 100, 10_000),
    ("heap", 100, 100_000),
    ("heap", 100, 1_000_000),
    ("heapb", 100, 10_000),
    ("heapb", 100, 100_000),
    ("heapb", 100, 1_000_000),
    ("elements", 100, 10_000),
    ("elements", 100, 100_000),
    ("elements", 100, 1_000_000),
    ("elementsb", 100, 10_000),
    ("elementsb", 100, 100_000),
    ("elementsb", 100, 1_000_000),
    ("queuep3", 20, 10_000),
    ("stackp3", 20, 10_000),
    ("heapp3", 20, 10_000),
    ("elementsp3", 20, 10_000),
    ("queuebp3", 20, 10_000),
    ("stackbp3", 20, 10_000),
    ("heapbp3", 20, 10_000),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => table(),
        ["file", name, clients, operations] => {
            let (model, drawn) =
                drawn(name, number(clients), number(operations)).expect("a family");
            let history = history(&drawn);
            file(&history, model);
            for format in [Format::Edn, Format::Json, Format::Log] {
                foreign_file(&history, format);
            }
        }
        ["write", name, clients, operations] => {
            let (_, drawn) = drawn(name, number(clients), number(operations)).expect("a family");
            print(&foreign::from_ours(&history(&drawn)).expect("it can be told"));
        }
        ["convert", file] => {
            let file = File::open(file).expect("a file");
            print(&foreign::read(file, None).expect("a history").1);
        }
        [how @ ("check" | "decide"), model, refused, seconds, file] => {
            let is_explained = *how == "check";
            check(model, *refused == "observation", number(seconds) as u64, file, is_explained);
        }
        [name, clients, operations, rest @ ..] => {
            let time = rest.first().map(|seconds| Duration::from_secs(number(seconds) as u64));
            let memory_bytes = rest.get(1).map(|megabytes| (number(megabytes) as u64) << 20);
            let Budget { time: usual, memory_bytes: enough } = Budget::default();
            let budget = Budget {
                time: time.unwrap_or(usual),
                memory_bytes: memory_bytes.unwrap_or(enough),
            };
            one(name, number(clients), number(operations), budget);
        }
        _ => {
            println!(
                "usage: families [[file|write] NAME CLIENTS OPERATIONS [SECONDS [MEGABYTES]]]"
            );
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn table() {
    println!("{:<10}{:>8}{:>12}  {:<40}", "family", "clients", "operations", "verdict");
    let program = std::env::current_exe().expect("this program has a path");
    for (name, clients, operations) in TABLE {
        let run = Command::new(&program)
            .args([(*name).to_owned(), clients.to_string(), operations.to_string()])
            .status();
        assert!(run.is_ok_and(|status| status.success()), "{name} {clients} {operations}");
    }
}

fn one(name: &str, clients: usize, count: usize, budget: Budget) {
    let (model, operations) = drawn(name, clients, count).expect("a family");
    let before = memory("VmRSS");
    let (begun, busy) = (Instant::now(), on_cpu());
    let judged = by_name(model).expect("a model").check(&operations, budget);
    let (took, busy) = (begun.elapsed(), on_cpu().saturating_sub(busy));
    let peak = memory("VmHWM");
    println!(
        "{name:<10}{clients:>8}{count:>12}  {:<8} {:>10.5} s ({:>9.5} s of CPU) {:>6} MB + {:>5} MB of history  {}",
        judged.verdict.to_string(),
        took.as_secs_f64(),
        busy.as_secs_f64(),
        peak.saturating_sub(before),
        before,
        remark(&judged),
    );
}

fn remark(judged: &Linearizability) -> String {
    let nodes: u64 = judged.keys.iter().map(|key| key.nodes).sum();
    let sentence = judged.sentences().into_iter().next().unwrap_or_default();
    let involved: usize = judged.counterexamples().map(|c| c.operations.len()).sum();
    match judged.verdict {
        Verdict::Invalid => format!("{nodes} nodes, shown by {involved}"),
        Verdict::Valid => format!("{nodes} nodes"),
        Verdict::Unknown => sentence.chars().take(150).collect(),
    }
}

/// What the kernel says of this process, in megabytes.
fn memory(what: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<usize>().ok());
    kilobytes.unwrap_or_default() / 1_024
}

/// How long this thread has run, waiting for others not included: what the machine does besides does not count.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn print(history: &foreign::History) {
    let mut out = BufWriter::new(io::stdout().lock());
    foreign::write(history, Format::Json, &mut out).expect("it is written");
}

fn check(model: &str, is_observed: bool, seconds: u64, file: &str, is_explained: bool) {
    let file = File::open(file).expect("a file");
    let (_, history) = foreign::read(file, Some(Format::Json)).expect("a history");
    let refused_cas = if is_observed { RefusedCas::Observation } else { RefusedCas::Ignored };
    let meaning = Meaning { refused_cas, nil_reads: NilReads::Unset, ..Meaning::of(Format::Json) };
    let budget = Budget { time: Duration::from_secs(seconds), ..Budget::default() };
    let prepared = foreign::prepare(&history, model, &meaning, false).expect("it can be judged");
    if !is_explained {
        let begun = Instant::now();
        let orders = prepared.model.orders(&prepared.operations, budget);
        let seconds = begun.elapsed().as_secs_f64();
        let whys: Vec<&str> = orders.iter().filter_map(|order| order.why.as_deref()).collect();
        let verdict = match whys.as_slice() {
            [] => Verdict::Valid,
            whys if whys.contains(&"there is no order") => Verdict::Invalid,
            _ => Verdict::Unknown,
        };
        println!("{verdict} {seconds:.6} {} 0", memory("VmHWM"));
        return;
    }
    let results = prepared.judge(budget);
    let shown = results.linearizability.counterexamples().map(|one| one.operations.len());
    let seconds = Duration::from_nanos(results.check_ns).as_secs_f64();
    let (verdict, peak) = (results.verdict, memory("VmHWM"));
    println!("{verdict} {seconds:.6} {peak} {}", shown.sum::<usize>());
}

/// How fast a history of registers is read as other programs write it.
fn foreign_file(history: &History, format: Format) {
    let history = foreign::from_ours(history).expect("it can be told");
    let mut bytes = Vec::new();
    if format == Format::Log {
        for event in history.events() {
            let (process, kind, f) = (&event.process, event.kind.name(), &event.f);
            let line = format!("INFO  jepsen.util - {process}\t:{kind}\t:{f}\t{}\n", event.value);
            bytes.extend_from_slice(line.as_bytes());
        }
    } else {
        foreign::write(&history, format, &mut bytes).expect("memory takes all");
    }
    drop(history);
    let begun = on_cpu();
    let (_, history) = foreign::read(bytes.as_slice(), Some(format)).expect("a history");
    let took = on_cpu().saturating_sub(begun);
    println!(
        "{format}, CPU time: {} MB, {} events, {} MB/s read, {:.2} s",
        bytes.len() >> 20,
        history.events().len(),
        bytes.len() as u128 / took.as_micros().max(1),
        took.as_secs_f64(),
    );
}

fn file(history: &History, model: &str) {
    let bytes = written(history, model);
    let begun = on_cpu();
    let mut reader = Reader::open(bytes.as_slice()).expect("a history");
    while reader.next_event().expect("a history").is_some() {}
    let streamed = on_cpu().saturating_sub(begun);
    let begun = on_cpu();
    let elapsed = || on_cpu().saturating_sub(begun);
    let file = read(bytes.as_slice()).expect("a history");
    let parsed = elapsed();
    let operations = operations(&file.history);
    let paired = elapsed();
    let judged = by_name(model).expect("a model").check(&operations, Budget::default());
    let took = elapsed();
    println!(
        "quorate, CPU time: {} MB, {} MB/s one by one, {} MB/s parsed, {:.2} s parsed, {:.2} s paired, {:.2} s {}, {} MB peak",
        bytes.len() >> 20,
        bytes.len() as u128 / streamed.as_micros().max(1),
        bytes.len() as u128 / parsed.as_micros().max(1),
        parsed.as_secs_f64(),
        paired.as_secs_f64(),
        took.as_secs_f64(),
        judged.verdict,
        memory("VmHWM"),
    );
}

/// The operations as events.
fn history(operations: &[Operation]) -> History {
    let mut events: Vec<(u64, Time, What)> = Vec::new();
    for operation in operations {
        let step = |value| Step {
            process: operation.process,
            f: operation.f.clone(),
            key: operation.key,
            value,
            error: None,
        };
        let input = operation.input.clone();
        events.push((operation.invoke, operation.invoked_at, What::Invoke(step(input.clone()))));
        let ended = match &operation.outcome {
            Outcome::Ok(value) => What::Ok(step(value.clone())),
            Outcome::Fail => What::Fail(step(input)),
            Outcome::Info => What::Info(step(input)),
            Outcome::Pending => continue,
        };
        let end = operation.complete.expect("what ended has an end");
        events.push((end, operation.completed_at.unwrap_or_default(), ended));
    }
    events.sort_unstable_by_key(|(index, ..)| *index);
    let mut builder = Builder::new();
    for (_, time, what) in events {
        builder.push(time, what).expect("it happened");
    }
    builder.finish()
}

fn written(history: &History, model: &str) -> Vec<u8> {
    let header = Header {
        program: "quorate 0.1.0".to_owned(),
        started: "2026-11-23T21:47:02Z".to_owned(),
        mutant: None,
        model: model.to_owned(),
        plan: serde_json::json!({}),
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header).expect("memory takes all");
    for event in history.events() {
        writer.event(event.time, event.what.clone()).expect("it happened");
    }
    bytes
}
