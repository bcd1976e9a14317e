//! The live world: every replica its own process, every link through a proxy, every fault a real one.

pub mod node;
pub mod protocol;
pub mod proxy;
