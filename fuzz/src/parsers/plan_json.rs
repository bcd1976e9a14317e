//! Plans as histories hold them.

use quorate_plan::{from_json, to_toml};

use super::plans;
use crate::{Seed, Target};

/// A plan in JSON is read, or refused with the place of what is wrong. What is read is written as a text that gives the
/// same plan.
pub const TARGET: Target = Target {
    name: "plan_json",
    about: "Plans in JSON: read, or refused with a place; written in both texts, and the same when they are read.",
    body,
    seeds,
    show,
};

fn body(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(plan) = plans::read(text, from_json) {
        plans::check(&plan);
    }
}

fn seeds() -> Vec<Seed> {
    let seed = |(name, plan)| Seed {
        name,
        bytes: serde_json::to_vec(&plan).expect("a plan is plain data"),
    };
    plans::kept().into_iter().map(seed).collect()
}

fn show(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    match from_json(&text) {
        Ok(plan) => to_toml(&plan),
        Err(error) => error.in_file("plan.json"),
    }
}
