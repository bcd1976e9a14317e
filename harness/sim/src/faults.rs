//! The nemesis: planned faults begin and end, and each is seen to bite or not.

use std::collections::BTreeSet;

use quorate_checkers::history::{Nemesis, NemesisPhase, What};
use quorate_plan::{Disk as DiskFault, Endpoint, Fault, FaultClass, Part, Plan, PlannedFault};
use quorate_systems::contract::{Lie, NodeId};
use quorate_world::invariants::{Seen, Watched, Who};
use quorate_world::moments::{MomentId, Moments};
use quorate_world::untold::NeverBegan;
use quorate_world::weather;

use crate::disk::{DiskMode, Loss};
use crate::event::Event;
use crate::milestones;
use crate::node::{Dying, Node};
use crate::sim::Sim;

/// One planned fault, and how it stands.
#[derive(Debug)]
pub(crate) struct Planned {
    fault: PlannedFault,
    pub(crate) moment: Option<MomentId>,
    state: State,
    /// How often it was tried.
    attempts: u32,
    /// Its class must bite.
    must_bite: bool,
    /// Its time is over, but not what it does: a change of the system ends when it is complete.
    is_overdue: bool,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// It is in force: its number in the history, the nodes that it has, how often it bit.
    Active {
        id: u32,
        hit: Vec<u16>,
        bites: u64,
        /// The clients that it makes lie, with how often each had lied before.
        liars: Vec<(u32, u64)>,
    },
    Over,
}

/// A bad disk that so many attempts to make it bite have not is given to another node: this one may have no
/// part in the system any more.
const AIM_ELSEWHERE: u32 = 3;
/// A fault that has not bitten, and must, is tried again so much later.
const AIM_AGAIN_US: u64 = 100_000;

impl Planned {
    pub(crate) fn all(plan: &Plan, moments: &mut Moments) -> Vec<Self> {
        plan.faults
            .iter()
            .map(|fault| Self {
                moment: fault.when.as_ref().map(|when| moments.register(when)),
                must_bite: plan.fault_classes.contains(&fault.fault.class()),
                fault: fault.clone(),
                state: State::Waiting,
                attempts: 0,
                is_overdue: false,
            })
            .collect()
    }

    /// When it begins, counted from its moment.
    pub(crate) const fn at_us(&self) -> u64 {
        self.fault.at_ms * 1_000
    }

    /// Whether a run whose scripts have ended must wait for it.
    pub(crate) fn is_due(&self, moments: &Moments) -> bool {
        match self.state {
            State::Waiting => self.moment.is_none_or(|moment| moments.is_reached(moment)),
            State::Active { .. } => true,
            State::Over => false,
        }
    }

    pub(crate) const fn fault(&self) -> &Fault {
        &self.fault.fault
    }

    /// Why it has not begun, if it never has.
    pub(crate) fn never_began(&self, moments: &Moments) -> Option<NeverBegan> {
        if self.attempts > 0 {
            return None;
        }
        let is_missing = self.moment.is_some_and(|moment| !moments.is_reached(moment));
        Some(if is_missing { NeverBegan::NoMoment } else { NeverBegan::TooLate })
    }

    /// Whether it is a change of the system that was asked for and is not complete.
    const fn is_unfinished_change(&self) -> bool {
        matches!(
            (&self.fault.fault, &self.state),
            (Fault::Reconfigure { .. }, State::Active { bites: 0, .. })
        )
    }

    fn holds(&self, part: Part, node: u16) -> bool {
        self.fault.fault.part() == Some(part)
            && matches!(&self.state, State::Active { hit, .. } if hit.contains(&node))
    }
}

