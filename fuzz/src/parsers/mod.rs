//! Whatever reads bytes: it may refuse them, and never panic, nor read what it would not write.

pub mod frames;
