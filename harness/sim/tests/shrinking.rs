//! Failing plans become small ones that fail in the same way, and a recorded run is the same run.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeSet;

use quorate_checkers::history::Builder;
use quorate_plan::{Plan, Script, from_toml, to_toml};
use quorate_sim::hunt::Hunter;
use quorate_sim::shrink::{ShrinkError, Shrunk, Wanted, breaks, shrink};
use quorate_sim::story::{Part, Story};
use quorate_sim::tape::{Detail, Fate, Tape};
use quorate_sim::{Checks, Outcome, QueueKind, simulator};
use quorate_systems::SystemKind;
use quorate_systems::contract::Value;
use quorate_systems::mutant::{Mutant, Mutants};

/// No shrunk plan has more operations, nor more rules and faults.
const SIZE_MAX: u64 = 8;
/// Set to anything, it has every planted bug shrunk: that takes a while without optimisation.
const ALL: &str = "QUORATE_SHRINK_ALL";
/// Those that are shrunk otherwise: one that only clients see, one that shows only at the end of its run, one that
/// needs a change of the system, one that needs nothing.
const SOME: [Mutant; 4] = [Mutant::Q05, Mutant::Q08, Mutant::Q11, Mutant::Q15];

/// The first plan that a hunt finds, with the demand that it breaks.
fn first_find(mutant: Mutant) -> (Plan, String) {
    let mut hunter = Hunter::new(SystemKind::Quorum);
    let found = |seed| {
        let tried = hunter.try_seed(seed, Mutants(Some(mutant))).unwrap();
        Some((seed, tried.found?))
    };
    let (seed, demand) = (0..).find_map(found).unwrap();
    (hunter.plan(seed), demand)
}

fn shrunk(plan: &Plan, mutant: Mutant) -> Shrunk {
    shrink(plan, Mutants(Some(mutant)), &Wanted::Any, &mut |_| true).unwrap()
}

fn tape(plan: &Plan, mutants: Mutants) -> (Outcome, Tape) {
    let mut simulator = simulator(SystemKind::Quorum, QueueKind::default());
    simulator.run_taped(plan, mutants, Checks::ALL, Detail::All, &mut |_, _| Ok(())).unwrap()
}

#[test]
fn what_a_hunt_finds_first_shrinks_to_a_few_operations_and_rules_of_the_same_failure() {
    let all = SystemKind::Quorum.mutants().collect();
    let mutants = if std::env::var_os(ALL).is_some() { all } else { SOME.to_vec() };
    let mut hunter = Hunter::new(SystemKind::Quorum);
    for mutant in mutants {
        let (plan, demand) = first_find(mutant);
        let Shrunk { plan, demand: broken, after, is_complete, .. } = shrunk(&plan, mutant);
        let story = format!("{mutant:?}:\n{}", to_toml(&plan));
        assert_eq!(broken, demand, "{story}");
        assert!(is_complete, "{story}");
        // The hunt judges for itself.
        let judged = hunter.try_plan(&plan, Mutants(Some(mutant))).unwrap();
        assert_eq!(judged.found.as_ref(), Some(&demand), "{story}");
        assert!(after.operations <= SIZE_MAX, "{story}");
        assert!(after.faults + after.rules <= SIZE_MAX, "{story}");
        assert!(after.is_calm, "{story}");
        // What is kept as a file is the same plan.
        assert_eq!(from_toml(&to_toml(&plan)).unwrap(), plan, "{story}");
        // It is the bug that it shows.
        let correct = hunter.try_plan(&plan, Mutants::NONE);
        assert!(correct.is_err() || correct.is_ok_and(|tried| tried.found.is_none()), "{story}");
    }
}

#[test]
fn the_same_plan_is_shrunk_to_the_same_one() {
    let (plan, _) = first_find(Mutant::Q05);
    let [once, again] = [(); 2].map(|()| shrunk(&plan, Mutant::Q05));
    assert_eq!(once, again);
    assert_eq!(to_toml(&once.plan), to_toml(&again.plan));
}

#[test]
fn a_shrunk_plan_does_not_grow_when_it_is_shrunk_again() {
    let (plan, _) = first_find(Mutant::Q08);
    let once = shrunk(&plan, Mutant::Q08);
    let again = shrunk(&once.plan, Mutant::Q08);
    assert!(again.after.operations <= once.after.operations);
    assert!(again.after.rules + again.after.faults <= once.after.rules + once.after.faults);
}

