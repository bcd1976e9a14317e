//! The loop: events in the order of virtual time, to those whom they concern, until the run is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_checkers::history::{RunDigest, Time, What};
use quorate_plan::{Endpoint, Generator, Plan, TraceStep};
use quorate_systems::contract::{ClientId, Describe, Input, Key, NodeId, TimerId};
use quorate_world::invariants::{Watched, Who};
use quorate_world::moments::{MomentId, Moments};
use quorate_world::weather;

use crate::client::{Client, Progress};
use crate::event::{Event, Phase};
use crate::faults::Planned;
use crate::network::Flight;
use crate::node::{Duty, Node, Step};
use crate::phases::FINAL_KEYS_MAX;
use crate::queue::QueueKind;
use crate::remote::{self, Remote};
use crate::stage::Stage;
use crate::states::{SYNCED, States, WAKE};
use crate::witness::{Checks, Counts, VIOLATIONS_MAX};

/// Takes the events of a history as they happen; it may refuse, which ends the run.
pub type Sink<'a> = dyn FnMut(Time, What) -> Result<(), String> + 'a;

/// A simulated world. It can run one plan after the other, and keeps its memory between them.
pub(crate) struct Sim<S: Watched> {
    pub(crate) stage: Stage<S>,
    /// The replicas by place, then twins.
    pub(crate) nodes: Vec<Node<S>>,
    pub(crate) nodes_count: u16,
    /// Twins that are up: whose, and which machine.
    pub(crate) twins: Vec<(u16, u16)>,
    /// The clients by place, then the administrator.
    pub(crate) clients: Vec<Client<S>>,
    pub(crate) administrator: u32,
    pub(crate) faults: Vec<Planned>,
    pub(crate) seed: u64,
    /// When the faults end, in microseconds.
    pub(crate) limit: u64,
    pub(crate) phase: Phase,
    generator: Option<Generator>,
    /// Each key with the number of its last operation.
    last_use: BTreeMap<u64, u64>,
    used: u64,
    is_scripted: bool,
    new_moments: Vec<MomentId>,
    clock_moments: Vec<MomentId>,
    pokes: Vec<Poke>,
    events_max: u64,
    pub(crate) liveness: Option<Liveness<S>>,
    /// Who looks on from outside.
    pub(crate) remote: Option<Arc<Remote>>,
    pub(crate) interrupted: bool,
    /// Tells of abstract states, where somebody asked for that.
    pub(crate) states: Option<Box<States>>,
}

/// What liveness asks of the run that is going on.
pub(crate) struct Liveness<S: Watched> {
    pub(crate) core: Option<std::collections::BTreeSet<u16>>,
    /// Within what time each client must be done with each thing that the end of a run asks of it.
    pub(crate) bound_us: u64,
    /// The same while only the core is healed.
    pub(crate) core_bound_us: u64,
    /// How long one attempt at an operation may take then.
    pub(crate) patience_us: u64,
    /// The configurations that the run may come to.
    pub(crate) configs: Vec<S::Config>,
    /// Whether the nodes that must suffice do, as long as they have their memory.
    pub(crate) is_demanded: bool,
    /// The phases at whose beginning too few nodes had theirs.
    pub(crate) forgetful: Vec<Phase>,
    /// Whether every node that is asked must answer.
    pub(crate) answers_all: bool,
    /// When the present phase began.
    pub(crate) since: u64,
    /// When everybody had done all that the phase asks of them, if they have.
    pub(crate) idle_since: u64,
}

impl<S: Watched> Liveness<S> {
    /// Whether it is demanded at the end of this phase.
    pub(crate) fn is_demanded_of(&self, phase: Phase) -> bool {
        self.is_demanded && !self.forgetful.contains(&phase)
    }

