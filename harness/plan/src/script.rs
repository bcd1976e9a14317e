//! Operations that are written out instead of drawn.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::generator::PlannedOperation;

/// What one client does, in order, and nothing else. Clients without a script draw their operations from the
/// workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Its number.
    pub client: u32,
    /// Its operations: each begins once the one before has ended and its own moment has come.
    #[serde(rename = "do")]
    pub operations: Vec<ScriptedOperation>,
}

/// One operation of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedOperation {
    /// The function, as histories name it.
    pub f: Function,
    /// On what; a transaction has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u64>,
    /// What a write writes, an append appends, an addition adds, a proposal proposes, a compare-and-set puts there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// What a compare-and-set must find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// What a transaction does, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ScriptedPart>,
    /// Not before this has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
}

/// One part of a transaction: an operation that is none itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedPart {
    /// The function, as histories name it.
    pub f: Function,
    /// On what.
    pub key: u64,
    /// As [`ScriptedOperation::value`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// As [`ScriptedOperation::expected`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// The functions that a script can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Read a variable.
    Read,
    /// Write a variable.
    Write,
    /// Write a variable if it holds what is expected.
    Cas,
    /// Put an element at the end of a list.
    Append,
    /// Put a variable back to its initial state.
    Delete,
    /// Add to a counter.
    Add,
    /// Propose a value to an instance of consensus.
    Propose,
    /// Several of these at once, or none.
    #[serde(rename = "txn")]
    Transaction,
}

impl Function {
    /// Every function.
    pub const ALL: &[Self] = &[
        Self::Read,
        Self::Write,
        Self::Cas,
        Self::Append,
        Self::Delete,
        Self::Add,
        Self::Propose,
        Self::Transaction,
    ];

    /// Its name in scripts, moments and histories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Cas => "cas",
            Self::Append => "append",
            Self::Delete => "delete",
            Self::Add => "add",
            Self::Propose => "propose",
            Self::Transaction => "txn",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|function| function.name() == name)
    }

    /// Whether it is given a value.
    pub const fn takes_value(self) -> bool {
        match self {
            Self::Write | Self::Cas | Self::Append | Self::Add | Self::Propose => true,
            Self::Read | Self::Delete | Self::Transaction => false,
        }
    }
}

impl ScriptedOperation {
    /// A planned operation, written out.
    pub fn of(operation: &PlannedOperation, when: Option<Moment>) -> Self {
        let mut parts: Vec<_> = operation.parts().iter().filter_map(ScriptedPart::of).collect();
        let own = match operation {
            PlannedOperation::Transaction(_) => None,
            PlannedOperation::Read { .. }
            | PlannedOperation::Write { .. }
            | PlannedOperation::Cas { .. }
            | PlannedOperation::Append { .. }
            | PlannedOperation::Delete { .. }
            | PlannedOperation::Add { .. }
            | PlannedOperation::Propose { .. } => parts.pop(),
        };
        Self {
            f: operation.function(),
            key: own.map(|part| part.key),
            value: own.and_then(|part| part.value),
            expected: own.and_then(|part| part.expected),
            parts,
            when,
        }
    }

    /// As the clients take it. What is missing, which [`crate::Plan::validate`] refuses, is 0.
    pub fn planned(&self) -> PlannedOperation {
        if self.f == Function::Transaction {
            return PlannedOperation::Transaction(
                self.parts.iter().map(|part| part.planned()).collect(),
            );
        }
        let Self { f, key, value, expected, parts: _, when: _ } = self;
        let key = key.unwrap_or_default();
        ScriptedPart { f: *f, key, value: *value, expected: *expected }.planned()
    }

    /// Every key that it names.
    pub fn keys_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.key.iter_mut().chain(self.parts.iter_mut().map(|part| &mut part.key))
    }

    /// Every value that it names, expected ones among them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        let parts = self.parts.iter_mut().flat_map(|part| {
            let ScriptedPart { value, expected, .. } = part;
            expected.iter_mut().chain(value.iter_mut())
        });
        self.expected.iter_mut().chain(self.value.iter_mut()).chain(parts)
    }
}

impl ScriptedPart {
    /// Nothing for a transaction.
    fn of(operation: &PlannedOperation) -> Option<Self> {
        let f = operation.function();
        let key = operation.key()?;
        let expected = match operation {
            PlannedOperation::Cas { expected, .. } => Some(*expected),
            PlannedOperation::Read { .. }
            | PlannedOperation::Write { .. }
            | PlannedOperation::Append { .. }
            | PlannedOperation::Delete { .. }
            | PlannedOperation::Add { .. }
            | PlannedOperation::Propose { .. }
            | PlannedOperation::Transaction(_) => None,
        };
        Some(Self { f, key, value: operation.value(), expected })
    }

    fn planned(self) -> PlannedOperation {
        let Self { f, key, value, expected } = self;
        let value = value.unwrap_or_default();
        match f {
            Function::Read => PlannedOperation::Read { key },
            Function::Write => PlannedOperation::Write { key, value },
            Function::Cas => {
                PlannedOperation::Cas { key, expected: expected.unwrap_or_default(), value }
            }
            Function::Append => PlannedOperation::Append { key, value },
            Function::Delete => PlannedOperation::Delete { key },
            Function::Add => PlannedOperation::Add { key, value },
            Function::Propose => PlannedOperation::Propose { key, value },
            Function::Transaction => PlannedOperation::Transaction(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_is_written_out_is_planned_as_it_was() {
        let single = vec![
            PlannedOperation::Read { key: 1 },
            PlannedOperation::Write { key: 2, value: 3 },
            PlannedOperation::Cas { key: 2, expected: 3, value: 4 },
            PlannedOperation::Append { key: 5, value: 6 },
            PlannedOperation::Delete { key: 2 },
            PlannedOperation::Add { key: 7, value: 8 },
            PlannedOperation::Propose { key: 7, value: 8 },
        ];
        let all = PlannedOperation::Transaction(single.clone());
        for operation in single.into_iter().chain([all]) {
            let mut scripted = ScriptedOperation::of(&operation, None);
            assert_eq!(scripted.planned(), operation);
            scripted.keys_mut().for_each(|key| *key += 10);
            scripted.values_mut().for_each(|value| *value += 10);
            let changed = scripted.planned();
            assert!(changed.keys().eq(operation.keys().map(|key| key + 10)));
            assert_eq!(changed.value(), operation.value().map(|value| value + 10));
        }
    }
}
