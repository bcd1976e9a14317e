//! What certificates prove, and what a new view must begin with.

use alloc::vec::Vec;

use super::authentication::{Keys, Said};
use super::digest::Digest;
use super::message::{
    Certificate, NewView, Prepared, Proposal, SignedViewChange, ViewChange, Vote,
};
use super::options::{Authentication, Config};
use super::view::View;
use crate::contract::NodeId;
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::Slot;

/// Who has voted, each in its own name: nothing where somebody did not, or did twice.
fn voters<'a>(
    config: &Config,
    votes: impl IntoIterator<Item = &'a Vote>,
    holds: impl Fn(&Vote) -> bool,
) -> Option<NodeSet> {
    let mut set = NodeSet::EMPTY;
    for vote in votes {
        if !config.has(vote.by) || !set.insert(vote.by) || !holds(vote) {
            return None;
        }
    }
    Some(set)
}

/// Whether a quorum says that its state after this sequence number has this digest. All begin with the same state:
/// nobody need say that, and nobody can say anything else.
pub fn is_stable(keys: &Keys, config: &Config, certificate: &Certificate) -> bool {
    let Certificate { seq, digest, ref votes } = *certificate;
    if seq == Slot::ZERO {
        return *certificate == Certificate::default();
    }
    let said = Said::Checkpoint { seq, digest };
    let voters = voters(config, votes, |vote| keys.vote_holds(vote.by, &said, &vote.proof));
    voters.is_some_and(|voters| voters.len() >= config.quorum())
}

/// Whether `by`, whose signature it bears, may say this: whatever it claims is proven, as far as it can be.
pub fn is_view_change_valid(keys: &Keys, config: &Config, view_change: &ViewChange) -> bool {
    let ViewChange { view, stable, prepared, pre_prepared } = view_change;
    let is_within = |seq: Slot| stable.seq < seq && seq <= stable.seq.plus(config.window());
    let has_order = prepared.is_sorted_by(|one, other| one.seq < other.seq)
        && pre_prepared
            .is_sorted_by(|one, other| (one.seq, one.digest) < (other.seq, other.digest));
    let are_due = prepared.iter().all(|claim| is_within(claim.seq) && claim.view < *view)
        && pre_prepared.iter().all(|claim| is_within(claim.seq) && claim.view < *view);
    let is_proven = |claim: &Prepared| match config.authentication {
        Authentication::Signatures => is_prepared(keys, config, claim),
        Authentication::Hmac => claim.votes.is_empty(),
    };
    has_order
        && are_due
        && (config.authentication == Authentication::Hmac || pre_prepared.is_empty())
        && is_stable(keys, config, stable)
        && prepared.iter().all(is_proven)
}

/// Whether a batch was prepared: its view's primary proposed it, and Q - 1 others took it.
fn is_prepared(keys: &Keys, config: &Config, claim: &Prepared) -> bool {
    let Prepared { view, seq, digest, ref votes } = *claim;
    let Some((proposed, taken)) = votes.split_first() else { return false };
    let proposal = Said::PrePrepare { view, seq, digest };
    let prepare = Said::Prepare { view, seq, digest };
    let voters = voters(config, taken, |vote| {
        config.counts_prepare(view, vote.by) && keys.vote_holds(vote.by, &prepare, &vote.proof)
    });
    proposed.by == config.primary(view)
        && keys.vote_holds(proposed.by, &proposal, &proposed.proof)
        && voters.is_some_and(|voters| voters.len() + 1 >= config.quorum())
}

/// So many VIEW-CHANGEs make a new view: a quorum, the new primary's own among them (F-B3).
pub fn view_changes_needed(config: &Config) -> u32 {
    config.quorum() - u32::from(config.mutants.deviates(Mutant::B14))
}

/// With what a new view begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// All up to there is committed, and in a state that somebody correct has.
    pub stable: Certificate,
    /// What each sequence number after that holds, in order: all that may have been committed, and NULL where nothing
    /// can have been.
    pub proposals: Vec<(Slot, Digest)>,
}

/// What follows from these VIEW-CHANGEs, each valid and of another replica; nothing while there are too few.
pub fn decide(config: &Config, votes: &[SignedViewChange]) -> Option<Decision> {
    let count = u32::try_from(votes.len()).ok()?;
    if count < view_changes_needed(config) {
        return None;
    }
    let stable = votes.iter().map(|vote| &vote.body.stable).max_by_key(|stable| stable.seq)?;
    let claims = votes.iter().flat_map(|vote| &vote.body.prepared);
    let last = claims.map(|claim| claim.seq).max().unwrap_or(stable.seq);
    let mut proposals = Vec::new();
    for seq in stable.seq.next().through(last) {
        let digest = choose(config, votes, seq)?;
        if digest == Digest::NULL && config.mutants.deviates(Mutant::B17) {
            continue;
        }
        proposals.push((seq, digest));
    }
    Some(Decision { stable: stable.clone(), proposals })
}

