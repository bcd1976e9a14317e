//! The operations of a run, drawn one by one as clients get free.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::seed::{Seed, Stream};
use crate::workload::holds_list;
use crate::{Function, ValueChoice, Workload, WorkloadKind};

/// How many different values [`ValueChoice::Few`] writes: 0 … 4.
pub const FEW_VALUES: u64 = 5;

/// One operation for a client to invoke.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PlannedOperation {
    /// Read the value of `key`.
    Read {
        /// Which key.
        key: u64,
    },
    /// Make `value` the value of `key`.
    Write {
        /// Which key.
        key: u64,
        /// Its new value.
        value: u64,
    },
    /// Make `value` the value of `key` if that is `expected`.
    Cas {
        /// Which key.
        key: u64,
        /// What it must hold.
        expected: u64,
        /// Its new value then.
        value: u64,
    },
    /// Put `value` at the end of the list under `key`.
    Append {
        /// Which key.
        key: u64,
        /// The new element.
        value: u64,
    },
    /// Put `key` back to its initial state.
    Delete {
        /// Which key.
        key: u64,
    },
    /// Add `value` to the number under `key`.
    Add {
        /// Which key.
        key: u64,
        /// How much.
        value: u64,
    },
    /// Make `value` the decision of instance `key`, if nothing is decided yet.
    Propose {
        /// Which instance.
        key: u64,
        /// What is proposed.
        value: u64,
    },
    /// All of these at once, in this order, or none; no part is a transaction.
    Transaction(Vec<PlannedOperation>),
}

impl PlannedOperation {
    /// The function that it calls.
    pub const fn function(&self) -> Function {
        match self {
            Self::Read { .. } => Function::Read,
            Self::Write { .. } => Function::Write,
            Self::Cas { .. } => Function::Cas,
            Self::Append { .. } => Function::Append,
            Self::Delete { .. } => Function::Delete,
            Self::Add { .. } => Function::Add,
            Self::Propose { .. } => Function::Propose,
            Self::Transaction(_) => Function::Transaction,
        }
    }

    /// The function's name in histories.
    pub const fn f(&self) -> &'static str {
        self.function().name()
    }

    /// What it is on; nothing for a transaction, whose parts have their keys.
    pub const fn key(&self) -> Option<u64> {
        match self {
            Self::Read { key }
            | Self::Write { key, .. }
            | Self::Cas { key, .. }
            | Self::Append { key, .. }
            | Self::Delete { key }
            | Self::Add { key, .. }
            | Self::Propose { key, .. } => Some(*key),
            Self::Transaction(_) => None,
        }
    }

    /// What is written, appended or added.
    pub const fn value(&self) -> Option<u64> {
        match self {
            Self::Write { value, .. }
            | Self::Cas { value, .. }
            | Self::Append { value, .. }
            | Self::Add { value, .. }
            | Self::Propose { value, .. } => Some(*value),
            Self::Read { .. } | Self::Delete { .. } | Self::Transaction(_) => None,
        }
    }

    /// What it consists of: itself, or the parts of a transaction.
    pub const fn parts(&self) -> &[Self] {
        match self {
            Self::Transaction(parts) => parts.as_slice(),
            Self::Read { .. }
            | Self::Write { .. }
            | Self::Cas { .. }
            | Self::Append { .. }
            | Self::Delete { .. }
            | Self::Add { .. }
            | Self::Propose { .. } => std::slice::from_ref(self),
        }
    }

    /// Every key that it names.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.parts().iter().filter_map(Self::key)
    }
}

/// Deals out operations. It knows no clock: whoever drives the clients asks whenever one is free.
///
/// What a client's n-th operation is (read or write, and of what value) follows from the seed, the client
/// and n alone, so that another client's being slow does not change it. Three things follow from the order
/// of asking: the key, since keys are left when they are full, that a fresh key is written soon, and what a
/// compare-and-set expects: mostly what the key was last asked to hold.
#[derive(Clone, Debug)]
pub struct Generator {
    seed: Seed,
    workload: Workload,
    /// How many operations each client has been dealt.
    dealt: BTreeMap<u32, u64>,
    /// One for each key in use at once.
    groups: Vec<Group>,
    /// All keys below it have been begun.
    next_key: u64,
}

