//! Clients that lie. Nothing that they ask for in secret changes anything, so that no value appears which no history
//! speaks of.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::message::{Body, SignedRequest};
use super::super::proof::Proof;
use super::{Tongue, just};
use crate::contract::{Command, Key};
use crate::parties::Party;
use crate::smr::Request;

impl Tongue<'_> {
    /// Some replicas are asked for this, and others, under the same number, for something else: a read.
    pub(super) fn another_request(&self) -> Option<Vec<Body>> {
        let signed = self.own_request()?;
        let Request { client, number, ref command } = signed.request;
        if !self.hears_other(number.seq) {
            return None;
        }
        let key = command.keys().next().unwrap_or(Key(0));
        let key = if command.is_read() { Key(key.0 ^ 1) } else { key };
        let request = Request { client, number, command: Command::Read { key } };
        just(Body::Request(Arc::new(self.keys.sign_request(request, signed.is_read_only))))
    }

    /// Each replica gets a word that is good for itself and, of those for the others, some that are not. Without such
    /// words, some get a signature that is no good.
    pub(super) fn spoilt_request(&self) -> Option<Vec<Body>> {
        let signed = self.own_request()?;
        let mut spoilt = signed.clone();
        if spoilt.authenticator.is_empty() {
            if !self.hears_other(signed.request.number.seq) {
                return None;
            }
            spoil(&mut spoilt.signature);
            return just(Body::Request(Arc::new(spoilt)));
        }
        let mut draws = self.story(signed.request.number.seq);
        // All of them more often than not: then it cannot be executed while its word is what counts.
        let is_some = draws.one_in(3);
        for (place, word) in (0_u64..).zip(&mut spoilt.authenticator) {
            let is_spared = is_some && draws.one_in(2);
            if self.place_of_receiver() != Some(place) && !is_spared {
                spoil(word);
            }
        }
        just(Body::Request(Arc::new(spoilt)))
    }

    fn own_request(&self) -> Option<&SignedRequest> {
        match &self.truth.body {
            Body::Request(signed) => Some(signed),
            _ => None,
        }
    }

    fn place_of_receiver(&self) -> Option<u64> {
        match self.to {
            Party::Node(node) => Some(node.0.into()),
            Party::Client(_) => None,
        }
    }
}

/// One bit is wrong.
fn spoil(proof: &mut Proof) {
    match proof {
        Proof::Itself => {}
        Proof::Signature(halves) => flip(&mut halves.0),
        Proof::Mac(bytes) | Proof::SimulatedSignature(bytes) | Proof::SimulatedMac(bytes) => {
            flip(bytes);
        }
    }
}

fn flip(bytes: &mut [u8]) {
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
}
