//! Tests of the whole judgement: verdicts, vacuity, statistics.

use super::*;
use crate::history::{Builder, Nemesis, NemesisPhase, Time, What};
use crate::testing::{Dice, Shape, random_history, script};

fn demands(classes: &[&str]) -> Demands {
    Demands {
        model: "register".to_owned(),
        fault_classes: classes.iter().map(|&class| class.to_owned()).collect(),
        budget: Budget::default(),
    }
}

fn fault(number: u32, phase: NemesisPhase, bites: u64) -> What {
    What::Nemesis(Nemesis {
        fault: number,
        kind: "kill".to_owned(),
        phase,
        targets: vec!["n1".to_owned()],
        what: "n1".to_owned(),
        bites,
    })
}

/// Scripts with nemesis events between them.
fn with_faults(parts: &[(&str, Option<What>)]) -> History {
    let mut builder = Builder::new();
    for (words, nemesis) in parts {
        for event in script(words).events() {
            let time = Time(builder.history().len() * 1_000);
            builder.push(time, event.what.clone()).unwrap();
        }
        if let Some(nemesis) = nemesis {
            let time = Time(builder.history().len() * 1_000);
            builder.push(time, nemesis.clone()).unwrap();
        }
    }
    builder.finish()
}

const WORK: &str = "0:w1 0:ok 1:r 1:ok=1";

#[test]
fn a_run_that_was_tortured_and_recovered_is_valid() {
    let history = with_faults(&[
        (WORK, Some(fault(0, NemesisPhase::Begin, 0))),
        ("2:w2 2:ok", Some(fault(0, NemesisPhase::End, 3))),
        ("3:r 3:ok=2", None),
    ]);
    let results = judge(&history, &demands(&["kill"]));
    assert_eq!((results.verdict, results.sentences.as_slice()), (Verdict::Valid, [].as_slice()));
    let [fault] = results.vacuity.faults.as_slice() else { panic!("one fault") };
    assert_eq!((fault.ok_before, fault.ok_during, fault.ok_after, fault.bites), (2, 1, 1, 3));
    assert_eq!((fault.begin, fault.end), (4, Some(7)));
    let kill = results.vacuity.classes["kill"];
    assert_eq!((kill.begun, kill.bitten, kill.skipped), (1, 1, 0));
    assert!(results.vacuity.notes.is_empty());
}

#[track_caller]
fn assert_unknown(history: &History, classes: &[&str], sentences: &[&str]) {
    let results = judge(history, &demands(classes));
    assert_eq!(results.sentences, sentences);
    assert_eq!(results.verdict, Verdict::Unknown);
    assert_eq!(results.linearizability.verdict, Verdict::Valid);
}

#[test]
fn a_run_in_which_too_little_happened_is_unknown() {
    assert_unknown(&script(""), &[], &["no operation succeeded"]);
    assert_unknown(&script("0:w1 0:info 1:r 1:fail 2:r"), &[], &["no operation succeeded"]);
    assert_unknown(&script("0:w1 0:ok 1:r 1:fail"), &[], &["no read succeeded"]);
    assert_unknown(&script("0:w1 0:fail 1:r 1:ok=nil"), &[], &["no write succeeded"]);
}

#[test]
fn a_function_that_nobody_called_is_noted_and_no_reason_for_doubt() {
    let results = judge(&script("0:w1 0:ok 1:w2 1:ok"), &demands(&[]));
    assert_eq!(results.verdict, Verdict::Valid);
    assert_eq!(results.vacuity.notes, ["no read was invoked"]);
    assert_unknown(&script("0:w1 0:ok 1:r 1:fail 2:r"), &[], &["no read succeeded"]);
}

#[test]
fn a_demanded_class_that_did_nothing_makes_the_run_unknown() {
    assert_unknown(&script(WORK), &["loss"], &["no fault of the class loss occurred"]);
    let begin = || Some(fault(0, NemesisPhase::Begin, 0));
    let toothless = Some(fault(0, NemesisPhase::End, 0));
    let once = [(WORK, begin()), (WORK_2, toothless.clone()), (WORK_3, None)];
    let only = "the only fault of the class kill was never seen to do anything";
    assert_unknown(&with_faults(&once), &["kill"], &[only]);
    let twice = [
        (WORK, begin()),
        (WORK_2, toothless.clone()),
        ("", begin()),
        ("", toothless.clone()),
        (WORK_3, None),
    ];
    let none = "none of the 2 faults of the class kill was seen to do anything";
    assert_unknown(&with_faults(&twice), &["kill"], &[none]);
    let skipped = [(WORK, Some(fault(0, NemesisPhase::Skipped, 0)))];
    let words = "no fault of the class kill could be carried out (1 skipped)";
    assert_unknown(&with_faults(&skipped), &["kill"], &[words]);
    // A class that was not demanded is only noted.
    let results = judge(&with_faults(&once), &demands(&[]));
    assert_eq!(results.verdict, Verdict::Valid);
    assert_eq!(results.vacuity.notes, ["fault 0 (kill) was never seen to do anything"]);
}

