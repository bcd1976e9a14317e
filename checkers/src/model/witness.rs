//! An order of operations on something that holds one content at a time, if each content is left there only once.
//!
//! Between the one who leaves a content there and the one who changes it, only those who find it can stand. So a content,
//! with all that is done to it, is a block, and one that is exchanged for another (a compare-and-set) is glued to that.
//! A block is in force at least from its first end to its last call, and where its last call comes first, at any one
//! moment between (Gibbons and Korach 1997). What is made here is only a candidate: whoever uses it checks that it is
//! legal.

use super::Span;

/// What an operation does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    /// The content that it must find; 0 is the initial one.
    pub(super) finds: Option<u32>,
    /// The content that it leaves.
    pub(super) leaves: Option<u32>,
}

/// An order of these deeds, as places, that is legal if there is a legal one. Nothing if a content is left there or
/// taken away more than once, or not left there at all.
pub(super) fn order(deeds: &[Deed], spans: &[Span], contents: usize) -> Option<Vec<usize>> {
    let lives = Lives::of(deeds, contents)?;
    let heads = in_time(&lives.blocks(deeds, spans));
    let mut order = Vec::with_capacity(deeds.len());
    for head in heads {
        for content in lives.contents_from(head, deeds) {
            order.extend(lives.deeds_on(content));
        }
    }
    (order.len() == deeds.len()).then_some(order)
}

/// By content: who leaves it, who finds it, who takes it away.
struct Lives {
    /// [`NOBODY`] where there is none.
    producers: Vec<u32>,
    takers: Vec<u32>,
    /// Those who find contents and leave them there, by content, then by call: those of `content` are at
    /// `starts[content]..starts[content + 1]`.
    readers: Vec<u32>,
    starts: Vec<u32>,
}

impl Lives {
    fn of(deeds: &[Deed], contents: usize) -> Option<Self> {
        let mut lives = Self {
            producers: vec![NOBODY; contents],
            takers: vec![NOBODY; contents],
            readers: Vec::new(),
            starts: vec![0; contents + 1],
        };
        // At first `starts[content + 1]` is how many find the content.
        for (place, deed) in (0..NOBODY).zip(deeds) {
            match (deed.finds, deed.leaves) {
                (Some(found), None) => *lives.starts.get_mut(found as usize + 1)? += 1,
                (found, Some(left)) => {
                    put(&mut lives.producers, left, place)?;
                    found.map_or(Some(()), |found| put(&mut lives.takers, found, place))?;
                }
                (None, None) => return None,
            }
        }
        let is_missing =
            |(content, count): (u32, &u32)| *count > 0 && lives.producer(content).is_none();
        let missing = (0..).zip(lives.starts.iter().skip(1)).skip(1).any(is_missing);
        if lives.producer(0).is_some() || missing {
            return None;
        }
        let mut sum = 0;
        for start in &mut lives.starts {
            sum += *start;
            *start = sum;
        }
        let mut free = lives.starts.clone();
        lives.readers = vec![NOBODY; sum as usize];
        for (place, deed) in (0..NOBODY).zip(deeds) {
            if let (Some(found), None) = (deed.finds, deed.leaves) {
                let free = free.get_mut(found as usize)?;
                *lives.readers.get_mut(*free as usize)? = place;
                *free += 1;
            }
        }
        Some(lives)
    }

    fn producer(&self, content: u32) -> Option<usize> {
        somebody(self.producers.get(content as usize))
    }

    /// All that is done while this content is there, from the one who leaves it on.
    fn deeds_on(&self, content: u32) -> impl Iterator<Item = usize> {
        let start = |content: usize| self.starts.get(content).map_or(0, |start| *start as usize);
        let readers = self.readers.get(start(content as usize)..start(content as usize + 1));
        let readers = readers.unwrap_or_default().iter().map(|place| *place as usize);
        self.producer(content).into_iter().chain(readers)
    }

