//! Which tests there are in a folder.
//!
//! A folder in which a history stands is a run, and what a run leaves there belongs to it ([`is_of_run`]). Whatever
//! else stands beside it is a test of its own, as it would be anywhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::run::plan_file;
use crate::commands::torture;
use crate::error::CliError;
use crate::packed;
use crate::store;

/// What can be replayed in a folder and those below, in the order of names: histories, folders of runs, packed runs, and
/// plans.
pub(super) struct Tests {
    pub(super) folder: PathBuf,
    pub(super) paths: Vec<PathBuf>,
    /// What was left out, with why.
    pub(super) left_out: Vec<(PathBuf, &'static str)>,
}

impl Tests {
    /// Looks for all there are.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, CliError> {
        let root = real(folder)?;
        let found = Self { folder: folder.to_owned(), paths: Vec::new(), left_out: Vec::new() };
        let mut search = Search { seen: BTreeSet::from([root.clone()]), root, found };
        search.collect(folder)?;
        let found = search.found;
        if !found.paths.is_empty() {
            return Ok(found);
        }
        let nothing =
            CliError::usage(format_args!("there is nothing to replay in {}", folder.display()));
        let nothing = found.left_out.iter().fold(nothing, |nothing, (path, why)| {
            nothing.hint(format_args!("{} was left out: {why}", path.display()))
        });
        Err(nothing.hint(
            "put plans that say what they show (*.toml, *.json), histories (*.jsonl), packed runs (*.tar.gz) or folders of \
             runs there",
        ))
    }

    /// Whether the folder is that of a run with nothing else in it.
    pub(super) fn are_one_run(&self) -> bool {
        self.left_out.is_empty()
            && self.paths.len() == 1
            && self.paths.first() == Some(&self.folder)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.paths.len() as u64
    }

    /// How a path below the folder is called.
    pub(super) fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        let below = if below.as_os_str().is_empty() { Path::new(store::HISTORY) } else { below };
        below.display().to_string()
    }
}

struct Search {
    /// Where it began, without links.
    root: PathBuf,
    /// The folders that were looked into, without links.
    seen: BTreeSet<PathBuf>,
    found: Tests,
}

impl Search {
    fn collect(&mut self, folder: &Path) -> Result<(), CliError> {
        let cannot = |error| store::cannot("read", folder, &error);
        let listed = fs::read_dir(folder).map_err(cannot)?;
        let mut paths: Vec<PathBuf> = listed
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(cannot)?;
        paths.sort();
        let is_run = has(folder, store::HISTORY);
        if is_run {
            self.found.paths.push(folder.to_owned());
        }
        let is_ended = has(folder, store::RESULTS);
        for path in paths {
            if is_run && is_of_run(&path, is_ended) {
                continue;
            }
            if path.is_dir() {
                self.enter(path)?;
            } else if is_replayable(&path) {
                self.found.paths.push(path);
            } else if !path.exists() {
                self.found.left_out.push((path, "a link that leads nowhere"));
            }
        }
        Ok(())
    }

    /// Looks into a folder below, or one that a link leads to. What is below where it began is looked into there, and
    /// nothing twice: a link may lead back up, as `latest` does in a store.
    fn enter(&mut self, folder: PathBuf) -> Result<(), CliError> {
        let place = real(&folder)?;
        if folder.is_symlink() {
            if place.starts_with(&self.root) {
                return Ok(());
            }
            if self.root.starts_with(&place) {
                self.found.left_out.push((folder, "a link to a folder that holds this one"));
                return Ok(());
            }
        }
        if self.seen.insert(place) { self.collect(&folder) } else { Ok(()) }
    }
}

/// Where a path leads, without links.
fn real(folder: &Path) -> Result<PathBuf, CliError> {
    folder.canonicalize().map_err(|error| store::cannot("read", folder, &error))
}

/// Whether a file of this name stands in a folder, readable or not.
fn has(folder: &Path, name: &str) -> bool {
    let path = folder.join(name);
    path.symlink_metadata().is_ok() && !path.is_dir()
}

/// Whether it is what a run leaves beside its history. What `quorate shrink` and `quorate hunt` made of a run stands
/// there only together with its results.
fn is_of_run(path: &Path, is_ended: bool) -> bool {
    let name = path.file_name().unwrap_or_default();
    OF_RUN.iter().any(|of_run| name == *of_run)
        || (is_ended && OF_ENDED_RUN.iter().any(|of_run| name == *of_run))
}

const OF_RUN: [&str; 4] = [store::HISTORY, "nodes", "clients.jsonl", "clients-inputs.log"];
const OF_ENDED_RUN: [&str; 2] = ["plan.toml", "from-live.toml"];
/// What this program writes as JSON and is no plan, wherever it stands.
const NO_PLANS: [&str; 3] = [store::RESULTS, "hunt.json", torture::FINDING];

fn is_replayable(path: &Path) -> bool {
    let ends = |ending: &str| {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
    };
    let is_plan = ends("toml") || ends("json");
    let is_no_plan = || NO_PLANS.iter().any(|name| path.file_name().unwrap_or_default() == *name);
    (is_plan && !is_no_plan()) || plan_file::is_history(path) || packed::is_packed(path)
}
