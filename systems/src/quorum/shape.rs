//! Clusters to be tested: drawn, and changed while they run.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::options::{self, Config, Contact, Protocol, Seat};
use crate::contract::{ConfigError, Dice, Options};

/// How many nodes, and options that go together.
pub(super) fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
    let nodes = pick(dice, &[(1, 1), (1, 2), (5, 3), (4, 4), (5, 5), (3, 6), (2, 7)]);
    let protocol = pick(dice, &[(3, Protocol::Abd), (1, Protocol::Lock)]);
    let coordinator = match protocol {
        Protocol::Abd => pick(dice, &[(2, Seat::Client), (1, Seat::Node)]),
        Protocol::Lock => Seat::Node,
    };
    let contact = pick(dice, &[(1, Contact::All), (1, Contact::Quorum)]);
    let mut options = Options::new();
    let mut set = |name: &str, value: &str| options.insert(name.into(), value.into());
    match protocol {
        Protocol::Abd => set("protocol", "abd"),
        Protocol::Lock => set("protocol", "lock"),
    };
    match coordinator {
        Seat::Client => set("coordinator", "client"),
        Seat::Node => set("coordinator", "node"),
    };
    match contact {
        Contact::All => set("contact", "all"),
        Contact::Quorum => set("contact", "quorum"),
    };
    let trust = match (protocol, coordinator) {
        (Protocol::Lock, _) => Trust::WritesMeet,
        (Protocol::Abd, Seat::Node) => Trust::Full,
        (Protocol::Abd, Seat::Client) => Trust::None,
    };
    let some_members = dice(4) == 0;
    let members = if some_members { draw_members(nodes, dice) } else { nodes };
    if members < nodes {
        options.insert("members".into(), draw_names(nodes, members, dice));
    }
    options.extend(draw_quorums(members, trust, dice));
    (nodes, options)
}

/// What a drawn construction must do beside being one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Nodes may lie: every construction can be used.
    None,
    /// Nobody lies.
    Full,
    /// Nobody lies, and two writes must meet.
    WritesMeet,
}

/// A construction over so many members, with its sizes.
fn draw_quorums(members: u16, trust: Trust, dice: &mut Dice<'_>) -> Options {
    let fits_grid = grids(members).next().is_some();
    let weight = |is_possible: bool, weight| if is_possible { weight } else { 0 };
    let may_lie = trust == Trust::None;
    let name = pick(
        dice,
        &[
            (4, "majority"),
            (2, "counts"),
            (4, "weighted"),
            (weight(fits_grid && trust != Trust::WritesMeet, 6), "grid"),
            (weight(fits_grid, 2), "grid-symmetric"),
            (weight(fits_grid, 2), "grid-cover"),
            (weight(may_lie && members > 3, 3), "dissemination"),
            (weight(may_lie && members > 4, 4), "masking"),
        ],
    );
    let mut options = BTreeMap::from([(String::from("quorum"), String::from(name))]);
    let mut set = |name: &str, value: u64| options.insert(name.into(), value.to_string());
    match name {
        "counts" => {
            let members = u64::from(members);
            // Two writes of more than half meet; a read meets every write if it is large enough.
            let least = if trust == Trust::WritesMeet { members / 2 + 1 } else { 1 };
            let write = least + dice(members + 1 - least);
            set("write", write);
            set("read", members + 1 - write + dice(write));
        }
        "weighted" => {
            let weights = draw_weights(members, dice);
            options.insert("weights".into(), weights);
        }
        "grid" | "grid-symmetric" | "grid-cover" => {
            let fitting: Vec<u16> = grids(members).collect();
            let place = usize::try_from(dice(fitting.len() as u64)).expect("below a length");
            if let Some(rows) = fitting.get(place) {
                set("rows", u64::from(*rows));
            }
        }
        "dissemination" => {
            set("b", 1 + dice(u64::from((members - 1) / 3)));
        }
        "masking" => {
            set("b", 1 + dice(u64::from((members - 1) / 4)));
        }
        _ => {}
    }
    options
}

/// The rows of all grids of at least two rows and two columns.
fn grids(members: u16) -> impl Iterator<Item = u16> {
    (2..members).filter(move |rows| members.is_multiple_of(*rows))
}

/// One vote each, or up to three, and at least one at all.
fn draw_weights(members: u16, dice: &mut Dice<'_>) -> String {
    let is_equal = dice(2) == 0;
    let mut weights: Vec<u64> = (0..members).map(|_| if is_equal { 1 } else { dice(4) }).collect();
    if weights.iter().all(|weight| *weight == 0)
        && let Some(first) = weights.first_mut()
    {
        *first = 1;
    }
    listed(&weights)
}

/// How many members there are: more than half of the nodes, or just half.
fn draw_members(nodes: u16, dice: &mut Dice<'_>) -> u16 {
    let most_left_out = u64::from(nodes / 2);
    nodes - u16::try_from(dice(most_left_out + 1)).expect("no more than the nodes")
}

/// So many of the nodes, by number.
fn draw_names(nodes: u16, members: u16, dice: &mut Dice<'_>) -> String {
    let mut chosen: Vec<u64> = (0..u64::from(nodes)).collect();
    while chosen.len() > usize::from(members) {
        let place = usize::try_from(dice(chosen.len() as u64)).expect("below a length");
        chosen.remove(place);
    }
    listed(&chosen)
}

fn listed(numbers: &[u64]) -> String {
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    texts.join(",")
}

/// One of these, each as likely as its weight says; the weights are not all 0.
fn pick<T: Copy>(dice: &mut Dice<'_>, choices: &[(u64, T)]) -> T {
    let mut rest = dice(choices.iter().map(|(weight, _)| weight).sum());
    for (weight, choice) in choices {
        if rest < *weight {
            return *choice;
        }
        rest -= weight;
    }
    unreachable!("the dice is below the sum of the weights")
}

/// The configuration after a change to `options`: members and quorums as at start, nothing else.
pub(super) fn change(config: &Config, options: &Options) -> Result<Config, ConfigError> {
    if let Some(why) = config.unchangeable() {
        return Err(ConfigError::Impossible(format!(
            "members and quorums cannot change while it runs: {why}"
        )));
    }
    let changeable: Vec<&str> = options::shape().collect();
    if let Some(fixed) = options.keys().find(|name| !changeable.contains(&name.as_str())) {
        return Err(ConfigError::Impossible(format!(
            "option `{fixed}` cannot be changed while the system runs; members and quorum can"
        )));
    }
    let next = options::configure(config.nodes, options, config.mutants)?;
    let changed = Config { quorums: next.quorums, ..config.clone() };
    if let Some(why) = changed.unchangeable() {
        return Err(ConfigError::Impossible(format!(
            "the system cannot change to this construction: {why}"
        )));
    }
    Ok(changed)
}

/// So many draws that are no change are followed by one more.
const TRIES: u32 = 8;

/// Options that the cluster can change to.
pub(super) fn draw_change(config: &Config, dice: &mut Dice<'_>) -> Option<Options> {
    if config.unchangeable().is_some() {
        return None;
    }
    (0..TRIES).find_map(|_| {
        let members = draw_members(config.nodes, dice);
        let mut options = draw_quorums(members, Trust::Full, dice);
        if members < config.nodes {
            options.insert("members".into(), draw_names(config.nodes, members, dice));
        }
        let changed = change(config, &options).expect("what is drawn is possible");
        (changed.quorums != config.quorums).then_some(options)
    })
}
