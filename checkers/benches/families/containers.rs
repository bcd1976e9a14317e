//! Histories of one busy container whose elements are put in once: half of the operations put one in, the others take one
//! out. Of a set of elements, a third each `add`, `remove` and `contains`.
//!
//! A name is `queue`, `stack`, `heap` (a priority queue) or `elements`; then `b` if half way an element is out of sight for
//! a while, or once for one who looks for it, and `p3` for so many percent of operations that nobody knows the end of.

use std::collections::{BTreeSet, VecDeque};
use std::str::FromStr;

use quorate_checkers::history::{Key, Operation, Outcome, ProcessId, Time, Value};

use super::Rolls;

/// What a history is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    kind: Kind,
    is_wrong: bool,
    crashed_percent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Queue,
    Stack,
    Heap,
    Elements,
}

const KINDS: [(&str, Kind); 4] = [
    ("queue", Kind::Queue),
    ("stack", Kind::Stack),
    ("heap", Kind::Heap),
    ("elements", Kind::Elements),
];

impl FromStr for Family {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let of_kind = |(prefix, kind): (&str, Kind)| Some((kind, name.strip_prefix(prefix)?));
        let (kind, rest) = KINDS.into_iter().find_map(of_kind).ok_or_else(|| {
            format!("no family is named `{name}`; expected queue, stack, heap or elements first")
        })?;
        let (wrong, crashed) = rest.split_once('p').unwrap_or((rest, "0"));
        if !["", "b"].contains(&wrong) {
            return Err(format!("the family `{name}` has `{wrong}`; expected b, or nothing"));
        }
        let crashed_percent =
            crashed.parse().map_err(|_| format!("`{crashed}` is no percentage"))?;
        Ok(Self { kind, is_wrong: wrong == "b", crashed_percent })
    }
}

impl Family {
    /// The model that it is judged by.
    pub(crate) fn model(self) -> &'static str {
        match self.kind {
            Kind::Queue => "queue",
            Kind::Stack => "stack",
            Kind::Heap => "priority-queue",
            Kind::Elements => "element-set",
        }
    }

    /// So many operations of so many clients, the same each time.
    pub(crate) fn history(self, clients: usize, operations: usize) -> Vec<Operation> {
        let mut world = World {
            family: self,
            rolls: Rolls::new(),
            operations: Vec::with_capacity(operations),
            held: VecDeque::new(),
            present: BTreeSet::new(),
            effects: 0,
            hidden: None,
            busy: vec![None; clients],
            processes: (0..clients as u64).collect(),
            index: 0,
        };
        world.run(operations);
        world.operations
    }
}

/// The place of an operation, and its result once it has happened.
type Doing = Option<(usize, Option<Value>)>;

struct World {
    family: Family,
    rolls: Rolls,
    operations: Vec<Operation>,
    /// The next one to be taken first.
    held: VecDeque<i64>,
    /// All that are there, of a set of elements or a priority queue.
    present: BTreeSet<i64>,
    effects: usize,
    /// An element that is out of sight until there were so many effects.
    hidden: Option<(i64, usize)>,
    busy: Vec<Doing>,
    processes: Vec<u64>,
    index: u64,
}

impl World {
    fn run(&mut self, operations: usize) {
        for place in 0..self.busy.len() {
            self.invoke(place, operations);
        }
        while self.busy.iter().any(Option::is_some) {
            let place = self.rolls.below(self.busy.len() as u64) as usize;
            match self.busy[place].take() {
                None => {}
                Some((at, None)) => {
                    let result = self.effect(at, operations);
                    self.busy[place] = Some((at, Some(result)));
                }
                Some((at, Some(result))) => {
                    self.complete(place, at, result);
                    self.invoke(place, operations);
                }
            }
        }
    }

