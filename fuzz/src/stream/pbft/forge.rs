//! Messages out of a few bytes: near to what the replica holds, and sometimes just wrong.

use std::sync::Arc;

use quorate_systems::contract::{ClientId, Incarnation, Key, NodeId, System as _, Value};
use quorate_systems::kv::Store;
use quorate_systems::parties::Party;
use quorate_systems::pbft::{Batch, Body, Digest, How, Message, Pbft, Proof, SignedRequest, View};
use quorate_systems::smr::{Request, RequestNumber, Slot};
use quorate_world::invariants::Who;

use super::kit::{Kit, Named};
use super::model::Node;
use crate::commands::{Choice, command};
use crate::stream::step::near;
use crate::stream::{CLIENTS, Dice, Scope};

/// What is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Passed,
    PrePrepare,
    Prepare,
    Commit,
    Checkpoint,
    ViewChange,
    NewView,
    Status,
    Committed,
    Stable,
    Fetch,
    Fetched,
    GetState,
    State,
    Echo,
}

/// There is one of each, and the votes again.
pub(super) const KINDS: [Kind; 16] = [
    Kind::Request,
    Kind::PrePrepare,
    Kind::Prepare,
    Kind::Commit,
    Kind::Checkpoint,
    Kind::ViewChange,
    Kind::NewView,
    Kind::Status,
    Kind::Committed,
    Kind::Stable,
    Kind::Fetch,
    Kind::Fetched,
    Kind::GetState,
    Kind::State,
    Kind::Passed,
    Kind::Echo,
];

/// Where a number is to be odd, it is one of these.
const FAR: [u64; 4] = [1 << 48, (1 << 48) + 1, u64::MAX, u64::MAX - 1];

/// Something new.
pub(super) fn forge(scope: &Scope<'_, Pbft>, dice: Dice) -> (Who, Message) {
    let forger = Forger { scope, dice };
    let kind = KINDS.get(usize::from(dice.kind % 16)).copied().unwrap_or(Kind::Echo);
    let Some(node) = scope.other_node(dice).filter(|_| kind != Kind::Request) else {
        let signed = forger.request(dice.client());
        return (Who::Client(dice.client()), forger.say(Party::Client(dice.client()), signed));
    };
    let view = forger.view_for(kind);
    let speaks = matches!(kind, Kind::PrePrepare | Kind::NewView) && !forger.is_stray();
    let primary = forger.primary(view);
    let from = if speaks && Some(primary) != scope.me { primary } else { node };
    if kind == Kind::Echo {
        let heard = scope.heard.get(dice.data).map(|spoken| spoken.message.clone());
        let echo = heard.unwrap_or_else(|| forger.say(Party::Node(from), forger.status()));
        return (Who::Node(from), echo);
    }
    (Who::Node(from), forger.say(Party::Node(from), forger.body(kind, from, view)))
}

/// An answer of the node `from` to what the core has said, or what follows from it.
pub(super) fn answer(
    scope: &Scope<'_, Pbft>,
    said: &Message,
    from: NodeId,
    dice: Dice,
) -> Option<Message> {
    let forger = Forger { scope, dice };
    if scope.me.is_none() {
        return forger.reply(said, from);
    }
    forger.follow(&said.body, from).map(|body| forger.say(Party::Node(from), body))
}

/// Changes one field. Who lies signs what it says now; of anybody else's word the old proof is left.
pub(super) fn change(scope: &Scope<'_, Pbft>, from: Who, message: &mut Message, dice: Dice) {
    let forger = Forger { scope, dice };
    forger.alter(&mut message.body);
    let lies = match from {
        Who::Node(node) => forger.lies(node),
        Who::Client(client) => Kit::is_client_lying(client),
    };
    if lies && let Some(me) = scope.me {
        message.proof = forger.kit().keys_of(from.into()).prove(Party::Node(me), &message.body);
    }
}

/// A scope, and what is left to chance.
#[derive(Clone, Copy)]
pub(super) struct Forger<'a> {
    pub(super) scope: &'a Scope<'a, Pbft>,
    pub(super) dice: Dice,
}

