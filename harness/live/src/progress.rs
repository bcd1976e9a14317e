//! How far a run is, for people.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::recorder::{Counts, Recorder};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(250);
/// So many ticks are a second.
const TICKS_PER_S: usize = 4;

/// Which part of a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// Nodes and links come up.
    Starting,
    /// Operations and faults.
    Running,
    /// All faults are put right.
    Healing,
    /// The keys are read for the last time.
    FinalReads,
    /// The nodes end.
    Stopping,
}

impl fmt::Display for RunPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Healing => "healing",
            Self::FinalReads => "final reads",
            Self::Stopping => "stopping",
        })
    }
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What goes on.
    pub phase: RunPhase,
    /// Since the run began.
    pub elapsed: Duration,
    /// How long operations and faults go on.
    pub time_limit: Duration,
    /// Operations so far.
    pub counts: Counts,
    /// Operations that ended within the last second, in whatever way.
    pub ops_per_s: u64,
    /// The faults in force, as short texts.
    pub faults: Vec<String>,
}

/// Who is told of progress, about four times a second.
pub type Listener = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Puts together what the listener is told.
pub(crate) struct Dashboard {
    listener: Listener,
    time_limit: Duration,
    began: Instant,
    phase: Mutex<RunPhase>,
}

impl Dashboard {
    pub(crate) fn new(listener: Listener, time_limit: Duration) -> Self {
        let phase = Mutex::new(RunPhase::Starting);
        Self { listener, time_limit, began: Instant::now(), phase }
    }

    /// Something else goes on from here.
    pub(crate) fn enter(&self, phase: RunPhase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Tells the listener, for ever.
    pub(crate) async fn show(
        self: Arc<Self>,
        recorder: Recorder,
        faults: impl Fn() -> Vec<String> + Send + 'static,
    ) {
        let mut ended = VecDeque::from([0]);
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            let counts = recorder.counts();
            let now = counts.ok + counts.fail + counts.info;
            let second_ago = ended.front().copied().unwrap_or(now);
            ended.push_back(now);
            if ended.len() > TICKS_PER_S {
                ended.pop_front();
            }
            (self.listener)(&Progress {
                phase: *self.phase.lock().unwrap_or_else(PoisonError::into_inner),
                elapsed: self.began.elapsed(),
                time_limit: self.time_limit,
                counts,
                ops_per_s: now - second_ago,
                faults: faults(),
            });
        }
    }
}
