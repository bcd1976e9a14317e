//! The keys of a cluster: everybody's Ed25519 secret from one seed, so that a run needs to record only that.
//!
//! A simulated cluster may have stand-ins for signatures, a thousand times as fast: keyed hashes, which a
//! [`SimulatedVerifier`] checks. They are worth nothing outside a simulator, where whoever could look into the
//! verifier could sign for others; inside, no core can, since nothing of it is public.

use alloc::vec::Vec;
use core::fmt;
use core::hash::Hasher;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::contract::{ClientId, Keyring, NodeId, PublicKeys, SharedKeys};
use crate::parties::Party;

/// One keyring for each member of a cluster: its own secret, what it shares with each of the others, and everybody's
/// public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterKeys {
    /// Of the nodes, by place.
    pub nodes: Vec<Keyring>,
    /// Of the clients, by place.
    pub clients: Vec<Keyring>,
}

impl ClusterKeys {
    /// The keys that follow from `seed`. Whoever holds the seed holds every secret: the harness keeps it
    /// and hands out keyrings.
    pub fn from_seed(seed: &[u8; 32], nodes: u16, clients: u32) -> Self {
        let root = SigningKey::from_bytes(seed);
        let secrets = Secrets {
            nodes: (0..nodes).map(|node| derive(&root, b'n', u32::from(node))).collect(),
            clients: (0..clients).map(|client| derive(&root, b'c', client)).collect(),
        };
        let public = PublicKeys {
            nodes: secrets.nodes.iter().map(public_of).collect(),
            clients: secrets.clients.iter().map(public_of).collect(),
            simulated: None,
        };
        secrets.hand_out(&public, |name| {
            let mut mac = Hmac::<Sha256>::new_from_slice(seed).expect("keys of any length do");
            mac.update(b"quorate shared key v1 ");
            mac.update(name);
            mac.finalize().into_bytes().into()
        })
    }

    /// The keys of a simulated cluster.
    pub fn simulated(nodes: u16, clients: u32) -> Self {
        let secret = |role: u8, name: &[u8]| {
            let mut secret = [role; 32];
            let word = keyed_hash(&[role; 32], name);
            secret.iter_mut().zip(word).for_each(|(to, from)| *to = from);
            secret
        };
        let of_node = |node: u16| secret(b'n', &u32::from(node).to_be_bytes());
        let secrets = Secrets {
            nodes: (0..nodes).map(of_node).collect(),
            clients: (0..clients).map(|client| secret(b'c', &client.to_be_bytes())).collect(),
        };
        let verifier =
            SimulatedVerifier { nodes: secrets.nodes.clone(), clients: secrets.clients.clone() };
        let public =
            PublicKeys { nodes: Vec::new(), clients: Vec::new(), simulated: Some(verifier) };
        secrets.hand_out(&public, |name| secret(b's', name))
    }
}

/// What each member alone knows.
struct Secrets {
    nodes: Vec<[u8; 32]>,
    clients: Vec<[u8; 32]>,
}

impl Secrets {
    /// Everybody's keyring; `shared` makes the key of two members from both their names.
    fn hand_out(self, public: &PublicKeys, shared: impl Fn(&[u8]) -> [u8; 32]) -> ClusterKeys {
        let places = |members: &[[u8; 32]]| 0..u32::try_from(members.len()).unwrap_or(u32::MAX);
        let (nodes, clients) = (places(&self.nodes), places(&self.clients));
        let pair = |node: u32, role: u8, other: u32| {
            let mut name = [0; 9];
            // Both ends find the same name.
            let (first, second) =
                if role == b'n' { (node.min(other), node.max(other)) } else { (node, other) };
            let bytes = first.to_be_bytes().into_iter().chain([role]).chain(second.to_be_bytes());
            name.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            shared(&name)
        };
        let keyring = |secret, shared| Keyring { secret, shared, public: public.clone() };
        let of_node = |(secret, node): (&[u8; 32], u32)| {
            let shared = SharedKeys {
                nodes: nodes.clone().map(|other| pair(node, b'n', other)).collect(),
                clients: clients.clone().map(|client| pair(node, b'c', client)).collect(),
            };
            keyring(*secret, shared)
        };
        let of_client = |(secret, client): (&[u8; 32], u32)| {
            let with_nodes = nodes.clone().map(|node| pair(node, b'c', client)).collect();
            keyring(*secret, SharedKeys { nodes: with_nodes, clients: Vec::new() })
        };
        ClusterKeys {
            nodes: self.nodes.iter().zip(nodes.clone()).map(of_node).collect(),
            clients: self.clients.iter().zip(clients.clone()).map(of_client).collect(),
        }
    }
}

