//! The replica core: one server with all its roles.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Psb;
use super::describe::view_of;
use super::election::{Election, Progress};
use super::leader::{Leader, UpdateQueue};
use super::message::{Message, Record};
use super::options::Config;
use super::tally::Accepts;
use super::updates::Pending;
use super::view::View;
use crate::contract::{
    ClientId, Input, LocalTime, NodeId, Outbox, Recovered, Replica, Start, StartError, TimerId,
};
use crate::mutant::Mutant;
use crate::paxos::Entry;
use crate::smr::{Log, Machine, Slot, Snapshot, Standing};

/// One server of the replicated state machine.
#[derive(Debug)]
pub struct PsbReplica {
    pub(super) me: NodeId,
    pub(super) config: Config,
    pub(super) state: State,
    /// `Last_Attempted`: the view that it is in, or wants to be in. It promises nothing.
    pub(super) attempted: View,
    /// `Last_Installed`: nothing of earlier views is accepted, in any slot.
    pub(super) installed: View,
    /// `Global_History`. Its commit index is `Local_Aru`: all slots up to it are ordered.
    pub(super) log: Log<View, Entry>,
    /// The Accepts for slots that are not known to be ordered.
    pub(super) accepts: BTreeMap<Slot, Accepts>,
    /// The state after all slots executed so far; the paper's `Last_Executed` is its table of clients.
    pub(super) machine: Machine,
    /// The state that stands for the slots no longer in the history.
    pub(super) snapshot: Box<Snapshot>,
    /// `Pending_Updates`: those that it is responsible for.
    pub(super) pending: BTreeMap<ClientId, Pending>,
    /// Whether the Update timer runs.
    pub(super) is_resending: bool,
    /// The leader's: updates that have no slot yet.
    pub(super) queue: UpdateQueue,
    /// Every slot up to it is ordered, as that server said.
    pub(super) heard: (Slot, NodeId),
    /// Whether the timer runs that asks for ordered entries.
    pub(super) is_fetching: bool,
    /// How often it has asked without an answer.
    pub(super) unanswered: u32,
    pub(super) progress: Progress,
    /// How many views in a row were about to be installed, and came to nothing.
    pub(super) fruitless: u32,
}

/// The states of the paper.
#[derive(Debug)]
pub(super) enum State {
    /// `LEADER_ELECTION`: it attempts a view, or prepares the one that it is to lead.
    LeaderElection(Election),
    /// `REG_LEADER`: it has installed a view and leads it.
    RegLeader(Leader),
    /// `REG_NONLEADER`: it has installed a view that another server leads.
    RegNonleader,
}

/// Fires when there was something to do for long, and nothing was done.
pub(super) const PROGRESS: TimerId = TimerId(0);
/// Forward again what this server is responsible for.
pub(super) const UPDATE: TimerId = TimerId(1);
/// Tell the others which view is installed here, and how far it has got.
pub(super) const VC_PROOF: TimerId = TimerId(2);
/// Send again what was not answered.
pub(super) const RETRANSMIT: TimerId = TimerId(3);
/// Ask for ordered entries.
pub(super) const FETCH: TimerId = TimerId(4);

