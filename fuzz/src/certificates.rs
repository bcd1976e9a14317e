//! What a new view of PBFT begins with, against what can have been committed: agreement by brute force.
//!
//! ```text
//! bytes ──► who hears what, who lies how, who is asked ──► certificates ──► decide, and what backups check
//! ```
//!
//! Views come and go; correct replicas miss what they may miss; up to f replicas say whatever their keys and what they
//! have heard let them prove. What some correct replica can have taken for committed stays, two correct replicas never take
//! different things for committed, and a quorum of honest VIEW-CHANGEs is always enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use quorate_systems::contract::{NodeId, Options, System};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{
    Authentication, Certificate, Config, Decision, Digest, Keys, NewView, Pbft, PrePrepared,
    Prepared, Proposal, Said, SignedViewChange, View, ViewChange, Vote, decide, is_new_view_valid,
    is_stable, is_view_change_valid,
};
use quorate_systems::smr::Slot;

use crate::mutant::mutants;
use crate::{Seed, Target};

/// View changes of PBFT: what may be committed is never lost.
///
/// The first byte says how many replicas there are and how they prove things, the next ones who lies; each other one is the
/// next thing that happens or not.
pub const TARGET: Target = Target {
    name: "pbft_certificates",
    about: "View changes of PBFT, with up to f liars: what may be committed is never lost, and a quorum is enough.",
    body,
    seeds,
    show,
};

/// Sequence numbers 1 to this.
const PLACES: u64 = 4;
/// A checkpoint covers the first of them.
const CHECKPOINT: u64 = 2;
const VIEWS: u64 = 6;

fn body(input: &[u8]) {
    let mut run = Run::new(input);
    run.play();
}

fn show(input: &[u8]) -> String {
    let mut run = Run::new(input);
    run.play();
    run.told
}

/// A few that go to the end, for each size and way: what they spell is drawn.
fn seeds() -> Vec<Seed> {
    let seed = |first: u8| {
        let drawn = (0..400_u64).scan(u64::from(first), |state, _| {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            Some(state.to_be_bytes()[0])
        });
        let bytes = [first].into_iter().chain(drawn).collect();
        Seed { name: format!("drawn-{first}"), bytes }
    };
    (0..8).map(seed).collect()
}

/// What one correct replica knows.
#[derive(Debug, Default)]
struct Replica {
    stable: Certificate,
    /// It has executed all up to the checkpoint.
    has_state: bool,
    prepared: BTreeMap<u64, Prepared>,
    pre_prepared: BTreeMap<(u64, Digest), u64>,
}

impl Replica {
    /// What is before a stable checkpoint is discarded.
    fn take_stable(&mut self, certificate: &Certificate) {
        if certificate.seq > self.stable.seq {
            self.has_state = true;
            self.stable = certificate.clone();
            self.prepared.retain(|place, _| *place > certificate.seq.0);
            self.pre_prepared.retain(|(place, _), _| *place > certificate.seq.0);
        }
    }
}

struct Run<'a> {
    left: &'a [u8],
    config: Config,
    keys: Vec<Keys>,
    liars: NodeSet,
    correct: BTreeMap<NodeId, Replica>,
    /// Which correct replicas have said that they take this batch in this view.
    takers: BTreeMap<(u64, u64, Digest), NodeSet>,
    /// What some correct replica can have taken for committed.
    committed: BTreeMap<u64, Digest>,
    told: String,
}

