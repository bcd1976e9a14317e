//! Which quorums are accepted: checked against a plain search over all pairs of sets, up to seven nodes.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

use std::collections::BTreeMap;

use quorate_systems::contract::{ConfigError, NodeId, System};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{Config, Construction, GridForm, NodeSet, Purpose, Quorum, Quorums};

fn configure(nodes: u16, options: &[(&str, &str)]) -> Result<Config, ConfigError> {
    with_mutant(nodes, options, Mutants::NONE)
}

fn with_mutant(
    nodes: u16,
    options: &[(&str, &str)],
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    let options: BTreeMap<_, _> =
        options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Quorum::configure(nodes, &options, mutants)
}

/// In how few nodes two quorums of these kinds can meet.
fn least_meeting(quorums: &Quorums, one: Purpose, other: Purpose) -> u32 {
    let sets = || (0..1_u64 << quorums.everyone().len()).map(NodeSet::from_bits);
    let firsts: Vec<NodeSet> = sets().filter(|set| quorums.suffices(one, *set)).collect();
    let seconds: Vec<NodeSet> = sets().filter(|set| quorums.suffices(other, *set)).collect();
    let meetings =
        firsts.iter().flat_map(|a| seconds.iter().map(move |b| a.intersection(*b).len()));
    meetings.min().unwrap()
}

/// `{n0, n2}` as a set.
fn parse(text: &str) -> NodeSet {
    let names = text.trim_matches(['{', '}']).split(", ");
    names.map(|name| NodeId(name.trim_start_matches('n').parse().unwrap())).collect()
}

/// What `configure` says agrees with a search over all pairs, and a refusal names a pair that proves it.
fn agrees(nodes: u16, options: &[(&str, &str)], construction: Construction, is_lock: bool) {
    let quorums = Quorums::new(nodes, construction, Mutants::NONE);
    let mut pairs = vec![(Purpose::Read, Purpose::Write), (Purpose::Timestamp, Purpose::Write)];
    if is_lock {
        pairs.push((Purpose::Write, Purpose::Write));
    }
    let is_safe = pairs.iter().all(|(one, other)| least_meeting(&quorums, *one, *other) > 0);
    let mut options = options.to_vec();
    if is_lock {
        options.push(("protocol", "lock"));
    }
    match configure(nodes, &options) {
        Ok(config) => {
            assert!(is_safe, "{nodes} nodes, {options:?}: accepted");
            assert_eq!(config.quorums, quorums);
        }
        Err(ConfigError::NoIntersection { first, second, how, what }) => {
            assert!(!is_safe, "{nodes} nodes, {options:?}: refused, {what}");
            let (first, second) = (parse(&first), parse(&second));
            assert!(first.intersection(second).is_empty());
            let is_proof = |(one, other): &(Purpose, Purpose)| {
                quorums.suffices(*one, first) && quorums.suffices(*other, second)
            };
            assert!(pairs.iter().any(is_proof), "{first} and {second} are no quorums");
            assert_eq!(how, "do not meet");
        }
        Err(other) => panic!("{nodes} nodes, {options:?}: {other}"),
    }
}

#[test]
fn every_read_and_write_count_is_judged_rightly() {
    for nodes in 1..=7 {
        for read in 1..=nodes {
            for write in 1..=nodes {
                let (r, w) = (read.to_string(), write.to_string());
                let options = [("quorum", "counts"), ("read", r.as_str()), ("write", w.as_str())];
                for is_lock in [false, true] {
                    agrees(nodes, &options, Construction::Counts { read, write }, is_lock);
                }
            }
        }
    }
}

#[test]
fn all_weights_give_majorities_that_meet() {
    for nodes in 1..=5_u32 {
        for code in 1..3_u32.pow(nodes) {
            let weights: Vec<u32> = (0..nodes).map(|place| code / 3_u32.pow(place) % 3).collect();
            let text = weights.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            let options = [("quorum", "weighted"), ("weights", text.as_str())];
            let nodes = u16::try_from(nodes).unwrap();
            agrees(nodes, &options, Construction::Weighted { weights }, true);
        }
    }
}

