//! The end of a run at the first violation that its clients have certainly seen.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use quorate_checkers::history::Event;
use quorate_checkers::model::{self, AnyModel};
use quorate_checkers::stream::{Limits, Referee};
use tokio::sync::watch;

use crate::recorder::Recorder;

/// How often what is not decided is looked at as if nothing more came: an operation that hangs must not hide what others
/// have seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells when the history cannot become right any more.
pub(crate) struct FailFast {
    violated: watch::Receiver<Option<String>>,
}

impl FailFast {
    /// Judges all that is recorded from now on, on a thread of its own, which ends with the recorder. Nothing where the
    /// model has to see whole histories.
    pub(crate) fn watch(recorder: &Recorder, model: &str) -> Option<Self> {
        let model = model::by_name(model)?;
        Referee::new(model, Limits::default())?;
        let (tap, events) = channel();
        let (told, violated) = watch::channel(None);
        recorder.tap(tap);
        thread::spawn(move || {
            let found = first_violation(model, &events);
            if found.is_some() {
                told.send_replace(found);
            }
        });
        Some(Self { violated })
    }

    /// Never watches anything.
    pub(crate) fn never() -> Self {
        Self { violated: watch::channel(None).1 }
    }

    /// Waits for the first violation; why it is one. For ever, if there is none.
    pub(crate) async fn violated(mut self) -> String {
        match self.violated.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }
}

fn first_violation(model: &dyn AnyModel, events: &Receiver<Event>) -> Option<String> {
    let mut referee = Referee::new(model, Limits::default())?;
    let mut looked = Instant::now();
    while !referee.is_over() {
        match events.recv_timeout(LOOK_EVERY) {
            Ok(event) => referee.take(&event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        if looked.elapsed() >= LOOK_EVERY {
            referee.look();
            looked = Instant::now();
        }
    }
    referee.violation()?;
    referee.finish().sentences().into_iter().next()
}
