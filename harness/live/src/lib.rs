//! The live world: every replica its own process, every link through a proxy, every fault a real one.

mod client;
mod cluster;
mod nemesis;
pub mod node;
pub mod protocol;
pub mod proxy;
mod recorder;
mod run;
mod sweep;

pub use cluster::Death;
pub use nemesis::DEATH;
pub use recorder::Counts;
pub use run::{LiveError, Phase, Progress, RunSetup, RunSummary, run};
pub use sweep::{SweepError, sweep};
