//! A node that runs operations for clients, each at most once in this life of the node.

use alloc::collections::BTreeMap;

use super::Quorum;
use super::coordinator::{Access, Desk, Operation, Progress};
use super::message::{Message, RequestId};
use crate::contract::{After, ClientId, NodeId, Outbox, Outcome, TimerId};

/// The requests of all clients, and the operations that run for them.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// The newest request of each client. In memory only: a request is for one life of the node.
    newest: BTreeMap<ClientId, Served>,
    /// What runs, by number.
    running: BTreeMap<u64, (ClientId, Operation)>,
    last: u64,
}

#[derive(Debug)]
struct Served {
    id: RequestId,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Operation `number` is at work on it.
    Running { number: u64 },
    /// It ended so; the answer may have to be given again.
    Done(Outcome),
}

/// A node gives an operation up after so many repeats, some eight seconds: its client did before.
const RESENDS_MAX: u32 = 12;

impl Service {
    /// Takes the next operation number.
    pub(super) fn allot(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Gives a request its operation number, unless it is not for this life of the node, or not new.
    pub(super) fn admit(
        &mut self,
        incarnation: u64,
        client: ClientId,
        id: RequestId,
        out: &mut Outbox<Quorum>,
    ) -> Option<u64> {
        if id.bound != Some(incarnation) {
            let refusal = Message::WrongIncarnation { id, incarnation };
            out.reply_after(After::Nothing, client, refusal);
            return None;
        }
        if let Some(served) = self.newest.get(&client) {
            if (id.incarnation, id.seq) < (served.id.incarnation, served.id.seq) {
                out.ignore("REQUEST older than the client's newest");
                return None;
            }
            if id == served.id {
                match &served.state {
                    State::Running { .. } => out.ignore("REQUEST that is being run"),
                    State::Done(outcome) => {
                        let answer = Message::Answer { id, outcome: outcome.clone() };
                        out.reply_after(After::Nothing, client, answer);
                    }
                }
                return None;
            }
            if let State::Running { number } = served.state {
                // The client has given it up: it may stop anywhere.
                if self.running.remove(&number).is_some() {
                    out.cancel_timer(timer_of(number));
                }
            }
        }
        let number = self.allot();
        self.newest.insert(client, Served { id, state: State::Running { number } });
        Some(number)
    }

    /// Runs an admitted request by query and update.
    pub(super) fn run(
        &mut self,
        desk: &mut Desk,
        client: ClientId,
        (number, access): (u64, Access),
        out: &mut Outbox<Quorum>,
    ) {
        let operation = Operation::begin(desk, number, access, timer_of(number), out);
        self.running.insert(number, (client, operation));
    }

    /// Passes an answer of a server to the operation that asked.
    pub(super) fn on_answer(
        &mut self,
        desk: &mut Desk,
        (from, number): (NodeId, u64),
        message: Message,
        out: &mut Outbox<Quorum>,
    ) {
        let Some((client, operation)) = self.running.get_mut(&number) else {
            return out.ignore("answer after the operation");
        };
        let client = *client;
        match operation.on_message(desk, from, message, out) {
            Progress::Ignored(why) => out.ignore(why),
            Progress::Waiting => {}
            Progress::Done(outcome) => {
                self.running.remove(&number);
                out.cancel_timer(timer_of(number));
                self.finish(client, number, outcome, out);
            }
        }
    }

    /// Repeats what operation `number` waits for, within bounds; false if there is no such operation.
    pub(super) fn on_timer(
        &mut self,
        desk: &mut Desk,
        number: u64,
        out: &mut Outbox<Quorum>,
    ) -> bool {
        let Some((client, operation)) = self.running.get_mut(&number) else { return false };
        if operation.resent() < RESENDS_MAX {
            operation.on_timer(desk, out);
            return true;
        }
        let (client, outcome) = (*client, operation.stop());
        self.running.remove(&number);
        self.finish(client, number, outcome, out);
        true
    }

    /// Answers the client whose newest request operation `number` was for, and remembers the answer.
    pub(super) fn finish(
        &mut self,
        client: ClientId,
        number: u64,
        outcome: Outcome,
        out: &mut Outbox<Quorum>,
    ) {
        let Some(served) = self.newest.get_mut(&client) else { return };
        if !matches!(served.state, State::Running { number: of } if of == number) {
            return;
        }
        served.state = State::Done(outcome.clone());
        out.reply_after(After::Nothing, client, Message::Answer { id: served.id, outcome });
    }
}

/// The timer of operation `number`; lower ones belong to the replica.
pub(super) fn timer_of(number: u64) -> TimerId {
    TimerId(FIRST_TIMER + number)
}

/// The operation whose timer this is.
pub(super) fn number_of(timer: TimerId) -> Option<u64> {
    timer.0.checked_sub(FIRST_TIMER)
}

const FIRST_TIMER: u64 = 16;
