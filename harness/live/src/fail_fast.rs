//! The end of a run at the first violation that its clients have certainly seen.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use quorate_checkers::history::Event;
use quorate_checkers::model::{self, AnyModel};
use quorate_checkers::stream::{Limits, Referee, Undecided};
use tokio::sync::watch;

use crate::recorder::Recorder;

/// How often what is not decided is looked at as if nothing more came: an operation that hangs must not hide what others
/// have seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells when the history cannot become right any more.
pub(crate) struct FailFast {
    violated: watch::Receiver<bool>,
    undecided: Arc<Mutex<Vec<Undecided>>>,
}

impl FailFast {
    /// Judges all that is recorded from now on, on a thread of its own, which ends with the recorder. Nothing where the
    /// model has to see whole histories.
    pub(crate) fn watch(recorder: &Recorder, model: &str) -> Option<Self> {
        let model = model::by_name(model)?;
        Referee::new(model, Limits::default())?;
        let (tap, events) = channel();
        let (told, violated) = watch::channel(false);
        let undecided = Arc::<Mutex<Vec<Undecided>>>::default();
        let left = Arc::clone(&undecided);
        recorder.tap(tap);
        thread::spawn(move || {
            let leave =
                |undecided| *left.lock().unwrap_or_else(PoisonError::into_inner) = undecided;
            if comes_to_a_violation(model, &events, leave) {
                told.send_replace(true);
            }
        });
        Some(Self { violated, undecided })
    }

    /// Never watches anything.
    pub(crate) fn never() -> Self {
        Self { violated: watch::channel(false).1, undecided: Arc::default() }
    }

    /// Waits for the first violation; for ever, if there is none.
    pub(crate) async fn violated(&mut self) {
        if self.violated.wait_for(|is_violated| *is_violated).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What was too much to be watched, so far.
    pub(crate) fn undecided(&self) -> Vec<Undecided> {
        self.undecided.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Judges events as they come, up to the first violation; false if none comes. Now and then it tells what it does not follow
/// any more.
fn comes_to_a_violation(
    model: &dyn AnyModel,
    events: &Receiver<Event>,
    leave: impl Fn(Vec<Undecided>),
) -> bool {
    let Some(mut referee) = Referee::new(model, Limits::default()) else { return false };
    let mut looked = Instant::now();
    while !referee.is_over() {
        match events.recv_timeout(LOOK_EVERY) {
            Ok(event) => referee.take(&event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        if looked.elapsed() >= LOOK_EVERY {
            referee.look();
            leave(referee.undecided());
            looked = Instant::now();
        }
    }
    referee.violation().is_some()
}
