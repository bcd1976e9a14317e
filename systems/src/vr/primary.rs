//! What a replica does as primary of its view: requests become entries, and entries are committed by quorums.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use super::Vr;
use super::entry::{Entry, Reconfiguration};
use super::message::{Message, Observation, Record};
use super::options::Replies;
use super::reads::Read;
use super::replica::{COMMIT, PATIENCE, RESEND, VrReplica};
use super::view::{Members, View};
use crate::contract::{After, Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::{Queue, Rounds, Slot};

/// What a replica does while it leads.
#[derive(Debug)]
pub(super) struct Primary {
    /// The end of its log when it began: until all up to it is executed, earlier primaries may have answered what it
    /// does not know yet.
    pub(super) began: Slot,
    /// Prepared and not committed, in the order of op-numbers.
    open: VecDeque<Open>,
    /// What the window has no room for.
    queue: Queue<Entry>,
    /// The highest op-number that each replica has acknowledged.
    acknowledged: BTreeMap<NodeId, Slot>,
    /// Whether witnesses are told everything, since a replica that executes is away.
    pub(super) is_spread: bool,
    /// Op-numbers before it were open when the timer for sending again was set.
    repeat_below: Slot,
    pub(super) rounds: Rounds<NodeSet>,
    /// So many rounds ago a quorum last answered one.
    silent: u32,
    /// Reads that wait.
    pub(super) reads: VecDeque<Read>,
}

/// An op-number that is not committed.
#[derive(Clone, Copy, Debug)]
struct Open {
    op: Slot,
    voters: NodeSet,
}

/// So many entries are sent again at once: with the first of them committed, the rest follows.
const REPEATS_MAX: usize = 16;
/// From one round to the next: several within the time after which a backup loses patience.
const COMMIT_SPAN: (Micros, Micros) = (Micros(40_000), Micros(60_000));
/// A primary whom no quorum answers for so many rounds gives up: perhaps it can speak and not hear, and keeps others
/// from leading.
const SILENT_MAX: u32 = 15;

impl Primary {
    fn new(commit: Slot, last: Slot) -> Self {
        let open = commit.next().through(last).map(|op| Open { op, voters: NodeSet::EMPTY });
        Self {
            began: last,
            open: open.collect(),
            queue: Queue::default(),
            acknowledged: BTreeMap::new(),
            is_spread: false,
            repeat_below: last.next(),
            rounds: Rounds::default(),
            silent: 0,
            reads: VecDeque::new(),
        }
    }

    /// Up to where all of these have acknowledged everything.
    fn held_by(&self, members: Members) -> Slot {
        let acknowledged = |node| self.acknowledged.get(&node).copied().unwrap_or_default();
        members.iter().map(acknowledged).min().unwrap_or_default()
    }
}

impl VrReplica {
    /// Leads its view from now on. What its log has and is not known to be committed is prepared anew.
    pub(super) fn lead(&mut self, out: &mut Outbox<Vr>) {
        let (commit, last) = (self.log.commit(), self.log.last());
        if last > commit {
            out.mark("tail-carried-over");
        }
        self.primary = Some(Box::new(Primary::new(commit, last)));
        out.send(self.me, Message::PrepareOk { view: self.view, op: last });
        out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
        self.on_commit_timer(out);
    }

    /// Leads no more: whoever still waits for an answer is sent on, and need not wait for a timer. Their requests may be
    /// executed nevertheless.
    pub(super) fn stop_leading(&mut self, out: &mut Outbox<Vr>) {
        let Some(primary) = self.primary.take() else { return };
        out.cancel_timer(COMMIT);
        let view = self.view;
        let reads = primary.reads.iter().map(|read| (read.client, read.number));
        let writes = self.in_flight.iter().map(|(client, number)| (*client, *number));
        for (client, number) in writes.chain(reads) {
            out.reply_after(After::Nothing, client, Message::Redirect { number, view });
        }
    }

    /// What is to stand in the log waits for its op-number.
    pub(super) fn enqueue(&mut self, entry: Entry, out: &mut Outbox<Vr>) {
        let (client, number) = entry.asked();
        if self.in_flight.get(&client).is_some_and(|known| *known >= number) {
            return out.ignore("REQUEST that is on its way");
        }
        if self.is_ending() {
            return out.ignore("REQUEST at the end of an epoch");
        }
        let Some(primary) = &mut self.primary else { return };
        if !primary.queue.push(client, entry) {
            return out.ignore("REQUEST while too many wait");
        }
        self.in_flight.insert(client, number);
        self.prepare_queued(out);
        if self.primary.as_ref().is_some_and(|primary| !primary.queue.is_empty()) {
            out.mark("window-full");
        }
    }

    /// Whether the epoch's last entry is in the log: nothing may come after it.
    pub(super) fn is_ending(&self) -> bool {
        let last = self.log.get(self.log.last());
        last.is_some_and(|place| {
            place.entry.reconfiguration().is_some() && place.ballot.epoch == self.view.epoch
        })
    }

    /// Gives what waits its op-numbers, as far as the window has room.
    fn prepare_queued(&mut self, out: &mut Outbox<Vr>) {
        while self.log.last().since(self.log.commit()) < self.config.window && !self.is_ending() {
            let Some(primary) = &mut self.primary else { return };
            let Some(entry) = primary.queue.pop() else { return };
            self.prepare(entry, out);
        }
    }

    /// Appends an entry and sends it to the backups, who may have it on disk before the primary has.
    fn prepare(&mut self, entry: Entry, out: &mut Outbox<Vr>) {
        let (view, op) = (self.view, self.log.last().next());
        let (commit, held) = (self.log.commit(), self.held);
        let after = self.after_view();
        for node in self.told().iter() {
            let entry = entry.clone();
            out.send_after(after, node, Message::Prepare { view, op, entry, commit, held });
        }
        let Some(primary) = &mut self.primary else { return };
        if primary.open.is_empty() {
            primary.repeat_below = op.next();
            out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
        }
        primary.open.push_back(Open { op, voters: NodeSet::EMPTY });
        self.append(view, entry, out);
        out.send(self.me, Message::PrepareOk { view, op });
    }

    /// Puts an entry that was assigned its op-number in `view` behind the last.
    pub(super) fn append(&mut self, view: View, entry: Entry, out: &mut Outbox<Vr>) {
        let (op, commit) = (self.log.last().next(), self.log.commit());
        let (client, number) = entry.asked();
        let known = self.in_flight.entry(client).or_insert(number);
        *known = number.max(*known);
        let digest = self.log.push(view, entry.clone());
        let ticket = self.keep(Record::Prepared { view, op, entry, commit }, out).0;
        out.observe(Observation::Appended { view, op, entry: digest, ticket });
        self.execute_ahead(op, out);
    }

    /// Who is sent what is prepared.
    fn told(&self) -> NodeSet {
        let is_spread = self.primary.as_ref().is_some_and(|primary| primary.is_spread);
        let told = if is_spread { self.members } else { self.executors() };
        told.set().without(NodeSet::of(self.me))
    }

    /// An op-number is committed once a quorum has acknowledged it in this view. Who acknowledges one has all before
    /// it, so that those are committed as well.
    pub(super) fn on_prepare_ok(
        &mut self,
        from: NodeId,
        view: View,
        op: Slot,
        out: &mut Outbox<Vr>,
    ) {
        if !self.members.contains(from) || view != self.view {
            return out.ignore("PREPAREOK of another view");
        }
        let (last, members, executors) = (self.log.last(), self.members, self.executors());
        let Some(primary) = &mut self.primary else {
            return out.ignore("PREPAREOK to a replica that does not lead");
        };
        if op > last {
            return out.ignore("PREPAREOK of what was not prepared");
        }
        let known = primary.acknowledged.entry(from).or_default();
        *known = op.max(*known);
        let is_single = self.config.mutants.deviates(Mutant::V12);
        for open in &mut primary.open {
            if open.op == op || (open.op < op && !is_single) {
                open.voters.insert(from);
            }
        }
        let is_committed =
            |open: &&Open| members.is_quorum(open.voters) && !self.log.is_decided(open.op);
        let committed: alloc::vec::Vec<Open> =
            primary.open.iter().filter(is_committed).copied().collect();
        for Open { op, voters } in &committed {
            out.observe(Observation::Committed { view, op: *op, voters: *voters });
            self.log.decide(*op);
        }
        if self.config.has_witnesses {
            let held = primary.held_by(executors).min(self.log.commit());
            primary.is_spread &= held < last;
            self.hold(held);
        }
        if !committed.is_empty() {
            self.execute_committed(out);
            self.progress(out);
        }
    }

    /// Something more is committed: the window has room, reads may have what they wait for.
    pub(super) fn progress(&mut self, out: &mut Outbox<Vr>) {
        let commit = self.log.commit();
        let Some(primary) = &mut self.primary else { return };
        while primary.open.pop_front_if(|open| open.op <= commit).is_some() {}
        if !primary.queue.is_empty() {
            self.prepare_queued(out);
        }
        self.serve_reads(out);
    }

    /// Sends again what has been open for long, to whom has not acknowledged it. If one of those executes, it may be
    /// away, and witnesses must store what it lacks.
    pub(super) fn prepare_again(&mut self, out: &mut Outbox<Vr>) {
        let executors = self.executors().set();
        let Some(primary) = &mut self.primary else { return };
        let old = primary.open.iter().take_while(|open| open.op < primary.repeat_below);
        let old: alloc::vec::Vec<Open> = old.take(REPEATS_MAX).copied().collect();
        let is_away = old.iter().any(|open| !open.voters.includes(executors));
        if self.config.has_witnesses && is_away && !primary.is_spread {
            primary.is_spread = true;
        }
        if !primary.open.is_empty() {
            primary.repeat_below = self.log.last().next();
            out.set_timer(RESEND, PATIENCE.0, PATIENCE.1);
        }
        let (view, commit, held) = (self.view, self.log.commit(), self.held);
        let (told, after) = (self.told(), self.after_view());
        for Open { op, voters } in old {
            let Some(place) = self.log.get(op) else { continue };
            for node in told.without(voters).iter() {
                let entry = place.entry.clone();
                out.send_after(after, node, Message::Prepare { view, op, entry, commit, held });
            }
        }
    }

    /// Begins a round, unless nobody has answered for so long that it must give up.
    pub(super) fn on_commit_timer(&mut self, out: &mut Outbox<Vr>) {
        let Some(primary) = &mut self.primary else {
            return out.ignore("commit timer of a replica that does not lead");
        };
        if primary.silent >= SILENT_MAX {
            out.mark("primary-alone");
            return self.leave_for(self.view.next(), out);
        }
        primary.silent += 1;
        out.set_timer(COMMIT, COMMIT_SPAN.0, COMMIT_SPAN.1);
        self.begin_round(out);
    }

    /// Tells every replica what is committed, and counts its own answer.
    pub(super) fn begin_round(&mut self, out: &mut Outbox<Vr>) {
        let (view, commit, held) = (self.view, self.log.commit(), self.held);
        let after = self.after_view();
        let Some(primary) = &mut self.primary else { return };
        let round = primary.rounds.start(self.now);
        for node in self.others() {
            out.send_after(after, node, Message::Commit { view, round, commit, held });
        }
        self.on_commit_ok(self.me, view, round, out);
    }

    /// A round is confirmed by a quorum: the view had not been left by so many when it began.
    pub(super) fn on_commit_ok(
        &mut self,
        from: NodeId,
        view: View,
        round: u64,
        out: &mut Outbox<Vr>,
    ) {
        if !self.members.contains(from) || view != self.view {
            return out.ignore("COMMIT_OK of another view");
        }
        let members = self.members;
        let Some(primary) = &mut self.primary else {
            return out.ignore("COMMIT_OK to a replica that does not lead");
        };
        let confirmed = primary.rounds.answer(round, |voters| {
            voters.insert(from);
            members.is_quorum(*voters)
        });
        let Some(confirmed) = confirmed else { return };
        primary.silent = 0;
        self.take_lease(confirmed, out);
        self.serve_reads(out);
    }

    /// A reconfiguration, or why it is none of this view's.
    pub(super) fn reconfiguration(&self, reconfiguration: Reconfiguration) -> Result<Entry, &str> {
        let nodes = NodeSet::all(self.config.nodes);
        if !nodes.includes(reconfiguration.members.set()) {
            return Err("RECONFIGURATION to replicas that there are not");
        }
        Ok(Entry::Reconfiguration(reconfiguration))
    }

    /// How a request is answered once it is committed: by its primary, unless all have answered already.
    pub(super) fn answers_committed(&self, entry: &Entry) -> bool {
        let is_answered =
            self.config.replies == Replies::Prepare && entry.reconfiguration().is_none();
        self.primary.is_some() && !is_answered
    }
}
