//! How replicas lie, and clients. A liar signs what it changes with its own keys; for others it has no better word than
//! its own.

mod certificates;
mod clients;
mod mutation;
mod requests;
mod votes;

use alloc::vec;
use alloc::vec::Vec;

use super::authentication::Keys;
use super::digest::Digest;
use super::message::{Body, Message};
use super::options::Config;
use super::view::View;
use crate::contract::{Lie, Micros, NodeId, System, Telling};
use crate::lies::{Draws, Memory};
use crate::parties::Party;
use crate::smr::{Slot, mix};

/// What replicas can be told to do. All of it is borne, from f of them.
pub(super) const OF_REPLICAS: &[Lie] = &[
    Lie::Silent,
    Lie::Slow,
    Lie::Equivocate,
    Lie::ForgeRequest,
    Lie::Replay,
    Lie::Mutate,
    Lie::FalseCheckpoint,
    Lie::OmitCertificates,
    Lie::InventCertificates,
    Lie::LieToClients,
    Lie::Starve,
    Lie::WrongValue,
    Lie::WrongTimestamp,
    Lie::Twins,
];

/// What clients can be told to do. All of it is borne, from any number of them.
pub(super) const OF_CLIENTS: &[Lie] = &[Lie::Equivocate, Lie::SpoilAuthenticator];

/// Most of the time that a backup waits for a request.
pub(super) const fn slowness(config: &Config) -> Micros {
    Micros(config.timeout.0 / 20 * 17)
}

/// What a liar says.
pub(super) fn lie<S>(lie: Lie, telling: &Telling<'_, S>) -> Vec<Message>
where
    S: System<Config = Config, Message = Message>,
{
    Tongue::of(telling).tell(lie)
}

/// Who speaks, to whom, and what it knows.
struct Tongue<'a> {
    config: &'a Config,
    keys: Keys,
    me: Party,
    to: Party,
    truth: &'a Message,
    said: &'a Memory<Message>,
    heard: &'a Memory<Message>,
    seed: u64,
    draw: u64,
}

impl<'a> Tongue<'a> {
    fn of<S>(telling: &Telling<'a, S>) -> Self
    where
        S: System<Config = Config, Message = Message>,
    {
        let Telling { config, me, keys, to, message, said, heard, is_deceived: _, seed, draw } =
            *telling;
        let keys = Keys::new(config, keys, me);
        Self { config, keys, me, to, truth: message, said, heard, seed, draw }
    }

    /// What it says to the receiver.
    fn tell(&self, lie: Lie) -> Vec<Message> {
        let said = match (self.me, lie) {
            (Party::Client(_), Lie::Equivocate) => self.another_request(),
            (Party::Client(_), Lie::SpoilAuthenticator) => self.spoilt_request(),
            (Party::Node(_), Lie::WrongValue) => self.wrong_value(),
            (Party::Node(_), Lie::LieToClients) => self.wrong_outcome(),
            (Party::Node(_), Lie::WrongTimestamp) => self.leap(),
            (Party::Node(_), Lie::Equivocate) => self.equivocate(),
            (Party::Node(_), Lie::ForgeRequest) => self.forge(),
            (Party::Node(_), Lie::Mutate) => self.mutate(),
            (Party::Node(_), Lie::FalseCheckpoint) => self.false_checkpoint(),
            (Party::Node(_), Lie::OmitCertificates) => self.omit(),
            (Party::Node(_), Lie::InventCertificates) => self.invent(),
            (Party::Client(_) | Party::Node(_), _) => None,
        };
        match said {
            None => vec![self.truth.clone()],
            Some(bodies) => bodies.into_iter().map(|body| self.say(body)).collect(),
        }
    }

    /// With the truth's own proof, or a new one of the liar's.
    fn say(&self, body: Body) -> Message {
        if body == self.truth.body {
            return self.truth.clone();
        }
        let proof = self.keys.prove(self.to, &body);
        Message { body, proof }
    }

    /// Its own name as a replica.
    fn node(&self) -> Option<NodeId> {
        match self.me {
            Party::Node(node) => Some(node),
            Party::Client(_) => None,
        }
    }

    fn is_to_client(&self) -> bool {
        matches!(self.to, Party::Client(_))
    }

    /// Draws for this message and receiver alone.
    const fn draws(&self) -> Draws {
        Draws::new(self.draw)
    }

    /// Draws that are the same for all receivers of what is said about this.
    fn story(&self, about: u64) -> Draws {
        Draws::new(mix(self.seed, about))
    }

    /// Whether the receiver is one of those who hear the other story about this: another half of all each time, so that
    /// all ways to divide them are tried.
    fn hears_other(&self, about: u64) -> bool {
        let to = match self.to {
            Party::Client(client) => u64::from(client.0) << 1,
            Party::Node(node) => u64::from(node.0) << 1 | 1,
        };
        Draws::new(mix(mix(self.seed, about), to)).one_in(2)
    }

    /// A digest that stands for something else: one that somebody has spoken of, or nobody.
    fn other_digest(&self, than: Digest, draws: &mut Draws) -> Digest {
        let known = self.said.all().chain(self.heard.all());
        let known = known.filter_map(|(_, message)| digest_of(&message.body));
        let other = draws.of(known.filter(|digest| *digest != than));
        match other {
            Some(digest) if !draws.one_in(4) => digest,
            Some(_) | None => made_up(than, draws),
        }
    }
}

/// A digest of nothing.
fn made_up(than: Digest, draws: &mut Draws) -> Digest {
    let mut digest = than;
    for (byte, change) in digest.0.iter_mut().zip((draws.any() | 1).to_be_bytes()) {
        *byte ^= change;
    }
    digest
}

/// What stories about a place are drawn from.
const fn place(view: View, seq: Slot) -> u64 {
    mix(view.0, seq.0)
}

fn digest_of(body: &Body) -> Option<Digest> {
    match body {
        Body::PrePrepare { digest, .. }
        | Body::Prepare { digest, .. }
        | Body::Commit { digest, .. }
        | Body::Checkpoint { digest, .. }
        | Body::Committed { digest, .. }
        | Body::Fetch { digest } => Some(*digest),
        Body::Request(_)
        | Body::Reply { .. }
        | Body::ViewChange(_)
        | Body::NewView(_)
        | Body::Status { .. }
        | Body::Stable(_)
        | Body::Fetched { .. }
        | Body::GetState { .. }
        | Body::State { .. } => None,
    }
}

/// Just this.
#[expect(clippy::unnecessary_wraps, reason = "nothing else stands for the truth")]
fn just(body: Body) -> Option<Vec<Body>> {
    Some(vec![body])
}

#[cfg(test)]
mod tests;
