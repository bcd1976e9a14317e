//! What a disk brings back, and what keeps a node down.

use quorate_systems::contract::{
    Incarnation, LocalTime, NodeId, Options, Outbox, Outcome, Recovered, Replica, Start,
    StartError, System, TimerId,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::smr::Slot;
use quorate_systems::vr::{Record, View, Vr, VrReplica};

use crate::logs::keyring;
use crate::support::{c, n, read, write};
use crate::{Cluster, VIEW, calm, names};

fn checkpoint(net: &Cluster, node: u16) -> Vec<Record> {
    net.nodes.get(usize::from(node)).unwrap().replica.as_ref().unwrap().checkpoint()
}

/// Restarts a node from its log, and from a checkpoint of that: both bring back the same.
fn restored(net: &mut Cluster, node: u16) -> Vec<Record> {
    let reboot = |net: &mut Cluster| {
        net.crash(node, 0);
        net.restart(node).unwrap();
        net.lose(|flight| flight.from == n(node) && !flight.is_local());
    };
    reboot(net);
    let from_log = checkpoint(net, node);
    net.checkpoint(node);
    reboot(net);
    assert_eq!(checkpoint(net, node), from_log);
    from_log
}

#[test]
fn what_a_checkpoint_holds_is_what_the_log_held() {
    let mut net = calm(3, &[("checkpoint_every", "4")], Mutants::NONE);
    for value in 0..7 {
        net.run(0, write(value % 3, value));
    }
    net.invoke(0, write(0, 9));
    net.deliver(|flight| flight.is("REQUEST"));
    net.deliver(|flight| flight.is("PREPARE") && flight.to == n(2));
    net.lose(|_| true);
    let records = restored(&mut net, 2);
    let [Record::Adopted { view: View::FIRST, state, snapshot: Some(snapshot) }] =
        records.as_slice()
    else {
        panic!("{records:?}")
    };
    assert_eq!((snapshot.index, state.log.last()), (Slot(4), Slot(8)));
    assert_eq!(state.commit, Slot(6), "all that n2 knew when it wrote op 8");
    // n0 has left its view, and so has n2 when it hears that.
    for node in [0, 2] {
        if node == 2 {
            net.fire(n(0));
            net.deliver(|flight| flight.is("STARTVIEWCHANGE"));
        }
        let records = restored(&mut net, node);
        assert!(records.contains(&Record::View { view: View::FIRST.next() }), "{records:?}");
    }
}

/// A cluster of five of which n0, n1 and n2 are replicas, and n0, n3 and n4 are to be.
pub(crate) fn reconfiguring(options: &[(&str, &str)]) -> Cluster {
    let options: Vec<_> = options.iter().copied().chain([("members", "n0,n1,n2")]).collect();
    let mut net = calm(5, &options, Mutants::NONE);
    for value in 0..3 {
        net.run(0, write(1, value));
    }
    net.reconfigure(2, names(&[("members", "n0,n3,n4")]));
    net
}

#[test]
fn what_a_checkpoint_holds_of_an_epoch_is_what_the_log_held() {
    for options in [vec![], vec![("checkpoint_every", "2")]] {
        let mut net = reconfiguring(&options);
        net.deliver_all(|flight| !flight.is("GETSTATE"));
        assert_eq!(net.outcome(2), Some(Outcome::Reconfigured));
        // n3 lacks the state, n1 is outside.
        for (node, normal) in [(3, false), (1, false)] {
            let records = restored(&mut net, node);
            let epoch = records.iter().find_map(|record| match record {
                Record::Epoch { view, is_normal, .. } => Some((*view, *is_normal)),
                _ => None,
            });
            assert_eq!(epoch, Some((View { epoch: 1, number: 0 }, normal)), "{records:?}");
        }
        for _ in 0..3 {
            (0..5).for_each(|node| net.fire(n(node)));
            net.settle();
        }
        for node in [3, 4, 1, 2] {
            let records = restored(&mut net, node);
            assert!(matches!(records.first(), Some(Record::Epoch { .. })), "{records:?}");
        }
        net.invoke(0, write(1, 9));
        for _ in 0..6 {
            net.settle();
            (0..5).for_each(|node| net.fire(n(node)));
            net.fire(c(0));
        }
        assert_eq!(net.outcome(0), Some(Outcome::Written));
    }
}

#[test]
fn what_a_checkpoint_holds_of_a_witness_is_what_the_log_held() {
    let mut net = calm(3, &[("witnesses", "yes")], Mutants::NONE);
    net.run(0, write(1, 1));
    net.crash(1, 0);
    net.invoke(0, write(1, 2));
    for _ in 0..3 {
        net.settle();
        net.fire_one(n(0), TimerId(2));
    }
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    let records = restored(&mut net, 2);
    let [Record::Adopted { state, snapshot: None, .. }] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!((state.held, state.log.after, state.log.last()), (Slot(1), Slot(1), Slot(2)));
}

#[test]
fn without_a_disk_a_view_is_all_that_a_checkpoint_holds() {
    let mut net = calm(3, &[("persistence", "durable-view")], Mutants::NONE);
    net.run(0, write(1, 7));
    net.crash(0, 0);
    for _ in 0..2 {
        (1..3).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.settle();
    assert_eq!(restored(&mut net, 2), [Record::View { view: View::FIRST.next() }]);
    let mut net = calm(3, &[("persistence", "crash-vector")], Mutants::NONE);
    net.run(0, write(1, 7));
    assert_eq!(restored(&mut net, 2), []);
}

/// A node that starts from these records.
fn boot(records: Vec<Recovered<Record>>, mutants: Mutants) -> Result<VrReplica, StartError> {
    let start = Start {
        me: NodeId(1),
        incarnation: Incarnation(2),
        config: Vr::configure(3, &Options::new(), mutants).unwrap(),
        keys: keyring(),
        entropy: 0,
        now: LocalTime(0),
        records,
    };
    VrReplica::start(start, &mut Outbox::default())
}

#[test]
fn a_damaged_record_keeps_a_node_down_and_v20_goes_on_without_it() {
    let left = |number| Recovered::Intact(Record::View { view: View { epoch: 0, number } });
    let records = vec![left(1), Recovered::Corrupt { place: "wal:20".into() }];
    let refused = boot(records.clone(), Mutants::NONE).unwrap_err();
    assert_eq!(refused, StartError::CorruptRecord { place: "wal:20".into() });
    let started = boot(records, Mutants(Some(Mutant::V20))).unwrap();
    let view = View { epoch: 0, number: 1 };
    assert!(started.checkpoint().contains(&Record::View { view }));
}

#[test]
fn no_planted_bug_stops_its_cluster() {
    let sets: [&[(&str, &str)]; 5] = [
        &[],
        &[("replies", "prepare"), ("reads", "lease")],
        &[("persistence", "crash-vector")],
        &[("persistence", "durable-view"), ("replies", "prepare")],
        &[("witnesses", "yes")],
    ];
    for mutant in Vr::KIND.mutants() {
        for set in sets {
            let small = [("window", "2"), ("checkpoint_every", "3")];
            let options: Vec<_> = set.iter().chain(&small).copied().collect();
            let mut net = Cluster::with(5, 3, &options, Mutants(Some(mutant)), 1).unwrap();
            for value in 0..4 {
                net.invoke(0, write(1, value));
                net.invoke(1, write(1, 100 + value));
                net.invoke(2, read(1));
                for turn in 0_u16..60 {
                    net.settle();
                    net.fire(c(u32::from(turn % 3)));
                    net.fire(n(turn % 5));
                    net.now = LocalTime(net.now.0 + 100_000);
                }
                let is_done = net.clients.iter().all(|client| client.outcome.is_some());
                assert!(is_done, "{mutant} {set:?}");
            }
        }
    }
}
