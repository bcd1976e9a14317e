//! The systems by name, for those who may not know their types.

use std::collections::BTreeMap;

use quorate_systems::contract::{ConfigError, System};
use quorate_systems::mutant::Mutants;
use quorate_systems::{SystemKind, WithSystem, with_system};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// The sequential model that its clients' operations satisfy.
    pub model: &'static str,
    /// How many nodes may lie at once.
    pub liars_tolerated: u16,
}

/// Checks a system's options as a node would at its start, and says what it promises with them.
pub fn configure(
    kind: SystemKind,
    nodes: u16,
    options: &BTreeMap<String, String>,
    mutants: Mutants,
) -> Result<Promises, ConfigError> {
    with_system(kind, Configure { nodes, options, mutants })
}

struct Configure<'a> {
    nodes: u16,
    options: &'a BTreeMap<String, String>,
    mutants: Mutants,
}

impl WithSystem for Configure<'_> {
    type Out = Result<Promises, ConfigError>;

    fn with<S: System>(self) -> Self::Out {
        let config = S::configure(self.nodes, self.options, self.mutants)?;
        Ok(Promises { model: S::model(&config), liars_tolerated: S::liars_tolerated(&config) })
    }
}

/// A system's names in the form in which plans and reports take them.
pub fn vocabulary(kind: SystemKind) -> quorate_plan::Vocabulary {
    let own = kind.vocabulary();
    let pair = |name: &str, what: &str| (name.to_owned(), what.to_owned());
    quorate_plan::Vocabulary {
        name: own.name.to_owned(),
        summary: own.summary.to_owned(),
        messages: own.messages.iter().map(|kind| pair(kind.name, kind.what)).collect(),
        options: own.options.iter().map(|option| pair(option.name, option.what)).collect(),
        mutants: own.mutants.iter().map(|mutant| pair(mutant.name, mutant.what)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
        assert_eq!(error, "there is no system `raft`; there is quorum");
    }

    #[test]
    fn every_system_works_with_its_own_defaults() {
        for kind in SystemKind::ALL {
            let nodes = kind.vocabulary().nodes;
            let promises = configure(*kind, nodes, &BTreeMap::new(), Mutants::NONE).unwrap();
            assert!(kind.vocabulary().workloads.contains(&promises.model));
        }
    }

    #[test]
    fn an_option_that_does_not_exist_is_refused() {
        let options = BTreeMap::from([("no-such-option".to_owned(), "1".to_owned())]);
        for kind in SystemKind::ALL {
            let error = configure(*kind, 5, &options, Mutants::NONE).unwrap_err();
            assert!(matches!(error, ConfigError::UnknownOption { .. }), "{error}");
        }
    }

    #[test]
    fn names_in_a_vocabulary_are_unique_and_its_mutants_exist() {
        for kind in SystemKind::ALL {
            let words = vocabulary(*kind);
            for names in [&words.messages, &words.options, &words.mutants] {
                let unique: BTreeSet<_> = names.iter().map(|(name, _)| name).collect();
                assert_eq!(unique.len(), names.len(), "{names:?}");
            }
            for (name, _) in &words.mutants {
                assert!(name.parse::<Mutant>().is_ok(), "{name}");
            }
        }
    }
}
