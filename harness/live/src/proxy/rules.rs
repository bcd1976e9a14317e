//! What the network faults in force do to one message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_plan::{Endpoint, Fault, Grudge, Weather};
use quorate_world::weather;

use super::background::Background;

/// The network faults in force, shared by every link of the proxy.
///
/// A message's fate is drawn from the run's seed, the fault, the message's link and kind, and how many of
/// that kind this fault has seen on that link: taking one fault away leaves the draws of the others alone.
#[derive(Debug)]
pub struct Rules {
    seed: u64,
    /// Whether any fault is in force: spares every message the lock in quiet times.
    any: AtomicBool,
    active: Mutex<BTreeMap<u32, Active>>,
    /// What happens to messages while no fault is in force, and as well while one is.
    background: Option<Background>,
}

impl Rules {
    /// No fault in force; fates will be drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let active = Mutex::new(BTreeMap::new());
        Self { seed, any: AtomicBool::new(false), active, background: None }
    }

    /// With this background, for a run of so many nodes that goes on for so long.
    #[must_use]
    pub fn with_weather(self, weather: Weather, time_limit: Duration, nodes: u16) -> Self {
        let background = Some(Background::new(self.seed, weather, time_limit, nodes));
        Self { background, ..self }
    }

    /// Puts `rule` in force under the number `fault`, unique in a run.
    pub fn begin(&self, fault: u32, rule: NetworkRule) {
        let mut active = self.lock();
        active.insert(fault, Active { rule, bites: Bite::default(), seen: Seen::default() });
        self.any.store(true, Ordering::Release);
    }

    /// Takes `fault` out of force; how often it has bitten.
    pub fn end(&self, fault: u32) -> u64 {
        let mut active = self.lock();
        let bites = active.remove(&fault).map_or(0, |gone| gone.bites.count());
        self.any.store(!active.is_empty(), Ordering::Release);
        bites
    }

    /// How often `fault`, in force now, has bitten so far; 0 if it is not in force.
    pub fn bites(&self, fault: u32) -> u64 {
        self.lock().get(&fault).map_or(0, |active| active.bites.count())
    }

    /// Decides what happens to one message that enters the link from `from` to `to`.
    pub(crate) fn fate(&self, from: Endpoint, to: Endpoint, kind: &str) -> Fate {
        let mut passage = Passage::default();
        let survives = self
            .background
            .as_ref()
            .is_none_or(|background| background.apply(self.seed, &mut passage, from, to, kind));
        if !survives {
            return Fate::Dropped;
        }
        if !self.any.load(Ordering::Acquire) {
            return Fate::Passes(passage);
        }
        for (&fault, active) in self.lock().iter_mut() {
            if !active.rule.concerns(from, to) {
                continue;
            }
            let seen = active.seen.count(from, to, kind);
            let draw = |purpose| draw(self.seed, purpose, fault, from, to, kind, seen);
            if !active.rule.apply(&mut passage, &active.bites, draw) {
                active.bites.mark();
                return Fate::Dropped;
            }
        }
        Fate::Passes(passage)
    }

    /// Whether a partition in force cuts the link from `from` to `to`; if so the message that was about
    /// to arrive is counted as dropped by it.
    pub(crate) fn cuts(&self, from: Endpoint, to: Endpoint) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let active = self.lock();
        let cut = active.values().find(|active| {
            matches!(active.rule, NetworkRule::Cut(_)) && active.rule.concerns(from, to)
        });
        if let Some(active) = cut {
            active.bites.mark();
        }
        cut.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a network fault does to the messages that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkRule {
    /// Drops every message that a key of the grudge would hear from one of its set.
    Cut(Grudge),
    /// Holds every message to or from `ends` back, in order.
    Delay {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// The shortest addition, in milliseconds.
        min_ms: u64,
        /// The longest addition, in milliseconds.
        max_ms: u64,
    },
    /// Does `harm` to some of the messages to or from `ends`.
    Some {
        /// Whose messages.
        ends: BTreeSet<Endpoint>,
        /// To how many of a thousand.
        per_mille: u16,
        /// What is done to them.
        harm: Harm,
    },
}

/// What happens to single messages that a [`NetworkRule::Some`] picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// They get lost.
    Lose,
    /// They arrive a second time, up to so many milliseconds later.
    Duplicate(u64),
    /// They are held for up to so many milliseconds and let later ones pass.
    HoldBack(u64),
    /// Bytes of them are changed.
    Corrupt,
}

