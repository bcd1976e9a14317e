//! What proves who said something.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// That somebody said something. What is proven covers the kind of the message, all its fields and its author.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Proof {
    /// What is said proves itself: a request that its client signed, a batch that was asked for by its digest.
    Itself,
    /// An Ed25519 signature, in two halves: whoever sees it knows.
    Signature(Box<([u8; 32], [u8; 32])>),
    /// HMAC-SHA-256, cut to 16 bytes, with the key that author and receiver share: nobody else is told anything.
    Mac([u8; 16]),
    /// What stands for a signature in a simulated cluster. It is worth nothing anywhere else, and no signature there.
    SimulatedSignature([u8; 16]),
    /// What stands for a MAC in a simulated cluster.
    SimulatedMac([u8; 16]),
}

/// One [`Proof`] for each replica, by place; empty where there are none.
pub type Authenticator = Vec<Proof>;
