//! What has to happen first: anchors of faults, rules and scripted operations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Endpoint;

/// A point of a run, by what happens in it rather than by the clock: it moves along when a plan gets shorter.
///
/// In TOML a moment is a table with one entry: `when = { observed = { by = "n2", name = "stored" } }`. Where a
/// match leaves out `nth`, the first that matches is meant. Once it has come a moment stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Moment {
    /// So many milliseconds after the first operation.
    AtMs(u64),
    /// A message left its sender: the `nth` that matches, counted from 1.
    Sent(MessageMatch),
    /// A message reached its receiver, and was taken in.
    Delivered(MessageMatch),
    /// A core told of a transition.
    Observed(ObservationMatch),
    /// A client began an operation.
    Invoked(OperationMatch),
    /// A client's operation ended, however it did.
    Completed(OperationMatch),
    /// A node came up, for the first time or again.
    Started(NodeMatch),
    /// A node went down.
    Crashed(NodeMatch),
}

/// Which messages; what is left out matches everything. What a node sends to itself is no message here: it
/// does not travel.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageMatch {
    /// The kind, by the name in the system's vocabulary (`"UPDATE"`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Endpoint>,
    /// The receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Endpoint>,
    /// Fields by name, as the vocabulary lists them, and what each must be.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, u64>,
    /// Only the nth that matches all of this, counted from 1 over the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}

/// Which observations; what is left out matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObservationMatch {
    /// Whose core tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Endpoint>,
    /// Its name in the system's vocabulary (`"stored"`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields by name, and what each must be.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, u64>,
    /// Only the nth that matches all of this, counted from 1 over the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}

/// Which operations; what is left out matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationMatch {
    /// The client that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Endpoint>,
    /// The function (`"read"`, `"write"`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<u64>,
    /// Only the nth that matches all of this, counted from 1 over the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}

/// Which nodes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeMatch {
    /// This one, or any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
    /// Only the nth that matches all of this, counted from 1 over the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}
