//! What holds answers back until the disk has caught up: duties 1 and 2 of a driver, as one data structure.
//!
//! ```text
//! effects of a step ──► pass ──► Persist ──► disk ──► durable(ticket) ─┐
//!                         │                                            ▼
//!                         └──► Send, Reply ──► held until its tickets are durable ──► released in order
//! ```

use quorate_systems::contract::{
    After, ClientId, Effect, Ignored, Micros, Milestone, NodeId, System, Ticket, TimerId,
};

/// A message that may leave now.
#[derive(Clone, Debug, PartialEq)]
pub enum Departure<M> {
    /// To a node, possibly the sender itself: then it is delivered without the network, and never lost.
    Send {
        /// Receiver.
        to: NodeId,
        /// What.
        message: M,
    },
    /// To a client.
    Reply {
        /// Receiver.
        client: ClientId,
        /// What.
        message: M,
    },
}

/// An effect that is to be carried out now.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed<S: System> {
    /// Begin to make it durable; tell [`Gate::durable`] when it is.
    Persist {
        /// Its name.
        ticket: Ticket,
        /// What to write.
        record: S::Record,
    },
    /// Send it.
    Depart(Departure<S::Message>),
    /// Set or replace a timer.
    SetTimer {
        /// Which.
        id: TimerId,
        /// Not before this much later.
        min: Micros,
        /// Not after this much later.
        max: Micros,
    },
    /// Forget a timer.
    CancelTimer {
        /// Which.
        id: TimerId,
    },
    /// Tell the invariants.
    Observe(S::Observation),
    /// Count it.
    Mark(Milestone),
    /// Count it.
    Ignore(Ignored),
}

/// The gate of one incarnation of one node. When the node crashes it is dropped, with all that it holds.
#[derive(Debug)]
pub struct Gate<S: System> {
    /// The last ticket that went through.
    issued: Ticket,
    /// All tickets up to this are durable; never above `issued`.
    durable: Ticket,
    /// What waits, in the order of arrival, with the ticket it waits for, which is above `durable`. Few wait,
    /// and not for long.
    held: Vec<(Ticket, Departure<S::Message>)>,
}

impl<S: System> Default for Gate<S> {
    fn default() -> Self {
        Self { issued: Ticket(0), durable: Ticket(0), held: Vec::new() }
    }
}

impl<S: System> Gate<S> {
    /// Takes one effect, in the order in which effects stand in the outbox. `None`: it is held back.
    ///
    /// Panics where the core broke its side of the contract: tickets with gaps, or a message that waits for
    /// a ticket nobody issued.
    pub fn pass(&mut self, effect: Effect<S>) -> Option<Deed<S>> {
        match effect {
            Effect::Persist { ticket, record } => {
                self.issue(ticket);
                Some(Deed::Persist { ticket, record })
            }
            Effect::Send { to, message, after } => {
                self.depart(after, Departure::Send { to, message })
            }
            Effect::Reply { client, message, after } => {
                self.depart(after, Departure::Reply { client, message })
            }
            Effect::SetTimer { id, min, max } => Some(Deed::SetTimer { id, min, max }),
            Effect::CancelTimer { id } => Some(Deed::CancelTimer { id }),
            Effect::Observe(observation) => Some(Deed::Observe(observation)),
            Effect::Mark(milestone) => Some(Deed::Mark(milestone)),
            Effect::Ignore(why) => Some(Deed::Ignore(why)),
        }
    }

    /// A record is asked to be made durable: a driver that looks at effects itself, without [`Gate::pass`].
    #[inline]
    pub fn issue(&mut self, ticket: Ticket) {
        assert_eq!(ticket.0, self.issued.0 + 1, "tickets count up without gaps");
        self.issued = ticket;
    }

