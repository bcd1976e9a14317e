//! The lists as data.

use quorate_checkers::model;
use quorate_plan::{CLIENT_LIES, FaultClass, LIES, WorkloadKind};
use quorate_systems::SystemKind;
use quorate_systems::vocabulary::{MessageKind, MutantSpec, ObservationKind, OptionSpec};
use quorate_world::registry;
use serde::Serialize;

use super::plans;

/// All lists.
#[derive(Serialize)]
pub(super) struct Catalogue {
    systems: Vec<System>,
    demands: Vec<Named>,
    workloads: Vec<Workload>,
    models: Vec<Named>,
    faults: Vec<Named>,
    lies: &'static [&'static str],
    client_lies: &'static [&'static str],
    weather: Vec<Named>,
    rules: Vec<Named>,
    moments: Vec<Named>,
}

#[derive(Serialize)]
struct System {
    name: &'static str,
    summary: &'static str,
    nodes: u16,
    workloads: &'static [&'static str],
    options: Vec<OptionRow>,
    messages: Vec<MessageRow>,
    observations: Vec<ObservationRow>,
    invariants: Vec<Named>,
    milestones: Vec<Named>,
    mutants: Vec<MutantRow>,
}

#[derive(Serialize)]
struct Workload {
    name: &'static str,
    summary: &'static str,
    /// What its histories are judged by.
    model: &'static str,
    /// What a system must be able to do for it.
    functions: Vec<&'static str>,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    summary: &'static str,
}

#[derive(Serialize)]
struct OptionRow {
    name: &'static str,
    values: &'static str,
    default: &'static str,
    what: &'static str,
}

#[derive(Serialize)]
struct MessageRow {
    name: &'static str,
    what: &'static str,
    route: &'static str,
    source: &'static str,
    fields: &'static [&'static str],
}

#[derive(Serialize)]
struct ObservationRow {
    name: &'static str,
    what: &'static str,
    fields: &'static [&'static str],
}

#[derive(Serialize)]
struct MutantRow {
    name: &'static str,
    what: &'static str,
    source: &'static str,
    breaks: &'static str,
    flags: &'static str,
}

impl Catalogue {
    pub(super) fn whole() -> Self {
        let classes = FaultClass::ALL.iter();
        Self {
            systems: SystemKind::ALL.iter().map(|kind| System::of(*kind)).collect(),
            demands: named(quorate_sim::DEMANDS),
            workloads: WorkloadKind::ALL
                .iter()
                .map(|kind| Workload {
                    name: kind.name(),
                    summary: kind.summary(),
                    model: kind.model(),
                    functions: kind.functions().iter().map(|function| function.name()).collect(),
                })
                .collect(),
            models: model::ALL
                .iter()
                .map(|model| Named { name: model.name(), summary: model.summary() })
                .collect(),
            faults: classes
                .map(|class| Named { name: class.name(), summary: class.summary() })
                .collect(),
            lies: LIES,
            client_lies: CLIENT_LIES,
            weather: named(plans::DELAYS),
            rules: named(plans::ACTS),
            moments: named(plans::MOMENTS),
        }
    }
}

fn named(pairs: &[(&'static str, &'static str)]) -> Vec<Named> {
    pairs.iter().map(|&(name, summary)| Named { name, summary }).collect()
}

impl System {
    fn of(kind: SystemKind) -> Self {
        let system = kind.vocabulary();
        let milestones = system.milestones.iter();
        Self {
            name: system.name,
            summary: system.summary,
            nodes: system.nodes,
            workloads: system.workloads,
            options: system.options.iter().map(OptionRow::of).collect(),
            messages: system.messages.iter().map(MessageRow::of).collect(),
            observations: system.observations.iter().map(ObservationRow::of).collect(),
            invariants: named(registry::invariants(kind)),
            milestones: milestones
                .map(|place| Named { name: place.name, summary: place.what })
                .collect(),
            mutants: system.mutants.iter().map(MutantRow::of).collect(),
        }
    }
}

impl OptionRow {
    const fn of(&OptionSpec { name, values, default, what }: &OptionSpec) -> Self {
        Self { name, values, default, what }
    }
}

impl MessageRow {
    const fn of(&MessageKind { name, what, route, source, fields }: &MessageKind) -> Self {
        Self { name, what, route, source, fields }
    }
}

impl ObservationRow {
    const fn of(&ObservationKind { name, what, fields }: &ObservationKind) -> Self {
        Self { name, what, fields }
    }
}

impl MutantRow {
    const fn of(&MutantSpec { name, what, source, breaks, flags }: &MutantSpec) -> Self {
        Self { name, what, source, breaks, flags }
    }
}
