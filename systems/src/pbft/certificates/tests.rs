mod model;

use alloc::sync::Arc;
use alloc::vec;

use super::*;
use crate::contract::Options;
use crate::keys::ClusterKeys;
use crate::mutant::Mutants;
use crate::parties::Party;
use crate::pbft::message::PrePrepared;
use crate::pbft::options::configure;
use crate::pbft::proof::Proof;

/// Everybody's keys in a cluster, to make and to check what they say.
struct Cluster {
    config: Config,
    keys: Vec<Keys>,
}

impl Cluster {
    fn new(nodes: u16, authentication: &str, mutant: Option<Mutant>) -> Self {
        let options = Options::from([
            ("authentication".into(), authentication.into()),
            ("checkpoint_every".into(), "4".into()),
        ]);
        let config = configure(nodes, &options, Mutants(mutant)).unwrap();
        let rings = ClusterKeys::simulated(nodes, 0).nodes;
        let places = (0..nodes).map(NodeId).zip(&rings);
        let keys = places.map(|(node, ring)| Keys::new(&config, ring, Party::Node(node))).collect();
        Self { config, keys }
    }

    fn vote(&self, by: u16, said: &Said<'_>) -> Vote {
        Vote { by: NodeId(by), proof: self.keys[usize::from(by)].sign(said) }
    }

    fn votes(&self, by: &[u16], said: &Said<'_>) -> Vec<Vote> {
        by.iter().map(|by| self.vote(*by, said)).collect()
    }

    fn checkpoint(&self, seq: u64, byte: u8, by: &[u16]) -> Certificate {
        let (seq, digest) = (Slot(seq), digest(byte));
        let votes = self.votes(by, &Said::Checkpoint { seq, digest });
        Certificate { seq, digest, votes }
    }

    /// What these, the primary first, have prepared. With MACs it is a claim and no more.
    fn prepared(&self, view: u64, seq: u64, byte: u8, by: &[u16]) -> Prepared {
        let (view, seq, digest) = (View(view), Slot(seq), digest(byte));
        let (primary, others) = by.split_first().unwrap();
        let mut votes = vec![self.vote(*primary, &Said::PrePrepare { view, seq, digest })];
        votes.extend(self.votes(others, &Said::Prepare { view, seq, digest }));
        if self.config.authentication == Authentication::Hmac {
            votes.clear();
        }
        Prepared { view, seq, digest, votes }
    }

    fn is_valid(&self, view_change: &ViewChange) -> bool {
        is_view_change_valid(&self.keys[0], &self.config, view_change)
    }

    fn signed(&self, by: u16, view_change: ViewChange) -> SignedViewChange {
        let proof = self.keys[usize::from(by)].sign(&Said::ViewChange(&view_change));
        SignedViewChange { by: NodeId(by), body: Arc::new(view_change), proof }
    }

    fn proposal(&self, view: View, by: NodeId, (seq, digest): (Slot, Digest)) -> Proposal {
        let said = Said::PrePrepare { view, seq, digest };
        let proof = match self.config.authentication {
            Authentication::Signatures => Some(self.keys[usize::from(by.0)].sign(&said)),
            Authentication::Hmac => None,
        };
        Proposal { seq, digest, proof }
    }

    fn new_view(&self, view: u64, votes: Vec<SignedViewChange>) -> NewView {
        let view = View(view);
        let proposals = decide(&self.config, &votes).unwrap().proposals.into_iter();
        let by = self.config.primary(view);
        let proposals = proposals.map(|what| self.proposal(view, by, what)).collect();
        NewView { view, votes, proposals }
    }

    fn takes(&self, by: u16, new_view: &NewView) -> bool {
        is_new_view_valid(&self.keys[0], &self.config, NodeId(by), new_view)
    }

    /// What follows from VIEW-CHANGEs for view 2 by the first so many replicas.
    fn decided(&self, view_changes: &[ViewChange]) -> Option<Vec<(u64, Digest)>> {
        let by = 0..u16::try_from(view_changes.len()).unwrap();
        let votes: Vec<_> =
            by.zip(view_changes).map(|(by, change)| self.signed(by, change.clone())).collect();
        let proposals = decide(&self.config, &votes)?.proposals;
        Some(proposals.into_iter().map(|(seq, digest)| (seq.0, digest)).collect())
    }
}

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn view_change(view: u64, prepared: Vec<Prepared>) -> ViewChange {
    let stable = Certificate::default();
    ViewChange { view: View(view), stable, prepared, pre_prepared: vec![] }
}

