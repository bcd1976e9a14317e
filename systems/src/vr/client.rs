//! The client core: it asks the primary of the view that it takes for the present one, and all replicas when it is not
//! answered in time.
//!
//! It never says that an operation failed. A refusal proves nothing: a copy of the request may still reach a replica
//! that leads by then. What is not answered ends when the driver gives it up.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Vr;
use super::message::{Message, Observation};
use super::options::{self, Config};
use super::shape;
use super::view::{Members, View};
use crate::contract::{
    Client, ClientEffect, ClientInput, ClientStart, Command, Ignored, Incarnation, LocalTime,
    Micros, Milestone, NodeId, Options, Outcome, TimerId,
};
use crate::mutant::Mutant;
use crate::parties::NodeSet;
use crate::smr::{RequestNumber, Slot};

type Effects = Vec<ClientEffect<Vr>>;

/// A client of the replicated state machine, or its administrator.
#[derive(Debug)]
pub struct VrClient {
    config: Config,
    incarnation: Incarnation,
    /// Counts this life's operations, given up or not.
    seq: u64,
    open: Option<Open>,
    /// The highest view that it has heard of.
    view: View,
    /// The replicas of that view's epoch.
    members: Members,
}

/// The operation that is under way.
#[derive(Debug)]
struct Open {
    what: What,
    /// How often its timer has gone off.
    resent: u32,
    /// How many redirections it may still follow before the timer goes off.
    redirects_left: u16,
    /// What each replica has prepared for it.
    prepared: BTreeMap<NodeId, Prepared>,
}

#[derive(Clone, Debug)]
enum What {
    Command(Command),
    Members(Members),
}

/// An answer that is not committed.
#[derive(Clone, Debug, PartialEq)]
struct Prepared {
    view: View,
    op: Slot,
    outcome: Outcome,
}

/// The only timer: ask again, and all.
const RESEND: TimerId = TimerId(0);

impl Client<Vr> for VrClient {
    fn start(start: ClientStart<Vr>) -> Self {
        let ClientStart { incarnation, config, .. } = start;
        let members = config.members;
        Self { config, incarnation, seq: 0, open: None, view: View::FIRST, members }
    }

    fn step(&mut self, _now: LocalTime, input: ClientInput<Message>, out: &mut Effects) {
        match input {
            ClientInput::Invoke(command) => self.begin(What::Command(command), out),
            ClientInput::Reconfigure(options) => self.reconfigure(&options, out),
            ClientInput::Message { from, message } => self.on_message(from, message, out),
            ClientInput::Timer(_) => self.on_timer(out),
            ClientInput::GiveUp => {
                self.open = None;
                out.push(ClientEffect::CancelTimer { id: RESEND });
            }
        }
    }
}

impl VrClient {
    fn reconfigure(&mut self, options: &Options, out: &mut Effects) {
        let changed = shape::change(&self.config, options);
        match changed.and_then(|config| options::members(config.nodes, options)) {
            Ok(members) => self.begin(What::Members(members), out),
            Err(why) => {
                out.push(ClientEffect::Complete(Outcome::Failed(why.to_string())));
            }
        }
    }

