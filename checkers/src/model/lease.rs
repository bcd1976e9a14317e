//! A lease: something that at most one holder has at a time, with a token that grows each time it is given.
//!
//! It is a lock with an owner. `acquire` takes it when nobody has it, for the holder that its argument names; without an
//! argument for the process. `renew` shows that the holder has it still, `release` gives it back, and `expire` takes it
//! from the holder that it names. A result of `acquire` or `renew` is nil, the holder again, or `[holder, token]`: then
//! each lease has a greater token than all before it (a fencing token: Kleppmann 2016; a sequencer: Burrows 2006), and
//! keeps it while it is renewed. Tokens are whole numbers from 1 on.
//!
//! Time is not asked: a lease that may run out is recorded with an `expire` that begins when it may run out first, and
//! that ends as `info` or not at all, as nobody saw when it did. That two hold a lease at once, or that one uses it
//! that somebody else has got meanwhile, is then found out without a clock.

use super::{Case, Content, Malformed, Member, Model, NoLookahead, Span};
use crate::history::{Operation, Outcome, Value};

/// Independent leases that nobody has at first.
#[derive(Clone, Copy, Debug)]
pub struct Lease;

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Tenure {
    holder: Option<Content>,
    /// The one that was given last, or the least that it can be.
    token: i64,
    is_token_known: bool,
}

/// An operation on a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LeaseOp {
    /// The holder found it free and took it, with this token if it is told.
    Acquire(Content, Option<i64>),
    /// The holder had it, with this token if it is told.
    Renew(Content, Option<i64>),
    /// The holder had it, and has it no more.
    End(Content),
}

impl LeaseOp {
    fn holder(&self) -> &Content {
        let (Self::Acquire(holder, _) | Self::Renew(holder, _) | Self::End(holder)) = self;
        holder
    }
}

impl Model for Lease {
    type State = Tenure;
    type Op = LeaseOp;
    type Lookahead = NoLookahead;

    const NAME: &'static str = "lease";
    const SUMMARY: &'static str = "independent leases: `acquire` takes one that nobody has, with a token that grows, \
         `renew` shows that the holder has it, `release` and `expire` end that";
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn initial(&self) -> Tenure {
        Tenure::default()
    }

    fn parse(&self, operation: &Operation) -> Result<Option<LeaseOp>, Malformed> {
        let holder = holder(operation);
        Ok(match operation.f.as_str() {
            "acquire" => Some(LeaseOp::Acquire(holder, token(operation)?)),
            "renew" if operation.is_ok() => Some(LeaseOp::Renew(holder, token(operation)?)),
            "renew" => None,
            "release" | "expire" => Some(LeaseOp::End(holder)),
            f => {
                return Err(Malformed {
                    index: operation.invoke,
                    problem: format!(
                        "the model `lease` has no function `{f}`; expected `acquire`, `renew`, `release` or `expire`"
                    ),
                });
            }
        })
    }

    fn step(&self, now: &Tenure, op: &LeaseOp) -> Option<Tenure> {
        if let LeaseOp::Acquire(holder, told) = op {
            let is_possible = now.holder.is_none() && told.is_none_or(|told| told > now.token);
            return is_possible.then(|| Tenure {
                holder: Some(holder.clone()),
                token: told.unwrap_or(now.token + 1),
                is_token_known: told.is_some(),
            });
        }
        now.holder.as_ref().filter(|holder| *holder == op.holder())?;
        match op {
            LeaseOp::Renew(_, Some(told)) => {
                let fits = if now.is_token_known { *told == now.token } else { *told >= now.token };
                fits.then(|| Tenure { token: *told, is_token_known: true, ..now.clone() })
            }
            LeaseOp::Renew(_, None) | LeaseOp::Acquire(..) => Some(now.clone()),
            // What the token was does not matter any more, only what it was at least.
            LeaseOp::End(_) => Some(Tenure { holder: None, is_token_known: false, ..*now }),
        }
    }

    fn is_read_only(&self, op: &LeaseOp) -> bool {
        matches!(op, LeaseOp::Renew(_, None))
    }

    fn depends(&self, observer: &LeaseOp, cause: &LeaseOp) -> bool {
        match (observer, cause) {
            (LeaseOp::Acquire(..), LeaseOp::End(_)) => true,
            (LeaseOp::Renew(holder, _) | LeaseOp::End(holder), LeaseOp::Acquire(other, _)) => {
                holder == other
            }
            (
                LeaseOp::Acquire(..) | LeaseOp::Renew(..) | LeaseOp::End(_),
                LeaseOp::Acquire(..) | LeaseOp::Renew(..) | LeaseOp::End(_),
            ) => false,
        }
    }

