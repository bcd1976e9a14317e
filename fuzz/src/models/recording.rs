//! Small histories from bytes: each byte is what a client does next.

use quorate_checkers::history::{Builder, History, Key, ProcessId, Step, Time, Value, What};

use super::object::{Object, part};
use crate::Seed;

/// A history, and what it is of.
pub(super) struct Recorded {
    pub(super) history: History,
    pub(super) model: &'static str,
    /// Each operation took effect at one moment between its beginning and its end, on a real object. Otherwise the bytes
    /// say what was returned.
    pub(super) is_real: bool,
}

const MODELS: [&str; 5] = ["cas-register", "append-list", "kv-txn", "set", "counter"];
/// All orders of more operations are too many to try.
const OPERATIONS_MAX: i64 = 7;
/// Above this are values that are written once, each by the operation of that number.
const OWN_VALUES: i64 = 100;
const CLIENTS: u8 = 4;

/// The history that an input stands for.
pub(super) fn record(input: &[u8]) -> Recorded {
    let (first, acts) = input.split_first().unwrap_or((&0, &[]));
    let is_real = first / 8 % 2 == 1;
    let model = MODELS.get(usize::from(first % 8)).unwrap_or(&"kv-txn");
    let mut recording = Recording {
        model,
        is_real,
        builder: Builder::new(),
        clients: (0..CLIENTS).map(|number| (u64::from(number), None)).collect(),
        object: Object::default(),
        begun: 0,
    };
    for act in acts {
        recording.act(*act);
    }
    Recorded { history: recording.builder.finish(), model, is_real }
}

/// An operation, and what came of it, once something did.
type Doing = Option<(Step, Option<Value>)>;

struct Recording {
    model: &'static str,
    is_real: bool,
    builder: Builder,
    /// By client: its process, and its operation with what came of it, once something did.
    clients: Vec<(u64, Doing)>,
    object: Object,
    begun: i64,
}

impl Recording {
    /// The lowest two bits name the client; what the others mean depends on what it is doing.
    fn act(&mut self, byte: u8) {
        let (client, choice) = (usize::from(byte % CLIENTS), byte / CLIENTS);
        let Some((process, doing)) = self.clients.get_mut(client) else { return };
        let process = *process;
        match doing.take() {
            None if self.begun < OPERATIONS_MAX => {
                self.begun += 1;
                let step = self.asked(ProcessId(process), choice);
                self.push(What::Invoke(step.clone()));
                self.put(client, process, Some((step, None)));
            }
            None => {}
            Some((step, result)) => self.go_on(client, process, (step, result), choice),
        }
    }

    fn go_on(
        &mut self,
        client: usize,
        process: u64,
        (step, result): (Step, Option<Value>),
        choice: u8,
    ) {
        match (choice % 4, self.is_real, result) {
            (0 | 1, true, None) => {
                let key = step.key.map(|key| key.0.cast_signed());
                match self.object.happen(&step.f, key, &step.value) {
                    Some(told) => self.put(client, process, Some((step, Some(told)))),
                    None => self.push(What::Fail(step)),
                }
            }
            (0 | 1, true, Some(value)) => self.push(What::Ok(Step { value, ..step })),
            (0 | 1, false, _) => {
                let value = self.any(&step, choice / 4);
                self.push(What::Ok(Step { value, ..step }));
            }
            // Failure is proof that nothing happened.
            (2, true, result @ Some(_)) => self.put(client, process, Some((step, result))),
            (2, _, _) => self.push(What::Fail(step)),
            (_, _, _) => {
                self.push(What::Info(step));
                self.put(client, process + u64::from(CLIENTS), None);
            }
        }
    }

    fn put(&mut self, client: usize, process: u64, doing: Doing) {
        if let Some(client) = self.clients.get_mut(client) {
            *client = (process, doing);
        }
    }

    fn push(&mut self, what: What) {
        let time = Time(self.builder.history().len() * 1_000);
        self.builder.push(time, what).expect("clients do one thing at a time");
    }

    /// The operation that a choice of 6 bits stands for.
    fn asked(&self, process: ProcessId, choice: u8) -> Step {
        let small = Value::Int((choice / 4 % 4).into());
        let own = Value::Int(OWN_VALUES + self.begun);
        let pair = Value::List(vec![small.clone(), Value::Int((choice / 16).into())]);
        let (f, value) = match (self.model, choice % 4) {
            ("kv-txn", _) => return self.transaction(process, choice),
            ("cas-register", 1) => ("write", small),
            ("cas-register", 2) => ("cas", pair),
            ("cas-register", 3) if choice / 16 == 3 => ("delete", Value::Nil),
            ("append-list", 1) | ("set", 1 | 3) => ("append", own),
            ("append-list", 3) => ("append", small),
            ("counter", 1 | 3) => ("add", small),
            _ => ("read", Value::Nil),
        };
        Step { process, f: f.into(), key: Some(Key(0)), value, error: None }
    }