#[test]
fn every_grid_is_judged_rightly() {
    let forms = [
        ("grid", GridForm::RowColumn),
        ("grid-symmetric", GridForm::Symmetric),
        ("grid-cover", GridForm::Cover),
    ];
    for (name, form) in forms {
        for nodes in 1..=7_u16 {
            for rows in (1..=nodes).filter(|rows| nodes.is_multiple_of(*rows)) {
                let cols = nodes / rows;
                let (r, c) = (rows.to_string(), cols.to_string());
                let options = [("quorum", name), ("rows", r.as_str()), ("cols", c.as_str())];
                for is_lock in [false, true] {
                    agrees(nodes, &options, Construction::Grid { form, rows, cols }, is_lock);
                }
            }
        }
    }
}

#[test]
fn majorities_meet_also_where_writes_must() {
    for nodes in 1..=7 {
        agrees(nodes, &[], Construction::Majority, true);
    }
}

#[test]
fn byzantine_quorums_meet_in_enough_nodes_and_survive_silent_liars() {
    for (name, per) in [("dissemination", 3), ("masking", 4)] {
        for nodes in 1..=9_u16 {
            for b in 1..=nodes {
                let text = b.to_string();
                let config = configure(nodes, &[("quorum", name), ("b", &text)]);
                assert_eq!(config.is_ok(), nodes > per * b, "{name}, {nodes} nodes, b={b}");
                let Ok(Config { quorums, .. }) = config else { continue };
                let meeting = least_meeting(&quorums, Purpose::Read, Purpose::Write);
                let needed = if name == "masking" { 2 * b + 1 } else { b + 1 };
                assert!(meeting >= u32::from(needed), "{name}, {nodes} nodes, b={b}");
                let correct: NodeSet = (b..nodes).map(NodeId).collect();
                assert!(quorums.is_read_quorum(correct) && quorums.is_write_quorum(correct));
                assert_eq!(
                    Quorum::liars_tolerated(
                        &configure(nodes, &[("quorum", name), ("b", &text)]).unwrap()
                    ),
                    b
                );
            }
        }
    }
}

#[test]
fn the_refusal_names_two_sets_that_do_not_meet() {
    let options = [("quorum", "counts"), ("read", "2"), ("write", "2")];
    let refusal = configure(4, &options).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "every read quorum must meet every write quorum, or a read can miss a completed write: \
         {n0, n1} and {n2, n3} do not meet"
    );
    let lock = [("protocol", "lock"), ("quorum", "grid"), ("rows", "2")];
    let refusal = configure(4, &lock).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "every write quorum must meet every write quorum, or a lock write can end below a \
         completed one: {n0, n1} and {n2, n3} do not meet"
    );
}

#[test]
fn an_observer_without_votes_never_matters() {
    let config = configure(4, &[("quorum", "weighted"), ("weights", "3,1,1,0")]).unwrap();
    let heavy = NodeSet::of(NodeId(0));
    assert!(config.quorums.is_write_quorum(heavy), "three of five votes");
    let rest: NodeSet = [1, 2, 3].map(NodeId).into_iter().collect();
    assert!(!config.quorums.is_write_quorum(rest), "two of five votes");
}

#[test]
fn half_of_six_equal_votes_is_a_majority_only_with_the_planted_bug() {
    let half: NodeSet = [0, 1, 2].map(NodeId).into_iter().collect();
    let options = [("quorum", "weighted")];
    let correct = configure(6, &options).unwrap();
    assert!(!correct.quorums.is_write_quorum(half));
    let planted = with_mutant(6, &options, Mutants(Some(Mutant::Q10))).unwrap();
    assert!(planted.quorums.is_write_quorum(half), "and the start-up check lets it pass");
}

#[test]
fn the_timestamp_query_asks_a_row_only_with_the_planted_bug() {
    let row: NodeSet = [0, 1].map(NodeId).into_iter().collect();
    let correct = configure(4, &[("quorum", "grid")]).unwrap();
    assert!(!correct.quorums.is_timestamp_quorum(row));
    let planted = with_mutant(4, &[("quorum", "grid")], Mutants(Some(Mutant::Q08))).unwrap();
    assert!(planted.quorums.is_timestamp_quorum(row), "and the start-up check lets it pass");
}