impl<S: Watched> Sim<S> {
    /// A planned fault begins.
    pub(crate) fn begin_fault(&mut self, place: u32) {
        let Some(planned) = self.faults.get_mut(place as usize) else { return };
        if !matches!(planned.state, State::Waiting) {
            return;
        }
        planned.attempts += 1;
        let attempt = planned.attempts;
        let PlannedFault { for_ms, fault, .. } = planned.fault.clone();
        let id = self.stage.witness.next_fault();
        let begun = self.inflict(place, id, &fault);
        let (phase, targets, what) = match &begun {
            Ok(()) => (NemesisPhase::Begin, self.hit_by(place, &fault), fault.to_string()),
            Err(why) => (NemesisPhase::Skipped, fault.targets(), format!("{fault}: {why}")),
        };
        self.record_fault((id, &fault), phase, &targets, what, 0);
        let until = self.stage.now + for_ms * 1_000;
        match begun {
            Ok(()) => self.stage.queue.push(until, Event::FaultEnds(place, attempt)),
            Err(_) => self.aim_again(place),
        }
    }

    /// Does it; the reason where it cannot be done. The fault is active from the beginning, so that what it
    /// brings about at once is counted for it.
    fn inflict(&mut self, place: u32, id: u32, fault: &Fault) -> Result<(), String> {
        let hit = self.victims(fault)?;
        if let Some(planned) = self.faults.get_mut(place as usize) {
            let liars = Vec::new();
            planned.state = State::Active { id, hit: hit.clone(), bites: 0, liars };
        }
        if self.stage.network.begin(place, fault) {
            return Ok(());
        }
        for node in &hit {
            self.hurt(place, *node, fault);
        }
        if let Fault::ByzantineClients { clients, lie } = fault
            && !self.corrupt_clients(place, clients, lie)
        {
            return self.cannot(place, "its clients lie already");
        }
        if let Fault::Reconfigure { options } = fault {
            match self.clients.get_mut(self.administrator as usize) {
                Some(client) => client.ask(&mut self.stage, place, options.clone()),
                None => return self.cannot(place, "there is no administrator"),
            }
        }
        if matches!(fault, Fault::Disk { disk: DiskFault::FlippedBit, .. })
            && self.bites_of(place) == 0
        {
            return self.cannot(place, "nothing was written yet, or the damage was not noticed");
        }
        Ok(())
    }

    /// The fault is not in force after all.
    fn cannot(&mut self, place: u32, why: &str) -> Result<(), String> {
        if let Some(planned) = self.faults.get_mut(place as usize) {
            planned.state = State::Waiting;
        }
        Err(why.to_owned())
    }

    /// The nodes that a fault can have now.
    fn victims(&self, fault: &Fault) -> Result<Vec<u16>, String> {
        let Some(part) = fault.part() else { return Ok(Vec::new()) };
        let is_free = |node: &u16| !self.faults.iter().any(|other| other.holds(part, *node));
        let is_up = |node: &u16| self.nodes.get(usize::from(*node)).is_some_and(Node::is_running);
        let hit: Vec<u16> = fault.nodes().into_iter().filter(is_free).filter(is_up).collect();
        if hit.is_empty() { Err("none of its nodes is to be had".to_owned()) } else { Ok(hit) }
    }

    /// Whom a fault that is in force has hit: not the nodes that it was aimed at and could not have.
    fn hit_by(&self, place: u32, fault: &Fault) -> BTreeSet<Endpoint> {
        match self.faults.get(place as usize).map(|planned| &planned.state) {
            Some(State::Active { hit, .. }) if fault.part().is_some() => {
                hit.iter().copied().map(Endpoint::Node).collect()
            }
            Some(State::Active { .. } | State::Waiting | State::Over) | None => fault.targets(),
        }
    }

    /// Hurts one node.
    fn hurt(&mut self, place: u32, node: u16, fault: &Fault) {
        match fault {
            Fault::Kill { after_effects, .. } => self.kill(place, node, *after_effects, false),
            Fault::PowerLoss { after_effects, .. } => self.kill(place, node, *after_effects, true),
            Fault::Pause { .. } => {
                self.with_node(node, |node, _| node.paused = Some(Vec::new()));
                self.bite(place);
            }
            Fault::Clock { offset_ms, rate_ppm, .. } => {
                let offset_us = offset_ms.saturating_mul(1_000);
                self.with_node(node, |node, stage| node.set_clock(stage, offset_us, *rate_ppm));
                self.bite(place);
            }
            Fault::Disk { disk, .. } => self.break_disk(place, node, *disk),
            Fault::Byzantine { lie, .. } => self.corrupt_node(place, node, lie),
            Fault::Partition { .. }
            | Fault::Delay { .. }
            | Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::ByzantineClients { .. }
            | Fault::Reconfigure { .. } => {}
        }
    }

