//! Practical Byzantine Fault Tolerance driven by hand: what operations, checkpoints and view changes cost, what a disk
//! brings back, what is refused, and that nothing that anybody sends stops a replica or a client.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/logs.rs"]
mod logs;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use dice::Dice;
use logs::{costs, delays, forced_writes};
use quorate_systems::contract::{
    ClientId, Command, Describe, Effect, Incarnation, Input, Key, Keyring, LocalTime, NodeId,
    Outbox, Outcome, Recovered, Replica, Start, StartError, System, TimerId, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{
    Batch, Body, Certificate, Digest, Keys, Message, NewView, Observation, Pbft, PbftReplica,
    Prepared, Proof, SignedRequest, View, ViewChange,
};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot};
use support::{Flight, Happened, Net, Place, c, n, read, saw, write};

type Cluster = Net<Pbft>;

const VIEW: TimerId = TimerId(0);
const STATUS: TimerId = TimerId(1);

const SIGNATURES: (&str, &str) = ("authentication", "signatures");
const HMAC: (&str, &str) = ("authentication", "hmac");

const NOBODY: Place = Place::Node(NodeId(99));

/// A cluster in view 0, which n0 leads, with simulated keys.
fn planted(nodes: u16, options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let keys = ClusterKeys::simulated(nodes, 4);
    Cluster::with_keys(nodes, 4, options, (mutants, 1), keys).unwrap()
}

fn calm(nodes: u16, options: &[(&str, &str)]) -> Cluster {
    planted(nodes, options, Mutants::NONE)
}

/// Each node with so many records.
fn each(nodes: u16, records: usize) -> BTreeMap<NodeId, usize> {
    (0..nodes).map(|node| (NodeId(node), records)).collect()
}

/// How far each node has executed, as it says.
fn executed(net: &Cluster, node: u16) -> Slot {
    let said = net.observations.iter().rev().find_map(|(by, observation)| match observation {
        Observation::Executed { seq, .. } | Observation::StateInstalled { seq, .. }
            if *by == n(node) =>
        {
            Some(*seq)
        }
        _ => None,
    });
    said.unwrap_or_default()
}

/// The last view that a node has entered.
fn view(net: &Cluster, node: u16) -> View {
    let said = net.observations.iter().rev().find_map(|(by, observation)| match observation {
        Observation::ViewEntered { view, .. } if *by == n(node) => Some(*view),
        _ => None,
    });
    said.unwrap_or_default()
}

/// What clients may count on: nothing is committed twice with different content, all histories are one.
fn judge(net: &Cluster) {
    assert_eq!(judged(NOBODY, net), Ok(()));
}

/// As [`judge`], by what all say but this one.
fn judged(liar: Place, net: &Cluster) -> Result<(), String> {
    let mut chains: BTreeMap<Slot, Chain> = BTreeMap::new();
    let mut committed: BTreeMap<Slot, Digest> = BTreeMap::new();
    let mut prepared: BTreeMap<(View, Slot), Digest> = BTreeMap::new();
    for (by, observation) in net.observations.iter().filter(|(by, _)| *by != liar) {
        let is_one = match observation {
            Observation::Executed { seq, chain, .. } => {
                *chains.entry(*seq).or_insert(*chain) == *chain
            }
            Observation::Committed { seq, digest, .. }
            | Observation::Learned { seq, digest, .. } => {
                *committed.entry(*seq).or_insert(*digest) == *digest
            }
            Observation::Prepared { view, seq, digest, .. } => {
                *prepared.entry((*view, *seq)).or_insert(*digest) == *digest
            }
            _ => true,
        };
        if !is_one {
            return Err(format!("{by} {observation}"));
        }
    }
    Ok(())
}

/// What replicas must never do, by what they sent: vote twice for one place, or in a view after having left it.
fn judge_votes(net: &Cluster) {
    judge_votes_of_all_but(NOBODY, net);
}

fn judge_votes_of_all_but(liar: Place, net: &Cluster) {
    let mut votes: BTreeMap<(Place, &str, View, Slot), Digest> = BTreeMap::new();
    let mut left: BTreeMap<Place, View> = BTreeMap::new();
    for happened in &net.happened {
        let Happened::Sent { from, message, .. } = happened else { continue };
        if *from == liar {
            continue;
        }
        match message.body {
            Body::PrePrepare { view, seq, digest, .. }
            | Body::Prepare { view, seq, digest }
            | Body::Commit { view, seq, digest } => {
                let vote = (*from, message.kind(), view, seq);
                let has_left = left.get(from).is_some_and(|left| *left > view);
                assert!(!has_left || votes.contains_key(&vote), "{from} {message}");
                assert_eq!(*votes.entry(vote).or_insert(digest), digest, "{from} {message}");
            }
            Body::ViewChange(ref view_change) => {
                let left = left.entry(*from).or_default();
                assert!(*left <= view_change.view, "{from} {message}");
                *left = view_change.view;
            }
            _ => {}
        }
    }
}

fn nodes(net: &Cluster) -> std::ops::Range<u16> {
    0..u16::try_from(net.nodes.len()).unwrap()
}

/// All wait for as long as they have patience: whoever has more tells the others.
fn tell_all(net: &mut Cluster) {
    nodes(net).for_each(|node| net.fire_one(n(node), STATUS));
    net.settle();
}

/// All who wait for something from their primary lose patience at once.
fn lose_patience(net: &mut Cluster) {
    nodes(net).for_each(|node| net.fire_one(n(node), VIEW));
}

/// Time passes, until everybody is answered.
fn finish(net: &mut Cluster) {
    for round in 0..60 {
        net.settle();
        if net.clients.iter().all(|client| !client.is_open) {
            return;
        }
        (0..4).for_each(|client| net.fire(c(client)));
        net.settle();
        tell_all(net);
        if round % 4 == 3 {
            lose_patience(net);
        }
    }
    panic!("not everybody is answered");
}

/// The messages of a kind that crossed the network.
fn crossed(net: &Cluster, kind: &str) -> usize {
    let crossed = net.happened.iter().filter(|happened| {
        matches!(happened, Happened::Sent { from, to, message }
            if from != to && message.kind() == kind)
    });
    crossed.count()
}

/// What a node can prove.
fn keys(net: &Cluster, node: u16) -> Keys {
    let keyring: &Keyring = &net.keys.nodes[usize::from(node)];
    Keys::new(&net.config, keyring, Party::Node(NodeId(node)))
}

