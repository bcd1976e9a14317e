//! Lock writes, step by step: votes, decisions, and what becomes of a write whose initiator is gone.

mod support;

use quorate_systems::contract::{Key, NodeId, Outcome, Value};
use quorate_systems::quorum::{
    Message, Observation, OpId, Pair, Party, Phase, Quorum, Record, WriteId,
};
use support::{Flight, Net, Place, c, n, read, saw, write};

type Cluster = Net<Quorum>;

/// Client `c{i}` asks node `n{i}`, and knows its incarnation already.
fn cluster(nodes: u16, more: &[(&str, &str)]) -> Cluster {
    let options: Vec<_> = [("protocol", "lock")].iter().chain(more).copied().collect();
    let mut net = Cluster::new(nodes, u32::from(nodes), &options);
    for client in 0..u32::from(nodes) {
        assert_eq!(net.run(client, read(99)), Some(Outcome::Read(None)));
    }
    net.sent.clear();
    net
}

fn is(flight: &Flight<Message>, kind: &str, to: Place) -> bool {
    flight.is(kind) && flight.to == to
}

/// n0 has the votes of n0 and n1, and has sent COMMIT to nobody but itself.
fn decided_and_told_to_itself_only(net: &mut Cluster) {
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !is(flight, "PROPOSE", n(2)) && !flight.is("COMMIT"));
    net.deliver(|flight| is(flight, "COMMIT", n(0)));
    net.lose(|_| true);
}

/// The terminators ask, twice: a vote is old only at the second turn of the timer.
fn ask(net: &mut Cluster, node: u16) {
    net.fire(n(node));
    net.fire(n(node));
}

#[test]
fn a_lock_write_costs_4n_messages_and_the_request() {
    for nodes in [3, 5] {
        let mut net = cluster(nodes, &[]);
        assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
        assert_eq!(net.sent.values().sum::<u64>(), 4 * u64::from(nodes) + 2);
        assert_eq!(net.run(1, read(1)), saw(7));
    }
}

#[test]
fn every_member_commits_with_the_highest_vote() {
    let mut net = cluster(3, &[]);
    // n1 has a higher clock: it voted before, on a write that nobody else heard of.
    net.invoke(1, write(2, 1));
    net.deliver_all(|flight| flight.to == n(1) || flight.from == c(1));
    net.lose(|_| true);
    net.run(0, write(1, 7));
    let stamps: Vec<u64> = net
        .observations
        .iter()
        .filter_map(|(_, observation)| match observation {
            Observation::Committed { ts, .. } => Some(ts.t),
            _ => None,
        })
        .collect();
    assert_eq!(stamps, [2, 2, 2]);
}

#[test]
fn the_client_is_answered_only_when_a_write_quorum_has_committed() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.deliver(|flight| is(flight, "COMMIT", n(0)));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    assert_eq!(net.outcome(0), None, "one of three");
    net.deliver(|flight| is(flight, "COMMIT", n(1)));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    assert_eq!(net.outcome(0), Some(Outcome::Written));
}

#[test]
fn a_decision_is_durable_before_anybody_hears_of_it() {
    let mut net = cluster(3, &[]);
    net.is_syncing = false;
    net.invoke(0, write(1, 7));
    net.settle();
    for node in 0..3 {
        net.sync(node, usize::MAX);
    }
    net.settle();
    assert!(matches!(net.nodes[0].unsynced[..], [Record::Decided { .. }]));
    assert_eq!(net.sent.get("COMMIT"), None);
    net.sync(0, 1);
    assert_eq!(net.sent.get("COMMIT"), Some(&3));
}

#[test]
fn a_reader_waits_for_the_writes_that_were_pending_when_it_asked() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.invoke(1, read(1));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    assert_eq!(net.outcome(1), None);
    net.settle();
    assert_eq!(net.outcome(1), saw(7));
}

#[test]
fn a_reader_of_another_key_does_not_wait() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.invoke(1, read(2));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    assert_eq!(net.outcome(1), Some(Outcome::Read(None)));
}

#[test]
fn a_reader_pushes_what_it_found_to_a_write_quorum() {
    let mut net = cluster(3, &[]);
    decided_and_told_to_itself_only(&mut net);
    // n0 has committed, n2 has not voted: n1, which has, is not asked.
    net.invoke(2, read(1));
    net.deliver_all(|flight| flight.from != n(1) && flight.to != n(1));
    assert_eq!(net.outcome(2), saw(7));
    let commits_at_n2 = net.observations.iter().any(|(place, observation)| {
        *place == n(2) && matches!(observation, Observation::Committed { .. })
    });
    assert!(commits_at_n2);
}

