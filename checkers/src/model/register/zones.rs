//! Pairs of contents that cannot both have been in a register when they were found and left there.
//!
//! A content that is left there once is there from then to the last one who finds it, without another one between. So of
//! two such contents one must be over before the other one begins; when each has an operation that had ended before some
//! operation on the other one began, neither can be first (Gibbons and Korach 1997). One that finds the first and leaves
//! the second (a compare-and-set) belongs to both, and stands between them.

use super::Deeds;
use crate::model::Span;

/// Operations that show a conflict, for each conflict that is found.
pub(super) fn conflicts(deeds: &Deeds, spans: &[Span]) -> Vec<Vec<usize>> {
    let zones = zones(deeds, spans);
    let mut conflicts: Vec<Vec<usize>> = zones.iter().filter_map(Zone::too_early).collect();
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

/// All that is certainly done with one content.
#[derive(Clone, Copy, Debug)]
struct Zone {
    /// Who leaves it there, and when that begins; absent for the initial content.
    producer: Option<(usize, u64)>,
    /// The operation that ends first, and when; absent for the initial content, which is before everything.
    ends_first: Option<usize>,
    first_end: Option<u64>,
    /// The operation that begins last, and when.
    begins_last: usize,
    last_call: u64,
}

impl Zone {
    /// Whether neither content can have been there first.
    fn excludes(&self, other: &Self) -> bool {
        self.first_end < Some(other.last_call) && other.first_end < Some(self.last_call)
    }

    /// The operations that show it.
    fn with(&self, other: &Self) -> Vec<usize> {
        let shown = [self, other].into_iter().flat_map(|zone| {
            let producer = zone.producer.map(|(place, _)| place);
            [producer, zone.ends_first, Some(zone.begins_last)]
        });
        let mut shown: Vec<usize> = shown.flatten().collect();
        shown.sort_unstable();
        shown.dedup();
        shown
    }

    /// One that had ended before the one began who left there what it found.
    fn too_early(&self) -> Option<Vec<usize>> {
        let (producer, call) = self.producer?;
        let is_too_early = self.first_end < Some(call);
        is_too_early.then(|| self.ends_first.into_iter().chain([producer]).collect())
    }
}

/// The contents that are left there once, and the initial one if nobody leaves it there again. One that nobody leaves
/// there has no zone.
fn zones(deeds: &Deeds, spans: &[Span]) -> Vec<Zone> {
    let mut gathered = vec![Gathered::default(); deeds.contents];
    for (place, (deed, span)) in deeds.deeds.iter().zip(spans).enumerate() {
        // Who finds it need not have happened if it has no end.
        let found = deed.finds.filter(|_| span.end.is_some());
        for content in found.into_iter().chain(deed.leaves) {
            if let Some(gathered) = gathered.get_mut(content as usize) {
                gathered.add(place, *span);
            }
        }
        if let Some(gathered) = deed.leaves.and_then(|left| gathered.get_mut(left as usize)) {
            gathered.producers += 1;
            gathered.producer = Some((place, span.call));
        }
    }
    let zone = |(content, gathered): (usize, &Gathered)| gathered.zone(content == 0);
    gathered.iter().enumerate().filter_map(zone).collect()
}

/// What was found out of a content so far.
#[derive(Clone, Copy, Debug, Default)]
struct Gathered {
    producers: usize,
    producer: Option<(usize, u64)>,
    /// When, and who.
    first_end: Option<(u64, usize)>,
    last_call: Option<(u64, usize)>,
}

impl Gathered {
    fn add(&mut self, place: usize, span: Span) {
        let end = (span.end.unwrap_or(u64::MAX), place);
        self.first_end = Some(self.first_end.map_or(end, |first| first.min(end)));
        self.last_call = self.last_call.max(Some((span.call, place)));
    }

    fn zone(&self, is_initial: bool) -> Option<Zone> {
        if self.producers != usize::from(!is_initial) {
            return None;
        }
        let ((first_end, ends_first), (last_call, begins_last)) =
            self.first_end.zip(self.last_call)?;
        Some(Zone {
            producer: self.producer,
            ends_first: (!is_initial).then_some(ends_first),
            first_end: (!is_initial).then_some(first_end),
            begins_last,
            last_call,
        })
    }
}
