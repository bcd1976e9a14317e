//! Every model against all orders, tried one by one, on random histories of a real object; and what it says of
//! histories written by hand.

use std::collections::BTreeMap;

use super::by_name;
use crate::explain::Counterexample;
use crate::history::{
    Builder, Key, Operation, Outcome, ProcessId, Step, Time, Value, What, operations,
};
use crate::linearizability::Budget;
use crate::testing::Dice;
use crate::verdict::Verdict;

type State = BTreeMap<u64, Value>;

fn list(values: &[i64]) -> Value {
    Value::List(values.iter().copied().map(Value::Int).collect())
}

fn triple(word: &str, key: i64, value: Value) -> Value {
    Value::List(vec![Value::Text(word.to_owned()), Value::Int(key), value])
}

/// One thing done to one key; what a read sees, else the argument. Nothing if it is refused.
fn done(state: &mut State, f: &str, key: u64, argument: &Value) -> Option<Value> {
    let held = state.get(&key).cloned().unwrap_or_default();
    let after = match (f, &held, argument) {
        ("read" | "r", _, _) => return Some(held),
        ("write" | "w", _, _) | ("add", Value::Nil, _) => argument.clone(),
        ("delete", _, _) | ("release", Value::Int(_), _) => Value::Nil,
        ("cas", _, Value::List(pair)) => (pair[0] == held).then(|| pair[1].clone())?,
        ("append", Value::Nil, _) => Value::List(vec![argument.clone()]),
        ("append", Value::List(values), _) => {
            Value::List([values.as_slice(), std::slice::from_ref(argument)].concat())
        }
        ("add", Value::Int(sum), Value::Int(amount)) => Value::Int(sum + amount),
        ("acquire", Value::Nil, _) => Value::Int(1),
        ("enqueue" | "push" | "insert", _, Value::Int(element)) => {
            let Value::List(mut elements) = held.clone() else {
                state.insert(key, list(&[*element]));
                return Some(argument.clone());
            };
            let at = match f {
                "enqueue" => elements.len(),
                "push" => 0,
                _ => elements.iter().position(|other| other > argument).unwrap_or(elements.len()),
            };
            elements.insert(at, argument.clone());
            Value::List(elements)
        }
        ("dequeue" | "pop" | "extract", Value::List(elements), _) if !elements.is_empty() => {
            state.insert(key, Value::List(elements[1..].to_vec()));
            return Some(elements[0].clone());
        }
        ("dequeue" | "pop" | "extract", _, _) => return Some(Value::Nil),
        _ => return None,
    };
    state.insert(key, after);
    Some(argument.clone())
}

/// An operation done as a whole, or refused and not done.
fn whole(state: &mut State, f: &str, key: Option<u64>, argument: &Value) -> Option<Value> {
    let (true, Value::List(parts)) = (f == "txn", argument) else {
        return done(state, f, key.unwrap(), argument);
    };
    let mut copy = state.clone();
    let mut results = Vec::new();
    for part in parts {
        let Value::List(part) = part else { panic!("{part}") };
        let [Value::Text(word), Value::Int(key), argument] = part.as_slice() else { panic!() };
        let result = done(&mut copy, word, key.cast_unsigned(), argument)?;
        results.push(triple(word, *key, result));
    }
    *state = copy;
    Some(Value::List(results))
}

/// Whether what was returned is what would have been.
fn is_alike(model: &str, told: &Value, right: &Value) -> bool {
    let nothing = match model {
        "counter" => Value::Int(0),
        _ => Value::Nil,
    };
    let plain = |value: &Value| match value {
        Value::Nil => nothing.clone(),
        Value::List(values) if values.is_empty() => nothing.clone(),
        Value::List(values) if model == "set" => {
            let mut values = values.clone();
            values.sort();
            Value::List(values)
        }
        other => other.clone(),
    };
    plain(told) == plain(right)
}

