//! Panics of cores are findings that the simulator reports; they are not told twice.

use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static IS_SIMULATING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does `job`, whose panics on this thread somebody catches, without a word of them on standard error.
pub(crate) fn quietly<T>(job: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_SIMULATING.get() {
                LAST.set(place(info));
            } else {
                loud(info);
            }
        }));
    });
    let before = IS_SIMULATING.replace(true);
    let done = job();
    IS_SIMULATING.set(before);
    done
}

/// Where the last panic on this thread was that nobody was told of.
pub(crate) fn last_place() -> Option<String> {
    LAST.take()
}

fn place(info: &PanicHookInfo<'_>) -> Option<String> {
    info.location().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_panic_is_kept_and_told_once() {
        let caught = quietly(|| panic::catch_unwind(|| panic!("on purpose")));
        assert!(caught.is_err());
        assert!(last_place().is_some_and(|place| place.contains("panics.rs")));
        assert_eq!(last_place(), None);
    }
}
