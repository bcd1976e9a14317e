//! What the VIEW-CHANGEs of a NEW-VIEW come to: O, from the papers' rules (`PBFT OSDI'99 §4.4`; Castro, Liskov 2002,
//! 3.2.4), and not as replicas compute it.

use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{Digest, NewView, Proposal, SignedViewChange, View, ViewChange};
use quorate_systems::smr::Slot;

use super::Rules;

/// NEW-VIEWs that would have to have more proposals are not judged.
const PROPOSALS_MAX: u64 = 4_096;

/// What may stand for a sequence number in a view that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This.
    One(Digest),
    /// Of two claims of one view one is false, and nobody can say which.
    Either(Digest, Digest),
    /// More must be known.
    Undecided,
}

/// Where the proposals of a NEW-VIEW are not those that follow.
pub(super) fn objection(rules: Rules, new: &NewView) -> Option<String> {
    let votes = &new.votes;
    let stable = votes.iter().map(|vote| vote.body.stable.seq).max().unwrap_or_default();
    let claims = votes.iter().flat_map(|vote| &vote.body.prepared);
    let last = claims.map(|claim| claim.seq).max().unwrap_or_default().max(stable);
    if last.since(stable) > PROPOSALS_MAX {
        return None;
    }
    let mut proposals = new.proposals.iter();
    for seq in stable.next().through(last) {
        let choice = choose(rules, votes, seq);
        let proposed = proposals.next();
        let proposed = proposed.filter(|proposal| proposal.seq == seq);
        if let Some(why) = choice.objects_to(proposed) {
            return Some(format!("{seq} {why}"));
        }
    }
    proposals
        .next()
        .map(|Proposal { seq, .. }| format!("{seq}, which nobody claims to have prepared"))
}

impl Choice {
    fn objects_to(&self, proposed: Option<&Proposal>) -> Option<String> {
        let proposed = proposed.map(|proposal| proposal.digest);
        let is_right = match self {
            Self::One(digest) => proposed == Some(*digest),
            Self::Either(one, other) => proposed.is_some_and(|it| it == *one || it == *other),
            Self::Undecided => false,
        };
        if is_right {
            return None;
        }
        let proposed = proposed.map_or_else(|| "left out".to_owned(), |it| format!("as {it}"));
        Some(match self {
            Self::One(digest) => format!("{proposed}, and it is {digest}"),
            Self::Either(one, other) => format!("{proposed}, and it is {one} or {other}"),
            Self::Undecided => format!("{proposed}, which does not follow from them yet"),
        })
    }
}

/// What stands for `seq`: the claim of the highest view that is not false for all that can be known, or the NULL
/// request, where nothing can have been committed.
fn choose(rules: Rules, votes: &[SignedViewChange], seq: Slot) -> Choice {
    let claimed = || votes.iter().flat_map(|vote| claims(&vote.body, seq));
    let standing = || claimed().filter(|claim| stands(rules, votes, seq, *claim));
    let highest = standing().map(|(view, _)| view).max();
    let mut digests = standing().filter(|(view, _)| Some(*view) == highest).map(|claim| claim.1);
    if let Some(digest) = digests.next() {
        let other = digests.find(|other| *other != digest);
        return other.map_or(Choice::One(digest), |other| Choice::Either(digest, other));
    }
    let without = |vote: &ViewChange| claims(vote, seq).next().is_none();
    if is_quorum(rules, votes, |vote| vote.stable.seq < seq && without(vote)) {
        Choice::One(Digest::NULL)
    } else {
        Choice::Undecided
    }
}

/// Whether a claim may be true: with signatures it is proven. Otherwise a quorum must not contradict it (A1 in the
/// paper), and one correct replica must vouch for the request (A2).
fn stands(
    rules: Rules,
    votes: &[SignedViewChange],
    seq: Slot,
    (view, digest): (View, Digest),
) -> bool {
    if rules.is_signed {
        return true;
    }
    let agrees = |other: (View, Digest)| other.0 < view || other == (view, digest);
    let is_uncontradicted =
        is_quorum(rules, votes, |vote| vote.stable.seq < seq && claims(vote, seq).all(agrees));
    let vouching = voters(votes, |vote| {
        vote.pre_prepared
            .iter()
            .any(|known| known.seq == seq && known.digest == digest && known.view >= view)
    });
    is_uncontradicted && vouching.len() >= rules.weak
}

/// What a VIEW-CHANGE claims to be prepared as `seq`.
fn claims(vote: &ViewChange, seq: Slot) -> impl Iterator<Item = (View, Digest)> {
    // They are in order.
    let first = vote.prepared.partition_point(|claim| claim.seq < seq);
    let claims = vote.prepared.get(first..).unwrap_or_default().iter();
    claims.take_while(move |claim| claim.seq == seq).map(|claim| (claim.view, claim.digest))
}

fn is_quorum(rules: Rules, votes: &[SignedViewChange], is: impl Fn(&ViewChange) -> bool) -> bool {
    rules.is_quorum(voters(votes, is))
}

fn voters(votes: &[SignedViewChange], is: impl Fn(&ViewChange) -> bool) -> NodeSet {
    votes.iter().filter(|vote| is(&vote.body)).map(|vote| vote.by).collect()
}
