//! The histories of seeds, as bytes.

use quorate_checkers::history::{Header, Time, What, Writer};
use quorate_checkers::verdict::Verdict;
use quorate_sim::{Checks, QueueKind, Simulator, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;

use super::Difference;
use crate::commands::run::simulated::failure;
use crate::error::CliError;
use crate::panics;

/// A simulator with which seeds are run and written down.
pub(super) struct Recorder {
    simulator: Box<dyn Simulator>,
}

impl Recorder {
    /// A new simulator with the usual queue.
    pub(super) fn new(kind: SystemKind) -> Self {
        Self::with_queue(kind, QueueKind::default())
    }

    fn with_queue(kind: SystemKind, queue: QueueKind) -> Self {
        Self { simulator: simulator(kind, queue) }
    }

    /// Draws and runs a seed. The bytes are those of a history file: the plan stands in the first line, and
    /// the digest over all events of the world in the last.
    pub(super) fn record(&mut self, seed: u64) -> Result<Vec<u8>, CliError> {
        let plan = self.simulator.draw(seed);
        let header = Header {
            program: String::new(),
            started: String::new(),
            mutant: None,
            model: String::new(),
            plan: serde_json::to_value(&plan).map_err(CliError::harness)?,
        };
        let mut writer = Writer::new(Vec::new(), &header).map_err(CliError::harness)?;
        let mut sink = |time: Time, what: What| {
            writer.event(time, what).map(|_| ()).map_err(|error| error.to_string())
        };
        let simulator = &mut self.simulator;
        let ran = panics::quietly(|| simulator.run(&plan, Mutants::NONE, Checks::ALL, &mut sink));
        let outcome = ran.map_err(|error| {
            failure(&error).hint(format_args!("see its plan: quorate hunt --show {seed}"))
        })?;
        // Nobody judges these; what counts is that they are equal.
        let written = writer.finish(Verdict::Unknown, Some(outcome.digest));
        written.map(|(bytes, _)| bytes).map_err(CliError::harness)
    }
}

/// The simulators of one thread, each of which runs every seed of it.
pub(super) struct Runs {
    kind: SystemKind,
    used: Recorder,
    other_queue: Recorder,
}

/// What came of one seed.
pub(super) struct Examined {
    /// Of its history.
    pub(super) digest: blake3::Hash,
    /// Where the others differ from it, in the order of [`WAYS`].
    pub(super) differences: [Option<Difference>; 3],
}

/// How a seed is run besides for the first time.
pub(super) const WAYS: [&str; 3] =
    ["again in the same simulator", "in a new simulator", "with another kind of event queue"];

impl Runs {
    pub(super) fn new(kind: SystemKind) -> Self {
        Self {
            kind,
            used: Recorder::new(kind),
            other_queue: Recorder::with_queue(kind, QueueKind::Heap),
        }
    }

    /// Runs a seed in every way.
    pub(super) fn examine(&mut self, seed: u64) -> Result<Examined, CliError> {
        let first = self.used.record(seed)?;
        let others = [
            self.used.record(seed)?,
            Recorder::new(self.kind).record(seed)?,
            self.other_queue.record(seed)?,
        ];
        let differences = others.map(|other| Difference::between(seed, &first, &other));
        Ok(Examined { digest: blake3::hash(&first), differences })
    }
}
