//! What is lost is told again, laggards catch up, and what is stable is discarded.

use quorate_systems::contract::Outcome;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::pbft::{Body, Message, Observation};
use quorate_systems::smr::Slot;

use crate::support::{Flight, c, n, read, saw, write};
use crate::{
    Cluster, HMAC, NOBODY, SIGNATURES, STATUS, calm, executed, finish, judge, judge_votes, judged,
    lose_patience, planted, pre_prepare, request, say, tell_all,
};

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
