//! What messages and observations look like from outside.

use quorate_systems::contract::{
    ClientId, Command, Describe, FORGED_VALUES, Identify, Incarnation, Key, Lie, NodeId, Outcome,
    System, Value,
};
use quorate_systems::mutant::Mutants;
use quorate_systems::smr::{Request, RequestNumber, Slot};
use quorate_systems::vr::{CrashVector, Entry, Logged, Message, State, Suffix, View, Vr};
use quorate_systems::wire::{Envelope, encode};

use crate::dice::Dice;
use crate::disks::reconfiguring;
use crate::logs::travel;
use crate::messages::KINDS;
use crate::support::{lied, n, read, write};
use crate::{COMMIT, Cluster, GAP, VIEW, calm, configure};

/// Every entry that a log can have since its last checkpoint, and the open ones.
#[test]
fn the_longest_log_fits_into_a_frame() {
    let parts = (0..Command::PARTS_MAX as u64)
        .map(|part| Command::Cas {
            key: Key(part),
            expected: Value(1 << 40),
            value: Value(1 << 40),
        })
        .collect();
    let entry = Entry::Request(Request {
        client: ClientId(100),
        number: RequestNumber { incarnation: Incarnation(100), seq: 1_000_000 },
        command: Command::Transaction(parts),
    });
    let view = View { epoch: 1_000, number: 1_000 };
    let entries = vec![Logged { view, entry }; 4_096 + 1_024];
    let log = Suffix { after: Slot(1_000_000), entries };
    let commit = Slot(1_000_000);
    let state = Box::new(State { log, commit, held: commit });
    let crashes = CrashVector::new();
    let message = Message::DoViewChange { view, last_normal: view, state, crashes };
    let envelope = Envelope { from: NodeId(1), incarnation: Incarnation(1), message };
    assert!(encode(Vr::vocabulary(), &envelope).is_ok());
}

#[test]
fn messages_travel_in_frames_and_show_the_fields_that_the_vocabulary_lists() {
    let mut dice = Dice(1);
    let messages = (0..KINDS).cycle().take(460).map(|place| {
        let view = dice.view();
        dice.message(place, view)
    });
    travel::<Vr>(messages, &["value", "key", "client", "op", "commit"]);
}

#[test]
fn an_identity_is_of_the_view_op_number_and_round_and_not_of_what_is_carried() {
    let mut dice = Dice(3);
    let view = |number| View { epoch: 0, number };
    let mut prepare = |view, op| {
        let (entry, commit, held) = (dice.logged_entry(), dice.slot(), dice.slot());
        Message::Prepare { view, op: Slot(op), entry, commit, held }.identity()
    };
    assert_eq!(prepare(view(1), 1), prepare(view(1), 1));
    assert_ne!(prepare(view(1), 1), prepare(view(1), 2));
    assert_ne!(prepare(view(1), 1), prepare(view(2), 1));
    assert_ne!(prepare(view(1), 1), prepare(View { epoch: 1, number: 1 }, 1));
    let mut seen: Vec<u64> = Vec::new();
    for place in 0..KINDS {
        seen.push(Dice(4).message(place, view(1)).identity());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len() as u64, KINDS, "kinds are told apart");
}

#[test]
fn every_observation_is_in_the_vocabulary() {
    let mut seen = Vec::new();
    let mut watch = |net: &Cluster| {
        for (_, observation) in &net.observations {
            let known = Vr::vocabulary().observations;
            let kind = known.iter().find(|kind| kind.name == observation.kind()).unwrap();
            let without: Vec<_> =
                kind.fields.iter().filter(|field| observation.field(field).is_none()).collect();
            assert!(without.is_empty(), "{observation}: {without:?}");
            assert_eq!(observation.field("nothing"), None);
            assert!(observation.to_string().starts_with(kind.name));
            seen.push(kind.name);
        }
    };
    let options = [("reads", "lease"), ("checkpoint_every", "2"), ("replies", "prepare")];
    let mut net = reconfiguring(&options);
    net.settle();
    net.run(0, read(1));
    watch(&net);
    let mut net = calm(3, &[("checkpoint_every", "2")], Mutants::NONE);
    for value in 0..4 {
        net.invoke(0, write(1, value));
        net.deliver_all(|flight| flight.from != n(2) && flight.to != n(2));
    }
    net.lose(|_| true);
    net.fire_one(n(0), COMMIT);
    net.settle();
    net.fire_one(n(2), GAP);
    net.settle();
    net.crash(0, 0);
    for _ in 0..2 {
        (1..3).for_each(|node| net.fire_one(n(node), VIEW));
    }
    net.settle();
    watch(&net);
    let mut net = calm(3, &[("witnesses", "yes")], Mutants::NONE);
    net.run(0, write(1, 1));
    net.fire_one(n(0), COMMIT);
    net.settle();
    watch(&net);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), Vr::vocabulary().observations.len(), "{seen:?}");
}

#[test]
fn lies_touch_what_they_are_about() {
    let config = configure(3, &[]).unwrap();
    let number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
    let (view, op) = (View::FIRST, Slot(1));
    let reply = |outcome| Message::Reply { view, op, number, outcome, is_committed: true };
    let truth = reply(Outcome::Read(None));
    assert_eq!(lied::<Vr>(&config, Lie::Silent, &truth, 5), None);
    let forged = reply(Outcome::Read(Some(Value(FORGED_VALUES + 5))));
    assert_eq!(lied::<Vr>(&config, Lie::WrongValue, &truth, 5), Some(forged));
    assert_eq!(lied::<Vr>(&config, Lie::WrongTimestamp, &truth, 5), Some(truth));
    let redirect = Message::Redirect { number, view };
    let told = Message::Redirect { number, view: View { epoch: 0, number: 3 } };
    assert_eq!(lied::<Vr>(&config, Lie::WrongTimestamp, &redirect, 5), Some(told));
}
