//! What the invariants say while the configuration changes.

use quorate_systems::quorum::{Configuration, Form, Stage};

use super::*;
use crate::invariants::quorum::meeting::Configurations;
use crate::invariants::quorum::{Q_I1, Q_I3, Q_I4, Q_I8};

/// Five servers with these votes.
fn weights(weights: &str) -> Form {
    let options = [("quorum", "weighted"), ("weights", weights)];
    config(5, &options, None).quorums.form().clone()
}

fn even() -> Form {
    weights("1,1,1,1,1")
}

fn heavy() -> Form {
    weights("3,1,1,1,1")
}

fn stable(id: u32, form: Form) -> Configuration {
    Configuration { id, stage: Stage::Stable(form) }
}

/// From votes that are even to a heavy one.
fn joint() -> Configuration {
    Configuration { id: 1, stage: Stage::Joint(even(), heavy()) }
}

/// What is said of these configurations, which come into force one after the other.
fn said(configurations: &[Configuration]) -> Vec<String> {
    let start = config(5, &[("quorum", "weighted")], None);
    let mut known = Configurations::new(&start);
    let mut broken = Vec::new();
    for configuration in configurations {
        known.install(configuration, &mut broken);
    }
    assert!(broken.iter().all(|broken| broken.invariant == Q_I4));
    broken.into_iter().map(|broken| broken.what).collect()
}

fn start() -> Watch {
    Watch::new(5, &[("quorum", "weighted")])
}

fn entered(configuration: &Configuration) -> Observation {
    Observation::Configured { configuration: Box::new(configuration.clone()), ticket: 0 }
}

fn configured(configuration: &Configuration) -> Record {
    Record::Configured { configuration: Box::new(configuration.clone()) }
}

/// The administrator's question `seq`.
fn changing(seq: u64) -> OpId {
    op(seq, Phase::Change)
}

fn configure(seq: u64, configuration: &Configuration) -> Message {
    Message::Configure { op: changing(seq), configuration: Box::new(configuration.clone()) }
}

#[test]
fn a_change_by_a_joint_configuration_passes_q_i4_and_one_without_does_not() {
    let nothing: [&str; 0] = [];
    assert_eq!(said(&[joint(), stable(2, heavy())]), nothing);
    // Here there was no need of one.
    assert_eq!(said(&[stable(2, weights("2,1,1,1,1"))]), nothing);
    assert_eq!(
        said(&[stable(2, heavy()), stable(2, heavy())]),
        [
            "the read quorum {n1, n2, n3} of configuration 0 and the write quorum {n0, n4} of \
             configuration 2 do not meet",
            "the read quorum {n0, n1} of configuration 2 and the write quorum {n2, n3, n4} of \
             configuration 0 do not meet",
        ]
    );
}

#[test]
fn what_a_disk_holds_from_before_is_a_configuration_of_its_own() {
    let mut run = start();
    run.start(0, 2).find(0, &configured(&stable(4, heavy()))).sync(0).holds();
    let next = Configuration { id: 5, stage: Stage::Joint(heavy(), even()) };
    run.observe(n(0), &entered(&next)).holds();
}

#[test]
fn many_changes_are_followed_and_the_oldest_are_forgotten() {
    let forms = [even(), heavy()];
    let at = |place: u32| forms[place as usize % 2].clone();
    let mut run = start();
    for change in 0..40 {
        let stage = Stage::Joint(at(change), at(change + 1));
        let joint = Configuration { id: 2 * change + 1, stage };
        run.observe(n(0), &entered(&joint));
        run.observe(n(0), &entered(&stable(2 * change + 2, at(change + 1)))).holds();
    }
    // A server that slept meanwhile is told of each.
    run.observe(n(4), &entered(&joint())).observe(n(4), &entered(&stable(2, heavy()))).holds();
    run.observe(c(0), &completed_in(2, 1, &pair(1, 1))).holds();
    run.observe(c(0), &completed_in(80, 1, &pair(1, 1))).breaks(Q_I3);
}

