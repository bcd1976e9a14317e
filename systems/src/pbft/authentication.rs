//! Who said something: signatures, MACs, digests, and what stands for them in a simulated cluster.
//!
//! What is proven begins with the protocol's name, the cluster's shape, and who speaks (a MAC's also with to whom),
//! then comes what is said, its kind first: no proof passes for one of anything else. In a real cluster these are
//! canonical bytes, which go through SHA-256; in a simulated one the same values go through a keyed hash without being
//! written down anywhere.

mod verified;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::hash::Hash;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::digest::Digest;
use super::message::{
    Batch, Body, How, Message, NewView, SignedRequest, SignedViewChange, ViewChange,
};
use super::options::{Authentication, Config};
use super::proof::Proof;
use super::view::View;
use crate::contract::{ClientId, Keyring, NodeId, Outcome, SharedKeys};
use crate::keys::{KeyedHash, SimulatedVerifier};
use crate::mutant::Mutant;
use crate::parties::Party;
use crate::smr::{Request, RequestNumber, Slot, Snapshot};
use verified::Verified;

/// What a proof is of.
#[derive(Clone, Copy, Debug, PartialEq, Hash, Serialize)]
#[expect(missing_docs, reason = "as in `Body`")]
pub enum Said<'a> {
    Request { request: &'a Request, is_read_only: bool },
    Reply { view: View, number: RequestNumber, outcome: &'a Outcome, how: How },
    PrePrepare { view: View, seq: Slot, digest: Digest },
    Prepare { view: View, seq: Slot, digest: Digest },
    Commit { view: View, seq: Slot, digest: Digest },
    Checkpoint { seq: Slot, digest: Digest },
    ViewChange(&'a ViewChange),
    NewView(&'a NewView),
    Status { view: View, is_active: bool, stable: Slot, executed: Slot },
    Committed { seq: Slot, digest: Digest },
    Fetch { digest: Digest },
    GetState { seq: Slot },
}

impl<'a> Said<'a> {
    /// What the sender of this gives its word for; nothing where the content proves itself.
    pub fn of(body: &'a Body) -> Option<Self> {
        Some(match *body {
            Body::Request(_) | Body::Stable(_) | Body::Fetched { .. } | Body::State { .. } => {
                return None;
            }
            Body::Reply { view, number, ref outcome, how } => {
                Self::Reply { view, number, outcome, how }
            }
            Body::PrePrepare { view, seq, digest, batch: _ } => {
                Self::PrePrepare { view, seq, digest }
            }
            Body::Prepare { view, seq, digest } => Self::Prepare { view, seq, digest },
            Body::Commit { view, seq, digest } => Self::Commit { view, seq, digest },
            Body::Checkpoint { seq, digest } => Self::Checkpoint { seq, digest },
            Body::ViewChange(ref view_change) => Self::ViewChange(view_change),
            Body::NewView(ref new_view) => Self::NewView(new_view),
            Body::Status { view, is_active, stable, executed } => {
                Self::Status { view, is_active, stable, executed }
            }
            Body::Committed { seq, digest } => Self::Committed { seq, digest },
            Body::Fetch { digest } => Self::Fetch { digest },
            Body::GetState { seq } => Self::GetState { seq },
        })
    }

    /// Whether others must be able to check it who do not hear it from its author.
    fn is_always_signed(&self) -> bool {
        match self {
            Self::Request { .. }
            | Self::Checkpoint { .. }
            | Self::ViewChange(_)
            | Self::NewView(_) => true,
            Self::Reply { .. }
            | Self::PrePrepare { .. }
            | Self::Prepare { .. }
            | Self::Commit { .. }
            | Self::Status { .. }
            | Self::Committed { .. }
            | Self::Fetch { .. }
            | Self::GetState { .. } => false,
        }
    }
}

/// What every proof begins with.
#[derive(Clone, Copy, Hash, Serialize)]
struct Context {
    protocol: &'static str,
    nodes: u16,
    f: u16,
    author: Party,
    /// Whom it is for; a signature is for everybody.
    receiver: Option<Party>,
}

const PROTOCOL: &str = "quorate pbft v1";

/// What one party can prove, and what it can check.
#[derive(Debug)]
pub struct Keys {
    me: Party,
    authentication: Authentication,
    clients: ClientsWord,
    scheme: Scheme,
}

/// What a replica takes for a client's word for its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientsWord {
    /// Its signature.
    Signature,
    /// What it says to this replica, where it says that.
    Authenticator,
    /// That somebody says so.
    Hearsay,
}

#[derive(Debug)]
enum Scheme {
    Real(Box<Real>),
    Simulated(Simulated),
}

impl Keys {
    /// From the holder's keyring.
    pub fn new(config: &Config, keyring: &Keyring, me: Party) -> Self {
        let clients = if config.mutants.deviates(Mutant::B08) {
            ClientsWord::Hearsay
        } else if config.mutants.deviates(Mutant::B31) {
            ClientsWord::Authenticator
        } else {
            ClientsWord::Signature
        };
        let scheme = match &keyring.public.simulated {
            Some(verifier) => Scheme::Simulated(Simulated::new(config, keyring, verifier, me)),
            None => Scheme::Real(Box::new(Real::new(config, keyring, me))),
        };
        Self { me, authentication: config.authentication, clients, scheme }
    }

    /// What shows `to` that the holder says this.
    pub fn prove(&self, to: Party, body: &Body) -> Proof {
        match Said::of(body) {
            None => Proof::Itself,
            Some(said) if self.is_signed(&said) => self.sign(&said),
            Some(said) => self.mac(to, &said),
        }
    }

    /// What shows everybody that the holder says this; nothing where each receiver needs a proof of its own.
    pub fn prove_to_all(&self, body: &Body) -> Option<Proof> {
        match Said::of(body) {
            None => Some(Proof::Itself),
            Some(said) => self.is_signed(&said).then(|| self.sign(&said)),
        }
    }

    /// Whether `from` says this, to the holder. What proves itself has still to be looked at: the client's signature
    /// in a request, the digest of a batch, the certificate of a state.
    pub fn is_authentic(&self, from: Party, message: &Message) -> bool {
        match Said::of(&message.body) {
            None => message.proof == Proof::Itself,
            Some(said) if self.is_signed(&said) => self.holds(from, &said, &message.proof),
            Some(said) => self.mac_holds(from, &said, &message.proof),
        }
    }

    fn is_signed(&self, said: &Said<'_>) -> bool {
        self.authentication == Authentication::Signatures || said.is_always_signed()
    }

    /// The holder's signature, which can be passed on.
    pub fn sign(&self, said: &Said<'_>) -> Proof {
        match &self.scheme {
            Scheme::Real(real) => real.sign(said),
            Scheme::Simulated(simulated) => Proof::SimulatedSignature(word(simulated.own, said)),
        }
    }

    /// Whether `proof` is a signature of this by `author`. MACs prove nothing here, whoever made them.
    pub fn holds(&self, author: Party, said: &Said<'_>, proof: &Proof) -> bool {
        match (&self.scheme, proof) {
            (Scheme::Real(real), Proof::Signature(halves)) => real.verifies(author, said, halves),
            (Scheme::Simulated(simulated), Proof::SimulatedSignature(signed)) => {
                let begun = simulated.signatures.get(author);
                begun.is_some_and(|begun| word(*begun, said) == *signed)
            }
            (Scheme::Real(_) | Scheme::Simulated(_), _) => false,
        }
    }

    /// Whether `proof` is a replica's signature of this.
    pub fn vote_holds(&self, by: NodeId, said: &Said<'_>, proof: &Proof) -> bool {
        self.holds(Party::Node(by), said, proof)
    }

    /// Whether the view-change message that somebody passes on is its author's.
    pub fn is_view_change_authentic(&self, signed: &SignedViewChange) -> bool {
        self.vote_holds(signed.by, &Said::ViewChange(&signed.body), &signed.proof)
    }

    fn mac(&self, to: Party, said: &Said<'_>) -> Proof {
        match &self.scheme {
            Scheme::Real(real) => real.sent.get(to).map_or(Proof::Itself, |begun| {
                Proof::Mac(cut(feed(begun.clone(), said).finalize().into_bytes().into()))
            }),
            Scheme::Simulated(simulated) => simulated
                .sent
                .get(to)
                .map_or(Proof::Itself, |begun| Proof::SimulatedMac(word(*begun, said))),
        }
    }

    fn mac_holds(&self, from: Party, said: &Said<'_>, proof: &Proof) -> bool {
        match (&self.scheme, proof) {
            (Scheme::Real(real), Proof::Mac(mac)) => real
                .received
                .get(from)
                .is_some_and(|begun| feed(begun.clone(), said).verify_truncated_left(mac).is_ok()),
            (Scheme::Simulated(simulated), Proof::SimulatedMac(mac)) => {
                let begun = simulated.received.get(from);
                begun.is_some_and(|begun| word(*begun, said) == *mac)
            }
            (Scheme::Real(_) | Scheme::Simulated(_), _) => false,
        }
    }
}

/// Requests.
impl Keys {
    /// The holder, a client, asks for this.
    pub fn sign_request(&self, request: Request, is_read_only: bool) -> SignedRequest {
        let said = Said::Request { request: &request, is_read_only };
        let signature = self.sign(&said);
        let authenticator = match self.authentication {
            Authentication::Signatures => Vec::new(),
            Authentication::Hmac => {
                let nodes = 0..self.scheme.nodes();
                nodes.map(|node| self.mac(Party::Node(NodeId(node)), &said)).collect()
            }
        };
        SignedRequest { request, is_read_only, signature, authenticator }
    }

    /// Whether its client asks for this, whoever passes it on.
    pub fn is_request_authentic(&self, signed: &SignedRequest) -> bool {
        let (said, client) = said_of(signed);
        match (self.clients, self.authentication) {
            (ClientsWord::Hearsay, _) => true,
            (ClientsWord::Authenticator, Authentication::Hmac) => {
                self.is_word_to_me(client, &said, signed)
            }
            (ClientsWord::Authenticator, Authentication::Signatures)
            | (ClientsWord::Signature, _) => self.holds(client, &said, &signed.signature),
        }
    }

    /// Whether `from` asks for this, of which the holder hears from `from` itself: what costs least is looked at first.
    pub fn is_direct_request_authentic(&self, from: ClientId, signed: &SignedRequest) -> bool {
        let (said, client) = said_of(signed);
        let is_word_right =
            signed.authenticator.is_empty() || self.is_word_to_me(client, &said, signed);
        signed.request.client == from && is_word_right && self.is_request_authentic(signed)
    }

    fn is_word_to_me(&self, client: Party, said: &Said<'_>, signed: &SignedRequest) -> bool {
        let Party::Node(me) = self.me else { return false };
        let word = signed.authenticator.get(usize::from(me.0));
        word.is_some_and(|word| self.mac_holds(client, said, word))
    }
}

fn said_of(signed: &SignedRequest) -> (Said<'_>, Party) {
    let said = Said::Request { request: &signed.request, is_read_only: signed.is_read_only };
    (said, Party::Client(signed.request.client))
}

/// Digests.
impl Keys {
    /// The digest of a batch: SHA-256, or what stands for it in a simulated cluster. The empty one is the NULL request.
    pub fn batch_digest(&self, batch: &Batch) -> Digest {
        if batch.0.is_empty() { Digest::NULL } else { self.digest("quorate pbft batch v1", batch) }
    }

    /// The digest of a snapshot, as [`Self::batch_digest`].
    pub fn snapshot_digest(&self, snapshot: &Snapshot) -> Digest {
        self.digest("quorate pbft snapshot v1", snapshot)
    }

    fn digest(&self, purpose: &str, thing: &(impl Hash + Serialize)) -> Digest {
        match &self.scheme {
            Scheme::Real(_) => Digest(feed(Sha256::new(), &(purpose, thing)).finalize().into()),
            Scheme::Simulated(_) => simulated_digest(purpose, thing),
        }
    }
}

/// Nobody in a simulated cluster looks for a second text.
fn simulated_digest(purpose: &str, thing: &impl Hash) -> Digest {
    let mut hash = KeyedHash::new(&[b'd'; 32]);
    (purpose, thing).hash(&mut hash);
    let first = hash.whole();
    first.hash(&mut hash);
    let mut digest = [0; 32];
    digest.iter_mut().zip(first.into_iter().chain(hash.whole())).for_each(|(to, from)| *to = from);
    Digest(digest)
}

/// Something for each other party, by place.
#[derive(Debug)]
struct Each<T> {
    nodes: Vec<T>,
    clients: Vec<T>,
}

impl<T> Each<T> {
    fn get(&self, party: Party) -> Option<&T> {
        match party {
            Party::Node(node) => self.nodes.get(usize::from(node.0)),
            Party::Client(client) => self.clients.get(usize::try_from(client.0).ok()?),
        }
    }
}

/// The hash with which each MAC begins that is sent, or received.
fn begin_macs<T>(
    config: &Config,
    me: Party,
    shared: &SharedKeys,
    is_sent: bool,
    begin: impl Fn(&[u8; 32], Context) -> T,
) -> Each<T> {
    let begin = |other: Party, key: &[u8; 32]| {
        let (author, receiver) = if is_sent { (me, other) } else { (other, me) };
        begin(key, context(config, author, Some(receiver)))
    };
    let node = |(place, key)| begin(Party::Node(NodeId(place)), key);
    let client = |(place, key)| begin(Party::Client(ClientId(place)), key);
    Each {
        nodes: (0..config.nodes).zip(&shared.nodes).map(node).collect(),
        clients: (0..u32::MAX).zip(&shared.clients).map(client).collect(),
    }
}

fn context(config: &Config, author: Party, receiver: Option<Party>) -> Context {
    Context { protocol: PROTOCOL, nodes: config.nodes, f: config.f, author, receiver }
}

impl Scheme {
    /// With how many nodes the holder shares a key.
    fn nodes(&self) -> u16 {
        let count = match self {
            Self::Real(real) => real.sent.nodes.len(),
            Self::Simulated(simulated) => simulated.sent.nodes.len(),
        };
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

/// What stands for all that in a simulated cluster.
#[derive(Debug)]
struct Simulated {
    own: KeyedHash,
    /// What everybody's signatures begin with.
    signatures: Each<KeyedHash>,
    sent: Each<KeyedHash>,
    received: Each<KeyedHash>,
}

impl Simulated {
    fn new(config: &Config, keyring: &Keyring, verifier: &SimulatedVerifier, me: Party) -> Self {
        let begin = |mut hash: KeyedHash, context: Context| {
            context.hash(&mut hash);
            hash
        };
        let signature =
            |party| verifier.hash_of(party).map(|hash| begin(hash, context(config, party, None)));
        let of_node = |node| signature(Party::Node(node));
        let signatures = Each {
            nodes: config.nodes().map_while(of_node).collect(),
            clients: (0..u32::MAX)
                .map_while(|place| signature(Party::Client(ClientId(place))))
                .collect(),
        };
        // Whoever says that it is somebody else has still only its own secret.
        let own = begin(KeyedHash::new(&keyring.secret), context(config, me, None));
        let macs = |is_sent| {
            begin_macs(config, me, &keyring.shared, is_sent, |key, context| {
                begin(KeyedHash::new(key), context)
            })
        };
        Self { own, signatures, sent: macs(true), received: macs(false) }
    }
}

fn word(mut begun: KeyedHash, said: &Said<'_>) -> [u8; 16] {
    said.hash(&mut begun);
    begun.whole()
}

/// Ed25519 of a SHA-256 of canonical bytes, and HMAC-SHA-256 of such bytes.
#[derive(Debug)]
struct Real {
    me: Party,
    signing: SigningKey,
    nodes: u16,
    f: u16,
    /// Nothing where what should be a key is none.
    verifying: Each<Option<VerifyingKey>>,
    /// What the holder need not verify again.
    verified: RefCell<Verified>,
    sent: Each<Hmac<Sha256>>,
    received: Each<Hmac<Sha256>>,
}

impl Real {
    fn new(config: &Config, keyring: &Keyring, me: Party) -> Self {
        let verifying = |keys: &[[u8; 32]]| -> Vec<Option<VerifyingKey>> {
            keys.iter().map(|key| VerifyingKey::from_bytes(key).ok()).collect()
        };
        let nodes = keyring.public.nodes.get(..usize::from(config.nodes));
        let macs = |is_sent| {
            begin_macs(config, me, &keyring.shared, is_sent, |key, context| {
                let mac = Hmac::new_from_slice(key).expect("keys of any length do");
                feed(mac, &context)
            })
        };
        Self {
            me,
            signing: SigningKey::from_bytes(&keyring.secret),
            nodes: config.nodes,
            f: config.f,
            verifying: Each {
                nodes: verifying(nodes.unwrap_or(&keyring.public.nodes)),
                clients: verifying(&keyring.public.clients),
            },
            verified: RefCell::default(),
            sent: macs(true),
            received: macs(false),
        }
    }

    fn sign(&self, said: &Said<'_>) -> Proof {
        let signature = self.signing.sign(&self.text(self.me, said));
        Proof::Signature(Box::new((*signature.r_bytes(), *signature.s_bytes())))
    }

    fn verifies(&self, author: Party, said: &Said<'_>, halves: &([u8; 32], [u8; 32])) -> bool {
        let Some(Some(key)) = self.verifying.get(author) else { return false };
        let (r, s) = *halves;
        let text = self.text(author, said);
        let mark = Sha256::new().chain_update(text).chain_update(r).chain_update(s).finalize();
        let mut verified = self.verified.borrow_mut();
        if verified.has(&mark.into()) {
            return true;
        }
        let holds = key.verify_strict(&text, &Signature::from_components(r, s)).is_ok();
        if holds {
            verified.add(mark.into());
        }
        holds
    }

    /// What is signed.
    fn text(&self, author: Party, said: &Said<'_>) -> [u8; TEXT_LEN] {
        let (nodes, f) = (self.nodes, self.f);
        let context = Context { protocol: PROTOCOL, nodes, f, author, receiver: None };
        let hash = feed(feed(Sha256::new(), &context), said).finalize();
        let mut text = [0; TEXT_LEN];
        let bytes = PROTOCOL.bytes().chain(hash);
        text.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        text
    }
}

const TEXT_LEN: usize = PROTOCOL.len() + 32;

/// The first half.
fn cut(whole: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    half
}

/// Puts the canonical bytes of `thing` into a hash: none of them is kept anywhere.
fn feed<H: sha2::digest::Update>(hash: H, thing: &impl Serialize) -> H {
    postcard::serialize_with_flavor(thing, Fed(hash))
        .expect("a hash takes all, and slices have lengths")
}

struct Fed<H>(H);

impl<H: sha2::digest::Update> Flavor for Fed<H> {
    type Output = H;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.update(&[byte]);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.update(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<H> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests;
