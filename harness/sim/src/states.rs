//! Abstract states of a run, hashed: for a search that keeps whatever comes to a new one.
//!
//! There must be few enough that new ones mean something: some thousands. So nodes and clients have no names here,
//! times and values do not count, and what counts is told in parts, after each event: how it stands with the one
//! that it happened to, and how it stands with the cluster.

use quorate_systems::contract::Command;
use quorate_world::invariants::Watched;

use crate::client::Asked;
use crate::event::Phase;
use crate::sim::Sim;

/// Tells of states.
pub(crate) struct States {
    reached: fn(u64),
    /// What happened last, to each machine and to each client.
    machines: Vec<Latest>,
    clients: Vec<Latest>,
    /// How many milestones were reached, and which was the last.
    milestones: usize,
    milestone: u64,
}

/// The kinds of the last two things that happened to somebody.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    kind: u64,
    before: u64,
    /// How often the last came in a row: answers of a quorum, for the most part.
    row: u64,
}

/// A timer fired.
pub(crate) const WAKE: &str = "(wake)";
/// Records became durable.
pub(crate) const SYNCED: &str = "(synced)";

/// More answers in a row than this are as good as this many.
const ROW_MAX: u64 = 6;

/// What a state is one of. Each of these has some hundreds.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The last two things that happened to a machine.
    Order,
    /// How a machine stands when something happens to it.
    Machine,
    /// How a client stands, and how many answers it has.
    Client,
    /// How far the system has come.
    Progress,
    /// How many are up, and at work, when something happens.
    Cluster,
    /// Which milestone follows which.
    Milestones,
}

impl States {
    pub(crate) const fn new(reached: fn(u64)) -> Self {
        Self { reached, machines: Vec::new(), clients: Vec::new(), milestones: 0, milestone: 0 }
    }

    /// A run begins.
    pub(crate) fn reset(&mut self) {
        self.machines.clear();
        self.clients.clear();
        self.milestones = 0;
        self.milestone = 0;
    }

    fn tell(&self, part: Part, of: &[u64]) {
        (self.reached)(of.iter().fold(part as u64, |hash, word| mix(hash ^ word)));
    }
}

impl Latest {
    /// One thing more happened to somebody of these; how it stands with it now.
    fn of(all: &mut Vec<Self>, place: usize, kind: u64) -> Self {
        if all.len() <= place {
            all.resize(place + 1, Self::default());
        }
        let Some(latest) = all.get_mut(place) else { return Self::default() };
        *latest = if latest.kind == kind {
            Self { row: (latest.row + 1).min(ROW_MAX), ..*latest }
        } else {
            Self { kind, before: latest.kind, row: 1 }
        };
        *latest
    }
}

impl<S: Watched> Sim<S> {
    /// Something happened to a machine.
    #[inline]
    pub(crate) fn happened_at(&mut self, slot: u16, kind: &'static str) {
        if let Some(mut states) = self.states.take() {
            self.tell_machine(&mut states, slot, kind);
            self.states = Some(states);
        }
    }

