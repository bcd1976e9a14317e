//! A history of registers that is as long as it is asked to be, to measure what judges histories while they are read.
//!
//! `cargo run --release -p quorate-checkers --example long_history -- CLIENTS KEYS OPERATIONS > history.jsonl` writes one
//! of Quorate's own, without a footer. Clients never pause, each on a key of its own choice; half of the operations are
//! reads; one write in a thousand has no known end.

use std::io::{self, BufWriter, Write};

use quorate_checkers::history::{Event, Header, Key, ProcessId, Step, Time, Value, What, Writer};

fn main() -> io::Result<()> {
    let arguments: Vec<u64> =
        std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let [clients, keys, operations] = *arguments else {
        return Err(io::Error::other("usage: long_history CLIENTS KEYS OPERATIONS"));
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let header = Header {
        program: "quorate 0.1.0".to_owned(),
        started: "2026-11-23T21:47:02Z".to_owned(),
        mutant: None,
        model: "register".to_owned(),
        plan: serde_json::json!({}),
    };
    Writer::new(&mut out, &header).expect("the header is written");
    let keys = usize::try_from(keys).expect("fewer keys");
    let mut world = World {
        random: 1,
        registers: vec![Value::Nil; keys],
        running: (0..clients).map(|id| (id, None)).collect(),
        index: 0,
        begun: 0,
    };
    loop {
        let place = usize::try_from(world.below(clients)).expect("a place");
        if let Some(what) = world.next(place, operations) {
            let (index, time) = (world.index, Time(world.index));
            writeln!(out, "{}", Event { index, time, what })?;
            world.index += 1;
        } else if world.begun == operations
            && world.running.iter().all(|(_, doing)| doing.is_none())
        {
            return out.flush();
        }
    }
}

/// An operation, with its result once it has taken effect.
type Doing = (Step, Option<Value>);

struct World {
    random: u64,
    registers: Vec<Value>,
    /// By client: its process, and what it is doing.
    running: Vec<(u64, Option<Doing>)>,
    index: u64,
    begun: u64,
}

impl World {
    /// xorshift64* (Marsaglia 2003).
    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    /// What the client does next, as far as a history tells of it.
    fn next(&mut self, place: usize, operations: u64) -> Option<What> {
        let clients = self.running.len() as u64;
        let (process, doing) = self.running.get(place)?.clone();
        let (what, doing, next_process) = match doing {
            None if self.begun == operations => return None,
            None => {
                self.begun += 1;
                let key = self.below(self.registers.len() as u64);
                let is_read = self.below(2) == 0;
                let value = Value::Int(self.begun.cast_signed());
                let step = Step {
                    process: ProcessId(process),
                    f: if is_read { "read" } else { "write" }.into(),
                    key: Some(Key(key)),
                    value: if is_read { Value::Nil } else { value },
                    error: None,
                };
                (Some(What::Invoke(step.clone())), Some((step, None)), process)
            }
            Some((step, None)) => {
                let key = usize::try_from(step.key?.0).ok()?;
                let held = self.registers.get_mut(key)?;
                if step.f == "write" {
                    *held = step.value.clone();
                }
                let result = held.clone();
                (None, Some((step, Some(result))), process)
            }
            Some((step, Some(_))) if step.f == "write" && self.below(1_000) == 0 => {
                (Some(What::Info(step)), None, process + clients)
            }
            Some((step, Some(value))) => (Some(What::Ok(Step { value, ..step })), None, process),
        };
        *self.running.get_mut(place)? = (next_process, doing);
        what
    }
}
