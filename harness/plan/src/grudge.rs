//! Partition shapes, written out as who does not hear whom.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::{Endpoint, Grudge, PartitionShape};

impl PartitionShape {
    /// Every shape.
    pub const ALL: &[Self] = &[
        Self::Halves,
        Self::MajorityMinority,
        Self::IsolateOne,
        Self::Bridge,
        Self::MajoritiesRing,
        Self::OneWay,
        Self::Random,
    ];

    /// Its name in plans and histories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Halves => "halves",
            Self::MajorityMinority => "majority-minority",
            Self::IsolateOne => "isolate-one",
            Self::Bridge => "bridge",
            Self::MajoritiesRing => "majorities-ring",
            Self::OneWay => "one-way",
            Self::Random => "random",
        }
    }

    /// The fewest nodes that it can be made of.
    pub const fn nodes_min(self) -> u16 {
        match self {
            // With a single node, some clients are cut off from it.
            Self::Halves | Self::Random => 1,
            Self::IsolateOne | Self::OneWay => 2,
            Self::MajorityMinority | Self::Bridge | Self::MajoritiesRing => 3,
        }
    }

    /// A grudge of this shape among that many nodes (at least [`Self::nodes_min`]) and clients. Each
    /// client stands with a node, and hears and is heard as that side is. Never empty.
    pub(crate) fn grudge(self, nodes: u16, clients: u32, rng: &mut impl Rng) -> Grudge {
        assert!(nodes >= self.nodes_min());
        let cluster = Cluster { nodes, clients };
        match self {
            Self::Halves => cluster.sides(nodes / 2, rng),
            Self::MajorityMinority => cluster.sides(rng.random_range(1..nodes.div_ceil(2)), rng),
            Self::IsolateOne => cluster.sides(1, rng),
            Self::Bridge => cluster.bridge(rng),
            Self::MajoritiesRing => cluster.majorities_ring(rng),
            Self::OneWay => cluster.one_way(rng),
            Self::Random => cluster.random(rng),
        }
    }
}

/// Two sides, of all nodes and clients: nobody hears who is on the other side.
pub fn two_sides(nodes: u16, clients: u32, is_near: impl Fn(&Endpoint) -> bool) -> Grudge {
    Cluster { nodes, clients }.links_that(|from, to| is_near(from) != is_near(to))
}

/// Where an endpoint stands in a pattern.
type Places = BTreeMap<Endpoint, u16>;

#[derive(Clone, Copy)]
struct Cluster {
    nodes: u16,
    clients: u32,
}

impl Cluster {
    /// `first` nodes on one side, the others on the other.
    fn sides(self, first: u16, rng: &mut impl Rng) -> Grudge {
        let places = self.places(rng, |rank| u16::from(rank >= first));
        self.cut(&places, |from, to| from != to)
    }

    /// As [`Self::sides`], but one node belongs to both.
    fn bridge(self, rng: &mut impl Rng) -> Grudge {
        const BRIDGE: u16 = 2;
        let first = (self.nodes - 1) / 2;
        let places = self.places(rng, |rank| match rank {
            0 => BRIDGE,
            rank => u16::from(rank > first),
        });
        let mut grudge = self.cut(&places, |from, to| from != to && from != BRIDGE && to != BRIDGE);
        // Those on the bridge miss nothing, but belong to the picture.
        for end in places.into_keys() {
            grudge.entry(end).or_default();
        }
        grudge
    }

    /// Messages pass from side 0 to side 1, not back.
    fn one_way(self, rng: &mut impl Rng) -> Grudge {
        let first = rng.random_range(1..self.nodes);
        let places = self.places(rng, |rank| u16::from(rank >= first));
        self.cut(&places, |from, to| from == 1 && to == 0)
    }

    /// Nodes stand in a ring, and each hears a majority around itself.
    fn majorities_ring(self, rng: &mut impl Rng) -> Grudge {
        let majority = self.nodes / 2 + 1;
        let behind = (majority - 1) / 2;
        // The window of the node at place `at` begins `behind` places before it.
        let hears =
            |at: u16, other: u16| (other + self.nodes + behind - at) % self.nodes < majority;
        let places = self.places(rng, |rank| rank);
        let place = |end: &Endpoint| places.get(end).copied().unwrap_or_default();
        self.links_that(|from, to| match (from, to) {
            // A client exchanges messages, both ways, with those whom the node beside it hears.
            (Endpoint::Client(_), Endpoint::Node(_)) => !hears(place(from), place(to)),
            _ => !hears(place(to), place(from)),
        })
    }

