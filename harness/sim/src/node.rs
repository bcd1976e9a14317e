//! One replica in the simulated world: the core, and what a machine would give it.

use std::collections::VecDeque;

use quorate_plan::Endpoint;
use quorate_systems::contract::{
    ClientId, Effect, Incarnation, Input, LocalTime, Micros, NodeId, Outbox, Recovered, Replica,
    Ticket, TimerId,
};
use quorate_world::gate::{Departure, Gate};
use quorate_world::invariants::{Seen, Watched, Who};
use quorate_world::liar::Liar;

use crate::clock::Clock;
use crate::disk::{Disk, DiskMode, Loss};
use crate::event::Event;
use crate::milestones;
use crate::stage::Stage;
use crate::timers::Timers;

/// A replica and its machine. Twins have a machine each, and one identity.
pub(crate) struct Node<S: Watched> {
    /// Its place among all machines.
    pub(crate) slot: u16,
    /// Who it says it is.
    pub(crate) me: NodeId,
    pub(crate) replica: Option<S::Replica>,
    pub(crate) incarnation: u64,
    outbox: Outbox<S>,
    gate: Gate<S>,
    timers: Timers,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk<S::Record>,
    pub(crate) liar: Liar<S>,
    /// It has lied: it is not judged any more.
    pub(crate) is_tainted: bool,
    /// What it has said to itself and not heard yet.
    local: VecDeque<S::Message>,
    released: Vec<Departure<S::Message>>,
    /// It stands still: what comes meanwhile waits here.
    pub(crate) paused: Option<Vec<Event>>,
    /// It dies once so many effects of a step are carried out.
    pub(crate) dies_after: Option<Dying>,
    /// The time of its next wake in the queue.
    wake_at: u64,
    /// Timers were set since a wake was planned.
    has_new_timers: bool,
    /// What the syncs in the queue must be of to count: it changes with every life, and when a sync ends otherwise.
    epoch: u32,
    /// Whether it owes clients an answer, since the last healing.
    pub(crate) duty: Duty,
}

/// How a node is to die in the middle of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dying {
    /// After so many effects.
    pub(crate) after_effects: u8,
    /// What happens to records that are not durable then.
    pub(crate) power_loss: bool,
}

/// Whether a client has asked a node something, and got something to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nobody has asked.
    None,
    /// It was asked, at a time when it had its memory, and has not answered anybody.
    Asked,
    /// It has answered.
    Done,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The node goes on.
    Alive,
    /// It went down within the step.
    Died,
}

/// Never: no wake is in the queue.
const NEVER: u64 = u64::MAX;

impl<S: Watched> Node<S> {
    pub(crate) fn new(slot: u16, me: NodeId, seed: u64) -> Self {
        Self {
            slot,
            me,
            replica: None,
            incarnation: 0,
            outbox: Outbox::default(),
            gate: Gate::default(),
            timers: Timers::default(),
            clock: Clock::new(0),
            disk: Disk::default(),
            liar: Liar::new(Who::Node(me), seed),
            is_tainted: false,
            local: VecDeque::new(),
            released: Vec::new(),
            paused: None,
            dies_after: None,
            wake_at: NEVER,
            has_new_timers: false,
            epoch: 0,
            duty: Duty::None,
        }
    }

    /// A new machine with the memory of this one, which may have been a twin.
    pub(crate) fn reset(&mut self, me: NodeId, seed: u64) {
        self.me = me;
        self.replica = None;
        self.incarnation = 0;
        self.outbox = Outbox::default();
        self.gate.reset();
        self.timers.clear();
        self.clock = Clock::new(0);
        self.disk.reset();
        self.liar = Liar::new(Who::Node(me), seed);
        self.is_tainted = false;
        self.local.clear();
        self.paused = None;
        self.dies_after = None;
        self.wake_at = NEVER;
        self.epoch = 0;
        self.duty = Duty::None;
    }

