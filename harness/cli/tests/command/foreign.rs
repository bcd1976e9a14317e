//! Histories of other programs are read, judged and written.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::Sandbox;

const GOOD: &str = "{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value 1}
";

/// Each with two lines of a log; a `cas` fails although the register holds what it expects.
const REFUSED: &str = "INFO  jepsen.util - 0\t:invoke\t:write\t1
INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]
INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]
";

fn sandbox(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in files {
        fs::write(sandbox.path().join(name), text).unwrap();
    }
    sandbox
}

#[test]
fn the_verdict_is_the_exit_code_and_of_several_files_the_gravest() {
    let stale = GOOD.replace(":f :read, :value 1", ":f :read, :value 7");
    let sandbox = sandbox(&[("good.edn", GOOD), ("stale.edn", &stale), ("empty.edn", "")]);
    let check =
        |files: &[&str]| sandbox.quorate(&[&["check", "--model", "cas-register"], files].concat());
    let good = check(&["good.edn"]);
    assert_eq!(good.code, 0, "{good}");
    assert!(good.stdout.starts_with("VALID"), "{good}");
    assert_eq!(check(&["empty.edn"]).code, 0);
    let stale = check(&["stale.edn"]);
    assert_eq!(stale.code, 1, "{stale}");
    assert!(stale.stdout.contains("nobody ever wrote 7"), "{stale}");
    assert!(stale.stdout.contains("index 2: line 3, index 3: line 4"), "{stale}");
    let both = check(&["good.edn", "stale.edn", "--json"]);
    assert_eq!(both.code, 1, "{both}");
    let both: Value = serde_json::from_str(&both.stdout).unwrap();
    assert_eq!(both[0]["file"], "good.edn");
    assert_eq!(both[0]["results"]["verdict"], "valid");
    assert_eq!(both[1]["results"]["verdict"], "invalid");
}

#[test]
fn what_a_history_means_is_told_by_options() {
    let sandbox = sandbox(&[("refused.log", REFUSED), ("good.edn", GOOD)]);
    let check = |arguments: &[&str]| {
        let all = [&["check", "--model", "cas-register"], arguments].concat();
        let ended = sandbox.quorate(&all);
        assert!([0, 1].contains(&ended.code), "{ended}");
        ended.code
    };
    assert_eq!(check(&["refused.log"]), 1);
    assert_eq!(check(&["refused.log", "--refused-cas", "ignored"]), 0);
    let nil = GOOD.replace(":f :read, :value 1", ":f :read, :value nil");
    fs::write(sandbox.path().join("nil.edn"), nil).unwrap();
    assert_eq!(check(&["nil.edn"]), 0);
    assert_eq!(check(&["nil.edn", "--nil-reads", "unset"]), 1);
    let initial = "{:process 1 :type :invoke :f :read} {:process 1 :type :ok :f :read :value 0}";
    fs::write(sandbox.path().join("initial.edn"), initial).unwrap();
    assert_eq!(check(&["initial.edn"]), 1);
    assert_eq!(check(&["initial.edn", "--init", "0"]), 0);
}

#[test]
fn what_cannot_be_judged_is_refused_with_what_to_do() {
    let twice = GOOD.replace(":type :ok, :f :write", ":type :invoke, :f :write");
    let sandbox = sandbox(&[("good.edn", GOOD), ("twice.edn", &twice), ("refused.log", REFUSED)]);
    for (arguments, told) in [
        (&["check", "good.edn"][..], "hint: add --model NAME: register, cas-register, kv"),
        (&["check", "good.edn", "--model", "raft"], "cas-register"),
        (
            &["check", "twice.edn", "--model", "register"],
            "twice.edn: line 2, column 1: process 0 begins",
        ),
        (
            &["check", "refused.log", "--model", "register"],
            "line 3: the model `register` has no function `cas`",
        ),
        (&["check", "good.edn", "--model", "register", "--init", "[1"], "--init"),
        (&["check", "good.edn", "--model", "register", "--keyed"], "leave out --keyed"),
        (
            &["check", "good.edn", "--model", "register", "--format", "json"],
            "line 1, column 2: found ':'",
        ),
    ] {
        let ended = sandbox.quorate(arguments);
        assert_eq!(ended.code, 254, "{arguments:?}: {ended}");
        assert!(ended.stderr.contains(told), "{arguments:?} lacks {told:?}: {ended}");
    }
}

