//! What is remembered of one node: what it has in memory, what its disk holds, and what it has told.

use std::collections::VecDeque;

use quorate_systems::contract::{Incarnation, Ticket};
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Record, Status, View};

use super::log::Log;
use super::reach::Reach;

/// One node, over all its lives.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) standing: Standing,
    pub(super) incarnation: Incarnation,
    pub(super) memory: Memory,
    /// What its disk holds for good.
    pub(super) disk: Disk,
    /// While it comes up, what was found so far.
    pub(super) found: Disk,
    /// How far its log has reached in this life.
    pub(super) reach: Reach,
    /// How far it has in all its lives: where everything is durable, durably.
    pub(super) ever: Reach,
    /// The highest view for which it has sent a DOVIEWCHANGE, in all its lives.
    pub(super) voted: View,
    /// The last view that it has begun in this life.
    pub(super) started: Option<View>,
    /// The view that it has used last without leading it: said once, and not again with every message.
    pub(super) usurped: Option<View>,
    /// The last op-number that was acknowledged when it started.
    pub(super) acknowledged: Slot,
    /// If it has forgotten everything, and has not recovered yet: how far its log has to reach when it has.
    pub(super) recovering: Option<Slot>,
    /// Whether every message that it made before its status or view changed has left.
    pub(super) is_settled: bool,
    /// The last ticket when they changed.
    changed: Ticket,
    asked: Ticket,
    synced: Ticket,
    /// What it has asked to be stored and is not durable, by ticket.
    unsynced: VecDeque<(Ticket, Deed)>,
}

/// How a node is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By all that it does.
    Judged,
    /// It comes up: what its disk holds is being told. If it has to refuse, no sign of life follows.
    Starting,
}

/// What a replica has told of itself in its present life.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) status: Status,
    pub(super) view: View,
    pub(super) last_normal: View,
    pub(super) log: Log,
    /// The view that its log is of, going by what it has adopted.
    pub(super) log_view: View,
    pub(super) commit: Slot,
    pub(super) executed: Slot,
    /// The last epoch that has ended here: the first view of the next, and its last op-number.
    pub(super) ended: Option<(View, Slot)>,
}

/// What records come to.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) view: View,
    pub(super) last_normal: View,
    pub(super) commit: Slot,
    pub(super) log: Log,
    /// Up to where its snapshot reaches.
    pub(super) snapshot: Slot,
    pub(super) ended: Option<(View, Slot)>,
}

/// What a record says, entries by their digests.
#[derive(Debug)]
pub(super) enum Deed {
    Left(View),
    Prepared { op: Slot, entry: (View, u64), commit: Slot },
    Adopted { view: View, snapshot: Slot, after: Slot, entries: Vec<(View, u64)>, commit: Slot },
    Checkpoint(Slot),
    Held(Slot),
    Epoch { view: View, op: Slot, has_executed: bool, is_normal: bool },
}

/// With more unsynced records than these at one node, nothing is judged any more.
const UNSYNCED_MAX: usize = 16_384;

impl From<&Record> for Deed {
    fn from(record: &Record) -> Self {
        match record {
            Record::View { view } => Self::Left(*view),
            Record::Prepared { view, op, entry, commit } => {
                Self::Prepared { op: *op, entry: (*view, entry.digest()), commit: *commit }
            }
            Record::Adopted { view, state, snapshot } => Self::Adopted {
                view: *view,
                snapshot: snapshot.as_ref().map_or(Slot::ZERO, |snapshot| snapshot.index),
                after: state.log.after,
                entries: super::entries(&state.log).collect(),
                commit: state.commit,
            },
            Record::Checkpoint { snapshot } => Self::Checkpoint(snapshot.index),
            Record::Held { op } => Self::Held(*op),
            Record::Epoch { view, op, has_executed, is_normal, .. } => {
                let (has_executed, is_normal) = (*has_executed, *is_normal);
                Self::Epoch { view: *view, op: *op, has_executed, is_normal }
            }
        }
    }
}

