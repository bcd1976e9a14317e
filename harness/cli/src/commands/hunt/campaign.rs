//! The tries of a hunt, spread over threads.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_sim::hunt::{Hunter, Tried, seeds_of};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;
use rustix::time::{ClockId, clock_gettime};

use super::{Judges, name_of};
use crate::commands::run::simulated::failure;
use crate::error::CliError;
use crate::panics;
use crate::progress::Counter;
use crate::threads;

/// What is to be hunted, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Campaign {
    pub(super) system: SystemKind,
    pub(super) subjects: Vec<Subject>,
    /// How many tries each subject has.
    pub(super) tries: u8,
    /// How much processor time one may take.
    pub(super) budget: Duration,
    /// How many seeds the correct system runs instead, if it is not to have tries.
    pub(super) correct_seeds: Option<u64>,
    /// What counts as found.
    pub(super) judges: Judges,
    /// What the seeds are counted from.
    pub(super) base: u64,
    /// How many nodes more lie than the system bears.
    pub(super) liars_beyond: u16,
}

/// The system with a planted bug, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// No two have the same: their seeds follow from it.
    pub(super) number: u64,
    pub(super) mutants: Mutants,
}

/// A row of seeds that one thread runs in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    subject: Subject,
    attempt: u64,
    /// The first seed of the try that it runs, counted from 0.
    skip: u64,
    limit: Limit,
}

/// When a row of seeds is over, if nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Cpu(Duration),
    Seeds(u64),
}

/// What came of a row of seeds.
#[derive(Clone, Debug)]
pub(super) struct Try {
    pub(super) subject: Subject,
    /// How many seeds were run; the last one is that of the finding.
    pub(super) seeds: u64,
    pub(super) found: Option<Finding>,
    /// How much processor time it took.
    pub(super) cpu: Duration,
    /// Events of the world.
    pub(super) events: u64,
    pub(super) virtual_us: u64,
    /// On how many seeds what is planted made a difference.
    pub(super) reached: u64,
    /// On how many seeds the checker ran out of its budget.
    pub(super) undecided: u64,
    pub(super) milestones: BTreeMap<&'static str, u64>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) seed: u64,
    /// The demand that is broken.
    pub(super) demand: String,
    /// Which kind of search came to it.
    pub(super) search: &'static str,
}

/// The correct system's seeds are dealt out in rows of so many.
const ROW: u64 = 250;

impl Campaign {
    /// Runs all tries. `stop` ends those that are under way and leaves out the others.
    pub(super) fn go(
        &self,
        threads: NonZeroUsize,
        stop: &AtomicBool,
        counter: &Counter,
    ) -> Result<Vec<Try>, CliError> {
        let jobs = self.jobs();
        counter.begin("tries");
        counter.expect(jobs.len() as u64);
        let make = || {
            let hunter = match self.judges {
                Judges::All => Hunter::new(self.system),
                Judges::Clients => Hunter::from_outside(self.system),
            };
            hunter.beyond(self.liars_beyond)
        };
        let work = |hunter: &mut Hunter, place: usize| {
            let job = jobs.get(place).expect("a job for each place");
            let tried = panics::quietly(|| job.go(hunter, self.base, stop));
            counter.add(1);
            if let Ok(Try { found: Some(finding), .. }) = &tried {
                let (name, Finding { seed, demand, .. }) = (name_of(job.subject.mutants), finding);
                counter.note(&format!("{name}: {demand}, by seed {seed}"));
            }
            tried
        };
        threads::spread(threads, jobs.len(), make, work).into_iter().collect()
    }

    /// First tries come before second ones, so that a hunt that is stopped has something of everybody; the
    /// correct system, which is certain to take long, before the others.
    fn jobs(&self) -> Vec<Job> {
        let rows = self.correct_seeds.filter(|_| self.subjects.iter().any(Subject::is_correct));
        let rows = rows.map_or_else(Vec::new, rows_of);
        let has_rows = !rows.is_empty();
        let subjects =
            || self.subjects.iter().rev().filter(|subject| !(has_rows && subject.is_correct()));
        let tries = (0..u64::from(self.tries)).flat_map(|attempt| {
            let limit = Limit::Cpu(self.budget);
            subjects().map(move |subject| Job { subject: *subject, attempt, skip: 0, limit })
        });
        rows.into_iter().chain(tries).collect()
    }
}

