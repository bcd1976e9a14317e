//! Findings grouped into failures, and what is kept of them on disk.
//!
//! ```text
//! failures/vr-V-I3-1a2b3c4d/    the first run with this signature: history, plan, results, page, finding.json
//!     shrunk/                   the small plan: plan, history, story, picture, page
//! unknown/4711/                 a few runs of each reason
//! broken/4711/                  and of each way in which the harness failed
//! ```
//!
//! All of it follows from the runs and from what was looked at: it can be made again at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use quorate_plan::WorldKind;
use quorate_reports::night::Results;
use quorate_sim::shrink::Shape;

use super::campaign::Campaign;
use super::desk::Shrink;
use super::draw::Drawer;
use super::examined::{Examined, FAILURES, FINDING, FOUND, SHRUNK};
use super::journal::Runs;
use super::tally::Tally;
use super::work::{JUDGING, keep_run, make, write_plan};
use crate::commands::report;
use crate::error::CliError;
use crate::output;
use crate::store;

/// Findings by their signatures, the one that stands for the others first.
pub(super) type Failures = BTreeMap<String, Vec<Examined>>;

/// Runs without a verdict that are kept.
pub(super) const UNKNOWN: &str = "unknown";
/// Runs that broke the harness and are kept.
pub(super) const BROKEN: &str = "broken";

/// The first findings of each class, by their signatures.
pub(super) fn failures(tally: &Tally, examined: &BTreeMap<u64, Examined>) -> Failures {
    let mut findings = Vec::new();
    for class in tally.classes.values() {
        for (index, found) in &class.first {
            let job = Shrink {
                index: *index,
                world: class.world,
                system: class.system.clone(),
                demand: class.demand.clone(),
            };
            let own = examined.get(index).filter(|known| known.seed == found.seed).cloned();
            let mut one = own.unwrap_or_else(|| Examined::unshrunk(&job, found.seed));
            if one.sentence.is_empty() {
                one.sentence.clone_from(&found.why);
            }
            findings.push(one);
        }
    }
    grouped(&findings)
}

/// Each finding under the signature of the smallest that it is taken for; those that have just this signature first, then
/// simulated ones, then by number.
fn grouped(findings: &[Examined]) -> Failures {
    let mut failures = Failures::new();
    for one in findings {
        let size = |other: &&Examined| {
            let size = other.shape.as_ref().map(Shape::size);
            (size.is_none(), size, other.signature())
        };
        let alike = findings.iter().filter(|other| one.is_taken_for(other));
        let smallest = alike.min_by_key(size).unwrap_or(one);
        failures.entry(smallest.signature()).or_default().push(one.clone());
    }
    for (signature, findings) in &mut failures {
        findings.sort_by_key(|one| {
            (one.signature() != *signature, one.world != WorldKind::Sim, one.index)
        });
    }
    failures
}

/// The first finding of each shape, by its own signature. Those that are counted with another are kept as well: with more
/// findings, or those of other parts, they may stand for a failure themselves.
pub(super) fn kept(failures: &Failures) -> BTreeMap<String, &Examined> {
    let mut kept = BTreeMap::new();
    for (signature, findings) in failures {
        for one in findings {
            let own = one.signature();
            if one.shape.is_some() || own == *signature {
                kept.entry(own).or_insert(one);
            }
        }
    }
    kept
}

/// Puts on disk what is kept in the end, and takes away the rest.
pub(super) fn settle(
    folder: &Path,
    campaign: &Campaign,
    drawer: &mut Drawer,
    runs: &Runs,
    failures: &Failures,
) -> Result<(), CliError> {
    let kept = kept(failures);
    for (signature, first) in &kept {
        settle_failure(folder, campaign, drawer, signature, first)?;
    }
    clear(&folder.join(FAILURES), |name| kept.contains_key(name))?;
    let tally = &runs.tally;
    for (kept, reasons) in [(UNKNOWN, &tally.unknowns), (BROKEN, &tally.broken)] {
        let mut numbers = BTreeSet::new();
        for few in reasons.values() {
            for index in few.first.keys() {
                settle_undecided(folder, campaign, drawer, kept, (*index, few.world))?;
                numbers.insert(index.to_string());
            }
        }
        clear(&folder.join(kept), |name| numbers.contains(name))?;
    }
    Ok(())
}

