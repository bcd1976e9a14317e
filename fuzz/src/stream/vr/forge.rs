//! Messages out of a few bytes: near to what the replica has, and sometimes just wrong.

use std::collections::BTreeMap;

use quorate_systems::contract::{
    ClientId, Command, Incarnation, Key, NodeId, Outcome, System as _, Value,
};
use quorate_systems::kv::Store;
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::{Chain, Request, RequestNumber, Session, Slot, Snapshot};
use quorate_systems::vr::{
    CrashVector, Entry, Logged, Members, Message, Persistence, Reconfiguration, State, Suffix,
    View, Vr,
};
use quorate_world::invariants::Who;

use super::model::{Node, leaders};
use crate::commands::{Choice, command};
use crate::stream::{CLIENTS, Dice, Scope};

/// What is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Reconfiguration,
    Prepare,
    PrepareOk,
    Commit,
    CommitOk,
    StartViewChange,
    DoViewChange,
    StartView,
    GetStartView,
    Recovery,
    RecoveryResponse,
    GetState,
    NewState,
    GetCheckpoint,
    Checkpoint,
    StartEpoch,
    EpochStarted,
    Relay,
    RelayReply,
}

/// How often each.
pub(super) const KINDS: [Kind; 32] = [
    Kind::Request,
    Kind::Prepare,
    Kind::PrepareOk,
    Kind::Commit,
    Kind::CommitOk,
    Kind::StartViewChange,
    Kind::DoViewChange,
    Kind::StartView,
    Kind::GetStartView,
    Kind::Recovery,
    Kind::RecoveryResponse,
    Kind::GetState,
    Kind::NewState,
    Kind::GetCheckpoint,
    Kind::Checkpoint,
    Kind::StartEpoch,
    Kind::EpochStarted,
    Kind::Relay,
    Kind::RelayReply,
    Kind::Reconfiguration,
    Kind::Prepare,
    Kind::Prepare,
    Kind::Prepare,
    Kind::Prepare,
    Kind::Commit,
    Kind::StartView,
    Kind::DoViewChange,
    Kind::Request,
    Kind::Request,
    Kind::StartViewChange,
    Kind::PrepareOk,
    Kind::StartView,
];

/// Where a number is to be odd, it is one of these.
const FAR: [u64; 4] = [1 << 48, (1 << 48) + 1, u64::MAX, u64::MAX - 1];
/// Replicas without disks are no fewer than these.
const DISKLESS_MIN: u32 = 3;

/// Something new.
pub(super) fn forge(scope: &Scope<'_, Vr>, dice: Dice) -> (Who, Message) {
    let forger = Forger { scope, dice };
    let kind = KINDS.get(usize::from(dice.kind % 32)).copied().unwrap_or(Kind::Prepare);
    let by_client = || Who::Client(forger.dice.client());
    let Some(node) = scope.other_node(dice) else {
        return (by_client(), forger.request());
    };
    match kind {
        Kind::Request => (by_client(), forger.request()),
        Kind::Reconfiguration if forger.is_changing() => (by_client(), forger.reconfigure()),
        _ => {
            let view = forger.view_for(kind);
            let speaks = matches!(kind, Kind::Prepare | Kind::Commit | Kind::StartView);
            let leader = forger.leader(view);
            let from = if speaks && !forger.is_stray() { leader } else { node };
            let from = if Some(from) == scope.me { node } else { from };
            (Who::Node(from), forger.message(kind, from, view))
        }
    }
}