    fn kill(&mut self, place: u32, node: u16, after_effects: Option<u8>, power_loss: bool) {
        if let Some(after_effects) = after_effects {
            let dying = Dying { after_effects, power_loss };
            self.with_node(node, |node, _| node.dies_after = Some(dying));
            return;
        }
        let loss = self.loss(node, power_loss);
        self.with_node(node, |node, stage| node.crash(stage, loss));
        self.bite(place);
    }

    /// What a crash does to records that are not durable: of a power failure the first few may survive.
    fn loss(&self, node: u16, power_loss: bool) -> Loss {
        if !power_loss {
            return Loss::None;
        }
        let unsynced = self.nodes.get(usize::from(node)).map_or(0, |node| node.disk.unsynced());
        let draw = weather::draw(self.seed, "power loss", &[u64::from(node), self.stage.now]);
        Loss::AllBut(weather::between(draw, 0, unsynced))
    }

    fn break_disk(&mut self, place: u32, node: u16, disk: DiskFault) {
        let mode = match disk {
            DiskFault::Full => DiskMode::Full,
            DiskFault::IoError => DiskMode::IoError,
            DiskFault::CutTail => DiskMode::Tear,
            DiskFault::FlippedBit => return self.flip_bit(place, node),
        };
        let draw = weather::draw(self.seed, "tear", &[u64::from(node), self.stage.now]);
        self.with_node(node, |node, _| {
            node.disk.mode = mode;
            node.disk.entropy = draw;
        });
    }

    /// The node is killed, a bit of its log is flipped, and it is started: it must refuse.
    fn flip_bit(&mut self, place: u32, node: u16) {
        let draw = weather::draw(self.seed, "flip", &[u64::from(node), self.stage.now]);
        let is_there = self.nodes.get(usize::from(node)).is_some_and(|node| node.disk.len() > 0);
        if !is_there {
            return;
        }
        self.with_node(node, |node, stage| {
            node.crash(stage, Loss::None);
            node.disk.flip(draw);
        });
        let refused = self.start_node(node).is_err();
        if refused {
            self.stage.witness.mark(milestones::DAMAGE_REFUSED);
            self.bite(place);
        }
    }

    fn corrupt_node(&mut self, place: u32, node: u16, lie: &str) {
        let Ok(behaviour) = lie.parse::<Lie>() else { return };
        let now = self.stage.now;
        self.with_node(node, |node, stage| {
            if !node.is_tainted {
                node.is_tainted = true;
                stage.witness.see(now, &Seen::Lies { who: Who::Node(node.me) });
            }
            if behaviour != Lie::Twins {
                let keys = stage.keys_of(Who::Node(node.me));
                node.liar.begin(behaviour, stage.config().clone(), keys);
            }
        });
        if behaviour == Lie::Twins && self.add_twin(node) {
            self.bite(place);
        }
    }

    /// A second copy of a replica, with its identity and all that it has on disk.
    fn add_twin(&mut self, node: u16) -> bool {
        let slot = u16::try_from(self.nodes.len()).expect("there are few machines");
        let seed = weather::draw(self.seed, "twin", &[u64::from(node)]);
        let mut twin = Node::new(slot, NodeId(node), seed);
        twin.is_tainted = true;
        if let Some(original) = self.nodes.get(usize::from(node)) {
            twin.copy_disk(original);
        }
        self.nodes.push(twin);
        self.twins.push((node, slot));
        self.stage.witness.mark(milestones::TWIN);
        self.start_node(slot).is_ok()
    }

