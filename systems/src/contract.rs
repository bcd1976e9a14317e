//! The contract between a protocol core and whoever drives it.
//!
//! ```text
//! replica   start(Start{..}) | step(now, Message | Request | Persisted | Timer, &mut outbox)
//!              │
//!              ▼
//!           Persist | Send | Reply | SetTimer | CancelTimer | Observe | Mark | Ignore
//!
//! client    start(ClientStart{..}) | step(now, Invoke | Reconfigure | Message | Timer | GiveUp, &mut outbox)
//!              │
//!              ▼
//!           Send | Complete | SetTimer | CancelTimer | Observe | Mark | Ignore
//! ```
//!
//! Duties of the driver:
//! 1. Carry out effects in the order in which they stand in the outbox, before the next step.
//! 2. Release a `Send` or `Reply` only once the `Persist`s named by its [`After`] are durable. Persists
//!    become durable in ticket order; the driver may group them, and reports each group with one
//!    `Persisted(highest ticket)`, which stands for all lower ones too.
//! 3. Deliver a `Send` to the core's own node as a `Message` from itself, without the network, after the
//!    same gate; such a message is never lost while the incarnation lives.
//! 4. Setting a timer again replaces it; the driver chooses where in `[min, max]` it fires.
//! 5. `now` never goes backwards within one incarnation, and is not comparable between nodes.
//! 6. A write or fsync that fails ends the node: no effect that waits for it is ever released.
//! 7. Messages may be lost, duplicated, delayed and reordered without bound. A link gives no order.
//!
//! Duties of a core: equal inputs give equal effects, byte for byte; `assert!` on its own state only; answer
//! whatever a peer or client sent, however wrong, with `Ignore(why)` at worst.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hash;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::SystemKind;
use crate::keys::SimulatedVerifier;
use crate::mutant::Mutants;
use crate::vocabulary::Vocabulary;

pub use crate::command::{Command, Outcome};
pub use crate::lies::{Lie, Telling};

/// A replica's place in the cluster, counted from 0; written `n0`, `n1`, ….
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct NodeId(pub u16);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A client's place among the clients, counted from 0; written `c0`, `c1`, …. It stays the same when the
/// client goes on under a new process id after a time-out.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ClientId(pub u32);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// How often a node has booted, counted from 1: durable, and higher at every start.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Incarnation(pub u64);

/// Microseconds on a node's or client's own clock: monotonic within one incarnation, not comparable
/// between nodes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LocalTime(pub u64);

/// A span on a local clock, in microseconds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Micros(pub u64);

impl Micros {
    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }
}

/// The name of one variable of the replicated store.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Key(pub u64);

/// What is stored under a key.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Value(pub u64);

/// Names one `Persist` of one incarnation. Tickets count up from 1 without gaps.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Ticket(pub u64);

/// Names one timer of a core; what the number means is the core's own business.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct TimerId(pub u64);

/// What must be durable before a message may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum After {
    /// Every `Persist` that this node issued before this effect: the rule unless a core says otherwise.
    #[default]
    EveryPersist,
    /// This ticket and all before it.
    Ticket(Ticket),
    /// Nothing: the message says only what a crash cannot take back.
    Nothing,
}

/// Why an input changed nothing: counted by the driver, never an error of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ignored(pub &'static str);

/// A place in the code that must sometimes be reached, by its name in the system's [`Vocabulary`]: a view
/// change that carries an uncommitted operation over, a liar that is outvoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Milestone(pub &'static str);

/// What a message or an observation shows of itself to rules, proxies, reports and logs. `Display` is one
/// stable line.
pub trait Describe: fmt::Display {
    /// Its kind, by the paper's name, as listed in the system's [`Vocabulary`] (`"UPDATE_OK"`).
    fn kind(&self) -> &'static str;

    /// The number in the field of this name, if it has such a field, and it is set; the [`Vocabulary`] lists
    /// each kind's fields.
    fn field(&self, name: &str) -> Option<u64>;
}

