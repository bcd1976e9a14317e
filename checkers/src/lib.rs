//! Histories, sequential models, and the checkers that judge a history by a model.
//!
//! [`judge::judge`] applies all of them to a history of a run. [`foreign`] reads and judges those of other programs:
//!
//! ```
//! use quorate_checkers::foreign::{Meaning, judge, read};
//! use quorate_checkers::linearizability::Budget;
//! use quorate_checkers::verdict::Verdict;
//!
//! let file = "{:process 0, :type :invoke, :f :write, :value 1}
//!             {:process 0, :type :ok,     :f :write, :value 1}
//!             {:process 1, :type :invoke, :f :read,  :value nil}
//!             {:process 1, :type :ok,     :f :read,  :value 2}";
//! let (format, history) = read(file.as_bytes(), None)?;
//! let results = judge(&history, "register", &Meaning::of(format), false, Budget::default())?;
//! assert_eq!(results.verdict, Verdict::Invalid);
//! assert_eq!(results.sentences, ["not linearizable: read 2 at index 2, but nobody ever wrote 2"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An object of your own is a [`model::Model`]: `examples/own_model.rs` has one with all that makes a search quick. By
//! [`linearizability::check`] it is judged, and by [`linearizability::orders`] an order is shown.
//!
//! Everything here is pure: no I/O beyond the readers and
//! writers that are handed in, no clock but the budget's, no thread but those that judge big
//! histories key by key. Nothing here knows the systems under test.

pub mod explain;
pub mod foreign;
pub mod history;
pub mod jepsen;
pub mod judge;
pub mod linearizability;
pub mod model;
mod rules;
pub mod statistics;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod transactions;
pub mod vacuity;
pub mod verdict;
pub mod violations;
