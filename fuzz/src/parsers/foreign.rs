//! Histories of other programs.

use quorate_checkers::foreign::{self, Event, Format, History, Meaning};
use quorate_checkers::linearizability::Budget;

use crate::{Seed, Target, memory};

/// A history is read, or refused with its place, as the format that it seems to be and as every other; what is read
/// can be judged by every model.
pub const TARGET: Target = Target {
    name: "foreign",
    about: "Histories of other programs: read, or refused with a place; judged without a panic.",
    body,
    seeds,
    show,
};

/// An event or a datum takes up to this many bytes for each of its own: the shortest data are two bytes long.
const HELD_PER_BYTE: usize = 128;

/// More operations are left to the benchmarks.
const JUDGED_MAX: usize = 10;

fn body(input: &[u8]) {
    let formats = [None, Some(Format::Edn), Some(Format::Log), Some(Format::Json)];
    for format in formats {
        let read = memory::within(input.len(), HELD_PER_BYTE, || foreign::read(input, format));
        match read {
            Ok((format, history)) => look_at(format, &history),
            Err(error) => assert!(error.to_string().starts_with("line ")),
        }
    }
}

/// All that is done with a history that was read.
fn look_at(format: Format, history: &History) {
    let mut written = Vec::new();
    foreign::write(history, Format::Edn, &mut written).expect("memory takes everything");
    let (_, again) =
        foreign::read(written.as_slice(), Some(Format::Edn)).expect("what was written can be read");
    assert!(is_same(history, &again), "{}", String::from_utf8_lossy(&written));
    if history.operations().count() > JUDGED_MAX {
        return;
    }
    let meaning = Meaning::of(format);
    for (model, _) in foreign::MODELS {
        for is_keyed in [false, true] {
            match foreign::judge(history, model, &meaning, is_keyed, Budget::default()) {
                Ok(results) => assert!(!results.sentences.iter().any(String::is_empty)),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

/// Whether the events are the same, wherever they stand.
fn is_same(one: &History, other: &History) -> bool {
    let without_line = |event: &Event| Event { line: 0, ..event.clone() };
    one.events().iter().map(without_line).eq(other.events().iter().map(without_line))
}

fn seeds() -> Vec<Seed> {
    let seed = |(name, text): (&str, &str)| Seed { name: name.to_owned(), bytes: text.into() };
    SEEDS.into_iter().map(seed).collect()
}

const SEEDS: [(&str, &str); 6] = [
    (
        "edn-vector",
        "[{:process 0, :type :invoke, :f :write, :value 5, :time 10, :index 0}\n \
         #jepsen.history.Op{:process :nemesis, :type :info, :f :kill, :value {:a #{1 2}}}\n \
         {:process 0, :type :fail, :f :write, :value 5, :error [:timeout \"slow\"]}]",
    ),
    (
        "edn-cas",
        "{:process 1 :type :invoke :f :cas :value [nil 2]} ; first\n#_{:process 2}\n\
         {:process 1 :type :fail :f :cas :value [nil 2]}\n\
         {:process 1 :type :invoke :f :read :value nil}\n{:process 1 :type :ok :f :read :value 2N}\n",
    ),
    (
        "kv",
        "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x 0 0 y\"}\n\
         {:process 0, :type :ok, :f :append, :key \"0\", :value \"x 0 0 y\"}\n\
         {:process 0, :type :invoke, :f :get, :key \"0\", :value nil}\n\
         {:process 0, :type :ok, :f :get, :key \"0\", :value \"x 0 0 \\u0079\"}\n",
    ),
    (
        "log",
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.core - Starting\n\
         INFO  jepsen.util - 0\t:ok\t:read\t3\n",
    ),
    (
        "history-txt",
        "0\t:invoke\t:cas\t[0 3]\n:nemesis\t:info\t:start\tnil\n0\t:info\t:cas\t[0 3]\t:timeout\n",
    ),
    (
        "json",
        "[{\"type\":\"invoke\",\"f\":\"read\",\"process\":0,\"time\":11,\"index\":0},\n\
         {\"type\":\"ok\",\"f\":\"read\",\"process\":0,\"value\":{\"0\":1.5e1,\"\\ud83d\\ude00\":[true,null]},\"index\":1}]",
    ),
];

fn show(input: &[u8]) -> String {
    match foreign::read(input, None) {
        Ok((format, history)) => format!("{format}\n{:#?}", history.events()),
        Err(error) => error.to_string(),
    }
}
