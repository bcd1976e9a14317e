//! Multi-Paxos driven by hand: what a calm operation costs, what a disk brings back, what is refused, and
//! that nothing that anybody sends stops a replica.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/logs.rs"]
mod logs;
mod support;

use std::collections::BTreeMap;

use dice::Dice;
use logs::{costs, delays, draws, keyring, travel};
use quorate_systems::contract::{
    ClientId, ConfigError, Describe, Effect, FORGED_VALUES, Identify, Incarnation, Input, Lie,
    LocalTime, NodeId, Options, Outbox, Outcome, Recovered, Replica, Start, StartError, System,
    TimerId, Value,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::paxos::{
    Ballot, Entry, Message, Observation, Paxos, PaxosReplica, Promise, Reads, Record, Report,
};
use quorate_systems::smr::{Lease, RequestNumber, Slot};
use support::{Flight, Net, c, lied, n, read, saw, write};

type Cluster = Net<Paxos>;

const ELECTION: TimerId = TimerId(0);
const HEARTBEAT: TimerId = TimerId(1);
const FETCH: TimerId = TimerId(3);

/// A cluster that n0 leads, and where nothing is under way.
fn led(nodes: u16, options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let mut net = Cluster::with(nodes, 3, options, mutants, 1).unwrap();
    net.fire_one(n(0), ELECTION);
    net.settle();
    net
}

#[test]
fn a_calm_request_takes_four_delays_2n_messages_and_one_record_at_each_node() {
    for nodes in [3, 4, 5, 7, 10] {
        let mut net = led(nodes, &[], Mutants::NONE);
        costs(&mut net);
        for command in [write(1, 7), read(1)] {
            assert_eq!(delays(&mut net, 0, command), 4, "{nodes} nodes");
            net.settle();
            let (messages, records) = costs(&mut net);
            assert_eq!(messages, 2 * usize::from(nodes), "{nodes} nodes");
            let one_each = (0..nodes).map(|node| (NodeId(node), 1)).collect();
            assert_eq!(records, one_each, "{nodes} nodes");
        }
        assert_eq!(net.outcome(0), saw(7));
    }
}

#[test]
fn a_read_by_lease_takes_two_delays_two_messages_and_no_record() {
    let mut net = led(5, &[("reads", "lease")], Mutants::NONE);
    net.run(0, write(1, 7));
    costs(&mut net);
    assert_eq!(delays(&mut net, 0, read(1)), 2);
    assert_eq!(costs(&mut net), (2, BTreeMap::new()));
    assert_eq!(net.outcome(0), saw(7));
}

#[test]
fn a_read_by_read_index_takes_four_delays_and_a_round_and_no_record() {
    let mut net = led(5, &[("reads", "read-index")], Mutants::NONE);
    net.run(0, write(1, 7));
    costs(&mut net);
    assert_eq!(delays(&mut net, 0, read(1)), 4);
    net.settle();
    assert_eq!(costs(&mut net), (2 + 2 * 4, BTreeMap::new()));
    assert_eq!(net.outcome(0), saw(7));
}

#[test]
fn reads_that_come_during_a_round_share_the_next() {
    let mut net = led(3, &[("reads", "read-index")], Mutants::NONE);
    for client in 0..3 {
        net.invoke(client, read(1));
    }
    let before = net.sent["HEARTBEAT"];
    net.deliver_all(|flight| ["REQUEST", "REDIRECT"].contains(&flight.message.kind()));
    net.settle();
    assert!((0..3).all(|client| net.outcome(client) == Some(Outcome::Read(None))));
    assert_eq!(net.sent["HEARTBEAT"] - before, 4, "two rounds for three reads");
}

#[test]
fn a_single_node_is_a_cluster() {
    for reads in ["log", "read-index", "lease"] {
        let mut net = led(1, &[("reads", reads)], Mutants::NONE);
        assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written), "{reads}");
        assert_eq!(net.run(0, read(1)), saw(7), "{reads}");
    }
}

#[test]
fn what_a_checkpoint_holds_is_what_the_log_held() {
    let mut net = led(3, &[("snapshot_every", "4")], Mutants::NONE);
    for value in 0..7 {
        net.run(0, write(value % 3, value));
        if value == 5 {
            net.fire_one(n(0), HEARTBEAT);
            net.settle();
        }
    }
    for node in 0..3 {
        net.crash(node, 0);
        net.restart(node).unwrap();
        let from_log = checkpoint(&net, node);
        net.checkpoint(node);
        net.crash(node, 0);
        net.restart(node).unwrap();
        assert_eq!(checkpoint(&net, node), from_log);
        assert!(matches!(from_log[0], Record::Snapshot { .. }), "{from_log:?}");
        assert!(from_log.len() > 3, "{from_log:?}");
    }
    net.fire_one(n(1), ELECTION);
    net.settle();
    assert_eq!(net.run(0, read(0)), saw(6));
}

