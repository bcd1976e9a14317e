//! What of a plan waits for something to happen: faults, rules and operations of scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use quorate_plan::{Act, Endpoint, Moment, Plan};
use quorate_systems::contract::Describe;
use quorate_systems::vocabulary::Vocabulary;
use quorate_systems::wire;
use quorate_world::moments::{MomentId, Moments};
use quorate_world::rules::{Decision, Rules};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::protocol::ClientEnvelope;

/// The moments and the rules of one run. Everybody to whom something happens tells it here.
///
/// Messages are seen as they pass the proxy: they count as sent when they reach it, and as delivered when it
/// has handed them over. Observations of nodes come by a pipe, those of clients at once; both are a step late.
#[derive(Debug)]
pub(crate) struct Happenings {
    /// Whether anybody waits for anything: spares everybody the lock in most plans.
    any: bool,
    /// Whether messages must be looked into.
    messages: bool,
    state: Mutex<State>,
    /// Everything is healed: rules have no say any more, and nothing is held back.
    healed: AtomicBool,
    /// Counts up whenever a moment has come, and at the healing.
    turns: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    moments: Moments,
    rules: Rules,
    /// Kept for its room.
    new: Vec<MomentId>,
    /// Nodes whose ends are not told yet: by how many, and whether they have ended.
    withheld: BTreeMap<u16, Withheld>,
}

#[derive(Debug, Default)]
struct Withheld {
    by: u32,
    ended: bool,
}

