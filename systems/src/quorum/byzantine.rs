//! What is believed when servers may lie (Malkhi and Reiter 1998), and how they lie.

use alloc::vec::Vec;

use super::configuration::Epoch;
use super::construction::{Construction, Purpose};
use super::message::Message;
use super::replies::Replies;
use super::stamp::{Pair, Proof, Timestamp};
use crate::contract::{ClientId, FORGED_VALUES, Key, Keyring, PublicKeys, Value};
use crate::keys;
use crate::lies::Twist;
use crate::mutant::Mutant;
use crate::parties::{NodeSet, Party};

/// The bytes that a writer signs: what they are for, then every field at its full width.
fn canonical(key: Key, ts: Timestamp, value: Value) -> Vec<u8> {
    let (tag, place) = match ts.writer {
        Party::Client(client) => (b'c', client.0),
        Party::Node(node) => (b'n', u32::from(node.0)),
    };
    let mut bytes = Vec::from(&b"quorate quorum register pair v1 "[..]);
    bytes.extend_from_slice(&key.0.to_be_bytes());
    bytes.extend_from_slice(&ts.t.to_be_bytes());
    bytes.push(tag);
    bytes.extend_from_slice(&place.to_be_bytes());
    bytes.extend_from_slice(&ts.incarnation.to_be_bytes());
    bytes.extend_from_slice(&ts.op.to_be_bytes());
    bytes.extend_from_slice(&value.0.to_be_bytes());
    bytes
}

/// A client's word that it wrote `value` under `key` at `ts`.
pub(super) fn prove(
    client: ClientId,
    keys: &Keyring,
    key: Key,
    ts: Timestamp,
    value: Value,
) -> Proof {
    Proof { signer: client, signature: keys::sign(keys, &canonical(key, ts, value)) }
}

/// Whether a client of the cluster wrote this pair; the initial pair needs nobody's word.
pub(super) fn is_proven(public: &PublicKeys, key: Key, pair: &Pair) -> bool {
    let (Some(value), Some(proof)) = (pair.value, &pair.proof) else {
        return *pair == Pair::INITIAL;
    };
    keys::verifies_client(public, proof.signer, &canonical(key, pair.ts, value), &proof.signature)
}

/// What follows from a quorum's answers.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    /// The pair that is believed.
    pub(super) pair: Pair,
    /// Who reported it.
    pub(super) reporters: NodeSet,
}

/// The highest pair that may be believed; none when the answers are too few, or, where liars must be
/// outvoted, when no pair has enough vouchers: then a write is under way and one has to ask again.
pub(super) fn believe(epoch: &Epoch, replies: &Replies) -> Option<Finding> {
    if !epoch.is_read_quorum(replies.heard()) {
        return None;
    }
    let pair = match epoch.construction() {
        Construction::Masking { b } if !epoch.old().mutants().deviates(Mutant::Q18) => {
            outvoted(epoch, replies, usize::from(*b))?
        }
        Construction::Majority
        | Construction::Counts { .. }
        | Construction::Weighted { .. }
        | Construction::Grid { .. }
        | Construction::Dissemination { .. }
        | Construction::Masking { .. } => replies.pairs().max_by_key(|pair| pair.ts)?.clone(),
    };
    let reporters =
        replies.iter().filter(|(_, reply)| **reply == pair).map(|(node, _)| node).collect();
    Some(Finding { pair, reporters })
}

/// Masking: the highest pair that b + 1 servers report alike, if at most b servers of a read quorum report
/// something higher. Without that floor a lagging correct server and a liar can vouch for an old pair.
/// Answers beyond a quorum may be left out, so that it is enough if some quorum among them agrees.
fn outvoted(epoch: &Epoch, replies: &Replies, b: usize) -> Option<Pair> {
    let mut spare = 0;
    let mut rest = replies.heard();
    // Quorums of this construction are counts: which nodes are left out does not matter here.
    for node in replies.heard().iter() {
        rest.remove(node);
        if !epoch.is_read_quorum(rest) {
            break;
        }
        spare += 1;
    }
    let vouchers = |pair: &Pair| replies.pairs().filter(|other| *other == pair).count();
    let above = |pair: &Pair| replies.pairs().filter(|other| other.ts > pair.ts).count();
    replies
        .pairs()
        .filter(|pair| vouchers(pair) > b && above(pair) <= b + spare)
        .max_by_key(|pair| pair.ts)
        .cloned()
}

/// A timestamp at or above that of every completed write, and not higher than some correct server's.
pub(super) fn base(epoch: &Epoch, replies: &Replies) -> Option<Finding> {
    if !epoch.suffices(Purpose::Timestamp, replies.heard()) {
        return None;
    }
    let liars = match epoch.construction() {
        Construction::Masking { b } => usize::from(*b),
        Construction::Majority
        | Construction::Counts { .. }
        | Construction::Weighted { .. }
        | Construction::Grid { .. }
        | Construction::Dissemination { .. } => 0,
    };
    let at_or_above = |ts| replies.pairs().filter(move |pair| pair.ts >= ts).count();
    let pair =
        replies.pairs().filter(|pair| at_or_above(pair.ts) > liars).max_by_key(|pair| pair.ts)?;
    let reporters =
        replies.iter().filter(|(_, reply)| reply.ts >= pair.ts).map(|(node, _)| node).collect();
    Some(Finding { pair: pair.clone(), reporters })
}

/// What a liar says in place of `message`. It lies about what it stores, and to everybody who asks.
pub(super) fn twist(what: Twist, message: &Message, draw: u64) -> Message {
    let Message::QueryOk { op, key, pair } = message else { return message.clone() };
    let bigger = Timestamp { t: pair.ts.t + 1 + draw % 1_000, ..pair.ts };
    let high = draw & 1 << 32 != 0;
    let pair = match what {
        Twist::Value => Pair {
            ts: if high || pair.ts == Timestamp::ZERO { bigger } else { pair.ts },
            value: Some(Value(FORGED_VALUES + draw % FORGED_VALUES)),
            proof: pair.proof.clone(),
        },
        Twist::Timestamp if high => Pair { ts: bigger, ..pair.clone() },
        Twist::Timestamp => Pair::INITIAL,
    };
    Message::QueryOk { op: *op, key: *key, pair }
}
