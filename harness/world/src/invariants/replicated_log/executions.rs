//! Execution: one slot after the other, and one history (P-I8); each request once (P-I9).

use std::collections::VecDeque;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::smr::{Chain, RequestNumber, Slot};

use super::places::Effect;
use super::{P_I8, P_I9, ReplicatedLog, Who};
use crate::invariants::Broken;

/// In which slot each client's last requests took effect.
#[derive(Debug)]
pub(in crate::invariants) struct Effects {
    clients: Vec<VecDeque<(RequestNumber, Slot)>>,
}

/// Of clients from here on nothing is remembered.
const CLIENTS_MAX: usize = 1_024;
/// Of each client so many requests are, those with the highest numbers.
const REQUESTS_MAX: usize = 32;

impl Effects {
    pub(in crate::invariants) const fn new() -> Self {
        Self { clients: Vec::new() }
    }

    /// As new, with the memory that it has.
    pub(in crate::invariants) fn reset(&mut self) {
        self.clients.iter_mut().for_each(VecDeque::clear);
    }

    /// A request took effect in `slot`: the slot in which it did so first, if that is not forgotten.
    pub(in crate::invariants) fn first(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        slot: Slot,
    ) -> Option<Slot> {
        let client = usize::try_from(client.0).ok().filter(|client| *client < CLIENTS_MAX)?;
        if client >= self.clients.len() {
            self.clients.resize_with(client + 1, VecDeque::new);
        }
        let known = self.clients.get_mut(client)?;
        let mut place = known.partition_point(|(earlier, _)| *earlier < number);
        if let Some((_, slot)) = known.get(place).filter(|(same, _)| *same == number) {
            return Some(*slot);
        }
        if known.len() == REQUESTS_MAX {
            place = place.checked_sub(1)?;
            known.pop_front();
        }
        known.insert(place, (number, slot));
        Some(slot)
    }
}

impl ReplicatedLog {
    /// A replica executed a slot. `request` is what stood there, unless it was a NOOP, and `is_first` says whether
    /// it took effect.
    pub(in crate::invariants) fn executed(
        &mut self,
        by: NodeId,
        (slot, chain): (Slot, Chain),
        request: Option<(ClientId, RequestNumber)>,
        is_first: bool,
        broken: &mut Vec<Broken>,
    ) {
        let Some(node) = self.node(by) else { return };
        let before = std::mem::replace(&mut node.applied, slot);
        if slot != before.next() {
            let what = format!("{by} executes {slot} after {before}");
            broken.push(Broken { invariant: P_I8, by: vec![Who::Node(by)], what });
        }
        self.history(by, slot, chain, broken);
        self.effect(by, slot, Effect { request, is_first }, broken);
    }

    /// A replica's snapshot stands for all slots up to `index`, its own or one that it took over.
    pub(in crate::invariants) fn snapshot(
        &mut self,
        by: NodeId,
        index: Slot,
        chain: Chain,
        broken: &mut Vec<Broken>,
    ) {
        self.history(by, index, chain, broken);
        if let Some(node) = self.node(by) {
            node.applied = node.applied.max(index);
        }
    }

    fn history(&mut self, by: NodeId, slot: Slot, chain: Chain, broken: &mut Vec<Broken>) {
        let Some(place) = self.places.get(slot) else { return };
        let (known, first) = *place.chain.get_or_insert((chain, by));
        if known != chain {
            let what =
                format!("up to {slot}, the history of {by} is {chain} and that of {first} {known}");
            let by = vec![Who::Node(first), Who::Node(by)];
            broken.push(Broken { invariant: P_I8, by, what });
        }
    }

    fn effect(&mut self, by: NodeId, slot: Slot, effect: Effect, broken: &mut Vec<Broken>) {
        let Some((client, number)) = effect.request else { return };
        let Some(place) = self.places.get(slot) else { return };
        let (known, first) = *place.effect.get_or_insert((effect, by));
        // Where there is another request, the histories differ.
        if known.request == effect.request && known.is_first != effect.is_first {
            let (has, not) = if effect.is_first { (by, first) } else { (first, by) };
            let what = format!(
                "request {number} of {client} takes effect in {slot} at {has} and not at {not}"
            );
            let by = vec![Who::Node(first), Who::Node(by)];
            broken.push(Broken { invariant: P_I9, by, what });
            return;
        }
        if !effect.is_first {
            return;
        }
        if let Some(earlier) = self.effects.first(client, number, slot)
            && earlier != slot
        {
            let what = format!(
                "request {number} of {client} takes effect in {slot} at {by}, and in {earlier}"
            );
            broken.push(Broken { invariant: P_I9, by: vec![Who::Node(by)], what });
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::Incarnation;

    use super::*;

    #[test]
    fn the_earliest_requests_of_a_client_are_forgotten_first() {
        let mut effects = Effects::new();
        let number = |seq| RequestNumber { incarnation: Incarnation(1), seq };
        let mut first = |seq, slot| effects.first(ClientId(3), number(seq), Slot(slot));
        for seq in 1..=REQUESTS_MAX as u64 {
            assert_eq!(first(2 * seq, 100 + seq), Some(Slot(100 + seq)));
        }
        assert_eq!(first(2, 7), Some(Slot(101)));
        assert_eq!(first(1, 7), None, "lower than all that are remembered");
        assert_eq!(first(2 * REQUESTS_MAX as u64 + 1, 500), Some(Slot(500)));
        assert_eq!(first(2, 7), None);
        assert_eq!(first(4, 7), Some(Slot(102)));
        assert_eq!(effects.first(ClientId(u32::MAX), number(1), Slot(1)), None);
    }
}
