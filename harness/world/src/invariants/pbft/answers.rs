//! Answers: a client needs enough of them, those who gave them did, and the outcome is that of the execution (B-I10).

use std::hash::{DefaultHasher, Hash, Hasher};

use quorate_systems::contract::{ClientId, NodeId, Outcome};
use quorate_systems::parties::NodeSet;
use quorate_systems::pbft::How;
use quorate_systems::smr::RequestNumber;

use super::{B_I10, PbftInvariants, both_broke};
use crate::invariants::{Broken, Who};

/// What was said of the outcome of one request.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// What correct replicas answered. Where these are more than there is room for, nobody's answer is missed.
    given: Vec<Given>,
    /// What came of its execution, as a correct replica said first, by a hash.
    executed: Option<(u64, NodeId)>,
    /// What its client took for that.
    accepted: Option<u64>,
}

const GIVEN_MAX: usize = 4;

/// One answer, and who gave it.
#[derive(Debug)]
struct Given {
    outcome: u64,
    is_read_only: bool,
    by: NodeSet,
}

impl Answers {
    fn give(&mut self, outcome: u64, is_read_only: bool, by: NodeId) {
        let same =
            |given: &&mut Given| (given.outcome, given.is_read_only) == (outcome, is_read_only);
        if let Some(given) = self.given.iter_mut().find(same) {
            given.by.insert(by);
        } else if self.given.len() <= GIVEN_MAX {
            self.given.push(Given { outcome, is_read_only, by: NodeSet::of(by) });
        }
    }

    /// Those of `nodes` who have certainly not given this answer.
    fn lacking(&self, outcome: u64, is_read_only: bool, nodes: NodeSet) -> NodeSet {
        if self.given.len() > GIVEN_MAX {
            return NodeSet::EMPTY;
        }
        let same = |given: &&Given| (given.outcome, given.is_read_only) == (outcome, is_read_only);
        self.given.iter().find(same).map_or(nodes, |given| nodes.without(given.by))
    }
}

impl PbftInvariants {
    /// A REPLY left.
    pub(super) fn answered(
        &mut self,
        by: NodeId,
        (client, number): (ClientId, RequestNumber),
        (outcome, how): (&Outcome, How),
        broken: &mut Vec<Broken>,
    ) {
        let Some(known) = self.requests.get(client, number) else { return };
        let mark = mark(outcome);
        known.answers.give(mark, how == How::ReadOnly, by);
        match how {
            How::Committed => {}
            How::Tentative | How::ReadOnly => return,
        }
        let is_first = known.answers.executed.is_none();
        let (first, other) = *known.answers.executed.get_or_insert((mark, by));
        if first != mark {
            let what = format!(
                "{by} answers request {number} of {client} with {outcome}, and {other} otherwise"
            );
            broken.push(both_broke(B_I10, other, by, what));
        } else if is_first && known.answers.accepted.is_some_and(|accepted| accepted != mark) {
            let what = format!(
                "{client} took request {number} for done otherwise than with {outcome}, as {by} did"
            );
            broken.push(Broken { invariant: B_I10, by: vec![Who::Client(client)], what });
        }
    }

    /// A client takes a request for done.
    pub(super) fn accepted(
        &mut self,
        (client, number): (ClientId, RequestNumber),
        (outcome, how): (&Outcome, How),
        replicas: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let (mark, correct) = (mark(outcome), replicas.intersection(self.correct));
        let needed = match how {
            How::Committed => self.rules.answers,
            How::Tentative | How::ReadOnly => self.rules.quorum,
        };
        let Some(known) = self.requests.get(client, number) else { return };
        let answers = &mut known.answers;
        let is_read_only = how == How::ReadOnly;
        let silent = answers.lacking(mark, is_read_only, correct);
        let why = if replicas.len() < needed {
            Some("too few".to_owned())
        } else if !silent.is_empty() {
            Some(format!("and {silent} did not say so"))
        } else if is_read_only {
            None
        } else {
            answers.accepted = Some(mark);
            let other = answers.executed.filter(|(executed, _)| *executed != mark);
            other.map(|(_, first)| format!("and {first} executed it otherwise"))
        };
        if let Some(why) = why {
            let what = format!(
                "{client} takes request {number} for done with {outcome} by {replicas}, {why}"
            );
            broken.push(Broken { invariant: B_I10, by: vec![Who::Client(client)], what });
        }
    }
}

/// Stands for an outcome.
fn mark(outcome: &Outcome) -> u64 {
    let mut hasher = DefaultHasher::new();
    outcome.hash(&mut hasher);
    hasher.finish()
}
