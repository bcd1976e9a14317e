//! What registers hold.

use std::fmt;
use std::sync::Arc;

use crate::history::Value;

/// A value, as small as one that is copied all the time should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// Something else, which is shared.
    Other(Arc<Value>),
}

impl Content {
    /// The value as a content.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Int(number) => Self::Int(*number),
            Value::Text(_) | Value::List(_) => Self::Other(Arc::new(value.clone())),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Other(value) => value.fmt(f),
        }
    }
}