    /// One or two parts, or a read by itself.
    fn transaction(&self, process: ProcessId, choice: u8) -> Step {
        let own = |place: i64| Value::Int(OWN_VALUES + 10 * place + self.begun);
        let of = |choice: u8, place: i64| match choice % 8 {
            0 | 1 => part("r", i64::from(choice % 2), Value::Nil),
            2 => part("w", 0, own(place)),
            3 => part("append", 1, own(place)),
            4 => part("r", 2, Value::Nil),
            5 => part("append", 2, own(place)),
            6 => part("w", 0, Value::Int(1)),
            _ => part("cas", 0, Value::List(vec![Value::Int(1), own(place)])),
        };
        let (f, key, value) = match choice / 8 {
            7 => ("read", Some(Key(u64::from(choice % 3))), Value::Nil),
            6 => ("txn", None, Value::List(vec![of(choice, 0)])),
            second => ("txn", None, Value::List(vec![of(choice, 0), of(second, 1)])),
        };
        Step { process, f: f.into(), key, value, error: None }
    }

    /// What an operation returns that nobody answers for.
    fn any(&self, step: &Step, choice: u8) -> Value {
        let value = |choice: u8| match choice % 16 {
            0 => Value::Nil,
            number @ 1..4 => Value::Int(number.into()),
            number => Value::Int(OWN_VALUES + i64::from(number) - 3),
        };
        let list = |choice: u8| {
            let elements = [choice % 4, choice / 4].map(|number| match number {
                0 => None,
                number => Some(Value::Int(OWN_VALUES + i64::from(number))),
            });
            Value::List(elements.into_iter().flatten().collect())
        };
        let is_list = |key: i64| match self.model {
            "append-list" | "set" => true,
            "kv-txn" => key > 0,
            _ => false,
        };
        let seen = |key: i64| if is_list(key) { list(choice) } else { value(choice) };
        match (step.f.as_str(), &step.value) {
            ("read", _) => seen(step.key.map_or(0, |key| key.0.cast_signed())),
            ("txn", Value::List(parts)) => {
                let told = parts.iter().map(|asked| match asked {
                    Value::List(items) => match items.as_slice() {
                        [Value::Text(word), Value::Int(key), _] if word == "r" => {
                            part("r", *key, seen(*key))
                        }
                        _ => asked.clone(),
                    },
                    Value::Nil | Value::Int(_) | Value::Text(_) => asked.clone(),
                });
                Value::List(told.collect())
            }
            (_, value) => value.clone(),
        }
    }
}

/// What a client does in a seed.
const fn act(client: u8, choice: u8) -> u8 {
    choice * CLIENTS + client
}

/// Begins with the operation `choice`; a real one takes effect and ends.
fn whole(client: u8, choice: u8) -> [u8; 3] {
    [act(client, choice), act(client, 0), act(client, 0)]
}

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (place, model) in (0..).zip(MODELS) {
        let mut seed = |name: &str, is_real: u8, acts: &[u8]| {
            let bytes = [&[place + 8 * is_real], acts].concat();
            seeds.push(Seed { name: format!("{model}-{name}"), bytes });
        };
        let one_by_one =
            [whole(0, 1), whole(1, 0), whole(0, 5), whole(2, 3), whole(1, 2), whole(3, 19)]
                .concat();
        seed("one-by-one", 1, &one_by_one);
        seed("anything", 0, &one_by_one);
        let both = [act(0, 1), act(1, 3), act(2, 0), act(0, 0), act(1, 0), act(2, 0), act(0, 0)];
        seed("at-once", 1, &both);
        seed("at-once-anything", 0, &both);
        let unknown = [act(0, 1), act(0, 3), act(1, 0), act(1, 0), act(1, 0), act(0, 2), act(0, 3)];
        seed("unknown", 1, &unknown);
        let stale = [act(0, 1), act(0, 0), act(1, 0), act(1, 0), act(2, 0), act(2, 4)];
        seed("stale", 0, &stale);
        let pairs = [whole(0, 19), whole(1, 16), whole(2, 26), whole(3, 8), whole(0, 60)].concat();
        seed("pairs", 1, &pairs);
    }
    seeds
}
