//! Whatever reads bytes: it may refuse them, and never panic, nor take much memory for few bytes, nor read what it would
//! not write.

pub mod foreign;
pub mod frames;
pub mod history;
pub mod input_log;
pub mod messages;
mod pieces;
pub mod plan_json;
pub mod plan_toml;
mod plans;
#[cfg(feature = "planted")]
mod planted;
mod samples;
pub mod wal;
pub mod words;

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use quorate_systems::SystemKind;
use quorate_systems::contract::{Options, System};
use quorate_systems::mutant::Mutants;

use crate::Seed;

/// The seeds that each system has, with the names of their files.
fn every_system(of: impl Fn(SystemKind) -> Vec<(String, Vec<u8>)>) -> Vec<Seed> {
    let seeds = SystemKind::ALL.iter().flat_map(|kind| of(*kind));
    seeds.map(|(name, bytes)| Seed { name, bytes }).collect()
}

/// Makes names for the seeds of a system.
#[derive(Clone, Copy)]
struct Numbered(&'static str);

impl Numbered {
    const fn new(system: &'static str) -> Self {
        Self(system)
    }

    fn named(
        self,
        what: &str,
        seeds: impl IntoIterator<Item = Vec<u8>>,
    ) -> impl Iterator<Item = (String, Vec<u8>)> {
        let Self(system) = self;
        let numbered = (0..).zip(seeds);
        numbered.map(move |(number, seed): (u32, _)| (format!("{system}-{what}-{number:02}"), seed))
    }
}

/// Three nodes with the options that a system has when it is given none: always the same, and checked only once.
fn small_config<S: System>() -> Option<Rc<S::Config>>
where
    S::Config: 'static,
{
    thread_local! {
        static CONFIGS: RefCell<BTreeMap<SystemKind, Rc<dyn Any>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let known = CONFIGS.with_borrow(|configs| configs.get(&S::KIND).cloned());
    if let Some(config) = known {
        return config.downcast().ok();
    }
    let config = Rc::new(S::configure(3, &Options::new(), Mutants::NONE).ok()?);
    CONFIGS.with_borrow_mut(|configs| configs.insert(S::KIND, Rc::<S::Config>::clone(&config)));
    Some(config)
}
