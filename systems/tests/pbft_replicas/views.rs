//! View changes: what they cost, what they carry over, who moves whom, and how long they wait.

use std::sync::Arc;

use quorate_systems::contract::{
    ClientId, Effect, Incarnation, Input, LocalTime, NodeId, Outbox, Outcome, Replica, Start,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{
    Body, Certificate, Message, Observation, Pbft, PbftReplica, Proof, View, ViewChange,
};
use quorate_systems::smr::Slot;

use crate::support::{c, n, read, saw, write};
use crate::{
    Cluster, HMAC, NOBODY, SIGNATURES, VIEW, calm, crossed, executed, judge, judge_votes, judged,
    keys, lose_patience, planted, request, tell_all, view,
};

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
