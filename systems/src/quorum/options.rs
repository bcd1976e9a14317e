//! Options, and the checks that refuse what cannot work.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::construction::Quorums;
use crate::contract::ConfigError;
use crate::mutant::Mutants;

/// Checked options of a cluster of quorum registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which sets of nodes suffice for what.
    pub quorums: Quorums,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

/// Reads and checks options.
pub(super) fn configure(
    nodes: u16,
    options: &BTreeMap<String, String>,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    if let Some(name) = options.keys().next() {
        return Err(ConfigError::UnknownOption { name: name.clone(), known: String::from("none") });
    }
    if nodes == 0 || nodes > 16 {
        return Err(ConfigError::Impossible(format!("{nodes} nodes: there must be 1 to 16")));
    }
    Ok(Config { quorums: Quorums::majority(nodes), mutants })
}
