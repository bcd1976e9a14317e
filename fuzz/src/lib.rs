//! Bodies of the fuzz targets: what bytes become, and what must hold whatever they are.
//!
//! A [`Target`] is a function from bytes that panics where something is wrong, with what is needed around it:
//! inputs to begin with, and a way to show an input to a person. libFuzzer calls it in the binaries that
//! cargo-fuzz builds; the same binaries built by plain cargo replay files, and the tests of this crate replay the
//! whole corpora, with no fuzzer or C++ compiler near.
//!
//! Adding a target: a function, one entry in [`TARGETS`], and a binary of three lines under `targets/`.

pub mod certificates;
pub mod checker;
mod commands;
pub mod coverage;
pub mod memory;
pub mod models;
pub mod mutant;
pub mod parsers;
pub mod schedule;
pub mod stream;
pub mod tool;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// One thing to be fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its binary, and of its folders under `corpus/` and `regressions/`.
    pub name: &'static str,
    /// What it feeds, and what it demands, in one sentence.
    pub about: &'static str,
    /// Takes any bytes, and panics if and only if something is wrong with the code under test.
    pub body: fn(&[u8]),
    /// Inputs worth beginning with, from the project's own runs: equal at every call. Each is to have a name that
    /// says what it is.
    pub seeds: fn() -> Vec<Seed>,
    /// What an input means, for a person to read.
    pub show: fn(&[u8]) -> String,
}

/// An input to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The name of its file.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Every target there is.
pub const TARGETS: &[Target] = &[
    parsers::frames::TARGET,
    stream::quorum::STREAM,
    stream::quorum::LOCK_STREAM,
    stream::quorum::CLIENT_STREAM,
    stream::paxos_single::STREAM,
    stream::paxos_single::CLIENT_STREAM,
    parsers::messages::TARGET,
    parsers::wal::TARGET,
    parsers::input_log::TARGET,
    parsers::history::TARGET,
    parsers::foreign::TARGET,
    parsers::plan_toml::TARGET,
    parsers::plan_json::TARGET,
    parsers::words::TARGET,
    checker::TARGET,
    models::TARGET,
    schedule::QUORUM,
    schedule::PAXOS_SINGLE,
    schedule::PAXOS,
    schedule::PSB,
    schedule::VR,
    schedule::PBFT,
    stream::paxos::STREAM,
    stream::paxos::CLIENT_STREAM,
    stream::vr::STREAM,
    stream::vr::CLIENT_STREAM,
    stream::pbft::STREAM,
    stream::pbft::CLIENT_STREAM,
    certificates::TARGET,
];

/// Makes a binary of a [`Target`]: libFuzzer's under cargo-fuzz, else a tool that replays and shows inputs.
#[macro_export]
macro_rules! target {
    ($target:expr) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(
            init: $crate::mutant::check(),
            |bytes: &[u8]| ($target.body)(bytes)
        );

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::tool::main(&$target)
        }
    };
}
