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
    /// On what.
    pub key: u64,
    /// What a write writes or a proposal proposes; a read has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// Not before this has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
}

/// The functions that a script can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Read a register.
    Read,
    /// Write a register.
    Write,
    /// Propose a value to an instance of consensus.
    Propose,
}

impl Function {
    /// Every function.
    pub const ALL: &[Self] = &[Self::Read, Self::Write, Self::Propose];

    /// Its name in scripts, moments and histories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Propose => "propose",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|function| function.name() == name)
    }
}

impl ScriptedOperation {
    /// As the clients take it. A write without a value, which [`crate::Plan::validate`] refuses, writes 0.
    pub fn planned(&self) -> PlannedOperation {
        match self.f {
            Function::Read => PlannedOperation::Read { key: self.key },
            Function::Write => {
                PlannedOperation::Write { key: self.key, value: self.value.unwrap_or_default() }
            }
            Function::Propose => {
                PlannedOperation::Propose { key: self.key, value: self.value.unwrap_or_default() }
            }
        }
    }
}