/// An answer of the node `from` to what the core has said, or what follows from it.
pub(super) fn answer(
    scope: &Scope<'_, Vr>,
    said: &Message,
    from: NodeId,
    dice: Dice,
) -> Option<Message> {
    let forger = Forger { scope, dice };
    let crashes = forger.crashes(from);
    let is_odd = dice.kind % 8 == 7;
    Some(match said {
        Message::Prepare { view, op, .. } => {
            Message::PrepareOk { view: *view, op: if is_odd { op.next() } else { *op } }
        }
        Message::Commit { view, round, .. } => {
            let round = if is_odd { round.saturating_sub(1) } else { *round };
            Message::CommitOk { view: *view, round }
        }
        Message::StartViewChange { view, .. } if dice.kind & 1 == 0 => {
            Message::StartViewChange { view: *view, has_left: dice.kind & 2 == 0, crashes }
        }
        Message::StartViewChange { view, .. } => forger.message(Kind::DoViewChange, from, *view),
        Message::DoViewChange { view, .. } if is_odd => Message::Commit {
            view: *view,
            round: scope.serial,
            commit: forger.commit(),
            held: Slot::ZERO,
        },
        Message::DoViewChange { view, .. } | Message::GetStartView { view } => {
            forger.message(Kind::StartView, from, *view)
        }
        Message::StartView { view, state, .. } => {
            Message::PrepareOk { view: *view, op: state.log.last() }
        }
        Message::Recovery { nonce, .. } => {
            forger.recovery_response(forger.nonce(*nonce), from, forger.view())
        }
        Message::GetState { view, nonce, .. } => {
            let view = if is_odd { forger.view() } else { *view };
            let state = Box::new(forger.state(view));
            Message::NewState { view, nonce: forger.nonce(*nonce), state }
        }
        Message::GetCheckpoint { op } => forger.checkpoint(*op),
        Message::StartEpoch { view, .. } => Message::EpochStarted { epoch: view.epoch },
        Message::PrepareOk { view, op } if dice.kind & 1 == 0 => {
            let commit = if is_odd { forger.commit() } else { *op };
            Message::Commit { view: *view, round: scope.serial, commit, held: forger.held(commit) }
        }
        Message::PrepareOk { view, .. }
        | Message::CommitOk { view, .. }
        | Message::RecoveryResponse { view, .. }
        | Message::NewState { view, .. } => forger.message(Kind::Prepare, from, *view),
        Message::Relay { client, number, command } => {
            let outcome = Store::new().apply(command);
            Message::RelayReply { client: *client, number: *number, outcome }
        }
        Message::Request { number, command, .. } => forger.answer_to(*number, Some(command)),
        Message::Reconfiguration { number, .. } => forger.answer_to(*number, None),
        Message::Reply { .. }
        | Message::Redirect { .. }
        | Message::NewEpoch { .. }
        | Message::RelayReply { .. }
        | Message::Checkpoint { .. }
        | Message::EpochStarted { .. } => return None,
    })
}

/// Changes one field.
pub(super) fn change(scope: &Scope<'_, Vr>, message: &mut Message, dice: Dice) {
    let forger = Forger { scope, dice };
    match dice.kind % 4 {
        0 => {
            if let Some(view) = view_of(message) {
                view.number = near(dice.time, view.number);
            }
        }
        1 => {
            if let Some(op) = op_of(message) {
                op.0 = near(dice.time, op.0);
            }
        }
        2 => match message {
            Message::Prepare { entry, .. } => *entry = forger.entry(),
            Message::DoViewChange { view, state, .. }
            | Message::StartView { view, state, .. }
            | Message::NewState { view, state, .. } => **state = forger.state(*view),
            Message::RecoveryResponse { view, state, .. } => {
                *state = match state {
                    Some(_) => None,
                    None => Some(Box::new(forger.state(*view))),
                };
            }
            Message::StartViewChange { has_left, .. } => *has_left = !*has_left,
            Message::Reply { is_committed, .. } => *is_committed = !*is_committed,
            Message::GetState { is_joining, .. } => *is_joining = !*is_joining,
            _ => {}
        },
        _ => match message {
            Message::Prepare { commit, .. } | Message::Commit { commit, .. } => {
                commit.0 = near(dice.time, commit.0);
            }
            Message::DoViewChange { last_normal, .. } => {
                last_normal.number = near(dice.time, last_normal.number);
            }
            Message::StartView { state, .. } | Message::NewState { state, .. } => {
                state.commit.0 = near(dice.time, state.commit.0);
            }
            Message::RecoveryResponse { nonce, .. } => *nonce = near(dice.time, *nonce),
            Message::Request { number, .. } | Message::Reply { number, .. } => {
                number.seq = near(dice.time, number.seq);
            }
            _ => {}
        },
    }
}