/// As [`view_change`], with MACs: who has prepared has pre-prepared.
fn claimed(view: u64, prepared: Vec<Prepared>, pre_prepared: &[(u64, u8, u64)]) -> ViewChange {
    let mut change = view_change(view, prepared);
    let elements = pre_prepared.iter().map(|(seq, byte, view)| PrePrepared {
        seq: Slot(*seq),
        digest: digest(*byte),
        view: View(*view),
    });
    change.pre_prepared = elements.collect();
    change
}

#[test]
fn a_checkpoint_is_stable_by_a_quorum_that_says_the_same() {
    for way in ["signatures", "hmac"] {
        let cluster = Cluster::new(5, way, None);
        let is_stable =
            |certificate: &Certificate| is_stable(&cluster.keys[4], &cluster.config, certificate);
        assert!(is_stable(&cluster.checkpoint(4, 1, &[0, 1, 2, 3])));
        assert!(is_stable(&cluster.checkpoint(4, 1, &[0, 1, 2, 3, 4])));
        // 2f + 1 = 3 is no quorum of five (F-B2).
        assert!(!is_stable(&cluster.checkpoint(4, 1, &[0, 1, 2])));
        assert!(!is_stable(&cluster.checkpoint(4, 1, &[0, 1, 2, 2])));
        assert!(!is_stable(&cluster.checkpoint(4, 1, &[0, 1, 2, 3, 3])));
    }
}

#[test]
fn checkpoints_of_different_states_do_not_make_one_stable() {
    // F-B7: as many messages as are needed, and two states.
    let cluster = Cluster::new(4, "signatures", None);
    let is_stable =
        |certificate: &Certificate| is_stable(&cluster.keys[0], &cluster.config, certificate);
    let mut certificate = cluster.checkpoint(4, 1, &[0, 1]);
    certificate.votes.extend(cluster.checkpoint(4, 2, &[3]).votes);
    assert!(!is_stable(&certificate));
    let mut certificate = cluster.checkpoint(4, 1, &[0, 1]);
    certificate.votes.extend(cluster.checkpoint(8, 1, &[3]).votes);
    assert!(!is_stable(&certificate));
    let mut certificate = cluster.checkpoint(4, 1, &[0, 1, 2]);
    certificate.votes[2].by = NodeId(3);
    assert!(!is_stable(&certificate), "n2's word is not n3's");
    certificate.votes[2] = Vote { by: NodeId(9), proof: Proof::Itself };
    assert!(!is_stable(&certificate), "there is no n9");
}

#[test]
fn the_beginning_is_stable_and_nobody_can_make_up_another() {
    let cluster = Cluster::new(4, "signatures", None);
    let is_stable =
        |certificate: &Certificate| is_stable(&cluster.keys[0], &cluster.config, certificate);
    assert!(is_stable(&Certificate::default()));
    assert!(!is_stable(&Certificate { digest: digest(1), ..Certificate::default() }));
    assert!(!is_stable(&cluster.checkpoint(0, 1, &[0, 1, 2])));
    assert!(!is_stable(&Certificate { seq: Slot(4), ..Certificate::default() }));
}

#[test]
fn a_claim_is_proven_by_the_primary_and_as_many_others_as_make_a_quorum() {
    let cluster = Cluster::new(4, "signatures", None);
    let is_valid = |claim: Prepared| cluster.is_valid(&view_change(3, vec![claim]));
    // n1 leads view 1.
    assert!(is_valid(cluster.prepared(1, 1, 1, &[1, 0, 2])));
    assert!(is_valid(cluster.prepared(1, 1, 1, &[1, 0, 2, 3])));
    assert!(!is_valid(cluster.prepared(1, 1, 1, &[1, 0])), "two are no quorum");
    assert!(!is_valid(cluster.prepared(1, 1, 1, &[1, 0, 0])), "nobody counts twice");
    assert!(!is_valid(cluster.prepared(1, 1, 1, &[2, 0, 3])), "n2 does not lead view 1");
    // F-B1: a PREPARE of the primary is no backup's.
    assert!(!is_valid(cluster.prepared(1, 1, 1, &[1, 0, 1])));
    let lax = Cluster::new(4, "signatures", Some(Mutant::B03));
    assert!(lax.is_valid(&view_change(3, vec![lax.prepared(1, 1, 1, &[1, 0, 1])])));

    let good = cluster.prepared(1, 1, 1, &[1, 0, 2]);
    assert!(!is_valid(Prepared { digest: digest(2), ..good.clone() }));
    assert!(!is_valid(Prepared { seq: Slot(2), ..good.clone() }));
    assert!(!is_valid(Prepared { view: View(2), ..good.clone() }));
    assert!(!is_valid(Prepared { votes: vec![], ..good }));
}

