//! One node process from its start to its end.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::protocol::{Control, Notice, Order, Ready, Status};

/// How long a process that is dead may take to let go of its standard output.
const OUTPUT_END_MAX: Duration = Duration::from_secs(2);

/// A node process that was started.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    orders: mpsc::UnboundedSender<Vec<u8>>,
    signals: mpsc::UnboundedSender<Signal>,
    heard: Arc<Heard>,
    next_order: AtomicU64,
    ready: watch::Receiver<Option<Ready>>,
    exit: watch::Receiver<Option<Exit>>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit code; absent where a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// What it said about it on standard output.
    pub(crate) why: Option<String>,
    /// Whether the harness had it coming.
    pub(crate) expected: bool,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}")?,
            (None, Some(signal)) => write!(f, "signal {signal}")?,
            (None, None) => f.write_str("no exit code")?,
        }
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

/// Which ends of a process are the harness's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// None: whatever ends it is a finding.
    Life,
    /// This exit code, or going on.
    Code(i32),
    /// Any: it is being killed, or has not come up yet.
    Death,
}

/// What the reader of a process's output has learned.
#[derive(Debug)]
struct Heard {
    answers: Mutex<BTreeMap<u64, oneshot::Sender<Status>>>,
    ending: Mutex<Option<String>>,
    expected: Mutex<Expected>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    /// Takes charge of a process that has just been started. What it says on standard output is added to
    /// the file `notices`, but for observations, which go to `on_observed`; `on_exit` is called once, before anybody else learns of its end.
    pub(super) fn adopt(
        mut child: Child,
        notices: &Path,
        on_observed: impl Fn(&serde_json::Value) + Send + 'static,
        on_exit: impl FnOnce(&Exit) + Send + 'static,
    ) -> io::Result<Self> {
        let missing = |what: &str| io::Error::other(format!("the process has no {what}"));
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| missing("id"))?;
        let stdin = child.stdin.take().ok_or_else(|| missing("standard input"))?;
        let stdout = child.stdout.take().ok_or_else(|| missing("standard output"))?;
        let file = OpenOptions::new().create(true).append(true).open(notices)?;
        let heard = Arc::new(Heard {
            answers: Mutex::default(),
            ending: Mutex::default(),
            expected: Mutex::new(Expected::Death),
        });
        let (ready_sender, ready) = watch::channel(None);
        let (exit_sender, exit) = watch::channel(None);
        let (orders, order_queue) = mpsc::unbounded_channel();
        let (signals, signal_queue) = mpsc::unbounded_channel();
        tokio::spawn(write_orders(stdin, order_queue));
        let reader =
            tokio::spawn(read_notices(stdout, file, Arc::clone(&heard), ready_sender, on_observed));
        let watched = Arc::clone(&heard);
        tokio::spawn(async move {
            let status = supervise(child, signal_queue).await;
            let exit = end(status, &watched, reader).await;
            on_exit(&exit);
            exit_sender.send_replace(Some(exit));
        });
        Ok(Self { pid, orders, signals, heard, next_order: AtomicU64::new(0), ready, exit })
    }

    /// Waits until it serves, or has ended instead.
    pub(super) async fn up(&self) -> Result<Ready, Exit> {
        let (mut ready, mut exit) = (self.ready.clone(), self.exit.clone());
        tokio::select! {
            biased;
            Ok(ready) = ready.wait_for(Option::is_some) => {
                Ok(ready.clone().expect("waited for it"))
            }
            exit = wait(&mut exit) => Err(exit),
        }
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) -> Exit {
        wait(&mut self.exit.clone()).await
    }

    /// Whether it has not ended yet.
    pub(super) fn lives(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// How often it has booted, once it serves.
    pub(super) fn ready(&self) -> Option<Ready> {
        self.ready.borrow().clone()
    }

    /// Says which ends are no surprise from now on.
    pub(super) fn expect(&self, expected: Expected) {
        *lock(&self.heard.expected) = expected;
    }

    /// Sends a signal, if the process is still there.
    pub(super) fn signal(&self, signal: Signal) {
        // Nobody takes it any more: the process has ended.
        let _ = self.signals.send(signal);
    }

    /// Gives an order. The answer comes when the node gives it: never from one that is stopped or gone.
    pub(super) fn order(&self, what: Control) -> oneshot::Receiver<Status> {
        let id = self.next_order.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let mut answers = lock(&self.heard.answers);
        // Answers that nobody waits for any more will not pile up.
        answers.retain(|_, waiting| !waiting.is_closed());
        answers.insert(id, sender);
        drop(answers);
        if let Ok(mut line) = serde_json::to_vec(&Order { id, what }) {
            line.push(b'\n');
            let _ = self.orders.send(line);
        }
        answer
    }

    /// Its number with the operating system; another process may have it after its end.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Its state letter in `/proc` (`T` for stopped); `None` once it is gone.
    pub(super) fn state(&self) -> Option<char> {
        state_of(self.pid())
    }
}