impl NetworkRule {
    /// The rule that carries out `fault`; `None` where the fault is not one of the network.
    pub fn of(fault: &Fault) -> Option<Self> {
        let some = |ends: &BTreeSet<Endpoint>, per_mille: &u16, harm| {
            Some(Self::Some { ends: ends.clone(), per_mille: *per_mille, harm })
        };
        match fault {
            Fault::Partition { grudge, .. } => Some(Self::Cut(grudge.clone())),
            Fault::Delay { ends, min_ms, max_ms } => {
                Some(Self::Delay { ends: ends.clone(), min_ms: *min_ms, max_ms: *max_ms })
            }
            Fault::Loss { ends, per_mille } => some(ends, per_mille, Harm::Lose),
            Fault::Duplicate { ends, per_mille, within_ms } => {
                some(ends, per_mille, Harm::Duplicate(*within_ms))
            }
            Fault::Reorder { ends, per_mille, within_ms } => {
                some(ends, per_mille, Harm::HoldBack(*within_ms))
            }
            Fault::Corrupt { ends, per_mille } => some(ends, per_mille, Harm::Corrupt),
            Fault::Kill { .. }
            | Fault::PowerLoss { .. }
            | Fault::Pause { .. }
            | Fault::Clock { .. }
            | Fault::Disk { .. }
            | Fault::Byzantine { .. }
            | Fault::ByzantineClients { .. }
            | Fault::Reconfigure { .. } => None,
        }
    }

    fn concerns(&self, from: Endpoint, to: Endpoint) -> bool {
        match self {
            Self::Cut(grudge) => grudge.get(&to).is_some_and(|shunned| shunned.contains(&from)),
            Self::Delay { ends, .. } | Self::Some { ends, .. } => {
                ends.contains(&from) || ends.contains(&to)
            }
        }
    }

    /// Adds what this rule does to `passage`; `false` if the message is dropped.
    fn apply(&self, passage: &mut Passage, bites: &Bite, draw: impl Fn(Purpose) -> u64) -> bool {
        match self {
            Self::Cut(_) => false,
            Self::Delay { min_ms, max_ms, .. } => {
                passage.delay += micros(*min_ms, *max_ms, draw(Purpose::Delay));
                passage.delayed_by.push(bites.clone());
                true
            }
            Self::Some { per_mille, harm, .. } => {
                if !weather::chance_per_mille(draw(Purpose::Pick), *per_mille) {
                    return true;
                }
                match harm {
                    Harm::Lose => return false,
                    Harm::Duplicate(within_ms) => {
                        let later = micros(0, *within_ms, draw(Purpose::Distance));
                        passage.copies.push((later, bites.clone()));
                    }
                    Harm::HoldBack(within_ms) => {
                        passage.hold += micros(0, *within_ms, draw(Purpose::Distance));
                        passage.held_by.push(bites.clone());
                    }
                    Harm::Corrupt => {
                        passage.corrupt.push((draw(Purpose::Damage), bites.clone()));
                    }
                }
                true
            }
        }
    }
}

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Fate {
    /// A fault took it, whose bite is counted, or the weather.
    Dropped,
    /// It goes on, perhaps later, changed or twice.
    Passes(Passage),
}

/// How a message passes a link. Each [`Bite`] is to be marked once its effect is seen.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    /// How long the weather lets it take; others may pass it meanwhile.
    pub(crate) journey: Duration,
    /// By how much it is late, keeping its place among the others.
    pub(crate) delay: Duration,
    /// The faults that delay it.
    pub(crate) delayed_by: Vec<Bite>,
    /// By how much it is held back beyond that while others pass.
    pub(crate) hold: Duration,
    /// The faults that hold it; they bite if another message does pass.
    pub(crate) held_by: Vec<Bite>,
    /// Copies, each with its distance behind the original and the fault that makes it.
    pub(crate) copies: Vec<(Duration, Bite)>,
    /// Damage to do, each with a draw that says where, and the fault that does it.
    pub(crate) corrupt: Vec<(u64, Bite)>,
}

/// The counter of what one fault was seen to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bite(Arc<AtomicU64>);

impl Bite {
    /// It did something.
    pub(crate) fn mark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Active {
    rule: NetworkRule,
    bites: Bite,
    /// The messages that this fault has looked at.
    seen: Seen,
}

/// How many messages of each link and kind there were.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<(Endpoint, Endpoint), BTreeMap<String, u64>>);

impl Seen {
    /// The number of this message among its equals, from 0.
    pub(super) fn count(&mut self, from: Endpoint, to: Endpoint, kind: &str) -> u64 {
        let kinds = self.0.entry((from, to)).or_default();
        if let Some(count) = kinds.get_mut(kind) {
            *count += 1;
            return *count;
        }
        kinds.insert(kind.to_owned(), 0);
        0
    }
}

/// What a draw is for: each purpose has its own stream.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Pick,
    Delay,
    Distance,
    Damage,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Pick => "pick",
            Self::Delay => "delay",
            Self::Distance => "distance",
            Self::Damage => "damage",
        }
    }
}

/// A number that depends on all of these and on nothing else.
fn draw(
    seed: u64,
    purpose: Purpose,
    fault: u32,
    from: Endpoint,
    to: Endpoint,
    kind: &str,
    count: u64,
) -> u64 {
    let of_kind = weather::draw(seed, kind, &[u64::from(fault)]);
    weather::draw(of_kind, purpose.name(), &[number(from), number(to), count])
}

