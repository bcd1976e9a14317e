//! The stream against all orders, on the random small histories of each model (called from their own tests); what is said
//! of violations; and that little is kept of a long history.

use super::partition::Partition;
use super::{AnyStream, Limits, Stream, Streamed};
use crate::history::{Key, Operation, Outcome, Part, ProcessId, Time, Value, operations};
use crate::model::{Model, Register};
use crate::testing::{Dice, script};
use crate::verdict::Verdict;

/// The beginnings and ends of operations in the order of time.
fn parts(all: &[Operation]) -> Vec<Part> {
    let mut parts: Vec<(u64, Part)> = Vec::new();
    for operation in all {
        let begun = Operation {
            complete: None,
            completed_at: None,
            outcome: Outcome::Pending,
            error: None,
            ..operation.clone()
        };
        parts.push((operation.invoke, Part::Begun(begun)));
        parts.extend(operation.complete.map(|end| (end, Part::Ended(operation.clone()))));
    }
    parts.sort_by_key(|(index, _)| *index);
    parts.into_iter().map(|(_, part)| part).collect()
}

/// What was known right after the event `index`.
fn until(all: &[Operation], index: u64) -> Vec<Operation> {
    let begun = all.iter().filter(|operation| operation.invoke <= index);
    let known = |operation: &Operation| {
        let is_later = operation.complete.is_some_and(|end| end > index);
        let outcome = if is_later { Outcome::Pending } else { operation.outcome.clone() };
        let complete = operation.complete.filter(|_| !is_later);
        Operation { complete, outcome, ..operation.clone() }
    };
    begun.map(known).collect()
}

/// Hands all over, looking after as many parts as `looks` says; how many parts there were when it was over.
fn streamed<M: Model>(
    stream: &mut Stream<'_, M>,
    all: &[Operation],
    looks: u64,
) -> (Streamed, Option<u64>) {
    let mut over = None;
    for (number, part) in parts(all).into_iter().enumerate() {
        let index = match part {
            Part::Begun(operation) => {
                let index = operation.invoke;
                stream.invoke(operation);
                index
            }
            Part::Ended(operation) => {
                let index = operation.complete.unwrap();
                stream.complete(operation);
                index
            }
        };
        if (number as u64).is_multiple_of(looks) {
            stream.look();
        }
        if stream.violation().is_some() {
            over.get_or_insert(index);
        }
    }
    (stream.finish(), over)
}

/// The first thing that a stream says wrongly of a history, if anything; `has_order` tries all orders.
pub(crate) fn disagreement<M: Model>(
    model: &M,
    all: &[Operation],
    has_order: impl Fn(&[Operation]) -> bool,
) -> Option<String> {
    let expected = has_order(all);
    let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
    let ends = parts(all).into_iter().map(|part| match part {
        Part::Begun(operation) => operation.invoke,
        Part::Ended(operation) => operation.complete.unwrap(),
    });
    let first = ends.filter(|end| !expected && !has_order(&until(all, *end))).min();
    // With looks after everything, after some, and never; with much of what was decided kept, and with little.
    for (looks, stride) in [(1, 2), (3, 1), (u64::MAX, 1_000)] {
        let mut stream = Stream::new(model, Limits::default()).with_stride(stride);
        let (said, over) = streamed(&mut stream, all, looks);
        if said.verdict != verdict {
            return Some(format!("{:?} with looks {looks}, stride {stride}", said.verdict));
        }
        if said.violation.as_ref().map(|found| found.certain_at) != first {
            return Some(format!("certain at {first:?}, not as in {:?}", said.violation));
        }
        if looks == 1 && over != first {
            return Some(format!("noticed at {over:?} and not at {first:?}"));
        }
    }
    // Where it does not wait, or may not remember, it may know less, but nothing wrong.
    for limits in [
        Limits { window: 0, ..Limits::default() },
        Limits { window: 3, ..Limits::default() },
        Limits { configurations: 1, ..Limits::default() },
        Limits { configurations: 2, window: 2 },
    ] {
        let (said, _) = streamed(&mut Stream::new(model, limits), all, 2);
        if ![verdict, Verdict::Unknown].contains(&said.verdict) {
            return Some(format!("{:?} with {limits:?}", said.verdict));
        }
    }
    None
}

