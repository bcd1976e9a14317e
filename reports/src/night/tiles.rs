//! The numbers at the top of the page.

use super::{Results, share};
use crate::units::{count, elapsed};

/// Each number with what it counts.
pub(super) fn tiles(results: &Results) -> Vec<(String, String)> {
    let runs = results.runs();
    let in_world = |world| count(results.runs_in(world).total());
    let operations: u64 = results.cells.iter().map(|cell| cell.ok + cell.fail + cell.info).sum();
    let mut tiles = vec![
        (in_world("sim"), "simulated runs".to_owned()),
        (in_world("live"), "live runs".to_owned()),
        (count(runs.invalid), "invalid".to_owned()),
        (count(results.failures.len() as u64), "failures by signature".to_owned()),
        (share(runs.unknown, runs.total()), "without a verdict".to_owned()),
        (count(runs.broken), "broke the harness".to_owned()),
        (count(operations), "operations".to_owned()),
        (elapsed(results.times.elapsed_ms), format!("in all, {}", results.times.state)),
    ];
    let simulated = results.runs_in("sim").total();
    let rate = (simulated * 1_000).checked_div(results.times.elapsed_ms);
    if let Some(rate) = rate.filter(|_| simulated > 0) {
        tiles.push((count(rate), "simulated runs a second".to_owned()));
    }
    let never: usize = results
        .milestones
        .iter()
        .flat_map(|system| &system.places)
        .filter(|place| !place.is_of_world && !place.is_reached() && place.beyond.is_none())
        .count();
    if !results.milestones.is_empty() {
        tiles.push((count(never as u64), "milestones never reached".to_owned()));
    }
    tiles
}