    /// Where it was not demanded, and why.
    fn notes(&self) -> Vec<String> {
        if !self.is_demanded {
            return vec![
                "liveness was not demanded: the plan leaves too few nodes for it".to_owned(),
            ];
        }
        let of_phase = |phase: &Phase| {
            let (when, who) = match phase {
                Phase::Core => ("while only the core was healed", "too many nodes of it"),
                Phase::Safety | Phase::Whole | Phase::Over => {
                    ("once everything was healed", "too many nodes")
                }
            };
            format!("liveness was not demanded {when}: {who} had forgotten what they knew")
        };
        self.forgetful.iter().map(of_phase).collect()
    }
}

/// A wake, or the end of a sync, that the plan's trace spells out.
#[derive(Debug)]
struct Poke {
    what: Poked,
    /// The place of its entry in the plan.
    entry: usize,
    /// Its timer was set, or its disk busy, when its time had come.
    bit: bool,
}

/// What a [`Poke`] is about.
#[derive(Clone, Copy, Debug)]
enum Poked {
    NodeTimer(u16, TimerId),
    ClientTimer(u32, TimerId),
    Disk(u16),
}

/// What there is after a run, besides its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The digest over all events of the world.
    pub digest: RunDigest,
    /// How often something that must hold did not.
    pub violations: u64,
    /// How often each milestone was reached, by name.
    pub milestones: Counts,
    /// How often an input changed nothing, by reason.
    pub ignored: Counts,
    /// How much virtual time passed, in microseconds.
    pub virtual_us: u64,
    /// How many messages were sent.
    pub messages: u64,
    /// What is remarkable about the run, one sentence each: what the plan has and nothing came of, or that liveness
    /// was not demanded.
    pub notes: Vec<String>,
    /// It was stopped before its time, by a [`Remote`]: its plan alone does not give it again.
    pub interrupted: bool,
}

/// More events than this are no run but a mistake: a core that talks to itself without end.
const EVENTS_MAX: u64 = 2_000_000_000;

impl<S: Watched> Sim<S> {
    /// A world in which nothing has happened yet.
    pub(crate) fn new(queue: QueueKind) -> Self {
        Self {
            stage: Stage::new(queue),
            nodes: Vec::new(),
            nodes_count: 0,
            twins: Vec::new(),
            clients: Vec::new(),
            administrator: 0,
            faults: Vec::new(),
            seed: 0,
            limit: 0,
            phase: Phase::Safety,
            generator: None,
            last_use: BTreeMap::new(),
            used: 0,
            is_scripted: false,
            new_moments: Vec::new(),
            clock_moments: Vec::new(),
            pokes: Vec::new(),
            events_max: EVENTS_MAX,
            liveness: None,
            remote: None,
            interrupted: false,
            states: None,
        }
    }

    /// Runs a plan that was checked, for the configuration that its options give.
    pub(crate) fn run(
        &mut self,
        plan: &Plan,
        config: &S::Config,
        checks: Checks,
        sink: &mut Sink<'_>,
    ) -> Result<Outcome, String> {
        self.prepare(plan, config, checks);
        while self.phase != Phase::Over {
            let Some(entry) = self.stage.queue.pop() else { break };
            self.stage.now = entry.at;
            self.stage.witness.steps += 1;
            self.handle(entry.at, entry.event);
            if self.stage.witness.watches_moments() {
                self.follow_moments();
            }
            if !self.stage.witness.records.is_empty() {
                for (time, what) in self.stage.witness.records.drain(..) {
                    sink(time, what)?;
                }
            }
            let steps = self.stage.witness.steps;
            if steps.is_multiple_of(remote::EVERY) {
                self.heed_remote(steps);
            }
            if steps >= self.events_max || self.stage.witness.violations >= VIOLATIONS_MAX {
                break;
            }
        }
        self.finish(sink)
    }

    #[cold]
    fn heed_remote(&mut self, steps: u64) {
        let Some(remote) = &self.remote else { return };
        if remote.look(self.stage.now, steps) && self.phase == Phase::Safety {
            self.interrupted = true;
            self.enter(Phase::Core);
        }
    }