/// What a message is in its protocol: its kind and operation, slot, view or ballot, attempt; a hash of that,
/// and not of the values it carries. Two messages with one identity on one link are told apart by their
/// count only. The fate of a message is drawn from this, so that it stays when something else changes.
pub trait Identify {
    /// The hash. Spread well: it is used as it is.
    fn identity(&self) -> u64;
}

/// Draws a number from 0 up to, and without, the bound that it is given.
pub type Dice<'a> = dyn FnMut(u64) -> u64 + 'a;

/// Options by name, as a [`Vocabulary`] lists them.
pub type Options = BTreeMap<String, String>;

/// A protocol: the types that belong together, and what is known of them as data.
pub trait System: Sized + Send + Sync + 'static {
    /// Which one it is.
    const KIND: SystemKind;
    /// Checked options, shared by replicas and clients, with the mutants that are on.
    type Config: Clone + fmt::Debug + Send + Sync;
    /// Whatever travels between nodes, and between nodes and clients.
    type Message: Describe
        + Identify
        + Hash
        + Clone
        + fmt::Debug
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync;
    /// What a replica makes durable.
    type Record: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// What a core tells about its state transitions; invariants are checked over these.
    type Observation: Describe
        + Hash
        + Clone
        + fmt::Debug
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync;
    /// The replica core.
    type Replica: Replica<Self>;
    /// The client core.
    type Client: Client<Self>;

    /// Messages, options, mutants, sources: what may be known without knowing the core.
    fn vocabulary() -> &'static Vocabulary;

    /// Checks options (names and values as the [`Vocabulary`] lists them; absent ones take their default)
    /// for a cluster of `nodes`, and refuses what cannot work, naming why. A mutant that such a check
    /// would refuse weakens the check as well.
    fn configure(
        nodes: u16,
        options: &Options,
        mutants: Mutants,
    ) -> Result<Self::Config, ConfigError>;

    /// The functions that its clients can call ([`Command::function`]): it is asked for nothing else.
    fn functions(config: &Self::Config) -> &'static [&'static str];

    /// Whether anybody in such a cluster signs or verifies anything: otherwise nobody needs keys.
    fn signs(config: &Self::Config) -> bool;

    /// Whether these nodes, up and connected with each other and all clients, suffice for every operation.
    fn is_live(config: &Self::Config, nodes: &[NodeId]) -> bool;

    /// Whether every node answers every client that asks it, sooner or later, also where others have answered.
    /// Otherwise a node may drop what its client needs no more, and only operations must end.
    fn answers_all(config: &Self::Config) -> bool;

    /// How many nodes may lie at once while every promise still holds; 0 where none may.
    fn liars_tolerated(config: &Self::Config) -> u16;

    /// By how many millionths a node's clock may go too fast or too slow while every promise still holds, and
    /// then it may not jump at all. `None` where clocks may show what they like.
    fn drift_tolerated(config: &Self::Config) -> Option<u32>;

    /// How many nodes may be without their memory at once (down, or up and not [`Replica::remembers`]) while every
    /// operation still has to end: with more of them the system may stand still for ever, and every other promise
    /// holds. `None` where nodes find on disk what they need.
    fn forgetting_tolerated(config: &Self::Config) -> Option<u16>;

    /// Draws a cluster to be tested: how many nodes, and options that go together. Nothing but the dice
    /// decides: the same numbers give the same cluster, whatever is planted in it.
    fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options);

    /// The configuration after a change to `options` while the system runs; refuses what cannot be reached
    /// from `config`, naming why.
    fn change(config: &Self::Config, options: &Options) -> Result<Self::Config, ConfigError>;

    /// Draws options that the system can change to while it runs; nothing where it cannot change.
    fn draw_change(config: &Self::Config, dice: &mut Dice<'_>) -> Option<Options>;

    /// The lies that make sense for its replicas, in the order in which they are drawn: all of them are borne, from
    /// [`System::liars_tolerated`] replicas.
    fn lies(_config: &Self::Config) -> &'static [Lie] {
        Lie::COMMON
    }

    /// The lies of clients that it bears, from any number of clients: none where it believes its clients.
    fn client_lies(_config: &Self::Config) -> &'static [Lie] {
        &[]
    }

    /// How long a replica that is [`Lie::Slow`] keeps each message to itself: just under what makes the others do
    /// without it. Asked only where that is among [`System::lies`].
    fn slowness(_config: &Self::Config) -> Micros {
        Micros(0)
    }

    /// What a liar, a replica or a client, says in place of a message: nothing, or one message or several, all to its
    /// receiver. Just the message where this kind of lie does not touch that kind of message. The same telling gives
    /// the same. Not asked for [`Lie::Silent`], [`Lie::Starve`], [`Lie::Replay`], [`Lie::Slow`] and [`Lie::Twins`],
    /// which need not know what a message says.
    fn lie(behaviour: Lie, telling: &Telling<'_, Self>) -> Vec<Self::Message>;
}

