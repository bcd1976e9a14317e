//! Finders of contents that had certainly been overwritten, however often they were left there.
//!
//! What was found is stale if everybody who can have left it there had ended before some one other change began, and
//! that one had ended before the finder began. Not every violation is of this kind, but most are.

use super::Deeds;
use crate::model::Span;
use crate::model::witness::Deed;

/// For each that found something stale, or something that nobody ever left there: it, and who came between.
pub(super) fn stale(deeds: &Deeds, spans: &[Span]) -> Vec<Vec<usize>> {
    let mut producers = vec![Producers::default(); deeds.contents];
    let mut overwriters = Overwriters::default();
    for (place, (deed, span)) in deeds.deeds.iter().zip(spans).enumerate() {
        let Some(content) = deed.leaves else { continue };
        if let Some(producers) = producers.get_mut(content as usize) {
            producers.add(span.call, span.end.unwrap_or(u64::MAX));
        }
        let change = |end| Change { place, content, call: span.call, end };
        overwriters.changes.extend(span.end.map(change));
    }
    overwriters.prepare();
    let is_stale = |(place, (deed, span)): (usize, (&Deed, &Span))| {
        let (found, end) = (deed.finds?, span.end?);
        let latest = producers.get(found as usize).and_then(|all| all.latest_end_before(end));
        if found != 0 && latest.is_none() {
            return Some(vec![place]);
        }
        let between = overwriters.latest_before(span.call, found)?;
        latest.is_none_or(|latest| latest < between.call).then(|| vec![place, between.place])
    };
    let all = deeds.deeds.iter().zip(spans).enumerate();
    all.filter_map(is_stale).take(STALE_MAX).collect()
}

/// More stale finds are not looked for.
const STALE_MAX: usize = 64;

/// Those who leave a content, by call: when each begins, and when the last one so far ends.
#[derive(Clone, Debug, Default)]
struct Producers(Vec<(u64, u64)>);

impl Producers {
    fn add(&mut self, call: u64, end: u64) {
        let latest = self.0.last().map_or(end, |(_, latest)| end.max(*latest));
        self.0.push((call, latest));
    }

    /// When the last one ends of those that began before `index`; nothing if none did.
    fn latest_end_before(&self, index: u64) -> Option<u64> {
        let count = self.0.partition_point(|(call, _)| *call < index);
        self.0.get(count.checked_sub(1)?).map(|(_, latest)| *latest)
    }
}

/// A change that has certainly happened.
#[derive(Clone, Copy, Debug)]
struct Change {
    place: usize,
    content: u32,
    call: u64,
    end: u64,
}

/// Finds the change that began last among those that had ended at some time.
#[derive(Debug, Default)]
struct Overwriters {
    /// By end.
    changes: Vec<Change>,
    /// For each beginning of `changes`: the one that began last, and the one that began last of those that left
    /// something else.
    best: Vec<(Change, Option<Change>)>,
}

impl Overwriters {
    fn prepare(&mut self) {
        self.changes.sort_by_key(|change| change.end);
        for &change in &self.changes {
            let next = match self.best.last() {
                None => (change, None),
                Some(&(best, other)) if change.content == best.content => {
                    (if change.call > best.call { change } else { best }, other)
                }
                Some(&(best, _)) if change.call > best.call => (change, Some(best)),
                Some(&(best, other)) => {
                    (best, Some(other.filter(|other| other.call > change.call).unwrap_or(change)))
                }
            };
            self.best.push(next);
        }
    }

    /// One that left something else than `content`, among those that had ended before `index`.
    fn latest_before(&self, index: u64, content: u32) -> Option<Change> {
        let ended = self.changes.partition_point(|change| change.end < index);
        let (best, other) = self.best.get(ended.checked_sub(1)?)?;
        if best.content == content { *other } else { Some(*best) }
    }
}
