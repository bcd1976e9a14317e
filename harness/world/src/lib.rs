//! What simulated and live worlds share.

pub mod weather;
