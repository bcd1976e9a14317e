//! The administrator: takes the system from one configuration to the next while it runs.
//!
//! ```text
//! 2k    stable, old form       CONFIGURE 2k        is a read quorum still here?
//! 2k+1  joint, old and new     CONFIGURE 2k+1      until every quorum of the old form has a member in it
//!                              FETCH, INSTALL      from an old read quorum to a new write quorum
//! 2k+2  stable, new form       CONFIGURE 2k+2      until every joint quorum has a member in it
//! ```
//!
//! Why it is safe. Every phase of an operation is wholly in one configuration: a server answers only
//! questions for the one it is in, and goes on to higher ones only, so that an answer in an older
//! configuration was given before any answer of that server in a newer one.
//! - A write that completes in 2k, however late its coordinator hears of it, has a holder in each read
//!   quorum of the old form. The answers to FETCH and to queries in 2k+1 are those of such a quorum, all
//!   given after its members left 2k: they report the write, or something newer.
//! - A query in 2k+2 meets what was written in 2k+1 in the new form's half of the joint write quorum, and
//!   what was written in 2k at the servers that acknowledged INSTALL in 2k+1, before they went on. That is
//!   why the transfer stands between the two: before 2k+1 there might be more to come, after 2k+2 somebody
//!   might have read.
//! - A query in 2k that completes has an answer from a server that had not left 2k then, although every
//!   quorum had a member in 2k+1 before 2k+2 began: it began before anything happened in 2k+2 that it could
//!   miss. What it may miss of 2k+1 was not complete when that server answered.
//!
//! A pair that a coordinator has chosen stays what it is, in whatever configuration it ends up stored; so a
//! write has one timestamp for ever.
//!
//! Unlike changes that are agreed on (RAMBO: Lynch and Shvartsman 2002), there is one administrator at a
//! time. One that takes over from another finds its change if that had got past the adoption of 2k+1, for
//! the servers in it meet the read quorum that is asked first, and finishes it before its own begins. What
//! had not got so far must have been heard of or be known never to arrive any more: else one id might get
//! two meanings.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::configuration::{Configuration, Epoch, Stage};
use super::construction::{Form, Quorums};
use super::coordinator::{Desk, Port, Progress, patience};
use super::message::{Message, Observation, OpId, Phase};
use super::shape;
use super::stamp::{Pair, Timestamp};
use crate::contract::{Key, NodeId, Options, Outcome, TimerId};
use crate::mutant::Mutant;
use crate::parties::NodeSet;

/// A change that an administrator works on.
#[derive(Debug)]
pub(super) struct Change {
    seq: u64,
    target: Form,
    timer: TimerId,
    /// Counts the questions that this change asked.
    attempt: u32,
    resent: u32,
    /// Who was told the present configuration since the question was last sent: each once, or duplicates would breed
    /// more of themselves without end.
    told: NodeSet,
    /// Whether the joint configuration that it is in is somebody else's.
    is_foreign: bool,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Making sure that a read quorum is in the present configuration, and not further: it would meet the
    /// servers that have adopted the next one.
    Ask { heard: NodeSet },
    /// Telling `next` until the servers that are in it meet every quorum of `before`.
    Adopt { next: Box<Epoch>, before: Box<Epoch>, adopted: NodeSet },
    /// Asking what is stored under keys of `from` on. All answers together say it below `until`.
    Fetch { from: Key, until: Option<Key>, heard: NodeSet, pairs: BTreeMap<Key, Pair> },
    /// Storing that at the new form's members; then come the keys of `until` on.
    Install { pairs: Vec<(Key, Pair)>, until: Option<Key>, holders: NodeSet },
}

/// A milestone, as the vocabulary lists it.
const FINISHED: &str = "interrupted-change-finished";

impl Change {
    /// Begins to change to what the options say; or says why that cannot be.
    pub(super) fn begin(
        desk: &Desk,
        seq: u64,
        options: &Options,
        timer: TimerId,
        out: &mut impl Port,
    ) -> Result<Self, Outcome> {
        let target = match shape::change(&desk.config, options) {
            Ok(config) => config.quorums.form().clone(),
            Err(why) => return Err(Outcome::Failed(why.to_string())),
        };
        let step = resumption(desk);
        let mut change = Self {
            seq,
            target,
            timer,
            attempt: 0,
            resent: 0,
            told: NodeSet::EMPTY,
            is_foreign: false,
            step,
        };
        change.send(desk, out);
        Ok(change)
    }

    /// Asks those again that have not answered.
    pub(super) fn on_timer(&mut self, desk: &Desk, out: &mut impl Port) {
        self.resent += 1;
        self.send(desk, out);
    }