const WORK_2: &str = "2:w2 2:ok";
const WORK_3: &str = "3:r 3:ok=2";

#[test]
fn a_run_that_stood_still_after_healing_is_unknown_and_not_invalid() {
    let parts = [
        (WORK, Some(fault(0, NemesisPhase::Begin, 0))),
        ("2:r 2:fail", Some(fault(0, NemesisPhase::End, 1))),
        ("3:w3 3:info", None),
    ];
    let idle = "no operation that succeeded was under way during any fault";
    let words = "no operation succeeded after the last fault had ended, at index 7";
    assert_unknown(&with_faults(&parts), &["kill"], &[idle, words]);
    let results = judge(&with_faults(&parts), &demands(&["kill"]));
    assert_eq!(results.vacuity.notes, ["no operation succeeded during fault 0 (kill)"]);
    let words = "the history stops while fault 0 (kill) is in force";
    let never_ended = [(WORK, Some(fault(0, NemesisPhase::Begin, 2))), (WORK_2, None)];
    assert_unknown(&with_faults(&never_ended), &["kill"], &[words]);
}

#[test]
fn faults_that_nobody_worked_under_make_the_run_unknown() {
    let begin = || Some(fault(0, NemesisPhase::Begin, 0));
    let end = || Some(fault(0, NemesisPhase::End, 1));
    let words = "no operation that succeeded was under way during any fault";
    for meanwhile in ["", "2:w2 2:info", "2:r 2:fail"] {
        let idle = [(WORK, begin()), (meanwhile, end()), ("3:r 3:ok=1", None)];
        assert_unknown(&with_faults(&idle), &["kill"], &[words]);
    }
    // All nodes were down: what was asked meanwhile was answered when they were back.
    let mut all_down = Builder::new();
    let asked = script("0:w1 0:ok 1:r 1:ok=1");
    let whats: Vec<What> = asked.events().iter().map(|event| event.what.clone()).collect();
    let [write, written, read, seen] = whats.try_into().unwrap();
    let around = [write, written, begin().unwrap(), read, end().unwrap(), seen];
    for what in around {
        all_down.push(Time(0), what).unwrap();
    }
    assert_eq!(judge(&all_down.finish(), &demands(&["kill"])).verdict, Verdict::Valid);
}

#[test]
fn a_key_that_stands_still_after_healing_makes_the_run_unknown() {
    let parts = [
        (WORK, Some(fault(0, NemesisPhase::Begin, 0))),
        (WORK_2, Some(fault(0, NemesisPhase::End, 1))),
        ("3:r 3:fail 4:r 4:fail 3:r 3:ok=2", None),
    ];
    let history = with_faults(&parts);
    assert_eq!(judge(&history, &demands(&["kill"])).verdict, Verdict::Valid);
    let mut events = history.events().to_vec();
    for event in &mut events {
        if let What::Invoke(step) | What::Fail(step) = &mut event.what
            && event.index >= 8
            && step.process == crate::history::ProcessId(4)
        {
            step.key = Some(crate::history::Key(7));
        }
    }
    let words = "no operation on key 7 succeeded after the last fault had ended, at index 7";
    assert_unknown(&History::new(events).unwrap(), &["kill"], &[words]);
}

#[test]
fn an_invalid_run_says_what_is_broken_and_not_what_it_lacks() {
    let early_end = [
        (WORK, Some(fault(0, NemesisPhase::Begin, 1))),
        ("2:r 2:ok=7", Some(fault(1, NemesisPhase::Skipped, 0))),
    ];
    let results = judge(&with_faults(&early_end), &demands(&["partition"]));
    assert_eq!(results.verdict, Verdict::Invalid);
    let broken = "not linearizable: key 0: read 7 at index 5, but nobody ever wrote 7";
    assert_eq!(results.sentences, [broken]);
    let lacks = [
        "no fault of the class partition occurred",
        "the history stops while fault 0 (kill) is in force",
    ];
    assert_eq!(results.vacuity.sentences, lacks, "it stays in the results");
}

