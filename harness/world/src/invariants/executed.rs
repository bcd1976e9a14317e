//! What replicas made of each slot: they have one history, and each request takes effect once, whatever replicates
//! their log.

use std::collections::VecDeque;

use quorate_systems::contract::{ClientId, NodeId};
use quorate_systems::smr::{Chain, RequestNumber, Slot};

use super::{Broken, Who};

/// What is demanded, by the names that a system's invariants have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demands {
    /// That all replicas execute one history.
    pub(super) one_history: &'static str,
    /// That a request takes effect once, the same everywhere.
    pub(super) once: &'static str,
    /// How one speaks of a place in the log: `in` a slot, `at` an op-number.
    pub(super) preposition: &'static str,
}

/// What replicas made of one slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Executed {
    /// The history up to here, and who said so first.
    chain: Option<(Chain, NodeId)>,
    /// What came of the entry here, and who said so first.
    effect: Option<(Effect, NodeId)>,
}

/// What a replica made of a slot: the request in it, where there is one, and whether that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) request: Option<(ClientId, RequestNumber)>,
    pub(super) is_first: bool,
}

impl Demands {
    /// The history up to `slot` is `chain`, a replica says.
    pub(super) fn history(
        self,
        executed: &mut Executed,
        (slot, chain): (Slot, Chain),
        by: NodeId,
        broken: &mut Vec<Broken>,
    ) {
        let (known, first) = *executed.chain.get_or_insert((chain, by));
        if known != chain {
            let what =
                format!("up to {slot}, the history of {by} is {chain} and that of {first} {known}");
            let by = vec![Who::Node(first), Who::Node(by)];
            broken.push(Broken { invariant: self.one_history, by, what });
        }
    }

    /// This came of the entry in `slot`, a replica says.
    pub(super) fn effect(
        self,
        (executed, effects): (&mut Executed, &mut Effects),
        (slot, effect): (Slot, Effect),
        by: NodeId,
        broken: &mut Vec<Broken>,
    ) {
        let Some((client, number)) = effect.request else { return };
        let at = self.preposition;
        let (known, first) = *executed.effect.get_or_insert((effect, by));
        // Where there is another request, the histories differ.
        if known.request == effect.request && known.is_first != effect.is_first {
            let (has, not) = if effect.is_first { (by, first) } else { (first, by) };
            let what = format!(
                "request {number} of {client} takes effect {at} {slot} at {has} and not at {not}"
            );
            let by = vec![Who::Node(first), Who::Node(by)];
            broken.push(Broken { invariant: self.once, by, what });
            return;
        }
        if !effect.is_first {
            return;
        }
        if let Some(earlier) = effects.first(client, number, slot)
            && earlier != slot
        {
            let what = format!(
                "request {number} of {client} takes effect {at} {slot} at {by}, and {at} {earlier}"
            );
            broken.push(Broken { invariant: self.once, by: vec![Who::Node(by)], what });
        }
    }
}

/// In which slot each client's last requests took effect.
#[derive(Debug)]
pub(super) struct Effects {
    clients: Vec<VecDeque<(RequestNumber, Slot)>>,
}

/// Of clients from here on nothing is remembered.
const CLIENTS_MAX: usize = 1_024;
/// Of each client so many requests are, those with the highest numbers.
const REQUESTS_MAX: usize = 32;

impl Effects {
    pub(super) const fn new() -> Self {
        Self { clients: Vec::new() }
    }

    /// As new, with the memory that it has.
    pub(super) fn reset(&mut self) {
        self.clients.iter_mut().for_each(VecDeque::clear);
    }

    /// A request took effect in `slot`: the slot in which it did so first, if that is not forgotten.
    pub(super) fn first(
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
