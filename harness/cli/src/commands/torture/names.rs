//! Values of campaign files, as they are written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use quorate_plan::WorldKind;
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};
use serde::{Deserialize, Serialize};

use crate::commands::run::arguments::duration;
use crate::commands::run::{mutant, system};

/// Has a type written as the text that it is shown as and read from.
macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

/// A span of time, such as `10m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Time(pub(super) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        duration(text).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

as_text!(Time);

/// A system by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct SystemName(pub(super) SystemKind);

impl FromStr for SystemName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        system(text).map(Self).map_err(|known| format!("there is no system `{text}`; {known}"))
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

as_text!(SystemName);

/// A planted bug by its name, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct MutantName(pub(super) Mutants);

impl FromStr for MutantName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        mutant(text).map(Self).map_err(|known| format!("there is no planted bug `{text}`; {known}"))
    }
}

impl fmt::Display for MutantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.0.map_or("none", Mutant::name))
    }
}

as_text!(MutantName);

/// Where a campaign runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Worlds {
    /// In virtual time.
    Sim,
    /// As real processes.
    Live,
    /// In both.
    #[default]
    Both,
}

impl Worlds {
    pub(super) fn of(kinds: &[WorldKind]) -> Self {
        match kinds {
            [WorldKind::Sim] => Self::Sim,
            [WorldKind::Live] => Self::Live,
            _ => Self::Both,
        }
    }

    pub(super) fn kinds(self) -> Vec<WorldKind> {
        match self {
            Self::Sim => vec![WorldKind::Sim],
            Self::Live => vec![WorldKind::Live],
            Self::Both => vec![WorldKind::Sim, WorldKind::Live],
        }
    }
}
