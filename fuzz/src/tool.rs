//! What the binary of a target does when no fuzzer drives it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::{Parser, Subcommand};
use quorate_plan::Plan;

use crate::{Target, mutant, schedule};

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
    /// Write the plan that an input means, where inputs are schedules; `quorate run --plan` and `quorate shrink` take it
    Plan {
        /// A file that a fuzzer kept
        input: PathBuf,
        /// Where to, as TOML
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Run an input that is a schedule, with the planted bug that `QUORATE_MUTANT` names if any, and write the
    /// history; `quorate replay` and `quorate shrink` take it
    History {
        /// A file that a fuzzer kept
        input: PathBuf,
        /// Where to, as JSON lines
        #[arg(short, long)]
        output: PathBuf,
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
    mutant::check();
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
        Job::Plan { input, output } => {
            let mut plan = plan_of(target, &input)?;
            let said = schedule::show(&mut plan, mutant::mutants()).map_err(io::Error::other)?;
            fs::write(&output, schedule::plan_toml(&plan, mutant::mutants()))?;
            Ok(format!("{}: the plan is in {}; {said}", target.name, output.display()))
        }
        Job::History { input, output } => {
            let mut plan = plan_of(target, &input)?;
            let file = fs::File::create(&output)?;
            schedule::history(&plan, mutant::mutants(), now(), file).map_err(io::Error::other)?;
            let said = schedule::show(&mut plan, mutant::mutants()).map_err(io::Error::other)?;
            Ok(format!("{}: the history is in {}; {said}", target.name, output.display()))
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

/// The plan that the input in a file means.
fn plan_of(target: &Target, input: &Path) -> io::Result<Plan> {
    let no_plan = || io::Error::other("its inputs are no plans");
    schedule::plan_of(target.name, &fs::read(input)?).ok_or_else(no_plan)
}

/// When a history begins, in UTC. The binary that a fuzzer drives writes none.
#[cfg(not(fuzzing))]
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(fuzzing)]
fn now() -> String {
    String::new()
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