/// Clients that work on the same key.
#[derive(Clone, Copy, Debug)]
struct Group {
    key: u64,
    invocations: u32,
    writes: u32,
    /// What somebody was last told to make the value of the key.
    latest: Option<u64>,
}

impl Group {
    const fn on(key: u64) -> Self {
        Self { key, invocations: 0, writes: 0, latest: None }
    }

    /// What changes the key, in a workload of registers, lists, sets or counters.
    fn change(&mut self, kind: WorkloadKind, content: &mut Content) -> PlannedOperation {
        let (key, value) = (self.key, content.value);
        let operation = match kind {
            WorkloadKind::Register | WorkloadKind::Transaction => {
                PlannedOperation::Write { key, value }
            }
            WorkloadKind::CasRegister => {
                match (content.stream.random_range(0..100_u32), self.latest) {
                    (0..CAS_PERCENT, Some(latest)) => {
                        let expected = content.expected(latest);
                        PlannedOperation::Cas { key, expected, value }
                    }
                    (DELETES_FROM_PERCENT.., Some(_)) => PlannedOperation::Delete { key },
                    (_, _) => PlannedOperation::Write { key, value },
                }
            }
            WorkloadKind::Append | WorkloadKind::Set => PlannedOperation::Append { key, value },
            WorkloadKind::Counter => {
                let value = content.stream.random_range(1..=ADDITION_MAX);
                PlannedOperation::Add { key, value }
            }
            WorkloadKind::Consensus => PlannedOperation::Propose { key, value },
        };
        self.latest = operation.value().or(self.latest);
        operation
    }

    /// Several reads and changes of the keys of this group; of a fresh group at least one change.
    fn transaction(
        &mut self,
        workload: &Workload,
        content: &mut Content,
        must_write: bool,
    ) -> PlannedOperation {
        let count = content.stream.random_range(1..=PARTS_MAX);
        let parts = (0..count).map(|part| {
            let stream = &mut content.stream;
            let key =
                self.key * KEYS_PER_TRANSACTION + stream.random_range(0..KEYS_PER_TRANSACTION);
            let read = stream.random_ratio(u32::from(workload.read_percent.min(100)), 100);
            let value = match workload.values {
                ValueChoice::Unique => (content.value - 1) * PARTS_MAX + part + 1,
                ValueChoice::Few => stream.random_range(0..FEW_VALUES),
            };
            if read && !(must_write && part == 0) {
                return PlannedOperation::Read { key };
            }
            self.writes += 1;
            if holds_list(key) {
                PlannedOperation::Append { key, value }
            } else {
                PlannedOperation::Write { key, value }
            }
        });
        PlannedOperation::Transaction(parts.collect())
    }
}

/// Of a hundred operations that change a register, so many are compare-and-sets …
const CAS_PERCENT: u32 = 50;
/// … and those from here on deletes; the rest are writes.
const DELETES_FROM_PERCENT: u32 = 92;
/// A compare-and-set expects something else than what was asked for last so often, of a hundred times.
const GUESS_PERCENT: u32 = 20;
/// No more than this is added to a counter at once.
const ADDITION_MAX: u64 = 5;
/// A transaction has at most so many parts …
const PARTS_MAX: u64 = 4;
/// … on so many keys. More would seldom meet.
const KEYS_PER_TRANSACTION: u64 = 3;

impl Generator {
    /// A generator at its beginning. The workload is one that [`crate::Plan::validate`] accepts.
    pub fn new(workload: &Workload, seed: u64) -> Self {
        // More keys than clients would leave some without anybody to work on them.
        let groups = workload.keys.min(workload.clients).max(1);
        Self {
            seed: Seed(seed),
            workload: workload.clone(),
            dealt: BTreeMap::new(),
            groups: (0..groups).map(|group| Group::on(u64::from(group))).collect(),
            next_key: u64::from(groups),
        }
    }

