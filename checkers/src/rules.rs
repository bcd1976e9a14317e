//! The rules of the monitors, of the search and of the stream. Each can be switched off in a test, to see that the tests
//! need it; elsewhere they hold, and cost nothing.

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
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
    /// A search puts no operation before one that had ended before it began.
    RealTime,
    /// A search takes at once only what changes nothing in any state.
    ChangesNothingEver,
    /// Of equal operations the one that ends first stands for all.
    EqualsEndFirst,
    /// A dead end is one for the operations that had been ordered there.
    DeadByOperations,
    /// A dead end is one for the state that they had led to.
    DeadByState,
    /// A search that goes back tells the lookahead.
    PutsBack,
    /// An order has all operations that have ended.
    AllThatEnded,
    /// What failed did not happen.
    FailedIsOut,
    /// What may have happened is left out only if nobody depends on it.
    UnobservedOnly,
    /// A text that somebody has yet to see is not left for others.
    WantedStays,
    /// A text that somebody has yet to see can be made again by what is left.
    MadeAgain,
    /// What may come from two beginnings is wanted too.
    SeenAnyhow,
    /// A text may begin with what is appended before anything is put.
    AppendedFirst,
    /// A search takes at once what changes nothing. This one and the next three only spare it work.
    ReadsAtOnce,
    /// A search tries one of several equal operations.
    EqualsAreOne,
    /// A search remembers dead ends.
    Remembers,
    /// A search looks ahead.
    LooksAhead,
    /// In a stream, an operation takes effect at once only if it changes nothing in any state.
    ObservesOnly,
    /// In a stream, others may have taken effect unseen before one that overwrites everything.
    OverwrittenUnseen,
    /// In a stream, what nobody depends on is left for later only before an operation that sets the state.
    LaterIfFixed,
    /// In a stream, each operation without a known end takes effect once at most.
    CrashedOnce,
    /// In a stream, one configuration makes another one superfluous only if it allows all that the other one does.
    AllowsAll,
    /// In a stream, an operation has taken effect when it ends.
    DoneAtEnd,
}

#[cfg(not(test))]
pub(crate) const fn holds(_: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) use switch::{holds, without};

#[cfg(test)]
mod switch {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

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
        // Without a rule, an assertion may fail.
        let done = catch_unwind(AssertUnwindSafe(work));
        OFF.set(None);
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
