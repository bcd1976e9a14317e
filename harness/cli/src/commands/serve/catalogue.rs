//! What there is in a store.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use quorate_checkers::verdict::Verdict;
use quorate_plan::{Plan, WorldKind};
use quorate_reports::browse::Entry;
use quorate_reports::night;
use serde::Deserialize;

use crate::store;

/// Where the files of the store are.
pub(super) const FILES: &str = "/store";
/// The folder of campaigns in a store, and their page.
const CAMPAIGNS: &str = "torture";
const CAMPAIGN_PAGE: &str = "index.html";
/// A run without results whose history has grown so recently goes on.
const RECENT: Duration = Duration::from_secs(15);
/// The first line of a history is no longer than this; a plan of a million trace entries is not looked into.
const HEADER_MAX: u64 = 1 << 20;

/// The runs and campaigns of a store, with what was read of those that have ended.
pub(super) struct Catalogue {
    root: PathBuf,
    known: BTreeMap<PathBuf, (Option<SystemTime>, Entry)>,
}

/// What a list tells of the results of a run; there is more in the file.
#[derive(Deserialize)]
struct Judged {
    verdict: Verdict,
    sentences: Vec<String>,
    statistics: Counted,
}

#[derive(Deserialize)]
struct Counted {
    duration_ns: u64,
    all: Invoked,
}

#[derive(Deserialize)]
struct Invoked {
    invoked: u64,
}

impl Catalogue {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, known: BTreeMap::new() }
    }

    /// What the store is called.
    pub(super) fn name(&self) -> String {
        self.root.display().to_string()
    }

    /// Everything in it. What has ended is read once.
    pub(super) fn entries(&mut self) -> Vec<Entry> {
        let mut found = BTreeMap::new();
        for test in folders(&self.root) {
            let is_campaign = test.file_name().is_some_and(|name| name == CAMPAIGNS);
            for folder in folders(&test) {
                let changed = changed(&folder.join(store::RESULTS));
                let known = self
                    .known
                    .remove(&folder)
                    .filter(|(at, entry)| *at == changed && changed.is_some() && !entry.is_running);
                let entry = known.map(|(_, entry)| entry).or_else(|| {
                    if is_campaign { self.campaign(&folder) } else { self.run(&folder) }
                });
                if let Some(entry) = entry {
                    found.insert(folder, (changed, entry));
                }
            }
        }
        self.known = found;
        self.known.values().map(|(_, entry)| entry.clone()).collect()
    }

    /// Nothing if it is no folder of a run.
    fn run(&self, folder: &Path) -> Option<Entry> {
        let history = folder.join(store::HISTORY);
        let mut entry = self.entry(folder, store::REPORT);
        if let Some((plan, mutant)) = header(&history) {
            entry.system = plan.system.kind;
            let world = match plan.world {
                WorldKind::Live => "live",
                WorldKind::Sim => "sim",
            };
            world.clone_into(&mut entry.world);
            entry.mutant = mutant.unwrap_or_default();
        } else if !history.exists() {
            return None;
        }
        if let Some(judged) = read::<Judged>(&folder.join(store::RESULTS)) {
            entry.verdict = judged.verdict.to_string();
            entry.why = judged.sentences.into_iter().next().unwrap_or_default();
            entry.size = judged.statistics.all.invoked;
            entry.duration_ns = judged.statistics.duration_ns;
        } else {
            let age = changed(&history).and_then(|at| at.elapsed().ok());
            entry.is_running = age.is_some_and(|age| age < RECENT);
            let state = if entry.is_running { "running" } else { "stopped" };
            state.clone_into(&mut entry.verdict);
        }
        Some(entry)
    }

    /// Nothing if it is no folder of a campaign.
    fn campaign(&self, folder: &Path) -> Option<Entry> {
        let results: night::Results = read(&folder.join(store::RESULTS))?;
        let mut entry = self.entry(folder, CAMPAIGN_PAGE);
        let mut systems: Vec<&str> = results.cells.iter().map(|cell| &*cell.system).collect();
        systems.dedup();
        let mut worlds: Vec<&str> = results.cells.iter().map(|cell| &*cell.world).collect();
        worlds.sort_unstable();
        worlds.dedup();
        entry.system = systems.join(" ");
        entry.world = worlds.join(" ");
        entry.mutant = results.campaign.get("mutant").cloned().unwrap_or_default();
        if entry.mutant == "none" {
            entry.mutant.clear();
        }
        entry.size = results.cells.iter().map(|cell| cell.runs.total()).sum();
        entry.duration_ns = results.times.elapsed_ms.saturating_mul(1_000_000);
        // What was killed left its last word: that it runs.
        let age = changed(&folder.join(store::RESULTS)).and_then(|at| at.elapsed().ok());
        entry.is_running = results.times.is_running() && age.is_some_and(|age| age < 4 * RECENT);
        entry.verdict = if entry.is_running { "running".to_owned() } else { results.verdict };
        entry.why = results.sentence;
        if let Some(budget) = results.campaign.get("budget").filter(|_| entry.is_running) {
            entry.why = format!("{}; it goes on for {budget} in all", entry.why);
        }
        entry.is_campaign = true;
        Some(entry)
    }

    fn entry(&self, folder: &Path, page: &str) -> Entry {
        let name = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name).unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let (test, began) = (name(folder.parent()), name(Some(folder)));
        let inside = folder.strip_prefix(&self.root).unwrap_or(folder);
        let parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
        let parts = parts.map(|part| quorate_reports::encoded(&part));
        let address = parts.collect::<Vec<String>>().join("/");
        let has_page = folder.join(page).is_file();
        Entry {
            href: if has_page { format!("{FILES}/{address}/{page}") } else { String::new() },
            name: test,
            began,
            verdict: String::new(),
            system: String::new(),
            world: String::new(),
            mutant: String::new(),
            size: 0,
            duration_ns: 0,
            why: String::new(),
            is_campaign: false,
            is_running: false,
        }
    }
}

/// The folders in a folder, links not counted.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_folder).map(|entry| entry.path()).collect()
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The plan and the planted bug in the first line of a history.
fn header(history: &Path) -> Option<(Plan, Option<String>)> {
    #[derive(Deserialize)]
    struct First {
        plan: Plan,
        mutant: Option<String>,
    }
    let mut line = String::new();
    BufReader::new(File::open(history).ok()?).take(HEADER_MAX).read_line(&mut line).ok()?;
    let first: First = serde_json::from_str(&line).ok()?;
    Some((first.plan, first.mutant))
}
