//! What exactly a fault does, once it is known when it comes.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};

use crate::schedule::{FaultRequest, Strength, Swarm, Turn};
use crate::seed::{Seed, Stream};
use crate::{Disk, Endpoint, Fault, FaultClass, PartitionShape, PlannedFault, RIGHT_RATE_PPM};

/// Fills in turns, in the order of their times.
pub(crate) struct Drawer<'a> {
    request: &'a FaultRequest,
    swarm: &'a Swarm,
    /// How many faults of a class there have been.
    drawn: BTreeMap<FaultClass, u64>,
    /// The nodes that lie in this run.
    liars: Vec<u16>,
    /// The clients that lie in this run.
    lying_clients: Vec<u32>,
    /// The nodes whose processes may end in this run.
    mortals: Vec<u16>,
    /// Shapes still to come before any comes again.
    shapes: Vec<PartitionShape>,
    shapes_rng: rand::rngs::ChaCha8Rng,
    /// How many changes of the system's options there have been.
    changed: usize,
}

/// One in how many kills is of all nodes, where nothing else is down.
const KILL_ALL_ONE_IN: u32 = 6;
/// All nodes are down for this long at most: without them, nothing is tested.
const KILL_ALL_MAX_MS: u64 = 1_500;
/// Few steps have more effects than this, and a crash that waits for one of those comes late or never.
const AFTER_EFFECTS_MAX: u8 = 4;
/// A node that has just come back is left alone for so long, if there is another one to take.
const RECOVERY_MS: u64 = 500;

impl<'a> Drawer<'a> {
    pub(crate) fn new(request: &'a FaultRequest, swarm: &'a Swarm) -> Self {
        let seed = Seed(request.seed);
        let some = |count: u16, stream| {
            let mut everybody: Vec<u16> = (0..request.nodes).collect();
            everybody.shuffle(&mut seed.stream(stream));
            everybody.truncate(usize::from(count));
            everybody
        };
        Self {
            request,
            swarm,
            drawn: BTreeMap::new(),
            liars: some(request.liars, Stream::Liars),
            lying_clients: {
                let mut everybody: Vec<u32> = (0..request.clients).collect();
                everybody.shuffle(&mut seed.stream(Stream::LyingClients));
                // Of what only liars ask for nothing can be learned.
                everybody.truncate((everybody.len() / 2).max(1));
                everybody
            },
            mortals: match request.memory {
                Some(count) => some(count, Stream::Mortals),
                None => (0..request.nodes).collect(),
            },
            shapes: Vec::new(),
            shapes_rng: seed.stream(Stream::Shapes),
            changed: 0,
        }
    }

    /// The faults for these turns.
    pub(crate) fn fill(mut self, turns: &[Turn]) -> Vec<PlannedFault> {
        let mut down: Vec<(Turn, BTreeSet<u16>)> = Vec::new();
        let mut faults = Vec::new();
        for turn in turns {
            let drawn = self.drawn.entry(turn.class).or_insert(0);
            let (class, n) = (number(turn.class), *drawn);
            *drawn += 1;
            let rng = &mut Seed(self.request.seed).stream(Stream::FaultContent { class, n });

            let mut for_ms = turn.for_ms;
            let fault = if takes_down(turn.class) {
                let nodes = self.victims(turn, turns, &down, rng);
                if self.request.nodes > 1 && nodes.len() == usize::from(self.request.nodes) {
                    for_ms = for_ms.min(KILL_ALL_MAX_MS);
                }
                down.push((*turn, nodes.clone()));
                crash(turn.class, nodes, self.after_effects(Stream::MidStep { class, n }))
            } else {
                self.other(turn.class, rng)
            };
            faults.push(PlannedFault { when: None, at_ms: turn.at_ms, for_ms, fault });
        }
        faults
    }

