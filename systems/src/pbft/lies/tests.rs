use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::authentication::Said;
use super::super::certificates::{decide, is_new_view_valid, is_view_change_valid};
use super::super::message::{
    Batch, Certificate, How, NewView, Prepared, Proposal, SignedRequest, SignedViewChange,
    ViewChange, Vote,
};
use super::super::options::{self, Authentication};
use super::super::proof::Proof;
use super::*;
use crate::contract::{ClientId, Command, Incarnation, Key, Outcome, Value};
use crate::keys::ClusterKeys;
use crate::mutant::{Mutant, Mutants};
use crate::smr::{Request, RequestNumber, Snapshot};

const WAYS: [&str; 2] = ["signatures", "hmac"];

/// A cluster whose parties speak for themselves.
struct Cluster {
    config: Config,
    keys: ClusterKeys,
    said: Memory<Message>,
    heard: Memory<Message>,
}

fn node(place: u16) -> Party {
    Party::Node(NodeId(place))
}

fn client(place: u32) -> Party {
    Party::Client(ClientId(place))
}

impl Cluster {
    fn new(nodes: u16, way: &str, mutant: Option<Mutant>) -> Self {
        let options = BTreeMap::from([("authentication".into(), String::from(way))]);
        let config = options::configure(nodes, &options, Mutants(mutant)).unwrap();
        let keys = ClusterKeys::simulated(nodes, 3);
        Self { config, keys, said: Memory::default(), heard: Memory::default() }
    }

    fn keys(&self, of: Party) -> Keys {
        let ring = match of {
            Party::Node(node) => &self.keys.nodes[usize::from(node.0)],
            Party::Client(client) => &self.keys.clients[client.0 as usize],
        };
        Keys::new(&self.config, ring, of)
    }

    /// What the party means to say to another one.
    fn message(&self, from: Party, to: Party, body: Body) -> Message {
        let proof = self.keys(from).prove(to, &body);
        Message { body, proof }
    }

    /// What it says instead.
    fn told(&self, lie: Lie, [from, to]: [Party; 2], body: &Body, draw: u64) -> Vec<Message> {
        let truth = self.message(from, to, body.clone());
        let tongue = Tongue {
            config: &self.config,
            keys: self.keys(from),
            me: from,
            to,
            truth: &truth,
            said: &self.said,
            heard: &self.heard,
            seed: draw / 8,
            draw,
        };
        tongue.tell(lie)
    }

    fn request(&self, of: u32, seq: u64) -> SignedRequest {
        let number = RequestNumber { incarnation: Incarnation(1), seq };
        let command = Command::Write { key: Key(1), value: Value(seq) };
        let request = Request { client: ClientId(of), number, command };
        self.keys(client(of)).sign_request(request, false)
    }

    fn proposal(&self, requests: Vec<SignedRequest>) -> Body {
        let batch = Batch(requests);
        let digest = self.keys(node(0)).batch_digest(&batch);
        Body::PrePrepare { view: View(0), seq: Slot(1), digest, batch: Arc::new(batch) }
    }

