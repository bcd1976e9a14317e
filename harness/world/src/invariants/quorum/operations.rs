//! What operations promise when they are complete (Q-I3), and whom coordinators believe (Q-I7).

use quorate_systems::contract::{Key, Value};
use quorate_systems::quorum::{NodeSet, OpId, Timestamp};

use super::nodes::Standing;
use super::pairs::Memory;
use super::{Q_I3, Q_I7, QuorumInvariants, Trust, show_pair, show_value};
use crate::invariants::{Broken, Who};

/// A key, and what a coordinator says is or was stored there.
type Said = (Key, Timestamp, Option<Value>);

impl QuorumInvariants {
    /// A coordinator chose what to write, or what to return.
    pub(super) fn on_chosen(
        &mut self,
        (by, op): (Who, OpId),
        said: Said,
        vouchers: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        if let Trust::Outvoted(b) = self.trust
            && vouchers.len() <= u32::from(b)
        {
            let (key, ts, value) = said;
            let what = format!(
                "{by} chooses {} @{ts} under k{} on the word of {vouchers}, and {b} may lie",
                show_value(value),
                key.0
            );
            broken.push(Broken { invariant: Q_I7, by: vec![by], what });
        }
        let (_, ts, _) = said;
        if names(ts, op) {
            self.note_pair(by, said, broken);
        } else {
            self.on_returned(by, said, broken);
        }
    }

    /// An operation of this configuration is complete.
    pub(super) fn on_completed(
        &mut self,
        by: Who,
        configuration: u32,
        said: Said,
        broken: &mut Vec<Broken>,
    ) {
        self.on_returned(by, said, broken);
        let (key, ts, _) = said;
        let Some(quorums) = self.configurations.intended(configuration) else { return };
        let slot = self.keys.slot(key);
        if ts == Timestamp::ZERO || slot.is_partial || self.is_overwhelmed {
            return;
        }
        let (mut holding, mut unknown) = (0, 0);
        for ((node, image), bit) in self.nodes.iter().zip(slot.images()).zip(0..) {
            match node.standing {
                Standing::Judged | Standing::Recovering => {
                    holding |= u64::from(image.durable >= ts) << bit;
                }
                // A liar says it does, and of one that is lost it cannot be told.
                Standing::Lost | Standing::Lying => unknown |= 1 << bit,
            }
        }
        let (holding, unknown) = (NodeSet::from_bits(holding), NodeSet::from_bits(unknown));
        if quorums.is_write_quorum(holding.union(unknown)) {
            return;
        }
        let besides =
            if unknown.is_empty() { String::new() } else { format!(", besides {unknown} perhaps") };
        let what = format!(
            "{by} has completed {} under k{}, and only {holding} hold that or newer durably{besides}",
            show_pair(&slot.pairs, ts),
            key.0
        );
        broken.push(Broken { invariant: Q_I3, by: vec![by], what });
    }

    /// A pair that servers told of, and that is believed.
    fn on_returned(&mut self, by: Who, said: Said, broken: &mut Vec<Broken>) {
        match self.trust {
            Trust::Signed(_) | Trust::Outvoted(_) => self.require_written(by, said, broken),
            Trust::Everybody => self.note_pair(by, said, broken),
        }
    }

    /// Q-I7: a pair that some writer chose or some correct server stored.
    fn require_written(&mut self, by: Who, (key, ts, value): Said, broken: &mut Vec<Broken>) {
        if self.is_overwhelmed {
            return;
        }
        let slot = self.keys.slot(key);
        let truth = match slot.pairs.recall(ts) {
            _ if ts == Timestamp::ZERO => value.map(|_| String::from("is the initial one's")),
            Memory::Known(known) if known.value == value => None,
            Memory::Known(known) => Some(format!("stands for {}", show_value(known.value))),
            Memory::Unused if !slot.is_partial => Some(String::from("nobody wrote with")),
            Memory::Unused | Memory::Forgotten => None,
        };
        let Some(truth) = truth else { return };
        let what = format!(
            "{by} believes in {} under k{} with timestamp {ts}, which {truth}",
            show_value(value),
            key.0
        );
        broken.push(Broken { invariant: Q_I7, by: vec![by], what });
    }
}

/// Whether `ts` is that of the write that `op` is part of.
fn names(ts: Timestamp, op: OpId) -> bool {
    (ts.writer, ts.incarnation, ts.op) == (op.party, op.incarnation, op.seq)
}