    /// A coin for every directed link, of a weight that is drawn first.
    fn random(self, rng: &mut impl Rng) -> Grudge {
        let quarters = rng.random_range(1..=3);
        let grudge = self.links_that(|_, _| rng.random_ratio(quarters, 4));
        if !grudge.is_empty() {
            return grudge;
        }
        // No coin fell: one cut link is the least that is a partition.
        self.links_that(|from, to| *from == Endpoint::Node(0) && Self::beside(*to))
    }

    /// Whether `to` is the first endpoint that the first node has a link to.
    fn beside(to: Endpoint) -> bool {
        matches!(to, Endpoint::Node(1) | Endpoint::Client(0))
    }

    /// Deals the nodes, in random order, to places by rank; each client gets the place of a random node.
    fn places(self, rng: &mut impl Rng, place_of_rank: impl Fn(u16) -> u16) -> Places {
        let mut order: Vec<u16> = (0..self.nodes).collect();
        order.shuffle(rng);
        let mut places = Places::new();
        for (rank, node) in (0_u16..).zip(&order) {
            places.insert(Endpoint::Node(*node), place_of_rank(rank));
        }
        for client in 0..self.clients {
            let place = match self.nodes {
                // A lone node is side 1 of a partition: every other client stands apart from it.
                1 => u16::try_from(client % 2).expect("below 2"),
                nodes => place_of_rank(rng.random_range(0..nodes)),
            };
            places.insert(Endpoint::Client(client), place);
        }
        places
    }

    /// The links whose ends stand at places for which `cut(from, to)` holds.
    fn cut(self, places: &Places, cut: impl Fn(u16, u16) -> bool) -> Grudge {
        let place = |end: &Endpoint| places.get(end).copied().unwrap_or_default();
        self.links_that(|from, to| cut(place(from), place(to)))
    }