/// Checks simulated signatures. It holds every member's secret and tells none.
#[derive(Clone, PartialEq, Eq)]
pub struct SimulatedVerifier {
    nodes: Vec<[u8; 32]>,
    clients: Vec<[u8; 32]>,
}

impl fmt::Debug for SimulatedVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedVerifier")
    }
}

impl SimulatedVerifier {
    /// What a member's signatures begin with: for checking them, and nothing else.
    pub(crate) fn hash_of(&self, member: Party) -> Option<KeyedHash> {
        let secret = match member {
            Party::Node(node) => self.nodes.get(usize::from(node.0)),
            Party::Client(client) => self.clients.get(usize::try_from(client.0).ok()?),
        };
        secret.map(KeyedHash::new)
    }
}

/// The secret of one member: Ed25519 signatures are deterministic (RFC 8032), and nobody without the root
/// can tell this one from random bytes.
fn derive(root: &SigningKey, role: u8, place: u32) -> [u8; 32] {
    let mut name = Vec::from(&b"quorate cluster key v1 "[..]);
    name.push(role);
    name.extend_from_slice(&place.to_be_bytes());
    *root.sign(&name).r_bytes()
}

fn public_of(secret: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(secret).verifying_key().to_bytes()
}

/// The holder's signature of `bytes`, which must say for what protocol and purpose they are.
pub fn sign(holder: &Keyring, bytes: &[u8]) -> Vec<u8> {
    match holder.public.simulated {
        Some(_) => Vec::from(keyed_hash(&holder.secret, bytes)),
        None => Vec::from(SigningKey::from_bytes(&holder.secret).sign(bytes).to_bytes()),
    }
}

/// Whether `signature` is one of `bytes` by this node. False for whatever is no key or no signature.
pub fn verifies_node(public: &PublicKeys, node: NodeId, bytes: &[u8], signature: &[u8]) -> bool {
    let place = usize::from(node.0);
    match &public.simulated {
        Some(verifier) => verifier.verifies(verifier.nodes.get(place), bytes, signature),
        None => public.nodes.get(place).is_some_and(|key| verifies(key, bytes, signature)),
    }
}

/// Whether `signature` is one of `bytes` by this client. False for whatever is no key or no signature.
pub fn verifies_client(
    public: &PublicKeys,
    client: ClientId,
    bytes: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(place) = usize::try_from(client.0) else { return false };
    match &public.simulated {
        Some(verifier) => verifier.verifies(verifier.clients.get(place), bytes, signature),
        None => public.clients.get(place).is_some_and(|key| verifies(key, bytes, signature)),
    }
}

impl SimulatedVerifier {
    #[expect(clippy::unused_self, reason = "only who holds the verifier may ask")]
    fn verifies(&self, secret: Option<&[u8; 32]>, bytes: &[u8], signature: &[u8]) -> bool {
        secret.is_some_and(|secret| keyed_hash(secret, bytes) == *signature)
    }
}

/// Sixteen bytes that change with every bit of the secret and the text. No cryptographic strength is claimed.
fn keyed_hash(secret: &[u8; 32], bytes: &[u8]) -> [u8; 16] {
    let mut hash = KeyedHash::new(secret);
    hash.write(bytes);
    hash.whole()
}