/// A write that reaches one node, which a write and a read at the end of the run find there.
const ONLY_THE_END_SHOWS_IT: &str = r#"
name = "only-the-end-shows-it"
seed = 3
world = "sim"
[system]
kind = "quorum"
nodes = 3
options = { contact = "quorum" }
[workload]
kind = "register"
clients = 15
rate_per_s = 400
keys = 3
[durations]
time_limit_ms = 100
[weather]
delay = { kind = "constant", us = 1000 }
loss_per_mille = 0
duplicate_per_mille = 0
sync_min_us = 760729
sync_max_us = 760729
[[scripts]]
client = 14
do = [{ f = "write", key = 0, value = 1 }]
[[trace]]
at_us = 6033
do = { sync = { node = 2 } }
"#;

/// The end of a run writes values that are none of a script's.
#[test]
fn what_only_the_end_of_a_run_shows_is_told_by_operations_before_it() {
    let mut plan = from_toml(ONLY_THE_END_SHOWS_IT).unwrap();
    plan.scripts.extend((0..14).map(|client| Script { client, operations: Vec::new() }));
    let Shrunk { plan, demand, .. } = shrunk(&plan, Mutant::Q01);
    let (_, tape) = tape(&plan, Mutants(Some(Mutant::Q01)));
    let steps = Story::new(tape, &demand, "").steps();
    assert!(steps.last().unwrap().starts_with("Q-I3 is broken"), "{steps:?}");
    assert!(steps.iter().all(|step| !step.contains("healed")), "{steps:?}");
}

#[test]
fn whoever_stops_it_gets_the_smallest_plan_so_far() {
    let (plan, demand) = first_find(Mutant::Q05);
    let mut hunter = Hunter::new(SystemKind::Quorum);
    let mut before = u64::MAX;
    for tries in [0, 5, 60, 400] {
        let mut watch = |progress: &quorate_sim::shrink::Progress| progress.tries < tries;
        let stopped = shrink(&plan, Mutants(Some(Mutant::Q05)), &Wanted::Any, &mut watch).unwrap();
        assert!(!stopped.is_complete);
        assert_eq!(stopped.tries, tries);
        assert!(tries > 0 || stopped.plan == plan, "nothing was tried");
        let judged = hunter.try_plan(&stopped.plan, Mutants(Some(Mutant::Q05))).unwrap();
        assert_eq!(judged.found.as_ref(), Some(&demand), "after {tries} tries");
        let size = stopped.after.operations + stopped.after.faults + stopped.after.rules;
        assert!(size <= before, "after {tries} tries: {size}, and {before} earlier");
        before = size;
    }
}