    /// The grudge that drops what travels on links for which `cut(from, to)` holds.
    fn links_that(self, mut cut: impl FnMut(&Endpoint, &Endpoint) -> bool) -> Grudge {
        let nodes: Vec<Endpoint> = (0..self.nodes).map(Endpoint::Node).collect();
        let clients = (0..self.clients).map(Endpoint::Client);
        let mut grudge = Grudge::new();
        for to in nodes.iter().copied().chain(clients.clone()) {
            let is_node = matches!(to, Endpoint::Node(_));
            // Clients have no links with each other.
            let senders = nodes.iter().copied().chain(clients.clone().filter(|_| is_node));
            let dropped: BTreeSet<Endpoint> =
                senders.filter(|from| *from != to && cut(from, &to)).collect();
            if !dropped.is_empty() {
                grudge.insert(to, dropped);
            }
        }
        grudge
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    fn grudge(shape: PartitionShape, nodes: u16, clients: u32, seed: u64) -> Grudge {
        shape.grudge(nodes, clients, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    /// The nodes that this endpoint hears, itself included.
    fn heard(grudge: &Grudge, by: Endpoint, nodes: u16) -> BTreeSet<Endpoint> {
        let deaf_to = grudge.get(&by).cloned().unwrap_or_default();
        (0..nodes).map(Endpoint::Node).filter(|node| !deaf_to.contains(node)).collect()
    }

    fn nodes_of(nodes: u16) -> impl Iterator<Item = Endpoint> {
        (0..nodes).map(Endpoint::Node)
    }

    /// The sizes of the sides of a partition in which everybody hears exactly its own side.
    fn side_sizes(grudge: &Grudge, nodes: u16) -> Vec<usize> {
        let heard_sets: BTreeSet<BTreeSet<Endpoint>> =
            nodes_of(nodes).map(|node| heard(grudge, node, nodes)).collect();
        let mut sizes: Vec<usize> = heard_sets.iter().map(BTreeSet::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes.iter().sum::<usize>(), usize::from(nodes), "sides are disjoint");
        sizes
    }

    proptest! {
        #[test]
        fn every_grudge_cuts_links_that_exist(
            nodes in 1..=12_u16, clients in 1..40_u32, seed: u64,
        ) {
            for shape in PartitionShape::ALL.iter().filter(|shape| shape.nodes_min() <= nodes) {
                let grudge = grudge(*shape, nodes, clients, seed);
                prop_assert!(grudge.values().any(|d| !d.is_empty()), "{}", shape.name());
                for (to, dropped) in &grudge {
                    for from in dropped {
                        prop_assert_ne!(from, to);
                        let is_client = |end: &Endpoint| matches!(end, Endpoint::Client(_));
                        prop_assert!(!(is_client(from) && is_client(to)));
                    }
                }
            }
        }

        #[test]
        fn two_sides_have_the_sizes_of_their_shape(nodes in 3..=12_u16, seed: u64) {
            let n = usize::from(nodes);
            let sizes = |shape| side_sizes(&grudge(shape, nodes, 9, seed), nodes);
            prop_assert_eq!(sizes(PartitionShape::Halves), [n / 2, n - n / 2]);
            prop_assert_eq!(sizes(PartitionShape::IsolateOne), [1, n - 1]);
            let uneven = sizes(PartitionShape::MajorityMinority);
            prop_assert_eq!(uneven.len(), 2);
            prop_assert!(uneven[1] > n / 2);
        }

        #[test]
        fn a_client_stands_with_a_node_and_is_cut_both_ways(nodes in 3..=12_u16, seed: u64) {
            for shape in [
                PartitionShape::Halves,
                PartitionShape::MajorityMinority,
                PartitionShape::IsolateOne,
                PartitionShape::Bridge,
                PartitionShape::MajoritiesRing,
            ] {
                let grudge = grudge(shape, nodes, 9, seed);
                let sides: Vec<_> =
                    nodes_of(nodes).map(|node| heard(&grudge, node, nodes)).collect();
                for client in (0..9).map(Endpoint::Client) {
                    let hears = heard(&grudge, client, nodes);
                    prop_assert!(sides.contains(&hears), "{}", shape.name());
                    for node in nodes_of(nodes) {
                        let heard_by = !grudge.get(&node).is_some_and(|d| d.contains(&client));
                        prop_assert_eq!(hears.contains(&node), heard_by, "{}", shape.name());
                    }
                }
            }
        }

        #[test]
        fn the_bridge_hears_and_is_heard_by_all_and_joins_two_sides(
            nodes in 3..=12_u16, seed: u64,
        ) {
            let grudge = grudge(PartitionShape::Bridge, nodes, 9, seed);
            let n = usize::from(nodes);
            let bridges: Vec<Endpoint> =
                nodes_of(nodes).filter(|node| heard(&grudge, *node, nodes).len() == n).collect();
            prop_assert_eq!(bridges.len(), 1);
            prop_assert!(grudge.values().all(|dropped| !dropped.contains(&bridges[0])));
            let sides: BTreeSet<_> = nodes_of(nodes)
                .filter(|node| *node != bridges[0])
                .map(|node| heard(&grudge, node, nodes))
                .collect();
            prop_assert_eq!(sides.len(), 2);
        }

        #[test]
        fn in_a_majorities_ring_each_node_hears_a_majority_and_no_two_the_same(
            nodes in 3..=12_u16, seed: u64,
        ) {
            let grudge = grudge(PartitionShape::MajoritiesRing, nodes, 9, seed);
            let mut seen = BTreeSet::new();
            for node in nodes_of(nodes) {
                let hears = heard(&grudge, node, nodes);
                prop_assert!(hears.contains(&node));
                prop_assert_eq!(hears.len(), usize::from(nodes / 2 + 1));
                prop_assert!(seen.insert(hears), "no two the same");
            }
        }

        #[test]
        fn one_way_cuts_one_direction_only(nodes in 2..=12_u16, seed: u64) {
            let grudge = grudge(PartitionShape::OneWay, nodes, 9, seed);
            for (to, dropped) in &grudge {
                for from in dropped {
                    prop_assert!(!grudge.get(from).is_some_and(|back| back.contains(to)));
                }
            }
            let all = usize::from(nodes);
            let hear_all = nodes_of(nodes).filter(|n| heard(&grudge, *n, nodes).len() == all).count();
            prop_assert!((1..all).contains(&hear_all));
        }
    }

    #[test]
    fn with_a_single_node_half_of_the_clients_are_cut_off() {
        let grudge = grudge(PartitionShape::Halves, 1, 4, 3);
        assert_eq!(heard(&grudge, Endpoint::Client(0), 1).len(), 0);
        assert_eq!(heard(&grudge, Endpoint::Client(1), 1).len(), 1);
    }
}
