//! `quorate list`: what there is.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use quorate_plan::{FaultClass, WorkloadKind};
use quorate_systems::SystemKind;
use quorate_systems::vocabulary::Vocabulary;
use serde::Serialize;

use crate::error::CliError;
use crate::output;

/// Systems with their options, messages and mutants; workloads; faults.
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
    Mutants,
    Workloads,
    Faults,
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
            self.system(kind.vocabulary(), &mut text);
        }
        if self.wants(What::Workloads) {
            heading(&mut text, "Workloads (--workload)");
            table(
                &mut text,
                WorkloadKind::ALL.iter().map(|kind| (kind.name(), kind.summary(), "")),
            );
        }
        if self.wants(What::Faults) {
            heading(&mut text, "Faults (--faults)");
            table(
                &mut text,
                FaultClass::ALL.iter().map(|class| (class.name(), class.summary(), "")),
            );
        }
        text
    }

    fn system(&self, system: &Vocabulary, text: &mut String) {
        if self.wants(What::Systems) {
            heading(text, &format!("System {} (--system {0})", system.name));
            table(text, [(system.name, system.summary, "")]);
        }
        if self.wants(What::Options) {
            heading(text, &format!("Options of {} (-o NAME=VALUE)", system.name));
            for option in system.options {
                let default = match option.default {
                    "" => String::from("default: follows from the others"),
                    value => format!("default: {value}"),
                };
                let name = format!("{}={}", option.name, option.values);
                let _ = writeln!(text, "  {name}\n      {} ({default})", option.what);
            }
        }
        if self.wants(What::Messages) {
            heading(text, &format!("Messages of {}", system.name));
            table(text, system.messages.iter().map(|kind| (kind.name, kind.what, kind.route)));
        }
        if self.wants(What::Mutants) {
            heading(text, &format!("Planted bugs of {} (--mutant)", system.name));
            for mutant in system.mutants {
                let _ = writeln!(
                    text,
                    "  {}  {}\n       breaks: {}\n       source: {}\n       quorate run {}",
                    mutant.name, mutant.what, mutant.breaks, mutant.source, mutant.flags
                );
            }
        }
    }

    fn wants(&self, what: What) -> bool {
        self.what.is_none_or(|only| only == what)
    }
}

fn heading(text: &mut String, title: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    // Writing to a String cannot fail; so below.
    let _ = writeln!(text, "{title}");
}

fn table<'a>(text: &mut String, rows: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, what, more) in rows {
        let more = if more.is_empty() { String::new() } else { format!(" ({more})") };
        let _ = writeln!(text, "  {name:width$}  {what}{more}");
    }
}

/// The same as data.
#[derive(Serialize)]
struct Catalogue {
    systems: Vec<System>,
    workloads: Vec<Named>,
    faults: Vec<Named>,
}

#[derive(Serialize)]
struct System {
    name: &'static str,
    summary: &'static str,
    nodes: u16,
    workloads: &'static [&'static str],
    options: Vec<OptionRow>,
    messages: Vec<MessageRow>,
    mutants: Vec<MutantRow>,
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
    fn whole() -> Self {
        Self {
            systems: SystemKind::ALL.iter().map(|kind| System::of(kind.vocabulary())).collect(),
            workloads: WorkloadKind::ALL
                .iter()
                .map(|kind| Named { name: kind.name(), summary: kind.summary() })
                .collect(),
            faults: FaultClass::ALL
                .iter()
                .map(|class| Named { name: class.name(), summary: class.summary() })
                .collect(),
        }
    }
}

impl System {
    fn of(system: &'static Vocabulary) -> Self {
        Self {
            name: system.name,
            summary: system.summary,
            nodes: system.nodes,
            workloads: system.workloads,
            options: system
                .options
                .iter()
                .map(|o| OptionRow {
                    name: o.name,
                    values: o.values,
                    default: o.default,
                    what: o.what,
                })
                .collect(),
            messages: system
                .messages
                .iter()
                .map(|m| MessageRow {
                    name: m.name,
                    what: m.what,
                    route: m.route,
                    source: m.source,
                })
                .collect(),
            mutants: system
                .mutants
                .iter()
                .map(|m| MutantRow {
                    name: m.name,
                    what: m.what,
                    source: m.source,
                    breaks: m.breaks,
                    flags: m.flags,
                })
                .collect(),
        }
    }
}
