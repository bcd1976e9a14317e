//! Runs the cores of a run again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use quorate_plan::Plan;
use quorate_systems::contract::{ConfigError, System};
use quorate_systems::mutant::Mutants;
use quorate_systems::{WithSystem, with_system};
use quorate_world::inputs::{self, Account, Accountant, BadLog, Log, Reexecution, Step};
use quorate_world::registry::{self, UnknownSystem};

use super::{CLIENT_INPUTS, INPUTS};
use crate::cluster::NODES;

/// Why nothing can be said of the cores of a run.
#[derive(Debug, thiserror::Error)]
pub enum ReexecuteError {
    /// A log is not there.
    #[error("{} is not there", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// A log is there and cannot be opened.
    #[error("{} cannot be opened: {error}", path.display())]
    Unopened {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A log is damaged.
    #[error(transparent)]
    Damaged(#[from] BadLog),
    /// The plan names a system that there is not.
    #[error(transparent)]
    System(#[from] UnknownSystem),
    /// The system refuses its options.
    #[error(transparent)]
    Options(#[from] ConfigError),
}

/// Runs every core of the run in `folder` again, nodes and clients, from the inputs that were written down there,
/// and compares what each step comes to with what it came to then.
///
/// A core that panics is caught, and what this program does at a panic is not silenced.
pub fn reexecute(
    folder: &Path,
    plan: &Plan,
    mutants: Mutants,
) -> Result<Reexecution, ReexecuteError> {
    let kind = registry::find(&plan.system.kind)?;
    let logs = logs(folder, plan)?;
    with_system(kind, Again { logs, plan, mutants, accountant: None })
}

/// As [`reexecute`]; what happened in the run, as far as every core does what it did.
pub fn account(folder: &Path, plan: &Plan, mutants: Mutants) -> Result<Account, ReexecuteError> {
    let kind = registry::find(&plan.system.kind)?;
    let logs = logs(folder, plan)?;
    let mut accountant = Accountant::default();
    with_system(kind, Again { logs, plan, mutants, accountant: Some(&mut accountant) })?;
    Ok(accountant.finish())
}

/// What every core of the run took in.
fn logs(folder: &Path, plan: &Plan) -> Result<Vec<Log<File>>, ReexecuteError> {
    let nodes =
        (0..plan.system.nodes).map(|node| folder.join(NODES).join(format!("n{node}")).join(INPUTS));
    let paths = nodes.chain([folder.join(CLIENT_INPUTS)]);
    paths.map(open).collect()
}

fn open(path: PathBuf) -> Result<Log<File>, ReexecuteError> {
    match File::open(&path) {
        Ok(source) => Ok(Log { name: path.display().to_string(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ReexecuteError::Missing { path })
        }
        Err(error) => Err(ReexecuteError::Unopened { path, error }),
    }
}

struct Again<'a> {
    logs: Vec<Log<File>>,
    plan: &'a Plan,
    mutants: Mutants,
    accountant: Option<&'a mut Accountant>,
}

impl WithSystem for Again<'_> {
    type Out = Result<Reexecution, ReexecuteError>;

    fn with<S: System>(mut self) -> Self::Out {
        let system = &self.plan.system;
        let config = S::configure(system.nodes, &system.options, self.mutants)?;
        let mut visit = |step: &Step<'_, S>| {
            if let Some(accountant) = &mut self.accountant {
                accountant.note(step);
            }
        };
        Ok(inputs::reexecute::<S, _>(self.logs, &config, &mut visit)?)
    }
}
