//! The operations of a run, drawn one by one as clients get free.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::seed::{Seed, Stream};
use crate::{ValueChoice, Workload, WorkloadKind};

/// How many different values [`ValueChoice::Few`] writes: 0 … 4.
pub const FEW_VALUES: u64 = 5;

/// One operation for a client to invoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Make `value` the decision of instance `key`, if nothing is decided yet.
    Propose {
        /// Which instance.
        key: u64,
        /// What is proposed.
        value: u64,
    },
}

impl PlannedOperation {
    /// The function's name in histories.
    pub const fn f(self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Propose { .. } => "propose",
        }
    }

    /// What it is on.
    pub const fn key(self) -> u64 {
        match self {
            Self::Read { key } | Self::Write { key, .. } | Self::Propose { key, .. } => key,
        }
    }

    /// What is written.
    pub const fn value(self) -> Option<u64> {
        match self {
            Self::Read { .. } => None,
            Self::Write { value, .. } | Self::Propose { value, .. } => Some(value),
        }
    }
}

/// Deals out operations. It knows no clock: whoever drives the clients asks whenever one is free.
///
/// What a client's n-th operation is (read or write, and of what value) follows from the seed, the client
/// and n alone, so that another client's being slow does not change it. Two things follow from the order
/// of asking: the key, since keys are left when they are full, and that a fresh key is written soon.
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
}

impl Group {
    const fn on(key: u64) -> Self {
        Self { key, invocations: 0, writes: 0 }
    }
}

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
        let content = Content::draw(self.seed, &self.workload, client, *n);
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
        if content.read && !must_write {
            return Some(PlannedOperation::Read { key: group.key });
        }
        group.writes += 1;
        let (key, value) = (group.key, content.value);
        Some(match self.workload.kind {
            WorkloadKind::Register => PlannedOperation::Write { key, value },
            WorkloadKind::Consensus => PlannedOperation::Propose { key, value },
        })
    }

    /// Keys are numbered from 0 in the order in which they are begun: how many there are so far.
    pub const fn keys_begun(&self) -> u64 {
        self.next_key
    }
}

/// What a client's n-th operation is, wherever it lands.
struct Content {
    read: bool,
    /// To write if it is, or must become, a write.
    value: u64,
}

impl Content {
    fn draw(seed: Seed, workload: &Workload, client: u32, n: u64) -> Self {
        let mut stream = seed.stream(Stream::Operation { client, n });
        let read = stream.random_ratio(u32::from(workload.read_percent.min(100)), 100);
        let value = match workload.values {
            // The clients take turns in counting: unique without asking each other.
            ValueChoice::Unique => n * u64::from(workload.clients) + u64::from(client) + 1,
            ValueChoice::Few => stream.random_range(0..FEW_VALUES),
        };
        Self { read, value }
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
                let entry = seen.entry(operation.key()).or_default();
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
                by_key.entry(operation.key()).or_default().push(operation);
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
            .map(PlannedOperation::key)
            .collect();
        assert_eq!(keys, [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5]);
        assert_eq!(generator.keys_begun(), 6);
    }
}