impl Happenings {
    /// Those of this plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut moments = Moments::new();
        let rules = Rules::new(&plan.rules, &mut moments);
        for moment in moments_of(plan) {
            moments.register(moment);
        }
        let any = !moments.is_empty() || !rules.is_empty();
        let messages = moments.watches_messages() || !rules.is_empty();
        Self {
            any,
            messages,
            state: Mutex::new(State { moments, rules, new: Vec::new(), withheld: BTreeMap::new() }),
            healed: AtomicBool::new(false),
            turns: watch::Sender::new(0),
        }
    }

    /// The id of a moment of the plan.
    pub(crate) fn id(&self, moment: &Moment) -> MomentId {
        self.lock().moments.register(moment)
    }

    /// Whether messages must be looked into.
    pub(crate) const fn looks_into_messages(&self) -> bool {
        self.messages
    }

    /// A message reaches the proxy: what a rule does to it, if one is about it.
    fn sent<M: Describe>(&self, from: Endpoint, to: Endpoint, message: &M) -> Option<Decision> {
        self.tell(|state| {
            let decided = state.rules.decide(&state.moments, from, to, message);
            state.moments.sent(from, to, message);
            decided.map(|(_, decision)| decision)
        })
        .flatten()
        .filter(|_| !self.is_healed())
    }

    fn delivered<M: Describe>(&self, from: Endpoint, to: Endpoint, message: &M) {
        self.tell(|state| state.moments.delivered(from, to, message));
    }

    /// A core told of a transition.
    pub(crate) fn observed<O: Describe>(&self, by: Endpoint, observation: &O) {
        self.tell(|state| state.moments.observed(by, observation));
    }

    /// A client begins an operation.
    pub(crate) fn invoked(&self, client: u32, f: &str, key: Option<u64>) {
        self.tell(|state| state.moments.invoked(client, f, key));
    }

    /// An operation has ended.
    pub(crate) fn completed(&self, client: u32, f: &str, key: Option<u64>) {
        self.tell(|state| state.moments.completed(client, f, key));
    }

    /// A node serves.
    pub(crate) fn started(&self, node: u16) {
        self.tell(|state| {
            // It had ended before that, and whoever waits for both is told in this order.
            if let Some(withheld) = state.withheld.get_mut(&node)
                && std::mem::take(&mut withheld.ended)
            {
                state.moments.crashed(node);
            }
            state.moments.started(node);
        });
    }

    /// A node's process is gone.
    pub(crate) fn crashed(&self, node: u16) {
        self.tell(|state| match state.withheld.get_mut(&node) {
            Some(withheld) => withheld.ended = true,
            None => state.moments.crashed(node),
        });
    }

    /// A fault of these nodes is about to begin: that a node has ended is told by [`Happenings::release`], once
    /// the history says whose doing it is.
    pub(crate) fn withhold(&self, nodes: &BTreeSet<u16>) {
        self.tell(|state| {
            for node in nodes {
                state.withheld.entry(*node).or_default().by += 1;
            }
        });
    }

    /// What was withheld of these nodes is told, as soon as nobody withholds it any more.
    pub(crate) fn release(&self, nodes: &BTreeSet<u16>) {
        self.tell(|state| {
            for node in nodes {
                let Some(withheld) = state.withheld.get_mut(node) else { continue };
                withheld.by -= 1;
                if withheld.by == 0 {
                    let ended = withheld.ended;
                    state.withheld.remove(node);
                    if ended {
                        state.moments.crashed(*node);
                    }
                }
            }
        });
    }

    /// Everything is healed from here on.
    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::Release);
        self.turns.send_modify(|turns| *turns += 1);
    }

    /// Waits until a moment has come; for ever, if it never does.
    pub(crate) async fn reached(&self, id: MomentId) {
        // Whoever tells the last thing that happens holds this as well.
        let mut turns = self.turns.subscribe();
        while !self.lock().moments.is_reached(id) {
            if turns.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Brings the moments that the clock brings, for a run whose first operation was at `began`.
    pub(crate) async fn keep_time(&self, began: Instant) {
        let times: Vec<(u64, MomentId)> = self.lock().moments.times().collect();
        join_all(times.into_iter().map(|(at_ms, id)| async move {
            sleep_until(began + Duration::from_millis(at_ms)).await;
            self.tell(|state| state.moments.reach(id));
        }))
        .await;
    }

    /// Whether a message that is held back until then may go.
    fn is_released(&self, until: Option<MomentId>) -> bool {
        self.is_healed() || until.is_some_and(|until| self.lock().moments.is_reached(until))
    }

    fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Acquire)
    }

    fn tell<T>(&self, what: impl FnOnce(&mut State) -> T) -> Option<T> {
        if !self.any {
            return None;
        }
        let mut state = self.lock();
        let told = what(&mut state);
        if state.moments.has_new() {
            let State { moments, new, .. } = &mut *state;
            moments.take_new(new);
            new.clear();
            drop(state);
            self.turns.send_modify(|turns| *turns += 1);
        }
        Some(told)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All moments of a plan.
fn moments_of(plan: &Plan) -> impl Iterator<Item = &Moment> {
    let faults = plan.faults.iter().filter_map(|fault| fault.when.as_ref());
    let operations = plan.scripts.iter().flat_map(|script| &script.operations);
    let rules = plan.rules.iter().flat_map(|rule| {
        let held = match &rule.act {
            Act::HoldUntil(moment) => Some(moment),
            Act::Drop
            | Act::DelayMs(_)
            | Act::DelayUs(_)
            | Act::DuplicateAfterMs(_)
            | Act::Corrupt
            | Act::Hold => None,
        };
        [rule.after.as_ref(), rule.until.as_ref(), held].into_iter().flatten()
    });
    faults.chain(operations.filter_map(|operation| operation.when.as_ref())).chain(rules)
}

/// The kinds of observations that some moment of the plan is about.
pub(crate) fn watched_kinds(plan: &Plan, vocabulary: &Vocabulary) -> BTreeSet<String> {
    let asked = moments_of(plan).filter_map(|moment| match moment {
        Moment::Observed(asked) => Some(asked.name.clone()),
        Moment::AtMs(_)
        | Moment::Sent(_)
        | Moment::Delivered(_)
        | Moment::Invoked(_)
        | Moment::Completed(_)
        | Moment::Started(_)
        | Moment::Crashed(_) => None,
    });
    let every = || vocabulary.observations.iter().map(|kind| kind.name.to_owned()).collect();
    asked.flat_map(|name| name.map_or_else(every, |name| vec![name])).collect()
}

/// Looks into what passes as bytes, for those who do not know the system's types.
pub trait Onlooker: fmt::Debug + Send + Sync {
    /// A message enters a link: what a rule does to it, if one is about it.
    fn sent(&self, from: Endpoint, to: Endpoint, bytes: &[u8]) -> Option<Decision>;

    /// A message was handed over at the end of a link.
    fn delivered(&self, from: Endpoint, to: Endpoint, bytes: &[u8]);

    /// Whether a message that is held back until then may go.
    fn is_released(&self, until: Option<MomentId>) -> bool;

    /// Changes whenever [`Onlooker::is_released`] may.
    fn turns(&self) -> watch::Receiver<u64>;

    /// A node tells of a transition.
    fn observed(&self, node: u16, observation: &serde_json::Value);
}

/// The onlooker of a system with these messages and observations.
pub(crate) struct Eyes<M, O> {
    happenings: Arc<Happenings>,
    vocabulary: &'static Vocabulary,
    types: PhantomData<fn() -> (M, O)>,
}

impl<M, O> Eyes<M, O> {
    /// Tells `happenings` what it sees.
    pub(crate) const fn new(happenings: Arc<Happenings>, vocabulary: &'static Vocabulary) -> Self {
        Self { happenings, vocabulary, types: PhantomData }
    }
}

impl<M, O> fmt::Debug for Eyes<M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eyes").field("happenings", &self.happenings).finish_non_exhaustive()
    }
}

