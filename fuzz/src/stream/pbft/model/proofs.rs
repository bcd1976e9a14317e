//! What certificates prove, worked out anew. The signatures are checked by the same code as the core's, with nothing planted
//! in it.

use std::collections::BTreeSet;

use quorate_systems::contract::NodeId;
use quorate_systems::pbft::{
    Authentication, Certificate, Config, NewView, PrePrepared, Prepared, Said, ViewChange, Vote,
};
use quorate_systems::smr::Slot;

use crate::stream::pbft::kit::Kit;

/// So many replicas that any two such sets have f + 1 in common.
pub(in crate::stream::pbft) fn quorum(config: &Config) -> usize {
    let (nodes, faulty) = (usize::from(config.nodes), usize::from(config.f));
    (0..=nodes).find(|count| 2 * count > nodes + faulty).unwrap_or(nodes)
}

/// So many that one of them is correct.
pub(super) fn weak(config: &Config) -> usize {
    usize::from(config.f) + 1
}

/// Whether these are votes of so many different replicas, each of which signed this.
fn are_votes(kit: &Kit, votes: &[Vote], least: usize, said: &Said<'_>) -> bool {
    let different: BTreeSet<NodeId> = votes.iter().map(|vote| vote.by).collect();
    different.len() == votes.len()
        && votes.len() >= least
        && votes.iter().all(|vote| vote.by.0 < kit.config.nodes)
        && votes.iter().all(|vote| kit.any().vote_holds(vote.by, said, &vote.proof))
}

/// That a checkpoint is stable.
pub(super) fn is_stable(kit: &Kit, certificate: &Certificate) -> bool {
    let Certificate { seq, digest, votes } = certificate;
    if *seq == Slot::ZERO {
        return votes.is_empty() && *certificate == Certificate::default();
    }
    let said = Said::Checkpoint { seq: *seq, digest: *digest };
    are_votes(kit, votes, quorum(&kit.config), &said)
}

/// That a batch was prepared, to anybody.
pub(super) fn is_prepared(kit: &Kit, claim: &Prepared) -> bool {
    let Prepared { view, seq, digest, votes } = claim;
    let (view, seq, digest) = (*view, *seq, *digest);
    let primary = view.primary(kit.config.nodes);
    let Some((proposed, taken)) = votes.split_first() else { return false };
    let said = Said::PrePrepare { view, seq, digest };
    proposed.by == primary
        && kit.any().vote_holds(primary, &said, &proposed.proof)
        && taken.iter().all(|vote| vote.by != primary)
        && are_votes(kit, taken, quorum(&kit.config) - 1, &Said::Prepare { view, seq, digest })
}

/// That whoever says this may: it claims nothing that it does not prove, as far as that can be proven.
pub(super) fn is_view_change(kit: &Kit, wanted: &ViewChange) -> bool {
    let ViewChange { view, stable, prepared, pre_prepared } = wanted;
    let (low, high) = (stable.seq, stable.seq.plus(2 * kit.config.checkpoint_every));
    let is_due = |seq: Slot| low < seq && seq <= high;
    let ascend =
        |one: &PrePrepared, next: &PrePrepared| (one.seq, one.digest.0) < (next.seq, next.digest.0);
    is_stable(kit, stable)
        && prepared.iter().all(|claim| is_due(claim.seq) && claim.view < *view)
        && pre_prepared.iter().all(|claim| is_due(claim.seq) && claim.view < *view)
        && prepared.windows(2).all(|pair| matches!(pair, [one, next] if one.seq < next.seq))
        && pre_prepared.windows(2).all(|pair| matches!(pair, [one, next] if ascend(one, next)))
        && match kit.config.authentication {
            Authentication::Signatures => {
                pre_prepared.is_empty() && prepared.iter().all(|claim| is_prepared(kit, claim))
            }
            Authentication::Hmac => prepared.iter().all(|claim| claim.votes.is_empty()),
        }
}

/// That a quorum wants this view, and that its primary's word for each proposal is good. What the proposals must be,
/// the invariants say.
pub(super) fn is_new_view(kit: &Kit, new: &NewView) -> bool {
    let primary = new.view.primary(kit.config.nodes);
    let voters: BTreeSet<NodeId> = new.votes.iter().map(|vote| vote.by).collect();
    let is_vote = |vote: &quorate_systems::pbft::SignedViewChange| {
        vote.by.0 < kit.config.nodes
            && vote.body.view == new.view
            && kit.any().vote_holds(vote.by, &Said::ViewChange(&vote.body), &vote.proof)
            && is_view_change(kit, &vote.body)
    };
    let is_said = |proposal: &quorate_systems::pbft::Proposal| {
        let said = Said::PrePrepare { view: new.view, seq: proposal.seq, digest: proposal.digest };
        match (kit.config.authentication, &proposal.proof) {
            (Authentication::Signatures, Some(proof)) => {
                kit.any().vote_holds(primary, &said, proof)
            }
            (Authentication::Signatures, None) => false,
            (Authentication::Hmac, proof) => proof.is_none(),
        }
    };
    voters.len() == new.votes.len()
        && voters.len() >= quorum(&kit.config)
        && new.votes.iter().all(is_vote)
        && new.proposals.iter().all(is_said)
}
