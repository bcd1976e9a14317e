//! Paxos for System Builders driven by hand: what a calm update costs, what a disk brings back, what is
//! refused, and that nothing that anybody sends stops a server.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/logs.rs"]
mod logs;
mod support;

use std::collections::BTreeMap;

use dice::Dice;
use logs::{costs, delays, draws, forced_writes, keyring, travel};
use quorate_systems::contract::{
    ClientId, Command, ConfigError, Describe, Effect, FORGED_VALUES, Identify, Incarnation, Input,
    Key, Lie, LocalTime, Micros, NodeId, Options, Outbox, Outcome, Recovered, Replica, Start,
    StartError, System, TimerId, Value,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::paxos::Entry;
use quorate_systems::psb::{DataList, Message, Observation, Psb, PsbReplica, Record, Report, View};
use quorate_systems::smr::{Request, RequestNumber, Slot};
use quorate_systems::wire::{Envelope, encode};
use support::{Flight, Net, c, lied, n, read, saw, write};

type Cluster = Net<Psb>;

const PROGRESS: TimerId = TimerId(0);
const UPDATE: TimerId = TimerId(1);
const VC_PROOF: TimerId = TimerId(2);
const FETCH: TimerId = TimerId(4);

/// A cluster in view 1, which n1 leads, where nothing is under way.
fn led(nodes: u16, options: &[(&str, &str)], mutants: Mutants) -> Cluster {
    let mut net = Cluster::with(nodes, 3, options, mutants, 1).unwrap();
    net.settle();
    net
}

#[test]
fn a_calm_update_costs_what_the_protocol_says() {
    for nodes in [3, 4, 5, 7, 10] {
        let all = usize::from(nodes);
        let mut net = led(nodes, &[], Mutants::NONE);
        for (client, command) in [(0, write(1, 7)), (1, read(1))] {
            let is_leader = client == 1;
            costs(&mut net);
            // Of three servers the one that replies needs no Accept but its own.
            let expected = if nodes == 3 || is_leader { 4 } else { 5 };
            assert_eq!(delays(&mut net, client, command.clone()), expected, "{nodes} nodes");
            net.settle();
            let (messages, records) = costs(&mut net);
            let forwarded = usize::from(!is_leader);
            assert_eq!(messages, all * all - all + 2 + forwarded, "{nodes} nodes");
            // All have the slot on disk, and whoever is responsible has the update.
            let mut expected: BTreeMap<_, _> = (0..nodes).map(|node| (NodeId(node), 1)).collect();
            expected.insert(NodeId(u16::from(is_leader)), 2);
            assert_eq!(records, expected, "{nodes} nodes");
            assert_eq!(forced_writes(&mut net, client, command), 2 + forwarded, "{nodes} nodes");
        }
        assert_eq!(net.outcome(1), saw(7));
    }
}

#[test]
fn a_single_node_is_a_cluster() {
    let mut net = led(1, &[("snapshot_every", "2")], Mutants::NONE);
    for value in 0..5 {
        assert_eq!(net.run(0, write(1, value)), Some(Outcome::Written));
        net.crash(0, 0);
        net.restart(0).unwrap();
        assert_eq!(net.run(0, read(1)), saw(value));
    }
}

#[test]
fn two_nodes_are_a_cluster_of_which_none_may_fail() {
    let mut net = led(2, &[], Mutants::NONE);
    assert_eq!(net.run(0, write(1, 7)), Some(Outcome::Written));
    net.crash(0, 0);
    assert_eq!(net.run(1, read(1)), None);
    net.restart(0).unwrap();
    for _ in 0..4 {
        net.fire(n(0));
        net.fire(n(1));
        net.settle();
    }
    assert_eq!(net.outcome(1), saw(7));
}

#[test]
fn every_command_of_the_store_is_replicated() {
    let mut net = led(3, &[], Mutants::NONE);
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
        assert!(Psb::functions(&net.config).contains(&command.function()));
        assert_eq!(net.run(0, command), Some(outcome));
    }
}