    /// The ticket that a message waits for; nothing where it may leave now.
    #[inline]
    pub fn waits_for(&self, after: After) -> Option<Ticket> {
        let needs = match after {
            After::EveryPersist => self.issued,
            After::Ticket(ticket) => ticket,
            After::Nothing => Ticket(0),
        };
        assert!(needs <= self.issued, "a message waits for a ticket that nobody issued");
        (needs > self.durable).then_some(needs)
    }

    /// Holds a message back until `ticket` is durable.
    pub fn hold(&mut self, ticket: Ticket, departure: Departure<S::Message>) {
        self.held.push((ticket, departure));
    }

    /// All tickets up to `ticket` are durable. What waited for them is added to `out`, in the order in which it
    /// was held back; the core is told `Persisted(ticket)` after that.
    pub fn durable(&mut self, ticket: Ticket, out: &mut Vec<Departure<S::Message>>) {
        assert!(ticket <= self.issued, "a ticket is durable that nobody issued");
        assert!(ticket >= self.durable, "what is durable stays durable");
        self.durable = ticket;
        let released = self.held.extract_if(.., |(needs, _)| *needs <= ticket);
        out.extend(released.map(|(_, departure)| departure));
    }

    /// As a new gate, with the memory that it has.
    pub fn reset(&mut self) {
        self.issued = Ticket(0);
        self.durable = Ticket(0);
        self.held.clear();
    }