    /// This content, and all that follow without anybody between.
    fn contents_from(&self, head: u32, deeds: &[Deed]) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(head), move |content| {
            let taker = somebody(self.takers.get(*content as usize))?;
            deeds.get(taker)?.leaves
        })
    }

    fn blocks(&self, deeds: &[Deed], spans: &[Span]) -> Vec<Block> {
        let begins_block = |deed: &Deed| deed.leaves.filter(|_| deed.finds.is_none());
        let heads = std::iter::once(0).chain(deeds.iter().filter_map(begins_block));
        let block = |head: u32| {
            let mut block = Block { head, first_end: u64::MAX, last_call: 0 };
            for place in self.contents_from(head, deeds).flat_map(|c| self.deeds_on(c)) {
                let Some(span) = spans.get(place) else { continue };
                block.first_end = block.first_end.min(span.end.unwrap_or(u64::MAX));
                block.last_call = block.last_call.max(span.call);
            }
            if head == 0 {
                block.first_end = 0;
            }
            block
        };
        heads.map(block).collect()
    }
}

fn put(list: &mut [u32], content: u32, place: u32) -> Option<()> {
    let slot = list.get_mut(content as usize)?;
    (std::mem::replace(slot, place) == NOBODY).then_some(())
}

fn somebody(place: Option<&u32>) -> Option<usize> {
    place.filter(|place| **place != NOBODY).map(|place| *place as usize)
}

/// No place: there are fewer operations than that.
const NOBODY: u32 = u32::MAX;

/// Contents that follow one another without anybody between.
#[derive(Clone, Copy, Debug)]
struct Block {
    head: u32,
    first_end: u64,
    last_call: u64,
}

impl Block {
    fn is_forward(&self) -> bool {
        self.first_end < self.last_call || self.head == 0
    }
}

/// Where blocks begin, in the order in which they are put in force. Those that are in force for some time take that; each of
/// the others the first moment that is left to it.
fn in_time(blocks: &[Block]) -> impl Iterator<Item = u32> + use<> {
    let forward = || blocks.iter().filter(|block| block.is_forward());
    let mut taken = Vec::with_capacity(forward().count());
    taken.extend(forward().map(|block| (block.first_end, block.last_call)));
    taken.sort_unstable();
    // Blocks come nearly in the order of their times: the place of one is near that of the last.
    let mut near = 0;
    let moment = |block: &Block| {
        if block.is_forward() {
            return (block.first_end, false, block.head);
        }
        let call = block.last_call;
        near = first_from(near, &taken, call);
        let last = near.checked_sub(1).and_then(|last| taken.get(last));
        (last.map_or(call, |(_, until)| call.max(*until)), true, block.head)
    };
    let mut moments: Vec<(u64, bool, u32)> = blocks.iter().map(moment).collect();
    moments.sort_unstable();
    moments.into_iter().map(|(_, _, head)| head)
}

/// How many of these begin before `call`, if it may be about `near`: looked for in steps that grow.
fn first_from(near: usize, taken: &[(u64, u64)], call: u64) -> usize {
    let is_before = |place: usize| taken.get(place).is_some_and(|(from, _)| *from < call);
    let (mut low, mut high) = (near, near);
    let mut step = 1;
    while low > 0 && !is_before(low - 1) {
        (low, high) = (low.saturating_sub(step), low - 1);
        step *= 2;
    }
    step = 1;
    while is_before(high) {
        (low, high) = (high + 1, (high + step).min(taken.len()));
        step *= 2;
    }
    let within = taken.get(low..high).unwrap_or_default();
    low + within.partition_point(|(from, _)| *from < call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Dice;

    #[test]
    fn what_begins_before_is_found_from_wherever_one_looks() {
        let mut dice = Dice::new(3);
        for size in 0..40 {
            let mut taken: Vec<(u64, u64)> = (0..size).map(|_| (dice.below(30), 0)).collect();
            taken.sort_unstable();
            for (near, call) in (0..=taken.len()).flat_map(|near| (0..31).map(move |c| (near, c))) {
                let right = taken.partition_point(|(from, _)| *from < call);
                assert_eq!(first_from(near, &taken, call), right, "{taken:?} {near} {call}");
            }
        }
    }
}
