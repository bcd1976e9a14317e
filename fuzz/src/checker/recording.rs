//! Small histories from bytes: each byte is what a client does next.

use quorate_checkers::history::{Builder, History, Key, ProcessId, Step, Time, Value, What};

use crate::Seed;

/// Where the results come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Honesty {
    /// The bytes: most are wrong.
    Anything,
    /// A register, in which each operation takes effect at one moment between its beginning and its end; what nobody
    /// knows the end of takes effect at any moment after its beginning, or never.
    Register,
}

/// All orders of more operations are too many to try.
const OPERATIONS_MAX: i64 = 8;
/// Above this are values that are written once, each by the operation of that number.
const OWN_VALUES: i64 = 100;
const CLIENTS: u8 = 4;

/// The history that an input stands for.
pub(super) fn record(input: &[u8]) -> (History, Honesty) {
    let (first, acts) = input.split_first().unwrap_or((&0, &[]));
    let honesty = if first % 2 == 0 { Honesty::Anything } else { Honesty::Register };
    let mut recording = Recording {
        honesty,
        builder: Builder::new(),
        clients: (0..CLIENTS).map(Client::new).collect(),
        registers: [Value::Nil, Value::Nil, Value::Nil],
        lingering: Vec::new(),
        begun: 0,
    };
    for act in acts {
        recording.act(*act);
    }
    (recording.builder.finish(), honesty)
}

struct Recording {
    honesty: Honesty,
    builder: Builder,
    clients: Vec<Client>,
    /// One for each object.
    registers: [Value; 3],
    /// Writes of which nobody knows, and that have not happened yet.
    lingering: Vec<Asked>,
    begun: i64,
}

/// A client: one operation at a time.
struct Client {
    process: ProcessId,
    doing: Option<Asked>,
}

impl Client {
    fn new(number: u8) -> Self {
        Self { process: ProcessId(number.into()), doing: None }
    }
}

/// An operation that has begun.
#[derive(Clone)]
struct Asked {
    object: usize,
    /// As it was asked for.
    step: Step,
    /// What came of it at the register, once something did.
    result: Option<Value>,
}

impl Recording {
    /// The lowest two bits name the client; what the others mean depends on what it is doing.
    fn act(&mut self, byte: u8) {
        let (client, choice) = (usize::from(byte % CLIENTS), byte / CLIENTS);
        let Some(Client { process, doing }) = self.clients.get_mut(client) else { return };
        match doing.take() {
            None if self.begun < OPERATIONS_MAX => {
                self.begun += 1;
                let process = *process;
                let asked = asked(process, choice, self.begun);
                self.push(What::Invoke(asked.step.clone()));
                self.put(client, Some(asked));
            }
            None => self.linger(choice),
            Some(asked) => self.go_on(client, asked, choice),
        }
    }

    /// Something of which nobody knows happens after all.
    fn linger(&mut self, choice: u8) {
        if !self.lingering.is_empty() {
            let place = usize::from(choice) % self.lingering.len();
            let late = self.lingering.swap_remove(place);
            self.take_effect(&late);
        }
    }

    fn go_on(&mut self, client: usize, asked: Asked, choice: u8) {
        match (choice % 4, self.honesty) {
            (0 | 1, Honesty::Anything) => {
                let is_read = asked.step.f == "read";
                let value = if is_read { any_value(choice / 4) } else { asked.step.value.clone() };
                self.push(What::Ok(Step { value, ..asked.step }));
            }
            (0 | 1, Honesty::Register) => {
                if let Some(value) = asked.result {
                    return self.push(What::Ok(Step { value, ..asked.step }));
                }
                let result = Some(self.take_effect(&asked));
                self.put(client, Some(Asked { result, ..asked }));
            }
            // Failure is proof that nothing happened.
            (2, Honesty::Register) if asked.result.is_some() => self.put(client, Some(asked)),
            (2, _) => self.push(What::Fail(asked.step)),
            (_, _) => {
                self.push(What::Info(asked.step.clone()));
                if asked.result.is_none() && asked.step.f == "write" {
                    self.lingering.push(asked);
                }
                if let Some(client) = self.clients.get_mut(client) {
                    client.process.0 += u64::from(CLIENTS);
                }
            }
        }
    }