    /// How many messages wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn depart(&mut self, after: After, departure: Departure<S::Message>) -> Option<Deed<S>> {
        match self.waits_for(after) {
            None => Some(Deed::Depart(departure)),
            Some(ticket) => {
                self.hold(ticket, departure);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quorate_systems::quorum::{Message, Quorum};

    use super::*;
    use crate::samples::{message, record};

    /// What the world does to a gate.
    #[derive(Clone, Copy, Debug)]
    enum Move {
        Persist,
        Send(After),
        /// This share of what is issued and not durable becomes durable, in 255ths.
        Durable(u8),
    }

    fn send(number: u64, after: After) -> Effect<Quorum> {
        Effect::Send { to: NodeId(1), message: message(number), after }
    }

    fn departure(number: u64) -> Departure<Message> {
        Departure::Send { to: NodeId(1), message: message(number) }
    }

    fn persist(ticket: u64) -> Effect<Quorum> {
        Effect::Persist { ticket: Ticket(ticket), record: record() }
    }

    fn durable(gate: &mut Gate<Quorum>, ticket: Ticket) -> Vec<Departure<Message>> {
        let mut out = Vec::new();
        gate.durable(ticket, &mut out);
        out
    }

    fn goes(number: u64) -> Deed<Quorum> {
        Deed::Depart(departure(number))
    }

    #[test]
    fn without_persists_messages_leave_at_once() {
        let mut gate = Gate::default();
        assert_eq!(gate.pass(send(1, After::EveryPersist)), Some(goes(1)));
        assert_eq!(gate.held(), 0);
    }

    #[test]
    fn an_answer_waits_for_every_persist_before_it_and_for_none_after_it() {
        let mut gate = Gate::default();
        gate.pass(persist(1));
        assert_eq!(gate.pass(send(1, After::EveryPersist)), None);
        gate.pass(persist(2));
        assert_eq!(gate.pass(send(2, After::EveryPersist)), None);
        assert_eq!(durable(&mut gate, Ticket(1)), [departure(1)]);
        assert_eq!(durable(&mut gate, Ticket(2)), [departure(2)]);
        assert_eq!(gate.pass(send(3, After::EveryPersist)), Some(goes(3)));
    }

    #[test]
    fn an_explicit_exception_leaves_earlier() {
        let mut gate = Gate::default();
        gate.pass(persist(1));
        gate.pass(persist(2));
        assert_eq!(gate.pass(send(1, After::EveryPersist)), None);
        assert_eq!(gate.pass(send(2, After::Nothing)), Some(goes(2)));
        assert_eq!(gate.pass(send(3, After::Ticket(Ticket(1)))), None);
        assert_eq!(durable(&mut gate, Ticket(1)), [departure(3)]);
        assert_eq!(durable(&mut gate, Ticket(2)), [departure(1)]);
    }

    #[test]
    fn one_group_commit_releases_in_the_order_of_the_effects() {
        let mut gate = Gate::default();
        gate.pass(persist(1));
        gate.pass(persist(2));
        gate.pass(send(1, After::EveryPersist));
        gate.pass(send(2, After::Ticket(Ticket(1))));
        gate.pass(persist(3));
        gate.pass(send(3, After::EveryPersist));
        assert_eq!(durable(&mut gate, Ticket(3)), [departure(1), departure(2), departure(3)]);
    }

    #[test]
    fn what_is_no_message_is_never_held_back() {
        let mut gate: Gate<Quorum> = Gate::default();
        gate.pass(persist(1));
        let id = TimerId(4);
        assert_eq!(gate.pass(Effect::CancelTimer { id }), Some(Deed::CancelTimer { id }));
        assert_eq!(gate.pass(Effect::Ignore(Ignored("why"))), Some(Deed::Ignore(Ignored("why"))));
    }

    #[test]
    #[should_panic(expected = "without gaps")]
    fn a_gap_between_tickets_is_the_cores_fault() {
        Gate::default().pass(persist(2));
    }

    #[test]
    #[should_panic(expected = "nobody issued")]
    fn waiting_for_a_ticket_that_nobody_issued_is_the_cores_fault() {
        Gate::default().pass(send(1, After::Ticket(Ticket(1))));
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let after = prop_oneof![
            Just(After::EveryPersist),
            Just(After::Nothing),
            (0_u64..20).prop_map(|ticket| After::Ticket(Ticket(ticket))),
        ];
        let one = prop_oneof![
            Just(Move::Persist),
            after.prop_map(Move::Send),
            any::<u8>().prop_map(Move::Durable),
        ];
        prop::collection::vec(one, 0..60)
    }

    /// The rule itself, written the slow way: each message with the tickets it needs.
    #[derive(Default)]
    struct Slow {
        issued: u64,
        durable: u64,
        waiting: Vec<(u64, u64)>,
        sent: u64,
    }

    impl Slow {
        fn needs(&self, after: After) -> u64 {
            match after {
                After::EveryPersist => self.issued,
                After::Ticket(Ticket(ticket)) => ticket.min(self.issued),
                After::Nothing => 0,
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_leaves_before_its_persists_are_durable_and_nothing_stays_behind(
            moves in moves(),
        ) {
            let mut gate = Gate::default();
            let mut slow = Slow::default();
            for step in moves {
                match step {
                    Move::Persist => {
                        slow.issued += 1;
                        prop_assert!(gate.pass(persist(slow.issued)).is_some());
                    }
                    Move::Send(after) => {
                        slow.sent += 1;
                        let needs = slow.needs(after);
                        let after = match after {
                            After::Ticket(_) => After::Ticket(Ticket(needs)),
                            After::EveryPersist | After::Nothing => after,
                        };
                        let passed = gate.pass(send(slow.sent, after));
                        if needs <= slow.durable {
                            prop_assert_eq!(passed, Some(goes(slow.sent)));
                        } else {
                            prop_assert_eq!(passed, None);
                            slow.waiting.push((slow.sent, needs));
                        }
                    }
                    Move::Durable(share) => {
                        slow.durable += (slow.issued - slow.durable) * u64::from(share) / 255;
                        let (out, stay): (Vec<_>, Vec<_>) =
                            slow.waiting.iter().partition(|(_, needs)| *needs <= slow.durable);
                        let out: Vec<_> =
                            out.iter().map(|(number, _)| departure(*number)).collect();
                        prop_assert_eq!(durable(&mut gate, Ticket(slow.durable)), out);
                        slow.waiting = stay;
                    }
                }
                prop_assert_eq!(gate.held(), slow.waiting.len());
            }
        }
    }
}
