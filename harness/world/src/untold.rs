//! What a plan says and a run did not do: then the run is not the one that the plan tells of, and proves nothing
//! about it. Both worlds say it in the same words, as trouble in the history.

use quorate_plan::Fault;

/// Why a fault never began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverBegan {
    /// The moment that it waits for did not come.
    NoMoment,
    /// Its time would have come after everything was healed.
    TooLate,
}

/// A fault that never began.
pub fn fault(fault: &Fault, why: NeverBegan) -> String {
    let class = fault.class().name();
    let why = match why {
        NeverBegan::NoMoment => "what it waits for did not happen",
        NeverBegan::TooLate => "faults stopped coming before its time",
    };
    format!("the planned {class} ({fault}) never began: {why}")
}

/// A client that began only so many of its scripted operations; nothing where it began all.
pub fn script(client: u32, begun: usize, all: usize) -> Option<String> {
    let left = all.checked_sub(begun).filter(|left| *left > 0)?;
    Some(format!(
        "c{client} never began {left} of the {all} operations of its script: what they wait for did not happen, or \
         time was up"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_script_that_was_played_is_no_trouble() {
        assert_eq!(script(1, 3, 3), None);
        assert_eq!(
            script(1, 1, 3).as_deref(),
            Some(
                "c1 never began 2 of the 3 operations of its script: what they wait for did not happen, or time \
                 was up"
            )
        );
    }

    #[test]
    fn a_fault_says_why_it_never_began() {
        let pause = Fault::Pause { nodes: BTreeSet::from([2]) };
        assert!(fault(&pause, NeverBegan::NoMoment).starts_with("the planned pause (n2) never"));
        assert!(fault(&pause, NeverBegan::TooLate).ends_with("before its time"));
    }
}