fn settle_failure(
    folder: &Path,
    campaign: &Campaign,
    drawer: &mut Drawer,
    signature: &str,
    first: &Examined,
) -> Result<(), CliError> {
    let place = folder.join(FAILURES).join(signature);
    if kept_in(&place).is_some_and(|kept| kept == *first) {
        return Ok(());
    }
    let found = folder.join(FOUND).join(first.index.to_string());
    if !found.exists() {
        if first.world == WorldKind::Live {
            // It is gone: what stands there is of another run of the same kind, or nothing does.
            return Ok(());
        }
        let drawn = drawer.draw(first.index).map_err(CliError::harness)?;
        keep_run(&found, &drawn.plan, campaign)?;
    }
    move_to(&found, &place)?;
    store::write_whole(&place.join(FINDING), output::json(first).as_bytes())
}

/// Whether this would be the folder of failures of a campaign that came to its end, and found none.
pub(crate) fn has_no_failures(path: &Path) -> bool {
    let is_it = path.file_name().is_some_and(|name| name == FAILURES) && !path.exists();
    let results = || {
        let campaign = path.parent()?;
        let text = fs::read_to_string(campaign.join(store::RESULTS)).ok()?;
        serde_json::from_str::<Results>(&text).ok()
    };
    is_it
        && results().is_some_and(|results| {
            !results.times.is_running() && results.classes.is_empty() && results.failures.is_empty()
        })
}

/// What a folder is said to hold.
pub(super) fn kept_in(place: &Path) -> Option<Examined> {
    let text = fs::read_to_string(place.join(FINDING)).ok()?;
    serde_json::from_str(&text).ok()
}

/// A run without a verdict.
fn settle_undecided(
    folder: &Path,
    campaign: &Campaign,
    drawer: &mut Drawer,
    kept: &str,
    (index, world): (u64, WorldKind),
) -> Result<(), CliError> {
    let place = folder.join(kept).join(index.to_string());
    if place.exists() {
        return Ok(());
    }
    let found = folder.join(FOUND).join(index.to_string());
    if found.exists() {
        return move_to(&found, &place);
    }
    // A plan that cannot even be drawn leaves its reason only.
    let Ok(drawn) = drawer.draw(index) else { return Ok(()) };
    if kept == UNKNOWN && world == WorldKind::Sim {
        return keep_run(&place, &drawn.plan, campaign);
    }
    make(&place)?;
    write_plan(&place, drawn.plan, None)
}

/// Moves a run with its pages, which say where it is.
fn move_to(from: &Path, to: &Path) -> Result<(), CliError> {
    let cannot = |error| store::cannot("move a run to", to, &error);
    if to.exists() {
        fs::remove_dir_all(to).map_err(cannot)?;
    }
    make(to.parent().unwrap_or(to))?;
    fs::rename(from, to).map_err(cannot)?;
    rewrite_pages(to)
}

/// Writes the pages of a run anew, where it is now.
pub(super) fn rewrite_pages(place: &Path) -> Result<(), CliError> {
    for folder in [place.to_owned(), place.join(SHRUNK)] {
        if folder.join(store::REPORT).exists() {
            report::rewrite(&folder, JUDGING)?;
        }
    }
    Ok(())
}