/// Whether there is an order, straight from the definition (Herlihy and Wing 1990).
pub(super) fn has_order(model: &str, all: &[Operation]) -> bool {
    let may_have: Vec<&Operation> = all.iter().filter(|o| o.outcome != Outcome::Fail).collect();
    can_finish(model, &may_have, &mut vec![true; may_have.len()], &State::new())
}

fn can_finish(model: &str, all: &[&Operation], left: &mut Vec<bool>, state: &State) -> bool {
    if all.iter().zip(left.iter()).all(|(o, left)| !left || !o.is_ok()) {
        return true;
    }
    for (place, operation) in all.iter().enumerate() {
        let is_preceded = all.iter().zip(left.iter()).any(|(other, left)| {
            *left && other.definite_end().is_some_and(|end| end < operation.invoke)
        });
        if !left[place] || is_preceded {
            continue;
        }
        let mut after = state.clone();
        let key = operation.key.map(|key| key.0);
        let Some(right) = whole(&mut after, &operation.f, key, &operation.input) else { continue };
        let fits = match &operation.outcome {
            Outcome::Ok(told) => is_alike(model, told, &right),
            Outcome::Fail | Outcome::Info | Outcome::Pending => true,
        };
        if fits {
            left[place] = false;
            let is_possible = can_finish(model, all, left, &after);
            left[place] = true;
            if is_possible {
                return true;
            }
        }
    }
    false
}

/// A random history of a real object, which returns something wrong now and then.
pub(super) struct World<'a> {
    dice: &'a mut Dice,
    model: &'static str,
    size: Size,
    state: State,
    seen: Vec<Value>,
    /// By process: its id, its operation, and the result once it has happened.
    running: Vec<(u64, Doing)>,
    values: i64,
    builder: Builder,
}

/// An operation, and the result once it has happened.
type Doing = Option<(Step, Option<Value>)>;

/// How many operations by how many processes a history has, and how often it is wrong.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) processes: u64,
    pub(super) operations: u64,
    pub(super) wrong_percent: u64,
    pub(super) info_percent: u64,
    pub(super) deletes_lists: bool,
}

