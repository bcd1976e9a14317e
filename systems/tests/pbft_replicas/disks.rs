//! What a disk brings back: replicas keep their word over restarts.

use quorate_systems::contract::{
    Incarnation, LocalTime, NodeId, Outbox, Outcome, Recovered, Replica, Start, StartError,
};
use quorate_systems::pbft::{Observation, PbftReplica};

use crate::dice::Dice;
use crate::support::{c, n, read, saw, write};
use crate::{Cluster, HMAC, SIGNATURES, STATUS, VIEW, calm, executed, finish, judge, judge_votes};

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
