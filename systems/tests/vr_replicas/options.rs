//! What can be configured, drawn and changed.

use quorate_systems::contract::{ConfigError, Micros, System};
use quorate_systems::mutant::Mutants;
use quorate_systems::vr::{Config, Persistence, Replies, Vr};

use crate::dice::Dice;
use crate::logs::draws;
use crate::{configure, names};

#[test]
fn options_are_checked() {
    let config = configure(3, &[]).unwrap();
    assert_eq!((config.window, config.checkpoint_every), (16, 256));
    assert_eq!((config.persistence, config.replies), (Persistence::Durable, Replies::Commit));
    assert_eq!((config.lease, config.has_witnesses), (None, false));
    let lease = configure(3, &[("reads", "lease"), ("lease_ms", "50"), ("drift_ppm", "7")]);
    let lease = lease.unwrap().lease.unwrap();
    assert_eq!((lease.length, lease.drift_ppm), (Micros(50_000), 7));
    let some = configure(5, &[("members", "n4, n1,n2")]).unwrap().members;
    assert_eq!(some.to_string(), "{n1, n2, n4}");
    for (name, value) in [
        ("persistence", "disk"),
        ("replies", "early"),
        ("reads", "stale"),
        ("witnesses", "1"),
        ("window", "0"),
        ("window", "1025"),
        ("window", "+1"),
        ("checkpoint_every", "4097"),
        ("checkpoint_every", ""),
        ("members", ""),
        ("members", "n0,n0"),
        ("members", "n3"),
        ("members", "0,1"),
    ] {
        let error = configure(3, &[(name, value)]).unwrap_err();
        assert_eq!(error.option(), Some(name), "{value}");
    }
    let error = configure(3, &[("reads", "lease"), ("drift_ppm", "1000000")]).unwrap_err();
    assert_eq!(error.option(), Some("drift_ppm"));
    let error = configure(3, &[("quorum", "grid")]).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownOption { .. }), "{error}");
    for nodes in [0, 17] {
        assert!(configure(nodes, &[]).is_err());
    }
}

#[test]
fn options_that_cannot_work_together_are_refused_with_the_reason() {
    for (nodes, options, reason) in [
        (2, vec![("persistence", "durable-view")], "3 replicas"),
        (2, vec![("persistence", "crash-vector")], "3 replicas"),
        (2, vec![("persistence", "paper")], "3 replicas"),
        (5, vec![("persistence", "paper"), ("members", "n0,n1")], "3 replicas"),
        (3, vec![("witnesses", "yes"), ("persistence", "durable-view")], "persistence=durable"),
        (2, vec![("witnesses", "yes")], "3 replicas"),
        (5, vec![("witnesses", "yes"), ("members", "n3,n4")], "3 replicas"),
        (3, vec![("lease_ms", "300")], "reads=lease"),
    ] {
        let error = configure(nodes, &options).unwrap_err();
        assert!(matches!(error, ConfigError::Impossible(_)), "{options:?}: {error}");
        assert!(error.to_string().contains(reason), "{options:?}: {error}");
    }
    assert!(configure(3, &[("drift_ppm", "7")]).is_err());
}

#[test]
fn what_changes_is_who_the_replicas_are_and_nothing_else() {
    let config = configure(5, &[("members", "n0,n1,n2")]).unwrap();
    let changed = Vr::change(&config, &names(&[("members", "n2,n3,n4")])).unwrap();
    assert_eq!(changed.members.to_string(), "{n2, n3, n4}");
    assert_eq!(Config { members: config.members, ..changed }, config);
    for options in [&[("members", "n5")][..], &[("window", "3")]] {
        assert!(Vr::change(&config, &names(options)).is_err(), "{options:?}");
    }
    for fixed in [("persistence", "crash-vector"), ("persistence", "paper"), ("witnesses", "yes")] {
        let config = configure(5, &[fixed]).unwrap();
        let error = Vr::change(&config, &names(&[("members", "n0,n1,n2")])).unwrap_err();
        assert!(matches!(error, ConfigError::Impossible(_)), "{fixed:?}: {error}");
        assert_eq!(Vr::draw_change(&config, &mut |_| 0), None, "{fixed:?}");
    }
    let diskless = configure(5, &[("persistence", "durable-view")]).unwrap();
    let error = Vr::change(&diskless, &names(&[("members", "n0,n1")])).unwrap_err();
    assert!(error.to_string().contains("3 replicas"), "{error}");
}

#[test]
fn what_is_drawn_can_be_configured_and_a_majority_keeps_it_alive() {
    draws::<Vr>(|config| {
        assert_ne!(config.persistence, Persistence::Paper, "it is a mistake by itself");
        assert_eq!(Vr::forgetting_tolerated(config).is_some(), config.persistence.is_diskless());
        assert_eq!(Vr::drift_tolerated(config).is_some(), config.lease.is_some());
    });
}

#[test]
fn changes_that_are_drawn_can_be_made() {
    let mut dice = Dice(5);
    let mut counts = [0; 8];
    for _ in 0..500 {
        let (nodes, options) = Vr::draw_cluster(&mut |bound| dice.below(bound));
        let config = Vr::configure(nodes, &options, Mutants::NONE).unwrap();
        let Some(change) = Vr::draw_change(&config, &mut |bound| dice.below(bound)) else {
            continue;
        };
        let changed = Vr::change(&config, &change).unwrap();
        assert_ne!(changed.members, config.members, "something changes");
        *counts.get_mut(changed.members.count() as usize).unwrap() += 1;
    }
    assert!(counts.iter().skip(1).take(4).all(|count| *count > 3), "{counts:?}");
}
