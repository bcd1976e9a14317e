//! Runs the cores of a run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use quorate_checkers::history::HistoryFile;
use quorate_plan::Plan;
use quorate_systems::contract::{ClientId, ConfigError, NodeId, System};
use quorate_systems::mutant::Mutants;
use quorate_systems::{WithSystem, with_system};
use quorate_world::inputs::{
    self, Account, Accountant, BadLog, Log, Owner, Reexecution, Step, Title,
};
use quorate_world::invariants::Who;
use quorate_world::registry::{self, UnknownSystem};

use super::ends::{Ends, HowCut};
use super::milestones::Milestones;
use super::recorded::Operations;
use super::seal::{self, Kept};
use crate::run::stage::has_administrator;

/// Why nothing can be said of the cores of a run.
#[derive(Debug, thiserror::Error)]
pub enum ReexecuteError {
    /// A log is not there.
    #[error("{} is not there", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// Something that is no file is in the place of a log.
    #[error("{} is no file but {what}", path.display())]
    NoFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A log is there and cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A log is damaged, or belongs to something else.
    #[error(transparent)]
    Damaged(#[from] BadLog),
    /// A log is not the one that the run left.
    #[error("{}: {why}", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
        /// How that shows.
        why: String,
    },
    /// The clients did not do what the history says.
    #[error("{} does not belong to the history: {why}", path.display())]
    Unlike {
        /// Their log.
        path: PathBuf,
        /// What is different first.
        why: String,
    },
    /// The plan names a system that there is not.
    #[error(transparent)]
    System(#[from] UnknownSystem),
    /// The system refuses its options.
    #[error(transparent)]
    Options(#[from] ConfigError),
}

/// A run whose cores were run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reexecuted {
    /// What came of it.
    pub done: Reexecution,
    /// What was not run again since its inputs are missing, though nobody had been killed: a line for each log.
    /// Nothing is looked for behind a step that came to something else.
    pub missing: Vec<String>,
    /// How many lives were cut off for which reason.
    pub cuts: BTreeMap<HowCut, u64>,
}

/// Runs every core of the run in `folder` again, nodes and clients, from the inputs that were written down there,
/// compares what each step comes to with what it came to then, and all of it with the history of the run.
///
/// A core that panics is caught, and what this program does at a panic is not silenced.
pub fn reexecute(
    folder: &Path,
    file: &HistoryFile,
    plan: &Plan,
    mutants: Mutants,
) -> Result<Reexecuted, ReexecuteError> {
    Recorded { folder, file, plan }.run_again(mutants, &mut ())
}

/// As [`reexecute`]; what happened in the run, as far as every core does what it did.
pub fn account(
    folder: &Path,
    file: &HistoryFile,
    plan: &Plan,
    mutants: Mutants,
) -> Result<Account, ReexecuteError> {
    let mut accountant = Accountant::default();
    Recorded { folder, file, plan }.run_again(mutants, &mut accountant)?;
    Ok(accountant.finish())
}

/// As [`reexecute`]; how often cores came to each milestone of their system, by name, as far as every core does what it
/// did.
pub fn milestones(
    folder: &Path,
    file: &HistoryFile,
    plan: &Plan,
    mutants: Mutants,
) -> Result<BTreeMap<&'static str, u64>, ReexecuteError> {
    let mut milestones = Milestones::default();
    Recorded { folder, file, plan }.run_again(mutants, &mut milestones)?;
    Ok(milestones.0)
}