/// Has one node say this to another, with its own keys.
fn say(net: &mut Cluster, from: u16, to: u16, body: Body) {
    let proof = keys(net, from).prove(Party::Node(NodeId(to)), &body);
    net.arrive(Flight { from: n(from), to: n(to), message: Message { body, proof } });
}

/// A request of a client, made with its keys.
fn request(net: &Cluster, client: u32, seq: u64, command: Command) -> SignedRequest {
    let keyring = &net.keys.clients[usize::try_from(client).unwrap()];
    let keys = Keys::new(&net.config, keyring, Party::Client(ClientId(client)));
    let number = RequestNumber { incarnation: Incarnation(1), seq };
    keys.sign_request(Request { client: ClientId(client), number, command }, false)
}

/// A PRE-PREPARE of n0.
fn pre_prepare(net: &Cluster, view: u64, seq: u64, requests: Vec<SignedRequest>) -> Body {
    let batch = Arc::new(Batch(requests));
    let digest = keys(net, 0).batch_digest(&batch);
    Body::PrePrepare { view: View(view), seq: Slot(seq), digest, batch }
}

#[test]
fn a_calm_request_takes_five_delays_and_the_messages_of_the_table() {
    for (nodes, messages) in [(4_u16, 29), (5, 46), (7, 92)] {
        for authentication in [SIGNATURES, HMAC] {
            for keys in
                [ClusterKeys::from_seed(&[3; 32], nodes, 4), ClusterKeys::simulated(nodes, 4)]
            {
                let options = [authentication];
                let planted = (Mutants::NONE, 1);
                let mut net = Cluster::with_keys(nodes, 4, &options, planted, keys).unwrap();
                costs(&mut net);
                for command in [write(1, 7), read(1)] {
                    assert_eq!(delays(&mut net, 0, command.clone()), 5, "{nodes} nodes");
                    net.settle();
                    // Pre-prepared, prepared, committed.
                    assert_eq!(costs(&mut net), (messages, each(nodes, 3)), "{nodes} nodes");
                    assert_eq!(forced_writes(&mut net, 0, command), 3, "{nodes} nodes");
                    costs(&mut net);
                }
                assert_eq!(net.outcome(0), saw(7));
                judge(&net);
            }
        }
    }
}

#[test]
fn a_read_outside_the_order_takes_two_delays_2n_messages_and_no_record() {
    for nodes in [4_u16, 5, 7] {
        for authentication in [SIGNATURES, HMAC] {
            let mut net = calm(nodes, &[authentication, ("reads", "read-only")]);
            net.run(0, write(1, 7));
            costs(&mut net);
            assert_eq!(delays(&mut net, 1, read(1)), 2, "{nodes} nodes");
            net.settle();
            assert_eq!(costs(&mut net), (2 * usize::from(nodes), BTreeMap::new()));
            assert_eq!(net.outcome(1), saw(7));
            assert_eq!(forced_writes(&mut net, 1, read(1)), 0);
        }
    }
}

#[test]
fn with_early_answers_a_reply_waits_until_what_it_rests_on_is_durable() {
    let mut net = calm(4, &[("reads", "read-only")]);
    assert_eq!(forced_writes(&mut net, 0, write(1, 7)), 4);
}

#[test]
fn a_checkpoint_takes_n_times_n_less_1_messages_and_one_record_at_each_node() {
    for nodes in [4_u16, 5, 7] {
        for authentication in [SIGNATURES, HMAC] {
            let mut net = calm(nodes, &[authentication, ("checkpoint_every", "3")]);
            (1..3).for_each(|value| drop(net.run(0, write(1, value))));
            net.sent.clear();
            net.happened.clear();
            net.run(0, write(1, 3));
            let n = usize::from(nodes);
            let (messages, records) = costs(&mut net);
            assert_eq!(messages, 2 * n * n - n + 1 + n * (n - 1), "{nodes} nodes");
            assert_eq!(records, each(nodes, 3 + 1));
            judge(&net);
        }
    }
}

