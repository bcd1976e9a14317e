//! Each checker by hand.

use super::{BankOptions, Checker, Report};
use crate::history::{Key, Operation, Outcome, ProcessId, Time, Value};
use crate::verdict::Verdict;

/// A history of lines: where the operation begins and ends (`0-3`), what came of it (`ok`, `fail`, `info`), its function,
/// its argument as JSON, and, behind `->`, its result.
fn operations(text: &str) -> Vec<Operation> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    (0..).zip(lines).map(|(process, line)| operation(process, line)).collect()
}

fn operation(process: u64, line: &str) -> Operation {
    let (asked, told) = line.split_once("->").unwrap_or((line, ""));
    let mut words = asked.trim().splitn(4, ' ');
    let (invoke, complete) = words.next().unwrap().split_once('-').unwrap();
    let json = |text: &str| match text.trim() {
        "" => Value::Nil,
        text => serde_json::from_str(text).unwrap(),
    };
    let fate = words.next().unwrap();
    let f = words.next().unwrap().into();
    let input = json(words.next().unwrap_or_default());
    let outcome = match fate {
        "ok" if told.is_empty() => Outcome::Ok(input.clone()),
        "ok" => Outcome::Ok(json(told)),
        "fail" => Outcome::Fail,
        "info" => Outcome::Info,
        other => panic!("{other}"),
    };
    let invoke = invoke.parse().unwrap();
    let complete: Option<u64> = complete.parse().ok();
    Operation {
        invoke,
        complete,
        process: ProcessId(process),
        f,
        key: None,
        input,
        outcome,
        invoked_at: Time(invoke),
        completed_at: complete.map(Time),
        error: None,
    }
}

fn judge(checker: Checker, text: &str) -> Report {
    checker.check(&operations(text))
}

/// The verdict, and the names of what is wrong.
fn told(checker: Checker, text: &str) -> (Verdict, Vec<String>) {
    let report = judge(checker, text);
    (report.verdict, report.problems.into_keys().collect())
}

fn valid() -> (Verdict, Vec<String>) {
    (Verdict::Valid, Vec::new())
}

fn unknown() -> (Verdict, Vec<String>) {
    (Verdict::Unknown, Vec::new())
}

fn invalid(problem: &str) -> (Verdict, Vec<String>) {
    (Verdict::Invalid, vec![problem.to_owned()])
}

const SET_FULL: Checker = Checker::SetFull { is_linearizable: false };

#[test]
fn a_set_is_judged_by_its_last_read() {
    let read = |seen: &str, others: &str| {
        told(
            Checker::Set,
            &format!("0-1 ok add 1\n2-3 ok add 2\n{others}\n20-21 ok read null -> {seen}"),
        )
    };
    assert_eq!(read("[2, 1]", ""), valid());
    assert_eq!(read("[1]", ""), invalid("lost"));
    assert_eq!(read("[1, 2, 3]", ""), invalid("unexpected"));
    assert_eq!(read("[1, 2, 2]", ""), invalid("duplicate"));
    assert_eq!(read("[1, 2, 3]", "4-? info add 3"), valid());
    assert_eq!(read("[1, 2, 3]", "4-5 fail add 3"), invalid("aborted"));
    assert_eq!(read("[1, 2]", "4-22 ok add 3"), valid(), "the read may have come first");
    assert_eq!(read("[1, 2, 3]", "30-31 ok add 3"), invalid("unexpected"));
    assert_eq!(read("[1, 2]", "4-5 ok read null -> []"), valid(), "only the last read counts");
    assert_eq!(told(Checker::Set, "0-1 ok add 1"), unknown());
    assert_eq!(told(Checker::Set, "0-1 ok read null -> 7").0, Verdict::Unknown);
    let recovered = judge(Checker::Set, "0-? info add 3\n2-3 ok read null -> [3]");
    assert_eq!(recovered.counts["recovered"], 1);
}

#[test]
fn a_set_is_judged_by_all_of_its_reads() {
    let check = |text: &str| told(SET_FULL, text);
    assert_eq!(check("0-1 ok add 1\n2-3 ok read null -> [1]"), valid());
    assert_eq!(check("0-1 ok add 1\n2-3 ok read null -> []"), invalid("lost"));
    assert_eq!(
        check("0-1 ok add 1\n2-3 ok read null -> [1]\n4-5 ok read null -> []"),
        invalid("lost")
    );
    // What nobody knows of is there once it was seen.
    assert_eq!(
        check("0-? info add 1\n2-3 ok read null -> [1]\n4-5 ok read null -> []"),
        invalid("lost")
    );
    // A read that overlaps the addition may have come first, and one that overlaps the sighting too.
    assert_eq!(check("0-9 ok add 1\n2-3 ok read null -> []"), unknown());
    assert_eq!(
        check(
            "0-1 ok add 1\n2-9 ok read null -> [1]\n4-5 ok read null -> [1]\n6-7 ok read null -> [1]"
        ),
        valid()
    );
    assert_eq!(check("0-1 ok add 1\n2-3 ok read null -> [1, 1]"), invalid("duplicate"));
    assert_eq!(check("0-1 ok add 1\n2-3 ok read null -> [1, 2]"), invalid("unexpected"));
    assert_eq!(
        check("0-1 ok add 1\n4-5 ok add 2\n2-3 ok read null -> [1, 2]\n6-7 ok read null -> [1, 2]"),
        invalid("unexpected")
    );
    assert_eq!(check("0-1 fail add 1\n2-3 ok read null -> [1]"), invalid("aborted"));
    assert_eq!(check("0-1 fail add 2\n0-1 ok add 1\n2-3 ok read null -> [1]"), valid());
}

