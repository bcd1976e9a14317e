//! The whole of agreement at a few places, by brute force: views come and go, replicas miss what they may miss, up to f
//! of them say whatever they can prove. What some correct replica can have taken for committed stays, whatever becomes
//! of it later, and a quorum of honest VIEW-CHANGEs is always enough.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::*;

/// Sequence numbers 1 to this.
const PLACES: u64 = 2;
const VIEWS: u64 = 5;

/// What one correct replica knows.
#[derive(Clone, Default)]
struct Replica {
    prepared: BTreeMap<u64, Prepared>,
    pre_prepared: BTreeMap<(u64, Digest), u64>,
}

struct Model {
    cluster: Cluster,
    random: u64,
    liars: NodeSet,
    correct: BTreeMap<u16, Replica>,
    /// Which correct replicas have said that they take this batch in this view.
    takers: BTreeMap<(u64, u64, Digest), NodeSet>,
    /// What some correct replica can have taken for committed.
    committed: BTreeMap<u64, Digest>,
}

/// What a view begins with, as each correct replica checks it.
type Begun = BTreeMap<u64, Digest>;

impl Model {
    fn new(nodes: u16, way: &str, mutant: Option<Mutant>, seed: u64) -> Self {
        let cluster = Cluster::new(nodes, way, mutant);
        let f = cluster.config.f;
        let mut model = Self {
            cluster,
            random: seed,
            liars: NodeSet::EMPTY,
            correct: BTreeMap::new(),
            takers: BTreeMap::new(),
            committed: BTreeMap::new(),
        };
        while model.liars.len() < u32::from(f) {
            let liar = model.draw(nodes.into());
            model.liars.insert(NodeId(u16::try_from(liar).unwrap()));
        }
        let is_liar = |node: &u16| model.liars.contains(NodeId(*node));
        let correct = (0..nodes).filter(|node| !is_liar(node));
        model.correct = correct.map(|node| (node, Replica::default())).collect();
        model
    }

    /// A number below `bound` (splitmix64).
    fn draw(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.draw(100) < percent
    }

    fn draw_digest(&mut self) -> Digest {
        digest(u8::try_from(1 + self.draw(2)).unwrap())
    }

    fn run(mut self) -> Result<Reached, String> {
        let mut reached = Reached::default();
        for view in 0..VIEWS {
            let begun = if view == 0 { Some(Begun::new()) } else { self.begin(view)? };
            let Some(begun) = begun else { continue };
            reached.carried += u64::from(begun.values().any(|digest| *digest != Digest::NULL));
            reached.nulls += u64::from(begun.values().any(|digest| *digest == Digest::NULL));
            for place in 1..=PLACES {
                self.agree(view, place, begun.get(&place).copied())?;
            }
        }
        reached.committed += u64::from(!self.committed.is_empty());
        Ok(reached)
    }

    /// One place in one view; `begun` is what correct replicas insist on.
    fn agree(&mut self, view: u64, place: u64, begun: Option<Digest>) -> Result<(), String> {
        let primary = self.cluster.config.primary(View(view));
        let is_liar = self.liars.contains(primary);
        let proposed = self.draw_digest();
        let nodes: Vec<u16> = self.correct.keys().copied().collect();
        for node in nodes.iter().copied() {
            let told = if is_liar { self.draw_digest() } else { proposed };
            let digest = begun.unwrap_or(told);
            let takes = self.happens(80) || (node == primary.0);
            if takes {
                self.takers.entry((view, place, digest)).or_default().insert(NodeId(node));
                let replica = self.correct.get_mut(&node).unwrap();
                replica.pre_prepared.insert((place, digest), view);
            }
        }
        let said: Vec<_> = self.takers.range((view, place, Digest::NULL)..).collect();
        let said: Vec<_> = said
            .into_iter()
            .filter(|(key, _)| (key.0, key.1) == (view, place))
            .map(|(key, takers)| (key.2, *takers))
            .collect();
        for (digest, takers) in said {
            self.prepare(view, place, digest, takers)?;
        }
        Ok(())
    }

