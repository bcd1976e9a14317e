//! Pairs of values that cannot both have been in a register when they were read and written.
//!
//! A value with one write is there from its write to its last read, without another value between.
//! So of two such values one must be over before the other one begins; when each has an operation
//! that had ended before some operation on the other one began, neither can be first (Gibbons and
//! Korach 1997).

use std::collections::BTreeMap;

use super::{Content, RegisterOp};
use crate::history::Operation;
use crate::model::Member;

/// Operations that show a conflict, for each conflict that is found.
pub(super) fn conflicts(members: &[Member<'_, RegisterOp>]) -> Vec<Vec<usize>> {
    let zones = zones(members);
    let mut conflicts: Vec<Vec<usize>> =
        zones.iter().filter_map(|zone| zone.too_early(members)).collect();
    let (mut forward, backward): (Vec<&Zone>, Vec<&Zone>) =
        zones.iter().partition(|zone| zone.first_end < Some(zone.last_call));
    forward.sort_by_key(|zone| zone.first_end);
    let mut widest: Option<&Zone> = None;
    for &zone in &forward {
        conflicts.extend(widest.filter(|before| before.excludes(zone)).map(|b| b.with(zone)));
        widest = widest.into_iter().chain([zone]).max_by_key(|zone| zone.last_call);
    }
    for zone in backward {
        let before = forward.partition_point(|other| other.first_end < Some(zone.last_call));
        let nearest = before.checked_sub(1).and_then(|place| forward.get(place));
        conflicts.extend(nearest.filter(|other| other.excludes(zone)).map(|o| o.with(zone)));
    }
    conflicts
}

/// All that is done with one value.
#[derive(Clone, Debug)]
struct Zone {
    /// Absent for the initial value.
    write: Option<usize>,
    /// The operation that ends first, and when; absent for the initial value, which is before
    /// everything.
    ends_first: Option<usize>,
    first_end: Option<u64>,
    /// The operation that begins last, and when.
    begins_last: usize,
    last_call: u64,
}

impl Zone {
    /// Whether neither value can have been there first.
    fn excludes(&self, other: &Self) -> bool {
        self.first_end < Some(other.last_call) && other.first_end < Some(self.last_call)
    }

    /// The operations that show it.
    fn with(&self, other: &Self) -> Vec<usize> {
        let mut shown: Vec<usize> = [self, other]
            .into_iter()
            .flat_map(|zone| [zone.write, zone.ends_first, Some(zone.begins_last)])
            .flatten()
            .collect();
        shown.sort_unstable();
        shown.dedup();
        shown
    }

    /// A read that had ended before the write of its value began.
    fn too_early(&self, members: &[Member<'_, RegisterOp>]) -> Option<Vec<usize>> {
        let write = self.write?;
        let is_too_early = self.first_end < Some(members.get(write)?.operation.invoke);
        is_too_early.then(|| self.ends_first.into_iter().chain([write]).collect())
    }
}

/// The values with at most one write. A value that nobody wrote has no zone: the search sees it at
/// once.
fn zones(members: &[Member<'_, RegisterOp>]) -> Vec<Zone> {
    let mut by_value: BTreeMap<Content, Vec<usize>> = BTreeMap::new();
    for (place, member) in members.iter().enumerate() {
        let content = match *member.op {
            RegisterOp::Read(seen) => seen,
            RegisterOp::Write(value) => Some(value),
        };
        by_value.entry(content).or_default().push(place);
    }
    by_value.into_iter().filter_map(|(value, places)| zone(members, value, &places)).collect()
}

fn zone(members: &[Member<'_, RegisterOp>], value: Content, places: &[usize]) -> Option<Zone> {
    let operation = |place: usize| members.get(place).map(|member| member.operation);
    let is_write = |place: usize| {
        members.get(place).is_some_and(|member| matches!(member.op, RegisterOp::Write(_)))
    };
    let mut writes = places.iter().copied().filter(|&place| is_write(place));
    let write = writes.next();
    if writes.next().is_some() || write.is_some() != value.is_some() {
        return None;
    }
    let end = |place: usize| operation(place).and_then(Operation::definite_end).unwrap_or(u64::MAX);
    let call = |place: usize| operation(place).map_or(0, |o| o.invoke);
    let ends_first = places.iter().copied().min_by_key(|&place| end(place))?;
    let begins_last = places.iter().copied().max_by_key(|&place| call(place))?;
    let (ends_first, first_end) = match write {
        Some(_) => (Some(ends_first), Some(end(ends_first))),
        None => (None, None),
    };
    Some(Zone { write, ends_first, first_end, begins_last, last_call: call(begins_last) })
}
