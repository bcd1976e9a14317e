//! Phase 2: requests become slots, several at a time, and slots are decided by majorities.

use alloc::collections::{BTreeMap, VecDeque};

use super::Paxos;
use super::ballot::Ballot;
use super::entry::Entry;
use super::message::{Message, Observation};
use super::options::Reads;
use super::reads::Read;
use super::replica::{HEARTBEAT, PaxosReplica, RETRANSMIT, Role};
use super::tally::Tally;
use crate::contract::{After, ClientId, Command, Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::smr::{Queue, Request, RequestNumber, Rounds, Slot, Standing, is_read};

/// What a node does while it leads.
#[derive(Debug)]
pub(super) struct Leader {
    pub(super) ballot: Ballot,
    /// The last slot found in phase 1: until all up to it are executed, earlier leaders may have answered
    /// what this one does not know yet.
    pub(super) adopted: Slot,
    /// The first slot that is free.
    next: Slot,
    /// Proposed and not known to be decided with all before it, in the order of slots; gaps are decided.
    open: VecDeque<Open>,
    /// Requests that the window has no room for.
    queue: Queue<Request>,
    /// The last request of each client that stands in an open slot or in the queue: its copies are dropped.
    /// Of no worth to anybody else, and gone with the leadership.
    in_flight: BTreeMap<ClientId, RequestNumber>,
    /// Slots before it were open when the timer for sending again was set.
    repeat_below: Slot,
    pub(super) rounds: Rounds<Tally>,
    /// So many heartbeats ago a majority last answered one.
    pub(super) silent: u32,
    /// Reads that wait for a round.
    pub(super) reads: VecDeque<Read>,
}

/// A slot that is not decided yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    slot: Slot,
    tally: Tally,
}

/// How long a P2A may be unanswered.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// So many slots are sent again at once: with the first of them decided, the rest follows.
const REPEATS_MAX: usize = 16;
/// From one round of heartbeats to the next: several within the time after which a follower loses patience.
const HEARTBEAT_SPAN: (Micros, Micros) = (Micros(40_000), Micros(60_000));
/// A leader whom no majority answers for so many heartbeats gives up: perhaps it can speak and not hear,
/// and keeps others from leading.
const SILENT_MAX: u32 = 15;

impl Leader {
    pub(super) fn new(ballot: Ballot, adopted: Slot) -> Self {
        Self {
            ballot,
            adopted,
            next: adopted.next(),
            open: VecDeque::new(),
            queue: Queue::default(),
            in_flight: BTreeMap::new(),
            repeat_below: Slot::ZERO,
            rounds: Rounds::default(),
            silent: 0,
            reads: VecDeque::new(),
        }
    }

    fn open_mut(&mut self, slot: Slot) -> Option<&mut Open> {
        let place = self.open.partition_point(|open| open.slot < slot);
        self.open.get_mut(place).filter(|open| open.slot == slot)
    }

    /// Whether one more slot may be open.
    fn has_room(&self, commit: Slot, window: u64) -> bool {
        self.next.since(commit) <= window
    }

    /// A request was executed: its client may be answered from the table now.
    pub(super) fn executed(&mut self, client: ClientId, number: RequestNumber) {
        if self.in_flight.get(&client) == Some(&number) {
            self.in_flight.remove(&client);
        }
    }

    /// It leads no more: whoever still waits for an answer is sent on, and need not wait for a timer. Their
    /// requests may be executed nevertheless.
    pub(super) fn dismiss(&self, successor: Option<NodeId>, out: &mut Outbox<Paxos>) {
        let reads = self.reads.iter().map(|read| (read.client, read.number));
        let writes = self.in_flight.iter().map(|(client, number)| (*client, *number));
        for (client, number) in writes.chain(reads) {
            let redirect = Message::Redirect { number, leader: successor };
            out.reply_after(After::Nothing, client, redirect);
        }
    }

    pub(super) fn assert_invariants(&self, commit: Slot) {
        assert!(self.next > self.adopted, "new requests come after what was adopted");
        assert!(self.open.front().is_none_or(|open| open.slot > commit), "decided is not open");
        assert!(self.open.back().is_none_or(|open| open.slot < self.next), "open is not free");
    }
}

impl PaxosReplica {
    /// A client's request: answered from the table if it was executed, dropped if it is on its way or
    /// overtaken.
    pub(super) fn on_request(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        command: Command,
        out: &mut Outbox<Paxos>,
    ) {
        if !matches!(self.role, Role::Leader(_)) {
            return self.on_request_elsewhere(Request { client, number, command }, out);
        }
        match self.machine.standing(client, number) {
            Standing::Old => return out.ignore("REQUEST before the client's last"),
            Standing::Executed(outcome) => {
                let reply = Message::Reply { number, outcome: outcome.clone() };
                return out.reply_after(After::Nothing, client, reply);
            }
            Standing::New => {}
        }
        if is_read(&command) {
            if self.config.mutants.deviates(Mutant::P20) {
                return self.serve(&Read::new(client, number, command), true, out);
            }
            if self.config.reads != Reads::Log {
                return self.on_read(Read::new(client, number, command), out);
            }
        }
        self.enqueue(Request { client, number, command }, out);
    }

