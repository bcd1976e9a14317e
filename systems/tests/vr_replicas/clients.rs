//! What a client does with answers, and an administrator with refusals.

use quorate_systems::contract::{Incarnation, Outcome};
use quorate_systems::mutant::Mutants;
use quorate_systems::smr::RequestNumber;
use quorate_systems::vr::{Message, View};

use crate::support::{Flight, c, n, read, saw, write};
use crate::{VIEW, calm, names};

#[test]
fn a_client_follows_a_redirection_and_stays_with_who_answered() {
    let mut net = calm(3, &[], Mutants::NONE);
    net.crash(0, 0);
    for _ in 0..2 {
        (1..3).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.settle();
    net.invoke(1, write(1, 7));
    net.settle();
    net.fire(c(1));
    net.settle();
    assert_eq!(net.outcome(1), Some(Outcome::Written));
    let before = net.sent["REQUEST"];
    assert_eq!(net.run(1, read(1)), saw(7));
    assert_eq!(net.sent["REQUEST"] - before, 1);
}

#[test]
fn a_client_that_is_sent_around_waits() {
    let mut net = calm(3, &[], Mutants::NONE);
    net.invoke(1, write(1, 7));
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    for turn in 0..20 {
        let view = View { epoch: 0, number: turn + 1 };
        let message = Message::Redirect { number, view };
        net.arrive(Flight { from: n(1), to: c(1), message });
    }
    assert_eq!(net.sent["REQUEST"], 4, "asked once, and sent on as often as there are nodes");
    net.lose(|_| true);
    net.fire(c(1));
    assert_eq!(net.flying.len(), 3, "the timer has it ask all");
}

#[test]
fn a_client_never_says_that_an_operation_failed() {
    let mut net = calm(3, &[], Mutants::NONE);
    net.crash(1, 0);
    net.crash(2, 0);
    net.invoke(0, write(1, 7));
    for _ in 0..10 {
        net.settle();
        net.fire(c(0));
    }
    assert_eq!(net.outcome(0), None, "no quorum is there, and the request may be executed later");
    net.give_up(0);
    net.restart(1).unwrap();
    for _ in 0..6 {
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
fn an_administrator_who_asks_for_what_cannot_be_is_told_so() {
    let mut net = calm(3, &[("witnesses", "yes")], Mutants::NONE);
    net.reconfigure(0, names(&[("members", "n0,n1")]));
    assert!(matches!(net.outcome(0), Some(Outcome::Failed(_))), "{:?}", net.outcome(0));
    let mut net = calm(3, &[], Mutants::NONE);
    net.reconfigure(0, names(&[("members", "n0,n7")]));
    assert!(matches!(net.outcome(0), Some(Outcome::Failed(_))), "{:?}", net.outcome(0));
}
