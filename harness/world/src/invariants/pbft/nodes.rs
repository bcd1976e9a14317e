//! What is remembered of one node: what it knows, what its disk holds, and what it has told.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_systems::contract::Ticket;
use quorate_systems::pbft::{Digest, NewView, Record, View, ViewChange};
use quorate_systems::smr::Slot;

use super::log::Log;

/// One node, over all its lives.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) standing: Standing,
    /// What it knows in its present life.
    pub(super) memory: State,
    /// The last sequence number whose effects are in its state, in this life.
    pub(super) executed: Slot,
    /// What its disk holds for good.
    pub(super) disk: State,
    /// While it comes up, what was found so far.
    pub(super) found: State,
    /// The highest view for which it has sent a VIEW-CHANGE, in all its lives.
    pub(super) wanted: View,
    /// The last VIEW-CHANGEs that it has sent, in all its lives: at most [`VIEW_CHANGES_MAX`].
    sent: VecDeque<Arc<ViewChange>>,
    /// The highest view of those that are forgotten.
    forgotten: Option<View>,
    /// The NEW-VIEW that it has sent last in this life.
    pub(super) begun: Option<Arc<NewView>>,
    /// What it has asked to be stored and is not durable, by ticket.
    unsynced: VecDeque<(Ticket, Deed)>,
}

const VIEW_CHANGES_MAX: usize = 8;

/// How a node is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By all that it does.
    Judged,
    /// It comes up: what its disk holds is being told. If it has to refuse, no sign of life follows.
    Starting,
}

/// What records come to.
#[derive(Debug, Default)]
pub(super) struct State {
    /// All lower ones are left.
    pub(super) view: View,
    /// The last one that has begun here.
    pub(super) entered: View,
    /// The last stable checkpoint: h.
    pub(super) stable: Slot,
    pub(super) log: Log,
}

/// What a record says.
#[derive(Debug)]
pub(super) enum Deed {
    Left(View),
    Entered(Arc<NewView>),
    Accepted(View, Slot, Digest),
    Prepared(View, Slot, Digest),
    Committed(Slot, Digest),
    Stable(Slot),
    /// A batch came, which says nothing by itself.
    Fetched,
}

/// With more unsynced records than these at one node, nothing is judged any more.
const UNSYNCED_MAX: usize = 16_384;

impl From<&Record> for Deed {
    fn from(record: &Record) -> Self {
        match record {
            Record::ViewLeft { view } => Self::Left(*view),
            Record::ViewEntered { new_view, by: _, proof: _ } => Self::Entered(new_view.clone()),
            Record::PrePrepared { view, seq, digest, batch: _, proof: _ } => {
                Self::Accepted(*view, *seq, *digest)
            }
            Record::Fetched { batch: _ } => Self::Fetched,
            Record::Prepared { view, seq, digest, votes: _ } => {
                Self::Prepared(*view, *seq, *digest)
            }
            Record::Committed { seq, digest } => Self::Committed(*seq, *digest),
            Record::Stable { certificate, snapshot: _ } => Self::Stable(certificate.seq),
        }
    }
}

impl State {
    /// One record more.
    pub(super) fn add(&mut self, deed: &Deed) {
        match deed {
            Deed::Left(view) => self.view = self.view.max(*view),
            Deed::Entered(new) => {
                self.view = self.view.max(new.view);
                self.entered = self.entered.max(new.view);
                for proposal in &new.proposals {
                    self.log.take_up(new.view, proposal.seq, proposal.digest);
                }
            }
            Deed::Accepted(view, seq, digest) => self.log.accept(*view, *seq, *digest),
            Deed::Prepared(view, seq, digest) => self.log.prepare(*view, *seq, *digest),
            Deed::Committed(seq, digest) => self.log.commit(*seq, *digest),
            Deed::Stable(seq) => {
                self.stable = self.stable.max(*seq);
                self.log.release(*seq);
            }
            Deed::Fetched => {}
        }
    }

    /// The view in which it takes part, if it does in any.
    pub(super) fn active(&self) -> Option<View> {
        (self.entered == self.view).then_some(self.view)
    }