    fn invoke(&mut self, place: usize, operations: usize) {
        let at = self.operations.len();
        if at >= operations {
            return;
        }
        let puts = self.rolls.below(2) == 0;
        let (f, input) = match self.family.kind {
            Kind::Queue if puts => ("enqueue", Some(at as i64)),
            Kind::Queue => ("dequeue", None),
            Kind::Stack if puts => ("push", Some(at as i64)),
            Kind::Stack => ("pop", None),
            // An odd factor gives each place a priority of its own.
            Kind::Heap if puts => {
                ("insert", Some((at as i64).wrapping_mul(0x9e37_79b9) & 0xffff_ffff))
            }
            Kind::Heap => ("extract", None),
            Kind::Elements => match self.rolls.below(3) {
                0 => ("add", Some(at as i64)),
                1 => ("remove", Some(self.some_element(at))),
                _ => ("contains", Some(self.some_element(at))),
            },
        };
        self.operations.push(Operation {
            invoke: self.index,
            complete: None,
            process: ProcessId(self.processes[place]),
            f: f.into(),
            key: Some(Key(0)),
            input: input.map_or(Value::Nil, Value::Int),
            outcome: Outcome::Pending,
            invoked_at: Time(self.index * 1_000),
            completed_at: None,
            error: None,
        });
        self.busy[place] = Some((at, None));
        self.index += 1;
    }

    /// One that was added lately, perhaps.
    fn some_element(&mut self, at: usize) -> i64 {
        let back = self.rolls.below(1_000.min(at as u64 + 1));
        at as i64 - back as i64
    }

    fn effect(&mut self, at: usize, operations: usize) -> Value {
        self.effects += 1;
        self.hide_or_show(operations);
        match (self.operations[at].f.as_str(), self.operations[at].input.clone()) {
            ("add", Value::Int(element)) => truth(self.present.insert(element)),
            ("remove", Value::Int(element)) => truth(self.present.remove(&element)),
            ("contains", Value::Int(element)) => {
                let is_there = self.present.contains(&element);
                // Who added it has ended, and who removes it has probably not begun.
                let is_settled = self.is_time(operations) && element + 500 < at as i64;
                let is_missed = self.family.is_wrong && is_settled && is_there;
                self.family.is_wrong &= !is_missed;
                truth(is_there && !is_missed)
            }
            (_, Value::Int(element)) => {
                self.put(element);
                Value::Int(element)
            }
            _ => self.take().map_or(Value::Nil, Value::Int),
        }
    }

    fn put(&mut self, element: i64) {
        match self.family.kind {
            Kind::Queue => self.held.push_back(element),
            Kind::Stack => self.held.push_front(element),
            Kind::Heap | Kind::Elements => {
                self.present.insert(element);
            }
        }
    }

    fn take(&mut self) -> Option<i64> {
        match self.family.kind {
            Kind::Queue | Kind::Stack => self.held.pop_front(),
            Kind::Heap | Kind::Elements => self.present.pop_first(),
        }
    }

    /// Half way what would be taken next is gone, for so long that everybody has noticed.
    fn hide_or_show(&mut self, operations: usize) {
        match self.hidden {
            _ if self.family.kind == Kind::Elements => {}
            None if self.family.is_wrong && self.is_time(operations) => {
                let until = self.effects + 20 * self.busy.len();
                self.hidden = self.take().map(|element| (element, until));
            }
            Some((element, until)) if until == self.effects => {
                match self.family.kind {
                    Kind::Queue | Kind::Stack => self.held.push_front(element),
                    Kind::Heap | Kind::Elements => {
                        self.present.insert(element);
                    }
                }
                self.family.is_wrong = false;
            }
            None | Some(_) => {}
        }
    }

    fn is_time(&self, operations: usize) -> bool {
        self.effects >= operations / 2
    }

    fn complete(&mut self, place: usize, at: usize, result: Value) {
        let is_crashed = self.rolls.below(100) < self.family.crashed_percent;
        if is_crashed {
            self.processes[place] += self.busy.len() as u64;
        }
        let operation = &mut self.operations[at];
        operation.complete = Some(self.index);
        operation.completed_at = Some(Time(self.index * 1_000));
        operation.outcome = if is_crashed { Outcome::Info } else { Outcome::Ok(result) };
        self.index += 1;
    }
}

fn truth(is_true: bool) -> Value {
    Value::Text(is_true.to_string())
}
