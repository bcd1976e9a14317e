//! Carries out the faults of a plan at their times, several at once, and tells the history.

mod claims;
mod harm;
mod machines;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use quorate_checkers::history::{Nemesis as Event, NemesisPhase};
use quorate_plan::{Endpoint, Fault, FaultClass, PlannedFault, RIGHT_RATE_PPM};
use quorate_systems::contract::Options;
use quorate_world::untold::{self, NeverBegan};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::{Administrator, Tongues};
use crate::cluster::{Death, Trouble};
use crate::happenings::Happenings;
use crate::proxy::{NetworkRule, Rules};
use crate::recorder::Recorder;

use claims::Claims;
use harm::{Begun, Harm};
pub(crate) use machines::{Machines, Started};

/// How long after its time a bad disk is waited for to be written to: a node that the system was changed to do
/// without never writes.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// How long after a fault that has not bitten, or could not begin, it is aimed again.
const AIM_AGAIN: Duration = Duration::from_millis(250);
/// How long after the healing a change of the system may take to be complete.
const CHANGE_MAX: Duration = Duration::from_secs(5);

/// What breaks things during a run. Clones share everything.
#[derive(Debug)]
pub(crate) struct Nemesis<M> {
    shared: Arc<Shared<M>>,
}

impl<M> Clone for Nemesis<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the nemesis breaks things with, and whom it tells.
#[derive(Debug)]
pub(crate) struct Means<M> {
    /// The nodes.
    pub(crate) machines: Arc<M>,
    /// The links.
    pub(crate) rules: Arc<Rules>,
    /// What changes the system, if the plan has such faults.
    pub(crate) administrator: Option<Administrator>,
    /// What makes clients lie.
    pub(crate) tongues: Arc<Tongues>,
    /// What faults may wait for.
    pub(crate) happenings: Arc<Happenings>,
    /// The history.
    pub(crate) recorder: Recorder,
}

#[derive(Debug)]
struct Shared<M> {
    machines: Arc<M>,
    rules: Arc<Rules>,
    administrator: Option<Administrator>,
    tongues: Arc<Tongues>,
    happenings: Arc<Happenings>,
    recorder: Recorder,
    /// A fault of one of these that has not bitten is aimed again.
    required: BTreeSet<FaultClass>,
    claims: Mutex<Claims>,
    next_fault: Arc<AtomicU32>,
    /// The faults in force, for people.
    current: Mutex<BTreeMap<u32, String>>,
    troubles: Mutex<Vec<String>>,
    /// One change of the system at a time.
    changing: tokio::sync::Mutex<()>,
    /// Whether every fault has had its time.
    over: watch::Sender<bool>,
    /// When everything heals: the sender is the run.
    heal: watch::Receiver<bool>,
}

/// How an attempt at a fault ended.
enum Attempt {
    /// It bit.
    Bit,
    /// It was in force and did nothing.
    Missed,
    /// It could not begin, for this reason.
    Blocked(String),
}