#[test]
fn a_plan_that_breaks_nothing_or_cannot_run_is_not_shrunk() {
    let plan = Hunter::new(SystemKind::Quorum).plan(1);
    let nothing = shrink(&plan, Mutants::NONE, &Wanted::Any, &mut |_| true);
    assert!(matches!(nothing, Err(ShrinkError::NothingBroken)), "{nothing:?}");
    let mut wrong = plan;
    wrong.system.kind = "nothing".to_owned();
    // What is to be broken is broken, and nothing else counts.
    let failing = Hunter::new(SystemKind::Quorum).plan(1);
    let bug = Mutants(Some(Mutant::Q15));
    let broken = breaks(&failing, bug).unwrap().expect("it is found at once");
    for wanted in [Wanted::Demand("Q-I5".to_owned()), Wanted::Nothing] {
        let refused = shrink(&failing, bug, &wanted, &mut |_| true);
        let Err(ShrinkError::AnotherDemand { broken: named }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(named, broken);
    }
    let unknown = shrink(&wrong, Mutants::NONE, &Wanted::Any, &mut |_| true);
    assert!(matches!(unknown, Err(ShrinkError::System(_))), "{unknown:?}");
}

/// Whatever the weather and the faults are.
#[test]
fn a_run_that_is_recorded_is_the_same_run() {
    let mut simulator = simulator(SystemKind::Quorum, QueueKind::default());
    for seed in 0..25 {
        let plan = simulator.draw(seed);
        let mut history = Builder::new();
        let mut sink =
            |time, what| history.push(time, what).map(|_| ()).map_err(|error| error.to_string());
        let once = simulator.run(&plan, Mutants::NONE, Checks::ALL, &mut sink).unwrap();
        let mut taped = Builder::new();
        let mut sink =
            |time, what| taped.push(time, what).map(|_| ()).map_err(|error| error.to_string());
        let (outcome, tape) =
            simulator.run_taped(&plan, Mutants::NONE, Checks::ALL, Detail::All, &mut sink).unwrap();
        assert_eq!(outcome, once, "seed {seed}");
        assert_eq!(history.finish(), taped.finish(), "seed {seed}");
        assert_eq!(tape.messages.len() as u64, outcome.messages, "seed {seed}");
        let lost = tape.messages.iter().filter(|message| message.fate == Fate::Lost);
        assert!(lost.clone().all(|message| message.arrived_us.is_empty()), "seed {seed}");
        let again = simulator.run(&plan, Mutants::NONE, Checks::ALL, &mut |_, _| Ok(())).unwrap();
        assert_eq!(again, once, "seed {seed}: nothing of the recording is left");
    }
}

#[test]
fn a_tape_tells_what_became_of_each_message() {
    let plan = from_toml(include_str!("../../../examples/read-without-write-back.toml")).unwrap();
    let (_, tape) = tape(&plan, Mutants(Some(Mutant::Q01)));
    let updates: Vec<(String, Fate)> = tape
        .messages
        .iter()
        .filter(|message| message.kind == "UPDATE" && message.from.to_string() == "c0")
        .take(3)
        .map(|message| (message.to.to_string(), message.fate))
        .collect();
    let expected = [("n0", Fate::Travels), ("n1", Fate::Lost), ("n2", Fate::Lost)];
    assert_eq!(updates, expected.map(|(to, fate)| (to.to_owned(), fate)));
    let first = &tape.messages[0];
    assert_eq!((first.nth, first.sent_us, first.due_us.as_slice()), (1, 0, [1_000].as_slice()));
    assert_eq!(first.arrived_us, [1_000]);
    assert_eq!(tape.operations[0].command.value(), Some(Value(1)));
    assert!(tape.objection().is_some_and(|(_, violation)| violation.demand == "Q-I3"));
}

#[test]
fn a_story_has_its_steps_its_diagram_and_its_picture() {
    let plan = from_toml(include_str!("../../../examples/read-without-write-back.toml")).unwrap();
    let (_, tape) = tape(&plan, Mutants(Some(Mutant::Q01)));
    let story = Story::new(tape, "Q-I3", "");
    let steps = story.steps();
    assert_eq!(steps[0], "c0 begins to write 1 to key 0");
    assert_eq!(steps[1], "UPDATE from c0 to n1 and n2 is lost");
    assert!(steps.last().unwrap().starts_with("Q-I3 is broken: c1 has completed 1"), "{steps:?}");
    let text = story.text();
    for part in [
        "        ms  c0    c1    c2    n0    n1    n2",
        "     0.000  ┳     ┆     ┆     │     │     │     c0 begins write(k0, 1)",
        "●─────┼─────┼─────┼────╳│     │     UPDATE",
        "✗ Q-I3 is broken",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    let svg = story.svg();
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
    for part in ["class=\"cross\"", ">UPDATE<", "write(k0, 1)", "Q-I3 is broken", "{n0}"] {
        assert!(svg.contains(part), "{part}\n{svg}");
    }
    assert_eq!((text, svg), (story.text(), story.svg()));
}

#[test]
fn of_a_long_run_the_story_of_a_part_is_told() {
    let plan = from_toml(include_str!("../../../examples/read-without-write-back.toml")).unwrap();
    let (_, tape) = tape(&plan, Mutants(Some(Mutant::Q01)));
    let whole = Story::new(tape.clone(), "Q-I3", "").svg();
    let (broken, _) = tape.objection().unwrap();
    let part = Part {
        since_us: Some(1_000),
        until_us: Some(broken),
        messages_max: 3,
        clients: Some(BTreeSet::from([1])),
    };
    let svg = Story::part(tape, "Q-I3", "", part).svg();
    assert!(whole.contains("write(k0, 1)") && whole.contains(">c2<"));
    assert!(svg.contains("read(k0)") && svg.contains("Q-I3 is broken: c1 has completed 1"));
    for left_out in ["write(k0, 1)", ">c0<", ">c2<", ">UPDATE<"] {
        assert!(!svg.contains(left_out), "{left_out}\n{svg}");
    }
    let arrows = |svg: &str| svg.matches("class=\"message\"").count();
    assert!((3..=6).contains(&arrows(&svg)) && arrows(&svg) < arrows(&whole), "{svg}");
    assert!(svg.contains("class=\"told\""), "what replicas tell of themselves is marked");
}

/// Five nodes answer in the same microsecond, and the third of them completes the write.
const ALL_AT_ONCE: &str = r#"
name = "all-at-once"
seed = 1
world = "sim"
system = { kind = "quorum", nodes = 5 }
workload = { clients = 1 }
durations = { time_limit_ms = 100 }
weather = { delay = { kind = "constant", us = 1000 }, sync_min_us = 200, sync_max_us = 200 }
scripts = [{ client = 0, do = [{ f = "write", key = 0, value = 1 }] }]
"#;

#[test]
fn what_arrives_behind_the_end_of_an_operation_did_not_complete_it() {
    let (_, tape) = tape(&from_toml(ALL_AT_ONCE).unwrap(), Mutants::NONE);
    let steps = Story::new(tape, "Q-I3", "").steps();
    let written = steps.iter().find(|step| step.starts_with("c0 has written 1: ")).unwrap();
    assert!(written.ends_with("UPDATE_OK from n0, n1 and n2"), "{written}");
}