    /// A fault's time is over.
    pub(crate) fn end_fault(&mut self, place: u32, attempt: u32) {
        let Some(planned) = self.faults.get_mut(place as usize) else { return };
        if planned.attempts != attempt {
            return;
        }
        if planned.is_unfinished_change() {
            planned.is_overdue = true;
            return;
        }
        self.heal(place);
        // What has bitten is over.
        let planned = self.faults.get(place as usize);
        if planned.is_some_and(|planned| matches!(planned.state, State::Active { .. })) {
            self.aim_again(place);
        }
        self.end_with_scripts();
    }

    /// Tries a fault again that did nothing and must, if there is time for it.
    fn aim_again(&mut self, place: u32) {
        let again = self.stage.now + AIM_AGAIN_US;
        let Some(planned) = self.faults.get_mut(place as usize) else { return };
        if planned.must_bite && again < self.limit {
            planned.state = State::Waiting;
            if planned.attempts >= AIM_ELSEWHERE {
                planned.fault.fault.aim_elsewhere(self.nodes_count);
            }
            self.stage.queue.push(again, Event::FaultBegins(place));
        } else {
            planned.state = State::Over;
        }
    }

    /// Puts right what a fault did, and records its end.
    fn heal(&mut self, place: u32) {
        let Some(planned) = self.faults.get_mut(place as usize) else { return };
        let State::Active { id, hit, liars, .. } = &planned.state else { return };
        let (id, hit, liars) = (*id, hit.clone(), liars.clone());
        let fault = planned.fault.fault.clone();
        let targets = self.hit_by(place, &fault);
        let network = self.stage.network.end(place);
        for node in hit {
            self.heal_node(place, node, &fault);
        }
        let lies = self.heal_clients(&liars);
        let own = self.bites_of(place);
        let bites = network + own + lies;
        if let Some(Planned { state, .. }) = self.faults.get_mut(place as usize) {
            *state = State::Active { id, hit: Vec::new(), bites, liars: Vec::new() };
        }
        self.record_fault((id, &fault), NemesisPhase::End, &targets, fault.to_string(), bites);
        if bites > 0
            && let Some(planned) = self.faults.get_mut(place as usize)
        {
            planned.state = State::Over;
        }
    }

    fn heal_node(&mut self, place: u32, node: u16, fault: &Fault) {
        match fault {
            Fault::Kill { .. } | Fault::PowerLoss { .. } => {
                let dying = self.nodes.get(usize::from(node)).and_then(|node| node.dies_after);
                if let Some(dying) = dying {
                    // No step had effects enough.
                    let loss = self.loss(node, dying.power_loss);
                    self.with_node(node, |node, stage| node.crash(stage, loss));
                    self.bite(place);
                }
                self.revive(node);
            }
            Fault::Disk { .. } => {
                self.with_node(node, |node, _| node.disk.mend());
                self.revive(node);
            }
            Fault::Pause { .. } => self.resume(node),
            Fault::Clock { .. } => {
                self.with_node(node, Node::right_clock);
            }
            Fault::Byzantine { .. } => {
                let lies = self.nodes.get_mut(usize::from(node)).map_or(0, |node| {
                    node.liar.stop();
                    node.liar.lies()
                });
                for _ in 0..lies {
                    self.bite(place);
                }
                self.remove_twin(node);
            }
            Fault::Partition { .. }
            | Fault::Delay { .. }
            | Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::ByzantineClients { .. }
            | Fault::Reconfigure { .. } => {}
        }
    }

    /// Those of these clients that do not lie yet do so; whether there is one.
    fn corrupt_clients(&mut self, place: u32, clients: &BTreeSet<u32>, lie: &str) -> bool {
        let Ok(lie) = lie.parse::<Lie>() else { return false };
        let mut new = Vec::new();
        for number in clients {
            if let Some(client) = self.clients.get_mut(*number as usize)
                && !client.is_lying()
            {
                new.push((*number, client.lies()));
                client.begin_to_lie(&mut self.stage, lie);
            }
        }
        let is_any = !new.is_empty();
        if let Some(Planned { state: State::Active { liars, .. }, .. }) =
            self.faults.get_mut(place as usize)
        {
            *liars = new;
        }
        is_any
    }