impl<'a> Run<'a> {
    fn new(input: &'a [u8]) -> Self {
        let (first, left) = input.split_first().unwrap_or((&0, &[]));
        let nodes = 4 + u16::from(first % 4);
        let way = if first & 4 == 0 { "signatures" } else { "hmac" };
        let options = [("authentication", way), ("checkpoint_every", "2")];
        let options: Options =
            options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let config = Pbft::configure(nodes, &options, mutants()).expect("it can work");
        let rings = ClusterKeys::simulated(nodes, 0).nodes;
        let places = config.nodes().zip(&rings);
        let keys = places.map(|(node, ring)| Keys::new(&config, ring, Party::Node(node))).collect();
        let mut run = Self {
            left,
            config,
            keys,
            liars: NodeSet::EMPTY,
            correct: BTreeMap::new(),
            takers: BTreeMap::new(),
            committed: BTreeMap::new(),
            told: format!("{nodes} replicas, {way}\n"),
        };
        for _ in 0..run.config.f {
            let liar = run.draw(nodes.into());
            run.liars.insert(NodeId(u16::try_from(liar).expect("a small number")));
        }
        let correct = run.config.nodes().filter(|node| !run.liars.contains(*node));
        run.correct = correct.map(|node| (node, Replica::default())).collect();
        run.tell(|run| format!("{} lie", run.liars));
        run
    }

    fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        let line = line(self);
        writeln!(self.told, "{line}").expect("a string takes all");
    }

    /// A number below `bound`, which is small; 0 where the bytes have come to an end.
    fn draw(&mut self, bound: u64) -> u64 {
        let Some((first, rest)) = self.left.split_first() else { return 0 };
        self.left = rest;
        u64::from(*first) % bound
    }

    /// Once in `bound`.
    fn is_rare(&mut self, bound: u64) -> bool {
        self.draw(bound) == 1
    }

    fn draw_digest(&mut self) -> Digest {
        Digest([u8::try_from(1 + self.draw(2)).expect("a small number"); 32])
    }

    fn play(&mut self) {
        for view in 0..VIEWS {
            if self.left.is_empty() {
                return;
            }
            let begun = if view == 0 { Some(BTreeMap::new()) } else { self.begin(view) };
            let Some(begun) = begun else { continue };
            for place in 1..=PLACES {
                self.agree(view, place, begun.get(&place).copied());
            }
            self.take_checkpoints();
        }
    }

    fn keys_of(&self, node: NodeId) -> &Keys {
        self.keys.get(usize::from(node.0)).expect("everybody has keys")
    }

    fn vote(&self, by: NodeId, said: &Said<'_>) -> Vote {
        Vote { by, proof: self.keys_of(by).sign(said) }
    }

    fn votes(&self, by: NodeSet, said: &Said<'_>) -> Vec<Vote> {
        by.iter().map(|node| self.vote(node, said)).collect()
    }
}

