//! Each anomaly by hand.

use super::super::{Anomaly, Consistency, Report};
use super::{history, judge};
use crate::verdict::Verdict;

const STRICT: Consistency = Consistency::StrictSerializable;

fn names(report: &Report) -> Vec<String> {
    report.findings.iter().map(|finding| finding.anomaly.to_string()).collect()
}

/// What is found when all is demanded. Also that every weaker consistency forbids what it must, and no more.
fn found(text: &str) -> Vec<String> {
    let history = history(text);
    let report = judge(&history, STRICT);
    for consistency in Consistency::ALL {
        let weaker = judge(&history, consistency);
        let is_forbidden = |name: &String| {
            Anomaly::try_from(name.clone()).unwrap().forbidden_from() <= consistency
        };
        let expected: Vec<String> = names(&report).into_iter().filter(is_forbidden).collect();
        assert_eq!(names(&weaker), expected, "{consistency}");
        let verdict = if expected.is_empty() { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(weaker.verdict, verdict, "{consistency}: {weaker:#?}");
    }
    names(&report)
}

/// The first example of the worst finding, in words.
fn words(text: &str) -> Vec<String> {
    let report = judge(&history(text), STRICT);
    let example = report.findings[0].examples[0].clone();
    std::iter::once(example.sentence).chain(example.lines).collect()
}

#[test]
fn what_is_right_is_valid() {
    assert_eq!(found("0-1 ok ax1 rx1 ax2 rx1,2\n2-3 ok rx1,2 ry"), [""; 0]);
    // Overlapping ones may come in either order.
    assert_eq!(found("0-3 ok ax1\n1-2 ok rx\n1-2 ok rx1"), [""; 0]);
    // What nobody knows of may have happened, or not, and early or late.
    assert_eq!(found("0-? info ax1\n1-2 ok rx\n3-4 ok rx1"), [""; 0]);
    assert_eq!(found("0-? info ax1\n1-2 ok rx"), [""; 0]);
    // An own read within what it appends.
    assert_eq!(found("0-1 ok ax1 rx1 ax2"), [""; 0]);
}

#[test]
fn g0_is_a_circle_of_appends() {
    assert_eq!(found("0-9 ok ax1 ay1\n0-9 ok ax2 ay2\n0-9 ok rx1,2\n0-9 ok ry2,1"), ["G0"]);
    // Of real time: the later one is there first.
    assert_eq!(found("0-1 ok ax1\n2-3 ok ax2\n0-9 ok rx2,1"), ["G0-realtime"]);
    assert_eq!(found("0-1 ok p1 ax1\n2-3 ok p1 ax2\n0-9 ok rx2,1"), ["G0-process"]);
}

#[test]
fn g1a_is_a_read_of_what_failed() {
    assert_eq!(found("0-1 fail ax1\n2-3 ok rx1"), ["G1a"]);
    assert_eq!(
        words("0-1 fail ax1\n2-3 ok rx1"),
        [
            "the transaction at index 2 read 1 in \"x\", which the transaction at index 0 had appended, and that one failed",
            "index 2-3, p101: r \"x\" -> [1]",
            "index 0-1, p100, failed: append \"x\" 1",
        ]
    );
}

#[test]
fn g1b_is_a_read_of_half_of_it() {
    assert_eq!(found("0-9 ok ax1 ax2\n0-9 ok rx1"), ["G1b", "G-single"]);
    assert_eq!(found("0-9 ok ax1 ax2\n0-9 ok rx1\n0-9 ok rx1,2"), ["G1b", "G-single"]);
    assert_eq!(
        words("0-9 ok ax1 ax2\n2-3 ok rx1")[0],
        "the transaction at index 2 read 1 in \"x\" without 2, which the transaction at index 0 appended to it as well"
    );
}

#[test]
fn g1c_is_a_circle_of_appends_and_reads() {
    assert_eq!(found("0-9 ok ax1 ry1\n0-9 ok ay1 rx1"), ["G1c"]);
    assert_eq!(found("2-3 ok ax1\n0-1 ok rx1"), ["G1c-realtime"]);
    assert_eq!(found("2-3 ok p1 ax1\n0-1 ok p1 rx1"), ["G1c-process"]);
}

#[test]
fn g_single_is_a_circle_with_one_read_that_missed_something() {
    assert_eq!(found("0-9 ok ax1 ay1\n0-9 ok rx1 ry"), ["G-single"]);
    assert_eq!(found("0-1 ok ax1\n2-3 ok rx"), ["G-single-realtime"]);
    assert_eq!(found("0-1 ok p1 ax1\n2-3 ok p1 rx"), ["G-single-process"]);
    assert_eq!(
        words("0-9 ok p1 ax1 ay1\n1-8 ok p2 rx1 ry\n10-11 ok ry1"),
        [
            "each comes before the next in T1 (index 0) < T2 (index 1) < T1: T1 appended 1 to \"x\", and T2 read it; T2 read \
             \"y\" as [], without 1, which T1 appended",
            "T1  index 0-9, p1: append \"x\" 1, append \"y\" 1",
            "T2  index 1-8, p2: r \"x\" -> [1], r \"y\" -> []",
            "T1 < T2: T1 appended 1 to \"x\", and T2 read it",
            "T2 < T1: T2 read \"y\" as [], without 1, which T1 appended",
        ]
    );
}

#[test]
fn a_long_fork_has_several_such_reads_none_after_another() {
    let fork = "0-9 ok ax1\n0-9 ok ay1\n0-9 ok rx1 ry\n0-9 ok rx ry1";
    assert_eq!(found(fork), ["G-nonadjacent"]);
    // One of the readers only knows that it begins after the second write.
    let late =
        |who: &str| format!("20-21 ok {who} rx\n0-40 ok ax1\n1-30 ok rx1 ry\n2-10 ok {who} ay1");
    assert_eq!(found(&late("")), ["G-nonadjacent-realtime"]);
    assert_eq!(found(&late("p1")), ["G-nonadjacent-process"]);
}

#[test]
fn g2_is_write_skew_and_allowed_within_snapshots() {
    let skew = "0-9 ok rx ay1\n0-9 ok ry ax1\n0-9 ok rx1 ry1";
    assert_eq!(found(skew), ["G2-item"]);
    // The same where nobody read what was appended.
    assert_eq!(found("0-9 ok rx ay1\n0-9 ok ry ax1"), ["G2-item"]);
    // The read-only anomaly of Fekete, O'Neil and O'Neil (SIGMOD Record 2004).
    let read_only = "0-20 ok rx ry ax1\n1-2 ok ry ay1\n3-4 ok rx ry1\n30-31 ok rx1 ry1";
    assert_eq!(found(read_only), ["G2-item"]);
    assert_eq!(found("10-11 ok rx\n0-20 ok ax1 ry\n1-2 ok ay1"), ["G2-item-realtime"]);
    assert_eq!(found("10-11 ok p1 rx\n0-20 ok ax1 ry\n1-2 ok p1 ay1"), ["G2-item-process"]);
}

#[test]
fn a_lost_update_is_two_appends_to_one_state() {
    assert_eq!(found("0-9 ok rx ax1\n0-9 ok rx ax2\n0-9 ok rx1,2"), ["lost-update", "G-single"]);
    assert_eq!(found("0-9 ok rx ax1\n0-9 ok rx ax2"), ["lost-update", "G2-item"]);
    // Three of them, whose order nobody read, are all before each other.
    assert_eq!(
        found("0-9 ok rx ax1\n0-9 ok rx ax2\n0-9 ok rx ax3\n0-9 ok rx"),
        ["lost-update", "G2-item"]
    );
}

#[test]
fn a_transaction_sees_what_it_did() {
    for wrong in ["rx ax1 rx", "ax1 rx", "ax1 ax2 rx1", "ax1 ax2 rx2,1", "rx ax1 rx2,1"] {
        assert_eq!(found(&format!("0-9 ok {wrong}\n0-9 ok ax9"))[0], "internal", "{wrong}");
    }
    assert_eq!(
        found("0-9 ok rx ry rx1\n0-9 ok ax1"),
        ["internal"],
        "a read that is not repeatable"
    );
    assert_eq!(found("0-9 ok rx1 ax1"), ["future-read"]);
    assert_eq!(
        words("0-9 ok rx ax1 rx\n0-9 ok ry")[0],
        "the transaction at index 0 read [] in \"x\", although it had read [] there before and then appended 1 more"
    );
}

#[test]
fn lists_that_cannot_be_of_one_store() {
    assert_eq!(found("0-9 ok ax1\n0-9 ok ax2\n0-9 ok rx1,2\n0-9 ok rx2"), ["incompatible-order"]);
    assert_eq!(found("0-9 ok ax1\n0-9 ok rx1,1"), ["duplicate-elements"]);
    assert_eq!(found("0-9 ok rx7"), ["garbage-read"]);
    assert_eq!(found("0-9 ok ax1 ax2\n0-9 ok rx2,1"), ["torn-append"]);
    assert_eq!(found("0-9 ok ax1 ax2\n0-9 ok rx2"), ["torn-append", "G-single"]);
    // Something in between is a circle as well.
    assert_eq!(found("0-9 ok ax1 ax2\n0-9 ok ax3\n0-9 ok rx1,3,2"), ["torn-append", "G0"]);
}

#[test]
fn a_failed_transaction_is_no_link_in_a_circle() {
    // Without the failed one there would be a way from the second to the first.
    let text = "0-9 ok ax1\n0-9 fail ax2\n0-9 ok ax3 ry\n0-9 ok rx1,2,3\n0-9 ok ay1 rx";
    assert_eq!(found(text), ["G1a"]);
}

#[test]
fn what_was_read_of_an_unknown_transaction_makes_all_of_it_certain() {
    // It is seen in x, so its append to y has happened as well.
    assert_eq!(found("0-? info ax1 ay1\n1-2 ok rx1\n3-4 ok ry"), ["G-single-realtime"]);
    let report = judge(&history("0-? info ax1 ay1\n1-2 ok rx1"), STRICT);
    assert_eq!((report.counts.seen, report.counts.appends, report.counts.unread), (1, 2, 1));
}

#[test]
fn an_order_of_appends_that_nobody_read_is_looked_for_within_snapshots() {
    // Each misses what the other appended to its own key, which snapshots allow, but they also append to one key.
    let skew = "0-9 ok ry az1 ax1\n0-9 ok rz ay1 ax2";
    let report = judge(&history(skew), Consistency::SnapshotIsolation);
    assert_eq!(report.verdict, Verdict::Unknown, "{report:#?}");
    assert!(report.undecided.unwrap().contains("the order of 4 appends that nobody read"));
    let report = judge(&history(&format!("{skew}\n0-9 ok rx1,2")), Consistency::SnapshotIsolation);
    assert_eq!(names(&report), ["G-single"]);
    // One follows the other, beside a skew of others.
    let text = "0-9 ok ry az1\n0-9 ok rz ay1\n0-9 ok ax1\n0-9 ok ax2";
    assert_eq!(judge(&history(text), Consistency::SnapshotIsolation).verdict, Verdict::Valid);
}

#[test]
fn every_anomaly_has_one_name() {
    let names: Vec<String> = Anomaly::all().map(String::from).collect();
    let back: Vec<Anomaly> = names.iter().map(|n| Anomaly::try_from(n.clone()).unwrap()).collect();
    assert_eq!(back, Anomaly::all().collect::<Vec<_>>());
    assert!(back.is_sorted(), "the worst first");
    assert!(Anomaly::try_from("G3".to_owned()).is_err());
    for consistency in Consistency::ALL {
        assert_eq!(Consistency::by_name(consistency.name()), Some(consistency));
    }
}