    /// Whether it is up, and not standing still.
    pub(crate) const fn is_running(&self) -> bool {
        self.replica.is_some() && self.paused.is_none()
    }

    /// Whether it is up, and knows what it knew in its earlier lives.
    pub(crate) fn remembers(&self) -> bool {
        self.replica.as_ref().is_some_and(Replica::remembers)
    }

    /// It goes down; how many records that were not durable are lost.
    pub(crate) fn crash(&mut self, stage: &mut Stage<S>, loss: Loss) -> u64 {
        self.replica = None;
        self.outbox = Outbox::default();
        self.gate.reset();
        self.timers.clear();
        self.local.clear();
        self.paused = None;
        self.dies_after = None;
        // A wake of this life that is still in the queue is none of the next one's.
        self.wake_at = NEVER;
        self.epoch += 1;
        let gone = self.disk.crash(loss);
        if gone > 0 {
            stage.witness.mark(milestones::RECORD_LOST);
        }
        stage.witness.node(stage.now, self.me, false);
        gone
    }

    /// It comes up from what its disk holds; the reason if it refuses.
    pub(crate) fn start(&mut self, stage: &mut Stage<S>) -> Result<Step, String> {
        self.incarnation += 1;
        let (me, incarnation) = (self.me, Incarnation(self.incarnation));
        let found = self.disk.recover();
        if found.torn_bytes > 0 {
            stage.witness.mark(milestones::TAIL_CUT);
        }
        self.clock = Clock::new(stage.now);
        if !self.is_tainted {
            stage.witness.see(stage.now, &Seen::Started { node: me, incarnation });
            for record in &found.records {
                if let Recovered::Intact(record) = record {
                    stage.witness.see(stage.now, &Seen::Found { node: me, record });
                }
            }
        }
        stage.witness.node(stage.now, me, true);
        let start = stage.start_of(me, incarnation, self.slot, found.records);
        stage.acting = Some(Who::Node(me));
        let started = S::Replica::start(start, &mut self.outbox);
        stage.acting = None;
        match started {
            Ok(replica) => self.replica = Some(replica),
            Err(refusal) => {
                self.outbox = Outbox::default();
                return Err(refusal.to_string());
            }
        }
        let step = self.carry_out(stage);
        Ok(if step == Step::Alive { self.settle(stage) } else { step })
    }

    /// Takes one input, and what it says to itself in consequence.
    #[inline]
    pub(crate) fn take(&mut self, stage: &mut Stage<S>, input: Input<S::Message>) -> Step {
        match self.step(stage, input) {
            Step::Alive => self.settle(stage),
            Step::Died => Step::Died,
        }
    }

    /// Lets it hear what it said to itself, and sees to its next wake.
    #[inline]
    fn settle(&mut self, stage: &mut Stage<S>) -> Step {
        while let Some(message) = self.local.pop_front() {
            let from = self.me;
            stage.witness.note_value(&message);
            if self.step(stage, Input::Message { from, message }) == Step::Died {
                return Step::Died;
            }
        }
        if self.has_new_timers {
            self.plan_wake(stage);
        }
        Step::Alive
    }

    #[inline]
    fn step(&mut self, stage: &mut Stage<S>, input: Input<S::Message>) -> Step {
        let Some(replica) = &mut self.replica else { return Step::Alive };
        let now = self.clock.show(stage.now);
        if !self.liar.is_honest() {
            self.liar.hear_input(&input);
        }
        stage.acting = Some(Who::Node(self.me));
        replica.step(now, input, &mut self.outbox);
        stage.acting = None;
        self.carry_out(stage)
    }

