//! The end of a run: the core is healed and must suffice, then all is healed and must come together.

use quorate_checkers::history::{Nemesis, Violation, What};
use quorate_plan::{Liveness as LivenessPlan, Plan};
use quorate_systems::contract::{Command, NodeId};
use quorate_world::invariants::Watched;
use quorate_world::regime::configurations;
use quorate_world::untold;

use crate::client::{Asked, Closing};
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
        let is_demanded = configs.iter().all(|config| S::is_live(config, &nodes));
        self.liveness = Some(Liveness { core, bound_us, is_demanded, since: 0, busy: 0 });
    }

    /// The next phase begins, unless it has: it may come early.
    pub(crate) fn enter(&mut self, phase: Phase) {
        match (self.phase, phase) {
            (Phase::Safety, Phase::Core) => self.enter_core(),
            (Phase::Core, Phase::Whole) if !self.waits_for_answers(phase) => {
                self.demand_liveness();
                self.enter_whole();
            }
            (Phase::Whole, Phase::Over) if !self.waits_for_answers(phase) => {
                self.demand_liveness();
                self.end_changes();
                self.phase = Phase::Over;
            }
            _ => {}
        }
    }

    /// Whether the phase goes on, though clients have all they want: a node was asked and may still answer.
    fn waits_for_answers(&mut self, next: Phase) -> bool {
        let now = self.stage.now;
        let Some(liveness) = &self.liveness else { return false };
        let bound = liveness.since + liveness.bound_us;
        if now >= bound || liveness.busy > 0 || self.silent_nodes().is_empty() {
            return false;
        }
        self.stage.queue.push(bound.min(now + ANSWER_US), Event::Phase(next));
        true
    }

    /// Faults stop coming. Where the plan names a core only that is healed; else everything is.
    fn enter_core(&mut self) {
        self.tell_untold();
        let healing = Nemesis::healing(self.stage.witness.next_fault());
        self.stage.witness.record(self.stage.now, What::Nemesis(healing));
        for client in &mut self.clients {
            client.stop_working();
        }
        let core = self.liveness.as_ref().and_then(|liveness| liveness.core.clone());
        let Some(core) = core else { return self.enter_whole() };
        self.phase = Phase::Core;
        self.heal_core(&core);
        if self.is_anything_broken(&core) {
            self.stage.witness.mark(milestones::CORE_ALONE);
        }
        self.stage.calm();
        for client in &mut self.clients {
            client.be_patient();
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
            client.wait_for_ever();
        }
        self.begin_closing(Phase::Over);
    }

    /// Has every key that was used lately written once and read by some, and sees to it that the phase ends.
    fn begin_closing(&mut self, next: Phase) {
        let keys = self.last_keys(FINAL_KEYS_MAX);
        let readers = self.administrator as usize;
        for (me, client) in self.clients.iter_mut().take(readers).enumerate() {
            client.closing.clear();
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
        let Some(liveness) = &mut self.liveness else { return };
        liveness.since = now;
        let bound = now + liveness.bound_us;
        self.stage.queue.push(bound, Event::Phase(next));
        self.count_busy();
    }

    /// When everybody has done what the phase asks, it ends at once.
    pub(crate) fn count_busy(&mut self) {
        let busy = self.clients.iter().filter(|client| {
            client.open.is_some() || !client.closing.is_empty() || client.has_changes()
        });
        let busy = busy.count();
        let Some(liveness) = &mut self.liveness else { return };
        liveness.busy = busy;
        if busy == 0 {
            let next = if self.phase == Phase::Core { Phase::Whole } else { Phase::Over };
            self.stage.queue.push(self.stage.now, Event::Phase(next));
        }
    }

    /// Names everything that should have come to an end by now and has not.
    fn demand_liveness(&mut self) {
        let Some(liveness) = &self.liveness else { return };
        if !liveness.is_demanded {
            return;
        }
        let since = liveness.since;
        let mut unmet = Vec::new();
        for client in &self.clients {
            let who = client.me;
            let waited =
                |since: u64| format!("{} ms after healing", (self.stage.now - since) / 1_000);
            match (&client.open, client.closing.front()) {
                (Some(open), _) => {
                    let what = match &open.what {
                        Asked::Operation(Command::Read { key }) => format!("read of key {}", key.0),
                        Asked::Operation(Command::Write { key, value }) => {
                            format!("write of {} to key {}", value.0, key.0)
                        }
                        Asked::Change(_) => "the change of the system".to_owned(),
                    };
                    let began = open.since / 1_000;
                    let waited = waited(since);
                    let what =
                        format!("{who}: {what}, begun at {began} ms, is not complete {waited}");
                    unmet.push((vec![who.to_string()], what));
                }
                (None, Some(closing)) => {
                    let (f, key) = match closing {
                        Closing::Write(key) => ("write", key.0),
                        Closing::Read(key) => ("read", key.0),
                    };
                    let waited = waited(since);
                    let what = format!("{who}: no {f} of key {key} has succeeded {waited}");
                    unmet.push((vec![who.to_string()], what));
                }
                (None, None) => {}
            }
        }
        for node in self.silent_nodes() {
            let what = format!(
                "{node} is down, or was asked by a client after the healing and has not answered"
            );
            unmet.push((vec![node.to_string()], what));
        }
        let now = self.stage.now;
        for (targets, what) in unmet {
            self.stage.witness.violation(now, Violation::LIVENESS, targets, what);
        }
    }

    /// Nodes that should answer and do not.
    fn silent_nodes(&self) -> Vec<NodeId> {
        let core = self.liveness.as_ref().and_then(|liveness| liveness.core.as_ref());
        let counts = |node: &&Node<S>| {
            self.phase == Phase::Whole || core.is_none_or(|core| core.contains(&node.me.0))
        };
        let cluster = self.nodes.iter().take(usize::from(self.nodes_count)).filter(counts);
        let silent = cluster.filter(|node| node.replica.is_none() || node.duty == Duty::Asked);
        silent.map(|node| node.me).collect()
    }
}
