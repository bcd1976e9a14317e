//! How lock writes ended (Q-I6).

use quorate_systems::contract::Key;
use quorate_systems::quorum::{Timestamp, WriteId};

use super::Q_I6;
use crate::invariants::{Broken, Who};

/// The fates of the lock writes heard of last.
#[derive(Debug)]
pub(super) struct Writes {
    /// Each at a place that follows from its name, where it replaces what was there; nothing before the
    /// first lock write.
    fates: Vec<Option<Fate>>,
    /// The places that are taken, in the order of their first use.
    taken: Vec<usize>,
}

/// What is known of one lock write.
#[derive(Clone, Copy, Debug)]
struct Fate {
    write: WriteId,
    /// Its final timestamp, and who said so first.
    decided: Option<(Timestamp, Who)>,
    /// The key that it is for.
    key: Option<Key>,
    /// Who was the first to commit it.
    committed: Option<Who>,
    /// Who was the first to abort it.
    aborted: Option<Who>,
}

/// Two fates of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// It has another timestamp already.
    OtherTimestamp(Timestamp, Who),
    /// It was committed.
    Committed(Who),
    /// It was aborted.
    Aborted(Who),
}

const FATES: u64 = 1_024;

impl Writes {
    pub(super) const fn new() -> Self {
        Self { fates: Vec::new(), taken: Vec::new() }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        for place in self.taken.drain(..) {
            if let Some(fate) = self.fates.get_mut(place) {
                *fate = None;
            }
        }
    }

    /// `by` has decided on a timestamp. Until that is durable a crash may take it back.
    pub(super) fn decide(&mut self, write: WriteId, ts: Timestamp, by: Who) -> Option<Clash> {
        let fate = self.fate(write);
        let (first, who) = *fate.decided.get_or_insert((ts, by));
        (first != ts).then_some(Clash::OtherTimestamp(first, who))
    }

    /// `by` commits, or tells somebody to.
    pub(super) fn commit(
        &mut self,
        write: WriteId,
        ts: Timestamp,
        key: Option<Key>,
        by: Who,
    ) -> Option<Clash> {
        let clash = self.decide(write, ts, by);
        let fate = self.fate(write);
        fate.key = fate.key.or(key);
        fate.committed = fate.committed.or(Some(by));
        clash.or(fate.aborted.map(Clash::Aborted))
    }

    /// `by` knows that it will never be committed.
    pub(super) fn abort(&mut self, write: WriteId, by: Who) -> Option<Clash> {
        let fate = self.fate(write);
        fate.aborted = fate.aborted.or(Some(by));
        fate.committed.map(Clash::Committed)
    }

    /// What a commit of `write` stores, if that is still known.
    pub(super) fn recall(&self, write: WriteId) -> Option<(Key, Timestamp)> {
        let fate = self.fates.get(place(write)).copied().flatten()?;
        let (ts, _) = fate.decided.filter(|_| fate.write == write)?;
        Some((fate.key?, ts))
    }

    fn fate(&mut self, write: WriteId) -> &mut Fate {
        if self.fates.is_empty() {
            self.fates.resize(usize::try_from(FATES).expect("a small number"), None);
        }
        let place = place(write);
        let fate = self.fates.get_mut(place).expect("a place in the table");
        if fate.is_none() {
            self.taken.push(place);
        }
        if fate.is_some_and(|fate| fate.write != write) {
            *fate = None;
        }
        let unknown = Fate { write, decided: None, key: None, committed: None, aborted: None };
        fate.get_or_insert(unknown)
    }
}

impl Clash {
    /// This clash with what `by` does now, as a violation of Q-I6.
    pub(super) fn told(self, write: WriteId, does: &str, ts: Option<Timestamp>, by: Who) -> Broken {
        let at = ts.map(|ts| format!(" at {ts}")).unwrap_or_default();
        let (how, other) = match self {
            Self::OtherTimestamp(first, other) => (format!("gave it {first}"), other),
            Self::Committed(other) => (String::from("has committed it"), other),
            Self::Aborted(other) => (String::from("has aborted it"), other),
        };
        let what = format!("{by} {does} lock write {write}{at}, and {other} {how}");
        Broken { invariant: Q_I6, by: vec![other, by], what }
    }
}

/// Few lock writes of each initiator are open at once, and they have consecutive numbers.
fn place(write: WriteId) -> usize {
    let spread = write.number.wrapping_add(u64::from(write.initiator.0).wrapping_mul(67));
    usize::try_from(spread % FATES).expect("a small number")
}