impl World<'_> {
    pub(super) fn history(dice: &mut Dice, model: &'static str, size: Size) -> Vec<Operation> {
        let mut world = World {
            dice,
            model,
            size,
            state: State::new(),
            seen: vec![Value::Nil],
            running: (0..size.processes).map(|id| (id, None)).collect(),
            values: 0,
            builder: Builder::new(),
        };
        let mut left = size.operations;
        for _ in 0..10 * size.operations + 100 {
            let place = usize::try_from(world.dice.below(size.processes)).unwrap();
            match world.running[place].1.take() {
                None if left > 0 => {
                    left -= 1;
                    world.invoke(place);
                }
                None if world.running.iter().all(|(_, doing)| doing.is_none()) => break,
                None => {}
                Some((step, result)) => world.go_on(place, step, result),
            }
        }
        operations(&world.builder.finish())
    }

    fn push(&mut self, what: What) {
        let time = Time(self.builder.history().len());
        self.builder.push(time, what).unwrap();
    }

    fn value(&mut self, is_unique: bool) -> Value {
        self.values += 1;
        Value::Int(if is_unique { self.values } else { self.dice.below(3).cast_signed() })
    }

    fn part(&mut self) -> Value {
        let key = self.dice.below(3).cast_signed();
        let (is_list, value) = (key == 1, self.value(true));
        match self.dice.below(8) {
            0..4 => triple("r", key, Value::Nil),
            4..7 => triple(if is_list { "append" } else { "w" }, key, value),
            _ if is_list && self.size.deletes_lists => triple("delete", key, Value::Nil),
            _ if is_list => triple("append", key, value),
            _ => triple("cas", key, list(&[self.dice.below(5).cast_signed(), self.values])),
        }
    }

    fn asked(&mut self) -> (&'static str, Option<Key>, Value) {
        let key = Some(Key(0));
        let few = self.dice.chance(50);
        match (self.model, self.dice.below(10)) {
            ("cas-register", 0..4) | ("append-list" | "set" | "counter", 0..5) => {
                ("read", key, Value::Nil)
            }
            ("cas-register", 4..7) => ("write", key, self.value(!few)),
            ("cas-register", 7..9) => {
                let [expected, new] = [0, 0].map(|_| self.dice.below(3).cast_signed());
                ("cas", key, list(&[expected, new]))
            }
            ("cas-register", _) => ("delete", key, Value::Nil),
            ("register", 0..5) => ("read", key, Value::Nil),
            ("register", _) => ("write", key, self.value(!few)),
            ("mutex", 0..5) => ("acquire", key, Value::Nil),
            ("mutex", _) => ("release", key, Value::Nil),
            ("queue", 0..5) => ("dequeue", key, Value::Nil),
            ("queue", _) => ("enqueue", key, self.value(!few)),
            ("stack", 0..5) => ("pop", key, Value::Nil),
            ("stack", _) => ("push", key, self.value(!few)),
            ("priority-queue", 0..5) => ("extract", key, Value::Nil),
            ("priority-queue", _) => ("insert", key, self.value(!few)),
            ("append-list", _) => ("append", key, self.value(!few)),
            ("set", _) => ("append", key, self.value(true)),
            ("counter", _) => ("add", key, Value::Int(self.dice.below(3).cast_signed())),
            (_, 0) => ("read", Some(Key(self.dice.below(3))), Value::Nil),
            (_, 1) => ("append", Some(Key(1)), self.value(true)),
            _ => {
                let count = 1 + self.dice.below(3);
                ("txn", None, Value::List((0..count).map(|_| self.part()).collect()))
            }
        }
    }

    fn invoke(&mut self, place: usize) {
        let (f, key, value) = self.asked();
        let process = ProcessId(self.running[place].0);
        let step = Step { process, f: f.to_owned(), key, value, error: None };
        self.push(What::Invoke(step.clone()));
        self.running[place].1 = Some((step, None));
    }

    /// Lets an operation happen, or end.
    fn go_on(&mut self, place: usize, step: Step, result: Option<Value>) {
        let Some(result) = result.or_else(|| self.gives_up().then_some(Value::Nil)) else {
            let key = step.key.map(|key| key.0);
            match whole(&mut self.state, &step.f, key, &step.value) {
                Some(result) => {
                    self.seen.push(result.clone());
                    let told = self.told(&step, result);
                    self.running[place].1 = Some((step, Some(told)));
                }
                None => self.push(What::Fail(step)),
            }
            return;
        };
        let fails = self.size.wrong_percent > 0 && self.dice.chance(5);
        let is_unknown = self.dice.chance(self.size.info_percent);
        match (fails, is_unknown) {
            (true, _) => self.push(What::Fail(step)),
            (false, true) => {
                self.running[place].0 += self.size.processes;
                self.push(What::Info(step));
            }
            _ if step.f == "txn" && result == Value::Nil => self.push(What::Fail(step)),
            _ if ["read", "txn", "dequeue", "pop", "extract"].contains(&step.f.as_str()) => {
                self.push(What::Ok(Step { value: result, ..step }));
            }
            _ => self.push(What::Ok(step)),
        }
    }

    /// Whether it ends before anything has happened; what it then returns is wrong.
    fn gives_up(&mut self) -> bool {
        self.size.wrong_percent > 0 && self.dice.chance(10)
    }

    /// What it returned, or sometimes something else of the same kind.
    fn told(&mut self, step: &Step, right: Value) -> Value {
        if !self.dice.chance(self.size.wrong_percent) {
            return right;
        }
        match (step.f.as_str(), right) {
            ("read", Value::List(values)) if self.dice.chance(50) => {
                Value::List(values.into_iter().skip(1).collect())
            }
            ("read", Value::List(mut values)) => {
                values.reverse();
                values.truncate(2);
                Value::List(values)
            }
            ("dequeue" | "pop" | "extract", _) => match self.dice.below(5) {
                0 => Value::Nil,
                element => Value::Int(element.cast_signed() - 1),
            },
            ("read", Value::Int(_) | Value::Nil)
                if self.model != "append-list" && self.model != "set" =>
            {
                Value::Int(self.dice.below(4).cast_signed())
            }
            ("txn", Value::List(parts)) => {
                let change = |part: Value| match &part {
                    Value::List(items) if items[0] == Value::Text("r".to_owned()) => {
                        let Value::Int(key) = items[1] else { panic!() };
                        let held = self.state.get(&key.cast_unsigned()).cloned();
                        triple("r", key, held.unwrap_or_default())
                    }
                    _ => part,
                };
                Value::List(parts.into_iter().map(change).collect())
            }
            (_, right) => right,
        }
    }
}

