//! Judgements.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a checker says of a history. The order is that of gravity: the worst of several is their
/// sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything demanded holds.
    Valid,
    /// Could not be decided, or there was too little to decide it on. Never rounded to valid.
    Unknown,
    /// A demand is certainly broken.
    Invalid,
}

impl Verdict {
    /// The exit code of a command that ends with this verdict, as Jepsen's.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Unknown => 2,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        })
    }
}