#[test]
fn requests_that_come_while_others_are_under_way_share_a_sequence_number() {
    let mut net = calm(4, &[("in_flight", "1"), ("batch", "3")]);
    (0..4).for_each(|client| net.invoke(client, write(u64::from(client), 7)));
    net.settle();
    assert!((0..4).all(|client| net.outcome(client) == Some(Outcome::Written)));
    let batches: Vec<usize> = net
        .observations
        .iter()
        .filter_map(|(by, observation)| match observation {
            Observation::Executed { requests, .. } if *by == n(2) => Some(requests.len()),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [1, 3]);
    assert!(net.milestones.contains_key("requests-queued"));
    judge(&net);
}

#[test]
fn every_command_of_the_store_is_replicated() {
    let mut net = calm(4, &[]);
    let (key, list) = (Key(1), Key(2));
    let value = Value(3);
    let parts = vec![Command::Read { key }, Command::Append { key: list, value }];
    for (command, outcome) in [
        (Command::Add { key, value }, Outcome::Added),
        (Command::Cas { key, expected: value, value: Value(4) }, Outcome::Swapped),
        (Command::Cas { key, expected: value, value }, Outcome::NotSwapped(Some(Value(4)))),
        (
            Command::Transaction(parts),
            Outcome::Transaction(vec![Outcome::Read(Some(Value(4))), Outcome::Appended]),
        ),
        (Command::Read { key: list }, Outcome::List(vec![value])),
        (Command::Delete { key }, Outcome::Deleted),
        (Command::Read { key }, Outcome::Read(None)),
    ] {
        assert!(Pbft::functions(&net.config).contains(&command.function()));
        assert_eq!(net.run(0, command), Some(outcome));
    }
}

#[test]
fn a_view_begins_with_the_messages_of_the_table_when_the_primary_is_dead() {
    for count in [4_u16, 5, 7] {
        for authentication in [SIGNATURES, HMAC] {
            let mut net = calm(count, &[authentication]);
            net.crash(0, 0);
            net.invoke(0, write(1, 7));
            net.settle();
            net.fire(c(0));
            net.settle();
            net.happened.clear();
            lose_patience(&mut net);
            net.settle();
            let n = usize::from(count);
            assert_eq!(crossed(&net, "VIEW-CHANGE"), (n - 1) * (n - 1), "{count} nodes");
            assert_eq!(crossed(&net, "NEW-VIEW"), n - 1, "{count} nodes");
            assert_eq!(net.outcome(0), Some(Outcome::Written));
            assert!((1..count).all(|node| view(&net, node) == View(1)));
            // The client knows the view now.
            assert_eq!(net.run(0, read(1)), saw(7));
            judge(&net);
        }
    }
}

#[test]
fn what_was_prepared_is_carried_over_whatever_became_of_its_primary() {
    for authentication in [SIGNATURES, HMAC] {
        for count in [4_u16, 5, 6, 7] {
            let mut net = calm(count, &[authentication]);
            net.invoke(0, write(1, 7));
            net.deliver_all(|flight| !flight.is("COMMIT"));
            let first = net.observations.iter().find_map(|(_, observation)| match observation {
                Observation::Prepared { digest, .. } => Some(*digest),
                _ => None,
            });
            net.crash(0, 0);
            net.lose(|flight| flight.is("COMMIT"));
            net.fire(c(0));
            net.settle();
            assert_eq!(net.outcome(0), None);
            lose_patience(&mut net);
            net.settle();
            assert_eq!(net.outcome(0), Some(Outcome::Written), "{count} nodes");
            assert!(net.milestones.contains_key("prepared-carried-over"));
            let executed = net.observations.iter().find_map(|(_, observation)| match observation {
                Observation::Executed { seq: Slot(1), digest, .. } => Some(*digest),
                _ => None,
            });
            assert_eq!(executed, first);
            judge(&net);
            judge_votes(&net);
        }
    }
}

/// n0 gives the first request its number and tells nobody; the second is prepared, and n0 dies.
///
/// ```text
///   n0  1 ─╳   2 ──► all ── PREPARE ──► all ── COMMIT ─╳   dies
/// ```
fn gap(options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let mut net = planted(4, options, mutants);
    net.invoke(0, write(1, 1));
    net.deliver(|flight| flight.is("REQUEST"));
    net.lose(|flight| flight.is("PRE-PREPARE"));
    net.invoke(1, write(2, 2));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.lose(|_| true);
    net.crash(0, 0);
    (0..2).for_each(|client| net.fire(c(client)));
    net.settle();
    lose_patience(&mut net);
    net.settle();
    net
}

#[test]
fn a_gap_is_filled_with_null() {
    for authentication in [SIGNATURES, HMAC] {
        let net = gap(&[authentication, ("batch", "1")], Mutants::NONE);
        assert!((0..2).all(|client| net.outcome(client) == Some(Outcome::Written)));
        assert!(net.milestones.contains_key("null-executed"));
        assert_eq!(executed(&net, 1), Slot(3));
        judge(&net);
        let net = gap(&[authentication, ("batch", "1")], Mutants(Some(Mutant::B17)));
        assert_eq!(net.outcome(0), None, "nothing is executed after a gap");
        assert_eq!(net.outcome(1), None);
    }
}

#[test]
fn what_a_view_change_does_not_tell_of_is_lost() {
    let run = |mutants| {
        let mut net = planted(4, &[], mutants);
        net.invoke(0, write(1, 7));
        // Only n0 hears of the COMMITs, and executes.
        net.deliver_all(|flight| !flight.is("COMMIT") || flight.to == n(0) || flight.is_local());
        net.lose(|_| true);
        assert_eq!(executed(&net, 0), Slot(1));
        net.crash(0, 0);
        net.invoke(1, write(1, 8));
        net.fire(c(1));
        net.settle();
        lose_patience(&mut net);
        net.settle();
        net
    };
    judge(&run(Mutants::NONE));
    let net = run(Mutants(Some(Mutant::B12)));
    assert!(judged(NOBODY, &net).is_err());
}

#[test]
fn one_who_loses_patience_moves_nobody_and_f_plus_1_move_all() {
    let mut net = calm(4, &[]);
    net.invoke(0, write(1, 7));
    net.lose(|_| true);
    net.fire(c(0));
    net.deliver(|flight| flight.is("REQUEST") && flight.to != n(0));
    net.lose(|_| true);
    net.fire_one(n(3), VIEW);
    net.settle();
    assert!((0..3).all(|node| !net.observations.iter().any(|(by, observation)| {
        *by == n(node) && matches!(observation, Observation::ViewLeft { .. })
    })));
    net.fire_one(n(2), VIEW);
    net.settle();
    assert!((0..4).all(|node| view(&net, node) == View(1)));
    assert_eq!(net.milestones["view-change-joined"], 2);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    judge(&net);
}

/// How long n6 of seven waits for each view, in milliseconds, while none begins: `None` where it does not set a timer.
fn spans(mutants: Mutants) -> Vec<Vec<u64>> {
    let net = planted(7, &[("timeout_ms", "100")], mutants);
    let start = Start {
        me: NodeId(6),
        incarnation: Incarnation(1),
        config: net.config.clone(),
        keys: net.keys.nodes[6].clone(),
        entropy: 0,
        now: LocalTime(0),
        records: Vec::new(),
    };
    let mut out = Outbox::<Pbft>::default();
    let mut replica = PbftReplica::start(start, &mut out).unwrap();
    let mut step = |input| {
        replica.step(LocalTime(0), input, &mut out);
        let effects: Vec<Effect<Pbft>> = out.drain().collect();
        let set = effects.iter().filter_map(|effect| match effect {
            Effect::SetTimer { id: VIEW, min, .. } => Some(min.0 / 1_000),
            _ => None,
        });
        let set: Vec<u64> = set.collect();
        let own = effects.into_iter().find_map(|effect| match effect {
            Effect::Send { to: NodeId(6), message, .. } => Some(message),
            _ => None,
        });
        (set, own)
    };
    let body = Body::Request(Arc::new(request(&net, 0, 1, write(1, 7))));
    let message = Message { body, proof: Proof::Itself };
    let mut spans = vec![step(Input::Request { client: ClientId(0), message }).0];
    for view in 1..6 {
        let (mut set, own) = step(Input::Timer(VIEW));
        let message = own.unwrap();
        set.extend(step(Input::Message { from: NodeId(6), message }).0);
        for node in 0..4 {
            let stable = Certificate::default();
            let (prepared, pre_prepared) = (Vec::new(), Vec::new());
            let view = View(view);
            let body =
                Body::ViewChange(Arc::new(ViewChange { view, stable, prepared, pre_prepared }));
            let proof = keys(&net, node).prove(Party::Node(NodeId(6)), &body);
            let message = Message { body, proof };
            set.extend(step(Input::Message { from: NodeId(node), message }).0);
        }
        spans.push(set);
    }
    spans
}

#[test]
fn a_view_that_does_not_begin_is_given_twice_the_time_from_when_a_quorum_wants_it() {
    assert_eq!(spans(Mutants::NONE), [[100], [100], [200], [400], [800], [1_600]]);
    assert_eq!(spans(Mutants(Some(Mutant::B26))), [[100]; 6]);
}

#[test]
fn whatever_is_lost_is_told_again() {
    for authentication in [SIGNATURES, HMAC] {
        for kind in ["PRE-PREPARE", "PREPARE", "COMMIT"] {
            let mut net = calm(4, &[authentication]);
            net.invoke(0, write(1, 7));
            net.deliver_all(|flight| !flight.is(kind) || flight.is_local());
            assert_eq!(net.outcome(0), None);
            net.lose(|_| true);
            tell_all(&mut net);
            assert_eq!(net.outcome(0), Some(Outcome::Written), "{kind} lost");
            assert!((0..4).all(|node| executed(&net, node) == Slot(1)), "{kind} lost");
            judge(&net);
        }
        let mut net = calm(4, &[authentication]);
        net.invoke(0, write(1, 7));
        net.deliver_all(|flight| !flight.is("REPLY"));
        net.lose(|_| true);
        net.fire(c(0));
        net.settle();
        assert_eq!(net.outcome(0), Some(Outcome::Written));
        assert!((0..4).all(|node| executed(&net, node) == Slot(1)), "and executed once");
    }
}

#[test]
fn a_lost_new_view_is_told_again_and_lost_view_changes_too() {
    for kind in ["NEW-VIEW", "VIEW-CHANGE"] {
        let mut net = calm(4, &[]);
        net.crash(0, 0);
        net.invoke(0, write(1, 7));
        net.settle();
        net.fire(c(0));
        net.settle();
        lose_patience(&mut net);
        net.deliver_all(|flight| !flight.is(kind) || flight.is_local());
        net.lose(|_| true);
        assert_eq!(net.outcome(0), None);
        tell_all(&mut net);
        tell_all(&mut net);
        assert_eq!(net.outcome(0), Some(Outcome::Written), "{kind} lost");
        judge(&net);
    }
}

/// n3 hears nothing of so many writes.
fn laggard(options: &[(&str, &str)], writes: u64) -> Cluster {
    let mut net = calm(4, options);
    for value in 0..writes {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| flight.from != n(3) && flight.to != n(3));
        assert_eq!(net.outcome(0), Some(Outcome::Written));
        net.lose(|_| true);
    }
    net
}

