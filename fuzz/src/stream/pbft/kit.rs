//! What others speak with: everybody's keys, and the batches and states that they mostly speak of.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_systems::contract::{ClientId, Command, Incarnation, Key, NodeId, Value};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::kv::Store;
use quorate_systems::mutant::Mutants;
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{Batch, Config, Digest, Keys, SignedRequest};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot, Snapshot};

use crate::stream::CLIENTS;

/// Of one cluster. Nothing is planted in it, whatever is in the core.
#[derive(Debug)]
pub struct Kit {
    /// The core's options, without a planted bug.
    pub(super) config: Config,
    nodes: Vec<Keys>,
    clients: Vec<Keys>,
    /// For each sequence number what an honest primary mostly proposes, and others that there could be.
    batches: Vec<[Named; VARIANTS]>,
    /// After each sequence number a state that replicas may have had.
    states: BTreeMap<Slot, (Digest, Arc<Snapshot>)>,
}

/// A batch and its digest.
pub(super) type Named = (Digest, Arc<Batch>);

/// So many batches are ready for a sequence number.
const VARIANTS: usize = 3;
/// They are ready for these first sequence numbers: streams do not come further.
const SLOTS: u64 = 24;
/// The clients from here on lie.
const FIRST_LIAR: u32 = 2;

impl Kit {
    pub(super) fn new(config: &Config, keys: Option<&ClusterKeys>) -> Self {
        let config = Config { mutants: Mutants::NONE, ..config.clone() };
        let keys = keys.expect("everybody signs");
        let node = |(place, ring)| Keys::new(&config, ring, Party::Node(NodeId(place)));
        let client = |(place, ring)| Keys::new(&config, ring, Party::Client(ClientId(place)));
        let mut kit = Self {
            nodes: (0..).zip(&keys.nodes).map(node).collect(),
            clients: (0..).zip(&keys.clients).map(client).collect(),
            config,
            batches: Vec::new(),
            states: BTreeMap::new(),
        };
        kit.batches = (1..=SLOTS).map(|seq| kit.variants(seq)).collect();
        let states = (1..=SLOTS).filter(|seq| seq.is_multiple_of(kit.config.checkpoint_every));
        kit.states = states.map(|seq| (Slot(seq), kit.state_after(seq))).collect();
        kit
    }

    fn variants(&self, seq: u64) -> [Named; VARIANTS] {
        let (key, value) = (Key(seq & 1), Value(1 + (seq & 3)));
        let by = |client: u64, command| {
            let client = ClientId(u32::try_from(client).unwrap_or(0) % CLIENTS);
            let number = RequestNumber { incarnation: Incarnation(1), seq };
            self.signed(Request { client, number, command }, false)
        };
        let write = by(seq, Command::Write { key, value });
        let append = by(seq + 1, Command::Append { key, value });
        let read = by(seq + 2, Command::Read { key });
        [vec![write.clone()], vec![append], vec![read, write]]
            .map(|requests| self.named(Batch(requests)))
    }

    fn state_after(&self, seq: u64) -> (Digest, Arc<Snapshot>) {
        let mut store = Store::new();
        store.apply(&Command::Write { key: Key(seq & 1), value: Value(seq) });
        let snapshot =
            Snapshot { index: Slot(seq), chain: Chain(seq), store, clients: BTreeMap::new() };
        (self.any().snapshot_digest(&snapshot), Arc::new(snapshot))
    }

    /// The request as its client signs it.
    pub(super) fn signed(&self, request: Request, is_read_only: bool) -> SignedRequest {
        let client = self.keys_of(Party::Client(request.client));
        client.sign_request(request, is_read_only)
    }

    pub(super) fn named(&self, batch: Batch) -> Named {
        (self.any().batch_digest(&batch), Arc::new(batch))
    }

    /// Somebody's keys.
    ///
    /// # Panics
    /// Where there is nobody of that name.
    pub(super) fn keys_of(&self, party: Party) -> &Keys {
        let keys = match party {
            Party::Node(node) => self.nodes.get(usize::from(node.0)),
            Party::Client(ClientId(client)) => {
                usize::try_from(client).ok().and_then(|client| self.clients.get(client))
            }
        };
        keys.unwrap_or_else(|| panic!("{party} has no keys"))
    }

    /// The keys of a replica.
    pub(super) fn of_node(&self, node: NodeId) -> &Keys {
        self.keys_of(Party::Node(node))
    }

    /// Keys of anybody: what all can check, and digests.
    pub(super) fn any(&self) -> &Keys {
        self.of_node(NodeId(0))
    }

    /// What is mostly proposed for a sequence number, or another of a few; nothing, which is the NULL request, for later
    /// ones.
    pub(super) fn batch(&self, seq: Slot, variant: u8) -> Named {
        let place = seq.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let variants = place.and_then(|place| self.batches.get(place));
        let named = variants.and_then(|all| all.get(usize::from(variant) % VARIANTS)).cloned();
        named.unwrap_or_default()
    }

    /// One of these by its digest.
    pub(super) fn batch_of(&self, digest: Digest) -> Option<Arc<Batch>> {
        let mut all = self.batches.iter().flatten();
        all.find(|(known, _)| *known == digest).map(|(_, batch)| batch.clone())
    }

    /// A state after a sequence number that is a checkpoint's.
    pub(super) fn state(&self, seq: Slot) -> Option<&(Digest, Arc<Snapshot>)> {
        self.states.get(&seq)
    }

    /// The replicas that lie, f of them: those that follow the core's own.
    pub(super) fn liars(&self, me: NodeId) -> NodeSet {
        let nodes = self.config.nodes;
        (1..=self.config.f).map(|more| NodeId((me.0 + more) % nodes)).collect()
    }

    /// Whether a client lies. Any number of them may.
    pub(super) const fn is_client_lying(client: ClientId) -> bool {
        client.0 >= FIRST_LIAR
    }
}