#[test]
fn a_late_copy_of_a_proposal_does_not_lock_again() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver(|flight| flight.is("REQUEST"));
    let late = net.flying.iter().find(|flight| is(flight, "PROPOSE", n(2))).unwrap().clone();
    net.settle();
    net.arrive(late.clone());
    assert_eq!(net.run(1, read(1)), saw(7));
    // Later writes let the members forget the outcome, and refuse the proposal all the same.
    net.run(0, write(1, 8));
    net.run(0, write(1, 9));
    net.arrive(late);
    assert_eq!(net.ignored["PROPOSE of a finished write"], 1);
    assert_eq!(net.run(1, read(1)), saw(9));
}

#[test]
fn state_does_not_grow_while_everybody_is_up() {
    let mut net = cluster(3, &[]);
    let mut sizes = Vec::new();
    for value in 0..30 {
        assert_eq!(net.run(0, write(1, value)), Some(Outcome::Written));
        net.settle();
        net.checkpoint(1);
        sizes.push(net.nodes[1].durable.len());
    }
    assert_eq!(sizes[5], sizes[29], "{sizes:?}");
    assert!(sizes[29] < 6);
}

#[test]
fn without_a_quorum_of_votes_a_write_fails_and_unlocks() {
    let mut net = cluster(3, &[]);
    net.crash(1, 0);
    net.crash(2, 0);
    net.invoke(0, write(1, 7));
    for _ in 0..6 {
        net.settle();
        net.fire(n(0));
    }
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Failed("no write quorum voted in time".into())));
    net.restart(1).unwrap();
    assert_eq!(net.run(0, read(1)), Some(Outcome::Read(None)));
}

#[test]
fn a_write_is_aborted_as_soon_as_too_many_refuse() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| flight.to == n(0) || flight.from == c(0));
    net.lose(|_| true);
    // n0 has voted for its own write. It asks; the others have never heard of it, and refuse.
    ask(&mut net, 0);
    net.deliver_all(|flight| !flight.is("PROPOSE"));
    assert_eq!(net.outcome(0), Some(Outcome::Failed("refused by too many members".into())));
}

#[test]
fn a_member_that_refused_does_not_vote_later_but_commits_what_others_voted() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !is(flight, "PROPOSE", n(2)) && !is(flight, "OK", n(0)));
    ask(&mut net, 1);
    net.deliver(|flight| is(flight, "TERMINATE", n(2)));
    net.deliver(|flight| flight.is("PROPOSE"));
    assert!(net.flying.iter().any(|flight| is(flight, "NO", n(0))));
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written), "n0 and n1 are a write quorum");
    let pair_at_n2 =
        net.nodes[2].durable.iter().any(|record| matches!(record, Record::Committed { .. }));
    assert!(pair_at_n2);
    assert_eq!(net.run(1, read(1)), saw(7));
}

#[test]
fn an_initiator_that_lost_its_undecided_write_answers_abort() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !is(flight, "OK", n(0)));
    net.lose(|_| true);
    net.crash(0, 0);
    net.restart(0).unwrap();
    ask(&mut net, 1);
    ask(&mut net, 2);
    net.settle();
    assert_eq!(net.run(1, read(1)), Some(Outcome::Read(None)), "nobody is locked");
    let aborted = net.observations.iter().filter(|(place, observation)| {
        *place != n(0) && matches!(observation, Observation::Aborted { .. })
    });
    assert_eq!(aborted.count(), 2);
}

#[test]
fn an_initiator_goes_on_with_its_decision_after_a_restart() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.lose(|_| true);
    net.crash(0, 0);
    net.restart(0).unwrap();
    net.settle();
    assert_eq!(net.run(1, read(1)), saw(7));
    let forgotten = net.nodes[0].durable.last();
    assert!(matches!(forgotten, Some(Record::Forgotten { .. })), "all have acknowledged");
}

#[test]
fn a_member_that_knows_the_outcome_tells_it_while_the_initiator_is_down() {
    let mut net = cluster(5, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("COMMIT"));
    net.deliver(|flight| is(flight, "COMMIT", n(1)));
    net.lose(|_| true);
    net.crash(0, 0);
    for node in 2..5 {
        ask(&mut net, node);
    }
    net.settle();
    assert_eq!(net.run(2, read(1)), saw(7));
}

