//! A set, by its last read: operations `add` (or `append`) with an element, and `read`, which returns a list of elements.
//!
//! As `jepsen.checker/set`: what is acknowledged and not in the last read is lost, what is in there and was not asked for
//! is unexpected, what is in there without being acknowledged is recovered. Stricter: an element that is there twice is a
//! duplicate, and one of which every addition failed is aborted; both are violations. More careful: what was acknowledged
//! only after the last read began is not lost, since that read may have come first.

use super::elements::{additions, judge_elements, reads};
use super::{Report, Undecided};
use crate::history::Operation;

pub(super) fn check(operations: &[Operation], report: &mut Report) -> Result<(), Undecided> {
    let additions = additions(operations, report);
    let reads = reads(operations)?;
    let Some(last) = reads.last() else {
        return Err("the set was never read, so there is nothing to judge it by".to_owned());
    };
    let begun = last.operation.invoke;
    let seen = judge_elements(last, &additions, report);
    let mut recovered = 0;
    for (element, added) in &additions {
        let is_seen = seen.contains(*element);
        match added.done {
            Some(done) if done < begun && !is_seen => report.violation("lost", || {
                format!(
                    "{element} was added by index {done}, and the last read, at index {begun}, does not have it"
                )
            }),
            None if is_seen && added.begun.is_some() => recovered += 1,
            Some(_) | None => {}
        }
    }
    report.count("read", seen.len());
    report.count("recovered", recovered);
    Ok(())
}
