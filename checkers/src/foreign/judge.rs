//! Whether a foreign history is linearizable.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::recorded::recorded;
use super::{Datum, History, Meaning, NilReads, Recorded};
use crate::history::{self, Key, Value};
use crate::linearizability::{Budget, Linearizability};
use crate::model::{self, AnyModel, Cell, Kv, Model as _};
use crate::verdict::Verdict;

/// The judgement of a foreign history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Whether there is an order of the operations that the model allows.
    pub verdict: Verdict,
    /// Why it is not valid: one sentence each, without a full stop. Indices in it are places of events, from 0.
    pub sentences: Vec<String>,
    /// How many operations there are.
    pub operations: u64,
    /// The same in detail, by key.
    pub linearizability: Linearizability,
    /// Keys that have no number, or one that another key had before: by the numbers that stand for them.
    pub keys: Vec<NamedKey>,
    /// How long it took, in nanoseconds: the only field that differs when the same history is judged again.
    pub check_ns: u64,
}

/// A key, and the number that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedKey {
    /// The number.
    pub key: Key,
    /// The key as EDN.
    pub name: String,
}

impl NamedKey {
    pub(super) fn all(renamed: Vec<(Key, Datum)>) -> Vec<Self> {
        let named = |(key, name): (Key, Datum)| Self { key, name: name.to_string() };
        renamed.into_iter().map(named).collect()
    }
}

/// The models that are made for foreign histories, beside those of [`model::ALL`]: names, functions.
pub const MODELS: [(&str, &[&str]); 3] =
    [("register", &["read", "write"]), ("cas-register", Cell::FUNCTIONS), ("kv", Kv::FUNCTIONS)];

/// Judges a foreign history by the model of that name. With `is_keyed`, each value is a pair of a key and the value.
/// The error says what cannot be judged.
pub fn judge(
    history: &History,
    model: &str,
    meaning: &Meaning,
    is_keyed: bool,
    budget: Budget,
) -> Result<Results, Unjudged> {
    let begun = Instant::now();
    let mut recorded = recorded(history, is_keyed).map_err(|line| Unjudged::NoPair { line })?;
    meaning.apply(history, &mut recorded);
    let Recorded { operations, renamed } = recorded;
    let mut linearizability = ordered(&operations, history, model, meaning, budget)?;
    model.clone_into(&mut linearizability.model);
    Ok(Results {
        verdict: linearizability.verdict,
        sentences: linearizability.sentences(),
        operations: operations.len() as u64,
        linearizability,
        keys: NamedKey::all(renamed),
        check_ns: u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
    })
}

fn ordered(
    operations: &[history::Operation],
    history: &History,
    model: &str,
    meaning: &Meaning,
    budget: Budget,
) -> Result<Linearizability, Unjudged> {
    for (operation, at) in operations.iter().zip(history.operations()) {
        knows(model, &operation.f, at.line())?;
    }
    with_model(model, meaning, |model| model.check(operations, budget))
}

/// Does something with the model of that name.
pub(super) fn with_model<T>(
    name: &str,
    meaning: &Meaning,
    work: impl FnOnce(&dyn AnyModel) -> T,
) -> Result<T, Unjudged> {
    let is_nil_read_wildcard = meaning.nil_reads == NilReads::Wildcard;
    match name {
        "register" | "cas-register" => {
            let initial = meaning.initial.clone();
            Ok(work(&Cell { initial, is_nil_read_wildcard }))
        }
        "kv" => {
            let initial = match &meaning.initial {
                Value::Nil => String::new(),
                Value::Text(text) => text.clone(),
                other => return Err(Unjudged::Initial { found: other.to_string() }),
            };
            Ok(work(&Kv { initial, is_nil_read_wildcard }))
        }
        other => match model::by_name(other) {
            None => Err(Unjudged::NoModel { name: other.to_owned() }),
            Some(_) if meaning.initial != Value::Nil => {
                Err(Unjudged::NoInitial { model: other.to_owned() })
            }
            Some(model) => Ok(work(model)),
        },
    }
}

/// Whether the model, if it is one that is made for foreign histories, has this function.
pub(super) fn knows(model: &str, f: &str, line: u64) -> Result<(), Unjudged> {
    match MODELS.iter().find(|(name, _)| *name == model) {
        Some((_, functions)) if !functions.contains(&f) => Err(Unjudged::NoFunction {
            line,
            f: f.to_owned(),
            model: model.to_owned(),
            functions: functions.join(", "),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Why a history cannot be judged as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// There is no such model.
    #[error("no model is named `{name}`")]
    NoModel {
        /// The name.
        name: String,
    },
    /// An operation that is none of the model's.
    #[error("line {line}: the model `{model}` has no function `{f}`; it has {functions}")]
    NoFunction {
        /// Where it begins.
        line: u64,
        /// The function.
        f: String,
        /// The model.
        model: String,
        /// Those that it has.
        functions: String,
    },
    /// An initial value for a model that takes none.
    #[error("the model `{model}` takes no initial value")]
    NoInitial {
        /// The model.
        model: String,
    },
    /// A model that has to see the whole history.
    #[error("the model `{model}` judges whole histories only, and not while they are read")]
    NoStream {
        /// The model.
        model: String,
    },
    /// An initial value that no text is.
    #[error("the initial value {found} is no text, and the model `kv` has texts")]
    Initial {
        /// The value.
        found: String,
    },
    /// A value that is no pair where all must be.
    #[error(
        "line {line}: the value of this operation, or of its end, is no pair of a key and a value"
    )]
    NoPair {
        /// Where the operation begins.
        line: u64,
    },
}
