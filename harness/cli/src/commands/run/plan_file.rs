//! A Plan from a file: a history, TOML or JSON.

use std::fmt::Display;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use quorate_checkers::judge::LINEARIZABILITY;
use quorate_plan::{Plan, PlanError, ReadError};
use quorate_systems::SystemKind;
use quorate_systems::contract::ConfigError;
use quorate_systems::mutant::Mutants;
use quorate_world::registry;

use crate::commands::check;
use crate::error::CliError;
use crate::regular;
use crate::store;

/// Reads and checks the Plan in `path`: the folder of a run, its history, or a plan as TOML or JSON.
pub(crate) fn load(path: &Path, mutants: Mutants) -> Result<Plan, CliError> {
    if is_run(path) {
        let plan = check::read(path)?.1;
        check(path, &plan, None, mutants)?;
        return Ok(plan);
    }
    let (plan, text) = read(path)?;
    check(path, &plan, Some(&text), mutants)?;
    Ok(plan)
}

/// Reads the Plan in a TOML or JSON file; with its text, to point at what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<(Plan, String), CliError> {
    if path == Path::new("-") {
        return Err(CliError::usage("standard input is not read here: this needs a file").hint(
            "put it into a file first; `quorate check -` judges a history from standard input",
        ));
    }
    let text = regular::open(path).and_then(|mut file| {
        let mut text = String::new();
        file.read_to_string(&mut text).map(|_| text)
    });
    let text = text.map_err(|error| regular::cannot_read(path, &error))?;
    Ok((parse(path, &text)?, text))
}

/// Checks a Plan as far as the system must be known for it, and as a whole.
pub(crate) fn check(
    path: &Path,
    plan: &Plan,
    text: Option<&str>,
    mutants: Mutants,
) -> Result<(), CliError> {
    let wrong = |error: PlanError| CliError::usage(format_args!("{}: {error}", path.display()));
    plan.validate().map_err(wrong)?;
    // What is wrong with a plan from a history stands in no line that somebody wrote.
    let wrong = |field: &str, what: &dyn Display| match text {
        Some(text) => {
            CliError::usage(ReadError::in_field(text, field, what).in_file(path.display()))
        }
        None => CliError::usage(format_args!("{}: {what}", path.display())),
    };
    let system = &plan.system;
    let kind = registry::find(&system.kind)
        .map_err(|error| wrong("system.kind", &format_args!("system.kind: {error}")))?;
    registry::promises(kind, system.nodes, &system.options, mutants, plan.seed)
        .map_err(|error| wrong(&option_field(&error), &error))?;
    quorate_plan::check_names(plan, &registry::vocabulary(kind))
        .map_err(|error| wrong(error.field(), &error))?;
    registry::check_regime(kind, plan, mutants).map_err(|error| wrong(error.field(), &error))?;
    match &plan.shows {
        Some(shows) => check_demand(kind, &shows.breaks)
            .map_err(|known| wrong("shows.breaks", &format_args!("shows.breaks: {known}"))),
        None => Ok(()),
    }
}

/// Whether there is a demand of this name, which a run with the system can break; if not, which there are.
fn check_demand(kind: SystemKind, name: &str) -> Result<(), String> {
    let own = registry::invariants(kind).iter().chain(quorate_sim::DEMANDS);
    let known: Vec<&str> = own.map(|(name, _)| *name).chain([LINEARIZABILITY]).collect();
    if known.contains(&name) {
        return Ok(());
    }
    Err(format!("there is no demand `{name}`; there is: {}", known.join(", ")))
}

/// Where in a plan options that cannot work stand.
fn option_field(error: &ConfigError) -> String {
    match error.option() {
        Some(name) => format!("system.options.{name}"),
        None => "system.options".to_owned(),
    }
}

/// Whether it is the folder of a run, or a history.
pub(crate) fn is_run(path: &Path) -> bool {
    path.is_dir() || is_history(path)
}

/// By its name, or by what it begins with.
pub(crate) fn is_history(path: &Path) -> bool {
    const BEGINNING: &[u8] = b"{\"quorate\":\"history\"";
    let mut beginning = [0; BEGINNING.len()];
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl")) {
        return true;
    }
    // What is read from a pipe here would be missing later.
    let read = path.is_file()
        && fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok());
    read && beginning == BEGINNING
}

fn parse(path: &Path, text: &str) -> Result<Plan, CliError> {
    let plan = if text.trim_start().starts_with('{') {
        quorate_plan::from_json(text)
    } else {
        quorate_plan::from_toml(text)
    };
    plan.map_err(|error| {
        let told = error.in_file(path.display());
        let wrong =
            if error.is_damaged() { CliError::damaged(told) } else { CliError::usage(told) };
        wrong.hint(format_args!(
            "a plan is TOML or JSON; every run's plan stands in the first line of its {}",
            store::HISTORY
        ))
    })
}
