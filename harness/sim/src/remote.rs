//! How a run that goes on is seen and stopped from outside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What another thread can know of a run and do to it. A run that nobody stops is the same with or without one.
#[derive(Debug, Default)]
pub struct Remote {
    stop: AtomicBool,
    now_us: AtomicU64,
    steps: AtomicU64,
}

/// How often a run looks here, in events: seldom enough to cost nothing.
pub(crate) const EVERY: u64 = 1_024;

impl Remote {
    /// Lets the run heal, read every key once more, and end in good order, as soon as it looks.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The virtual time that was reached, in microseconds.
    pub fn now_us(&self) -> u64 {
        self.now_us.load(Ordering::Relaxed)
    }

    /// How many events there were.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Tells how far the run is; whether it is to stop.
    pub(crate) fn look(&self, now_us: u64, steps: u64) -> bool {
        self.now_us.store(now_us, Ordering::Relaxed);
        self.steps.store(steps, Ordering::Relaxed);
        self.stop.load(Ordering::Relaxed)
    }
}