    /// Carries out the effects of a step, unless it dies among them.
    fn carry_out(&mut self, stage: &mut Stage<S>) -> Step {
        let mut outbox = std::mem::take(&mut self.outbox);
        let limit = self.dies_after.map(|dying| usize::from(dying.after_effects));
        // A step that has fewer effects than that passes.
        let limit = limit.filter(|limit| *limit <= outbox.len());
        let mut step = Step::Alive;
        for (done, effect) in outbox.drain().enumerate() {
            if limit == Some(done) {
                step = Step::Died;
                break;
            }
            if self.perform(stage, effect) == Step::Died {
                step = Step::Died;
                break;
            }
        }
        self.outbox = outbox;
        if limit.is_some() && step == Step::Alive {
            step = Step::Died;
        }
        if step == Step::Died {
            return Step::Died;
        }
        if self.disk.wants_checkpoint()
            && let Some(replica) = &self.replica
        {
            self.disk.set_checkpoint(replica.checkpoint());
            stage.witness.mark(milestones::CHECKPOINT);
        }
        self.plan_sync(stage);
        Step::Alive
    }

    /// Carries out one effect; messages that must wait for the disk are held back.
    #[inline]
    fn perform(&mut self, stage: &mut Stage<S>, effect: Effect<S>) -> Step {
        match effect {
            Effect::Send { to, message, after } => match self.gate.waits_for(after) {
                None => self.send(stage, to, message),
                Some(ticket) => self.gate.hold(ticket, Departure::Send { to, message }),
            },
            Effect::Reply { client, message, after } => match self.gate.waits_for(after) {
                None => self.reply(stage, client, message),
                Some(ticket) => self.gate.hold(ticket, Departure::Reply { client, message }),
            },
            Effect::Persist { ticket, record } => {
                self.gate.issue(ticket);
                return self.persist(stage, ticket, record);
            }
            Effect::SetTimer { id, min, max } => self.set_timer(stage, id, min, max),
            Effect::CancelTimer { id } => {
                self.timers.cancel(id);
            }
            Effect::Observe(observation) => {
                if !self.is_tainted {
                    stage.witness.observed(stage.now, Who::Node(self.me), &observation);
                }
            }
            Effect::Mark(milestone) => stage.witness.mark(milestone),
            Effect::Ignore(why) => stage.witness.ignore(why),
        }
        Step::Alive
    }

    fn persist(&mut self, stage: &mut Stage<S>, ticket: Ticket, record: S::Record) -> Step {
        match self.disk.mode {
            DiskMode::Good | DiskMode::IoError => {
                if !self.is_tainted {
                    let node = self.me;
                    let seen = Seen::Persisted { node, ticket, record: &record };
                    stage.witness.see(stage.now, &seen);
                }
                self.disk.append(ticket, record);
                Step::Alive
            }
            DiskMode::Full => Step::Died,
            DiskMode::Tear => {
                self.disk.tear(record);
                Step::Died
            }
        }
    }

    /// A message may leave; one to itself stays, and is never lost.
    #[inline]
    fn send(&mut self, stage: &mut Stage<S>, to: NodeId, message: S::Message) {
        if to == self.me {
            return self.local.push_back(message);
        }
        self.speak(stage, Who::Node(to), message);
    }

    #[inline]
    fn reply(&mut self, stage: &mut Stage<S>, client: ClientId, message: S::Message) {
        self.duty = Duty::Done;
        self.speak(stage, Who::Client(client), message);
    }

    #[inline]
    fn speak(&mut self, stage: &mut Stage<S>, to: Who, message: S::Message) {
        let from = Who::Node(self.me);
        if self.liar.is_honest() {
            return stage.send(from, to, message);
        }
        let delay_us = self.liar.delay_us();
        for message in self.liar.tell(to, message) {
            stage.send_late(from, to, message, delay_us);
        }
    }

    fn set_timer(&mut self, stage: &mut Stage<S>, id: TimerId, min: Micros, max: Micros) {
        let end = Endpoint::Node(self.slot);
        let after = stage.draw_timer(end, id, min, max);
        let now = self.clock.show(stage.now);
        self.timers.set(id, LocalTime(now.0 + after));
        self.has_new_timers = true;
    }

