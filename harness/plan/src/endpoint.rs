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
        let node = text.strip_prefix('n').and_then(|number| number.parse().ok()).map(Self::Node);
        let client = || text.strip_prefix('c')?.parse().ok().map(Self::Client);
        // Each has one name: `n07` and `n+7` would be two more for the same node in one table.
        let named = node.or_else(client).filter(|endpoint| endpoint.to_string() == text);
        named.ok_or_else(|| BadEndpoint(text.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_one_name() {
        for end in [Endpoint::Node(0), Endpoint::Node(u16::MAX), Endpoint::Client(31)] {
            assert_eq!(end.to_string().parse(), Ok(end));
        }
        for other in ["n07", "n+7", "n", "c 1", "n65536", "c-0", "N1", "nc1"] {
            assert_eq!(other.parse::<Endpoint>(), Err(BadEndpoint(other.to_owned())));
        }
    }
}