/// An option, or a combination of options, that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No option has this name.
    #[error("the system has no option `{name}`; it has {known}")]
    UnknownOption {
        /// The name as given.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },
    /// The value cannot be read.
    #[error("option `{name}`: `{value}` is not {expected}")]
    BadValue {
        /// The option.
        name: &'static str,
        /// The value as given.
        value: String,
        /// What would be allowed, to follow "is not".
        expected: String,
    },
    /// Each option is fine, together they are not.
    #[error("{0}")]
    Impossible(String),
    /// Two sets that must meet do not, or meet in too few nodes.
    #[error("{what}: {first} and {second} {how}")]
    NoIntersection {
        /// Which two kinds of quorum, and why they must meet.
        what: String,
        /// One quorum, as `{n0, n1}`.
        first: String,
        /// The other.
        second: String,
        /// `do not meet`, or by how much they fall short.
        how: String,
    },
}

impl ConfigError {
    /// The option that is wrong by itself; nothing where it is options together that cannot work.
    pub fn option(&self) -> Option<&str> {
        match self {
            Self::UnknownOption { name, .. } => Some(name),
            Self::BadValue { name, .. } => Some(name),
            Self::Impossible(_) | Self::NoIntersection { .. } => None,
        }
    }
}

/// Values that liars make up are these and greater ones: nobody writes them.
pub const FORGED_VALUES: u64 = 1_000_000_000_000;

/// Secrets and public keys: what one node or client holds.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Keyring {
    /// The holder's own Ed25519 secret; nobody else has it.
    pub secret: [u8; 32],
    /// What it shares with one other each.
    pub shared: SharedKeys,
    /// Everybody's public keys.
    pub public: PublicKeys,
}

/// The keys that a holder shares with each of the others, by place, and with nobody else: for MACs.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SharedKeys {
    /// With the nodes, the holder itself among them if it is one.
    pub nodes: Vec<[u8; 32]>,
    /// With the clients; a client shares none with others.
    pub clients: Vec<[u8; 32]>,
}

/// The public Ed25519 keys of a cluster, by place.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublicKeys {
    /// Of the nodes.
    pub nodes: Vec<[u8; 32]>,
    /// Of the clients.
    pub clients: Vec<[u8; 32]>,
    /// In a simulated cluster, what stands for all of these.
    #[serde(skip)]
    pub simulated: Option<SimulatedVerifier>,
}

/// One record found on disk at start, in the order in which it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Recovered<R> {
    /// It reads back as it was written.
    Intact(R),
    /// Something was written here and cannot be read back; a torn tail is not among these, it was cut.
    Corrupt {
        /// Where: file and byte offset, for people.
        place: String,
    },
}

/// All that a replica starts from.
#[derive(Clone, Debug)]
pub struct Start<S: System> {
    /// Which node it is.
    pub me: NodeId,
    /// How often it has booted.
    pub incarnation: Incarnation,
    /// The cluster's options.
    pub config: S::Config,
    /// What it can sign with, and verify.
    pub keys: Keyring,
    /// Fresh randomness; a core never draws its own.
    pub entropy: u64,
    /// The local clock.
    pub now: LocalTime,
    /// The checkpoint's records, then those of the log.
    pub records: Vec<Recovered<S::Record>>,
}

