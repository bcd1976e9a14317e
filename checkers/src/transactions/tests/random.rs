//! Small histories at random: of a store that is right, of one with snapshots, and either with something changed.

use std::collections::BTreeMap;

use super::super::Fate;
use super::{Owned, Part};
use crate::history::Value;
use crate::testing::Dice;

/// A history of up to `most` transactions.
pub(super) fn draw(dice: &mut Dice, most: u64) -> Vec<Owned> {
    let keys = 1 + dice.below(3);
    let count = 2 + dice.below(most - 1);
    let mut plans: Vec<Plan> = (0..count).map(|number| plan(dice, number, keys)).collect();
    own_processes(&mut plans);
    if dice.chance(50) {
        for plan in &mut plans {
            plan.snapshot = plan.at;
        }
    }
    let mut history = run(dice, &mut plans);
    for _ in 0..dice.pick(&[0, 0, 1, 1, 2, 3]) {
        change(dice, &mut history);
    }
    history
}

/// When a transaction does what, on a line of time.
struct Plan {
    process: u64,
    begin: u64,
    snapshot: u64,
    at: u64,
    end: u64,
    fate: Fate,
    parts: Vec<(bool, i64)>,
}

fn plan(dice: &mut Dice, number: u64, keys: u64) -> Plan {
    let begin = dice.below(60);
    let snapshot = (begin + dice.below(20)).saturating_sub(dice.below(2) * dice.below(20));
    let at = begin.max(snapshot) + dice.below(20);
    let part = |dice: &mut Dice| (dice.chance(50), i64::try_from(dice.below(keys)).unwrap());
    Plan {
        process: if dice.chance(70) { dice.below(3) } else { 10 + number },
        begin,
        snapshot,
        at,
        end: at + dice.below(20),
        fate: dice.pick(&[Fate::Ok, Fate::Ok, Fate::Ok, Fate::Ok, Fate::Ok, Fate::Unknown]),
        parts: (0..=dice.below(4)).map(|_| part(dice)).collect(),
    }
}

/// A process does one thing at a time: what would overlap goes to a process of its own.
fn own_processes(plans: &mut [Plan]) {
    for number in 0..plans.len() {
        let (before, rest) = plans.split_at_mut(number);
        let plan = &mut rest[0];
        let overlaps = |other: &Plan| {
            other.process == plan.process
                && other.begin <= plan.end + 1
                && plan.begin <= other.end + 1
        };
        if before.iter().any(overlaps) {
            plan.process = 20 + number as u64;
        }
    }
}

type Store = BTreeMap<i64, Vec<Value>>;

/// What a transaction did on its snapshot.
struct Done {
    parts: Vec<Part>,
    /// What it appended.
    own: Store,
    before: Store,
}

/// What comes of plans: each reads what was there at its snapshot, and its appends are installed at its moment. One that is
/// unknown may not happen. Where the first committer wins, one whose keys have changed since its snapshot fails.
fn run(dice: &mut Dice, plans: &mut [Plan]) -> Vec<Owned> {
    let mut moments: Vec<(u64, bool, usize)> = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        moments.push((plan.snapshot, false, number));
        moments.push((plan.at, true, number));
    }
    moments.sort_by_key(|(time, installs, number)| (*time, *number, *installs));
    let mut store = Store::new();
    let mut element = 0;
    let first_wins = dice.chance(70);
    let mut done: Vec<Option<Done>> = plans.iter().map(|_| None).collect();
    for (_, installs, number) in moments {
        let plan = &mut plans[number];
        if !installs {
            let mut view = store.clone();
            let mut own = Store::new();
            let parts = plan.parts.iter().map(|(reads, key)| {
                let list = view.entry(*key).or_default();
                if *reads {
                    return Part::Read(Value::Int(*key), list.clone());
                }
                element += 1;
                list.push(Value::Int(element));
                own.entry(*key).or_default().push(Value::Int(element));
                Part::Append(Value::Int(*key), Value::Int(element))
            });
            let parts = parts.collect();
            done[number] = Some(Done { parts, own, before: store.clone() });
            continue;
        }
        let Done { own, before, .. } = done[number].as_ref().unwrap();
        if first_wins && own.keys().any(|key| before.get(key) != store.get(key)) {
            plan.fate = Fate::Failed;
        } else if plan.fate == Fate::Ok || dice.chance(50) {
            for (key, own) in own {
                store.entry(*key).or_default().extend(own.iter().cloned());
            }
        }
    }
    // Beginnings and ends in the order of their times, each at an index of its own.
    let mut ends: Vec<(u64, usize, bool)> = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        ends.extend([(plan.begin, number, false), (plan.end + 1, number, true)]);
    }
    ends.sort_unstable();
    let index = |number, is_end| {
        ends.iter().position(|(_, other, end)| (*other, *end) == (number, is_end)).unwrap() as u64
    };
    let owned = |(number, plan): (usize, &Plan)| Owned {
        process: plan.process,
        invoke: index(number, false),
        complete: (plan.fate == Fate::Ok).then(|| index(number, true)),
        fate: plan.fate,
        micros: done[number].take().unwrap().parts,
    };
    plans.iter().enumerate().map(owned).collect()
}

/// Makes something different.
fn change(dice: &mut Dice, history: &mut [Owned]) {
    let place = usize::try_from(dice.below(history.len() as u64)).unwrap();
    let transaction = &mut history[place];
    match dice.below(8) {
        0 => transaction.fate = Fate::Unknown,
        1 => transaction.fate = Fate::Failed,
        _ => {
            let reads = transaction.micros.iter_mut().filter_map(|part| match part {
                Part::Read(_, seen) => Some(seen),
                Part::Append(..) => None,
            });
            let reads: Vec<&mut Vec<Value>> = reads.collect();
            for seen in reads {
                if dice.chance(60) {
                    change_read(dice, seen);
                }
            }
        }
    }
}

fn change_read(dice: &mut Dice, seen: &mut Vec<Value>) {
    let end = seen.len() as u64;
    match dice.below(6) {
        0..=2 => {
            seen.pop();
        }
        3 if end > 1 => seen.swap(0, 1),
        4 => seen.push(Value::Int(1 + i64::try_from(dice.below(6)).unwrap())),
        _ => seen.truncate(usize::try_from(dice.below(end + 1)).unwrap()),
    }
}
