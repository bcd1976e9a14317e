//! The end of a run: the core is healed and must suffice, then all is healed and must come together.

use quorate_checkers::history::{Nemesis, Violation, What};
use quorate_plan::{Fault, Liveness as LivenessPlan, Plan};
use quorate_systems::contract::{Command, NodeId};
use quorate_world::invariants::Watched;
use quorate_world::regime::configurations;
use quorate_world::untold;

use crate::client::{Asked, Client, Closing, PATIENCE_US};
use crate::event::{Event, Phase};
use crate::milestones;
use crate::node::{Duty, Node};
use crate::sim::{Liveness, Sim};

/// The longest that operations may take after healing where a plan says nothing, in milliseconds of virtual
/// time: the longest back-off of any core is below ten seconds, and the next attempt must succeed.
const BOUND_MS: u64 = 30_000;
/// How long it is waited, again and again, for a node that was asked and has not answered.
const ANSWER_US: u64 = 100_000;
/// A run reads so many keys at its end, as a live one does.
pub(crate) const FINAL_KEYS_MAX: usize = 50;
/// How many clients read each of them.
const FINAL_READERS: usize = 2;

impl<S: Watched> Sim<S> {
    /// Finds out what liveness asks of a run.
    pub(crate) fn set_liveness(&mut self, plan: &Plan, config: &S::Config) {
        let LivenessPlan { core, bound_ms } =
            plan.liveness.clone().unwrap_or(LivenessPlan { core: None, bound_ms: BOUND_MS });
        let nodes: Vec<NodeId> = match &core {
            Some(core) => core.iter().copied().map(NodeId).collect(),
            None => (0..plan.system.nodes).map(NodeId).collect(),
        };
        // Every configuration that the run may come to must be able to go on.
        let configs = configurations::<S>(plan, config).expect("the plan was checked");
        // A sync that is under way at the healing may take its time.
        let sync_us = plan.weather.unwrap_or_default().sync_max_us;
        let bound_us = bound_ms * 1_000 + sync_us;
        // While only the core is healed a client may come to each of the others before it comes to one that answers.
        let away = u64::from(plan.system.nodes) - nodes.len() as u64;
        let patience_us = PATIENCE_US + delays_of_an_operation(plan) * slowest_us(plan);
        let core_bound_us = bound_us + away * patience_us;
        let is_demanded = configs.iter().all(|config| S::is_live(config, &nodes));
        let answers_all = configs.iter().all(S::answers_all);
        self.liveness = Some(Liveness {
            core,
            bound_us,
            core_bound_us,
            patience_us,
            configs,
            is_demanded,
            forgetful: Vec::new(),
            answers_all,
            since: 0,
            idle_since: 0,
        });
    }

    /// The next phase begins, unless it has: it may come early.
    pub(crate) fn enter(&mut self, phase: Phase) {
        match (self.phase, phase) {
            (Phase::Safety, Phase::Core) => self.enter_core(),
            (Phase::Core, Phase::Whole) if !self.has_time_left(phase) => {
                self.demand_liveness();
                self.enter_whole();
            }
            (Phase::Whole, Phase::Over) if !self.has_time_left(phase) => {
                self.demand_liveness();
                self.end_changes();
                self.phase = Phase::Over;
            }
            _ => {}
        }
    }

    /// Within what time each task of the present phase must be done.
    fn bound_us(&self) -> u64 {
        let Some(liveness) = &self.liveness else { return 0 };
        if self.phase == Phase::Core { liveness.core_bound_us } else { liveness.bound_us }
    }

    /// Whether the phase goes on: everybody who is busy has been so with one task for less than the bound, or a node
    /// was asked and may still answer. Then it is looked at again at the earliest time at which that may end.
    fn has_time_left(&mut self, next: Phase) -> bool {
        let now = self.stage.now;
        let Some(liveness) = &self.liveness else { return false };
        let busy = self.clients.iter().filter(|client| client.is_busy());
        let bound_us = self.bound_us();
        let again = match busy.map(|client| client.task_since + bound_us).min() {
            Some(bound) => bound,
            None if self.silent_nodes().is_empty() => return false,
            None => (liveness.idle_since + bound_us).min(now + ANSWER_US),
        };
        if again > now {
            self.stage.queue.push(again, Event::Phase(next));
        }
        again > now
    }

