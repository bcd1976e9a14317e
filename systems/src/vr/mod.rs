//! Viewstamped Replication.
#![allow(dead_code)]
mod crashes;
mod describe;
mod entry;
mod message;
mod options;
mod view;
mod vocabulary;

pub use crashes::CrashVector;
pub use entry::{Entry, Logged, Reconfiguration, Suffix};
pub use message::{Message, Observation, Record, State, Status};
pub use options::{Config, Persistence, Replies};
pub use view::{Members, View};
