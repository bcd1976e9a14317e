//! Says why operations on keys cannot be ordered.

use super::{Content, List, Micro, StoreOp, parse};
use crate::history::{Operation, Outcome};
use crate::model::{Case, Member};

/// The first reason that applies, if any does. Each is true of every history that it is said of.
pub(super) fn sentence(case: &Case<'_, StoreOp>) -> Option<String> {
    let index = case.accused.operation.invoke;
    case.accused.op.effects().filter(|(.., is_first)| *is_first).find_map(|(key, micro, _)| {
        let finder = Finder { case, key };
        let (what, why) = match micro {
            Micro::Read(Some(content @ Content::Int(value))) => {
                (format!("read {content}"), finder.never_written(*value)?)
            }
            Micro::Cas(expected, _) => {
                (format!("found {expected}"), finder.never_written(*expected)?)
            }
            Micro::Read(Some(content @ Content::List(list))) => {
                let why = finder
                    .never_appended(list)
                    .or_else(|| finder.lacks(list))
                    .or_else(|| finder.contradicts(list))?;
                (format!("read {}", short(content)), why)
            }
            Micro::Read(Some(Content::Nil)) => {
                ("read nil".to_owned(), finder.lacks(&List::default())?)
            }
            Micro::Read(None) | Micro::Write(_) | Micro::Append(_) | Micro::Delete => return None,
        };
        let on_key = if finder.has_one_key() { String::new() } else { format!(" of key {key}") };
        Some(format!("{what}{on_key} at index {index}, {why}"))
    })
}

/// Looks for reasons on the key on which something was found that cannot have been there.
struct Finder<'a> {
    case: &'a Case<'a, StoreOp>,
    key: u64,
}

impl Finder<'_> {
    /// Whether the key need not be named.
    fn has_one_key(&self) -> bool {
        self.case.set.iter().flat_map(|member| &member.op.parts).all(|(key, _)| *key == self.key)
    }

    /// Nobody wrote the value, or not in time.
    fn never_written(&self, value: i64) -> Option<String> {
        self.never(
            |micro| matches!(micro, Micro::Write(new) | Micro::Cas(_, new) if *new == value),
            ("wrote", "write", value),
        )
    }

    /// Somebody's element is there that nobody appended, or not in time.
    fn never_appended(&self, list: &List) -> Option<String> {
        list.values().into_iter().find_map(|value| {
            let appends = |micro: &Micro| matches!(micro, Micro::Append(new) if *new == value);
            self.never(appends, ("appended", "append", value))
        })
    }

    fn never(
        &self,
        is_cause: impl Fn(&Micro) -> bool,
        (did, to_do, value): (&str, &str, i64),
    ) -> Option<String> {
        let ended = self.case.accused.operation.complete?;
        let accused = self.case.accused.operation;
        // Of a single operation all others are on the same key, whatever it is called.
        let key = if accused.f == "txn" { Some(self.key) } else { accused.key.map(|key| key.0) };
        let tries = |other: &&Operation| {
            parse::changes(other).iter().any(|(own, micro)| *own == key && is_cause(micro))
        };
        let others = self.case.all.iter().copied().filter(|other| other.invoke != accused.invoke);
        let (failed, possible): (Vec<&Operation>, Vec<&Operation>) =
            others.filter(tries).partition(|other| other.outcome == Outcome::Fail);
        if possible.iter().any(|other| other.invoke < ended) {
            return None;
        }
        Some(match (failed.as_slice(), possible.as_slice()) {
            ([], []) => format!("but nobody ever {did} {value}"),
            ([one], []) => format!("but the {to_do} of {value} at index {} had failed", one.invoke),
            (_, []) => format!("but every {to_do} of {value} had failed"),
            (_, [next, ..]) => format!(
                "but the {to_do} of {value} began only after that had ended, at index {}",
                next.invoke
            ),
        })
    }

    /// An append had ended before the read began, and the read did not see it.
    fn lacks(&self, list: &List) -> Option<String> {
        if self.is_overwritten() {
            return None;
        }
        let values = list.values();
        self.others()
            .filter(|other| precedes(other.operation, self.case.accused.operation))
            .find_map(|other| {
                let lacking = self.micros(&other).find_map(|micro| match micro {
                    Micro::Append(value) if !values.contains(value) => Some(*value),
                    Micro::Append(_)
                    | Micro::Read(_)
                    | Micro::Write(_)
                    | Micro::Cas(..)
                    | Micro::Delete => None,
                })?;
                let index = other.operation.invoke;
                Some(format!(
                    "but the append of {lacking} at index {index} had ended before it began"
                ))
            })
    }

    /// Another read saw a list that this one cannot have become, or have come from.
    fn contradicts(&self, list: &List) -> Option<String> {
        if self.is_overwritten() {
            return None;
        }
        let prints = list.fingerprints();
        self.others().find_map(|other| {
            let seen = self.micros(&other).find_map(|micro| match micro {
                Micro::Read(Some(Content::List(seen))) => Some(seen),
                Micro::Read(_)
                | Micro::Append(_)
                | Micro::Write(_)
                | Micro::Cas(..)
                | Micro::Delete => None,
            })?;
            let index = other.operation.invoke;
            let is_longer = seen.len() > list.len();
            if is_longer && precedes(other.operation, self.case.accused.operation) {
                return Some(format!(
                    "after the read at index {index} had already seen {} elements",
                    seen.len()
                ));
            }
            let (short_one, long) =
                if is_longer { (list, seen.fingerprints()) } else { (seen, prints.clone()) };
            let agrees = long.get(short_one.len()) == Some(&short_one.fingerprint());
            (!agrees).then(|| {
                format!(
                    "but the read at index {index} saw {}, and neither list begins with the other",
                    short(&Content::List(seen.clone()))
                )
            })
        })
    }

    /// Whether something else than an append may have changed the key.
    fn is_overwritten(&self) -> bool {
        let changes = |micro: &Micro| micro.produced().is_some();
        self.others().any(|other| self.micros(&other).any(changes))
    }

    fn others(&self) -> impl Iterator<Item = Member<'_, StoreOp>> {
        let accused = self.case.accused.operation.invoke;
        self.case.set.iter().copied().filter(move |member| member.operation.invoke != accused)
    }

    fn micros<'a>(&self, member: &Member<'a, StoreOp>) -> impl Iterator<Item = &'a Micro> {
        let key = self.key;
        member.op.parts.iter().filter(move |(own, _)| *own == key).map(|(_, micro)| micro)
    }
}

/// Whether `first` had certainly taken effect before `second` began.
fn precedes(first: &Operation, second: &Operation) -> bool {
    first.definite_end().is_some_and(|end| end < second.invoke)
}

/// A content that is not too long to be read.
fn short(content: &Content) -> String {
    match content {
        Content::List(list) if list.len() > SHOWN_MAX => {
            let tail = list.values().into_iter().skip(list.len() - SHOWN_MAX);
            let texts: Vec<String> = tail.map(|value| value.to_string()).collect();
            format!("a list of {} elements that ends with {}", list.len(), texts.join(", "))
        }
        Content::Nil | Content::Int(_) | Content::List(_) => content.to_string(),
    }
}

/// A longer list is shortened.
const SHOWN_MAX: usize = 8;