#[test]
fn a_laggard_is_told_what_is_committed_and_gets_the_state_where_that_is_forgotten() {
    for authentication in [SIGNATURES, HMAC] {
        let mut net = laggard(&[authentication, ("checkpoint_every", "4")], 3);
        tell_all(&mut net);
        assert_eq!(executed(&net, 3), Slot(3));
        assert!(net.milestones.contains_key("learned-committed"));
        assert!(!net.milestones.contains_key("state-installed"));
        judge(&net);
        let mut net = laggard(&[authentication, ("checkpoint_every", "4")], 11);
        assert_eq!(executed(&net, 3), Slot(0));
        (0..3).for_each(|_| tell_all(&mut net));
        assert_eq!(executed(&net, 3), Slot(11));
        assert!(net.milestones.contains_key("state-installed"));
        judge(&net);
        // It votes again: nobody else need.
        net.crash(2, 0);
        assert_eq!(net.run(1, read(1)), saw(10));
    }
}

#[test]
fn a_replica_that_the_primary_starves_is_told_what_is_committed() {
    let run = |mutants| {
        let mut net = planted(4, &[], mutants);
        let reaches = |flight: &Flight<Message>| !flight.is("PRE-PREPARE") || flight.to != n(3);
        net.invoke(0, write(1, 7));
        net.deliver_all(reaches);
        assert_eq!(executed(&net, 3), Slot(0));
        for _ in 0..3 {
            net.lose(|_| true);
            (0..4).for_each(|node| net.fire_one(n(node), STATUS));
            net.deliver_all(reaches);
        }
        judge(&net);
        (executed(&net, 3), net.milestones.contains_key("batch-fetched"))
    };
    // It gets the batch from one of those who say that it is committed.
    assert_eq!(run(Mutants::NONE), (Slot(1), true));
    assert_eq!(run(Mutants(Some(Mutant::B29))), (Slot(0), false));
}

#[test]
fn a_batch_that_is_lacking_may_come_for_another_sequence_number() {
    let mut net = calm(4, &[]);
    let proposed = |seq| pre_prepare(&net, 0, seq, vec![request(&net, 0, 1, write(1, 7))]);
    let (first, second) = (proposed(1), proposed(2));
    let Body::PrePrepare { seq, digest, .. } = first else { unreachable!() };
    for from in [1, 2] {
        say(&mut net, from, 3, Body::Committed { seq, digest });
    }
    assert_eq!(executed(&net, 3), Slot::ZERO);
    // Its question is not answered.
    say(&mut net, 0, 3, second);
    assert_eq!(executed(&net, 3), Slot(1));
}

#[test]
fn what_is_stable_is_discarded_and_a_disk_needs_no_more_than_that() {
    for authentication in [SIGNATURES, HMAC] {
        let mut net = calm(4, &[authentication, ("checkpoint_every", "4")]);
        for value in 0..9 {
            net.run(0, write(1, value));
        }
        let stable = |observation: &Observation| match observation {
            Observation::CheckpointStable { seq, voters, .. } => Some((*seq, voters.len())),
            _ => None,
        };
        let stable: Vec<_> =
            net.observations.iter().filter_map(|(_, observation)| stable(observation)).collect();
        assert_eq!(stable.len(), 8);
        assert!(stable.iter().all(|(_, voters)| *voters == 3));
        for node in 0..4 {
            net.checkpoint(node);
            // The state, and the last place: its batch, that it was accepted, prepared and committed.
            assert_eq!(net.nodes[usize::from(node)].durable.len(), 5);
            net.crash(node, 0);
            net.restart(node).unwrap();
        }
        net.settle();
        assert_eq!(net.run(1, read(1)), saw(8));
        judge(&net);
        judge_votes(&net);
    }
}

