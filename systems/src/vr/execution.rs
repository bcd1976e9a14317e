//! The execution of what is committed, and of what is only prepared; checkpoints.

use alloc::boxed::Box;

use super::Vr;
use super::entry::Entry;
use super::message::{Message, Observation, Record};
use super::options::Replies;
use super::replica::VrReplica;
use super::view::View;
use crate::contract::{After, Outbox, Outcome};
use crate::smr::{Executed, Machine, Place, Slot, Snapshot};

impl VrReplica {
    /// Executes what is committed, in the order of op-numbers; whoever asked is answered.
    pub(super) fn execute_committed(&mut self, out: &mut Outbox<Vr>) {
        while let Some(op) = self.executable() {
            let Some(place) = self.log.get(op) else { break };
            let executed = execute(&mut self.machine, op, place);
            let (client, number) = place.entry.asked();
            let reconfiguration = place.entry.reconfiguration();
            let is_answering = self.answers_committed(&place.entry);
            out.observe(Observation::Executed {
                op,
                chain: self.machine.chain(),
                request: (client, number),
                is_first: matches!(executed, Executed::Fresh(_)),
            });
            if self.in_flight.get(&client) == Some(&number) {
                self.in_flight.remove(&client);
            }
            let is_relayed = self.relay.executed(client, number);
            if let Some(outcome) = outcome(executed, out)
                && (is_relayed || is_answering)
            {
                // A quorum has it, and tells every later primary: no crash takes that back.
                let view = self.view;
                let reply = Message::Reply { view, op, number, outcome, is_committed: true };
                out.reply_after(After::Nothing, client, reply);
            }
            if let Some(reconfiguration) = reconfiguration {
                self.end_epoch(op, reconfiguration.members, out);
            }
            self.take_checkpoint_if_due(out);
        }
    }

    /// The next entry that is committed and not executed: the one after the last.
    fn executable(&self) -> Option<Slot> {
        if !self.executes() {
            return None;
        }
        let mut tail = self.log.suffix(self.machine.applied().next());
        tail.find(|(_, place)| place.is_decided).map(|(op, _)| op)
    }

    fn take_checkpoint_if_due(&mut self, out: &mut Outbox<Vr>) {
        if self.machine.applied().since(self.checkpoint.index) < self.config.checkpoint_every {
            return;
        }
        *self.checkpoint = self.machine.snapshot();
        let snapshot = self.checkpoint.clone();
        let Snapshot { index, chain, .. } = *snapshot;
        let ticket = self.keep(Record::Checkpoint { snapshot }, out).0;
        self.log.truncate(index);
        out.observe(Observation::CheckpointTaken { index, chain, ticket });
    }

    /// With replies at prepare: executes what was appended, and tells the client. It may be taken back.
    pub(super) fn execute_ahead(&mut self, op: Slot, out: &mut Outbox<Vr>) {
        if !self.executes() {
            return;
        }
        let Some(ahead) = &mut self.ahead else { return };
        let Some(place) = self.log.get(op) else { return };
        let executed = execute(ahead, op, place);
        let (client, number) = place.entry.asked();
        let is_told = place.entry.reconfiguration().is_none();
        if let Some(outcome) = outcome(executed, out)
            && is_told
        {
            let view = self.view;
            out.reply(client, Message::Reply { view, op, number, outcome, is_committed: false });
        }
    }

    /// Takes back what was executed and is not committed.
    pub(super) fn roll_back(&mut self) {
        self.ahead = (self.config.replies == Replies::Prepare)
            .then(|| Box::new(Machine::new(self.machine.snapshot())));
    }

    /// Executes all that is prepared anew, in the view in which it now stands.
    pub(super) fn execute_tail_ahead(&mut self, out: &mut Outbox<Vr>) {
        if self.ahead.is_none() || !self.executes() {
            return;
        }
        let applied = self.machine.applied();
        for op in applied.next().through(self.log.last()) {
            self.execute_ahead(op, out);
        }
    }

    /// The last request of each client that is prepared and not committed, as the log has it.
    pub(super) fn know_in_flight(&mut self) {
        let tail = self.log.suffix(self.log.commit().next());
        let asked = tail.map(|(_, place)| place.entry.asked());
        // Later ones of the same client stand behind.
        self.in_flight = asked.collect();
    }
}

/// Has a machine execute an entry.
fn execute(machine: &mut Machine, op: Slot, place: &Place<View, Entry>) -> Executed {
    let executed = machine.execute(op, place.digest, place.entry.request());
    if place.entry.reconfiguration().is_none() {
        return executed;
    }
    let (client, number) = place.entry.asked();
    machine.note(client, number, Outcome::Reconfigured)
}

/// What there is to be told of an execution.
fn outcome(executed: Executed, out: &mut Outbox<Vr>) -> Option<Outcome> {
    match executed {
        Executed::Fresh(outcome) => Some(outcome),
        Executed::Again(outcome) => {
            out.mark("ordered-twice");
            Some(outcome)
        }
        Executed::Noop | Executed::Overtaken => None,
    }
}
