//! The same by other processes.

use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use quorate_systems::SystemKind;

use super::difference::{Difference, Way};
use super::record::Recorder;
use super::{BLOCK, Seeds};
use crate::error::CliError;
use crate::output;
use crate::progress::Counter;
use crate::threads;

/// A process that runs the seeds again.
pub(super) struct Helper {
    /// How it does.
    pub(super) name: String,
    /// The program, with what has to stand before it.
    command: Vec<PathBuf>,
    threads: NonZeroUsize,
    /// Why there is none.
    skipped: Option<String>,
}

/// All helpers that there are to be.
pub(super) fn helpers(
    against: Option<&Path>,
    threads: NonZeroUsize,
) -> Result<Vec<Helper>, CliError> {
    let me = std::env::current_exe()
        .map_err(|error| CliError::harness(format_args!("cannot find this program: {error}")))?;
    let more = threads.saturating_add(1);
    let mut helpers = vec![Helper {
        name: format!("in another process, with {more} threads"),
        command: vec![me.clone()],
        threads: more,
        skipped: None,
    }];
    helpers.push(Helper {
        name: "in a process whose addresses are not randomised (setarch -R)".to_owned(),
        command: vec![PathBuf::from("setarch"), PathBuf::from("-R"), me],
        threads,
        skipped: why_no_setarch(),
    });
    if let Some(path) = against {
        helpers.push(Helper {
            name: format!("by {}", path.display()),
            // A bare name would be looked for in PATH.
            command: vec![Path::new(".").join(path)],
            threads,
            skipped: None,
        });
    }
    Ok(helpers)
}

/// util-linux may be missing, and a container may forbid what it does.
fn why_no_setarch() -> Option<String> {
    let mut trial = Command::new("setarch");
    trial.args(["-R", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match trial.status() {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("setarch -R true: {status}")),
        Err(error) => Some(format!("setarch of util-linux: {error}")),
    }
}

impl Helper {
    /// Has all seeds run by it, and compares with the digests of this process.
    pub(super) fn compare(
        &self,
        kind: SystemKind,
        seeds: Seeds,
        digests: &[blake3::Hash],
        counter: &Counter,
    ) -> Result<Way, CliError> {
        if let Some(why) = &self.skipped {
            return Ok(Way::skipped(&self.name, why.clone()));
        }
        let theirs = self.digests(kind, seeds, BLOCK, counter)?;
        let blocks: Vec<_> = digests.chunks(BLOCK.get()).map(combined).collect();
        self.must_be_as_many(theirs.len(), blocks.len())?;
        let differ: Vec<usize> = differing(&blocks, &theirs);
        let first = match differ.first() {
            Some(block) => {
                let first = block * BLOCK.get();
                let inside = digests.get(first..).unwrap_or_default();
                let inside = inside.get(..BLOCK.get()).unwrap_or(inside);
                let seeds = Seeds { first: seeds.nth(first), count: inside.len() };
                Some(self.first_difference(kind, seeds, inside)?)
            }
            None => None,
        };
        Ok(Way {
            name: self.name.clone(),
            skipped: None,
            differences: differ.len(),
            unit: format!("blocks of {BLOCK} seeds"),
            first,
        })
    }

    /// Which seed of a block it is, and where its history differs.
    fn first_difference(
        &self,
        kind: SystemKind,
        seeds: Seeds,
        digests: &[blake3::Hash],
    ) -> Result<Difference, CliError> {
        let silent = Counter::new(true, 0);
        let theirs = self.digests(kind, seeds, NonZeroUsize::MIN, &silent)?;
        self.must_be_as_many(theirs.len(), digests.len())?;
        let single: Vec<_> = digests.chunks(1).map(combined).collect();
        let place = differing(&single, &theirs).first().copied();
        let seed = seeds.nth(place.unwrap_or(0));
        let ours = Recorder::new(kind).record(seed)?;
        let theirs = self.history(kind, seed)?;
        let not_again =
            || Difference { seed, line: None, expected: String::new(), found: String::new() };
        Ok(Difference::between(seed, &ours, &theirs).unwrap_or_else(not_again))
    }

    /// The digests that it tells, one for each `size` seeds.
    fn digests(
        &self,
        kind: SystemKind,
        seeds: Seeds,
        size: NonZeroUsize,
        counter: &Counter,
    ) -> Result<Vec<String>, CliError> {
        let mut command = self.command(kind, seeds);
        command.arg("--digest-each").arg(size.to_string());
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| self.failed(&e))?;
        let mut digests = Vec::new();
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            digests.push(line.map_err(|error| self.failed(&error))?);
            counter.add(size.get() as u64);
        }
        let status = child.wait().map_err(|error| self.failed(&error))?;
        if status.success() { Ok(digests) } else { Err(self.failed(&status)) }
    }

    fn history(&self, kind: SystemKind, seed: u64) -> Result<Vec<u8>, CliError> {
        let mut command = self.command(kind, Seeds { first: seed, count: 1 });
        let ended = command.arg("--record").stderr(Stdio::inherit()).output();
        let ended = ended.map_err(|error| self.failed(&error))?;
        if ended.status.success() { Ok(ended.stdout) } else { Err(self.failed(&ended.status)) }
    }

    fn command(&self, kind: SystemKind, seeds: Seeds) -> Command {
        let (program, before) = self.command.split_first().expect("a program is named");
        let mut command = Command::new(program);
        command.args(before).args(["doctor", "--quiet", "--system", kind.name()]);
        command.args(["--seed", &seeds.first.to_string(), "--seeds", &seeds.count.to_string()]);
        command.args(["--threads", &self.threads.to_string()]);
        command.stdin(Stdio::null());
        command
    }

    fn must_be_as_many(&self, theirs: usize, ours: usize) -> Result<(), CliError> {
        if theirs == ours {
            return Ok(());
        }
        Err(self.failed(&format_args!("it told {theirs} digests instead of {ours}")))
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> CliError {
        let program = self.command.last().expect("a program is named").display();
        CliError::harness(format_args!("{program} does not run the seeds again: {why}"))
            .hint("it must be a build of this program, and be there")
    }
}

