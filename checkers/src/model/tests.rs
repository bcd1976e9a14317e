//! Every model against all orders, tried one by one, on random histories of a real object; and what it says of
//! histories written by hand.

use std::collections::BTreeMap;

use super::{AnyModel, by_name};
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
        ("write" | "w", _, _) => argument.clone(),
        ("delete", _, _) => Value::Nil,
        ("cas", _, Value::List(pair)) => (pair[0] == held).then(|| pair[1].clone())?,
        ("append", Value::Nil, _) => Value::List(vec![argument.clone()]),
        ("append", Value::List(values), _) => {
            Value::List([values.as_slice(), &[argument.clone()]].concat())
        }
        ("add", Value::Nil, _) => argument.clone(),
        ("add", Value::Int(sum), Value::Int(amount)) => Value::Int(sum + amount),
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
fn has_order(model: &str, all: &[Operation]) -> bool {
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
struct World<'a> {
    dice: &'a mut Dice,
    model: &'static str,
    wrong_percent: u64,
    state: State,
    seen: Vec<Value>,
    /// By process: its id, its operation, and the result once it has happened.
    running: Vec<(u64, Option<(Step, Option<Value>)>)>,
    values: i64,
    builder: Builder,
}

const PROCESSES: u64 = 3;

impl World<'_> {
    fn history(
        dice: &mut Dice,
        model: &'static str,
        begun: u64,
        wrong_percent: u64,
    ) -> Vec<Operation> {
        let mut world = World {
            dice,
            model,
            wrong_percent,
            state: State::new(),
            seen: vec![Value::Nil],
            running: (0..PROCESSES).map(|id| (id, None)).collect(),
            values: 0,
            builder: Builder::new(),
        };
        let mut left = begun;
        for _ in 0..200 {
            let place = usize::try_from(world.dice.below(PROCESSES)).unwrap();
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
            _ if is_list => triple("delete", key, Value::Nil),
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
        let Some(result) = result.or_else(|| self.dice.chance(10).then_some(Value::Nil)) else {
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
        match self.dice.below(20) {
            0 => self.push(What::Fail(step)),
            1..4 => {
                self.running[place].0 += PROCESSES;
                self.push(What::Info(step));
            }
            _ if step.f == "txn" && result == Value::Nil => self.push(What::Fail(step)),
            _ if step.f == "read" || step.f == "txn" => {
                self.push(What::Ok(Step { value: result, ..step }));
            }
            _ => self.push(What::Ok(step)),
        }
    }

    /// What it returned, or sometimes something else of the same kind.
    fn told(&mut self, step: &Step, right: Value) -> Value {
        if !self.dice.chance(self.wrong_percent) {
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
        let count = 2 + dice.below(6);
        let all = World::history(&mut dice, model, count, wrong_percent);
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
