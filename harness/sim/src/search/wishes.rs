//! What somebody fixes of what is drawn: the rest comes from the same distribution as ever.

use quorate_plan::{FaultClass, WorkloadKind};
use quorate_systems::contract::Options;
use quorate_systems::vocabulary::Vocabulary;
use quorate_world::weather;

use super::cluster_dice;

/// What must be so in a plan that is drawn. Nothing is fixed by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// So many nodes.
    pub nodes: Option<u16>,
    /// These options; the others are drawn.
    pub options: Options,
    /// What clients do.
    pub workload: Option<WorkloadKind>,
    /// Faults of these classes only, as far as the system bears them; none at all if empty.
    pub faults: Option<Vec<FaultClass>>,
    /// A run lasts long enough for operations to be done before all is healed.
    pub is_patient: bool,
}

/// A cluster that was not drawn in so many draws is taken as it is wished.
const DRAWS: u64 = 400;

impl Wishes {
    /// A cluster that is as wished: drawn again until it is. One that is never drawn has nothing but what is wished.
    pub(crate) fn cluster(
        &self,
        seed: u64,
        system: &Vocabulary,
        mut draw: impl FnMut(&mut dyn FnMut(u64) -> u64) -> (u16, Options),
    ) -> (u16, Options) {
        let dice = |attempt| match attempt {
            0 => cluster_dice(seed),
            _ => cluster_dice(weather::draw(seed, "another cluster", &[attempt])),
        };
        let mut drawn = (0..DRAWS).map(|attempt| draw(&mut dice(attempt)));
        drawn
            .find(|(nodes, options)| self.are_met(*nodes, options, system))
            .unwrap_or_else(|| (self.nodes.unwrap_or(system.nodes), self.options.clone()))
    }

    fn are_met(&self, nodes: u16, options: &Options, system: &Vocabulary) -> bool {
        let default = |name: &str| {
            let spec = system.options.iter().find(|spec| spec.name == name);
            spec.map_or("", |spec| spec.default)
        };
        let is = |name: &String, value: &String| match options.get(name) {
            Some(drawn) => drawn == value,
            None => default(name) == value,
        };
        self.nodes.is_none_or(|wished| wished == nodes)
            && self.options.iter().all(|(name, value)| is(name, value))
    }
}