    /// Takes an answer.
    pub(super) fn on_message(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        message: Message,
        out: &mut impl Port,
    ) -> Progress {
        if !NodeSet::all(desk.config.nodes).contains(from) {
            return Progress::Ignored("from outside the cluster");
        }
        match message {
            Message::WrongConfig { op, configuration } => {
                self.on_wrong_config(desk, from, (op, &configuration), out)
            }
            Message::ConfigureOk { op } if op == self.op_id(desk) => {
                self.on_configure_ok(desk, from, out)
            }
            Message::FetchOk { op, pairs, next } if op == self.op_id(desk) => {
                self.on_fetch_ok(desk, from, (pairs, next), out)
            }
            Message::InstallOk { op } if op == self.op_id(desk) => {
                self.on_install_ok(desk, from, out)
            }
            _ => Progress::Ignored("not an answer to the present step"),
        }
    }

    /// Whoever is further is followed; whoever is behind is told.
    fn on_wrong_config(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        (op, configuration): (OpId, &Configuration),
        out: &mut impl Port,
    ) -> Progress {
        let present = match &self.step {
            Step::Adopt { next, .. } => next.id(),
            Step::Ask { .. } | Step::Fetch { .. } | Step::Install { .. } => desk.epoch.id(),
        };
        if configuration.id > present && desk.learn(configuration) {
            self.is_foreign = matches!(configuration.stage, Stage::Joint(..));
            self.enter(desk, resumption(desk), out);
            return Progress::Waiting;
        }
        let is_told = match &self.step {
            Step::Ask { .. } | Step::Adopt { .. } => true,
            Step::Fetch { heard, .. } => heard.contains(from),
            Step::Install { holders, .. } => holders.contains(from),
        };
        if is_told || op != self.op_id(desk) || configuration.id >= present {
            return Progress::Ignored("WRONG_CONFIG to another question");
        }
        if !self.told.insert(from) {
            return Progress::Ignored("WRONG_CONFIG again");
        }
        let configuration = Box::new(desk.epoch.configuration().clone());
        out.send(from, Message::Configure { op, configuration });
        out.send(from, self.question(desk));
        Progress::Waiting
    }

    fn on_configure_ok(&mut self, desk: &mut Desk, from: NodeId, out: &mut impl Port) -> Progress {
        match &mut self.step {
            Step::Ask { heard } => {
                heard.insert(from);
                if !desk.epoch.is_read_quorum(*heard) {
                    return Progress::Waiting;
                }
            }
            Step::Adopt { next, before, adopted } => {
                adopted.insert(from);
                if !before.is_met_by(*adopted) {
                    return Progress::Waiting;
                }
                let (configuration, servers) = (next.id(), *adopted);
                out.observe(Observation::Adopted { configuration, servers });
                desk.learn(next.configuration());
            }
            Step::Fetch { .. } | Step::Install { .. } => {
                return Progress::Ignored("CONFIGURE_OK after the step");
            }
        }
        self.advance(desk, out)
    }

    /// Goes on from the configuration that has been adopted.
    fn advance(&mut self, desk: &Desk, out: &mut impl Port) -> Progress {
        match &desk.epoch.configuration().stage {
            Stage::Joint(..) => {
                self.enter(desk, fetch(Key(0)), out);
                Progress::Waiting
            }
            Stage::Stable(form) => {
                if self.is_foreign {
                    out.mark(FINISHED);
                    self.is_foreign = false;
                }
                if *form == self.target {
                    return Progress::Done(Outcome::Reconfigured);
                }
                self.enter(desk, self.departure(desk, form), out);
                Progress::Waiting
            }
        }
    }

    /// Leaves a stable configuration for the target, by a joint one.
    fn departure(&self, desk: &Desk, form: &Form) -> Step {
        let id = desk.epoch.id();
        let target = self.target.clone();
        let next = if desk.config.mutants.deviates(Mutant::Q11) {
            Configuration { id: id + 2, stage: Stage::Stable(target) }
        } else {
            Configuration { id: id + 1, stage: Stage::Joint(form.clone(), target) }
        };
        adopt(desk, next, desk.epoch.clone())
    }

    fn on_fetch_ok(
        &mut self,
        desk: &mut Desk,
        from: NodeId,
        (found, next): (Vec<(Key, Pair)>, Option<Key>),
        out: &mut impl Port,
    ) -> Progress {
        let Step::Fetch { from: first, until, heard, pairs } = &mut self.step else {
            return Progress::Ignored("FETCH_OK after the step");
        };
        let is_above = |key: &Key| next.is_none_or(|next| *key < next) && key >= first;
        let is_believable = found.iter().all(|(key, pair)| is_above(key) && is_possible(pair))
            && next.is_none_or(|next| next > *first);
        if !is_believable {
            return Progress::Ignored("FETCH_OK with what was not asked for");
        }
        if !desk.epoch.old().everyone().contains(from) || !heard.insert(from) {
            return Progress::Ignored("FETCH_OK again, or from no member of the old form");
        }
        *until = lower(*until, next);
        for (key, pair) in found {
            let known = pairs.entry(key).or_insert(Pair::INITIAL);
            if pair.ts > known.ts {
                *known = pair;
            }
        }
        if !desk.epoch.old().is_read_quorum(*heard) {
            return Progress::Waiting;
        }
        let until = *until;
        let pairs: Vec<(Key, Pair)> = core::mem::take(pairs)
            .into_iter()
            .filter(|(key, _)| until.is_none_or(|until| *key < until))
            .collect();
        if pairs.is_empty() {
            return self.go_on_from(desk, until, out);
        }
        self.enter(desk, Step::Install { pairs, until, holders: NodeSet::EMPTY }, out);
        Progress::Waiting
    }

