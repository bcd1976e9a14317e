//! How long a history of transactions takes, and how much memory: `cargo run --release -p quorate-checkers --example
//! transactions -- [transactions] [wrong]`. With `wrong` one read in the middle misses what was appended last.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::VecDeque;
use std::time::Instant;

use quorate_checkers::history::{ProcessId, Value};
use quorate_checkers::transactions::{Consistency, Fate, Micro, Transaction, check};

/// How many transactions are open at a time.
const CLIENTS: u64 = 20;
/// How many lists are in use at a time, and how long each grows before another takes its place.
const KEYS: u64 = 10;
const LONGEST: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(1_000_000, |count| count.parse().expect("a number"));
    let is_wrong = arguments.next().is_some_and(|word| word == "wrong");
    let before = resident();
    let owned = history(count, is_wrong);
    let lent: Vec<Transaction<'_>> = (0..).zip(&owned).map(|(n, t)| t.lent(n)).collect();
    let held = resident();
    println!("{count} transactions, history {} MiB", held.saturating_sub(before));
    for consistency in Consistency::ALL {
        let begun = Instant::now();
        let report = check(&lent, consistency);
        let edges = report.counts.edges;
        println!(
            "{consistency}: {} in {:.2?}, {edges} edges, peak {} MiB above the history",
            report.verdict,
            begun.elapsed(),
            peak().saturating_sub(held)
        );
        report.sentences().iter().for_each(|sentence| println!("  {sentence}"));
    }
}

struct Owned {
    parts: Vec<(Value, Part)>,
    complete: u64,
}

enum Part {
    Append(Value),
    Read(Vec<Value>),
}

impl Part {
    fn lent<'a>(&'a self, key: &'a Value) -> Micro<'a> {
        match self {
            Self::Append(element) => Micro::Append { key, element },
            Self::Read(seen) => Micro::Read { key, seen },
        }
    }
}

impl Owned {
    fn lent(&self, number: u64) -> Transaction<'_> {
        Transaction {
            process: ProcessId(number % CLIENTS),
            invoke: number * 2 * CLIENTS,
            complete: Some(self.complete),
            fate: Fate::Ok,
            micros: self.parts.iter().map(|(key, part)| part.lent(key)).collect(),
        }
    }
}

/// Each transaction takes effect when it begins, and ends before its process begins the next: up to 20 overlap.
fn history(count: u64, is_wrong: bool) -> Vec<Owned> {
    let mut dice = Dice(7);
    let mut lists: VecDeque<(u64, Vec<Value>)> = (0..KEYS).map(|key| (key, Vec::new())).collect();
    let mut next_key = KEYS;
    let mut owned = Vec::new();
    for number in 0..count {
        let mut parts = Vec::new();
        for _ in 0..=dice.below(4) {
            let place = usize::try_from(dice.below(KEYS)).expect("it is small");
            let (key, list) = lists.get_mut(place).expect("there are as many");
            let name = Value::Int(key.cast_signed());
            if dice.below(2) == 0 {
                let mut seen = list.clone();
                if is_wrong && number == count / 2 {
                    seen.pop();
                }
                parts.push((name, Part::Read(seen)));
                continue;
            }
            let element = Value::Int(i64::try_from(list.len()).expect("it is short"));
            list.push(element.clone());
            parts.push((name, Part::Append(element)));
            if list.len() == LONGEST {
                (*key, *list) = (next_key, Vec::new());
                next_key += 1;
            }
        }
        let complete = (number + 1 + dice.below(CLIENTS - 1)) * 2 * CLIENTS + 1 + number % CLIENTS;
        owned.push(Owned { parts, complete });
    }
    owned
}

/// A generator of numbers that every machine draws alike: splitmix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What the process holds now, in MiB, where the system tells.
fn resident() -> u64 {
    status("VmRSS:")
}

/// The most that it held.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