    /// The clients that a fault made lie are honest again; how often they had lied for it.
    fn heal_clients(&mut self, liars: &[(u32, u64)]) -> u64 {
        let mut bites = 0;
        for (number, before) in liars {
            if let Some(client) = self.clients.get_mut(*number as usize) {
                client.stop_lying(&mut self.stage);
                bites += client.lies() - before;
            }
        }
        bites
    }

    fn remove_twin(&mut self, node: u16) {
        let Some(index) = self.twins.iter().position(|(of, _)| *of == node) else { return };
        let (_, slot) = self.twins.remove(index);
        self.with_node(slot, |twin, stage| twin.crash(stage, Loss::None));
    }

    /// What waited while a node stood still happens now.
    fn resume(&mut self, node: u16) {
        self.with_node(node, |node, stage| {
            for event in node.paused.take().unwrap_or_default() {
                stage.queue.push(stage.now, event);
            }
            // Its wakes may have been among them, for times that are past.
            node.plan_wake_anew(stage);
        });
    }

    /// Starts a node that is down.
    pub(crate) fn revive(&mut self, node: u16) {
        let is_down = self.nodes.get(usize::from(node)).is_some_and(|node| node.replica.is_none());
        if !is_down {
            return;
        }
        if let Err(refusal) = self.start_node(node) {
            let what = format!("n{node} does not start from an undamaged disk: {refusal}");
            let now = self.stage.now;
            self.stage.witness.violation(now, "restart", vec![format!("n{node}")], what);
        }
    }

    /// Ends everything that is in force, but for changes of the system: nothing is in their way any more.
    pub(crate) fn heal_everything(&mut self) {
        for place in 0..u32::try_from(self.faults.len()).expect("there are few faults") {
            let Some(planned) = self.faults.get_mut(place as usize) else { continue };
            if planned.is_unfinished_change() {
                planned.is_overdue = true;
            } else {
                self.end_for_good(place);
            }
        }
    }

    /// Ends changes of the system that are still not complete.
    pub(crate) fn end_changes(&mut self) {
        for place in 0..u32::try_from(self.faults.len()).expect("there are few faults") {
            self.end_for_good(place);
        }
    }

    fn end_for_good(&mut self, place: u32) {
        self.heal(place);
        if let Some(planned) = self.faults.get_mut(place as usize) {
            planned.state = State::Over;
        }
    }

    /// Whether a fault of links, or of a node outside the core, is in force.
    pub(crate) fn is_anything_broken(&self, core: &BTreeSet<u16>) -> bool {
        self.faults.iter().any(|planned| {
            let State::Active { hit, .. } = &planned.state else { return false };
            let is_change = planned.fault().class() == FaultClass::Reconfigure;
            let concerns = hit.is_empty() || hit.iter().any(|node| !core.contains(node));
            concerns && !is_change
        })
    }

    /// Heals the nodes of the core, and the links among them and to clients; leaves all else as it is.
    pub(crate) fn heal_core(&mut self, core: &BTreeSet<u16>) {
        let mut spared: Vec<Endpoint> = core.iter().copied().map(Endpoint::Node).collect();
        let clients = 0..u32::try_from(self.clients.len()).expect("there are few clients");
        spared.extend(clients.map(Endpoint::Client));
        self.stage.network.spare(&spared);
        for node in core {
            self.resume(*node);
            self.with_node(*node, |node, stage| {
                node.disk.mend();
                node.dies_after = None;
                node.liar.stop();
                node.right_clock(stage);
            });
            self.remove_twin(*node);
            self.revive(*node);
        }
    }

    /// A node died within a step, as some fault had it do.
    pub(crate) fn on_death(&mut self, slot: u16) {
        let Some(node) = self.nodes.get(usize::from(slot)) else { return };
        let loss = match (node.dies_after, node.disk.mode) {
            (Some(dying), _) => {
                self.stage.witness.mark(milestones::DIED_WITHIN_STEP);
                self.loss(slot, dying.power_loss)
            }
            // What was written before is with the operating system.
            (None, DiskMode::Full | DiskMode::Tear | DiskMode::Good) => Loss::None,
            (None, DiskMode::IoError) => self.loss(slot, true),
        };
        self.with_node(slot, |node, stage| node.crash(stage, loss));
        let holder = self.faults.iter().position(|fault| fault.holds(Part::Life, slot));
        if let Some(place) = holder {
            self.bite(u32::try_from(place).expect("there are few faults"));
        }
    }

