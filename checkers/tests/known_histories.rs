//! Histories of other projects with verdicts that are known, judged. They are not part of this project: the variable
//! `QUORATE_HISTORIES` names the folder that they are in, with a table of them, `manifest.csv`. Where it is not set
//! nothing is judged, and that is said.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use quorate_checkers::foreign::{self, Meaning};
use quorate_checkers::history::{Operation, Outcome, ProcessId, Time, Value};
use quorate_checkers::jepsen::Checker;
use quorate_checkers::linearizability::{Budget, check};
use quorate_checkers::model::{CasRegister, REFUSED};
use quorate_checkers::transactions::{Consistency, check_operations};
use quorate_checkers::verdict::Verdict;
use serde::Deserialize;

/// The folder with the histories, if there is one.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("QUORATE_HISTORIES").map(PathBuf::from);
    if folder.is_none() {
        note("skipped: QUORATE_HISTORIES names no folder with histories");
    }
    folder
}

#[test]
fn histories_of_other_projects_have_the_verdicts_that_are_known() {
    let Some(folder) = folder() else { return };
    let manifest = fs::read_to_string(folder.join("manifest.csv")).expect("a table of histories");
    let mut judged: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in manifest.lines().skip(1) {
        let known = Known::of(line);
        let found = known.verdict(&folder);
        *judged.entry(known.judge.name()).or_default() += 1;
        if found != known.expected {
            wrong.push(format!("{}: {found}, and it is {}", known.file, known.expected));
        }
    }
    note(&format!("judged: {judged:?}"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!judged.is_empty(), "nothing in {} was judged", folder.display());
}

/// A line of the table.
struct Known<'a> {
    file: &'a str,
    judge: Judge,
    expected: Verdict,
}

/// Who judges a history here.
enum Judge {
    /// Linearizability by this model.
    Model(&'static str),
    /// One of Jepsen's checkers.
    Checker(Checker),
    /// The checker of transactions.
    Transactions,
}

impl Judge {
    /// By what the table names: a model, or a checker of elle-cli with options of its own.
    fn named(name: &str) -> Self {
        let is_of = |(known, _): &&(&str, &str)| name.starts_with(known);
        if let Some((_, model)) = MODELS.iter().find(is_of) {
            return Self::Model(model);
        }
        match name.split(' ').next() {
            Some("list-append") => Self::Transactions,
            word => match word.and_then(Checker::by_name) {
                Some(checker) => Self::Checker(checker),
                None => panic!("nobody here judges by {name}"),
            },
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Model(name) => name,
            Self::Checker(checker) => checker.name(),
            Self::Transactions => "list-append",
        }
    }
}

impl<'a> Known<'a> {
    fn of(line: &'a str) -> Self {
        let columns = columns(line);
        let [file, _, named, expected, ..] = columns[..] else { panic!("{line}") };
        Self {
            file,
            judge: Judge::named(named),
            expected: match expected {
                "linearizable" | "valid" => Verdict::Valid,
                "not-linearizable" | "invalid" => Verdict::Invalid,
                other => panic!("{other} is no verdict"),
            },
        }
    }

    fn verdict(&self, folder: &Path) -> Verdict {
        let file = File::open(folder.join(self.file)).expect("a history");
        let (format, history) =
            foreign::read(file, None).unwrap_or_else(|error| panic!("{}: {error}", self.file));
        let operations =
            || foreign::recorded(&history, false).expect("values as they are").operations;
        match self.judge {
            Judge::Model(model) => {
                let meaning = Meaning::of(format);
                let results = foreign::judge(&history, model, &meaning, false, Budget::default());
                results.unwrap_or_else(|error| panic!("{}: {error}", self.file)).verdict
            }
            Judge::Checker(checker) => checker.check(&operations()).verdict,
            Judge::Transactions => {
                check_operations(&operations(), Consistency::StrictSerializable).verdict
            }
        }
    }
}

/// How the table names models of registers and stores, and their names here.
const MODELS: [(&str, &str); 2] = [("cas-register", "cas-register"), ("kv ", "kv")];

/// The columns of a line of the table; one in quotes may have commas.
fn columns(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let splits = |letter: char| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    };
    line.split(splits).collect::<Vec<&str>>().into_iter().map(unquoted).collect()
}

fn unquoted(column: &str) -> &str {
    column.strip_prefix('"').and_then(|column| column.strip_suffix('"')).unwrap_or(column)
}

/// A small random history on which three checkers agreed.
#[derive(Deserialize)]
struct Small {
    id: String,
    linearizable: bool,
    ops: Vec<SmallOperation>,
}

#[derive(Deserialize)]
struct SmallOperation {
    process: u64,
    f: String,
    call: u64,
    #[serde(rename = "return")]
    end: Option<u64>,
    status: String,
    value: Value,
}

impl SmallOperation {
    /// A `cas` that failed had found something else than it expected.
    fn recorded(self) -> Operation {
        let outcome = match (self.status.as_str(), self.f.as_str()) {
            ("ok", "read") => Outcome::Ok(self.value.clone()),
            ("ok", _) => Outcome::Ok(Value::Nil),
            ("fail", "cas") => Outcome::Ok(Value::Text(REFUSED.to_owned())),
            ("fail", _) => Outcome::Fail,
            ("info", _) if self.end.is_some() => Outcome::Info,
            ("info", _) => Outcome::Pending,
            (other, _) => panic!("{other} is no status"),
        };
        Operation {
            invoke: self.call,
            complete: self.end,
            process: ProcessId(self.process),
            input: if self.f == "read" { Value::Nil } else { self.value },
            f: self.f.into(),
            key: None,
            outcome,
            invoked_at: Time(self.call),
            completed_at: self.end.map(Time),
            error: None,
        }
    }
}

#[test]
fn small_random_histories_have_the_verdicts_that_are_known() {
    let Some(folder) = folder() else { return };
    let file = fs::read_to_string(folder.join("small/rand_small.jsonl")).expect("histories");
    let mut counts = [0, 0];
    for line in file.lines() {
        let small: Small = serde_json::from_str(line).expect("a history");
        let operations: Vec<Operation> =
            small.ops.into_iter().map(SmallOperation::recorded).collect();
        let found =
            check(&CasRegister::holding(&Value::Nil), &operations, Budget::default()).verdict;
        let expected = if small.linearizable { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(found, expected, "{}", small.id);
        counts[usize::from(small.linearizable)] += 1;
    }
    note(&format!("judged: {} linearizable, {} not", counts[1], counts[0]));
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// Tells whoever reads what the tests print.
#[expect(
    clippy::print_stdout,
    reason = "a test that judges nothing must not look like one that does"
)]
fn note(text: &str) {
    println!("{text}");
}
