//! Views: whoever wants one tells all that is prepared at it (B-I7), a quorum wants it (B-I5), and it begins with what
//! follows from that (B-I6). Nobody goes on to the next for nothing (B-L2).

use std::sync::Arc;

use quorate_systems::contract::NodeId;
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::{NewView, Prepared, SignedViewChange, View, ViewChange};

use super::votes::Kind;
use super::{B_I5, B_I6, B_I7, B_I8, B_I9, B_L2, NEW_VIEWS_MAX, PbftInvariants, broke, recomputed};
use crate::invariants::Broken;

impl PbftInvariants {
    /// A replica writes down that it leaves all views below this one.
    pub(super) fn leaves(&mut self, by: NodeId, view: View, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let now = node.memory.view;
        if view < now {
            broken.push(broke(
                B_I9,
                by,
                format!("{by} leaves for {view}, and has left it for {now}"),
            ));
        }
        if self.is_prompt {
            let what =
                format!("{by} leaves for {view}, though nobody but clients did anything wrong");
            broken.push(broke(B_L2, by, what));
        } else {
            self.require_wanted(by, view, broken);
        }
    }

    /// `PBFT OSDI'99 §4.5.2`: the timer for the beginning of a view starts when a quorum wants that, so that no replica
    /// runs ahead of the others; and who is behind follows f + 1 others. A liar may want any view.
    fn require_wanted(&self, by: NodeId, view: View, broken: &mut Vec<Broken>) {
        let Some(node) = self.nodes.get(usize::from(by.0)) else { return };
        let now = node.memory.view;
        if view <= now || node.memory.active().is_some() {
            return;
        }
        let liars = u32::from(self.rules.nodes).saturating_sub(self.correct.len());
        let want = |is_meant: &dyn Fn(View) -> bool| {
            let wants = |other: &NodeId| {
                let wanted = self.nodes.get(usize::from(other.0)).map(|other| other.wanted);
                *other != by && wanted.is_some_and(is_meant)
            };
            self.correct.iter().filter(wants).fold(liars, |count, _| count + 1)
        };
        // It wants the view itself.
        let (present, later) = (want(&|wanted| wanted >= now) + 1, want(&|wanted| wanted > now));
        if present < self.rules.quorum && later < self.rules.weak {
            let quorum = self.rules.quorum;
            let what = format!(
                "{by} goes on from {now} to {view}, and only {present} want {now}, where {quorum} must before \
                 anybody waits for it to begin"
            );
            broken.push(broke(B_L2, by, what));
        }
    }

    /// A VIEW-CHANGE left.
    pub(super) fn wants(&mut self, by: NodeId, wanted: &Arc<ViewChange>, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        if !node.send(wanted) {
            return;
        }
        let held = node.disk.view;
        let view = wanted.view;
        if held < view {
            let what = format!("{by} leaves all below {view}, and its disk holds {held}");
            broken.push(broke(B_I9, by, what));
        }
        if let Some(why) = self.objects_to_view_change(wanted) {
            broken.push(broke(B_I5, by, format!("{by} wants {view} and shows {why}")));
        }
        self.require_founded(by, wanted, broken);
        if let Some(why) = self.omission(by, wanted) {
            broken.push(broke(B_I7, by, format!("{by} wants {view} and leaves out {why}")));
        }
    }

    /// What a VIEW-CHANGE claims of its sender is on that one's disk.
    fn require_founded(&mut self, by: NodeId, wanted: &ViewChange, broken: &mut Vec<Broken>) {
        let me = NodeSet::of(by);
        let prepared = wanted.prepared.iter().find(|claim| {
            let at = (claim.view, claim.seq, claim.digest);
            !self.places.lacking(at, |ballot| ballot.certified, me).is_empty()
        });
        let accepted = wanted.pre_prepared.iter().find(|claim| {
            let at = (claim.view, claim.seq, claim.digest);
            !self.places.lacking(at, |ballot| ballot.accepted, me).is_empty()
        });
        let what = match (prepared, accepted) {
            (Some(claim), _) => format!("prepared {} of {}", claim.seq, claim.view),
            (None, Some(claim)) => format!("pre-prepared {} of {}", claim.seq, claim.view),
            (None, None) => return,
        };
        let view = wanted.view;
        let what = format!("{by} wants {view} and has {what}, and its disk does not hold that");
        broken.push(broke(B_I8, by, what));
    }

    /// What is prepared at a replica (or, with MACs, pre-prepared) and not in its VIEW-CHANGE.
    fn omission(&self, by: NodeId, wanted: &ViewChange) -> Option<String> {
        let node = self.nodes.get(usize::from(by.0))?;
        let is_early = |view: View| view < wanted.view;
        let mut known = node.memory.log.iter().filter(|(seq, _)| *seq > wanted.stable.seq);
        known.find_map(|(seq, cell)| {
            if let Some((view, digest)) = cell.prepared.filter(|(view, _)| is_early(*view)) {
                let is_told = wanted
                    .prepared
                    .iter()
                    .any(|claim| (claim.view, claim.seq, claim.digest) == (view, seq, digest));
                if !is_told {
                    return Some(format!("{seq}, which is prepared there in {view} as {digest}"));
                }
            }
            let (view, digest) = cell.accepted.filter(|(view, _)| is_early(*view))?;
            // It does not answer for a batch that it lacks.
            let at = (view, seq, digest);
            let silent = self.places.lacking(at, |ballot| ballot.prepares, NodeSet::of(by));
            let is_told = self.rules.is_signed
                || !silent.is_empty()
                || wanted
                    .pre_prepared
                    .iter()
                    .any(|claim| (claim.view, claim.seq, claim.digest) == (view, seq, digest));
            (!is_told).then(|| format!("{seq}, which is pre-prepared there in {view} as {digest}"))
        })
    }