impl<M: Describe + Serialize + DeserializeOwned, O> Eyes<M, O> {
    /// What the bytes say, if they are whole: frames between nodes, else envelopes.
    fn read(&self, from: Endpoint, to: Endpoint, bytes: &[u8]) -> Option<M> {
        match (from, to) {
            (Endpoint::Node(_), Endpoint::Node(_)) => {
                wire::decode::<M>(self.vocabulary, bytes).ok().map(|envelope| envelope.message)
            }
            (Endpoint::Client(_), _) | (_, Endpoint::Client(_)) => {
                serde_json::from_slice::<ClientEnvelope>(bytes).ok()?.open().ok()
            }
        }
    }
}

impl<M, O> Onlooker for Eyes<M, O>
where
    M: Describe + Serialize + DeserializeOwned,
    O: Describe + DeserializeOwned,
{
    fn sent(&self, from: Endpoint, to: Endpoint, bytes: &[u8]) -> Option<Decision> {
        self.happenings.sent(from, to, &self.read(from, to, bytes)?)
    }

    fn delivered(&self, from: Endpoint, to: Endpoint, bytes: &[u8]) {
        // Damage is not taken in.
        if let Some(message) = self.read(from, to, bytes) {
            self.happenings.delivered(from, to, &message);
        }
    }

    fn is_released(&self, until: Option<MomentId>) -> bool {
        self.happenings.is_released(until)
    }

    fn turns(&self) -> watch::Receiver<u64> {
        self.happenings.turns.subscribe()
    }

    fn observed(&self, node: u16, observation: &serde_json::Value) {
        if let Ok(observation) = O::deserialize(observation) {
            self.happenings.observed(Endpoint::Node(node), &observation);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_plan::{Fault, NodeMatch, PlannedFault, SystemPlan, WorldKind};

    use super::*;

    /// Those of a plan that waits for the end of n2, and the id of that.
    fn waiting() -> (Happenings, MomentId) {
        let moment = Moment::Crashed(NodeMatch { node: Some(2), nth: Some(1) });
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: 3, options: [].into() };
        let mut plan = Plan::new("test", 1, WorldKind::Live, system);
        let fault = Fault::Kill { nodes: [1].into(), after_effects: None };
        plan.faults = vec![PlannedFault { when: Some(moment.clone()), at_ms: 0, for_ms: 1, fault }];
        let happenings = Happenings::of(&plan);
        let id = happenings.id(&moment);
        (happenings, id)
    }

    fn is_reached(happenings: &Happenings, id: MomentId) -> bool {
        happenings.lock().moments.is_reached(id)
    }

    #[test]
    fn the_end_of_a_node_is_told_once_nobody_withholds_it() {
        let (happenings, id) = waiting();
        let two = BTreeSet::from([1, 2]);
        happenings.withhold(&two);
        happenings.withhold(&BTreeSet::from([2]));
        happenings.crashed(2);
        happenings.release(&two);
        assert!(!is_reached(&happenings, id));
        happenings.release(&BTreeSet::from([2]));
        assert!(is_reached(&happenings, id));
        assert!(happenings.lock().withheld.is_empty());
    }

    #[test]
    fn a_node_that_starts_has_ended_before() {
        let (happenings, id) = waiting();
        happenings.withhold(&BTreeSet::from([2]));
        happenings.crashed(2);
        happenings.started(2);
        assert!(is_reached(&happenings, id));
    }

    #[test]
    fn what_nobody_withholds_is_told_at_once() {
        let (happenings, id) = waiting();
        happenings.crashed(2);
        assert!(is_reached(&happenings, id));
    }
}