/// What a helper does: tells one digest for each `size` seeds, in order.
pub(super) fn tell(
    kind: SystemKind,
    seeds: Seeds,
    size: NonZeroUsize,
    threads: NonZeroUsize,
) -> Result<ExitCode, CliError> {
    // So many at a time that every thread has work and the other side hears from us now and then.
    let batch = size.get().max(threads.get() * BATCH_PER_THREAD / size.get() * size.get());
    let mut from = 0;
    while from < seeds.count {
        let count = batch.min(seeds.count - from);
        let make = || Recorder::new(kind);
        let work = |recorder: &mut Recorder, job: usize| {
            recorder.record(seeds.nth(from + job)).map(|history| blake3::hash(&history))
        };
        let digests: Vec<_> =
            threads::spread(threads, count, make, work).into_iter().collect::<Result<_, _>>()?;
        let lines: String =
            digests.chunks(size.get()).map(|block| combined(block) + "\n").collect();
        output::print(&lines)?;
        from += count;
    }
    Ok(ExitCode::SUCCESS)
}

const BATCH_PER_THREAD: usize = 200;

/// One digest for several.
fn combined(digests: &[blake3::Hash]) -> String {
    let mut all = blake3::Hasher::new();
    for digest in digests {
        all.update(digest.as_bytes());
    }
    all.finalize().to_hex().to_string()
}

/// The places where the two differ.
fn differing(ours: &[String], theirs: &[String]) -> Vec<usize> {
    let pairs = ours.iter().zip(theirs).enumerate();
    pairs.filter(|(_, (ours, theirs))| ours != theirs).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that answers with `script` whatever it is asked.
    fn compare(script: &str, count: usize) -> Result<Way, CliError> {
        let mut helper = Helper {
            name: "by a shell".to_owned(),
            command: vec!["sh".into(), "-c".into(), script.into()],
            threads: NonZeroUsize::MIN,
            skipped: None,
        };
        let kind = SystemKind::Quorum;
        let seeds = Seeds { first: 1, count };
        let mut recorder = Recorder::new(kind);
        let digests: Vec<_> = (0..count)
            .map(|place| blake3::hash(&recorder.record(seeds.nth(place)).unwrap()))
            .collect();
        helper.command.push("sh".into());
        helper.compare(kind, seeds, &digests, &Counter::new(true, 0))
    }

    #[test]
    fn a_helper_that_comes_to_something_else_is_found_out_with_seed_and_line() {
        let script = "case \"$*\" in *--record*) echo other;; *) printf 'a\\nb\\nc\\n' | \
                      head -n $(case \"$*\" in *'--digest-each 100'*) echo 1;; *) echo 3;; esac);; esac";
        let way = compare(script, 3).unwrap();
        assert_eq!(way.differences, 1);
        let first = way.first.unwrap();
        assert_eq!((first.seed, first.line), (1, Some(1)));
        assert_eq!(first.found, "other");
    }

    #[test]
    fn a_helper_that_fails_is_no_difference() {
        for script in ["exit 3", "true"] {
            let error = compare(script, 2).unwrap_err();
            assert_eq!(error.exit_code(), crate::error::EXIT_HARNESS, "{script}");
        }
    }
}
