use alloc::sync::Arc;
use alloc::vec;

use super::*;
use crate::contract::{Command, Incarnation, Key, Options, Value};
use crate::keys::ClusterKeys;
use crate::mutant::Mutants;
use crate::pbft::message::{Certificate, PrePrepared, Prepared, Proposal, Vote};
use crate::pbft::options::configure;

const NODES: u16 = 4;

/// A cluster with real or simulated keys.
struct Cluster {
    config: Config,
    keys: ClusterKeys,
}

fn config(nodes: u16, authentication: &str, mutant: Option<Mutant>) -> Config {
    let options = Options::from([("authentication".into(), authentication.into())]);
    configure(nodes, &options, Mutants(mutant)).unwrap()
}

impl Cluster {
    fn of_both_kinds(authentication: &str, mutant: Option<Mutant>) -> [Self; 2] {
        [ClusterKeys::from_seed(&[7; 32], NODES, 2), ClusterKeys::simulated(NODES, 2)]
            .map(|keys| Self { config: config(NODES, authentication, mutant), keys })
    }

    fn node(&self, place: u16) -> Keys {
        self.node_as(place, place)
    }

    /// What a node can do that says that it is another.
    fn node_as(&self, place: u16, name: u16) -> Keys {
        let ring = &self.keys.nodes[usize::from(place)];
        Keys::new(&self.config, ring, Party::Node(NodeId(name)))
    }

    fn client(&self, place: u32) -> Keys {
        let ring = &self.keys.clients[usize::try_from(place).unwrap()];
        Keys::new(&self.config, ring, Party::Client(ClientId(place)))
    }
}

/// Every way to prove things.
fn clusters() -> impl Iterator<Item = Cluster> {
    ["signatures", "hmac"].into_iter().flat_map(|way| Cluster::of_both_kinds(way, None))
}

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn request(client: u32, seq: u64, value: u64) -> Request {
    let number = RequestNumber { incarnation: Incarnation(1), seq };
    let command = Command::Write { key: Key(1), value: Value(value) };
    Request { client: ClientId(client), number, command }
}

fn vote(by: u16) -> Vote {
    Vote { by: NodeId(by), proof: Proof::Itself }
}

fn view_change(view: u64) -> ViewChange {
    let (seq, digest) = (Slot(5), digest(1));
    let votes = vec![vote(0), vote(1)];
    let stable = Certificate { seq: Slot(4), digest, votes: vec![vote(2)] };
    let prepared = vec![Prepared { view: View(1), seq, digest, votes }];
    let pre_prepared = vec![PrePrepared { seq, digest, view: View(1) }];
    ViewChange { view: View(view), stable, prepared, pre_prepared }
}

fn new_view(view: u64) -> NewView {
    let body = Arc::new(view_change(view));
    let votes = vec![SignedViewChange { by: NodeId(3), body, proof: Proof::Itself }];
    let proposals = vec![Proposal { seq: Slot(5), digest: digest(1), proof: None }];
    NewView { view: View(view), votes, proposals }
}

