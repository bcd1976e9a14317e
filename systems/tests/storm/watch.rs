//! What is watched in a storm.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use quorate_systems::contract::{ClientId, Command, Key, Outcome, Value};
use quorate_systems::smr::{Chain, RequestNumber, Slot};

use super::Seen;
use super::world::Operation;

/// What has been seen, and the first thing that was wrong.
#[derive(Default)]
pub(crate) struct Watch<N> {
    decided: BTreeMap<Slot, u64>,
    proposed: BTreeMap<(Slot, N), u64>,
    /// What each node was the first to propose, since everything was durable there: if it forgets that, it may propose
    /// something else, since nobody was told.
    fresh: BTreeMap<u16, Vec<(Slot, N)>>,
    ballots: BTreeSet<N>,
    /// The highest ballot that an acceptor has told anybody that it promised or accepted in.
    vows: BTreeMap<u16, N>,
    /// Who holds a lease, in which ballot, until when.
    pub(crate) leases: BTreeMap<u16, (N, u64)>,
    chains: BTreeMap<Slot, Chain>,
    /// What is in each node's log, where decisions are told by their slots alone, and how much of it it knows to be
    /// decided.
    logs: BTreeMap<u16, BTreeMap<Slot, u64>>,
    commits: BTreeMap<u16, Slot>,
    /// In which slot a request took effect, and the other way round.
    effects: BTreeMap<(ClientId, RequestNumber), Slot>,
    log: BTreeMap<Slot, (ClientId, RequestNumber)>,
    pub(crate) applied: BTreeMap<u16, Slot>,
    pub(crate) complaint: Option<String>,
}

impl<N: Copy + Ord + Default + Display> Watch<N> {
    pub(crate) fn complain(&mut self, why: String) {
        self.complaint.get_or_insert(why);
    }

    /// An acceptor has told that it promised `ballot`, or accepted in it.
    pub(crate) fn vowed(&mut self, node: u16, ballot: N) {
        let vow = self.vows.entry(node).or_default();
        *vow = ballot.max(*vow);
    }

    /// A node starts with this log: it has executed what its last snapshot stands for.
    pub(crate) fn started(&mut self, node: u16, index: Slot, log: BTreeMap<Slot, u64>) {
        self.applied.insert(node, index);
        self.logs.insert(node, log);
        self.commits.insert(node, index);
    }

    /// Everything is durable at a node.
    pub(crate) fn synced(&mut self, node: u16) {
        self.fresh.remove(&node);
    }

    /// A node has lost what was not durable.
    pub(crate) fn crashed(&mut self, node: u16) {
        for proposal in self.fresh.remove(&node).unwrap_or_default() {
            self.proposed.remove(&proposal);
        }
    }

    /// A node has forgotten its vows, and may.
    pub(crate) fn forgotten(&mut self, node: u16) {
        self.vows.remove(&node);
    }

    /// What a node's log has in this slot.
    pub(crate) fn entry(&self, node: u16, slot: Slot) -> Option<u64> {
        self.logs.get(&node)?.get(&slot).copied()
    }

