//! Streams: one core, and a world around it that is nothing but the bytes of an input.
//!
//! ```text
//! ┌─────────┬───────┬───────┬───────┬─ ─ ─
//! │ cluster │ flags │ step  │ step  │  …       a step has WIDTH bytes: whatever a fuzzer does to one of them
//! └─────────┴───────┴───────┴───────┴─ ─ ─     changes one thing that happens, and nothing before it
//!
//!   step ──► input ──┬──► core ───► effects ──┐
//!                    │                        ├──► as the contract says? as the model says?
//!                    └──► model ──► expected ─┘    what do the invariants say?
//! ```
//!
//! The world may do whatever the contract between core and driver lets it do: messages of nodes that exist and of
//! clients, in any number and order and with any content; timers that are set; a disk that is late, and crashes
//! that lose what was not durable. So a finding is one about the core, or about the model.
//!
//! - [`replica`] drives a replica, [`client`] a client; both know a protocol by [`Streamed`] only.
//! - A [`Model`] is a second implementation of the protocol, of the plainest kind, that says before each step
//!   what must come of it; or it judges what comes, where a whole second implementation would be as long as the first.
//!   It shares types with the core, and no code.
//!
//! Adding a protocol: the clusters, [`Streamed`] for its system, and a target of a few lines
//! ([`quorum`] is an example). Without a model all but agreement with one is checked ([`NoModel`]).

mod bench;
pub mod client;
mod disk;
mod expected;
pub mod paxos;
pub mod paxos_single;
pub mod pbft;
mod pool;
pub mod quorum;
mod recorded;
pub mod replica;
mod step;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trail;
pub mod vr;
mod watch;

use std::fmt;
use std::rc::Rc;

use quorate_systems::contract::{ClientId, Input, NodeId, Options, System};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_world::invariants::{Watched, Who};

use self::client::ClientModel;
pub use expected::{Expected, To};
pub use pool::{Pool, Spoken};
pub use step::{Dice, Header, STEPS_MAX, Step, WIDTH};

/// A system whose replicas are fed streams.
pub trait Streamed: Watched + Clone + fmt::Debug + PartialEq {
    /// What says how a replica must behave.
    type Model: Model<Self>;

    /// What says how a client must behave.
    type ClientModel: ClientModel<Self>;

    /// What others speak with, made ready once for each cluster: keys, and what takes long to make. Mostly nothing.
    type Kit;

    /// The invariants that speak of one node, whatever others do: those that are demanded here.
    const LOCAL: &'static [&'static str];

    /// Whether a replica must refuse to start without a record that is damaged.
    const NEEDS_EVERY_RECORD: bool;

    /// Whether the invariants are told that all other nodes lie: for protocols that bear liars.
    const DO_OTHERS_LIE: bool = false;

    /// Makes ready what others speak with, in a cluster with these keys.
    fn kit(config: &Self::Config, keys: Option<&ClusterKeys>) -> Self::Kit;

    /// Whether the invariants are shown this message. Not, where they take it that nobody contradicts himself, and
    /// that is what happens here.
    fn is_watched(message: &Self::Message, is_by_core: bool) -> bool;

    /// Whether the invariants are shown this observation of the core: it must help those that are demanded.
    fn is_told(observation: &Self::Observation) -> bool;

    /// Something new that somebody sends to the core: by dice, from a small scope around what the core has
    /// heard and said. Never from the core's own node.
    fn forge(scope: &Scope<'_, Self>, dice: Dice) -> (Who, Self::Message);

    /// An answer of the node `from` to what the core has sent; nothing where that is no question.
    fn answer(
        scope: &Scope<'_, Self>,
        said: &Self::Message,
        from: NodeId,
        dice: Dice,
    ) -> Option<Self::Message>;

    /// Changes one field of what the core has heard of `from`.
    fn alter(scope: &Scope<'_, Self>, from: Who, message: &mut Self::Message, dice: Dice);

    /// Whether these messages say the same; they do not where they differ in more than words for people.
    fn alike(one: &Self::Message, other: &Self::Message) -> bool {
        one == other
    }
}

/// What a message is forged from.
pub struct Scope<'a, S: Streamed> {
    /// The cluster.
    pub cluster: &'a Cluster<S>,
    /// The core's node; nothing for a client.
    pub me: Option<NodeId>,
    /// What the core heard last.
    pub heard: &'a Pool<S::Message>,
    /// What it said last.
    pub said: &'a Pool<S::Message>,
    /// The state that it should be in.
    pub model: &'a S::Model,
    /// Counts up with the steps: whoever needs a fresh number takes this.
    pub serial: u64,
}

impl<S: Streamed> Scope<'_, S> {
    /// A node that is not the core's own, where there is one.
    fn other_node(&self, dice: Dice) -> Option<NodeId> {
        let nodes = self.cluster.nodes;
        let place = u16::from(dice.who & 7);
        match self.me {
            None => place.checked_rem(nodes).map(NodeId),
            Some(me) => {
                let place = place.checked_rem(nodes - 1)?;
                Some(NodeId(if place < me.0 { place } else { place + 1 }))
            }
        }
    }

    /// Such a node, or a client.
    fn sender(&self, dice: Dice) -> Who {
        match self.other_node(dice) {
            Some(node) if dice.who & 8 == 0 => Who::Node(node),
            Some(_) | None => Who::Client(dice.client()),
        }
    }
}

/// A second opinion on what a replica does: as simple as can be, and written from the protocol's description.
pub trait Model<S: Streamed>: Sized {
    /// A model of nothing yet.
    fn new() -> Self;