    fn on_install_ok(&mut self, desk: &mut Desk, from: NodeId, out: &mut impl Port) -> Progress {
        let Step::Install { until, holders, .. } = &mut self.step else {
            return Progress::Ignored("INSTALL_OK after the step");
        };
        holders.insert(from);
        if !desk.epoch.coming().is_some_and(|new| new.is_write_quorum(*holders)) {
            return Progress::Waiting;
        }
        let until = *until;
        self.go_on_from(desk, until, out)
    }

    /// The next range of keys, or, after the last, the new form alone.
    fn go_on_from(&mut self, desk: &Desk, until: Option<Key>, out: &mut impl Port) -> Progress {
        let step = match (until, &desk.epoch.configuration().stage) {
            (Some(key), _) => fetch(key),
            (None, Stage::Joint(_, new) | Stage::Stable(new)) => {
                let stage = Stage::Stable(new.clone());
                let next = Configuration { id: desk.epoch.id() + 1, stage };
                adopt(desk, next, desk.epoch.clone())
            }
        };
        self.enter(desk, step, out);
        Progress::Waiting
    }

    fn enter(&mut self, desk: &Desk, step: Step, out: &mut impl Port) {
        self.step = step;
        self.attempt += 1;
        self.resent = 0;
        self.send(desk, out);
    }

    fn op_id(&self, desk: &Desk) -> OpId {
        desk.op_id(self.seq, Phase::Change, self.attempt)
    }

    fn question(&self, desk: &Desk) -> Message {
        let op = self.op_id(desk);
        let configuration = desk.epoch.id();
        match &self.step {
            Step::Ask { .. } => {
                let configuration = Box::new(desk.epoch.configuration().clone());
                Message::Configure { op, configuration }
            }
            Step::Adopt { next, .. } => {
                Message::Configure { op, configuration: Box::new(next.configuration().clone()) }
            }
            Step::Fetch { from, .. } => Message::Fetch { op, configuration, from: *from },
            Step::Install { pairs, .. } => {
                Message::Install { op, configuration, pairs: pairs.clone() }
            }
        }
    }

    /// Sends the present question to whoever should have it and has not answered.
    fn send(&mut self, desk: &Desk, out: &mut impl Port) {
        self.told = NodeSet::EMPTY;
        let (contacts, answered) = match &self.step {
            // Repeats go to everybody: somebody may know of something newer, of which all members of what
            // this administrator knows have not heard, or are down.
            Step::Ask { heard: answered } | Step::Adopt { adopted: answered, .. }
                if self.resent > 0 =>
            {
                (NodeSet::all(desk.config.nodes), *answered)
            }
            Step::Ask { heard } => (desk.epoch.everyone(), *heard),
            Step::Adopt { next, before, adopted } => {
                (next.everyone().union(before.everyone()), *adopted)
            }
            Step::Fetch { heard, .. } => (desk.epoch.old().everyone(), *heard),
            Step::Install { holders, .. } => {
                let new = desk.epoch.coming().map_or(NodeSet::EMPTY, Quorums::everyone);
                (new, *holders)
            }
        };
        let message = self.question(desk);
        for node in contacts.without(answered).iter() {
            out.send(node, message.clone());
        }
        let (min, max) = patience(self.resent);
        out.set_timer(self.timer, min, max);
    }
}

/// What to do first in a configuration that was just heard of: ask whether anybody is further, or, in a
/// change that somebody has begun, go on with it from its beginning.
fn resumption(desk: &Desk) -> Step {
    let present = desk.epoch.configuration();
    match &present.stage {
        Stage::Stable(_) => Step::Ask { heard: NodeSet::EMPTY },
        Stage::Joint(old, _) => {
            let before = Configuration { id: present.id - 1, stage: Stage::Stable(old.clone()) };
            adopt(desk, present.clone(), Epoch::new(before, desk.config.mutants))
        }
    }
}

fn adopt(desk: &Desk, next: Configuration, before: Epoch) -> Step {
    let next = Box::new(Epoch::new(next, desk.config.mutants));
    let before = Box::new(before);
    Step::Adopt { next, before, adopted: NodeSet::EMPTY }
}

fn fetch(from: Key) -> Step {
    Step::Fetch { from, until: None, heard: NodeSet::EMPTY, pairs: BTreeMap::new() }
}

/// The lower of two bounds, of which none is the highest.
fn lower(one: Option<Key>, other: Option<Key>) -> Option<Key> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (bound, None) | (None, bound) => bound,
    }
}

fn is_possible(pair: &Pair) -> bool {
    pair.ts.t <= Timestamp::T_MAX
}
