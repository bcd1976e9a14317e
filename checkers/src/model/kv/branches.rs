//! The contents that somebody has yet to see, as a tree, and what it takes to make them.
//!
//! From the root a branch for each text that is put leads to the content that it is, and from each content a branch for
//! each text that is appended to the content that follows. The initial content hangs on a branch that nobody can make. A
//! content is wanted as long as somebody has yet to see it, or one that follows. On the way to what is wanted each branch
//! has to be made by an operation of its own, unless it is on the way on which the present content was made. So when it
//! leaves a content that is wanted still, all of that way has to be made again.

use rustc_hash::FxHashMap;

use crate::rules::{Rule, holds};

#[derive(Debug)]
pub(super) struct Branches {
    nodes: Vec<Node>,
    children: FxHashMap<(usize, usize), usize>,
    /// By kind of branch.
    kinds: Vec<Kind>,
    /// How many kinds need more operations than are left.
    short: usize,
    at: Position,
    /// How the present content was made, the last step at the end.
    steps: Vec<Step>,
    /// How many of the last steps have left what cannot be made again.
    lost: usize,
}

/// A content; the root stands for nothing having been put.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: usize,
    /// Of the branch that leads to it.
    kind: usize,
    depth: usize,
    /// How many have yet to see it, and how many of its children are wanted.
    wanted: usize,
}

/// Branches that the same operations make.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// Operations that are not in the order yet.
    left: usize,
    /// Branches that have to be made, perhaps again.
    needed: usize,
}

/// Where the present content is.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// Absent if it is not in the tree.
    node: Option<usize>,
    /// Branches on the way to it that are not deeper than this have to be made again if they are wanted.
    passed: usize,
}

/// How one content was made from another one.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: usize,
    is_put: bool,
    before: Position,
}

impl Branches {
    /// Nothing has been put.
    pub(super) const ROOT: usize = 0;
    /// The initial content.
    pub(super) const START: usize = 1;

    /// Without a content that is wanted. There are so many operations for each kind of branch.
    pub(super) fn new(operations: impl Iterator<Item = u32>) -> Self {
        let left = |left: u32| Kind { left: left as usize, needed: 0 };
        let mut kinds: Vec<Kind> = operations.map(left).collect();
        let root = Node { parent: Self::ROOT, kind: kinds.len(), depth: 0, wanted: 0 };
        kinds.push(left(0));
        let nodes = vec![root, Node { depth: 1, ..root }];
        Self {
            nodes,
            children: FxHashMap::default(),
            kinds,
            short: 0,
            at: Position { node: None, passed: 0 },
            steps: Vec::new(),
            lost: 0,
        }
    }

    /// The content that a branch of this kind leads to.
    pub(super) fn child(&mut self, parent: usize, kind: usize) -> usize {
        let fresh = self.nodes.len();
        let child = *self.children.entry((parent, kind)).or_insert(fresh);
        if child == fresh {
            let depth = self.node(parent).depth + 1;
            self.nodes.push(Node { parent, kind, depth, wanted: 0 });
        }
        child
    }

    /// The present content is the initial one from now on.
    pub(super) fn begin(&mut self) {
        self.at.node = Some(Self::START);
        self.count_made(Self::START, false);
    }

    /// Whether more operations are needed than are left.
    pub(super) fn is_short(&self) -> bool {
        self.short > 0 || self.lost > 0
    }

    /// Whether somebody has yet to see the present content, or one that follows on it.
    pub(super) fn is_wanted(&self) -> bool {
        self.lost > 0 || self.at.node.is_some_and(|node| self.node(node).wanted > 0)
    }

    /// Whether a branch of this kind has to be made.
    pub(super) fn is_needed(&self, kind: usize) -> bool {
        self.kind(kind).needed > 0
    }

    /// One more has yet to see this content.
    pub(super) fn want(&mut self, node: usize) {
        self.recount(node, true);
    }

    /// One fewer has yet to see this content, which is the present one.
    pub(super) fn satisfy(&mut self, node: usize) {
        self.recount(node, false);
    }

