//! A counter: `read` returns the sum of what was added.
//!
//! Whether there is an order of additions and reads is a question about sums of subsets, which nobody answers fast.
//! What is checked is what any order implies: each read is at least the sum of what had been added for certain
//! before it began, and at most that of all that may have been added before it ended; and no read is less than one
//! that had ended before it began.

use super::Malformed;
use super::monitor::{Monitor, Wrong, malformed, takes_nothing};
use crate::history::{Operation, Outcome, Value};

/// Counters that are 0 at first and only grow.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

impl Monitor for Counter {
    const NAME: &'static str = "counter";
    const SUMMARY: &'static str = "independent counters: each `read` is within the sums of what was `add`ed that are \
         possible at that time, and no later read is less";
    const FUNCTIONS: &'static [&'static str] = &["read", "add"];

    fn judge<'a>(&self, operations: &[&'a Operation]) -> Result<Option<Wrong<'a>>, Malformed> {
        let recorded = Recorded::of(operations)?;
        let wrong = recorded.reads.iter().find_map(|read| recorded.out_of_bounds(read));
        Ok(wrong.or_else(|| recorded.decrease()))
    }
}

/// What happened to one counter.
struct Recorded<'a> {
    reads: Vec<Read<'a>>,
    /// Additions that happened or may have, by invocation: when, and the sum up to and with it.
    begun: Vec<(u64, i128)>,
    /// Those that certainly happened, by completion.
    ended: Vec<(u64, i128)>,
}

/// A read that happened.
struct Read<'a> {
    operation: &'a Operation,
    ended: u64,
    seen: i128,
}

impl<'a> Recorded<'a> {
    fn of(operations: &[&'a Operation]) -> Result<Self, Malformed> {
        let mut recorded = Self { reads: Vec::new(), begun: Vec::new(), ended: Vec::new() };
        for operation in operations {
            match operation.f.as_str() {
                "read" => recorded.reads.extend(read(operation)?),
                "add" => {
                    let amount = amount(operation)?;
                    if operation.outcome != Outcome::Fail {
                        recorded.begun.push((operation.invoke, amount));
                    }
                    recorded.ended.extend(operation.definite_end().map(|end| (end, amount)));
                }
                other => {
                    let problem = format!(
                        "the model `counter` has no function `{other}`; expected `read` or `add`"
                    );
                    return Err(malformed(operation, problem));
                }
            }
        }
        for additions in [&mut recorded.begun, &mut recorded.ended] {
            additions.sort_unstable();
            let mut sum = 0;
            for (_, amount) in additions {
                sum += *amount;
                *amount = sum;
            }
        }
        Ok(recorded)
    }

    fn out_of_bounds(&self, read: &Read<'a>) -> Option<Wrong<'a>> {
        let least = sum_before(&self.ended, read.operation.invoke);
        let most = sum_before(&self.begun, read.ended);
        let Read { operation, seen, .. } = read;
        let index = operation.invoke;
        let sentence = if *seen < least {
            format!("read {seen} at index {index}, but {least} had been added before it began")
        } else if *seen > most {
            format!(
                "read {seen} at index {index}, but no more than {most} can have been added before it ended"
            )
        } else {
            return None;
        };
        Some(Wrong { accused: operation, others: Vec::new(), sentence })
    }

    /// A read that saw less than one that had ended before it began.
    fn decrease(&self) -> Option<Wrong<'a>> {
        let mut by_end: Vec<&Read<'a>> = self.reads.iter().collect();
        by_end.sort_by_key(|read| read.ended);
        let mut by_call: Vec<&Read<'a>> = self.reads.iter().collect();
        by_call.sort_by_key(|read| read.operation.invoke);
        let mut ended = by_end.into_iter().peekable();
        let mut greatest: Option<&Read<'a>> = None;
        for read in by_call {
            while let Some(next) = ended.next_if(|next| next.ended < read.operation.invoke) {
                greatest = greatest.filter(|greatest| greatest.seen >= next.seen).or(Some(next));
            }
            if let Some(before) = greatest.filter(|before| before.seen > read.seen) {
                let sentence = format!(
                    "read {} at index {}, after the read at index {} had already seen {}",
                    read.seen, read.operation.invoke, before.operation.invoke, before.seen
                );
                let others = vec![before.operation];
                return Some(Wrong { accused: read.operation, others, sentence });
            }
        }
        None
    }
}

/// The sum of the additions before `index`.
fn sum_before(additions: &[(u64, i128)], index: u64) -> i128 {
    let count = additions.partition_point(|(at, _)| *at < index);
    count.checked_sub(1).and_then(|last| additions.get(last)).map_or(0, |(_, sum)| *sum)
}

fn read(operation: &Operation) -> Result<Option<Read<'_>>, Malformed> {
    takes_nothing(operation)?;
    let seen = match &operation.outcome {
        Outcome::Ok(Value::Nil) => 0,
        Outcome::Ok(Value::Int(value)) => i128::from(*value),
        Outcome::Ok(other @ (Value::Text(_) | Value::List(_))) => {
            let problem = format!("`read` returns {other}; expected an integer or null");
            return Err(malformed(operation, problem));
        }
        Outcome::Fail | Outcome::Info | Outcome::Pending => return Ok(None),
    };
    let ended = operation.complete.unwrap_or(u64::MAX);
    Ok(Some(Read { operation, ended, seen }))
}

fn amount(operation: &Operation) -> Result<i128, Malformed> {
    match operation.input {
        Value::Int(amount) if amount >= 0 => Ok(i128::from(amount)),
        Value::Int(_) | Value::Nil | Value::Text(_) | Value::List(_) => {
            let problem =
                format!("`add` is given {}; expected an integer from 0 on", operation.input);
            Err(malformed(operation, problem))
        }
    }
}