    pub(crate) fn take(&mut self, node: u16, seen: Seen<'_, N>) {
        match seen {
            Seen::BallotUsed { ballot } => {
                if !self.ballots.insert(ballot) {
                    self.complain(format!("P-I4: ballot {ballot} is used twice"));
                }
            }
            Seen::Proposed { ballot, slot, entry } => {
                let known = *self.proposed.entry((slot, ballot)).or_insert_with(|| {
                    self.fresh.entry(node).or_default().push((slot, ballot));
                    entry
                });
                if known != entry {
                    self.complain(format!("P-I3: two proposals in {slot} of {ballot}"));
                }
                self.logs.entry(node).or_default().insert(slot, entry);
            }
            Seen::Decided { slot, entry, .. } | Seen::Learned { slot, entry } => {
                self.decided(slot, entry);
            }
            Seen::Adopted { after, entries, commit } => self.adopted(node, after, entries, commit),
            Seen::Committed { slot, .. } => match self.entry(node, slot) {
                Some(entry) => self.decided(slot, entry),
                None => self.complain(format!("V-I8: n{node} commits {slot}, and lacks it")),
            },
            Seen::LearnedUpTo { commit } => self.committed(node, commit),
            Seen::Executed { slot, chain, request, is_first } => {
                self.executed(node, slot, chain, request, is_first);
            }
            Seen::ExecutedBatch { slot, chain, requests } => {
                self.executed_batch(node, slot, chain, requests);
            }
            Seen::SnapshotInstalled { index, chain } => {
                self.applied.insert(node, index);
                self.logs.remove(&node);
                self.compare(index, chain);
            }
            Seen::SnapshotTaken { index, chain } => self.compare(index, chain),
            Seen::Promised { ballot } | Seen::Accepted { ballot } | Seen::Entered { ballot } => {
                let vow = self.vows.get(&node).copied().unwrap_or_default();
                if ballot < vow {
                    self.complain(format!("P-I1: n{node} said {vow} and goes back to {ballot}"));
                }
            }
            Seen::Elected
            | Seen::LeaseTaken { .. }
            | Seen::SteppedDown
            | Seen::Left
            | Seen::Other => {}
        }
    }

    fn decided(&mut self, slot: Slot, entry: u64) {
        let known = *self.decided.entry(slot).or_insert(entry);
        if known != entry {
            self.complain(format!("P-I6: {slot} is decided twice"));
        }
    }

    fn adopted(&mut self, node: u16, after: Slot, entries: &[(N, u64)], commit: Slot) {
        let known = self.commits.get(&node).copied().unwrap_or_default();
        if commit < known {
            self.complain(format!("V-I1: n{node} knew {known} to be committed, and now {commit}"));
        }
        let log = self.logs.entry(node).or_default();
        log.split_off(&after.next());
        let slots = (1..).map(|place| after.plus(place));
        log.extend(slots.zip(entries.iter().map(|(_, entry)| *entry)));
        self.committed(node, commit);
    }

    /// What the node has up to here is decided.
    fn committed(&mut self, node: u16, commit: Slot) {
        let known = self.commits.entry(node).or_default();
        let first = known.next();
        *known = commit.max(*known);
        let log = self.logs.entry(node).or_default();
        let entries: Vec<_> = if first > commit {
            Vec::new()
        } else {
            log.range(first..=commit).map(|(slot, entry)| (*slot, *entry)).collect()
        };
        for (slot, entry) in entries {
            self.decided(slot, entry);
        }
    }

    fn executed(
        &mut self,
        node: u16,
        slot: Slot,
        chain: Chain,
        request: Option<(ClientId, RequestNumber)>,
        is_first: bool,
    ) {
        self.goes_on(node, slot, chain);
        if let (Some(request), true) = (request, is_first) {
            self.takes_effect(request, slot);
        }
    }

    /// Requests that share a slot have places of their own, in its order.
    fn executed_batch(
        &mut self,
        node: u16,
        slot: Slot,
        chain: Chain,
        requests: &[(ClientId, RequestNumber, bool)],
    ) {
        const BATCH_MAX: u64 = 1_000;
        self.goes_on(node, slot, chain);
        for (place, (client, number, is_first)) in (0..).zip(requests) {
            if *is_first {
                self.takes_effect((*client, *number), Slot(slot.0 * BATCH_MAX + place));
            }
        }
    }

    fn goes_on(&mut self, node: u16, slot: Slot, chain: Chain) {
        let before = self.applied.insert(node, slot).unwrap_or_default();
        if slot != before.next() {
            self.complain(format!("P-I8: n{node} executes {slot} after {before}"));
        }
        self.compare(slot, chain);
    }

    fn takes_effect(&mut self, request: (ClientId, RequestNumber), place: Slot) {
        let known = *self.effects.entry(request).or_insert(place);
        if known != place {
            self.complain(format!("P-I9: {request:?} takes effect in {known} and {place}"));
        }
        self.log.insert(place, request);
    }