    /// The next operation of `client`; nothing if the workload has no such client.
    pub fn next(&mut self, client: u32) -> Option<PlannedOperation> {
        if client >= self.workload.clients {
            return None;
        }
        let n = self.dealt.entry(client).or_insert(0);
        let mut content = Content::draw(self.seed, &self.workload, client, *n);
        *n += 1;

        let groups = u32::try_from(self.groups.len()).expect("made from a u32");
        let group = self.groups.get_mut(usize::try_from(client % groups).expect("fits"))?;
        if group.invocations >= self.workload.operations_per_key.max(1) {
            *group = Group::on(self.next_key);
            self.next_key += 1;
        }
        // One read may find the initial value; a key that is only ever read as nil tests nothing.
        let must_write =
            group.invocations > 0 && group.writes == 0 && self.workload.read_percent < 100;
        group.invocations += 1;
        let kind = self.workload.kind;
        if kind == WorkloadKind::Transaction {
            return Some(group.transaction(&self.workload, &mut content, must_write));
        }
        if content.read && !must_write {
            return Some(PlannedOperation::Read { key: group.key });
        }
        group.writes += 1;
        Some(group.change(kind, &mut content))
    }

    /// Keys (of transactions: groups of keys) are numbered from 0 in the order in which they are begun: how many
    /// there are so far.
    pub const fn keys_begun(&self) -> u64 {
        self.next_key
    }
}

/// What a client's n-th operation is, wherever it lands.
struct Content {
    read: bool,
    /// To write if it is, or must become, a write.
    value: u64,
    /// What else is to be drawn of it.
    stream: ChaCha8Rng,
    values: ValueChoice,
}

impl Content {
    fn draw(seed: Seed, workload: &Workload, client: u32, n: u64) -> Self {
        let mut stream = seed.stream(Stream::Operation { client, n });
        let read = stream.random_ratio(u32::from(workload.read_percent.min(100)), 100);
        // The clients take turns in counting: unique without asking each other.
        let unique = n * u64::from(workload.clients) + u64::from(client) + 1;
        let value = match (workload.values, workload.kind) {
            // What a transaction writes is made of this, and drawn elsewhere.
            (_, WorkloadKind::Transaction | WorkloadKind::Set) | (ValueChoice::Unique, _) => unique,
            (ValueChoice::Few, _) => stream.random_range(0..FEW_VALUES),
        };
        Self { read, value, stream, values: workload.values }
    }

