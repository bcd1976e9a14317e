//! A set of which every operation is on one element: `add`, `remove`, `contains`.
//!
//! Whether an element is there depends on what is done to that element and on nothing else. So a set is as many objects
//! as it has elements, and has an order if and only if each of them has one (Herlihy and Wing 1990: linearizability is
//! local). That is exact whether elements are added once or often, and whatever became of operations.
//!
//! An element has two states, and at each of them only operations of one kind can change it, as long as it is known what
//! they returned: of these the search takes the one that ends first, without an alternative, as they are equal. So it
//! does not branch, and with few operations on each element all takes about as long as sorting them (Lee and Mathur
//! 2025 and Abdulla et al. 2025 ask the same of each element). It branches where operations have an unknown end, or do not
//! tell what they found.

#[cfg(test)]
mod tests;

use super::{AnyModel, Case, Malformed, Model, NoLookahead, Span};
use crate::explain::Counterexample;
use crate::history::{Key, Operation, Outcome, Value};
use crate::linearizability::{
    self, Budget, Finding, KeyOrder, KeyResult, Linearizability, OrderStep,
};
use crate::rules::{Rule, holds};

/// Sets that are empty at first.
#[derive(Clone, Copy, Debug)]
pub struct ElementSet;

impl AnyModel for ElementSet {
    fn name(&self) -> &'static str {
        Element::NAME
    }

    fn summary(&self) -> &'static str {
        Element::SUMMARY
    }

    fn functions(&self) -> &'static [&'static str] {
        Element::FUNCTIONS
    }

    /// Judges each element as an object with a key of its own, and puts together what is said of those of one set.
    fn check(&self, operations: &[Operation], budget: Budget) -> Linearizability {
        let (elements, apart) = apart(operations);
        let judged = linearizability::check(&Element, &apart, budget);
        let mut keys: Vec<KeyResult> = Vec::new();
        for result in judged.keys {
            let name = result.key.and_then(|key| elements.get(usize::try_from(key.0).ok()?));
            let result = with_key(result, name.and_then(|name| name.key));
            match keys.last_mut().filter(|last| last.key == result.key) {
                Some(last) => join(last, result),
                None => keys.push(result),
            }
        }
        Linearizability { keys, ..judged }
    }

    /// The orders of the elements of each set, put together.
    fn orders(&self, operations: &[Operation], budget: Budget) -> Vec<KeyOrder> {
        let (elements, apart) = apart(operations);
        let mut orders: Vec<KeyOrder> = linearizability::orders(&Element, &apart, budget);
        for order in &mut orders {
            let name = order.key.and_then(|key| elements.get(usize::try_from(key.0).ok()?));
            order.key = name.and_then(|name| name.key);
            let element = name.and_then(|name| name.element).unwrap_or_default();
            for step in order.order.iter_mut().flatten() {
                step.holds = format!("{element} {}", step.holds);
            }
        }
        orders.chunk_by(|one, other| one.key == other.key).map(together).collect()
    }

    fn describe(&self, operation: &Operation) -> String {
        Model::describe(&Element, operation)
    }
}

/// The elements, and the operations with the places of their elements for keys.
fn apart(operations: &[Operation]) -> (Vec<Name>, Vec<Operation>) {
    let mut elements: Vec<Name> = operations.iter().map(name).collect();
    elements.sort_unstable();
    elements.dedup();
    let number = |operation: &Operation| elements.partition_point(|e| *e < name(operation));
    let renamed = |operation: &Operation| Operation {
        key: Some(Key(number(operation) as u64)),
        ..operation.clone()
    };
    let apart = operations.iter().map(renamed).collect();
    (elements, apart)
}

/// One order of all operations on several objects from an order of each. An operation takes effect as soon as it and all
/// that come before it in its own order have begun: none of those that come later there had ended by then, so each takes
/// effect before it ends. By these moments all are in order.
fn together(orders: &[KeyOrder]) -> KeyOrder {
    let mut steps: Vec<(u64, usize, &OrderStep)> = Vec::new();
    for (object, order) in orders.iter().enumerate() {
        let mut moment = 0;
        for step in order.order.iter().flatten() {
            moment = step.operation.max(moment);
            steps.push((moment, object, step));
        }
    }
    steps.sort_by_key(|(moment, object, _)| (*moment, *object));
    let why = orders.iter().find_map(|order| order.why.clone());
    let order = steps.into_iter().map(|(.., step)| step.clone()).collect();
    let mut left_out: Vec<u64> = orders.iter().flat_map(|order| &order.left_out).copied().collect();
    left_out.sort_unstable();
    KeyOrder {
        key: orders.first().and_then(|order| order.key),
        order: if why.is_none() { Some(order) } else { None },
        left_out: if why.is_none() { left_out } else { Vec::new() },
        why,
    }
}

/// An element of a set; absent for what has no meaning, which is refused later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    key: Option<Key>,
    element: Option<i64>,
}

fn name(operation: &Operation) -> Name {
    let element = match operation.input {
        Value::Int(element) if holds(Rule::ElementsApart) => Some(element),
        Value::Int(_) | Value::Nil | Value::Text(_) | Value::List(_) => None,
    };
    Name { key: operation.key, element }
}