impl Disk {
    /// One record more.
    pub(super) fn add(&mut self, deed: &Deed) {
        match deed {
            Deed::Left(view) => self.view = self.view.max(*view),
            Deed::Prepared { op, entry, commit } => {
                // A witness begins its log wherever it is told to.
                if *op > self.log.base() {
                    self.log.adopt(Slot(op.0 - 1), std::iter::once(*entry));
                }
                self.commit = self.commit.max(*commit);
            }
            Deed::Adopted { view, snapshot, after, entries, commit } => {
                self.reach_to(*snapshot);
                self.log.adopt(*after, entries.iter().copied());
                self.view = self.view.max(*view);
                self.last_normal = self.last_normal.max(*view);
                self.commit = self.commit.max(*commit);
            }
            Deed::Checkpoint(index) => self.reach_to(*index),
            Deed::Held(op) => {
                // What all have who execute is committed.
                self.commit = self.commit.max(*op);
                self.log.release(*op);
            }
            Deed::Epoch { view, op, has_executed, is_normal } => {
                if *has_executed {
                    self.commit = self.commit.max(*op);
                }
                self.view = self.view.max(*view);
                if *is_normal {
                    self.last_normal = self.last_normal.max(*view);
                }
                self.ended = Some((*view, *op));
            }
        }
    }

    fn reach_to(&mut self, snapshot: Slot) {
        self.snapshot = self.snapshot.max(snapshot);
        self.commit = self.commit.max(snapshot);
        self.log.release(snapshot);
    }

    fn reset(&mut self) {
        let mut log = std::mem::take(&mut self.log);
        log.reset();
        *self = Self { log, ..Self::default() };
    }
}

impl Memory {
    fn new() -> Self {
        Self {
            status: Status::Normal,
            view: View::FIRST,
            last_normal: View::FIRST,
            log: Log::default(),
            log_view: View::FIRST,
            commit: Slot::ZERO,
            executed: Slot::ZERO,
            ended: None,
        }
    }

    pub(super) fn reset(&mut self) {
        let mut log = std::mem::take(&mut self.log);
        log.reset();
        *self = Self { log, ..Self::new() };
    }

    /// What a replica knows that comes up with this disk.
    pub(super) fn load(&mut self, disk: &Disk) {
        self.log.copy(&disk.log);
        self.view = disk.view;
        self.last_normal = disk.last_normal;
        self.log_view = disk.last_normal;
        self.commit = disk.commit;
        self.executed = disk.snapshot;
        self.ended = disk.ended;
        let is_normal = disk.view == disk.last_normal;
        self.status = if is_normal { Status::Normal } else { Status::ViewChange };
    }
}

impl Node {
    pub(super) fn new() -> Self {
        Self {
            standing: Standing::Judged,
            incarnation: Incarnation(1),
            memory: Memory::new(),
            disk: Disk::default(),
            found: Disk::default(),
            reach: Reach::default(),
            ever: Reach::default(),
            voted: View::FIRST,
            started: None,
            usurped: None,
            acknowledged: Slot::ZERO,
            recovering: None,
            is_settled: true,
            changed: Ticket(0),
            asked: Ticket(0),
            synced: Ticket(0),
            unsynced: VecDeque::new(),
        }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.start(Incarnation(1));
        self.standing = Standing::Judged;
        self.disk.reset();
        self.ever = Reach::default();
        self.voted = View::FIRST;
    }

    /// A life begins: what was not durable may be gone.
    pub(super) fn start(&mut self, incarnation: Incarnation) {
        self.standing = Standing::Starting;
        self.incarnation = incarnation;
        self.memory.reset();
        self.found.reset();
        self.reach = Reach::default();
        self.started = None;
        self.usurped = None;
        self.acknowledged = Slot::ZERO;
        self.recovering = None;
        self.is_settled = true;
        (self.changed, self.asked, self.synced) = (Ticket(0), Ticket(0), Ticket(0));
        self.unsynced.clear();
    }

    /// It asked for something to be made durable. False where that is more than can be remembered.
    pub(super) fn persist(&mut self, ticket: Ticket, deed: Deed) -> bool {
        self.asked = ticket;
        self.unsynced.push_back((ticket, deed));
        self.unsynced.len() <= UNSYNCED_MAX
    }

    /// Everything up to `ticket` is durable; what that is comes out of [`Self::next_durable`].
    pub(super) fn advance(&mut self, ticket: Ticket) {
        self.synced = self.synced.max(ticket);
    }

    /// Takes the next record that has become durable.
    pub(super) fn next_durable(&mut self) -> Option<Deed> {
        let (_, deed) = self.unsynced.pop_front_if(|(ticket, _)| *ticket <= self.synced)?;
        Some(deed)
    }

    /// Whether something waits for its disk.
    pub(super) fn is_syncing(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// It acts. Whatever was held back until what is durable now was, has left.
    pub(super) fn act(&mut self) {
        self.is_settled |= self.synced >= self.changed;
    }

    /// Its status or view changed. Messages that it made before may leave later, if they wait for its disk.
    pub(super) fn change(&mut self) {
        self.changed = self.asked;
        self.is_settled = self.synced >= self.asked;
    }
}
