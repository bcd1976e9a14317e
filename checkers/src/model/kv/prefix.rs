//! Sees dead ends of a search for an order of operations on a text.

use std::collections::BTreeSet;

use super::{KvOp, Text};
use crate::model::Lookahead;

/// While nobody is left who puts, the text must be the beginning of every text that somebody still has to see.
#[derive(Debug)]
pub(super) struct Prefix {
    parts: Vec<Part>,
    /// The gets that are left, the shortest text first.
    unseen: BTreeSet<(usize, usize)>,
    /// How many puts are left.
    puts: usize,
}

#[derive(Debug)]
enum Part {
    Sees(Text),
    Puts,
    Appends,
}

impl Prefix {
    pub(super) fn new(ops: &[KvOp]) -> Self {
        let part = |op: &KvOp| match op {
            KvOp::Get(seen) => Part::Sees(seen.clone()),
            KvOp::Put(_) => Part::Puts,
            KvOp::Append(_) => Part::Appends,
        };
        let parts = ops.iter().map(part).collect();
        let mut prefix = Self { parts, unseen: BTreeSet::new(), puts: 0 };
        for op in 0..ops.len() {
            prefix.put_back(op);
        }
        prefix
    }
}

impl Lookahead<Text> for Prefix {
    fn take(&mut self, op: usize) {
        match self.parts.get(op) {
            Some(Part::Sees(text)) => {
                self.unseen.remove(&(text.as_str().len(), op));
            }
            Some(Part::Puts) => self.puts -= 1,
            Some(Part::Appends) | None => {}
        }
    }

    fn put_back(&mut self, op: usize) {
        match self.parts.get(op) {
            Some(Part::Sees(text)) => {
                self.unseen.insert((text.as_str().len(), op));
            }
            Some(Part::Puts) => self.puts += 1,
            Some(Part::Appends) | None => {}
        }
    }

    fn is_doomed(&self, state: &Text) -> bool {
        let shortest = self.unseen.first().filter(|_| self.puts == 0);
        let Some(Part::Sees(text)) = shortest.and_then(|(_, op)| self.parts.get(*op)) else {
            return false;
        };
        !text.as_str().starts_with(state.as_str())
    }
}
