//! The replica core.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Quorum;
use super::message::{Message, Observation, OpId, Record};
use super::stamp::{Pair, Party, Timestamp};
use crate::contract::{
    After, Input, Key, LocalTime, Outbox, Recovered, Replica, Start, StartError, Ticket,
};

/// One server of the registers.
#[derive(Debug)]
pub struct QuorumReplica {
    stored: BTreeMap<Key, Stored>,
}

/// What a server stores under a key, and the ticket with which that is durable.
#[derive(Clone, Debug)]
struct Stored {
    pair: Pair,
    ticket: Ticket,
}

impl Stored {
    const INITIAL: Self = Self { pair: Pair::INITIAL, ticket: Ticket(0) };
}

impl Replica<Quorum> for QuorumReplica {
    fn start(start: Start<Quorum>, _out: &mut Outbox<Quorum>) -> Result<Self, StartError> {
        let mut stored = BTreeMap::new();
        for record in start.records {
            match record {
                Recovered::Intact(Record::Stored { key, pair }) => {
                    stored.insert(key, Stored { pair, ticket: Ticket(0) });
                }
                Recovered::Intact(_) => {}
                Recovered::Corrupt { place } => return Err(StartError::CorruptRecord { place }),
            }
        }
        Ok(Self { stored })
    }

    fn step(&mut self, _now: LocalTime, input: Input<Message>, out: &mut Outbox<Quorum>) {
        match input {
            Input::Message { from, message } => self.on_message(Party::Node(from), message, out),
            Input::Request { client, message } => {
                self.on_message(Party::Client(client), message, out);
            }
            Input::Persisted(_) => {}
            Input::Timer(_) => out.ignore("timer that is not set"),
        }
    }

    fn checkpoint(&self) -> Vec<Record> {
        self.stored
            .iter()
            .map(|(key, stored)| Record::Stored { key: *key, pair: stored.pair.clone() })
            .collect()
    }
}

impl QuorumReplica {
    fn on_message(&mut self, from: Party, message: Message, out: &mut Outbox<Quorum>) {
        match message {
            Message::Query { op, key } if op.party == from => self.on_query(op, key, out),
            Message::Update { op, key, pair } if op.party == from => {
                self.on_update(op, key, pair, out);
            }
            _ => out.ignore("not for a server"),
        }
    }

    /// Answers with what is durable: the answer waits for this key's own last write, and for no other.
    fn on_query(&mut self, op: OpId, key: Key, out: &mut Outbox<Quorum>) {
        let Stored { pair, ticket } = self.stored.get(&key).unwrap_or(&Stored::INITIAL).clone();
        respond(op.party, Message::QueryOk { op, key, pair }, ticket, out);
    }

    /// Stores what is newer, and acknowledges in any case, once that is durable.
    fn on_update(&mut self, op: OpId, key: Key, pair: Pair, out: &mut Outbox<Quorum>) {
        if pair.ts.t > Timestamp::T_MAX {
            return out.ignore("UPDATE with an impossible timestamp");
        }
        let stored = self.stored.entry(key).or_insert(Stored::INITIAL);
        if pair.ts > stored.pair.ts {
            let ticket = out.persist(Record::Stored { key, pair: pair.clone() });
            out.observe(Observation::Stored {
                key,
                ts: pair.ts,
                value: pair.value,
                ticket: ticket.0,
            });
            *stored = Stored { pair, ticket };
        }
        let (ts, ticket) = (stored.pair.ts, stored.ticket);
        out.observe(Observation::Acknowledged { op, key, ts, ticket: ticket.0 });
        respond(op.party, Message::UpdateOk { op, key }, ticket, out);
    }
}

/// Sends `message` to whoever asked, once `ticket` is durable.
fn respond(to: Party, message: Message, ticket: Ticket, out: &mut Outbox<Quorum>) {
    let after = if ticket == Ticket(0) { After::Nothing } else { After::Ticket(ticket) };
    match to {
        Party::Client(client) => out.reply_after(after, client, message),
        Party::Node(node) => out.send_after(after, node, message),
    }
}
