//! Every model against all orders, tried one by one, on random histories of a real object; and what it says of
//! histories written by hand.

use std::collections::BTreeMap;

use super::{AnyModel, CasRegister, by_name};
use crate::explain::Counterexample;
use crate::history::{Builder, Key, Operation, ProcessId, Step, Time, Value, What, operations};
use crate::linearizability::Budget;
use crate::testing::{Dice, Object, Size, World, has_order};
use crate::verdict::Verdict;

/// How many of so many random histories have an order, where the model and the brute force agree on each of them.
fn agreements(model: &'static str, histories: u64, is_complete: bool) -> (u64, u64) {
    let mut dice = Dice::new(7);
    let (mut legal, mut illegal) = (0, 0);
    for number in 0..histories {
        let wrong_percent = [0, 10, 40][usize::try_from(number % 3).unwrap()];
        let operations = 2 + dice.below(6);
        let size =
            Size { processes: 3, operations, wrong_percent, info_percent: 15, deletes_lists: true };
        let all = World::history(&mut dice, &Object::of(model), size);
        let result = by_name(model).unwrap().check(&all, Budget::default());
        assert_eq!(result.malformed, None, "{all:?}");
        let has_order = has_order(&Object::of(model), &all);
        match (result.verdict, has_order) {
            (Verdict::Valid, true) => legal += 1,
            (Verdict::Invalid, false) => {
                illegal += 1;
                result.counterexamples().for_each(|counterexample| proves(model, counterexample));
            }
            (Verdict::Valid, false) if !is_complete => {}
            (verdict, _) => {
                panic!("{verdict:?}, but an order: {has_order}: {:?}\n{all:?}", result.sentences())
            }
        }
    }
    (legal, illegal)
}

/// What is shown of a violation is one by itself, if all is shown.
fn proves(model: &'static str, counterexample: &Counterexample) {
    assert!(!counterexample.sentence.is_empty());
    let shown: Vec<Operation> =
        counterexample.operations.iter().map(|involved| involved.operation.clone()).collect();
    assert!(shown.iter().any(|operation| operation.invoke == counterexample.accused));
    if !["set", "counter"].contains(&model) {
        assert!(!has_order(&Object::of(model), &shown), "{}", counterexample.sentence);
    }
}

