//! Reads of values that had certainly been overwritten, however often they were written.
//!
//! A read is stale if each write of its value that it could have seen had ended before some one
//! write of another value began, and that one had ended before the read began. Not every violation
//! is of this kind, but most are.

use rustc_hash::FxHashMap;

use super::RegisterOp;
use crate::model::Member;

/// For each stale read: it, the writes of its value, and the write that came between.
pub(super) fn stale_reads(members: &[Member<'_, RegisterOp>]) -> Vec<Vec<usize>> {
    let mut producers: FxHashMap<i64, Producers> = FxHashMap::default();
    let mut overwriters = Overwriters::default();
    for (place, member) in members.iter().enumerate() {
        if let RegisterOp::Write(value) = *member.op {
            let (call, end) = (member.operation.invoke, member.operation.definite_end());
            producers.entry(value).or_default().add(place, call, end.unwrap_or(u64::MAX));
            overwriters.writes.extend(end.map(|end| Write { place, value, call, end }));
        }
    }
    overwriters.prepare();
    let is_stale = |(place, member): (usize, &Member<'_, RegisterOp>)| {
        let RegisterOp::Read(Some(value)) = *member.op else { return None };
        let between = overwriters.latest_before(member.operation.invoke, value)?;
        let seen = producers.get(&value)?.before(member.operation.complete?);
        let are_over = seen.last().is_none_or(|(_, _, latest)| *latest < between.call);
        are_over.then(|| {
            let mut shown = vec![place, between.place];
            shown.extend(seen.iter().map(|(place, ..)| *place));
            shown
        })
    };
    members.iter().enumerate().filter_map(is_stale).take(STALE_MAX).collect()
}

/// More stale reads are not looked for.
const STALE_MAX: usize = 64;

/// The writes of a value, by call: place, call, and when the last one so far ends.
#[derive(Debug, Default)]
struct Producers(Vec<(usize, u64, u64)>);

impl Producers {
    fn add(&mut self, place: usize, call: u64, end: u64) {
        let latest = self.0.last().map_or(end, |(_, _, latest)| end.max(*latest));
        self.0.push((place, call, latest));
    }

    /// Those that began before `index`.
    fn before(&self, index: u64) -> &[(usize, u64, u64)] {
        let count = self.0.partition_point(|(_, call, _)| *call < index);
        self.0.get(..count).unwrap_or_default()
    }
}

/// A write that has certainly happened.
#[derive(Clone, Copy, Debug)]
struct Write {
    place: usize,
    value: i64,
    call: u64,
    end: u64,
}

/// Finds the write that began last among those that had ended at some time.
#[derive(Debug, Default)]
struct Overwriters {
    /// By end.
    writes: Vec<Write>,
    /// For each beginning of `writes`: the one that began last, and the one that began last of
    /// those with another value.
    best: Vec<(Write, Option<Write>)>,
}

impl Overwriters {
    fn prepare(&mut self) {
        self.writes.sort_by_key(|write| write.end);
        for &write in &self.writes {
            let next = match self.best.last() {
                None => (write, None),
                Some(&(best, other)) if write.value == best.value => {
                    (if write.call > best.call { write } else { best }, other)
                }
                Some(&(best, _)) if write.call > best.call => (write, Some(best)),
                Some(&(best, other)) => {
                    (best, Some(other.filter(|other| other.call > write.call).unwrap_or(write)))
                }
            };
            self.best.push(next);
        }
    }

    /// Of a value other than `value`, among those that had ended before `index`.
    fn latest_before(&self, index: u64, value: i64) -> Option<Write> {
        let ended = self.writes.partition_point(|write| write.end < index);
        let (best, other) = self.best.get(ended.checked_sub(1)?)?;
        if best.value == value { *other } else { Some(*best) }
    }
}
