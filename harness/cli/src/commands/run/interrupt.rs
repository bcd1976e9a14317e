//! Ctrl-C.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::after_failure;
use crate::error::{CliError, EXIT_HARNESS};
use crate::progress::Display;
use crate::store::RunFolder;

/// The first Ctrl-C ends a run in good order, the second the process at once; its nodes die with it. When
/// the run itself is over, and only its check takes long, the first one is enough: `stop` says whether there
/// was anything to stop.
pub(super) async fn heed(stop: impl FnOnce() -> bool, display: Arc<Display>, folder: RunFolder) {
    let Ok(mut presses) = signal(SignalKind::interrupt()) else { return };
    presses.recv().await;
    if stop() {
        display.note(
            "stopping: healing the faults, then checking what there is (Ctrl-C again: at once)",
        );
        presses.recv().await;
    }
    display.clear();
    after_failure(&folder, CliError::harness("stopped at once by Ctrl-C, without a verdict"))
        .print();
    std::process::exit(i32::from(EXIT_HARNESS));
}
