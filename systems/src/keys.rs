//! The keys of a cluster: everybody's Ed25519 secret from one seed, so that a run needs to record only that.

use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::contract::{Keyring, PublicKeys};

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
        };
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

/// The holder's signature of `bytes`; these must say for what protocol and purpose they are.
pub fn sign(secret: &[u8; 32], bytes: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(secret).sign(bytes).to_bytes()
}

/// Whether `signature` is one of `bytes` by the holder of the secret behind `public`. False for whatever
/// is not a key or not a signature.
pub fn verifies(public: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_bytes(public), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_strict(bytes, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_member_signs_only_its_own_public_key_verifies() {
        let keys = ClusterKeys::from_seed(&[7; 32], 2, 2);
        let writer = &keys.clients[1];
        let signature = sign(&writer.secret, b"text");
        assert!(verifies(&writer.public.clients[1], b"text", &signature));
        assert!(!verifies(&writer.public.clients[0], b"text", &signature));
        assert!(!verifies(&writer.public.nodes[1], b"text", &signature));
        assert!(!verifies(&writer.public.clients[1], b"test", &signature));
        assert!(!verifies(&writer.public.clients[1], b"text", &signature[1..]));
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