#[test]
fn in_a_joint_configuration_q_i3_asks_for_a_quorum_of_each_form() {
    let mut run = start();
    let new = pair(1, 1);
    run.observe(n(0), &entered(&joint()));
    run.store(1, &new).store(2, &new).store(3, &new);
    run.observe(c(0), &completed(1, &new)).holds();
    run.observe(c(0), &completed_in(1, 1, &new)).breaks(Q_I3);
    run.store(0, &new).observe(c(0), &completed_in(1, 1, &new)).holds();
    // Of the new form alone two would do.
    let mut run = start();
    run.observe(n(0), &entered(&joint())).observe(n(0), &entered(&stable(2, heavy())));
    run.store(0, &new).store(1, &new).observe(c(0), &completed_in(2, 1, &new)).holds();
    run.observe(c(0), &completed_in(1, 1, &new)).breaks(Q_I3);
    run.observe(c(0), &completed(1, &new)).breaks(Q_I3);
}

#[test]
fn a_number_with_two_meanings_judges_nothing() {
    let mut run = start();
    let other = Configuration { id: 1, stage: Stage::Joint(even(), weights("1,1,3,1,1")) };
    run.observe(n(0), &entered(&joint())).observe(n(1), &entered(&other));
    run.observe(c(0), &completed_in(1, 1, &pair(1, 1))).holds();
    run.invariants.reset(&config(5, &[("quorum", "weighted")], None));
    run.observe(n(0), &entered(&joint()));
    run.observe(c(0), &completed_in(1, 1, &pair(1, 1))).breaks(Q_I3);
}

#[test]
fn a_server_says_where_it_is_when_that_is_durable() {
    let mut run = start();
    let here = Box::new(joint());
    let wrong = Message::WrongConfig { op: op(1, Phase::Query), configuration: here };
    run.send(c(2), n(0), &configure(1, &joint())).persist(0, &configured(&joint()));
    run.answer(0, &wrong);
    let what = run.breaks(Q_I8);
    assert_eq!(what, "n0 sends WRONG_CONFIG to c0 for configuration 1 before that is on its disk");
    run.answer(0, &Message::ConfigureOk { op: changing(1) }).breaks(Q_I8);
    run.sync(0).answer(0, &wrong).answer(0, &Message::ConfigureOk { op: changing(1) }).holds();
    // A crash leaves it there, if the disk says so.
    run.start(0, 2).find(0, &configured(&joint())).sync(0).answer(0, &wrong).holds();
    run.start(0, 2).sync(0).answer(0, &wrong).breaks(Q_I8);
    // That question is long gone.
    run.send(c(2), n(1), &configure(2, &joint()));
    run.answer(1, &Message::ConfigureOk { op: changing(1) }).holds();
}

#[test]
fn what_is_installed_is_durable_before_that_is_said() {
    let mut run = start();
    let new = pair(1, 1);
    let pairs = vec![(KEY, new.clone())];
    let install = Message::Install { op: changing(1), configuration: 1, pairs };
    run.send(c(2), n(0), &install).persist(0, &stored(&new));
    run.answer(0, &Message::InstallOk { op: changing(1) });
    let what = run.breaks(Q_I8);
    assert_eq!(
        what,
        "n0 sends INSTALL_OK to c0 for 10 @1.c0.1.1 under k7, and its disk holds nothing"
    );
    run.sync(0).answer(0, &Message::InstallOk { op: changing(1) }).holds();
    // Something newer does as well.
    run.store(1, &pair(2, 2)).answer(1, &Message::InstallOk { op: changing(1) }).holds();
}

#[test]
fn what_is_fetched_is_durable_and_never_older_than_before() {
    let mut run = start();
    let (old, new) = (pair(1, 1), pair(2, 2));
    let fetched = |pair: &Pair| Message::FetchOk {
        op: changing(1),
        pairs: vec![(KEY, pair.clone())],
        next: None,
    };
    run.store(0, &old).answer(0, &fetched(&old)).holds();
    run.persist(0, &stored(&new)).answer(0, &fetched(&new)).breaks(Q_I8);
    run.sync(0).answer(0, &fetched(&new)).holds();
    run.answer(0, &fetched(&old)).breaks(Q_I1);
}
