//! Which slots are covered, and by what.

/// Slots, of which more and more are covered: a forest whose roots are free (Tarjan 1975).
#[derive(Debug)]
pub(super) struct Cover {
    /// A slot that is not before the next free one; itself if it is free.
    next: Vec<u32>,
}

impl Cover {
    /// Free slots up to `end`, which stays free.
    pub(super) fn new(end: u32) -> Self {
        Self { next: (0..=end).collect() }
    }

    /// Covers all from the one on and before the other.
    pub(super) fn add(&mut self, (from, until): (u32, u32)) {
        let mut slot = self.first_free(from);
        while slot < until {
            if let Some(next) = self.next.get_mut(slot as usize) {
                *next = slot + 1;
            }
            slot = self.first_free(slot + 1);
        }
    }

    /// The first free slot that is not before this one.
    pub(super) fn first_free(&mut self, slot: u32) -> u32 {
        let mut free = slot;
        while let Some(&next) = self.next.get(free as usize).filter(|next| **next != free) {
            free = next;
        }
        // Whoever asks again is answered at once.
        let mut at = slot;
        while at != free {
            let Some(next) = self.next.get_mut(at as usize) else { break };
            at = std::mem::replace(next, free);
        }
        free
    }
}

/// The fewest of these cores that cover the window, in order: each is the one that reaches farthest of those that begin
/// where the ones before it end.
pub(super) fn chain(
    cores: impl Iterator<Item = (usize, (u32, u32))>,
    window: (u32, u32),
) -> Vec<usize> {
    let touches = |(from, until): (u32, u32)| from < until && from < window.1 && until > window.0;
    let mut cores: Vec<(u32, u32, usize)> = cores
        .filter(|(_, core)| touches(*core))
        .map(|(place, (from, until))| (from, until, place))
        .collect();
    cores.sort_unstable();
    let mut cores = cores.into_iter().peekable();
    let (mut chain, mut at, mut farthest) = (Vec::new(), window.0, (0, 0));
    while at < window.1 {
        while let Some((_, until, place)) = cores.next_if(|(from, ..)| *from <= at) {
            farthest = farthest.max((until, place));
        }
        let (until, place) = farthest;
        if until <= at {
            break;
        }
        chain.push(place);
        at = until;
    }
    chain
}
