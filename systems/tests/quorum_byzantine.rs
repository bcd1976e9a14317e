//! Servers that lie, and what keeps readers and writers from believing them.

mod support;

use quorate_systems::contract::{Lie, NodeId, Outcome, System, Value};
use quorate_systems::quorum::{Message, Pair, Quorum, Timestamp};
use support::{Flight, Net, c, lied, n, read, saw, write};

type Cluster = Net<Quorum>;

const SIGNED: &[(&str, &str)] = &[("quorum", "dissemination")];
const MASKED: &[(&str, &str)] = &[("quorum", "masking")];

/// Runs an operation, repeating what is lost to silence.
fn run(
    net: &mut Cluster,
    client: u32,
    command: quorate_systems::contract::Command,
) -> Option<Outcome> {
    net.invoke(client, command);
    for _ in 0..10 {
        net.settle();
        net.fire(c(client));
    }
    net.outcome(client)
}

#[test]
fn liars_up_to_the_bound_are_seen_through_whatever_they_do() {
    for (options, nodes) in [(SIGNED, 4), (SIGNED, 7), (MASKED, 5), (MASKED, 9)] {
        for lie in Lie::COMMON {
            for entropy in 0..10 {
                let mutants = quorate_systems::mutant::Mutants::NONE;
                let mut net = Cluster::with(nodes, 2, options, mutants, entropy).unwrap();
                for liar in 0..Quorum::liars_tolerated(&net.config) {
                    net.nodes[usize::from(liar)].lie = Some(*lie);
                }
                assert_eq!(run(&mut net, 1, read(1)), Some(Outcome::Read(None)), "{lie:?}");
                for value in 1..=3 {
                    assert_eq!(run(&mut net, 0, write(1, value)), Some(Outcome::Written));
                    assert_eq!(run(&mut net, 1, read(1)), saw(value), "{options:?} {lie:?}");
                }
            }
        }
    }
}

#[test]
fn a_plain_majority_believes_a_single_liar() {
    let mut net = Cluster::new(3, 2, &[]);
    run(&mut net, 0, write(1, 7));
    net.nodes[0].lie = Some(Lie::WrongValue);
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(run(&mut net, 1, read(1)));
    }
    assert!(seen.iter().any(|outcome| *outcome != saw(7)), "sizes are needed: {seen:?}");
}

/// Changes the pair in the next answer of `node`.
fn tamper(net: &mut Cluster, node: u16, change: impl Fn(&mut Pair)) {
    for flight in &mut net.flying {
        if flight.from == n(node)
            && let Message::QueryOk { pair, .. } = &mut flight.message
        {
            change(pair);
        }
    }
}

/// A value is written; then somebody reads, and one server's answer is changed on its way.
fn read_with_a_changed_answer(change: impl Fn(&mut Pair)) -> (Cluster, Option<Outcome>) {
    let mut net = Cluster::new(4, 2, SIGNED);
    run(&mut net, 0, write(1, 7));
    net.invoke(1, read(1));
    net.deliver(|flight| flight.is("QUERY"));
    tamper(&mut net, 0, change);
    net.settle();
    let outcome = net.outcome(1);
    (net, outcome)
}

const UNSIGNED: &str = "QUERY_OK with a pair that nobody signed";

#[test]
fn a_signature_covers_value_timestamp_and_key() {
    let changes: [fn(&mut Pair); 5] = [
        |pair| pair.value = Some(Value(8)),
        |pair| pair.value = None,
        |pair| pair.ts.t += 1,
        |pair| pair.ts.op += 1,
        |pair| pair.proof = None,
    ];
    for change in changes {
        let (net, outcome) = read_with_a_changed_answer(change);
        assert_eq!(outcome, saw(7));
        assert_eq!(net.ignored[UNSIGNED], 1);
    }
    let (net, outcome) = read_with_a_changed_answer(|pair| *pair = Pair::INITIAL);
    assert_eq!(outcome, saw(7), "the initial pair needs no signature, and is only stale");
    assert_eq!(net.ignored.get(UNSIGNED), None);

    let mut net = Cluster::new(4, 2, SIGNED);
    run(&mut net, 0, write(1, 7));
    let signed = net.nodes[0].durable[0].clone();
    let quorate_systems::quorum::Record::Stored { pair: elsewhere, .. } = signed else {
        panic!("a stored pair")
    };
    net.invoke(1, read(2));
    net.deliver(|flight| flight.is("QUERY"));
    tamper(&mut net, 0, |pair| *pair = elsewhere.clone());
    net.settle();
    assert_eq!(net.outcome(1), Some(Outcome::Read(None)), "signed for another key");
    assert_eq!(net.ignored[UNSIGNED], 1);
}

