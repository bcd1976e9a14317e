//! What the clients are to do.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_plan::{Generator, Workload};
use quorate_systems::contract::{Command, Key};
use quorate_world::convert;

/// Deals out the operations of a run, and remembers which keys they were on.
#[derive(Debug)]
pub(crate) struct Operations(Mutex<Dealt>);

#[derive(Debug)]
struct Dealt {
    generator: Generator,
    count: u64,
    /// Each key with the number of its last operation.
    last_use: BTreeMap<u64, u64>,
}

impl Operations {
    /// None dealt yet.
    pub(crate) fn new(workload: &Workload, seed: u64) -> Self {
        let generator = Generator::new(workload, seed);
        Self(Mutex::new(Dealt { generator, count: 0, last_use: BTreeMap::new() }))
    }

    /// The next operation of `client`.
    pub(super) fn next(&self, client: u32) -> Option<Command> {
        let mut dealt = self.lock();
        dealt.generator.next(client).map(convert::asked)
    }

    /// An operation on this key begins.
    pub(super) fn used(&self, key: Key) {
        let mut dealt = self.lock();
        dealt.count += 1;
        let count = dealt.count;
        dealt.last_use.insert(key.0, count);
    }

    /// The keys that were used last, at most `max`.
    pub(crate) fn last_keys(&self, max: usize) -> Vec<Key> {
        let dealt = self.lock();
        let mut by_use: Vec<(u64, u64)> =
            dealt.last_use.iter().map(|(key, last)| (*last, *key)).collect();
        by_use.sort_unstable_by(|a, b| b.cmp(a));
        by_use.into_iter().take(max).map(|(_, key)| Key(key)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Dealt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
