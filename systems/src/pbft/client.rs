//! The client core: it asks the primary of the view that it takes for the present one, and all replicas when it is not
//! answered in time. It believes what enough replicas tell it alike, each in its own name.
//!
//! It never says that an operation failed. Whoever refuses may lie, and a copy of the request may still be executed.
//! What is not answered ends when the driver gives it up.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Pbft;
use super::authentication::Keys;
use super::message::{Body, How, Message, Observation, SignedRequest};
use super::options::{self, Config, Reads};
use super::proof::Proof;
use super::view::View;
use crate::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Ignored, Incarnation,
    LocalTime, Micros, Milestone, NodeId, Outcome, TimerId,
};
use crate::mutant::Mutant;
use crate::parties::{NodeSet, Party};
use crate::smr::{Request, RequestNumber};

type Effects = Vec<ClientEffect<Pbft>>;

/// A client of the replicated state machine.
#[derive(Debug)]
pub struct PbftClient {
    config: Config,
    keys: Keys,
    me: ClientId,
    incarnation: Incarnation,
    /// Counts this life's operations, given up or not.
    seq: u64,
    open: Option<Open>,
    /// What it takes for the present view: somebody correct is in it, or was in a higher one.
    view: View,
}

/// The operation that is under way.
#[derive(Debug)]
struct Open {
    asked: Arc<SignedRequest>,
    /// How often its timer has gone off since it was asked for in this way.
    resent: u32,
    /// The last reply of each replica.
    replies: BTreeMap<NodeId, Reply>,
}

#[derive(Clone, Debug)]
struct Reply {
    view: View,
    outcome: Outcome,
    how: How,
}

/// The only timer: ask again, and all.
const RESEND: TimerId = TimerId(0);

impl Client<Pbft> for PbftClient {
    fn start(start: ClientStart<Pbft>) -> Self {
        let ClientStart { me, incarnation, config, keys, entropy: _ } = start;
        let keys = Keys::new(&config, &keys, Party::Client(me));
        Self { config, keys, me, incarnation, seq: 0, open: None, view: View::FIRST }
    }

    fn step(&mut self, _now: LocalTime, input: ClientInput<Message>, out: &mut Effects) {
        match input {
            ClientInput::Invoke(command) => self.invoke(command, out),
            ClientInput::Reconfigure(_) => {
                out.push(ClientEffect::Complete(Outcome::Failed(options::FIXED.into())));
            }
            ClientInput::Message { from, message } => self.on_message(from, message, out),
            ClientInput::Timer(_) => self.on_timer(out),
            ClientInput::GiveUp => {
                self.open = None;
                out.push(ClientEffect::CancelTimer { id: RESEND });
            }
        }
    }
}

/// Asking.
impl PbftClient {
    fn invoke(&mut self, command: Command, out: &mut Effects) {
        assert!(self.open.is_none(), "the driver invokes one operation at a time");
        self.seq += 1;
        let is_read_only = self.config.reads == Reads::ReadOnly && command.is_read();
        self.begin(command, is_read_only, out);
    }

    /// Asks for a command: all replicas for what they may answer at once, otherwise the primary, which orders it.
    fn begin(&mut self, command: Command, is_read_only: bool, out: &mut Effects) {
        let request = Request { client: self.me, number: self.number(), command };
        let asked = Arc::new(self.keys.sign_request(request, is_read_only));
        self.open = Some(Open { asked, resent: 0, replies: BTreeMap::new() });
        let nodes = if is_read_only {
            NodeSet::all(self.config.nodes)
        } else {
            NodeSet::of(self.config.primary(self.view))
        };
        self.ask(nodes, out);
    }

    fn on_timer(&mut self, out: &mut Effects) {
        let Some(open) = &mut self.open else {
            return ignore("timer without an operation", out);
        };
        if open.asked.is_read_only {
            return self.order(out);
        }
        open.resent = open.resent.saturating_add(1);
        self.ask(NodeSet::all(self.config.nodes), out);
    }

    /// Replicas that are not equally far answer a read differently: it is asked for as everything else is.
    fn order(&mut self, out: &mut Effects) {
        let Some(open) = &self.open else { return };
        let command = open.asked.request.command.clone();
        out.push(ClientEffect::Mark(Milestone("read-ordered")));
        self.begin(command, false, out);
    }

    fn ask(&self, nodes: NodeSet, out: &mut Effects) {
        let Some(open) = &self.open else { return };
        for to in nodes.iter() {
            let body = Body::Request(Arc::clone(&open.asked));
            let message = Message { body, proof: Proof::Itself };
            out.push(ClientEffect::Send { to, message });
        }
        let (min, max) = patience(open.resent);
        out.push(ClientEffect::SetTimer { id: RESEND, min, max });
    }

    fn number(&self) -> RequestNumber {
        RequestNumber { incarnation: self.incarnation, seq: self.seq }
    }
}

