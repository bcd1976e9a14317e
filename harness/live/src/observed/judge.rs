//! Hands what happened to the invariants of the system.

use std::path::{Path, PathBuf};

use quorate_checkers::history::{Time, Violation};
use quorate_plan::{Endpoint, Plan, SystemPlan};
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
    /// When its history began, by [`super::now`].
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

/// Judges a run anew by what its nodes and clients told of themselves in `folder`: what does not hold, in the order
/// in which it was seen; or why the invariants cannot see the whole run.
///
/// When its history began is not known here: `happened` counts from another moment, and so does the time in `what`.
pub fn judge_again(folder: &Path, plan: &Plan, mutants: Mutants) -> Result<Vec<Violation>, String> {
    let system = plan.system.clone();
    let kind = registry::find(&system.kind).map_err(|error| error.to_string())?;
    let scene = Scene { folder: folder.to_owned(), kind, system, mutants, began: 0 };
    let Judgement { violations, trouble } = judge(scene);
    trouble.map_or(Ok(violations), Err)
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
        let happened = t.saturating_sub(self.began);
        let ms = happened / 1_000_000;
        Violation {
            demand: invariant.to_owned(),
            targets: by.into_iter().map(name).collect(),
            what: format!("{what} ({}.{:03} s into the run)", ms / 1_000, ms % 1_000),
            happened: Some(Time(happened)),
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
        Sight::Lies => World::Lies { who: who(by) },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use quorate_systems::contract::{Incarnation, Ticket};
    use tempfile::TempDir;

    use super::super::{Log, Seeing};
    use super::*;
    use crate::node::toy::{Message, Toy};

    /// Whoever answers has made durable what it was told.
    #[derive(Debug, Default)]
    pub(crate) struct Durability {
        asked: BTreeMap<NodeId, Ticket>,
        lying: Vec<NodeId>,
    }

    impl Watched for Toy {
        type Invariants = Durability;
    }

    impl Invariants<Toy> for Durability {
        const NAMES: &'static [(&'static str, &'static str)] = &[("T-1", "durable first")];

        fn new((): &()) -> Self {
            Self::default()
        }

        fn reset(&mut self, (): &()) {
            *self = Self::default();
        }

        fn see(&mut self, seen: &World<'_, Toy>, broken: &mut Vec<Broken>) {
            match *seen {
                World::Persisted { node, ticket, .. } => {
                    self.asked.insert(node, ticket);
                }
                World::Durable { node, .. } => {
                    self.asked.remove(&node);
                }
                World::Sent { from: Who::Node(node), .. }
                    if self.asked.contains_key(&node) && !self.lying.contains(&node) =>
                {
                    let (by, what) = (vec![Who::Node(node)], "told too early".to_owned());
                    broken.push(Broken { invariant: "T-1", by, what });
                }
                World::Lies { who: Who::Node(node) } => self.lying.push(node),
                World::Lies { who: Who::Client(_) }
                | World::Started { .. }
                | World::Found { .. }
                | World::Sent { .. }
                | World::Observed { .. } => {}
            }
        }
    }

    const N0: Endpoint = Endpoint::Node(0);
    const C0: Endpoint = Endpoint::Client(0);

    /// The folder of a run of one node.
    struct Run {
        folder: TempDir,
        node: Log,
    }

    impl Run {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let node = folder.path().join(NODES).join("n0");
            fs::create_dir_all(&node).unwrap();
            fs::write(folder.path().join(CLIENTS), "").unwrap();
            let node = Log::open(&node.join(OBSERVED)).unwrap();
            Self { folder, node }
        }

        fn see(&mut self, sights: &[Seeing<'_, Toy>]) {
            for saw in sights {
                self.node.note::<Toy>(N0, saw);
            }
            self.node.write().unwrap();
        }

        fn judge(&self) -> (Vec<Violation>, Result<(), String>) {
            let system = SystemPlan { kind: "toy".to_owned(), nodes: 1, options: BTreeMap::new() };
            let scene = Scene {
                folder: self.folder.path().to_owned(),
                kind: SystemKind::Quorum,
                system,
                mutants: Mutants::NONE,
                began: super::super::now(),
            };
            let mut violations = Vec::new();
            let ended = scene.watch::<Toy>(&mut violations);
            (violations, ended)
        }
    }

    const RECORD: (u64, Vec<u8>) = (7, Vec::new());
    const BOOT: Seeing<'static, Toy> = Sight::Boot(Incarnation(1));
    const PERSIST: Seeing<'static, Toy> = Sight::Persist { ticket: Ticket(1), record: &RECORD };
    const DURABLE: Seeing<'static, Toy> = Sight::Durable(Ticket(1));
    const SENT: Seeing<'static, Toy> = Sight::Sent { to: C0, message: &Message::Sum(7) };

    #[test]
    fn what_breaks_an_invariant_is_told_with_whose_doing_it_is_and_when() {
        let mut run = Run::new();
        run.see(&[BOOT, PERSIST]);
        run.see(&[SENT]);
        let (mut violations, ended) = run.judge();
        let happened = violations.first_mut().and_then(|violation| violation.happened.take());
        assert!(happened.is_some());
        let expected = Violation {
            demand: "T-1".to_owned(),
            targets: vec!["n0".to_owned()],
            what: "told too early (0.000 s into the run)".to_owned(),
            happened: None,
        };
        assert_eq!((violations, ended), (vec![expected], Ok(())));
    }

    #[test]
    fn a_run_in_which_all_is_well_breaks_nothing_and_a_liar_is_not_judged() {
        let mut run = Run::new();
        run.see(&[BOOT, PERSIST]);
        run.see(&[DURABLE, SENT]);
        run.see(&[PERSIST, Sight::Lies, SENT]);
        assert_eq!(run.judge(), (Vec::new(), Ok(())));
    }

    #[test]
    fn the_first_hundred_violations_are_enough() {
        let mut run = Run::new();
        run.see(&[PERSIST]);
        run.see(&[SENT; 300]);
        let (violations, ended) = run.judge();
        assert_eq!((violations.len(), ended), (VIOLATIONS_MAX, Ok(())));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_what_was_found_before_it_stands() {
        let mut run = Run::new();
        run.see(&[PERSIST, SENT]);
        let clients = run.folder.path().join(CLIENTS);
        let line = format!("{{\"t\":{},\"by\":\"c0\",\"saw\":{{\"durable\":1}}}}\n", u64::MAX);
        fs::write(&clients, line).unwrap();
        let (violations, ended) = run.judge();
        assert_eq!(violations.len(), 1);
        assert_eq!(ended, Err("c0 tells what only a node can".to_owned()));

        fs::write(&clients, "nonsense\n").unwrap();
        assert!(run.judge().1.unwrap_err().contains("clients.jsonl line 1: "));
        fs::remove_file(&clients).unwrap();
        assert!(run.judge().1.unwrap_err().contains("clients.jsonl line 1: cannot be read"));
    }
}
