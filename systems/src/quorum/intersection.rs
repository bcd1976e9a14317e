//! The start-up check: every two sets that must meet do, in enough nodes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::construction::{Construction, Purpose, Quorums};
use crate::contract::{ConfigError, NodeId};
use crate::parties::NodeSet;

/// Larger clusters cannot be checked by enumeration in a blink.
pub(super) const NODES_MAX: u16 = 16;

/// Two kinds of quorum that must meet.
struct Requirement {
    first: Purpose,
    second: Purpose,
    /// In how many nodes.
    meet: u32,
    /// What goes wrong otherwise.
    or_else: &'static str,
}

/// Refuses quorums with which the registers would not be safe or, with `b` liars silent, not live. The
/// second of every pair is a write quorum; `writes_meet` asks that two of those meet as well.
pub(super) fn check(quorums: &Quorums, writes_meet: bool) -> Result<(), ConfigError> {
    let liars = u32::from(quorums.liars());
    let meet = match quorums.construction() {
        Construction::Masking { .. } => 2 * liars + 1,
        Construction::Dissemination { .. } => liars + 1,
        Construction::Majority
        | Construction::Counts { .. }
        | Construction::Weighted { .. }
        | Construction::Grid { .. } => 1,
    };
    let second = Purpose::Write;
    let mut requirements = Vec::from([
        Requirement {
            first: Purpose::Read,
            second,
            meet,
            or_else: "a read can miss a completed write",
        },
        Requirement {
            first: Purpose::Timestamp,
            second,
            meet,
            or_else: "a write can choose a timestamp below that of a completed one",
        },
    ]);
    if writes_meet {
        requirements.push(Requirement {
            first: Purpose::Write,
            second,
            meet,
            or_else: "a lock write can end below a completed one",
        });
    }
    requirements.iter().try_for_each(|requirement| check_meeting(quorums, requirement))?;
    check_liveness(quorums)
}

/// Looks for a counterexample to one requirement. It is enough to look at minimal first quorums, and at
/// the largest second set that shares too few nodes with each.
fn check_meeting(quorums: &Quorums, requirement: &Requirement) -> Result<(), ConfigError> {
    let everyone = quorums.everyone();
    for first in minimal(quorums, requirement.first) {
        let shared_max = (requirement.meet - 1).min(first.len());
        for shared in subsets(first).filter(|shared| shared.len() == shared_max) {
            let second = everyone.without(first).union(shared);
            if quorums.suffices(requirement.second, second) {
                return Err(refusal(quorums, requirement, first, second));
            }
        }
    }
    Ok(())
}

fn refusal(
    quorums: &Quorums,
    requirement: &Requirement,
    first: NodeSet,
    second: NodeSet,
) -> ConfigError {
    let order: Vec<NodeId> = second.iter().collect();
    let second = quorums.shrink(requirement.second, second, &order);
    let shared = first.intersection(second).len();
    let how = if shared == 0 {
        String::from("do not meet")
    } else {
        format!("share {shared} of the {} nodes that they must share", requirement.meet)
    };
    let Requirement { first: one, second: other, or_else, .. } = requirement;
    let what = format!("every {} must meet every {}, or {or_else}", one.name(), other.name());
    ConfigError::NoIntersection {
        what,
        first: format!("{first}"),
        second: format!("{second}"),
        how,
    }
}

/// With all liars silent, the rest must suffice for everything.
fn check_liveness(quorums: &Quorums) -> Result<(), ConfigError> {
    let everyone = quorums.everyone();
    let liars = u32::from(quorums.liars());
    for silent in subsets(everyone).filter(|silent| silent.len() == liars) {
        for purpose in [Purpose::Read, Purpose::Write, Purpose::Timestamp] {
            if !quorums.suffices(purpose, everyone.without(silent)) {
                return Err(ConfigError::Impossible(if liars == 0 {
                    format!("all members together are no {}", purpose.name())
                } else {
                    format!("with {silent} silent there is no {} left", purpose.name())
                }));
            }
        }
    }
    Ok(())
}

/// All quorums from which no node can be taken.
pub(super) fn minimal(quorums: &Quorums, purpose: Purpose) -> impl Iterator<Item = NodeSet> {
    subsets(quorums.everyone()).filter(move |set| {
        quorums.suffices(purpose, *set)
            && set.iter().all(|node| !quorums.suffices(purpose, set.without(NodeSet::of(node))))
    })
}

/// All subsets of `set`, the empty one and itself included.
fn subsets(set: NodeSet) -> impl Iterator<Item = NodeSet> {
    let all = set.bits();
    let mut next = Some(0_u64);
    core::iter::from_fn(move || {
        let bits = next?;
        // Counts up in the bits of `set` alone: the borrow passes over all others.
        let following = bits.wrapping_sub(all) & all;
        next = (bits != all).then_some(following);
        Some(NodeSet::from_bits(bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subset_comes_once_and_in_order() {
        let set: NodeSet = [1, 3, 63].map(NodeId).into_iter().collect();
        let found: Vec<NodeSet> = subsets(set).collect();
        let expected = [&[][..], &[1], &[3], &[1, 3], &[63], &[1, 63], &[3, 63], &[1, 3, 63]];
        let expected = expected.map(|nodes| nodes.iter().copied().map(NodeId).collect());
        assert_eq!(found, expected);
        assert_eq!(subsets(NodeSet::EMPTY).collect::<Vec<_>>(), [NodeSet::EMPTY]);
        assert_eq!(subsets(NodeSet::all(16)).count(), 1 << 16);
    }
}
