//! `REG_LEADER`: updates get their slots, several at a time.

use alloc::collections::{BTreeMap, VecDeque};

use super::Psb;
use super::message::{Message, Observation};
use super::replica::{PsbReplica, RETRANSMIT, State};
use super::view::View;
use crate::contract::{ClientId, Micros, NodeId, Outbox};
use crate::parties::NodeSet;
use crate::paxos::Entry;
use crate::smr::{Request, RequestNumber, Slot, Standing};

/// What a server knows while it leads.
#[derive(Debug)]
pub(super) struct Leader {
    /// The last slot in which something was found when its view was prepared.
    adopted: Slot,
    /// `Last_Proposed`: the slots after it are free.
    last_proposed: Slot,
    /// Whether the timer runs that has proposals sent again.
    is_repeating: bool,
    /// Slots up to it were open when that timer was set.
    repeat_up_to: Slot,
}

/// `Update_Queue` and `Last_Enqueued`: of no worth to anybody else, and gone with the leadership.
#[derive(Debug, Default)]
pub(super) struct UpdateQueue {
    /// Updates that have no slot yet.
    updates: VecDeque<Request>,
    /// The last update of each client that stands in an open slot or in the queue: its copies are dropped.
    enqueued: BTreeMap<ClientId, RequestNumber>,
}

/// How long a Proposal may be unanswered.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// So many slots are proposed again at once: with the first of them ordered, the rest follows.
const REPEATS_MAX: usize = 16;
/// So many updates may wait for the window. Whoever is responsible for what is dropped sends it again.
const QUEUE_MAX: usize = 1_024;

impl Leader {
    pub(super) fn new(adopted: Slot) -> Self {
        let (last_proposed, repeat_up_to) = (adopted, Slot::ZERO);
        Self { adopted, last_proposed, is_repeating: false, repeat_up_to }
    }

    pub(super) fn assert_invariants(&self, commit: Slot) {
        assert!(self.last_proposed >= self.adopted, "updates come after what was adopted");
        assert!(self.last_proposed >= commit, "what is ordered is not free");
    }
}

impl UpdateQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// Puts an update in line, unless it or a later one of its client is on its way: `Enqueue_Update`.
    fn add(&mut self, update: Request) -> Result<(), &'static str> {
        if self.enqueued.get(&update.client).is_some_and(|known| *known >= update.number) {
            return Err("Client_Update that is on its way");
        }
        if self.updates.len() >= QUEUE_MAX {
            return Err("Client_Update while too many wait");
        }
        self.enqueued.insert(update.client, update.number);
        self.updates.push_back(update);
        Ok(())
    }

    /// These updates have slots.
    pub(super) fn remove_bound(&mut self, bound: &BTreeMap<ClientId, RequestNumber>) {
        let is_free = |update: &Request| {
            bound.get(&update.client).is_none_or(|number| update.number > *number)
        };
        self.updates.retain(is_free);
    }

    /// An update stands in a slot.
    fn bind(&mut self, update: &Request) {
        let known = self.enqueued.entry(update.client).or_insert(update.number);
        *known = update.number.max(*known);
    }

    /// An update was executed: its client may be answered from the table now.
    pub(super) fn executed(&mut self, client: ClientId, number: RequestNumber) {
        if self.enqueued.get(&client) == Some(&number) {
            self.enqueued.remove(&client);
        }
    }
}

impl PsbReplica {
    /// A leader, or one that is about to lead, puts an update in line; says why if it does not.
    pub(super) fn enqueue(&mut self, update: Request) -> Result<(), &'static str> {
        match self.machine.standing(update.client, update.number) {
            Standing::Old => Err("Client_Update before the client's last"),
            // Whoever is responsible for it is behind, and executes it as well when it has caught up.
            Standing::Executed(_) => Err("Client_Update that was executed"),
            Standing::New => self.queue.add(update),
        }
    }

    /// Gives waiting updates their slots, as far as the window has room: `Send_Proposal`.
    pub(super) fn send_proposals(&mut self, out: &mut Outbox<Psb>) {
        let commit = self.log.commit();
        loop {
            let State::RegLeader(leader) = &mut self.state else { return };
            // A snapshot may have gone beyond what was proposed here.
            leader.last_proposed = leader.last_proposed.max(commit);
            if leader.last_proposed.since(commit) >= self.config.window {
                break;
            }
            let Some(update) = self.queue.updates.pop_front() else { return };
            leader.last_proposed = leader.last_proposed.next();
            let slot = leader.last_proposed;
            self.propose(slot, &Entry::Request(update), None, out);
        }
        if !self.queue.is_empty() {
            out.mark("window-full");
        }
    }

    /// Proposes, once the Proposal is durable here: it counts as the leader's acceptance.
    pub(super) fn propose(
        &mut self,
        slot: Slot,
        entry: &Entry,
        adopted: Option<View>,
        out: &mut Outbox<Psb>,
    ) {
        let State::RegLeader(leader) = &mut self.state else { return };
        let view = self.installed;
        if let Some(update) = entry.request() {
            self.queue.bind(update);
        }
        if !leader.is_repeating && self.config.nodes > 1 {
            leader.is_repeating = true;
            leader.repeat_up_to = leader.last_proposed;
            out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        }
        out.observe(Observation::Proposed { view, slot, entry: entry.digest(), adopted });
        self.accept(slot, view, entry.clone(), out);
        for node in self.hearers() {
            out.send(node, Message::Proposal { view, slot, entry: entry.clone() });
        }
    }

    /// Who hears a Proposal: all others. A leader that is alone hears it itself, once it is durable.
    fn hearers(&self) -> impl Iterator<Item = NodeId> + use<> {
        let is_alone = self.config.nodes == 1;
        let me = self.me;
        self.config.nodes().filter(move |node| *node != me || is_alone)
    }

    /// Sends again what has been open for long, to whom it has no Accept of.
    pub(super) fn repeat_proposals(&mut self, out: &mut Outbox<Psb>) {
        let (view, commit) = (self.installed, self.log.commit());
        let State::RegLeader(leader) = &mut self.state else { return };
        let old = self.log.suffix(commit.next()).filter(|(_, place)| !place.is_decided);
        let old = old.take_while(|(slot, _)| *slot <= leader.repeat_up_to);
        let me = self.me;
        for (slot, place) in old.take(REPEATS_MAX) {
            let accepts = self.accepts.get(&slot).filter(|accepts| accepts.view == view);
            let voters = accepts.map_or(NodeSet::EMPTY, |accepts| accepts.tally.voters());
            for node in self.config.nodes().filter(|node| *node != me && !voters.contains(*node)) {
                let entry = place.entry.clone();
                out.send(node, Message::Proposal { view, slot, entry });
            }
        }
        leader.is_repeating = leader.last_proposed > commit;
        leader.repeat_up_to = leader.last_proposed;
        if leader.is_repeating {
            out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        }
    }
}