#[test]
fn an_order_is_shown_of_what_is_valid_and_what_is_left_of_what_is_not() {
    let stale = format!(
        "{GOOD}{}{}",
        GOOD.replace("process 1", "process 0")
            .replace(":value 1", ":value 2")
            .split_inclusive('\n')
            .take(2)
            .collect::<String>(),
        GOOD.split_inclusive('\n').skip(2).collect::<String>()
    );
    let nobody = "{:process :nemesis, :type :info, :f :kill}";
    let files = [("good.edn", GOOD), ("stale.edn", &stale), ("nobody.edn", nobody)];
    let sandbox = sandbox(&files);
    let check = |arguments: &[&str]| {
        sandbox.quorate(&[&["check", "--model", "register"], arguments].concat())
    };
    let good = check(&["good.edn", "--witness"]);
    assert_eq!(good.code, 0, "{good}");
    assert!(good.stdout.contains("order    2 operations\n"), "{good}");
    assert!(good.stdout.contains("      0  write 1    then 1\n"), "{good}");
    assert!(good.stdout.contains("      2  read -> 1  then 1\n"), "{good}");
    let json: Value =
        serde_json::from_str(&check(&["good.edn", "--witness", "--json"]).stdout).unwrap();
    assert_eq!(json["witness"][0]["order"][1]["operation"], 2);
    let stale = check(&["stale.edn", "--witness"]);
    assert_eq!(stale.code, 1, "{stale}");
    assert!(stale.stdout.contains("note     sequentially consistent: "), "{stale}");
    assert!(stale.stdout.contains("note     2-atomic: "), "{stale}");
    assert!(!stale.stdout.contains("order    "), "{stale}");
    let json: Value = serde_json::from_str(&check(&["stale.edn", "--json"]).stdout).unwrap();
    assert_eq!(json["satisfies"][0]["conditions"][1]["name"], "regularity");
    assert_eq!(json["satisfies"][0]["conditions"][1]["holds"], false);
    let nobody = check(&["nobody.edn"]);
    assert_eq!(nobody.code, 0, "{nobody}");
    assert!(
        nobody.stdout.contains("0 operations judged: none of 1 event is of a client"),
        "{nobody}"
    );
}

#[test]
fn the_models_of_other_programs_are_there() {
    let held = "{:process 0, :type :invoke, :f :acquire, :value :a}
{:process 0, :type :ok, :f :acquire, :value [:a 1]}
{:process 1, :type :invoke, :f :acquire, :value :b}
{:process 1, :type :ok, :f :acquire, :value [:b 2]}";
    let several = "{:process 0, :type :invoke, :f :read, :value {:x nil}}
{:process 0, :type :ok, :f :read, :value {:x 0}}";
    let bag = "{:process 0, :type :invoke, :f :dequeue, :value nil}
{:process 0, :type :ok, :f :dequeue, :value 1}";
    let keyed = "{:process 0, :type :invoke, :f :read, :key 1, :value [1 nil]}";
    let files =
        [("held.edn", held), ("several.edn", several), ("bag.edn", bag), ("keyed.edn", keyed)];
    let sandbox = sandbox(&files);
    for (arguments, code, told) in [
        (&["held.edn", "--model", "lease"][..], 1, "\"a\" held it from index 0 on"),
        (&["several.edn", "--model", "multi-register"], 1, "nobody ever wrote 0 there"),
        (&["several.edn", "--model", "multi-register", "--init", "{:x 0}"], 0, "VALID"),
        (
            &["several.edn", "--model", "multi-register", "--init", "0"],
            254,
            "is not a map of registers",
        ),
        (&["bag.edn", "--model", "unordered-queue"], 1, "nobody ever enqueued it"),
        (
            &["keyed.edn", "--model", "register", "--keyed"],
            254,
            "line 1: this operation has a `key` of its own",
        ),
    ] {
        let ended = sandbox.quorate(&[&["check"], arguments].concat());
        assert_eq!(ended.code, code, "{arguments:?}: {ended}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(told), "{arguments:?} lacks {told:?}: {ended}");
    }
}

#[test]
fn what_is_compressed_is_read_and_what_is_converted_has_the_same_verdict() {
    let sandbox = sandbox(&[("refused.log", REFUSED)]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(REFUSED.as_bytes()).unwrap();
    fs::write(sandbox.path().join("refused.log.gz"), gzip.finish().unwrap()).unwrap();
    assert_eq!(sandbox.quorate(&["check", "refused.log.gz", "--model", "cas-register"]).code, 1);
    for format in ["edn", "json"] {
        let out = format!("out.{format}");
        let ended = sandbox.quorate(&["convert", "refused.log.gz", "--to", format, "--out", &out]);
        assert_eq!(ended.code, 0, "{ended}");
        let check = ["check", &out, "--model", "cas-register", "--refused-cas", "observation"];
        assert_eq!(sandbox.quorate(&check).code, 1);
        let again = sandbox.quorate(&["convert", "refused.log.gz", "--to", format, "--out", &out]);
        assert_eq!(again.code, 254, "{again}");
    }
}

#[test]
fn a_history_of_another_program_has_a_page_beside_it() {
    let stale = GOOD.replace(":f :read, :value 1", ":f :read, :value 7");
    let timed = GOOD.replace(":type :invoke", ":type :invoke, :time 1000000");
    let timed = timed.replace(":type :ok", ":type :ok, :time 5000000");
    let sandbox = sandbox(&[("stale.edn", &stale), ("timed.edn", &timed)]);
    let report = |file: &str| sandbox.quorate(&["report", file, "--model", "cas-register"]);
    let ended = report("stale.edn");
    assert_eq!((ended.code, ended.stdout.trim()), (0, "stale.html"), "{ended}");
    let page = fs::read_to_string(sandbox.path().join("stale.html")).unwrap();
    for text in ["Not linearizable", "obody ever wrote 7", "a history of another program, edn"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("quorate check stale.edn --model cas-register"));
    assert!(!page.contains("Over time"), "nobody knows when anything happened");
    assert_eq!(report("timed.edn").code, 0);
    let page = fs::read_to_string(sandbox.path().join("timed.html")).unwrap();
    assert!(page.contains("Over time") && page.contains("Linearizable"));
    let without = sandbox.quorate(&["report", "stale.edn"]);
    assert_eq!(without.code, 254, "{without}");
    assert!(without.stderr.contains("--model NAME"), "{without}");
}