#[test]
fn an_invalid_run_also_says_what_happened_that_nobody_made_happen() {
    let death = What::Nemesis(Nemesis {
        fault: 0,
        kind: Nemesis::DEATH.to_owned(),
        phase: NemesisPhase::Begin,
        targets: vec!["n1".to_owned()],
        what: "exit code 101".to_owned(),
        bites: 0,
    });
    let history = with_faults(&[(WORK, Some(death)), ("2:r 2:ok=7", None)]);
    let results = judge(&history, &demands(&[]));
    assert_eq!(results.verdict, Verdict::Invalid);
    let [_, death] = results.sentences.as_slice() else { panic!("{:?}", results.sentences) };
    assert_eq!(death, "n1 ended by itself: exit code 101");
}

#[test]
fn an_unknown_model_is_no_verdict() {
    let results = judge(&script(WORK), &Demands { model: "teapot".to_owned(), ..demands(&[]) });
    assert_eq!(results.verdict, Verdict::Unknown);
    let known = "register, cas-register, append-list, kv-txn, set, element-set, counter, consensus, queue, stack, \
                 priority-queue, mutex, unordered-queue, lease, multi-register";
    assert_eq!(results.sentences, [format!("no model is named `teapot`; there are: {known}")]);
}

#[test]
fn a_checker_that_panics_makes_its_part_unknown() {
    struct Bomb;
    impl AnyModel for Bomb {
        fn name(&self) -> &'static str {
            "register"
        }
        fn summary(&self) -> &'static str {
            "fails"
        }
        fn functions(&self) -> &'static [&'static str] {
            &[]
        }
        fn check(&self, operations: &[Operation], _: Budget) -> Linearizability {
            panic!("{} operations are too many", operations.len())
        }
        fn describe(&self, operation: &Operation) -> String {
            operation.f.to_string()
        }
    }
    let judged = judge_order(Some(&Bomb), &operations(&script(WORK)), &demands(&[]));
    assert_eq!(judged.verdict, Verdict::Unknown);
    assert_eq!(judged.sentences(), ["the checker failed: 2 operations are too many"]);
}

#[test]
fn results_are_the_same_each_time_and_survive_json() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let shape = Shape {
            processes: 5,
            operations: 60,
            is_unique: seed % 2 == 0,
            fail_percent: 5,
            info_percent: 5,
            wrong_percent: 2,
        };
        let history = random_history(&mut dice, shape);
        let results = judge(&history, &demands(&[]));
        match results.verdict {
            Verdict::Valid => valid += 1,
            Verdict::Invalid => invalid += 1,
            Verdict::Unknown => {}
        }
        let json = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results);
        let again = judge(&history, &demands(&[]));
        assert_eq!(Results { check_ns: results.check_ns, ..again }, results);
    }
    assert!(valid > 10 && invalid > 10, "{valid} {invalid}");
}

#[test]
fn statistics_count_and_measure() {
    let results = judge(&script("0:w1 0:ok 1:r 2:r 1:ok=1 2:fail 3:w2 3:info 4:w3"), &demands(&[]));
    let statistics = results.statistics;
    assert_eq!(statistics.duration_ns, 8_000);
    let all = &statistics.all;
    assert_eq!((all.invoked, all.ok, all.fail, all.info, all.pending), (5, 2, 1, 1, 1));
    assert!((all.ok_per_second - 250_000.0).abs() < 1.0, "{}", all.ok_per_second);
    let latency = all.latency.unwrap();
    assert_eq!((latency.p50_ns, latency.max_ns), (1_000, 2_000));
    let (read, write) = (&statistics.functions["read"], &statistics.functions["write"]);
    assert_eq!((read.invoked, read.ok, read.fail), (2, 1, 1));
    assert_eq!((write.invoked, write.ok, write.info, write.pending), (3, 1, 1, 1));
    assert_eq!(judge(&script(""), &demands(&[])).statistics.all.latency, None);
}

#[test]
fn throughput_has_no_gaps() {
    use crate::statistics::throughput;
    let operations =
        operations(&script("0:w1 0:ok 1:r 2:r 1:ok=1 3:w5 2:fail 4:w2 5:r 6:r 4:info"));
    let series: Vec<(u64, u64, u64, u64)> = throughput(&operations, 2_000)
        .into_iter()
        .map(|stretch| (stretch.from.0, stretch.ok, stretch.fail, stretch.info))
        .collect();
    assert_eq!(
        series,
        [
            (0, 1, 0, 0),
            (2_000, 0, 0, 0),
            (4_000, 1, 0, 0),
            (6_000, 0, 1, 0),
            (8_000, 0, 0, 0),
            (10_000, 0, 0, 1)
        ]
    );
    assert!(throughput(&[], 1).is_empty());
}
