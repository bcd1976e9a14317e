//! What is asked of a system.

use serde::{Deserialize, Serialize};

use crate::{Function, NODES_DEFAULT, PlannedOperation};

/// A mix of operations and its controls. The operations themselves follow from this and the plan's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Which operations there are.
    pub kind: WorkloadKind,
    /// How many clients act at once.
    pub clients: u32,
    /// Invocations a second over all clients, at most; 0: as fast as answers come.
    pub rate_per_s: u32,
    /// How many keys (of transactions: groups of three keys) are in use at once. The clients are dealt out to them in turn; a key has at most
    /// ⌈clients / keys⌉ clients.
    pub keys: u32,
    /// A key that has seen this many invocations is left and a new one begun, so that each key's history
    /// stays checkable.
    pub operations_per_key: u32,
    /// How many of a hundred operations (of transactions: of a hundred parts) are reads.
    pub read_percent: u8,
    /// What is written.
    pub values: ValueChoice,
}

impl Workload {
    /// The workload for a cluster of this size when nothing else is asked for: three clients a node.
    pub fn for_nodes(nodes: u16) -> Self {
        Self {
            kind: WorkloadKind::Register,
            clients: 3 * u32::from(nodes),
            rate_per_s: 200,
            keys: 3,
            operations_per_key: 300,
            read_percent: 50,
            values: ValueChoice::Unique,
        }
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self::for_nodes(NODES_DEFAULT)
    }
}

/// The kinds of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// Reads and writes of independent registers.
    Register,
    /// The same with compare-and-set, and now and then a delete.
    CasRegister,
    /// Appends to independent lists, and reads of them.
    Append,
    /// Transactions of reads, writes and appends, each on several keys.
    #[serde(rename = "txn")]
    Transaction,
    /// Elements that are added to sets, and reads of whole sets. A set is kept as a list.
    Set,
    /// Additions to counters, and reads of them.
    Counter,
    /// Proposals to independent instances of consensus, and reads of what is decided.
    Consensus,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Register,
        Self::CasRegister,
        Self::Append,
        Self::Transaction,
        Self::Set,
        Self::Counter,
        Self::Consensus,
    ];

    /// Its name in plans and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Append => "append",
            Self::Transaction => "txn",
            Self::Set => "set",
            Self::Counter => "counter",
            Self::Consensus => "consensus",
        }
    }

    /// How many operations a key sees before it is left for a new one, where nothing else is asked for.
    pub const fn operations_per_key(self) -> u32 {
        match self {
            // Once something is decided there is little left to see.
            Self::Consensus => 30,
            Self::Register
            | Self::CasRegister
            | Self::Append
            | Self::Transaction
            | Self::Set
            | Self::Counter => 300,
        }
    }

    /// The name of the sequential model that its operations are judged by.
    pub const fn model(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Append => "append-list",
            Self::Transaction => "kv-txn",
            Self::Set => "set",
            Self::Counter => "counter",
            Self::Consensus => "consensus",
        }
    }

    /// The functions that a system must support for it.
    pub const fn functions(self) -> &'static [Function] {
        match self {
            Self::Register => &[Function::Read, Function::Write],
            Self::CasRegister => {
                &[Function::Read, Function::Write, Function::Cas, Function::Delete]
            }
            Self::Append | Self::Set => &[Function::Read, Function::Append],
            Self::Transaction => {
                &[Function::Read, Function::Write, Function::Append, Function::Transaction]
            }
            Self::Counter => &[Function::Read, Function::Add],
            Self::Consensus => &[Function::Read, Function::Propose],
        }
    }

    /// What it asks, in a few words.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Register => "reads and writes of independent registers",
            Self::CasRegister => {
                "reads, writes, compare-and-sets and deletes of independent registers"
            }
            Self::Append => "appends to independent lists, and reads of them",
            Self::Transaction => "transactions of reads, writes and appends on several keys",
            Self::Set => "elements added to independent sets, and reads of them",
            Self::Counter => "additions to independent counters, and reads of them",
            Self::Consensus => "proposals to write-once registers, and reads of what is decided",
        }
    }

    /// What changes `key` at the end of a run, so that a read after it shows that all is well; `value` is one
    /// that nobody else writes.
    pub const fn closing(self, key: u64, value: u64) -> PlannedOperation {
        match self {
            Self::Append | Self::Set => PlannedOperation::Append { key, value },
            Self::Transaction if holds_list(key) => PlannedOperation::Append { key, value },
            Self::Register | Self::CasRegister | Self::Transaction => {
                PlannedOperation::Write { key, value }
            }
            Self::Counter => PlannedOperation::Add { key, value: 1 },
            Self::Consensus => PlannedOperation::Propose { key, value },
        }
    }
}

/// Which keys transactions append to; the others they write.
pub(crate) const fn holds_list(key: u64) -> bool {
    key % 2 == 1
}

/// Where written values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueChoice {
    /// No value is written twice in a run.
    Unique,
    /// Each is drawn from 0 … 4.
    Few,
}

impl ValueChoice {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Unique, Self::Few];

    /// Its name in plans and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unique => "unique",
            Self::Few => "few",
        }
    }
}