fn checkpoint(net: &Cluster, node: u16) -> Vec<Record> {
    net.nodes.get(usize::from(node)).unwrap().replica.as_ref().unwrap().checkpoint()
}

/// A node that starts from these records.
fn boot(records: Vec<Recovered<Record>>, mutants: Mutants) -> Result<PaxosReplica, StartError> {
    let start = Start {
        me: NodeId(0),
        incarnation: Incarnation(2),
        config: Paxos::configure(3, &Options::new(), mutants).unwrap(),
        keys: keyring(),
        entropy: 0,
        now: LocalTime(0),
        records,
    };
    PaxosReplica::start(start, &mut Outbox::default())
}

#[test]
fn a_damaged_record_keeps_a_node_down_and_p26_cuts_the_log_there() {
    let promised = |round| Recovered::Intact(Record::Promised { ballot: ballot(round, 1) });
    let records = vec![promised(1), Recovered::Corrupt { place: "wal:20".into() }, promised(2)];
    let refused = boot(records.clone(), Mutants::NONE).unwrap_err();
    assert_eq!(refused, StartError::CorruptRecord { place: "wal:20".into() });
    let cut = boot(records, Mutants(Some(Mutant::P26))).unwrap();
    assert_eq!(cut.checkpoint(), [Record::Promised { ballot: ballot(1, 1) }]);
}

#[test]
fn an_acceptance_found_on_disk_is_a_promise_too() {
    let (slot, ballot, entry) = (Slot(1), ballot(3, 1), Entry::Noop);
    let accepted = Record::Accepted { slot, ballot, entry };
    let replica = boot(vec![Recovered::Intact(accepted.clone())], Mutants::NONE).unwrap();
    assert_eq!(replica.checkpoint(), [accepted, Record::Promised { ballot }]);
}

#[test]
fn no_planted_bug_stops_its_cluster() {
    for mutant in Paxos::KIND.mutants() {
        for reads in ["log", "read-index", "lease"] {
            let options = [("reads", reads), ("window", "2"), ("snapshot_every", "3")];
            let mut net = Cluster::with(5, 3, &options, Mutants(Some(mutant)), 1).unwrap();
            for value in 0..4 {
                net.invoke(0, write(1, value));
                net.invoke(1, write(1, 100 + value));
                net.invoke(2, read(1));
                for turn in 0_u16..60 {
                    net.settle();
                    net.fire(c(u32::from(turn % 3)));
                    net.fire(n(turn % 5));
                }
                let is_done = net.clients.iter().all(|client| client.outcome.is_some());
                assert!(is_done, "{mutant} {reads}");
            }
        }
    }
}

#[test]
fn a_client_follows_a_redirection_and_stays_with_who_answered() {
    let mut net = led(3, &[], Mutants::NONE);
    net.invoke(1, write(1, 7));
    assert_eq!(net.deliver(|flight| flight.is("REQUEST")), 1);
    net.settle();
    assert_eq!(net.outcome(1), Some(Outcome::Written));
    assert_eq!((net.sent["REQUEST"], net.sent["REDIRECT"]), (2, 1));
    net.run(1, read(1));
    assert_eq!((net.sent["REQUEST"], net.sent["REDIRECT"]), (3, 1));
}

#[test]
fn a_client_that_is_sent_around_waits() {
    let mut net = led(3, &[], Mutants::NONE);
    net.invoke(1, write(1, 7));
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    for turn in 0..20_u16 {
        let (from, leader) = (1 + turn % 2, Some(NodeId(2 - turn % 2)));
        let message = Message::Redirect { number, leader };
        net.arrive(Flight { from: n(from), to: c(1), message });
    }
    assert_eq!(net.sent["REQUEST"], 4, "asked once, and sent on as often as there are nodes");
    net.lose(|_| true);
    net.fire(c(1));
    assert_eq!(net.flying.len(), 1, "the timer has it ask again");
}

#[test]
fn a_client_never_says_that_an_operation_failed() {
    let mut net = Cluster::new(3, 1, &[]);
    net.invoke(0, write(1, 7));
    for _ in 0..10 {
        net.settle();
        net.fire(c(0));
    }
    assert_eq!(net.outcome(0), None, "nobody leads, and the request may be carried out later");
    net.fire(c(0));
    net.give_up(0);
    net.fire_one(n(2), ELECTION);
    net.deliver_all(|flight| !flight.is("REQUEST"));
    net.settle();
    assert_eq!(net.run(0, read(1)), saw(7), "as it is here");
}