#[test]
fn a_primary_waits_at_the_high_watermark_for_a_checkpoint_to_be_stable() {
    let mut net = calm(4, &[("checkpoint_every", "1"), ("in_flight", "8"), ("batch", "1")]);
    for value in 0..3 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| !flight.is("CHECKPOINT"));
    }
    assert_eq!(net.outcome(0), None, "the third lies beyond the watermark");
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

/// One request, of which so many messages arrive before `crash` strikes; then time passes.
fn struck(options: &[(&str, &str)], arrivals: usize, crash: impl Fn(&mut Cluster)) -> bool {
    let mut net = calm(4, options);
    net.run(1, write(2, 1));
    net.invoke(0, write(1, 7));
    for _ in 0..arrivals {
        if net.flying.is_empty() {
            return false;
        }
        net.deliver_at(0);
    }
    crash(&mut net);
    finish(&mut net);
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    assert_eq!(net.run(2, read(1)), saw(7));
    judge(&net);
    judge_votes(&net);
    true
}

#[test]
fn replicas_that_restart_keep_their_word_at_every_stage() {
    for options in [
        [SIGNATURES, ("reads", "log"), ("checkpoint_every", "2")],
        [HMAC, ("reads", "read-only"), ("checkpoint_every", "1")],
    ] {
        let restart = |net: &mut Cluster, node| {
            net.crash(node, 0);
            net.restart(node).unwrap();
        };
        let stages = (0..).take_while(|stage| {
            struck(&options, *stage, |net| (0..4).for_each(|node| restart(net, node)))
        });
        assert!(stages.count() > 40);
        for node in 0..4 {
            let stages =
                (0..).take_while(|stage| struck(&options, *stage, |net| restart(net, node)));
            assert!(stages.count() > 40);
        }
        // All messages are lost as well.
        let stages = (0..).take_while(|stage| {
            struck(&options, *stage, |net| {
                net.lose(|_| true);
                (0..4).for_each(|node| restart(net, node));
            })
        });
        assert!(stages.count() > 40);
    }
}

/// Disks are late, nodes crash, messages are lost and overtake each other.
fn wander(seed: u64, options: &[(&str, &str)]) -> Cluster {
    let mut dice = Dice(seed);
    let mut net = calm(4, options);
    net.is_syncing = false;
    let mut place = move |count: usize| usize::try_from(dice.below(count as u64)).unwrap();
    for _ in 0..2_500 {
        let client = u32::try_from(place(4)).unwrap();
        if !net.clients[place(4)].is_open {
            let free = (0..4).find(|client| !net.clients[*client as usize].is_open).unwrap();
            let command = if place(2) == 0 { read(1) } else { write(1, place(90) as u64) };
            net.invoke(free, command);
        }
        let node = u16::try_from(place(4)).unwrap();
        match place(40) {
            0 => {
                let kept = place(3);
                net.crash(node, kept);
                net.restart(node).unwrap();
            }
            1 => net.fire_one(n(node), STATUS),
            2 => net.fire_one(n(node), VIEW),
            3 => net.checkpoint(node),
            4 => net.fire(c(client)),
            5..=15 => net.sync(node, 1 + place(4)),
            16 if !net.flying.is_empty() => {
                let lost = place(net.flying.len());
                if !net.flying[lost].is_local() {
                    net.flying.remove(lost);
                }
            }
            _ if !net.flying.is_empty() => {
                let chosen = place(net.flying.len());
                net.deliver_at(chosen);
            }
            _ => {}
        }
    }
    net.is_syncing = true;
    (0..4).for_each(|node| net.sync(node, usize::MAX));
    net
}

#[test]
fn disks_that_are_late_and_lose_what_was_not_durable_make_nobody_break_its_word() {
    let mut histories = 0;
    for seed in 0..60 {
        let authentication = if seed % 2 == 0 { SIGNATURES } else { HMAC };
        let execution = if seed % 3 == 0 { "tentative" } else { "committed" };
        let options = [authentication, ("checkpoint_every", "4"), ("execution", execution)];
        let mut net = wander(seed, &options);
        finish(&mut net);
        judge(&net);
        judge_votes(&net);
        histories += executed(&net, 0).0;
    }
    assert!(histories > 200, "{histories} sequence numbers were executed");
}

#[test]
fn a_replica_does_not_start_from_a_damaged_disk() {
    let mut net = calm(4, &[]);
    net.run(0, write(1, 7));
    net.crash(2, 0);
    net.nodes[2].damaged = Some(1);
    let place = "record 2".into();
    assert_eq!(net.restart(2), Err(StartError::CorruptRecord { place }));
}

#[test]
fn a_backup_refuses_what_no_correct_primary_would_propose() {
    let mut net = calm(4, &[("checkpoint_every", "4")]);
    let good = request(&net, 0, 1, write(1, 7));
    let other = request(&net, 0, 1, write(1, 8));
    let forged = SignedRequest { request: other.request.clone(), ..good.clone() };
    let swapped = |net: &Cluster| match pre_prepare(net, 0, 1, vec![good.clone()]) {
        Body::PrePrepare { view, seq, batch, .. } => {
            Body::PrePrepare { view, seq, digest: Digest([7; 32]), batch }
        }
        other => other,
    };
    for (from, body, why) in [
        (2, pre_prepare(&net, 0, 1, vec![good.clone()]), "PRE-PREPARE not from the primary"),
        (0, swapped(&net), "PRE-PREPARE of another batch than its digest says"),
        (
            0,
            pre_prepare(&net, 0, 1, vec![forged]),
            "PRE-PREPARE with a request that its client did not make",
        ),
        (0, pre_prepare(&net, 0, 0, vec![good.clone()]), "not between the watermarks"),
        (0, pre_prepare(&net, 0, 9, vec![good.clone()]), "not between the watermarks"),
        (
            1,
            pre_prepare(&net, 1, 1, vec![good.clone()]),
            "PRE-PREPARE of a view that has not begun here",
        ),
    ] {
        net.ignored.clear();
        say(&mut net, from, 3, body);
        assert_eq!(net.ignored.get(why), Some(&1), "{:?}", net.ignored);
        assert_eq!(net.nodes[3].durable.len(), 0);
    }
    let second = pre_prepare(&net, 0, 1, vec![other]);
    let first = pre_prepare(&net, 0, 1, vec![good]);
    say(&mut net, 0, 3, first);
    assert_eq!(net.nodes[3].durable.len(), 1);
    say(&mut net, 0, 3, second);
    assert_eq!(net.ignored["PRE-PREPARE against one that was accepted"], 1);
    assert_eq!(net.milestones["equivocation-seen"], 1);
    let body = Body::Prepare { view: View(0), seq: Slot(1), digest: Digest([7; 32]) };
    say(&mut net, 0, 3, body.clone());
    assert_eq!(net.ignored["PREPARE of the primary"], 1);
    // Somebody else's keys.
    let proof = keys(&net, 2).prove(Party::Node(NodeId(3)), &body);
    net.arrive(Flight { from: n(1), to: n(3), message: Message { body, proof } });
    assert_eq!(net.ignored["not authentic"], 1);
}

