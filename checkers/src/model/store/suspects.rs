//! Finds small sets of operations that cannot be ordered, without a search.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Content, List, Micro, StoreOp};
use crate::model::Span;

/// A set that is larger is left to the search.
const MEMBERS_MAX: usize = 512;
/// So many are enough: suspicions are hardly ever wrong.
const SUSPECTS_MAX: usize = 8;

/// The suspects, as places in `ops`, those that end first first.
pub(super) fn suspects(ops: &[StoreOp], spans: &[Span]) -> Vec<Vec<usize>> {
    let keys = Keys::of(ops);
    let mut cores = Vec::new();
    for key in keys.0.values() {
        cores.extend(key.stale(spans));
        if !key.is_overwritten {
            cores.extend(key.lists(spans));
        }
    }
    cores.sort_by_cached_key(|places| {
        let ends = places.iter().filter_map(|place| end(spans, *place));
        (ends.max(), places.len())
    });
    let whole = cores.into_iter().take(SUSPECTS_MAX).map(|core| keys.with_causes(ops, core));
    whole.filter(|places| places.len() <= MEMBERS_MAX).collect()
}

/// Who does what to which key.
struct Keys(FxHashMap<u64, OnKey>);

#[derive(Default)]
struct OnKey {
    /// By number, or nil: who leaves it.
    producers: FxHashMap<Content, Vec<usize>>,
    /// Who certainly found it.
    observers: Vec<(usize, Content)>,
    /// By element: who appends it.
    appends: FxHashMap<i64, Vec<usize>>,
    /// Who certainly saw a list there, or nothing.
    lists: Vec<(usize, List)>,
    is_overwritten: bool,
}

impl Keys {
    fn of(ops: &[StoreOp]) -> Self {
        let mut keys: FxHashMap<u64, OnKey> = FxHashMap::default();
        for (place, op) in ops.iter().enumerate() {
            for (key, micro, is_first) in op.effects() {
                keys.entry(key).or_default().note(place, micro, is_first && op.is_certain);
            }
        }
        Self(keys)
    }

    /// The places, with all that they depend on.
    fn with_causes(&self, ops: &[StoreOp], core: Vec<usize>) -> Vec<usize> {
        let mut all: FxHashSet<usize> = core.iter().copied().collect();
        let mut open = core;
        while let Some(place) = open.pop() {
            if all.len() > MEMBERS_MAX {
                break;
            }
            let Some(op) = ops.get(place) else { continue };
            for (key, micro) in &op.parts {
                let Some(on_key) = self.0.get(key) else { continue };
                open.extend(on_key.causes(micro).filter(|cause| all.insert(*cause)));
            }
        }
        let mut places: Vec<usize> = all.into_iter().collect();
        places.sort_unstable();
        places
    }
}

impl OnKey {
    fn note(&mut self, place: usize, micro: &Micro, is_seen: bool) {
        match micro {
            Micro::Append(value) => self.appends.entry(*value).or_default().push(place),
            Micro::Read(_) | Micro::Write(_) | Micro::Cas(..) | Micro::Delete => {}
        }
        if let Some(content) = micro.produced() {
            self.is_overwritten = true;
            self.producers.entry(content).or_default().push(place);
        }
        match micro.observed().filter(|_| is_seen) {
            Some(Content::List(list)) => self.lists.push((place, list)),
            Some(content) => {
                if content == Content::Nil {
                    self.lists.push((place, List::default()));
                }
                self.observers.push((place, content));
            }
            None => {}
        }
    }

