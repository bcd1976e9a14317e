use proptest::prelude::*;

use super::{
    Datum, Event, Float, Format, History, Kind, Meaning, Outcome, Problem, Process, ReadError,
    judge, read, write,
};
use crate::linearizability::Budget;
use crate::verdict::Verdict;

fn history(text: &str) -> (Format, History) {
    read(text.as_bytes(), None).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn refused(text: &str) -> ReadError {
    match read(text.as_bytes(), None) {
        Ok((_, history)) => panic!("{text:?} was read as {history:?}"),
        Err(error) => error,
    }
}

/// The value of the one event with this value in it.
fn edn(value: &str) -> Datum {
    let event = format!("{{:process 0 :type :invoke :f :x :value {value}}}");
    history(&event).1.events()[0].value.clone()
}

fn json(value: &str) -> Datum {
    let event = format!(r#"{{"process":0,"type":"invoke","f":"x","value":{value}}}"#);
    history(&event).1.events()[0].value.clone()
}

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn ints(numbers: &[i64]) -> Box<[Datum]> {
    numbers.iter().copied().map(Datum::Int).collect()
}

const EDN: &str = "; a run
[{:process 3, :type :invoke, :f :write, :value 5, :time 10, :index 0}
 #_{:process 4}
 #jepsen.history.Op{:index 1, :time 20, :type :info, :process :nemesis, :f :kill, :value {:a #{1 2}}}
 {:process 3, :type :fail, :f :write, :value 5, :error [:timeout \"slow\"], :clock-offsets {}}]";

const JSON: &str = r#"[{"process": 3, "type": "invoke", "f": "write", "value": 5, "time": 10, "index": 0},
{"index": 1, "time": 20, "type": "info", "process": "nemesis", "f": "kill", "value": null},
{"process": 3, "type": "fail", "f": "write", "value": 5, "error": ["timeout", "slow"], "other": 1.5}]"#;

const LOG: &str = "2026-11-23 INFO  jepsen.core - Test starting
INFO  jepsen.util - 3\t:invoke\t:write\t5
INFO  jepsen.util - :nemesis\t:info\t:kill\tnil
  at some.Frame (Frame.java:3)
2026-11-23{GMT}\tINFO\t[jepsen worker 3] jepsen.util: 3\t:fail\t:write\t5\t[:timeout \"slow\"]
INFO  jepsen.util - no operation at all
";

#[test]
fn the_same_history_is_read_from_each_format() {
    for (text, format, line) in
        [(EDN, Format::Edn, 5), (JSON, Format::Json, 3), (LOG, Format::Log, 5)]
    {
        let (found, history) = history(text);
        assert_eq!(found, format);
        let [invoke, nemesis, fail] = history.events() else { panic!("{history:?}") };
        assert_eq!(invoke.process, Process::Client(3));
        assert_eq!(
            (invoke.kind, &*invoke.f, &invoke.value),
            (Kind::Invoke, "write", &Datum::Int(5))
        );
        assert_eq!(nemesis.process, Process::Other("nemesis".into()));
        assert_eq!((fail.kind, fail.line), (Kind::Fail, line));
        let operations: Vec<_> = history.operations().collect();
        let [operation] = operations[..] else { panic!("{operations:?}") };
        assert_eq!((operation.process, operation.invoke.0), (3, 0));
        let Outcome::Fail(Some(why)) = operation.outcome() else { panic!("{operation:?}") };
        let names: Vec<_> = why.items().into_iter().flatten().map(Datum::name).collect();
        assert_eq!(names, [Some("timeout"), Some("slow")]);
    }
}

#[test]
fn events_come_one_after_another_or_in_one_list() {
    let events = "{:process 0 :type :invoke :f :read} {:process 0 :type :ok :f :read :value 1}";
    let (_, one_by_one) = history(events);
    for all in [format!("[{events}]"), format!("({events})\n"), events.replace("} ", "}\n")] {
        assert_eq!(history(&all).1.operations().count(), 1);
        assert_eq!(history(&all).1.events().len(), one_by_one.events().len());
    }
    let (_, tabs) = history("0\t:invoke\t:read\tnil\n0\t:ok\t:read\t[1 2]\n");
    let operation = tabs.operations().next().unwrap();
    assert_eq!(operation.outcome(), Outcome::Ok(&Datum::Vector(ints(&[1, 2]))));
}

#[test]
fn an_empty_history_is_a_history() {
    for text in ["", "\n \n", "[]", "()", "[ ]\n", "; nothing\n", "#_{:process 1}"] {
        assert!(history(text).1.events().is_empty(), "{text:?}");
    }
    for format in [Format::Edn, Format::Log, Format::Json] {
        assert!(read("".as_bytes(), Some(format)).unwrap().1.events().is_empty());
    }
}

#[test]
fn an_event_may_leave_out_what_histories_leave_out() {
    let (_, history) = history("{:index 0 :process 1 :type :invoke  :value [[:append 253 1]]}");
    let event = &history.events()[0];
    assert_eq!((&*event.f, event.index, event.time), ("txn", Some(0), None));
    let operation = history.operations().next().unwrap();
    assert_eq!(operation.outcome(), Outcome::Unknown);
    assert_eq!(operation.input().to_string(), "[[:append 253 1]]");
}

#[test]
fn data_of_edn_is_read() {
    for (written, datum) in [
        ("nil", Datum::Nil),
        ("true", Datum::Bool(true)),
        ("false", Datum::Bool(false)),
        ("-5", Datum::Int(-5)),
        ("+5N", Datum::Int(5)),
        ("0", Datum::Int(0)),
        ("-9223372036854775808", Datum::Int(i64::MIN)),
        ("1.5", Datum::Float(Float::new(1.5))),
        ("-2e3", Datum::Float(Float::new(-2000.0))),
        ("1.5M", Datum::Float(Float::new(1.5))),
        ("##-Inf", Datum::Float(Float::new(f64::NEG_INFINITY))),
        ("##NaN", Datum::Float(Float::new(f64::NAN))),
        (r"\a", Datum::Char('a')),
        (r"\space", Datum::Char(' ')),
        (r"\u0041", Datum::Char('A')),
        (r"\(", Datum::Char('(')),
        (r#""a \"b\" \\ \n \u00e9""#, text("a \"b\" \\ \n é")),
        (":a/b", Datum::Keyword("a/b".into())),
        ("a-b?", Datum::Symbol("a-b?".into())),
        ("-", Datum::Symbol("-".into())),
        ("[1,2 #_3 ; four\n]", Datum::Vector(ints(&[1, 2]))),
        ("(1 2)", Datum::List(ints(&[1, 2]))),
        ("#{2 1}", Datum::Set(ints(&[1, 2]))),
        ("{:b 1}", Datum::Map(Box::new([(Datum::Keyword("b".into()), Datum::Int(1))]))),
        ("#inst \"2026\"", Datum::Tagged(Box::new(("inst".into(), text("2026"))))),
        ("#_ #_ 1 2 3", Datum::Int(3)),
    ] {
        assert_eq!(edn(written), datum, "{written}");
        assert_eq!(edn(&datum.to_string()), datum, "{datum}");
    }
    assert_eq!(edn("{2 :b, 1 :a}"), edn("{1 :a, 2 :b}"));
}

#[test]
fn data_of_json_is_read() {
    for (written, datum) in [
        ("null", Datum::Nil),
        ("true", Datum::Bool(true)),
        ("-5", Datum::Int(-5)),
        ("0.5", Datum::Float(Float::new(0.5))),
        ("1E2", Datum::Float(Float::new(100.0))),
        (r#""a\/\u00e9\ud83d\ude00\n""#, text("a/é😀\n")),
        ("[1, 2]", Datum::Vector(ints(&[1, 2]))),
        ("[]", Datum::Vector(ints(&[]))),
        (r#"{"b":1}"#, Datum::Map(Box::new([(text("b"), Datum::Int(1))]))),
    ] {
        assert_eq!(json(written), datum, "{written}");
    }
    assert_eq!(json(r#"{"7": 1}"#).entries().unwrap()[0].0.as_whole(), Some(7));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, told) in [
        (
            "[{:process 0, :type :invoke, :f :read}\n {:process 0 :type :invoke :f :write}]",
            "line 2, column 1: process 0 begins `write` while its `read` of line 1 is open: a process does one thing at a time",
        ),
        (
            "{:process 0, :type :ok, :f :read}",
            "line 1, column 1: process 0 completes `read` as `ok` and has nothing open",
        ),
        (
            "{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :write}",
            "line 2, column 1: process 0 completes `write`, but what it began in line 1 is `read`",
        ),
        (
            "{:process 0 :type :invoke :f :a :index 3}\n{:process 1 :type :invoke :f :a :index 3}",
            "line 2, column 1: the index 3 comes after the index 3: the events are not in order",
        ),
        ("{:process 0, :f :read}", "line 1, column 1: an event has no `type`"),
        ("{:type :ok, :f :read}", "line 1, column 1: an event has no `process`"),
        (
            "{:process 0 :type :done}",
            "line 1, column 13: the `type` of an event is :done, expected invoke, ok, fail or info",
        ),
        (
            "{:process -3 :type :ok}",
            "line 1, column 2: the `process` of an event is -3, expected a number from 0, or a name such as :nemesis",
        ),
        ("{:process 0 :process 1}", "line 1, column 13: the field `process` is there twice"),
        ("{:process 0 :value [1 2}", "line 1, column 24: found '}', expected a value"),
        (
            "{:process 0 :value [1 2",
            "line 1, column 24: found the end of the file, expected a value, or the end of the collection",
        ),
        (
            "{:value \"abc",
            "line 1, column 13: found the end of the file, expected the end of the text",
        ),
        ("{:value 1/2}", "line 1, column 9: found 1/2, expected a number such as 5, -5 or 1.5"),
        ("{:value 012}", "line 1, column 9: found 012, expected a number such as 5, -5 or 1.5"),
        (
            "{:value 92233720368547758080}",
            "line 1, column 9: the number 92233720368547758080 does not fit into 64 bits",
        ),
        ("{:value {1 2 1 3}}", "line 1, column 9: 1 is there twice"),
        ("{:value #{1 1}}", "line 1, column 9: 1 is there twice"),
        (
            "{:value {1}}",
            "line 1, column 9: found the key 1 without a value, expected pairs in a map",
        ),
        ("[] x", "line 1, column 4: found 'x', expected nothing after the end of the history"),
        (r#"{"process": 0 "type": 1}"#, "line 1, column 15: found '\"', expected `,` or `}`"),
        (r#"{"process": 01}"#, "line 1, column 13: found 01, expected a value"),
        (r#"{"process": inf}"#, "line 1, column 13: found inf, expected a value"),
        (
            r#"{"process": 0,}"#,
            "line 1, column 15: found '}', expected the name of a field in quotes",
        ),
        (
            r#"{"process": "\ud83d"}"#,
            "line 1, column 15: found \\ud83d, expected the code of a character, or of both halves of one",
        ),
        (
            "hello\n",
            "line 1, column 1: neither EDN, nor JSON, nor a log of Jepsen, nor a history of Quorate: it begins with \"hello\\n\"",
        ),
        (
            "INFO  jepsen.util - 0\t:invoke\t:read\n",
            "line 1, column 36: found '\\n', expected process, type, function and value in a line",
        ),
    ] {
        assert_eq!(refused(text).to_string(), told, "{text:?}");
    }
    let log = read("INFO nothing\n".as_bytes(), Some(Format::Log)).unwrap_err();
    assert!(matches!(log.problem, Problem::NoOperations), "{log}");
    let ours = refused("{\"quorate\":\"history\"");
    assert!(matches!(ours.problem, Problem::Ours), "{ours}");
}

#[test]
fn what_goes_too_deep_is_refused() {
    for open in ["[", "(", "{", "#{", "#_", "#a ", "{1 "] {
        let text = "{:value ".to_owned() + &open.repeat(100_000);
        assert!(matches!(refused(&text).problem, Problem::TooDeep { .. }), "{open}");
    }
    let text = r#"{"value":"#.to_owned() + &"[".repeat(100_000);
    assert!(matches!(refused(&text).problem, Problem::TooDeep { .. }));
}

#[test]
fn a_process_goes_on_after_an_end_that_nobody_knows() {
    let text = "0\t:invoke\t:read\tnil\n0\t:info\t:read\tnil\n0\t:invoke\t:read\tnil\n";
    let (_, history) = history(text);
    let outcomes: Vec<_> = history.operations().map(|operation| operation.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::Unknown]);
}

/// Gives one byte at a time: each place can be the end of what is in the buffer.
struct Dripping<'a>(&'a [u8]);

impl std::io::Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(1);
        self.0.read(&mut into[..count])
    }
}

#[test]
fn it_does_not_matter_how_the_bytes_come() {
    for text in [EDN, JSON, LOG] {
        assert_eq!(read(Dripping(text.as_bytes()), None).unwrap(), history(text));
    }
}

/// Data as EDN has them, or only such as JSON has, too.
fn data(is_json: bool) -> impl Strategy<Value = Datum> {
    let name = || "[a-z][a-z0-9-]{0,5}";
    let plain = prop_oneof![
        Just(Datum::Nil),
        any::<bool>().prop_map(Datum::Bool),
        any::<i64>().prop_map(Datum::Int),
        any::<f64>()
            .prop_filter("JSON has no such number", move |f| !is_json || f.is_finite())
            .prop_map(|number| Datum::Float(Float::new(number))),
        ".*".prop_map(|name| text(&name)),
    ];
    let named = prop_oneof![
        name().prop_map(|name| Datum::Keyword(name.into())),
        "[a-z]{4}"
            .prop_filter("a word", |name| name != "true")
            .prop_map(|name| Datum::Symbol(name.into())),
        any::<char>().prop_map(Datum::Char),
    ];
    let leaf = if is_json { plain.boxed() } else { prop_oneof![plain, named].boxed() };
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let items = || proptest::collection::vec(inner.clone(), 0..4);
        let key = if is_json {
            name().prop_map(|name| text(&name)).boxed()
        } else {
            inner.clone().boxed()
        };
        let entries = proptest::collection::btree_map(key, inner.clone(), 0..4);
        let map = entries.prop_map(|entries| Datum::map(entries.into_iter().collect()).unwrap());
        let vector = items().prop_map(|items| Datum::Vector(items.into()));
        let list = items().prop_map(|items| Datum::List(items.into()));
        let set = proptest::collection::btree_set(inner.clone(), 0..4);
        let set = set.prop_map(|items| Datum::set(items.into_iter().collect()).unwrap());
        let tagged =
            (name(), inner).prop_map(|(tag, datum)| Datum::Tagged(Box::new((tag.into(), datum))));
        if is_json {
            prop_oneof![map, vector].boxed()
        } else {
            prop_oneof![map, vector, list, set, tagged].boxed()
        }
    })
}

/// A history of one client and the nemesis with these data in it.
fn with_data(data: &[Datum], f: &str) -> History {
    let mut history = History::default();
    for (place, datum) in data.iter().enumerate() {
        let ends = [Kind::Invoke, Kind::Ok, Kind::Invoke, Kind::Fail, Kind::Invoke, Kind::Info];
        let event = |process, kind, line| Event {
            process,
            kind,
            f: f.into(),
            key: (place % 2 == 0).then(|| datum.clone()),
            value: datum.clone(),
            error: Some(datum.clone()).filter(|error| *error != Datum::Nil && kind == Kind::Info),
            time: (line % 3 == 0).then_some(7),
            index: Some(line),
            line,
        };
        let line = 2 * place as u64 + 1;
        history.push(event(Process::Client(5), ends[place % ends.len()], line)).unwrap();
        history.push(event(Process::Other("nemesis".into()), Kind::Info, line + 1)).unwrap();
    }
    history
}

fn written(history: &History, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(history, format, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_json_cannot_say_is_not_written() {
    for value in ["##NaN", "##Inf", "{:a 1 \"a\" 2}"] {
        let history = with_data(&[edn(value)], "x");
        assert!(write(&history, Format::Json, &mut Vec::new()).is_err(), "{value}");
    }
    let history = with_data(&[edn("#{:a [#inst 5 (1)]}")], "x");
    let text = String::from_utf8(written(&history, Format::Json)).unwrap();
    assert!(
        text.contains(r#""value":[["a",[5,[1]]]"#) || text.contains(r#""value":["a",[5,[1]]]"#),
        "{text}"
    );
}

proptest! {
    #[test]
    fn what_is_written_as_edn_is_read_as_the_same(
        data in proptest::collection::vec(data(false), 0..7), f in ".{0,5}",
    ) {
        let history = with_data(&data, &f);
        let bytes = written(&history, Format::Edn);
        prop_assert_eq!(read(bytes.as_slice(), Some(Format::Edn)).unwrap().1, history);
    }

    #[test]
    fn what_is_written_as_json_is_read_as_the_same(
        data in proptest::collection::vec(data(true), 0..7), f in ".{0,5}",
    ) {
        let history = with_data(&data, &f);
        let bytes = written(&history, Format::Json);
        prop_assert_eq!(read(bytes.as_slice(), Some(Format::Json)).unwrap().1, history);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = read(bytes.as_slice(), Some(format));
        }
    }
}

#[test]
fn a_client_whose_number_is_a_text_is_judged() {
    let line = |process: &str, kind: &str, f: &str, value: &str| {
        format!(
            "{{\"process\":\"{process}\",\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n"
        )
    };
    let text = line("0", "invoke", "write", "1")
        + &line("0", "ok", "write", "1")
        + &line("1", "invoke", "read", "null")
        + &line("1", "ok", "read", "7");
    assert_eq!(verdict(&text, "register"), Verdict::Invalid);
}

#[test]
fn a_cas_that_timed_out_was_not_refused() {
    let log = |end: &str| {
        let line = |what: &str| format!("INFO  jepsen.util - 0\t{what}\n");
        line(":invoke\t:write\t1")
            + &line(":ok\t:write\t1")
            + &line(":invoke\t:cas\t[1 2]")
            + &line(end)
    };
    assert_eq!(verdict(&log(":fail\t:cas\t[1 2]"), "cas-register"), Verdict::Invalid);
    assert_eq!(verdict(&log(":fail\t:cas\t:timed-out"), "cas-register"), Verdict::Valid);
}

fn verdict(text: &str, model: &str) -> Verdict {
    let (format, history) = history(text);
    judge(&history, model, &Meaning::of(format), false, Budget::default())
        .expect("it can be judged")
        .verdict
}

#[test]
fn a_log_with_spaces_instead_of_tabs_is_one_if_there_is_a_type() {
    let log = "INFO  jepsen.util - 1   :invoke :write  3\n\
               INFO  jepsen.util - 5 nodes are up\n\
               INFO  jepsen.util - 1   :ok     :write  3\n";
    let (format, history) = read(log.as_bytes(), None).unwrap();
    let kinds: Vec<Kind> = history.events().iter().map(|event| event.kind).collect();
    assert_eq!((format, kinds), (Format::Log, vec![Kind::Invoke, Kind::Ok]));
}
