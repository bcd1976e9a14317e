//! How a replica gets what it has missed (Castro, Liskov 2002, TOCS, 5.2).
//!
//! Every replica tells the others from time to time what it has, often while it waits for something. Who has more
//! tells what the other lacks. f + 1 who say that something is committed are believed, since one of them is correct:
//! without that a primary could starve a replica for ever (Berger, Reiser, Bessani 2021).

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::certificates::is_stable;
use super::digest::Digest;
use super::log::Place;
use super::message::{Body, Certificate, Message, Observation, Record};
use super::replica::{Beginning, PbftReplica, STATUS};
use super::view::View;
use crate::contract::{Micros, NodeId, Outbox};
use crate::mutant::Mutant;
use crate::smr::Slot;

/// What a replica asks others for.
#[derive(Debug, Default)]
pub(super) struct Catching {
    /// Batches that it has asked somebody for since the timer was set.
    pub(super) wanted: BTreeSet<Digest>,
    /// The checkpoint whose state it lacks.
    pub(super) transfer: Option<Arc<Certificate>>,
    /// How often the timer was set: whom to ask is a matter of turns.
    pub(super) turn: u16,
    /// Whether something has come that speaks of more than it has.
    is_hinted: bool,
    /// Whether the timer is set for one who waits, and how far it had executed then.
    hurried: Option<Slot>,
}

/// How soon one who waits tells what it has.
const PATIENCE: (Micros, Micros) = (Micros(80_000), Micros(120_000));
/// How soon everybody else does: what nobody asked for may be missing as well.
const LEISURE: (Micros, Micros) = (Micros(1_000_000), Micros(1_500_000));
/// So many sequence numbers are told of at once: with the first of them executed, the others can be asked for.
const TOLD_MAX: usize = 32;

impl Catching {
    /// Others have more than it has, or one of them says so.
    pub(super) fn hint(&mut self) {
        self.is_hinted = true;
    }
}

impl PbftReplica {
    /// Whether it lacks something that others may have.
    fn is_waiting(&self) -> bool {
        !self.is_active
            || self.patience.is_waiting()
            || self.catching.is_hinted
            || self.catching.transfer.is_some()
            || self.has_queue()
            || self.log.last(self.view) > self.executed()
    }

    /// Sees to it that the others hear soon of what it lacks.
    pub(super) fn hurry_if_waiting(&mut self, out: &mut Outbox<Pbft>) {
        if self.catching.hurried.is_none() && self.is_waiting() {
            self.set_status_timer(true, out);
        }
    }

    pub(super) fn set_status_timer(&mut self, is_soon: bool, out: &mut Outbox<Pbft>) {
        let (min, max) = if is_soon { PATIENCE } else { LEISURE };
        self.catching.hurried = is_soon.then(|| self.executed());
        out.set_timer(STATUS, min, max);
    }

    pub(super) fn on_status_timer(&mut self, out: &mut Outbox<Pbft>) {
        let (weak, quorum) = (self.config.weak(), self.config.quorum());
        let is_behind = self.checkpoints.are_others_ahead(weak, quorum);
        let has_got_on = self.catching.hurried.is_some_and(|before| before < self.executed());
        // While it gets on by itself it need not ask.
        if !has_got_on || !self.is_active || self.catching.is_hinted || is_behind {
            self.tell_status(out);
            self.propose_again(out);
        }
        if !self.is_active {
            self.ask_for_view_again(out);
        }
        self.catching.is_hinted = false;
        self.ask_again(out);
        let is_soon = is_behind || self.is_waiting();
        self.set_status_timer(is_soon, out);
    }

    fn tell_status(&self, out: &mut Outbox<Pbft>) {
        let (view, is_active) = (self.view, self.is_active);
        let (stable, executed) = (self.stable.seq, self.executed());
        self.tell_others(&Body::Status { view, is_active, stable, executed }, out);
    }