impl Forger<'_> {
    pub(super) fn kit(&self) -> &Kit {
        &self.scope.cluster.kit
    }

    pub(super) fn node(&self) -> Option<&Node> {
        self.scope.model.node()
    }

    /// Whether whoever makes up the bytes holds this one's keys.
    pub(super) fn lies(&self, node: NodeId) -> bool {
        self.kit().liars(self.scope.me.unwrap_or_default()).contains(node)
    }

    fn is_stray(&self) -> bool {
        self.dice.who >> 5 == 5
    }

    fn primary(&self, view: View) -> NodeId {
        view.primary(self.kit().config.nodes)
    }

    /// What `from` says to the core, with a proof; sometimes with one that somebody else could have made.
    fn say(&self, from: Party, body: Body) -> Message {
        let me = Party::Node(self.scope.me.unwrap_or_default());
        let author = match &body {
            Body::NewView(new) => Party::Node(self.primary(new.view)),
            _ => from,
        };
        let (author, receiver) = match self.dice.who >> 5 {
            7 => (Party::Node(self.any_liar()), me),
            6 if self.dice.who & 16 == 0 => (author, Party::Node(self.any_liar())),
            _ => (author, me),
        };
        // Nobody has the keys of the core's own replica.
        let is_own = author == me;
        let proof = if is_own {
            Proof::SimulatedMac([0; 16])
        } else {
            self.kit().keys_of(author).prove(receiver, &body)
        };
        Message { body, proof }
    }

    fn any_liar(&self) -> NodeId {
        let me = self.scope.me.unwrap_or_default();
        let nodes = self.kit().config.nodes;
        let other = NodeId((me.0 + 1) % nodes);
        self.kit().liars(me).iter().next().unwrap_or(other)
    }

    /// A view near to that of the replica; or just that.
    fn view(&self) -> View {
        let now = self.node().map_or(View::FIRST, |node| node.view);
        if self.dice.time & 0x80 != 0 { now } else { View(near(self.dice.time, now.0, &FAR)) }
    }

    /// One in which such a message makes sense, unless it is to make none.
    fn view_for(&self, kind: Kind) -> View {
        let view = self.view();
        let fits = |view: &View| match kind {
            Kind::PrePrepare | Kind::NewView => Some(self.primary(*view)) != self.scope.me,
            _ => true,
        };
        let following = (0..3).map(|more| View(view.0.saturating_add(more)));
        following.into_iter().find(fits).filter(|_| !self.is_stray()).unwrap_or(view)
    }

    /// One of the sequence numbers that are next; sometimes another.
    fn seq(&self) -> Slot {
        let executed = self.node().map_or(Slot::ZERO, Node::executed);
        let low = self.node().map_or(Slot::ZERO, |node| node.stable.seq);
        let high = low.plus(2 * self.kit().config.checkpoint_every);
        match self.dice.data & 7 {
            0..=2 => executed.next(),
            3 => executed.plus(2),
            4 => executed.plus(3),
            5 => high,
            6 => high.next(),
            _ if self.dice.data >> 6 == 3 => Slot(near(self.dice.data, executed.0, &FAR)),
            _ => executed,
        }
    }

    /// What those who do not lie vote for there.
    pub(super) fn agreed(&self, view: View, seq: Slot) -> Digest {
        let node = self.node();
        let known = node.and_then(|node| node.agreed(view, seq).or(node.accepted(view, seq)));
        // Of two views that come after each other the second begins with nothing of the first now and then.
        known.unwrap_or_else(|| self.kit().batch(seq, u8::from(view.0 & 2 != 0)).0)
    }

    /// What `by` votes for: a liar for anything.
    fn vote(&self, by: NodeId, view: View, seq: Slot) -> Digest {
        let agreed = self.agreed(view, seq);
        match self.dice.data >> 3 & 7 {
            7 if self.lies(by) => self.kit().batch(seq, 1).0,
            6 if self.lies(by) => Digest::NULL,
            5 if self.lies(by) => Digest([self.dice.name | 1; 32]),
            _ => agreed,
        }
    }

    /// What `by` votes for who would vote for this.
    fn vote_like(&self, by: NodeId, at: (View, Slot, Digest)) -> Digest {
        let known = self.node().and_then(|node| node.agreed(at.0, at.1));
        if self.lies(by) { at.2 } else { known.unwrap_or(at.2) }
    }

    fn number(&self) -> RequestNumber {
        let back = u64::from(self.dice.time & 3 == 3);
        let incarnation = Incarnation(1 + u64::from(self.dice.name >> 6 == 3));
        RequestNumber { incarnation, seq: (100 + self.scope.serial).saturating_sub(back) }
    }

    /// A client asks, and signs; a liar among them may sign badly.
    fn signed(&self, client: ClientId) -> SignedRequest {
        let functions = Pbft::functions(&self.kit().config);
        let Dice { name, time, data, .. } = self.dice;
        let choice = Choice { function: name >> 2, data: data >> 1, parts: time };
        let command = command(functions, choice);
        let request = Request { client, number: self.number(), command };
        let mut signed = self.kit().signed(request, name & 3 == 3);
        let me = usize::from(self.scope.me.unwrap_or_default().0);
        match self.dice.kind >> 5 {
            // Somebody else's signature, with its own word to each replica.
            7 => {
                let other = self.kit().keys_of(Party::Client(ClientId((client.0 + 1) % CLIENTS)));
                let forged = other.sign_request(signed.request.clone(), signed.is_read_only);
                signed.signature = forged.signature;
                if !Kit::is_client_lying(client) {
                    signed.authenticator = forged.authenticator;
                }
            }
            6 if Kit::is_client_lying(client) => {
                if let Some(word) = signed.authenticator.get_mut(me) {
                    *word = Proof::SimulatedMac([7; 16]);
                }
            }
            _ => {}
        }
        signed
    }

    fn request(&self, client: ClientId) -> Body {
        Body::Request(Arc::new(self.signed(client)))
    }

    /// What `by` proposes.
    fn proposal(&self, by: NodeId, view: View, seq: Slot) -> Named {
        let known = self.node().and_then(|node| node.agreed(view, seq));
        if let Some(known) = known.filter(|_| !self.lies(by)) {
            return (known, self.batch_of(known).unwrap_or_default());
        }
        match self.dice.name & 7 {
            0..=2 => self.kit().batch(seq, self.dice.name & 7),
            3 => self.kit().batch(Slot(seq.0.saturating_sub(1)), 0),
            4 => Named::default(),
            5 => self.kit().batch(seq.next(), 0),
            _ => {
                let client = ClientId(u32::from(self.dice.name >> 3) % CLIENTS);
                self.kit().named(Batch(vec![self.signed(client)]))
            }
        }
    }

    /// What a digest stands for, where anybody knows.
    fn batch_of(&self, digest: Digest) -> Option<Arc<Batch>> {
        let known = self.node().and_then(|node| node.batches.get(&digest).cloned());
        known.or_else(|| self.kit().batch_of(digest))
    }

    /// With the digest that is its own, unless a liar says otherwise.
    fn pre_prepare(&self, by: NodeId, view: View, seq: Slot, (digest, batch): Named) -> Body {
        let is_other = self.lies(by) && self.dice.kind >> 4 == 15;
        let digest = if is_other { self.kit().batch(seq, 2).0 } else { digest };
        Body::PrePrepare { view, seq, digest, batch }
    }

    fn status(&self) -> Body {
        let Dice { name, data, .. } = self.dice;
        let executed = self.node().map_or(0, |node| node.executed().0);
        let back = |bits: u8| Slot(executed.saturating_sub(bits.into()));
        let (stable, executed) = (back(data >> 4 & 7), back(data & 3));
        Body::Status { view: self.view(), is_active: name & 1 == 0, stable, executed }
    }

    fn body(&self, kind: Kind, from: NodeId, view: View) -> Body {
        let seq = self.seq();
        match kind {
            Kind::Request | Kind::Passed | Kind::Echo => self.request(self.dice.client()),
            Kind::PrePrepare => self.pre_prepare(from, view, seq, self.proposal(from, view, seq)),
            Kind::Prepare => Body::Prepare { view, seq, digest: self.vote(from, view, seq) },
            Kind::Commit => Body::Commit { view, seq, digest: self.vote(from, view, seq) },
            Kind::Checkpoint => {
                let seq = self.checkpoint_seq();
                let is_true = !self.lies(from) || self.dice.data >> 6 != 3;
                let digest = if is_true { self.state_digest(seq) } else { Digest([9; 32]) };
                Body::Checkpoint { seq, digest }
            }
            Kind::ViewChange => Body::ViewChange(Arc::new(self.view_change(from, view))),
            Kind::NewView => {
                let by = self.primary(view);
                Body::NewView(Arc::new(self.new_view(by, view)))
            }
            Kind::Status => self.status(),
            Kind::Committed => Body::Committed { seq, digest: self.vote(from, view, seq) },
            Kind::Stable => {
                let seq = self.checkpoint_seq();
                Body::Stable(Arc::new(self.certificate(seq, self.flaw(from))))
            }
            Kind::Fetch => Body::Fetch { digest: self.vote(from, view, seq) },
            Kind::Fetched => {
                let digest = self.vote(from, view, seq);
                Body::Fetched { batch: self.batch_of(digest).unwrap_or_default() }
            }
            Kind::GetState => Body::GetState { seq: self.checkpoint_seq() },
            Kind::State => self.state(self.checkpoint_seq()),
        }
    }

    /// What follows from something that the replica said, or an answer to it.
    fn follow(&self, said: &Body, from: NodeId) -> Option<Body> {
        let is_odd = self.dice.kind % 8 == 7;
        let prepare = |at: (View, Slot, Digest)| {
            let (view, seq, digest) = (at.0, at.1, self.vote_like(from, at));
            Body::Prepare { view, seq, digest }
        };
        let commit = |at: (View, Slot, Digest)| {
            let (view, seq, digest) = (at.0, at.1, self.vote_like(from, at));
            Body::Commit { view, seq, digest }
        };
        Some(match said {
            Body::PrePrepare { view, seq, digest, .. } | Body::Prepare { view, seq, digest } => {
                let at = (*view, *seq, *digest);
                if self.dice.kind & 1 == 0 { prepare(at) } else { commit(at) }
            }
            Body::Commit { seq, digest, .. } if is_odd => {
                Body::Committed { seq: *seq, digest: *digest }
            }
            Body::Commit { view, seq, digest } => commit((*view, *seq, *digest)),
            Body::Checkpoint { seq, digest } => {
                let is_false = is_odd && self.lies(from);
                let digest = if is_false { Digest([9; 32]) } else { *digest };
                Body::Checkpoint { seq: *seq, digest }
            }
            Body::ViewChange(wanted) => {
                let begins = self.primary(wanted.view) == from && self.dice.kind & 1 == 1;
                let view = if is_odd { wanted.view.next() } else { wanted.view };
                if begins {
                    Body::NewView(Arc::new(self.new_view(from, wanted.view)))
                } else {
                    Body::ViewChange(Arc::new(self.view_change(from, view)))
                }
            }
            Body::NewView(new) => {
                let place = usize::from(self.dice.data).checked_rem(new.proposals.len())?;
                let proposal = new.proposals.get(place)?;
                let at = (new.view, proposal.seq, proposal.digest);
                if self.dice.kind & 1 == 0 { prepare(at) } else { commit(at) }
            }
            Body::Fetch { digest } => {
                let wanted = if is_odd { None } else { self.batch_of(*digest) };
                Body::Fetched { batch: wanted.unwrap_or_default() }
            }
            Body::GetState { seq } => self.state(*seq),
            Body::Stable(certificate) => Body::GetState { seq: certificate.seq },
            Body::Status { executed, .. } => {
                let seq = executed.next();
                Body::Committed { seq, digest: self.vote(from, self.view(), seq) }
            }
            Body::Request(signed) => {
                let (view, seq) = (self.view(), self.seq());
                let batch = self.kit().named(Batch(vec![SignedRequest::clone(signed)]));
                let free = self.node().and_then(|node| node.agreed(view, seq)).is_none();
                let batch = if free { batch } else { self.proposal(from, view, seq) };
                self.pre_prepare(from, view, seq, batch)
            }
            Body::Committed { .. } => self.status(),
            Body::Reply { .. } | Body::Fetched { .. } | Body::State { .. } => return None,
        })
    }

    /// What a replica answers a client: what is so, or anything.
    fn reply(&self, said: &Message, from: NodeId) -> Option<Message> {
        let Body::Request(signed) = &said.body else { return None };
        let Dice { who, kind, name, time, data } = self.dice;
        let mut store = Store::new();
        if data & 1 == 1 {
            store.apply(&quorate_systems::contract::Command::Write {
                key: Key(0),
                value: Value(1 + u64::from(data & 3)),
            });
        }
        let other = command(
            Pbft::functions(&self.kit().config),
            Choice { function: name, data, parts: name },
        );
        let asked = if kind >> 5 == 7 { &other } else { &signed.request.command };
        let outcome = store.apply(asked);
        let seq = signed.request.number.seq;
        let seq = if name >> 5 == 7 { near(name, seq, &FAR) } else { seq };
        let number = RequestNumber { seq, ..signed.request.number };
        let view = View(if time & 3 == 3 { near(time, 0, &FAR) } else { 0 });
        let how = match (signed.is_read_only, kind & 7) {
            (true, 0..=5) | (false, 7) => How::ReadOnly,
            (false, 3..=5) => How::Tentative,
            _ => How::Committed,
        };
        let body = Body::Reply { view, number, outcome, how };
        let client = Party::Client(signed.request.client);
        let (author, receiver) = match who >> 5 {
            7 => (NodeId((from.0 + 1) % self.kit().config.nodes), client),
            6 => (from, Party::Client(ClientId((signed.request.client.0 + 1) % CLIENTS))),
            _ => (from, client),
        };
        let proof = self.kit().of_node(author).prove(receiver, &body);
        Some(Message { body, proof })
    }

    fn alter(&self, body: &mut Body) {
        let Dice { kind, time, data, .. } = self.dice;
        match body {
            Body::Reply { view, outcome, number, how } => match kind % 4 {
                0 => view.0 = near(time, view.0, &FAR),
                1 => number.seq = near(time, number.seq, &FAR),
                2 => *how = if *how == How::Committed { How::Tentative } else { How::Committed },
                _ => *outcome = quorate_systems::contract::Outcome::Read(Some(Value(data.into()))),
            },
            Body::PrePrepare { view, seq, digest, batch } => match kind % 4 {
                0 => view.0 = near(time, view.0, &FAR),
                1 => seq.0 = near(time, seq.0, &FAR),
                2 => *digest = self.kit().batch(*seq, data).0,
                _ => *batch = self.kit().batch(*seq, data).1,
            },
            Body::Prepare { view, seq, digest } | Body::Commit { view, seq, digest } => {
                match kind % 3 {
                    0 => view.0 = near(time, view.0, &FAR),
                    1 => seq.0 = near(time, seq.0, &FAR),
                    _ => *digest = self.kit().batch(*seq, data).0,
                }
            }
            Body::Checkpoint { seq, digest } | Body::Committed { seq, digest } => {
                if kind & 1 == 0 {
                    seq.0 = near(time, seq.0, &FAR);
                } else {
                    *digest = Digest([data; 32]);
                }
            }
            Body::Status { view, is_active, stable, executed } => match kind % 4 {
                0 => view.0 = near(time, view.0, &FAR),
                1 => *is_active = !*is_active,
                2 => stable.0 = near(time, stable.0, &FAR),
                _ => executed.0 = near(time, executed.0, &FAR),
            },
            Body::Fetch { digest } => *digest = Digest([data; 32]),
            Body::GetState { seq } => seq.0 = near(time, seq.0, &FAR),
            Body::Fetched { batch } => *batch = self.kit().batch(Slot(1), data).1,
            Body::Request(signed) => self.alter_request(Arc::make_mut(signed)),
            Body::ViewChange(wanted) => match kind % 3 {
                0 => Arc::make_mut(wanted).view.0 = near(time, wanted.view.0, &FAR),
                1 => drop(Arc::make_mut(wanted).prepared.pop()),
                _ => drop(Arc::make_mut(wanted).stable.votes.pop()),
            },
            Body::NewView(new) => match kind % 3 {
                0 => drop(Arc::make_mut(new).proposals.pop()),
                1 => drop(Arc::make_mut(new).votes.pop()),
                _ => Arc::make_mut(new).view.0 = near(time, new.view.0, &FAR),
            },
            Body::Stable(certificate) => drop(Arc::make_mut(certificate).votes.pop()),
            Body::State { certificate, snapshot } => match kind & 1 {
                0 => drop(Arc::make_mut(certificate).votes.pop()),
                _ => Arc::make_mut(snapshot).chain.0 ^= 1,
            },
        }
    }

    fn alter_request(&self, signed: &mut SignedRequest) {
        match self.dice.kind % 4 {
            0 => signed.request.number.seq = near(self.dice.time, signed.request.number.seq, &FAR),
            1 => signed.is_read_only = !signed.is_read_only,
            2 => signed.request.client = ClientId((signed.request.client.0 + 1) % CLIENTS),
            _ => {
                let key = Key(u64::from(self.dice.data & 1));
                signed.request.command = quorate_systems::contract::Command::Delete { key };
            }
        }
    }
}
