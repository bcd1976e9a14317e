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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use quorate_checkers::history::{NemesisPhase, What};
    use quorate_plan::{Plan, SystemPlan, WorldKind};
    use quorate_systems::SystemKind;
    use quorate_systems::mutant::Mutants;

    use super::*;
    use crate::{Checks, Outcome, QueueKind, simulator};

    fn run(remote: Option<Arc<Remote>>) -> (Outcome, Vec<What>) {
        let system = SystemPlan { kind: "quorum".into(), nodes: 3, options: BTreeMap::new() };
        let plan = Plan::new("a", 1, WorldKind::Sim, system);
        let mut world = simulator(SystemKind::Quorum, QueueKind::default());
        if let Some(remote) = remote {
            world.attach(remote);
        }
        let mut seen = Vec::new();
        let mut sink = |_, what| {
            seen.push(what);
            Ok(())
        };
        let outcome = world.run(&plan, Mutants::NONE, Checks::ALL, &mut sink).unwrap();
        (outcome, seen)
    }

    #[test]
    fn a_run_that_is_only_watched_is_the_same() {
        let remote = Arc::new(Remote::default());
        let (watched, _) = run(Some(Arc::clone(&remote)));
        assert_eq!(watched, run(None).0);
        assert!(!watched.interrupted);
        assert!(remote.steps() > EVERY && watched.virtual_us - remote.now_us() < 5_000_000);
    }

    #[test]
    fn a_run_that_is_stopped_ends_early_and_in_good_order() {
        let remote = Arc::new(Remote::default());
        remote.stop();
        let (stopped, seen) = run(Some(remote));
        assert!(stopped.interrupted);
        assert!(stopped.virtual_us < 10_000_000, "{} us of thirty seconds", stopped.virtual_us);
        assert_eq!(stopped.violations, 0);
        let open = seen.iter().fold(0_i64, |open, what| match what {
            What::Invoke(_) => open + 1,
            What::Ok(_) | What::Fail(_) | What::Info(_) => open - 1,
            What::Nemesis(nemesis) => {
                assert_ne!(nemesis.phase, NemesisPhase::Skipped);
                open
            }
            What::Violation(_) => open,
        });
        assert_eq!(open, 0, "every operation is complete");
    }
}
