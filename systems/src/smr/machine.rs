//! The replicated state: the store and the table of clients, changed by decided entries in the order of
//! slots.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Chain;
use super::request::{Request, RequestNumber};
use super::slot::Slot;
use crate::contract::{ClientId, Command, Outcome};
use crate::kv::Store;

/// What the replicas know of a client: its last executed request, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// The request.
    pub number: RequestNumber,
    /// Its outcome, to be told again when the client asks again.
    pub outcome: Outcome,
}

/// The state after the execution of every slot up to `index`. The table of clients is part of it: without
/// it, a request that was executed before could be executed again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last slot whose effects are in it.
    pub index: Slot,
    /// Stands for the history that led to it.
    pub chain: Chain,
    /// The store.
    pub store: Store,
    /// The table of clients.
    pub clients: BTreeMap<ClientId, Session>,
}

/// What became of a decided entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Executed {
    /// It was nothing.
    Noop,
    /// A request was executed for the first time.
    Fresh(Outcome),
    /// The request had been executed, from an earlier slot.
    Again(Outcome),
    /// The client has gone on to a later request: this one never takes effect.
    Overtaken,
}

/// How a request stands to the table of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// It is newer than all that was executed for its client.
    New,
    /// It was executed, and ended so.
    Executed(&'a Outcome),
    /// A later one of the same client was.
    Old,
}

/// The state of one replica. It changes by [`Machine::execute`] and by snapshots, and by nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine(Snapshot);

impl Machine {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(snapshot)
    }

    /// The last slot that was executed.
    pub(crate) fn applied(&self) -> Slot {
        self.0.index
    }

    pub(crate) fn chain(&self) -> Chain {
        self.0.chain
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.0.clone()
    }

    /// Executes what stands in a later slot: an entry with this digest, with a request in it or without.
    pub(crate) fn execute(
        &mut self,
        slot: Slot,
        digest: u64,
        request: Option<&Request>,
    ) -> Executed {
        self.advance(slot, digest);
        request.map_or(Executed::Noop, |request| self.apply(request))
    }

    /// Goes on to a later slot, in which an entry with this digest stands.
    pub(crate) fn advance(&mut self, slot: Slot, digest: u64) {
        assert!(slot > self.0.index, "slots are executed in order");
        self.0.chain = self.0.chain.after(slot, digest);
        self.0.index = slot;
    }

    /// Executes a request of the last slot. The table is looked at here and not only when a request arrives: an old and
    /// a new leader can order one request in two slots.
    pub(crate) fn apply(&mut self, request: &Request) -> Executed {
        let Request { client, number, command } = request;
        match self.standing(*client, *number) {
            Standing::Old => Executed::Overtaken,
            Standing::Executed(outcome) => Executed::Again(outcome.clone()),
            Standing::New => {
                let outcome = self.0.store.apply(command);
                let session = Session { number: *number, outcome: outcome.clone() };
                self.0.clients.insert(*client, session);
                Executed::Fresh(outcome)
            }
        }
    }

    /// Notes how the request in the last slot ended, which is none of the store's business.
    pub(crate) fn note(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        outcome: Outcome,
    ) -> Executed {
        match self.standing(client, number) {
            Standing::Old => Executed::Overtaken,
            Standing::Executed(outcome) => Executed::Again(outcome.clone()),
            Standing::New => {
                self.0.clients.insert(client, Session { number, outcome: outcome.clone() });
                Executed::Fresh(outcome)
            }
        }
    }

    /// Empties the table of clients: what they asked before is forgotten, and what came of it is not.
    pub(crate) fn forget_clients(&mut self) {
        self.0.clients.clear();
    }

    /// Forgets what one client asked before.
    pub(crate) fn forget_client(&mut self, client: ClientId) {
        self.0.clients.remove(&client);
    }

    /// Answers a command that changes nothing from the state as it is.
    pub(crate) fn look(&self, command: &Command) -> Option<Outcome> {
        self.0.store.look(command)
    }

    pub(crate) fn standing(&self, client: ClientId, number: RequestNumber) -> Standing<'_> {
        match self.0.clients.get(&client) {
            Some(session) if session.number > number => Standing::Old,
            Some(session) if session.number == number => Standing::Executed(&session.outcome),
            Some(_) | None => Standing::New,
        }
    }
}

/// Whether a command changes nothing, so that it may be answered outside the log.
pub(crate) fn is_read(command: &Command) -> bool {
    Store::new().look(command).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Incarnation, Key, Value};
    use crate::smr::digest;

    fn request(client: u32, seq: u64, command: Command) -> Request {
        let number = RequestNumber { incarnation: Incarnation(1), seq };
        Request { client: ClientId(client), number, command }
    }

    fn write(value: u64) -> Command {
        Command::Write { key: Key(1), value: Value(value) }
    }

    fn execute(machine: &mut Machine, slot: u64, request: &Request) -> Executed {
        machine.execute(Slot(slot), digest(request), Some(request))
    }

    const READ: Command = Command::Read { key: Key(1) };

    #[test]
    fn a_request_in_two_slots_is_executed_once() {
        let mut machine = Machine::default();
        let first = request(0, 1, READ);
        assert_eq!(execute(&mut machine, 1, &first), Executed::Fresh(Outcome::Read(None)));
        execute(&mut machine, 2, &request(1, 1, write(7)));
        // The cached reply: executed anew, it would read 7.
        assert_eq!(execute(&mut machine, 3, &first), Executed::Again(Outcome::Read(None)));
        assert_eq!(machine.look(&READ), Some(Outcome::Read(Some(Value(7)))));
        assert_eq!(machine.applied(), Slot(3));
    }

    #[test]
    fn a_request_that_was_overtaken_never_takes_effect() {
        let mut machine = Machine::default();
        execute(&mut machine, 1, &request(0, 2, write(2)));
        assert_eq!(execute(&mut machine, 2, &request(0, 1, write(1))), Executed::Overtaken);
        assert_eq!(machine.look(&READ), Some(Outcome::Read(Some(Value(2)))));
    }

    #[test]
    fn a_later_life_of_a_client_is_later() {
        let mut machine = Machine::default();
        execute(&mut machine, 1, &request(0, 9, write(9)));
        let number = RequestNumber { incarnation: Incarnation(2), seq: 1 };
        assert_eq!(machine.standing(ClientId(0), number), Standing::New);
        let number = RequestNumber { incarnation: Incarnation(1), seq: 8 };
        assert_eq!(machine.standing(ClientId(0), number), Standing::Old);
    }

    #[test]
    fn a_snapshot_carries_store_clients_and_history_on() {
        let mut machine = Machine::default();
        execute(&mut machine, 1, &request(0, 1, write(1)));
        let mut copy = Machine::new(machine.snapshot());
        let next = request(0, 1, write(5));
        assert_eq!(execute(&mut machine, 2, &next), execute(&mut copy, 2, &next));
        assert_eq!(machine.snapshot(), copy.snapshot());
        assert_eq!(copy.look(&READ), Some(Outcome::Read(Some(Value(1)))));
    }
}