#[test]
fn members_that_cannot_know_stay_blocked_until_the_initiator_is_back() {
    let mut net = cluster(3, &[]);
    decided_and_told_to_itself_only(&mut net);
    net.crash(0, 0);
    // n2 refuses; n0 and n1 may have decided, and n0 has.
    for _ in 0..4 {
        ask(&mut net, 1);
        net.settle();
    }
    net.invoke(1, read(1));
    net.settle();
    assert_eq!(net.outcome(1), None, "n1 has voted and must not guess");
    net.restart(0).unwrap();
    net.settle();
    net.fire(n(1));
    net.settle();
    assert_eq!(net.outcome(1), saw(7));
}

#[test]
fn votes_survive_a_restart_and_outlive_a_checkpoint() {
    for is_checkpointed in [false, true] {
        let mut net = cluster(3, &[]);
        let is_late = |flight: &Flight<Message>| {
            is(flight, "OK", n(0)) || is(flight, "PROPOSE", n(2)) || flight.is("TERMINATE")
        };
        net.invoke(0, write(1, 7));
        net.deliver_all(|flight| !is_late(flight));
        if is_checkpointed {
            net.checkpoint(1);
        }
        net.crash(1, 0);
        net.restart(1).unwrap();
        net.invoke(2, read(1));
        net.deliver_all(|flight| !is_late(flight));
        assert_eq!(net.outcome(2), None, "n0 and n1 still wait for the outcome");
        net.settle();
        assert_eq!(net.outcome(0), Some(Outcome::Written));
        assert_eq!(net.outcome(2), saw(7));
    }
}

#[test]
fn a_write_after_a_completed_one_always_ends_above_it() {
    let mut net = cluster(3, &[]);
    // The clock of n1 runs ahead: it alone voted for some writes that nobody else heard of.
    for value in 1..=5 {
        net.invoke(1, write(1, value));
        net.deliver_all(|flight| flight.to == n(1) || flight.from == c(1));
        net.lose(|_| true);
        net.give_up(1);
    }
    for _ in 0..6 {
        net.fire(n(1));
        net.lose(|_| true);
    }
    net.invoke(0, write(1, 8));
    net.deliver_all(|flight| flight.from != n(2) && flight.to != n(2));
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    net.lose(|_| true);
    // n0 voted low for that write, and learned its timestamp only with the commit.
    net.invoke(2, write(1, 9));
    net.deliver_all(|flight| flight.from != n(1) && flight.to != n(1));
    assert_eq!(net.outcome(2), Some(Outcome::Written));
    net.settle();
    for _ in 0..3 {
        net.fire(n(1));
        net.settle();
    }
    assert_eq!(net.run(0, read(1)), saw(9));
}

#[test]
fn a_proposal_in_anothers_name_is_ignored() {
    let mut net = cluster(3, &[]);
    let write = WriteId { initiator: NodeId(0), incarnation: 1, number: 5 };
    let message = Message::Propose { write, key: Key(1), value: Value(7), below: write };
    net.arrive(Flight { from: n(1), to: n(2), message });
    assert_eq!(net.ignored["PROPOSE that is not the sender's"], 1);
}

#[test]
fn a_vote_counts_once_whatever_clock_it_is_repeated_with() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| flight.is("REQUEST"));
    net.lose(|_| true);
    let write = WriteId { initiator: NodeId(0), incarnation: 1, number: 2 };
    for (member, t) in [(1, 5), (1, 9), (2, 3)] {
        net.arrive(Flight { from: n(member), to: n(0), message: Message::Ok { write, t } });
    }
    assert_eq!(net.ignored["OK again"], 1);
    let decided = net.observations.iter().find_map(|(_, observation)| match observation {
        Observation::Decided { ts, .. } => Some(ts.t),
        _ => None,
    });
    assert_eq!(decided, Some(5));
}

#[test]
fn a_commit_says_nothing_of_the_writes_of_another_initiator() {
    let mut net = cluster(3, &[]);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("OK"));
    net.lose(|_| true);
    // n1 commits a write of its own, and speaks of those of n0 as if they were finished.
    let (mine, other) = (
        WriteId { initiator: NodeId(1), incarnation: 1, number: 9 },
        WriteId { initiator: NodeId(0), incarnation: 1, number: 9 },
    );
    let op = OpId {
        party: Party::Node(NodeId(1)),
        incarnation: 1,
        seq: 9,
        phase: Phase::Commit,
        attempt: 0,
    };
    let pair = Pair { ts: mine.timestamp(4), value: Some(Value(8)), proof: None };
    let message = Message::Commit { op, key: Key(2), pair, below: Some(Box::new(other)) };
    net.arrive(Flight { from: n(1), to: n(2), message });
    let is_aborted = |observation: &Observation| matches!(observation, Observation::Aborted { .. });
    assert!(!net.observations.iter().any(|(_, observation)| is_aborted(observation)));
}