/// A view.
impl Run<'_> {
    /// One place in one view; `begun` is what correct replicas insist on.
    fn agree(&mut self, view: u64, place: u64, begun: Option<Digest>) {
        let primary = self.config.primary(View(view));
        let lies = self.liars.contains(primary);
        let proposed = self.draw_digest();
        let mut said: BTreeMap<Digest, NodeSet> = BTreeMap::new();
        let nodes: Vec<NodeId> = self.correct.keys().copied().collect();
        for node in nodes {
            let told = if lies { self.draw_digest() } else { proposed };
            let digest = begun.unwrap_or(told);
            let misses = self.is_rare(4) && node != primary;
            let is_discarded = self.correct.get(&node).is_some_and(|it| it.stable.seq.0 >= place);
            if misses || is_discarded {
                continue;
            }
            said.entry(digest).or_default().insert(node);
            if let Some(replica) = self.correct.get_mut(&node) {
                replica.pre_prepared.insert((place, digest), view);
            }
        }
        for (digest, takers) in said {
            self.takers.insert((view, place, digest), takers);
            self.prepare((view, place, digest), takers);
        }
    }

    fn prepare(&mut self, what: (u64, u64, Digest), takers: NodeSet) {
        let (view, place, digest) = what;
        let can_vote = takers.union(self.liars);
        let is_proposed = can_vote.contains(self.config.primary(View(view)));
        if can_vote.len() < self.config.quorum() || !is_proposed {
            return;
        }
        let mut prepared = NodeSet::EMPTY;
        for node in takers.iter() {
            if self.is_rare(3) {
                continue;
            }
            prepared.insert(node);
            let claim = self.claim(what, can_vote);
            if let Some(replica) = self.correct.get_mut(&node) {
                replica.prepared.insert(place, claim);
            }
        }
        self.tell(|_| format!("v{view} s{place} {digest} prepared by {prepared}"));
        if prepared.union(self.liars).len() < self.config.quorum() {
            return;
        }
        let before = *self.committed.entry(place).or_insert(digest);
        assert_eq!(before, digest, "{}v{view} s{place} is committed twice", self.told);
    }

    /// That this was prepared, with whatever these can say for it.
    fn claim(&self, (view, place, digest): (u64, u64, Digest), voters: NodeSet) -> Prepared {
        let (view, seq) = (View(view), Slot(place));
        let primary = self.config.primary(view);
        let mut shown = Vec::new();
        if self.config.authentication == Authentication::Signatures {
            shown.push(self.vote(primary, &Said::PrePrepare { view, seq, digest }));
            let others = voters.without(NodeSet::of(primary));
            shown.extend(self.votes(others, &Said::Prepare { view, seq, digest }));
        }
        Prepared { view, seq, digest, votes: shown }
    }

    /// Correct replicas that have executed all up to the checkpoint say so, and discard what is before it when it is stable.
    fn take_checkpoints(&mut self) {
        if !(1..=CHECKPOINT).all(|place| self.committed.contains_key(&place)) {
            return;
        }
        let mut sayers = NodeSet::EMPTY;
        let nodes: Vec<NodeId> = self.correct.keys().copied().collect();
        for node in nodes.iter().copied() {
            let says = !self.is_rare(3);
            if let Some(replica) = self.correct.get_mut(&node).filter(|it| says || it.has_state) {
                replica.has_state = true;
                sayers.insert(node);
            }
        }
        let (seq, digest) = (Slot(CHECKPOINT), Digest([9; 32]));
        let votes = self.votes(sayers.union(self.liars), &Said::Checkpoint { seq, digest });
        let certificate = Certificate { seq, digest, votes };
        for node in nodes {
            if !is_stable(self.keys_of(node), &self.config, &certificate) || self.is_rare(2) {
                continue;
            }
            if let Some(replica) = self.correct.get_mut(&node) {
                replica.take_stable(&certificate);
            }
            self.tell(|_| format!("the checkpoint is stable at {node}"));
        }
    }
}

