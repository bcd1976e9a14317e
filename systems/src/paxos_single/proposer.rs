//! The proposer: one attempt after the other to get a value decided, its own only if there is no other.

use super::ballot::{Ballot, Numbers};
use super::message::{Accepted, Message, Observation};
use super::options::{Config, Line, Rules};
use super::port::Port;
use super::tally::Tally;
use crate::contract::{Key, Micros, NodeId, TimerId, Value};
use crate::mutant::Mutant;
use crate::parties::NodeSet;

/// A proposal for one instance, or a read of it: a proposal without a value of its own.
#[derive(Debug)]
pub(super) struct Proposal {
    key: Key,
    /// Its own value; a read has none.
    wish: Option<Value>,
    /// The present number.
    n: Ballot,
    stage: Stage,
    timer: TimerId,
    /// The highest round that anybody told of.
    seen: u64,
    /// How often it was outbid.
    outbid: u32,
    /// How often the present message was sent again.
    resent: u32,
}

#[derive(Debug)]
enum Stage {
    /// Phase 1: asking for promises.
    Prepare(Promises),
    /// Phase 2. The value never changes once this stage is reached: a later `PREPARE_OK` is too late.
    Accept { proposal: Accepted, votes: Tally },
    /// Outbid, and waiting before the next number.
    Waiting,
}

/// The promises for one number.
#[derive(Clone, Copy, Debug, Default)]
struct Promises {
    tally: Tally,
    /// What was accepted with the highest number, of all that the acceptors told.
    highest: Option<Accepted>,
}

impl Promises {
    fn note(&mut self, config: &Config, from: NodeId, accepted: Option<Accepted>) {
        self.tally.add(from);
        let is_first = self.highest.is_none();
        if is_first || !config.mutants.deviates(Mutant::P06) {
            self.highest = self.highest.max(accepted);
        }
    }
}

/// How far a proposal has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Progress {
    /// The message changed nothing.
    Ignored(&'static str),
    /// More answers are needed.
    Waiting,
    /// When it began, nothing was decided: only a read ends so.
    Nothing,
    /// This is decided; these acceptors have accepted it.
    Decided(Accepted, NodeSet),
}

/// A proposal is given up after so many repeats without an answer that helps, some eight seconds: its client
/// asks again if it still wants to know.
const RESENDS_MAX: u32 = 12;
/// After so many it waits no longer from one repeat to the next.
const RESENDS_OLD: u32 = 2;

// Milestones, as the vocabulary lists them.
const ADOPTED: &str = "adopted-accepted-value";
const OUTBID: &str = "outbid";
const DUELLING: &str = "duelling";
const NOTHING_ACCEPTED: &str = "nothing-accepted";

impl Proposal {
    /// Begins with a number above round `seen`.
    pub(super) fn begin(
        config: &Config,
        numbers: &mut Numbers,
        (key, wish): (Key, Option<Value>),
        (seen, timer): (u64, TimerId),
        out: &mut impl Port,
    ) -> Self {
        let n = numbers.next(config, key, seen);
        let stage = match (config.rules, wish) {
            // The straw man: there is nothing to prepare.
            (Rules::FirstProposal, Some(value)) => {
                Stage::Accept { proposal: Accepted { n, value }, votes: Tally::default() }
            }
            (Rules::FirstProposal | Rules::Paxos | Rules::Slide(_), _) => {
                Stage::Prepare(Promises::default())
            }
        };
        let proposal = Self { key, wish, n, stage, timer, seen, outbid: 0, resent: 0 };
        proposal.send(config, out);
        proposal
    }

    /// The instance.
    pub(super) const fn key(&self) -> Key {
        self.key
    }

    /// Whether it has gone on for so long without success that it is given up.
    pub(super) const fn is_spent(&self) -> bool {
        self.resent >= RESENDS_MAX
    }