/// A leader finds an update on its disk that it is responsible for, and has nobody to give it to yet.
#[test]
fn whatever_is_pending_after_a_restart_is_seen_to() {
    let mut net = led(3, &[], Mutants::NONE);
    net.invoke(1, write(1, 7));
    net.deliver(|flight| flight.is("Client_Update"));
    net.lose(|_| true);
    net.crash(1, 0);
    net.restart(1).unwrap();
    assert!(net.is_set(n(1), UPDATE) && net.outcome(1).is_none());
    net.settle();
    assert_eq!(net.outcome(1), Some(Outcome::Written));
    net.fire_one(n(1), UPDATE);
    assert!(!net.is_set(n(1), UPDATE), "nothing is pending");
}

#[test]
fn what_a_checkpoint_holds_is_what_the_log_held() {
    let mut net = led(3, &[("snapshot_every", "4")], Mutants::NONE);
    for value in 0..7 {
        net.run(0, write(value % 3, value));
    }
    net.invoke(0, write(0, 9));
    net.deliver_all(|flight| flight.is("Client_Update"));
    net.lose(|flight| flight.to != n(2));
    net.settle();
    for node in [2, 0] {
        net.crash(node, 0);
        net.restart(node).unwrap();
        let from_log = checkpoint(&net, node);
        net.checkpoint(node);
        net.crash(node, 0);
        net.restart(node).unwrap();
        assert_eq!(checkpoint(&net, node), from_log);
        assert!(matches!(from_log.first(), Some(Record::Snapshot { .. })), "{from_log:?}");
        assert!(from_log.contains(&Record::Installed { view: View(1) }), "{from_log:?}");
        let is_pending = from_log.iter().any(|record| matches!(record, Record::Pending { .. }));
        assert_eq!(is_pending, node == 0, "{from_log:?}");
    }
}

fn checkpoint(net: &Cluster, node: u16) -> Vec<Record> {
    net.nodes.get(usize::from(node)).unwrap().replica.as_ref().unwrap().checkpoint()
}

/// A node that starts from these records.
fn boot(records: Vec<Recovered<Record>>, mutants: Mutants) -> Result<PsbReplica, StartError> {
    let start = Start {
        me: NodeId(0),
        incarnation: Incarnation(2),
        config: Psb::configure(3, &Options::new(), mutants).unwrap(),
        keys: keyring(),
        entropy: 0,
        now: LocalTime(0),
        records,
    };
    PsbReplica::start(start, &mut Outbox::default())
}

#[test]
fn a_damaged_record_keeps_a_node_down_and_p26_cuts_the_log_there() {
    let installed = |view| Recovered::Intact(Record::Installed { view: View(view) });
    let records = vec![installed(1), Recovered::Corrupt { place: "wal:20".into() }, installed(2)];
    let refused = boot(records.clone(), Mutants::NONE).unwrap_err();
    assert_eq!(refused, StartError::CorruptRecord { place: "wal:20".into() });
    let cut = boot(records, Mutants(Some(Mutant::P26))).unwrap();
    assert_eq!(cut.checkpoint(), [Record::Installed { view: View(1) }]);
}

#[test]
fn no_planted_bug_stops_its_cluster() {
    for mutant in Psb::KIND.mutants() {
        let options = [("window", "2"), ("snapshot_every", "3")];
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
            assert!(is_done, "{mutant}");
        }
    }
}

/// A majority that is connected gets on, whoever is down and whatever view it was in.
#[test]
fn any_majority_installs_a_view() {
    for down in 0..5_u16 {
        let mut net = led(5, &[], Mutants::NONE);
        net.run(0, write(1, 7));
        net.crash(down, 0);
        net.crash((down + 1) % 5, 0);
        let client = (0..3).find(|client| ![down, (down + 1) % 5].contains(client));
        let client = u32::from(client.unwrap());
        net.invoke(client, read(1));
        for _ in 0..12 {
            (0..5).for_each(|node| net.fire(n(node)));
            net.fire(c(client));
            net.settle();
        }
        assert_eq!(net.outcome(client), saw(7), "without n{down} and the next");
    }
}

