//! Tests of the format: what is written is read, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::verdict::Verdict;

fn header() -> Header {
    Header {
        program: "quorate 0.1.0".to_owned(),
        started: "2026-11-23T21:47:02Z".to_owned(),
        mutant: None,
        model: "register".to_owned(),
        plan: serde_json::json!({"name": "quorum", "seed": 7}),
    }
}

const HEADER: &str = "{\"quorate\":\"history\",\"version\":1,\"program\":\"quorate 0.1.0\",\
    \"started\":\"2026-11-23T21:47:02Z\",\"mutant\":null,\"model\":\"register\",\
    \"plan\":{\"name\":\"quorum\",\"seed\":7}}\n";

fn step(process: u64, f: &str, key: Option<u64>, value: Value) -> Step {
    Step { process: ProcessId(process), f: f.into(), key: key.map(Key), value, error: None }
}

fn nemesis(phase: NemesisPhase, bites: u64) -> What {
    What::Nemesis(Nemesis {
        fault: 0,
        kind: "partition".to_owned(),
        phase,
        targets: vec!["n0".to_owned(), "c3".to_owned()],
        what: "halves: n0 | c3".to_owned(),
        bites,
    })
}

/// A history with every kind of event.
fn sample() -> Vec<(Time, What)> {
    let unknown = Step { error: Some("timeout".to_owned()), ..step(2, "read", None, Value::Nil) };
    let list = Value::List(vec![Value::Int(-1), Value::Text("ä\"\\".to_owned())]);
    vec![
        (Time(5), What::Invoke(step(3, "write", Some(1), Value::Int(5)))),
        (Time(6), nemesis(NemesisPhase::Begin, 0)),
        (Time(6), What::Invoke(step(2, "read", None, Value::Nil))),
        (Time(9), What::Ok(step(3, "write", Some(1), list))),
        (Time(9), What::Invoke(step(3, "read", Some(1), Value::Nil))),
        (Time(11), What::Info(unknown)),
        (Time(12), nemesis(NemesisPhase::End, 4)),
        (Time(13), What::Fail(step(3, "read", Some(1), Value::Nil))),
    ]
}

fn written(events: &[(Time, What)], verdict: Option<Verdict>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    for (time, what) in events {
        writer.event(*time, what.clone()).unwrap();
    }
    if let Some(verdict) = verdict {
        writer.finish(verdict, None).unwrap();
    }
    bytes
}

#[test]
fn the_format_stays_as_it_is() {
    let text = String::from_utf8(written(&sample(), Some(Verdict::Valid))).unwrap();
    assert_eq!(text, include_str!("../../testdata/sample.jsonl"));
    assert!(text.starts_with(HEADER));
    let events: Vec<&str> = text.lines().skip(1).take(8).collect();
    let digest = blake3::hash(format!("{}\n", events.join("\n")).as_bytes());
    assert!(text.contains(&format!("\"digest\":\"{digest}\"")), "the digest is of the event lines");
}

#[test]
fn what_is_written_is_read() {
    let file = read(written(&sample(), Some(Verdict::Unknown)).as_slice()).unwrap();
    assert_eq!(file.header, header());
    let read: Vec<(Time, What)> =
        file.history.events().iter().map(|event| (event.time, event.what.clone())).collect();
    assert_eq!(read, sample());
    assert_eq!(file.footer.unwrap().verdict, Verdict::Unknown);
    assert_eq!(file.damage, None);
}

#[test]
fn a_file_without_a_footer_is_read_and_says_so() {
    let file = read(written(&sample(), None).as_slice()).unwrap();
    assert_eq!((file.history.len(), file.footer, file.damage), (8, None, None));
}

#[test]
fn a_file_cut_off_anywhere_is_read_up_to_the_cut() {
    let whole = written(&sample(), Some(Verdict::Valid));
    let expected = read(whole.as_slice()).unwrap();
    for length in 0..whole.len() {
        let cut = &whole[..length];
        match read(cut) {
            Ok(file) => {
                // The footer is whole even without its newline.
                assert!(file.footer.is_none() || length + 1 == whole.len(), "at {length}");
                let events = file.history.events();
                assert_eq!(events, &expected.history.events()[..events.len()], "at {length}");
                let text = String::from_utf8_lossy(cut);
                let ends_within_a_line =
                    !cut.ends_with(b"\n") && !cut.ends_with(b"}") && text.lines().count() > 1;
                if ends_within_a_line {
                    let damage = file.damage.expect("a cut line is reported");
                    assert_eq!(damage.line, text.lines().count() as u64, "at {length}");
                    assert!(damage.to_string().contains("is cut off after"), "{damage}");
                }
            }
            Err(error) => {
                assert!(length < HEADER.len(), "at {length}: {error}");
                assert_eq!(error.line, 1);
                let is_cut = matches!(error.problem, Problem::HeaderCut | Problem::Empty);
                assert!(is_cut, "at {length}: {error}");
            }
        }
    }
}

