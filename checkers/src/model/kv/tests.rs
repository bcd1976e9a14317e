//! Texts of many clients at once.

use super::{Kv, Text};
use crate::history::{Key, Operation, Outcome, ProcessId, Time, Value};
use crate::linearizability::{Budget, Finding, KeyResult, check};
use crate::testing::Dice;

#[test]
fn a_text_is_the_same_however_it_was_made() {
    let whole = "twenty and more bytes, and ä";
    for cut in whole.char_indices().map(|(cut, _)| cut) {
        let (begun, end) = whole.split_at(cut);
        let parts = Text::new(begun).append(end);
        assert_eq!(parts, Text::new(whole), "cut at {cut}");
    }
}

/// A text that clients put, append to and get, without think time; each piece is written once or, of `again` percent of
/// them, twice. Each operation takes effect at a random moment.
fn busy(dice: &mut Dice, clients: usize, operations: usize, again: u64) -> Vec<Operation> {
    let mut text = String::new();
    let mut all: Vec<Operation> = Vec::new();
    // By client: its operation, and whether it has taken effect.
    let mut running: Vec<Option<(usize, bool)>> = vec![None; clients];
    for moment in 0.. {
        let client = usize::try_from(dice.below(clients as u64)).unwrap();
        match running[client] {
            None if all.len() == operations => {
                if running.iter().all(Option::is_none) {
                    return all;
                }
            }
            None => {
                let f = dice.pick(&["get", "get", "append", "append", "append"]);
                let f = if dice.chance(2) { "put" } else { f };
                let piece = all.len() - usize::from(dice.chance(again)) * all.len().min(7);
                let input = if f == "get" { Value::Nil } else { Value::Text(format!("{piece};")) };
                running[client] = Some((all.len(), false));
                all.push(Operation {
                    invoke: moment,
                    complete: None,
                    process: ProcessId(client as u64),
                    f: f.into(),
                    key: Some(Key(0)),
                    input,
                    outcome: Outcome::Pending,
                    invoked_at: Time(moment),
                    completed_at: None,
                    error: None,
                });
            }
            Some((place, false)) => {
                let operation = &mut all[place];
                let Value::Text(piece) = &operation.input else {
                    operation.outcome = Outcome::Ok(Value::Text(text.clone()));
                    running[client] = Some((place, true));
                    continue;
                };
                match operation.f.as_str() {
                    "put" => text.clone_from(piece),
                    _ => text.push_str(piece),
                }
                operation.outcome = Outcome::Ok(operation.input.clone());
                running[client] = Some((place, true));
            }
            Some((place, true)) => {
                all[place].complete = Some(moment);
                all[place].completed_at = Some(Time(moment));
                running[client] = None;
            }
        }
    }
    unreachable!("moments do not end")
}

fn judged(all: &[Operation]) -> KeyResult {
    check(&Kv::default(), all, Budget::default()).keys.remove(0)
}

#[test]
fn what_was_seen_leads_through_a_busy_text() {
    for (clients, again) in [(3, 0), (20, 0), (20, 10)] {
        for seed in 0..5 {
            let all = busy(&mut Dice::new(seed), clients, 1_000, again);
            let judged = judged(&all);
            assert_eq!(judged.finding, Finding::Valid, "{clients} clients, seed {seed}");
            assert!(
                judged.nodes < 2_000,
                "{} nodes, {clients} clients, {again} %, seed {seed}",
                judged.nodes
            );
        }
    }
}

#[test]
fn a_late_look_at_a_busy_text_is_shown_by_few() {
    for seed in 0..3 {
        let mut all = busy(&mut Dice::new(seed), 10, 500, 5);
        // Someone in the middle sees what was there long before.
        let gets = all.iter().enumerate().filter(|(_, operation)| operation.f == "get");
        let gets: Vec<usize> = gets.map(|(place, _)| place).collect();
        let (early, late) = (gets[gets.len() / 4], gets[gets.len() / 2]);
        all[late].outcome = all[early].outcome.clone();
        let Finding::Invalid { counterexample } = judged(&all).finding else {
            panic!("seed {seed} is invalid");
        };
        let writes = counterexample.operations.iter().filter(|shown| shown.operation.f != "get");
        let gets = counterexample.operations.len() - writes.count();
        assert!(gets <= 3, "seed {seed}: {gets} gets");
    }
}