    /// Nodes to take down: with those that are down at the same time, no more than may be.
    fn victims(
        &self,
        turn: &Turn,
        turns: &[Turn],
        down: &[(Turn, BTreeSet<u16>)],
        rng: &mut impl Rng,
    ) -> BTreeSet<u16> {
        let meanwhile =
            || turns.iter().filter(|t| *t != turn && takes_down(t.class) && t.overlaps(turn));
        let within = self.within_reach(turn.class);
        let alone = meanwhile().next().is_none();
        if turn.class == FaultClass::Kill && alone && rng.random_ratio(1, KILL_ALL_ONE_IN) {
            return within.into_iter().collect();
        }
        let is_disk = FaultClass::is_of_disk;
        let count = if is_disk(turn.class) {
            1
        } else {
            // A disk fault takes one node, also one that is yet to be drawn.
            let for_disk = u16::from(meanwhile().any(|other| is_disk(other.class)));
            rng.random_range(1..=(self.request.down_max() - for_disk).max(1))
        };
        let count = usize::from(count).min(within.len());
        let busy = |margin: u64| -> BTreeSet<u16> {
            let reach = Turn { for_ms: turn.for_ms + margin, at_ms: turn.at_ms, ..*turn };
            let near = down.iter().filter(|(other, _)| {
                let other = Turn { for_ms: other.for_ms + margin, ..*other };
                other.overlaps(&reach)
            });
            near.flat_map(|(_, nodes)| nodes).copied().collect()
        };
        let free = |busy: &BTreeSet<u16>| -> Vec<u16> {
            within.iter().copied().filter(|node| !busy.contains(node)).collect()
        };
        let mut candidates = free(&busy(RECOVERY_MS));
        if candidates.len() < count {
            candidates = free(&busy(0));
        }
        candidates.sample(rng, count).copied().collect()
    }

    /// The nodes that a class may take down, in order.
    fn within_reach(&self, class: FaultClass) -> Vec<u16> {
        let may = |node: &u16| !class.ends_processes() || self.mortals.contains(node);
        (0..self.request.nodes).filter(may).collect()
    }

    /// After how much of a step a crash comes; nothing for one between two steps.
    fn after_effects(&self, stream: Stream) -> Option<u8> {
        let mut rng = Seed(self.request.seed).stream(stream);
        let is_mid_step = self.request.mid_step && rng.random_ratio(1, 2);
        is_mid_step.then(|| rng.random_range(1..=AFTER_EFFECTS_MAX))
    }

    /// A fault that leaves all nodes up.
    fn other(&mut self, class: FaultClass, rng: &mut impl Rng) -> Fault {
        match class {
            FaultClass::Partition => {
                let shape = self.next_shape();
                let grudge = shape.grudge(self.request.nodes, self.request.clients, rng);
                Fault::Partition { shape, grudge }
            }
            FaultClass::Clock => self.clock(rng),
            FaultClass::Reconfigure => Fault::Reconfigure { options: self.next_change() },
            FaultClass::ByzantineClients => Fault::ByzantineClients {
                clients: some_of(&self.lying_clients, rng),
                lie: self.request.client_lies.choose(rng).expect("there are lies").clone(),
            },
            FaultClass::Byzantine => Fault::Byzantine {
                nodes: some_of(&self.liars, rng),
                lie: self.request.lies.choose(rng).expect("there are lies").clone(),
            },
            _ => self.weather(class, rng),
        }
    }

    /// Every shape comes once before any comes again, in random order.
    fn next_shape(&mut self) -> PartitionShape {
        if self.shapes.is_empty() {
            let nodes = self.request.nodes;
            let possible = |shape: &PartitionShape| shape.nodes_min() <= nodes;
            self.shapes = PartitionShape::ALL.iter().copied().filter(possible).collect();
            self.shapes.shuffle(&mut self.shapes_rng);
        }
        self.shapes.pop().expect("a single node can be cut off from clients")
    }

    /// The changes come in the order in which they were drawn, each possible after the one before.
    fn next_change(&mut self) -> BTreeMap<String, String> {
        let change = self.request.changes.get(self.changed).or(self.request.changes.last());
        self.changed += 1;
        change.cloned().expect("a system that can be reconfigured has a change to make")
    }

    /// A fault of messages.
    fn weather(&self, class: FaultClass, rng: &mut impl Rng) -> Fault {
        let ends = self.ends(rng);
        let per_mille = match self.swarm.strength {
            Strength::Mild => rng.random_range(50..=150),
            Strength::Middling => rng.random_range(100..=350),
            Strength::Harsh => rng.random_range(300..=700),
        };
        let within_ms = match self.swarm.strength {
            Strength::Mild => rng.random_range(5..=30),
            Strength::Middling => rng.random_range(20..=150),
            Strength::Harsh => rng.random_range(100..=600),
        };
        match class {
            FaultClass::Loss => Fault::Loss { ends, per_mille },
            FaultClass::Duplicate => Fault::Duplicate { ends, per_mille, within_ms },
            FaultClass::Reorder => Fault::Reorder { ends, per_mille, within_ms },
            FaultClass::Corrupt => Fault::Corrupt { ends, per_mille },
            _ => Fault::Delay {
                ends,
                min_ms: rng.random_range(0..=within_ms / 2),
                max_ms: within_ms,
            },
        }
    }