/// Takes away what is not to stay.
fn clear(folder: &Path, stays: impl Fn(&str) -> bool) -> Result<(), CliError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut is_empty = true;
    for entry in entries.flatten() {
        if stays(&entry.file_name().to_string_lossy()) {
            is_empty = false;
        } else {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(|error| store::cannot("remove", &path, &error))?;
        }
    }
    if is_empty {
        // It may be in use by somebody who looks at it.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// Takes away the runs that were kept until it was known what they are, but for live findings that nobody has looked
/// at: these are still there when the campaign goes on.
pub(super) fn clear_found(
    folder: &Path,
    tally: &Tally,
    examined: &BTreeMap<u64, Examined>,
) -> Result<(), CliError> {
    let waits = |name: &str| {
        let index: Option<u64> = name.parse().ok();
        let is_open = |index: &u64| !examined.contains_key(index);
        index.filter(is_open).is_some_and(|index| {
            let mut live = tally.classes.values().filter(|class| class.world == WorldKind::Live);
            live.any(|class| class.first.contains_key(&index))
        })
    };
    clear(&folder.join(FOUND), waits)
}

/// Whether the folder of a live run is kept until it is known what it shows.
pub(super) fn is_kept(tally: &Tally, index: u64) -> bool {
    let few = tally.unknowns.values().chain(tally.broken.values());
    few.map(|few| few.first.contains_key(&index))
        .chain(tally.classes.values().map(|class| class.first.contains_key(&index)))
        .any(|is_among| is_among)
}

/// The folder in which a run without a verdict is kept, where it is.
pub(super) fn undecided_place(folder: &Path, kept: &str, index: u64) -> String {
    let place = format!("{kept}/{index}");
    if folder.join(&place).exists() { place } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: &str = "weather = { delay = { kind = \"constant\", us = 1000 } }\n";
    const CRASH: &str = "[[faults]]\nat_ms = 3\nfor_ms = 5\n\
                         fault = { kind = \"kill\", nodes = [1] }\n";
    const PAUSE: &str = "[[faults]]\nat_ms = 3\nfor_ms = 5\n\
                         fault = { kind = \"pause\", nodes = [1] }\n";
    const DROP: &str = "[[rules]]\nmessage = { kind = \"REPLY\", to = \"n1\" }\nact = \"drop\"\n";

    fn finding(index: u64, world: WorldKind, parts: &[&str]) -> Examined {
        let (system, demand) = ("vr".to_owned(), "V-I7".to_owned());
        let one = Examined::unshrunk(&Shrink { index, world, system, demand }, 1);
        let head = "name = \"a\"\nseed = 1\nworld = \"sim\"\n\
                    system = { kind = \"vr\", nodes = 3 }\n";
        let plan = quorate_plan::from_toml(&format!("{head}{}", parts.concat()));
        let shape = (!parts.is_empty()).then(|| Shape::of(&plan.unwrap()));
        Examined { shape, ..one }
    }

    #[test]
    fn what_has_more_is_taken_for_what_has_less() {
        let sim = WorldKind::Sim;
        let all = [
            finding(1, sim, &[CALM, DROP, CRASH, PAUSE]),
            finding(2, sim, &[DROP, CRASH]),
            finding(3, WorldKind::Live, &[CALM, DROP, CRASH]),
            finding(4, sim, &[CALM, DROP, CRASH]),
            finding(5, sim, &[PAUSE]),
            finding(6, WorldKind::Live, &[]),
            finding(7, WorldKind::Live, &[]),
            finding(8, sim, &[]),
        ];
        let failures = grouped(&all);
        let numbers = |nth: usize| -> Vec<u64> {
            failures[&all[nth].signature()].iter().map(|one| one.index).collect()
        };
        assert_eq!(failures.len(), 3);
        assert_eq!(numbers(3), [4, 3, 1, 2, 8], "what has just this shape comes first");
        assert_eq!(numbers(4), [5], "chance with a pause is nothing that is known");
        assert_eq!(numbers(5), [6, 7], "nobody knows what these are");
        assert!(failures.contains_key("vr-V-I7-live-unshrunk"));
        let mut kept: Vec<u64> = kept(&failures).values().map(|one| one.index).collect();
        kept.sort_unstable();
        assert_eq!(kept, [1, 2, 4, 5, 6], "the first of each shape");
    }
}
