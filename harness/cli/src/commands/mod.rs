//! One file for each command.

mod check;
mod list;
mod node;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::CliError;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    List(list::List),
    Node(node::Node),
}

impl Command {
    /// Does it; the exit code says how it ended.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Check(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Node(command) => command.run(),
        }
    }
}
