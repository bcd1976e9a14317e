//! What a campaign leaves to be read: its page, and the same for programs.

use std::fs;
use std::path::Path;

use quorate_reports::night::{self, Commands, Results};

use super::campaign::Campaign;
use super::examined::FAILURES;
use super::failures::Failures;
use super::journal::Runs;
use super::night::Night;
use super::sum::{self, Span};
use crate::commands::report::{quoted, replay};
use crate::error::CliError;
use crate::output;
use crate::store;

/// The page of a campaign.
pub(super) const PAGE: &str = "index.html";
/// For build servers.
const JUNIT: &str = "junit.xml";
/// For the summary of a job.
const SUMMARY: &str = "summary.md";

/// Writes all of them.
pub(super) fn write(
    night: &Night<'_>,
    runs: &Runs,
    failures: &Failures,
    span: &Span,
) -> Result<(), CliError> {
    let results = sum::results(night.folder, &night.campaign, runs, failures, span);
    write_results(night.folder, &night.campaign, &results, night.trend)
}

/// Writes all of them for a campaign that is summed up.
pub(super) fn write_results(
    folder: &Path,
    campaign: &Campaign,
    results: &Results,
    trend: usize,
) -> Result<(), CliError> {
    let earlier = earlier(folder, trend);
    let commands = Commands {
        again: format!("quorate torture {}", campaign.flags()),
        resume: format!("quorate torture --resume {}", quoted(folder)),
        show: format!("quorate torture {} --show NUMBER", campaign.flags()),
        replay: replay(&folder.join(FAILURES)),
    };
    let page = night::page(results, &earlier, &commands).map_err(CliError::harness)?;
    let files = [
        (store::RESULTS, output::json(results)),
        (PAGE, page),
        (JUNIT, night::junit(results).map_err(CliError::harness)?),
        (SUMMARY, night::summary(results, &commands)),
    ];
    for (name, content) in files {
        store::write_whole(&folder.join(name), content.as_bytes())?;
    }
    Ok(())
}

/// The campaigns before this one in the same store, the latest of them, oldest first. One that cannot be read is left out.
fn earlier(folder: &Path, count: usize) -> Vec<Results> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let Some(parent) = folder.parent() else { return Vec::new() };
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut folders: Vec<_> =
        entries.flatten().filter(is_folder).map(|entry| entry.path()).collect();
    // Their names are times.
    folders.retain(|other| *other < folder);
    folders.sort();
    let read = |folder: &std::path::PathBuf| {
        let text = fs::read_to_string(folder.join(store::RESULTS)).ok()?;
        serde_json::from_str(&text).ok()
    };
    let mut results: Vec<Results> = folders.iter().rev().filter_map(read).take(count).collect();
    results.reverse();
    results
}
