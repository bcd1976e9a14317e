//! Histories, sequential models, and the checkers that judge a history by a model.
//!
//! Everything here is pure: no I/O beyond the readers and writers that are handed in, no thread, no clock
//! but the budget's. Nothing here knows the systems under test.

pub mod history;
pub mod verdict;
