//! What was tried: which faults bit, and what the protocols came to.

use super::{FaultCoverage, Place, Results, SystemMilestones, share};
use crate::lanes::Family;
use crate::units::count;

/// Faults by class, in both worlds.
pub(super) struct Faults {
    pub(super) rows: Vec<FaultRow>,
    /// Whether there are any in the live world.
    pub(super) has_live: bool,
}

/// One class of faults.
pub(super) struct FaultRow {
    pub(super) class: String,
    pub(super) family: &'static str,
    /// In the simulated world, and in the live one where there are any.
    pub(super) worlds: Vec<Bites>,
    /// How many could not be carried out by real processes.
    pub(super) skipped: String,
}

/// How often faults of a class bit in a world.
#[derive(Default)]
pub(super) struct Bites {
    pub(super) begun: String,
    pub(super) bitten: String,
    pub(super) skipped: String,
    pub(super) runs: String,
    /// The part that bit, in percent, for a bar.
    pub(super) percent: u64,
    /// There were some, and none did anything.
    pub(super) is_toothless: bool,
    pub(super) is_absent: bool,
}

impl Faults {
    pub(super) fn new(results: &Results) -> Self {
        let mut classes: Vec<&str> = results.faults.iter().map(|one| one.class.as_str()).collect();
        classes.sort_unstable();
        classes.dedup();
        let of = |world: &str, class: &str| {
            let mut own = results.faults.iter();
            Bites::new(own.find(|one| one.world == world && one.class == class))
        };
        let has_live = results.faults.iter().any(|one| one.world == "live");
        let worlds: &[&str] = if has_live { &["sim", "live"] } else { &["sim"] };
        let row = |class: &&str| FaultRow {
            class: (*class).to_owned(),
            family: Family::of(class).name(),
            skipped: of("live", class).skipped,
            worlds: worlds.iter().map(|world| of(world, class)).collect(),
        };
        Self { rows: classes.iter().map(row).collect(), has_live }
    }
}

impl Bites {
    fn new(coverage: Option<&FaultCoverage>) -> Self {
        let Some(coverage) = coverage.filter(|one| one.begun + one.skipped > 0) else {
            return Self { is_absent: true, ..Self::default() };
        };
        let FaultCoverage { begun, bitten, skipped, runs, .. } = coverage;
        Self {
            begun: count(*begun),
            bitten: count(*bitten),
            skipped: count(*skipped),
            runs: count(*runs),
            percent: (bitten * 100).checked_div(*begun).unwrap_or_default(),
            is_toothless: *bitten == 0,
            is_absent: false,
        }
    }
}

/// What a system came to.
pub(super) struct Coverage {
    pub(super) system: String,
    pub(super) summary: String,
    /// Milestones that no run reached.
    pub(super) never: Vec<Never>,
    /// Those that some did: those that fewest did first.
    pub(super) reached: Vec<Reached>,
}

/// A milestone that no run reached.
pub(super) struct Never {
    pub(super) name: String,
    pub(super) what: String,
    /// Why none can; empty where some could.
    pub(super) beyond: String,
    pub(super) is_of_world: bool,
}

/// A milestone that some runs reached: in simulated runs, or in live ones where there are no others.
pub(super) struct Reached {
    pub(super) name: String,
    pub(super) what: String,
    pub(super) times: String,
    pub(super) share: String,
    /// How often in live runs besides, and in which part of them, if in any.
    pub(super) live: Option<String>,
    /// The part of the runs, in percent, for a bar.
    pub(super) percent: u64,
    pub(super) is_of_world: bool,
}

impl Coverage {
    pub(super) fn new(results: &Results) -> Vec<Self> {
        results.milestones.iter().map(Self::of).collect()
    }

    fn of(system: &SystemMilestones) -> Self {
        let never = system.places.iter().filter(|place| !place.is_reached());
        let never = never.map(|place| Never {
            name: place.name.clone(),
            what: place.what.clone(),
            beyond: place.beyond.clone().unwrap_or_default(),
            is_of_world: place.is_of_world,
        });
        let mut places: Vec<_> = system.places.iter().filter(|place| place.is_reached()).collect();
        places.sort_by_key(|place| (place.is_of_world, place.runs, place.name.clone()));
        let reached = places.into_iter().map(|place| Reached::new(place, system));
        let own = system.places.iter().filter(|place| !place.is_of_world);
        let (all, there) = own
            .fold((0, 0), |(all, there), place| (all + 1, there + u64::from(place.is_reached())));
        Self {
            system: system.system.clone(),
            summary: format!("{there} of {all} milestones in {}", runs(system)),
            never: never.collect(),
            reached: reached.collect(),
        }
    }

    /// Whether live runs are counted beside simulated ones.
    pub(super) fn has_both(&self) -> bool {
        self.reached.iter().any(|place| place.live.is_some())
    }

    /// Whether some milestone was missed that runs can come to.
    pub(super) fn is_missing(&self) -> bool {
        self.never.iter().any(|never| never.beyond.is_empty() && !never.is_of_world)
    }
}

impl Reached {
    fn new(place: &Place, system: &SystemMilestones) -> Self {
        let live = (place.live_times, place.live_runs, system.live_runs);
        let has_both = system.runs > 0 && place.live_times > 0;
        let (times, runs, of) =
            if system.runs > 0 { (place.times, place.runs, system.runs) } else { live };
        Self {
            name: place.name.clone(),
            what: place.what.clone(),
            times: count(times),
            share: share(runs, of),
            live: has_both.then(|| format!("live: {} · {}", count(live.0), share(live.1, live.2))),
            percent: (runs * 100).checked_div(of).unwrap_or_default(),
            is_of_world: place.is_of_world,
        }
    }
}

/// `1,000 simulated runs and 10 live ones`.
fn runs(system: &SystemMilestones) -> String {
    let told = |runs: u64, one: &str| match runs {
        1 => format!("1 {one}"),
        _ => format!("{} {one}s", count(runs)),
    };
    match (system.runs, system.live_runs) {
        (runs, 0) => told(runs, "simulated run"),
        (0, live) => told(live, "live run"),
        (runs, live) => format!("{} and {}", told(runs, "simulated run"), told(live, "live one")),
    }
}
