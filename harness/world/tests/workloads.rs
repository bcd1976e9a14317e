//! Every workload from the generator to the verdict: its operations, done by the key-value store at one moment each,
//! are a history that its model allows; and a store that forgets is found out.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::collections::BTreeSet;

use quorate_checkers::history::{Builder, History, ProcessId, Time, What, operations};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model::by_name;
use quorate_checkers::statistics::statistics;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Function, Generator, ValueChoice, Workload, WorkloadKind};
use quorate_systems::contract::{Command, Key, Outcome};
use quorate_systems::kv::Store;
use quorate_world::{convert, weather};

/// What a client is doing.
enum Doing {
    Nothing,
    Asks(Command),
    Was(Command, Outcome),
}

/// A store whose clients take turns at random.
struct World {
    seed: u64,
    draws: u64,
    store: Store,
    /// Of so many changes one is forgotten; 0 for none.
    forgets_one_in: u64,
    clients: Vec<(u64, Doing)>,
    history: Builder,
    keys: BTreeSet<u64>,
}

impl World {
    fn run(workload: &Workload, seed: u64, count: u64, forgets_one_in: u64) -> History {
        let mut world = Self {
            seed,
            draws: 0,
            store: Store::new(),
            forgets_one_in,
            clients: (0..u64::from(workload.clients)).map(|id| (id, Doing::Nothing)).collect(),
            history: Builder::new(),
            keys: BTreeSet::new(),
        };
        let mut generator = Generator::new(workload, seed);
        for _ in 0..count {
            let client = world.below(u64::from(workload.clients));
            world.go_on(usize::try_from(client).unwrap(), &mut generator);
        }
        world.close(workload);
        world.history.finish()
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draws += 1;
        weather::between(weather::draw(self.seed, "test", &[self.draws]), 0, bound - 1)
    }

    fn push(&mut self, what: What) {
        self.history.push(Time(self.draws), what).unwrap();
    }

    fn go_on(&mut self, client: usize, generator: &mut Generator) {
        let (process, doing) = &mut self.clients[client];
        let process = ProcessId(*process);
        match std::mem::replace(doing, Doing::Nothing) {
            Doing::Nothing => {
                let planned = generator.next(u32::try_from(client).unwrap()).unwrap();
                let command = convert::asked(&planned);
                self.keys.extend(command.keys().map(|key| key.0));
                self.push(What::Invoke(convert::invocation(process, &command)));
                self.clients[client].1 = Doing::Asks(command);
            }
            Doing::Asks(command) if self.below(40) == 0 => self.give_up(client, &command),
            Doing::Asks(command) => {
                let outcome = self.apply(&command);
                self.clients[client].1 = Doing::Was(command, outcome);
            }
            Doing::Was(command, _) if self.below(40) == 0 => self.give_up(client, &command),
            Doing::Was(command, outcome) => {
                self.push(convert::completion(process, &command, outcome));
            }
        }
    }

    fn give_up(&mut self, client: usize, command: &Command) {
        let end = convert::time_out(ProcessId(self.clients[client].0), command);
        if matches!(end, What::Info(_)) {
            self.clients[client].0 += self.clients.len() as u64;
        }
        self.push(end);
    }

    fn apply(&mut self, command: &Command) -> Outcome {
        let is_forgotten =
            !command.is_read() && self.forgets_one_in > 0 && self.below(self.forgets_one_in) == 0;
        let mut store = self.store.clone();
        let outcome = store.apply(command);
        assert!(command.is_answered_by(&outcome), "{command}: {outcome}");
        if !is_forgotten {
            self.store = store;
        }
        outcome
    }

    /// As a run ends: each of the last keys is changed once more and read.
    fn close(&mut self, workload: &Workload) {
        let process = ProcessId(1_000_000_000);
        let last: Vec<u64> = self.keys.iter().rev().take(6).copied().collect();
        for (place, key) in (0..).zip(last) {
            let write = workload.kind.closing(key, quorate_plan::CLOSING_VALUES + place);
            for command in [convert::asked(&write), Command::Read { key: Key(key) }] {
                self.push(What::Invoke(convert::invocation(process, &command)));
                let outcome = self.apply(&command);
                assert!(outcome.is_done(), "{command}: {outcome}");
                self.push(convert::completion(process, &command, outcome));
            }
        }
    }
}

fn workload(kind: WorkloadKind, values: ValueChoice) -> Workload {
    Workload { kind, values, clients: 8, keys: 2, operations_per_key: 60, ..Workload::default() }
}

/// The workloads that a store can do: it decides nothing.
fn stored() -> impl Iterator<Item = &'static WorkloadKind> {
    WorkloadKind::ALL.iter().filter(|kind| !kind.functions().contains(&Function::Propose))
}

#[test]
fn what_a_store_does_is_what_its_model_allows() {
    for kind in stored() {
        for (seed, values) in [(1, ValueChoice::Unique), (2, ValueChoice::Few)] {
            let history = World::run(&workload(*kind, values), seed, 3_000, 0);
            let all = operations(&history);
            let model = by_name(kind.model()).unwrap();
            let result = model.check(&all, Budget::default());
            assert_eq!(result.verdict, Verdict::Valid, "{}: {:?}", kind.name(), result.sentences());
            assert!(result.keys.len() > 4, "{}: {} keys", kind.name(), result.keys.len());
            let done = statistics(history.duration_ns(), &all).functions;
            for function in model.functions() {
                assert!(done[*function].ok > 50, "{}: {function}: {done:?}", kind.name());
            }
        }
    }
}

#[test]
fn a_store_that_forgets_is_found_out() {
    for kind in stored() {
        let found = (0..10).filter(|seed| {
            let history = World::run(&workload(*kind, ValueChoice::Unique), *seed, 2_000, 15);
            let model = by_name(kind.model()).unwrap();
            let result = model.check(&operations(&history), Budget::default());
            assert_ne!(result.verdict, Verdict::Unknown, "{:?}", result.sentences());
            result.verdict == Verdict::Invalid
        });
        let found = found.count();
        assert!(found >= 8, "{}: {found} of 10", kind.name());
    }
}