/// Things that need a proof: every kind, and each with each of its fields changed.
fn bodies() -> Vec<Body> {
    let mut bodies = vec![];
    for (view, seq, byte) in [(2, 7, 1), (3, 7, 1), (2, 8, 1), (2, 7, 2)] {
        let (view, seq, digest) = (View(view), Slot(seq), digest(byte));
        let batch = Arc::new(Batch::default());
        bodies.push(Body::PrePrepare { view, seq, digest, batch });
        bodies.push(Body::Prepare { view, seq, digest });
        bodies.push(Body::Commit { view, seq, digest });
    }
    for (seq, byte) in [(7, 1), (8, 1), (7, 2)] {
        bodies.push(Body::Checkpoint { seq: Slot(seq), digest: digest(byte) });
        bodies.push(Body::Committed { seq: Slot(seq), digest: digest(byte) });
    }
    let reply = |view, seq, value, how| {
        let number = RequestNumber { incarnation: Incarnation(1), seq };
        let outcome = Outcome::Read(Some(Value(value)));
        Body::Reply { view: View(view), number, outcome, how }
    };
    bodies.push(reply(2, 7, 1, How::Committed));
    bodies.push(reply(3, 7, 1, How::Committed));
    bodies.push(reply(2, 8, 1, How::Committed));
    bodies.push(reply(2, 7, 2, How::Committed));
    bodies.push(reply(2, 7, 1, How::Tentative));
    bodies.push(reply(2, 7, 1, How::ReadOnly));
    for (view, is_active, stable, executed) in
        [(2, true, 4, 7), (3, true, 4, 7), (2, false, 4, 7), (2, true, 5, 7), (2, true, 4, 8)]
    {
        let (view, stable, executed) = (View(view), Slot(stable), Slot(executed));
        bodies.push(Body::Status { view, is_active, stable, executed });
    }
    bodies.extend([1, 2].map(|byte| Body::Fetch { digest: digest(byte) }));
    bodies.extend([7, 8].map(|seq| Body::GetState { seq: Slot(seq) }));
    bodies.extend(view_changes().into_iter().map(|change| Body::ViewChange(Arc::new(change))));
    bodies.extend(new_views().into_iter().map(|new_view| Body::NewView(Arc::new(new_view))));
    bodies
}

fn view_changes() -> Vec<ViewChange> {
    let mut changed = vec![view_change(2); 12];
    changed[1].view = View(3);
    changed[2].stable.seq = Slot(3);
    changed[3].stable.digest = digest(2);
    changed[4].stable.votes[0].by = NodeId(3);
    changed[5].prepared[0].view = View(0);
    changed[6].prepared[0].seq = Slot(6);
    changed[7].prepared[0].digest = digest(2);
    // One vote is moved out of the claim.
    changed[8].prepared[0].votes.pop();
    changed[9].prepared.clear();
    changed[10].pre_prepared[0].view = View(0);
    changed[11].pre_prepared.clear();
    changed
}

fn new_views() -> Vec<NewView> {
    let mut changed = vec![new_view(2); 7];
    changed[1].view = View(3);
    changed[2].votes[0].by = NodeId(2);
    changed[3].votes.clear();
    changed[4].proposals[0].seq = Slot(6);
    changed[5].proposals[0].digest = digest(2);
    changed[6].proposals[0].proof = Some(Proof::Itself);
    changed
}

#[test]
fn whoever_a_message_is_for_knows_who_sent_it() {
    for cluster in clusters() {
        let (sender, receiver, client) = (cluster.node(1), cluster.node(2), cluster.client(1));
        for body in bodies() {
            let proof = sender.prove(Party::Node(NodeId(2)), &body);
            let message = Message { body: body.clone(), proof };
            assert!(receiver.is_authentic(Party::Node(NodeId(1)), &message), "{message}");
            for other in [Party::Node(NodeId(0)), Party::Node(NodeId(2)), Party::Node(NodeId(9))] {
                assert!(!receiver.is_authentic(other, &message), "{message} from {other}");
            }
            for other in [Party::Client(ClientId(1)), Party::Client(ClientId(9))] {
                assert!(!receiver.is_authentic(other, &message), "{message} from {other}");
            }
            let proof = sender.prove(Party::Client(ClientId(1)), &body);
            let message = Message { body, proof };
            assert!(client.is_authentic(Party::Node(NodeId(1)), &message), "{message}");
        }
    }
}

#[test]
fn a_proof_of_one_thing_is_none_of_another() {
    for cluster in clusters() {
        let (sender, receiver) = (cluster.node(1), cluster.node(2));
        let proofs: Vec<Proof> =
            bodies().iter().map(|body| sender.prove(Party::Node(NodeId(2)), body)).collect();
        for (place, body) in bodies().into_iter().enumerate() {
            for (other, proof) in proofs.iter().enumerate() {
                let message = Message { body: body.clone(), proof: proof.clone() };
                let is_authentic = receiver.is_authentic(Party::Node(NodeId(1)), &message);
                assert_eq!(is_authentic, place == other, "{message} with the proof of {other}");
            }
        }
    }
}