/// A number near another one: mostly the next, sometimes far away.
fn near(byte: u8, base: u64) -> u64 {
    match byte & 7 {
        0 | 1 => base.saturating_add(1),
        2 => base,
        3 => base.saturating_sub(1),
        4 => base.saturating_add(2),
        5 => 1,
        6 => 0,
        _ if byte >> 3 & 3 == 3 => FAR.get(usize::from(byte >> 5 & 3)).copied().unwrap_or(0),
        _ => base.saturating_add(3),
    }
}

/// A scope, and what is left to chance.
#[derive(Clone, Copy)]
struct Forger<'a> {
    scope: &'a Scope<'a, Vr>,
    dice: Dice,
}

impl Forger<'_> {
    fn node(&self) -> Option<&Node> {
        self.scope.model.node()
    }

    fn members(&self) -> Members {
        self.node().map_or(self.scope.cluster.config.members, |node| node.members)
    }

    fn commit(&self) -> Slot {
        self.node().map_or(Slot::ZERO, |node| node.log.commit)
    }

    fn last(&self) -> Slot {
        self.node().map_or(Slot::ZERO, |node| node.log.last())
    }

    /// Whether the replicas can be others some day.
    fn is_changing(&self) -> bool {
        !self.scope.cluster.changes.is_empty()
    }

    fn is_stray(&self) -> bool {
        self.dice.who >> 5 == 5
    }

    fn leader(&self, view: View) -> NodeId {
        leaders(&self.scope.cluster.config, self.members()).primary(view)
    }

    /// A view near to that of the replica; or just that.
    fn view(&self) -> View {
        let now = self.node().map_or(View::FIRST, |node| node.view);
        let epoch = match self.dice.who >> 5 {
            7 if self.is_changing() => now.epoch + 1,
            6 if self.is_changing() => now.epoch.saturating_sub(1),
            _ => now.epoch,
        };
        let is_same = self.dice.time & 0x80 != 0;
        let number = if is_same { now.number } else { near(self.dice.time, now.number) };
        View { epoch, number }
    }

    /// One in which such a message makes sense, unless it is to make none.
    fn view_for(&self, kind: Kind) -> View {
        let view = self.view();
        if self.is_stray() {
            return view;
        }
        let is_own = |view: &View| Some(self.leader(*view)) == self.scope.me;
        let fits = |view: &View| match kind {
            Kind::Prepare | Kind::Commit | Kind::StartView => !is_own(view),
            Kind::DoViewChange => is_own(view),
            _ => true,
        };
        let following =
            (0..8).map(|more| View { number: view.number.saturating_add(more), ..view });
        following.into_iter().find(fits).unwrap_or(view)
    }

    /// One of the op-numbers behind the end of the log; sometimes another.
    fn op(&self) -> Slot {
        let last = self.last();
        match self.dice.data & 7 {
            0..=2 => last.next(),
            3 => last.plus(2),
            4 => last,
            5 => self.commit().next(),
            6 => last.plus(3),
            _ => Slot(near(self.dice.data >> 3, last.0)),
        }
    }

    /// How much is committed, for somebody who speaks of `op`.
    fn commit_near(&self, op: Slot) -> Slot {
        match self.dice.data >> 6 {
            0 => Slot::ZERO,
            1 => self.commit(),
            2 => Slot(op.0.saturating_sub(1)),
            _ => op,
        }
    }

    /// With witnesses, rarely all that is committed.
    fn held(&self, commit: Slot) -> Slot {
        let is_held = self.scope.cluster.config.has_witnesses && self.dice.name >> 6 == 3;
        if is_held { commit } else { Slot::ZERO }
    }

    fn nonce(&self, right: u64) -> u64 {
        match self.dice.name >> 5 {
            7 => right.wrapping_sub(1),
            6 => 0,
            _ => right,
        }
    }

    fn crashes(&self, from: NodeId) -> CrashVector {
        let mut crashes = CrashVector::new();
        if self.scope.cluster.config.persistence == Persistence::CrashVector {
            let life = match self.dice.name >> 5 {
                5 => 2,
                4 => 0,
                _ => 1,
            };
            crashes.raise(from, Incarnation(life));
            if self.dice.name >> 5 == 3
                && let Some(other) = self.scope.other_node(self.dice)
            {
                crashes.raise(other, Incarnation(2));
            }
        }
        crashes
    }

    fn number(&self) -> RequestNumber {
        let seq = 1 + u64::from(self.dice.name & 7);
        RequestNumber { incarnation: Incarnation(1 + u64::from(self.dice.name >> 5 == 7)), seq }
    }

    fn command(&self) -> Command {
        let functions = Vr::functions(&self.scope.cluster.config);
        let Dice { name, time, data, .. } = self.dice;
        command(functions, Choice { function: name >> 3, data: data >> 3, parts: time })
    }

    fn epoch(&self) -> u64 {
        self.view().epoch
    }

    fn request(&self) -> Message {
        // A client counts on.
        let back = u64::from(self.dice.time & 3 == 3);
        let number = RequestNumber { seq: self.scope.serial - back, ..self.number() };
        Message::Request { epoch: self.epoch(), number, command: self.command() }
    }

    fn reconfigure(&self) -> Message {
        let number = RequestNumber { seq: self.scope.serial, ..self.number() };
        Message::Reconfiguration { epoch: self.epoch(), number, members: self.other_members() }
    }

    fn other_members(&self) -> Members {
        let config = &self.scope.cluster.config;
        let all = NodeSet::all(config.nodes);
        let drawn = NodeSet::from_bits(self.dice.data.into()).intersection(all);
        let least = if config.persistence.is_diskless() { DISKLESS_MIN } else { 1 };
        let set = if drawn.len() < least { all } else { drawn };
        Members::try_from(set).unwrap_or(config.members)
    }

    fn entry(&self) -> Entry {
        let client = ClientId(u32::from(self.dice.name >> 1) % CLIENTS);
        let number = self.number();
        if self.dice.name & 7 == 7 && self.dice.time & 1 == 1 && self.is_changing() {
            let members = self.other_members();
            return Entry::Reconfiguration(Reconfiguration { client, number, members });
        }
        Entry::Request(Request { client, number, command: self.command() })
    }

    /// The log of somebody in this view: what the replica has itself, some of it or none, and a little more.
    fn state(&self, view: View) -> State {
        let Dice { name, data, kind, .. } = self.dice;
        let (last, commit) = (self.last(), self.commit());
        let base = self.node().map_or(Slot::ZERO, |node| node.log.base);
        let after = match (data & 3, data >> 2 & 3) {
            (1, _) => commit,
            (2, _) => last,
            (3, 3) => last.plus(2),
            (3, 2) => Slot(near(name, commit.0)),
            _ => base,
        };
        let mut entries: Vec<Logged> =
            self.node().map_or_else(Vec::new, |node| node.entries_after(after));
        match name >> 6 {
            1 => drop(entries.pop()),
            2 => entries.clear(),
            _ => {}
        }
        let assigned = entries.last().map_or(View { number: 0, ..view }, |logged| logged.view);
        let lower = View { number: view.number.saturating_sub((kind >> 5 & 3).into()), ..view };
        for more in 0..data >> 4 & 3 {
            let dice = Dice { name: name.wrapping_add(more), ..self.dice };
            let entry = Forger { dice, ..*self }.entry();
            entries.push(Logged { view: lower.max(assigned), entry });
        }
        let end = entries.iter().position(|logged| logged.entry.reconfiguration().is_some());
        if let Some(end) = end.filter(|_| name & 7 != 6) {
            entries.truncate(end + 1);
        }
        let log = Suffix { after, entries };
        let commit = match data >> 6 {
            0 => log.after,
            1 => commit,
            2 => log.last(),
            _ => Slot(log.last().0.saturating_sub(1)),
        };
        State { held: self.held(commit), log, commit }
    }

    fn recovery_response(&self, nonce: u64, from: NodeId, view: View) -> Message {
        // Mostly the primary tells its log, and nobody else.
        let tells = (self.leader(view) == from) != (self.dice.kind >> 5 == 7);
        let state = tells.then(|| Box::new(self.state(view)));
        Message::RecoveryResponse { nonce, view, state, crashes: self.crashes(from) }
    }

    fn checkpoint(&self, wanted: Slot) -> Message {
        let index =
            if self.dice.time & 0x80 == 0 { wanted } else { Slot(near(self.dice.time, wanted.0)) };
        let chain = Chain(self.dice.data.into());
        let mut clients = BTreeMap::new();
        if self.dice.data & 1 == 1 {
            let session = Session { number: self.number(), outcome: Outcome::Written };
            clients.insert(self.dice.client(), session);
        }
        let snapshot = Snapshot { index, chain, store: Store::new(), clients };
        Message::Checkpoint { snapshot: Box::new(snapshot) }
    }

    /// Of a replica that a client has asked: committed, prepared only, or it sends elsewhere.
    fn answer_to(&self, number: RequestNumber, command: Option<&Command>) -> Message {
        let Dice { kind, name, time, data, .. } = self.dice;
        let seq = if name >> 5 == 7 { near(name, number.seq) } else { number.seq };
        let number = RequestNumber { seq, ..number };
        let view = View { epoch: u64::from(time >> 4 == 15), number: u64::from(time & 3 == 3) };
        if kind % 4 == 3 {
            let view = View { number: near(time, 0), ..view };
            if kind & 4 == 0 {
                return Message::Redirect { number, view };
            }
            let view = View { epoch: u64::from(name & 3), ..view };
            return Message::NewEpoch { number, view, members: self.other_members() };
        }
        let mut store = Store::new();
        if data & 1 == 1 {
            store.apply(&Command::Write { key: Key(0), value: Value(1 + u64::from(data & 3)) });
        }
        let outcome = command.map_or(Outcome::Reconfigured, |command| store.apply(command));
        let op = Slot(1 + u64::from(data >> 6 == 3));
        Message::Reply { view, op, number, outcome, is_committed: kind.is_multiple_of(4) }
    }

    fn message(&self, kind: Kind, from: NodeId, view: View) -> Message {
        let (op, crashes) = (self.op(), self.crashes(from));
        let commit = self.commit_near(op);
        let held = self.held(commit);
        match kind {
            Kind::Request => self.request(),
            Kind::Prepare => Message::Prepare { view, op, entry: self.entry(), commit, held },
            Kind::PrepareOk => Message::PrepareOk { view, op },
            Kind::Commit => Message::Commit { view, round: self.scope.serial, commit, held },
            Kind::CommitOk => Message::CommitOk { view, round: self.dice.data.into() },
            Kind::StartViewChange => {
                let has_left = self.dice.name & 8 == 0;
                Message::StartViewChange { view, has_left, crashes }
            }
            Kind::DoViewChange => {
                let back = u64::from(1 + (self.dice.name & 3));
                let number = view.number.saturating_sub(back);
                let last_normal = View { number, ..view };
                let state = Box::new(self.state(last_normal));
                Message::DoViewChange { view, last_normal, state, crashes }
            }
            Kind::StartView => {
                Message::StartView { view, state: Box::new(self.state(view)), crashes }
            }
            Kind::GetStartView => Message::GetStartView { view },
            Kind::Recovery => Message::Recovery { nonce: self.dice.data.into(), view, crashes },
            Kind::RecoveryResponse => {
                let right = self.node().map_or(0, Node::recovery_nonce);
                self.recovery_response(self.nonce(right), from, view)
            }
            Kind::GetState => {
                let is_joining = self.dice.name & 8 == 0 && self.is_changing();
                Message::GetState { view, op, nonce: self.dice.time.into(), is_joining }
            }
            Kind::NewState => {
                let right = self.node().map_or(0, Node::transfer_nonce);
                let state = Box::new(self.state(view));
                Message::NewState { view, nonce: self.nonce(right), state }
            }
            Kind::GetCheckpoint => Message::GetCheckpoint { op },
            Kind::Checkpoint => self.checkpoint(op),
            Kind::StartEpoch if self.is_changing() => {
                let (old, new) = (self.members(), self.other_members());
                let (view, assigned) = (View { number: 0, epoch: self.epoch() }, self.view());
                Message::StartEpoch { view, assigned, op, old, new }
            }
            Kind::EpochStarted => Message::EpochStarted { epoch: self.epoch() },
            // Rarely what no node is told.
            Kind::Relay if self.dice.time == u8::MAX => {
                Message::Redirect { number: self.number(), view }
            }
            Kind::Relay | Kind::Reconfiguration | Kind::StartEpoch => {
                let (client, command) = (self.dice.client(), self.command());
                Message::Relay { client, number: self.number(), command }
            }
            Kind::RelayReply => {
                let (client, outcome) = (self.dice.client(), Outcome::Written);
                Message::RelayReply { client, number: self.number(), outcome }
            }
        }
    }
}

