//! What a primary may propose, and that a request takes effect once.

use quorate_systems::contract::{Command, Key, NodeId, Outcome, Value};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{Body, Digest, Message, Observation, SignedRequest, View};
use quorate_systems::smr::Slot;

use crate::support::{Flight, c, n, write};
use crate::{
    Cluster, NOBODY, calm, crossed, judge, judged, keys, lose_patience, planted, pre_prepare,
    request, say, tell_all,
};

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