    /// What a compare-and-set expects of a key that was last asked to hold `latest`.
    fn expected(&mut self, latest: u64) -> u64 {
        let guesses = self.stream.random_ratio(GUESS_PERCENT, 100);
        match self.values {
            ValueChoice::Few if guesses => self.stream.random_range(0..FEW_VALUES),
            ValueChoice::Unique if guesses => self.stream.random_range(0..=latest),
            ValueChoice::Few | ValueChoice::Unique => latest,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn workload() -> impl Strategy<Value = Workload> {
        (1..20_u32, 1..8_u32, 1..30_u32, 0..=100_u8, any::<bool>()).prop_map(
            |(clients, keys, operations_per_key, read_percent, unique)| Workload {
                clients,
                keys,
                operations_per_key,
                read_percent,
                values: if unique { ValueChoice::Unique } else { ValueChoice::Few },
                ..Workload::default()
            },
        )
    }

    /// Asks `generator` for the clients in this order.
    fn deal(workload: &Workload, seed: u64, order: &[u32]) -> Vec<(u32, PlannedOperation)> {
        let mut generator = Generator::new(workload, seed);
        let clients = order.iter().map(|client| client % workload.clients);
        clients.map(|c| (c, generator.next(c).expect("the client exists"))).collect()
    }

    proptest! {
        #[test]
        fn a_key_never_sees_more_than_its_share(
            workload in workload(), seed: u64, order in prop::collection::vec(0..20_u32, 0..400),
        ) {
            let mut seen: BTreeMap<u64, (u32, BTreeSet<u32>)> = BTreeMap::new();
            for (client, operation) in deal(&workload, seed, &order) {
                let entry = seen.entry(operation.key().unwrap()).or_default();
                entry.0 += 1;
                entry.1.insert(client);
            }
            let clients_max = workload.clients.div_ceil(workload.keys.min(workload.clients));
            for (operations, clients) in seen.values() {
                prop_assert!(*operations <= workload.operations_per_key);
                prop_assert!(clients.len() <= clients_max as usize);
            }
        }

        #[test]
        fn unique_values_are_unique_and_few_are_few(
            workload in workload(), seed: u64, order in prop::collection::vec(0..20_u32, 0..400),
        ) {
            let operations = deal(&workload, seed, &order);
            let values: Vec<u64> = operations.iter().filter_map(|(_, o)| o.value()).collect();
            match workload.values {
                ValueChoice::Unique => {
                    let distinct: BTreeSet<u64> = values.iter().copied().collect();
                    prop_assert_eq!(distinct.len(), values.len());
                }
                ValueChoice::Few => prop_assert!(values.iter().all(|v| *v < FEW_VALUES)),
            }
        }

        #[test]
        fn what_a_client_does_does_not_depend_on_when_others_act(
            seed: u64, order in prop::collection::vec(0..20_u32, 1..200),
        ) {
            // One key for ever, and only writes: nothing is left that the order may change.
            let workload = Workload {
                keys: 1, operations_per_key: u32::MAX, read_percent: 0, ..Workload::default()
            };
            let mut sorted = order.clone();
            sorted.sort_unstable();
            let by_client = |order: &[u32]| {
                let mut operations = deal(&workload, seed, order);
                // Stable: each client's own order stays.
                operations.sort_by_key(|(client, _)| *client);
                operations
            };
            prop_assert_eq!(by_client(&order), by_client(&sorted));
        }

        #[test]
        fn a_fresh_key_is_written_by_its_second_operation(
            workload in workload(), seed: u64, order in prop::collection::vec(0..20_u32, 0..400),
        ) {
            prop_assume!(workload.read_percent < 100);
            let mut by_key: BTreeMap<u64, Vec<PlannedOperation>> = BTreeMap::new();
            for (_, operation) in deal(&workload, seed, &order) {
                by_key.entry(operation.key().unwrap()).or_default().push(operation);
            }
            for operations in by_key.values().filter(|operations| operations.len() > 1) {
                prop_assert!(operations.iter().take(2).any(|o| o.value().is_some()));
            }
        }
    }

    #[test]
    fn the_read_share_is_about_what_was_asked_for() {
        let workload = Workload { read_percent: 80, ..Workload::default() };
        let order: Vec<u32> = (0..5_000).map(|turn| turn % workload.clients).collect();
        let reads = deal(&workload, 3, &order).iter().filter(|(_, o)| o.value().is_none()).count();
        assert!((3_850..4_150).contains(&reads), "{reads} of 5000");
    }

    #[test]
    fn a_workload_of_reads_only_reads() {
        let workload = Workload { read_percent: 100, ..Workload::default() };
        let order: Vec<u32> = (0..500).collect();
        assert!(deal(&workload, 3, &order).iter().all(|(_, o)| o.f() == "read"));
    }

    fn of_kind(kind: WorkloadKind, read_percent: u8, values: ValueChoice) -> Workload {
        Workload { kind, read_percent, values, operations_per_key: 20, ..Workload::default() }
    }

    proptest! {
        #[test]
        fn no_kind_asks_for_more_than_its_functions(
            place in 0..WorkloadKind::ALL.len(), workload in workload(), seed: u64,
            order in prop::collection::vec(0..20_u32, 0..200),
        ) {
            let kind = WorkloadKind::ALL[place];
            let workload = Workload { kind, ..workload };
            for (_, operation) in deal(&workload, seed, &order) {
                let parts = operation.parts().iter().map(PlannedOperation::function);
                for function in [operation.function()].into_iter().chain(parts) {
                    prop_assert!(kind.functions().contains(&function), "{:?}", operation);
                }
                let scripted = crate::ScriptedOperation::of(&operation, None);
                prop_assert_eq!(scripted.planned(), operation);
            }
        }

        #[test]
        fn elements_of_sets_and_what_transactions_write_are_unique(
            is_set: bool, seed: u64, order in prop::collection::vec(0..20_u32, 0..300),
        ) {
            let (kind, values) = if is_set {
                (WorkloadKind::Set, ValueChoice::Few)
            } else {
                (WorkloadKind::Transaction, ValueChoice::Unique)
            };
            let mut seen = BTreeSet::new();
            for (_, operation) in deal(&of_kind(kind, 30, values), seed, &order) {
                for value in operation.parts().iter().filter_map(PlannedOperation::value) {
                    prop_assert!(seen.insert(value), "{value} twice");
                    prop_assert!(value <= crate::VALUE_MAX);
                }
            }
        }

        #[test]
        fn transactions_stay_within_the_keys_of_their_group(
            seed: u64, order in prop::collection::vec(0..20_u32, 0..300),
        ) {
            let workload = of_kind(WorkloadKind::Transaction, 50, ValueChoice::Unique);
            for (_, operation) in deal(&workload, seed, &order) {
                let groups: BTreeSet<u64> =
                    operation.keys().map(|key| key / KEYS_PER_TRANSACTION).collect();
                prop_assert_eq!(groups.len(), 1);
                for part in operation.parts() {
                    let key = part.key().unwrap();
                    match part.function() {
                        Function::Append => prop_assert!(holds_list(key)),
                        Function::Write => prop_assert!(!holds_list(key)),
                        other => prop_assert_eq!(other, Function::Read),
                    }
                }
            }
        }
    }

    #[test]
    fn most_compare_and_sets_expect_what_the_key_was_last_asked_to_hold() {
        for values in [ValueChoice::Unique, ValueChoice::Few] {
            let workload = of_kind(WorkloadKind::CasRegister, 20, values);
            let order: Vec<u32> = (0..4_000).map(|turn| turn % workload.clients).collect();
            let (mut latest, mut hits, mut counts) = (BTreeMap::new(), 0, BTreeMap::new());
            for (_, operation) in deal(&workload, 5, &order) {
                let key = operation.key().unwrap();
                if let PlannedOperation::Cas { expected, .. } = operation {
                    hits += usize::from(latest.get(&key) == Some(&expected));
                }
                if let Some(value) = operation.value() {
                    latest.insert(key, value);
                }
                *counts.entry(operation.f()).or_insert(0) += 1;
            }
            let all = counts["cas"];
            assert!(hits * 100 > all * 75 && hits < all, "{hits} of {all}");
            assert!(counts.values().all(|count| *count > 100), "{counts:?}");
            assert_eq!(counts.len(), 4, "{counts:?}");
        }
    }

    #[test]
    fn a_fresh_group_of_keys_is_changed_by_its_second_transaction() {
        let workload = Workload {
            clients: 2,
            keys: 1,
            ..of_kind(WorkloadKind::Transaction, 99, ValueChoice::Few)
        };
        let operations = deal(&workload, 3, &(0..200).collect::<Vec<u32>>());
        for of_group in operations.chunks(20) {
            let changes = of_group
                .iter()
                .take(2)
                .flat_map(|(_, o)| o.parts())
                .filter(|o| o.value().is_some());
            assert!(changes.count() > 0, "{of_group:?}");
        }
    }

    #[test]
    fn an_unknown_client_gets_nothing() {
        let workload = Workload { clients: 2, ..Workload::default() };
        assert_eq!(Generator::new(&workload, 1).next(2), None);
    }

    #[test]
    fn keys_count_up_and_are_never_reused() {
        let workload =
            Workload { clients: 4, keys: 2, operations_per_key: 3, ..Workload::default() };
        let mut generator = Generator::new(&workload, 1);
        let keys: Vec<u64> = (0..16)
            .filter_map(|turn| generator.next(turn % 4))
            .filter_map(|operation| operation.key())
            .collect();
        assert_eq!(keys, [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5]);
        assert_eq!(generator.keys_begun(), 6);
    }
}