/// Whoever looks on while cores run again.
pub(super) trait Notes {
    /// A core did something once more.
    fn note<S: System>(&mut self, step: &Step<'_, S>);
}

impl Notes for Accountant {
    fn note<S: System>(&mut self, step: &Step<'_, S>) {
        Self::note(self, step);
    }
}

/// Nobody looks on.
impl Notes for () {
    fn note<S: System>(&mut self, _step: &Step<'_, S>) {}
}

/// What is left of a run.
struct Recorded<'a> {
    folder: &'a Path,
    file: &'a HistoryFile,
    plan: &'a Plan,
}

impl Recorded<'_> {
    fn run_again<N: Notes>(
        &self,
        mutants: Mutants,
        notes: &mut N,
    ) -> Result<Reexecuted, ReexecuteError> {
        let Self { file, plan, .. } = self;
        let kind = registry::find(&plan.system.kind)?;
        let logs = self.logs()?;
        let has_footer = file.footer.is_some();
        let mut operations = Operations::of(&file.history, plan.workload.clients, has_footer);
        let mut seen = BTreeSet::new();
        let again =
            Again { logs, plan, mutants, notes, operations: &mut operations, seen: &mut seen };
        let done = with_system(kind, again)?;
        // Of a log that somebody changed the cores are not to be blamed.
        let short = self.compare_logs()?;
        let mut again = Reexecuted { done, missing: Vec::new(), cuts: BTreeMap::new() };
        if again.done.mismatch.is_some() {
            return Ok(again);
        }
        if let Some(why) = operations.wrong() {
            let path = self.path(&self.file_of(Owner::Clients));
            return Err(ReexecuteError::Unlike { path, why: why.to_owned() });
        }
        again.missing.extend(short.values().cloned());
        let is_short = |owner: Owner| short.contains_key(&self.file_of(owner));
        self.tell_absent(&seen, &is_short, &mut again);
        if !is_short(Owner::Clients) && again.missing.is_empty() {
            let clients = self.file_of(Owner::Clients);
            let missing = operations.missing();
            again.missing.extend(missing.map(|what| format!("{clients} breaks off: {what}")));
        }
        self.explain_cuts(&is_short, &mut again);
        Ok(again)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn file_of(&self, owner: Owner) -> String {
        let mut files = seal::files(self.plan.system.nodes);
        files.find(|(_, of)| *of == owner).map(|(file, _)| file).unwrap_or_default()
    }

    /// What every core of the run took in.
    fn logs(&self) -> Result<Vec<Log<File>>, ReexecuteError> {
        let run = seal::run_id(&self.file.header);
        let files = seal::files(self.plan.system.nodes);
        files.map(|(file, of)| open(self.path(&file), Title { run: run.clone(), of })).collect()
    }

    /// Those of the logs that are shorter than at the end of the run, by their names, and a line on each. A log
    /// that is another one than then is an error.
    fn compare_logs(&self) -> Result<BTreeMap<String, String>, ReexecuteError> {
        let mut short = BTreeMap::new();
        let Some(footer) = &self.file.footer else { return Ok(short) };
        for (file, _) in seal::files(self.plan.system.nodes) {
            let Some(sealed) = footer.inputs.iter().find(|sealed| sealed.file == file) else {
                let what = format!("the history does not say how long {file} was");
                short.insert(file, what);
                continue;
            };
            let path = self.path(&file);
            match seal::compare(&path, sealed) {
                Ok(Kept::Whole) => {}
                Ok(Kept::Short { left }) => {
                    let bytes = sealed.bytes;
                    let what = format!("{file} breaks off: {left} of its {bytes} bytes are left");
                    short.insert(file, what);
                }
                Ok(Kept::Changed(why)) => return Err(ReexecuteError::Changed { path, why }),
                Err(error) => return Err(ReexecuteError::Unread { path, error }),
            }
        }
        Ok(short)
    }

    /// Every node and every client of the plan has come up, at least.
    fn tell_absent(
        &self,
        seen: &BTreeSet<Who>,
        is_short: &dyn Fn(Owner) -> bool,
        again: &mut Reexecuted,
    ) {
        let nodes = (0..self.plan.system.nodes).map(NodeId);
        let clients = self.plan.workload.clients + u32::from(has_administrator(self.plan));
        let nodes = nodes.map(|node| (Owner::Node(node), Who::Node(node)));
        let clients = (0..clients).map(|client| (Owner::Clients, Who::Client(ClientId(client))));
        let absent =
            nodes.chain(clients).find(|(owner, who)| !seen.contains(who) && !is_short(*owner));
        if let Some((owner, who)) = absent {
            let file = self.file_of(owner);
            again.missing.push(format!("{file} breaks off: {who} has not come up in it"));
        }
    }

    /// Says of every life that was cut off why, or that there was no reason.
    fn explain_cuts(&self, is_short: &dyn Fn(Owner) -> bool, again: &mut Reexecuted) {
        let ends = Ends::of(self.file);
        for cut in &again.done.lives_cut {
            let owner = match cut.who {
                Who::Node(node) => Owner::Node(node),
                Who::Client(_) => Owner::Clients,
            };
            if let Some(how) = ends.why(cut) {
                *again.cuts.entry(how).or_default() += 1;
            } else if !is_short(owner) {
                let (file, who, life) = (self.file_of(owner), cut.who, cut.incarnation.0);
                again.missing.push(format!(
                    "{file} breaks off: {who}, life {life}, has no digest of its last step, and the history \
                     knows of no end of {who}"
                ));
            }
        }
    }
}

fn open(path: PathBuf, title: Title) -> Result<Log<File>, ReexecuteError> {
    let about = match fs::metadata(&path) {
        Ok(about) => about.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ReexecuteError::Missing { path });
        }
        Err(error) => return Err(ReexecuteError::Unread { path, error }),
    };
    if !about.is_file() {
        // Whoever opens a pipe waits for somebody to write to it.
        let what = match about {
            about if about.is_dir() => "a folder",
            about if about.is_fifo() => "a pipe",
            about if about.is_socket() => "a socket",
            _ => "a device",
        };
        return Err(ReexecuteError::NoFile { path, what });
    }
    match File::open(&path) {
        Ok(source) => Ok(Log { name: path.display().to_string(), title, source }),
        Err(error) => Err(ReexecuteError::Unread { path, error }),
    }
}

struct Again<'a, 'h, N> {
    logs: Vec<Log<File>>,
    plan: &'a Plan,
    mutants: Mutants,
    notes: &'a mut N,
    operations: &'a mut Operations<'h>,
    /// Who has come up.
    seen: &'a mut BTreeSet<Who>,
}

impl<N: Notes> WithSystem for Again<'_, '_, N> {
    type Out = Result<Reexecution, ReexecuteError>;

    fn with<S: System>(self) -> Self::Out {
        let system = &self.plan.system;
        let config = S::configure(system.nodes, &system.options, self.mutants)?;
        let mut visit = |step: &Step<'_, S>| {
            self.seen.insert(step.who);
            self.operations.note(step);
            self.notes.note(step);
        };
        Ok(inputs::reexecute::<S, _>(self.logs, &config, &mut visit)?)
    }
}
