//! A replica and the world around it: what a driver must do, and what must hold whatever comes.

use std::collections::VecDeque;
use std::rc::Rc;

use quorate_systems::contract::{
    After, ClientId, Effect, Incarnation, Input, LocalTime, Micros, NodeId, Outbox, Recovered,
    Replica, Start, StartError, Ticket, TimerId,
};
use quorate_world::gate::{Departure, Gate};
use quorate_world::invariants::{Seen, Who};

use super::bench::Machine;
use super::disk::{DAMAGED, Disk};
use super::expected::Expected;
use super::pool::Pool;
use super::step::{Dice, Header, Step};
use super::trail::Trail;
use super::watch::Watch;
use super::{Cluster, Model, Scope, Streamed};
use crate::coverage;

/// A replica with its disk, its timers and its past.
pub(super) struct ReplicaMachine<S: Streamed> {
    cluster: Rc<Cluster<S>>,
    me: NodeId,
    is_hard_of_hearing: bool,
    has_twin: bool,
    incarnation: u64,
    now: u64,
    replica: Option<S::Replica>,
    outbox: Outbox<S>,
    /// The same replica once more: whatever it does must be the same.
    twin: Option<(S::Replica, Outbox<S>)>,
    gate: Gate<S>,
    timers: Vec<Timer>,
    disk: Disk<S::Record>,
    /// What it has said to itself and not heard yet.
    local: VecDeque<S::Message>,
    released: Vec<Departure<S::Message>>,
    heard: Pool<S::Message>,
    said: Pool<S::Message>,
    /// It dies within its next step.
    dies: Option<Death>,
    steps: u64,
    model: S::Model,
    expected: Expected<S>,
    watch: Watch<S>,
    /// What happens, for people.
    trail: Trail,
}

/// A timer that is set.
#[derive(Clone, Copy, Debug)]
struct Timer {
    id: TimerId,
    from: u64,
    until: u64,
}

/// How a replica is to die.
#[derive(Clone, Copy, Debug)]
struct Death {
    after_effects: usize,
    kept: u64,
}

/// Whether a replica has come through a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Goes,
    Ended,
}

/// A replica that answers itself so often within one step does so for ever.
const ECHOES_MAX: usize = 1_000;

impl<S: Streamed> Machine<S> for ReplicaMachine<S> {
    fn new(cluster: &Rc<Cluster<S>>) -> Self {
        Self {
            me: NodeId(0),
            is_hard_of_hearing: false,
            has_twin: false,
            incarnation: 0,
            now: 0,
            replica: None,
            outbox: Outbox::default(),
            twin: None,
            gate: Gate::default(),
            timers: Vec::new(),
            disk: Disk::new(),
            local: VecDeque::new(),
            released: Vec::new(),
            heard: Pool::new(),
            said: Pool::new(),
            dies: None,
            steps: 0,
            model: S::Model::new(),
            expected: Expected::new(),
            watch: Watch::new(cluster),
            trail: Trail::default(),
            cluster: cluster.clone(),
        }
    }

    fn begin(&mut self, header: Header, trail: &Trail) {
        self.reset(header);
        self.trail = trail.clone();
        self.trail.note(|| format!("{} of {}", self.me, self.cluster));
        self.trail.end_line();
        self.start(None);
        self.trail.end_line();
    }

    fn next(&mut self, step: Step) {
        self.now += 1_000;
        self.take(step);
        self.steps += 1;
        coverage::reached(self.model.state());
        self.trail.end_line();
    }

    fn hears(&self, step: Step) -> Option<(Who, S::Message)> {
        match step {
            Step::Forged(dice) | Step::Invoked(dice) => Some(S::forge(&self.scope(), dice)),
            Step::Answered(place, dice) => self.answer(place, dice),
            Step::Again(place) => {
                let spoken = self.heard.get(place)?;
                Some((spoken.from, spoken.message.clone()))
            }
            Step::Changed(place, dice) => {
                let mut spoken = self.heard.get(place)?.clone();
                S::alter(&self.scope(), spoken.from, &mut spoken.message, dice);
                Some((spoken.from, spoken.message))
            }
            Step::Timer(..)
            | Step::Synced(_)
            | Step::Crash(_)
            | Step::Dies(..)
            | Step::Checkpoint
            | Step::Damaged(_)
            | Step::Hear
            | Step::GivenUp => None,
        }
    }

    fn is_behind(&self) -> bool {
        self.disk.waiting() > 0
    }
}