#[test]
fn nobody_speaks_for_another() {
    for cluster in clusters() {
        let (liar, receiver) = (cluster.node_as(0, 1), cluster.node(2));
        for body in bodies() {
            let message = Message { proof: liar.prove(Party::Node(NodeId(2)), &body), body };
            assert!(!receiver.is_authentic(Party::Node(NodeId(1)), &message), "{message}");
            assert!(!receiver.is_authentic(Party::Node(NodeId(0)), &message), "{message}");
        }
    }
}

#[test]
fn a_mac_is_for_one_receiver_and_cannot_be_sent_back() {
    for cluster in Cluster::of_both_kinds("hmac", None) {
        let body = Body::Prepare { view: View(2), seq: Slot(7), digest: digest(1) };
        let proof = cluster.node(1).prove(Party::Node(NodeId(2)), &body);
        let message = Message { body, proof };
        assert!(!cluster.node(3).is_authentic(Party::Node(NodeId(1)), &message));
        // Both have the key, and each knows what it has said itself.
        assert!(!cluster.node(1).is_authentic(Party::Node(NodeId(2)), &message));
        assert!(cluster.node(1).prove_to_all(&message.body).is_none());
    }
}

#[test]
fn a_mac_proves_nothing_to_third_parties() {
    for cluster in Cluster::of_both_kinds("hmac", None) {
        for body in bodies() {
            let said = Said::of(&body).unwrap();
            let mac = cluster.node(1).mac(Party::Node(NodeId(2)), &said);
            for node in 0..NODES {
                let keys = cluster.node(node);
                assert!(!keys.vote_holds(NodeId(1), &said, &mac), "{said:?} at n{node}");
            }
            let signature = cluster.node(1).sign(&said);
            assert!(cluster.node(3).vote_holds(NodeId(1), &said, &signature));
        }
    }
}

#[test]
fn what_must_be_passed_on_is_signed_whatever_the_rest_has() {
    let is_signed = |body: &Body| {
        matches!(body, Body::Checkpoint { .. } | Body::ViewChange(_) | Body::NewView(_))
    };
    for cluster in Cluster::of_both_kinds("hmac", None) {
        for body in bodies() {
            let proof = cluster.node(1).prove(Party::Node(NodeId(2)), &body);
            match proof {
                Proof::Signature(_) | Proof::SimulatedSignature(_) => assert!(is_signed(&body)),
                Proof::Mac(_) | Proof::SimulatedMac(_) => assert!(!is_signed(&body)),
                Proof::Itself => panic!("{body:?}"),
            }
        }
    }
}

#[test]
fn a_pre_prepare_s_signature_is_its_proposal_s_in_a_certificate() {
    for cluster in Cluster::of_both_kinds("signatures", None) {
        let (view, seq, digest) = (View(2), Slot(7), digest(1));
        let batch = Arc::new(Batch::default());
        let body = Body::PrePrepare { view, seq, digest, batch };
        let proof = cluster.node(1).prove_to_all(&body).unwrap();
        let said = Said::PrePrepare { view, seq, digest };
        assert!(cluster.node(0).vote_holds(NodeId(1), &said, &proof));
        let other = Said::Prepare { view, seq, digest };
        assert!(!cluster.node(0).vote_holds(NodeId(1), &other, &proof));
    }
}

#[test]
fn a_proof_from_a_cluster_of_another_shape_is_none() {
    let said = Said::Checkpoint { seq: Slot(8), digest: digest(1) };
    for cluster in clusters() {
        let proof = cluster.node(1).sign(&said);
        let fewer_liars = Config { f: 0, ..cluster.config.clone() };
        for config in [config(5, "signatures", None), fewer_liars] {
            let ring = &cluster.keys.nodes[2];
            let keys = Keys::new(&config, ring, Party::Node(NodeId(2)));
            assert!(!keys.vote_holds(NodeId(1), &said, &proof));
        }
    }
}