    /// Everybody that `micro` may depend on: see [`Micro::depends`].
    fn causes(&self, micro: &Micro) -> impl Iterator<Item = usize> {
        let numbers = match micro {
            Micro::Read(Some(Content::List(_))) | Micro::Append(_) => Some(Content::Nil),
            Micro::Read(_) | Micro::Write(_) | Micro::Cas(..) | Micro::Delete => micro.observed(),
        };
        let elements = match micro {
            Micro::Read(Some(Content::List(list))) => list.values(),
            Micro::Read(_)
            | Micro::Write(_)
            | Micro::Cas(..)
            | Micro::Append(_)
            | Micro::Delete => Vec::new(),
        };
        let producers = numbers.and_then(|content| self.producers.get(&content));
        let appends = elements.into_iter().filter_map(|value| self.appends.get(&value));
        let all: Vec<usize> = producers.into_iter().chain(appends).flatten().copied().collect();
        all.into_iter()
    }

    /// Somebody found what was gone: after everybody who could have left it there, and before the finder began,
    /// somebody else changed it.
    fn stale(&self, spans: &[Span]) -> Vec<Vec<usize>> {
        let mut changes: Vec<(u64, Change<'_>)> = Vec::new();
        for (content, producers) in &self.producers {
            for &place in producers {
                let change = Change { call: call(spans, place), place, content };
                changes.extend(end(spans, place).map(|end| (end, change)));
            }
        }
        changes.sort_unstable_by_key(|(end, change)| (*end, change.place));
        let latest: Vec<Latest<'_>> = changes
            .iter()
            .scan(Latest::default(), |latest, (_, change)| {
                latest.add(*change);
                Some(*latest)
            })
            .collect();
        let last: FxHashMap<&Content, LastTwo> = self
            .producers
            .iter()
            .map(|(content, producers)| (content, LastTwo::of(spans, producers)))
            .collect();
        let is_stale = |(place, content): &(usize, Content)| {
            let ended = changes.partition_point(|(end, _)| *end < call(spans, *place));
            let by = latest.get(ended.checked_sub(1)?)?.other_than(content)?;
            let gone = last.get(content).is_none_or(|last| last.other_than(*place) < by.call);
            gone.then(|| vec![*place, by.place])
        };
        self.observers.iter().filter_map(is_stale).take(STALE_MAX).collect()
    }

    /// Lists that cannot have been seen in this order, or with these elements, or without others.
    fn lists(&self, spans: &[Span]) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        let mut by_length: Vec<&(usize, List)> = self.lists.iter().collect();
        by_length.sort_by_key(|(place, list)| (list.len(), *place));
        for (one, two) in by_length.iter().zip(by_length.iter().skip(1)) {
            let prints = two.1.fingerprints();
            if prints.get(one.1.len()) != Some(&one.1.fingerprint()) {
                found.push(vec![one.0, two.0]);
            }
        }
        // Somebody saw less than somebody who had ended before.
        let mut by_end: Vec<(u64, &(usize, List))> = Vec::new();
        for read in &self.lists {
            by_end.extend(end(spans, read.0).map(|end| (end, read)));
        }
        by_end.sort_by_key(|(end, read)| (*end, read.0));
        let mut longest: Vec<&(usize, List)> = Vec::new();
        for (_, read) in &by_end {
            let before = longest.last().filter(|before| before.1.len() >= read.1.len());
            longest.push(before.copied().unwrap_or(read));
        }
        let ended_before = |place: usize| {
            let count = by_end.partition_point(|(end, _)| *end < call(spans, place));
            count.checked_sub(1)
        };
        for (place, list) in &self.lists {
            let before = ended_before(*place).and_then(|at| longest.get(at));
            if let Some((other, _)) = before.filter(|(_, other)| other.len() > list.len()) {
                found.push(vec![*place, *other]);
            }
        }
        found.extend(self.elements(spans, by_length.last().map(|(_, list)| list)));
        found
    }