impl<M: Machines> Nemesis<M> {
    /// Nothing is in force yet. At most `liars_max` nodes will lie; `heal` becomes true when all
    /// is to be put right.
    pub(crate) fn new(
        means: Means<M>,
        required: impl IntoIterator<Item = FaultClass>,
        liars_max: u16,
        heal: watch::Receiver<bool>,
    ) -> Self {
        let Means { machines, rules, administrator, tongues, happenings, recorder } = means;
        let shared = Shared {
            machines,
            rules,
            administrator,
            tongues,
            happenings,
            recorder,
            required: required.into_iter().collect(),
            claims: Mutex::new(Claims::new(liars_max)),
            next_fault: Arc::default(),
            current: Mutex::default(),
            troubles: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            over: watch::Sender::new(false),
            heal,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Carries out `faults`, whose times count from `began`, until all is healed.
    pub(crate) async fn run(&self, faults: Vec<PlannedFault>, began: Instant) {
        join_all(faults.into_iter().map(|fault| self.see_to(fault, began))).await;
        self.shared.over.send_replace(true);
        self.healing_before(std::future::pending()).await;
        self.heal_all().await;
    }

    /// Records that faults stop coming. To be called before anything is put right.
    pub(crate) fn tell_healing(&self) {
        self.shared.recorder.nemesis(Event::healing(self.next_fault()));
    }

    /// Waits until every fault has had its time.
    pub(crate) async fn over(&self) {
        // The sender is here.
        let _ = self.shared.over.subscribe().wait_for(|over| *over).await;
    }

    /// The faults in force, as short texts.
    pub(crate) fn current(&self) -> Vec<String> {
        lock(&self.shared.current).values().cloned().collect()
    }

    /// What could not be put right, or went on in spite of what should have stopped it.
    pub(crate) fn troubles(&self) -> Vec<String> {
        lock(&self.shared.troubles).clone()
    }

    /// Who records the deaths of nodes that no fault was the cause of.
    pub(crate) fn coroner(&self) -> Coroner {
        Coroner {
            recorder: self.shared.recorder.clone(),
            next_fault: Arc::clone(&self.shared.next_fault),
        }
    }

    /// Begins a fault at its time, and again while it has not bitten and must.
    async fn see_to(&self, planned: PlannedFault, began: Instant) {
        let PlannedFault { when, at_ms, for_ms, mut fault } = planned;
        let mut from = began;
        if let Some(moment) = when {
            let id = self.shared.happenings.id(&moment);
            if self.healing_before(self.shared.happenings.reached(id)).await {
                return self.never_began(&fault, NeverBegan::NoMoment);
            }
            from = Instant::now();
        }
        if self.healing_before(sleep_until(from + Duration::from_millis(at_ms))).await {
            return self.never_began(&fault, NeverBegan::TooLate);
        }
        let must_bite = self.shared.required.contains(&fault.class());
        let mut last_reason = None;
        loop {
            match self.attempt(&fault, Duration::from_millis(for_ms)).await {
                Attempt::Bit => return,
                Attempt::Missed => {}
                Attempt::Blocked(reason) => {
                    // Once for each reason: it may be tried often.
                    if last_reason.as_ref() != Some(&reason) {
                        self.record_skipped(&fault, &reason);
                    }
                    last_reason = Some(reason);
                }
            }
            if !must_bite || self.healing_before(sleep(AIM_AGAIN)).await {
                return;
            }
            fault.aim_elsewhere(self.shared.machines.count());
        }
    }

    async fn attempt(&self, fault: &Fault, length: Duration) -> Attempt {
        let id = self.next_fault();
        match (fault, NetworkRule::of(fault)) {
            (Fault::Reconfigure { options }, _) => self.attempt_on_system(id, fault, options).await,
            (Fault::ByzantineClients { clients, lie }, _) => {
                self.attempt_on_clients(id, fault, (clients, lie), length).await
            }
            (_, Some(rule)) => self.attempt_on_network(id, fault, rule, length).await,
            (_, None) => self.attempt_on_nodes(id, fault, length).await,
        }
    }

    async fn attempt_on_network(
        &self,
        id: u32,
        fault: &Fault,
        rule: NetworkRule,
        length: Duration,
    ) -> Attempt {
        self.shared.rules.begin(id, rule);
        let targets = fault.targets();
        self.record(id, fault, NemesisPhase::Begin, &targets, None, 0);
        self.healing_before(sleep(length)).await;
        let bites = self.shared.rules.end(id);
        self.record(id, fault, NemesisPhase::End, &targets, None, bites);
        if bites > 0 { Attempt::Bit } else { Attempt::Missed }
    }

    /// Has the system changed. A change is complete when it is, whatever the fault's length says, and is not
    /// undone; one that is under way at the healing may take a little longer, since nothing is in its way then.
    async fn attempt_on_system(&self, id: u32, fault: &Fault, options: &Options) -> Attempt {
        let Some(administrator) = &self.shared.administrator else {
            return Attempt::Blocked("there is no administrator".to_owned());
        };
        let turn = self.shared.changing.lock();
        let asked = async { (turn.await, administrator.begin(options.clone()).await) };
        let Some((_turn, answer)) = self.unless_healed(asked).await else {
            return Attempt::Blocked("an earlier change was still under way".to_owned());
        };
        let changing = match answer {
            Ok(changing) => changing,
            Err(reason) => return Attempt::Blocked(reason),
        };
        self.record(id, fault, NemesisPhase::Begin, &BTreeSet::new(), None, 0);
        let end = changing.end();
        tokio::pin!(end);
        let ended = match self.unless_healed(&mut end).await {
            Some(ended) => ended,
            None => timeout(CHANGE_MAX, end).await.unwrap_or_else(|_| {
                Err(format!("not complete {} s after the healing", CHANGE_MAX.as_secs()))
            }),
        };
        let remark = ended.as_ref().err().map(String::as_str);
        let bites = u64::from(ended.is_ok());
        self.record(id, fault, NemesisPhase::End, &BTreeSet::new(), remark, bites);
        if ended.is_ok() { Attempt::Bit } else { Attempt::Missed }
    }

    async fn attempt_on_clients(
        &self,
        id: u32,
        fault: &Fault,
        (clients, lie): (&BTreeSet<u32>, &str),
        length: Duration,
    ) -> Attempt {
        let Ok(lie) = lie.parse() else {
            return Attempt::Blocked(format!("nobody knows the lie `{lie}`"));
        };
        let told = self.shared.tongues.begin(clients, lie);
        if told.is_empty() {
            return Attempt::Blocked("its clients lie already".to_owned());
        }
        let targets = told.iter().map(|(client, _)| Endpoint::Client(*client)).collect();
        self.record(id, fault, NemesisPhase::Begin, &targets, None, 0);
        self.healing_before(sleep(length)).await;
        let bites = self.shared.tongues.stop(&told);
        self.record(id, fault, NemesisPhase::End, &targets, None, bites);
        if bites > 0 { Attempt::Bit } else { Attempt::Missed }
    }

    async fn attempt_on_nodes(&self, id: u32, fault: &Fault, length: Duration) -> Attempt {
        let Some(part) = fault.part() else {
            return Attempt::Blocked("nobody knows how to do it".to_owned());
        };
        let nodes = match lock(&self.shared.claims).take(id, part, &fault.nodes()) {
            Ok(nodes) => nodes,
            Err(reason) => return Attempt::Blocked(reason),
        };
        // Nothing that waits for a node's end comes before the fault that ends it.
        self.shared.happenings.withhold(&nodes);
        let begun = harm::begin(&*self.shared.machines, fault, &nodes).await;
        if let Ok(begun) = &begun {
            let remark = begun.remark.as_deref();
            self.record(id, fault, NemesisPhase::Begin, &begun.targets(), remark, 0);
        }
        self.shared.happenings.release(&nodes);
        let attempt = match begun {
            Ok(begun) => self.endure(id, fault, begun, length).await,
            Err(reason) => Attempt::Blocked(reason),
        };
        lock(&self.shared.claims).release(id);
        attempt
    }

    /// A fault of nodes is in force: waits, and puts it right.
    async fn endure(&self, id: u32, fault: &Fault, begun: Begun, length: Duration) -> Attempt {
        let targets = begun.targets();
        let Begun { harm, remark, .. } = begun;
        if !self.healing_before(sleep(length)).await {
            self.wait_for_a_write(fault, &harm).await;
        }
        let (bites, troubles) = harm::end(&*self.shared.machines, harm).await;
        self.record(id, fault, NemesisPhase::End, &targets, remark.as_deref(), bites);
        self.note(troubles);
        if bites > 0 { Attempt::Bit } else { Attempt::Missed }
    }

    /// A bad disk that must bite stays bad until the node has written to it, or seems to have nothing to write.
    async fn wait_for_a_write(&self, fault: &Fault, harm: &Harm) {
        if matches!(harm, Harm::BadDisk(..)) && self.shared.required.contains(&fault.class()) {
            let bitten = harm::bitten(&*self.shared.machines, harm);
            self.healing_before(async {
                let _ = timeout(WRITE_MAX, bitten).await;
            })
            .await;
        }
    }

    /// Makes sure that nothing is left: every node serves, with a right clock, a good disk and no lies.
    async fn heal_all(&self) {
        let nodes = 0..self.shared.machines.count();
        let results = join_all(nodes.map(|node| self.heal_node(node))).await;
        self.note(results.into_iter().filter_map(Result::err));
    }

    async fn heal_node(&self, node: u16) -> Result<(), Trouble> {
        let machines = &self.shared.machines;
        if !machines.lives(node) {
            machines.flip_back(node)?;
            machines.start_node(node).await?;
        }
        machines.resume(node).await?;
        machines.set_lie(node, None).await?;
        machines.mend_disk(node).await?;
        machines.set_clock(node, 0, RIGHT_RATE_PPM).await?;
        Ok(())
    }

    /// Waits for `event`, but no longer than until everything is to heal; whether that came first.
    async fn healing_before(&self, event: impl Future<Output = ()>) -> bool {
        self.unless_healed(event).await.is_none()
    }

    /// Waits for `event`, but no longer than until everything is to heal.
    async fn unless_healed<T>(&self, event: impl Future<Output = T>) -> Option<T> {
        let mut heal = self.shared.heal.clone();
        tokio::select! {
            biased;
            // The sender is gone: so is the run.
            _ = heal.wait_for(|heal| *heal) => None,
            came = event => Some(came),
        }
    }

    fn next_fault(&self) -> u32 {
        self.shared.next_fault.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, troubles: impl IntoIterator<Item = Trouble>) {
        let texts = troubles.into_iter().map(|trouble| trouble.to_string());
        lock(&self.shared.troubles).extend(texts);
    }

    fn never_began(&self, fault: &Fault, why: NeverBegan) {
        lock(&self.shared.troubles).push(untold::fault(fault, why));
    }

    fn record_skipped(&self, fault: &Fault, reason: &str) {
        let id = self.next_fault();
        let phase = NemesisPhase::Skipped;
        self.record(id, fault, phase, &fault.targets(), Some(reason), 0);
    }

    fn record(
        &self,
        id: u32,
        fault: &Fault,
        phase: NemesisPhase,
        targets: &BTreeSet<Endpoint>,
        remark: Option<&str>,
        bites: u64,
    ) {
        let kind = fault.class().name().to_owned();
        let what = match remark {
            Some(remark) => format!("{fault}: {remark}"),
            None => fault.to_string(),
        };
        let mut current = lock(&self.shared.current);
        match phase {
            NemesisPhase::Begin => {
                current.insert(id, fault.brief());
            }
            NemesisPhase::End => {
                current.remove(&id);
            }
            NemesisPhase::Skipped => {}
        }
        drop(current);
        let targets = targets.iter().map(Endpoint::to_string).collect();
        self.shared.recorder.nemesis(Event { fault: id, kind, phase, targets, what, bites });
    }
}

/// Records deaths of nodes among the faults of the run.
#[derive(Debug)]
pub(crate) struct Coroner {
    recorder: Recorder,
    next_fault: Arc<AtomicU32>,
}

impl Coroner {
    /// A node has died, and no fault was the cause.
    pub(crate) fn record(&self, death: &Death) {
        let fault = self.next_fault.fetch_add(1, Ordering::Relaxed);
        for (phase, bites) in [(NemesisPhase::Begin, 0), (NemesisPhase::End, 1)] {
            self.recorder.nemesis(Event {
                fault,
                kind: Event::DEATH.to_owned(),
                phase,
                targets: vec![Endpoint::Node(death.node).to_string()],
                what: death.how.clone(),
                bites,
            });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
