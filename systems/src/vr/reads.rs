//! Reads without the log: by the primary's lease, or by a round that confirms it.
//!
//! A read must not miss what was complete when it came. Where clients go by f + 1 prepared answers that is everything
//! that was prepared by then, committed or not (PROTOCOLS F-V5). After a view change it is everything that the
//! view began with: earlier primaries may have answered it.

use super::Vr;
use super::message::{Message, Observation};
use super::options::Replies;
use super::primary::Primary;
use super::replica::VrReplica;
use crate::contract::{After, ClientId, Command, Outbox};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::{Confirmed, RequestNumber, Slot, later};

/// A read that waits for its op-number to be executed, and for a lease or a round.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) client: ClientId,
    pub(super) number: RequestNumber,
    command: Command,
    /// This round, or a later one, confirms that its primary led after the read came.
    round: u64,
    /// All that was complete before the read came stands up to here.
    index: Slot,
}

impl Read {
    pub(super) fn new(client: ClientId, number: RequestNumber, command: Command) -> Self {
        Self { client, number, command, round: 0, index: Slot::ZERO }
    }
}

/// How a primary answers reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// As everything else: through the log.
    Log,
    /// By its lease, or a round that confirms it.
    Lease,
    /// Without a proof that it leads.
    Unproved,
}

/// So many reads may wait. A client has one open at a time, and asks again for what is dropped.
const READS_MAX: usize = 1_024;

impl VrReplica {
    /// Answers a read at once if it can.
    pub(super) fn on_read(&mut self, mut read: Read, out: &mut Outbox<Vr>) {
        let (commit, last) = (self.log.commit(), self.log.last());
        let Some(primary) = &mut self.primary else { return };
        let is_by_commit =
            self.config.replies == Replies::Commit || self.config.mutants.deviates(Mutant::V26);
        read.index = primary.began.max(if is_by_commit { commit } else { last });
        if primary.rounds.holds_lease(self.now) {
            if self.machine.applied() >= read.index {
                return self.serve(&read, true, out);
            }
            out.mark("lease-read-waited");
        }
        if primary.reads.len() >= READS_MAX {
            return out.ignore("REQUEST while too many reads wait");
        }
        primary.reads.retain(|waiting| waiting.client != read.client);
        read.round = primary.rounds.started() + 1;
        primary.reads.push_back(read);
        self.begin_read_round(out);
    }

    /// Begins a round for reads that wait, one at a time: those that come meanwhile share the next.
    fn begin_read_round(&mut self, out: &mut Outbox<Vr>) {
        let Some(primary) = &self.primary else { return };
        let Primary { rounds, reads, .. } = &**primary;
        let started = rounds.started();
        let is_under_way =
            reads.iter().any(|read| read.round <= started && !rounds.has_confirmed(read.round));
        let is_needed = reads.iter().any(|read| read.round > started);
        if is_needed && !is_under_way {
            self.begin_round(out);
        }
    }

    /// A round is confirmed; with leases that is one.
    pub(super) fn take_lease(&mut self, confirmed: Confirmed<NodeSet>, out: &mut Outbox<Vr>) {
        let Some(lease) = self.config.lease else { return };
        let Some(primary) = &mut self.primary else { return };
        let Confirmed { round, sent, tally: voters } = confirmed;
        primary.rounds.extend_lease(later(sent, lease.held()));
        let micros = primary.rounds.lease_left(self.now).0;
        if micros > 0 {
            let view = self.view;
            out.observe(Observation::LeaseTaken { view, round, micros, voters });
        }
    }

    /// Answers the reads that need wait no more.
    pub(super) fn serve_reads(&mut self, out: &mut Outbox<Vr>) {
        let (applied, now) = (self.machine.applied(), self.now);
        loop {
            let Some(primary) = &mut self.primary else { return };
            let Primary { rounds, reads, .. } = &mut **primary;
            let is_leased = rounds.holds_lease(now);
            let is_ready = |read: &Read| {
                (is_leased || rounds.has_confirmed(read.round)) && read.index <= applied
            };
            let Some(read) = reads.iter().position(is_ready).and_then(|place| reads.remove(place))
            else {
                break;
            };
            self.serve(&read, is_leased, out);
        }
        self.begin_read_round(out);
    }

    pub(super) fn serve(&mut self, read: &Read, by_lease: bool, out: &mut Outbox<Vr>) {
        let Some(outcome) = self.machine.look(&read.command) else { return };
        let (view, applied) = (self.view, self.machine.applied());
        if by_lease {
            out.mark("lease-read");
            out.observe(Observation::ReadServed { view, applied });
        } else {
            out.mark("round-read");
        }
        let (op, number) = (applied, read.number);
        let reply = Message::Reply { view, op, number, outcome, is_committed: true };
        out.reply_after(After::Nothing, read.client, reply);
    }
}