/// What is said of options that cannot be used.
fn refused(nodes: u16, options: &[(&str, &str)]) -> String {
    configure(nodes, options).unwrap_err().to_string()
}

#[test]
fn options_that_cannot_be_read_are_refused_with_what_would_be_right() {
    assert_eq!(
        refused(3, &[("quorums", "majority")]),
        "the system has no option `quorums`; it has protocol, coordinator, quorum, read, write, \
         weights, rows, cols, b, contact, members"
    );
    assert_eq!(
        refused(3, &[("protocol", "paxos")]),
        "option `protocol`: `paxos` is not one of abd, lock"
    );
    for value in ["0", "4", "+2", " 2", "", "two", "99999999999"] {
        assert_eq!(
            refused(3, &[("quorum", "counts"), ("read", value)]),
            format!("option `read`: `{value}` is not a number from 1 to 3, the number of nodes")
        );
    }
    assert_eq!(
        refused(3, &[("quorum", "weighted"), ("weights", "1,,1")]),
        "option `weights`: `1,,1` is not 3 numbers such as 3,1,1"
    );
}

#[test]
fn options_that_do_not_belong_to_the_construction_are_refused() {
    assert_eq!(
        refused(3, &[("read", "2")]),
        "option `read` is for quorum=counts, and this is quorum=majority"
    );
    assert_eq!(
        refused(4, &[("quorum", "masking"), ("rows", "2")]),
        "option `rows` is for quorum=grid, and this is quorum=masking"
    );
}

#[test]
fn combinations_that_cannot_work_are_refused_with_the_reason() {
    let reasons = [
        (refused(3, &[("protocol", "lock"), ("coordinator", "client")]), "decision durable"),
        (refused(5, &[("protocol", "lock"), ("quorum", "masking")]), "protocol=abd"),
        (refused(5, &[("coordinator", "node"), ("quorum", "dissemination")]), "lying coordinator"),
        (refused(5, &[("quorum", "grid")]), "rows=1 cols=5, rows=5 cols=1"),
        (refused(6, &[("quorum", "grid"), ("rows", "4")]), "rows=2 cols=3"),
        (refused(6, &[("quorum", "grid"), ("rows", "2"), ("cols", "2")]), "rows=3 cols=2"),
        (refused(3, &[("quorum", "weighted"), ("weights", "1,1")]), "2 weights for 3 nodes"),
        (refused(2, &[("quorum", "weighted"), ("weights", "0,0")]), "nobody with a vote"),
        (refused(3, &[("quorum", "dissemination")]), "at least 4 nodes"),
        (refused(8, &[("quorum", "masking"), ("b", "2")]), "at least 9 nodes"),
        (refused(0, &[]), "1 to 16 nodes"),
        (refused(17, &[]), "1 to 16 nodes"),
    ];
    for (said, reason) in reasons {
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn sizes_that_are_not_given_follow_from_the_number_of_nodes() {
    let construction = |nodes, options: &[(&str, &str)]| {
        configure(nodes, options).unwrap().quorums.construction().clone()
    };
    let counts = |read, write| Construction::Counts { read, write };
    assert_eq!(construction(5, &[("quorum", "counts")]), counts(3, 3));
    assert_eq!(construction(4, &[("quorum", "counts")]), counts(2, 3));
    assert_eq!(construction(5, &[("quorum", "counts"), ("read", "1")]), counts(1, 5));
    assert_eq!(construction(5, &[("quorum", "counts"), ("write", "2")]), counts(4, 2));
    let grid = |rows, cols| Construction::Grid { form: GridForm::Cover, rows, cols };
    assert_eq!(construction(6, &[("quorum", "grid-cover")]), grid(2, 3));
    assert_eq!(construction(9, &[("quorum", "grid-cover")]), grid(3, 3));
    assert_eq!(construction(6, &[("quorum", "grid-cover"), ("cols", "2")]), grid(3, 2));
    let masking = |b| Construction::Masking { b };
    assert_eq!(construction(5, &[("quorum", "masking")]), masking(1));
    assert_eq!(construction(9, &[("quorum", "masking")]), masking(2));
}