/// What this sequence number, after the highest stable checkpoint, must hold. It lies after everybody's stable
/// checkpoint: everybody speaks of it.
fn choose(config: &Config, votes: &[SignedViewChange], seq: Slot) -> Option<Digest> {
    let needed = view_changes_needed(config);
    let ranked = |view: View| rank(config, view);
    let claims = || votes.iter().map(|vote| claim_of(&vote.body, seq));
    let count = |agrees: &dyn Fn(Option<&Prepared>) -> bool| -> u32 {
        claims().map(|claim| u32::from(agrees(claim))).sum()
    };
    // Nothing can have been prepared in a later view, nor anything else in the same one.
    let is_last = |claim: &Prepared| {
        let bears = |other: Option<&Prepared>| {
            other.is_none_or(|other| {
                ranked(other.view) < ranked(claim.view)
                    || (other.view, other.digest) == (claim.view, claim.digest)
            })
        };
        count(&bears) >= needed
    };
    // Somebody correct vouches for it: whoever prepares has pre-prepared.
    let is_vouched_for = |claim: &Prepared| match config.authentication {
        Authentication::Signatures => true,
        Authentication::Hmac => vouchers(votes, claim) >= config.weak(),
    };
    let chosen = claims().flatten().filter(|claim| is_last(claim) && is_vouched_for(claim));
    let chosen = chosen.max_by_key(|claim| ranked(claim.view)).map(|claim| claim.digest);
    chosen.or_else(|| (count(&|claim| claim.is_none()) >= needed).then_some(Digest::NULL))
}

/// Later views have more weight.
fn rank(config: &Config, view: View) -> u64 {
    if config.mutants.deviates(Mutant::B15) { u64::MAX - view.0 } else { view.0 }
}

fn claim_of(view_change: &ViewChange, seq: Slot) -> Option<&Prepared> {
    let claims = &view_change.prepared;
    let place = claims.binary_search_by_key(&seq, |claim| claim.seq).ok()?;
    claims.get(place)
}

/// How many have pre-prepared what is claimed, then or later.
fn vouchers(votes: &[SignedViewChange], claim: &Prepared) -> u32 {
    let vouches = |view_change: &ViewChange| {
        let known = &view_change.pre_prepared;
        let what = (claim.seq, claim.digest);
        let place = known.binary_search_by_key(&what, |known| (known.seq, known.digest));
        let known = place.ok().and_then(|place| known.get(place));
        known.is_some_and(|known| known.view >= claim.view)
    };
    votes.iter().map(|vote| u32::from(vouches(&vote.body))).sum()
}

/// Whether `by`, whose signature it bears, may begin a view so: with a quorum that wants it, and with what follows from
/// that.
pub fn is_new_view_valid(keys: &Keys, config: &Config, by: NodeId, new_view: &NewView) -> bool {
    let NewView { view, votes, proposals } = new_view;
    let mut voters = NodeSet::EMPTY;
    let is_counted = |vote: &SignedViewChange, voters: &mut NodeSet| {
        config.has(vote.by)
            && voters.insert(vote.by)
            && vote.body.view == *view
            && keys.is_view_change_authentic(vote)
            && is_view_change_valid(keys, config, &vote.body)
    };
    by == config.primary(*view)
        && votes.iter().all(|vote| is_counted(vote, &mut voters))
        && voters.len() >= view_changes_needed(config)
        && (config.mutants.deviates(Mutant::B13) || follow(config, votes, proposals))
        && proposals.iter().all(|proposal| is_proposed(keys, config, by, *view, proposal))
}

/// Whether these are the proposals that follow from the VIEW-CHANGEs, each and every one.
fn follow(config: &Config, votes: &[SignedViewChange], proposals: &[Proposal]) -> bool {
    let Some(decision) = decide(config, votes) else { return false };
    let proposed = proposals.iter().map(|proposal| (proposal.seq, proposal.digest));
    proposed.eq(decision.proposals)
}

/// With signatures, whether a proposal can stand in a certificate as the PRE-PREPARE that it is.
fn is_proposed(keys: &Keys, config: &Config, by: NodeId, view: View, proposal: &Proposal) -> bool {
    let Proposal { seq, digest, ref proof } = *proposal;
    match (config.authentication, proof) {
        (Authentication::Signatures, Some(proof)) => {
            keys.vote_holds(by, &Said::PrePrepare { view, seq, digest }, proof)
        }
        (Authentication::Signatures, None) => false,
        (Authentication::Hmac, proof) => proof.is_none(),
    }
}

#[cfg(test)]
mod tests;
