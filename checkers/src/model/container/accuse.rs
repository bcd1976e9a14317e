//! Why operations on a container have no order, in a sentence.

use super::{ContainerOp, Discipline};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Case, Member, Model};

/// What is done to one element by a set of operations.
struct Deeds<'a> {
    element: i64,
    puts: Vec<&'a Operation>,
    takes: Vec<&'a Operation>,
}

/// See [`Model::accuse`].
pub(super) fn sentence<D: Discipline>(case: &Case<'_, ContainerOp>) -> Option<String> {
    let [put, _] = *D::FUNCTIONS;
    if case.set.iter().any(|member| *member.op == ContainerOp::TookUnknown) {
        return None;
    }
    let accused = case.accused.operation;
    let why = match *case.accused.op {
        ContainerOp::Took(element) => {
            let deeds = Deeds::of(element, case.set);
            let mut others = elements(case.set).filter(|other| *other != element);
            match (others.next(), others.next()) {
                (None, _) => alone(case, &deeds, put)?,
                (Some(other), None) => {
                    let other = Deeds::of(other, case.set);
                    between(D::ORDER, accused, &deeds, &other, put)?
                }
                (Some(_), Some(_)) => return None,
            }
        }
        ContainerOp::FoundNothing => {
            let mut elements = elements(case.set);
            let deeds = Deeds::of(elements.next()?, case.set);
            if elements.next().is_some() || !deeds.covers(accused) {
                return None;
            }
            deeds.was_there(put, "")
        }
        ContainerOp::Put(_) | ContainerOp::TookUnknown => return None,
    };
    let what = super::Container::<D>::new().describe(accused);
    Some(format!("{what} at index {}, but {why}", accused.invoke))
}

/// In which order elements are taken that are there together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What was put in first comes first.
    Age,
    /// What was put in last comes first.
    Youth,
    /// The least comes first.
    Size,
}

/// What is wrong with one element alone.
fn alone(case: &Case<'_, ContainerOp>, deeds: &Deeds<'_>, put: &str) -> Option<String> {
    let Deeds { element, takes, .. } = deeds;
    let accused = case.accused.operation;
    // Of all: a put that began too late is not in the set.
    let is_put = |other: &&&Operation| other.f == put && other.input == Value::Int(*element);
    let puts: Vec<&Operation> = case.all.iter().filter(is_put).copied().collect();
    let may_have: Vec<&&Operation> = puts.iter().filter(|o| o.outcome != Outcome::Fail).collect();
    match (puts.as_slice(), may_have.as_slice(), takes.as_slice()) {
        ([], ..) => Some(format!("nobody ever did `{put} {element}`")),
        ([failed, ..], [], _) => {
            Some(format!("the {put} of {element} at index {} had failed", failed.invoke))
        }
        (_, [only], _) if accused.definite_end() < Some(only.invoke) => Some(format!(
            "the {put} of {element} began only after that had ended, at index {}",
            only.invoke
        )),
        (_, [_], [one, other]) => {
            let other = if one.invoke == accused.invoke { other } else { one };
            Some(format!(
                "{element} was put in only once, and was taken at index {} as well",
                other.invoke
            ))
        }
        _ => None,
    }
}

/// Why the one element cannot be taken while there is the other.
fn between(
    order: Order,
    accused: &Operation,
    taken: &Deeds<'_>,
    other: &Deeds<'_>,
    put: &str,
) -> Option<String> {
    let ([first], [second]) = (taken.puts.as_slice(), other.puts.as_slice()) else { return None };
    let is_before =
        |one: &Operation, two: &Operation| one.definite_end().is_some_and(|end| end < two.invoke);
    let element = taken.element;
    let (is_next, when) = match order {
        Order::Age => {
            let is_older = is_before(second, first) && !other.is_taken_before_end_of(accused);
            (is_older, format!(", before that of {element} began"))
        }
        Order::Youth => {
            let is_younger = is_before(first, second) && other.covers(accused);
            (is_younger, format!(", after that of {element}"))
        }
        Order::Size => (other.element < element && other.covers(accused), String::new()),
    };
    is_next.then(|| other.was_there(put, &when))
}

impl<'a> Deeds<'a> {
    fn of(element: i64, set: &[Member<'a, ContainerOp>]) -> Self {
        let all = |op: ContainerOp| {
            set.iter().filter(|member| *member.op == op).map(|member| member.operation).collect()
        };
        let (puts, takes) = (all(ContainerOp::Put(element)), all(ContainerOp::Took(element)));
        Self { element, puts, takes }
    }

    /// Whether it is there for certain from the beginning of an operation to its end.
    fn covers(&self, operation: &Operation) -> bool {
        let ended = self.puts.first().and_then(|put| put.definite_end());
        ended.is_some_and(|end| end < operation.invoke) && !self.is_taken_before_end_of(operation)
    }

    /// Whether somebody may have taken it before an operation ended.
    fn is_taken_before_end_of(&self, operation: &Operation) -> bool {
        let end = operation.definite_end().unwrap_or(u64::MAX);
        self.takes.iter().any(|take| take.invoke < end)
    }

    fn was_there(&self, put: &str, when: &str) -> String {
        let Self { element, puts, .. } = self;
        let ended = puts.first().and_then(|put| put.definite_end()).unwrap_or_default();
        format!(
            "the {put} of {element} had ended at index {ended}{when}, and {element} was still there"
        )
    }
}

/// The elements that a set of operations is about, each once.
fn elements(set: &[Member<'_, ContainerOp>]) -> impl Iterator<Item = i64> {
    let mut elements: Vec<i64> = set
        .iter()
        .filter_map(|member| match *member.op {
            ContainerOp::Put(element) | ContainerOp::Took(element) => Some(element),
            ContainerOp::FoundNothing | ContainerOp::TookUnknown => None,
        })
        .collect();
    elements.sort_unstable();
    elements.dedup();
    elements.into_iter()
}
