//! What came of a hunt: one row for each planted bug, and one for the correct system.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_checkers::verdict::Verdict;
use quorate_systems::mutant::Mutants;
use serde::Serialize;

use super::campaign::{Campaign, Subject, Try};
use super::{Judges, name_of};
use crate::output;

/// The whole result. Apart from processor times, and from what they let tries without a finding come to, it
/// follows from the campaign alone.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    system: &'static str,
    base_seed: u64,
    tries: u8,
    budget_s: f64,
    judges: Judges,
    /// How many nodes more lied than the system bears.
    liars_beyond: u16,
    /// It was ended by Ctrl-C.
    stopped: bool,
    pub(super) rows: Vec<Row>,
    /// How often each milestone was reached in all runs together.
    milestones: BTreeMap<&'static str, u64>,
    /// Milestones of the system and the world that no run reached, though runs can.
    never_reached: Vec<&'static str>,
    /// Milestones of the system that no simulated run can reach, each with the reason.
    out_of_reach: BTreeMap<&'static str, &'static str>,
}

/// What came of the tries of one subject.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The planted bug; `none` for the correct system.
    pub(super) name: &'static str,
    /// How many tries, or rows of seeds, there were.
    tries: usize,
    /// How many of them found something.
    found: usize,
    /// By which demands, each with how many tries.
    found_by: BTreeMap<String, usize>,
    /// By which searches.
    searches: BTreeMap<&'static str, usize>,
    /// Seeds of all tries.
    seeds: u64,
    /// Events of the world in all of them.
    events: u64,
    /// Virtual time of all of them, in microseconds.
    virtual_us: u64,
    /// Processor time of all of them, in seconds.
    cpu_s: f64,
    /// Seeds until something was found.
    seeds_to_find: Spread,
    /// Processor time until something was found, in seconds.
    cpu_s_to_find: Spread,
    /// Seeds on which what is planted made a difference.
    reached: u64,
    /// Seeds on which the checker did not come to an end.
    undecided: u64,
    /// The finding of the first try that has one.
    pub(super) first: Option<First>,
}

/// Over the tries; a try without a finding counts as longer than all others, and where it would be the answer
/// there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    median: Option<f64>,
    worst: Option<f64>,
}

/// A finding that is kept as a run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct First {
    pub(super) seed: u64,
    demand: String,
    search: &'static str,
    /// The command that runs it again.
    pub(super) again: String,
    /// It was invalid as well when it was run once more.
    pub(super) is_confirmed: bool,
}

impl Table {
    pub(super) fn of(campaign: &Campaign, tried: &[Try], stopped: bool) -> Self {
        let mut milestones: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (name, count) in tried.iter().flat_map(|tried| &tried.milestones) {
            *milestones.entry(name).or_default() += count;
        }
        let of_world = quorate_sim::MILESTONES.iter();
        let known = campaign.system.vocabulary().milestones.iter().chain(of_world);
        let missed = known.map(|place| place.name).filter(|name| !milestones.contains_key(name));
        let (out_of_reach, never_reached): (Vec<_>, Vec<_>) =
            missed.partition(|name| quorate_sim::out_of_reach(name).is_some());
        let with_reason = |name| Some((name, quorate_sim::out_of_reach(name)?));
        let row = |subject: &Subject| {
            let own: Vec<&Try> = tried.iter().filter(|one| one.subject == *subject).collect();
            Row::of(*subject, &own)
        };
        Self {
            system: campaign.system.name(),
            base_seed: campaign.base,
            tries: campaign.tries,
            budget_s: campaign.budget.as_secs_f64(),
            judges: campaign.judges,
            liars_beyond: campaign.liars_beyond,
            stopped,
            rows: campaign.subjects.iter().map(row).collect(),
            never_reached,
            out_of_reach: out_of_reach.into_iter().filter_map(with_reason).collect(),
            milestones,
        }
    }

    /// 0 if everything is as it must be, 1 if the correct system was accused, 2 if a bug was not found, or no harm
    /// where too many lied.
    pub(super) fn exit_code(&self) -> u8 {
        let is_control = self.liars_beyond > 0;
        let verdict = if !is_control && self.correct().is_some_and(|row| row.found > 0) {
            Verdict::Invalid
        } else if self.stopped
            || self
                .rows
                .iter()
                .filter(|row| is_control || row.is_planted())
                .any(|row| row.found < row.tries)
        {
            Verdict::Unknown
        } else {
            Verdict::Valid
        };
        verdict.exit_code()
    }

