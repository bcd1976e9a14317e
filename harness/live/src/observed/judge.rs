//! Hands what happened to the invariants of the system.

use std::path::PathBuf;

use quorate_checkers::history::Violation;
use quorate_plan::{Endpoint, SystemPlan};
use quorate_systems::SystemKind;
use quorate_systems::contract::{ClientId, NodeId, System};
use quorate_systems::mutant::Mutants;
use quorate_world::invariants::{Broken, Invariants, Seen as World, Watched, Who};
use quorate_world::registry::{self, WithWatched};

use super::merge::Merge;
use super::{CLIENTS, OBSERVED, Sight};
use crate::cluster::NODES;

/// So many violations of a run are told: what comes after the first ones mostly follows from them.
const VIOLATIONS_MAX: usize = 100;

/// The run that is to be judged.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What ran.
    pub(crate) kind: SystemKind,
    /// As what.
    pub(crate) system: SystemPlan,
    /// With what planted in it.
    pub(crate) mutants: Mutants,
    /// When it began, by [`super::now`].
    pub(crate) began: u64,
}

/// What the invariants say of a run.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// What does not hold, in the order in which it was seen.
    pub(crate) violations: Vec<Violation>,
    /// Why that is not all that can be said, if it is not.
    pub(crate) trouble: Option<String>,
}

/// Judges a run whose processes have all ended. Memory does not grow with the length of the run.
pub(crate) fn judge(scene: Scene) -> Judgement {
    let kind = scene.kind;
    registry::with_watched(kind, scene)
}

impl Scene {
    fn files(&self) -> Vec<PathBuf> {
        let nodes = self.folder.join(NODES);
        let of_node = |node| nodes.join(format!("n{node}")).join(OBSERVED);
        let mut files: Vec<PathBuf> = (0..self.system.nodes).map(of_node).collect();
        files.push(self.folder.join(CLIENTS));
        files
    }
}

impl WithWatched for Scene {
    type Out = Judgement;

    fn with<S: Watched>(self) -> Judgement {
        let mut violations = Vec::new();
        let trouble = self.watch::<S>(&mut violations).err();
        let trouble =
            trouble.map(|why| format!("the invariants have not seen the whole run: {why}"));
        Judgement { violations, trouble }
    }
}

impl Scene {
    fn watch<S: Watched>(&self, violations: &mut Vec<Violation>) -> Result<(), String> {
        let SystemPlan { nodes, options, .. } = &self.system;
        let config =
            S::configure(*nodes, options, self.mutants).map_err(|error| error.to_string())?;
        let files = self.files();
        let mut merge = Merge::<S>::open(files.iter().map(PathBuf::as_path))
            .map_err(|error| error.to_string())?;
        let mut invariants = S::Invariants::new(&config);
        let mut broken = Vec::new();
        while let Some((t, by, saw)) = merge.next().map_err(|error| error.to_string())? {
            let Some(seen) = as_world::<S>(by, &saw) else {
                return Err(format!("{by} tells what only a node can"));
            };
            invariants.see(&seen, &mut broken);
            violations.extend(broken.drain(..).map(|broken| self.violation(t, broken)));
            if violations.len() >= VIOLATIONS_MAX {
                break;
            }
        }
        Ok(())
    }

    fn violation(&self, t: u64, broken: Broken) -> Violation {
        let Broken { invariant, by, what } = broken;
        let ms = t.saturating_sub(self.began) / 1_000_000;
        Violation {
            demand: invariant.to_owned(),
            targets: by.into_iter().map(name).collect(),
            what: format!("{what} ({}.{:03} s into the run)", ms / 1_000, ms % 1_000),
        }
    }
}

fn name(who: Who) -> String {
    match who {
        Who::Node(node) => node.to_string(),
        Who::Client(client) => client.to_string(),
    }
}

fn who(end: Endpoint) -> Who {
    match end {
        Endpoint::Node(node) => Who::Node(NodeId(node)),
        Endpoint::Client(client) => Who::Client(ClientId(client)),
    }
}

/// In the words of all worlds; nothing where a client tells what only a node can.
fn as_world<S: System>(by: Endpoint, saw: &super::Seen<S>) -> Option<World<'_, S>> {
    let node = match by {
        Endpoint::Node(node) => Some(NodeId(node)),
        Endpoint::Client(_) => None,
    };
    Some(match saw {
        Sight::Boot(incarnation) => World::Started { node: node?, incarnation: *incarnation },
        Sight::Found(record) => World::Found { node: node?, record },
        Sight::Persist { ticket, record } => {
            World::Persisted { node: node?, ticket: *ticket, record }
        }
        Sight::Durable(ticket) => World::Durable { node: node?, ticket: *ticket },
        Sight::Sent { to, message } => World::Sent { from: who(by), to: who(*to), message },
        Sight::Observed(observation) => World::Observed { by: who(by), observation },
        Sight::Lies => World::Lies { node: node? },
    })
}
