//! What the binary of a target does when no fuzzer drives it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::{Parser, Subcommand};

use crate::Target;

/// A fuzz target without its fuzzer: replay inputs, show them, write the inputs to begin with.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Feed files to the target, or all files of folders; the first finding ends it with a panic
    Replay {
        /// Files that a fuzzer kept, or folders of them
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
    },
    /// Say what inputs mean
    Show {
        /// Files that a fuzzer kept, or folders of them
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
    },
    /// Write the inputs to begin with
    Seeds {
        /// Where to
        folder: PathBuf,
    },
}

/// The main function of a target's binary where cargo-fuzz did not build it.
#[expect(clippy::print_stdout, reason = "this is a command line")]
pub fn main(target: &Target) -> ExitCode {
    match carry_out(target, Arguments::parse().job) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}: {error}", target.name);
            ExitCode::FAILURE
        }
    }
}

fn carry_out(target: &Target, job: Job) -> io::Result<String> {
    match job {
        Job::Replay { inputs } => {
            let files = files(&inputs)?;
            for file in &files {
                (target.body)(&fs::read(file)?);
            }
            Ok(format!("{}: {} inputs, and nothing is wrong", target.name, files.len()))
        }
        Job::Show { inputs } => {
            let shown = files(&inputs)?.into_iter().map(|file| {
                Ok(format!("{}:\n{}", file.display(), (target.show)(&fs::read(&file)?)))
            });
            Ok(shown.collect::<io::Result<Vec<_>>>()?.join("\n"))
        }
        Job::Seeds { folder } => {
            fs::create_dir_all(&folder)?;
            let seeds = (target.seeds)();
            for seed in &seeds {
                fs::write(folder.join(&seed.name), &seed.bytes)?;
            }
            Ok(format!("{}: {} inputs in {}", target.name, seeds.len(), folder.display()))
        }
    }
}

/// All files that these are, or that are in them, in the order of their names.
///
/// # Errors
/// What the file system says.
pub fn files(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        find(path, &mut found)?;
    }
    Ok(found)
}

fn find(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| find(entry, found))
}
