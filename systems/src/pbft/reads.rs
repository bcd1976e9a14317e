//! Reads outside the order (`PBFT OSDI'99 §5.1`).
//!
//! What changes nothing is answered by each replica at once, from what is committed there; the client needs a quorum of
//! equal answers. Whatever was complete before it asked was executed by a quorum, so that one correct replica of each
//! such quorum tells it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::Pbft;
use super::message::{How, Observation, SignedRequest};
use super::options::{Execution, Reads};
use super::replica::PbftReplica;
use crate::contract::{ClientId, Outbox};
use crate::smr::{Slot, is_read};

/// With tentative execution: reads that wait, the last of each client.
#[derive(Debug, Default)]
pub(super) struct WaitingReads(BTreeMap<ClientId, WaitingRead>);

#[derive(Debug)]
struct WaitingRead {
    signed: Arc<SignedRequest>,
    /// What must be executed first.
    after: Slot,
}

impl PbftReplica {
    pub(super) fn on_read(&mut self, signed: Arc<SignedRequest>, out: &mut Outbox<Pbft>) {
        if self.config.reads != Reads::ReadOnly || !is_read(&signed.request.command) {
            return out.ignore("REQUEST that is not for a single replica to answer");
        }
        let after = self.told();
        if after <= self.executed() {
            return self.serve_read(&signed, out);
        }
        out.mark("read-waits");
        self.reads.0.insert(signed.request.client, WaitingRead { signed, after });
    }

    /// Up to where clients may count on what the replica has told them: with tentative execution on what is prepared
    /// next, too (`TOCS 2002 §5.1.3`). A view change or a restart does not alter that.
    fn told(&self) -> Slot {
        let executed = self.executed();
        let next = executed.next();
        let is_told = self.config.execution == Execution::Tentative
            && self.log.get(next).is_some_and(|place| place.prepared.is_some());
        if is_told { next } else { executed }
    }

    fn serve_read(&self, signed: &SignedRequest, out: &mut Outbox<Pbft>) {
        let (client, number) = (signed.request.client, signed.request.number);
        let Some(outcome) = self.machine.look(&signed.request.command) else { return };
        out.observe(Observation::ReadServed { executed: self.executed() });
        self.reply(client, number, outcome, How::ReadOnly, out);
    }

    /// Something was executed: reads may have what they wait for.
    pub(super) fn serve_waiting_reads(&mut self, out: &mut Outbox<Pbft>) {
        if self.reads.0.is_empty() {
            return;
        }
        let executed = self.executed();
        let due = self.reads.0.extract_if(.., |_, read| read.after <= executed);
        let due: alloc::vec::Vec<WaitingRead> = due.map(|(_, read)| read).collect();
        for read in due {
            self.serve_read(&read.signed, out);
        }
    }
}