    fn tell_machine(&self, states: &mut States, slot: u16, kind: &'static str) {
        let Some(node) = self.nodes.get(usize::from(slot)) else { return };
        let kind = hash(kind);
        let latest = Latest::of(&mut states.machines, slot.into(), kind);
        let life = match (&node.replica, &node.paused) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(_), Some(_)) => 2,
        };
        let disk = node.disk.unsynced().min(1) << 8 | node.disk.mode as u64;
        let shape = life | node.incarnation.min(2) << 8 | u64::from(node.is_tainted) << 16;
        states.tell(Part::Order, &[latest.kind, latest.before, latest.row.min(2)]);
        states.tell(Part::Machine, &[latest.kind, shape, disk]);
        self.tell_cluster(states, kind);
    }

    /// Something happened to a client.
    pub(crate) fn happened_to_client(&mut self, client: u32, kind: &'static str) {
        let Some(mut states) = self.states.take() else { return };
        let kind = hash(kind);
        let latest = Latest::of(&mut states.clients, client as usize, kind);
        let open = self.clients.get(client as usize).and_then(|client| client.open.as_ref());
        let asked = match open.map(|open| &open.what) {
            None => 0,
            Some(Asked::Operation(Command::Read { .. })) => 1,
            Some(Asked::Operation(Command::Write { .. })) => 2,
            Some(Asked::Change(_)) => 3,
            Some(Asked::Operation(Command::Cas { .. })) => 4,
            Some(Asked::Operation(Command::Append { .. })) => 5,
            Some(Asked::Operation(Command::Delete { .. })) => 6,
            Some(Asked::Operation(Command::Add { .. })) => 7,
            Some(Asked::Operation(Command::Transaction(_))) => 8,
            Some(Asked::Operation(Command::Propose { .. })) => 9,
        };
        states.tell(Part::Client, &[latest.kind, latest.row, asked, self.phase as u64]);
        self.tell_cluster(&mut states, kind);
        self.states = Some(states);
    }

    /// A fault began, or ended.
    pub(crate) fn fault_turned(&mut self, place: u32, begins: bool) {
        let Some(mut states) = self.states.take() else { return };
        if let Some(fault) = self.faults.get(place as usize) {
            let class = fault.fault().class() as u64;
            self.tell_cluster(&mut states, class << 1 | u64::from(begins));
        }
        self.states = Some(states);
    }

    /// How it stands with all of them, after something of this kind.
    fn tell_cluster(&self, states: &mut States, kind: u64) {
        let down = self.nodes.iter().filter(|node| !node.is_running()).count() as u64;
        let open = self.clients.iter().filter(|client| client.open.is_some()).count() as u64;
        let ends_soon = u64::from(self.phase != Phase::Safety);
        let who = down.min(1) | open.min(2) << 8 | ends_soon << 16;
        states.tell(Part::Progress, &[self.stage.witness.progress()]);
        states.tell(Part::Cluster, &[kind, who]);
        for (name, _) in self.stage.witness.milestones.iter().skip(states.milestones) {
            let name = hash(name);
            states.tell(Part::Milestones, &[name, states.milestone, ends_soon]);
            states.milestones += 1;
            states.milestone = name;
        }
    }
}

/// A name as a number: the same in every build.
fn hash(name: &str) -> u64 {
    let word = |chunk: &[u8]| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    name.as_bytes().chunks(8).fold(0, |hash, chunk| mix(hash ^ word(chunk)))
}

/// Spreads a word over all of its bits (the finaliser of `SplitMix64`).
const fn mix(word: u64) -> u64 {
    let z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use quorate_systems::SystemKind;
    use quorate_systems::mutant::Mutants;

    use super::*;
    use crate::{Checks, QueueKind, simulator};

    thread_local! {
        static REACHED: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
    }

    fn keep(state: u64) {
        REACHED.with_borrow_mut(|reached| reached.insert(state));
    }

    /// The digest of the run of a seed, and the states that it came to.
    fn run(seed: u64, is_watched: bool) -> (String, BTreeSet<u64>) {
        let mut world = simulator(SystemKind::Quorum, QueueKind::default());
        if is_watched {
            world.watch_states(keep);
        }
        let plan = world.draw(seed);
        let ran = world.run(&plan, Mutants::NONE, Checks::ALL, &mut |_, _| Ok(()));
        (ran.unwrap().digest.digest, REACHED.take())
    }

    #[test]
    fn states_are_told_and_the_run_is_the_same() {
        let mut all = BTreeSet::new();
        for seed in 0..20 {
            let (digest, states) = run(seed, true);
            assert_eq!(run(seed, false), (digest.clone(), BTreeSet::new()));
            assert_eq!(run(seed, true), (digest, states.clone()));
            assert!(states.len() > 20, "{}", states.len());
            all.extend(states);
        }
        assert!(all.len() < 4_000, "few enough to mean something: {}", all.len());
    }

    #[test]
    fn nodes_have_no_names() {
        let mut machines = Vec::new();
        let kind = hash("QUERY");
        let first = Latest::of(&mut machines, 0, kind);
        let other = Latest::of(&mut machines, 3, kind);
        assert_eq!((first.kind, first.before, first.row), (other.kind, other.before, other.row));
        let again = Latest::of(&mut machines, 3, kind);
        assert_eq!((again.before, again.row), (0, 2), "in a row");
        let next = Latest::of(&mut machines, 3, hash("UPDATE"));
        assert_eq!((next.before, next.row), (kind, 1));
    }
}