    pub(super) fn reset(&mut self) {
        let mut log = std::mem::take(&mut self.log);
        log.reset();
        *self = Self { log, ..Self::default() };
    }

    /// As another is.
    pub(super) fn copy(&mut self, other: &Self) {
        let mut log = std::mem::take(&mut self.log);
        log.copy(&other.log);
        let &Self { view, entered, stable, log: _ } = other;
        *self = Self { view, entered, stable, log };
    }
}

impl Node {
    pub(super) fn new() -> Self {
        Self {
            standing: Standing::Judged,
            memory: State::default(),
            executed: Slot::ZERO,
            disk: State::default(),
            found: State::default(),
            wanted: View::FIRST,
            sent: VecDeque::new(),
            forgotten: None,
            begun: None,
            unsynced: VecDeque::new(),
        }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.start();
        self.standing = Standing::Judged;
        self.memory.reset();
        self.executed = Slot::ZERO;
        self.disk.reset();
        self.wanted = View::FIRST;
        self.sent.clear();
        self.forgotten = None;
    }

    /// A life begins: what was not durable may be gone.
    pub(super) fn start(&mut self) {
        self.standing = Standing::Starting;
        self.found.reset();
        self.begun = None;
        self.unsynced.clear();
    }

    /// All that was on its disk was told: from here on it knows that.
    pub(super) fn come_up(&mut self) {
        self.standing = Standing::Judged;
        std::mem::swap(&mut self.disk, &mut self.found);
        self.memory.copy(&self.disk);
        self.executed = self.disk.stable;
    }

    /// It asked for something to be made durable. False where that is more than can be remembered.
    pub(super) fn persist(&mut self, ticket: Ticket, deed: Deed) -> bool {
        self.unsynced.push_back((ticket, deed));
        self.unsynced.len() <= UNSYNCED_MAX
    }

    /// Takes the next record that is durable, where everything up to `ticket` is.
    pub(super) fn next_durable(&mut self, ticket: Ticket) -> Option<Deed> {
        let (_, deed) = self.unsynced.pop_front_if(|(asked, _)| *asked <= ticket)?;
        Some(deed)
    }

    /// Whether something waits for its disk.
    pub(super) fn is_syncing(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// It sent a VIEW-CHANGE. Whether it had not sent this one before, as far as that is known.
    pub(super) fn send(&mut self, wanted: &Arc<ViewChange>) -> bool {
        self.wanted = self.wanted.max(wanted.view);
        let same = |sent: &Arc<ViewChange>| Arc::ptr_eq(sent, wanted) || sent == wanted;
        if self.sent.iter().rev().any(same) {
            return false;
        }
        if self.sent.len() == VIEW_CHANGES_MAX
            && let Some(gone) = self.sent.pop_front()
        {
            self.forgotten = self.forgotten.max(Some(gone.view));
        }
        self.sent.push_back(wanted.clone());
        true
    }

    /// Whether it has certainly never sent this VIEW-CHANGE.
    pub(super) fn has_not_sent(&self, wanted: &Arc<ViewChange>) -> bool {
        let same = |sent: &Arc<ViewChange>| Arc::ptr_eq(sent, wanted) || sent == wanted;
        self.forgotten.is_none_or(|view| wanted.view > view) && !self.sent.iter().any(same)
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::pbft::Certificate;

    use super::*;

    #[test]
    fn the_first_view_changes_are_forgotten_when_there_are_too_many() {
        let wanted = |view| {
            let stable = Certificate::default();
            let (prepared, pre_prepared) = (Vec::new(), Vec::new());
            Arc::new(ViewChange { view: View(view), stable, prepared, pre_prepared })
        };
        let mut node = Node::new();
        assert!(node.has_not_sent(&wanted(1)));
        for view in 1..=VIEW_CHANGES_MAX as u64 {
            assert!(node.send(&wanted(view)) && !node.send(&wanted(view)));
        }
        assert!(!node.has_not_sent(&wanted(1)) && node.has_not_sent(&wanted(100)));
        node.send(&wanted(100));
        assert!(!node.has_not_sent(&wanted(1)), "nobody can say so any more");
        assert!(node.has_not_sent(&wanted(99)));
    }
}