    /// A request that is to stand in the log waits for its slot.
    pub(super) fn enqueue(&mut self, request: Request, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Request { client, number, .. } = request;
        if leader.in_flight.get(&client).is_some_and(|known| *known >= number) {
            return out.ignore("REQUEST that is on its way");
        }
        if !leader.queue.push(client, request) {
            return out.ignore("REQUEST while too many wait");
        }
        leader.in_flight.insert(client, number);
        self.propose_queued(out);
        if matches!(&self.role, Role::Leader(leader) if !leader.queue.is_empty()) {
            out.mark("window-full");
        }
    }

    /// Gives waiting requests their slots, as far as the window has room.
    fn propose_queued(&mut self, out: &mut Outbox<Paxos>) {
        loop {
            let Role::Leader(leader) = &mut self.role else { return };
            if !leader.has_room(self.log.commit(), self.config.window) {
                return;
            }
            let Some(request) = leader.queue.pop() else { return };
            let slot = leader.next;
            leader.next = slot.next();
            self.propose(slot, Entry::Request(request), None, out);
        }
    }

    /// Phase 2a. The leader's own acceptance becomes durable while the others already have theirs under
    /// way: it counts when its P2B, held back until then, comes back to itself.
    pub(super) fn propose(
        &mut self,
        slot: Slot,
        entry: Entry,
        adopted: Option<Ballot>,
        out: &mut Outbox<Paxos>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let ballot = leader.ballot;
        if let Entry::Request(Request { client, number, .. }) = &entry {
            let known = leader.in_flight.entry(*client).or_insert(*number);
            *known = *number.max(known);
        }
        if leader.open.is_empty() {
            leader.repeat_below = leader.next;
            out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        }
        leader.open.push_back(Open { slot, tally: Tally::default() });
        let digest = entry.digest();
        out.observe(Observation::Proposed { ballot, slot, entry: digest, adopted });
        let commit = self.log.commit();
        for node in self.others() {
            let entry = entry.clone();
            out.send_after(After::Nothing, node, Message::P2a { ballot, slot, entry, commit });
        }
        self.accept(slot, ballot, entry, out);
        let promised = self.promised;
        out.send(self.me, Message::P2b { ballot, slot, ok: true, promised });
    }

    /// Sends again what has been open for long, to whom it has no acceptance of.
    pub(super) fn repeat_p2a(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (ballot, commit) = (leader.ballot, self.log.commit());
        let old = leader.open.iter().take_while(|open| open.slot < leader.repeat_below);
        for open in old.take(REPEATS_MAX) {
            let Some(place) = self.log.get(open.slot).filter(|place| !place.is_decided) else {
                continue;
            };
            for node in self.config.nodes() {
                if node != self.me && !open.tally.voters().contains(node) {
                    let entry = place.entry.clone();
                    let message = Message::P2a { ballot, slot: open.slot, entry, commit };
                    out.send_after(After::Nothing, node, message);
                }
            }
        }
        if !leader.open.is_empty() {
            leader.repeat_below = leader.next;
            out.set_timer(RETRANSMIT, PATIENCE.0, PATIENCE.1);
        }
    }

    /// A slot is decided once a majority of distinct acceptors, the leader among them or not, accepted in
    /// this ballot.
    pub(super) fn on_p2b(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        slot: Slot,
        out: &mut Outbox<Paxos>,
    ) {
        let leader = match &mut self.role {
            Role::Leader(leader) if leader.ballot == ballot => leader,
            Role::Leader(_) | Role::Candidate(_) | Role::Follower => {
                return out.ignore("P2B for a ballot that is not in phase 2");
            }
        };
        let Some(open) = leader.open_mut(slot) else {
            return out.ignore("P2B for a slot that is not open");
        };
        open.tally.add(from, self.config.mutants);
        let tally = open.tally;
        let needed =
            if self.config.mutants.deviates(Mutant::P16) { 1 } else { self.config.majority() };
        if tally.count() < needed || !self.log.decide(slot) {
            return;
        }
        let entry = self.log.get(slot).map_or(0, |place| place.digest);
        let voters = tally.voters();
        out.observe(Observation::Decided { ballot, slot, entry, voters });
        self.execute_decided(out);
        self.progress(out);
    }

    /// Something more is decided: slots close, the window has room, reads may have what they wait for.
    pub(super) fn progress(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let commit = self.log.commit();
        while leader.open.pop_front_if(|open| open.slot <= commit).is_some() {}
        // A snapshot may have gone beyond what was proposed here.
        leader.next = leader.next.max(commit.next());
        if !leader.queue.is_empty() {
            self.propose_queued(out);
        }
        self.serve_reads(out);
    }

    /// Begins a round of heartbeats, unless nobody has answered for so long that it must give up.
    pub(super) fn on_heartbeat_timer(&mut self, out: &mut Outbox<Paxos>) {
        let Role::Leader(leader) = &mut self.role else {
            return out.ignore("heartbeat timer without leadership");
        };
        if leader.silent >= SILENT_MAX {
            out.mark("leader-alone");
            return self.step_down(out);
        }
        leader.silent += 1;
        out.set_timer(HEARTBEAT, HEARTBEAT_SPAN.0, HEARTBEAT_SPAN.1);
        self.begin_round(out);
    }
}
