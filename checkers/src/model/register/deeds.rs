//! Operations on a register without their values: only which are equal matters to most of what is asked.

use rustc_hash::FxHashMap;

use super::{Content, RegisterOp};
use crate::model::witness::Deed;

/// What operations find and leave, by numbers.
#[derive(Debug)]
pub(super) struct Deeds {
    /// By place. The initial content is 0.
    pub(super) deeds: Vec<Deed>,
    /// How many contents there are.
    pub(super) contents: usize,
}

impl Deeds {
    pub(super) fn of<'a>(
        initial: &'a Content,
        ops: impl IntoIterator<Item = &'a RegisterOp>,
    ) -> Self {
        let mut ids: FxHashMap<&Content, u32> = FxHashMap::default();
        ids.insert(initial, 0);
        let mut id = |content: &'a Content| {
            let fresh = u32::try_from(ids.len()).expect("fewer than 2^32 values");
            *ids.entry(content).or_insert(fresh)
        };
        let deed = |op: &'a RegisterOp| Deed {
            finds: op.finds().map(&mut id),
            leaves: op.leaves().map(&mut id),
        };
        let deeds = ops.into_iter().map(deed).collect();
        Self { deeds, contents: ids.len() }
    }
}
