//! The `quorate` command: torture replicated systems, judge what they did, show it.

mod commands;
mod error;
mod input;
mod interrupt;
mod output;
mod packed;
mod panics;
mod progress;
mod regular;
mod store;
mod threads;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::commands::Command;
use crate::error::EXIT_USAGE;

/// Torture replicated systems, judge what they did, and show it.
///
/// `quorate run` alone starts five replicas of a quorum register as real processes, lets clients read and
/// write for 30 seconds while links are cut and processes killed, and says whether what the clients saw
/// was linearizable.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage, 255 the harness itself failed.";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command.run() {
        Ok(code) => code,
        Err(error) => {
            error.print();
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints what clap has to say. Its own exit code for bad usage is 2, which here means "unknown".
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be done about a closed terminal.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_USAGE),
    }
}

/// Reports every broken build of the argument parser at test time instead of at the first user's.
#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_argument_parser_is_consistent() {
        Cli::command().debug_assert();
    }
}
