//! Clusters to be tested.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::contract::{Dice, Options};

/// How many nodes, and options that go together.
pub(super) fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
    let sizes = [1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7];
    let nodes = sizes.get(place(dice, sizes.len())).copied().unwrap_or(3);
    let mut options = Options::new();
    let proposer = if dice(3) == 0 { "client" } else { "node" };
    options.insert("proposer".into(), proposer.into());
    for role in ["acceptors", "learners"] {
        if nodes > 1 && dice(4) == 0 {
            options.insert(role.into(), draw_nodes(nodes, dice));
        }
    }
    (nodes, options)
}

/// Some of the nodes, one at least.
fn draw_nodes(nodes: u16, dice: &mut Dice<'_>) -> String {
    let keep = 1 + place(dice, usize::from(nodes));
    let mut all: Vec<u16> = (0..nodes).collect();
    while all.len() > keep {
        all.remove(place(dice, all.len()));
    }
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    names.join(",")
}

fn place(dice: &mut Dice<'_>, len: usize) -> usize {
    usize::try_from(dice(len as u64)).expect("below a length")
}
