//! Findings that were looked at: each with what it was shrunk to. One line each in `findings.jsonl`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use quorate_plan::WorldKind;
use quorate_sim::shrink::Shape;
use serde::{Deserialize, Serialize};

use super::desk::Shrink;
use crate::error::CliError;
use crate::store;

/// A finding that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examined {
    /// The number of its run.
    pub(super) index: u64,
    pub(super) world: WorldKind,
    pub(super) system: String,
    pub(super) demand: String,
    /// What its plan was drawn from.
    pub(super) seed: u64,
    /// The shape of the shrunk plan; nothing where none was shrunk.
    pub(super) shape: Option<Shape>,
    /// What is wrong in the run of the shrunk plan.
    pub(super) sentence: String,
    pub(super) steps: Vec<String>,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) is_complete: bool,
}

/// The findings that were looked at, one line each.
pub(super) const FINDINGS: &str = "findings.jsonl";
/// Runs that are kept until it is known which failure they are: a folder for each, by its number.
pub(super) const FOUND: &str = "found";
/// Failures, a folder for each, by their signatures.
pub(super) const FAILURES: &str = "failures";
/// The shrunk plan in the folder of a failure, with its history, page and story.
pub(super) const SHRUNK: &str = "shrunk";
/// The plan in the folder of a run.
pub(super) const PLAN: &str = "plan.toml";
/// What of a failure's folder says which run it is of.
pub(crate) const FINDING: &str = "finding.json";

impl Examined {
    /// Of which nothing could be shrunk, so far.
    pub(super) fn unshrunk(job: &Shrink, seed: u64) -> Self {
        Self {
            index: job.index,
            world: job.world,
            system: job.system.clone(),
            demand: job.demand.clone(),
            seed,
            shape: None,
            sentence: String::new(),
            steps: Vec::new(),
            before: String::new(),
            after: String::new(),
            is_complete: false,
        }
    }

    /// The name of the failure that it is one of, unless it is taken for one of a smaller shape.
    pub(super) fn signature(&self) -> String {
        let Self { system, demand, world, shape, .. } = self;
        let shape =
            shape.as_ref().map_or_else(|| format!("{}-unshrunk", world.name()), Shape::name);
        format!("{system}-{demand}-{shape}")
    }

    /// Whether this is taken for the other: it breaks the same demand, and its shape has all that the other's has. A simulated
    /// run that nobody had the time to make small may be any; a live one that the simulator does not show may not.
    pub(super) fn is_taken_for(&self, other: &Self) -> bool {
        let is_part = match (&other.shape, &self.shape) {
            (Some(part), Some(whole)) => part.is_part_of(whole),
            (None, None) => self.world == other.world,
            (Some(_), None) => self.world == WorldKind::Sim,
            (None, Some(_)) => false,
        };
        is_part && (&self.system, &self.demand) == (&other.system, &other.demand)
    }

    /// All that were looked at in the campaign in a folder, by their numbers; a torn last line is left out.
    pub(super) fn read_all(folder: &Path) -> Result<BTreeMap<u64, Self>, CliError> {
        let path = folder.join(FINDINGS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(store::cannot("read", &path, &error)),
        };
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        // What cannot be read is looked at again.
        let read = whole.filter_map(|line| serde_json::from_str::<Self>(line).ok());
        Ok(read.map(|examined| (examined.index, examined)).collect())
    }

    /// Writes it down beside the others.
    pub(super) fn append(&self, folder: &Path) -> Result<(), CliError> {
        let path = folder.join(FINDINGS);
        // A torn line of a killed campaign gets its end, so that this one is whole.
        let is_torn =
            fs::read(&path).is_ok_and(|text| text.last().is_some_and(|end| *end != b'\n'));
        let line = serde_json::to_string(self).expect("it has text keys");
        let text = format!("{}{line}\n", if is_torn { "\n" } else { "" });
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| store::cannot("write", &path, &error))
    }
}
