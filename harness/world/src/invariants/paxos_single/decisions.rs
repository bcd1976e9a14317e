//! Decisions: one for each instance (P-I6), submitted by somebody (P-I7), and held by a majority (P-I11).

use quorate_systems::contract::Key;
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos_single::Accepted;

use super::nodes::Standing;
use super::{P_I6, P_I7, P_I11, PaxosSingleInvariants};
use crate::invariants::{Broken, Who};

impl PaxosSingleInvariants {
    /// A proposer or a learner knows that a majority has accepted.
    pub(super) fn on_decided(
        &mut self,
        by: Who,
        key: Key,
        decided: Accepted,
        broken: &mut Vec<Broken>,
    ) {
        let Accepted { n, value } = decided;
        let instance = self.instances.get(key);
        let (first, who) = *instance.decided.get_or_insert((decided, by));
        if first.value != value {
            let what = format!(
                "under k{}, {by} knows that {decided} is decided, and {who} that {first} is",
                key.0
            );
            broken.push(Broken { invariant: P_I6, by: vec![who, by], what });
        }
        if instance.lacks(value) {
            let what = format!("{by} knows that {} is decided under k{}", value.0, key.0);
            let what = what + ", which nobody has submitted";
            broken.push(Broken { invariant: P_I7, by: vec![by], what });
        }
        if instance.is_partial {
            return;
        }
        let (mut holding, mut unknown) = (0, 0);
        for ((node, image), bit) in self.nodes.iter().zip(instance.images()).zip(0..) {
            let holds = image
                .durable
                .accepted
                .is_some_and(|accepted| accepted.n >= n && accepted.value == value);
            match node.standing {
                Standing::Judged | Standing::Recovering => holding |= u64::from(holds) << bit,
                Standing::Lost | Standing::Lying => unknown |= 1 << bit,
            }
        }
        let (holding, unknown) = (NodeSet::from_bits(holding), NodeSet::from_bits(unknown));
        if !self.config.is_majority(holding.union(unknown)) {
            let what = format!(
                "{by} knows that {decided} is decided under k{}, and only {holding} hold it durably",
                key.0
            );
            broken.push(Broken { invariant: P_I11, by: vec![by], what });
        }
    }
}
