//! What a decision costs in a calm run: messages, one-way delays, forced writes.

mod support;

use quorate_systems::contract::{Command, Outcome, Value};
use quorate_systems::paxos_single::PaxosSingle;
use support::{Net, propose, read};

/// What one operation took.
#[derive(Debug, PartialEq)]
struct Cost {
    /// One-way delays until the client knew.
    delays: u32,
    /// Messages in all, those of a node to itself included.
    messages: u64,
    /// Records that each acceptor had to make durable, the same for all of them.
    writes: usize,
}

/// Runs one operation where every message takes as long as any other.
fn cost(net: &mut Net<PaxosSingle>, command: Command, outcome: &Outcome) -> Cost {
    let sent = |net: &Net<PaxosSingle>| net.sent.values().sum::<u64>();
    let written = |net: &Net<PaxosSingle>| -> Vec<usize> {
        net.nodes.iter().map(|node| node.durable.len()).collect()
    };
    let (sent_before, written_before) = (sent(net), written(net));
    net.invoke(0, command);
    let mut delays = 0;
    while net.outcome(0).is_none() {
        assert!(net.deliver(|_| true) > 0, "nothing flies, and the client does not know");
        delays += 1;
    }
    assert_eq!(net.outcome(0).as_ref(), Some(outcome));
    net.settle();
    let writes = written(net).iter().zip(&written_before).map(|(now, then)| now - then).max();
    let writes = writes.expect("there are nodes");
    Cost { delays, messages: sent(net) - sent_before, writes }
}

#[test]
fn a_client_that_proposes_needs_four_delays_and_two_forced_writes() {
    for (nodes, n) in [(3, 3), (5, 5), (7, 7)] {
        let mut net = Net::new(nodes, 1, &[("proposer", "client"), ("learners", "0")]);
        let decided = cost(&mut net, propose(1, 7), &Outcome::Decided(Value(7)));
        // PREPARE, PREPARE_OK, ACCEPT, ACCEPT_OK, and the last of these to the learner as well.
        assert_eq!(decided, Cost { delays: 4, messages: 5 * n, writes: 2 });
        let seen = cost(&mut net, read(1), &Outcome::Read(Some(Value(7))));
        assert_eq!(seen, Cost { delays: 4, messages: 5 * n, writes: 2 });
        let nothing = cost(&mut net, read(2), &Outcome::Read(None));
        assert_eq!(nothing, Cost { delays: 2, messages: 2 * n, writes: 1 });
    }
}

#[test]
fn a_node_that_proposes_for_a_client_needs_two_delays_more() {
    for (nodes, n) in [(3, 3), (5, 5), (7, 7)] {
        let mut net = Net::new(nodes, 1, &[]);
        let decided = cost(&mut net, propose(1, 7), &Outcome::Decided(Value(7)));
        // REQUEST and ANSWER; the proposer is one of n learners that hear from n acceptors.
        assert_eq!(decided, Cost { delays: 6, messages: 2 + 3 * n + n * n, writes: 2 });
        // It has learned.
        let seen = cost(&mut net, read(1), &Outcome::Read(Some(Value(7))));
        assert_eq!(seen, Cost { delays: 2, messages: 2, writes: 0 });
    }
}