#[test]
fn stand_ins_and_real_proofs_are_not_taken_for_each_other() {
    for way in ["signatures", "hmac"] {
        let [real, simulated] = Cluster::of_both_kinds(way, None);
        let body = Body::Prepare { view: View(2), seq: Slot(7), digest: digest(1) };
        for (from, to) in [(&real, &simulated), (&simulated, &real)] {
            let proof = from.node(1).prove(Party::Node(NodeId(2)), &body);
            let bytes = match proof.clone() {
                Proof::Mac(bytes) => Proof::SimulatedMac(bytes),
                Proof::SimulatedMac(bytes) => Proof::Mac(bytes),
                other => other,
            };
            for proof in [proof, bytes, Proof::Itself, Proof::Mac([0; 16])] {
                let message = Message { body: body.clone(), proof };
                assert!(!to.node(2).is_authentic(Party::Node(NodeId(1)), &message));
            }
        }
    }
}

#[test]
fn what_proves_itself_bears_no_proof_and_nothing_else_does_without() {
    let itself = [
        Body::Stable(Arc::new(Certificate::default())),
        Body::Fetched { batch: Arc::new(Batch::default()) },
    ];
    for cluster in clusters() {
        let (sender, receiver, from) = (cluster.node(1), cluster.node(2), Party::Node(NodeId(1)));
        for body in itself.clone() {
            assert_eq!(sender.prove(Party::Node(NodeId(2)), &body), Proof::Itself);
            let message = Message { body, proof: Proof::Itself };
            assert!(receiver.is_authentic(from, &message));
            let message = Message { proof: Proof::Mac([0; 16]), ..message };
            assert!(!receiver.is_authentic(from, &message), "there is one form only");
        }
        for body in bodies() {
            let message = Message { body, proof: Proof::Itself };
            assert!(!receiver.is_authentic(from, &message), "{message}");
        }
    }
}

#[test]
fn a_request_is_its_client_s_whoever_passes_it_on() {
    for cluster in clusters() {
        let signed = cluster.client(1).sign_request(request(1, 3, 7), false);
        for node in 0..NODES {
            let keys = cluster.node(node);
            assert!(keys.is_request_authentic(&signed));
            assert!(keys.is_direct_request_authentic(ClientId(1), &signed));
            assert!(!keys.is_direct_request_authentic(ClientId(0), &signed));
            for changed in [
                SignedRequest { request: request(0, 3, 7), ..signed.clone() },
                SignedRequest { request: request(1, 4, 7), ..signed.clone() },
                SignedRequest { request: request(1, 3, 8), ..signed.clone() },
                SignedRequest { is_read_only: true, ..signed.clone() },
                cluster.client(0).sign_request(request(1, 3, 7), false),
                cluster.node(0).sign_request(request(1, 3, 7), false),
            ] {
                assert!(!keys.is_request_authentic(&changed), "{changed}");
            }
        }
    }
}

#[test]
fn a_client_s_wrong_word_is_dropped_by_whom_it_is_for_and_by_nobody_else() {
    for cluster in Cluster::of_both_kinds("hmac", None) {
        let mut signed = cluster.client(1).sign_request(request(1, 3, 7), false);
        signed.authenticator[2] = signed.authenticator[1].clone();
        for node in 0..NODES {
            let keys = cluster.node(node);
            let is_heard = keys.is_direct_request_authentic(ClientId(1), &signed);
            assert_eq!(is_heard, node != 2, "n{node}");
            assert!(keys.is_request_authentic(&signed), "its signature holds");
        }
    }
    for cluster in Cluster::of_both_kinds("signatures", None) {
        let signed = cluster.client(1).sign_request(request(1, 3, 7), false);
        assert!(signed.authenticator.is_empty());
    }
}