#[test]
fn registers_with_compare_and_set_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("cas-register", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn lists_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("append-list", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn transactions_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("kv-txn", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn sets_are_judged_as_all_orders_say() {
    let (legal, illegal) = agreements("set", 6_000, true);
    assert!(legal > 2_000 && illegal > 500, "{legal} legal, {illegal} not");
}

#[test]
fn a_counter_that_is_refused_has_no_order() {
    let (legal, illegal) = agreements("counter", 6_000, false);
    assert!(legal > 2_000 && illegal > 200, "{legal} legal, {illegal} not");
}

/// The verdicts on longer histories, and the most nodes that any took.
fn judged(model: &'static str, size: Size) -> (Vec<Verdict>, u64) {
    let mut dice = Dice::new(3);
    let results = (0..10).map(|_| {
        let all = World::history(&mut dice, &Object::of(model), size);
        by_name(model).unwrap().check(&all, Budget::default())
    });
    let results: Vec<_> = results.collect();
    let nodes = results.iter().flat_map(|result| &result.keys).map(|key| key.nodes).max();
    (results.iter().map(|result| result.verdict).collect(), nodes.unwrap_or_default())
}

#[test]
fn ordinary_histories_take_about_as_many_steps_as_they_have_operations() {
    for model in ["cas-register", "append-list", "kv-txn"] {
        for (processes, operations) in [(5, 300), (15, 300), (15, 1_500), (30, 300)] {
            let size = Size {
                processes,
                operations,
                wrong_percent: 0,
                info_percent: 2,
                deletes_lists: false,
            };
            let (verdicts, nodes) = judged(model, size);
            assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Valid), "{model}");
            assert!(nodes < 100 * operations, "{model}, {processes} processes: {nodes} nodes");
        }
    }
}

#[test]
fn one_wrong_read_among_many_operations_is_found() {
    for model in ["cas-register", "append-list", "kv-txn", "set", "counter"] {
        let size = Size {
            processes: 10,
            operations: 300,
            wrong_percent: 1,
            info_percent: 2,
            deletes_lists: false,
        };
        let (verdicts, _) = judged(model, size);
        assert!(verdicts.iter().all(|verdict| *verdict != Verdict::Unknown), "{model}");
        let invalid = verdicts.iter().filter(|verdict| **verdict == Verdict::Invalid);
        assert!(invalid.count() >= 3, "{model}: {verdicts:?}");
    }
}

/// The operations of lines like `0 append 5` (process 0 asks), `0 ok 5`, `0 fail`, `0 info`, with values as JSON. All
/// but transactions are on key 0.
pub(super) fn hand(lines: &[&str]) -> Vec<Operation> {
    let mut builder = Builder::new();
    let mut open: BTreeMap<u64, Step> = BTreeMap::new();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let process: u64 = words.next().unwrap().parse().unwrap();
        let word = words.next().unwrap();
        let value = words.next().map(|value| serde_json::from_str::<Value>(value).unwrap());
        let what = match word {
            "ok" | "fail" | "info" => {
                let mut step = open.remove(&process).unwrap();
                step.value = value.unwrap_or(step.value);
                match word {
                    "ok" => What::Ok(step),
                    "fail" => What::Fail(step),
                    _ => What::Info(step),
                }
            }
            f => {
                let key = (f != "txn").then_some(Key(0));
                let (f, value) = (f.to_owned(), value.unwrap_or_default());
                let step =
                    Step { process: ProcessId(process), f: f.into(), key, value, error: None };
                open.insert(process, step.clone());
                What::Invoke(step)
            }
        };
        builder.push(Time(0), what).unwrap();
    }
    operations(&builder.finish())
}

/// What a model says of a history that it refuses.
pub(super) fn sentence(model: &str, lines: &[&str]) -> String {
    let result = by_name(model).unwrap().check(&hand(lines), Budget::default());
    assert_eq!(result.verdict, Verdict::Invalid, "{lines:?}");
    let counterexample = result.counterexamples().next().unwrap();
    counterexample.sentence.clone()
}

fn is_valid(model: &str, lines: &[&str]) -> bool {
    by_name(model).unwrap().check(&hand(lines), Budget::default()).verdict == Verdict::Valid
}

/// What a model says of a history that it has no meaning for.
fn problem(model: &str, lines: &[&str]) -> String {
    let result = by_name(model).unwrap().check(&hand(lines), Budget::default());
    assert_eq!(result.verdict, Verdict::Unknown, "{lines:?}");
    result.malformed.unwrap()
}

#[test]
fn a_compare_and_set_that_failed_did_not_happen() {
    let model = "cas-register";
    let begin = ["0 write 1", "0 ok", "0 cas [2, 3]", "0 fail", "0 read", "0 ok 1"];
    assert!(is_valid(model, &begin));
    let swapped = ["0 write 1", "0 ok", "0 cas [1, 3]", "0 ok", "1 read", "1 ok 3"];
    assert!(is_valid(model, &swapped));
    assert_eq!(
        sentence(model, &["0 cas [2, 3]", "0 fail", "0 read", "0 ok 3"]),
        "read 3 at index 2, but the cas 2 -> 3 at index 0 had failed"
    );
    assert_eq!(
        sentence(model, &["0 cas [2, 3]", "0 ok", "1 write 2", "1 ok"]),
        "found 2 at index 0, but the write of 2 began only after that had ended, at index 2"
    );
}