/// A hash of a secret and of whatever is written to it. No cryptographic strength is claimed: it says who wrote it
/// where nobody but the holders of the secret can make it, as in a simulated cluster. It says the same on every
/// machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyedHash([u64; 2]);

impl KeyedHash {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let mut hash = Self([0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93]);
        hash.write_words(secret);
        hash
    }

    /// All of it.
    pub(crate) fn whole(self) -> [u8; 16] {
        let [first, second] = self.0;
        (u128::from(first) << 64 | u128::from(second)).to_le_bytes()
    }

    fn write_words(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
}

impl Hasher for KeyedHash {
    fn finish(&self) -> u64 {
        self.0[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        self.write_words(bytes);
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        let lanes = &mut self.0;
        lanes[0] = (lanes[0] ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        lanes[1] = (lanes[1].rotate_left(23) ^ word).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        lanes[1] ^= lanes[0] >> 31;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }
}

fn verifies(public: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_bytes(public), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_strict(bytes, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn only_its_own_key_verifies(keys: &ClusterKeys) {
        let writer = &keys.clients[1];
        let public = &writer.public;
        let signature = sign(writer, b"text");
        assert!(verifies_client(public, ClientId(1), b"text", &signature));
        assert!(!verifies_client(public, ClientId(0), b"text", &signature));
        assert!(!verifies_client(public, ClientId(2), b"text", &signature));
        assert!(!verifies_node(public, NodeId(1), b"text", &signature));
        assert!(!verifies_client(public, ClientId(1), b"test", &signature));
        assert!(!verifies_client(public, ClientId(1), b"text", &signature[1..]));
        let signature = sign(&keys.nodes[0], b"text");
        assert!(verifies_node(public, NodeId(0), b"text", &signature));
    }

    #[test]
    fn what_one_member_signs_only_its_own_public_key_verifies() {
        only_its_own_key_verifies(&ClusterKeys::from_seed(&[7; 32], 2, 2));
        only_its_own_key_verifies(&ClusterKeys::simulated(2, 2));
    }

    #[test]
    fn a_simulated_verifier_tells_nothing() {
        let keys = ClusterKeys::simulated(1, 1);
        assert!(format!("{:?}", keys.nodes[0].public).contains("SimulatedVerifier)"));
    }

    fn two_members_share_a_key_that_is_nobody_elses(keys: &ClusterKeys) {
        let mut known = Vec::new();
        for (place, ring) in keys.nodes.iter().enumerate() {
            for (other, key) in ring.shared.nodes.iter().enumerate() {
                assert_eq!(*key, keys.nodes[other].shared.nodes[place]);
                known.extend((place <= other).then_some(*key));
            }
            for (client, key) in ring.shared.clients.iter().enumerate() {
                assert_eq!(*key, keys.clients[client].shared.nodes[place]);
                known.push(*key);
            }
        }
        assert_eq!(known.len(), 6 + 3 * 2);
        known.extend(keys.nodes.iter().chain(&keys.clients).map(|ring| ring.secret));
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), 6 + 3 * 2 + 5, "all are different");
    }

    #[test]
    fn two_members_share_a_key_of_their_own() {
        two_members_share_a_key_that_is_nobody_elses(&ClusterKeys::from_seed(&[7; 32], 3, 2));
        two_members_share_a_key_that_is_nobody_elses(&ClusterKeys::simulated(3, 2));
    }

    #[test]
    fn every_member_has_its_own_secret_and_the_seed_alone_decides_them() {
        let keys = ClusterKeys::from_seed(&[7; 32], 3, 3);
        let mut secrets: Vec<_> =
            keys.nodes.iter().chain(&keys.clients).map(|ring| ring.secret).collect();
        secrets.sort_unstable();
        secrets.dedup();
        assert_eq!(secrets.len(), 6);
        assert_eq!(keys, ClusterKeys::from_seed(&[7; 32], 3, 3));
        assert_ne!(keys, ClusterKeys::from_seed(&[8; 32], 3, 3));
    }
}
