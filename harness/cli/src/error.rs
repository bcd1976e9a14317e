//! What goes wrong outside of verdicts, as one clear line and a hint.

use std::fmt;
use std::io::Write;

/// Bad usage: a flag, a file, a combination of options.
pub(crate) const EXIT_USAGE: u8 = 254;
/// The harness itself failed: no verdict at all.
pub(crate) const EXIT_HARNESS: u8 = 255;

/// Why a command could not do its job.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usage,
    Harness,
}

impl CliError {
    /// The user asked for something that cannot be.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string(), hints: Vec::new() }
    }

    /// The harness could not do what it was right to ask for.
    pub(crate) fn harness(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Harness, message: message.to_string(), hints: Vec::new() }
    }

    /// Adds how to mend it.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// What is wrong, without hints.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether the user's request is at fault, not the harness.
    pub(crate) fn is_usage(&self) -> bool {
        self.kind == Kind::Usage
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => EXIT_USAGE,
            Kind::Harness => EXIT_HARNESS,
        }
    }

    /// Writes it to standard error.
    pub(crate) fn print(&self) {
        let hint = self.hints.iter().map(|hint| format!("hint: {hint}\n"));
        let text: String =
            std::iter::once(format!("error: {}\n", self.message)).chain(hint).collect();
        // Nothing can be done about a closed standard error.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