    fn compare(&mut self, slot: Slot, chain: Chain) {
        if *self.chains.entry(slot).or_insert(chain) != chain {
            self.complain(format!("P-I8: two histories up to {slot}"));
        }
    }

    /// The log is the order of all that took effect. Every answer must be what it gives, and the order of
    /// real time must be kept: what was completed before something began comes before it.
    pub(crate) fn judge(
        &self,
        operations: &BTreeMap<(ClientId, RequestNumber), Operation>,
    ) -> Result<(), String> {
        let states = self.states(operations);
        let mut moments: Vec<(u64, bool, (ClientId, RequestNumber))> = Vec::new();
        for (id, operation) in operations {
            moments.push((operation.invoked, false, *id));
            moments.extend(operation.completed.as_ref().map(|(tick, _)| (*tick, true, *id)));
        }
        moments.sort_unstable_by_key(|(tick, ..)| *tick);
        // The first place that the operations completed so far leave free; and what it was at each
        // invocation.
        let mut floor = Slot::ZERO;
        let mut floors = BTreeMap::new();
        // Where operations that are out of the log were placed, with the moment at which they were completed.
        for (_, is_completion, id) in &moments {
            if !is_completion {
                floors.insert(*id, floor);
                continue;
            }
            let operation = &operations[id];
            let (_, outcome) = operation.completed.as_ref().unwrap();
            let least = floors[id];
            // A read may be answered without the log and stand in it as well, passed on by another node.
            let is_read = matches!(operation.command, Command::Read { .. });
            let place = match self.effects.get(id).filter(|_| !is_read) {
                Some(slot) => {
                    if *outcome != states.outcomes[id] {
                        return Err(format!("{id:?} was told {outcome:?}, the log says otherwise"));
                    }
                    *slot
                }
                None => states.place(operation, outcome, least).ok_or_else(|| {
                    format!("LIN: {id:?} {:?} was told {outcome:?}, at no place", operation.command)
                })?,
            };
            if place < least {
                return Err(format!("LIN: {id:?} takes place before what came before it"));
            }
            floor = floor.max(place);
        }
        // Also what was never answered took effect after all that had been answered when it began.
        for (id, slot) in &self.effects {
            if floors.get(id).is_none_or(|least| slot <= least) {
                return Err(format!("LIN: {id:?} takes effect before what came before it"));
            }
        }
        Ok(())
    }

    fn states(&self, operations: &BTreeMap<(ClientId, RequestNumber), Operation>) -> States {
        let mut states = States::default();
        for (slot, id) in &self.log {
            let outcome = match &operations[id].command {
                &Command::Read { key } => Outcome::Read(states.last(key)),
                &Command::Write { key, value } => {
                    states.writes.entry(key).or_default().insert(*slot, value);
                    Outcome::Written
                }
                other => panic!("no client asks to {other}"),
            };
            states.outcomes.insert(*id, outcome);
        }
        states
    }
}

/// What the log gives: each variable's values from slot to slot, and the outcome of each request in it.
#[derive(Default)]
struct States {
    writes: BTreeMap<Key, BTreeMap<Slot, Value>>,
    outcomes: BTreeMap<(ClientId, RequestNumber), Outcome>,
}

impl States {
    fn last(&self, key: Key) -> Option<Value> {
        self.writes.get(&key)?.last_key_value().map(|(_, value)| *value)
    }

    /// The first place from `least` on where a read that was answered without the log could have seen what
    /// it was told.
    fn place(&self, operation: &Operation, outcome: &Outcome, least: Slot) -> Option<Slot> {
        let (Command::Read { key }, Outcome::Read(seen)) = (&operation.command, outcome) else {
            return None;
        };
        let nothing = BTreeMap::new();
        let writes = self.writes.get(key).unwrap_or(&nothing);
        let present = writes.range(..=least).next_back().map(|(_, value)| *value);
        if present == *seen {
            return Some(least);
        }
        writes
            .range(least.next()..)
            .find(|(_, value)| Some(**value) == *seen)
            .map(|(slot, _)| *slot)
    }
}
