//! What plans and reports may know of a system: handed to them as data by whoever knows the systems.

use serde::{Deserialize, Serialize};

/// A system's own names, for lists and reports.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The system's name.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Message kinds with what they say.
    pub messages: Vec<(String, String)>,
    /// Options with what they are for.
    pub options: Vec<(String, String)>,
    /// Planted bugs with the mistake.
    pub mutants: Vec<(String, String)>,
}
