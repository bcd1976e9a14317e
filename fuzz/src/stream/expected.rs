//! What a model says must come of a step, and whether it does.

use quorate_systems::contract::{ClientId, NodeId, Outcome};

use super::Streamed;

/// What must come of one step: records, in this order, and messages, in any order.
#[derive(Debug)]
pub struct Expected<S: Streamed> {
    /// Whether anything is known.
    is_known: bool,
    records: Vec<S::Record>,
    /// How many of them have come.
    recorded: usize,
    messages: Vec<Due<S::Message>>,
    /// How a client's operation must end, if it must.
    end: Option<Outcome>,
}

/// A message that must be sent.
#[derive(Debug)]
struct Due<M> {
    to: To,
    message: M,
    /// It may not leave before this ticket is durable.
    after: u64,
    /// The nodes it went to.
    reached: u64,
}

/// Whom a message must go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A client.
    Client(ClientId),
    /// Each node whose bit is set.
    Nodes(u64),
    /// Some of these nodes, as the core chooses; [`super::Model::may_choose`] judges.
    Choice(u64),
}

impl To {
    /// One node.
    pub fn node(node: NodeId) -> Self {
        Self::Nodes(bit(node))
    }
}

/// The bit of a node.
pub(super) fn bit(node: NodeId) -> u64 {
    1_u64.checked_shl(node.0.into()).unwrap_or(0)
}

impl<S: Streamed> Expected<S> {
    pub(super) const fn new() -> Self {
        Self { is_known: true, records: Vec::new(), recorded: 0, messages: Vec::new(), end: None }
    }

    /// The next step begins: nothing must come of it so far.
    pub(super) fn clear(&mut self) {
        self.is_known = true;
        self.records.clear();
        self.recorded = 0;
        self.messages.clear();
        self.end = None;
    }

    /// Whatever comes is right.
    pub fn know_nothing(&mut self) {
        self.is_known = false;
    }

    /// A record must be made durable, after those before.
    pub fn record(&mut self, record: S::Record) {
        self.records.push(record);
    }

    /// A message must be sent, and may not leave before the ticket `after` is durable.
    pub fn message(&mut self, to: To, message: S::Message, after: u64) {
        self.messages.push(Due { to, message, after, reached: 0 });
    }

    /// A client's operation must end so; only the words are the core's own.
    pub fn end(&mut self, outcome: Outcome) {
        self.end = Some(outcome);
    }

    /// A client's operation ends.
    pub(super) fn on_end(&mut self, outcome: &Outcome) {
        let end = self.end.take();
        let is_right = end.as_ref().is_some_and(|end| are_alike(end, outcome));
        assert!(is_right || !self.is_known, "it ends with {outcome:?}, and the model has {end:?}");
    }

    /// The core asks for a record to be made durable.
    pub(super) fn on_record(&mut self, record: &S::Record) {
        if !self.is_known {
            return;
        }
        let expected = self.records.get(self.recorded);
        assert!(
            expected == Some(record),
            "the model has {expected:?} made durable, and the core {record:?}"
        );
        self.recorded += 1;
    }

    /// The core sends to a node, once the ticket `after` is durable.
    pub(super) fn on_send(&mut self, to: NodeId, message: &S::Message, after: u64) {
        let bit = bit(to);
        let is_due = |due: &Due<S::Message>| match due.to {
            To::Nodes(nodes) | To::Choice(nodes) => nodes & !due.reached & bit != 0,
            To::Client(_) => false,
        };
        if let Some(due) = self.find(is_due, message, after) {
            due.reached |= bit;
        } else if self.is_known {
            panic!("the core sends {to} {message} (after {after}), and the model {self:?}");
        }
    }

    /// The core answers a client, once the ticket `after` is durable.
    pub(super) fn on_reply(&mut self, client: ClientId, message: &S::Message, after: u64) {
        let is_due = |due: &Due<S::Message>| due.to == To::Client(client) && due.reached == 0;
        if let Some(due) = self.find(is_due, message, after) {
            due.reached = 1;
        } else if self.is_known {
            panic!("the core answers {client} {message} (after {after}), and the model {self:?}");
        }
    }

    fn find(
        &mut self,
        is_due: impl Fn(&Due<S::Message>) -> bool,
        message: &S::Message,
        after: u64,
    ) -> Option<&mut Due<S::Message>> {
        self.messages
            .iter_mut()
            .find(|due| is_due(due) && due.after <= after && S::alike(&due.message, message))
    }

    /// The step is over: all must have come, and where the core was to choose nodes, it must have been allowed to
    /// choose these.
    pub(super) fn is_over(&self, mut may_choose: impl FnMut(&S::Message, u64) -> bool) {
        if !self.is_known {
            return;
        }
        let missing = self.records.get(self.recorded);
        assert!(missing.is_none(), "the core does not make durable {missing:?}");
        for due in &self.messages {
            let has_come = match due.to {
                To::Client(_) => due.reached != 0,
                To::Nodes(nodes) => due.reached == nodes,
                To::Choice(_) => may_choose(&due.message, due.reached),
            };
            assert!(has_come, "the core has not sent as it should: {due:?}");
        }
        assert!(self.end.is_none(), "the operation should have ended: {:?}", self.end);
    }
}

/// Whether two outcomes differ in words at most.
pub(super) fn are_alike(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Failed(_), Outcome::Failed(_)) | (Outcome::Unknown(_), Outcome::Unknown(_)) => {
            true
        }
        _ => one == other,
    }
}
