//! `quorate convert`: a history in another format.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use quorate_checkers::foreign::{self, Format};

use crate::commands::check;
use crate::error::CliError;
use crate::output;
use crate::packed::Opened;
use crate::store;

/// Writes a history in a format that other programs read.
///
/// It takes what `check` takes. What the nemesis did in a run of Quorate becomes events of the process `nemesis`; the
/// plan, the verdict and the violations have no place there and are left out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate convert store/latest --to edn --out history.edn
  quorate convert etcd_002.log --to json

Exit codes: 0 it is written, 254 bad usage or not a history, 255 the harness itself failed.")]
pub(crate) struct Convert {
    /// A history, the folder of a run, or `-` for standard input.
    file: PathBuf,

    /// The format to write.
    #[arg(long, value_name = "FORMAT")]
    to: Target,

    /// The file to make, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// Maps of EDN, one a line, as Jepsen and Knossos read them.
    Edn,
    /// Objects of JSON, one a line.
    Json,
}

impl Convert {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let history = read(&self.file)?;
        let format = match self.to {
            Target::Edn => Format::Edn,
            Target::Json => Format::Json,
        };
        let name = self.file.display();
        let mut written = Vec::new();
        foreign::write(&history, format, &mut written).map_err(|error| {
            CliError::usage(format_args!("{name}: {error}")).hint("write EDN: --to edn")
        })?;
        match &self.out {
            Some(out) => write_new(out, &written)?,
            None => output::print(&String::from_utf8_lossy(&written))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read(path: &Path) -> Result<foreign::History, CliError> {
    let opened = Opened::at(path)?;
    let (name, mut input) = check::open(opened.path())?;
    if foreign::is_ours(check::head(&name, &mut input)?) {
        let (ours, _) = check::parsed(&name, input)?;
        return foreign::from_ours(&ours.history)
            .map_err(|error| CliError::damaged(format_args!("{name}: {error}")));
    }
    let read = foreign::read(input, None);
    read.map(|(_, history)| history).map_err(|error| check::foreign::unreadable(&name, &error))
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, content: &[u8]) -> Result<(), CliError> {
    if path.exists() {
        return Err(store::is_there_already(path));
    }
    store::write_whole(path, content)
}
