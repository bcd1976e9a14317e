//! Many runs added up. The order in which they are added makes no difference.

use std::collections::BTreeMap;

use quorate_plan::WorldKind;
use quorate_reports::night::{Cell, FaultCoverage, Verdicts};
use serde::{Deserialize, Serialize};

use super::line::{Ending, Line};

/// The sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tally {
    pub(super) cells: Vec<Cell>,
    /// How long the runs of each cell took, in microseconds.
    pub(super) spent_us: Vec<u64>,
    pub(super) faults: Vec<FaultCoverage>,
    /// Of simulated runs.
    pub(super) milestones: Milestones,
    /// Of live runs.
    #[serde(default)]
    pub(super) live_milestones: Milestones,
    pub(super) unknowns: BTreeMap<String, Few>,
    pub(super) broken: BTreeMap<String, Few>,
    pub(super) classes: BTreeMap<String, Class>,
    /// When the last run ended, after the campaign began.
    pub(super) ended_ms: u64,
}

/// By system, by name: how often, and in how many runs.
pub(super) type Milestones = BTreeMap<String, BTreeMap<String, (u64, u64)>>;

/// Runs that came to nothing for one reason, in one world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Few {
    pub(super) world: WorldKind,
    pub(super) reason: String,
    pub(super) runs: u64,
    /// The first of them by their numbers, with what was said.
    pub(super) first: BTreeMap<u64, String>,
}

/// Runs that broke one demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub(super) world: WorldKind,
    pub(super) system: String,
    pub(super) demand: String,
    pub(super) runs: u64,
    /// The first of them by their numbers: those that are shrunk.
    pub(super) first: BTreeMap<u64, Found>,
}

/// A run that broke something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    pub(super) seed: u64,
    pub(super) workload: String,
    pub(super) why: String,
}

/// So many runs are kept of each reason.
pub(super) const FEW: usize = 3;
/// More reasons than this are counted together: what real machines say has no end.
const REASONS_MAX: usize = 40;
/// What stands for all others.
const OTHER_REASONS: &str = "other reasons";

impl Tally {
    /// Adds a run. Of each class of failures as many are remembered as are shrunk.
    pub(super) fn add(&mut self, line: &Line, shrunk_each: usize) {
        self.ended_ms = self.ended_ms.max(line.ended_ms);
        let place = self.cell(&line.system, line.world.name(), &line.workload);
        if let Some(spent) = self.spent_us.get_mut(place) {
            *spent += line.took_us;
        }
        if let Some(cell) = self.cells.get_mut(place) {
            cell.runs = cell.runs.plus(counted(line.ending));
            cell.ok += line.ok;
            cell.fail += line.fail;
            cell.info += line.info;
            cell.events += line.events;
            cell.virtual_us += line.virtual_us;
        }
        for (class, [begun, bitten, skipped]) in &line.faults {
            let sum = self.coverage(line.world.name(), class);
            sum.begun += begun;
            sum.bitten += bitten;
            sum.skipped += skipped;
            sum.runs += u64::from(*bitten > 0);
        }
        add_milestones(self.milestones_of(line.world), line);
        let why = line.why.clone().unwrap_or_default();
        match line.ending {
            Ending::Valid => {}
            Ending::Unknown => add_reason(&mut self.unknowns, line, why),
            Ending::Broken => add_reason(&mut self.broken, line, why),
            Ending::Invalid => {
                let class = self.class(line.world, &line.system, &demand(line));
                class.runs += 1;
                let found = Found { seed: line.seed, workload: line.workload.clone(), why };
                class.first.insert(line.index, found);
                keep_first(&mut class.first, shrunk_each);
            }
        }
    }