    fn take_effect(&mut self, asked: &Asked) -> Value {
        let register = self.registers.get_mut(asked.object).expect("there are three");
        if asked.step.f == "write" {
            register.clone_from(&asked.step.value);
        }
        register.clone()
    }

    fn put(&mut self, client: usize, doing: Option<Asked>) {
        if let Some(client) = self.clients.get_mut(client) {
            client.doing = doing;
        }
    }

    fn push(&mut self, what: What) {
        let time = Time(self.builder.history().len() * 1_000);
        self.builder.push(time, what).expect("clients do one thing at a time");
    }
}

/// The operation that a choice of 6 bits stands for: function, object, value. Most are on one key.
fn asked(process: ProcessId, choice: u8, begun: i64) -> Asked {
    let (f, object, value) = (choice % 2, choice / 2 % 8, choice / 16);
    let (object, key) = match object {
        6 => (1, Some(Key(1))),
        7 => (2, None),
        _ => (0, Some(Key(0))),
    };
    let value = match value {
        // One that is written once.
        3 => Value::Int(OWN_VALUES + begun),
        value => Value::Int(value.into()),
    };
    let (f, value) = if f == 0 { ("read", Value::Nil) } else { ("write", value) };
    let step = Step { process, f: f.into(), key, value, error: None };
    Asked { object, step, result: None }
}

/// What a read may return that nobody answers for.
fn any_value(choice: u8) -> Value {
    match choice {
        3 => Value::Nil,
        4..12 => Value::Int(OWN_VALUES + i64::from(choice) - 3),
        _ => Value::Int(choice.into()),
    }
}

/// What a client does in a seed.
fn act(client: u8, choice: u8) -> u8 {
    choice * CLIENTS + client
}

/// A choice of a write of a small value to key 0; `3` for one of its own.
const fn write(value: u8) -> u8 {
    1 + value * 16
}

const READ: u8 = 0;
/// It takes effect, or ends well; a read that ends so where nobody answers returns the small value.
const fn ok(value: u8) -> u8 {
    value * 4
}
const NIL: u8 = 3;
const FAIL: u8 = 2;
const INFO: u8 = 3;

pub(super) fn seeds() -> Vec<Seed> {
    let seed = |name: &str, acts: &[(u8, u8)]| {
        let acts = acts.iter().map(|(client, choice)| act(*client, *choice));
        let bytes = |honesty: u8| [honesty].into_iter().chain(acts.clone()).collect();
        [("anything", 0), ("register", 1)]
            .map(|(of, honesty)| Seed { name: format!("{name}-{of}"), bytes: bytes(honesty) })
    };
    let seeds = [
        seed(
            "one-by-one",
            &[(0, write(1)), (0, ok(0)), (0, ok(0)), (1, READ), (1, ok(1)), (1, ok(1))],
        ),
        seed("stale", &[(0, write(1)), (0, ok(0)), (1, READ), (1, ok(NIL)), (1, ok(NIL))]),
        seed(
            "new-then-old",
            &[
                (0, write(1)),
                (0, ok(0)),
                (0, ok(0)),
                (1, write(2)),
                (2, READ),
                (2, ok(2)),
                (2, ok(2)),
                (3, READ),
                (3, ok(1)),
                (3, ok(1)),
            ],
        ),
        seed("failed", &[(0, write(1)), (0, FAIL), (1, READ), (1, ok(1)), (1, ok(1))]),
        seed(
            "unknown",
            &[(0, write(1)), (0, INFO), (1, READ), (1, ok(NIL)), (2, READ), (2, ok(1))],
        ),
        seed("keys", &[(0, write(1)), (1, 12 + write(2)), (2, 14 + READ), (0, ok(0)), (1, ok(0))]),
        seed("nobody", &[(0, READ), (0, ok(2)), (0, ok(2))]),
        seed(
            "equal-writes",
            &[
                (0, write(1)),
                (1, write(1)),
                (0, ok(0)),
                (2, write(2)),
                (2, ok(0)),
                (3, READ),
                (3, ok(1)),
                (1, ok(0)),
            ],
        ),
    ];
    seeds.into_iter().flatten().collect()
}