#[test]
fn a_client_stays_with_who_answers_and_asks_another_server_when_none_does() {
    let mut net = led(3, &[], Mutants::NONE);
    let asked = |net: &mut Cluster| -> Vec<_> {
        let flying = net.flying.iter().filter(|flight| flight.from == c(0));
        flying.map(|flight| flight.to).collect()
    };
    net.invoke(0, write(1, 7));
    assert_eq!(asked(&mut net), [n(0)]);
    net.lose(|_| true);
    net.fire(c(0));
    assert_eq!(asked(&mut net), [n(1)]);
    net.settle();
    assert_eq!(net.outcome(0), Some(Outcome::Written));
    net.invoke(0, read(1));
    assert_eq!(asked(&mut net), [n(1)]);
}

#[test]
fn a_client_never_says_that_an_operation_failed() {
    let mut net = Cluster::new(3, 1, &[]);
    net.lose(|_| true);
    net.crash(1, 0);
    net.crash(2, 0);
    net.invoke(0, write(1, 7));
    for _ in 0..10 {
        net.settle();
        net.fire(c(0));
    }
    assert_eq!(net.outcome(0), None, "nobody leads, and the update may be carried out later");
    net.give_up(0);
    net.restart(1).unwrap();
    for _ in 0..4 {
        net.settle();
        (0..2).for_each(|node| net.fire(n(node)));
    }
    net.invoke(0, read(1));
    for _ in 0..3 {
        net.settle();
        net.fire(c(0));
    }
    assert_eq!(net.outcome(0), saw(7), "as it is here");
}

#[test]
fn a_server_is_responsible_for_so_many_clients_and_a_leader_queues_so_many_updates() {
    let mut net = Cluster::with(3, 1, &[("window", "1")], Mutants::NONE, 1).unwrap();
    net.settle();
    let update = |client| Request {
        client: ClientId(client),
        number: RequestNumber { incarnation: Incarnation(1), seq: 1 },
        command: Command::Read { key: Key(1) },
    };
    for client in 0..1_100 {
        let message = Message::ClientUpdate { update: update(client) };
        net.arrive(Flight { from: c(client), to: n(0), message: message.clone() });
        let update = update(2_000 + client);
        net.arrive(Flight { from: n(2), to: n(1), message: Message::ClientUpdate { update } });
    }
    assert_eq!(net.ignored["Client_Update while too many are pending"], 1_100 - 1_024);
    assert_eq!(net.ignored["Client_Update while too many wait"], 1_100 - 1_024 - 1);
    let (view, entry) = (View(1), 5);
    let accept = Message::Accept { view, slot: Slot(4_097), entry };
    net.arrive(Flight { from: n(2), to: n(0), message: accept });
    assert_eq!(net.ignored["Accept too far beyond the snapshot"], 1);
}

/// Every slot that a data list can have: those since the last snapshot, and the open ones.
#[test]
fn the_longest_data_list_fits_into_a_frame() {
    let parts = (0..Command::PARTS_MAX as u64)
        .map(|part| Command::Write { key: Key(part), value: Value(1_000_000 + part) })
        .collect();
    let entry = Entry::Request(Request {
        client: ClientId(100),
        number: RequestNumber { incarnation: Incarnation(100), seq: 1_000_000 },
        command: Command::Transaction(parts),
    });
    let reports = (1..=4_096).map(|slot| Report {
        slot: Slot(1_000_000 + slot),
        view: View(1_000),
        entry: entry.clone(),
        is_ordered: true,
    });
    let data = DataList { snapshot: Slot(1_000_000), reports: reports.collect() };
    let message = Message::PrepareOk { view: View(1_001), data: Box::new(data) };
    let envelope = Envelope { from: NodeId(1), incarnation: Incarnation(1), message };
    assert!(encode(Psb::vocabulary(), &envelope).is_ok());
}

#[test]
fn options_are_checked() {
    let configure = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Psb::configure(3, &options, Mutants::NONE)
    };
    let config = configure(&[]).unwrap();
    assert_eq!((config.window, config.snapshot_every), (16, 256));
    assert_eq!(config.progress, Micros(300_000));
    assert_eq!(configure(&[("progress_ms", "50")]).unwrap().progress, Micros(50_000));
    for (name, value) in [
        ("window", "0"),
        ("window", "513"),
        ("window", "+1"),
        ("snapshot_every", "2049"),
        ("snapshot_every", ""),
        ("progress_ms", "49"),
    ] {
        let error = configure(&[(name, value)]).unwrap_err();
        assert_eq!(error.option(), Some(name), "{value}");
    }
    let error = configure(&[("reads", "lease")]).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownOption { .. }), "{error}");
    for nodes in [0, 17] {
        assert!(Psb::configure(nodes, &Options::new(), Mutants::NONE).is_err());
    }
}