    fn lookahead(&self, _: &[LeaseOp], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe(&self, operation: &Operation) -> String {
        let what = format!("{} {}", operation.f, holder(operation));
        match token(operation) {
            Ok(Some(token)) => format!("{what} -> token {token}"),
            Ok(None) | Err(_) => what,
        }
    }

    fn describe_state(&self, now: &Tenure) -> String {
        match (&now.holder, now.is_token_known) {
            (None, _) => "free".to_owned(),
            (Some(holder), true) => format!("held by {holder} with token {}", now.token),
            (Some(holder), false) => format!("held by {holder}"),
        }
    }

    fn accuse(&self, case: &Case<'_, LeaseOp>) -> Option<String> {
        let accused = case.accused.operation;
        let index = accused.invoke;
        let why = match case.accused.op {
            LeaseOp::Acquire(_, told) => {
                held(case).or_else(|| told.and_then(|told| outgrown(case, told)))
            }
            LeaseOp::Renew(..) | LeaseOp::End(_) => never_held(case),
        }?;
        Some(format!("{} at index {index}, but {why}", self.describe(accused)))
    }
}

/// Somebody had acquired the lease before, and nobody began to end that before the accused ended.
fn held(case: &Case<'_, LeaseOp>) -> Option<String> {
    let accused = case.accused.operation;
    let ended = accused.complete?;
    let is_ended = |holder: &Content| {
        case.set.iter().any(|other| {
            matches!(other.op, LeaseOp::End(of) if of == holder) && other.operation.invoke < ended
        })
    };
    acquired_before(case).find(|other| !is_ended(other.op.holder())).map(|other| {
        let (holder, index) = (other.op.holder(), other.operation.invoke);
        format!("{holder} held it from index {index} on")
    })
}

/// A token that is no smaller had been given before.
fn outgrown(case: &Case<'_, LeaseOp>, told: i64) -> Option<String> {
    acquired_before(case).find_map(|other| match other.op {
        LeaseOp::Acquire(_, Some(token)) if *token >= told => Some(format!(
            "token {token} had been given before, at index {}",
            other.operation.invoke
        )),
        _ => None,
    })
}

/// Those who had certainly acquired the lease before the accused began.
fn acquired_before<'a>(case: &Case<'a, LeaseOp>) -> impl Iterator<Item = Member<'a, LeaseOp>> {
    let begun = case.accused.operation.invoke;
    case.set.iter().copied().filter(move |other| {
        matches!(other.op, LeaseOp::Acquire(..))
            && other.operation.definite_end().is_some_and(|end| end < begun)
    })
}

/// The holder had not begun to acquire the lease before the accused ended.
fn never_held(case: &Case<'_, LeaseOp>) -> Option<String> {
    let (holder_of_it, ended) = (case.accused.op.holder(), case.accused.operation.complete?);
    let acquires = |other: &&&Operation| {
        other.f == "acquire"
            && other.outcome != Outcome::Fail
            && other.invoke < ended
            && holder(other) == *holder_of_it
    };
    let is_new = case.all.iter().find(acquires).is_none();
    is_new.then(|| format!("{holder_of_it} had not acquired it"))
}

/// For whom it is.
fn holder(operation: &Operation) -> Content {
    match &operation.input {
        Value::Nil => Content::Int(operation.process.0.cast_signed()),
        named => Content::of(named),
    }
}

/// The token that was told.
fn token(operation: &Operation) -> Result<Option<i64>, Malformed> {
    let named = holder(operation);
    let Outcome::Ok(result) = &operation.outcome else { return Ok(None) };
    let pair = if let Value::List(pair) = result { pair.as_slice() } else { &[] };
    match pair {
        _ if *result == Value::Nil || Content::of(result) == named => Ok(None),
        [holder, Value::Int(token @ 1..)] if Content::of(holder) == named => Ok(Some(*token)),
        _ if operation.f == "release" || operation.f == "expire" => Ok(None),
        _ => Err(Malformed {
            index: operation.complete.unwrap_or(operation.invoke),
            problem: format!(
                "`{}` of {named} returns {result}; expected nil, {named} or [{named}, token] with a token from 1 on",
                operation.f
            ),
        }),
    }
}