    fn planted(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.is_planted())
    }

    fn correct(&self) -> Option<&Row> {
        self.rows.iter().find(|row| !row.is_planted())
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        output::line(&mut text, "HUNT", &self.headline());
        let planted: Vec<&Row> = self.planted().collect();
        if !planted.is_empty() {
            text.push('\n');
            let rows = planted.iter().map(|row| row.cells());
            text += &aligned(std::iter::once(HEADINGS.map(str::to_owned)).chain(rows));
        }
        if let Some(row) = self.correct() {
            text.push('\n');
            let name = if self.liars_beyond > 0 { "control" } else { "correct" };
            output::line(&mut text, name, &row.correct_line());
        }
        for row in &self.rows {
            let Some(first) = &row.first else { continue };
            let again = if first.is_confirmed { "" } else { ", but not when it was run again" };
            let what = format!("{} by seed {}{again}: {}", first.demand, first.seed, first.again);
            output::line(&mut text, row.name, &what);
        }
        if !self.never_reached.is_empty() {
            output::line(&mut text, "missed", &self.never_reached.join(", "));
        }
        for (name, why) in &self.out_of_reach {
            output::line(&mut text, "beyond", &format!("{name}: {why}"));
        }
        if self.stopped {
            output::line(&mut text, "note", "stopped before its time");
        }
        text
    }

    fn headline(&self) -> String {
        let planted = self.planted().count();
        let found = self.planted().filter(|row| row.found == row.tries).count();
        let mut parts = Vec::new();
        if planted > 0 {
            parts.push(format!("{found} of {planted} planted bugs found in every try"));
        }
        if let Some(row) = self.correct() {
            parts.push(match (self.liars_beyond, row.found) {
                (0, 0) => "the correct system is clean".to_owned(),
                (0, _) => "the correct system is ACCUSED".to_owned(),
                (beyond, found) => {
                    let liars = output::count(u64::from(beyond), "liar");
                    format!("{liars} too many did harm in {found} of {} tries", row.tries)
                }
            });
        }
        format!("{}: {}", self.system, parts.join(", "))
    }
}

const HEADINGS: [&str; 9] = [
    "bug",
    "tries",
    "seeds: median",
    "worst",
    "CPU s: median",
    "worst",
    "reached",
    "found if reached",
    "found by",
];

impl Row {
    fn of(subject: Subject, tried: &[&Try]) -> Self {
        let found = || tried.iter().filter_map(|tried| tried.found.as_ref());
        let mut found_by = BTreeMap::new();
        let mut searches = BTreeMap::new();
        for finding in found() {
            *found_by.entry(finding.demand.clone()).or_default() += 1;
            *searches.entry(finding.search).or_default() += 1;
        }
        let sum = |of: fn(&Try) -> u64| tried.iter().map(|tried| of(tried)).sum();
        let cpu: Duration = tried.iter().map(|tried| tried.cpu).sum();
        Self {
            name: name_of(subject.mutants),
            tries: tried.len(),
            found: found().count(),
            found_by,
            searches,
            seeds: sum(|tried| tried.seeds),
            events: sum(|tried| tried.events),
            virtual_us: sum(|tried| tried.virtual_us),
            cpu_s: cpu.as_secs_f64(),
            seeds_to_find: Spread::over(tried, |tried| {
                #[expect(clippy::cast_precision_loss, reason = "far fewer seeds than that")]
                let seeds = tried.seeds as f64;
                seeds
            }),
            cpu_s_to_find: Spread::over(tried, |tried| tried.cpu.as_secs_f64()),
            reached: sum(|tried| tried.reached),
            undecided: sum(|tried| tried.undecided),
            first: found().next().map(|finding| First {
                seed: finding.seed,
                demand: finding.demand.clone(),
                search: finding.search,
                again: String::new(),
                is_confirmed: false,
            }),
        }
    }

    fn is_planted(&self) -> bool {
        self.name != name_of(Mutants::NONE)
    }

    fn cells(&self) -> [String; 9] {
        let by: Vec<String> = self.found_by.keys().cloned().collect();
        let searches: Vec<&str> = self.searches.keys().copied().collect();
        let by = match by.as_slice() {
            [] => "nothing".to_owned(),
            by => format!("{} ({})", by.join(", "), searches.join(", ")),
        };
        [
            self.name.to_owned(),
            format!("{}/{}", self.found, self.tries),
            in_words(self.seeds_to_find.median, 0),
            in_words(self.seeds_to_find.worst, 0),
            in_words(self.cpu_s_to_find.median, 2),
            in_words(self.cpu_s_to_find.worst, 2),
            percent(self.reached, self.seeds),
            percent(self.found as u64, self.reached),
            by,
        ]
    }

    fn correct_line(&self) -> String {
        let Self { seeds, events, cpu_s, found, undecided, .. } = self;
        let undecided = match undecided {
            0 => String::new(),
            count => format!(", {count} undecided"),
        };
        format!("{seeds} seeds, {events} events, {cpu_s:.1} CPU s, {found} findings{undecided}")
    }
}

