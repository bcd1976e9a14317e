//! What a run of a plan once showed.

use serde::{Deserialize, Serialize};

/// What a run of a plan was seen to show. No world looks at it: it is for `quorate replay`, which runs the plan again
/// and says whether it still does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shows {
    /// The demand that is broken first: an invariant, `liveness`, `no-panic`, `restart` or `linearizability`.
    pub breaks: String,
    /// The planted bug without which it is not; absent for a bug that nobody had planted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
    /// The digest of that run. A run with another one is not that run, though it may show the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
