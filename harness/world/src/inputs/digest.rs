//! A step's effects as one number.

use std::fmt;

use quorate_systems::contract::{
    After, ClientEffect, ClientId, Effect, Micros, NodeId, Outcome, StartError, System, Ticket,
    TimerId,
};
use serde::{Deserialize, Serialize};

use crate::weather::absorb;

/// 64 bits that follow from the effects of one step, in their order, the same on every machine: each is
/// encoded first, and neither `usize` nor the order of a hash table has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 8]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_le_bytes(self.0))
    }
}

/// Of a replica's step or start.
pub fn of_step<S: System>(effects: &[Effect<S>]) -> Digest {
    let mut bytes = Vec::new();
    for effect in effects {
        bytes = add(bytes, &of_effect(effect));
    }
    hash(&bytes)
}

/// Of a client's step.
pub fn of_client_step<S: System>(effects: &[ClientEffect<S>]) -> Digest {
    let mut bytes = Vec::new();
    for effect in effects {
        bytes = add(bytes, &of_client_effect(effect));
    }
    hash(&bytes)
}

/// Of a start that the core refused.
pub fn of_refusal(error: &StartError) -> Digest {
    let StartError::CorruptRecord { place } = error;
    let told: Told<'_, (), (), ()> = Told::RefusesToStart { place };
    hash(&add(Vec::new(), &told))
}

/// An effect of either kind of core, as it is encoded.
#[derive(Serialize)]
enum Told<'a, R, M, O> {
    Persist { ticket: Ticket, record: &'a R },
    Send { to: NodeId, message: &'a M, after: After },
    Reply { client: ClientId, message: &'a M, after: After },
    SetTimer { id: TimerId, min: Micros, max: Micros },
    CancelTimer { id: TimerId },
    Observe(&'a O),
    Mark(&'a str),
    Ignore(&'a str),
    Complete(&'a Outcome),
    RefusesToStart { place: &'a str },
}

type Of<'a, S> =
    Told<'a, <S as System>::Record, <S as System>::Message, <S as System>::Observation>;

fn of_effect<S: System>(effect: &Effect<S>) -> Of<'_, S> {
    match effect {
        Effect::Persist { ticket, record } => Told::Persist { ticket: *ticket, record },
        Effect::Send { to, message, after } => Told::Send { to: *to, message, after: *after },
        Effect::Reply { client, message, after } => {
            Told::Reply { client: *client, message, after: *after }
        }
        Effect::SetTimer { id, min, max } => Told::SetTimer { id: *id, min: *min, max: *max },
        Effect::CancelTimer { id } => Told::CancelTimer { id: *id },
        Effect::Observe(observation) => Told::Observe(observation),
        Effect::Mark(milestone) => Told::Mark(milestone.0),
        Effect::Ignore(why) => Told::Ignore(why.0),
    }
}

fn of_client_effect<S: System>(effect: &ClientEffect<S>) -> Of<'_, S> {
    match effect {
        ClientEffect::Send { to, message } => {
            Told::Send { to: *to, message, after: After::Nothing }
        }
        ClientEffect::Complete(outcome) => Told::Complete(outcome),
        ClientEffect::SetTimer { id, min, max } => Told::SetTimer { id: *id, min: *min, max: *max },
        ClientEffect::CancelTimer { id } => Told::CancelTimer { id: *id },
        ClientEffect::Observe(observation) => Told::Observe(observation),
        ClientEffect::Mark(milestone) => Told::Mark(milestone.0),
        ClientEffect::Ignore(why) => Told::Ignore(why.0),
    }
}

fn add<T: Serialize>(to: Vec<u8>, told: &T) -> Vec<u8> {
    postcard::to_extend(told, to).expect("what cores tell can be written")
}

fn hash(bytes: &[u8]) -> Digest {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(word)
    });
    let hashed = words.fold(absorb(0, bytes.len() as u64), absorb);
    Digest(hashed.to_le_bytes())
}