#[test]
fn an_equivocating_primary_does_not_make_two_batches_prepared() {
    let run = |mutants| {
        let mut net = planted(4, &[], mutants);
        let one = request(&net, 0, 1, write(1, 1));
        let two = request(&net, 1, 1, write(1, 2));
        let (one, two) = (pre_prepare(&net, 0, 1, vec![one]), pre_prepare(&net, 0, 1, vec![two]));
        // n0 tells n1 the one and n2 the other, and PREPAREs both.
        for (to, body) in [(1, one), (2, two)] {
            let Body::PrePrepare { view, seq, digest, .. } = body else { unreachable!() };
            say(&mut net, 0, to, body);
            say(&mut net, 0, to, Body::Prepare { view, seq, digest });
        }
        net.deliver_all(|flight| flight.from != n(0));
        net
    };
    let net = run(Mutants::NONE);
    judge(&net);
    for mutant in [Mutant::B03, Mutant::B05] {
        let net = run(Mutants(Some(mutant)));
        assert!(judged(NOBODY, &net).is_err(), "{mutant} is harmless");
    }
}

#[test]
fn a_request_is_executed_once_however_often_it_is_ordered() {
    let run = |mutants| {
        let mut net = planted(4, &[], mutants);
        let asked = request(&net, 0, 1, Command::Add { key: Key(1), value: Value(3) });
        for seq in 1..3 {
            let body = pre_prepare(&net, 0, seq, vec![asked.clone()]);
            (1..4).for_each(|to| say(&mut net, 0, to, body.clone()));
            net.settle();
        }
        assert_eq!(net.milestones.contains_key("ordered-twice"), mutants == Mutants::NONE);
        let effects = net.observations.iter().filter(|(by, observation)| {
            *by == n(1)
                && matches!(observation, Observation::Executed { requests, .. } if requests[0].2)
        });
        effects.count()
    };
    assert_eq!(run(Mutants::NONE), 1);
    assert_eq!(run(Mutants(Some(Mutant::B25))), 2);
}

/// Small changes to what would be said: to what is near, or to what somebody has said before.
struct Liar {
    dice: Dice,
    digests: Vec<Digest>,
    bodies: Vec<Body>,
}

impl Liar {
    fn hear(&mut self, body: &Body) {
        if let Body::PrePrepare { digest, .. } | Body::Checkpoint { digest, .. } = body {
            self.digests.push(*digest);
        }
        if self.bodies.len() < 64 {
            self.bodies.push(body.clone());
        } else {
            let place = self.place(64);
            self.bodies[place] = body.clone();
        }
    }

    fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.dice.below(count as u64)).unwrap()
    }

    fn node(&mut self) -> u16 {
        u16::try_from(self.dice.below(4)).unwrap()
    }

    fn earlier(&mut self) -> Option<Body> {
        let count = self.bodies.len();
        (count > 0).then(|| self.place(count)).map(|place| self.bodies[place].clone())
    }

    fn number(&mut self, truth: u64) -> u64 {
        match self.dice.below(8) {
            0 | 1 => truth.wrapping_add(1),
            2 | 3 => truth.saturating_sub(1),
            4 => self.dice.number(),
            _ => truth,
        }
    }

    fn view(&mut self, truth: View) -> View {
        View(self.number(truth.0))
    }

    fn slot(&mut self, truth: Slot) -> Slot {
        Slot(self.number(truth.0))
    }

    fn digest(&mut self, truth: Digest) -> Digest {
        match self.dice.below(4) {
            0 if !self.digests.is_empty() => {
                let place = self.place(self.digests.len());
                self.digests[place]
            }
            1 => Digest::NULL,
            _ => truth,
        }
    }

    fn thin<T: Clone>(&mut self, list: &mut Vec<T>) {
        if list.is_empty() {
            return;
        }
        let place = self.place(list.len());
        match self.dice.below(4) {
            0 => drop(list.remove(place)),
            1 => list.push(list[place].clone()),
            2 => list.swap(0, place),
            _ => {}
        }
    }

    fn certificate(&mut self, truth: &Certificate) -> Certificate {
        let mut votes = truth.votes.clone();
        self.thin(&mut votes);
        Certificate { seq: self.slot(truth.seq), digest: self.digest(truth.digest), votes }
    }

    fn view_change(&mut self, truth: &ViewChange) -> ViewChange {
        let mut lie = truth.clone();
        lie.view = self.view(lie.view);
        match self.dice.below(4) {
            0 => lie.stable = self.certificate(&truth.stable),
            1 => self.thin(&mut lie.prepared),
            2 => self.thin(&mut lie.pre_prepared),
            _ => {
                let digest = self.digest(Digest([1; 32]));
                let (view, seq) = (self.view(View(0)), self.slot(lie.stable.seq.next()));
                lie.prepared.push(Prepared { view, seq, digest, votes: Vec::new() });
                lie.prepared.sort_by_key(|claim| claim.seq);
            }
        }
        lie
    }

    fn new_view(&mut self, truth: &NewView) -> NewView {
        let mut lie = truth.clone();
        lie.view = self.view(lie.view);
        match self.dice.below(3) {
            0 => self.thin(&mut lie.votes),
            1 => self.thin(&mut lie.proposals),
            _ => {
                for proposal in &mut lie.proposals {
                    proposal.digest = self.digest(proposal.digest);
                }
            }
        }
        lie
    }

    /// What is said in place of this.
    fn lie(&mut self, truth: &Body) -> Body {
        if self.dice.below(6) == 0
            && let Some(earlier) = self.earlier()
        {
            return earlier;
        }
        match truth.clone() {
            Body::PrePrepare { view, seq, digest, batch } => {
                let (view, seq) = (self.view(view), self.slot(seq));
                match self.dice.below(3) {
                    0 => {
                        let digest = Digest::NULL;
                        Body::PrePrepare { view, seq, digest, batch: Arc::default() }
                    }
                    _ => Body::PrePrepare { view, seq, digest, batch },
                }
            }
            Body::Prepare { view, seq, digest } => {
                let (view, seq) = (self.view(view), self.slot(seq));
                Body::Prepare { view, seq, digest: self.digest(digest) }
            }
            Body::Commit { view, seq, digest } => {
                let (view, seq) = (self.view(view), self.slot(seq));
                Body::Commit { view, seq, digest: self.digest(digest) }
            }
            Body::Checkpoint { seq, digest } => {
                Body::Checkpoint { seq: self.slot(seq), digest: self.digest(digest) }
            }
            Body::ViewChange(truth) => Body::ViewChange(Arc::new(self.view_change(&truth))),
            Body::NewView(truth) => Body::NewView(Arc::new(self.new_view(&truth))),
            other => self.lie_to_one(other),
        }
    }

    /// The same for what is no vote.
    fn lie_to_one(&mut self, truth: Body) -> Body {
        match truth {
            Body::Reply { view, number, how, .. } => {
                let outcome = Outcome::Read(Some(Value(self.dice.number())));
                Body::Reply { view: self.view(view), number, outcome, how }
            }
            Body::Status { view, is_active, stable, executed } => {
                let (view, stable) = (self.view(view), self.slot(stable));
                Body::Status { view, is_active: !is_active, stable, executed: self.slot(executed) }
            }
            Body::Committed { seq, digest } => {
                Body::Committed { seq: self.slot(seq), digest: self.digest(digest) }
            }
            Body::Stable(truth) => Body::Stable(Arc::new(self.certificate(&truth))),
            Body::Fetch { digest } => Body::Fetch { digest: self.digest(digest) },
            Body::Fetched { .. } => Body::Fetched { batch: Arc::default() },
            Body::GetState { seq } => Body::GetState { seq: self.slot(seq) },
            Body::State { certificate, snapshot } => {
                let certificate = Arc::new(self.certificate(&certificate));
                Body::State { certificate, snapshot }
            }
            other => other,
        }
    }
}