#[test]
fn a_stale_read_of_a_set_is_wrong_only_where_it_is_to_be_linearizable() {
    let text = "0-1 ok add 1\n2-3 ok read null -> []\n4-5 ok read null -> [1]";
    assert_eq!(told(SET_FULL, text), (Verdict::Valid, vec!["stale".to_owned()]));
    assert_eq!(told(Checker::SetFull { is_linearizable: true }, text), invalid("stale"));
}

#[test]
fn nothing_comes_out_of_a_queue_that_was_not_put_in() {
    let check = |text: &str| told(Checker::Queue, text);
    assert_eq!(check("0-1 ok enqueue 1\n2-3 ok dequeue null -> 1"), valid());
    assert_eq!(check("0-1 ok enqueue 1\n2-3 ok dequeue null -> 2"), invalid("unexpected"));
    assert_eq!(check("4-5 ok enqueue 1\n2-3 ok dequeue null -> 1"), invalid("unexpected"));
    assert_eq!(check("2-5 ok enqueue 1\n0-3 ok dequeue null -> 1"), valid());
    assert_eq!(check("0-? info enqueue 1\n2-3 ok dequeue null -> 1"), valid());
    assert_eq!(check("0-1 fail enqueue 1\n2-3 ok dequeue null -> 1"), invalid("unexpected"));
    assert_eq!(
        check("0-1 ok enqueue 1\n2-3 ok dequeue null -> 1\n4-5 ok dequeue null -> 1"),
        invalid("unexpected")
    );
    assert_eq!(check("0-1 ok enqueue 1\n2-3 ok drain null -> [1, 1]"), invalid("unexpected"));
    assert_eq!(check("2-3 ok dequeue null -> null"), valid());
}

#[test]
fn whatever_is_put_into_a_queue_comes_out() {
    let check = |text: &str| told(Checker::TotalQueue, text);
    assert_eq!(
        check(
            "0-1 ok enqueue 1\n2-3 ok enqueue 2\n4-5 ok dequeue null -> 2\n6-7 ok drain null -> [1]"
        ),
        valid()
    );
    assert_eq!(check("0-1 ok enqueue 1\n2-3 ok drain null -> []"), invalid("lost"));
    assert_eq!(check("0-1 ok enqueue 1\n2-3 ok drain null -> [1, 2]"), invalid("unexpected"));
    assert_eq!(check("0-1 fail enqueue 1\n2-3 ok drain null -> [1]"), invalid("aborted"));
    assert_eq!(check("0-? info enqueue 1\n2-3 ok drain null -> []"), valid());
    let twice = check("0-1 ok enqueue 1\n2-3 ok drain null -> [1, 1]");
    assert_eq!(twice, (Verdict::Valid, vec!["duplicate".to_owned()]));
    // What a crashed dequeue may have taken is not lost for certain.
    assert_eq!(check("0-1 ok enqueue 1\n2-? info dequeue\n4-5 ok drain null -> []"), unknown());
    assert_eq!(check("0-1 ok enqueue 1\n2-? info drain"), unknown());
    let two = "0-1 ok enqueue 1\n0-1 ok enqueue 2\n2-? info dequeue\n4-5 ok drain null -> []";
    assert_eq!(check(two), invalid("lost"));
}

#[test]
fn a_counter_stays_within_its_bounds() {
    let check = |text: &str| told(Checker::Counter, text);
    assert_eq!(check(""), valid());
    assert_eq!(check("0-1 ok add 3\n2-3 ok read null -> 3"), valid());
    assert_eq!(check("0-1 ok add 3\n2-3 ok read null -> 2"), invalid("out-of-bounds"));
    assert_eq!(check("0-1 ok add 3\n2-3 ok read null -> 4"), invalid("out-of-bounds"));
    for seen in [0, 3, 5, 8] {
        let text = format!("0-9 ok add 3\n1-? info add 5\n2-3 ok read null -> {seen}");
        assert_eq!(check(&text), valid());
    }
    assert_eq!(check("0-1 fail add 3\n2-3 ok read null -> 3"), invalid("out-of-bounds"));
    // Additions that begin or end while a read goes on.
    for seen in [0, 1] {
        assert_eq!(check(&format!("1-2 ok add 1\n0-3 ok read null -> {seen}")), valid());
    }
    assert_eq!(check("4-5 ok add 1\n0-3 ok read null -> 1"), invalid("out-of-bounds"));
    // Down while the read goes on, and up again.
    let down = |seen: i64| format!("1-4 ok add -5\n2-3 ok add 7\n0-5 ok read null -> {seen}");
    assert_eq!(check(&down(-5)), valid());
    assert_eq!(check(&down(-6)), invalid("out-of-bounds"));
    assert_eq!(check("0-1 ok add -5\n2-3 ok read null -> 0"), invalid("out-of-bounds"));
    assert_eq!(check("0-1 ok read null -> []"), unknown());
}