/// How many of so many random histories have an order, where the model and the brute force agree on each of them.
fn agreements(model: &'static str, histories: u64, is_complete: bool) -> (u64, u64) {
    let mut dice = Dice::new(7);
    let (mut legal, mut illegal) = (0, 0);
    for number in 0..histories {
        let wrong_percent = [0, 10, 40][usize::try_from(number % 3).unwrap()];
        let operations = 2 + dice.below(6);
        let size =
            Size { processes: 3, operations, wrong_percent, info_percent: 15, deletes_lists: true };
        let all = World::history(&mut dice, model, size);
        let result = by_name(model).unwrap().check(&all, Budget::default());
        assert_eq!(result.malformed, None, "{all:?}");
        let has_order = has_order(model, &all);
        match (result.verdict, has_order) {
            (Verdict::Valid, true) => legal += 1,
            (Verdict::Invalid, false) => {
                illegal += 1;
                result.counterexamples().for_each(|counterexample| proves(model, counterexample));
            }
            (Verdict::Valid, false) if !is_complete => {}
            (verdict, _) => {
                panic!("{verdict:?}, but an order: {has_order}: {:?}\n{all:?}", result.sentences())
            }
        }
    }
    (legal, illegal)
}

/// What is shown of a violation is one by itself, if all is shown.
fn proves(model: &str, counterexample: &Counterexample) {
    assert!(!counterexample.sentence.is_empty());
    let shown: Vec<Operation> =
        counterexample.operations.iter().map(|involved| involved.operation.clone()).collect();
    assert!(shown.iter().any(|operation| operation.invoke == counterexample.accused));
    if !["set", "counter"].contains(&model) {
        assert!(!has_order(model, &shown), "{}", counterexample.sentence);
    }
}

