//! Ends of links.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A node or a client as the end of a link; written `n0`, `c3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Endpoint {
    /// A replica, counted from 0.
    Node(u16),
    /// A client, counted from 0.
    Client(u32),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(number) => write!(f, "n{number}"),
            Self::Client(number) => write!(f, "c{number}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let bad = || BadEndpoint(text.to_owned());
        if let Some(number) = text.strip_prefix('n') {
            return number.parse().map(Self::Node).map_err(|_| bad());
        }
        let number = text.strip_prefix('c').ok_or_else(bad)?;
        number.parse().map(Self::Client).map_err(|_| bad())
    }
}

impl TryFrom<String> for Endpoint {
    type Error = BadEndpoint;

    fn try_from(text: String) -> Result<Self, BadEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

/// A text that names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names neither a node (n0, n1, …) nor a client (c0, c1, …)")]
pub struct BadEndpoint(pub String);
