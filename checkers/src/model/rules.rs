//! The rules of the monitors, each of which can be switched off in a test to see that the tests need it.

/// What a monitor asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// What is taken was put in.
    TakenIsPut,
    /// What was put in once is taken once.
    TakenOnce,
    /// What is taken was not put in later.
    TakenLater,
    /// Where nothing is found, nothing is.
    EmptyWhenEmpty,
    /// An unknown operation may have taken what nobody is known to have taken.
    UnknownTakes,
    /// In a queue, what was put in later is not taken earlier.
    NotOvertaken,
    /// In a stack, what lies at the bottom is put in first.
    BottomIsFirst,
    /// In a stack, what lies at the bottom is taken last.
    BottomIsLast,
    /// In a priority queue, what is taken is the least.
    Least,
    /// In a set, an element that is found is there.
    FoundIsThere,
    /// In a set, an element that is not found is not there.
    MissedIsAbsent,
    /// In a set, an element has nothing to do with another one.
    ElementsApart,
}

#[cfg(not(test))]
pub(super) fn holds(_: Rule) -> bool {
    true
}

#[cfg(test)]
pub(super) use switch::{holds, without};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::Rule;

    thread_local! {
        static OFF: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    pub(crate) fn holds(rule: Rule) -> bool {
        OFF.get() != Some(rule)
    }

    /// Does it with a rule switched off, in this thread.
    pub(crate) fn without<T>(rule: Option<Rule>, work: impl FnOnce() -> T) -> T {
        OFF.set(rule);
        let done = work();
        OFF.set(None);
        done
    }
}
