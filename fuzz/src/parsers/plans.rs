//! What holds for every plan that was read, in whichever text.

use std::fs;
use std::path::{Path, PathBuf};

use quorate_plan::{Plan, ReadError, check_names, from_json, from_toml, to_toml};
use quorate_systems::mutant::Mutants;
use quorate_world::registry;

use crate::memory;

/// A value of the text takes up to this many bytes for each of its own while it is parsed: the shortest ones are two
/// bytes long and are kept with their places.
const HELD_PER_BYTE: usize = 1024;

/// Reads a text as a plan, or says where it is wrong.
pub(super) fn read(
    text: &str,
    parse: impl FnOnce(&str) -> Result<Plan, ReadError>,
) -> Option<Plan> {
    match memory::within(text.len(), HELD_PER_BYTE, || parse(text)) {
        Ok(plan) => Some(plan),
        Err(error) => {
            assert!(!error.in_file("plan").is_empty(), "what is wrong is said");
            None
        }
    }
}

/// What holds for a plan: both texts that we write of it are read as the same plan, and written of that as they were.
/// Whether it suits its system, is found out without a panic.
pub(super) fn check(plan: &Plan) {
    let text = to_toml(plan);
    let again = from_toml(&text);
    assert_eq!(again.as_ref(), Ok(plan), "{text}");
    assert_eq!(again.map(|again| to_toml(&again)).as_ref(), Ok(&text));
    let text = serde_json::to_string(plan).expect("a plan is plain data");
    assert_eq!(from_json(&text).as_ref(), Ok(plan), "{text}");
    suits(plan);
}

/// Asks of a plan what is asked of it before it is run.
fn suits(plan: &Plan) {
    let Ok(kind) = registry::find(&plan.system.kind) else { return };
    let system = &plan.system;
    let promises =
        registry::promises(kind, system.nodes, &system.options, Mutants::NONE, plan.seed);
    if let Err(error) = &promises {
        assert!(!error.to_string().is_empty(), "{error:?}");
        return;
    }
    if let Err(error) = check_names(plan, &registry::vocabulary(kind)) {
        assert!(!error.to_string().is_empty() && !error.field().is_empty(), "{error:?}");
    }
    if let Err(error) = registry::check_regime(kind, plan, Mutants::NONE) {
        assert!(!error.to_string().is_empty() && !error.field().is_empty(), "{error:?}");
    }
}

/// The plans that are kept for people: examples, and what was found once.
pub(super) fn kept() -> Vec<(String, Plan)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["examples", "regressions/quorum"] {
        let listed = fs::read_dir(root.join(folder)).into_iter().flatten();
        files.extend(listed.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let plan = |path: &PathBuf| {
        let name = path.file_stem()?.to_string_lossy().into_owned();
        Some((name, from_toml(&fs::read_to_string(path).ok()?).ok()?))
    };
    files.iter().filter_map(plan).collect()
}