#[test]
fn a_claim_in_a_larger_cluster_needs_more_than_2f_plus_1() {
    // F-B2: five replicas, one of which may lie.
    let cluster = Cluster::new(5, "signatures", None);
    let is_valid =
        |by: &[u16]| cluster.is_valid(&view_change(3, vec![cluster.prepared(1, 1, 1, by)]));
    assert!(is_valid(&[1, 0, 2, 4]));
    assert!(!is_valid(&[1, 0, 2]));
    let lax = Cluster::new(5, "signatures", Some(Mutant::B04));
    assert!(lax.is_valid(&view_change(3, vec![lax.prepared(1, 1, 1, &[1, 0, 2])])));
}

#[test]
fn claims_are_in_order_within_the_watermarks_and_of_earlier_views() {
    for way in ["signatures", "hmac"] {
        let cluster = Cluster::new(4, way, None);
        let claim = |view: u64, seq| {
            let primary = u16::try_from(view % 4).unwrap();
            let others = (0..4).filter(|by| *by != primary).take(2);
            let by: Vec<u16> = [primary].into_iter().chain(others).collect();
            cluster.prepared(view, seq, 1, &by)
        };
        let is_valid = |claims: Vec<Prepared>| cluster.is_valid(&view_change(3, claims));
        assert!(is_valid(vec![]));
        assert!(is_valid(vec![claim(1, 1), claim(0, 8)]));
        assert!(!is_valid(vec![claim(0, 8), claim(1, 1)]));
        assert!(!is_valid(vec![claim(0, 1), claim(1, 1)]), "one for each sequence number");
        assert!(!is_valid(vec![claim(0, 9)]), "twice four after the beginning is the end");
        assert!(!is_valid(vec![claim(0, 0)]));
        assert!(!is_valid(vec![claim(3, 1)]), "view 3 has not begun");
        let mut change = view_change(3, vec![claim(0, 4)]);
        change.stable = cluster.checkpoint(4, 1, &[0, 1, 2]);
        assert!(!cluster.is_valid(&change), "the checkpoint stands for it");
        change.prepared = vec![claim(0, 12)];
        assert!(cluster.is_valid(&change));
        change.stable = cluster.checkpoint(4, 1, &[0, 1]);
        assert!(!cluster.is_valid(&change));
    }
}

#[test]
fn what_is_pre_prepared_is_told_where_claims_are_not_proven_and_nowhere_else() {
    let cluster = Cluster::new(4, "hmac", None);
    assert!(cluster.is_valid(&claimed(3, vec![], &[(1, 1, 0), (1, 2, 1), (2, 1, 2)])));
    for wrong in [
        &[(1, 2, 0), (1, 1, 1)][..],
        &[(1, 1, 0), (1, 1, 1)],
        &[(2, 1, 0), (1, 1, 0)],
        &[(1, 1, 3)],
        &[(0, 1, 0)],
        &[(9, 1, 0)],
    ] {
        assert!(!cluster.is_valid(&claimed(3, vec![], wrong)), "{wrong:?}");
    }
    let mut proven = cluster.prepared(1, 1, 1, &[1]);
    proven.votes = vec![Vote { by: NodeId(1), proof: Proof::Itself }];
    assert!(!cluster.is_valid(&view_change(3, vec![proven])), "there is one form only");
    let cluster = Cluster::new(4, "signatures", None);
    assert!(!cluster.is_valid(&claimed(3, vec![], &[(1, 1, 0)])));
}

