//! Clusters to be tested, and lies that none of them bears.

use alloc::string::ToString;

use super::message::Message;
use super::view::View;
use crate::contract::{Dice, FORGED_VALUES, Options, Outcome, Value};
use crate::dice::pick;
use crate::lies::Twist;

/// How many nodes, and options that go together. Windows and snapshots are small often: what they bring
/// about shows in short runs only then.
pub(super) fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
    let nodes = pick(dice, &[(1, 1), (1, 2), (6, 3), (2, 4), (6, 5), (1, 6), (2, 7)]);
    let mut options = Options::new();
    let mut set = |name: &str, value: u64| options.insert(name.into(), value.to_string());
    set("window", pick(dice, &[(1, 1), (1, 2), (2, 4), (2, 16), (1, 64)]));
    set("snapshot_every", pick(dice, &[(1, 1), (2, 8), (3, 32), (3, 256)]));
    set("progress_ms", pick(dice, &[(1, 150), (3, 300), (1, 600)]));
    (nodes, options)
}

/// What a lying server says. No liar is tolerated: this is for those who want to see the harm.
pub(super) fn twist(what: Twist, message: &Message, draw: u64) -> Message {
    let mut told = message.clone();
    match (what, &mut told) {
        (Twist::Value, Message::Reply { outcome: Outcome::Read(value), .. }) => {
            *value = Some(Value(FORGED_VALUES.saturating_add(draw % FORGED_VALUES)));
        }
        (Twist::Timestamp, Message::ViewChange { attempted: view }) => {
            *view = View(view.0.saturating_add(1 + draw % 3));
        }
        (Twist::Value | Twist::Timestamp, _) => {}
    }
    told
}
