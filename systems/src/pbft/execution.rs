//! The execution of what is committed, and of what is only prepared.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::digest::Digest;
use super::message::{Batch, Body, How, Message, Observation};
use super::replica::PbftReplica;
use crate::contract::{After, ClientId, Outbox, Outcome};
use crate::mutant::Mutant;
use crate::parties::Party;
use crate::smr::{Executed, Machine, RequestNumber, Slot, Standing};

impl PbftReplica {
    /// Executes what is committed, in the order of sequence numbers. Whoever asked is answered, unless this only takes
    /// up what was before a restart.
    pub(super) fn execute_committed(&mut self, is_answering: bool, out: &mut Outbox<Pbft>) {
        while let Some((seq, digest, batch)) = self.executable() {
            self.execute(seq, digest, &batch, is_answering, out);
            self.take_checkpoint_if_due(out);
        }
        self.execute_ahead(out);
        self.serve_waiting_reads(out);
        self.wait_for_oldest(out);
        self.propose_queued(out);
    }

    /// What is committed may have lacked its batch, and that may have come for another sequence number: nobody asks for it
    /// any more.
    pub(super) fn execute_what_came(&mut self, out: &mut Outbox<Pbft>) {
        if self.executable().is_some() {
            self.execute_committed(true, out);
        }
    }

    /// What comes after the last that was executed, if it is committed and known.
    fn executable(&self) -> Option<(Slot, Digest, Arc<Batch>)> {
        let seq = self.executed().next();
        let digest = self.log.committed(seq)?;
        Some((seq, digest, self.log.batch(digest)?.clone()))
    }

    fn execute(
        &mut self,
        seq: Slot,
        digest: Digest,
        batch: &Batch,
        is_answering: bool,
        out: &mut Outbox<Pbft>,
    ) {
        if batch.0.is_empty() {
            out.mark("null-executed");
        }
        self.machine.advance(seq, digest.short());
        let mut requests = Vec::with_capacity(batch.0.len());
        for signed in &batch.0 {
            let (client, number) = (signed.request.client, signed.request.number);
            let executed = self.machine.apply(&signed.request);
            if self.config.mutants.deviates(Mutant::B25) {
                self.machine.forget_client(client);
            }
            requests.push((client, number, matches!(executed, Executed::Fresh(_))));
            self.is_done(client, number);
            self.is_served(client, number, out);
            if let Some(outcome) = outcome(executed, out)
                && is_answering
            {
                self.reply(client, number, outcome, How::Committed, out);
            }
        }
        if self.is_active {
            self.patience.view_gets_on();
        }
        let chain = self.machine.chain();
        out.observe(Observation::Executed { seq, digest, chain, requests });
    }

    /// Tells a client how its request ended. A quorum has prepared what is committed, and no crash takes that back; but
    /// where early answers rest on what each replica has executed, it must not forget that it has.
    pub(super) fn reply(
        &self,
        client: ClientId,
        number: RequestNumber,
        outcome: Outcome,
        how: How,
        out: &mut Outbox<Pbft>,
    ) {
        let body = Body::Reply { view: self.view, number, outcome, how };
        let proof = self.keys.prove(Party::Client(client), &body);
        let is_kept = self.config.has_early_answers();
        let after = if is_kept { After::EveryPersist } else { After::Nothing };
        out.reply_after(after, client, Message { body, proof });
    }

    /// How a request stands to what was executed.
    pub(super) fn standing(&self, client: ClientId, number: RequestNumber) -> Standing<'_> {
        self.machine.standing(client, number)
    }

    /// `PBFT OSDI'99 §5.1`: executes what is prepared, once all before it is committed, and tells the clients. It may be
    /// taken back.
    pub(super) fn execute_ahead(&mut self, out: &mut Outbox<Pbft>) {
        let Some(mut ahead) = self.ahead.take() else { return };
        self.catch_up_with_committed(&mut ahead);
        if let Some((seq, digest, batch)) = self.tentative(&ahead) {
            let view = self.view;
            ahead.advance(seq, digest.short());
            out.observe(Observation::TentativelyExecuted { view, seq, digest });
            for signed in &batch.0 {
                let (client, number) = (signed.request.client, signed.request.number);
                if let Some(outcome) = outcome(ahead.apply(&signed.request), out) {
                    self.reply(client, number, outcome, How::Tentative, out);
                }
            }
        }
        self.ahead = Some(ahead);
    }

    /// The next batch, if it is prepared here, and is no more than one ahead.
    fn tentative(&self, ahead: &Machine) -> Option<(Slot, Digest, Arc<Batch>)> {
        let seq = ahead.applied().next();
        if !self.is_active || seq != self.executed().next() {
            return None;
        }
        let digest = self.log.get(seq)?.prepared_in(self.view)?.digest;
        Some((seq, digest, self.log.batch(digest)?.clone()))
    }

    /// What was committed without having been prepared here is executed in the state ahead as well.
    fn catch_up_with_committed(&self, ahead: &mut Machine) {
        if ahead.applied() < self.executed() || ahead.applied() > self.executed().next() {
            *ahead = Machine::new(self.machine.snapshot());
        }
        let is_equal = ahead.applied() == self.executed();
        if is_equal && ahead.chain() != self.machine.chain() {
            *ahead = Machine::new(self.machine.snapshot());
        }
    }
}

/// What there is to be told of an execution.
fn outcome(executed: Executed, out: &mut Outbox<Pbft>) -> Option<Outcome> {
    match executed {
        Executed::Fresh(outcome) => Some(outcome),
        Executed::Again(outcome) => {
            out.mark("ordered-twice");
            Some(outcome)
        }
        Executed::Noop | Executed::Overtaken => None,
    }
}
