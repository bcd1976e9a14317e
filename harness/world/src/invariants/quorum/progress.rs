//! How far apart the servers are: the abstract state of a cluster of quorum registers.

use quorate_systems::quorum::Timestamp;

use super::QuorumInvariants;
use super::nodes::Standing;

/// Counts of nodes, as the digits of a number.
#[derive(Default)]
struct Tally([u64; CLASSES]);

/// Holds the newest; the same counter by another writer; one less; still less.
const CLASSES: usize = 4;

impl Tally {
    fn count(&mut self, class: usize) {
        if let Some(count) = self.0.get_mut(class) {
            *count += 1;
        }
    }

    /// None, one, or more in each class: told by the digits of a number with this base, of which the highest stands
    /// for all that are more.
    fn number(&self, base: u64) -> u64 {
        self.0.iter().fold(0, |number, count| number * base + count.min(&(base - 1)))
    }
}

/// Of the key that was used last: how many nodes are how far behind the newest pair that any holds durably. And whether
/// there are nodes in an older configuration than others, with pairs on their way to the disk, that come up, that lie.
pub(super) fn of(invariants: &QuorumInvariants) -> u64 {
    let mut pairs = Tally::default();
    if let Some(slot) = invariants.keys.last() {
        let newest = slot.images().iter().map(|image| image.durable).max();
        let newest = newest.unwrap_or(Timestamp::ZERO);
        for image in slot.images() {
            pairs.count(behind(image.durable, newest));
        }
    }
    let newest = invariants.nodes.iter().map(|node| node.stand().0).max().unwrap_or(0);
    let mut configurations = Tally::default();
    let mut standings = Tally::default();
    for node in &invariants.nodes {
        let (configuration, unsynced) = node.stand();
        configurations.count(usize::from(configuration < newest));
        if unsynced > 0 {
            standings.count(0);
        }
        match node.standing {
            Standing::Judged => {}
            Standing::Recovering => standings.count(1),
            Standing::Lost => standings.count(2),
            Standing::Lying => standings.count(3),
        }
    }
    let changes = u64::from(newest.min(3));
    pairs.number(3) | configurations.number(2) << 16 | standings.number(2) << 32 | changes << 48
}

/// How far a timestamp is behind another: in which class of a [`Tally`] it counts.
fn behind(ts: Timestamp, newest: Timestamp) -> usize {
    match newest.t - ts.t {
        0 if ts == newest => 0,
        0 => 1,
        1 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::ClientId;
    use quorate_systems::quorum::Party;

    use super::*;

    fn ts(t: u64, writer: u32) -> Timestamp {
        Timestamp { t, writer: Party::Client(ClientId(writer)), incarnation: 1, op: 1 }
    }

    #[test]
    fn timestamps_are_told_apart_by_their_distance_and_not_by_their_height() {
        for t in [5, 70] {
            let newest = ts(t, 1);
            let others = [newest, ts(t, 0), ts(t - 1, 3), ts(t - 2, 0), ts(t - 5, 0)];
            assert_eq!(others.map(|other| behind(other, newest)), [0, 1, 2, 3, 3]);
        }
    }

    #[test]
    fn a_tally_is_told_by_all_of_its_counts() {
        let mut tally = Tally::default();
        assert_eq!(tally.number(3), 0);
        tally.count(0);
        tally.count(3);
        tally.count(3);
        assert_eq!(tally.number(3), 27 + 2);
        assert_eq!(tally.number(2), 8 + 1);
    }
}