/// The state letter of a process in `/proc`.
fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in parentheses and may itself hold some.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

async fn wait(exit: &mut watch::Receiver<Option<Exit>>) -> Exit {
    match exit.wait_for(Option::is_some).await {
        Ok(exit) => exit.clone().expect("waited for it"),
        // The task that tells has been ended together with the runtime.
        Err(_) => Exit { code: None, signal: None, why: None, expected: true },
    }
}

/// Waits for the end of the process, and sends it signals meanwhile. Only here, where it is also waited
/// for, is it sure that the id is still that of this process.
async fn supervise(
    mut child: Child,
    mut signals: mpsc::UnboundedReceiver<Signal>,
) -> io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.recv() => {
                // The owner is gone: so is the reason for the process to be.
                let signal = signal.unwrap_or(Signal::KILL);
                let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
                if let Some(pid) = pid {
                    // It may have ended by itself just now.
                    let _ = kill_process(pid, signal);
                }
                if signal == Signal::KILL {
                    return child.wait().await;
                }
            }
        }
    }
}

/// Puts together how the process ended, after all that it said has been read.
async fn end(status: io::Result<ExitStatus>, heard: &Heard, reader: JoinHandle<()>) -> Exit {
    let _ = tokio::time::timeout(OUTPUT_END_MAX, reader).await;
    lock(&heard.answers).clear();
    let (code, signal) = match status {
        Ok(status) => (status.code(), status.signal()),
        Err(_) => (None, None),
    };
    let expected = match *lock(&heard.expected) {
        Expected::Life => false,
        Expected::Code(expected) => code == Some(expected),
        Expected::Death => true,
    };
    Exit { code, signal, why: lock(&heard.ending).take(), expected }
}

async fn write_orders(mut stdin: ChildStdin, mut orders: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = orders.recv().await {
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn read_notices(
    stdout: ChildStdout,
    mut file: File,
    heard: Arc<Heard>,
    ready: watch::Sender<Option<Ready>>,
    on_observed: impl Fn(&serde_json::Value),
) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let notice = serde_json::from_str(&line);
        if let Ok(Notice::Observed { observation }) = &notice {
            // It stands in the node's own file already.
            on_observed(observation);
            continue;
        }
        // The file is for people: what cannot be written there is acted upon all the same.
        let _ = file.write_all(format!("{line}\n").as_bytes());
        match notice {
            Ok(Notice::Ready(notice)) => {
                *lock(&heard.expected) = Expected::Life;
                ready.send_replace(Some(notice));
            }
            Ok(Notice::Done { id, status }) => {
                if let Some(waiting) = lock(&heard.answers).remove(&id) {
                    let _ = waiting.send(status);
                }
            }
            Ok(Notice::Ending { why }) => *lock(&heard.ending) = Some(why),
            // Kept in the file; a node that says nothing else will be missed by its silence.
            Ok(Notice::Observed { .. }) | Err(_) => {}
        }
    }
}