    /// Adds all runs of another tally; none may be in both.
    pub(super) fn extend(&mut self, other: Self, shrunk_each: usize) {
        self.ended_ms = self.ended_ms.max(other.ended_ms);
        for (cell, spent) in other.cells.into_iter().zip(other.spent_us) {
            let place = self.cell(&cell.system, &cell.world, &cell.workload);
            if let Some(sum) = self.spent_us.get_mut(place) {
                *sum += spent;
            }
            if let Some(sum) = self.cells.get_mut(place) {
                sum.runs = sum.runs.plus(cell.runs);
                sum.ok += cell.ok;
                sum.fail += cell.fail;
                sum.info += cell.info;
                sum.events += cell.events;
                sum.virtual_us += cell.virtual_us;
            }
        }
        for one in other.faults {
            let sum = self.coverage(&one.world, &one.class);
            sum.begun += one.begun;
            sum.bitten += one.bitten;
            sum.skipped += one.skipped;
            sum.runs += one.runs;
        }
        extend_milestones(&mut self.milestones, other.milestones);
        extend_milestones(&mut self.live_milestones, other.live_milestones);
        for (sum, more) in [(&mut self.unknowns, other.unknowns), (&mut self.broken, other.broken)]
        {
            for few in more.into_values() {
                let own = few_of(sum, few.world, &few.reason);
                own.runs += few.runs;
                own.first.extend(few.first);
                keep_first(&mut own.first, FEW);
            }
        }
        for class in other.classes.into_values() {
            let own = self.class(class.world, &class.system, &class.demand);
            own.runs += class.runs;
            own.first.extend(class.first);
            keep_first(&mut own.first, shrunk_each);
        }
    }

    /// All runs by how they ended.
    pub(super) fn runs(&self) -> Verdicts {
        self.cells.iter().fold(Verdicts::default(), |sum, cell| sum.plus(cell.runs))
    }

    const fn milestones_of(&mut self, world: WorldKind) -> &mut Milestones {
        match world {
            WorldKind::Sim => &mut self.milestones,
            WorldKind::Live => &mut self.live_milestones,
        }
    }

    /// Where the cell is, which is made if there is none.
    fn cell(&mut self, system: &str, world: &str, workload: &str) -> usize {
        let is_it =
            |cell: &Cell| cell.system == system && cell.world == world && cell.workload == workload;
        self.cells.iter().position(is_it).unwrap_or_else(|| {
            self.cells.push(Cell {
                system: system.to_owned(),
                world: world.to_owned(),
                workload: workload.to_owned(),
                ..Cell::default()
            });
            self.spent_us.push(0);
            self.cells.len() - 1
        })
    }

    fn coverage(&mut self, world: &str, class: &str) -> &mut FaultCoverage {
        let is_it = |one: &FaultCoverage| one.world == world && one.class == class;
        let place = self.faults.iter().position(is_it).unwrap_or_else(|| {
            self.faults.push(FaultCoverage {
                world: world.to_owned(),
                class: class.to_owned(),
                begun: 0,
                bitten: 0,
                skipped: 0,
                runs: 0,
            });
            self.faults.len() - 1
        });
        self.faults.get_mut(place).expect("it was found or made")
    }

    fn class(&mut self, world: WorldKind, system: &str, demand: &str) -> &mut Class {
        let key = class_key(world, system, demand);
        self.classes.entry(key).or_insert_with(|| Class {
            world,
            system: system.to_owned(),
            demand: demand.to_owned(),
            runs: 0,
            first: BTreeMap::new(),
        })
    }
}

fn add_milestones(all: &mut Milestones, line: &Line) {
    if !all.contains_key(&line.system) {
        all.insert(line.system.clone(), BTreeMap::new());
    }
    let Some(own) = all.get_mut(&line.system) else { return };
    for (name, times) in &line.milestones {
        // Looked up before anything is made: nearly always it is there.
        if let Some(sum) = own.get_mut(name) {
            *sum = (sum.0 + times, sum.1 + 1);
        } else {
            own.insert(name.clone(), (*times, 1));
        }
    }
}

fn extend_milestones(all: &mut Milestones, others: Milestones) {
    for (system, places) in others {
        let own = all.entry(system).or_default();
        for (name, (times, runs)) in places {
            let sum = own.entry(name).or_default();
            *sum = (sum.0 + times, sum.1 + runs);
        }
    }
}

/// The demand that a failed run broke.
pub(super) fn demand(line: &Line) -> String {
    line.breaks.clone().unwrap_or_else(|| "unnamed".to_owned())
}

/// What a class of failures is filed under.
pub(super) fn class_key(world: WorldKind, system: &str, demand: &str) -> String {
    format!("{system} {demand} {}", world.name())
}

