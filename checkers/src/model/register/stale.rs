//! Reads of values that had certainly been overwritten, however often they were written.
//!
//! A read is stale if each write of its value that it could have seen had ended before some one
//! write of another value began, and that one had ended before the read began. Not every violation
//! is of this kind, but most are.

use std::collections::BTreeMap;

use super::RegisterOp;
use crate::model::Member;

/// For each stale read: it, the writes of its value, and the write that came between.
pub(super) fn stale_reads(members: &[Member<'_, RegisterOp>]) -> Vec<Vec<usize>> {
    let mut producers: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let mut overwriters = Overwriters::default();
    for (place, member) in members.iter().enumerate() {
        if let RegisterOp::Write(value) = *member.op {
            producers.entry(value).or_default().push(place);
            if let Some(end) = member.operation.definite_end() {
                overwriters.writes.push(Write { place, value, call: member.operation.invoke, end });
            }
        }
    }
    overwriters.prepare();
    let is_stale = |(place, member): (usize, &Member<'_, RegisterOp>)| {
        let RegisterOp::Read(Some(value)) = *member.op else { return None };
        let between = overwriters.latest_before(member.operation.invoke, value)?;
        let producers = producers.get(&value)?;
        let could_be_seen = |&&producer: &&usize| {
            members
                .get(producer)
                .is_some_and(|p| Some(p.operation.invoke) < member.operation.complete)
        };
        let is_over = |producer: &usize| {
            let end = members.get(*producer).and_then(|p| p.operation.definite_end());
            end.is_some_and(|end| end < between.call)
        };
        producers.iter().filter(could_be_seen).all(is_over).then(|| {
            let mut shown = vec![place, between.place];
            shown.extend(producers);
            shown
        })
    };
    members.iter().enumerate().filter_map(is_stale).collect()
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
