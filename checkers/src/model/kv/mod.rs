//! Keys with texts: `put` sets one, `append` puts something at its end, `get` returns it. As Porcupine's key-value
//! histories have them.

mod accuse;
mod branches;
mod growth;
mod pieces;
mod prefix;
#[cfg(test)]
mod tests;
mod text;

use super::{Case, Malformed, Model, Span};
use crate::history::{Operation, Outcome, Value};

use prefix::Prefix;

pub use growth::Growth;
pub use text::Text;

/// Independent texts, which are empty at first unless something else is said.
#[derive(Clone, Debug, Default)]
pub struct Kv {
    /// What each of them is at first.
    pub initial: String,
    /// Whether a get that returns nil says nothing, and not that the text is empty.
    pub is_nil_read_wildcard: bool,
}

/// An operation on a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KvOp {
    /// It returned this.
    Get(Text),
    /// It made the text this.
    Put(Text),
    /// It put this at the end.
    Append(String),
}

impl Model for Kv {
    type State = Text;
    type Op = KvOp;
    type Lookahead = Growth;

    const NAME: &'static str = "kv";
    const SUMMARY: &'static str =
        "independent texts: `put` sets one, `append` puts something at its end, `get` returns it";
    const FUNCTIONS: &'static [&'static str] = &["get", "put", "append"];

    fn initial(&self) -> Text {
        Text::new(&self.initial)
    }

    fn parse(&self, operation: &Operation) -> Result<Option<KvOp>, Malformed> {
        let bad = |index, problem| Err(Malformed { index, problem });
        match (operation.f.as_str(), &operation.input) {
            ("get", _) => match &operation.outcome {
                Outcome::Ok(Value::Nil) if self.is_nil_read_wildcard => Ok(None),
                Outcome::Ok(Value::Nil) => Ok(Some(KvOp::Get(Text::new("")))),
                Outcome::Ok(Value::Text(text)) => Ok(Some(KvOp::Get(Text::new(text)))),
                Outcome::Ok(other) => bad(
                    operation.complete.unwrap_or(operation.invoke),
                    format!("`get` returns {other}; expected a text or nil"),
                ),
                Outcome::Fail | Outcome::Info | Outcome::Pending => Ok(None),
            },
            ("put", Value::Text(text)) => Ok(Some(KvOp::Put(Text::new(text)))),
            ("append", Value::Text(text)) => Ok(Some(KvOp::Append(text.clone()))),
            (f @ ("put" | "append"), other) => {
                bad(operation.invoke, format!("`{f}` is given {other}; expected a text"))
            }
            (f, _) => bad(
                operation.invoke,
                format!("the model `kv` has no function `{f}`; expected `get`, `put` or `append`"),
            ),
        }
    }

    fn step(&self, state: &Text, op: &KvOp) -> Option<Text> {
        match op {
            KvOp::Get(seen) => (seen == state).then(|| state.clone()),
            KvOp::Put(text) => Some(text.clone()),
            KvOp::Append(end) => Some(state.append(end)),
        }
    }

    fn is_read_only(&self, op: &KvOp) -> bool {
        matches!(op, KvOp::Get(_))
    }

    fn sets_state(&self, op: &KvOp) -> bool {
        !matches!(op, KvOp::Append(_))
    }

    fn overwrites(&self, op: &KvOp) -> bool {
        matches!(op, KvOp::Put(_))
    }

    fn depends(&self, observer: &KvOp, cause: &KvOp) -> bool {
        match (observer, cause) {
            (KvOp::Get(seen), KvOp::Put(text)) => seen.as_str().starts_with(text.as_str()),
            (KvOp::Get(seen), KvOp::Append(end)) => seen.as_str().contains(end.as_str()),
            (KvOp::Get(_) | KvOp::Put(_) | KvOp::Append(_), _) => false,
        }
    }

    fn unobserved(&self, ops: &[KvOp]) -> Vec<bool> {
        let gets: Vec<&KvOp> = ops.iter().filter(|op| matches!(op, KvOp::Get(_))).collect();
        if gets.len() > GETS_MAX {
            // In doubt everything is.
            return vec![false; ops.len()];
        }
        let is_unobserved = |op| !gets.iter().any(|get| self.depends(get, op));
        ops.iter().map(is_unobserved).collect()
    }

    fn lookahead(&self, ops: &[KvOp], spans: &[Span]) -> Growth {
        Growth::new(&self.initial, ops, spans)
    }

    fn describe(&self, operation: &Operation) -> String {
        match (&operation.outcome, operation.f.as_str()) {
            (Outcome::Ok(Value::Text(text)), "get") => format!("get -> {}", text::shown(text)),
            (Outcome::Ok(value), "get") => format!("get -> {value}"),
            (_, "get") => "get".to_owned(),
            (_, f) => format!("{f} {}", operation.input),
        }
    }

    fn describe_state(&self, state: &Text) -> String {
        text::shown(state.as_str())
    }

    fn accuse(&self, case: &Case<'_, KvOp>) -> Option<String> {
        accuse::sentence(&self.initial, case)
    }
}

/// Looking for each text in more of them would take longer than searching with what nobody saw.
const GETS_MAX: usize = 500;