#[test]
fn a_server_does_not_store_what_nobody_signed() {
    let mut net = Cluster::new(4, 2, SIGNED);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("UPDATE"));
    for flight in &mut net.flying {
        if let Message::Update { pair, .. } = &mut flight.message {
            pair.value = Some(Value(8));
        }
    }
    net.settle();
    assert_eq!(net.ignored["UPDATE with a pair that nobody signed"], 4);
    assert!(net.nodes.iter().all(|node| node.durable.is_empty()));
}

/// Five servers, of which one may lie. A read gets its answers one by one.
struct Reading(Cluster);

impl Reading {
    fn new() -> Self {
        let mut net = Cluster::new(5, 2, MASKED);
        net.invoke(0, read(1));
        Self(net)
    }

    /// The server answers with value `t` written at time `t`.
    fn answer(&mut self, node: u16, t: u64) {
        let query = self.0.flying.iter().find(|flight| flight.to == n(node)).expect("asked");
        let Message::Query { op, key, .. } = query.message else { panic!("a QUERY") };
        let pair = match t {
            0 => Pair::INITIAL,
            _ => {
                Pair { ts: Timestamp { t, ..Timestamp::ZERO }, value: Some(Value(t)), proof: None }
            }
        };
        let message = Message::QueryOk { op, key, pair };
        self.0.arrive(Flight { from: n(node), to: c(0), message });
    }

    /// What the read writes back, if it has decided.
    fn chosen(&self) -> Option<u64> {
        self.0.flying.iter().find_map(|flight| match &flight.message {
            Message::Update { pair, .. } => Some(pair.ts.t),
            _ => None,
        })
    }
}

#[test]
fn an_inflated_timestamp_without_vouchers_is_passed_over() {
    let mut reading = Reading::new();
    for (node, t) in [(0, 99), (1, 3), (2, 3), (3, 2)] {
        assert_eq!(reading.chosen(), None, "four of five are a quorum");
        reading.answer(node, t);
    }
    assert_eq!(reading.chosen(), Some(3));
}

#[test]
fn a_lagging_server_and_a_liar_cannot_vouch_for_an_old_value() {
    let mut reading = Reading::new();
    // 3 is complete at n2, n3, n4 and one more; n0 lags, n1 lies and says what n0 says.
    for (node, t) in [(0, 2), (1, 2), (2, 3), (3, 4)] {
        reading.answer(node, t);
    }
    assert_eq!(reading.chosen(), None, "two servers report something newer than 2");
    reading.answer(4, 3);
    assert_eq!(reading.chosen(), Some(3));
}

#[test]
fn a_read_that_finds_no_vouched_pair_asks_again() {
    let mut reading = Reading::new();
    for (node, t) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)] {
        reading.answer(node, t);
    }
    assert_eq!(reading.chosen(), None);
    reading.0.lose(|_| true);
    reading.0.fire(c(0));
    let Message::Query { op, .. } = reading.0.flying[0].message else { panic!("a QUERY") };
    assert_eq!((reading.0.flying.len(), op.attempt), (5, 1));
    for node in 0..5 {
        reading.answer(node, 5);
    }
    assert_eq!(reading.0.outcome(0), saw(5), "all of them hold it");
}

#[test]
fn a_writer_takes_a_base_that_no_liar_can_raise() {
    let mut net = Cluster::new(5, 2, MASKED);
    run(&mut net, 0, write(1, 7));
    net.invoke(0, write(1, 8));
    net.deliver(|flight| flight.is("QUERY"));
    tamper(&mut net, 2, |pair| pair.ts.t = 1_000_000);
    net.deliver(|flight| flight.is("QUERY_OK"));
    let Message::Update { pair, .. } = &net.flying[0].message else { panic!("an UPDATE") };
    assert_eq!(pair.ts.t, 2);
}

#[test]
fn a_liar_touches_only_what_it_reports() {
    let mut net = Cluster::new(4, 1, SIGNED);
    net.invoke(0, write(1, 7));
    net.deliver_all(|flight| !flight.is("UPDATE_OK"));
    let message = net.flying[0].message.clone();
    assert_eq!(lied::<Quorum>(&net.config, Lie::WrongValue, &message, 1), Some(message.clone()));
    assert_eq!(
        lied::<Quorum>(&net.config, Lie::WrongTimestamp, &message, 1),
        Some(message.clone())
    );
    assert_eq!(lied::<Quorum>(&net.config, Lie::Silent, &message, 1), None);
    assert_eq!(net.flying[0].from, n(NodeId(0).0));
}
