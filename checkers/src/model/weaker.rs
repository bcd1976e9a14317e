//! What operations without an order still satisfy.

use serde::{Deserialize, Serialize};

use super::Model;
use crate::history::{Key, Operation};
use crate::linearizability::Linearizability;

/// A condition that is weaker than linearizability, and whether the operations on a key satisfy it: exactly so, for
/// these operations alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// Whether it is satisfied.
    pub holds: bool,
    /// That in a few words, with its numbers.
    pub text: String,
}

/// The conditions that something certain can be said of, for a key whose operations have no order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Satisfied {
    /// The key; absent for the operations that have none.
    pub key: Option<Key>,
    /// What holds, and what does not.
    pub conditions: Vec<Condition>,
}

/// What the operations on each key satisfy that was judged to have no order.
pub(super) fn satisfied<M: Model>(
    model: &M,
    operations: &[Operation],
    judged: &Linearizability,
) -> Vec<Satisfied> {
    let of_key = |key: Option<Key>| {
        let is_of_key = |operation: &&Operation| operation.key == key;
        let all: Vec<&Operation> = operations.iter().filter(is_of_key).collect();
        Satisfied { key, conditions: model.conditions(&all) }
    };
    let invalid = judged.counterexamples().map(|counterexample| counterexample.key);
    // There may be many keys, and the first ones tell enough.
    let all = invalid.take(KEYS_MAX).map(of_key);
    all.filter(|satisfied| !satisfied.conditions.is_empty()).collect()
}

/// More keys are not looked at.
const KEYS_MAX: usize = 4;
