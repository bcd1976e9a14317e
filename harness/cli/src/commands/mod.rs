//! One file for each command.

mod check;
mod convert;
mod doctor;
mod hunt;
mod list;
mod node;
mod pack;
mod replay;
mod report;
mod run;
mod serve;
mod shrink;
mod torture;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::CliError;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Torture(torture::Torture),
    Merge(torture::Merge),
    Check(check::Check),
    Convert(convert::Convert),
    Replay(replay::Replay),
    Report(report::Report),
    Serve(serve::Serve),
    Pack(pack::Pack),
    List(list::List),
    Hunt(hunt::Hunt),
    Shrink(shrink::Shrink),
    Doctor(doctor::Doctor),
    Node(node::Node),
}

impl Command {
    /// Does it; the exit code says how it ended.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Run(command) => command.run(),
            Self::Torture(command) => command.run(),
            Self::Merge(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::Replay(command) => command.run(),
            Self::Report(command) => command.run(),
            Self::Serve(command) => command.run(),
            Self::Pack(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Hunt(command) => command.run(),
            Self::Shrink(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Node(command) => command.run(),
        }
    }
}
