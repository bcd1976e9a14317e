//! Where node processes are started.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A thread that starts processes, and lives as long as this does.
///
/// A node asks the kernel to be killed when its parent dies, and the kernel takes the thread that started
/// it for its parent. A worker of the runtime may end earlier than the cluster; this thread does not.
#[derive(Debug)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

type Job = (Command, oneshot::Sender<io::Result<Child>>);

impl Spawner {
    /// Starts the thread. To be called within a runtime.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let runtime = Handle::current();
        thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _within = runtime.enter();
            for (mut command, answer) in queue {
                // Nobody waits any more: the child is dropped, and killed by that.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self { jobs })
    }

    /// Starts a process.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes has ended");
        let (answer, started) = oneshot::channel();
        self.jobs.send((command, answer)).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}
