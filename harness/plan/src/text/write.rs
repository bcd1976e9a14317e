//! A plan as a person would write it.

use std::fmt;

use serde::Serialize;
use toml::ser::ValueSerializer;

use crate::{
    Durations, Expectation, Fault, Liveness, Plan, PlannedFault, Rule, Script, Shows, SystemPlan,
    TraceEntry, Weather, Workload,
};

/// A plan as TOML that reads well, and gives the same plan when it is read.
pub fn to_toml(plan: &Plan) -> String {
    let Plan {
        name,
        seed,
        world,
        system,
        expect,
        workload,
        scripts,
        durations,
        weather,
        fault_classes,
        faults,
        rules,
        trace,
        liveness,
        shows,
    } = plan;
    let mut page = Page(String::new());
    page.entry("name", name);
    page.entry("seed", seed);
    page.entry("world", world);
    match expect {
        Expectation::Valid => {}
        Expectation::Invalid => page.entry("expect", expect),
    }
    if !fault_classes.is_empty() {
        page.entry("fault_classes", fault_classes);
    }
    page.system(system);
    page.workload(workload);
    page.durations(*durations);
    if let Some(weather) = weather {
        page.weather(weather);
    }
    if let Some(liveness) = liveness {
        page.liveness(liveness);
    }
    if let Some(shows) = shows {
        page.shows(shows);
    }
    for script in scripts {
        page.script(script);
    }
    for fault in faults {
        page.fault(fault);
    }
    for rule in rules {
        page.rule(rule);
    }
    for entry in trace {
        page.trace_entry(entry);
    }
    page.0
}

/// The text so far. Every part is taken to pieces, so that none is left out when a plan gets more.
struct Page(String);

impl Page {
    fn system(&mut self, system: &SystemPlan) {
        let SystemPlan { kind, nodes, options } = system;
        self.header("[system]");
        self.entry("kind", kind);
        self.entry("nodes", nodes);
        if !options.is_empty() {
            self.entry("options", options);
        }
    }

    fn workload(&mut self, workload: &Workload) {
        let Workload { kind, clients, rate_per_s, keys, operations_per_key, read_percent, values } =
            workload;
        self.header("[workload]");
        self.entry("kind", kind);
        self.entry("clients", clients);
        self.entry("rate_per_s", rate_per_s);
        self.entry("keys", keys);
        self.entry("operations_per_key", operations_per_key);
        self.entry("read_percent", read_percent);
        self.entry("values", values);
    }

    fn durations(&mut self, durations: Durations) {
        let Durations { time_limit_ms, operation_timeout_ms, final_reads_ms } = durations;
        self.header("[durations]");
        self.entry("time_limit_ms", &time_limit_ms);
        self.entry("operation_timeout_ms", &operation_timeout_ms);
        self.entry("final_reads_ms", &final_reads_ms);
    }

    fn weather(&mut self, weather: &Weather) {
        let Weather { delay, loss_per_mille, duplicate_per_mille, sync_min_us, sync_max_us } =
            weather;
        self.header("[weather]");
        self.entry("delay", delay);
        self.entry("loss_per_mille", loss_per_mille);
        self.entry("duplicate_per_mille", duplicate_per_mille);
        self.entry("sync_min_us", sync_min_us);
        self.entry("sync_max_us", sync_max_us);
    }

    fn liveness(&mut self, liveness: &Liveness) {
        let Liveness { core, bound_ms } = liveness;
        self.header("[liveness]");
        self.entry_if("core", core.as_ref());
        self.entry("bound_ms", bound_ms);
    }

    fn shows(&mut self, shows: &Shows) {
        let Shows { breaks, mutant, digest } = shows;
        self.header("[shows]");
        self.entry("breaks", breaks);
        self.entry_if("mutant", mutant.as_ref());
        self.entry_if("digest", digest.as_ref());
    }

    fn script(&mut self, script: &Script) {
        let Script { client, operations } = script;
        self.header("[[scripts]]");
        self.entry("client", client);
        self.line(format_args!("do = ["));
        for operation in operations {
            self.line(format_args!("    {},", value(operation)));
        }
        self.line(format_args!("]"));
    }

    fn fault(&mut self, planned: &PlannedFault) {
        let PlannedFault { when, at_ms, for_ms, fault } = planned;
        self.header("[[faults]]");
        self.entry_if("when", when.as_ref());
        self.entry("at_ms", at_ms);
        self.entry("for_ms", for_ms);
        match fault {
            // Too much for one line.
            Fault::Partition { shape, grudge } => {
                self.line(format_args!("[faults.fault]\nkind = {}", value(fault.class().name())));
                self.entry("shape", shape);
                self.line(format_args!("[faults.fault.grudge]"));
                for (to, dropped) in grudge {
                    self.entry(&to.to_string(), dropped);
                }
            }
            Fault::Delay { .. }
            | Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Kill { .. }
            | Fault::PowerLoss { .. }
            | Fault::Pause { .. }
            | Fault::Clock { .. }
            | Fault::Disk { .. }
            | Fault::Byzantine { .. }
            | Fault::ByzantineClients { .. }
            | Fault::Reconfigure { .. } => self.entry("fault", fault),
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let Rule { message, after, until, act } = rule;
        self.header("[[rules]]");
        self.entry("message", message);
        self.entry_if("after", after.as_ref());
        self.entry_if("until", until.as_ref());
        self.entry("act", act);
    }

    fn trace_entry(&mut self, entry: &TraceEntry) {
        let TraceEntry { at_us, step } = entry;
        self.header("[[trace]]");
        self.entry("at_us", at_us);
        self.entry("do", step);
    }

    fn header(&mut self, header: &str) {
        self.line(format_args!("\n{header}"));
    }

    fn entry(&mut self, name: &str, entry: &(impl Serialize + ?Sized)) {
        self.line(format_args!("{name} = {}", value(entry)));
    }

    fn entry_if(&mut self, name: &str, entry: Option<&impl Serialize>) {
        if let Some(entry) = entry {
            self.entry(name, entry);
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        fmt::Write::write_fmt(&mut self.0, format_args!("{line}\n"))
            .expect("a String takes everything");
    }
}

/// Anything on one line.
fn value(value: &(impl Serialize + ?Sized)) -> String {
    let mut text = String::new();
    value.serialize(ValueSerializer::new(&mut text)).expect("a plan is plain data");
    text
}