#[test]
fn a_new_view_begins_with_what_the_highest_view_prepared_and_with_null_in_between() {
    // A4.5, F-B4: everything prepared after the checkpoint, whether it is committed or not.
    let cluster = Cluster::new(4, "signatures", None);
    let at = |view, seq, byte, by: &[u16]| cluster.prepared(view, seq, byte, by);
    let changes = [
        view_change(2, vec![at(0, 1, 1, &[0, 1, 2]), at(0, 4, 4, &[0, 1, 2])]),
        view_change(2, vec![at(1, 1, 2, &[1, 0, 3])]),
        view_change(2, vec![at(0, 3, 3, &[0, 1, 2])]),
    ];
    let proposals = vec![(1, digest(2)), (2, Digest::NULL), (3, digest(3)), (4, digest(4))];
    assert_eq!(cluster.decided(&changes), Some(proposals));
    assert_eq!(cluster.decided(&vec![view_change(2, vec![]); 3]), Some(vec![]));

    let lowest = Cluster::new(4, "signatures", Some(Mutant::B15));
    assert_eq!(lowest.decided(&changes).unwrap()[0], (1, digest(1)));
    let gaps = Cluster::new(4, "signatures", Some(Mutant::B17));
    let seqs: Vec<u64> = gaps.decided(&changes).unwrap().iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [1, 3, 4]);
}

#[test]
fn a_new_view_begins_after_the_highest_stable_checkpoint() {
    for way in ["signatures", "hmac"] {
        let cluster = Cluster::new(4, way, None);
        let early = cluster.prepared(0, 3, 3, &[0, 1, 2]);
        let late = cluster.prepared(0, 6, 6, &[0, 1, 2]);
        let mut changes = vec![claimed(2, vec![early, late], &[(3, 3, 0), (6, 6, 0)]); 3];
        changes[1] = claimed(2, vec![], &[(6, 6, 0)]);
        changes[1].stable = cluster.checkpoint(4, 1, &[0, 1, 2]);
        let proposals = vec![(5, Digest::NULL), (6, digest(6))];
        assert_eq!(cluster.decided(&changes), Some(proposals));
        let votes: Vec<_> =
            (0..).zip(&changes).map(|(by, change)| cluster.signed(by, change.clone())).collect();
        assert_eq!(decide(&cluster.config, &votes).unwrap().stable, changes[1].stable);
    }
}

#[test]
fn two_view_changes_of_four_decide_nothing() {
    // F-B3: n0 and n2 have executed what n2, which lies, does not tell. n1 and n2 are 2f.
    for way in ["signatures", "hmac"] {
        let empty = vec![view_change(2, vec![]); 2];
        assert_eq!(Cluster::new(4, way, None).decided(&empty), None);
        let lax = Cluster::new(4, way, Some(Mutant::B14));
        assert_eq!(lax.decided(&empty), Some(vec![]));
        // F-B2: neither do three of five.
        let empty = vec![view_change(2, vec![]); 3];
        assert_eq!(Cluster::new(5, way, None).decided(&empty), None);
        assert_eq!(Cluster::new(5, way, Some(Mutant::B04)).decided(&empty), Some(vec![]));
    }
}

#[test]
fn with_macs_a_claim_needs_a_correct_replica_that_pre_prepared_it() {
    let cluster = Cluster::new(4, "hmac", None);
    let claim = |view, byte| vec![cluster.prepared(view, 1, byte, &[0])];
    // n0 prepared 1 in view 0; n2 lies and says that it prepared 2 in view 1.
    let honest = claimed(2, claim(0, 1), &[(1, 1, 0)]);
    let voucher = claimed(2, vec![], &[(1, 1, 0)]);
    let lie = claimed(2, claim(1, 2), &[(1, 2, 1)]);
    let changes = [honest.clone(), voucher.clone(), lie.clone()];
    assert_eq!(cluster.decided(&changes), None, "any of them may lie");
    let changes = [honest.clone(), voucher.clone(), lie, voucher.clone()];
    assert_eq!(cluster.decided(&changes), Some(vec![(1, digest(1))]));
    // Somebody must have pre-prepared it in the view in which it is said to be prepared, or later.
    let earlier = claimed(2, claim(1, 1), &[(1, 1, 0)]);
    assert_eq!(cluster.decided(&[earlier.clone(), voucher.clone(), voucher]), None);
    let later = claimed(2, vec![], &[(1, 1, 1)]);
    let changes = [earlier, later.clone(), later];
    assert_eq!(cluster.decided(&changes), Some(vec![(1, digest(1))]));
    // Of two claims in one view one is a lie.
    let other = claimed(2, claim(0, 2), &[(1, 2, 0)]);
    let both = [honest.clone(), other, honest];
    assert_eq!(cluster.decided(&both), None);
}