    /// Appends that a later read has not seen, or that an earlier one has, or in an order that cannot be.
    fn elements(&self, spans: &[Span], longest: Option<&List>) -> Vec<Vec<usize>> {
        let values = longest.map(List::values).unwrap_or_default();
        let positions: FxHashMap<i64, usize> =
            values.iter().enumerate().map(|(position, value)| (*value, position)).collect();
        let mut found = Vec::new();
        // The latest to begin of those that see fewer than so many elements: they must not see more.
        let mut reads: Vec<(usize, u64, usize)> = self
            .lists
            .iter()
            .map(|(place, list)| (list.len(), call(spans, *place), *place))
            .collect();
        reads.sort_unstable();
        let mut latest: Vec<(u64, usize)> = Vec::new();
        for &(_, call, place) in &reads {
            let before = latest.last().copied().filter(|(other, _)| *other >= call);
            latest.push(before.unwrap_or((call, place)));
        }
        for (value, appends) in &self.appends {
            let [append] = appends.as_slice() else { continue };
            let Some(end) = end(spans, *append) else { continue };
            // Reads of up to so many elements lack it.
            let position = positions.get(value).copied().unwrap_or(usize::MAX);
            let lacking = reads.partition_point(|&(length, ..)| length <= position);
            let last = lacking.checked_sub(1).and_then(|at| latest.get(at));
            if let Some((_, read)) = last.filter(|(call, _)| *call > end) {
                found.push(vec![*append, *read]);
            }
        }
        for (place, list) in &self.lists {
            if self.is_impossible(spans, *place, list) {
                found.push(vec![*place]);
            }
        }
        found
    }

    /// Whether an element of the list was appended before an earlier one, or after the read.
    fn is_impossible(&self, spans: &[Span], place: usize, list: &List) -> bool {
        let mut begun = 0;
        for value in list.values() {
            let Some([append]) = self.appends.get(&value).map(Vec::as_slice) else { return false };
            if end(spans, *append).is_some_and(|end| end < begun) {
                return true;
            }
            begun = begun.max(call(spans, *append));
        }
        end(spans, place).is_some_and(|end| end < begun)
    }
}

/// More stale finds are not looked for.
const STALE_MAX: usize = 64;

/// Of those who leave a content the two that end last: when, and who.
#[derive(Clone, Copy, Default)]
struct LastTwo([(u64, usize); 2]);

impl LastTwo {
    fn of(spans: &[Span], places: &[usize]) -> Self {
        let mut two = Self::default();
        for &place in places {
            let this = (end(spans, place).unwrap_or(u64::MAX), place);
            let [last, before] = two.0;
            two.0 = if this > last { [this, last] } else { [last, before.max(this)] };
        }
        two
    }

    /// When the last one ends that is not the one at `place`.
    fn other_than(&self, place: usize) -> u64 {
        let [last, before] = self.0;
        if last.1 == place { before.0 } else { last.0 }
    }
}

/// Somebody changed a key.
#[derive(Clone, Copy)]
struct Change<'a> {
    call: u64,
    place: usize,
    /// What it left there.
    content: &'a Content,
}

/// Of some changes the one that began last, and of those that left something else the one that began last.
#[derive(Clone, Copy, Default)]
struct Latest<'a>(Option<Change<'a>>, Option<Change<'a>>);

impl<'a> Latest<'a> {
    fn add(&mut self, change: Change<'a>) {
        let is_later = |than: Option<Change<'_>>| than.is_none_or(|than| change.call > than.call);
        if self.0.is_some_and(|first| first.content == change.content) {
            if is_later(self.0) {
                self.0 = Some(change);
            }
        } else if is_later(self.0) {
            *self = Self(Some(change), self.0);
        } else if is_later(self.1) {
            self.1 = Some(change);
        }
    }

    fn other_than(&self, content: &Content) -> Option<Change<'a>> {
        [self.0, self.1].into_iter().flatten().find(|change| change.content != content)
    }
}

fn call(spans: &[Span], place: usize) -> u64 {
    spans.get(place).map_or(0, |span| span.call)
}

fn end(spans: &[Span], place: usize) -> Option<u64> {
    spans.get(place)?.end
}