#[track_caller]
fn assert_refused(bytes: &[u8], words: &str) {
    let error = read(bytes).expect_err(words).to_string();
    assert!(error.contains(words), "got: {error}\nexpected: {words}");
}

#[test]
fn what_would_not_have_been_written_is_refused_with_line_and_reason() {
    let cases = include_str!("../../testdata/refusals.txt").split("\n\n").skip(1);
    let mut count = 0;
    for case in cases {
        let (lines, words) = case.split_once("\n-> ").expect("each case has its words");
        let lines = lines.replace("(an empty line)", "");
        assert_refused(format!("{HEADER}{lines}\n").as_bytes(), words.trim_end());
        count += 1;
    }
    assert!(count > 40, "{count}");
}

#[test]
fn a_foreign_header_is_refused_with_the_reason() {
    let cases = [
        ("", "line 1: the file is empty; expected the header of a quorate history"),
        (
            "{:type :invoke, :f :read}\n",
            "line 1: this is no quorate history: expected a header line",
        ),
        ("{\"index\":0}\n", "line 1: this is no quorate history"),
        ("\u{feff}{}", "line 1: this is no quorate history"),
        ("{\"quorate\":\"footer\",\"version\":1}\n", "line 1: this is no quorate history"),
        ("{\"quorate\":\"history\",\"version\":2}\n", "line 1: format version 2 is unknown"),
        (
            "{\"quorate\":\"history\",\"version\":\"1\"}\n",
            "line 1: format version \"1\" is unknown",
        ),
        ("{\"quorate\":\"history\"}\n", "line 1: format version null is unknown"),
        ("{\"quorate\":\"history\",\"version\":1}\n", "line 1: column 33: missing field `program`"),
        ("{\"quorate\":\"history\",\"ver", "line 1: the header is cut off"),
        ("{\"quo", "line 1: the header is cut off"),
    ];
    for (text, words) in cases {
        assert_refused(text.as_bytes(), words);
    }
    assert_refused(HEADER.replace("\"mutant\":null,", "").as_bytes(), "missing field `mutant`");
    let more = HEADER.replace("\"mutant\"", "\"extra\":1,\"mutant\"");
    assert_refused(more.as_bytes(), "unknown field `extra`");
}

#[test]
fn a_header_that_ends_within_a_number_is_cut_off() {
    let start = "{\"quorate\":\"history\",\"version\":1,\"plan\":";
    for number in ["-", "2", "2.", "2.5", "2.5e", "2.5E", "2.5e+", "2.5e-", "2.5e-1"] {
        assert_refused(format!("{start}{number}").as_bytes(), "line 1: the header is cut off");
    }
    assert_refused(format!("{start}2.5e+\n").as_bytes(), "line 1: column 45: invalid number");
    assert_refused(format!("{start}2.5e+}}").as_bytes(), "line 1: column 46: invalid number");
}

#[test]
fn what_is_not_utf8_or_too_long_is_refused() {
    assert_refused(b"{\"quorate\":\"\xff\"}\n", "line 1: not UTF-8 from byte 13 of the line on");
    let event = b"{\"index\":0,\"time\":1,\"type\":\"invoke\",\"process\":0,\"f\":\"\xc3\"}\n";
    let both = [HEADER.as_bytes(), event].concat();
    assert_refused(&both, "line 2: not UTF-8 from byte 54 of the line on");
    let long = vec![b' '; (16 << 20) + 1];
    assert_refused(&[HEADER.as_bytes(), &long].concat(), "line 2: longer than 16777216 bytes");
}

#[test]
fn a_changed_event_is_noticed() {
    let text = String::from_utf8(written(&sample(), Some(Verdict::Valid))).unwrap();
    let changed = text.replacen("\"time\":11", "\"time\":10", 1);
    assert_refused(changed.as_bytes(), "the file was changed");
    let missing = text.lines().take(8).chain(text.lines().skip(9)).collect::<Vec<_>>().join("\n");
    assert_refused(missing.as_bytes(), "the footer counts 8 events, but the file has 7");
}

/// Takes so many bytes, and counts the calls.
struct Disk {
    room: usize,
    calls: usize,
}

impl std::io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.calls += 1;
        self.room = self.room.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_line_is_one_write() {
    let mut writer = Writer::new(Disk { room: usize::MAX, calls: 0 }, &header()).unwrap();
    for (time, what) in sample() {
        writer.event(time, what).unwrap();
    }
    let (disk, history) = writer.finish(Verdict::Valid, None).unwrap();
    assert_eq!((disk.calls, history.len()), (10, 8));
}