/// Believing.
impl PbftClient {
    fn on_message(&mut self, from: NodeId, message: Message, out: &mut Effects) {
        if !self.config.has(from) {
            return ignore("from outside the cluster", out);
        }
        if !self.keys.is_authentic(Party::Node(from), &message) {
            return ignore("not authentic", out);
        }
        match message.body {
            Body::Reply { view, number, outcome, how } => {
                if number != self.number() {
                    return ignore("REPLY to another request", out);
                }
                self.on_reply(from, Reply { view, outcome, how }, out);
            }
            Body::Request(_)
            | Body::PrePrepare { .. }
            | Body::Prepare { .. }
            | Body::Commit { .. }
            | Body::Checkpoint { .. }
            | Body::ViewChange(_)
            | Body::NewView(_)
            | Body::Status { .. }
            | Body::Committed { .. }
            | Body::Stable(_)
            | Body::Fetch { .. }
            | Body::Fetched { .. }
            | Body::GetState { .. }
            | Body::State { .. } => ignore("not for a client", out),
        }
    }

    fn on_reply(&mut self, from: NodeId, reply: Reply, out: &mut Effects) {
        let Some(open) = &mut self.open else {
            return ignore("REPLY for nothing", out);
        };
        if open.asked.is_read_only != (reply.how == How::ReadOnly) {
            return ignore("REPLY to what was asked in another way", out);
        }
        if !open.asked.request.command.is_answered_by(&reply.outcome) {
            return ignore("REPLY that is no answer", out);
        }
        open.replies.insert(from, reply.clone());
        let replicas = open.who_say(&reply.outcome);
        if replicas.len() >= replies_needed(&self.config, reply.how) {
            return self.accept(reply.outcome, replicas, out);
        }
        if open.asked.is_read_only && !open.can_agree(&self.config) {
            self.order(out);
        }
    }

    fn accept(&mut self, outcome: Outcome, replicas: NodeSet, out: &mut Effects) {
        let Some(open) = self.open.take() else { return };
        let believed = open.replies.iter().filter(|(node, _)| replicas.contains(**node));
        let mut views: Vec<View> = believed.clone().map(|(_, reply)| reply.view).collect();
        let how = believed.map(|(_, reply)| reply.how).min_by_key(|how| how.certainty());
        let how = how.unwrap_or(How::Committed);
        // One of the f + 1 highest is a correct replica's.
        views.sort_unstable();
        let vouched = views.iter().rev().nth(usize::from(self.config.f));
        self.view = self.view.max(vouched.copied().unwrap_or(View::FIRST));
        let number = self.number();
        let marks = [
            (replicas.len() < open.replies.len().try_into().unwrap_or(u32::MAX), "reply-outvoted"),
            (how == How::ReadOnly, "read-at-once"),
            (how == How::Tentative, "accepted-tentative"),
        ];
        for (_, name) in marks.into_iter().filter(|(is_so, _)| *is_so) {
            out.push(ClientEffect::Mark(Milestone(name)));
        }
        let accepted = Observation::Accepted { number, outcome: outcome.clone(), how, replicas };
        out.push(ClientEffect::Observe(accepted));
        out.push(ClientEffect::CancelTimer { id: RESEND });
        out.push(ClientEffect::Complete(outcome));
    }
}

impl Open {
    /// Whose last reply this is. How sure they are of it, and in which view, makes no difference.
    fn who_say(&self, outcome: &Outcome) -> NodeSet {
        let equal = self.replies.iter().filter(|(_, reply)| reply.outcome == *outcome);
        equal.map(|(node, _)| *node).collect()
    }

    /// Whether enough replicas may still give one answer, once all have answered.
    fn can_agree(&self, config: &Config) -> bool {
        let heard = u32::try_from(self.replies.len()).unwrap_or(u32::MAX);
        let missing = u32::from(config.nodes).saturating_sub(heard);
        let most = self.replies.values().map(|reply| self.who_say(&reply.outcome).len()).max();
        most.unwrap_or(0) + missing >= replies_needed(config, How::ReadOnly)
    }
}

/// So many replicas must give a reply: f + 1, of which one is correct. Where some answers are read off a quorum without
/// an order, a quorum must be known to have executed whatever counts as done (F-B5).
fn replies_needed(config: &Config, how: How) -> u32 {
    let needs_quorum = match how {
        How::ReadOnly => true,
        How::Committed | How::Tentative => {
            config.has_early_answers() && !config.mutants.deviates(Mutant::B30)
        }
    };
    match (needs_quorum, config.replies) {
        _ if config.mutants.deviates(Mutant::B01) => 1,
        (true, _) => config.quorum().max(config.replies.unwrap_or_default()),
        (false, Some(asked)) => asked,
        (false, None) => config.weak(),
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