    /// Counts one more, or one fewer, who has yet to see this content, on the way up as far as that is news.
    fn recount(&mut self, seen: usize, is_wanted: bool) {
        let at = self.at;
        let mut node = seen;
        while node != Self::ROOT {
            let Node { parent, depth, wanted: before, .. } = self.node(node);
            let after = if is_wanted { before + 1 } else { before - 1 };
            self.node_mut(node).wanted = after;
            if before > 0 && after > 0 {
                return;
            }
            if at.node != Some(seen) || depth <= at.passed {
                self.count_branch(node, is_wanted);
            }
            node = parent;
        }
    }

    /// A text is put.
    pub(super) fn put(&mut self, kind: usize) {
        self.step(kind, true);
    }

    /// A text is appended.
    pub(super) fn append(&mut self, kind: usize) {
        self.step(kind, false);
    }

    fn step(&mut self, kind: usize, is_put: bool) {
        let step = Step { kind, is_put, before: self.at };
        self.steps.push(step);
        let next = self.next(step);
        let left_behind = self.left_behind(step, next);
        // The last branch on the way says it at once, mostly.
        let cannot_again = left_behind.is_some_and(|node| {
            let again = self.node(node).kind;
            let Kind { left, needed } = self.kind(again);
            // This step is one of the same kind, perhaps, and makes another branch.
            let is_made = next.is_some_and(|next| self.node(next).wanted > 0);
            needed + 1 + usize::from(again == kind && !is_made) > left || !holds(Rule::MadeAgain)
        });
        if self.lost > 0 || cannot_again {
            self.lost += 1;
            return;
        }
        if let Some(node) = left_behind {
            self.count_way(node, step.before, true);
        }
        let passed = match left_behind {
            _ if is_put => 0,
            Some(node) => self.node(node).depth,
            None => step.before.passed,
        };
        self.at = Position { node: next, passed };
        self.count(kind, |kind| kind.left -= 1);
        if let Some(next) = next {
            self.count_made(next, false);
        }
    }

    /// The last step was not made.
    pub(super) fn go_back(&mut self) {
        let Some(step) = self.steps.pop() else { return };
        if self.lost > 0 {
            self.lost -= 1;
            return;
        }
        let next = self.at.node;
        if let Some(next) = next {
            self.count_made(next, true);
        }
        self.count(step.kind, |kind| kind.left += 1);
        self.at = step.before;
        if let Some(node) = self.left_behind(step, next) {
            self.count_way(node, step.before, false);
        }
    }

    fn next(&self, step: Step) -> Option<usize> {
        let from = if step.is_put { Some(Self::ROOT) } else { step.before.node };
        self.children.get(&(from?, step.kind)).copied()
    }

    /// The content that a step leaves, if it or another one than the next is wanted there.
    fn left_behind(&self, step: Step, next: Option<usize>) -> Option<usize> {
        let goes_on = next.filter(|_| !step.is_put).is_some_and(|next| self.node(next).wanted > 0);
        step.before.node.filter(|&node| self.node(node).wanted > usize::from(goes_on))
    }

    /// Counts the branches on the way to a content as those that have to be made again, or not any more.
    fn count_way(&mut self, to: usize, at: Position, is_needed: bool) {
        let mut node = to;
        while self.node(node).depth > at.passed {
            self.count_branch(node, is_needed);
            node = self.node(node).parent;
        }
    }

    /// Counts a branch as one that has to be made, or not any more, if it is wanted.
    fn count_made(&mut self, node: usize, is_needed: bool) {
        if self.node(node).wanted > 0 {
            self.count_branch(node, is_needed);
        }
    }

    fn count_branch(&mut self, node: usize, is_needed: bool) {
        let kind = self.node(node).kind;
        self.count(kind, |kind| {
            if is_needed {
                kind.needed += 1;
            } else {
                kind.needed -= 1;
            }
        });
    }

    fn count(&mut self, kind: usize, change: impl FnOnce(&mut Kind)) {
        let kind = self.kinds.get_mut(kind).expect("kinds are named by their places");
        let was_short = kind.needed > kind.left;
        change(kind);
        let is_short = kind.needed > kind.left;
        self.short += usize::from(is_short);
        self.short -= usize::from(was_short);
    }

    fn kind(&self, kind: usize) -> Kind {
        *self.kinds.get(kind).expect("kinds are named by their places")
    }

    fn node(&self, node: usize) -> Node {
        *self.nodes.get(node).expect("nodes are named by their places")
    }

    fn node_mut(&mut self, node: usize) -> &mut Node {
        self.nodes.get_mut(node).expect("nodes are named by their places")
    }
}
