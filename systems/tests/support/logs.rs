//! What replicas of a log are tested with, whatever protocol replicates it: what an operation costs, and any
//! part of a message at all.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]
#![allow(dead_code, reason = "each system uses its own part")]

use std::collections::BTreeMap;

use quorate_systems::contract::{
    ClientId, Command, Describe, Incarnation, Key, Keyring, NodeId, Outcome, System, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::kv::Store;
use quorate_systems::mutant::Mutants;
use quorate_systems::paxos::Entry;
use quorate_systems::smr::{Chain, Request, RequestNumber, Session, Slot, Snapshot};
use quorate_systems::wire::{Envelope, decode, encode};

use crate::dice::Dice;
use crate::support::{Flight, Happened, Net};

/// The messages that crossed the network and the records of each node since the last call.
pub(crate) fn costs<S: System>(net: &mut Net<S>) -> (usize, BTreeMap<NodeId, usize>) {
    let mut messages = 0;
    let mut records = BTreeMap::new();
    for happened in net.happened.drain(..) {
        match happened {
            Happened::Sent { from, to, .. } => messages += usize::from(from != to),
            Happened::Persisted { node, .. } => *records.entry(node).or_default() += 1,
            Happened::Started { .. }
            | Happened::Found { .. }
            | Happened::Durable { .. }
            | Happened::Observed { .. } => {}
        }
    }
    (messages, records)
}

/// How many one-way delays an operation takes until its client is answered.
pub(crate) fn delays<S: System>(net: &mut Net<S>, client: u32, command: Command) -> usize {
    net.invoke(client, command);
    (1..20)
        .find(|_| {
            // What a node says to itself takes no time.
            net.deliver(|flight| !flight.is_local());
            net.deliver_all(Flight::is_local);
            net.outcome(client).is_some()
        })
        .unwrap()
}

/// How many forced writes stand one after the other between a command and its answer.
pub(crate) fn forced_writes<S: System>(net: &mut Net<S>, client: u32, command: Command) -> usize {
    net.is_syncing = false;
    net.invoke(client, command);
    net.settle();
    let nodes = u16::try_from(net.nodes.len()).unwrap();
    let rounds = (0..20).find(|round| {
        if *round > 0 {
            (0..nodes).for_each(|node| net.sync(node, usize::MAX));
            net.settle();
        }
        net.outcome(client).is_some()
    });
    net.is_syncing = true;
    (0..nodes).for_each(|node| net.sync(node, usize::MAX));
    net.settle();
    rounds.unwrap()
}

/// What a node that signs nothing holds.
pub(crate) fn keyring() -> Keyring {
    ClusterKeys::simulated(1, 0).nodes.remove(0)
}

/// What is drawn can be configured, a majority keeps it alive, and it does not change while it runs.
pub(crate) fn draws<S: System>(also: impl Fn(&S::Config)) {
    let mut dice = Dice(7);
    for _ in 0..500 {
        let (nodes, options) = S::draw_cluster(&mut |bound| dice.below(bound));
        let config = S::configure(nodes, &options, Mutants::NONE).unwrap();
        let some = |count| (0..count).map(NodeId).collect::<Vec<_>>();
        assert!(S::is_live(&config, &some(nodes / 2 + 1)));
        assert!(!S::is_live(&config, &some(nodes / 2)));
        assert!(S::change(&config, &options).is_err());
        also(&config);
    }
}

/// Messages travel in frames, are shown in one line, and have the fields that the vocabulary lists for them, but for
/// those that `may_miss`; every kind is among them.
pub(crate) fn travel<S: System>(messages: impl Iterator<Item = S::Message>, may_miss: &[&str]) {
    let vocabulary = S::vocabulary();
    let mut kinds = Vec::new();
    for message in messages {
        let kind = vocabulary.messages.iter().find(|kind| kind.name == message.kind()).unwrap();
        let without: Vec<_> = kind.fields.iter().filter(|f| message.field(f).is_none()).collect();
        assert!(without.iter().all(|field| may_miss.contains(*field)), "{message}: {without:?}");
        assert_eq!(message.field("nothing"), None);
        kinds.push(kind.name);
        let shown = message.to_string();
        assert!(shown.starts_with(kind.name) && !shown.contains('\n'), "{shown}");
        let (from, incarnation) = (NodeId(1), Incarnation(1));
        let envelope = Envelope { from, incarnation, message };
        let frame = encode(vocabulary, &envelope).unwrap();
        assert_eq!(decode(vocabulary, &frame), Ok(envelope));
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), vocabulary.messages.len(), "every kind is there");
}

/// Parts of messages, whatever they are.
impl Dice {
    /// A number that is often small, and sometimes as large as can be.
    pub(crate) fn number(&mut self) -> u64 {
        match self.below(20) {
            0 => u64::MAX - self.below(3),
            1 => self.next(),
            2 => self.below(20_000),
            _ => self.below(6),
        }
    }

    pub(crate) fn slot(&mut self) -> Slot {
        Slot(self.number())
    }

    pub(crate) fn node(&mut self) -> NodeId {
        NodeId(u16::try_from(self.below(3)).unwrap())
    }

    pub(crate) fn command(&mut self) -> Command {
        let key = Key(self.below(2));
        match self.below(2) {
            0 => Command::Read { key },
            _ => Command::Write { key, value: Value(self.below(9)) },
        }
    }

    pub(crate) fn request_number(&mut self) -> RequestNumber {
        RequestNumber { incarnation: Incarnation(self.below(3)), seq: self.number() }
    }

    pub(crate) fn request(&mut self) -> Request {
        Request {
            client: ClientId(u32::try_from(self.below(3)).unwrap()),
            number: self.request_number(),
            command: self.command(),
        }
    }

    pub(crate) fn entry(&mut self) -> Entry {
        match self.below(3) {
            0 => Entry::Noop,
            _ => Entry::Request(self.request()),
        }
    }

    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let (index, chain) = (self.slot(), Chain(self.next()));
        let session = Session { number: self.request_number(), outcome: Outcome::Written };
        let clients = BTreeMap::from([(ClientId(1), session)]);
        let mut store = Store::new();
        store.apply(&Command::Write { key: Key(1), value: Value(self.below(9)) });
        Snapshot { index, chain, store, clients }
    }
}
