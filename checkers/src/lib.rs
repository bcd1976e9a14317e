//! Histories, sequential models, and the checkers that judge a history by a model.
//!
//! [`judge::judge`] applies all of them. Everything here is pure: no I/O beyond the readers and
//! writers that are handed in, no clock but the budget's, no thread but those that judge big
//! histories key by key. Nothing here knows the systems under test.

pub mod explain;
pub mod foreign;
pub mod history;
pub mod jepsen;
pub mod judge;
pub mod linearizability;
pub mod model;
pub mod statistics;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod transactions;
pub mod vacuity;
pub mod verdict;
pub mod violations;
