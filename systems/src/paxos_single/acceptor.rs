//! The acceptor: promises, and accepts what no promise forbids.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::PaxosSingle;
use super::ballot::Ballot;
use super::message::{Accepted, Message, Observation, Record};
use super::options::{Config, Line, Rules};
use crate::contract::{After, Key, Outbox, Ticket};
use crate::mutant::Mutant;
use crate::parties::Party;

/// What one acceptor has promised and accepted, under each key.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    slots: BTreeMap<Key, Slot>,
}

/// One instance. `na <= np` wherever both are.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The highest number promised.
    np: Option<Ballot>,
    /// `(na, va)`.
    accepted: Option<Accepted>,
    /// With it all of this is durable.
    ticket: Ticket,
}

/// A milestone, as the vocabulary lists it.
const RE_ACKNOWLEDGED: &str = "re-acknowledged";

impl Acceptor {
    /// The round of the highest number promised under `key`; 0 where nothing was.
    pub(super) fn round(&self, key: Key) -> u64 {
        self.slots.get(&key).and_then(|slot| slot.np).map_or(0, |np| np.round)
    }

    /// PREPARE(n): a promise, if nothing as high was promised before; again the same for a repeated question.
    pub(super) fn on_prepare(
        &mut self,
        config: &Config,
        (from, key, n): (Party, Key, Ballot),
        out: &mut Outbox<PaxosSingle>,
    ) {
        if n.round > Ballot::ROUND_MAX {
            return out.ignore("PREPARE with an impossible number");
        }
        let slot = self.slots.entry(key).or_default();
        if let Some(np) = slot.np.filter(|np| *np > n) {
            return reply(from, Message::Nack { key, n, np }, slot.ticket, out);
        }
        if slot.np != Some(n) && promises(config) {
            let ticket = out.persist(Record::Promised { key, n });
            let accepted = slot.accepted;
            out.observe(Observation::Promised { key, n, accepted, ticket: ticket.0 });
            *slot = Slot { np: Some(n), ticket, ..*slot };
        }
        // Durable before it is answered: F-P6.
        let ticket = if config.mutants.deviates(Mutant::P02) { DURABLE } else { slot.ticket };
        reply(from, Message::PrepareOk { key, n, accepted: slot.accepted }, ticket, out);
    }

    /// ACCEPT(n, v): done unless a higher number was promised, and acknowledged also when it was done before,
    /// for the first acknowledgement may be lost (F-P8).
    pub(super) fn on_accept(
        &mut self,
        config: &Config,
        (from, key): (Party, Key),
        proposal: Accepted,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let Accepted { n, value } = proposal;
        if n.round > Ballot::ROUND_MAX {
            return out.ignore("ACCEPT with an impossible number");
        }
        let slot = self.slots.entry(key).or_default();
        if let Some(np) = slot.refusal(config, proposal) {
            return reply(from, Message::Nack { key, n, np }, slot.ticket, out);
        }
        if slot.accepted == Some(proposal) {
            out.mark(RE_ACKNOWLEDGED);
        } else {
            slot.accept(config, proposal);
            slot.ticket = out.persist(Record::Accepted { key, n, value });
            let (np, ticket) = (slot.np.unwrap_or(n), slot.ticket.0);
            out.observe(Observation::Accepted { key, n, value, np, ticket });
        }
        let ticket = if config.mutants.deviates(Mutant::P03) { DURABLE } else { slot.ticket };
        let told = Message::AcceptOk { key, n, value };
        for learner in config.learners.iter().filter(|learner| Party::Node(*learner) != from) {
            out.send_after(after(ticket), learner, told.clone());
        }
        reply(from, told, ticket, out);
    }

    /// Takes over one record from disk.
    pub(super) fn recover(&mut self, config: &Config, record: &Record) {
        match *record {
            Record::Promised { key, n } => {
                let slot = self.slots.entry(key).or_default();
                slot.np = slot.np.max(Some(n));
            }
            Record::Accepted { key, n, value } => {
                self.slots.entry(key).or_default().accept(config, Accepted { n, value });
            }
        }
    }

    /// Records from which all of it comes back.
    pub(super) fn checkpoint(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (&key, slot) in &self.slots {
            records.extend(slot.accepted.map(|Accepted { n, value }| Record::Accepted {
                key,
                n,
                value,
            }));
            let na = slot.accepted.map(|accepted| accepted.n);
            records
                .extend(slot.np.filter(|np| Some(*np) != na).map(|n| Record::Promised { key, n }));
        }
        records
    }

    /// Whether what `key` holds is possible.
    pub(super) fn assert_invariants(&self, config: &Config, key: Key) {
        if let Some(slot) = self.slots.get(&key)
            && config.is_sound()
        {
            let na = slot.accepted.map(|accepted| accepted.n);
            assert!(na <= slot.np, "what is accepted was not below what is promised");
        }
    }
}

impl Slot {
    /// What forbids to accept, if something does.
    fn refusal(&self, config: &Config, proposal: Accepted) -> Option<Ballot> {
        match config.rules {
            Rules::Paxos | Rules::Slide(_) => self.np.filter(|np| *np > proposal.n),
            // The straw man has no numbers: the first one stays.
            Rules::FirstProposal => {
                self.accepted.filter(|accepted| *accepted != proposal).map(|accepted| accepted.n)
            }
        }
    }

    /// To accept is also to promise: without that, a late proposal with a lower number could overwrite what is
    /// decided (F-P1).
    fn accept(&mut self, config: &Config, proposal: Accepted) {
        self.accepted = Some(proposal);
        if !config.mutants.deviates(Mutant::P01) && !config.takes_literally(Line::NoRaise) {
            self.np = self.np.max(Some(proposal.n));
        }
    }
}

/// Whether who answers a PREPARE also promises something.
fn promises(config: &Config) -> bool {
    config.rules != Rules::FirstProposal && !config.mutants.deviates(Mutant::P19)
}

/// Answers once `ticket` is durable.
fn reply(to: Party, message: Message, ticket: Ticket, out: &mut Outbox<PaxosSingle>) {
    match to {
        Party::Client(client) => out.reply_after(after(ticket), client, message),
        Party::Node(node) => out.send_after(after(ticket), node, message),
    }
}

fn after(ticket: Ticket) -> After {
    if ticket == DURABLE { After::Nothing } else { After::Ticket(ticket) }
}

/// Durable since before this incarnation began.
const DURABLE: Ticket = Ticket(0);
