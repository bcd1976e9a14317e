//! Clusters to be tested: drawn, and changed while they run.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::options::Config;
use crate::contract::{ConfigError, Dice, Options};

/// How many nodes, and options that go together.
pub(super) fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
    let nodes = 3 + u16::try_from(dice(3)).expect("below 3");
    (nodes, BTreeMap::new())
}

/// The configuration after a change to `options`.
pub(super) fn change(_config: &Config, _options: &Options) -> Result<Config, ConfigError> {
    Err(ConfigError::Impossible(String::from("quorum registers cannot be reconfigured")))
}

/// Options that the cluster can change to.
pub(super) fn draw_change(_config: &Config, _dice: &mut Dice<'_>) -> Option<Options> {
    None
}
