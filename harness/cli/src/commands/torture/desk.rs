//! Who does what next: run numbers and findings, dealt out to threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quorate_plan::WorldKind;

/// Deals out jobs; several threads ask at once.
pub(super) struct Desk<'a> {
    clock: Clock,
    stop: &'a AtomicBool,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

/// When a campaign is to end, in the time of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// When this part of it began.
    pub(super) began: Instant,
    /// How long it had gone on before that.
    pub(super) before: Duration,
    /// How long it may go on in all.
    pub(super) budget: Option<Duration>,
}

/// Run numbers that are still to be done.
pub(super) type Numbers<'a> = Box<dyn Iterator<Item = u64> + Send + 'a>;

struct State<'a> {
    simulated: Numbers<'a>,
    live: Numbers<'a>,
    /// Findings that are to be shrunk: those that come first in their class before all others, then by number.
    shrinks: BTreeMap<(usize, u64), Shrink>,
    /// Jobs that were dealt out and are not yet done.
    open: usize,
    /// Threads that may still run something live, and find something.
    live_threads: usize,
    /// How long the longest live run took.
    longest_live: Duration,
}

/// What is known of live runs before there was one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lively {
    /// How many threads run them.
    pub(super) threads: usize,
    /// How long one is thought to take, until one took longer.
    pub(super) run: Duration,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// The run of this number.
    Run(u64),
    /// A finding is to be made small.
    Shrink(Shrink),
}

/// A finding that is to be made small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shrink {
    /// The number of the run.
    pub(super) index: u64,
    pub(super) world: WorldKind,
    pub(super) system: String,
    /// What it broke.
    pub(super) demand: String,
}

/// Shrinking what was found last may go on for so long a part of the budget after its end.
const GRACE: u32 = 10;
/// And for so long at least, and at most.
const GRACE_MIN: Duration = Duration::from_secs(5);
const GRACE_MAX: Duration = Duration::from_mins(1);
/// Threads with nothing to do look again after so long, at the latest.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Clock {
    /// How long the campaign has gone on, breaks left out.
    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.began.elapsed()
    }

    /// How much of the budget is left; nothing where there is none.
    pub(super) fn left(&self) -> Option<Duration> {
        self.budget.map(|budget| budget.saturating_sub(self.elapsed()))
    }

    /// Whether no new run may begin.
    pub(super) fn is_over(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// Whether not even what was found last may be shrunk any more.
    pub(super) fn is_long_over(&self) -> bool {
        let grace = |budget: Duration| (budget / GRACE).clamp(GRACE_MIN, GRACE_MAX);
        self.budget.is_some_and(|budget| self.elapsed() >= budget + grace(budget))
    }
}

impl<'a> Desk<'a> {
    /// A desk for these runs.
    pub(super) fn new(
        clock: Clock,
        stop: &'a AtomicBool,
        simulated: Numbers<'a>,
        live: Numbers<'a>,
        lively: Lively,
    ) -> Self {
        let state = State {
            simulated,
            live,
            shrinks: BTreeMap::new(),
            open: 0,
            live_threads: lively.threads,
            longest_live: lively.run,
        };
        Self { clock, stop, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// What a thread that simulates does next; nothing once there will never be anything again. Findings come first.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let is_first = state.shrinks.keys().next().is_some_and(|(nth, _)| *nth == 0);
            let may_shrink =
                if is_first { !self.clock.is_long_over() } else { !self.clock.is_over() };
            let job = if may_shrink { state.shrinks.pop_first() } else { None };
            let job = job.map(|(_, shrink)| Job::Shrink(shrink)).or_else(|| {
                let is_over = self.clock.is_over();
                (!is_over).then(|| state.simulated.next()).flatten().map(Job::Run)
            });
            if job.is_some() {
                state.open += 1;
                return job;
            }
            if state.open == 0 && state.live_threads == 0 {
                self.changed.notify_all();
                return None;
            }
            state = self.wait(state);
        }
    }

    /// The next live run; nothing where there is none, or where it would not end in time: then this thread does not ask
    /// again.
    pub(super) fn next_live(&self) -> Option<u64> {
        let mut state = self.state();
        let fits = self.clock.left().is_none_or(|left| state.longest_live <= left);
        let may_begin = fits && !self.stop.load(Ordering::Relaxed);
        let index = if may_begin { state.live.next() } else { None };
        if index.is_some() {
            state.open += 1;
        } else {
            state.live_threads = state.live_threads.saturating_sub(1);
            self.changed.notify_all();
        }
        index
    }