    /// It is not given up for as long again.
    pub(super) const fn renew(&mut self) {
        if self.is_old() {
            self.resent = RESENDS_OLD;
        }
    }

    /// Whether it waits as long as it ever does between two repeats.
    const fn is_old(&self) -> bool {
        self.resent > RESENDS_OLD
    }

    /// Takes an answer to a message about this instance.
    pub(super) fn on_message(
        &mut self,
        (config, numbers): (&Config, &mut Numbers),
        from: NodeId,
        message: &Message,
        out: &mut impl Port,
    ) -> Progress {
        if !config.acceptors.contains(from) {
            return Progress::Ignored("answer from who is no acceptor");
        }
        match *message {
            Message::PrepareOk { key: _, n, accepted } => {
                self.on_prepare_ok(config, (from, n), accepted, out)
            }
            Message::AcceptOk { key: _, n, value } => {
                self.on_accept_ok(config, from, Accepted { n, value })
            }
            Message::Nack { key: _, n, np } => self.on_nack((config, numbers), (n, np), out),
            Message::Request { .. }
            | Message::Answer { .. }
            | Message::Prepare { .. }
            | Message::Accept { .. }
            | Message::Learn { .. }
            | Message::Decided { .. } => Progress::Ignored("not an answer to a proposer"),
        }
    }

    /// A promise, for the number that it names and no other (F-P4).
    fn on_prepare_ok(
        &mut self,
        config: &Config,
        (from, n): (NodeId, Ballot),
        accepted: Option<Accepted>,
        out: &mut impl Port,
    ) -> Progress {
        let Stage::Prepare(promises) = &mut self.stage else {
            return Progress::Ignored("PREPARE_OK after phase 1");
        };
        let counts_any =
            config.mutants.deviates(Mutant::P09) || config.takes_literally(Line::Untagged);
        if n != self.n && !counts_any {
            return Progress::Ignored("PREPARE_OK to another number");
        }
        if accepted.is_some_and(|accepted| accepted.n.round > Ballot::ROUND_MAX) {
            return Progress::Ignored("PREPARE_OK with an impossible number");
        }
        promises.note(config, from, accepted);
        if !promises.tally.is_majority(config) {
            return Progress::Waiting;
        }
        let promises = *promises;
        self.choose(config, promises, out)
    }

    /// A majority has promised: the value with the highest number among what they told, the own one only if
    /// they told none.
    fn choose(&mut self, config: &Config, promises: Promises, out: &mut impl Port) -> Progress {
        let adopted = promises.highest.map(|accepted| accepted.value);
        if config.rules == Rules::FirstProposal && adopted.is_some() {
            return Progress::Ignored("the vote is not over");
        }
        let value = if config.mutants.deviates(Mutant::P05) {
            self.wish.or(adopted)
        } else {
            adopted.or(self.wish)
        };
        let Some(value) = value else {
            // A read. Had anything been decided when it began, one of this majority would have told.
            out.mark(NOTHING_ACCEPTED);
            return Progress::Nothing;
        };
        if adopted == Some(value) && self.wish != adopted {
            out.mark(ADOPTED);
        }
        // The own number, and not that which the value was accepted with: F-P2.
        let n = match promises.highest {
            Some(accepted) if config.takes_literally(Line::OldNumber) => accepted.n,
            Some(_) | None => self.n,
        };
        self.propose(config, Accepted { n, value }, promises.tally.nodes, out);
        Progress::Waiting
    }

    fn propose(
        &mut self,
        config: &Config,
        proposal: Accepted,
        promisers: NodeSet,
        out: &mut impl Port,
    ) {
        let Accepted { n, value } = proposal;
        out.observe(Observation::Proposed { key: self.key, n, value, promisers });
        self.stage = Stage::Accept { proposal, votes: Tally::default() };
        self.resent = 0;
        self.send(config, out);
    }

