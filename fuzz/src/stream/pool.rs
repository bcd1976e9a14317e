//! What was said lately, to be said again.

use quorate_world::invariants::Who;

/// The last messages, in a fixed memory.
#[derive(Debug)]
pub struct Pool<M> {
    spoken: Vec<Spoken<M>>,
    /// Where the next one goes.
    next: usize,
}

/// A message, and whose it was.
#[derive(Clone, Debug)]
pub struct Spoken<M> {
    /// The sender.
    pub from: Who,
    /// The message.
    pub message: M,
}

/// So many messages are remembered.
const CAPACITY: usize = 8;

impl<M> Pool<M> {
    /// Nothing was said.
    pub(super) fn new() -> Self {
        Self { spoken: Vec::with_capacity(CAPACITY), next: 0 }
    }

    /// As new, with the memory that it has.
    pub(super) fn clear(&mut self) {
        self.spoken.clear();
        self.next = 0;
    }

    /// Remembers a message, in place of the oldest.
    pub(super) fn push(&mut self, from: Who, message: M) {
        let spoken = Spoken { from, message };
        match self.spoken.get_mut(self.next) {
            Some(place) => *place = spoken,
            None => self.spoken.push(spoken),
        }
        self.next = (self.next + 1) % CAPACITY;
    }

    /// What was said `back` messages ago, 0 being the last; going round where it is not so many.
    pub fn get(&self, back: u8) -> Option<&Spoken<M>> {
        let len = self.spoken.len();
        let back = usize::from(back).checked_rem(len)?;
        self.spoken.get((self.next + len - 1 - back) % len)
    }

    /// The last message.
    pub fn last(&self) -> Option<&Spoken<M>> {
        self.get(0)
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::NodeId;

    use super::*;

    #[test]
    fn the_last_messages_are_remembered_and_counted_back() {
        let mut pool = Pool::new();
        assert!(pool.last().is_none());
        for number in 0..20 {
            pool.push(Who::Node(NodeId(0)), number);
            assert_eq!(pool.last().unwrap().message, number);
        }
        let all: Vec<i32> = (0..8).map(|back| pool.get(back).unwrap().message).collect();
        assert_eq!(all, [19, 18, 17, 16, 15, 14, 13, 12]);
        assert_eq!(pool.get(8).unwrap().message, 19);
        pool.clear();
        pool.push(Who::Node(NodeId(0)), 1);
        pool.push(Who::Node(NodeId(0)), 2);
        assert_eq!([0, 1, 2].map(|back| pool.get(back).unwrap().message), [2, 1, 2]);
    }
}