    /// Tells another what it seems to lack.
    pub(super) fn on_status(
        &mut self,
        from: NodeId,
        (view, is_active): (View, bool),
        (stable, executed): (Slot, Slot),
        out: &mut Outbox<Pbft>,
    ) {
        if from == self.me {
            return out.ignore("STATUS of its own");
        }
        let before = out.len();
        self.tell_of_views(from, view, is_active, out);
        // Also to one who has executed as much: it must move its watermarks to go on.
        if self.stable.seq > stable {
            self.tell(from, Body::Stable(self.stable.clone()), out);
        }
        self.repeat_checkpoints(from, stable, out);
        let is_beside = is_active && self.is_active && view == self.view;
        let missed = self.log.after(executed);
        let missed: Vec<Slot> = missed.take(TOLD_MAX).map(|(seq, _)| seq).collect();
        for seq in missed {
            self.tell_of_seq(from, seq, is_beside, out);
        }
        if out.len() == before {
            out.ignore("STATUS of one who lacks nothing");
        }
    }

    fn tell_of_views(&self, to: NodeId, view: View, is_active: bool, out: &mut Outbox<Pbft>) {
        if !self.is_active && (view < self.view || (view == self.view && !is_active)) {
            self.tell_own_view_change(to, out);
        }
        let is_ahead = view < self.view || (view == self.view && !is_active);
        let begun = self.beginning.as_deref().filter(|_| self.is_active && is_ahead);
        if let Some(Beginning { new_view, proof, .. }) = begun {
            let body = Body::NewView(new_view.clone());
            out.send(to, Message { body, proof: proof.clone() });
        }
    }

    fn tell_of_seq(&self, to: NodeId, seq: Slot, is_beside: bool, out: &mut Outbox<Pbft>) {
        if is_beside {
            self.repeat_votes(to, seq, out);
        }
        if let Some(digest) = self.log.committed(seq)
            && !self.config.mutants.deviates(Mutant::B29)
        {
            self.tell(to, Body::Committed { seq, digest }, out);
        }
    }

    /// f + 1 say that this is committed.
    pub(super) fn on_committed(
        &mut self,
        from: NodeId,
        seq: Slot,
        digest: Digest,
        out: &mut Outbox<Pbft>,
    ) {
        if !self.is_in_window(seq) || from == self.me {
            return out.ignore("COMMITTED not between the watermarks");
        }
        if self.log.committed(seq).is_some() {
            return out.ignore("COMMITTED of what is known");
        }
        let place = self.log.place(seq);
        place.told.insert(from, digest);
        let voters = place.told_by(digest);
        if voters.len() < self.config.weak() {
            return;
        }
        place.told.clear();
        place.committed = Some(digest);
        out.mark("learned-committed");
        out.persist(Record::Committed { seq, digest });
        out.observe(Observation::Learned { seq, digest, voters });
        if self.log.batch(digest).is_none() {
            self.want(digest, Some(from), out);
        }
        self.execute_committed(true, out);
    }

    /// A checkpoint is stable, as somebody shows.
    pub(super) fn on_stable(&mut self, certificate: &Arc<Certificate>, out: &mut Outbox<Pbft>) {
        if certificate.seq <= self.stable.seq {
            return out.ignore("STABLE of what is known");
        }
        let is_asked = self.catching.transfer.as_ref();
        if is_asked.is_some_and(|asked| asked.seq >= certificate.seq) {
            return out.ignore("STABLE of what is asked for");
        }
        if !is_stable(&self.keys, &self.config, certificate) {
            return out.ignore("STABLE without a certificate");
        }
        if !self.adopt_stable(certificate, out) {
            self.ask_for_state(certificate.clone(), out);
        }
    }

    /// Asks again for what has not come: the next in turn.
    fn ask_again(&mut self, out: &mut Outbox<Pbft>) {
        self.catching.wanted.clear();
        self.catching.turn = self.catching.turn.wrapping_add(1);
        self.want_lacking(out);
        self.begin_view_if_agreed(out);
        self.ask_signer(out);
    }

    /// Asks for the batches without which it cannot vote, or execute.
    pub(super) fn want_lacking(&mut self, out: &mut Outbox<Pbft>) {
        let view = self.view;
        let is_needed = |place: &Place| {
            let accepted = place.accepted_in(view).filter(|accepted| !accepted.is_vouched);
            place.committed.or(accepted.map(|accepted| accepted.digest))
        };
        let digests = self.log.after(self.executed()).filter_map(|(_, place)| is_needed(place));
        let lacking = digests.filter(|digest| self.log.batch(*digest).is_none());
        let lacking: Vec<Digest> = lacking.take(TOLD_MAX).collect();
        for digest in lacking {
            self.want(digest, None, out);
        }
    }
}