    /// A live run took so long.
    pub(super) fn took(&self, time: Duration) {
        let mut state = self.state();
        state.longest_live = state.longest_live.max(time);
    }

    /// A finding is to be made small; it is the nth of its class.
    pub(super) fn shrink(&self, nth: usize, shrink: Shrink) {
        self.state().shrinks.insert((nth, shrink.index), shrink);
        self.changed.notify_one();
    }

    /// A job that was dealt out is done, and what follows from it has been asked for.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            self.changed.notify_all();
        }
    }

    /// How many findings wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().shrinks.len()
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&'g self, state: MutexGuard<'g, State<'a>>) -> MutexGuard<'g, State<'a>> {
        let waited = self.changed.wait_timeout(state, LOOK_AGAIN);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn clock(budget: Option<Duration>, before: Duration) -> Clock {
        Clock { began: Instant::now(), before, budget }
    }

    fn shrink(index: u64) -> Shrink {
        Shrink { index, world: WorldKind::Sim, system: "vr".to_owned(), demand: "V-I3".to_owned() }
    }

    fn desk(clock: Clock, stop: &AtomicBool) -> Desk<'_> {
        let lively = Lively { threads: 1, run: Duration::from_secs(20) };
        Desk::new(clock, stop, Box::new(0..2), Box::new(100..101), lively)
    }

    #[test]
    fn whoever_has_nothing_to_do_waits_for_what_live_runs_find() {
        let stop = AtomicBool::new(false);
        let desk = desk(clock(None, Duration::ZERO), &stop);
        let next = || desk.next().inspect(|_| desk.done());
        thread::scope(|scope| {
            let simulating = scope.spawn(|| std::iter::from_fn(next).collect::<Vec<Job>>());
            while desk.state().simulated.size_hint().0 > 0 {
                thread::yield_now();
            }
            assert_eq!(desk.next_live(), Some(100));
            desk.shrink(0, shrink(100));
            desk.done();
            assert_eq!(desk.next_live(), None);
            let jobs = simulating.join().unwrap();
            assert_eq!(jobs, [Job::Run(0), Job::Run(1), Job::Shrink(shrink(100))]);
        });
    }

    #[test]
    fn findings_come_first_and_those_that_are_new_before_all_others() {
        let stop = AtomicBool::new(false);
        let desk = desk(clock(None, Duration::ZERO), &stop);
        desk.shrink(1, shrink(3));
        desk.shrink(0, shrink(9));
        assert_eq!(desk.next(), Some(Job::Shrink(shrink(9))));
        assert_eq!(desk.next(), Some(Job::Shrink(shrink(3))));
        assert_eq!(desk.next(), Some(Job::Run(0)));
        assert_eq!(desk.next(), Some(Job::Run(1)));
        assert_eq!(desk.next_live(), Some(100));
        assert_eq!(desk.next_live(), None);
        for _ in 0..5 {
            desk.done();
        }
        assert_eq!(desk.next(), None);
    }

    #[test]
    fn nothing_begins_that_would_not_end_in_time() {
        let stop = AtomicBool::new(false);
        let minute = Some(Duration::from_mins(1));
        let late = desk(clock(minute, Duration::from_secs(45)), &stop);
        assert_eq!(late.next_live(), None, "it takes twenty seconds");
        assert_eq!(late.next(), Some(Job::Run(0)));
        let over = desk(clock(minute, Duration::from_secs(61)), &stop);
        over.shrink(1, shrink(3));
        over.shrink(0, shrink(9));
        assert_eq!(over.next(), Some(Job::Shrink(shrink(9))), "what is new has a little longer");
        over.done();
        assert_eq!((over.next_live(), over.next()), (None, None));
        let long_over = desk(clock(minute, Duration::from_mins(2)), &stop);
        long_over.shrink(0, shrink(9));
        assert_eq!((long_over.next_live(), long_over.next()), (None, None));
    }

    #[test]
    fn whoever_stops_it_gets_nothing_more() {
        let stop = AtomicBool::new(true);
        let desk = desk(clock(None, Duration::ZERO), &stop);
        assert_eq!((desk.next(), desk.next_live()), (None, None));
    }
}
