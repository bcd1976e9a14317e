//! What a campaign came to, on a terminal.

use std::path::Path;

use clap::Args;
use quorate_reports::night::Results;

use super::campaign::Campaign;
use super::examined::{FAILURES, SHRUNK};
use super::pages::PAGE;
use crate::commands::report::{quoted, replay};
use crate::error::CliError;
use crate::output;
use crate::store;

/// More failures than this are not listed: the page has them all.
const FAILURES_MAX: usize = 10;

/// What is told of a campaign, and how.
#[derive(Debug, Args)]
pub(crate) struct Telling {
    /// How many earlier campaigns of the same store the page compares with.
    #[arg(long, default_value_t = 14, value_name = "COUNT", allow_negative_numbers = true)]
    pub(super) trend: usize,

    /// The results as JSON on standard output instead of text.
    #[arg(long)]
    json: bool,

    /// Nothing but the verdict and what failed, and no progress.
    #[arg(long)]
    quiet: bool,
}

impl Telling {
    /// Whether the results alone are told.
    pub(super) const fn is_terse(&self) -> bool {
        self.quiet || self.json
    }

    /// Tells what the campaign in a folder came to.
    pub(super) fn print(
        &self,
        folder: &Path,
        campaign: &Campaign,
        results: &Results,
    ) -> Result<(), CliError> {
        output::print(&if self.json {
            output::json(results)
        } else {
            text(folder, campaign, results, self.quiet)
        })
    }
}

/// The verdict, what failed, and what to do next.
fn text(folder: &Path, campaign: &Campaign, results: &Results, quiet: bool) -> String {
    let mut text = String::new();
    output::line(&mut text, &results.verdict.to_uppercase(), &results.sentence);
    for failure in results.failures.iter().take(FAILURES_MAX) {
        output::line(&mut text, "", &format!("{}: {}", failure.signature, failure.sentence));
    }
    if results.failures.len() > FAILURES_MAX {
        let more = results.failures.len() - FAILURES_MAX;
        output::line(&mut text, "", &format!("… and {more} more, all in the page"));
    }
    for reason in &results.broken {
        let what = format!("{} ({} world): {}", runs(reason.runs), reason.world, reason.reason);
        output::line(&mut text, "broken", &what);
    }
    if quiet {
        return text;
    }
    for world in ["sim", "live"] {
        let own = results.runs_in(world);
        if own.total() > 0 {
            let what = format!(
                "{}: {} valid, {} invalid, {} unknown, {} broken",
                runs(own.total()),
                own.valid,
                own.invalid,
                own.unknown,
                own.broken
            );
            output::line(&mut text, world, &what);
        }
    }
    let time = humantime::format_duration(std::time::Duration::from_secs(
        results.times.elapsed_ms / 1_000,
    ));
    output::line(&mut text, "time", &format!("{time}, {}", results.times.state));
    output::line(&mut text, "seed", &campaign.seed.to_string());
    output::line(&mut text, "again", &format!("quorate torture {}", campaign.flags()));
    if results.times.state == "stopped" {
        let resume = format!("quorate torture --resume {}", quoted(folder));
        output::line(&mut text, "resume", &resume);
    }
    if let Some(first) = results.failures.first() {
        let place = folder.join(FAILURES).join(&first.signature);
        output::line(&mut text, "replay", &replay(&place));
        let shrunk = place.join(SHRUNK);
        let page = if shrunk.exists() { shrunk } else { place };
        output::line(&mut text, "story", &page.join(store::REPORT).display().to_string());
    }
    output::line(&mut text, "report", &folder.join(PAGE).display().to_string());
    text
}

fn runs(count: u64) -> String {
    output::count(count, "run")
}
