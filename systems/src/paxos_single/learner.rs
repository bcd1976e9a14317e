//! The learner: counts who has accepted what, and asks others about what it has missed.

use alloc::collections::BTreeMap;

use super::PaxosSingle;
use super::message::{Accepted, Message};
use super::options::Config;
use super::tally::Tally;
use crate::contract::{After, Key, Micros, NodeId, Outbox, TimerId};
use crate::mutant::Mutant;
use crate::parties::NodeSet;

/// What one learner knows to be decided. In memory only: what is decided can be learned again.
#[derive(Debug, Default)]
pub(super) struct Learner {
    known: BTreeMap<Key, Accepted>,
    open: BTreeMap<Key, Open>,
}

/// An instance of which it has heard, and not enough.
#[derive(Debug, Default)]
struct Open {
    /// One tally for each proposal: those of two numbers are never added (F-P7).
    votes: BTreeMap<Accepted, Tally>,
    /// How often the others were asked since the last vote.
    asked: u32,
}

/// Its timer: ask the other learners.
pub(super) const LEARN: TimerId = TimerId(0);

/// Others are asked so often after the last vote, for some two seconds. Whoever wants to know later proposes.
const ASKS_MAX: u32 = 4;

impl Learner {
    /// What is decided, as far as it knows.
    pub(super) fn known(&self, key: Key) -> Option<Accepted> {
        self.known.get(&key).copied()
    }

    /// An acceptor has accepted a proposal. Gives what is decided thereby, and whose votes decide it.
    pub(super) fn on_accept_ok(
        &mut self,
        config: &Config,
        (from, key): (NodeId, Key),
        proposal: Accepted,
        out: &mut Outbox<PaxosSingle>,
    ) -> Option<(Accepted, NodeSet)> {
        if self.known.contains_key(&key) || !config.acceptors.contains(from) {
            return None;
        }
        if self.open.values().all(|open| open.asked >= ASKS_MAX) {
            out.set_timer(LEARN, ASK_MIN, ASK_MAX);
        }
        let open = self.open.entry(key).or_default();
        open.asked = 0;
        open.votes.entry(proposal).or_default().add(from);
        let tally = open.tally(config, proposal);
        if !tally.is_majority(config) {
            return None;
        }
        self.learn(key, proposal);
        Some((proposal, tally.nodes))
    }

    /// Takes what another knows.
    pub(super) fn learn(&mut self, key: Key, decided: Accepted) {
        self.open.remove(&key);
        self.known.entry(key).or_insert(decided);
    }

    /// Another learner asks.
    pub(super) fn on_learn(&self, from: NodeId, key: Key, out: &mut Outbox<PaxosSingle>) {
        match self.known(key) {
            Some(Accepted { n, value }) => {
                out.send_after(After::Nothing, from, Message::Decided { key, n, value });
            }
            None => out.ignore("LEARN of what is not known to be decided"),
        }
    }

    /// Asks the others about what it has heard of, and not enough.
    pub(super) fn on_timer(&mut self, me: NodeId, config: &Config, out: &mut Outbox<PaxosSingle>) {
        let others = config.learners.without(NodeSet::of(me));
        let mut is_asking = false;
        for (key, open) in self.open.iter_mut().filter(|(_, open)| open.asked < ASKS_MAX) {
            open.asked += 1;
            is_asking |= open.asked < ASKS_MAX;
            for other in others.iter() {
                out.send_after(After::Nothing, other, Message::Learn { key: *key });
            }
        }
        if is_asking {
            out.set_timer(LEARN, ASK_MIN, ASK_MAX);
        }
    }
}

const ASK_MIN: Micros = Micros::from_millis(300);
const ASK_MAX: Micros = Micros::from_millis(600);

impl Open {
    /// Who has accepted this proposal.
    fn tally(&self, config: &Config, proposal: Accepted) -> Tally {
        let mut tally = Tally::default();
        let is_mixed = config.mutants.deviates(Mutant::P11);
        for (other, votes) in &self.votes {
            if *other == proposal || (is_mixed && other.value == proposal.value) {
                tally.add_all(*votes);
            }
        }
        tally
    }
}