    /// Hands on what was not yet, and says what there is to say.
    pub(crate) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<Outcome, String> {
        if self.stage.witness.steps >= self.events_max {
            let what = format!("the run was given up after {} events", self.events_max);
            self.stage.witness.trouble(self.stage.now, Vec::new(), what);
        }
        for (time, what) in self.stage.witness.records.drain(..) {
            sink(time, what)?;
        }
        let witness = &self.stage.witness;
        Ok(Outcome {
            digest: RunDigest { steps: witness.steps, digest: witness.digest.to_hex() },
            violations: witness.violations,
            milestones: witness.milestones.clone(),
            ignored: witness.ignored.clone(),
            virtual_us: self.stage.now,
            messages: self.stage.network.sent,
            notes: self.notes(),
            interrupted: self.interrupted,
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.stage.network.unused();
        let vain = self.pokes.iter().filter(|poke| !poke.bit);
        notes.extend(vain.map(|poke| {
            let missed = match poke.what {
                Poked::NodeTimer(..) | Poked::ClientTimer(..) => "timer set",
                Poked::Disk(_) => "sync under way",
            };
            format!("trace[{}] found no {missed}", poke.entry)
        }));
        notes.extend(self.liveness.iter().flat_map(Liveness::notes));
        notes
    }

    fn prepare(&mut self, plan: &Plan, config: &S::Config, checks: Checks) {
        let mut moments = Moments::new();
        let clients = plan.workload.clients;
        self.faults = Planned::all(plan, &mut moments);
        let scripts = scripts(plan, &mut moments);
        self.seed = plan.seed;
        self.limit = plan.durations.time_limit_ms * 1_000;
        self.phase = Phase::Safety;
        self.interrupted = false;
        self.twins.clear();
        self.stage.reset(plan, clients + 1, config, (checks, moments));
        self.prepare_clock_moments();
        self.generator = Some(Generator::new(&plan.workload, plan.seed));
        self.last_use.clear();
        self.used = 0;
        self.is_scripted = scripts.len() == clients as usize;
        self.set_liveness(plan, config);
        self.prepare_nodes(plan);
        self.prepare_clients(plan, scripts);
        for (place, planned) in (0..).zip(&self.faults) {
            if planned.moment.is_none() {
                self.stage.queue.push(planned.at_us(), Event::FaultBegins(place));
            }
        }
        self.prepare_trace(plan);
        if let Some(states) = &mut self.states {
            states.reset();
        }
        self.stage.queue.push(self.limit, Event::Phase(Phase::Core));
    }

    /// Moments that the clock brings: whoever waits for one has registered it by now, rules as well.
    fn prepare_clock_moments(&mut self) {
        self.clock_moments.clear();
        for (place, (at_ms, moment)) in (0..).zip(self.stage.witness.moments.times()) {
            self.clock_moments.push(moment);
            self.stage.queue.push(at_ms * 1_000, Event::Moment(place));
        }
    }

    fn prepare_nodes(&mut self, plan: &Plan) {
        self.nodes_count = plan.system.nodes;
        self.nodes.truncate(usize::from(plan.system.nodes));
        for place in 0..plan.system.nodes {
            let seed = weather::draw(plan.seed, "liar", &[u64::from(place)]);
            match self.nodes.get_mut(usize::from(place)) {
                Some(node) => node.reset(NodeId(place), seed),
                None => self.nodes.push(Node::new(place, NodeId(place), seed)),
            }
        }
        for place in 0..plan.system.nodes {
            self.revive(place);
        }
    }

    fn prepare_clients(&mut self, plan: &Plan, mut scripts: Scripts) {
        self.administrator = plan.workload.clients;
        self.clients.truncate(self.administrator as usize + 1);
        while self.clients.len() <= self.administrator as usize {
            self.clients.push(Client::new());
        }
        for (place, client) in (0..).zip(&mut self.clients) {
            let me = ClientId(place);
            if place == self.administrator {
                client.reset_administrator(&self.stage, me);
            } else if let Some(operations) = scripts.remove(&place) {
                client.reset_scripted(&self.stage, me, plan, operations);
            } else {
                client.reset_drawn(&self.stage, me, plan);
            }
            client.plan_wake(&mut self.stage);
        }
    }

    fn prepare_trace(&mut self, plan: &Plan) {
        self.pokes.clear();
        for (index, entry) in plan.trace.iter().enumerate() {
            let what = match &entry.step {
                TraceStep::Wake { who: Endpoint::Node(node), timer } => {
                    Poked::NodeTimer(*node, TimerId(*timer))
                }
                TraceStep::Wake { who: Endpoint::Client(client), timer } => {
                    Poked::ClientTimer(*client, TimerId(*timer))
                }
                TraceStep::Sync { node } => Poked::Disk(*node),
                TraceStep::Deliver(_) | TraceStep::Lose(_) => continue,
            };
            let place = u32::try_from(self.pokes.len()).expect("traces fit into memory");
            self.pokes.push(Poke { what, entry: index, bit: false });
            self.stage.queue.push(entry.at_us, Event::Poke(place));
        }
    }

    #[inline]
    fn handle(&mut self, at: u64, event: Event) {
        self.stage.witness.note(at);
        match event {
            Event::Deliver(slot) => self.deliver(slot),
            Event::Depart(slot) => self.stage.depart(slot),
            Event::WakeNode(slot) => {
                self.stage.witness.note(1 << 32 | u64::from(slot));
                if self.postponed(slot, event) {
                    return;
                }
                let Some(node) = self.nodes.get_mut(usize::from(slot)) else { return };
                let step = node.on_wake(&mut self.stage, at);
                self.after(slot, step);
                self.happened_at(slot, WAKE);
            }
            Event::WakeClient(client) => {
                self.stage.witness.note(2 << 32 | u64::from(client));
                self.wake_client(client, at);
            }
            Event::Synced(slot, epoch) => {
                self.stage.witness.note(3 << 32 | u64::from(slot));
                if self.postponed(slot, event) {
                    return;
                }
                let Some(node) = self.nodes.get_mut(usize::from(slot)) else { return };
                let step = node.on_synced(&mut self.stage, epoch);
                self.after(slot, step);
                self.happened_at(slot, SYNCED);
            }
            Event::FaultBegins(place) => {
                if self.phase == Phase::Safety {
                    self.begin_fault(place);
                    self.fault_turned(place, true);
                }
            }
            Event::FaultEnds(place, attempt) => {
                if self.phase == Phase::Safety {
                    self.end_fault(place, attempt);
                    self.fault_turned(place, false);
                }
            }
            Event::Moment(place) => {
                if let Some(moment) = self.clock_moments.get(place as usize) {
                    self.stage.witness.moments.reach(*moment);
                }
            }
            Event::Poke(place) => self.poke(place),
            Event::Phase(phase) => self.enter(phase),
        }
    }

    #[inline]
    fn deliver(&mut self, slot: u32) {
        let Some(flight) = self.stage.network.land(slot) else { return };
        match flight.to {
            Who::Node(node) => self.deliver_to_node(node, flight),
            Who::Client(client) => {
                let Who::Node(from) = flight.from else { return };
                let Some(receiver) = self.clients.get_mut(client.0 as usize) else { return };
                self.stage.witness.note(4 << 32 | u64::from(client.0));
                self.stage.witness.delivered(self.stage.now, &flight);
                let kind = self.states.is_some().then(|| flight.message.kind());
                let progress = receiver.hear(&mut self.stage, from, flight.message);
                self.on_progress(client.0, &progress);
                if let Some(kind) = kind {
                    self.happened_to_client(client.0, kind);
                }
            }
        }
    }

    #[inline]
    fn deliver_to_node(&mut self, to: NodeId, flight: Flight<S::Message>) {
        let slot = self.machine_for(to, flight.from);
        let Some(node) = self.nodes.get_mut(usize::from(slot)) else { return };
        self.stage.witness.note(5 << 32 | u64::from(slot));
        if node.replica.is_none() {
            return self.stage.witness.missed(self.stage.now, &flight);
        }
        if let Some(waiting) = &mut node.paused {
            let parked = self.stage.network.park(flight);
            waiting.push(Event::Deliver(parked));
            return;
        }
        self.stage.witness.delivered(self.stage.now, &flight);
        let kind = self.states.is_some().then(|| flight.message.kind());
        let Flight { from, at, message, .. } = flight;
        let input = match from {
            Who::Node(from) => Input::Message { from, message },
            Who::Client(client) => {
                // Nobody owes an answer to whoever has lied.
                let is_liar =
                    self.clients.get(client.0 as usize).is_some_and(|client| client.is_tainted);
                let counts = !is_liar && self.liveness.as_ref().is_some_and(|now| at >= now.since);
                // Whoever has forgotten what it knew has nothing to say, and need not when it knows again.
                if counts && node.duty == Duty::None && node.remembers() {
                    node.duty = Duty::Asked;
                }
                Input::Request { client, message }
            }
        };
        let step = node.take(&mut self.stage, input);
        self.after(slot, step);
        if let Some(kind) = kind {
            self.happened_at(slot, kind);
        }
    }

    /// Twins share a name: each sender always meets the same one of them.
    #[inline]
    fn machine_for(&self, to: NodeId, from: Who) -> u16 {
        if self.twins.is_empty() {
            return to.0;
        }
        let twin = self.twins.iter().find(|(of, _)| *of == to.0);
        let parts = match from {
            Who::Node(node) => [0, u64::from(node.0)],
            Who::Client(client) => [1, u64::from(client.0)],
        };
        match twin {
            Some((_, slot)) if weather::draw(self.seed, "twins", &parts) & 1 == 1 => *slot,
            Some(_) | None => to.0,
        }
    }

    /// Whether the event waits until its node goes on.
    #[inline]
    fn postponed(&mut self, slot: u16, event: Event) -> bool {
        match self.nodes.get_mut(usize::from(slot)).and_then(|node| node.paused.as_mut()) {
            Some(waiting) => {
                waiting.push(event);
                true
            }
            None => false,
        }
    }

    #[inline]
    fn after(&mut self, slot: u16, step: Step) {
        if step == Step::Died {
            self.on_death(slot);
        }
    }

    fn wake_client(&mut self, client: u32, at: u64) {
        let Some(generator) = &mut self.generator else { return };
        let Some(sleeper) = self.clients.get_mut(client as usize) else { return };
        let was_open = sleeper.open.is_some();
        let progress = sleeper.on_wake(&mut self.stage, at, generator);
        let begun = sleeper.open.as_ref().filter(|_| !was_open);
        if let Some(open) = begun
            && let crate::client::Asked::Operation(command) = &open.what
        {
            // Most are copied without an allocation.
            let command = command.clone();
            for key in command.keys() {
                self.note_use(key);
            }
        }
        self.on_progress(client, &progress);
    }

    /// What the trace says of one core or disk happens, if it can.
    fn poke(&mut self, place: u32) {
        let Some(poke) = self.pokes.get_mut(place as usize) else { return };
        match poke.what {
            Poked::NodeTimer(slot, timer) => {
                let Some(node) = self.nodes.get_mut(usize::from(slot)) else { return };
                poke.bit = node.has_timer(timer);
                if poke.bit {
                    let step = node.fire(&mut self.stage, timer);
                    self.after(slot, step);
                }
            }
            Poked::ClientTimer(client, timer) => {
                let Some(sleeper) = self.clients.get_mut(client as usize) else { return };
                poke.bit = sleeper.has_timer(timer);
                if poke.bit {
                    let progress = sleeper.fire(&mut self.stage, timer);
                    self.on_progress(client, &progress);
                }
            }
            Poked::Disk(slot) => {
                let Some(node) = self.nodes.get_mut(usize::from(slot)) else { return };
                poke.bit = node.is_syncing();
                if poke.bit {
                    let step = node.end_sync_now(&mut self.stage);
                    self.after(slot, step);
                }
            }
        }
    }

    #[inline]
    fn on_progress(&mut self, client: u32, progress: &Progress) {
        match progress {
            Progress::Going => {}
            Progress::Changed(place) => {
                self.on_changed(*place);
                self.on_idle(client);
            }
            Progress::Ended => self.on_idle(client),
        }
    }

    /// A client has nothing open: perhaps nobody has any more.
    fn on_idle(&mut self, client: u32) {
        match self.phase {
            Phase::Safety => {
                if self.clients.get(client as usize).is_some_and(Client::has_ended_script) {
                    self.end_with_scripts();
                }
            }
            Phase::Core | Phase::Whole => self.end_if_idle(),
            Phase::Over => {}
        }
    }

    /// Where every client has a script, the end of all of them and of all faults ends the phase.
    pub(crate) fn end_with_scripts(&mut self) {
        if self.is_scripted && self.all_scripts_ended() {
            self.stage.queue.push(self.stage.now, Event::Phase(Phase::Core));
        }
    }

    fn all_scripts_ended(&self) -> bool {
        let clients = self.clients.iter().take(self.administrator as usize);
        clients.into_iter().all(Client::has_ended_script)
            && !self.faults.iter().any(|fault| fault.is_due(&self.stage.witness.moments))
    }

    /// What others waited for has come: faults begin, messages are let go, scripts go on.
    fn follow_moments(&mut self) {
        loop {
            let mut new = std::mem::take(&mut self.new_moments);
            self.stage.witness.moments.take_new(&mut new);
            if new.is_empty() {
                self.new_moments = new;
                return;
            }
            let now = self.stage.now;
            for moment in new.drain(..) {
                for (place, planned) in (0..).zip(&self.faults) {
                    if planned.moment == Some(moment) {
                        self.stage.queue.push(now + planned.at_us(), Event::FaultBegins(place));
                    }
                }
                self.stage.network.release(now, &mut self.stage.queue, Some(moment));
            }
            self.new_moments = new;
            for client in &mut self.clients {
                client.plan_wake(&mut self.stage);
            }
        }
    }

    /// Starts a machine; the reason if its replica refuses.
    pub(crate) fn start_node(&mut self, slot: u16) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(usize::from(slot)) else { return Ok(()) };
        let step = node.start(&mut self.stage)?;
        self.after(slot, step);
        Ok(())
    }

    /// Does something with one machine.
    pub(crate) fn with_node<T>(
        &mut self,
        slot: u16,
        job: impl FnOnce(&mut Node<S>, &mut Stage<S>) -> T,
    ) {
        if let Some(node) = self.nodes.get_mut(usize::from(slot)) {
            job(node, &mut self.stage);
        }
    }

    /// An operation is on this key. Only the latest keys are remembered: a long run has many.
    fn note_use(&mut self, key: Key) {
        self.used += 1;
        self.last_use.insert(key.0, self.used);
        if self.last_use.len() > 2 * FINAL_KEYS_MAX {
            let latest = self.last_keys(FINAL_KEYS_MAX);
            self.last_use.retain(|key, _| latest.contains(&Key(*key)));
        }
    }

    /// The keys that were used last, at most `max`, the latest first.
    pub(crate) fn last_keys(&self, max: usize) -> Vec<Key> {
        let mut by_use: Vec<(u64, u64)> =
            self.last_use.iter().map(|(key, last)| (*last, *key)).collect();
        by_use.sort_unstable_by(|a, b| b.cmp(a));
        by_use.into_iter().take(max).map(|(_, key)| Key(key)).collect()
    }
}

/// The operations of each client that has a script, with what each waits for.
type Scripts = BTreeMap<u32, Vec<(quorate_plan::PlannedOperation, Option<MomentId>)>>;

fn scripts(plan: &Plan, moments: &mut Moments) -> Scripts {
    let mut scripts = Scripts::new();
    for script in &plan.scripts {
        let operations = script.operations.iter().map(|operation| {
            let moment = operation.when.as_ref().map(|when| moments.register(when));
            (operation.planned(), moment)
        });
        scripts.insert(script.client, operations.collect());
    }
    scripts
}