#[test]
fn what_is_drawn_can_be_configured_and_a_majority_keeps_it_alive() {
    draws::<Psb>(|config| assert_eq!(config.accepts() + 1, config.majority()));
}

/// Any message at all.
impl Dice {
    fn data_list(&mut self) -> DataList {
        let snapshot = self.slot();
        let count = self.below(3);
        let reports = (0..count).map(|_| Report {
            slot: self.slot(),
            view: View(self.number()),
            entry: self.entry(),
            is_ordered: self.below(2) == 0,
        });
        DataList { reports: reports.collect(), snapshot }
    }

    /// Any message at all.
    fn message(&mut self, place: u64) -> Message {
        let (view, slot, entry) = (View(self.number()), self.slot(), self.entry());
        let number = self.request_number();
        match place {
            0 => Message::ClientUpdate { update: self.request() },
            1 => Message::Reply { number, outcome: Outcome::Written },
            2 => Message::ViewChange { attempted: view },
            3 => Message::VcProof { installed: view, aru: slot },
            4 => Message::Prepare { view, aru: slot },
            5 => Message::PrepareOk { view, data: Box::new(self.data_list()) },
            6 => Message::Proposal { view, slot, entry },
            7 => Message::Accept { view, slot, entry: entry.digest() },
            8 => Message::Fetch { from: slot },
            9 => Message::FetchOk { from: slot, entries: vec![entry, Entry::Noop] },
            _ => Message::Snapshot { snapshot: Box::new(self.snapshot()) },
        }
    }
}

const KINDS: u64 = 11;

/// Messages are not all nonsense: views that the server has just installed are told back to it, and what it
/// proposed is accepted.
#[test]
fn nothing_that_anybody_sends_stops_a_replica() {
    let (mut elected, mut decided) = (0, 0);
    for seed in 0..3_000 {
        let mut dice = Dice(seed);
        let options = [("snapshot_every", "2"), ("window", "2")];
        let options = options.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let config = Psb::configure(3, &options, Mutants::NONE).unwrap();
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
        let mut replica = PsbReplica::start(start, &mut out).unwrap();
        let (mut own, mut told) = (Vec::new(), (View(1), Slot(1), 0));
        for step in 0..60 {
            let kind = dice.below(KINDS);
            let message = answering(dice.message(kind), told, dice.below(3) > 0);
            let from = sender(&message, &mut dice);
            let input = match (own.pop(), dice.below(4)) {
                (Some(message), _) => Input::Message { from: NodeId(0), message },
                _ if seed % 2 == 0 && step < 6 => {
                    let from = NodeId(1 + u16::try_from(step % 2).unwrap());
                    let nothing = DataList { snapshot: Slot::ZERO, reports: Vec::new() };
                    let data = Box::new(nothing);
                    let message = match step {
                        0..3 => Message::ViewChange { attempted: View(3) },
                        _ => Message::PrepareOk { view: View(3), data },
                    };
                    Input::Message { from, message }
                }
                (None, 0) => Input::Timer(TimerId(dice.below(6))),
                (None, 1) => {
                    let message = dice.message(0);
                    Input::Request { client: ClientId(1), message }
                }
                (None, _) => Input::Message { from, message },
            };
            replica.step(LocalTime(step * 20_000), input, &mut out);
            for effect in out.drain() {
                match effect {
                    Effect::Observe(Observation::Promised { view, .. }) => told.0 = view,
                    Effect::Observe(Observation::Accepted { view, slot, entry, .. }) => {
                        told = (view, slot, entry);
                    }
                    Effect::Observe(Observation::Elected { .. }) => elected += 1,
                    Effect::Observe(Observation::Decided { .. }) => decided += 1,
                    Effect::Send { to: NodeId(0), message, .. } => own.push(message),
                    _ => {}
                }
            }
        }
    }
    assert!(elected > 500, "it has led {elected} times");
    assert!(decided > 1_000, "it has ordered {decided} slots");
}

