//! The systems by name, for those who may not know their types.

use quorate_plan::{Bearing, Plan};
use quorate_systems::SystemKind;
use quorate_systems::contract::{ConfigError, Lie, Options, System};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::paxos::Paxos;
use quorate_systems::paxos_single::PaxosSingle;
use quorate_systems::pbft::Pbft;
use quorate_systems::psb::Psb;
use quorate_systems::quorum::Quorum;
use quorate_systems::vr::Vr;

use crate::invariants::{Invariants, Watched};
use crate::regime::{self, RegimeError};
use crate::weather;

/// Something to be done with a system whose type is known only at run time, with its invariants.
pub trait WithWatched {
    /// What comes out of it.
    type Out;

    /// Does it with the system's types.
    fn with<S: Watched>(self) -> Self::Out;
}

/// The one place where a [`SystemKind`] becomes a type whose runs are watched.
pub fn with_watched<W: WithWatched>(kind: SystemKind, job: W) -> W::Out {
    match kind {
        SystemKind::Quorum => job.with::<Quorum>(),
        SystemKind::PaxosSingle => job.with::<PaxosSingle>(),
        SystemKind::Paxos => job.with::<Paxos>(),
        SystemKind::Psb => job.with::<Psb>(),
        SystemKind::Vr => job.with::<Vr>(),
        SystemKind::Pbft => job.with::<Pbft>(),
    }
}

/// The system of this name; the error lists those that there are.
pub fn find(name: &str) -> Result<SystemKind, UnknownSystem> {
    name.parse().map_err(|_| UnknownSystem {
        name: name.to_owned(),
        known: SystemKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "),
    })
}

/// No system has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no system `{name}`; there is {known}")]
pub struct UnknownSystem {
    /// The name as given.
    pub name: String,
    /// The names there are, comma-separated.
    pub known: String,
}

/// What a configured system promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promises {
    /// How many nodes may lie at once.
    pub liars_tolerated: u16,
    /// How they may lie, by name, in the order in which they are drawn.
    pub lies: Vec<&'static str>,
    /// How its clients may lie, by name; none where it believes them.
    pub client_lies: Vec<&'static str>,
    /// By how many millionths clocks may go too fast or too slow, without a jump; nothing where they may show
    /// what they like.
    pub drift_tolerated: Option<u32>,
    /// How many nodes may be without their memory at once while all goes on, where they keep it in themselves;
    /// nothing where they find on disk what they need.
    pub forgetting_tolerated: Option<u16>,
    /// Options that it can change to while it runs, one after the other; none where it cannot.
    pub changes: Vec<Options>,
}

impl Promises {
    /// What faults it bears.
    pub fn bearing(&self) -> Bearing {
        Bearing {
            liars: self.liars_tolerated,
            lying_clients: !self.client_lies.is_empty(),
            drift_ppm: self.drift_tolerated,
            memory: self.forgetting_tolerated,
            is_changing: !self.changes.is_empty(),
        }
    }
}

/// How many changes of its options are drawn for a run: more than any has.
const CHANGES: u64 = 8;

/// Checks a system's options as a node would at its start, and says what it promises with them.
///
/// The changes that it can make while it runs are drawn from `seed`.
pub fn promises(
    kind: SystemKind,
    nodes: u16,
    options: &Options,
    mutants: Mutants,
    seed: u64,
) -> Result<Promises, ConfigError> {
    with_watched(kind, Configure { nodes, options, mutants, seed })
}

struct Configure<'a> {
    nodes: u16,
    options: &'a Options,
    mutants: Mutants,
    seed: u64,
}

impl WithWatched for Configure<'_> {
    type Out = Result<Promises, ConfigError>;

    fn with<S: Watched>(self) -> Self::Out {
        if let Some(mutant) = self.mutants.0 {
            refuse_foreign(S::KIND, mutant)?;
        }
        let config = S::configure(self.nodes, self.options, self.mutants)?;
        let changes = draw_changes::<S>(&config, self.seed);
        let liars_tolerated = S::liars_tolerated(&config);
        let drift_tolerated = S::drift_tolerated(&config);
        let forgetting_tolerated = S::forgetting_tolerated(&config);
        let names = |lies: &[Lie]| lies.iter().map(|lie| lie.name()).collect();
        let (lies, client_lies) = (names(S::lies(&config)), names(S::client_lies(&config)));
        Ok(Promises {
            liars_tolerated,
            lies,
            client_lies,
            drift_tolerated,
            forgetting_tolerated,
            changes,
        })
    }
}

/// A planted bug is of one system.
fn refuse_foreign(kind: SystemKind, mutant: Mutant) -> Result<(), ConfigError> {
    if kind.mutants().any(|own| own == mutant) {
        return Ok(());
    }
    let known: Vec<&str> = kind.mutants().map(Mutant::name).collect();
    Err(ConfigError::Impossible(format!(
        "{kind} has no planted bug {mutant}; it has {}",
        known.join(", ")
    )))
}

/// Changes of which each is possible after the one before.
fn draw_changes<S: System>(config: &S::Config, seed: u64) -> Vec<Options> {
    let mut config = config.clone();
    let mut changes = Vec::new();
    for n in 0..CHANGES {
        let mut count = 0;
        let mut dice = |bound: u64| {
            count += 1;
            weather::between(weather::draw(seed, "change", &[n, count]), 0, bound.max(1) - 1)
        };
        let Some(options) = S::draw_change(&config, &mut dice) else { break };
        config = S::change(&config, &options).expect("what is drawn is possible");
        changes.push(options);
    }
    changes
}