impl Spread {
    fn over(tried: &[&Try], measure: impl Fn(&Try) -> f64) -> Self {
        let found = tried.iter().filter(|tried| tried.found.is_some());
        let mut found: Vec<f64> = found.map(|tried| measure(tried)).collect();
        found.sort_by(f64::total_cmp);
        let median = (tried.len().saturating_sub(1)) / 2;
        Self {
            median: found.get(median).copied(),
            worst: found.last().copied().filter(|_| found.len() == tried.len()),
        }
    }
}

/// A number, or a dash where there is none.
fn in_words(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
}

/// A share with two significant places or so.
fn percent(part: u64, of: u64) -> String {
    if of == 0 {
        return "-".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = part as f64 * 100.0 / of as f64;
    if share < 10.0 { format!("{share:.2} %") } else { format!("{share:.0} %") }
}

/// Rows of cells as columns.
fn aligned<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use quorate_systems::SystemKind;
    use quorate_systems::mutant::Mutant;

    use super::super::campaign::Finding;
    use super::*;

    fn tried(mutant: Option<Mutant>, seeds: u64, found: bool) -> Try {
        let subject = Subject { number: u64::from(mutant.is_some()), mutants: Mutants(mutant) };
        Try {
            subject,
            seeds,
            found: found.then(|| Finding { seed: 7, demand: "Q-I2".to_owned(), search: "swarm" }),
            cpu: Duration::from_millis(seeds * 10),
            events: seeds * 100,
            virtual_us: seeds,
            reached: seeds / 2,
            undecided: 0,
            milestones: BTreeMap::from([("wrote-back", 1)]),
        }
    }

    fn table(tried: &[Try]) -> Table {
        let mut subjects: Vec<Subject> = Vec::new();
        for one in tried {
            if !subjects.contains(&one.subject) {
                subjects.push(one.subject);
            }
        }
        let campaign = Campaign {
            system: SystemKind::Quorum,
            subjects,
            tries: 3,
            budget: Duration::from_mins(1),
            correct_seeds: None,
            judges: Judges::All,
            base: 1,
            liars_beyond: 0,
        };
        Table::of(&campaign, tried, false)
    }

    #[test]
    fn a_try_without_a_finding_counts_as_longer_than_all_others() {
        let q03 = Some(Mutant::Q03);
        let row = |found: [bool; 3]| {
            let seeds = [10, 30, 20].into_iter().zip(found);
            let all: Vec<_> = seeds.map(|(seeds, found)| tried(q03, seeds, found)).collect();
            let table = table(&all);
            (table.rows[0].seeds_to_find, table.exit_code())
        };
        let spread = |median, worst| Spread { median, worst };
        assert_eq!(row([true; 3]), (spread(Some(20.0), Some(30.0)), 0));
        assert_eq!(row([true, false, true]), (spread(Some(20.0), None), 2));
        assert_eq!(row([true, false, false]), (spread(None, None), 2));
    }

    #[test]
    fn the_correct_system_must_not_be_accused_whatever_else_was_found() {
        let clean = table(&[tried(Some(Mutant::Q03), 5, true), tried(None, 100, false)]);
        assert_eq!(clean.exit_code(), 0);
        assert!(clean.text().contains("100 seeds, 10000 events, 1.0 CPU s, 0 findings"));
        assert!(clean.text().contains("1 of 1 planted bugs found in every try"));
        let accused = table(&[tried(Some(Mutant::Q03), 5, false), tried(None, 100, true)]);
        assert_eq!(accused.exit_code(), 1);
        assert!(accused.text().contains("ACCUSED"), "{}", accused.text());
    }

    #[test]
    fn where_too_many_lie_harm_must_be_found_in_every_try() {
        let of = |found: [bool; 2]| {
            let tried = found.map(|found| tried(None, 5, found));
            Table { liars_beyond: 1, ..table(&tried) }
        };
        assert_eq!(of([true, true]).exit_code(), 0);
        assert!(of([true, true]).text().contains("1 liar too many did harm in 2 of 2 tries"));
        assert_eq!(of([true, false]).exit_code(), 2);
    }

    #[test]
    fn milestones_that_nobody_reached_are_listed() {
        let missed = table(&[tried(None, 1, false)]);
        assert!(!missed.never_reached.contains(&"wrote-back"));
        assert!(missed.never_reached.contains(&"write-back-skipped"));
        let text = missed.text();
        assert!(text.contains("missed"), "{text}");
        for (name, why) in quorate_sim::OUT_OF_REACH {
            assert!(!missed.never_reached.contains(name), "no run can");
            assert!(text.contains(&format!("beyond   {name}: {why}\n")), "{text}");
        }
    }
}
