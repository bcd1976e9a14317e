//! Ctrl-C, and the wish of a scheduler that a job ends (SIGTERM), for work that looks now and then whether it is to
//! stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{CliError, EXIT_HARNESS};

/// Heeds Ctrl-C for as long as it lives: the first asks the work to stop, the second ends the process.
pub(crate) struct Interrupt {
    stop: Arc<AtomicBool>,
    _runtime: Runtime,
}

impl Interrupt {
    /// Begins to heed it.
    pub(crate) fn heed() -> Result<Self, CliError> {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| CliError::harness(format_args!("cannot start threads: {error}")))?;
        runtime.spawn(heed(Arc::clone(&stop)));
        Ok(Self { stop, _runtime: runtime })
    }

    /// True once the work is to stop.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Whether the work is to stop.
    pub(crate) fn has_come(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

async fn heed(stop: Arc<AtomicBool>) {
    let Ok(mut presses) = signal(SignalKind::interrupt()) else { return };
    let Ok(mut wishes) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = presses.recv() => {}
        _ = wishes.recv() => {}
    }
    stop.store(true, Ordering::Relaxed);
    tokio::select! {
        _ = presses.recv() => {}
        _ = wishes.recv() => {}
    }
    std::process::exit(i32::from(EXIT_HARNESS));
}
