//! What happens in a stream, told to people: only if somebody asks.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Where it is told; nowhere, unless somebody asks. Whoever holds a copy has all of it, also when the teller panics.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(Option<Rc<RefCell<String>>>);

impl Trail {
    /// Somebody asks.
    pub(super) fn asked() -> Self {
        Self(Some(Rc::default()))
    }

    /// Something happens within a step.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if let Some(told) = &self.0 {
            told.borrow_mut().push_str(&what());
        }
    }

    /// The step is over: its line ends. A step in which nothing happened has none.
    pub(super) fn end_line(&self) {
        if let Some(told) = &self.0 {
            let mut told = told.borrow_mut();
            if !told.ends_with('\n') {
                told.push('\n');
            }
        }
    }

    /// All that `feed` tells, and what is wrong in the end, if something is.
    pub(super) fn follow(feed: impl FnOnce(&Self)) -> String {
        let trail = Self::asked();
        let wrong = catch_unwind(AssertUnwindSafe(|| feed(&trail))).err();
        if let Some(wrong) = wrong {
            trail.end_line();
            trail.note(|| format!("wrong: {}\n", text_of(wrong.as_ref())));
        }
        trail.0.map_or_else(String::new, |told| told.take())
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}