    /// All that was prepared in view 0, as everybody can show.
    fn claim(&self, seq: Slot, digest: Digest) -> Prepared {
        let view = View(0);
        let vote = |by: u16, said: &Said<'_>| Vote {
            by: NodeId(by),
            proof: self.keys(node(by)).sign(said),
        };
        let votes = match self.config.authentication {
            Authentication::Hmac => Vec::new(),
            Authentication::Signatures => {
                let proposed = vote(0, &Said::PrePrepare { view, seq, digest });
                let others = (1..3).map(|by| vote(by, &Said::Prepare { view, seq, digest }));
                [proposed].into_iter().chain(others).collect()
            }
        };
        Prepared { view, seq, digest, votes }
    }

    fn view_change(&self) -> ViewChange {
        let prepared: Vec<_> = (1..=2).map(|seq| self.claim(Slot(seq), self.digest(seq))).collect();
        let pre_prepared = match self.config.authentication {
            Authentication::Signatures => Vec::new(),
            Authentication::Hmac => prepared
                .iter()
                .map(|claim| super::super::message::PrePrepared {
                    seq: claim.seq,
                    digest: claim.digest,
                    view: claim.view,
                })
                .collect(),
        };
        ViewChange { view: View(1), stable: Certificate::default(), prepared, pre_prepared }
    }

    fn digest(&self, seq: u64) -> Digest {
        self.keys(node(0)).batch_digest(&Batch(Vec::from([self.request(0, seq)])))
    }

    /// The NEW-VIEW of n1, with what n0, n1 and n2 say.
    fn new_view(&self) -> NewView {
        let votes: Vec<_> = (0..3)
            .map(|by| {
                let body = self.view_change();
                let proof = self.keys(node(by)).sign(&Said::ViewChange(&body));
                SignedViewChange { by: NodeId(by), body: Arc::new(body), proof }
            })
            .collect();
        let view = View(1);
        let proposals = decide(&self.config, &votes).unwrap().proposals;
        let proposals = proposals.into_iter().map(|(seq, digest)| {
            let said = Said::PrePrepare { view, seq, digest };
            let is_signed = self.config.authentication == Authentication::Signatures;
            Proposal { seq, digest, proof: is_signed.then(|| self.keys(node(1)).sign(&said)) }
        });
        NewView { view, votes, proposals: proposals.collect() }
    }

    /// One of each kind that a replica says.
    fn bodies(&self) -> Vec<Body> {
        let (view, seq, digest) = (View(1), Slot(3), self.digest(3));
        let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
        let certificate = Arc::new(Certificate { seq, digest, votes: Vec::new() });
        Vec::from([
            self.proposal(Vec::from([self.request(0, 1), self.request(1, 1)])),
            Body::Prepare { view, seq, digest },
            Body::Commit { view, seq, digest },
            Body::Checkpoint { seq, digest },
            Body::ViewChange(Arc::new(self.view_change())),
            Body::NewView(Arc::new(self.new_view())),
            Body::Status { view, is_active: true, stable: Slot(0), executed: seq },
            Body::Committed { seq, digest },
            Body::Fetch { digest },
            Body::GetState { seq },
            Body::Stable(Arc::clone(&certificate)),
            Body::State { certificate, snapshot: Arc::new(Snapshot::default()) },
            Body::Request(Arc::new(self.request(2, 1))),
            Body::Fetched { batch: Arc::new(Batch(Vec::from([self.request(1, 2)]))) },
            Body::Reply { view, number, outcome: Outcome::Read(None), how: How::Committed },
        ])
    }

    /// Everybody has said one of each to n1, and n1 to everybody.
    fn with_a_past(mut self) -> Self {
        for body in self.bodies() {
            for from in [0, 2, 3] {
                let message = self.message(node(from), node(1), body.clone());
                self.heard.keep(node(from), &message, 1);
                let message = self.message(node(1), node(from), body.clone());
                self.said.keep(node(from), &message, 1);
            }
        }
        self
    }
}

#[test]
fn whatever_a_liar_says_it_says_in_its_own_name() {
    for way in WAYS {
        let cluster = Cluster::new(4, way, None).with_a_past();
        let keys = cluster.keys(node(2));
        for lie in OF_REPLICAS {
            let mut others = 0;
            for body in cluster.bodies() {
                for draw in 0..40 {
                    let told = cluster.told(*lie, [node(1), node(2)], &body, draw);
                    assert_eq!(told, cluster.told(*lie, [node(1), node(2)], &body, draw));
                    others += told.iter().filter(|told| told.body != body).count();
                    let good = told.iter().all(|told| keys.is_authentic(node(1), told));
                    assert!(good, "{way} {lie:?} {body:?} {told:?}");
                }
            }
            let is_told_elsewhere =
                matches!(lie, Lie::Silent | Lie::Slow | Lie::Starve | Lie::Replay | Lie::Twins);
            assert_eq!(others > 0, !is_told_elsewhere, "{way} {lie:?}");
        }
    }
}