#[test]
fn what_the_files_of_inputs_are_stands_in_the_footer() {
    let sealed = |file: &str, bytes| Sealed { file: file.to_owned(), bytes, digest: "ab".into() };
    let sealed = vec![sealed("nodes/n0/inputs.log", 0), sealed("clients-inputs.log", u64::MAX)];
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    writer.seal(sealed.clone());
    writer.finish(Verdict::Invalid, None).unwrap();
    assert_eq!(read(bytes.as_slice()).unwrap().footer.unwrap().inputs, sealed);

    let mut bytes = Vec::new();
    Writer::new(&mut bytes, &header()).unwrap().finish(Verdict::Invalid, None).unwrap();
    assert!(!String::from_utf8(bytes.clone()).unwrap().contains("inputs"), "there are none");
    assert_eq!(read(bytes.as_slice()).unwrap().footer.unwrap().inputs, []);
}

#[test]
fn after_a_failed_write_nothing_is_added() {
    let mut writer = Writer::new(Disk { room: HEADER.len() + 90, calls: 0 }, &header()).unwrap();
    let (time, what) = sample().swap_remove(0);
    writer.event(time, what).unwrap();
    let error = writer.event(Time(6), nemesis(NemesisPhase::Begin, 0)).unwrap_err();
    assert!(matches!(error, WriteError::Io(_)), "{error}");
    let error = writer.event(Time(7), nemesis(NemesisPhase::End, 0)).unwrap_err();
    assert!(matches!(error, WriteError::Broken), "{error}");
    assert!(matches!(writer.finish(Verdict::Valid, None), Err(WriteError::Broken)));
}

#[test]
fn the_writer_refuses_what_the_reader_would_refuse_and_goes_on() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    let completion = What::Ok(step(0, "read", None, Value::Nil));
    let error = writer.event(Time(1), completion).unwrap_err();
    assert!(matches!(error, WriteError::Inconsistent(Inconsistency::NothingInFlight { .. })));
    writer.event(Time(9), What::Invoke(step(0, "read", None, Value::Nil))).unwrap();
    // A time before the last one is raised to it.
    writer.event(Time(8), What::Ok(step(0, "read", None, Value::Int(1)))).unwrap();
    writer.finish(Verdict::Valid, None).unwrap();
    let history = read(bytes.as_slice()).unwrap().history;
    assert_eq!(history.events().iter().map(|event| event.time.0).collect::<Vec<_>>(), [9, 9]);
}

#[test]
fn a_list_of_events_is_checked_like_a_file() {
    let event = |index| Event {
        index,
        time: Time(0),
        what: What::Invoke(step(index, "read", None, Value::Nil)),
    };
    assert!(History::new(vec![event(0), event(1)]).is_ok());
    let gap = History::new(vec![event(0), event(2)]);
    assert_eq!(gap, Err(Inconsistency::Index { expected: 1, found: 2 }));
}

/// No plan of ours has such numbers; but a header holds whatever stands in it.
#[test]
fn a_number_in_a_plan_stays_what_it_is() {
    let number = "2.2790121708605247e+274";
    let text = HEADER.replace("\"seed\":7", &format!("\"seed\":{number}"));
    let file = read(text.as_bytes()).unwrap();
    let mut again = Vec::new();
    Writer::new(&mut again, &file.header).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), text);
}

#[test]
fn invocations_are_paired_with_their_completions() {
    let file = read(written(&sample(), None).as_slice()).unwrap();
    let all = operations(&file.history);
    let told: Vec<(u64, Option<u64>, &str)> =
        all.iter().map(|o| (o.invoke, o.complete, o.f.as_str())).collect();
    assert_eq!(told, [(0, Some(3), "write"), (2, Some(5), "read"), (4, Some(7), "read")]);
    assert!(matches!(all[0].outcome, Outcome::Ok(Value::List(_))));
    assert_eq!(all[0].input, Value::Int(5));
    assert_eq!((&all[1].outcome, all[1].error.as_deref()), (&Outcome::Info, Some("timeout")));
    assert_eq!((&all[2].outcome, all[2].definite_end()), (&Outcome::Fail, None));
    let begun = written(&sample()[..1], None);
    let all = operations(&read(begun.as_slice()).unwrap().history);
    assert_eq!((&all[0].outcome, all[0].completed_at), (&Outcome::Pending, None));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        any::<String>().prop_map(Value::Text),
        Just(Value::Text("\"quorate\":\"footer\"".to_owned())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::List))
}

