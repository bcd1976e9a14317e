//! A plan is run once more in virtual time, and compared with what is known of an earlier run.

use quorate_checkers::history::{Event, History, HistoryFile, RunDigest};
use quorate_checkers::judge::{Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::Plan;
use quorate_sim::Run;
use quorate_systems::mutant::Mutants;
use serde::Serialize;

use crate::commands::check;
use crate::commands::run::simulated::failure;
use crate::error::CliError;
use crate::panics;

/// A run, with its judgement.
pub(super) struct Again {
    pub(super) history: History,
    pub(super) digest: RunDigest,
    pub(super) results: Results,
    /// The sequential model that its operations are judged by.
    pub(super) model: &'static str,
}

impl Again {
    /// Runs a plan that was checked.
    pub(super) fn run(plan: &Plan, mutants: Mutants, budget: Budget) -> Result<Self, CliError> {
        let ran = panics::quietly(|| quorate_sim::run(plan, mutants));
        let Run { history, outcome } = ran.map_err(|error| failure(&error))?;
        let model = plan.workload.kind.model();
        let demands = check::demands(model, plan, budget);
        let results = judge(&history, &demands);
        Ok(Self { history, digest: outcome.digest, results, model })
    }

    /// What it shows.
    pub(super) fn showing(&self) -> Showing {
        Showing::of(self.results.breaks(&self.history), &self.results)
    }
}

/// What a run shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "demand")]
pub(super) enum Showing {
    /// Nothing is broken.
    Nothing,
    /// This demand is broken first.
    Breaks(String),
    /// The checker could not decide.
    Undecided,
}

impl Showing {
    /// Of a run that was judged, and breaks this first.
    pub(super) fn of(breaks: Option<&str>, results: &Results) -> Self {
        match breaks {
            Some(demand) => Self::Breaks(demand.to_owned()),
            None if results.linearizability.verdict == Verdict::Unknown => Self::Undecided,
            None => Self::Nothing,
        }
    }

    /// Of a history with its judgement.
    pub(super) fn judged(file: &HistoryFile, results: &Results) -> Self {
        Self::of(results.breaks(&file.history), results)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Nothing => "nothing is broken".to_owned(),
            Self::Breaks(demand) => format!("{demand} is broken"),
            Self::Undecided => "nobody knows whether it is linearizable".to_owned(),
        }
    }
}

/// The first event at which two histories part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Parting {
    /// Its index.
    pub(super) index: u64,
    /// Its line in the recorded history; absent where that had come to its end.
    pub(super) recorded: Option<String>,
    /// Its line in the run of now; absent where that had come to its end.
    pub(super) now: Option<String>,
}

impl Parting {
    /// Where they part, if they do. A recorded history that breaks off parts from nothing behind its end.
    pub(super) fn between(recorded: &History, now: &History, breaks_off: bool) -> Option<Self> {
        let (old, new) = (recorded.events(), now.events());
        let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let (old, new): (Option<&Event>, Option<&Event>) = (old.get(same), new.get(same));
        if (old.is_none() && new.is_none()) || (old.is_none() && breaks_off) {
            return None;
        }
        Some(Self {
            index: same as u64,
            recorded: old.map(ToString::to_string),
            now: new.map(ToString::to_string),
        })
    }
}

#[cfg(test)]
mod tests {
    use quorate_checkers::history::{Builder, Nemesis, NemesisPhase, Time, What};

    use super::*;

    fn history(bites: &[u64]) -> History {
        let mut history = Builder::new();
        for (fault, bites) in (0..).zip(bites) {
            let nemesis = Nemesis {
                fault,
                kind: "kill".to_owned(),
                phase: NemesisPhase::Skipped,
                targets: Vec::new(),
                what: String::new(),
                bites: *bites,
            };
            history.push(Time(0), What::Nemesis(nemesis)).unwrap();
        }
        history.finish()
    }

    #[test]
    fn histories_part_at_the_first_event_that_differs() {
        let parting = Parting::between(&history(&[1, 2, 3]), &history(&[1, 7, 3]), false).unwrap();
        assert_eq!(parting.index, 1);
        assert!(parting.recorded.unwrap().contains(r#""bites":2"#));
        assert!(parting.now.unwrap().contains(r#""bites":7"#));
        assert_eq!(Parting::between(&history(&[1]), &history(&[1]), false), None);
    }

    #[test]
    fn a_history_that_is_longer_parts_behind_the_other_unless_that_was_cut_off() {
        let (short, long) = (history(&[1]), history(&[1, 2]));
        let parting = Parting::between(&short, &long, false).unwrap();
        assert_eq!((parting.index, parting.recorded), (1, None));
        assert_eq!(Parting::between(&short, &long, true), None);
        let parting = Parting::between(&long, &short, true).unwrap();
        assert_eq!((parting.index, parting.now), (1, None));
    }
}