/// As [`regime::check`], for a plan whose own options [`promises`] accepts.
pub fn check_regime(kind: SystemKind, plan: &Plan, mutants: Mutants) -> Result<(), RegimeError> {
    struct Check<'a>(&'a Plan, Mutants);
    impl WithWatched for Check<'_> {
        type Out = Result<(), RegimeError>;

        fn with<S: Watched>(self) -> Self::Out {
            let Self(plan, mutants) = self;
            match S::configure(plan.system.nodes, &plan.system.options, mutants) {
                Ok(config) => regime::check::<S>(plan, &config),
                // Whoever asks what the system promises is told what is wrong with it.
                Err(_) => Ok(()),
            }
        }
    }
    with_watched(kind, Check(plan, mutants))
}

/// The invariants of a system: each by its name, with what it demands.
pub fn invariants(kind: SystemKind) -> &'static [(&'static str, &'static str)] {
    struct Names;
    impl WithWatched for Names {
        type Out = &'static [(&'static str, &'static str)];

        fn with<S: Watched>(self) -> Self::Out {
            S::Invariants::NAMES
        }
    }
    with_watched(kind, Names)
}

/// A system's names in the form in which plans and reports take them.
pub fn vocabulary(kind: SystemKind) -> quorate_plan::Vocabulary {
    let own = kind.vocabulary();
    let pair = |name: &str, what: &str| (name.to_owned(), what.to_owned());
    let kind = |name: &str, what: &str, fields: &[&str]| quorate_plan::Kind {
        name: name.to_owned(),
        what: what.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    quorate_plan::Vocabulary {
        name: own.name.to_owned(),
        summary: own.summary.to_owned(),
        messages: own.messages.iter().map(|own| kind(own.name, own.what, own.fields)).collect(),
        observations: own
            .observations
            .iter()
            .map(|own| kind(own.name, own.what, own.fields))
            .collect(),
        options: own.options.iter().map(|option| pair(option.name, option.what)).collect(),
        mutants: own.mutants.iter().map(|mutant| pair(mutant.name, mutant.what)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use quorate_plan::{SystemPlan, WorkloadKind, WorldKind};
    use quorate_systems::mutant::Mutant;

    use super::*;

    #[test]
    fn every_system_is_found_by_its_name() {
        for kind in SystemKind::ALL {
            assert_eq!(find(kind.name()), Ok(*kind));
            assert_eq!(kind.vocabulary().name, kind.name());
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = find("raft").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no system `raft`; there is quorum, paxos-single, paxos, psb, vr, pbft"
        );
    }

    #[test]
    fn every_system_works_with_its_own_defaults() {
        for kind in SystemKind::ALL {
            let nodes = kind.vocabulary().nodes;
            promises(*kind, nodes, &BTreeMap::new(), Mutants::NONE, 1).unwrap();
        }
    }

    #[test]
    fn every_workload_that_a_system_lists_can_be_run_on_it() {
        for kind in SystemKind::ALL {
            let nodes = kind.vocabulary().nodes;
            let system =
                SystemPlan { kind: kind.name().to_owned(), nodes, options: Options::new() };
            let mut plan = Plan::new("every-workload", 1, WorldKind::Sim, system);
            for workload in WorkloadKind::ALL {
                plan.workload.kind = *workload;
                let is_listed = kind.vocabulary().workloads.contains(&workload.name());
                let is_possible = check_regime(*kind, &plan, Mutants::NONE).is_ok();
                assert_eq!(is_listed, is_possible, "{} on {}", workload.name(), kind.name());
            }
        }
    }

    #[test]
    fn a_planted_bug_of_another_system_is_refused() {
        for kind in SystemKind::ALL {
            let nodes = kind.vocabulary().nodes;
            for mutant in Mutant::ALL {
                let planted = Mutants(Some(*mutant));
                let is_own = kind.mutants().any(|own| own == *mutant);
                let taken = promises(*kind, nodes, &BTreeMap::new(), planted, 1);
                assert_eq!(taken.is_ok(), is_own, "{mutant} in {kind}");
            }
        }
    }

    #[test]
    fn an_option_that_does_not_exist_is_refused() {
        let options = BTreeMap::from([("no-such-option".to_owned(), "1".to_owned())]);
        for kind in SystemKind::ALL {
            let error = promises(*kind, 5, &options, Mutants::NONE, 1).unwrap_err();
            assert!(matches!(error, ConfigError::UnknownOption { .. }), "{error}");
        }
    }

    #[test]
    fn names_in_a_vocabulary_are_unique_and_its_mutants_exist() {
        for kind in SystemKind::ALL {
            let words = vocabulary(*kind);
            let pairs = |pairs: &[(String, String)]| -> Vec<String> {
                pairs.iter().map(|(name, _)| name.clone()).collect()
            };
            let kinds = |kinds: &[quorate_plan::Kind]| -> Vec<String> {
                kinds.iter().map(|kind| kind.name.clone()).collect()
            };
            let mut all = vec![
                pairs(&words.options),
                pairs(&words.mutants),
                kinds(&words.messages),
                kinds(&words.observations),
            ];
            let described = words.messages.iter().chain(&words.observations);
            all.extend(described.map(|kind| kind.fields.clone()));
            for names in all {
                let unique: BTreeSet<_> = names.iter().collect();
                assert_eq!(unique.len(), names.len(), "{names:?}");
            }
            for (name, _) in &words.mutants {
                assert!(name.parse::<Mutant>().is_ok(), "{name}");
            }
        }
    }
}
