//! What follows from VIEW-CHANGEs, by the papers' rules.

use super::super::Rules;
use super::super::recomputed::objection;
use super::*;

/// Four replicas.
const SIGNED: Rules = Rules {
    nodes: 4,
    quorum: 3,
    weak: 2,
    answers: 2,
    window: 8,
    is_signed: true,
    patience_us: 400_000,
};
const MACS: Rules = Rules { is_signed: false, ..SIGNED };

/// Whether these are the only right proposals that follow.
fn follows(rules: Rules, votes: &[Arc<ViewChange>], proposals: &[(u64, u64)]) -> bool {
    let votes: Vec<_> = (0..).zip(votes).collect();
    objection(rules, &new_view(&votes, proposals)).is_none()
}

#[test]
fn with_signatures_the_claim_of_the_highest_view_holds() {
    let vote = |prepared: &[At]| {
        let prepared: Vec<(At, &[u16])> = prepared.iter().map(|at| (*at, &[][..])).collect();
        view_change(View(9), START(), &prepared)
    };
    let votes = [vote(&[(V0, 1, 1), (V1, 2, 2)]), vote(&[(V2, 1, 5)]), vote(&[(V1, 1, 4)])];
    assert!(follows(SIGNED, &votes, &[(1, 5), (2, 2)]));
    assert!(!follows(SIGNED, &votes, &[(1, 1), (2, 2)]) && !follows(SIGNED, &votes, &[(1, 5)]));
    assert!(follows(SIGNED, &[vote(&[]), vote(&[]), vote(&[])], &[]));
    // Where two digests are proven for one view, too many lie: there is no right one.
    let both = [vote(&[(V1, 1, 1)]), vote(&[(V1, 1, 2)]), vote(&[])];
    assert!(follows(SIGNED, &both, &[(1, 1)]) && follows(SIGNED, &both, &[(1, 2)]));
    assert!(!follows(SIGNED, &both, &[(1, 3)]) && !follows(SIGNED, &both, &[(1, 0)]));
}

#[test]
fn what_is_stable_is_not_proposed_again() {
    let vote = |stable, seq| view_change(V1, certificate(stable, 50, &[]), &[((V0, seq, 7), &[])]);
    let votes = [vote(0, 2), vote(2, 4), vote(1, 2)];
    assert!(follows(SIGNED, &votes, &[(3, 0), (4, 7)]));
    assert!(!follows(SIGNED, &votes, &[(2, 7), (3, 0), (4, 7)]));
    assert!(follows(SIGNED, &[vote(0, 2), vote(2, 3), vote(3, 4)], &[(4, 7)]));
}

#[test]
fn with_macs_a_claim_needs_a_quorum_that_does_not_contradict_and_others_who_vouch() {
    let told = (V1, 1, 1);
    let yes = claims(View(9), &[told], &[told]);
    let (vouches, silent) = (claims(View(9), &[], &[told]), claims(View(9), &[], &[]));
    let three = |third: &Arc<ViewChange>| [yes.clone(), vouches.clone(), third.clone()];
    assert!(follows(MACS, &three(&silent), &[(1, 1)]));
    assert!(!follows(MACS, &three(&silent), &[(1, 0)]));
    // Nobody vouches for it, so that it may be invented; and it may not be.
    let alone = [yes.clone(), silent.clone(), silent.clone()];
    assert!(!follows(MACS, &alone, &[(1, 1)]) && !follows(MACS, &alone, &[(1, 0)]));
    let alone = [yes.clone(), silent.clone(), silent.clone(), silent.clone()];
    assert!(follows(MACS, &alone, &[(1, 0)]) && !follows(MACS, &alone, &[(1, 1)]));
    // Who vouches for it in an earlier view only, does not.
    let early = claims(View(9), &[], &[(V0, 1, 1)]);
    assert!(!follows(MACS, &[yes.clone(), early, silent.clone()], &[(1, 1)]));
    // An invented claim of a later view is outvoted once more is known.
    let liar = claims(View(9), &[(V2, 1, 5)], &[(V2, 1, 5)]);
    assert!(!follows(MACS, &three(&liar), &[(1, 1)]) && !follows(MACS, &three(&liar), &[(1, 5)]));
    let more = [yes.clone(), vouches, liar, silent];
    assert!(follows(MACS, &more, &[(1, 1)]) && !follows(MACS, &more, &[(1, 5)]));
}

#[test]
fn more_than_can_be_proposed_is_not_judged() {
    let far = view_change(V1, START(), &[((V0, 1 << 40, 7), &[])]);
    assert!(follows(SIGNED, &[far.clone(), far.clone(), far], &[]));
}
