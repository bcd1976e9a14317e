//! Small sets of operations, made whole: with all that they depend on.

use rustc_hash::FxHashSet;

use super::Deeds;
use crate::model::Span;

/// The first of these sets, each with everybody who may have left there what one of it found: those who began before
/// that one ended. If such a set has no order, then neither has the whole: an order of the whole stays legal when all
/// others are left out.
pub(super) fn with_causes(
    deeds: &Deeds,
    spans: &[Span],
    cores: Vec<Vec<usize>>,
) -> Vec<Vec<usize>> {
    if cores.is_empty() {
        return cores;
    }
    let mut producers: Vec<Vec<usize>> = vec![Vec::new(); deeds.contents];
    for (place, deed) in deeds.deeds.iter().enumerate() {
        if let Some(all) = deed.leaves.and_then(|left| producers.get_mut(left as usize)) {
            all.push(place);
        }
    }
    let causes = Causes { deeds, spans, producers };
    cores.into_iter().filter_map(|core| causes.whole(core)).take(SETS_MAX).collect()
}

struct Causes<'a> {
    deeds: &'a Deeds,
    spans: &'a [Span],
    /// By content, in order of invocation.
    producers: Vec<Vec<usize>>,
}

impl Causes<'_> {
    /// Nothing if it is too large.
    fn whole(&self, core: Vec<usize>) -> Option<Vec<usize>> {
        let mut all: FxHashSet<usize> = core.iter().copied().collect();
        let mut open = core;
        let mut is_chained = false;
        while let Some(place) = open.pop() {
            let Some(found) = self.deeds.deeds.get(place).and_then(|deed| deed.finds) else {
                continue;
            };
            is_chained |= self.deeds.deeds.get(place).is_some_and(|deed| deed.leaves.is_some());
            open.extend(self.before(found, place).filter(|cause| all.insert(*cause)));
            if is_chained && all.len() > CHAINED_MAX {
                return None;
            }
        }
        let mut places: Vec<usize> = all.into_iter().collect();
        places.sort_unstable();
        Some(places)
    }

    /// Those who leave `content` there and began before the operation at `place` ended.
    fn before(&self, content: u32, place: usize) -> impl Iterator<Item = usize> {
        let end = self.spans.get(place).and_then(|span| span.end).unwrap_or(u64::MAX);
        let began = move |cause: &usize| self.spans.get(*cause).is_some_and(|s| s.call < end);
        let all = self.producers.get(content as usize).into_iter().flatten().copied();
        all.take_while(began)
    }
}

/// So many sets are enough: suspicions are hardly ever wrong.
const SETS_MAX: usize = 8;

/// A larger set, of operations that depend on others that depend on others, is left to the search.
const CHAINED_MAX: usize = 512;