    /// Faults stop coming. Where the plan names a core only that is healed; else everything is.
    fn enter_core(&mut self) {
        self.tell_untold();
        let healing = Nemesis::healing(self.stage.witness.next_fault());
        self.stage.witness.record(self.stage.now, What::Nemesis(healing));
        // Those that lie go on: they are part of what stays broken.
        for client in self.clients.iter_mut().filter(|client| !client.is_lying()) {
            client.stop_working();
        }
        let Some(Liveness { core: Some(core), patience_us, .. }) = &self.liveness else {
            return self.enter_whole();
        };
        let (core, patience_us) = (core.clone(), *patience_us);
        self.phase = Phase::Core;
        self.heal_core(&core);
        if self.is_anything_broken(&core) {
            self.stage.witness.mark(milestones::CORE_ALONE);
        }
        self.stage.calm();
        for client in &mut self.clients {
            client.be_patient(self.stage.now, patience_us);
        }
        self.begin_closing(Phase::Whole);
    }

    /// Says what the plan has and did not happen.
    fn tell_untold(&mut self) {
        if self.interrupted {
            return;
        }
        let mut untold: Vec<String> = self
            .faults
            .iter()
            .filter_map(|planned| {
                let why = planned.never_began(&self.stage.witness.moments)?;
                Some(untold::fault(planned.fault(), why))
            })
            .collect();
        untold.extend(self.clients.iter().filter_map(|client| {
            let (begun, all) = client.script_progress()?;
            untold::script(client.me.0, begun, all)
        }));
        for what in untold {
            self.stage.witness.trouble(self.stage.now, Vec::new(), what);
        }
    }

    /// Everything is healed, the weather too, and what was held back is let go.
    fn enter_whole(&mut self) {
        self.phase = Phase::Whole;
        self.heal_everything();
        for place in 0..self.nodes_count {
            self.revive(place);
        }
        self.stage.calm();
        self.stage.network.release(self.stage.now, &mut self.stage.queue, None);
        for client in &mut self.clients {
            client.stop_working();
            client.wait_for_ever();
        }
        self.begin_closing(Phase::Over);
    }

    /// Has every key that was used lately written once and read by some, and sees to it that the phase ends.
    fn begin_closing(&mut self, next: Phase) {
        self.look_who_remembers();
        let keys = self.last_keys(FINAL_KEYS_MAX);
        let all = self.administrator as usize;
        // Nothing can be learned from those that have lied, and nothing is asked of them.
        let readers = self.clients.iter().take(all).filter(|client| !client.is_tainted).count();
        let mut seats = 0..readers;
        for client in self.clients.iter_mut().take(all) {
            client.closing.clear();
            client.task_since = self.stage.now;
            let seat = if client.is_tainted { None } else { seats.next() };
            let keys = if seat.is_some() { keys.as_slice() } else { &[] };
            let me = seat.unwrap_or_default();
            for (place, key) in keys.iter().enumerate() {
                let distance = (me + readers - place % readers) % readers;
                if distance == 0 {
                    client.closing.push_back(Closing::Write(*key));
                }
                if distance < FINAL_READERS {
                    client.closing.push_back(Closing::Read(*key));
                }
            }
            client.plan_wake(&mut self.stage);
        }
        for node in &mut self.nodes {
            node.duty = Duty::None;
        }
        let now = self.stage.now;
        if let Some(administrator) = self.clients.get_mut(all) {
            administrator.task_since = now;
        }
        let bound = now + self.bound_us();
        let Some(liveness) = &mut self.liveness else { return };
        liveness.since = now;
        self.stage.queue.push(bound, Event::Phase(next));
        self.end_if_idle();
    }

    /// Where nodes keep their memory in themselves, those that have theirs now must suffice for the phase that
    /// begins: the others may wait for them for ever.
    fn look_who_remembers(&mut self) {
        let Some(liveness) = &self.liveness else { return };
        let is_forgetful = |config: &S::Config| S::forgetting_tolerated(config).is_some();
        if !liveness.is_demanded || !liveness.configs.iter().any(is_forgetful) {
            return;
        }
        let knowing: Vec<NodeId> =
            self.nodes_of_phase().filter(|node| node.remembers()).map(|node| node.me).collect();
        if liveness.configs.iter().all(|config| S::is_live(config, &knowing)) {
            return;
        }
        self.stage.witness.mark(milestones::TOO_MANY_FORGOT);
        let phase = self.phase;
        self.liveness.iter_mut().for_each(|liveness| liveness.forgetful.push(phase));
    }