#[test]
fn registers_with_compare_and_set_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("cas-register", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn lists_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("append-list", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn transactions_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("kv-txn", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn sets_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("set", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn a_counter_that_is_refused_has_no_order() {
    let (legal, illegal) = agreements("counter", 6_000, false);
    assert!(legal > 2_000 && illegal > 200, "{legal} legal, {illegal} not");
}

/// The verdicts on longer histories, and the most nodes that any took.
fn judged(model: &'static str, size: Size) -> (Vec<Verdict>, u64) {
    let mut dice = Dice::new(3);
    let results = (0..10).map(|_| {
        let all = World::history(&mut dice, model, size);
        by_name(model).unwrap().check(&all, Budget::default())
    });
    let results: Vec<_> = results.collect();
    let nodes = results.iter().flat_map(|result| &result.keys).map(|key| key.nodes).max();
    (results.iter().map(|result| result.verdict).collect(), nodes.unwrap_or_default())
}

#[test]
fn ordinary_histories_take_about_as_many_steps_as_they_have_operations() {
    for model in ["cas-register", "append-list", "kv-txn"] {
        for (processes, operations) in [(5, 300), (15, 300), (15, 1_500), (30, 300)] {
            let size = Size {
                processes,
                operations,
                wrong_percent: 0,
                info_percent: 2,
                deletes_lists: false,
            };
            let (verdicts, nodes) = judged(model, size);
            assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Valid), "{model}");
            assert!(nodes < 100 * operations, "{model}, {processes} processes: {nodes} nodes");
        }
    }
}

#[test]
fn one_wrong_read_among_many_operations_is_found() {
    for model in ["cas-register", "append-list", "kv-txn", "set", "counter"] {
        let size = Size {
            processes: 10,
            operations: 300,
            wrong_percent: 1,
            info_percent: 2,
            deletes_lists: false,
        };
        let (verdicts, _) = judged(model, size);
        assert!(verdicts.iter().all(|verdict| *verdict != Verdict::Unknown), "{model}");
        let invalid = verdicts.iter().filter(|verdict| **verdict == Verdict::Invalid);
        assert!(invalid.count() >= 3, "{model}: {verdicts:?}");
    }
}

/// The operations of lines like `0 append 5` (process 0 asks), `0 ok 5`, `0 fail`, `0 info`, with values as JSON. All
/// but transactions are on key 0.
fn hand(lines: &[&str]) -> Vec<Operation> {
    let mut builder = Builder::new();
    let mut open: BTreeMap<u64, Step> = BTreeMap::new();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let process: u64 = words.next().unwrap().parse().unwrap();
        let word = words.next().unwrap();
        let value = words.next().map(|value| serde_json::from_str::<Value>(value).unwrap());
        let what = match word {
            "ok" | "fail" | "info" => {
                let mut step = open.remove(&process).unwrap();
                step.value = value.unwrap_or(step.value);
                match word {
                    "ok" => What::Ok(step),
                    "fail" => What::Fail(step),
                    _ => What::Info(step),
                }
            }
            f => {
                let key = (f != "txn").then_some(Key(0));
                let (f, value) = (f.to_owned(), value.unwrap_or_default());
                let step = Step { process: ProcessId(process), f, key, value, error: None };
                open.insert(process, step.clone());
                What::Invoke(step)
            }
        };
        builder.push(Time(0), what).unwrap();
    }
    operations(&builder.finish())
}

/// What a model says of a history that it refuses.
pub(super) fn sentence(model: &str, lines: &[&str]) -> String {
    let result = by_name(model).unwrap().check(&hand(lines), Budget::default());
    assert_eq!(result.verdict, Verdict::Invalid, "{lines:?}");
    let counterexample = result.counterexamples().next().unwrap();
    counterexample.sentence.clone()
}

fn is_valid(model: &str, lines: &[&str]) -> bool {
    by_name(model).unwrap().check(&hand(lines), Budget::default()).verdict == Verdict::Valid
}

/// What a model says of a history that it has no meaning for.
fn problem(model: &str, lines: &[&str]) -> String {
    let result = by_name(model).unwrap().check(&hand(lines), Budget::default());
    assert_eq!(result.verdict, Verdict::Unknown, "{lines:?}");
    result.malformed.unwrap()
}

#[test]
fn a_compare_and_set_that_failed_did_not_happen() {
    let model = "cas-register";
    let begin = ["0 write 1", "0 ok", "0 cas [2, 3]", "0 fail", "0 read", "0 ok 1"];
    assert!(is_valid(model, &begin));
    let swapped = ["0 write 1", "0 ok", "0 cas [1, 3]", "0 ok", "1 read", "1 ok 3"];
    assert!(is_valid(model, &swapped));
    assert_eq!(
        sentence(model, &["0 cas [2, 3]", "0 fail", "0 read", "0 ok 3"]),
        "read 3 at index 2, but the write of 3 at index 0 had failed"
    );
    assert_eq!(
        sentence(model, &["0 cas [2, 3]", "0 ok", "1 write 2", "1 ok"]),
        "found 2 at index 0, but the write of 2 began only after that had ended, at index 2"
    );
}

#[test]
fn a_value_can_be_swapped_away_only_once() {
    let twice = ["0 write 1", "0 ok", "0 cas [1, 2]", "1 cas [1, 3]", "0 ok", "1 ok"];
    assert!(sentence("cas-register", &twice).starts_with("no order of these 3 operations"));
    let perhaps = ["0 write 1", "0 ok", "0 cas [1, 2]", "1 cas [1, 3]", "0 info", "1 ok"];
    assert!(is_valid("cas-register", &perhaps));
}

#[test]
fn a_deleted_register_holds_nothing() {
    let model = "cas-register";
    assert!(is_valid(model, &["0 write 1", "0 ok", "0 delete", "0 ok", "0 read", "0 ok null"]));
    let lines = ["0 write 1", "0 ok", "0 delete", "0 info", "1 read", "1 ok null"];
    assert!(is_valid(model, &lines), "it may have been deleted");
    let stale = ["0 write 1", "0 ok", "0 read", "0 ok null"];
    assert!(sentence(model, &stale).contains("no order of these 2 operations"));
}

#[test]
fn a_list_shows_what_was_appended_before() {
    let model = "append-list";
    let both = ["0 append 1", "0 ok", "0 append 2", "0 ok", "0 read", "0 ok [1, 2]"];
    assert!(is_valid(model, &both));
    assert_eq!(
        sentence(model, &["0 append 1", "0 ok", "0 append 2", "0 ok", "0 read", "0 ok [1]"]),
        "read [1] at index 4, but the append of 2 at index 2 had ended before it began"
    );
    assert_eq!(
        sentence(model, &["0 append 1", "0 ok", "0 read", "0 ok null"]),
        "read nil at index 2, but the append of 1 at index 0 had ended before it began"
    );
    assert_eq!(
        sentence(model, &["0 append 1", "0 ok", "0 read", "0 ok [1, 7]"]),
        "read [1, 7] at index 2, but nobody ever appended 7"
    );
}

#[test]
fn two_lists_of_which_neither_begins_with_the_other_contradict_each_other() {
    let lines = [
        "0 append 1",
        "1 append 2",
        "2 read",
        "3 read",
        "0 ok",
        "1 ok",
        "2 ok [1, 2]",
        "3 ok [2, 1]",
    ];
    assert_eq!(
        sentence("append-list", &lines),
        "read [2, 1] at index 3, but the read at index 2 saw [1, 2], and neither list begins with the \
         other"
    );
}

#[test]
fn a_list_does_not_get_shorter() {
    let lines =
        ["0 append 1", "1 append 2", "2 read", "2 ok [1, 2]", "3 read", "3 ok [1]", "0 ok", "1 ok"];
    assert_eq!(
        sentence("append-list", &lines),
        "read [1] at index 4, after the read at index 2 had already seen 2 elements"
    );
}

#[test]
fn a_transaction_is_seen_as_a_whole() {
    let model = "kv-txn";
    let write = r#"0 txn [["w", 0, 1], ["append", 1, 2]]"#;
    let read = r#"1 txn [["r", 0, null], ["r", 1, null]]"#;
    for (seen, is_legal) in [
        (r#"1 ok [["r", 0, 1], ["r", 1, [2]]]"#, true),
        (r#"1 ok [["r", 0, null], ["r", 1, null]]"#, true),
        (r#"1 ok [["r", 0, null], ["r", 1, [2]]]"#, false),
        (r#"1 ok [["r", 0, 1], ["r", 1, null]]"#, false),
    ] {
        assert_eq!(is_valid(model, &[write, read, "0 ok", seen]), is_legal, "{seen}");
        assert_eq!(is_valid(model, &[write, read, "0 info", seen]), is_legal, "{seen}");
    }
    let late = [write, "0 ok", r#"1 txn [["r", 1, null]]"#, r#"1 ok [["r", 1, null]]"#];
    assert_eq!(
        sentence(model, &late),
        "read nil of key 1 at index 2, but the append of 2 at index 0 had ended before it began"
    );
}

#[test]
fn write_skew_is_no_order() {
    let reads_0 = r#"0 txn [["r", 0, null], ["w", 1, 1]]"#;
    let reads_1 = r#"1 txn [["r", 1, null], ["w", 0, 1]]"#;
    let skew = [reads_0, reads_1, "0 ok", "1 ok"];
    assert!(sentence("kv-txn", &skew).starts_with("no order of these 2 operations"));
}

#[test]
fn operations_on_keys_that_no_transaction_joins_are_judged_apart() {
    let joined = r#"0 txn [["w", 3, 1], ["w", 5, 1]]"#;
    let other = r#"0 txn [["w", 5, 2], ["w", 9, 1]]"#;
    let apart = r#"0 txn [["w", 4, 1]]"#;
    let lines = [joined, "0 ok", apart, "0 ok", other, "0 ok"];
    let result = by_name("kv-txn").unwrap().check(&hand(&lines), Budget::default());
    let keys: Vec<_> = result.keys.iter().map(|key| (key.key, key.operations)).collect();
    assert_eq!(keys, [(Some(Key(3)), 2), (Some(Key(4)), 1)]);
}

#[test]
fn a_set_loses_nothing_and_doubles_nothing() {
    let model = "set";
    let all = ["0 append 1", "0 ok", "0 append 2", "0 ok", "0 read", "0 ok [2, 1]"];
    assert!(is_valid(model, &all), "the order does not matter");
    assert!(is_valid(
        model,
        &["0 append 1", "0 info", "1 read", "1 ok null", "1 read", "1 ok [1]"]
    ));
    let added = ["0 append 1", "0 ok", "0 read"];
    let after = |seen| sentence(model, &[added.as_slice(), &[seen]].concat());
    assert_eq!(
        after("0 ok []"),
        "the read at index 2 did not see 1, but the addition of 1 at index 0 had ended before it \
         began"
    );
    assert_eq!(after("0 ok [1, 1]"), "the read at index 2 saw 1, more than once");
    assert_eq!(after("0 ok [1, 3]"), "the read at index 2 saw 3, but nobody ever added it");
    let failed = ["0 append 1", "0 fail", "0 read", "0 ok [1]"];
    assert_eq!(
        sentence(model, &failed),
        "the read at index 2 saw 1, but its addition at index 0 had failed"
    );
    let early = ["0 read", "0 ok [1]", "0 append 1", "0 ok"];
    assert_eq!(
        sentence(model, &early),
        "the read at index 0 saw 1, but its addition began only after that read had ended, at index 2"
    );
}

#[test]
fn what_a_set_showed_once_it_shows_for_ever_and_to_everybody() {
    let model = "set";
    let stale = ["0 append 1", "1 read", "1 ok [1]", "1 read", "1 ok null", "0 ok"];
    assert_eq!(
        sentence(model, &stale),
        "the read at index 3 did not see 1, after the read at index 1 had already seen it"
    );
    let apart =
        ["0 append 1", "1 append 2", "2 read", "3 read", "2 ok [1]", "3 ok [2]", "0 ok", "1 ok"];
    assert_eq!(
        sentence(model, &apart),
        "the read at index 2 saw 1 and not 2, and the read at index 3 saw 2 and not 1"
    );
    let swapped = ["0 append 1", "0 ok", "1 append 2", "2 read", "2 ok [2]", "1 ok"];
    assert!(sentence(model, &swapped).starts_with("a read saw 2 and not 1, but the addition of 1"));
    let order = ["2 read", "0 append 1", "0 ok", "1 append 2", "1 ok", "2 ok [2]"];
    assert_eq!(
        sentence(model, &order),
        "a read saw 2 and not 1, but the addition of 1 at index 1 had ended before that of 2 began, at \
         index 3"
    );
}

#[test]
fn a_counter_stays_within_what_can_have_been_added() {
    let model = "counter";
    assert!(is_valid(model, &["0 add 2", "0 ok", "1 add 3", "0 read", "0 ok 5", "1 info"]));
    assert!(is_valid(model, &["0 read", "0 ok null", "0 add 0", "0 ok", "0 read", "0 ok 0"]));
    let few = ["0 add 2", "0 ok", "0 read", "0 ok 1"];
    assert_eq!(sentence(model, &few), "read 1 at index 2, but 2 had been added before it began");
    let many = ["0 add 2", "0 fail", "0 add 3", "0 info", "1 read", "1 ok 4"];
    assert_eq!(
        sentence(model, &many),
        "read 4 at index 4, but no more than 3 can have been added before it ended"
    );
    let less = ["0 add 2", "1 read", "1 ok 2", "1 read", "1 ok 0", "0 ok"];
    assert_eq!(
        sentence(model, &less),
        "read 0 at index 3, after the read at index 1 had already seen 2"
    );
}

#[test]
fn what_has_no_meaning_is_named() {
    for (model, lines, expected) in [
        (
            "cas-register",
            ["0 cas 1", "0 fail"],
            "index 0: `cas` is given 1; expected [expected, new]",
        ),
        (
            "cas-register",
            ["0 append 1", "0 ok"],
            "index 0: the model `cas-register` has no function `append`",
        ),
        (
            "cas-register",
            ["0 read", "0 ok [1]"],
            "index 1: `read` returns [1]; expected an integer or null",
        ),
        ("cas-register", ["0 delete 1", "0 ok"], "index 0: `delete` takes no argument, not 1"),
        (
            "append-list",
            ["0 read", "0 ok 1"],
            "index 1: `read` returns 1; expected a list of integers",
        ),
        ("append-list", ["0 read 1", "0 ok 1"], "index 0: `read` takes no argument, not 1"),
        (
            "append-list",
            ["0 append null", "0 ok"],
            "index 0: `append` is given nil; expected an integer",
        ),
        ("kv-txn", ["0 txn 1", "0 ok"], "index 0: `txn` is given 1; expected a list of parts"),
        ("kv-txn", ["0 txn [[1]]", "0 ok"], "index 0: `txn` has the part [1]; expected a list"),
        (
            "kv-txn",
            [r#"0 txn [["add", 0, 1]]"#, "0 ok"],
            "index 0: a transaction has no part `add`; expected `r`, `w`, `append`, `cas` or `delete`",
        ),
        (
            "kv-txn",
            [r#"0 txn [["r", 0, null]]"#, "0 ok []"],
            "index 1: `txn` returns []; expected its 1 parts",
        ),
        (
            "kv-txn",
            [r#"0 txn [["r", 0, null]]"#, r#"0 ok [["r", 1, null]]"#],
            r#"index 0: the part ["r", 0, nil] returns ["r", 1, nil]; expected the same with"#,
        ),
        ("set", ["0 read", "0 ok 1"], "index 1: `read` returns something else than a list"),
        ("set", ["0 write 1", "0 ok"], "index 0: the model `set` has no function `write`"),
        (
            "counter",
            ["0 add -1", "0 ok"],
            "index 0: `add` is given -1; expected an integer from 0 on",
        ),
        (
            "counter",
            ["0 read", "0 ok [1]"],
            "index 0: `read` returns [1]; expected an integer or null",
        ),
    ] {
        let said = problem(model, &lines);
        assert!(said.starts_with(expected), "{said}");
    }
    let twice = ["0 append 1", "0 ok", "0 append 1", "0 ok"];
    let expected = "index 2: 1 is added a second time, after index 0";
    assert!(problem("set", &twice).starts_with(expected));
}

#[test]
fn operations_are_described_in_a_few_words() {
    let lines = [
        "0 cas [1, 2]",
        "0 ok",
        "0 append 5",
        "0 info",
        "1 read",
        "1 ok [1, 2]",
        "1 delete",
        "1 ok",
        r#"1 txn [["r", 1, null], ["w", 2, 3], ["delete", 4, null]]"#,
        r#"1 ok [["r", 1, 7], ["w", 2, 3], ["delete", 4, null]]"#,
    ];
    let model = by_name("kv-txn").unwrap();
    let texts: Vec<String> =
        hand(&lines).iter().map(|operation| model.describe(operation)).collect();
    let expected =
        ["cas 1 -> 2", "append 5", "read -> [1, 2]", "delete", "txn r 1 -> 7, w 2 3, delete 4"];
    assert_eq!(texts, expected);
    let counted = hand(&["0 add 3", "0 ok", "0 read", "0 ok 3", "0 read", "0 fail"]);
    let model = by_name("counter").unwrap();
    let texts: Vec<String> = counted.iter().map(|operation| model.describe(operation)).collect();
    assert_eq!(texts, ["add 3", "read -> 3", "read"]);
}
