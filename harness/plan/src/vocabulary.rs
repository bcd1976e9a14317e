//! What plans and reports may know of a system: handed to them as data by whoever knows the systems.

use serde::{Deserialize, Serialize};

/// A system's own names, for lists and reports.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The system's name.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// What travels.
    pub messages: Vec<Kind>,
    /// What its cores tell of their transitions.
    pub observations: Vec<Kind>,
    /// Options with what they are for.
    pub options: Vec<(String, String)>,
    /// Planted bugs with the mistake.
    pub mutants: Vec<(String, String)>,
}

/// A kind of message or of observation.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// What it says, in a few words.
    pub what: String,
    /// The fields that a match can look at.
    pub fields: Vec<String>,
}