    /// A fault was seen to do something.
    pub(crate) fn bite(&mut self, place: u32) {
        if let Some(Planned { state: State::Active { bites, .. }, .. }) =
            self.faults.get_mut(place as usize)
        {
            *bites += 1;
        }
    }

    fn bites_of(&self, place: u32) -> u64 {
        match self.faults.get(place as usize).map(|planned| &planned.state) {
            Some(State::Active { bites, .. }) => *bites,
            Some(State::Waiting | State::Over) | None => 0,
        }
    }

    /// A change of the system is complete: the fault that it was has bitten.
    pub(crate) fn on_changed(&mut self, place: u32) {
        self.bite(place);
        self.stage.witness.mark(milestones::RECONFIGURED);
        if self.faults.get(place as usize).is_some_and(|planned| planned.is_overdue) {
            self.heal(place);
            self.end_with_scripts();
        }
    }

    fn record_fault(
        &mut self,
        (fault_id, fault): (u32, &Fault),
        phase: NemesisPhase,
        targets: &BTreeSet<Endpoint>,
        what: String,
        bites: u64,
    ) {
        self.stage.witness.note(u64::from(fault_id) << 8 | phase as u64);
        let event = Nemesis {
            fault: fault_id,
            kind: fault.class().name().to_owned(),
            phase,
            targets: targets.iter().map(ToString::to_string).collect(),
            what,
            bites,
        };
        self.stage.witness.record(self.stage.now, What::Nemesis(event));
    }
}

#[cfg(test)]
mod tests {
    use quorate_checkers::history::Time;
    use quorate_plan::{Durations, Liveness, SystemPlan, WorldKind};
    use quorate_systems::contract::System as _;
    use quorate_systems::quorum::Quorum;

    use super::*;
    use crate::event::Phase;
    use crate::queue::QueueKind;
    use crate::witness::Checks;

    /// A run of five nodes, of which n0 to n3 are the core, and `twin` has a twin until the end; stopped in the
    /// middle of the phase in which the core must suffice.
    fn stopped_in_the_core_phase(twin: u16) -> Sim<Quorum> {
        let options = [("quorum".to_owned(), "masking".to_owned())].into();
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options };
        let mut plan = Plan::new("twins", 1, WorldKind::Sim, system);
        plan.durations = Durations { time_limit_ms: 500, ..Durations::default() };
        plan.liveness = Some(Liveness { core: Some((0..4).collect()), bound_ms: 10_000 });
        let fault = Fault::Byzantine { nodes: [twin].into(), lie: "twins".to_owned() };
        plan.faults = vec![PlannedFault { when: None, at_ms: 100, for_ms: 10_000, fault }];
        let config =
            Quorum::configure(5, &plan.system.options, quorate_systems::mutant::Mutants::NONE);
        let mut sim = Sim::new(QueueKind::default());
        let stop = sim.run(&plan, &config.unwrap(), Checks::ALL, &mut |time: Time, what| {
            let is_closing = time.0 > 500_000_000 && matches!(what, What::Ok(_));
            if is_closing { Err("enough".to_owned()) } else { Ok(()) }
        });
        assert_eq!(stop, Err("enough".to_owned()));
        assert_eq!(sim.phase, Phase::Core);
        sim
    }

    #[test]
    fn a_node_of_a_core_that_is_healed_has_no_twin() {
        let sim = stopped_in_the_core_phase(2);
        assert_eq!(sim.twins, []);
        let running = sim.nodes.iter().filter(|node| node.is_running());
        assert_eq!(running.count(), 5, "the twin is gone");
        let outside = stopped_in_the_core_phase(4);
        assert_eq!(outside.twins, [(4, 5)], "what is outside stays as it is");
        assert_eq!(outside.nodes.iter().filter(|node| node.is_running()).count(), 6);
    }
}