    /// What speaks against the certificates in a VIEW-CHANGE.
    fn objects_to_view_change(&self, wanted: &ViewChange) -> Option<String> {
        if let Some(why) = self.objects_to_stable(&wanted.stable) {
            return Some(format!("a stable checkpoint {why}"));
        }
        let mut before = wanted.stable.seq;
        for claim in &wanted.prepared {
            let Prepared { view, seq, .. } = claim;
            let why = if *view >= wanted.view {
                Some(format!("{seq} of {view}"))
            } else if *seq <= before {
                Some(format!("{seq} after {before}"))
            } else {
                self.objects_to_prepared(claim)
            };
            if let Some(why) = why {
                return Some(format!("as prepared {why}"));
            }
            before = *seq;
        }
        None
    }

    /// A NEW-VIEW left.
    pub(super) fn begins(&mut self, by: NodeId, new: &Arc<NewView>, broken: &mut Vec<Broken>) {
        let Some(node) = self.node(by) else { return };
        let same = |sent: &Arc<NewView>| Arc::ptr_eq(sent, new) || sent == new;
        if node.begun.as_ref().is_some_and(same) {
            return;
        }
        // Others pass it on to who lacks it.
        let primary = self.rules.primary(new.view);
        if by != primary {
            return self.goes_by(by, primary, new, broken);
        }
        if let Some(node) = self.node(by) {
            node.begun = Some(new.clone());
        }
        self.goes_by(by, by, new, broken);
        for proposal in &new.proposals {
            let at = (new.view, proposal.seq, proposal.digest);
            self.votes(by, Kind::PrePrepare, at, broken);
        }
    }

    /// A replica writes down that a view has begun, by the word of `author`.
    pub(super) fn enters(
        &mut self,
        by: NodeId,
        author: NodeId,
        new: &Arc<NewView>,
        broken: &mut Vec<Broken>,
    ) {
        let view = new.view;
        let now = self.node(by).map_or(View::FIRST, |node| node.memory.view);
        if view < now {
            broken.push(broke(B_I9, by, format!("{by} enters {view}, and has left it for {now}")));
        }
        self.goes_by(by, author, new, broken);
    }

    /// A replica sends a NEW-VIEW, or goes by it.
    fn goes_by(
        &mut self,
        by: NodeId,
        author: NodeId,
        new: &Arc<NewView>,
        broken: &mut Vec<Broken>,
    ) {
        if self.sound.iter().any(|sound| Arc::ptr_eq(sound, new)) {
            return;
        }
        let view = new.view;
        let primary = self.rules.primary(view);
        let voters: NodeSet = new.votes.iter().map(|vote| vote.by).collect();
        let objection = if author != primary {
            Some(format!("by the word of {author}, and it is {primary}'s"))
        } else if self.rules.is_quorum(voters) {
            new.votes.iter().find_map(|vote| self.objects_to_vote((by, view), vote))
        } else {
            Some(format!("by the VIEW-CHANGEs of {voters}, no quorum"))
        };
        if let Some(why) = objection {
            broken.push(broke(B_I5, by, format!("{by} begins {view} {why}")));
            return;
        }
        if let Some(why) = recomputed::objection(self.rules, new) {
            broken.push(broke(B_I6, by, format!("{by} begins {view} with {why}")));
            return;
        }
        // When its primary writes it down, its own VIEW-CHANGE may still wait for the disk.
        if by != author || self.node(by).is_some_and(|node| node.begun.is_some()) {
            if self.sound.len() == NEW_VIEWS_MAX {
                self.sound.pop_front();
            }
            self.sound.push_back(new.clone());
        }
    }

    /// What speaks against a VIEW-CHANGE by which `by` takes a view for begun.
    fn objects_to_vote(
        &self,
        (by, view): (NodeId, View),
        vote: &SignedViewChange,
    ) -> Option<String> {
        let whose = vote.by;
        if vote.body.view != view {
            return Some(format!("by a VIEW-CHANGE of {whose} to {}", vote.body.view));
        }
        let node = self.nodes.get(usize::from(whose.0));
        if whose != by
            && self.correct.contains(whose)
            && node.is_some_and(|node| node.has_not_sent(&vote.body))
        {
            return Some(format!("by a VIEW-CHANGE that {whose} did not send"));
        }
        let why = self.objects_to_view_change(&vote.body)?;
        Some(format!("by a VIEW-CHANGE of {whose} that shows {why}"))
    }
}