/// Delivers a message of a liar: what it would have said, or something else, proven with its own keys.
fn deliver_lie(net: &mut Cluster, liar: &mut Liar, flight: Flight<Message>) {
    let Place::Node(from) = flight.from else { unreachable!() };
    liar.hear(&flight.message.body);
    if liar.dice.below(3) == 0 {
        return net.arrive(flight);
    }
    let body = liar.lie(&flight.message.body);
    let to = match flight.to {
        Place::Node(node) => Party::Node(node),
        Place::Client(client) => Party::Client(client),
    };
    let proof = keys(net, from.0).prove(to, &body);
    net.arrive(Flight { message: Message { body, proof }, ..flight });
}

/// One replica lies, and all that it says is proven with its own keys; messages overtake each other, and timers fire.
fn beset(seed: u64, place: u16, options: &[(&str, &str)]) -> Cluster {
    let mut net = calm(4, options);
    let mut liar = Liar { dice: Dice(seed), digests: Vec::new(), bodies: Vec::new() };
    for step in 0..1_200_u64 {
        if let Some(free) = (0..4_u32).find(|client| !net.clients[*client as usize].is_open) {
            let command = if liar.dice.below(2) == 0 { read(1) } else { write(1, step) };
            net.invoke(free, command);
        }
        let node = liar.node();
        match liar.dice.below(60) {
            0 => net.fire_one(n(node), STATUS),
            1 => net.fire_one(n(node), VIEW),
            2 => net.fire(c(u32::from(node))),
            3 if node != place => {
                let Some(truth) = liar.earlier() else { continue };
                let body = liar.lie(&truth);
                say(&mut net, place, node, body);
            }
            _ if net.flying.is_empty() => {}
            _ => {
                // Mostly in order.
                let chosen = liar.place(net.flying.len().min(12));
                let flight = net.flying.remove(chosen);
                if flight.from == n(place) && !flight.is_local() {
                    deliver_lie(&mut net, &mut liar, flight);
                } else {
                    liar.hear(&flight.message.body);
                    net.arrive(flight);
                }
            }
        }
    }
    net
}

#[test]
fn whatever_one_replica_says_with_its_own_keys_the_others_stay_together_and_get_on() {
    let mut histories = 0;
    for seed in 0..80 {
        let options = [
            if seed % 2 == 0 { SIGNATURES } else { HMAC },
            ("execution", if seed % 5 == 0 { "tentative" } else { "committed" }),
            ("reads", if seed % 3 == 0 { "read-only" } else { "log" }),
            ("checkpoint_every", "4"),
            ("batch", "2"),
        ];
        let place = u16::try_from(seed / 2 % 4).unwrap();
        let mut net = beset(seed, place, &options);
        assert_eq!(judged(n(place), &net), Ok(()), "seed {seed}");
        judge_votes_of_all_but(n(place), &net);
        net.crash(place, 0);
        finish(&mut net);
        assert_eq!(judged(n(place), &net), Ok(()), "seed {seed}");
        judge_votes_of_all_but(n(place), &net);
        histories += executed(&net, (place + 1) % 4).0;
    }
    assert!(histories > 500, "{histories} sequence numbers were executed");
}

#[test]
fn nothing_that_anybody_says_stops_a_replica_or_a_client() {
    for authentication in [SIGNATURES, HMAC] {
        let mut net = calm(4, &[authentication, ("checkpoint_every", "4")]);
        (0..6).for_each(|value| drop(net.run(0, write(1, value))));
        tell_all(&mut net);
        let bodies = net.happened.iter().filter_map(|happened| match happened {
            Happened::Sent { message, .. } => Some(message.body.clone()),
            _ => None,
        });
        let bodies = bodies.collect();
        let mut liar = Liar { dice: Dice(9), digests: Vec::new(), bodies };
        for _ in 0..4_000 {
            let Some(truth) = liar.earlier() else { unreachable!() };
            let body = liar.lie(&truth);
            let (from, to) = (u16::try_from(liar.place(5)).unwrap(), liar.node());
            // All lie: nothing is promised but that nobody panics.
            match liar.dice.below(4) {
                0 => {
                    let message = Message { body, proof: Proof::Itself };
                    net.arrive(Flight { from: c(u32::from(from)), to: n(to), message });
                }
                1 => {
                    let message = Message { body, proof: Proof::Mac([7; 16]) };
                    net.arrive(Flight { from: n(from), to: c(u32::from(to)), message });
                }
                _ if from == to || from > 3 => {}
                _ => say(&mut net, from, to, body),
            }
            net.flying.clear();
        }
    }
}

