//! `quorate node`: one replica process.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::{CliError, EXIT_HARNESS};

/// One replica process, as the harness starts it.
///
/// The configuration is a JSON file; a run leaves one for each of its nodes in the store, as
/// `nodes/n0/config.json`. The node keeps its write-ahead log in the data folder that is named there, serves
/// clients over HTTP/JSON and peers over framed TCP, takes orders on standard input, tells what happens to
/// it on standard output (one JSON object a line each), and logs to standard error.
///
/// A node dies with the process that is named as its `parent`. To start one by hand, take a copy of a
/// configuration, take `parent` out, and name in it the addresses of the other nodes (`peers`).
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  jq 'del(.parent) | .data = \"/tmp/n0\"' store/latest/nodes/n0/config.json > n0.json
  quorate node --config n0.json

Exit codes: 0 clean end, 65 refused to start (damaged or foreign data), 74 a write or fsync failed,
101 the protocol core panicked, 254 bad usage, 255 it could not serve (port taken, no permission).")]
pub(crate) struct Node {
    /// The node's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Node {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let config = quorate_live::node::load_config(&self.config).map_err(CliError::usage)?;
        let code = quorate_live::node::run(config);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(EXIT_HARNESS)))
    }
}
