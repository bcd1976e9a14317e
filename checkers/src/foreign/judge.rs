//! Whether a foreign history is linearizable.

use std::ops::Deref;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::recorded::recorded;
use super::{Datum, History, Meaning, NilReads, Recorded};
use crate::history::{self, Key, Value};
use crate::linearizability::{Budget, Linearizability};
use crate::model::{self, AnyModel, Bag, CasRegister, Kv, Model as _, MultiRegister, Register};
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
pub const MODELS: [(&str, &[&str]); 6] = [
    ("register", Register::TAKEN),
    ("cas-register", CasRegister::TAKEN),
    ("kv", Kv::FUNCTIONS),
    ("multi-register", &["read", "write", "txn"]),
    ("unordered-queue", Bag::FUNCTIONS),
    ("lease", &["acquire", "renew", "release", "expire"]),
];

/// Judges a foreign history by the model of that name. With `is_keyed`, each value is a pair of a key and the value.
/// The error says what cannot be judged.
pub fn judge(
    history: &History,
    model: &str,
    meaning: &Meaning,
    is_keyed: bool,
    budget: Budget,
) -> Result<Results, Unjudged> {
    Ok(prepare(history, model, meaning, is_keyed)?.judge(budget))
}

/// A foreign history with what it is judged by.
pub struct Prepared {
    /// The model.
    pub model: Picked,
    /// The operations as the model takes them.
    pub operations: Vec<history::Operation>,
    renamed: Vec<(Key, Datum)>,
}

/// Makes a foreign history ready to be judged; see [`judge`].
pub fn prepare(
    history: &History,
    model: &str,
    meaning: &Meaning,
    is_keyed: bool,
) -> Result<Prepared, Unjudged> {
    let mut recorded = recorded(history, is_keyed)?;
    meaning.apply(history, &mut recorded);
    let Recorded { operations, renamed } = recorded;
    for (operation, at) in operations.iter().zip(history.operations()) {
        knows(model, &operation.f, at.line())?;
    }
    Ok(Prepared { model: self::model(model, meaning)?, operations, renamed })
}

impl Prepared {
    /// The judgement.
    pub fn judge(&self, budget: Budget) -> Results {
        let begun = Instant::now();
        let linearizability = self.model.check(&self.operations, budget);
        Results {
            verdict: linearizability.verdict,
            sentences: linearizability.sentences(),
            operations: self.operations.len() as u64,
            linearizability,
            keys: NamedKey::all(self.renamed.clone()),
            check_ns: u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

/// A model that was picked by name.
pub enum Picked {
    /// One of [`model::ALL`].
    Known(&'static dyn AnyModel),
    /// One that was made with options.
    Made(Box<dyn AnyModel>),
}

impl Deref for Picked {
    type Target = dyn AnyModel;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Known(model) => *model,
            Self::Made(model) => model.as_ref(),
        }
    }
}

/// The model of that name, with what registers and texts hold at first, and what a read of nil means there.
pub fn model(name: &str, meaning: &Meaning) -> Result<Picked, Unjudged> {
    let is_unknown = meaning.nil_reads == NilReads::Wildcard;
    let initial = &meaning.initial;
    let bad_initial = |expected| Unjudged::Initial {
        found: initial.to_string(),
        model: name.to_owned(),
        expected,
    };
    let made: Box<dyn AnyModel> = match name {
        "register" => Box::new(Register::holding(initial).with_nil_reads(is_unknown)),
        "cas-register" => Box::new(CasRegister::holding(initial).with_nil_reads(is_unknown)),
        "multi-register" => {
            let model = MultiRegister::holding(initial);
            let model = model.ok_or_else(|| bad_initial("a map of registers to values"))?;
            Box::new(model.with_nil_reads(is_unknown))
        }
        "kv" => {
            let initial = match initial {
                Value::Nil => String::new(),
                Value::Text(text) => text.clone(),
                Value::Int(_) | Value::List(_) => return Err(bad_initial("a text")),
            };
            Box::new(Kv { initial, is_nil_read_wildcard: is_unknown })
        }
        other => {
            let known = model::by_name(other);
            let known = known.ok_or_else(|| Unjudged::NoModel { name: other.to_owned() })?;
            if *initial != Value::Nil {
                return Err(Unjudged::NoInitial { model: other.to_owned() });
            }
            return Ok(Picked::Known(known));
        }
    };
    Ok(Picked::Made(made))
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
    /// An initial value that is none for the model.
    #[error("the initial value {found} is not {expected}, which the model `{model}` takes")]
    Initial {
        /// The value.
        found: String,
        /// The model.
        model: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A value that is no pair where all must be.
    #[error(
        "line {line}: the value of this operation, or of its end, is no pair of a key and a value"
    )]
    NoPair {
        /// Where the operation begins.
        line: u64,
    },
    /// A key of its own, where the values have the keys.
    #[error(
        "line {line}: this operation has a `key` of its own; its value cannot be a pair of another key and a value"
    )]
    HasKey {
        /// Where the operation begins.
        line: u64,
    },
}