/// What happens next, for a driver that keeps the rules of a history.
#[derive(Clone, Debug)]
enum Move {
    Act { process: u64, ending: u8, key: Option<u64>, value: Value, text: String },
    Fault { fault: u32, text: String, bites: u64 },
}

fn any_move() -> impl Strategy<Value = Move> {
    let act = (0..4u64, 0..3u8, any::<Option<u64>>(), any_value(), any::<String>());
    prop_oneof![
        act.prop_map(|(process, ending, key, value, text)| Move::Act {
            process,
            ending,
            key,
            value,
            text
        }),
        (0..3u32, any::<String>(), any::<u64>()).prop_map(|(fault, text, bites)| Move::Fault {
            fault,
            text,
            bites
        }),
    ]
}

fn play(moves: Vec<Move>) -> Vec<What> {
    let mut ids = [0, 1, 2, 3];
    let mut doing: [Option<Step>; 4] = Default::default();
    let mut faults: [Option<Nemesis>; 3] = Default::default();
    let act = |next| match next {
        Move::Act { process, ending, key, value, text } => {
            let place = usize::try_from(process).unwrap();
            let Some(step) = doing[place].take() else {
                let step = step(ids[place], &text, key, value);
                doing[place] = Some(step.clone());
                return What::Invoke(step);
            };
            match ending {
                0 => What::Ok(Step { value, ..step }),
                1 => What::Fail(Step { value, error: Some(text), ..step }),
                _ => {
                    ids[place] += 4;
                    What::Info(step)
                }
            }
        }
        Move::Fault { fault, text, bites } => {
            let place = usize::try_from(fault).unwrap();
            if let Some(begun) = faults[place].take() {
                return What::Nemesis(Nemesis {
                    phase: NemesisPhase::End,
                    what: text,
                    bites,
                    ..begun
                });
            }
            let begun = Nemesis {
                fault,
                kind: text.clone(),
                phase: NemesisPhase::Begin,
                targets: vec![text.clone()],
                what: text,
                bites: 0,
            };
            faults[place] = Some(begun.clone());
            What::Nemesis(begun)
        }
    };
    moves.into_iter().map(act).collect()
}

proptest! {
    #[test]
    fn any_history_that_is_written_is_read(
        moves in prop::collection::vec(any_move(), 0..40),
        times in prop::collection::vec(any::<u64>(), 40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut times = times;
        times.sort_unstable();
        let events: Vec<(Time, What)> =
            times.into_iter().map(Time).zip(play(moves)).collect();
        let bytes = written(&events, Some(Verdict::Invalid));
        let file = read(bytes.as_slice()).unwrap();
        let read_back: Vec<(Time, What)> =
            file.history.events().iter().map(|e| (e.time, e.what.clone())).collect();
        prop_assert_eq!(&read_back, &events);
        prop_assert_eq!(file.footer.map(|footer| footer.events), Some(events.len() as u64));
        // Cut off anywhere, what is left is a beginning of it.
        let cut = cut.index(bytes.len());
        match read(&bytes[..cut]) {
            Ok(file) => {
                prop_assert!(file.footer.is_none() || cut + 1 == bytes.len());
                let read_back = file.history.events().iter().map(|e| (e.time, e.what.clone()));
                prop_assert!(read_back.zip(&events).all(|(read, written)| read == *written));
            }
            Err(error) => prop_assert_eq!(error.line, 1),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(bytes.as_slice()).is_err());
        let with_header = [HEADER.as_bytes(), &bytes].concat();
        if let Ok(file) = read(with_header.as_slice()) {
            prop_assert!(file.history.is_empty() && file.footer.is_none());
        }
    }
}

#[test]
fn a_name_that_stands_twice_in_the_plan_is_refused_at_any_depth() {
    assert!(read(HEADER.as_bytes()).is_ok());
    let twice = [
        ("\"seed\":7", "\"seed\":7,\"seed\":8", "seed"),
        ("\"seed\":7", "\"seed\":[{\"at\":-1.5,\"\\u0061t\":null}]", "at"),
    ];
    for (old, new, name) in twice {
        let error = read(HEADER.replace(old, new).as_bytes()).unwrap_err();
        assert_eq!(error.line, 1);
        let told = format!("duplicate field `{name}`");
        assert!(error.to_string().ends_with(&told), "{error}");
    }
    let plan = serde_json::json!({"a": [1, -2, 0.5, true, null, "x"], "b": {"a": {}}});
    let header = HEADER.replace("{\"name\":\"quorum\",\"seed\":7}", &plan.to_string());
    assert_eq!(read(header.as_bytes()).unwrap().header.plan, plan);
}
