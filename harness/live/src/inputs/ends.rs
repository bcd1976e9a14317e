//! Why lives ended without a digest of their last step, as far as the history knows.

use std::collections::BTreeSet;

use quorate_checkers::history::{HistoryFile, Nemesis, What};
use quorate_world::inputs::{LifeCut, ends_nodes};
use quorate_world::invariants::Who;

/// Why a life ended without a digest of its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HowCut {
    /// A fault ended its node: a kill, a power loss, a bad disk.
    Fault,
    /// Its node ended by itself.
    Death,
    /// The harness was killed, and everything with it.
    Harness,
    /// Something else did not go as it must, which the history tells of.
    Trouble,
}

/// Which nodes ended in a run, and how the run itself did.
#[derive(Debug)]
pub(super) struct Ends {
    /// Nodes, as histories name them.
    by_fault: BTreeSet<String>,
    by_death: BTreeSet<String>,
    has_trouble: bool,
    has_footer: bool,
}

impl Ends {
    pub(super) fn of(file: &HistoryFile) -> Self {
        let mut ends = Self {
            by_fault: BTreeSet::new(),
            by_death: BTreeSet::new(),
            has_trouble: false,
            has_footer: file.footer.is_some(),
        };
        for event in file.history.events() {
            match &event.what {
                What::Nemesis(nemesis) => ends.note(nemesis),
                What::Invoke(_)
                | What::Ok(_)
                | What::Fail(_)
                | What::Info(_)
                | What::Violation(_) => {}
            }
        }
        ends
    }

    fn note(&mut self, nemesis: &Nemesis) {
        let targets = nemesis.targets.iter().cloned();
        if nemesis.kind == Nemesis::TROUBLE {
            self.has_trouble = true;
        } else if nemesis.kind == Nemesis::DEATH {
            self.by_death.extend(targets);
        } else if ends_nodes(nemesis) {
            self.by_fault.extend(targets);
        }
    }

    /// Why this life ended without a digest; nothing where the history knows of no reason.
    pub(super) fn why(&self, cut: &LifeCut) -> Option<HowCut> {
        let name = match cut.who {
            Who::Node(node) => node.to_string(),
            Who::Client(client) => client.to_string(),
        };
        if cut.is_last && !self.has_footer {
            Some(HowCut::Harness)
        } else if self.by_fault.contains(&name) {
            Some(HowCut::Fault)
        } else if self.by_death.contains(&name) {
            Some(HowCut::Death)
        } else {
            self.has_trouble.then_some(HowCut::Trouble)
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_checkers::history::{Builder, NemesisPhase, Time};
    use quorate_systems::contract::{ClientId, Incarnation, NodeId};

    use super::*;

    fn ends(events: &[(&str, &str)], has_footer: bool) -> Ends {
        let mut history = Builder::new();
        for (fault, (kind, target)) in (0..).zip(events) {
            let nemesis = Nemesis {
                fault,
                kind: (*kind).to_owned(),
                phase: NemesisPhase::Begin,
                targets: vec![(*target).to_owned()],
                what: String::new(),
                bites: 0,
            };
            history.push(Time(0), What::Nemesis(nemesis)).unwrap();
        }
        let header = quorate_checkers::history::Header {
            program: String::new(),
            started: String::new(),
            mutant: None,
            model: String::new(),
            plan: serde_json::Value::Null,
        };
        let mut ends = Ends::of(&HistoryFile {
            header,
            history: history.finish(),
            footer: None,
            damage: None,
        });
        ends.has_footer = has_footer;
        ends
    }

    fn cut(who: Who, is_last: bool) -> LifeCut {
        LifeCut { who, incarnation: Incarnation(1), is_last }
    }

    #[test]
    fn a_life_may_be_cut_off_by_what_the_history_tells_of_its_node_and_by_nothing_else() {
        let n = |node| Who::Node(NodeId(node));
        let told = [("kill", "n0"), ("pause", "n1"), ("death", "n2"), ("disk-full", "n3")];
        for is_last in [false, true] {
            let why = |who| ends(&told, true).why(&cut(who, is_last));
            let expected = [Some(HowCut::Fault), None, Some(HowCut::Death), Some(HowCut::Fault)];
            assert_eq!([0, 1, 2, 3].map(|node| why(n(node))), expected);
            assert_eq!(why(Who::Client(ClientId(0))), None);
        }
    }

    #[test]
    fn a_killed_harness_cuts_off_the_last_life_of_all_and_no_other() {
        let ends = ends(&[], false);
        for who in [Who::Node(NodeId(1)), Who::Client(ClientId(1))] {
            assert_eq!(ends.why(&cut(who, true)), Some(HowCut::Harness));
            assert_eq!(ends.why(&cut(who, false)), None);
        }
    }

    #[test]
    fn with_a_trouble_anything_may_be() {
        let ends = ends(&[("trouble", "")], true);
        assert_eq!(ends.why(&cut(Who::Client(ClientId(1)), true)), Some(HowCut::Trouble));
    }
}
