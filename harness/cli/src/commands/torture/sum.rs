//! What a campaign came to, put together for its page.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use quorate_plan::WorldKind;
use quorate_reports::night::{
    Failure, FailureClass, Place, Reason, Results, SystemMilestones, Times, Verdicts,
};
use quorate_systems::vocabulary::MilestoneSpec;

use super::campaign::Campaign;
use super::examined::Examined;
use super::failures::{BROKEN, Failures, UNKNOWN, undecided_place};
use super::journal::Runs;
use super::tally::{Few, Milestones, Tally};
use crate::commands::run::PROGRAM;
use crate::output::count;

/// When, and how it ended.
pub(super) struct Span {
    /// When it began, in UTC.
    pub(super) began: String,
    /// `running`, `stopped`, `finished`.
    pub(super) state: &'static str,
    /// How long it went on, breaks left out.
    pub(super) elapsed: Duration,
}

/// All that is known of a campaign whose store is this folder.
pub(super) fn results(
    folder: &Path,
    campaign: &Campaign,
    runs: &Runs,
    failures: &Failures,
    span: &Span,
) -> Results {
    let tally = sorted(&runs.tally);
    let (verdict, sentence) = judgement(&tally, campaign.allow_unknown, failures.len());
    let classes = tally.classes.values().map(|class| FailureClass {
        world: class.world.name().to_owned(),
        system: class.system.clone(),
        workload: class
            .first
            .values()
            .next()
            .map(|first| first.workload.clone())
            .unwrap_or_default(),
        demand: class.demand.clone(),
        runs: class.runs,
        examined: class.first.len() as u64,
    });
    let reasons = |reasons: &BTreeMap<String, Few>, kept: &str| -> Vec<Reason> {
        let reason = |few: &Few| Reason {
            world: few.world.name().to_owned(),
            reason: few.reason.clone(),
            runs: few.runs,
            first: few
                .first
                .keys()
                .map(|index| (*index, undecided_place(folder, kept, *index)))
                .collect(),
        };
        reasons.values().map(reason).collect()
    };
    Results {
        program: PROGRAM.to_owned(),
        verdict: verdict.to_owned(),
        sentence,
        campaign: facts(campaign),
        failures: failures.iter().filter_map(|(name, all)| failure(name, all)).collect(),
        classes: classes.collect(),
        unknowns: reasons(&tally.unknowns, UNKNOWN),
        broken: reasons(&tally.broken, BROKEN),
        milestones: milestones(campaign, &tally),
        faults: tally.faults,
        cells: tally.cells,
        times: Times {
            began: span.began.clone(),
            state: span.state.to_owned(),
            elapsed_ms: u64::try_from(span.elapsed.as_millis()).unwrap_or(u64::MAX),
            spent_us: tally.spent_us,
        },
    }
}

/// The exit code of a campaign that was judged so: as for single runs, and 255 where the harness failed and nothing
/// else is wrong.
pub(super) fn exit_code(verdict: &str) -> u8 {
    match verdict {
        "valid" => 0,
        "invalid" => 1,
        "unknown" => 2,
        _ => crate::error::EXIT_HARNESS,
    }
}

/// How all of it is judged, and why.
fn judgement(tally: &Tally, allow_unknown: u8, failures: usize) -> (&'static str, String) {
    let runs = tally.runs();
    let all = runs.total();
    if runs.invalid > 0 {
        let what = count(failures as u64, "failure");
        let sentence =
            format!("{} of {all} runs broke a demand: {what} by signature", runs.invalid);
        return ("invalid", sentence);
    }
    if runs.broken > 0 {
        return ("broken", format!("{} of {all} runs broke the harness", runs.broken));
    }
    if all == 0 {
        return ("unknown", "no run came to its end".to_owned());
    }
    let barren = WorldKind::ALL.iter().find(|world| {
        let own = in_world(tally, **world);
        own.total() > 0 && own.valid == 0
    });
    if let Some(world) = barren {
        let what = count(in_world(tally, *world).total(), "run");
        return (
            "unknown",
            format!("none of {what} in the {} world came to a verdict", world.name()),
        );
    }
    if u128::from(runs.unknown) * 100 > u128::from(all) * u128::from(allow_unknown) {
        let sentence = format!(
            "{} of {all} runs came to no verdict, more than the {allow_unknown} in a hundred that are allowed",
            runs.unknown
        );
        return ("unknown", sentence);
    }
    let rest = match runs.unknown {
        0 => String::new(),
        unknown => format!(", {unknown} came to no verdict"),
    };
    ("valid", format!("{} of {all} runs are valid{rest}, and nothing is broken", runs.valid))
}

fn in_world(tally: &Tally, world: WorldKind) -> Verdicts {
    let own = tally.cells.iter().filter(|cell| cell.world == world.name());
    own.fold(Verdicts::default(), |sum, cell| sum.plus(cell.runs))
}

