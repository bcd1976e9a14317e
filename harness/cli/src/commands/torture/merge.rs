//! `quorate merge`: the parts of a campaign, done on several machines, as one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use quorate_plan::Shard;

use super::campaign::Campaign;
use super::draw::Drawer;
use super::examined::{Examined, FAILURES, FOUND};
use super::failures::{self, BROKEN, UNKNOWN, failures, kept_in};
use super::journal::{LINES, Runs};
use super::line::Line;
use super::sum::{self, Span};
use super::told::Telling;
use super::work::make;
use super::{CAMPAIGN, TEST, began_of, campaign_of, pages, write_campaign};
use crate::error::CliError;
use crate::store::{self, RunFolder};

/// The parts of a campaign that ran on several machines, put together into one store with one page.
///
/// Each DIR is a campaign's folder, or a store, of which the latest campaign is taken. They must be parts of one
/// campaign: the same seed and flags but for --shard. A run that is in several counts once, if it came to the same in
/// each of them. The page is that of one campaign of all runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate merge shard-0/store shard-1/store
  quorate merge shards/*/store --out store --json > results.json

Exit codes: as of `quorate torture`, for all runs together; 254 where they are no parts of one campaign.")]
pub(crate) struct Merge {
    /// Folders of campaigns, or stores.
    #[arg(required = true, value_name = "DIR")]
    parts: Vec<PathBuf>,

    /// The store that the whole is put into.
    #[arg(long, visible_alias = "store", default_value = "store", value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    telling: Telling,
}

/// A part of a campaign.
struct Part {
    folder: PathBuf,
    campaign: Campaign,
    runs: Runs,
    lines: BTreeMap<u64, Line>,
}

impl Merge {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let parts: Vec<Part> =
            self.parts.iter().map(|path| Part::read(path)).collect::<Result<_, _>>()?;
        let campaign = Arc::new(whole(&parts)?);
        let folder = RunFolder::create(&self.out, TEST, Timestamp::now())?;
        let merged = merge(&parts, &campaign, &folder.path, self.telling.trend);
        let results = merged.inspect_err(|_| folder.discard())?;
        folder.link_latest_of_test()?;
        self.telling.print(&folder.path, &campaign, &results)?;
        Ok(ExitCode::from(sum::exit_code(&results.verdict)))
    }
}

impl Part {
    fn read(path: &Path) -> Result<Self, CliError> {
        let folder = latest(&path.join(TEST)).unwrap_or_else(|| path.to_owned());
        let campaign = campaign_of(&folder)?.campaign(0)?;
        let (runs, lines) = Runs::read_apart(&folder)?;
        Ok(Self { folder, campaign, runs, lines })
    }

    fn name(&self) -> std::path::Display<'_> {
        self.folder.display()
    }
}

/// The latest campaign of a store, also where the link to it was lost on the way here.
fn latest(campaigns: &Path) -> Option<PathBuf> {
    let link = campaigns.join("latest");
    if link.exists() {
        return Some(link);
    }
    let entries = fs::read_dir(campaigns).ok()?.flatten().map(|entry| entry.path());
    // Their names are times.
    entries.filter(|folder| folder.join(CAMPAIGN).exists()).max()
}

/// The campaign that all are parts of.
fn whole(parts: &[Part]) -> Result<Campaign, CliError> {
    let Some(first) = parts.first() else {
        return Err(CliError::usage("there is nothing to put together"));
    };
    for part in parts {
        if part.campaign.shared() != first.campaign.shared() {
            let (one, other) = (first.name(), part.name());
            let error = format_args!("{one} and {other} are no parts of one campaign");
            return Err(CliError::usage(error)
                .hint(format_args!("the one is {}", first.campaign.flags()))
                .hint(format_args!("the other is {}", part.campaign.flags())));
        }
    }
    Ok(Campaign { shard: Shard::WHOLE, ..first.campaign.clone() })
}

fn merge(
    parts: &[Part],
    campaign: &Arc<Campaign>,
    folder: &Path,
    trend: usize,
) -> Result<quorate_reports::night::Results, CliError> {
    let (mut runs, lines) = together(parts, campaign.shrink)?;
    runs.write(folder)?;
    let text: String = lines.values().map(Line::to_text).collect();
    store::write_whole(&folder.join(LINES), text.as_bytes())?;
    for line in lines.values() {
        runs.take(line, campaign.shrink);
    }
    let mut examined = BTreeMap::new();
    for part in parts {
        examined.extend(Examined::read_all(&part.folder)?);
    }
    for one in examined.values() {
        one.append(folder)?;
    }
    let failures = failures(&runs.tally, &examined);
    gather(parts, folder, &runs, &failures)?;
    let mut drawer = Drawer::new(Arc::clone(campaign));
    failures::settle(folder, campaign, &mut drawer, &runs, &failures)?;
    failures::clear_found(folder, &runs.tally, &examined)?;
    let began = parts.iter().map(|part| began_of(&part.folder)).min().unwrap_or_default();
    write_campaign(&folder.join(CAMPAIGN), campaign, &began)?;
    let elapsed = Duration::from_millis(runs.tally.ended_ms);
    let span = Span { began, state: "finished", elapsed };
    let results = sum::results(folder, campaign, &runs, &failures, &span);
    pages::write_results(folder, campaign, &results, trend)?;
    Ok(results)
}

/// All runs: those that are added up already, and the others, line by line. No run counts twice.
fn together(parts: &[Part], shrunk_each: usize) -> Result<(Runs, BTreeMap<u64, Line>), CliError> {
    let mut folded = Runs::default();
    for part in parts {
        if let Some(index) = folded.done.first_common(&part.runs.done) {
            return Err(twice(index, part, "and only sums are left of it"));
        }
        folded.done.extend(&part.runs.done);
        folded.tally.extend(part.runs.tally.clone(), shrunk_each);
    }
    let mut lines: BTreeMap<u64, Line> = BTreeMap::new();
    for part in parts {
        for (index, line) in &part.lines {
            if folded.done.contains(*index) {
                return Err(twice(*index, part, "and only sums are left of it"));
            }
            match lines.get(index) {
                Some(other) if !other.agrees_with(line) => {
                    return Err(twice(*index, part, "and it came to something else"));
                }
                Some(_) => {}
                None => {
                    lines.insert(*index, line.clone());
                }
            }
        }
    }
    Ok((folded, lines))
}

fn twice(index: u64, part: &Part, what: &str) -> CliError {
    let name = part.name();
    CliError::usage(format_args!("{name}: run {index} is in another part as well, {what}"))
        .hint("give each part once, and only parts that ran with different --shard")
}

/// Copies from the parts what is kept of runs, to where it is looked for.
fn gather(
    parts: &[Part],
    folder: &Path,
    runs: &Runs,
    failures: &failures::Failures,
) -> Result<(), CliError> {
    let found = folder.join(FOUND);
    for (signature, first) in failures::kept(failures) {
        let places = parts.iter().map(|part| part.folder.join(FAILURES).join(&signature));
        let is_it = |place: &PathBuf| kept_in(place).is_some_and(|kept| kept.index == first.index);
        if let Some(place) = places.into_iter().find(is_it) {
            copy(&place, &found.join(first.index.to_string()))?;
        }
    }
    for (kept, reasons) in [(UNKNOWN, &runs.tally.unknowns), (BROKEN, &runs.tally.broken)] {
        for index in reasons.values().flat_map(|few| few.first.keys()) {
            let name = index.to_string();
            let mut places = parts.iter().map(|part| part.folder.join(kept).join(&name));
            if let Some(place) = places.find(|place| place.exists()) {
                copy(&place, &found.join(&name))?;
            }
        }
    }
    Ok(())
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    let cannot = |error| store::cannot("copy", from, &error);
    make(to)?;
    for entry in fs::read_dir(from).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(cannot)?;
        }
    }
    Ok(())
}
