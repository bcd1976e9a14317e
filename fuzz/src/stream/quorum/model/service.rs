//! Requests of clients, each run at most once in one life of a node.

use quorate_systems::contract::{ClientId, Outcome};
use quorate_systems::quorum::{Message, Quorum, RequestId};

use super::coordinator::Operation;
use crate::stream::{Expected, To};

/// A node gives an operation up after so many repeats.
pub(super) const REPEATS_MAX: u32 = 12;

/// What a node knows of its clients' requests.
#[derive(Clone, Debug, Default)]
pub(in crate::stream::quorum) struct Service {
    newest: Vec<(ClientId, RequestId, Served)>,
    pub(in crate::stream::quorum) running: Vec<(ClientId, Operation)>,
    last: u64,
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq)]
enum Served {
    Runs(u64),
    Ended(Outcome),
}

impl Service {
    pub(super) fn clear(&mut self) {
        self.newest.clear();
        self.running.clear();
        self.last = 0;
    }

    /// The next operation's number.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Gives a request its number, if it is new and for this life.
    pub(super) fn admit(
        &mut self,
        incarnation: u64,
        (client, id): (ClientId, RequestId),
        expected: &mut Expected<Quorum>,
    ) -> Option<u64> {
        let to = To::Client(client);
        if id.bound != Some(incarnation) {
            expected.message(to, Message::WrongIncarnation { id, incarnation }, 0);
            return None;
        }
        let place = self.newest.iter().position(|(of, ..)| *of == client);
        if let Some((_, known, served)) = place.and_then(|place| self.newest.get(place)) {
            if (id.incarnation, id.seq) < (known.incarnation, known.seq) {
                return None;
            }
            match served {
                Served::Runs(_) if id == *known => return None,
                Served::Ended(outcome) if id == *known => {
                    let outcome = outcome.clone();
                    expected.message(to, Message::Answer { id, outcome }, 0);
                    return None;
                }
                // Its client has given it up.
                Served::Runs(number) => {
                    let number = *number;
                    self.running.retain(|(_, operation)| operation.seq != number);
                }
                Served::Ended(_) => {}
            }
        }
        let number = self.number();
        let new = (client, id, Served::Runs(number));
        match place.and_then(|place| self.newest.get_mut(place)) {
            Some(known) => *known = new,
            None => self.newest.push(new),
        }
        Some(number)
    }

    /// Operation `number` has ended: its client is told, if that is still its newest request.
    pub(super) fn finish(
        &mut self,
        (client, number, outcome): (ClientId, u64, Outcome),
        expected: &mut Expected<Quorum>,
    ) {
        self.running.retain(|(_, operation)| operation.seq != number);
        for (of, id, served) in &mut self.newest {
            if *of == client && *served == Served::Runs(number) {
                *served = Served::Ended(outcome.clone());
                let answer = Message::Answer { id: *id, outcome: outcome.clone() };
                expected.message(To::Client(client), answer, 0);
            }
        }
    }
}