/// In an order that does not depend on which run came first.
fn sorted(tally: &Tally) -> Tally {
    let mut tally = tally.clone();
    let mut cells: Vec<_> = tally.cells.drain(..).zip(tally.spent_us.drain(..)).collect();
    cells.sort_by(|(a, _), (b, _)| {
        let key = |cell: &quorate_reports::night::Cell| {
            (cell.system.clone(), cell.world.clone(), cell.workload.clone())
        };
        key(a).cmp(&key(b))
    });
    (tally.cells, tally.spent_us) = cells.into_iter().unzip();
    tally.faults.sort_by(|a, b| (&a.world, &a.class).cmp(&(&b.world, &b.class)));
    tally
}

/// What was asked for, as the campaign file would have it.
fn facts(campaign: &Campaign) -> BTreeMap<String, String> {
    let table = toml::Table::try_from(campaign.shared()).unwrap_or_default();
    let text = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        toml::Value::Array(list) => {
            let words = list.iter().map(|one| one.to_string().replace('"', ""));
            words.collect::<Vec<_>>().join(", ")
        }
        toml::Value::Table(table) => {
            let words = table
                .iter()
                .map(|(name, one)| format!("{name}={}", one.to_string().replace('"', "")));
            words.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    table.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn failure(signature: &str, findings: &[Examined]) -> Option<Failure> {
    let first = findings.first()?;
    Some(Failure {
        signature: signature.to_owned(),
        system: first.system.clone(),
        demand: first.demand.clone(),
        shape: first.shape.as_ref().map(ToString::to_string).unwrap_or_default(),
        sentence: first.sentence.clone(),
        steps: first.steps.clone(),
        runs: findings.iter().map(|one| one.index).collect(),
        world: first.world.name().to_owned(),
        seed: first.seed,
        before: first.before.clone(),
        after: first.after.clone(),
        is_complete: first.is_complete,
    })
}

/// Every milestone of each system, those that were never reached as well.
fn milestones(campaign: &Campaign, tally: &Tally) -> Vec<SystemMilestones> {
    let is_simulated = campaign.worlds.contains(&WorldKind::Sim);
    let of = |kind: &quorate_systems::SystemKind| {
        let name = kind.name();
        let place = |spec: &MilestoneSpec, is_of_world: bool| {
            let sum = |all: &Milestones| all.get(name)?.get(spec.name).copied();
            let (times, runs) = sum(&tally.milestones).unwrap_or_default();
            let (live_times, live_runs) = sum(&tally.live_milestones).unwrap_or_default();
            Place {
                name: spec.name.to_owned(),
                what: spec.what.to_owned(),
                is_of_world,
                times,
                runs,
                live_times,
                live_runs,
                beyond: quorate_sim::out_of_reach(spec.name).map(ToOwned::to_owned),
            }
        };
        let own = kind.vocabulary().milestones.iter().map(|spec| place(spec, false));
        let of_world = quorate_sim::MILESTONES.iter().filter(|_| is_simulated);
        let of_world = of_world.map(|spec| place(spec, true));
        let runs = |world: WorldKind| {
            let cells = tally.cells.iter();
            let cells = cells.filter(|cell| cell.system == name && cell.world == world.name());
            cells.map(|cell| cell.runs.total()).sum()
        };
        SystemMilestones {
            system: name.to_owned(),
            runs: runs(WorldKind::Sim),
            live_runs: runs(WorldKind::Live),
            places: own.chain(of_world).collect(),
        }
    };
    campaign.systems.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use quorate_reports::night::Cell;

    use super::*;

    fn tally(worlds: &[(&str, [u64; 4])]) -> Tally {
        let cell = |(world, [valid, invalid, unknown, broken]): &(&str, [u64; 4])| Cell {
            world: (*world).to_owned(),
            runs: Verdicts { valid: *valid, invalid: *invalid, unknown: *unknown, broken: *broken },
            ..Cell::default()
        };
        Tally { cells: worlds.iter().map(cell).collect(), ..Tally::default() }
    }

    #[test]
    fn one_failure_outweighs_all_and_unknown_is_never_rounded_to_valid() {
        let verdict = |worlds: &[(&str, [u64; 4])]| judgement(&tally(worlds), 25, 1).0;
        assert_eq!(verdict(&[("sim", [9, 0, 0, 0])]), "valid");
        assert_eq!(verdict(&[("sim", [9, 1, 0, 5])]), "invalid");
        assert_eq!(verdict(&[("sim", [9, 0, 9, 1])]), "broken");
        assert_eq!(verdict(&[("sim", [3, 0, 1, 0])]), "valid", "a quarter is allowed");
        assert_eq!(verdict(&[("sim", [2, 0, 1, 0])]), "unknown");
        assert_eq!(verdict(&[("sim", [900, 0, 0, 0]), ("live", [0, 0, 3, 0])]), "unknown");
        assert_eq!(verdict(&[("sim", [900, 0, 0, 0]), ("live", [1, 0, 9, 0])]), "valid");
        assert_eq!(verdict(&[]), "unknown");
        assert_eq!(["valid", "invalid", "unknown", "broken"].map(exit_code), [0, 1, 2, 255]);
    }
}