#[test]
fn options_are_checked() {
    let configure = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Paxos::configure(3, &options, Mutants::NONE)
    };
    let config = configure(&[]).unwrap();
    assert_eq!((config.reads, config.window, config.snapshot_every), (Reads::Log, 16, 256));
    let lease = configure(&[("reads", "lease"), ("lease_ms", "50"), ("drift_ppm", "7")]).unwrap();
    let expected = Lease { length: quorate_systems::contract::Micros(50_000), drift_ppm: 7 };
    assert_eq!(lease.lease(), Some(expected));
    for (name, value) in [
        ("reads", "stale"),
        ("window", "0"),
        ("window", "1025"),
        ("window", "+1"),
        ("snapshot_every", "4097"),
        ("snapshot_every", ""),
    ] {
        let error = configure(&[(name, value)]).unwrap_err();
        assert_eq!(error.option(), Some(name), "{value}");
    }
    let error = configure(&[("reads", "lease"), ("drift_ppm", "1000000")]).unwrap_err();
    assert_eq!(error.option(), Some("drift_ppm"));
    let error = configure(&[("lease_ms", "50")]).unwrap_err();
    assert!(matches!(error, ConfigError::Impossible(_)), "{error}");
    let error = configure(&[("quorum", "grid")]).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownOption { .. }), "{error}");
    for nodes in [0, 17] {
        assert!(Paxos::configure(nodes, &Options::new(), Mutants::NONE).is_err());
    }
}

#[test]
fn what_is_drawn_can_be_configured_and_a_majority_keeps_it_alive() {
    draws::<Paxos>(|_| ());
}

/// Any message at all.
impl Dice {
    fn ballot(&mut self, node: NodeId) -> Ballot {
        Ballot { round: self.number(), node, incarnation: Incarnation(self.below(3)) }
    }

    fn promise(&mut self) -> Promise {
        let snapshot = self.slot();
        let count = self.below(3);
        let reports = (0..count).map(|_| Report {
            slot: self.slot(),
            ballot: Ballot::ZERO,
            entry: self.entry(),
            is_decided: self.below(2) == 0,
        });
        Promise { reports: reports.collect(), snapshot }
    }

    /// Any message at all, from `from`.
    fn message(&mut self, from: NodeId, place: u64) -> Message {
        let node = if self.below(8) == 0 { self.node() } else { from };
        let (ballot, own) = (self.ballot(node), self.ballot(NodeId(0)));
        let (slot, entry, commit) = (self.slot(), self.entry(), self.slot());
        let (number, round) = (self.request_number(), self.number());
        match place {
            0 => Message::Request { number, command: self.command() },
            1 => Message::Reply { number, outcome: Outcome::Written },
            2 => Message::Redirect { number, leader: Some(node) },
            3 => Message::P1a { ballot, from: slot },
            4 => Message::P1b { ballot: own, promise: Box::new(self.promise()) },
            5 => Message::Nack { ballot: own, promised: ballot },
            6 => Message::P2a { ballot, slot, entry, commit },
            7 => Message::P2b { ballot: own, slot, ok: self.below(4) > 0, promised: ballot },
            8 => Message::Heartbeat { ballot, round, commit },
            9 => Message::HeartbeatOk { ballot: own, round },
            10 => Message::Fetch { from: slot },
            11 => Message::FetchOk { from: slot, entries: vec![entry, Entry::Noop] },
            12 => Message::Relay { client: ClientId(1), number, command: self.command() },
            _ => Message::Snapshot { snapshot: Box::new(self.snapshot()) },
        }
    }
}

const KINDS: u64 = 14;

fn ballot(round: u64, node: u16) -> Ballot {
    Ballot { round, node: NodeId(node), incarnation: Incarnation(1) }
}

