//! What was run, in a few lines.

use quorate_plan::{Expectation, Plan, ValueChoice, Workload, WorldKind};

use crate::Page;
use crate::units::{count, milliseconds};
use crate::words;

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
    let plan = page.plan;
    let mut facts = vec![
        fact("System", &plan.system.kind, &page.vocabulary.summary),
        fact("Nodes", plan.system.nodes.to_string(), ""),
    ];
    for (option, value) in &plan.system.options {
        let known = page.vocabulary.options.iter().find(|(name, _)| name == option);
        let remark = known.map(|(_, purpose)| purpose.clone()).unwrap_or_default();
        facts.push(fact(&format!("Option {option}"), value, remark));
    }
    facts.push(mutant(page));
    facts.push(workload(&plan.workload));
    facts.push(match plan.fault_classes.as_slice() {
        [] => fact("Faults", "none", ""),
        classes => {
            let names: Vec<&str> = classes.iter().map(|class| class.name()).collect();
            fact("Faults", names.join(", "), "each class had to do something")
        }
    });
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
        facts.push(fact(&name, format!("{} operations", count(operations)), "and nothing else"));
    }
    for (number, rule) in (1..).zip(plan.rules.iter().take(RULES_MAX)) {
        facts.push(fact(&format!("Rule {number}"), words::rule(rule), ""));
    }
    if plan.rules.len() > RULES_MAX {
        let hidden = (plan.rules.len() - RULES_MAX) as u64;
        facts.push(fact("More rules", count(hidden), "all are in the plan"));
    }
    if !plan.trace.is_empty() {
        let steps = count(plan.trace.len() as u64);
        facts.push(fact("Trace", format!("{steps} steps"), "explicit deliveries and wakes"));
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
    let plan = page.plan;
    let mut crumbs = vec![
        plan.name.clone(),
        format!("{} on {} nodes", plan.system.kind, plan.system.nodes),
        format!("seed {}", plan.seed),
        page.header.started.clone(),
    ];
    crumbs.extend(page.header.mutant.as_ref().map(|mutant| format!("planted bug {mutant}")));
    crumbs
}

fn mutant(page: &Page<'_>) -> Fact {
    let Some(mutant) = &page.header.mutant else {
        return fact("Planted bug", "none", "");
    };
    let known = page.vocabulary.mutants.iter().find(|(name, _)| name == mutant);
    fact("Planted bug", mutant, known.map(|(_, mistake)| mistake.clone()).unwrap_or_default())
}

fn workload(workload: &Workload) -> Fact {
    let rate = match workload.rate_per_s {
        0 => "as fast as answers come".to_owned(),
        rate => format!("at most {} operations a second", count(u64::from(rate))),
    };
    let values = match workload.values {
        ValueChoice::Unique => "no value written twice",
        ValueChoice::Few => "values 0 to 4",
    };
    fact(
        "Workload",
        format!("{}, {} clients", workload.kind.name(), workload.clients),
        format!(
            "{} keys at once, {} operations each, {} % reads, {values}, {rate}",
            workload.keys,
            count(u64::from(workload.operations_per_key)),
            workload.read_percent,
        ),
    )
}
