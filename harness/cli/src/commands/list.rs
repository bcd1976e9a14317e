//! `quorate list`: what there is.

mod catalogue;
mod plans;

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use quorate_checkers::model;
use quorate_plan::{CLIENT_LIES, FaultClass, LIES, WorkloadKind};
use quorate_systems::SystemKind;
use quorate_systems::vocabulary::Vocabulary;
use quorate_world::registry;

use self::catalogue::Catalogue;
use crate::error::CliError;
use crate::output;

/// Systems with their options, messages, observations, invariants, milestones and mutants; workloads; models; faults;
/// and what plans are written with: weather, rules, moments.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate list
  quorate list mutants
  quorate list --json | jq '.systems[].options'")]
pub(crate) struct List {
    /// Only this.
    #[arg(value_enum)]
    what: Option<What>,

    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Systems,
    Options,
    Messages,
    Observations,
    Invariants,
    Milestones,
    Mutants,
    Workloads,
    Models,
    Faults,
    Weather,
    Rules,
    Moments,
}

impl List {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let text = if self.json { output::json(&Catalogue::whole()) } else { self.text() };
        output::print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for kind in SystemKind::ALL {
            self.system(*kind, &mut text);
        }
        if self.wants(What::Invariants) {
            heading(&mut text, "What every simulated run must keep besides");
            table(&mut text, quorate_sim::DEMANDS.iter().map(|(name, what)| row(name, what)));
        }
        if self.wants(What::Workloads) {
            heading(&mut text, "Workloads (--workload)");
            table(&mut text, WorkloadKind::ALL.iter().map(|kind| row(kind.name(), kind.summary())));
        }
        if self.wants(What::Models) {
            heading(&mut text, "Models (in a history: model)");
            table(&mut text, model::ALL.iter().map(|model| row(model.name(), model.summary())));
        }
        if self.wants(What::Faults) {
            heading(&mut text, "Faults (--faults)");
            table(
                &mut text,
                FaultClass::ALL.iter().map(|class| row(class.name(), class.summary())),
            );
            let _ = writeln!(text, "  byzantine nodes may lie so: {}", LIES.join(", "));
            let _ = writeln!(text, "  byzantine clients may lie so: {}", CLIENT_LIES.join(", "));
        }
        for (what, title, rows) in [
            (What::Weather, "Weather (in a plan: weather.delay.kind)", plans::DELAYS),
            (What::Rules, "Rules for messages (in a plan: rules[].act)", plans::ACTS),
            (What::Moments, "Moments (in a plan: when, after, until)", plans::MOMENTS),
        ] {
            if self.wants(what) {
                heading(&mut text, title);
                table(&mut text, rows.iter().map(|(name, what)| row(name, what)));
            }
        }
        text
    }

    fn system(&self, kind: SystemKind, text: &mut String) {
        let system = kind.vocabulary();
        if self.wants(What::Systems) {
            heading(text, &format!("System {} (--system {0})", system.name));
            table(text, [row(system.name, system.summary)]);
        }
        if self.wants(What::Options) {
            options(system, text);
        }
        if self.wants(What::Messages) {
            heading(text, &format!("Messages of {} (in a plan: kind, where)", system.name));
            let rows = system.messages.iter().map(|kind| {
                (kind.name, kind.what, with_fields(kind.route.to_owned(), kind.fields))
            });
            table(text, rows);
        }
        if self.wants(What::Observations) {
            heading(text, &format!("Observations of {} (in a plan: name, where)", system.name));
            let rows = system
                .observations
                .iter()
                .map(|kind| (kind.name, kind.what, with_fields(String::new(), kind.fields)));
            table(text, rows);
        }
        if self.wants(What::Invariants) {
            heading(text, &format!("Invariants of {}", system.name));
            table(text, registry::invariants(kind).iter().map(|(name, what)| row(name, what)));
        }
        if self.wants(What::Milestones) {
            heading(
                text,
                &format!("Milestones of {}: a hunt must reach each that can be", system.name),
            );
            let reach = |name| {
                let why = quorate_sim::out_of_reach(name);
                why.map_or_else(String::new, |why| format!("out of reach: {why}"))
            };
            let rows =
                system.milestones.iter().map(|place| (place.name, place.what, reach(place.name)));
            table(text, rows);
            heading(text, "Milestones of the simulated world");
            table(text, quorate_sim::MILESTONES.iter().map(|place| row(place.name, place.what)));
        }
        if self.wants(What::Mutants) {
            mutants(system, text);
        }
    }

    fn wants(&self, what: What) -> bool {
        self.what.is_none_or(|only| only == what)
    }
}

fn options(system: &Vocabulary, text: &mut String) {
    heading(text, &format!("Options of {} (-o NAME=VALUE)", system.name));
    for option in system.options {
        let default = match option.default {
            "" => String::from("default: follows from the others"),
            value => format!("default: {value}"),
        };
        let name = format!("{}={}", option.name, option.values);
        // Writing to a String cannot fail; so below.
        let _ = writeln!(text, "  {name}\n      {} ({default})", option.what);
    }
}

fn mutants(system: &Vocabulary, text: &mut String) {
    heading(text, &format!("Planted bugs of {} (--mutant)", system.name));
    for mutant in system.mutants {
        let _ = writeln!(
            text,
            "  {}  {}\n       breaks: {}\n       source: {}\n       quorate run {}",
            mutant.name, mutant.what, mutant.breaks, mutant.source, mutant.flags
        );
    }
}

/// `client to server; where: key, number`.
fn with_fields(mut text: String, fields: &[&str]) -> String {
    if !fields.is_empty() {
        let between = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{between}where: {}", fields.join(", "));
    }
    text
}

fn heading(text: &mut String, title: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{title}");
}

/// A line of a table: a name, what it is, and what else there is to say.
type Row<'a> = (&'a str, &'a str, String);

const fn row<'a>(name: &'a str, what: &'a str) -> Row<'a> {
    (name, what, String::new())
}

fn table<'a>(text: &mut String, rows: impl IntoIterator<Item = Row<'a>>) {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, what, more) in rows {
        let more = if more.is_empty() { String::new() } else { format!(" ({more})") };
        let _ = writeln!(text, "  {name:width$}  {what}{more}");
    }
}
