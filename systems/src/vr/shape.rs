//! Clusters to be tested, changes of them, and lies that none of them bears.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::message::Message;
use super::options::{self, Config, Persistence};
use super::view::Members;
use crate::contract::{ConfigError, Dice, FORGED_VALUES, NodeId, Options, Outcome, Value};
use crate::dice::pick;
use crate::lies::Twist;
use crate::parties::NodeSet;

/// How many nodes, and options that go together. Windows and checkpoints are small often: what they bring about shows in
/// short runs only then. Never `persistence=paper`, which is a mistake by itself.
pub(super) fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
    let nodes = pick(dice, &[(1, 1), (1, 2), (6, 3), (2, 4), (6, 5), (1, 6), (2, 7)]);
    let mut options = Options::new();
    let mut set = |name: &str, value: &str| options.insert(name.into(), value.into());
    let persistence = pick(dice, &[(4, "durable"), (2, "durable-view"), (2, "crash-vector")]);
    let persistence = if nodes < 3 { "durable" } else { persistence };
    set("persistence", persistence);
    let witnesses = pick(dice, &[(3, "no"), (1, "yes")]);
    if nodes >= 3 && persistence == "durable" {
        set("witnesses", witnesses);
    }
    set("replies", pick(dice, &[(1, "commit"), (1, "prepare")]));
    let reads = pick(dice, &[(1, "log"), (1, "lease")]);
    set("reads", reads);
    if reads == "lease" {
        set("lease_ms", pick(dice, &[(1, "100"), (1, "300"), (1, "1000"), (1, "3000")]));
        // Clocks that are this wrong in every run show what the margin is for.
        set("drift_ppm", pick(dice, &[(1, "10000"), (1, "200000")]));
    }
    let window = pick(dice, &[(1, 1), (1, 2), (2, 4), (2, 16), (1, 64)]);
    set("window", &window.to_string());
    let every = pick(dice, &[(1, 1), (2, 8), (3, 32), (3, 256)]);
    set("checkpoint_every", &every.to_string());
    (nodes, options)
}

/// The configuration after a change of the replicas, which is all that changes.
pub(super) fn change(config: &Config, options: &Options) -> Result<Config, ConfigError> {
    if let Some(why) = unchangeable(config) {
        return Err(ConfigError::Impossible(why.into()));
    }
    if let Some(name) = options.keys().find(|name| *name != "members") {
        return Err(ConfigError::Impossible(format!(
            "`{name}` stays as it is while the system runs: only `members` changes"
        )));
    }
    let members = options::members(config.nodes, options)?;
    options::check(Config { members, ..config.clone() })
}

/// Why the replicas must stay the same, if they must.
fn unchangeable(config: &Config) -> Option<&'static str> {
    match config.persistence {
        Persistence::CrashVector | Persistence::Paper => Some(
            "a replica that has forgotten its epoch may recover into one that is over: `members` changes with \
             `persistence` durable and durable-view only",
        ),
        Persistence::Durable | Persistence::DurableView if config.has_witnesses => Some(
            "a witness that is to execute has no state to begin with: `members` does not change with \
             `witnesses=yes`",
        ),
        Persistence::Durable | Persistence::DurableView => None,
    }
}

/// So often is it tried to draw something else than there is.
const TRIES: u32 = 8;

/// Other replicas, as many or not.
pub(super) fn draw_change(config: &Config, dice: &mut Dice<'_>) -> Option<Options> {
    if unchangeable(config).is_some() {
        return None;
    }
    // As many of those who forget may fail as before, or more.
    let least =
        if config.persistence.is_diskless() { u64::from(config.members.count()) } else { 1 };
    let most = u64::from(config.nodes);
    (0..TRIES).find_map(|_| {
        let count = least + dice((most + 1).saturating_sub(least).max(1));
        let members = draw_members(config.nodes, count, dice)?;
        let names: Vec<String> = members.iter().map(|node| node.to_string()).collect();
        let options = Options::from([("members".into(), names.join(","))]);
        let changed = change(config, &options).ok()?;
        (changed.members != config.members).then_some(options)
    })
}

fn draw_members(nodes: u16, count: u64, dice: &mut Dice<'_>) -> Option<Members> {
    let mut left: Vec<NodeId> = (0..nodes).map(NodeId).collect();
    let mut set = NodeSet::EMPTY;
    for _ in 0..count.min(u64::from(nodes)) {
        let place = usize::try_from(dice(left.len() as u64)).ok()?;
        set.insert(left.swap_remove(place));
    }
    Members::try_from(set).ok()
}

/// What a lying replica says. No liar is tolerated: this is for those who want to see the harm.
pub(super) fn twist(what: Twist, message: &Message, draw: u64) -> Message {
    let mut told = message.clone();
    match (what, &mut told) {
        (Twist::Value, Message::Reply { outcome: Outcome::Read(value), .. }) => {
            *value = Some(Value(FORGED_VALUES.saturating_add(draw % FORGED_VALUES)));
        }
        (Twist::Timestamp, Message::Redirect { view, .. }) => {
            view.number = view.number.saturating_add(1 + draw % 3);
        }
        (Twist::Value | Twist::Timestamp, _) => {}
    }
    told
}