#[test]
fn b08_takes_a_request_that_nobody_signed_and_b31_one_that_only_one_replica_can_check() {
    for cluster in Cluster::of_both_kinds("hmac", Some(Mutant::B08)) {
        let forged = cluster.node(0).sign_request(request(1, 3, 7), false);
        assert!(cluster.node(1).is_request_authentic(&forged));
    }
    for cluster in Cluster::of_both_kinds("hmac", Some(Mutant::B31)) {
        let mut signed = cluster.client(1).sign_request(request(1, 3, 7), false);
        signed.authenticator[2] = Proof::Itself;
        assert!(cluster.node(1).is_request_authentic(&signed));
        assert!(!cluster.node(2).is_request_authentic(&signed));
    }
    for cluster in Cluster::of_both_kinds("signatures", Some(Mutant::B31)) {
        let signed = cluster.client(1).sign_request(request(1, 3, 7), false);
        assert!(cluster.node(2).is_request_authentic(&signed), "there is nothing else to rely on");
    }
}

#[test]
fn a_digest_is_of_all_that_a_batch_says_and_in_its_order() {
    for cluster in clusters() {
        let client = cluster.client(1);
        let signed = |seq, value| client.sign_request(request(1, seq, value), false);
        let (first, second) = (signed(1, 7), signed(2, 7));
        let mut unsigned = first.clone();
        unsigned.signature = Proof::Itself;
        let read_only = client.sign_request(request(1, 1, 7), true);
        let batches = [
            vec![],
            vec![first.clone()],
            vec![second.clone()],
            vec![first.clone(), second.clone()],
            vec![second, first.clone()],
            vec![first.clone(), first],
            vec![signed(1, 8)],
            vec![unsigned],
            vec![read_only],
        ];
        let keys = cluster.node(1);
        let mut digests: Vec<Digest> =
            batches.iter().map(|batch| keys.batch_digest(&Batch(batch.clone()))).collect();
        assert_eq!(digests[0], Digest::NULL);
        assert_eq!(digests[1], cluster.node(2).batch_digest(&Batch(batches[1].clone())));
        digests.push(keys.snapshot_digest(&Snapshot::default()));
        digests.push(keys.snapshot_digest(&Snapshot { index: Slot(1), ..Snapshot::default() }));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count, "all are different");
    }
}

#[test]
fn digests_signatures_and_macs_are_of_canonical_bytes() {
    let [cluster, _] = Cluster::of_both_kinds("hmac", None);
    let keys = cluster.node(1);
    let batch = Batch(vec![cluster.client(0).sign_request(request(0, 1, 7), false)]);
    let bytes = postcard::to_allocvec(&("quorate pbft batch v1", &batch)).unwrap();
    assert_eq!(keys.batch_digest(&batch), Digest(Sha256::digest(&bytes).into()));

    let context = |receiver| Context {
        protocol: PROTOCOL,
        nodes: NODES,
        f: 1,
        author: Party::Node(NodeId(1)),
        receiver,
    };
    let said = Said::Prepare { view: View(2), seq: Slot(7), digest: digest(1) };
    let bytes = postcard::to_allocvec(&(context(None), said)).unwrap();
    let mut text = Vec::from(PROTOCOL);
    text.extend(Sha256::digest(&bytes));
    let Proof::Signature(halves) = keys.sign(&said) else { panic!("a signature") };
    let key = VerifyingKey::from_bytes(&cluster.keys.nodes[0].public.nodes[1]).unwrap();
    let signature = Signature::from_components(halves.0, halves.1);
    assert!(key.verify_strict(&text, &signature).is_ok());

    let receiver = Party::Node(NodeId(2));
    let bytes = postcard::to_allocvec(&(context(Some(receiver)), said)).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&cluster.keys.nodes[1].shared.nodes[2]).unwrap();
    Mac::update(&mut mac, &bytes);
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    assert_eq!(keys.mac(receiver, &said), Proof::Mac(cut(whole)));
}

#[test]
fn a_keyring_without_keys_proves_nothing_and_believes_nothing() {
    let config = config(NODES, "hmac", None);
    let keys = Keys::new(&config, &Keyring::default(), Party::Node(NodeId(1)));
    for body in bodies() {
        let proof = keys.prove(Party::Node(NodeId(2)), &body);
        let message = Message { body, proof };
        assert!(!keys.is_authentic(Party::Node(NodeId(1)), &message), "{message}");
        assert!(!keys.is_authentic(Party::Node(NodeId(2)), &message), "{message}");
    }
}