/// Nodes and clients on one scale.
pub(super) fn number(end: Endpoint) -> u64 {
    match end {
        Endpoint::Node(node) => u64::from(node) << 32,
        Endpoint::Client(client) => u64::from(client),
    }
}

/// A time from `min_ms` to `max_ms`, in steps of a microsecond.
fn micros(min_ms: u64, max_ms: u64, draw: u64) -> Duration {
    let min = min_ms.saturating_mul(1_000);
    Duration::from_micros(weather::between(draw, min, max_ms.saturating_mul(1_000).max(min)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const N0: Endpoint = Endpoint::Node(0);
    const N1: Endpoint = Endpoint::Node(1);
    const C0: Endpoint = Endpoint::Client(0);

    fn some(ends: &[Endpoint], per_mille: u16, harm: Harm) -> NetworkRule {
        NetworkRule::Some { ends: ends.iter().copied().collect(), per_mille, harm }
    }

    fn passes(rules: &Rules, from: Endpoint, to: Endpoint) -> bool {
        matches!(rules.fate(from, to, "QUERY"), Fate::Passes(_))
    }

    /// Which of the first so many messages get lost.
    fn losses(rules: &Rules, kind: &str) -> Vec<bool> {
        (0..200).map(|_| matches!(rules.fate(N0, N1, kind), Fate::Dropped)).collect()
    }

    #[test]
    fn a_one_way_grudge_cuts_one_way_and_a_mutual_one_both() {
        let rules = Rules::new(1);
        rules.begin(1, NetworkRule::Cut([(N1, [N0].into())].into()));
        assert!(!passes(&rules, N0, N1));
        assert!(passes(&rules, N1, N0));
        rules.begin(2, NetworkRule::Cut([(N0, [N1].into())].into()));
        assert!(!passes(&rules, N1, N0));
        assert!(passes(&rules, C0, N0), "not named");
        assert_eq!((rules.end(1), rules.end(2)), (1, 1));
        assert!(passes(&rules, N0, N1));
    }

    #[test]
    fn a_share_of_messages_is_lost_and_each_loss_is_a_bite() {
        let rules = Rules::new(1);
        rules.begin(1, some(&[N0], 250, Harm::Lose));
        let lost = (0..10_000).filter(|_| !passes(&rules, N1, N0)).count();
        assert!((2_300..2_700).contains(&lost), "{lost}");
        assert!(passes(&rules, N1, C0), "neither end is meant");
        assert_eq!(rules.bites(1), u64::try_from(lost).unwrap());
    }

    #[test]
    fn the_fate_of_one_kind_does_not_depend_on_other_kinds_links_or_faults() {
        let alone = Rules::new(5);
        alone.begin(3, some(&[N0], 500, Harm::Lose));
        let expected = losses(&alone, "QUERY");

        let busy = Rules::new(5);
        busy.begin(2, some(&[N0], 500, Harm::Corrupt));
        busy.begin(3, some(&[N0], 500, Harm::Lose));
        let mut found = Vec::new();
        for _ in 0..200 {
            busy.fate(N0, N1, "UPDATE");
            busy.fate(C0, N0, "QUERY");
            found.push(matches!(busy.fate(N0, N1, "QUERY"), Fate::Dropped));
        }
        assert_eq!(found, expected);
        assert!(expected.contains(&true) && expected.contains(&false));
    }

    #[test]
    fn another_seed_or_fault_draws_otherwise() {
        let with = |seed, fault| {
            let rules = Rules::new(seed);
            rules.begin(fault, some(&[N0], 500, Harm::Lose));
            losses(&rules, "QUERY")
        };
        assert_eq!(with(5, 3), with(5, 3));
        assert_ne!(with(5, 3), with(6, 3));
        assert_ne!(with(5, 3), with(5, 4));
    }

    #[test]
    fn delays_add_up_and_stay_within_their_range() {
        let rules = Rules::new(1);
        let delay = |min_ms, max_ms| NetworkRule::Delay { ends: [N0].into(), min_ms, max_ms };
        rules.begin(1, delay(10, 20));
        rules.begin(2, delay(5, 5));
        for _ in 0..1_000 {
            let Fate::Passes(passage) = rules.fate(N0, C0, "QUERY") else { panic!("dropped") };
            let ms = Duration::from_millis;
            assert!((ms(15)..=ms(25)).contains(&passage.delay), "{:?}", passage.delay);
            assert_eq!(passage.delayed_by.len(), 2);
        }
    }

    #[test]
    fn faults_of_nodes_are_no_rules_for_messages() {
        assert_eq!(NetworkRule::of(&Fault::Kill { nodes: [1].into(), after_effects: None }), None);
        let fault = Fault::Loss { ends: [N0].into(), per_mille: 10 };
        assert_eq!(NetworkRule::of(&fault), Some(some(&[N0], 10, Harm::Lose)));
    }
}