#[test]
fn ids_differ() {
    assert_eq!(
        told(Checker::UniqueIds, "0-1 ok generate null -> 1\n2-3 ok generate null -> 2"),
        valid()
    );
    let twice = "0-1 ok generate null -> \"a\"\n2-3 ok generate null -> \"a\"";
    assert_eq!(told(Checker::UniqueIds, twice), invalid("duplicate"));
    assert_eq!(judge(Checker::UniqueIds, twice).counts["acknowledged"], 2);
}

#[test]
fn transfers_change_no_total() {
    let check = |options, seen: &str| {
        told(
            Checker::Bank(options),
            &format!("0-1 ok read null -> [[0, 10], [1, 5]]\n2-3 ok read null -> {seen}"),
        )
    };
    let none = BankOptions::default();
    assert_eq!(check(none, "[[1, 0], [0, 15]]"), valid());
    assert_eq!(check(none, "[[0, 10], [1, 6]]"), invalid("wrong-total"));
    assert_eq!(check(none, "[[0, 16], [1, -1]]"), invalid("negative-value"));
    assert_eq!(check(BankOptions { may_be_negative: true, ..none }, "[[0, 16], [1, -1]]"), valid());
    assert_eq!(check(none, "[[0, 15], [1, null]]"), invalid("nil-balance"));
    assert_eq!(check(none, "[[0, 15]]"), invalid("missing-account"));
    assert_eq!(check(none, "[[0, 10], [1, 4], [2, 1]]"), invalid("unexpected-account"));
    assert_eq!(check(BankOptions { total: Some(15), ..none }, "[[0, 15], [1, 0]]"), valid());
    assert_eq!(
        check(BankOptions { total: Some(16), ..none }, "[[0, 15], [1, 0]]"),
        invalid("wrong-total")
    );
    assert_eq!(told(Checker::Bank(none), "0-1 ok transfer 7"), unknown());
}

#[test]
fn readers_agree_on_what_was_written_first() {
    let check = |text: &str| told(Checker::LongFork, text);
    let reads = |one: &str, other: &str| {
        check(&format!("0-1 ok read null -> {one}\n2-3 ok read null -> {other}"))
    };
    let first = r#"[["r", 0, 1], ["r", 1, null]]"#;
    assert_eq!(reads(first, r#"[["r", 1, 1], ["r", 0, null]]"#), invalid("fork"));
    assert_eq!(reads(first, r#"[["r", 1, 1], ["r", 0, 1]]"#), valid());
    assert_eq!(reads(first, first), valid());
    assert_eq!(reads(first, r#"[["r", 2, 1], ["r", 0, null]]"#), valid(), "other keys");
    assert_eq!(reads(first, r#"[["r", 1, 2], ["r", 0, 2]]"#), unknown());
    assert_eq!(check("0-1 ok write [[\"w\", 0, 1]]\n2-3 ok write [[\"w\", 0, 2]]"), unknown());
    assert_eq!(check("0-1 ok read 5"), unknown());
}

#[test]
fn operations_on_different_keys_are_judged_apart_and_unknown_functions_not_at_all() {
    let mut all = operations("0-1 ok append 1\n2-3 ok read null -> [1]\n4-5 ok read null -> [1]");
    all[0].key = Some(Key(1));
    all[1].key = Some(Key(1));
    all[2].key = Some(Key(2));
    let told: Vec<(Option<Key>, Verdict)> = Checker::Set
        .check_by_key(&all)
        .into_iter()
        .map(|(key, report)| (key, report.verdict))
        .collect();
    let expected = [(Some(Key(1)), Verdict::Valid), (Some(Key(2)), Verdict::Invalid)];
    assert_eq!(told, expected);
    for checker in Checker::ALL.into_iter().filter(|checker| checker.functions().is_some()) {
        let report = judge(checker, "0-1 ok dance 1");
        assert_eq!(report.verdict, Verdict::Unknown);
        assert!(report.undecided.unwrap().contains("knows no function `dance`"));
        assert_eq!(Checker::by_name(checker.name()), Some(checker));
    }
}