fn view_of(message: &mut Message) -> Option<&mut View> {
    match message {
        Message::Reply { view, .. }
        | Message::Redirect { view, .. }
        | Message::NewEpoch { view, .. }
        | Message::Prepare { view, .. }
        | Message::PrepareOk { view, .. }
        | Message::Commit { view, .. }
        | Message::CommitOk { view, .. }
        | Message::StartViewChange { view, .. }
        | Message::DoViewChange { view, .. }
        | Message::StartView { view, .. }
        | Message::GetStartView { view }
        | Message::Recovery { view, .. }
        | Message::RecoveryResponse { view, .. }
        | Message::GetState { view, .. }
        | Message::NewState { view, .. }
        | Message::StartEpoch { view, .. } => Some(view),
        Message::Request { .. }
        | Message::Reconfiguration { .. }
        | Message::Relay { .. }
        | Message::RelayReply { .. }
        | Message::GetCheckpoint { .. }
        | Message::Checkpoint { .. }
        | Message::EpochStarted { .. } => None,
    }
}

fn op_of(message: &mut Message) -> Option<&mut Slot> {
    match message {
        Message::Reply { op, .. }
        | Message::Prepare { op, .. }
        | Message::PrepareOk { op, .. }
        | Message::GetState { op, .. }
        | Message::GetCheckpoint { op }
        | Message::StartEpoch { op, .. } => Some(op),
        Message::DoViewChange { state, .. }
        | Message::StartView { state, .. }
        | Message::NewState { state, .. } => Some(&mut state.log.after),
        Message::RecoveryResponse { state, .. } => state.as_mut().map(|state| &mut state.log.after),
        Message::Checkpoint { snapshot } => Some(&mut snapshot.index),
        Message::Request { .. }
        | Message::Reconfiguration { .. }
        | Message::Redirect { .. }
        | Message::NewEpoch { .. }
        | Message::Relay { .. }
        | Message::RelayReply { .. }
        | Message::Commit { .. }
        | Message::CommitOk { .. }
        | Message::StartViewChange { .. }
        | Message::GetStartView { .. }
        | Message::Recovery { .. }
        | Message::EpochStarted { .. } => None,
    }
}