#[test]
fn an_equivocating_primary_has_a_story_for_each_and_votes_for_all_of_them() {
    let cluster = Cluster::new(7, "signatures", None);
    let truth = cluster.proposal(Vec::from([cluster.request(0, 1)]));
    let mut stories = BTreeSet::new();
    let mut at_once = 0;
    for to in 1..7 {
        // Of one seed.
        for draw in 0..8 {
            let told = cluster.told(Lie::Equivocate, [node(0), node(to)], &truth, draw);
            let mut digests = Vec::new();
            for told in &told {
                match &told.body {
                    Body::PrePrepare { digest, batch, .. } => {
                        assert_eq!(cluster.keys(node(to)).batch_digest(batch), *digest);
                        let keys = cluster.keys(node(to));
                        assert!(batch.0.iter().all(|signed| keys.is_request_authentic(signed)));
                        digests.push(*digest);
                    }
                    Body::Prepare { digest, .. } | Body::Commit { digest, .. } => {
                        assert!(digests.contains(digest));
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(told.len(), 3 * digests.len());
            at_once += usize::from(digests.len() == 2);
            stories.extend(digests);
        }
    }
    assert_eq!(stories.len(), 2, "the request once, or twice");
    assert!((1..40).contains(&at_once), "{at_once}");
}

#[test]
fn a_conflicting_vote_is_for_what_the_receiver_votes_for() {
    let mut cluster = Cluster::new(4, "hmac", None);
    let (view, seq, own, other) = (View(0), Slot(1), cluster.digest(1), cluster.digest(2));
    let vote = cluster.message(node(2), node(1), Body::Prepare { view, seq, digest: other });
    cluster.heard.keep(node(2), &vote, 0);
    let told = |to, body| {
        let told = cluster.told(Lie::Equivocate, [node(1), node(to)], &body, 5);
        told.into_iter().map(|told| told.body).collect::<Vec<_>>()
    };
    let votes = |digest| [Body::Prepare { view, seq, digest }, Body::Commit { view, seq, digest }];
    assert_eq!(told(2, Body::Prepare { view, seq, digest: own }), votes(other));
    assert_eq!(told(3, Body::Prepare { view, seq, digest: own }), votes(own));
    assert_eq!(told(2, Body::Commit { view, seq, digest: own }), votes(other)[1..]);
}

#[test]
fn a_forged_request_passes_only_where_signatures_are_not_looked_at() {
    for way in WAYS {
        for (mutant, passes) in [(None, false), (Some(Mutant::B08), true)] {
            let cluster = Cluster::new(4, way, mutant);
            let truth = cluster.proposal(Vec::from([cluster.request(0, 1)]));
            for draw in 0..200 {
                let told = cluster.told(Lie::ForgeRequest, [node(0), node(2)], &truth, draw);
                let [told] = told.as_slice() else { panic!("{told:?}") };
                let Body::PrePrepare { digest, batch, .. } = &told.body else { panic!() };
                let keys = cluster.keys(node(2));
                assert_eq!(keys.batch_digest(batch), *digest);
                let good = batch.0.iter().all(|signed| keys.is_request_authentic(signed));
                assert_eq!(good, passes, "{way} {draw} {batch:?}");
            }
        }
    }
}

#[test]
fn a_vote_that_omits_certificates_is_a_good_one_and_inventions_are_not_where_they_can_be_checked() {
    for way in WAYS {
        let cluster = Cluster::new(4, way, None).with_a_past();
        let truth = Body::ViewChange(Arc::new(cluster.view_change()));
        let keys = cluster.keys(node(2));
        let mut counts = BTreeSet::new();
        for draw in 0..200 {
            let is_valid = |lie| {
                let told = cluster.told(lie, [node(3), node(2)], &truth, draw);
                let [told] = told.as_slice() else { panic!("{told:?}") };
                assert_ne!((lie, &told.body), (Lie::InventCertificates, &truth));
                let Body::ViewChange(view_change) = &told.body else { panic!() };
                (
                    view_change.prepared.len(),
                    is_view_change_valid(&keys, &cluster.config, view_change),
                )
            };
            let (count, is_good) = is_valid(Lie::OmitCertificates);
            assert!(is_good);
            counts.insert(count);
            let (_, is_good) = is_valid(Lie::InventCertificates);
            assert_eq!(is_good, way == "hmac", "{draw}");
        }
        assert_eq!(counts, [0, 1, 2].into());
    }
}

#[test]
fn a_new_view_that_drops_requests_is_found_out_unless_its_primary_only_denies_what_it_has() {
    for way in WAYS {
        for (mutant, bears_more) in [(None, false), (Some(Mutant::B13), true)] {
            let cluster = Cluster::new(4, way, mutant);
            let truth = Body::NewView(Arc::new(cluster.new_view()));
            let keys = cluster.keys(node(2));
            let mut good = 0;
            let mut denied = 0;
            for draw in 0..400 {
                let told = cluster.told(Lie::OmitCertificates, [node(1), node(2)], &truth, draw);
                let [told] = told.as_slice() else { panic!("{told:?}") };
                let Body::NewView(new_view) = &told.body else { panic!() };
                let is_good = is_new_view_valid(&keys, &cluster.config, NodeId(1), new_view);
                let is_own = new_view.votes[1].body.prepared.is_empty();
                good += usize::from(is_good);
                denied += usize::from(is_own);
                assert!(is_good || !is_own);
            }
            assert!(denied > 0 && good < 400);
            assert_eq!(good > denied, bears_more, "{way} {good} {denied}");
        }
    }
}

#[test]
fn another_new_view_is_as_good_as_the_first() {
    for way in WAYS {
        let mut cluster = Cluster::new(4, way, None);
        let body =
            ViewChange { prepared: Vec::new(), pre_prepared: Vec::new(), ..cluster.view_change() };
        let vote = cluster.message(node(3), node(1), Body::ViewChange(Arc::new(body)));
        cluster.heard.keep(node(3), &vote, 0);
        let first = cluster.new_view();
        let truth = Body::NewView(Arc::new(first.clone()));
        let keys = cluster.keys(node(2));
        let mut others = 0;
        for draw in (0..320).step_by(8) {
            let told = cluster.told(Lie::Equivocate, [node(1), node(2)], &truth, draw);
            let [told] = told.as_slice() else { panic!("{told:?}") };
            let Body::NewView(new_view) = &told.body else { panic!() };
            assert!(is_new_view_valid(&keys, &cluster.config, NodeId(1), new_view), "{new_view:?}");
            others += usize::from(**new_view != first);
        }
        assert!((10..30).contains(&others), "{others} of 40");
    }
}

#[test]
fn a_client_asks_some_for_something_else_that_changes_nothing() {
    for way in WAYS {
        let cluster = Cluster::new(4, way, None);
        let signed = cluster.request(1, 7);
        let truth = Body::Request(Arc::new(signed.clone()));
        let mut others = 0;
        for draw in 0..40 {
            for to in 0..4 {
                let told = cluster.told(Lie::Equivocate, [client(1), node(to)], &truth, draw);
                let [told] = told.as_slice() else { panic!("{told:?}") };
                let Body::Request(other) = &told.body else { panic!() };
                let keys = cluster.keys(node(to));
                assert!(keys.is_direct_request_authentic(ClientId(1), other));
                assert_eq!(other.request.number, signed.request.number);
                let is_other = other.request.command != signed.request.command;
                assert!(!is_other || other.request.command.is_read());
                others += u32::from(is_other);
            }
        }
        assert!((40..120).contains(&others), "{others}");
    }
}

#[test]
fn a_spoilt_word_is_good_for_its_receiver_and_not_for_all_others() {
    let cluster = Cluster::new(4, "hmac", Some(Mutant::B31));
    let truth = Body::Request(Arc::new(cluster.request(1, 7)));
    for draw in 0..40 {
        let told = cluster.told(Lie::SpoilAuthenticator, [client(1), node(2)], &truth, draw);
        let [told] = told.as_slice() else { panic!("{told:?}") };
        let Body::Request(spoilt) = &told.body else { panic!() };
        let good_for = |place| cluster.keys(node(place)).is_request_authentic(spoilt);
        assert!(good_for(2) && !(0..4).all(good_for));
        let honest = Cluster::new(4, "hmac", None);
        assert!((0..4).all(|place| honest.keys(node(place)).is_request_authentic(spoilt)));
    }
    let cluster = Cluster::new(4, "signatures", None);
    let truth = Body::Request(Arc::new(cluster.request(1, 7)));
    let is_good = |draw| {
        let told = cluster.told(Lie::SpoilAuthenticator, [client(1), node(2)], &truth, draw);
        let Body::Request(spoilt) = &told[0].body else { panic!() };
        cluster.keys(node(2)).is_request_authentic(spoilt)
    };
    let good = (0..80).filter(|draw| is_good(*draw)).count();
    assert!((1..80).contains(&good), "{good}");
}

#[test]
fn what_clients_are_told_can_be_an_answer() {
    let cluster = Cluster::new(4, "hmac", None).with_a_past();
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    let ends = [
        (Command::Read { key: Key(1) }, Outcome::Read(None)),
        (Command::Write { key: Key(1), value: Value(1) }, Outcome::Written),
        (
            Command::Cas { key: Key(1), expected: Value(1), value: Value(2) },
            Outcome::NotSwapped(None),
        ),
        (
            Command::Transaction(Vec::from([Command::Read { key: Key(1) }])),
            Outcome::Transaction(Vec::from([Outcome::Read(None)])),
        ),
    ];
    for (command, outcome) in ends {
        let (view, how) = (View(0), How::Committed);
        let truth = Body::Reply { view, number, outcome: outcome.clone(), how };
        for lie in [Lie::LieToClients, Lie::WrongValue, Lie::Mutate, Lie::Equivocate] {
            for draw in 0..40 {
                for told in cluster.told(lie, [node(1), client(0)], &truth, draw) {
                    let Body::Reply { outcome: other, .. } = &told.body else { panic!() };
                    assert!(command.is_answered_by(other), "{command:?} {other:?}");
                    assert!(lie != Lie::LieToClients || *other != outcome);
                }
            }
        }
    }
}

#[test]
fn nobody_has_a_better_word_for_others_than_its_own() {
    let cluster = Cluster::new(4, "signatures", None);
    let truth = Body::Stable(Arc::new(Certificate::default()));
    let told = cluster.told(Lie::InventCertificates, [node(1), node(2)], &truth, 1);
    let Body::Stable(certificate) = &told[0].body else { panic!() };
    let Certificate { seq, digest, votes } = &**certificate;
    let said = Said::Checkpoint { seq: *seq, digest: *digest };
    let keys = cluster.keys(node(2));
    let good = votes.iter().filter(|vote| keys.vote_holds(vote.by, &said, &vote.proof));
    assert_eq!(good.map(|vote| vote.by).collect::<Vec<_>>(), [NodeId(1)]);
    assert!(votes.iter().all(|vote| vote.proof != Proof::Itself));
}
