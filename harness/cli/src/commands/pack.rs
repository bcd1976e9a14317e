//! `quorate pack`: a run in one file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::commands::{check, report};
use crate::error::CliError;
use crate::output;
use crate::packed::{self, ENDING};
use crate::store;

/// Packs a run into one file, to send to somebody or to keep.
///
/// All files of the run's folder are in it: history, results, page, logs, and of real processes what every core took
/// in. It is a compressed tar archive. `check`, `replay`, `shrink` and `report` take it as they take the folder, and
/// `replay DIR` takes it for a test.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate pack store/latest
  quorate pack store/latest --out lost-write.tar.gz
  quorate replay lost-write.tar.gz

Exit codes: 0 it is packed, 254 bad usage or no run, 255 the harness itself failed.")]
pub(crate) struct Pack {
    /// The folder of a run, or its history there.
    run: PathBuf,

    /// The file to make; its name ends in .tar.gz [default: TEST-TIME.tar.gz here].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Pack {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        // What is no run is not worth sending.
        check::read(&self.run)?;
        let folder = store::folder_of(&self.run);
        if !folder.join(store::HISTORY).is_file() {
            return Err(CliError::usage(format_args!(
                "{} is not in the folder of a run",
                self.run.display()
            ))
            .hint("a history of a simulated run is one file as it is: send that"));
        }
        let out = match self.out {
            Some(out) if packed::is_packed(&out) => out,
            Some(out) => {
                return Err(CliError::usage(format_args!(
                    "{}: the name of a packed run ends in {ENDING}",
                    out.display()
                )));
            }
            None => PathBuf::from(format!("{}{ENDING}", packed::name_of(folder)?)),
        };
        let files = packed::pack(folder, &out)?;
        let size = std::fs::metadata(&out).map_err(|error| store::cannot("read", &out, &error))?;
        let mut text = String::new();
        let packed = format!("{} ({files} files, {} bytes)", out.display(), size.len());
        output::line(&mut text, "packed", &packed);
        output::line(&mut text, "replay", &report::replay(&out));
        output::print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