/// The message about the replica's own view, and what it has accepted last.
fn answering(mut message: Message, told: (View, Slot, u64), is_answer: bool) -> Message {
    match &mut message {
        Message::PrepareOk { view, .. } | Message::Proposal { view, .. } if is_answer => {
            *view = told.0;
        }
        Message::Accept { view, slot, entry } if is_answer => (*view, *slot, *entry) = told,
        _ => {}
    }
    message
}

/// Who may send it, most often.
fn sender(message: &Message, dice: &mut Dice) -> NodeId {
    match message {
        Message::Prepare { view, .. } | Message::Proposal { view, .. } if dice.below(8) > 0 => {
            view.leader(3)
        }
        _ => dice.node(),
    }
}

#[test]
fn messages_travel_in_frames_and_show_the_fields_that_the_vocabulary_lists() {
    let mut dice = Dice(1);
    let messages = (0..KINDS).cycle().take(220).map(|place| dice.message(place));
    travel::<Psb>(messages, &["value", "key", "client", "seq"]);
}

#[test]
fn an_identity_is_of_the_view_and_slot_and_not_of_what_is_carried() {
    let proposal = |view, slot, entry| {
        Message::Proposal { view: View(view), slot: Slot(slot), entry }.identity()
    };
    let mut dice = Dice(3);
    assert_eq!(proposal(1, 1, Entry::Noop), proposal(1, 1, dice.entry()));
    assert_ne!(proposal(1, 1, Entry::Noop), proposal(1, 2, Entry::Noop));
    assert_ne!(proposal(1, 1, Entry::Noop), proposal(2, 1, Entry::Noop));
    let update = |client, command| {
        let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
        let client = ClientId(client);
        Message::ClientUpdate { update: Request { client, number, command } }.identity()
    };
    assert_eq!(update(1, read(1)), update(1, write(1, 1)));
    assert_ne!(update(1, read(1)), update(2, read(1)));
}

#[test]
fn every_observation_is_in_the_vocabulary() {
    let mut net = led(3, &[("snapshot_every", "2")], Mutants::NONE);
    for value in 0..4 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| flight.from != n(2) && flight.to != n(2));
    }
    net.lose(|_| true);
    for _ in 0..2 {
        net.fire_one(n(1), VC_PROOF);
        net.settle();
        net.fire_one(n(2), FETCH);
        net.settle();
        net.invoke(0, read(1));
        net.deliver_all(|flight| flight.from != n(2) && flight.to != n(2));
        net.lose(|_| true);
    }
    net.invoke(1, read(1));
    net.deliver(|flight| flight.is("Client_Update"));
    net.lose(|_| true);
    net.fire_one(n(1), PROGRESS);
    net.fire_one(n(1), PROGRESS);
    net.settle();
    let known = Psb::vocabulary().observations;
    let mut seen: Vec<&str> = Vec::new();
    for (_, observation) in &net.observations {
        let kind = known.iter().find(|kind| kind.name == observation.kind()).unwrap();
        assert!(kind.fields.iter().all(|field| observation.field(field).is_some()));
        assert!(observation.to_string().starts_with(kind.name));
        seen.push(kind.name);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), known.len(), "{seen:?}");
}

#[test]
fn lies_touch_what_they_are_about() {
    let config = Psb::configure(3, &Options::new(), Mutants::NONE).unwrap();
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    let reply = Message::Reply { number, outcome: Outcome::Read(None) };
    assert_eq!(lied::<Psb>(&config, Lie::Silent, &reply, 5), None);
    let forged = Outcome::Read(Some(Value(FORGED_VALUES + 5)));
    let told = Some(Message::Reply { number, outcome: forged });
    assert_eq!(lied::<Psb>(&config, Lie::WrongValue, &reply, 5), told);
    assert_eq!(lied::<Psb>(&config, Lie::WrongTimestamp, &reply, 5), Some(reply));
    let attempt = Message::ViewChange { attempted: View(1) };
    let told = Some(Message::ViewChange { attempted: View(4) });
    assert_eq!(lied::<Psb>(&config, Lie::WrongTimestamp, &attempt, 5), told);
}
