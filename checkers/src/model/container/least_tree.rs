//! Numbers that are added to by ranges, and of which the first one below a bound is asked for.

use std::ops::Range;

/// A tree over numbers, each node of which has the least of those below it. All takes logarithmic time.
#[derive(Debug)]
pub(super) struct LeastTree {
    /// A power of two, not less than the count of numbers.
    width: usize,
    /// By node, the root at 1 and the children of `n` at `2n` and `2n + 1`: the least number below it, without what was
    /// added to nodes above it.
    least: Vec<i64>,
    /// By node: what was added to all below it.
    added: Vec<i64>,
}

impl LeastTree {
    /// More than any bound that is asked for.
    pub(super) const MUCH: i64 = 1 << 40;

    pub(super) fn new(numbers: impl Iterator<Item = i64>) -> Self {
        let numbers: Vec<i64> = numbers.collect();
        let width = numbers.len().next_power_of_two();
        let mut least = vec![Self::MUCH; width];
        least.extend(numbers);
        least.resize(2 * width, Self::MUCH);
        let mut tree = Self { width, least, added: vec![0; 2 * width] };
        for node in (1..width).rev() {
            tree.renew(node);
        }
        tree
    }

    /// Adds to all numbers of a range.
    pub(super) fn add(&mut self, range: Range<usize>, amount: i64) {
        self.add_below(1, 0..self.width, &range, amount);
    }

    /// The first of a range that is less than the bound.
    pub(super) fn first_below(&self, range: Range<usize>, bound: i64) -> Option<usize> {
        self.find_below(1, 0..self.width, &range, bound)
    }

    fn add_below(&mut self, node: usize, span: Range<usize>, range: &Range<usize>, amount: i64) {
        if span.end <= range.start || range.end <= span.start {
            return;
        }
        if range.start <= span.start && span.end <= range.end {
            for numbers in [&mut self.least, &mut self.added] {
                if let Some(number) = numbers.get_mut(node) {
                    *number += amount;
                }
            }
            return;
        }
        let middle = usize::midpoint(span.start, span.end);
        self.add_below(2 * node, span.start..middle, range, amount);
        self.add_below(2 * node + 1, middle..span.end, range, amount);
        self.renew(node);
    }

    fn find_below(
        &self,
        node: usize,
        span: Range<usize>,
        range: &Range<usize>,
        bound: i64,
    ) -> Option<usize> {
        let is_apart = span.end <= range.start || range.end <= span.start;
        if is_apart || self.least(node) >= bound {
            return None;
        }
        if span.len() == 1 {
            return Some(span.start);
        }
        let bound = bound - self.added.get(node).copied().unwrap_or_default();
        let middle = usize::midpoint(span.start, span.end);
        let left = self.find_below(2 * node, span.start..middle, range, bound);
        left.or_else(|| self.find_below(2 * node + 1, middle..span.end, range, bound))
    }

    fn least(&self, node: usize) -> i64 {
        self.least.get(node).copied().unwrap_or(Self::MUCH)
    }

    fn renew(&mut self, node: usize) {
        let least = self.least(2 * node).min(self.least(2 * node + 1));
        let added = self.added.get(node).copied().unwrap_or_default();
        if let Some(number) = self.least.get_mut(node) {
            *number = least + added;
        }
    }
}