impl<S: Streamed> ReplicaMachine<S> {
    /// As new, with the memory that it has.
    fn reset(&mut self, header: Header) {
        self.me = NodeId(u16::from(header.me) % self.cluster.nodes);
        self.is_hard_of_hearing = header.is_hard_of_hearing;
        self.has_twin = header.has_twin;
        self.incarnation = 0;
        self.now = 0;
        self.forget();
        self.disk.clear();
        self.heard.clear();
        self.said.clear();
        self.steps = 0;
        self.model.reset(&self.cluster, self.me);
        self.watch.reset(&self.cluster, self.me);
    }

    /// All that a crash takes, but what the disk loses.
    fn forget(&mut self) {
        self.replica = None;
        self.twin = None;
        self.outbox.reset();
        self.gate.reset();
        self.timers.clear();
        self.local.clear();
        self.dies = None;
    }

    fn take(&mut self, step: Step) {
        if self.model.is_absurd() {
            return;
        }
        match step {
            Step::Forged(_)
            | Step::Invoked(_)
            | Step::Answered(..)
            | Step::Again(_)
            | Step::Changed(..) => {
                if let Some((from, message)) = self.hears(step) {
                    self.deliver(from, message);
                }
            }
            Step::Timer(place, when) => self.fire(place, when),
            Step::Synced(count) => self.sync(count),
            Step::Crash(kept) => self.crash_and_start(kept.into(), None),
            Step::Dies(after_effects, kept) => {
                let after_effects = after_effects.into();
                self.trail.note(|| format!("it will die after {after_effects} effects"));
                self.dies = Some(Death { after_effects, kept: kept.into() });
            }
            Step::Checkpoint => self.checkpoint(),
            Step::Damaged(which) => self.crash_and_start(0, Some(which)),
            Step::Hear => {
                if let Some(message) = self.local.pop_front() {
                    self.hear_itself(message);
                }
            }
            // A client's matter.
            Step::GivenUp => {}
        }
    }

