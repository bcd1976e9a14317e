//! Random histories of real objects, which return something wrong now and then.

use super::object::{State, list, triple};
use super::{Dice, Object};
use crate::history::{Builder, Key, Operation, ProcessId, Step, Time, Value, What, operations};

/// An object, and those who use it.
pub(crate) struct World<'a> {
    dice: &'a mut Dice,
    object: &'a Object,
    size: Size,
    state: State,
    /// What was answered, and to what.
    seen: Vec<(String, Value)>,
    /// By process: its id, its operation, and the result once it has happened.
    running: Vec<(u64, Doing)>,
    values: i64,
    builder: Builder,
}

/// An operation, and the result once it has happened.
type Doing = Option<(Step, Option<Value>)>;

/// How many operations by how many processes a history has, and how often it is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) processes: u64,
    pub(crate) operations: u64,
    pub(crate) wrong_percent: u64,
    pub(crate) info_percent: u64,
    pub(crate) deletes_lists: bool,
}

/// Functions whose results are not their arguments.
const ANSWERED: [&str; 8] = ["read", "txn", "dequeue", "pop", "extract", "get", "acquire", "renew"];

impl World<'_> {
    pub(crate) fn history(dice: &mut Dice, object: &Object, size: Size) -> Vec<Operation> {
        let mut world = World {
            dice,
            object,
            size,
            state: State::new(),
            seen: Vec::new(),
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

    /// A value of any kind.
    fn anything(&mut self) -> Value {
        let text = || Value::Text("a".to_owned());
        match self.dice.below(4) {
            0 => Value::Nil,
            1 => text(),
            number => Value::Int(number.cast_signed()),
        }
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

    /// What is done to several registers.
    fn on_registers(&mut self) -> (&'static str, Option<Key>, Value) {
        let f = self.dice.pick(&["read", "write", "txn"]);
        let keys = self.dice.pick(&[&[0, 1][..], &[0], &[1]]);
        let pairs = keys.iter().map(|key| {
            let value = self.value(false);
            let word = self.dice.pick(&["read", "write"]);
            let is_read = f == "read" || (f == "txn" && word == "read");
            let value = if is_read { Value::Nil } else { value };
            let pair = vec![Value::Int(*key), value];
            let name = (f == "txn").then(|| Value::Text(word.to_owned()));
            Value::List(name.into_iter().chain(pair).collect())
        });
        let pairs = pairs.collect();
        (f, None, Value::List(pairs))
    }

    fn asked(&mut self) -> (&'static str, Option<Key>, Value) {
        let key = Some(Key(0));
        let few = self.dice.chance(50);
        let is_foreign = self.object.refusal.is_some();
        match (self.object.model, self.dice.below(10)) {
            ("cas-register", 0..4) | ("append-list" | "set" | "counter", 0..5) => {
                ("read", key, Value::Nil)
            }
            ("cas-register", 4..6) if is_foreign => ("write", key, self.anything()),
            ("cas-register", _) if is_foreign => {
                ("cas", key, Value::List(vec![self.anything(), self.anything()]))
            }
            ("cas-register", 4..7) => ("write", key, self.value(!few)),
            ("cas-register", 7..9) => {
                let [expected, new] = [0, 0].map(|_| self.dice.below(3).cast_signed());
                ("cas", key, list(&[expected, new]))
            }
            ("cas-register", _) => ("delete", key, Value::Nil),
            ("register", 0..5) => ("read", key, Value::Nil),
            ("register", _) => ("write", key, self.value(!few)),
            ("kv", 0..5) => ("get", key, Value::Nil),
            ("kv", of) => {
                // What consists of the first ones can be taken apart in several ways.
                let piece = if few {
                    self.dice.pick(&["a", "b", "ab", "c", ""])
                } else {
                    self.dice.pick(&["a", "b", "c", "d", "e"])
                };
                (if of < 7 { "put" } else { "append" }, key, Value::Text(piece.to_owned()))
            }
            ("multi-register", _) => self.on_registers(),
            ("lease", of) => {
                let f = match of {
                    0..4 => "acquire",
                    4..6 => "renew",
                    6..9 => "release",
                    _ => "expire",
                };
                (f, key, Value::Int(1 + self.dice.below(2).cast_signed()))
            }
            ("mutex", 0..5) => ("acquire", key, Value::Nil),
            ("mutex", _) => ("release", key, Value::Nil),
            ("queue" | "unordered-queue", 0..5) => ("dequeue", key, Value::Nil),
            ("queue" | "unordered-queue", _) => ("enqueue", key, self.value(!few)),
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
                let count = 1 + self.dice.below(4);
                ("txn", None, Value::List((0..count).map(|_| self.part()).collect()))
            }
        }
    }

    fn invoke(&mut self, place: usize) {
        let (f, key, value) = self.asked();
        let process = ProcessId(self.running[place].0);
        let step = Step { process, f: f.into(), key, value, error: None };
        self.push(What::Invoke(step.clone()));
        self.running[place].1 = Some((step, None));
    }

    /// Lets an operation happen, or end.
    fn go_on(&mut self, place: usize, step: Step, result: Option<Value>) {
        let Some(result) = result.or_else(|| self.gives_up(&step)) else {
            let key = step.key.map(|key| key.0);
            let mut outcomes = self.object.outcomes(&self.state, &step.f, key, &step.value);
            // The least of many tokens are enough.
            outcomes.truncate(2);
            if outcomes.is_empty() {
                return self.push(What::Fail(step));
            }
            let chosen = usize::try_from(self.dice.below(outcomes.len() as u64)).unwrap();
            let (after, result) = outcomes.swap_remove(chosen);
            self.state = after;
            self.seen.push((step.f.to_string(), result.clone()));
            let told = self.told(&step, result);
            self.running[place].1 = Some((step, Some(told)));
            return;
        };
        let fails = self.size.wrong_percent > 0 && self.dice.chance(5);
        let is_unknown = self.dice.chance(self.size.info_percent);
        let is_answered = ANSWERED.contains(&step.f.as_str())
            || (step.f == "cas" && self.object.refusal.is_some());
        // What gave up knows no answer.
        let is_unanswered = ["txn", "renew", "acquire", "get"].contains(&step.f.as_str())
            && self.object.model != "mutex"
            && result == Value::Nil;
        match (fails, is_unknown) {
            (true, _) => self.push(What::Fail(step)),
            (false, true) => {
                self.running[place].0 += self.size.processes;
                self.push(What::Info(step));
            }
            _ if is_unanswered => self.push(What::Fail(step)),
            _ if is_answered && self.object.model != "mutex" => {
                self.push(What::Ok(Step { value: result, ..step }));
            }
            _ => self.push(What::Ok(step)),
        }
    }

    /// Whether it ends before anything has happened; what it then returns is wrong.
    fn gives_up(&mut self, step: &Step) -> Option<Value> {
        let is_answered = step.f == "cas";
        let answer = || if is_answered { step.value.clone() } else { Value::Nil };
        (self.size.wrong_percent > 0 && self.dice.chance(10)).then(answer)
    }

    /// What it returned, or sometimes something else of the same kind.
    fn told(&mut self, step: &Step, right: Value) -> Value {
        if !self.dice.chance(self.size.wrong_percent) {
            return right;
        }
        let is_of_answers = self.object.model == "kv" || self.object.refusal.is_some();
        match (step.f.as_str(), right) {
            ("cas", _) if is_of_answers => match self.other_answer("cas") {
                refusal if Some(&refusal) == self.object.refusal.as_ref() => refusal,
                _ => step.value.clone(),
            },
            (f, _) if is_of_answers => self.other_answer(f),
            ("acquire" | "renew", Value::List(right)) => {
                let Value::List(other) = self.other_answer(&step.f) else { panic!() };
                Value::List(vec![right[0].clone(), other[1].clone()])
            }
            (f, Value::List(parts)) if self.object.model == "multi-register" => {
                Value::List(parts.into_iter().map(|part| self.misread(f, part)).collect())
            }
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
                if self.object.model != "append-list" && self.object.model != "set" =>
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

    /// A part of what was seen of several registers, with something else where it was read.
    fn misread(&mut self, f: &str, part: Value) -> Value {
        let Value::List(mut part) = part else { panic!("{part}") };
        let is_read = f == "read" || part[0] == Value::Text("read".to_owned());
        if is_read && self.dice.chance(50) {
            let seen = self.value(false);
            part.pop();
            part.push(seen);
        }
        Value::List(part)
    }

    /// What was answered before to the same question.
    fn other_answer(&mut self, f: &str) -> Value {
        let answers: Vec<Value> = self
            .seen
            .iter()
            .filter(|(other, _)| other == f)
            .map(|(_, answer)| answer.clone())
            .collect();
        let place = usize::try_from(self.dice.below(answers.len() as u64)).unwrap();
        answers[place].clone()
    }
}
