//! What simulated and live worlds share.

pub mod convert;
pub mod gate;
pub mod inputs;
pub mod invariants;
pub mod liar;
pub mod matching;
pub mod moments;
pub mod pace;
pub mod regime;
pub mod registry;
pub mod rules;
pub mod untold;
pub mod weather;

#[cfg(test)]
mod samples;
