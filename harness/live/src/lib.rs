//! The live world: every replica its own process, every link through a proxy, every fault a real one.

mod client;
mod cluster;
mod fail_fast;
mod happenings;
mod inputs;
mod nemesis;
pub mod node;
mod observed;
mod progress;
pub mod protocol;
pub mod proxy;
mod recorder;
mod run;
#[cfg(test)]
mod samples;
mod sweep;
mod timers;

pub use cluster::Death;
pub use happenings::Onlooker;
pub use inputs::{HowCut, ReexecuteError, Reexecuted, account, milestones, reexecute};
pub use observed::{forget_observations, judge_again};
pub use progress::{Listener, Progress, RunPhase};
pub use recorder::Counts;
pub use run::{LiveError, RunSetup, RunSummary, run};
pub use sweep::{SweepError, sweep};