fn with_key(mut result: KeyResult, key: Option<Key>) -> KeyResult {
    result.key = key;
    if let Finding::Invalid { counterexample } = &mut result.finding {
        let Counterexample { key: shown, operations, .. } = counterexample;
        *shown = key;
        for involved in operations {
            involved.operation.key = key;
        }
    }
    result
}

/// Adds what is said of another element of the same set. Of several violations the first one stays.
fn join(result: &mut KeyResult, other: KeyResult) {
    result.operations += other.operations;
    result.nodes += other.nodes;
    if other.finding.verdict() > result.finding.verdict() {
        result.finding = other.finding;
    }
}

/// One element of a set.
#[derive(Clone, Copy, Debug)]
struct Element;

/// An operation on an element: whether it must be there before, and whether it is there after, if that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ElementOp {
    finds: Option<bool>,
    leaves: Option<bool>,
}

impl Model for Element {
    /// Whether it is there.
    type State = bool;
    type Op = ElementOp;
    type Lookahead = NoLookahead;

    const NAME: &'static str = "element-set";
    const SUMMARY: &'static str = "independent sets: `add` and `remove` of an element tell whether they changed anything, \
         `contains` whether it is there";
    const FUNCTIONS: &'static [&'static str] = &["add", "remove", "contains"];

    fn initial(&self) -> bool {
        false
    }

    fn parse(&self, operation: &Operation) -> Result<Option<ElementOp>, Malformed> {
        let f = operation.f.as_str();
        if !Self::FUNCTIONS.contains(&f) {
            let problem = format!(
                "the model `element-set` has no function `{f}`; expected `add`, `remove` or `contains`"
            );
            return Err(Malformed { index: operation.invoke, problem });
        }
        if !matches!(operation.input, Value::Int(_)) {
            let problem = format!("`{f}` is given {}; expected an integer", operation.input);
            return Err(Malformed { index: operation.invoke, problem });
        }
        let told = told(operation)?;
        let op = match (f, told) {
            ("add", Some(false)) => ElementOp { finds: Some(true), leaves: None },
            ("add", told) => ElementOp { finds: told.map(|_| false), leaves: Some(true) },
            ("remove", Some(false)) => ElementOp { finds: Some(false), leaves: None },
            ("remove", told) => ElementOp { finds: told, leaves: Some(false) },
            (_, None) => return Ok(None),
            (_, told) => ElementOp { finds: told, leaves: None },
        };
        Ok(Some(op))
    }

    fn step(&self, is_there: &bool, op: &ElementOp) -> Option<bool> {
        let must_be = op.finds.filter(|is_there| {
            holds(if *is_there { Rule::FoundIsThere } else { Rule::MissedIsAbsent })
        });
        let is_possible = must_be.is_none_or(|must_be| must_be == *is_there);
        is_possible.then(|| op.leaves.unwrap_or(*is_there))
    }

    fn is_read_only(&self, op: &ElementOp) -> bool {
        op.leaves.is_none()
    }

    fn depends(&self, observer: &ElementOp, cause: &ElementOp) -> bool {
        cause.leaves.is_some() && observer.finds == cause.leaves
    }

    fn unobserved(&self, ops: &[ElementOp]) -> Vec<bool> {
        let [there, absent] = [true, false].map(|is| ops.iter().any(|op| op.finds == Some(is)));
        let is_observed = |is_there: bool| if is_there { there } else { absent };
        ops.iter().map(|op| !op.leaves.is_some_and(is_observed)).collect()
    }

    fn lookahead(&self, _: &[ElementOp], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe(&self, operation: &Operation) -> String {
        let Operation { f, input, .. } = operation;
        match told(operation) {
            Ok(Some(told)) => format!("{f} {input} -> {told}"),
            Ok(None) | Err(_) => format!("{f} {input}"),
        }
    }

    fn describe_state(&self, is_there: &bool) -> String {
        if *is_there { "there" } else { "not there" }.to_owned()
    }

    fn accuse(&self, case: &Case<'_, ElementOp>) -> Option<String> {
        let accused = case.accused.operation;
        let adds = |operation: &&Operation| operation.f == "add";
        let is_added = case.set.iter().any(|member| member.op.leaves == Some(true));
        if case.accused.op.finds != Some(true) || is_added {
            return None;
        }
        let what = Model::describe(self, accused);
        let why = match case.all.iter().copied().filter(adds).collect::<Vec<_>>().as_slice() {
            [] => "but nobody ever added it".to_owned(),
            all if all.iter().all(|add| add.outcome == Outcome::Fail) => {
                "but whoever was to add it had failed".to_owned()
            }
            _ => return None,
        };
        Some(format!("{what} at index {}, {why}", accused.invoke))
    }
}

/// What an operation returned: whether it changed something, or whether the element is there. One that changes things
/// need not tell: it may return its element, or nothing.
fn told(operation: &Operation) -> Result<Option<bool>, Malformed> {
    let Outcome::Ok(result) = &operation.outcome else { return Ok(None) };
    match result {
        Value::Text(text) if text == "true" => Ok(Some(true)),
        Value::Text(text) if text == "false" => Ok(Some(false)),
        other
            if operation.f != "contains" && (*other == operation.input || *other == Value::Nil) =>
        {
            Ok(None)
        }
        other => Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!("`{}` returns {other}; expected \"true\" or \"false\"", operation.f),
        }),
    }
}