/// A replica that cannot start from its disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A record is damaged and the protocol cannot do without it.
    #[error("corrupt record at {place}: refusing to start without it")]
    CorruptRecord {
        /// File and byte offset.
        place: String,
    },
}

/// What happens to a replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input<M> {
    /// A node (possibly this one) sent it.
    Message {
        /// The sender, as the link says; a core checks what the protocol needs beyond that.
        from: NodeId,
        /// What it sent.
        message: M,
    },
    /// A client sent it.
    Request {
        /// The sender.
        client: ClientId,
        /// What it sent.
        message: M,
    },
    /// All records up to this ticket are durable.
    Persisted(Ticket),
    /// A timer fired.
    Timer(TimerId),
}

/// What a replica wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<S: System> {
    /// Make it durable.
    Persist {
        /// Its name in `Persisted`.
        ticket: Ticket,
        /// What to write.
        record: S::Record,
    },
    /// Send to a node, possibly this one.
    Send {
        /// Receiver.
        to: NodeId,
        /// What.
        message: S::Message,
        /// Not before.
        after: After,
    },
    /// Send to a client.
    Reply {
        /// Receiver.
        client: ClientId,
        /// What.
        message: S::Message,
        /// Not before.
        after: After,
    },
    /// Wake this core between `min` and `max` from now, replacing the timer if it is set.
    SetTimer {
        /// Which.
        id: TimerId,
        /// Not before.
        min: Micros,
        /// Not after, as far as the driver can.
        max: Micros,
    },
    /// Do not.
    CancelTimer {
        /// Which.
        id: TimerId,
    },
    /// A state transition that an invariant speaks of.
    Observe(S::Observation),
    /// A place was reached that must sometimes be reached.
    Mark(Milestone),
    /// The input changed nothing.
    Ignore(Ignored),
}

/// Collects the effects of a replica. One outbox belongs to one incarnation: it numbers the tickets.
#[derive(Debug)]
pub struct Outbox<S: System> {
    last_ticket: Ticket,
    effects: Vec<Effect<S>>,
}

impl<S: System> Default for Outbox<S> {
    fn default() -> Self {
        Self { last_ticket: Ticket(0), effects: Vec::new() }
    }
}

impl<S: System> Outbox<S> {
    /// Asks for `record` to be made durable.
    pub fn persist(&mut self, record: S::Record) -> Ticket {
        self.last_ticket = Ticket(self.last_ticket.0 + 1);
        self.effects.push(Effect::Persist { ticket: self.last_ticket, record });
        self.last_ticket
    }

    /// Sends once every earlier persist is durable.
    pub fn send(&mut self, to: NodeId, message: S::Message) {
        self.send_after(After::EveryPersist, to, message);
    }

    /// Sends once `after` is durable.
    pub fn send_after(&mut self, after: After, to: NodeId, message: S::Message) {
        self.effects.push(Effect::Send { to, message, after });
    }

    /// Answers a client once every earlier persist is durable.
    pub fn reply(&mut self, client: ClientId, message: S::Message) {
        self.reply_after(After::EveryPersist, client, message);
    }

    /// Answers a client once `after` is durable.
    pub fn reply_after(&mut self, after: After, client: ClientId, message: S::Message) {
        self.effects.push(Effect::Reply { client, message, after });
    }

    /// Sets or replaces a timer.
    pub fn set_timer(&mut self, id: TimerId, min: Micros, max: Micros) {
        assert!(min <= max);
        self.effects.push(Effect::SetTimer { id, min, max });
    }

    /// Cancels a timer; nothing happens if it is not set.
    pub fn cancel_timer(&mut self, id: TimerId) {
        self.effects.push(Effect::CancelTimer { id });
    }

    /// Tells what happened, for the invariants.
    pub fn observe(&mut self, observation: S::Observation) {
        self.effects.push(Effect::Observe(observation));
    }