    /// From here on of node `me` of this cluster, with an empty disk.
    fn reset(&mut self, cluster: &Cluster<S>, me: NodeId);

    /// What the node's clock shows from here on, in microseconds.
    fn at(&mut self, _now: u64) {}

    /// The node comes up, for the time `incarnation`, and finds its disk so.
    fn start(&mut self, incarnation: u64, disk: &OnDisk<'_, S::Record>, expected: &mut Expected<S>);

    /// The node takes an input: says what must come of it.
    fn step(&mut self, input: &Input<S::Message>, expected: &mut Expected<S>);

    /// Whether the core may choose these nodes to send `message` to, which it was to choose itself.
    fn may_choose(&mut self, message: &S::Message, nodes: u64) -> bool;

    /// The core asks for a record to be made durable: for models that cannot know before what must come of a step, and
    /// judge what comes. They panic where it must not be. The other four are for them as well.
    fn has_persisted(&mut self, _record: &S::Record) {}

    /// The core sends to a node, once the ticket `after` is durable.
    fn has_sent(&mut self, _to: NodeId, _message: &S::Message, _after: u64) {}

    /// The core answers a client, once the ticket `after` is durable.
    fn has_answered(&mut self, _client: ClientId, _message: &S::Message, _after: u64) {}

    /// The core tells what it has done.
    fn has_told(&mut self, _observation: &S::Observation) {}

    /// The step is over: nothing more comes of it.
    fn is_over(&mut self) {}

    /// Whether what others have said cannot be said by real nodes, whatever the core makes of it: nothing is asked of it any
    /// more then. For protocols that nobody can lie in without harm.
    fn is_absurd(&self) -> bool {
        false
    }

    /// How many timers must be set at least, so that the node does not fall asleep over its work.
    fn timers_min(&self) -> usize;

    /// A hash of the state with all detail left out: states with one hash are of one kind.
    fn state(&self) -> u64;
}

/// A disk as a replica finds it.
#[derive(Debug)]
pub struct OnDisk<'a, R> {
    /// Everything that was ever written and not lost, whatever checkpoints say.
    pub written: &'a [R],
    /// The checkpoint.
    pub checkpoint: &'a [R],
    /// What was written after it.
    pub log: &'a [R],
}

/// For protocols that have no model yet: nothing is expected.
#[derive(Debug)]
pub struct NoModel;

impl<S: Streamed> Model<S> for NoModel {
    fn new() -> Self {
        Self
    }

    fn reset(&mut self, _cluster: &Cluster<S>, _me: NodeId) {}

    fn start(
        &mut self,
        _incarnation: u64,
        _disk: &OnDisk<'_, S::Record>,
        expected: &mut Expected<S>,
    ) {
        expected.know_nothing();
    }

    fn step(&mut self, _input: &Input<S::Message>, expected: &mut Expected<S>) {
        expected.know_nothing();
    }

    fn may_choose(&mut self, _message: &S::Message, _nodes: u64) -> bool {
        true
    }

    fn timers_min(&self) -> usize {
        0
    }

    fn state(&self) -> u64 {
        0
    }
}

/// A cluster that streams run in, configured once.
pub struct Cluster<S: Streamed> {
    /// How many nodes.
    pub nodes: u16,
    /// Its options, in words.
    pub options: &'static str,
    /// Its checked options.
    pub config: S::Config,
    /// Everybody's keys, where anybody signs.
    pub keys: Option<ClusterKeys>,
    /// What others speak with.
    pub kit: Rc<S::Kit>,
    /// Options that it can change to while it runs, as it starts.
    pub changes: Vec<Options>,
    /// Which planted bug is on.
    pub mutants: Mutants,
}

/// So many clients have keys, and send.
pub const CLIENTS: u32 = 4;

impl<S: Streamed> Cluster<S> {
    /// A cluster of `nodes` with options as they stand on a command line: `name=value name=value`.
    ///
    /// # Panics
    /// Where the options cannot work: they are part of a target.
    pub fn new(nodes: u16, options: &'static str, mutants: Mutants) -> Self {
        let config = S::configure(nodes, &parse(options), mutants);
        let config = config.unwrap_or_else(|error| panic!("{nodes} nodes, {options}: {error}"));
        let keys = S::signs(&config).then(|| ClusterKeys::simulated(nodes, CLIENTS));
        let kit = Rc::new(S::kit(&config, keys.as_ref()));
        let changes = (0..CHANGES).filter_map(|seed| draw_change::<S>(&config, seed)).collect();
        Self { nodes, options, config, keys, kit, changes, mutants }
    }

    /// Several, each of so many nodes with such options.
    ///
    /// # Panics
    /// As [`Cluster::new`].
    pub fn all(which: &[(u16, &'static str)], mutants: Mutants) -> Vec<Self> {
        which.iter().map(|(nodes, options)| Self::new(*nodes, options, mutants)).collect()
    }
}

impl<S: Streamed> fmt::Display for Cluster<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nodes, {}", self.nodes, self.options)?;
        match self.mutants.0 {
            Some(mutant) => write!(f, ", {mutant}"),
            None => Ok(()),
        }
    }
}

/// So many changes are tried.
const CHANGES: u64 = 4;

/// A change by dice that follow from `seed`.
fn draw_change<S: System>(config: &S::Config, seed: u64) -> Option<Options> {
    let mut state = seed;
    let mut dice = |bound: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) % bound.max(1)
    };
    S::draw_change(config, &mut dice)
}

/// Options as they stand on a command line.
pub(crate) fn parse(options: &str) -> Options {
    let pairs = options.split_whitespace().filter_map(|option| option.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
