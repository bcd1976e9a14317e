//! What goes wrong outside of verdicts, as one clear line and a hint.

use std::fmt;
use std::io::Write;

use crate::output;

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
    /// As usage; the file that was given is at fault.
    Damaged,
    Harness,
}

impl CliError {
    /// The user asked for something that cannot be.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string(), hints: Vec::new() }
    }

    /// A file cannot be read as what it is: it is cut, changed, or no file at all.
    pub(crate) fn damaged(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Damaged, message: message.to_string(), hints: Vec::new() }
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
        matches!(self.kind, Kind::Usage | Kind::Damaged)
    }

    /// Whether a file cannot be read as what it is.
    pub(crate) fn is_damaged(&self) -> bool {
        self.kind == Kind::Damaged
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage | Kind::Damaged => EXIT_USAGE,
            Kind::Harness => EXIT_HARNESS,
        }
    }

    /// Writes it to standard error.
    pub(crate) fn print(&self) {
        // Nothing can be done about a closed standard error.
        let _ = std::io::stderr().lock().write_all(self.text().as_bytes());
    }

    /// As it is printed. A line of ours that goes on is indented, as an excerpt of a plan is; a line break before
    /// anything else came from a file.
    fn text(&self) -> String {
        let line = |label: &str, what: &str| {
            let mut lines = what.split('\n');
            let mut text = format!("{label}: {}", lines.next().unwrap_or_default());
            for line in lines {
                text += if line.starts_with("  ") { "\n" } else { "\\n" };
                text += line;
            }
            output::harmless(&text).into_owned() + "\n"
        };
        let hints = self.hints.iter().map(|hint| line("hint", hint));
        std::iter::once(line("error", &self.message)).chain(hints).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_takes_no_line_of_its_own_and_no_colour() {
        let error =
            CliError::usage("a.toml:1:2: no `x\u{1b}[31m\nerror: y`\n  x = 1\n  ^").hint("z\u{7}");
        let told =
            "error: a.toml:1:2: no `x\\u001b[31m\\nerror: y`\n  x = 1\n  ^\nhint: z\\u0007\n";
        assert_eq!(error.text(), told);
    }
}