    /// When everybody has done what the phase asks, it ends at once.
    pub(crate) fn end_if_idle(&mut self) {
        if self.clients.iter().any(Client::is_busy) {
            return;
        }
        let Some(liveness) = &mut self.liveness else { return };
        liveness.idle_since = self.stage.now;
        let next = if self.phase == Phase::Core { Phase::Whole } else { Phase::Over };
        self.stage.queue.push(self.stage.now, Event::Phase(next));
    }

    /// Names everything that should have come to an end by now and has not.
    fn demand_liveness(&mut self) {
        let Some(liveness) = &self.liveness else { return };
        if !liveness.is_demanded_of(self.phase) {
            return;
        }
        let (now, bound_us) = (self.stage.now, self.bound_us());
        let mut unmet = Vec::new();
        let is_late =
            |client: &&Client<S>| !client.is_tainted && client.task_since + bound_us <= now;
        for client in self.clients.iter().filter(is_late) {
            let who = client.me;
            let waited = (now - client.task_since) / 1_000;
            let what = match (&client.open, client.closing.front()) {
                (Some(open), _) => {
                    let what = match &open.what {
                        Asked::Operation(Command::Read { key }) => format!("read of key {}", key.0),
                        Asked::Operation(Command::Write { key, value }) => {
                            format!("write of {} to key {}", value.0, key.0)
                        }
                        Asked::Operation(
                            command @ (Command::Cas { .. }
                            | Command::Append { .. }
                            | Command::Delete { .. }
                            | Command::Add { .. }
                            | Command::Propose { .. }
                            | Command::Transaction(_)),
                        ) => format!("`{command}`"),
                        Asked::Change(_) => "the change of the system".to_owned(),
                    };
                    let began = open.since / 1_000;
                    format!("{what}, begun at {began} ms, is not complete")
                }
                (None, Some(Closing::Write(key))) => {
                    let f = client.kind.closing(key.0, 0).f();
                    format!("no {f} of key {} has succeeded", key.0)
                }
                (None, Some(Closing::Read(key))) => {
                    format!("no read of key {} has succeeded", key.0)
                }
                (None, None) => continue,
            };
            let what = format!("{who}: {what}, though it was at it for {waited} ms after healing");
            unmet.push((vec![who.to_string()], what));
        }
        for node in self.silent_nodes() {
            let what = format!(
                "{node} is down, or was asked by a client after the healing and has not answered"
            );
            unmet.push((vec![node.to_string()], what));
        }
        for (targets, what) in unmet {
            self.stage.witness.violation(now, Violation::LIVENESS, targets, what);
        }
    }

    /// Nodes that should answer and do not.
    fn silent_nodes(&self) -> Vec<NodeId> {
        let answers_all = self.liveness.as_ref().is_some_and(|liveness| liveness.answers_all);
        let owes = |node: &Node<S>| node.duty == Duty::Asked && answers_all;
        let silent = self.nodes_of_phase().filter(|node| node.replica.is_none() || owes(node));
        silent.map(|node| node.me).collect()
    }

    /// The nodes that are to be whole in the present phase: the core, or all.
    fn nodes_of_phase(&self) -> impl Iterator<Item = &Node<S>> {
        let core = self.liveness.as_ref().and_then(|liveness| liveness.core.as_ref());
        let counts = move |node: &&Node<S>| {
            self.phase == Phase::Whole || core.is_none_or(|core| core.contains(&node.me.0))
        };
        self.nodes.iter().take(usize::from(self.nodes_count)).filter(counts)
    }
}

/// How many messages after one another an operation may need: its request is passed on to whoever leads, waits there
/// for one of each other client, each of which is sent to others and acknowledged, and is told of on the same way.
fn delays_of_an_operation(plan: &Plan) -> u64 {
    6 + 2 * u64::from(plan.workload.clients)
}

/// The longest that a fault may hold a message. Whoever is slow and not healed may lead for all that: the others hear
/// of it often enough.
fn slowest_us(plan: &Plan) -> u64 {
    let held_ms = plan.faults.iter().map(|planned| match &planned.fault {
        Fault::Delay { max_ms, .. } => *max_ms,
        Fault::Reorder { within_ms, .. } => *within_ms,
        _ => 0,
    });
    held_ms.max().unwrap_or_default().saturating_mul(1_000)
}