impl Replica<Psb> for PsbReplica {
    fn start(start: Start<Psb>, out: &mut Outbox<Psb>) -> Result<Self, StartError> {
        let Start { me, config, records, .. } = start;
        let mut replica = Self {
            me,
            config,
            state: State::RegNonleader,
            attempted: View::ZERO,
            installed: View::ZERO,
            log: Log::default(),
            accepts: BTreeMap::new(),
            machine: Machine::default(),
            snapshot: Box::default(),
            pending: BTreeMap::new(),
            is_resending: false,
            queue: UpdateQueue::default(),
            heard: (Slot::ZERO, me),
            is_fetching: false,
            unanswered: 0,
            progress: Progress::default(),
            fruitless: 0,
        };
        for record in records {
            match record {
                Recovered::Intact(record) => replica.recover(record),
                Recovered::Corrupt { .. } if replica.config.mutants.deviates(Mutant::P26) => break,
                // What it said may have made a majority: without it, the majority may be none.
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        replica.resume(out);
        replica.watch_progress(out);
        replica.assert_invariants();
        Ok(replica)
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Psb>) {
        match input {
            Input::Message { from, message } => self.on_message(from, message, out),
            Input::Request { client, message } => self.on_client_message(client, message, out),
            // Nothing is done on durability but to send what waited for it.
            Input::Persisted(_) => return,
            Input::Timer(id) => self.on_timer(id, out),
        }
        self.watch_progress(out);
        self.assert_invariants();
    }

    fn checkpoint(&self) -> Vec<Record> {
        let mut records = Vec::new();
        if self.snapshot.index > Slot::ZERO {
            records.push(Record::Snapshot { snapshot: self.snapshot.clone() });
        }
        for (slot, place) in self.log.suffix(Slot::ZERO) {
            let entry = place.entry.clone();
            records.push(match place.ballot {
                View::ZERO => Record::Ordered { slot, entry },
                view => Record::Accepted { slot, view, entry },
            });
        }
        let pending = self.pending.values();
        records.extend(pending.map(|pending| Record::Pending { update: pending.update.clone() }));
        if self.installed > View::ZERO {
            records.push(Record::Installed { view: self.installed });
        }
        records
    }
}

impl PsbReplica {
    fn recover(&mut self, record: Record) {
        match record {
            Record::Installed { view } => self.installed = self.installed.max(view),
            Record::Accepted { slot, view, entry } => self.log.accept(slot, view, entry),
            Record::Ordered { slot, entry } => self.log.settle(slot, entry),
            Record::Pending { update } => {
                self.pending.insert(update.client, Pending::new(update));
            }
            Record::Snapshot { snapshot } => {
                self.log.truncate(snapshot.index);
                self.snapshot = snapshot;
            }
        }
    }

    /// Goes on from what was found on disk: in the view that is installed, unless it is to lead it. What it
    /// knew of that view as its leader is gone, so that it wants another one.
    fn resume(&mut self, out: &mut Outbox<Psb>) {
        self.machine = Machine::new((*self.snapshot).clone());
        self.attempted = self.installed;
        let machine = &self.machine;
        self.pending.retain(|client, Pending { update, .. }| {
            machine.standing(*client, update.number) == Standing::New
        });
        self.execute_ordered(out);
        if self.config.nodes > 1 {
            Self::set_vc_proof_timer(out);
        }
        self.set_update_timer(out);
        if self.installed == View::ZERO || self.leads(self.installed) {
            self.shift_to_leader_election(self.installed.next(), out);
        } else {
            self.forward_pending(out);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Outbox<Psb>) {
        if let Some(view) = view_of(&message)
            && (view > View::LAST
                || view == View::ZERO && !matches!(message, Message::VcProof { .. }))
        {
            return out.ignore("a view that there is not");
        }
        match message {
            Message::ClientUpdate { update } => self.on_forwarded_update(from, update, out),
            Message::ViewChange { attempted } => self.on_view_change(from, attempted, out),
            Message::VcProof { installed, aru } => self.on_vc_proof(from, installed, aru, out),
            Message::Prepare { view, aru } if view.leader(self.config.nodes) == from => {
                self.on_prepare(view, aru, out);
            }
            Message::PrepareOk { view, data } => self.on_prepare_ok(from, view, *data, out),
            Message::Proposal { view, slot, entry } if view.leader(self.config.nodes) == from => {
                self.on_proposal(view, slot, entry, out);
            }
            Message::Accept { view, slot, entry } => self.on_accept(from, view, slot, entry, out),
            Message::Fetch { from: first } => self.on_fetch(from, first, out),
            Message::FetchOk { from: first, entries } => {
                self.on_fetch_ok(from, first, entries, out);
            }
            Message::Snapshot { snapshot } => self.on_snapshot(snapshot, out),
            Message::Prepare { .. } | Message::Proposal { .. } => {
                out.ignore("not from the leader of its view");
            }
            Message::Reply { .. } => out.ignore("not for a server"),
        }
    }

    fn on_client_message(&mut self, client: ClientId, message: Message, out: &mut Outbox<Psb>) {
        match message {
            Message::ClientUpdate { update } if update.client == client => {
                self.on_client_update(update, out);
            }
            Message::ClientUpdate { .. }
            | Message::Reply { .. }
            | Message::ViewChange { .. }
            | Message::VcProof { .. }
            | Message::Prepare { .. }
            | Message::PrepareOk { .. }
            | Message::Proposal { .. }
            | Message::Accept { .. }
            | Message::Fetch { .. }
            | Message::FetchOk { .. }
            | Message::Snapshot { .. } => out.ignore("not from this client"),
        }
    }

    fn on_timer(&mut self, id: TimerId, out: &mut Outbox<Psb>) {
        match id {
            PROGRESS => self.on_progress_timer(out),
            UPDATE => self.on_update_timer(out),
            VC_PROOF => self.on_vc_proof_timer(out),
            RETRANSMIT => self.on_retransmit_timer(out),
            FETCH => self.on_fetch_timer(out),
            _ => out.ignore("timer without a meaning"),
        }
    }

    fn on_retransmit_timer(&mut self, out: &mut Outbox<Psb>) {
        match self.state {
            State::LeaderElection(Election { preparing: Some(_), .. }) => self.repeat_prepare(out),
            State::LeaderElection(Election { preparing: None, .. }) => self.repeat_view_change(out),
            State::RegLeader(_) => self.repeat_proposals(out),
            State::RegNonleader => out.ignore("nothing to send again"),
        }
    }

    /// Whether this server is the leader of `view`.
    pub(super) fn leads(&self, view: View) -> bool {
        view.leader(self.config.nodes) == self.me
    }

    /// All servers but this one.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let me = self.me;
        self.config.nodes().filter(move |node| *node != me)
    }

    fn assert_invariants(&self) {
        assert!(self.log.base() == self.snapshot.index, "a snapshot stands for what is truncated");
        assert!(self.machine.applied() >= self.log.commit(), "what is ordered is executed");
        let is_own = self.leads(self.installed) && self.attempted == self.installed;
        match &self.state {
            State::LeaderElection(Election { preparing: Some(_), .. }) => {
                assert!(is_own, "only the leader of an installed view prepares it");
            }
            State::LeaderElection(Election { preparing: None, .. }) => {
                assert!(self.attempted > self.installed, "a later view is attempted");
            }
            State::RegLeader(leader) => {
                assert!(is_own, "only the leader of an installed view leads it");
                leader.assert_invariants(self.log.commit());
            }
            State::RegNonleader => {
                assert!(self.attempted == self.installed, "no other view is attempted");
            }
        }
    }
}