const fn counted(ending: Ending) -> Verdicts {
    let mut one = Verdicts { valid: 0, invalid: 0, unknown: 0, broken: 0 };
    match ending {
        Ending::Valid => one.valid = 1,
        Ending::Invalid => one.invalid = 1,
        Ending::Unknown => one.unknown = 1,
        Ending::Broken => one.broken = 1,
    }
    one
}

fn add_reason(reasons: &mut BTreeMap<String, Few>, line: &Line, why: String) {
    let few = few_of(reasons, line.world, &generalised(&why));
    few.runs += 1;
    few.first.insert(line.index, why);
    keep_first(&mut few.first, FEW);
}

fn few_of<'a>(
    reasons: &'a mut BTreeMap<String, Few>,
    world: WorldKind,
    reason: &str,
) -> &'a mut Few {
    let key = |reason: &str| format!("{} {reason}", world.name());
    let is_room = reasons.len() < REASONS_MAX || reasons.contains_key(&key(reason));
    let reason = if is_room { reason } else { OTHER_REASONS };
    reasons.entry(key(reason)).or_insert_with(|| Few {
        world,
        reason: reason.to_owned(),
        runs: 0,
        first: BTreeMap::new(),
    })
}

/// Those with the lowest numbers stay.
fn keep_first<T>(all: &mut BTreeMap<u64, T>, count: usize) {
    while all.len() > count {
        all.pop_last();
    }
}

/// A reason without the numbers in it, so that the same reason is counted as one: `key 17` as `key …`, `n2` as `…`, and
/// several in a row as one.
pub(super) fn generalised(why: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in why.split_whitespace() {
        let has_digit = word.chars().any(|letter| letter.is_ascii_digit());
        let word = if has_digit { "…".to_owned() } else { word.to_owned() };
        if !(word == "…" && words.last().is_some_and(|last| last == "…")) {
            words.push(word);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(index: u64, ending: Ending) -> Line {
        let text = format!(
            "{{\"index\":{index},\"system\":\"vr\",\"world\":\"sim\",\"workload\":\"register\",\"seed\":{index},\
             \"ending\":\"valid\",\"breaks\":\"V-I3\",\"why\":\"no read of key {index} succeeded\",\
             \"ok\":3,\"fail\":1,\"info\":0,\"events\":10,\"virtual_us\":7,\
             \"faults\":{{\"kill\":[2,1,0]}},\"milestones\":{{\"view-change\":{index}}},\
             \"took_us\":5,\"ended_ms\":{index}}}"
        );
        Line { ending, ..serde_json::from_str(&text).unwrap() }
    }

    fn lines() -> Vec<Line> {
        let endings = [Ending::Valid, Ending::Invalid, Ending::Unknown, Ending::Broken];
        (0..40)
            .zip(endings.into_iter().cycle())
            .map(|(index, ending)| line(index, ending))
            .collect()
    }

    fn tally(lines: &[Line]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.add(line, 2);
        }
        tally
    }

    #[test]
    fn the_order_of_the_runs_makes_no_difference_nor_how_they_are_split() {
        let mut lines = lines();
        let all = tally(&lines);
        lines.reverse();
        assert_eq!(tally(&lines), all);
        let (one, other): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|line| line.index % 3 == 1);
        let mut both = tally(&one);
        both.extend(tally(&other), 2);
        assert_eq!(both, all);
        assert_eq!(all.runs().total(), 40);
        assert_eq!(all.classes["vr V-I3 sim"].first.keys().collect::<Vec<_>>(), [&1, &5]);
        assert_eq!(all.milestones["vr"]["view-change"], ((0..40).sum(), 40));
    }

    #[test]
    fn one_reason_is_one_reason_whatever_it_names() {
        let reasons = tally(&lines()).unknowns;
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        let few = reasons.values().next().unwrap();
        assert_eq!((few.reason.as_str(), few.runs), ("no read of key … succeeded", 10));
        assert_eq!(few.first.keys().collect::<Vec<_>>(), [&2, &6, &10]);
        assert_eq!(
            generalised("no operation on keys 1, 2, 17 succeeded"),
            "no operation on keys … succeeded"
        );
    }
}
