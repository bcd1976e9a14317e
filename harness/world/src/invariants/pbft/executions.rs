//! Execution: what is committed (B-I2), one sequence number after the other, one history (B-I3), each request once
//! (B-I4).

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::pbft::{Digest, SignedRequest, View};
use quorate_systems::smr::{Chain, RequestNumber, Slot};

use super::places::Effect;
use super::{B_I2, B_I3, B_I4, PbftInvariants, both_broke, broke};
use crate::invariants::Broken;
use crate::invariants::executed::Demands;

const DEMANDS: Demands = Demands { one_history: B_I3, once: B_I4, preposition: "in" };

impl PbftInvariants {
    /// A replica executed a committed batch.
    pub(super) fn executed(
        &mut self,
        by: NodeId,
        (seq, digest, chain): (Slot, Digest, Chain),
        requests: &[Effect],
        broken: &mut Vec<Broken>,
    ) {
        self.follows(by, seq, broken);
        let Some(node) = self.node(by) else { return };
        let known = node.memory.log.get(seq).committed;
        if seq > node.memory.stable && known != Some(digest) {
            let what = match known {
                Some(known) => {
                    format!("{by} executes {digest} in {seq}, where {known} is committed")
                }
                None => format!("{by} executes {seq}, which is not committed there"),
            };
            broken.push(broke(B_I2, by, what));
        }
        self.history(by, seq, chain, broken);
        self.effects(by, (seq, digest), requests, broken);
    }

    /// A replica executes one sequence number after the other.
    fn follows(&mut self, by: NodeId, seq: Slot, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let before = std::mem::replace(&mut node.executed, seq);
        if seq != before.next() {
            broken.push(broke(B_I3, by, format!("{by} executes {seq} after {before}")));
        }
    }

    /// What came of the requests of a batch.
    fn effects(
        &mut self,
        by: NodeId,
        (seq, digest): (Slot, Digest),
        requests: &[Effect],
        broken: &mut Vec<Broken>,
    ) {
        let Some(place) = self.places.get(seq) else { return };
        if let Some((known, first)) = &place.effects {
            if known != requests {
                let what =
                    format!("{by} makes of {seq} {}, and {first} {}", told(requests), told(known));
                broken.push(both_broke(B_I4, *first, by, what));
            }
            return;
        }
        place.effects = Some((requests.to_vec(), by));
        let batch = place.batch(digest);
        let is_in = |(client, number, _): &Effect, of: &SignedRequest| {
            (of.request.client, of.request.number) == (*client, *number)
        };
        let is_batch = match batch {
            Some(batch) => {
                batch.0.len() == requests.len()
                    && requests.iter().zip(&batch.0).all(|(effect, of)| is_in(effect, of))
            }
            // It has come to this one only, or it is forgotten.
            None => digest != Digest::NULL || requests.is_empty(),
        };
        if !is_batch {
            let what = format!("{by} executes {} in {seq} for {digest}", told(requests));
            broken.push(broke(B_I4, by, what));
        }
        for (client, number, _) in requests.iter().filter(|(.., is_first)| *is_first) {
            let clash = self.requests.takes_effect(*client, *number, seq);
            broken.extend(clash.map(|what| broke(B_I4, by, format!("{what} at {by}"))));
        }
    }

    /// A replica executes what may have to be taken back.
    pub(super) fn tried(
        &mut self,
        by: NodeId,
        (view, seq, digest): (View, Slot, Digest),
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let memory = &node.memory;
        let is_prepared = memory.log.get(seq).prepared == Some((view, digest));
        let before = node.executed;
        let what = if seq > memory.stable && !is_prepared {
            format!("{by} executes {seq} of {view}, which is not prepared there")
        } else if seq != before.next() {
            format!("{by} executes {seq} of {view} before it is committed, after {before}")
        } else {
            return;
        };
        broken.push(broke(B_I2, by, what));
    }

    /// A replica answers a read from what it has executed.
    pub(super) fn read_served(&mut self, by: NodeId, upto: Slot, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let executed = node.executed;
        if upto > executed {
            let what = format!(
                "{by} answers a read from its state after {upto}, and has executed all up to {executed}"
            );
            broken.push(broke(B_I2, by, what));
        }
    }

    /// The history of a replica up to `seq`.
    pub(super) fn history(
        &mut self,
        by: NodeId,
        seq: Slot,
        chain: Chain,
        broken: &mut Vec<Broken>,
    ) {
        if seq != Slot::ZERO
            && let Some(place) = self.places.get(seq)
        {
            DEMANDS.history(&mut place.executed, (seq, chain), by, broken);
        }
    }
}

fn told(requests: &[(ClientId, RequestNumber, bool)]) -> String {
    let told = requests.iter().map(|(client, number, is_first)| {
        format!("{client}.{number}{}", if *is_first { "" } else { " again" })
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}