    /// A sync is begun where something waits for one.
    fn plan_sync(&mut self, stage: &mut Stage<S>) {
        if self.disk.begin_sync() {
            let after = stage.draw_sync(self.slot);
            stage.queue.push(stage.now + after, Event::Synced(self.slot, self.epoch));
        }
    }

    /// Whether it runs and its disk is busy with a sync.
    pub(crate) fn is_syncing(&self) -> bool {
        self.is_running() && self.disk.is_syncing()
    }

    /// The sync that is under way ends now, and not when it would have.
    pub(crate) fn end_sync_now(&mut self, stage: &mut Stage<S>) -> Step {
        self.epoch += 1;
        self.on_synced(stage, self.epoch)
    }

    /// The sync of this life is done.
    pub(crate) fn on_synced(&mut self, stage: &mut Stage<S>, epoch: u32) -> Step {
        if epoch != self.epoch || self.replica.is_none() {
            return Step::Alive;
        }
        if self.disk.mode == DiskMode::IoError {
            return Step::Died;
        }
        let ticket = self.disk.end_sync();
        stage.witness.note(ticket.0);
        if !self.is_tainted {
            stage.witness.see(stage.now, &Seen::Durable { node: self.me, ticket });
        }
        let mut released = std::mem::take(&mut self.released);
        self.gate.durable(ticket, &mut released);
        for departure in released.drain(..) {
            match departure {
                Departure::Send { to, message } => self.send(stage, to, message),
                Departure::Reply { client, message } => self.reply(stage, client, message),
            }
        }
        self.released = released;
        self.plan_sync(stage);
        self.take(stage, Input::Persisted(ticket))
    }

    /// Fires what is due.
    pub(crate) fn on_wake(&mut self, stage: &mut Stage<S>, at: u64) -> Step {
        if at != self.wake_at || self.replica.is_none() {
            return Step::Alive;
        }
        self.wake_at = NEVER;
        let now = self.clock.show(stage.now);
        while let Some(id) = self.timers.pop_due(now) {
            stage.witness.note(id.0);
            if self.step(stage, Input::Timer(id)) == Step::Died {
                return Step::Died;
            }
        }
        self.has_new_timers = true;
        self.settle(stage)
    }

    /// Whether it runs and has this timer set.
    pub(crate) fn has_timer(&self, id: TimerId) -> bool {
        self.is_running() && self.timers.is_set(id)
    }

    /// Fires one timer now, which is set.
    pub(crate) fn fire(&mut self, stage: &mut Stage<S>, id: TimerId) -> Step {
        self.timers.cancel(id);
        self.take(stage, Input::Timer(id))
    }

    /// Puts a wake for the next timer into the queue, unless an earlier one is there.
    #[inline]
    pub(crate) fn plan_wake(&mut self, stage: &mut Stage<S>) {
        self.has_new_timers = false;
        let Some(next) = self.timers.next() else { return };
        let at = self.clock.when(stage.now, next);
        if at < self.wake_at {
            self.wake_at = at;
            stage.queue.push(at, Event::WakeNode(self.slot));
        }
    }

    /// The clock goes wrong.
    pub(crate) fn set_clock(&mut self, stage: &mut Stage<S>, offset_us: i64, rate_ppm: u32) {
        self.clock.set(stage.now, offset_us, rate_ppm);
        self.plan_wake_anew(stage);
    }

    /// The clock goes right again.
    pub(crate) fn right_clock(&mut self, stage: &mut Stage<S>) {
        self.clock.set_right(stage.now);
        self.plan_wake_anew(stage);
    }

    /// What is in the queue may come too late, or was taken out while the node stood still.
    pub(crate) fn plan_wake_anew(&mut self, stage: &mut Stage<S>) {
        self.wake_at = NEVER;
        if self.is_running() {
            self.plan_wake(stage);
        }
    }

    /// What it has on disk, in another machine: twins begin alike.
    pub(crate) fn copy_disk(&mut self, other: &Self) {
        self.disk.copy(&other.disk);
        self.incarnation = other.incarnation;
    }
}