    /// An acceptor has accepted; a majority of them, of this number, decides.
    fn on_accept_ok(&mut self, config: &Config, from: NodeId, told: Accepted) -> Progress {
        let Stage::Accept { proposal, votes } = &mut self.stage else {
            return Progress::Ignored("ACCEPT_OK outside phase 2");
        };
        if told.n != proposal.n {
            return Progress::Ignored("ACCEPT_OK to another number");
        }
        votes.add(from);
        if !votes.is_majority(config) {
            return Progress::Waiting;
        }
        Progress::Decided(*proposal, votes.nodes)
    }

    /// Somebody has bid more.
    fn on_nack(
        &mut self,
        (config, numbers): (&Config, &mut Numbers),
        (n, np): (Ballot, Ballot),
        out: &mut impl Port,
    ) -> Progress {
        if n != self.n || np <= n || np.round > Ballot::ROUND_MAX {
            return Progress::Ignored("NACK to another number");
        }
        if let Stage::Waiting = self.stage {
            return Progress::Ignored("NACK again");
        }
        // The straw man has no second number: the vote is lost, or split.
        if config.rules == Rules::FirstProposal && self.wish.is_some() {
            return Progress::Ignored("NACK to who bids once");
        }
        self.seen = self.seen.max(np.round);
        self.outbid += 1;
        out.mark(if self.outbid == 1 { OUTBID } else { DUELLING });
        if config.backoff {
            self.stage = Stage::Waiting;
            out.set_timer(self.timer, backoff(self.outbid));
        } else {
            self.bid_again((config, numbers), out);
        }
        Progress::Waiting
    }

    fn bid_again(&mut self, (config, numbers): (&Config, &mut Numbers), out: &mut impl Port) {
        self.n = numbers.next(config, self.key, self.seen);
        self.stage = Stage::Prepare(Promises::default());
        self.resent = 0;
        self.send(config, out);
    }

    /// Bids again after waiting, or asks those again that have not answered.
    pub(super) fn on_timer(
        &mut self,
        (config, numbers): (&Config, &mut Numbers),
        out: &mut impl Port,
    ) {
        self.resent += 1;
        match (&self.stage, self.wish) {
            (Stage::Waiting, _) => self.bid_again((config, numbers), out),
            // "Choose own v otherwise", as the else-branch of "if prepare_ok from majority".
            (Stage::Prepare(promises), Some(value))
                if config.takes_literally(Line::StrayOtherwise) =>
            {
                let few = promises.tally.nodes;
                self.propose(config, Accepted { n: self.n, value }, few, out);
            }
            (Stage::Prepare(_) | Stage::Accept { .. }, _) => self.send(config, out),
        }
    }

    /// Sends the present message to every acceptor that has not answered it: to all of them in phase 2 as well,
    /// for any majority may accept, and not only that which has promised (F-P12).
    fn send(&self, config: &Config, out: &mut impl Port) {
        let key = self.key;
        let (message, answered) = match self.stage {
            Stage::Prepare(promises) => (Message::Prepare { key, n: self.n }, promises.tally.nodes),
            Stage::Accept { proposal: Accepted { n, value }, votes } => {
                (Message::Accept { key, n, value }, votes.nodes)
            }
            Stage::Waiting => return,
        };
        for acceptor in config.acceptors.without(answered).iter() {
            out.send(acceptor, message.clone());
        }
        out.set_timer(self.timer, patience(self.resent));
    }
}

/// How long to wait for answers before asking again: doubling, up to a second.
pub(super) fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((150_000 * factor).min(500_000)), Micros((300_000 * factor).min(1_000_000)))
}

/// How long to wait before the next bid: somewhere in a span that doubles with each bid that was lost, from forty
/// milliseconds up to some two and a half seconds. The driver chooses where, at random.
fn backoff(outbid: u32) -> (Micros, Micros) {
    let span = 20_000 << outbid.min(7);
    (Micros(span / 4), Micros(span))
}