fn judged(words: &str) -> Streamed {
    streamed(&mut Stream::new(&Register::new(), Limits::default()), &operations(&script(words)), 1)
        .0
}

#[test]
fn a_violation_is_told_with_what_was_possible_and_the_fewest_operations() {
    // One of two writes that went on at once came last, and the one before them both is read.
    let said = judged("0:w1 0:ok 0:w2 1:w3 0:ok 1:ok 2:r 2:ok=1 0:w5 0:ok");
    assert_eq!(said.verdict, Verdict::Invalid);
    let found = said.violation.unwrap();
    assert_eq!((found.certain_at, found.states), (7, 2));
    assert_eq!(found.possible, ["2", "3"]);
    assert_eq!(
        found.sentence,
        "read -> 1 of p2 (index 6 to 7) has no place: before its end the object could only hold 2 or 3, and nothing that \
         was open explains it"
    );
    let shown: Vec<u64> =
        found.counterexample.unwrap().operations.iter().map(|one| one.operation.invoke).collect();
    assert!(shown == [0, 2, 6] || shown == [0, 3, 6], "{shown:?}");
}

#[test]
fn what_a_failed_operation_had_written_is_a_violation_once_it_has_failed() {
    let said = judged("0:w1 1:r 1:ok=1 2:r 2:ok=1 0:fail");
    let found = said.violation.unwrap();
    assert_eq!(found.certain_at, 5);
    assert!(found.sentence.ends_with("; that is certain since index 5"), "{}", found.sentence);
}

#[test]
fn an_operation_without_an_end_may_happen_at_any_later_time_and_only_once() {
    let valid = "0:w1 0:ok 1:w2 1:info 0:w3 0:ok 2:r 2:ok=3 2:r 2:ok=2 0:w4 0:ok 2:r 2:ok=4";
    assert_eq!(judged(valid).verdict, Verdict::Valid);
    let again = format!("{valid} 2:r 2:ok=2");
    let found = judged(&again).violation.unwrap();
    assert_eq!(found.possible, ["4"]);
}

#[test]
fn what_has_no_meaning_is_unknown() {
    let mut all = operations(&script("0:w1 0:ok 0:w2 0:ok"));
    all[1].f = "jump".into();
    let (said, _) = streamed(&mut Stream::new(&Register::new(), Limits::default()), &all, 1);
    assert_eq!(said.verdict, Verdict::Unknown);
    assert!(said.sentences()[0].contains("no function `jump`"), "{said:?}");
}

#[test]
fn a_key_that_takes_too_much_is_unknown_and_the_others_are_judged() {
    let limits = Limits { configurations: 1, window: 1 << 10 };
    let mut all = operations(&script("0:w1 1:w2 2:w3 0:ok 1:ok 2:ok 0:r 1:r 0:ok=2 1:ok=2"));
    let (said, _) = streamed(&mut Stream::new(&Register::new(), limits), &all, 1);
    assert_eq!(said.verdict, Verdict::Unknown);
    let told = &said.unknown[0].reason;
    assert_eq!(
        told,
        "more than 1 configurations are possible at index 4: it was not judged from there on"
    );
    let mut other = operations(&script("0:w1 0:ok 0:w2 0:ok 0:r 0:ok=1"));
    for operation in &mut other {
        operation.key = Some(Key(7));
        operation.invoke += 100;
        operation.complete = operation.complete.map(|index| index + 100);
    }
    all.extend(other);
    let (said, _) = streamed(&mut Stream::new(&Register::new(), limits), &all, 1);
    assert_eq!((said.verdict, said.keys), (Verdict::Invalid, 2));
    assert_eq!(said.violation.unwrap().key, Some(Key(7)));
}

/// A register that `clients` clients use without a pause, as long as somebody asks for more.
struct Busy {
    dice: Dice,
    held: Value,
    /// By client: its operation, and the result once it has taken effect.
    running: Vec<Option<(Operation, Option<Value>)>>,
    index: u64,
    processes: u64,
    info_percent: u64,
}