#[test]
fn a_second_proposal_takes_the_place_of_the_first_only_where_that_is_planted() {
    let run = |mutants| {
        let mut net = planted(4, &[], mutants);
        for value in 1..3 {
            let asked = request(&net, 0, 1, write(1, value));
            let body = pre_prepare(&net, 0, 1, vec![asked]);
            say(&mut net, 0, 3, body);
        }
        crossed(&net, "PREPARE")
    };
    assert_eq!(run(Mutants::NONE), 3);
    assert_eq!(run(Mutants(Some(Mutant::B06))), 6);
}

#[test]
fn a_primary_that_skips_numbers_is_deposed_and_without_watermarks_stops_everybody() {
    let run = |mutants| {
        let mut net = planted(4, &[], mutants);
        net.invoke(0, write(1, 7));
        net.lose(|_| true);
        net.crash(0, 0);
        let asked = request(&net, 0, 1, write(1, 7));
        let body = pre_prepare(&net, 0, 1 << 62, vec![asked]);
        (1..4).for_each(|to| say(&mut net, 0, to, body.clone()));
        net.settle();
        for _ in 0..8 {
            net.fire(c(0));
            net.settle();
            tell_all(&mut net);
            lose_patience(&mut net);
            net.settle();
        }
        net.outcome(0)
    };
    assert_eq!(run(Mutants::NONE), Some(Outcome::Written));
    assert_eq!(run(Mutants(Some(Mutant::B18))), None);
}

/// n0 alone executes the first request, and takes a checkpoint that is not stable. n1 leads next.
#[test]
fn what_is_dropped_at_an_unstable_checkpoint_is_lost() {
    let run = |mutants| {
        let mut net = planted(4, &[("checkpoint_every", "1")], mutants);
        net.invoke(0, write(1, 7));
        net.deliver_all(|flight| !flight.is("CHECKPOINT"));
        assert!((0..4).all(|node| executed(&net, node) == Slot(1)));
        net.lose(|_| true);
        net.crash(0, 0);
        net.invoke(1, write(1, 8));
        net.fire(c(1));
        net.deliver_all(|flight| !flight.is("CHECKPOINT"));
        lose_patience(&mut net);
        net.settle();
        finish(&mut net);
        judged(NOBODY, &net)
    };
    assert_eq!(run(Mutants::NONE), Ok(()));
    assert!(run(Mutants(Some(Mutant::B20))).is_err());
}

#[test]
fn checkpoints_that_nobody_heard_of_are_told_again() {
    let mut net = calm(4, &[("checkpoint_every", "2")]);
    for value in 0..4 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| !flight.is("CHECKPOINT") || flight.is_local());
        net.lose(|_| true);
        assert_eq!(net.outcome(0), Some(Outcome::Written));
    }
    assert_eq!(net.run(0, write(1, 4)), None, "no sequence number is free");
    // The first time something was executed since the timers were set.
    (0..2).for_each(|_| tell_all(&mut net));
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

/// n3 has PREPAREs and COMMITs of the new view before it knows that it has begun.
#[test]
fn votes_that_come_before_their_view_count_once_it_has_begun() {
    let mut net = calm(4, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.crash(0, 0);
    net.lose(|_| true);
    net.fire(c(0));
    net.settle();
    lose_patience(&mut net);
    net.deliver_all(|flight| !flight.is("NEW-VIEW") || flight.to != n(3));
    assert_eq!(executed(&net, 1), Slot(0), "n3 is needed");
    net.settle();
    assert!((1..4).all(|node| executed(&net, node) == Slot(1)));
}

#[test]
fn what_a_replica_writes_in_place_of_its_log_brings_back_what_it_was() {
    for seed in 0..40 {
        let authentication = if seed % 2 == 0 { SIGNATURES } else { HMAC };
        let net = wander(seed, &[authentication, ("checkpoint_every", "4")]);
        for (me, node) in (0..4).zip(&net.nodes) {
            let records = node.replica.as_ref().unwrap().checkpoint();
            let start = Start {
                me: NodeId(me),
                incarnation: Incarnation(9),
                config: net.config.clone(),
                keys: net.keys.nodes[usize::from(me)].clone(),
                entropy: 0,
                now: LocalTime(0),
                records: records.iter().cloned().map(Recovered::Intact).collect(),
            };
            let again = PbftReplica::start(start, &mut Outbox::default()).unwrap();
            assert!(again.checkpoint() == records, "seed {seed}, n{me}");
        }
    }
}

#[test]
fn a_cluster_that_bears_no_liar_may_have_one_two_or_three_nodes() {
    for count in 1..=3 {
        for options in [[SIGNATURES, ("reads", "log")], [HMAC, ("reads", "read-only")]] {
            let mut net = calm(count, &options);
            assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
            assert_eq!(net.run(1, read(1)), saw(7));
            nodes(&net).for_each(|node| {
                net.crash(node, 0);
                net.restart(node).unwrap();
            });
            assert_eq!(net.run(0, write(1, 8)), Some(Outcome::Written));
            // The primary is gone for a while, where somebody else can lead.
            net.crash(0, 0);
            net.invoke(2, read(1));
            if count < 3 {
                net.restart(0).unwrap();
            }
            finish(&mut net);
            assert_eq!(net.outcome(2), saw(8));
            judge(&net);
            judge_votes(&net);
        }
    }
}

#[test]
fn a_single_replica_counts_on_nothing_that_is_not_durable() {
    let mut net = calm(1, &[]);
    net.is_syncing = false;
    net.invoke(0, write(1, 7));
    net.settle();
    let has_prepared = |net: &Cluster| {
        let is_one =
            |observation: &Observation| matches!(observation, Observation::Prepared { .. });
        net.observations.iter().any(|(_, observation)| is_one(observation))
    };
    assert!(!has_prepared(&net));
    net.sync(0, 1);
    net.settle();
    assert!(has_prepared(&net));
    // What it accepted is on its disk, and no more: it takes that up.
    net.crash(0, 0);
    net.is_syncing = true;
    net.restart(0).unwrap();
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}
