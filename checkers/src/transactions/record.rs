//! What a history tells about versions: who appended what, in which order, who saw how much, and who happened at all.

use rustc_hash::FxHashMap;

use super::findings::{Example, Findings};
use super::table::{AppendId, Id, KeyId, ReadId, Table, TransactionId};
use super::walk::{Contradiction, Sight, Walk};
use super::{Anomaly, Counts, Fate, Micro, Transaction, explain};
use crate::history::Value;

/// A whole history.
#[derive(Debug)]
pub(super) struct Recorded<'a> {
    pub(super) transactions: &'a [Transaction<'a>],
    /// Whether it happened: it is ok, or something of it was read.
    pub(super) is_committed: Table<TransactionId, bool>,
    /// Of all transactions, failed ones too: those of one transaction together, and in there those of one key.
    pub(super) appends: Table<AppendId, Append<'a>>,
    /// What transactions that are ok saw of others.
    pub(super) reads: Table<ReadId, Read>,
    pub(super) keys: Table<KeyId, Key<'a>>,
    /// Where the appends of each transaction begin, and after the last one where they end.
    first_append: Vec<u32>,
    by_name: FxHashMap<&'a Value, KeyId>,
    by_element: FxHashMap<(KeyId, &'a Value), AppendId>,
}

/// An append.
#[derive(Clone, Copy, Debug)]
pub(super) struct Append<'a> {
    pub(super) transaction: TransactionId,
    pub(super) key: KeyId,
    pub(super) element: &'a Value,
    /// Its place in the order of versions of its key, where that is known.
    pub(super) place: Option<u32>,
}

/// What a transaction saw of a key before it appended anything there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) transaction: TransactionId,
    pub(super) key: KeyId,
    /// How many elements; they are the first ones of the order of versions.
    pub(super) length: u32,
}

/// A list.
#[derive(Clone, Debug)]
pub(super) struct Key<'a> {
    pub(super) name: &'a Value,
    /// The longest that was read.
    pub(super) longest: &'a [Value],
    /// Who read it.
    pub(super) reader: Option<TransactionId>,
    /// Who appended each element, as far as somebody did: the order of versions.
    pub(super) order: Vec<Option<AppendId>>,
    /// Appends of transactions that happened, but nobody read.
    pub(super) unread: Vec<AppendId>,
    /// Reads that do not go with the longest.
    conflicts: Vec<(TransactionId, &'a [Value])>,
}