impl Busy {
    fn next(&mut self) -> Option<Part> {
        let places: Vec<usize> = (0..self.running.len()).collect();
        let place = self.dice.pick(&places);
        let index = self.index;
        match self.running[place].take() {
            None => {
                self.processes += 1;
                let is_read = self.dice.chance(50);
                let value = Value::Int(index.cast_signed());
                let operation = Operation {
                    invoke: index,
                    complete: None,
                    process: ProcessId(self.processes),
                    f: if is_read { "read" } else { "write" }.into(),
                    key: Some(Key(0)),
                    input: if is_read { Value::Nil } else { value },
                    outcome: Outcome::Pending,
                    invoked_at: Time(index),
                    completed_at: None,
                    error: None,
                };
                self.running[place] = Some((operation.clone(), None));
                self.index += 1;
                Some(Part::Begun(operation))
            }
            Some((operation, None)) => {
                if operation.f == "write" {
                    self.held = operation.input.clone();
                }
                self.running[place] = Some((operation, Some(self.held.clone())));
                None
            }
            Some((mut operation, Some(result))) => {
                operation.complete = Some(index);
                operation.completed_at = Some(Time(index));
                let is_lost = self.dice.chance(self.info_percent) && index < 2_000;
                operation.outcome = if is_lost { Outcome::Info } else { Outcome::Ok(result) };
                self.index += 1;
                Some(Part::Ended(operation))
            }
        }
    }
}

#[test]
fn what_is_kept_of_a_long_history_that_never_pauses_does_not_grow() {
    let mut busy = Busy {
        dice: Dice::new(5),
        held: Value::Nil,
        running: (0..3).map(|_| None).collect(),
        index: 0,
        processes: 0,
        info_percent: 1,
    };
    let model = Register::new();
    let mut stream = Stream::new(&model, Limits::default());
    let mut quiet = 0;
    while busy.index < 200_000 {
        match busy.next() {
            None => {}
            Some(Part::Begun(operation)) => stream.invoke(operation),
            Some(Part::Ended(operation)) => stream.complete(operation),
        }
        quiet += u64::from(busy.running.iter().all(Option::is_none));
    }
    let said = stream.finish();
    assert_eq!(said.verdict, Verdict::Valid, "{said:?}");
    assert!(said.operations > 99_000, "{said:?}");
    assert!(quiet < 40_000, "there is hardly a pause: {quiet}");
    // The writes without an end, and what the record has: at most 5 strides of moments, each with its operation.
    assert!(said.held_most < 20 + 5 * 256 + 64, "{said:?}");
    assert!(said.configurations_most < 200, "{said:?}");
}

#[test]
fn an_operation_that_stays_open_is_not_waited_for_for_ever() {
    let limits = Limits { window: 100, ..Limits::default() };
    let open = operations(&script("9:r")).remove(0);
    let run = |ends: bool, last: i64| {
        let model = Register::new();
        let mut partition = Partition::new(&model, Some(Key(0)), limits);
        partition.invoke(open.clone());
        let mut said = Ok(());
        for number in 0..10_000_u64 {
            let at = 1 + 2 * number;
            let value = Value::Int(if number == 9_999 { last } else { 0 });
            let begun = Operation {
                invoke: at,
                f: if number == 0 { "write" } else { "read" }.into(),
                input: if number == 0 { Value::Int(0) } else { Value::Nil },
                ..open.clone()
            };
            partition.invoke(begun.clone());
            let outcome = Outcome::Ok(value);
            said = said.and(
                partition.complete(Operation { complete: Some(at + 1), outcome, ..begun }, 16),
            );
            assert!(partition.held().0 < 200, "{:?}", partition.held());
        }
        if ends {
            let outcome = Outcome::Ok(Value::Int(0));
            let ended = Operation { complete: Some(50_000), outcome, ..open.clone() };
            said = said.and(partition.complete(ended, 16));
        }
        said.and_then(|()| partition.finish(50_000))
    };
    assert!(run(false, 0).is_ok());
    let told = format!("{:?}", run(true, 0));
    assert!(told.contains("Unknown") && told.contains("was not waited for"), "{told}");
    assert!(format!("{:?}", run(true, 1)).contains("Invalid"));
}