/// Three VIEW-CHANGEs for view 2, which n2 leads: at sequence number 2 something is prepared.
fn votes(cluster: &Cluster) -> Vec<SignedViewChange> {
    let prepared = vec![cluster.prepared(0, 2, 2, &[0, 1, 2])];
    let change = match cluster.config.authentication {
        Authentication::Signatures => view_change(2, prepared),
        Authentication::Hmac => claimed(2, prepared, &[(2, 2, 0)]),
    };
    (1..4).map(|by| cluster.signed(by, change.clone())).collect()
}

#[test]
fn a_new_view_must_say_what_follows_from_its_view_changes() {
    for way in ["signatures", "hmac"] {
        let cluster = Cluster::new(4, way, None);
        let good = cluster.new_view(2, votes(&cluster));
        assert!(cluster.takes(2, &good));
        assert_eq!(good.proposals.len(), 2);
        let proposal = |seq, digest| cluster.proposal(View(2), NodeId(2), (Slot(seq), digest));
        let [null, carried] = [proposal(1, Digest::NULL), proposal(2, digest(2))];
        for proposals in [
            vec![],
            vec![carried.clone()],
            vec![null.clone()],
            vec![null.clone(), proposal(2, Digest::NULL)],
            vec![null.clone(), proposal(2, digest(3))],
            vec![carried.clone(), null.clone()],
            vec![null.clone(), carried.clone(), proposal(3, digest(3))],
            vec![null.clone(), null.clone(), carried.clone()],
        ] {
            let wrong = NewView { proposals, ..good.clone() };
            assert!(!cluster.takes(2, &wrong), "{wrong}");
            let lax = Cluster::new(4, way, Some(Mutant::B13));
            assert!(lax.takes(2, &wrong), "B13 does not look: {wrong}");
        }
    }
}

#[test]
fn a_new_view_is_its_primary_s_and_rests_on_a_quorum_that_wants_it() {
    for way in ["signatures", "hmac"] {
        let cluster = Cluster::new(4, way, None);
        let good = cluster.new_view(2, votes(&cluster));
        assert!(!cluster.takes(3, &good), "n3 does not lead view 2");
        let with = |change: &dyn Fn(&mut Vec<SignedViewChange>)| {
            let mut wrong = good.clone();
            change(&mut wrong.votes);
            cluster.takes(2, &wrong)
        };
        assert!(with(&|_| {}));
        assert!(!with(&|votes| votes.truncate(2)));
        assert!(!with(&|votes| votes[2] = votes[1].clone()), "nobody counts twice");
        assert!(!with(&|votes| votes.push(votes[1].clone())));
        assert!(!with(&|votes| votes[2].by = NodeId(0)), "nobody speaks for another");
        assert!(!with(&|votes| votes[2].by = NodeId(9)));
        assert!(!with(&|votes| votes[2].proof = votes[1].proof.clone()));
        let other_view = ViewChange { view: View(6), ..(*good.votes[2].body).clone() };
        assert!(!with(&|votes| votes[2] = cluster.signed(3, other_view.clone())));
        let mut unproven = (*good.votes[2].body).clone();
        unproven.stable = cluster.checkpoint(4, 1, &[0, 1]);
        assert!(!with(&|votes| votes[2] = cluster.signed(3, unproven.clone())));
        let lax = Cluster::new(4, way, Some(Mutant::B14));
        assert!(lax.takes(2, &lax.new_view(2, votes(&lax)[..2].to_vec())));
    }
}

#[test]
fn a_proposal_can_stand_as_the_pre_prepare_that_it_is() {
    let cluster = Cluster::new(4, "signatures", None);
    let good = cluster.new_view(2, votes(&cluster));
    let mut wrong = good.clone();
    wrong.proposals[1].proof = None;
    assert!(!cluster.takes(2, &wrong));
    wrong.proposals[1].proof = good.proposals[0].proof.clone();
    assert!(!cluster.takes(2, &wrong));
    wrong.proposals[1] = cluster.proposal(View(2), NodeId(3), (Slot(2), digest(2)));
    assert!(!cluster.takes(2, &wrong), "n3 does not lead view 2");
    let cluster = Cluster::new(4, "hmac", None);
    let mut wrong = cluster.new_view(2, votes(&cluster));
    wrong.proposals[1].proof = Some(Proof::Itself);
    assert!(!cluster.takes(2, &wrong));
}