/// So many seeds of the correct system, dealt out in rows.
fn rows_of(seeds: u64) -> Vec<Job> {
    let row = |skip| Job {
        subject: Subject::CORRECT,
        attempt: 0,
        skip,
        limit: Limit::Seeds(ROW.min(seeds - skip)),
    };
    (0..seeds).step_by(usize::try_from(ROW).expect("few")).map(row).collect()
}

impl Subject {
    /// Nothing is planted. It keeps its number, and so its seeds, when more bugs are.
    pub(super) const CORRECT: Self = Self { number: 0, mutants: Mutants::NONE };

    fn is_correct(&self) -> bool {
        *self == Self::CORRECT
    }
}

impl Job {
    fn go(&self, hunter: &mut Hunter, base: u64, stop: &AtomicBool) -> Result<Try, CliError> {
        let Self { subject, attempt, skip, limit } = *self;
        let began = cpu_time();
        let mut sum = Try::nothing(subject);
        let skip = usize::try_from(skip).expect("seeds are counted in memory");
        for seed in seeds_of(base, subject.number, attempt).skip(skip) {
            let is_over = match limit {
                Limit::Cpu(budget) => sum.cpu >= budget,
                Limit::Seeds(count) => sum.seeds >= count,
            };
            if is_over || sum.found.is_some() || stop.load(Ordering::Relaxed) {
                break;
            }
            let tried = hunter.try_seed(seed, subject.mutants).map_err(|error| {
                let failed = failure(&error);
                failed.hint(format_args!("the plan: quorate hunt --show {seed}"))
            })?;
            sum.add(seed, tried);
            sum.cpu = cpu_time().saturating_sub(began);
        }
        Ok(sum)
    }
}

impl Try {
    const fn nothing(subject: Subject) -> Self {
        Self {
            subject,
            seeds: 0,
            found: None,
            cpu: Duration::ZERO,
            events: 0,
            virtual_us: 0,
            reached: 0,
            undecided: 0,
            milestones: BTreeMap::new(),
        }
    }

    fn add(&mut self, seed: u64, tried: Tried) {
        self.seeds += 1;
        self.events += tried.steps;
        self.virtual_us += tried.virtual_us;
        self.reached += u64::from(tried.reached);
        self.undecided += u64::from(tried.undecided);
        for (name, count) in tried.milestones {
            *self.milestones.entry(name).or_default() += count;
        }
        let search = tried.search;
        // Of the correct system nothing may be wrong, not even before anything happens.
        let at_start = tried.at_start.filter(|_| self.subject.is_correct());
        self.found = tried.found.or(at_start).map(|demand| Finding { seed, demand, search });
    }
}

/// How long this thread has been running on a processor.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use quorate_systems::mutant::Mutant;

    use super::*;

    fn campaign(correct_seeds: Option<u64>) -> Campaign {
        Campaign {
            system: SystemKind::Quorum,
            subjects: vec![
                Subject { number: 2, mutants: Mutants(Some(Mutant::Q03)) },
                Subject::CORRECT,
            ],
            tries: 2,
            budget: Duration::from_secs(2),
            correct_seeds,
            judges: Judges::All,
            base: 1,
            liars_beyond: 0,
        }
    }

    #[test]
    fn the_correct_system_has_tries_or_all_its_seeds_in_rows() {
        assert_eq!(campaign(None).jobs().len(), 4);
        let jobs = campaign(Some(600)).jobs();
        let rows: Vec<_> = jobs.iter().take(3).map(|job| (job.skip, job.limit)).collect();
        let of = |skip, seeds| (skip, Limit::Seeds(seeds));
        assert_eq!(rows, [of(0, 250), of(250, 250), of(500, 100)]);
        assert_eq!(jobs.len(), 5);
    }

    #[test]
    fn what_is_found_does_not_depend_on_the_number_of_threads() {
        let go = |threads| {
            let silent = Counter::new(true, 0);
            let threads = NonZeroUsize::new(threads).unwrap();
            let tried = campaign(Some(20)).go(threads, &AtomicBool::new(false), &silent).unwrap();
            tried.into_iter().map(|tried| (tried.seeds, tried.found)).collect::<Vec<_>>()
        };
        let alone = go(1);
        assert_eq!(alone, go(4));
        assert!(alone.iter().skip(1).all(|(_, found)| found.is_some()), "{alone:?}");
        assert_eq!(alone[0], (20, None), "the correct system");
    }
}
