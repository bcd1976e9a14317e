//! An unordered queue: `dequeue` takes any element that is there.
//!
//! As Knossos's `unordered-queue`. The elements are independent of each other: they can be put in as soon as an
//! `enqueue` begins, and taken out when a `dequeue` ends, unless somebody found nothing there. So without such a one no
//! search is needed.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Case, Content, Malformed, Model, NoLookahead, Span};
use crate::history::{Operation, Outcome, Value};

/// Independent bags, empty at first. Elements are of any kind, and need not be different.
#[derive(Clone, Copy, Debug)]
pub struct Bag;

/// What is in a bag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Elements {
    /// How often each is there.
    counts: BTreeMap<Content, u64>,
    /// How many may have been taken that nobody was told: which ones, it is enough to say when it matters, as nobody
    /// knows when they were taken either.
    owed: u64,
}

/// An operation on a bag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BagOp {
    /// It put this in, if it happened.
    Put(Content),
    /// It took this.
    Took(Content),
    /// It found nothing there.
    FoundNothing,
    /// It took something that nobody was told, if it happened.
    TookUnknown,
}

impl Model for Bag {
    type State = Elements;
    type Op = BagOp;
    type Lookahead = NoLookahead;

    const NAME: &'static str = "unordered-queue";
    const SUMMARY: &'static str = "independent bags: `dequeue` takes anything that was `enqueue`d and is there, or finds nothing";
    const FUNCTIONS: &'static [&'static str] = &["enqueue", "dequeue"];

    fn initial(&self) -> Elements {
        Elements::default()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<BagOp>, Malformed> {
        let bad = |problem: String| Err(Malformed { index: operation.invoke, problem });
        match (operation.f.as_str(), &operation.input) {
            ("enqueue", Value::Nil) => {
                bad("`enqueue` is given nil; expected an element".to_owned())
            }
            ("enqueue", element) => Ok(Some(BagOp::Put(Content::of(element)))),
            ("dequeue", Value::Nil) => Ok(Some(match &operation.outcome {
                Outcome::Ok(Value::Nil) => BagOp::FoundNothing,
                Outcome::Ok(element) => BagOp::Took(Content::of(element)),
                Outcome::Fail | Outcome::Info | Outcome::Pending => BagOp::TookUnknown,
            })),
            ("dequeue", other) => {
                bad(format!("`dequeue` takes no argument, not {other}; expected null"))
            }
            (f, _) => bad(format!(
                "the model `{}` has no function `{f}`; expected `enqueue` or `dequeue`",
                Self::NAME
            )),
        }
    }

    fn step(&self, elements: &Elements, op: &BagOp) -> Option<Elements> {
        let mut after = elements.clone();
        self.apply(&mut after, op).then_some(after)
    }

    fn apply(&self, elements: &mut Elements, op: &BagOp) -> bool {
        match op {
            BagOp::Put(element) => *elements.counts.entry(element.clone()).or_default() += 1,
            BagOp::TookUnknown => elements.owed += 1,
            BagOp::Took(element) => {
                let Some(count) = elements.counts.get_mut(element) else { return false };
                *count -= 1;
                if *count == 0 {
                    elements.counts.remove(element);
                }
            }
            BagOp::FoundNothing => {
                let Some(owed) = elements.owed.checked_sub(elements.counts.values().sum()) else {
                    return false;
                };
                *elements = Elements { counts: BTreeMap::new(), owed };
            }
        }
        true
    }

    fn state_bytes(&self, elements: &Elements) -> usize {
        size_of_val(elements) + elements.counts.len() * 2 * size_of::<(Content, u64)>()
    }

    /// An element may go with all that is done to it.
    fn depends(&self, observer: &BagOp, cause: &BagOp) -> bool {
        match (observer, cause) {
            (BagOp::FoundNothing, BagOp::TookUnknown) => true,
            (BagOp::Took(taken), BagOp::Put(put)) | (BagOp::Put(put), BagOp::Took(taken)) => {
                taken == put
            }
            (
                BagOp::Put(_) | BagOp::Took(_) | BagOp::FoundNothing | BagOp::TookUnknown,
                BagOp::Put(_) | BagOp::Took(_) | BagOp::FoundNothing | BagOp::TookUnknown,
            ) => false,
        }
    }

    fn unobserved(&self, ops: &[BagOp]) -> Vec<bool> {
        let taken: FxHashSet<&Content> = ops.iter().filter_map(taken).collect();
        let finds_nothing = ops.contains(&BagOp::FoundNothing);
        let is_unobserved = |op: &BagOp| match op {
            BagOp::Put(element) => !taken.contains(element),
            BagOp::TookUnknown => !finds_nothing,
            BagOp::Took(_) | BagOp::FoundNothing => false,
        };
        ops.iter().map(is_unobserved).collect()
    }

    fn guess(&self, ops: &[BagOp], spans: &[Span]) -> Option<Vec<usize>> {
        let moment = |op: &BagOp, span: &Span| match op {
            BagOp::Put(_) => Some(span.call),
            BagOp::Took(_) => span.end,
            BagOp::FoundNothing | BagOp::TookUnknown => None,
        };
        let mut moments: Vec<(u64, usize)> = Vec::with_capacity(ops.len());
        for (place, (op, span)) in ops.iter().zip(spans).enumerate() {
            moments.push((moment(op, span)?, place));
        }
        moments.sort_unstable();
        Some(moments.into_iter().map(|(_, place)| place).collect())
    }

    fn suspects(&self, ops: &[BagOp], spans: &[Span]) -> Vec<Vec<usize>> {
        let mut elements: FxHashMap<&Content, OfElement> = FxHashMap::default();
        for (place, (op, span)) in ops.iter().zip(spans).enumerate() {
            match (op, span) {
                (BagOp::Put(element), span) => {
                    elements.entry(element).or_default().puts.push((span.call, place));
                }
                (BagOp::Took(element), Span { end: Some(end), .. }) => {
                    elements.entry(element).or_default().takes.push((*end, place));
                }
                _ => {}
            }
        }
        let mut suspects: Vec<(u64, Vec<usize>)> =
            elements.into_values().filter_map(OfElement::too_many).collect();
        suspects.sort_unstable();
        suspects.into_iter().map(|(_, places)| places).collect()
    }

    fn lookahead(&self, _: &[BagOp], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe(&self, operation: &Operation) -> String {
        match (operation.f.as_str(), &operation.outcome) {
            ("dequeue", Outcome::Ok(taken)) => format!("dequeue -> {taken}"),
            ("dequeue", _) => "dequeue".to_owned(),
            (f, _) => format!("{f} {}", operation.input),
        }
    }

    fn describe_state(&self, elements: &Elements) -> String {
        let each = elements.counts.iter().map(|(element, count)| match count {
            1 => element.to_string(),
            count => format!("{element} ({count} times)"),
        });
        let held = each.collect::<Vec<String>>().join(", ");
        match elements.owed {
            0 => format!("{{{held}}}"),
            owed => format!("{{{held}}} without up to {owed} of them"),
        }
    }

    fn accuse(&self, case: &Case<'_, BagOp>) -> Option<String> {
        let index = case.accused.operation.invoke;
        match case.accused.op {
            BagOp::Took(element) => {
                let why = taken_too_often(case, element)?;
                Some(format!("{element} was dequeued at index {index}, but {why}"))
            }
            BagOp::FoundNothing => {
                let (element, put) = still_there(case)?;
                Some(format!(
                    "nothing was found at index {index}, but {element}, which was enqueued at index {put}, was there"
                ))
            }
            BagOp::Put(_) | BagOp::TookUnknown => None,
        }
    }
}

/// Who puts an element in, by call, and who takes it, by end.
#[derive(Default)]
struct OfElement {
    puts: Vec<(u64, usize)>,
    takes: Vec<(u64, usize)>,
}

impl OfElement {
    /// Those who had taken it when more had done so than had begun to put it in, and these; and when that was.
    fn too_many(mut self) -> Option<(u64, Vec<usize>)> {
        self.puts.sort_unstable();
        self.takes.sort_unstable();
        let begun = |end: u64| self.puts.partition_point(|(call, _)| *call < end);
        let ended = (1..).zip(&self.takes).find(|(count, (end, _))| *count > begun(*end));
        let (count, (end, _)) = ended?;
        let puts = self.puts.iter().take(begun(*end));
        let places = puts.chain(self.takes.iter().take(count)).map(|(_, place)| *place);
        Some((*end, places.collect()))
    }
}

fn taken(op: &BagOp) -> Option<&Content> {
    if let BagOp::Took(element) = op { Some(element) } else { None }
}

/// Why an element cannot have been taken as often as it was.
fn taken_too_often(case: &Case<'_, BagOp>, element: &Content) -> Option<String> {
    let ended = case.accused.operation.complete?;
    let is_of = |operation: &Operation| {
        operation.f == "enqueue" && Content::of(&operation.input) == *element
    };
    let (failed, others): (Vec<&Operation>, Vec<&Operation>) = case
        .all
        .iter()
        .copied()
        .filter(|operation| is_of(operation))
        .partition(|operation| operation.outcome == Outcome::Fail);
    let puts = others.iter().filter(|put| put.invoke < ended).count();
    let takes = case.set.iter().filter(|member| *member.op == BagOp::Took(element.clone()));
    let takes = takes.filter(|member| member.span().end.is_some_and(|end| end <= ended)).count();
    match (puts, failed.as_slice(), others.as_slice()) {
        (0, [], []) => Some("nobody ever enqueued it".to_owned()),
        (0, [one], []) => Some(format!("the enqueue of it at index {} had failed", one.invoke)),
        (0, _, []) => Some("every enqueue of it had failed".to_owned()),
        (0, _, [next, ..]) => Some(format!(
            "the enqueue of it began only after that had ended, at index {}",
            next.invoke
        )),
        (puts, ..) if takes > puts => Some(format!(
            "it was dequeued {takes} times by then, and no more than {puts} can have been enqueued"
        )),
        _ => None,
    }
}

/// An element that had been put in before the accused began, and that nobody began to take before it ended.
fn still_there<'a>(case: &Case<'a, BagOp>) -> Option<(&'a Content, u64)> {
    let accused = case.accused.operation;
    let ended = accused.complete?;
    let begun = || case.set.iter().filter(|member| member.operation.invoke < ended);
    if begun().any(|member| *member.op == BagOp::TookUnknown) {
        return None;
    }
    case.set.iter().find_map(|member| {
        let BagOp::Put(element) = member.op else { return None };
        let is_in = member.span().end.is_some_and(|end| end < accused.invoke);
        let is_taken = begun().any(|other| taken(other.op) == Some(element));
        (is_in && !is_taken).then_some((element, member.operation.invoke))
    })
}