    fn prepare(
        &mut self,
        view: u64,
        place: u64,
        digest: Digest,
        takers: NodeSet,
    ) -> Result<(), String> {
        let config = self.cluster.config.clone();
        let can_vote = takers.union(self.liars);
        if can_vote.len() < config.quorum() || !can_vote.contains(config.primary(View(view))) {
            return Ok(());
        }
        let mut prepared = 0;
        for node in takers.iter() {
            if !self.happens(70) {
                continue;
            }
            prepared += 1;
            let claim = self.claim(view, place, digest, can_vote);
            let replica = self.correct.get_mut(&node.0).unwrap();
            replica.prepared.insert(place, claim);
        }
        if prepared + self.liars.len() < config.quorum() {
            return Ok(());
        }
        match self.committed.insert(place, digest) {
            Some(before) if before != digest => {
                Err(format!("at {place}, {before} and in view {view} {digest}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// That this was prepared, with whatever these can say for it.
    fn claim(&self, view: u64, place: u64, digest: Digest, who: NodeSet) -> Prepared {
        let (view, seq) = (View(view), Slot(place));
        let primary = self.cluster.config.primary(view).0;
        let proposal = Said::PrePrepare { view, seq, digest };
        let mut votes = vec![self.cluster.vote(primary, &proposal)];
        let others = who.iter().map(|node| node.0).filter(|node| *node != primary);
        let others: Vec<u16> = others.collect();
        votes.extend(self.cluster.votes(&others, &Said::Prepare { view, seq, digest }));
        if self.cluster.config.authentication == Authentication::Hmac {
            votes.clear();
        }
        Prepared { view, seq, digest, votes }
    }

    /// The VIEW-CHANGEs for `view`, and what it begins with; nothing where it does not begin.
    fn begin(&mut self, view: u64) -> Result<Option<Begun>, String> {
        let (mut honest, mut lies) = (vec![], vec![]);
        let nodes: Vec<u16> = self.correct.keys().copied().collect();
        for node in nodes {
            if self.happens(85) {
                let change = self.honest(node, view);
                if !self.cluster.is_valid(&change) {
                    return Err(format!("n{node} may not say {change}"));
                }
                honest.push(self.cluster.signed(node, change));
            }
        }
        for liar in self.liars.iter() {
            let change = self.lie(view);
            // What it cannot prove it leaves out.
            let change =
                if self.cluster.is_valid(&change) { change } else { view_change(view, vec![]) };
            lies.push(self.cluster.signed(liar.0, change));
        }
        let is_enough = honest.len() >= usize::try_from(self.cluster.config.quorum()).unwrap();
        let mut all = honest;
        all.extend(lies);
        if is_enough && decide(&self.cluster.config, &all).is_none() {
            return Err(format!("view {view} does not begin, with all who are correct"));
        }
        // Whoever comes first: a primary that lies may choose.
        for place in (1..all.len()).rev() {
            let other = usize::try_from(self.draw(place as u64 + 1)).unwrap();
            all.swap(place, other);
        }
        let decided =
            (1..=all.len()).find(|count| decide(&self.cluster.config, &all[..*count]).is_some());
        let Some(count) = decided else { return Ok(None) };
        let new_view = self.cluster.new_view(view, all[..count].to_vec());
        let primary = self.cluster.config.primary(View(view));
        if !self.cluster.takes(primary.0, &new_view) {
            return Err(format!("nobody takes {new_view}"));
        }
        let begun = new_view.proposals.iter().map(|what| (what.seq.0, what.digest));
        let begun: Begun = begun.collect();
        for (place, digest) in &self.committed {
            if begun.get(place) != Some(digest) {
                return Err(format!("view {view} begins without {digest} at {place}"));
            }
        }
        Ok(Some(begun))
    }

    fn honest(&self, node: u16, view: u64) -> ViewChange {
        let replica = &self.correct[&node];
        let mut change = view_change(view, replica.prepared.values().cloned().collect());
        if self.cluster.config.authentication == Authentication::Hmac {
            let elements = replica.pre_prepared.iter().map(|((seq, digest), view)| PrePrepared {
                seq: Slot(*seq),
                digest: *digest,
                view: View(*view),
            });
            change.pre_prepared = elements.collect();
        }
        change
    }

    /// Claims of which some may be provable, with the words that correct replicas have given.
    fn lie(&mut self, view: u64) -> ViewChange {
        let mut change = view_change(view, vec![]);
        for place in 1..=PLACES {
            if self.happens(30) {
                continue;
            }
            let (claimed, digest) = (self.draw(view), self.draw_digest());
            let takers = self.takers.get(&(claimed, place, digest)).copied().unwrap_or_default();
            let voters = takers.union(self.liars);
            change.prepared.push(self.claim(claimed, place, digest, voters));
            if self.cluster.config.authentication == Authentication::Hmac {
                let seq = Slot(place);
                change.pre_prepared.push(PrePrepared { seq, digest, view: View(claimed) });
            }
        }
        change
    }
}

/// How often what the runs are about has happened.
#[derive(Debug, Default)]
struct Reached {
    committed: u64,
    carried: u64,
    nulls: u64,
}

fn run(nodes: u16, way: &str, mutant: Option<Mutant>, seeds: u64) -> Result<Reached, String> {
    let mut all = Reached::default();
    for seed in 0..seeds {
        let reached = Model::new(nodes, way, mutant, seed).run();
        let Reached { committed, carried, nulls } =
            reached.map_err(|why| format!("{nodes} nodes, {way}, seed {seed}: {why}"))?;
        all.committed += committed;
        all.carried += carried;
        all.nulls += nulls;
    }
    Ok(all)
}

#[test]
fn what_can_have_been_committed_is_never_lost() {
    for nodes in [4, 5, 6, 7] {
        for way in ["signatures", "hmac"] {
            let reached = run(nodes, way, None, 200).unwrap();
            let Reached { committed, carried, nulls } = reached;
            let counts = [committed, carried, nulls];
            assert!(counts.iter().all(|count| *count >= 20), "{nodes} {way}: {reached:?}");
        }
    }
}

#[test]
fn what_the_planted_bugs_lose_is_seen() {
    for way in ["signatures", "hmac"] {
        for (nodes, mutant) in [
            (4, Mutant::B14),
            (7, Mutant::B14),
            (4, Mutant::B15),
            (5, Mutant::B04),
            (6, Mutant::B04),
        ] {
            let found = run(nodes, way, Some(mutant), 4_000);
            assert!(found.is_err(), "{mutant} with {nodes} nodes and {way}");
        }
    }
}
