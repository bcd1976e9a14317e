//! How far apart the acceptors are: the abstract state of a cluster.

use super::PaxosSingleInvariants;
use super::instances::Image;
use super::nodes::Standing;

/// Of the instance that was used last: how many acceptors have promised the highest number, accepted it, accepted
/// another, each as none, one, or more; how many values they hold; whether something is decided. And whether there are
/// nodes with something on its way to the disk, and that come up.
pub(super) fn of(invariants: &PaxosSingleInvariants) -> u64 {
    let mut number = 0;
    let mut digit = |count: usize, base: usize| {
        let shown = u64::try_from(count.min(base - 1)).expect("a digit");
        number = number * base as u64 + shown;
    };
    if let Some(instance) = invariants.instances.last() {
        let images = instance.images();
        let top = images.iter().filter_map(|image| image.durable.np).max();
        let count = |is: &dyn Fn(&Image) -> bool| images.iter().filter(|image| is(image)).count();
        let na = |image: &Image| image.durable.accepted.map(|accepted| accepted.n);
        digit(count(&|image| top.is_some() && image.durable.np == top), 3);
        digit(count(&|image| top.is_some() && na(image) == top), 3);
        digit(count(&|image| na(image).is_some() && na(image) < top), 3);
        let mut values: Vec<u64> = images
            .iter()
            .filter_map(|image| image.durable.accepted.map(|accepted| accepted.value.0))
            .collect();
        values.sort_unstable();
        values.dedup();
        digit(values.len(), 4);
        digit(usize::from(instance.decided.is_some()), 2);
    }
    let nodes = || invariants.nodes.iter();
    digit(nodes().filter(|node| node.is_syncing()).count(), 2);
    digit(nodes().filter(|node| node.standing == Standing::Recovering).count(), 2);
    number
}