    fn begin(&mut self, what: What, out: &mut Effects) {
        assert!(self.open.is_none(), "the driver invokes one operation at a time");
        self.seq += 1;
        let redirects_left = self.config.nodes;
        self.open = Some(Open { what, resent: 0, redirects_left, prepared: BTreeMap::new() });
        self.ask(NodeSet::of(self.primary()), out);
    }

    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Effects) {
        if from.0 >= self.config.nodes {
            return ignore("from outside the cluster", out);
        }
        match message {
            Message::Reply { view, op, number, outcome, is_committed } => {
                if number != self.number() || self.open.is_none() {
                    return ignore("REPLY to another request", out);
                }
                self.learn(view);
                if is_committed {
                    return self.complete(outcome, out);
                }
                self.on_prepared(from, Prepared { view, op, outcome }, out);
            }
            Message::Redirect { number, view } => {
                if number != self.number() {
                    return ignore("REDIRECT of another request", out);
                }
                self.on_redirect(view, out);
            }
            Message::NewEpoch { number, view, members } => {
                if number != self.number() {
                    return ignore("NEWEPOCH of another request", out);
                }
                self.on_new_epoch(view, members, out);
            }
            Message::Request { .. }
            | Message::Reconfiguration { .. }
            | Message::Relay { .. }
            | Message::RelayReply { .. }
            | Message::Prepare { .. }
            | Message::PrepareOk { .. }
            | Message::Commit { .. }
            | Message::CommitOk { .. }
            | Message::StartViewChange { .. }
            | Message::DoViewChange { .. }
            | Message::StartView { .. }
            | Message::GetStartView { .. }
            | Message::Recovery { .. }
            | Message::RecoveryResponse { .. }
            | Message::GetState { .. }
            | Message::NewState { .. }
            | Message::GetCheckpoint { .. }
            | Message::Checkpoint { .. }
            | Message::StartEpoch { .. }
            | Message::EpochStarted { .. } => ignore("not for a client", out),
        }
    }

    /// An answer that may still be taken back counts once a quorum has given it: in one view, for one op-number.
    fn on_prepared(&mut self, from: NodeId, answer: Prepared, out: &mut Effects) {
        let is_lax = self.config.mutants.deviates(Mutant::V25);
        let members = self.members;
        let number = self.number();
        let Some(open) = &mut self.open else { return };
        open.prepared.insert(from, answer.clone());
        let agrees =
            |other: &Prepared| *other == answer || (is_lax && other.outcome == answer.outcome);
        let replicas = open.prepared.iter().filter(|(_, other)| agrees(other));
        let replicas: NodeSet = replicas.map(|(node, _)| *node).collect();
        if answer.view.epoch != self.view.epoch || !members.is_quorum(replicas) {
            return;
        }
        let Prepared { view, op, outcome } = answer;
        out.push(ClientEffect::Mark(Milestone("accepted-prepared")));
        out.push(ClientEffect::Observe(Observation::Accepted { view, op, number, replicas }));
        self.complete(outcome, out);
    }

    fn complete(&mut self, outcome: Outcome, out: &mut Effects) {
        self.open = None;
        out.push(ClientEffect::CancelTimer { id: RESEND });
        out.push(ClientEffect::Complete(outcome));
    }

    /// Whoever was asked does not lead. Its view is a hint and no more: the timer decides where it leads nowhere.
    fn on_redirect(&mut self, view: View, out: &mut Effects) {
        let is_news = self.learn(view);
        let Some(open) = &mut self.open else {
            return ignore("REDIRECT for nothing", out);
        };
        if !is_news || open.redirects_left == 0 {
            return ignore("REDIRECT that is not followed", out);
        }
        open.redirects_left -= 1;
        self.ask(NodeSet::of(self.primary()), out);
    }

    fn on_new_epoch(&mut self, view: View, members: Members, out: &mut Effects) {
        let is_known = NodeSet::all(self.config.nodes).includes(members.set());
        if view.epoch <= self.view.epoch || !view.is_possible() || !is_known {
            return ignore("NEWEPOCH that is none", out);
        }
        (self.view, self.members) = (view, members);
        if self.open.is_some() {
            self.ask(NodeSet::of(self.primary()), out);
        }
    }

    /// A replica is in this view; true if that is later than all it knew of.
    fn learn(&mut self, view: View) -> bool {
        let is_news = view.epoch == self.view.epoch && view > self.view && view.is_possible();
        if is_news {
            self.view = view;
        }
        is_news
    }

    fn on_timer(&mut self, out: &mut Effects) {
        let redirects = self.config.nodes;
        let Some(open) = &mut self.open else {
            return ignore("timer without an operation", out);
        };
        open.resent = open.resent.saturating_add(1);
        open.redirects_left = redirects;
        self.ask(self.members.set(), out);
    }

    fn ask(&self, nodes: NodeSet, out: &mut Effects) {
        let Some(Open { what, resent, .. }) = &self.open else { return };
        let (epoch, number) = (self.view.epoch, self.number());
        for to in nodes.iter() {
            let message = match what.clone() {
                What::Command(command) => Message::Request { epoch, number, command },
                What::Members(members) => Message::Reconfiguration { epoch, number, members },
            };
            out.push(ClientEffect::Send { to, message });
        }
        let (min, max) = patience(*resent);
        out.push(ClientEffect::SetTimer { id: RESEND, min, max });
    }

    fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: self.incarnation, seq: self.seq }
    }

    /// Whom it takes for the primary.
    fn primary(&self) -> NodeId {
        self.config.executors(self.members).primary(self.view)
    }
}

/// How long to wait for an answer before asking all: growing, up to half a second.
fn patience(resent: u32) -> (Micros, Micros) {
    let factor = 1 << resent.min(2);
    (Micros((100_000 * factor).min(300_000)), Micros((200_000 * factor).min(500_000)))
}

fn ignore(why: &'static str, out: &mut Effects) {
    out.push(ClientEffect::Ignore(Ignored(why)));
}
