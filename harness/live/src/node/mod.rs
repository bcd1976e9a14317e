//! The node process: one replica core with a real disk, real sockets and a real clock.
//!
//! ```text
//!   peers ── frames ──►┐                        ┌──► frames ── peers
//! clients ── HTTP ────►┤                        ├──► HTTP ──── clients
//!  timers ────────────►┼──► core ──► gate ──────┼──► timers
//!    disk ── durable ─►┘              ▲         └──► disk ─┐
//!                                     └──── durable ───────┘
//! harness ── orders ──► clock, disk, liar        notices ──► harness
//!                          inputs ──► inputs.log, diary ──► observed.jsonl
//! ```
//! One thread steps the core and does everything else but the disk's waiting; nothing is shared with it
//! but queues with bounds.

mod checkpoint;
mod clients;
mod clock;
mod config;
mod console;
mod diary;
mod disk;
mod ending;
mod folder;
mod inputs;
mod peers;
mod recovery;
mod runtime;
mod start;
mod storage;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toy;

use std::panic::{self, AssertUnwindSafe};

use quorate_systems::contract::System;
use quorate_systems::{WithSystem, with_system};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use config::{BadConfig, load_config};
pub use ending::Ending;
pub use folder::record_files;
pub use storage::LOG_MAX_BYTES;

use console::Log;
use runtime::{Ask, Tell};

use crate::protocol::NodeConfig;

/// How many orders wait for the node.
const ASKS_MAX: usize = 64;

/// Runs a node until it ends, and returns the exit code of its process. It takes over the standard streams
/// as [`crate::protocol`] says, and must be called on the main thread: when the parent's death is to end
/// the node, it is this thread that hears of it.
pub fn run(config: NodeConfig) -> i32 {
    let log = Log::of(config.node);
    let ending = match config.parent.map_or(Ok(()), die_with) {
        Ok(()) => serve(config, &log),
        Err(ending) => ending,
    };
    log.say(&ending);
    if let Some(notice) = ending.notice() {
        console::tell(&notice);
    }
    ending.code()
}

/// Has the kernel kill this process when the one that started it ends, however it ends. Works for a
/// stopped process too.
fn die_with(parent: u32) -> Result<(), Ending> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| {
        Ending::CannotStart(format!("cannot ask to die with its parent: {error}"))
    })?;
    // The parent may have died before that, and nobody would tell.
    let lives = getppid().map(Pid::as_raw_pid).and_then(|pid| u32::try_from(pid).ok());
    if lives == Some(parent) {
        Ok(())
    } else {
        Err(Ending::CannotStart(format!(
            "process {parent}, which started it, is gone; for a node that lives by itself, take `parent` \
             out of its configuration"
        )))
    }
}

fn serve(config: NodeConfig, log: &Log) -> Ending {
    guarded(async || {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        if let Err(ending) = listen_to_outside(&asks, config.parent.is_some(), log) {
            return ending;
        }
        drive(config, asks, asked, log.clone(), &mut console::tell).await
    })
}

/// Runs a node to its end on this thread. A panic anywhere in it, the core's above all, is an ending like
/// any other.
fn guarded(node: impl AsyncFnOnce() -> Ending) -> Ending {
    let ended = panic::catch_unwind(AssertUnwindSafe(|| {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(node()),
            Err(error) => Ending::CannotStart(format!("cannot start a runtime: {error}")),
        }
    }));
    ended.unwrap_or_else(|panic| Ending::Panicked(one_line(panic_text(&*panic))))
}

/// Orders and signals become asks.
fn listen_to_outside(asks: &mpsc::Sender<Ask>, has_parent: bool, log: &Log) -> Result<(), Ending> {
    let cannot = |error| Ending::CannotStart(format!("cannot listen for orders: {error}"));
    console::read_orders(asks.clone(), log.clone()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let asks = asks.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                // Ctrl-C at a terminal reaches the nodes as well as the harness: the harness decides.
                _ = interrupt.recv() => if has_parent { continue },
            }
            if asks.send(Ask::Terminate).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Runs a node with orders from `asked` and notices to `tell`.
async fn drive(
    config: NodeConfig,
    asks: mpsc::Sender<Ask>,
    asked: mpsc::Receiver<Ask>,
    log: Log,
    tell: &mut Tell<'_>,
) -> Ending {
    struct Drive<'a> {
        config: NodeConfig,
        asks: mpsc::Sender<Ask>,
        asked: mpsc::Receiver<Ask>,
        log: Log,
        tell: &'a mut Tell<'a>,
    }

    impl<'a> WithSystem for Drive<'a> {
        type Out = std::pin::Pin<Box<dyn Future<Output = Ending> + 'a>>;

        fn with<S: System>(self) -> Self::Out {
            let Self { config, asks, asked, log, tell } = self;
            Box::pin(async move {
                match start::start::<S>(&config, asks, asked, log).await {
                    Ok(started) => started.node.serve(started.sources, started.ready, tell).await,
                    Err(ending) => ending,
                }
            })
        }
    }

    with_system(config.system, Drive { config, asks, asked, log, tell }).await
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