/// Messages are not all nonsense: ballots that the replica has just told are told back to it.
#[test]
fn nothing_that_anybody_sends_stops_a_replica() {
    let mut elected = 0;
    for seed in 0..3_000 {
        let mut dice = Dice(seed);
        let reads = ["log", "read-index", "lease"][usize::try_from(seed % 3).unwrap()];
        let options = [("reads", reads), ("snapshot_every", "2"), ("window", "2")];
        let options = options.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let config = Paxos::configure(3, &options, Mutants::NONE).unwrap();
        let mut out = Outbox::default();
        let start = Start {
            me: NodeId(0),
            incarnation: Incarnation(1),
            config,
            keys: keyring(),
            entropy: 0,
            now: LocalTime(0),
            records: Vec::new(),
        };
        let mut replica = PaxosReplica::start(start, &mut out).unwrap();
        let mut told = Ballot::ZERO;
        for step in 0..60 {
            let from = dice.node();
            let kind = dice.below(KINDS);
            let message = dice.message(from, kind);
            let message = answering(message, told, dice.below(3) > 0);
            let nothing = Promise { snapshot: Slot::ZERO, reports: Vec::new() };
            let input = match dice.below(4) {
                _ if seed % 2 == 0 && step == 0 => Input::Timer(ELECTION),
                _ if seed % 2 == 0 && step < 3 => {
                    let from = NodeId(u16::try_from(step).unwrap());
                    let message = Message::P1b { ballot: told, promise: Box::new(nothing) };
                    Input::Message { from, message }
                }
                0 => Input::Timer(TimerId(dice.below(5))),
                1 => {
                    let message = dice.message(from, 0);
                    Input::Request { client: ClientId(1), message }
                }
                _ => Input::Message { from, message },
            };
            replica.step(LocalTime(step * 20_000), input, &mut out);
            for effect in out.drain() {
                match effect {
                    Effect::Observe(Observation::BallotUsed { ballot, .. }) => told = ballot,
                    Effect::Observe(Observation::Elected { .. }) => elected += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(elected > 1_000, "it has led {elected} times");
}

/// The message as an answer to the replica's own ballot.
fn answering(mut message: Message, told: Ballot, is_answer: bool) -> Message {
    if let Message::P1b { ballot, .. }
    | Message::P2b { ballot, .. }
    | Message::HeartbeatOk { ballot, .. } = &mut message
        && is_answer
    {
        *ballot = told;
    }
    message
}

#[test]
fn messages_travel_in_frames_and_show_the_fields_that_the_vocabulary_lists() {
    let mut dice = Dice(1);
    let messages = (0..KINDS).cycle().take(260).map(|place| dice.message(NodeId(1), place));
    travel::<Paxos>(messages, &["value", "key", "client", "seq", "leader"]);
}

#[test]
fn an_identity_is_of_the_ballot_slot_and_round_and_not_of_what_is_carried() {
    let p2a =
        |ballot, slot, entry| Message::P2a { ballot, slot, entry, commit: Slot(0) }.identity();
    let mut dice = Dice(3);
    let (one, other) = (Entry::Noop, dice.entry());
    assert_eq!(p2a(ballot(1, 1), Slot(1), one.clone()), p2a(ballot(1, 1), Slot(1), other));
    assert_ne!(p2a(ballot(1, 1), Slot(1), one.clone()), p2a(ballot(1, 1), Slot(2), one.clone()));
    assert_ne!(p2a(ballot(1, 1), Slot(1), one.clone()), p2a(ballot(2, 1), Slot(1), one.clone()));
    assert_ne!(p2a(ballot(1, 1), Slot(1), one.clone()), p2a(ballot(1, 2), Slot(1), one));
}

#[test]
fn every_observation_is_in_the_vocabulary() {
    let options = [("reads", "lease"), ("snapshot_every", "2")];
    let mut net = led(3, &options, Mutants::NONE);
    net.run(0, write(1, 1));
    net.run(0, read(1));
    net.crash(2, 0);
    net.restart(2).unwrap();
    for value in 0..4 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| flight.from != n(2) && flight.to != n(2));
    }
    net.lose(|_| true);
    net.fire_one(n(0), HEARTBEAT);
    net.settle();
    net.fire_one(n(2), FETCH);
    net.settle();
    net.now = LocalTime(1_000_000);
    net.fire_one(n(1), ELECTION);
    net.fire_one(n(1), ELECTION);
    net.settle();
    let known = Paxos::vocabulary().observations;
    let mut seen: Vec<&str> = Vec::new();
    for (_, observation) in &net.observations {
        let kind = known.iter().find(|kind| kind.name == observation.kind()).unwrap();
        assert!(
            kind.fields.contains(&"ballot")
                != matches!(kind.name, "executed" | "snapshot-taken" | "snapshot-installed")
        );
        assert!(observation.to_string().starts_with(kind.name));
        seen.push(kind.name);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), known.len(), "{seen:?}");
}

#[test]
fn lies_touch_what_they_are_about() {
    let config = Paxos::configure(3, &Options::new(), Mutants::NONE).unwrap();
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    let reply = Message::Reply { number, outcome: Outcome::Read(None) };
    assert_eq!(lied::<Paxos>(&config, Lie::Silent, &reply, 5), None);
    let forged = Outcome::Read(Some(Value(FORGED_VALUES + 5)));
    let told = Some(Message::Reply { number, outcome: forged });
    assert_eq!(lied::<Paxos>(&config, Lie::WrongValue, &reply, 5), told);
    assert_eq!(lied::<Paxos>(&config, Lie::WrongTimestamp, &reply, 5), Some(reply));
    let nack = Message::Nack { ballot: ballot(1, 0), promised: ballot(2, 1) };
    let told = Some(Message::Nack { ballot: ballot(1, 0), promised: ballot(5, 1) });
    assert_eq!(lied::<Paxos>(&config, Lie::WrongTimestamp, &nack, 5), told);
}
