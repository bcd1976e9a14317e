//! Runs the plan of an input, and panics if anything is broken.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use quorate_checkers::history::What;
use quorate_plan::{Plan, to_toml};
use quorate_sim::QueueKind;
use quorate_sim::hunt::{Hunter, Judged, LINEARIZABILITY};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_world::invariants::Watched;
use quorate_world::weather;

use super::plan::plan;
use crate::coverage;
use crate::mutant::mutants;

/// The environment variable that has every input run twice if it is `all`; else it is one of 64.
pub const TWICE: &str = "QUORATE_TWICE";
/// The environment variable that keeps abstract states from libFuzzer if it is `off`: to measure what they are good
/// for. They are still counted.
pub const COUNTERS: &str = "QUORATE_COUNTERS";
/// The environment variable that has the number of abstract states said on standard error, after every so many inputs.
pub const PROGRESS: &str = "QUORATE_PROGRESS";

/// One of so many inputs is run twice, chosen by what is in it.
const TWICE_ONE_IN: u64 = 64;

/// Worlds that are reused from input to input: one with each kind of queue.
struct Worlds {
    first: Hunter,
    second: Hunter,
}

thread_local! {
    static WORLDS: RefCell<BTreeMap<SystemKind, Worlds>> = const { RefCell::new(BTreeMap::new()) };
}

impl Worlds {
    fn new(kind: SystemKind) -> Self {
        let mut first = Hunter::new(kind);
        first.watch_states(if is(COUNTERS, "off") { coverage::seen } else { coverage::reached });
        Self { first, second: Hunter::with_queue(kind, QueueKind::Heap) }
    }
}

/// The body of the target.
pub(super) fn body<S: Watched>(bytes: &[u8]) {
    let plan = plan::<S>(bytes);
    if let Err(error) = plan.validate() {
        panic!("a plan that is refused: {error}\n\n{plan:?}");
    }
    WORLDS.with_borrow_mut(|worlds| {
        let worlds = worlds.entry(S::KIND).or_insert_with(|| Worlds::new(S::KIND));
        let judged = worlds.first.judge_plan(&plan, mutants());
        // Beyond what the system promises is none, too.
        let judged = judged.unwrap_or_else(|error| panic!("no run: {error}\n\n{}", to_toml(&plan)));
        if is_run_twice(bytes) {
            let again = worlds.second.judge_plan(&plan, mutants()).expect("it ran before");
            assert_eq!(again, judged, "not the same in another world:\n\n{}", to_toml(&plan));
        }
        if let Some(broken) = broken(&judged) {
            // Its sentences are wanted only now.
            panic!("{broken} is broken\n\n{}", tell(&plan));
        }
    });
    coverage::count_input(every());
}

/// The demand that was broken. What is wrong with a planted configuration as such needs no search, and is no finding.
fn broken(judged: &Judged) -> Option<&str> {
    let at_start = judged.at_start.as_deref().filter(|_| mutants() == Mutants::NONE);
    judged.found.as_deref().or(at_start)
}

fn is(variable: &str, value: &str) -> bool {
    std::env::var(variable).is_ok_and(|set| set == value)
}

fn is_run_twice(bytes: &[u8]) -> bool {
    static ALL: OnceLock<bool> = OnceLock::new();
    let words: Vec<u64> = bytes.chunks(4).map(word).collect();
    *ALL.get_or_init(|| is(TWICE, "all"))
        || weather::draw(0, "twice", &words).is_multiple_of(TWICE_ONE_IN)
}

fn word(chunk: &[u8]) -> u64 {
    chunk.iter().fold(1, |word, byte| word << 8 | u64::from(*byte))
}

/// After how many inputs the number of states is said.
fn every() -> Option<u64> {
    static EVERY: OnceLock<Option<u64>> = OnceLock::new();
    *EVERY.get_or_init(|| std::env::var(PROGRESS).ok()?.parse().ok().filter(|count| *count > 0))
}

/// What an input means, and what comes of it.
pub(super) fn show<S: Watched>(bytes: &[u8]) -> String {
    tell(&plan::<S>(bytes))
}

/// A plan, and what comes of it.
fn tell(plan: &Plan) -> String {
    let mut told = to_toml(plan);
    let ran = match quorate_sim::run(plan, mutants()) {
        Ok(ran) => ran,
        Err(error) => return told + &format!("\n# no run: {error}\n"),
    };
    let mut hunter = Hunter::new(plan.system.kind.parse().expect("its kind is a system's"));
    let found = hunter.judge_plan(plan, mutants()).map(|judged| judged.found);
    let verdict = match found {
        Ok(Some(demand)) => format!("broken: {demand}"),
        Ok(None) => "nothing is broken".to_owned(),
        Err(error) => format!("no run: {error}"),
    };
    let mutant = mutants().0.map_or("none", Mutant::name);
    let _ = writeln!(told, "\n# planted: {mutant}\n# {verdict}");
    for event in ran.history.events() {
        if let What::Violation(violation) = &event.what {
            let _ = writeln!(told, "# {}: {}", violation.demand, violation.what);
        }
    }
    let outcome = ran.outcome;
    let (steps, digest) = (outcome.digest.steps, outcome.digest.digest);
    let _ = writeln!(
        told,
        "# {steps} events, {} messages, {} ms of virtual time, digest {digest}",
        outcome.messages,
        outcome.virtual_us / 1_000
    );
    for (name, count) in outcome.milestones {
        let _ = writeln!(told, "# reached: {name} {count}");
    }
    for note in outcome.notes {
        let _ = writeln!(told, "# {note}");
    }
    if told.contains(&format!("broken: {LINEARIZABILITY}")) {
        let _ = writeln!(
            told,
            "# `quorate run --plan FILE` shows the operations that cannot be ordered"
        );
    }
    told
}