    /// Says that a place was reached that must sometimes be reached.
    pub fn mark(&mut self, name: &'static str) {
        self.effects.push(Effect::Mark(Milestone(name)));
    }

    /// Says that the input changed nothing, and why.
    pub fn ignore(&mut self, why: &'static str) {
        self.effects.push(Effect::Ignore(Ignored(why)));
    }

    /// The highest ticket given out so far; 0 before the first.
    pub fn last_ticket(&self) -> Ticket {
        self.last_ticket
    }

    /// How many effects there are.
    pub fn len(&self) -> usize {
        self.effects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// As new, for another incarnation, with the memory that it has.
    pub fn reset(&mut self) {
        self.last_ticket = Ticket(0);
        self.effects.clear();
    }

    /// Takes the effects out, in order, leaving the outbox empty and its allocation in place.
    pub fn drain(&mut self) -> alloc::vec::Drain<'_, Effect<S>> {
        self.effects.drain(..)
    }
}

/// A replica: a state machine that knows nothing of the world.
pub trait Replica<S: System>: Sized + Send {
    /// Comes up from what is on disk. Effects in `out` are carried out as after a step.
    fn start(start: Start<S>, out: &mut Outbox<S>) -> Result<Self, StartError>;

    /// Takes one input.
    fn step(&mut self, now: LocalTime, input: Input<S::Message>, out: &mut Outbox<S>);

    /// Records that bring a replica to this one's state, in place of all records persisted so far
    /// (those not yet durable included). The driver writes them as a checkpoint and empties the log.
    fn checkpoint(&self) -> Vec<S::Record>;

    /// Whether it knows what it knew in its earlier lives. One that has forgotten, and has not got it back from the
    /// others yet, is of no help to them.
    fn remembers(&self) -> bool {
        true
    }
}

/// All that a client starts from.
#[derive(Clone, Debug)]
pub struct ClientStart<S: System> {
    /// Which client it is.
    pub me: ClientId,
    /// Higher at every start of a client with this id against the same cluster.
    pub incarnation: Incarnation,
    /// The cluster's options.
    pub config: S::Config,
    /// What it can sign with, and verify.
    pub keys: Keyring,
    /// Fresh randomness.
    pub entropy: u64,
}

/// What happens to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClientInput<M> {
    /// Begin this operation. None is open.
    Invoke(Command),
    /// Change the system to these options, which [`System::change`] allows. Only the administrator, a client
    /// that does nothing else, is asked to; it ends with `Complete(Reconfigured)` and is never given up.
    Reconfigure(Options),
    /// A node sent it; perhaps in answer to an operation long given up.
    Message {
        /// The sender, as the link says.
        from: NodeId,
        /// What it sent.
        message: M,
    },
    /// A timer fired.
    Timer(TimerId),
    /// The open operation timed out: forget it and send nothing more for it. No `Complete` follows.
    GiveUp,
}

/// What a client wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEffect<S: System> {
    /// Send to a node.
    Send {
        /// Receiver.
        to: NodeId,
        /// What.
        message: S::Message,
    },
    /// The open operation ended so.
    Complete(Outcome),
    /// As [`Effect::SetTimer`].
    SetTimer {
        /// Which.
        id: TimerId,
        /// Not before.
        min: Micros,
        /// Not after, as far as the driver can.
        max: Micros,
    },
    /// As [`Effect::CancelTimer`].
    CancelTimer {
        /// Which.
        id: TimerId,
    },
    /// A transition that an invariant speaks of.
    Observe(S::Observation),
    /// As [`Effect::Mark`].
    Mark(Milestone),
    /// The input changed nothing.
    Ignore(Ignored),
}

/// A client: the other half of the protocol, as pure as a replica.
pub trait Client<S: System>: Sized + Send {
    /// Comes up with no operation open.
    fn start(start: ClientStart<S>) -> Self;

    /// Takes one input and appends its effects to `out`.
    fn step(
        &mut self,
        now: LocalTime,
        input: ClientInput<S::Message>,
        out: &mut Vec<ClientEffect<S>>,
    );
}
