//! What was run, in a few lines.

use std::collections::BTreeSet;

use quorate_checkers::history::Header;
use quorate_plan::{Expectation, FaultClass, Plan, ValueChoice, Vocabulary, Workload, WorldKind};

use crate::units::{count, counted, milliseconds};
use crate::{Foreign, Page, Subject, words};

/// One line: a name, what it is, and what that means.
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Empty if there is nothing to add.
    pub(crate) remark: String,
}

fn fact(name: &str, value: impl Into<String>, remark: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into(), remark: remark.into() }
}

/// What was run.
pub(crate) fn facts(page: &Page<'_>) -> Vec<Fact> {
    match page.subject {
        Subject::Run { header, plan, vocabulary, .. } => of_run(header, plan, vocabulary),
        Subject::Foreign(foreign) => of_foreign(page, foreign),
    }
}

/// More names of keys are not read.
const KEYS_MAX: usize = 20;

fn of_foreign(page: &Page<'_>, foreign: &Foreign) -> Vec<Fact> {
    let linearizability = &page.results.linearizability;
    let mut facts = vec![
        fact("File", &foreign.name, format!("a history of another program, {}", foreign.format)),
        fact("Model", &linearizability.model, "what it was judged by"),
        fact("Operations", count(foreign.operations.len() as u64), ""),
    ];
    if !foreign.is_timed {
        let remark =
            "the file does not say when things happened: every event is given a millisecond";
        facts.push(fact("Times", "none", remark));
    }
    let faults = &page.results.vacuity.faults;
    if !faults.is_empty() {
        let kinds: BTreeSet<&str> = faults.iter().map(|fault| fault.kind.as_str()).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let remark = "what the nemesis says that it did, from one word to the one that undoes it";
        facts.push(fact("Nemesis", kinds.join(", "), remark));
    }
    let named = foreign.keys.iter().take(KEYS_MAX);
    facts.extend(named.map(|(key, name)| fact(&format!("Key {key}"), name, "as the file has it")));
    if let Some(hidden) = foreign.keys.len().checked_sub(KEYS_MAX).filter(|hidden| *hidden > 0) {
        facts.push(fact("More keys", count(hidden as u64), "that are no numbers in the file"));
    }
    facts
}

fn of_run(header: &Header, plan: &Plan, vocabulary: &Vocabulary) -> Vec<Fact> {
    let mut facts = vec![
        fact("System", &plan.system.kind, &vocabulary.summary),
        fact("Nodes", plan.system.nodes.to_string(), ""),
    ];
    for (option, value) in &plan.system.options {
        let known = vocabulary.options.iter().find(|(name, _)| name == option);
        let remark = known.map(|(_, purpose)| purpose.clone()).unwrap_or_default();
        facts.push(fact(&format!("Option {option}"), value, remark));
    }
    facts.push(mutant(header, vocabulary));
    facts.push(workload(&plan.workload));
    facts.push(faults(plan));
    facts.push(fact(
        "Time",
        milliseconds(plan.durations.time_limit_ms),
        format!("operations time out after {}", milliseconds(plan.durations.operation_timeout_ms)),
    ));
    facts.push(fact("Seed", plan.seed.to_string(), "operations and faults follow from it"));
    facts.push(match plan.world {
        WorldKind::Live => fact("World", "live", "real processes, real time"),
        WorldKind::Sim => {
            fact("World", "sim", "virtual time: the same plan gives the same run, byte for byte")
        }
    });
    facts.extend(directions(plan));
    facts
}

/// More rules than this are not read; the plan has all of them.
const RULES_MAX: usize = 12;

/// Those that were asked for by their classes, or else those that stand in the plan one by one.
fn faults(plan: &Plan) -> Fact {
    let names = |classes: &[FaultClass]| {
        let names: Vec<&str> = classes.iter().map(|class| class.name()).collect();
        names.join(", ")
    };
    let mut planned: Vec<FaultClass> =
        plan.faults.iter().map(|planned| planned.fault.class()).collect();
    planned.sort_unstable();
    planned.dedup();
    match (plan.fault_classes.as_slice(), planned.as_slice()) {
        ([], []) => fact("Faults", "none", ""),
        ([], planned) => {
            let remark = format!("{} in the plan", counted(plan.faults.len() as u64, "fault"));
            fact("Faults", names(planned), remark)
        }
        (classes, _) => fact("Faults", names(classes), "each class had to do something"),
    }
}

