//! Who sees everything: the digest, the invariants, the moments that others wait for, and the history.

use quorate_checkers::history::{Nemesis, NemesisPhase, Time, Violation, What};
use quorate_plan::Endpoint;
use quorate_systems::contract::{ClientId, Ignored, Milestone, NodeId};
use quorate_world::invariants::{Broken, Invariants, Prompt, Seen, Watched, Who};
use quorate_world::moments::Moments;

use crate::digest::Digest;
use crate::network::Flight;
use crate::tape::{Fate, Tape};

/// What is looked at while a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// Keep a digest over every event.
    pub digest: bool,
    /// Check the system's invariants.
    pub invariants: bool,
}

impl Checks {
    /// Everything.
    pub const ALL: Self = Self { digest: true, invariants: true };
    /// Nothing: for measuring what the checks cost.
    pub const NONE: Self = Self { digest: false, invariants: false };
}

/// How often something was reached, by name.
pub type Counts = Vec<(&'static str, u64)>;

pub(crate) struct Witness<S: Watched> {
    checks: Checks,
    pub(crate) digest: Digest,
    /// How many events there were.
    pub(crate) steps: u64,
    invariants: Option<S::Invariants>,
    broken: Vec<Broken>,
    pub(crate) violations: u64,
    pub(crate) moments: Moments,
    watches_moments: bool,
    /// Each message is looked at: somebody waits for a moment, or all is recorded.
    looks_closely: bool,
    /// The recording of all that happens, where somebody asked for one.
    pub(crate) tape: Option<Box<Tape>>,
    /// What is to be recorded and has not been handed on yet.
    pub(crate) records: Vec<(Time, What)>,
    pub(crate) milestones: Counts,
    pub(crate) ignored: Counts,
    next_fault: u32,
}

/// More violations than this say nothing new; a run with as many ends.
pub(crate) const VIOLATIONS_MAX: u64 = 20;

impl<S: Watched> Witness<S> {
    pub(crate) fn new() -> Self {
        Self {
            checks: Checks::ALL,
            digest: Digest::new(),
            steps: 0,
            invariants: None,
            broken: Vec::new(),
            violations: 0,
            moments: Moments::new(),
            watches_moments: false,
            looks_closely: false,
            tape: None,
            records: Vec::new(),
            milestones: Vec::new(),
            ignored: Vec::new(),
            next_fault: 0,
        }
    }

    /// Begins a run, with the moments that somebody waits for in it.
    pub(crate) fn reset(&mut self, checks: Checks, config: &S::Config, moments: Moments) {
        self.checks = checks;
        self.digest = Digest::new();
        self.steps = 0;
        self.broken.clear();
        self.violations = 0;
        self.watches_moments = !moments.is_empty();
        self.looks_closely = self.watches_moments || self.tape.is_some();
        self.moments = moments;
        self.records.clear();
        self.milestones.clear();
        self.ignored.clear();
        self.next_fault = 0;
        match (&mut self.invariants, checks.invariants) {
            (Some(invariants), true) => invariants.reset(config),
            (none, true) => *none = Some(S::Invariants::new(config)),
            (some, false) => *some = None,
        }
    }

    /// In this run nothing goes wrong but what clients say.
    pub(crate) fn promise(&mut self, prompt: Prompt) {
        if let Some(invariants) = &mut self.invariants {
            invariants.promise(prompt);
        }
    }

    /// How far the system has come, as its invariants see it.
    pub(crate) fn progress(&self) -> u64 {
        self.invariants.as_ref().map_or(0, Invariants::progress)
    }

    /// One word of the digest.
    #[inline]
    pub(crate) fn note(&mut self, word: u64) {
        if self.checks.digest {
            self.digest.word(word);
        }
    }

    /// A value goes into the digest.
    #[inline]
    pub(crate) fn note_value(&mut self, value: &impl std::hash::Hash) {
        if self.checks.digest {
            self.digest.value(value);
        }
    }

    /// Shows something to the invariants.
    #[inline]
    pub(crate) fn see(&mut self, now: u64, seen: &Seen<'_, S>) {
        let Some(invariants) = &mut self.invariants else { return };
        invariants.see(seen, &mut self.broken);
        if !self.broken.is_empty() {
            self.tell_broken(now);
        }
    }

    #[cold]
    fn tell_broken(&mut self, now: u64) {
        let broken = std::mem::take(&mut self.broken);
        for Broken { invariant, by, what } in broken {
            let targets = by.into_iter().map(|who| endpoint(who).to_string()).collect();
            self.violation(now, invariant, targets, what);
        }
    }

    /// Something that must hold does not.
    pub(crate) fn violation(&mut self, now: u64, demand: &str, targets: Vec<String>, what: String) {
        self.violations += 1;
        if self.violations <= VIOLATIONS_MAX {
            let violation = Violation { demand: demand.to_owned(), targets, what, happened: None };
            self.record(now, What::Violation(violation));
        }
    }

    /// A core tells of a transition.
    #[inline]
    pub(crate) fn observed(&mut self, now: u64, by: Who, observation: &S::Observation) {
        self.note_value(observation);
        if self.watches_moments {
            self.moments.observed(endpoint(by), observation);
        }
        if let Some(tape) = &mut self.tape {
            tape.observed(now, endpoint(by), observation);
        }
        self.see(now, &Seen::Observed { by, observation });
    }

    /// A message leaves its sender.
    #[inline]
    pub(crate) fn sent(&mut self, now: u64, from: Who, to: Who, message: &S::Message) {
        if self.looks_closely {
            self.moments.sent(endpoint(from), endpoint(to), message);
            if let Some(tape) = &mut self.tape {
                tape.sent(now, endpoint(from), endpoint(to), message);
            }
        }
        self.see(now, &Seen::Sent { from, to, message });
    }

    /// A message is taken in by its receiver.
    #[inline]
    pub(crate) fn delivered(&mut self, now: u64, flight: &Flight<S::Message>) {
        let Flight { from, to, at, message } = flight;
        self.note_value(message);
        if self.looks_closely {
            let (from, to) = (endpoint(*from), endpoint(*to));
            self.moments.delivered(from, to, message);
            if let Some(tape) = &mut self.tape {
                tape.arrived(now, (from, to), *at, message, true);
            }
        }
    }

    /// A message comes to a node that is down.
    pub(crate) fn missed(&mut self, now: u64, flight: &Flight<S::Message>) {
        if let Some(tape) = &mut self.tape {
            let ends = (endpoint(flight.from), endpoint(flight.to));
            tape.arrived(now, ends, flight.at, &flight.message, false);
        }
    }

    /// What becomes of the message that was sent last, and when it is to arrive.
    pub(crate) fn fated(&mut self, fate: Fate, due: impl IntoIterator<Item = u64>) {
        if let Some(tape) = &mut self.tape {
            tape.fate(fate, due);
        }
    }

    /// A node comes up, or goes down.
    pub(crate) fn node(&mut self, now: u64, node: NodeId, is_up: bool) {
        if self.watches_moments && is_up {
            self.moments.started(node.0);
        } else if self.watches_moments {
            self.moments.crashed(node.0);
        }
        if let Some(tape) = &mut self.tape {
            tape.node(now, node.0, is_up);
        }
    }

    /// Something goes into the history.
    pub(crate) fn record(&mut self, now: u64, what: What) {
        if let Some(tape) = &mut self.tape {
            tape.recorded(now, &what);
        }
        self.records.push((Time(now.saturating_mul(1_000)), what));
    }

    /// The number of the next fault in the history.
    pub(crate) fn next_fault(&mut self) -> u32 {
        self.next_fault += 1;
        self.next_fault - 1
    }

    /// Something went wrong that no fault is the cause of: it leaves the run unknown.
    pub(crate) fn trouble(&mut self, now: u64, targets: Vec<String>, what: String) {
        let fault = self.next_fault();
        let phase = NemesisPhase::Skipped;
        let kind = Nemesis::TROUBLE.to_owned();
        let trouble = Nemesis { fault, kind, phase, targets, what, bites: 0 };
        self.record(now, What::Nemesis(trouble));
    }

    /// A place was reached that must sometimes be reached.
    pub(crate) fn mark(&mut self, milestone: Milestone) {
        count(&mut self.milestones, milestone.0);
    }

    /// An input changed nothing.
    #[inline]
    pub(crate) fn ignore(&mut self, why: Ignored) {
        count(&mut self.ignored, why.0);
    }

    /// Whether anybody waits for a moment.
    pub(crate) const fn watches_moments(&self) -> bool {
        self.watches_moments
    }
}

/// Adds one to the count of `name`: there are few names, and equal ones mostly lie at one address.
#[inline]
fn count(counts: &mut Counts, name: &'static str) {
    let same = |other: &&'static str| std::ptr::eq(*other, name);
    if let Some((_, count)) = counts.iter_mut().find(|(other, _)| same(other)) {
        *count += 1;
        return;
    }
    match counts.iter_mut().find(|(other, _)| *other == name) {
        Some((_, count)) => *count += 1,
        None => counts.push((name, 1)),
    }
}

/// The same in the words of plans.
#[inline]
pub(crate) const fn endpoint(who: Who) -> Endpoint {
    match who {
        Who::Node(NodeId(node)) => Endpoint::Node(node),
        Who::Client(ClientId(client)) => Endpoint::Client(client),
    }
}
