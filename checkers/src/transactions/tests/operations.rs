//! Transactions out of recorded operations.

use super::super::{Consistency, Report, check_operations};
use crate::history::{Builder, Key, Operation, ProcessId, Step, Time, What, operations};
use crate::verdict::Verdict;

/// Operations one after the other: the function, its key, its argument and its result as JSON; nobody knows of one
/// without a result.
fn recorded(lines: &[(&str, Option<u64>, &str, &str)]) -> Vec<Operation> {
    let mut builder = Builder::new();
    for (process, (f, key, asked, told)) in (0..).zip(lines) {
        let step = |value: &str| Step {
            process: ProcessId(process),
            f: (*f).into(),
            key: key.map(Key),
            value: serde_json::from_str(value).unwrap(),
            error: None,
        };
        builder.push(Time(0), What::Invoke(step(asked))).unwrap();
        let end = if told.is_empty() { What::Info(step(asked)) } else { What::Ok(step(told)) };
        builder.push(Time(0), end).unwrap();
    }
    operations(&builder.finish())
}

fn judge(lines: &[(&str, Option<u64>, &str, &str)]) -> Report {
    check_operations(&recorded(lines), Consistency::StrictSerializable)
}

#[test]
fn transactions_are_read_off_operations() {
    let append = r#"[["append", "x", 1], ["r", "y", null]]"#;
    let right = judge(&[
        ("txn", None, append, append),
        ("", None, r#"[["r", "x", null]]"#, r#"[["r", "x", [1]]]"#),
    ]);
    assert_eq!(right.verdict, Verdict::Valid, "{right:#?}");
    assert_eq!((right.counts.transactions, right.counts.appends, right.counts.keys), (2, 1, 2));
    let stale = judge(&[
        ("txn", None, append, append),
        ("", None, r#"[["r", "x", null]]"#, r#"[["r", "x", null]]"#),
    ]);
    let why = [
        "not strict-serializable: G-single-realtime: each comes before the next in T1 (index 0) < T2 (index 2) < T1: T1 \
         ended at index 1, before T2 began at index 2; T2 read \"x\" as [], without 1, which T1 appended (and nobody read)",
    ];
    assert_eq!(stale.sentences(), why);
}

#[test]
fn single_appends_and_reads_are_transactions_as_well() {
    let lines = |seen| {
        judge(&[
            ("append", Some(7), "1", "1"),
            ("append", Some(7), "2", ""),
            ("read", Some(7), "null", seen),
            ("read", Some(8), "null", "null"),
        ])
    };
    assert_eq!(lines("[1]").verdict, Verdict::Valid);
    assert_eq!(lines("[1, 2]").verdict, Verdict::Valid);
    assert_eq!(lines("[2, 1]").verdict, Verdict::Invalid);
}

#[test]
fn what_does_not_fit_is_named() {
    let why = |asked, told| {
        let report = judge(&[("txn", None, asked, told)]);
        assert_eq!(report.verdict, Verdict::Unknown);
        report.undecided.unwrap()
    };
    assert!(why("5", "5").starts_with("the operation at index 0 has 5; expected a list of parts"));
    let write = r#"[["w", 1, 2]]"#;
    assert!(why(write, write).contains(r#"has the part ["w", 1, 2]; expected"#));
    let append = r#"[["append", 1, 2]]"#;
    assert!(why(append, "[]").contains("0 parts in its completion, not 1"));
    assert!(why(append, r#"[["append", 1, 3]]"#).contains("another append in its completion"));
    assert!(why(append, r#"[["append", 2, 2]]"#).contains("other parts in its completion"));
    assert!(why(r#"[["r", 1, null]]"#, r#"[["r", 1, 7]]"#).contains("7 as what a read returned"));
    let twice = judge(&[("txn", None, append, append), ("txn", None, append, append)]);
    assert_eq!(
        twice.undecided.unwrap(),
        "2 is appended to 1 twice, by the transactions at index 0 and at index 2; versions can only be told apart where \
         each element is appended to a key once"
    );
    assert_eq!(judge(&[]).verdict, Verdict::Unknown);
}