impl<'a> Recorded<'a> {
    /// Takes a history in. Nothing can be said about one in which an element is appended to a key twice.
    pub(super) fn of(
        transactions: &'a [Transaction<'a>],
        findings: &mut Findings,
    ) -> Result<Self, String> {
        let mut recorded = Self {
            transactions,
            is_committed: Table::new(),
            appends: Table::new(),
            reads: Table::new(),
            keys: Table::new(),
            first_append: vec![0],
            by_name: FxHashMap::default(),
            by_element: FxHashMap::default(),
        };
        for transaction in transactions {
            let id = recorded.is_committed.push(transaction.fate == Fate::Ok);
            recorded.take_appends(id, transaction)?;
        }
        recorded.take_reads(findings);
        recorded.order_versions(findings);
        recorded.collect_unread();
        Ok(recorded)
    }

    /// A transaction as it was handed in.
    pub(super) fn transaction(&self, id: TransactionId) -> &'a Transaction<'a> {
        self.transactions.get(id.number() as usize).expect("it has a number")
    }

    /// What a transaction appended to a key, in its order.
    pub(super) fn appends_to(&self, id: TransactionId, key: KeyId) -> &[Append<'a>] {
        let all = self.appends_of(id);
        let begin = all.partition_point(|append| append.key < key);
        let count = all.iter().skip(begin).take_while(|append| append.key == key).count();
        all.get(begin..begin + count).unwrap_or_default()
    }

    /// The transaction that appended this version, if one that happened did.
    pub(super) fn writer(&self, key: KeyId, place: u32) -> Option<TransactionId> {
        let append = (*self.keys[key].order.get(place as usize)?)?;
        let writer = self.appends[append].transaction;
        self.is_committed[writer].then_some(writer)
    }

    /// Fills in what was counted.
    pub(super) fn count(&self, counts: &mut Counts) {
        let ids = self.is_committed.ids();
        let seen =
            ids.filter(|id| self.is_committed[*id] && self.transaction(*id).fate == Fate::Unknown);
        counts.seen = seen.count() as u64;
        counts.keys = u64::from(self.keys.count());
        let happened = |append: &Append<'_>| self.is_committed[append.transaction];
        counts.appends = self.appends.iter().filter(|(_, append)| happened(append)).count() as u64;
        counts.unread = self.keys.iter().map(|(_, key)| key.unread.len() as u64).sum();
    }

    /// Decides on an order for the appends that nobody read: behind the others of their key, by the rank of their
    /// transactions.
    pub(super) fn settle(&mut self, rank: &Table<TransactionId, u32>) {
        for id in self.keys.ids() {
            let mut unread = std::mem::take(&mut self.keys[id].unread);
            unread.sort_by_key(|append| (rank[self.appends[*append].transaction], *append));
            for append in unread {
                let order = &mut self.keys[id].order;
                self.appends[append].place = u32::try_from(order.len()).ok();
                order.push(Some(append));
            }
        }
    }

    fn appends_of(&self, id: TransactionId) -> &[Append<'a>] {
        let bound = |number: usize| self.first_append.get(number).copied().unwrap_or_default();
        let number = id.number() as usize;
        self.appends.between(bound(number), bound(number + 1))
    }

    fn key(&mut self, name: &'a Value) -> KeyId {
        let keys = &mut self.keys;
        *self.by_name.entry(name).or_insert_with(|| keys.push(Key::new(name)))
    }

    fn take_appends(
        &mut self,
        id: TransactionId,
        transaction: &'a Transaction<'a>,
    ) -> Result<(), String> {
        let first = self.appends.count();
        for micro in &transaction.micros {
            match *micro {
                Micro::Read { key, .. } => {
                    self.key(key);
                }
                Micro::Append { key, element } => {
                    let append =
                        Append { transaction: id, key: self.key(key), element, place: None };
                    self.appends.push(append);
                }
            }
        }
        let end = self.appends.count();
        self.first_append.push(end);
        let own = self.appends.between_mut(first, end);
        own.sort_by_key(|append| append.key);
        for number in first..end {
            let append = AppendId::new(number);
            let Append { key, element, .. } = self.appends[append];
            if let Some(other) = self.by_element.insert((key, element), append) {
                return Err(self.twice(other, append));
            }
        }
        Ok(())
    }

    fn twice(&self, first: AppendId, second: AppendId) -> String {
        let [first, second] = [first, second].map(|id| self.appends[id]);
        format!(
            "{} is appended to {} twice, by the transactions at index {} and at index {}; versions can only be told apart \
             where each element is appended to a key once",
            first.element,
            self.keys[first.key].name,
            self.transaction(first.transaction).invoke,
            self.transaction(second.transaction).invoke
        )
    }

    fn take_reads(&mut self, findings: &mut Findings) {
        let mut walk = Walk::default();
        let Self { transactions, by_name, keys, reads, is_committed, .. } = self;
        for (id, transaction) in is_committed.ids().zip(*transactions) {
            if transaction.fate != Fate::Ok {
                continue;
            }
            walk.through(
                transaction,
                |name| by_name[name],
                |key, sight| match sight {
                    Sight::Others(list) => {
                        if keys[key].extend(id, list) {
                            let length = u32::try_from(list.len()).expect("a list fits in memory");
                            reads.push(Read { transaction: id, key, length });
                        }
                    }
                    Sight::Own(list) => {
                        keys[key].extend(id, list);
                    }
                    Sight::Contradiction(contradiction) => {
                        findings.add(Anomaly::Internal, || internal(transaction, &contradiction));
                    }
                },
            );
        }
    }

    /// Finds out who appended the elements of the longest lists.
    fn order_versions(&mut self, findings: &mut Findings) {
        for key in self.keys.ids() {
            let longest = self.keys[key].longest;
            let mut order = Vec::with_capacity(longest.len());
            for (place, element) in (0..).zip(longest) {
                order.push(self.version(key, place, element, findings));
            }
            self.keys[key].order = order;
            for (reader, list) in std::mem::take(&mut self.keys[key].conflicts) {
                findings.add(Anomaly::IncompatibleOrder, || {
                    explain::incompatible(self, key, reader, list)
                });
                // Whatever was read, wherever it stands, did happen.
                for element in list {
                    self.happened(key, element);
                }
            }
        }
    }

    /// The append of the element at this place of a key's order, if it is one that can stand there.
    fn version(
        &mut self,
        key: KeyId,
        place: u32,
        element: &Value,
        findings: &mut Findings,
    ) -> Option<AppendId> {
        let Some(append) = self.happened(key, element) else {
            findings.add(Anomaly::GarbageRead, || explain::garbage(self, key, place, element));
            return None;
        };
        if self.appends[append].place.is_some() {
            findings.add(Anomaly::DuplicateElements, || explain::duplicate(self, key, element));
            return None;
        }
        self.appends[append].place = Some(place);
        Some(append)
    }

    /// Notes that an element was read, and says who appended it.
    fn happened(&mut self, key: KeyId, element: &Value) -> Option<AppendId> {
        let append = *self.by_element.get(&(key, element))?;
        let writer = self.appends[append].transaction;
        self.is_committed[writer] |= self.transaction(writer).fate == Fate::Unknown;
        Some(append)
    }

    fn collect_unread(&mut self) {
        for (id, append) in self.appends.iter() {
            if append.place.is_none() && self.is_committed[append.transaction] {
                self.keys[append.key].unread.push(id);
            }
        }
    }
}

impl<'a> Key<'a> {
    const fn new(name: &'a Value) -> Self {
        Self {
            name,
            longest: &[],
            reader: None,
            order: Vec::new(),
            unread: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    /// Takes in what was read. Whether it goes with what was read before.
    fn extend(&mut self, reader: TransactionId, list: &'a [Value]) -> bool {
        let fits = if list.len() > self.longest.len() {
            list.starts_with(self.longest)
        } else {
            self.longest.starts_with(list)
        };
        if !fits {
            self.conflicts.push((reader, list));
        } else if list.len() > self.longest.len() || self.reader.is_none() {
            self.longest = list;
            self.reader = Some(reader);
        }
        fits
    }
}

fn internal(transaction: &Transaction<'_>, contradiction: &Contradiction<'_>) -> Example {
    let Contradiction { key, seen, before, appended } = *contradiction;
    let saw = explain::list(seen);
    let expected = match (before, appended) {
        (Some(before), 0) => {
            format!("although it had read {} there before", explain::list(before))
        }
        (Some(before), count) => format!(
            "although it had read {} there before and then appended {count} more",
            explain::list(before)
        ),
        (None, count) => format!("although it had itself appended {count} there before"),
    };
    Example {
        sentence: format!(
            "the transaction at index {} read {saw} in {key}, {expected}",
            transaction.invoke
        ),
        lines: vec![explain::line(transaction)],
        transactions: vec![transaction.invoke],
    }
}