#[test]
fn a_value_can_be_swapped_away_only_once() {
    let twice = ["0 write 1", "0 ok", "0 cas [1, 2]", "1 cas [1, 3]", "0 ok", "1 ok"];
    assert_eq!(
        sentence("cas-register", &twice),
        "found 1 at index 3, but 1 was there only once, and the cas 1 -> 2 at index 2 took it away"
    );
    let perhaps = ["0 write 1", "0 ok", "0 cas [1, 2]", "1 cas [1, 3]", "0 info", "1 ok"];
    assert!(is_valid("cas-register", &perhaps));
}

#[test]
fn a_deleted_register_holds_nothing() {
    let model = "cas-register";
    assert!(is_valid(model, &["0 write 1", "0 ok", "0 delete", "0 ok", "0 read", "0 ok null"]));
    let lines = ["0 write 1", "0 ok", "0 delete", "0 info", "1 read", "1 ok null"];
    assert!(is_valid(model, &lines), "it may have been deleted");
    let stale = ["0 write 1", "0 ok", "0 read", "0 ok null"];
    assert_eq!(
        sentence(model, &stale),
        "read nil at index 2, but the write of 1 at index 0 had ended before it began"
    );
}

#[test]
fn a_list_shows_what_was_appended_before() {
    let model = "append-list";
    let both = ["0 append 1", "0 ok", "0 append 2", "0 ok", "0 read", "0 ok [1, 2]"];
    assert!(is_valid(model, &both));
    assert_eq!(
        sentence(model, &["0 append 1", "0 ok", "0 append 2", "0 ok", "0 read", "0 ok [1]"]),
        "read [1] at index 4, but the append of 2 at index 2 had ended before it began"
    );
    assert_eq!(
        sentence(model, &["0 append 1", "0 ok", "0 read", "0 ok null"]),
        "read nil at index 2, but the append of 1 at index 0 had ended before it began"
    );
    assert_eq!(
        sentence(model, &["0 append 1", "0 ok", "0 read", "0 ok [1, 7]"]),
        "read [1, 7] at index 2, but nobody ever appended 7"
    );
}

#[test]
fn two_lists_of_which_neither_begins_with_the_other_contradict_each_other() {
    let lines = [
        "0 append 1",
        "1 append 2",
        "2 read",
        "3 read",
        "0 ok",
        "1 ok",
        "2 ok [1, 2]",
        "3 ok [2, 1]",
    ];
    assert_eq!(
        sentence("append-list", &lines),
        "read [2, 1] at index 3, but the read at index 2 saw [1, 2], and neither list begins with the \
         other"
    );
}

#[test]
fn a_list_does_not_get_shorter() {
    let lines =
        ["0 append 1", "1 append 2", "2 read", "2 ok [1, 2]", "3 read", "3 ok [1]", "0 ok", "1 ok"];
    assert_eq!(
        sentence("append-list", &lines),
        "read [1] at index 4, after the read at index 2 had already seen 2 elements"
    );
}

