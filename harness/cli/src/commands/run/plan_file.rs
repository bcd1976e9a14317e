//! A Plan from a file: a history, TOML or JSON.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use quorate_plan::Plan;
use quorate_systems::mutant::Mutants;
use quorate_world::registry;

use crate::commands::check;
use crate::error::CliError;
use crate::store;

/// Reads and checks the Plan in `path`: the folder of a run, its history, or a plan as TOML or JSON.
pub(super) fn load(path: &Path, mutants: Mutants) -> Result<Plan, CliError> {
    let plan = if path.is_dir() || is_history(path) { check::read(path)?.1 } else { parse(path)? };
    let wrong = |error: &dyn std::fmt::Display| {
        CliError::usage(format_args!("{}: {error}", path.display()))
    };
    plan.validate().map_err(|error| wrong(&error))?;
    let kind = registry::find(&plan.system.kind).map_err(|error| wrong(&error))?;
    registry::promises(kind, plan.system.nodes, &plan.system.options, mutants, plan.seed)
        .map_err(|error| wrong(&error))?;
    Ok(plan)
}

/// By its name, or by what it begins with.
fn is_history(path: &Path) -> bool {
    const BEGINNING: &[u8] = b"{\"quorate\":\"history\"";
    let mut beginning = [0; BEGINNING.len()];
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        return true;
    }
    // What is read from a pipe here would be missing later.
    let read = path.is_file()
        && fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok());
    read && beginning == BEGINNING
}

fn parse(path: &Path) -> Result<Plan, CliError> {
    let wrong = |error: &dyn std::fmt::Display| {
        CliError::usage(format_args!("{}: {error}", path.display())).hint(format_args!(
            "a plan is TOML or JSON; every run's plan stands in the first line of its {}",
            store::HISTORY
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| {
        CliError::usage(format_args!("cannot read {}: {error}", path.display()))
    })?;
    if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| wrong(&error))
    } else {
        toml::from_str(&text).map_err(|error| wrong(&error))
    }
}
