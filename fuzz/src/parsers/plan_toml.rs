//! Plans as people write them.

use quorate_plan::{from_toml, to_toml};

use super::plans;
use crate::{Seed, Target};

/// A plan in TOML is read, or refused with the place of what is wrong. What is read is written as a text that gives the
/// same plan.
pub const TARGET: Target = Target {
    name: "plan_toml",
    about: "Plans in TOML: read, or refused with a place; written in both texts, and the same when they are read.",
    body,
    seeds,
    show,
};

fn body(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(plan) = plans::read(text, from_toml) {
        plans::check(&plan);
    }
}

fn seeds() -> Vec<Seed> {
    let seed = |(name, plan)| Seed { name, bytes: to_toml(&plan).into_bytes() };
    plans::kept().into_iter().map(seed).collect()
}

fn show(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    match from_toml(&text) {
        Ok(plan) => to_toml(&plan),
        Err(error) => error.in_file("plan.toml"),
    }
}