/// What directs the run, where the plan says so.
fn directions(plan: &Plan) -> Vec<Fact> {
    let mut facts = Vec::new();
    match plan.expect {
        Expectation::Valid => {}
        Expectation::Invalid => {
            facts.push(fact("Expected", "invalid", "more goes wrong than the system must bear"));
        }
    }
    let simulated = (plan.world == WorldKind::Sim).then(Default::default);
    if let Some(weather) = plan.weather.or(simulated) {
        let search = weather.delay.search();
        let remark = format!("{search}; {}", words::syncs(&weather));
        facts.push(fact("Weather", words::weather(&weather), remark));
    }
    for script in &plan.scripts {
        let operations = script.operations.len() as u64;
        let name = format!("Script of c{}", script.client);
        facts.push(fact(&name, counted(operations, "operation"), "and nothing else"));
    }
    for (number, rule) in (1..).zip(plan.rules.iter().take(RULES_MAX)) {
        facts.push(fact(&format!("Rule {number}"), words::rule(rule), ""));
    }
    if plan.rules.len() > RULES_MAX {
        let hidden = (plan.rules.len() - RULES_MAX) as u64;
        facts.push(fact("More rules", count(hidden), "all are in the plan"));
    }
    if !plan.trace.is_empty() {
        let steps = counted(plan.trace.len() as u64, "step");
        facts.push(fact("Trace", steps, "explicit deliveries and wakes"));
    }
    if let Some(liveness) = &plan.liveness {
        let core = liveness.core.as_ref().map_or_else(
            || "all nodes".to_owned(),
            |core| core.iter().map(|node| format!("n{node}")).collect::<Vec<_>>().join(" "),
        );
        let bound = milliseconds(liveness.bound_ms);
        facts.push(fact("Liveness", format!("within {bound}"), format!("{core} must suffice")));
    }
    facts
}

/// The run in a line.
pub(crate) fn crumbs(page: &Page<'_>) -> Vec<String> {
    let (header, plan) = match page.subject {
        Subject::Run { header, plan, .. } => (header, plan),
        Subject::Foreign(foreign) => {
            return vec![foreign.name.clone(), "a history of another program".to_owned()];
        }
    };
    let mut crumbs = vec![
        plan.name.clone(),
        format!("{} on {}", plan.system.kind, counted(plan.system.nodes, "node")),
        format!("seed {}", plan.seed),
        header.started.clone(),
    ];
    crumbs.extend(header.mutant.as_ref().map(|mutant| format!("planted bug {mutant}")));
    crumbs
}

fn mutant(header: &Header, vocabulary: &Vocabulary) -> Fact {
    let Some(mutant) = &header.mutant else {
        return fact("Planted bug", "none", "");
    };
    let known = vocabulary.mutants.iter().find(|(name, _)| name == mutant);
    fact("Planted bug", mutant, known.map(|(_, mistake)| mistake.clone()).unwrap_or_default())
}

fn workload(workload: &Workload) -> Fact {
    let rate = match workload.rate_per_s {
        0 => "as fast as answers come".to_owned(),
        rate => format!("at most {} a second", counted(rate, "operation")),
    };
    let values = match workload.values {
        ValueChoice::Unique => "no value written twice",
        ValueChoice::Few => "values 0 to 4",
    };
    fact(
        "Workload",
        format!("{}, {}", workload.kind.name(), counted(workload.clients, "client")),
        format!(
            "{} at once, {} each, {} % reads, {values}, {rate}",
            counted(workload.keys, "key"),
            counted(workload.operations_per_key, "operation"),
            workload.read_percent,
        ),
    )
}