    fn scope(&self) -> Scope<'_, S> {
        Scope {
            cluster: &self.cluster,
            me: Some(self.me),
            heard: &self.heard,
            said: &self.said,
            model: &self.model,
            serial: self.steps + 1,
        }
    }

    /// A node answers what the replica said to some node.
    fn answer(&self, place: u8, dice: Dice) -> Option<(Who, S::Message)> {
        let said = self.said.get(place)?;
        // Any node but itself, whom the link would not name.
        let others = self.cluster.nodes.saturating_sub(1);
        let place = u16::from(dice.who).checked_rem(others)?;
        let from = NodeId(if place < self.me.0 { place } else { place + 1 });
        let message = S::answer(&self.scope(), &said.message, from, dice)?;
        Some((Who::Node(from), message))
    }

    fn deliver(&mut self, from: Who, message: S::Message) {
        self.trail.note(|| format!("{from} sends {message}"));
        let to = Who::Node(self.me);
        if S::is_watched(&message, false) {
            self.watch.see(&Seen::Sent { from, to, message: &message });
        }
        self.heard.push(from, message.clone());
        let input = match from {
            Who::Node(from) => Input::Message { from, message },
            Who::Client(client) => Input::Request { client, message },
        };
        self.step_and_settle(input);
    }

    /// One of the timers that are set fires, as late as the byte says.
    fn fire(&mut self, place: u8, when: u8) {
        let Some(place) = usize::from(place).checked_rem(self.timers.len()) else { return };
        let Timer { id, from, until } = self.timers.swap_remove(place);
        let due = from + (until - from) * u64::from(when) / u64::from(u8::MAX);
        self.now = self.now.max(due);
        self.trail.note(|| format!("timer {} fires", id.0));
        self.step_and_settle(Input::Timer(id));
    }

    fn sync(&mut self, count: u8) {
        let count = if count == u8::MAX { u64::MAX } else { u64::from(count) + 1 };
        if self.disk.waiting() == 0 {
            return;
        }
        let ticket = self.disk.sync(count);
        self.trail.note(|| format!("ticket {} is durable", ticket.0));
        self.watch.see(&Seen::Durable { node: self.me, ticket });
        let mut released = std::mem::take(&mut self.released);
        self.gate.durable(ticket, &mut released);
        for departure in released.drain(..) {
            self.depart(departure);
        }
        self.released = released;
        self.step_and_settle(Input::Persisted(ticket));
    }

    fn checkpoint(&mut self) {
        let Some(replica) = &self.replica else { return };
        let records = replica.checkpoint();
        if let Some((twin, _)) = &self.twin {
            assert_eq!(twin.checkpoint(), records, "equal replicas, other checkpoints");
        }
        self.trail.note(|| format!("a checkpoint of {} records", records.len()));
        self.disk.set_checkpoint(records);
    }

    /// Takes an input, and, unless it is hard of hearing, what it says to itself in consequence.
    fn step_and_settle(&mut self, input: Input<S::Message>) {
        if self.step(input) == Life::Goes && !self.is_hard_of_hearing {
            self.settle();
        }
    }

    fn settle(&mut self) {
        for _ in 0..ECHOES_MAX {
            let Some(message) = self.local.pop_front() else { return };
            if self.hear_itself(message) == Life::Ended {
                return;
            }
        }
        panic!("it goes on talking to itself: {:?}", self.local);
    }

    fn hear_itself(&mut self, message: S::Message) -> Life {
        let from = self.me;
        self.trail.note(|| format!(" | to itself {message}"));
        self.step(Input::Message { from, message })
    }

    fn step(&mut self, input: Input<S::Message>) -> Life {
        let Some(replica) = &mut self.replica else { return Life::Ended };
        self.expected.clear();
        self.model.at(self.now);
        self.model.step(&input, &mut self.expected);
        let now = LocalTime(self.now);
        if let Some((twin, outbox)) = &mut self.twin {
            twin.step(now, input.clone(), outbox);
        }
        replica.step(now, input, &mut self.outbox);
        self.carry_out()
    }

    /// Carries out the effects of a step, unless it dies among them.
    fn carry_out(&mut self) -> Life {
        let mut outbox = std::mem::take(&mut self.outbox);
        let dies = self.dies.filter(|death| death.after_effects <= outbox.len());
        let limit = dies.map_or(usize::MAX, |death| death.after_effects);
        let mut twin = self.twin.take();
        let mut others = twin.as_mut().map(|(_, outbox)| outbox.drain());
        for (done, effect) in outbox.drain().enumerate() {
            if done >= limit {
                break;
            }
            if let Some(others) = &mut others {
                let other = others.next();
                assert_eq!(other.as_ref(), Some(&effect), "equal inputs, other effects");
            }
            self.perform(effect);
        }
        drop(others);
        self.twin = twin;
        self.outbox = outbox;
        if let Some(Death { after_effects, kept }) = dies {
            self.trail.note(|| format!(" | and dies after {after_effects} effects"));
            self.crash_and_start(kept, None);
            return Life::Ended;
        }
        let Self { expected, model, .. } = self;
        expected.is_over(|message, nodes| model.may_choose(message, nodes));
        model.is_over();
        let (set, wanted) = (self.timers.len(), self.model.timers_min());
        assert!(set >= wanted, "{wanted} timers should be set at least, and {set} are");
        Life::Goes
    }

    fn perform(&mut self, effect: Effect<S>) {
        if self.model.is_absurd() {
            return;
        }
        match effect {
            Effect::Persist { ticket, record } => self.persist(ticket, record),
            Effect::Send { to, message, after } => {
                assert!(to.0 < self.cluster.nodes, "sent to {to}, which there is not: {message}");
                let waits = self.ticket_of(after);
                self.expected.on_send(to, &message, waits);
                self.model.has_sent(to, &message, waits);
                match self.gate.waits_for(after) {
                    None => self.send(to, message),
                    Some(ticket) => self.gate.hold(ticket, Departure::Send { to, message }),
                }
            }
            Effect::Reply { client, message, after } => {
                let waits = self.ticket_of(after);
                self.expected.on_reply(client, &message, waits);
                self.model.has_answered(client, &message, waits);
                match self.gate.waits_for(after) {
                    None => self.reply(client, message),
                    Some(ticket) => self.gate.hold(ticket, Departure::Reply { client, message }),
                }
            }
            Effect::SetTimer { id, min, max } => self.set_timer(id, min, max),
            Effect::CancelTimer { id } => self.timers.retain(|timer| timer.id != id),
            Effect::Observe(observation) => {
                let by = Who::Node(self.me);
                self.model.has_told(&observation);
                if S::is_told(&observation) && !self.model.is_absurd() {
                    self.watch.see(&Seen::Observed { by, observation: &observation });
                }
            }
            Effect::Mark(milestone) => self.trail.note(|| format!(" | {}", milestone.0)),
            Effect::Ignore(why) => self.trail.note(|| format!(" | ignored: {}", why.0)),
        }
    }

    /// What a message waits for, as a number: all that it issued so far, or a part of that.
    fn ticket_of(&self, after: After) -> u64 {
        match after {
            After::EveryPersist => self.disk.last_ticket(),
            After::Ticket(ticket) => ticket.0,
            After::Nothing => 0,
        }
    }

    fn persist(&mut self, ticket: Ticket, record: S::Record) {
        self.trail.note(|| format!(" | persists {record:?} as {}", ticket.0));
        self.gate.issue(ticket);
        self.expected.on_record(&record);
        self.model.has_persisted(&record);
        self.watch.see(&Seen::Persisted { node: self.me, ticket, record: &record });
        self.disk.write(record);
    }

    fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros) {
        assert!(min <= max, "a timer must fire between {min:?} and {max:?}");
        let timer = Timer { id, from: self.now + min.0, until: self.now + max.0 };
        match self.timers.iter_mut().find(|timer| timer.id == id) {
            Some(set) => *set = timer,
            None => self.timers.push(timer),
        }
    }

    fn depart(&mut self, departure: Departure<S::Message>) {
        match departure {
            Departure::Send { to, message } => self.send(to, message),
            Departure::Reply { client, message } => self.reply(client, message),
        }
    }

    fn send(&mut self, to: NodeId, message: S::Message) {
        if to == self.me {
            self.watch_departure(Who::Node(to), &message);
            return self.local.push_back(message);
        }
        self.speak(Who::Node(to), message);
    }

    fn reply(&mut self, client: ClientId, message: S::Message) {
        self.speak(Who::Client(client), message);
    }

    fn speak(&mut self, to: Who, message: S::Message) {
        self.trail.note(|| format!(" | to {to} {message}"));
        self.watch_departure(to, &message);
        // One to all is remembered once.
        if self.said.last().is_none_or(|last| last.message != message) {
            self.said.push(Who::Node(self.me), message);
        }
    }

    fn watch_departure(&mut self, to: Who, message: &S::Message) {
        if S::is_watched(message, true) {
            self.watch.see(&Seen::Sent { from: Who::Node(self.me), to, message });
        }
    }

    /// It dies and comes up again; a damaged record keeps it down until that is mended.
    fn crash_and_start(&mut self, kept: u64, damaged: Option<u8>) {
        self.forget();
        self.disk.crash(kept);
        let (me, left) = (self.me, self.disk.written().len());
        self.trail.note(|| format!("{me} dies and comes up; {left} records are left"));
        if damaged.is_some() && left > 0 {
            self.start(damaged);
        }
        self.start(None);
    }

    fn start(&mut self, damaged: Option<u8>) {
        self.incarnation += 1;
        let records = self.disk.read(damaged);
        let (node, incarnation) = (self.me, Incarnation(self.incarnation));
        self.watch.see(&Seen::Started { node, incarnation });
        let mut is_whole = true;
        for record in &records {
            match record {
                Recovered::Intact(record) => self.watch.see(&Seen::Found { node, record }),
                Recovered::Corrupt { .. } => is_whole = false,
            }
        }
        let start = self.start_of(records);
        if self.has_twin {
            let mut outbox = Outbox::default();
            let twin = S::Replica::start(start.clone(), &mut outbox);
            self.twin = twin.ok().map(|twin| (twin, outbox));
        }
        match S::Replica::start(start, &mut self.outbox) {
            Ok(replica) => self.replica = Some(replica),
            Err(StartError::CorruptRecord { place }) => {
                assert!(!is_whole && place == DAMAGED, "it refuses to start, for {place}");
                return self.forget();
            }
        }
        assert!(is_whole || !S::NEEDS_EVERY_RECORD, "it starts without a damaged record");
        self.expected.clear();
        self.model.at(self.now);
        if is_whole {
            self.model.start(self.incarnation, &self.disk.found(), &mut self.expected);
        }
        if self.carry_out() == Life::Goes && !self.is_hard_of_hearing {
            self.settle();
        }
    }

    fn start_of(&self, records: Vec<Recovered<S::Record>>) -> Start<S> {
        let ring =
            self.cluster.keys.as_ref().and_then(|keys| keys.nodes.get(usize::from(self.me.0)));
        Start {
            me: self.me,
            incarnation: Incarnation(self.incarnation),
            config: self.cluster.config.clone(),
            keys: ring.cloned().unwrap_or_default(),
            entropy: self.incarnation,
            now: LocalTime(self.now),
            records,
        }
    }
}
