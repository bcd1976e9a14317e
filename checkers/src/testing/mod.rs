//! Histories for tests: written by hand as pictures, or drawn at random; and judgements that share nothing with the
//! search.

mod object;
mod orders;
mod world;

use crate::history::{Builder, History, Key, Operation, ProcessId, Step, Time, Value, What};

pub(crate) use object::{Object, has_order};
pub(crate) use orders::{Even, have_order};
pub(crate) use world::{Size, World};

/// A generator of numbers that every machine draws alike: xorshift64* (Marsaglia 2003).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The history of a script of words like `0:w5` (process 0 invokes a write of 5), `0:p5` (a proposal), `0:r` (a read),
/// `0:ok`, `0:ok=7` (the read returned 7), `0:ok=nil`, `0:fail`, `0:info`. All on key 0; time
/// counts microseconds.
pub(crate) fn script(words: &str) -> History {
    let mut builder = Builder::new();
    let mut doing: Vec<(ProcessId, String, Value)> = Vec::new();
    for (number, word) in words.split_whitespace().enumerate() {
        let (process, act) = word.split_once(':').unwrap();
        let process = ProcessId(process.parse().unwrap());
        if let Some(asked) = asked(act) {
            doing.retain(|(other, ..)| *other != process);
            doing.push((process, asked.0, asked.1));
        }
        let (_, f, input) = doing.iter().find(|(other, ..)| *other == process).unwrap().clone();
        let step = |value: Value| Step {
            process,
            f: f.as_str().into(),
            key: Some(Key(0)),
            value,
            error: None,
        };
        let what = match act.split_once('=') {
            Some(("ok", value)) => What::Ok(step(value.parse().map_or(Value::Nil, Value::Int))),
            _ if act == "ok" => What::Ok(step(input)),
            _ if act == "fail" => What::Fail(step(input)),
            _ if act == "info" => What::Info(step(input)),
            _ => What::Invoke(step(input)),
        };
        builder.push(Time(number as u64 * 1_000), what).unwrap();
    }
    builder.finish()
}

fn asked(act: &str) -> Option<(String, Value)> {
    let given = |f: &str, value: &str| Some((f.to_owned(), Value::Int(value.parse().unwrap())));
    match (act.strip_prefix('w'), act.strip_prefix('p')) {
        (Some(value), _) => given("write", value),
        (None, Some(value)) => given("propose", value),
        (None, None) => (act == "r").then(|| ("read".to_owned(), Value::Nil)),
    }
}

/// How a random history is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) processes: u64,
    pub(crate) operations: u64,
    /// Each write has its own value.
    pub(crate) is_unique: bool,
    pub(crate) fail_percent: u64,
    pub(crate) info_percent: u64,
    /// Of the reads, how many return some value instead of the right one.
    pub(crate) wrong_percent: u64,
}

/// A random history of one register: a real register is asked, so that it is legal but for wrong
/// reads (and for failures that happened all the same).
pub(crate) fn random_history(dice: &mut Dice, shape: Shape) -> History {
    let mut world = Recording {
        dice,
        shape,
        register: Value::Nil,
        running: (0..shape.processes).map(|_| None).collect(),
        ids: (0..shape.processes).map(ProcessId).collect(),
        written: 0,
        builder: Builder::new(),
    };
    let places: Vec<usize> = (0..world.running.len()).collect();
    let mut begun = 0;
    loop {
        let place = world.dice.pick(&places);
        match &world.running[place] {
            None if begun < shape.operations => {
                begun += 1;
                world.invoke(place);
            }
            Some(_) => world.go_on(place),
            None => {}
        }
        // What is still running then is pending.
        let is_over = begun == shape.operations && world.dice.chance(20);
        if is_over || (begun == shape.operations && world.running.iter().all(Option::is_none)) {
            return world.builder.finish();
        }
    }
}

struct Recording<'a> {
    dice: &'a mut Dice,
    shape: Shape,
    register: Value,
    /// By process: its operation, and the result if it has taken effect.
    running: Vec<Option<(Step, Option<Value>)>>,
    ids: Vec<ProcessId>,
    written: i64,
    builder: Builder,
}

impl Recording<'_> {
    fn push(&mut self, what: What) {
        let time = Time(self.builder.history().len() * 1_000);
        self.builder.push(time, what).unwrap();
    }

    fn invoke(&mut self, place: usize) {
        let is_read = self.dice.chance(50);
        self.written += 1;
        let value =
            if self.shape.is_unique { self.written } else { self.dice.below(3).cast_signed() };
        let step = Step {
            process: self.ids[place],
            f: if is_read { "read" } else { "write" }.into(),
            key: Some(Key(0)),
            value: if is_read { Value::Nil } else { Value::Int(value) },
            error: None,
        };
        self.push(What::Invoke(step.clone()));
        self.running[place] = Some((step, None));
    }

    /// Lets an operation take effect, or end.
    fn go_on(&mut self, place: usize) {
        let (step, done) = self.running[place].take().unwrap();
        if done.is_none() && !self.dice.chance(5) {
            let result = self.effect(&step);
            self.running[place] = Some((step, Some(result)));
            return;
        }
        if self.dice.chance(self.shape.fail_percent) {
            return self.push(What::Fail(step));
        }
        match done {
            Some(value) if !self.dice.chance(self.shape.info_percent) => {
                self.push(What::Ok(Step { value, ..step }));
            }
            Some(_) | None => {
                self.ids[place] = ProcessId(self.ids[place].0 + self.shape.processes);
                self.push(What::Info(step));
            }
        }
    }

    fn effect(&mut self, step: &Step) -> Value {
        if step.f == "write" {
            self.register = step.value.clone();
            return step.value.clone();
        }
        if self.dice.chance(self.shape.wrong_percent) {
            let end = if self.shape.is_unique { self.written.cast_unsigned() + 1 } else { 3 };
            return Value::Int(self.dice.below(end).cast_signed());
        }
        self.register.clone()
    }
}

/// Whether the operations of one register have a legal order, by trying all.
pub(crate) fn is_legal_by_brute_force(operations: &[Operation]) -> bool {
    has_order(&Object::of("register"), operations)
}