#[test]
fn a_transaction_is_seen_as_a_whole() {
    let model = "kv-txn";
    let write = r#"0 txn [["w", 0, 1], ["append", 1, 2]]"#;
    let read = r#"1 txn [["r", 0, null], ["r", 1, null]]"#;
    for (seen, is_legal) in [
        (r#"1 ok [["r", 0, 1], ["r", 1, [2]]]"#, true),
        (r#"1 ok [["r", 0, null], ["r", 1, null]]"#, true),
        (r#"1 ok [["r", 0, null], ["r", 1, [2]]]"#, false),
        (r#"1 ok [["r", 0, 1], ["r", 1, null]]"#, false),
    ] {
        assert_eq!(is_valid(model, &[write, read, "0 ok", seen]), is_legal, "{seen}");
        assert_eq!(is_valid(model, &[write, read, "0 info", seen]), is_legal, "{seen}");
    }
    let late = [write, "0 ok", r#"1 txn [["r", 1, null]]"#, r#"1 ok [["r", 1, null]]"#];
    assert_eq!(
        sentence(model, &late),
        "read nil of key 1 at index 2, but the append of 2 at index 0 had ended before it began"
    );
}

/// It needs somebody to have left it there once, however often it looks.
#[test]
fn a_transaction_may_look_several_times_at_what_it_changes() {
    let write = r#"0 txn [["w", 0, 5]]"#;
    let asked = r#"1 txn [["r", 0, null], ["r", 1, null], ["r", 0, null], ["w", 0, 6]]"#;
    for (seen, is_legal) in [
        (r#"1 ok [["r", 0, 5], ["r", 1, null], ["r", 0, 5], ["w", 0, 6]]"#, true),
        (r#"1 ok [["r", 0, null], ["r", 1, null], ["r", 0, 5], ["w", 0, 6]]"#, false),
    ] {
        assert_eq!(is_valid("kv-txn", &[write, "0 ok", asked, seen]), is_legal, "{seen}");
    }
}

#[test]
fn write_skew_is_no_order() {
    let reads_0 = r#"0 txn [["r", 0, null], ["w", 1, 1]]"#;
    let reads_1 = r#"1 txn [["r", 1, null], ["w", 0, 1]]"#;
    let skew = [reads_0, reads_1, "0 ok", "1 ok"];
    assert!(sentence("kv-txn", &skew).starts_with("no order of these 2 operations"));
}

#[test]
fn operations_on_keys_that_no_transaction_joins_are_judged_apart() {
    let joined = r#"0 txn [["w", 3, 1], ["w", 5, 1]]"#;
    let other = r#"0 txn [["w", 5, 2], ["w", 9, 1]]"#;
    let apart = r#"0 txn [["w", 4, 1]]"#;
    let lines = [joined, "0 ok", apart, "0 ok", other, "0 ok"];
    let result = by_name("kv-txn").unwrap().check(&hand(&lines), Budget::default());
    let keys: Vec<_> = result.keys.iter().map(|key| (key.key, key.operations)).collect();
    assert_eq!(keys, [(Some(Key(3)), 2), (Some(Key(4)), 1)]);
}

#[test]
fn a_set_loses_nothing_and_doubles_nothing() {
    let model = "set";
    let all = ["0 append 1", "0 ok", "0 append 2", "0 ok", "0 read", "0 ok [2, 1]"];
    assert!(is_valid(model, &all), "the order does not matter");
    assert!(is_valid(
        model,
        &["0 append 1", "0 info", "1 read", "1 ok null", "1 read", "1 ok [1]"]
    ));
    let added = ["0 append 1", "0 ok", "0 read"];
    let after = |seen| sentence(model, &[added.as_slice(), &[seen]].concat());
    assert_eq!(
        after("0 ok []"),
        "the read at index 2 did not see 1, but the addition of 1 at index 0 had ended before it \
         began"
    );
    assert_eq!(after("0 ok [1, 1]"), "the read at index 2 saw 1, more than once");
    assert_eq!(after("0 ok [1, 3]"), "the read at index 2 saw 3, but nobody ever added it");
    let failed = ["0 append 1", "0 fail", "0 read", "0 ok [1]"];
    assert_eq!(
        sentence(model, &failed),
        "the read at index 2 saw 1, but its addition at index 0 had failed"
    );
    let early = ["0 read", "0 ok [1]", "0 append 1", "0 ok"];
    assert_eq!(
        sentence(model, &early),
        "the read at index 0 saw 1, but its addition began only after that read had ended, at index 2"
    );
}

#[test]
fn what_a_set_showed_once_it_shows_for_ever_and_to_everybody() {
    let model = "set";
    let stale = ["0 append 1", "1 read", "1 ok [1]", "1 read", "1 ok null", "0 ok"];
    assert_eq!(
        sentence(model, &stale),
        "the read at index 3 did not see 1, after the read at index 1 had already seen it"
    );
    let apart =
        ["0 append 1", "1 append 2", "2 read", "3 read", "2 ok [1]", "3 ok [2]", "0 ok", "1 ok"];
    assert_eq!(
        sentence(model, &apart),
        "the read at index 2 saw 1 and not 2, and the read at index 3 saw 2 and not 1"
    );
    let swapped = ["0 append 1", "0 ok", "1 append 2", "2 read", "2 ok [2]", "1 ok"];
    assert!(sentence(model, &swapped).starts_with("a read saw 2 and not 1, but the addition of 1"));
    let order = ["2 read", "0 append 1", "0 ok", "1 append 2", "1 ok", "2 ok [2]"];
    assert_eq!(
        sentence(model, &order),
        "a read saw 2 and not 1, but the addition of 1 at index 1 had ended before that of 2 began, at \
         index 3"
    );
}

#[test]
fn a_counter_stays_within_what_can_have_been_added() {
    let model = "counter";
    assert!(is_valid(model, &["0 add 2", "0 ok", "1 add 3", "0 read", "0 ok 5", "1 info"]));
    assert!(is_valid(model, &["0 read", "0 ok null", "0 add 0", "0 ok", "0 read", "0 ok 0"]));
    let few = ["0 add 2", "0 ok", "0 read", "0 ok 1"];
    assert_eq!(sentence(model, &few), "read 1 at index 2, but 2 had been added before it began");
    let many = ["0 add 2", "0 fail", "0 add 3", "0 info", "1 read", "1 ok 4"];
    assert_eq!(
        sentence(model, &many),
        "read 4 at index 4, but no more than 3 can have been added before it ended"
    );
    let less = ["0 add 2", "1 read", "1 ok 2", "1 read", "1 ok 0", "0 ok"];
    assert_eq!(
        sentence(model, &less),
        "read 0 at index 3, after the read at index 1 had already seen 2"
    );
}

#[test]
fn an_unordered_queue_gives_what_is_there_once() {
    let model = "unordered-queue";
    let two = [
        "0 enqueue 1",
        "0 ok",
        "0 enqueue 2",
        "0 ok",
        "1 dequeue",
        "1 ok 2",
        "1 dequeue",
        "1 ok 1",
    ];
    assert!(is_valid(model, &two), "in any order");
    let early = ["0 enqueue 1", "1 dequeue", "1 ok 1", "0 info"];
    assert!(is_valid(model, &early), "it may have been put in at once");
    let empty = ["0 enqueue 1", "0 ok", "1 dequeue", "1 info", "2 dequeue", "2 ok null"];
    assert!(is_valid(model, &empty), "somebody may have taken it");
    assert_eq!(
        sentence(model, &["0 enqueue 1", "0 ok", "1 dequeue", "1 ok 1", "1 dequeue", "1 ok 1"]),
        "1 was dequeued at index 4, but it was dequeued 2 times by then, and no more than 1 can have been enqueued"
    );
    assert_eq!(
        sentence(model, &["0 enqueue 1", "0 fail", "1 dequeue", "1 ok 1"]),
        "1 was dequeued at index 2, but the enqueue of it at index 0 had failed"
    );
    assert_eq!(
        sentence(model, &["0 enqueue 1", "0 ok", "1 dequeue", "1 ok null"]),
        "nothing was found at index 2, but 1, which was enqueued at index 0, was there"
    );
}

#[test]
fn a_lease_has_one_holder_and_a_token_that_grows() {
    let model = "lease";
    let passed = [
        r#"0 acquire "a""#,
        r#"0 ok ["a", 3]"#,
        r#"0 renew "a""#,
        r#"0 ok ["a", 3]"#,
        r#"0 release "a""#,
        "0 ok",
        r#"1 acquire "b""#,
        r#"1 ok ["b", 7]"#,
    ];
    assert!(is_valid(model, &passed));
    let expired = ["0 acquire", "0 ok null", "9 expire 0", "9 info", "1 acquire", "1 ok null"];
    assert!(is_valid(model, &expired), "it may have run out by then");
    assert_eq!(
        sentence(model, &["0 acquire", "0 ok null", "1 acquire", "1 ok null"]),
        "acquire 1 at index 2, but 0 held it from index 0 on"
    );
    let late = [expired.as_slice(), &["0 renew", "0 ok null"]].concat();
    assert!(sentence(model, &late).starts_with("no order of these"), "its lease had run out");
    let old = ["0 acquire", "0 ok [0, 3]", "0 release", "0 ok", "1 acquire", "1 ok [1, 3]"];
    assert_eq!(
        sentence(model, &old),
        "acquire 1 -> token 3 at index 4, but token 3 had been given before, at index 0"
    );
    assert_eq!(
        sentence(model, &["0 renew", "0 ok null"]),
        "renew 0 at index 0, but 0 had not acquired it"
    );
    let other = problem(model, &["0 acquire", "0 ok [1, 3]"]);
    assert!(
        other.starts_with("index 1: `acquire` of 0 returns [1, 3]; expected nil, 0 or [0, token]"),
        "{other}"
    );
}

#[test]
fn several_registers_are_read_and_written_at_once() {
    let model = "multi-register";
    let lines = |seen| [r#"0 write [["x", 1], ["y", 2]]"#, "1 read", "0 ok", seen];
    assert!(is_valid(model, &lines(r#"1 ok [["x", 1], ["y", 2]]"#)));
    assert!(is_valid(model, &lines(r#"1 ok [["x", null], ["y", null]]"#)));
    let half = sentence(model, &lines(r#"1 ok [["x", 1], ["y", null]]"#));
    assert!(half.starts_with("no order of these 2 operations"), "{half}");
    assert!(half.contains(r#"lead to {"x" = 1, "y" = 2}"#), "{half}");
    assert_eq!(
        sentence(model, &lines(r#"1 ok [["x", 5]]"#)),
        r#"read "x" = 5 at index 1, but nobody ever wrote 5 there"#
    );
    let txn = [r#"0 txn [["read", "x", null], ["write", "x", 4], ["read", "x", null]]"#];
    let ok = r#"0 ok [["read", "x", null], ["write", "x", 4], ["read", "x", 4]]"#;
    assert!(is_valid(model, &[txn[0], ok]), "it sees what it wrote itself");
    let other = problem(model, &[txn[0], r#"0 ok [["read", "y", 1]]"#]);
    assert!(other.contains("expected its 3 parts"), "{other}");
}

#[test]
fn a_refusal_is_explained_by_what_was_there() {
    let lines = hand(&["0 write 1", "0 ok", "0 cas [1, 2]", r#"0 ok "refused""#]);
    let model = CasRegister::holding(&Value::Nil);
    let result = AnyModel::check(&model, &lines, Budget::default());
    let counterexample = result.counterexamples().next().unwrap();
    assert_eq!(
        counterexample.sentence,
        "cas 1 -> 2 was refused at index 2, but the register held 1 then, from the write of 1 at index 0 on"
    );
}

#[test]
fn a_set_is_shown_in_an_order() {
    let lines =
        ["0 append 1", "1 append 2", "2 read", "2 ok [2]", "0 ok", "1 ok", "2 read", "2 ok [1, 2]"];
    let orders = by_name("set").unwrap().orders(&hand(&lines), Budget::default());
    let steps: Vec<(u64, &str)> = orders[0]
        .order
        .iter()
        .flatten()
        .map(|step| (step.operation, step.holds.as_str()))
        .collect();
    assert_eq!(steps, [(1, "[2]"), (2, "[2]"), (0, "[1, 2]"), (6, "[1, 2]")]);
    let orders = by_name("counter").unwrap().orders(&hand(&["0 add 1", "0 ok"]), Budget::default());
    assert_eq!(orders[0].why.as_deref(), Some("the model `counter` is judged without an order"));
}

#[test]
fn what_has_no_meaning_is_named() {
    for (model, lines, expected) in [
        (
            "cas-register",
            ["0 cas 1", "0 fail"],
            "index 0: `cas` is given 1; expected [expected, new]",
        ),
        (
            "cas-register",
            ["0 append 1", "0 ok"],
            "index 0: the model `cas-register` has no function `append`",
        ),
        (
            "cas-register",
            ["0 read", "0 ok [1]"],
            "index 1: `read` returns [1]; expected an integer or null",
        ),
        ("cas-register", ["0 delete 1", "0 ok"], "index 0: `delete` takes no argument, not 1"),
        (
            "append-list",
            ["0 read", "0 ok 1"],
            "index 1: `read` returns 1; expected a list of integers",
        ),
        ("append-list", ["0 read 1", "0 ok 1"], "index 0: `read` takes no argument, not 1"),
        (
            "append-list",
            ["0 append null", "0 ok"],
            "index 0: `append` is given nil; expected an integer",
        ),
        ("kv-txn", ["0 txn 1", "0 ok"], "index 0: `txn` is given 1; expected a list of parts"),
        ("kv-txn", ["0 txn [[1]]", "0 ok"], "index 0: `txn` has the part [1]; expected a list"),
        (
            "kv-txn",
            [r#"0 txn [["add", 0, 1]]"#, "0 ok"],
            "index 0: a transaction has no part `add`; expected `r`, `w`, `append`, `cas` or `delete`",
        ),
        (
            "kv-txn",
            [r#"0 txn [["r", 0, null]]"#, "0 ok []"],
            "index 1: `txn` returns []; expected its 1 parts",
        ),
        (
            "kv-txn",
            [r#"0 txn [["r", 0, null]]"#, r#"0 ok [["r", 1, null]]"#],
            r#"index 0: the part ["r", 0, nil] returns ["r", 1, nil]; expected the same with"#,
        ),
        ("set", ["0 read", "0 ok 1"], "index 1: `read` returns something else than a list"),
        ("set", ["0 write 1", "0 ok"], "index 0: the model `set` has no function `write`"),
        (
            "counter",
            ["0 add -1", "0 ok"],
            "index 0: `add` is given -1; expected an integer from 0 on",
        ),
        (
            "counter",
            ["0 read", "0 ok [1]"],
            "index 0: `read` returns [1]; expected an integer or null",
        ),
    ] {
        let said = problem(model, &lines);
        assert!(said.starts_with(expected), "{said}");
    }
    let twice = ["0 append 1", "0 ok", "0 append 1", "0 ok"];
    let expected = "index 2: 1 is added a second time, after index 0";
    assert!(problem("set", &twice).starts_with(expected));
}

#[test]
fn operations_are_described_in_a_few_words() {
    let lines = [
        "0 cas [1, 2]",
        "0 ok",
        "0 append 5",
        "0 info",
        "1 read",
        "1 ok [1, 2]",
        "1 delete",
        "1 ok",
        r#"1 txn [["r", 1, null], ["w", 2, 3], ["delete", 4, null]]"#,
        r#"1 ok [["r", 1, 7], ["w", 2, 3], ["delete", 4, null]]"#,
    ];
    let model = by_name("kv-txn").unwrap();
    let texts: Vec<String> =
        hand(&lines).iter().map(|operation| model.describe(operation)).collect();
    let expected =
        ["cas 1 -> 2", "append 5", "read -> [1, 2]", "delete", "txn r 1 -> 7, w 2 3, delete 4"];
    assert_eq!(texts, expected);
    let counted = hand(&["0 add 3", "0 ok", "0 read", "0 ok 3", "0 read", "0 fail"]);
    let model = by_name("counter").unwrap();
    let texts: Vec<String> = counted.iter().map(|operation| model.describe(operation)).collect();
    assert_eq!(texts, ["add 3", "read -> 3", "read"]);
}
