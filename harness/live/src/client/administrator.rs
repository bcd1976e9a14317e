//! The client that changes the system while it runs, and does nothing else.

use quorate_systems::contract::{ClientInput, Options, Outcome, System};
use tokio::sync::{mpsc, oneshot};

use super::{Client, Woken};

/// How many changes may wait to be asked for: one goes on at a time, and who asks next waits as well.
const CHANGES_MAX: usize = 1;

/// Whom to ask for a change of the system.
#[derive(Clone, Debug)]
pub(crate) struct Administrator {
    asks: mpsc::Sender<Change>,
}

/// A change that is asked for.
#[derive(Debug)]
pub(crate) struct Change {
    /// To these.
    pub(crate) options: Options,
    /// Whether the system can change so, once it is asked to.
    pub(crate) begun: oneshot::Sender<Result<(), String>>,
    /// How that ended.
    pub(crate) ended: oneshot::Sender<Result<(), String>>,
}

/// A change that has been begun.
#[derive(Debug)]
pub(crate) struct Changing {
    ended: oneshot::Receiver<Result<(), String>>,
}

impl Administrator {
    /// Whom to ask, and where the questions arrive.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (asks, asked) = mpsc::channel(CHANGES_MAX);
        (Self { asks }, asked)
    }

    /// Begins a change, after those that were asked for earlier have ended. The reason if the system cannot
    /// change so.
    pub(crate) async fn begin(&self, options: Options) -> Result<Changing, String> {
        let gone = || "the administrator has ended".to_owned();
        let (begun, accepted) = oneshot::channel();
        let (ended, complete) = oneshot::channel();
        self.asks.send(Change { options, begun, ended }).await.map_err(|_| gone())?;
        accepted.await.map_err(|_| gone())??;
        Ok(Changing { ended: complete })
    }
}

impl Changing {
    /// Waits until the change is complete, or has failed for this reason.
    pub(crate) async fn end(self) -> Result<(), String> {
        self.ended.await.unwrap_or_else(|_| Err("the administrator has ended".to_owned()))
    }
}

impl<S: System> Client<S> {
    /// Makes one change after the other, until nobody can ask any more.
    pub(crate) async fn administer(
        mut self,
        mut asked: mpsc::Receiver<Change>,
        mut config: S::Config,
    ) {
        loop {
            let change = tokio::select! {
                change = asked.recv() => change,
                woken = self.wait(None) => {
                    self.hear(woken);
                    continue;
                }
            };
            let Some(Change { options, begun, ended }) = change else { return };
            // Whoever asked may wait no longer.
            match S::change(&config, &options) {
                Err(error) => drop(begun.send(Err(error.to_string()))),
                Ok(changed) => {
                    let _ = begun.send(Ok(()));
                    let outcome = self.change(options).await;
                    if outcome.is_ok() {
                        config = changed;
                    }
                    let _ = ended.send(outcome);
                }
            }
        }
    }

    async fn change(&mut self, options: Options) -> Result<(), String> {
        let mut outcome = self.step(ClientInput::Reconfigure(options));
        loop {
            match outcome {
                None => {}
                Some(Outcome::Reconfigured) => return Ok(()),
                Some(Outcome::Failed(why) | Outcome::Unknown(why)) => return Err(why),
                Some(
                    outcome @ (Outcome::Read(_)
                    | Outcome::Written
                    | Outcome::Swapped
                    | Outcome::NotSwapped(_)
                    | Outcome::Appended
                    | Outcome::Deleted
                    | Outcome::Added
                    | Outcome::Decided(_)
                    | Outcome::List(_)
                    | Outcome::Transaction(_)),
                ) => {
                    panic!("a change was answered with {outcome:?}")
                }
            }
            outcome = match self.wait(None).await {
                Woken::Input(input) => self.step(input),
                Woken::Time | Woken::Noise => None,
            };
        }
    }
}