/// The change to a view.
impl Run<'_> {
    /// What a view begins with; nothing where it does not begin.
    fn begin(&mut self, view: u64) -> Option<BTreeMap<u64, Digest>> {
        let mut all = Vec::new();
        let nodes: Vec<NodeId> = self.correct.keys().copied().collect();
        for node in nodes {
            if !self.is_rare(6) {
                let change = self.honest(node, view);
                let is_valid = is_view_change_valid(self.keys_of(node), &self.config, &change);
                assert!(is_valid, "{}{node} may not say {change}", self.told);
                all.push(self.signed(node, change));
            }
        }
        let honest = u32::try_from(all.len()).expect("a few");
        for liar in self.liars.iter().collect::<Vec<_>>() {
            let change = self.lie(view);
            if is_view_change_valid(self.keys_of(liar), &self.config, &change) {
                all.push(self.signed(liar, change));
            }
        }
        let is_enough = honest >= self.config.quorum();
        let is_decided = decide(&self.config, &all).is_some();
        assert!(!is_enough || is_decided, "{}v{view} does not begin", self.told);
        // Whoever comes first: a primary that lies may choose.
        for place in (1..all.len()).rev() {
            let other = self.draw(place as u64 + 1);
            all.swap(place, usize::try_from(other).expect("a small number"));
        }
        let mut votes = Vec::new();
        let decision = all.into_iter().find_map(|vote| {
            votes.push(vote);
            decide(&self.config, &votes)
        })?;
        Some(self.check(view, votes, &decision))
    }

    /// What backups check, and that nothing is lost.
    fn check(
        &mut self,
        view: u64,
        votes: Vec<SignedViewChange>,
        decision: &Decision,
    ) -> BTreeMap<u64, Digest> {
        let by = self.config.primary(View(view));
        let proposals = decision.proposals.iter().map(|what| self.proposal(View(view), by, *what));
        let proposals: Vec<Proposal> = proposals.collect();
        let new_view = NewView { view: View(view), votes, proposals };
        self.tell(|_| format!("NEW-VIEW {new_view}"));
        let is_valid =
            |new_view: &NewView| is_new_view_valid(self.keys_of(by), &self.config, by, new_view);
        assert!(is_valid(&new_view), "{}nobody takes it", self.told);
        let begun: BTreeMap<u64, Digest> =
            decision.proposals.iter().map(|(seq, digest)| (seq.0, *digest)).collect();
        for (place, digest) in &self.committed {
            let is_kept =
                *place <= decision.stable.seq.0 || begun.get(place).is_some_and(|it| it == digest);
            assert!(is_kept, "{}s{place} held {digest}", self.told);
        }
        let mut less = new_view.clone();
        if less.proposals.pop().is_some() && mutants().0.is_none() {
            assert!(!is_valid(&less), "{}a proposal less is taken", self.told);
        }
        // Whoever has the state takes part in nothing before the view's checkpoint any more; others may be late.
        let nodes: Vec<NodeId> = self.correct.keys().copied().collect();
        for node in nodes {
            let is_late = self.is_rare(3);
            if let Some(replica) = self.correct.get_mut(&node).filter(|it| it.has_state || !is_late)
            {
                replica.take_stable(&decision.stable);
            }
        }
        begun
    }

    fn proposal(&self, view: View, by: NodeId, (seq, digest): (Slot, Digest)) -> Proposal {
        let said = Said::PrePrepare { view, seq, digest };
        let is_signed = self.config.authentication == Authentication::Signatures;
        Proposal { seq, digest, proof: is_signed.then(|| self.keys_of(by).sign(&said)) }
    }

    fn signed(&self, by: NodeId, change: ViewChange) -> SignedViewChange {
        let proof = self.keys_of(by).sign(&Said::ViewChange(&change));
        SignedViewChange { by, body: Arc::new(change), proof }
    }

    fn honest(&self, node: NodeId, view: u64) -> ViewChange {
        let replica = self.correct.get(&node).expect("it is correct");
        let elements = replica.pre_prepared.iter().map(|((seq, digest), view)| PrePrepared {
            seq: Slot(*seq),
            digest: *digest,
            view: View(*view),
        });
        let is_told = self.config.authentication == Authentication::Hmac;
        ViewChange {
            view: View(view),
            stable: replica.stable.clone(),
            prepared: replica.prepared.values().cloned().collect(),
            pre_prepared: elements.filter(|_| is_told).collect(),
        }
    }

    /// Claims of which some may be provable, with the words that correct replicas have given.
    fn lie(&mut self, view: u64) -> ViewChange {
        let mut change = ViewChange {
            view: View(view),
            stable: Certificate::default(),
            prepared: Vec::new(),
            pre_prepared: Vec::new(),
        };
        for place in 1..=PLACES {
            if self.is_rare(2) {
                continue;
            }
            let (claimed, digest) = (self.draw(view), self.draw_digest());
            let takers = self.takers.get(&(claimed, place, digest)).copied().unwrap_or_default();
            let voters = takers.union(self.liars);
            let can_prove = voters.len() >= self.config.quorum()
                && voters.contains(self.config.primary(View(claimed)));
            if self.config.authentication == Authentication::Hmac {
                let seq = Slot(place);
                change.pre_prepared.push(PrePrepared { seq, digest, view: View(claimed) });
            } else if !can_prove {
                continue;
            }
            change.prepared.push(self.claim((claimed, place, digest), voters));
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_reach_what_this_is_about() {
        let told: String = seeds().iter().map(|seed| show(&seed.bytes)).collect();
        for what in ["NEW-VIEW", "NULL", "prepared by", "the checkpoint is stable", "hmac"] {
            assert!(told.contains(what), "{what}: {told}");
        }
    }
}
