//! The keys of a cluster: everybody's Ed25519 secret from one seed, so that a run needs to record only that.
//!
//! A simulated cluster may have stand-ins for signatures, a thousand times as fast: keyed hashes, which a
//! [`SimulatedVerifier`] checks. They are worth nothing outside a simulator, where whoever could look into the
//! verifier could sign for others; inside, no core can, since nothing of it is public.

use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::contract::{ClientId, Keyring, NodeId, PublicKeys};

/// One keyring for each member of a cluster: its own secret, and everybody's public keys.
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
        let node_secrets: Vec<_> =
            (0..nodes).map(|node| derive(&root, b'n', u32::from(node))).collect();
        let client_secrets: Vec<_> =
            (0..clients).map(|client| derive(&root, b'c', client)).collect();
        let public = PublicKeys {
            nodes: node_secrets.iter().map(public_of).collect(),
            clients: client_secrets.iter().map(public_of).collect(),
            simulated: None,
        };
        let keyring = |secret: [u8; 32]| Keyring { secret, public: public.clone() };
        Self {
            nodes: node_secrets.into_iter().map(keyring).collect(),
            clients: client_secrets.into_iter().map(keyring).collect(),
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

impl ClusterKeys {
    /// The keys of a simulated cluster.
    pub fn simulated(nodes: u16, clients: u32) -> Self {
        let secret = |role: u8, place: u32| {
            let mut secret = [role; 32];
            let word = keyed_hash(&[role; 32], &place.to_be_bytes());
            secret.iter_mut().zip(word).for_each(|(to, from)| *to = from);
            secret
        };
        let node_secrets: Vec<_> = (0..nodes).map(|node| secret(b'n', u32::from(node))).collect();
        let client_secrets: Vec<_> = (0..clients).map(|client| secret(b'c', client)).collect();
        let simulated =
            SimulatedVerifier { nodes: node_secrets.clone(), clients: client_secrets.clone() };
        let public =
            PublicKeys { nodes: Vec::new(), clients: Vec::new(), simulated: Some(simulated) };
        let keyring = |secret: [u8; 32]| Keyring { secret, public: public.clone() };
        Self {
            nodes: node_secrets.into_iter().map(keyring).collect(),
            clients: client_secrets.into_iter().map(keyring).collect(),
        }
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
    let mut lanes = [0x9E37_79B9_7F4A_7C15_u64, 0xD6E8_FEB8_6659_FD93];
    let length = (bytes.len() as u64).to_le_bytes();
    for part in secret.chunks(8).chain(bytes.chunks(8)).chain([&length[..]]) {
        let mut word = [0; 8];
        word.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        let word = u64::from_le_bytes(word);
        lanes[0] = (lanes[0] ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        lanes[1] = (lanes[1].rotate_left(23) ^ word).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        lanes[1] ^= lanes[0] >> 31;
    }
    let mut hash = [0; 16];
    let whole = (u128::from(lanes[0]) << 64 | u128::from(lanes[1])).to_le_bytes();
    hash.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    hash
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
