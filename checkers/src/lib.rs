//! Histories, sequential models, and the checkers that judge a history by a model.
//!
//! [`judge::judge`] applies all of them. Everything here is pure: no I/O beyond the readers and
//! writers that are handed in, no thread, no clock but the budget's. Nothing here knows the systems
//! under test.

pub mod explain;
pub mod foreign;
pub mod history;
pub mod judge;
pub mod linearizability;
pub mod model;
pub mod statistics;
#[cfg(test)]
mod testing;
pub mod vacuity;
pub mod verdict;
pub mod violations;