    /// Whose messages: one node's, some nodes', some nodes' and clients', or everybody's.
    fn ends(&self, rng: &mut impl Rng) -> BTreeSet<Endpoint> {
        let nodes: Vec<u16> = (0..self.request.nodes).collect();
        let clients: Vec<u32> = (0..self.request.clients).collect();
        let as_ends = |nodes: BTreeSet<u16>| nodes.into_iter().map(Endpoint::Node);
        match rng.random_range(0..4_u32) {
            0 => nodes.choose(rng).copied().map(Endpoint::Node).into_iter().collect(),
            1 => as_ends(some_of(&nodes, rng)).collect(),
            2 => {
                let mut ends: BTreeSet<Endpoint> = as_ends(some_of(&nodes, rng)).collect();
                ends.extend(some_of(&clients, rng).into_iter().map(Endpoint::Client));
                ends
            }
            // Every link has a node at one end.
            _ => nodes.into_iter().map(Endpoint::Node).collect(),
        }
    }

    fn clock(&self, rng: &mut impl Rng) -> Fault {
        let nodes: Vec<u16> = (0..self.request.nodes).collect();
        let nodes = some_of(&nodes, rng);
        let offset_ms = match rng.random_range(0..3_u32) {
            0 => rng.random_range(10..=200),
            1 => rng.random_range(200..=1_500),
            _ => rng.random_range(1_500..=5_000),
        };
        let offset_ms = if rng.random_ratio(1, 2) { offset_ms } else { -offset_ms };
        let rate_ppm = match rng.random_range(0..3_u32) {
            0 => rng.random_range(500_000..1_000_000),
            1 => rng.random_range(1_000_001..=2_000_000),
            _ => RIGHT_RATE_PPM,
        };
        match self.request.drift_ppm {
            None => Fault::Clock { nodes, offset_ms, rate_ppm },
            Some(most) => {
                // As wrong as may be, more often than not: what is in between shows less.
                let drift = if rng.random_ratio(2, 3) { most } else { rng.random_range(0..=most) };
                let is_slow = if rate_ppm == RIGHT_RATE_PPM {
                    offset_ms < 0
                } else {
                    rate_ppm < RIGHT_RATE_PPM
                };
                let rate_ppm = if is_slow {
                    RIGHT_RATE_PPM.saturating_sub(drift)
                } else {
                    RIGHT_RATE_PPM.saturating_add(drift)
                };
                Fault::Clock { nodes, offset_ms: 0, rate_ppm }
            }
        }
    }
}

/// A class's place among all classes: what its stream is keyed by.
fn number(class: FaultClass) -> u32 {
    let place = FaultClass::ALL.iter().position(|other| *other == class);
    u32::try_from(place.expect("ALL is complete")).expect("there are few classes")
}

const fn disk(class: FaultClass) -> Option<Disk> {
    match class {
        FaultClass::DiskFull => Some(Disk::Full),
        FaultClass::IoError => Some(Disk::IoError),
        FaultClass::FlippedBit => Some(Disk::FlippedBit),
        FaultClass::CutTail => Some(Disk::CutTail),
        _ => None,
    }
}

/// Whether nodes hit by it do not serve meanwhile.
pub(crate) const fn takes_down(class: FaultClass) -> bool {
    class.ends_processes() || matches!(class, FaultClass::Pause)
}

/// The fault of a class that takes nodes down.
fn crash(class: FaultClass, nodes: BTreeSet<u16>, after_effects: Option<u8>) -> Fault {
    match (disk(class), nodes.first()) {
        (Some(disk), Some(node)) => Fault::Disk { node: *node, disk },
        _ if class == FaultClass::PowerLoss => Fault::PowerLoss { nodes, after_effects },
        _ if class == FaultClass::Pause => Fault::Pause { nodes },
        _ => Fault::Kill { nodes, after_effects },
    }
}

/// A random subset, of random size, at least one.
fn some_of<T: Copy + Ord>(all: &[T], rng: &mut impl Rng) -> BTreeSet<T> {
    let count = rng.random_range(1..=(all.len() as u64).max(1));
    all.sample(rng, usize::try_from(count).expect("a length")).copied().collect()
}
