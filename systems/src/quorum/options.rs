//! Options, and the checks that refuse what cannot work.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::construction::{Construction, Form, GridForm, Quorums};
use super::intersection::{self, NODES_MAX};
use super::vocabulary::VOCABULARY;
use crate::contract::{ConfigError, NodeId};
use crate::mutant::Mutants;
use crate::parties::NodeSet;

/// Checked options of a cluster of quorum registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many nodes run, members or not.
    pub nodes: u16,
    /// How a write comes about.
    pub protocol: Protocol,
    /// Who runs an operation.
    pub coordinator: Seat,
    /// Which sets of nodes suffice for what, at start.
    pub quorums: Quorums,
    /// Whom a coordinator asks first.
    pub contact: Contact,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

impl Config {
    /// Why members and quorums cannot change while the system runs; nothing where they can.
    pub fn unchangeable(&self) -> Option<&'static str> {
        match (self.protocol, self.quorums.construction()) {
            (Protocol::Lock, _) => {
                Some("with protocol=lock a vote is for the members that it was asked of")
            }
            (Protocol::Abd, Construction::Dissemination { .. } | Construction::Masking { .. }) => {
                Some("where nodes may lie, one's word for a configuration cannot be checked")
            }
            (
                Protocol::Abd,
                Construction::Majority
                | Construction::Counts { .. }
                | Construction::Weighted { .. }
                | Construction::Grid { .. },
            ) => None,
        }
    }
}

/// How a write comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Query, then update (Attiya, Bar-Noy, Dolev 1995; Lynch and Shvartsman 1997).
    Abd,
    /// Members propose a timestamp each, the initiator commits the highest (after Skeen's agreement).
    Lock,
}

/// Who runs an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The client itself.
    Client,
    /// A node, at the client's request.
    Node,
}

/// Whom a coordinator asks first; a repeated message goes to everybody who has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Every node.
    All,
    /// One minimal quorum, drawn at random.
    Quorum,
}

/// The constructions by name, before their sizes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Majority,
    Counts,
    Weighted,
    Grid(GridForm),
    Dissemination,
    Masking,
}

impl Kind {
    const NAMES: &[(&'static str, Self)] = &[
        ("majority", Self::Majority),
        ("counts", Self::Counts),
        ("weighted", Self::Weighted),
        ("grid", Self::Grid(GridForm::RowColumn)),
        ("grid-symmetric", Self::Grid(GridForm::Symmetric)),
        ("grid-cover", Self::Grid(GridForm::Cover)),
        ("dissemination", Self::Dissemination),
        ("masking", Self::Masking),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The options that set its sizes.
    fn sizes(self) -> &'static [&'static str] {
        match self {
            Self::Majority => &[],
            Self::Counts => &["read", "write"],
            Self::Weighted => &["weights"],
            Self::Grid(_) => &["rows", "cols"],
            Self::Dissemination | Self::Masking => &["b"],
        }
    }
}

/// Reads and checks options for a cluster of `nodes`.
pub(super) fn configure(
    nodes: u16,
    options: &BTreeMap<String, String>,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    let options = Options(options);
    options.refuse_unknown()?;
    if nodes == 0 || nodes > NODES_MAX {
        return Err(ConfigError::Impossible(format!(
            "{nodes} nodes: quorum registers run on 1 to {NODES_MAX} nodes"
        )));
    }
    let protocols = &[("abd", Protocol::Abd), ("lock", Protocol::Lock)];
    let protocol = options.choice("protocol", protocols)?.unwrap_or(Protocol::Abd);
    let seats = &[("client", Seat::Client), ("node", Seat::Node)];
    let coordinator = options.choice("coordinator", seats)?.unwrap_or(match protocol {
        Protocol::Abd => Seat::Client,
        Protocol::Lock => Seat::Node,
    });
    let contacts = &[("all", Contact::All), ("quorum", Contact::Quorum)];
    let contact = options.choice("contact", contacts)?.unwrap_or(Contact::All);
    let kind = options.choice("quorum", Kind::NAMES)?.unwrap_or(Kind::Majority);
    options.refuse_foreign_sizes(kind)?;
    refuse_combination(protocol, coordinator, kind)?;
    let members = options.members(nodes)?;
    let count = u16::try_from(members.len()).expect("no more members than nodes");
    let construction = construction(count, kind, &options)?;
    let quorums = Quorums::of(Form { members, construction }, mutants);
    // A check that shares the mistake of a planted bug lets it pass, as it did where the bug was found.
    intersection::check(&quorums.as_intended(), protocol == Protocol::Lock)?;
    Ok(Config { nodes, protocol, coordinator, quorums, contact, mutants })
}

/// The names of the options that say who takes part and how quorums are formed.
pub(super) fn shape() -> impl Iterator<Item = &'static str> {
    let sizes = Kind::NAMES.iter().flat_map(|(_, kind)| kind.sizes().iter().copied());
    ["members", "quorum"].into_iter().chain(sizes)
}

fn refuse_combination(
    protocol: Protocol,
    coordinator: Seat,
    kind: Kind,
) -> Result<(), ConfigError> {
    let impossible = |text: String| Err(ConfigError::Impossible(text));
    if protocol == Protocol::Lock && coordinator == Seat::Client {
        return impossible(String::from(
            "protocol=lock needs coordinator=node: the initiator of a write must make its decision \
             durable, and a client has no disk",
        ));
    }
    let name = kind.name();
    match kind {
        Kind::Dissemination | Kind::Masking if protocol == Protocol::Lock => impossible(format!(
            "quorum={name} needs protocol=abd: nobody could check the clock that a liar votes with"
        )),
        Kind::Dissemination | Kind::Masking if coordinator == Seat::Node => impossible(format!(
            "quorum={name} needs coordinator=client: a client could not check a lying coordinator"
        )),
        _ => Ok(()),
    }
}

fn construction(
    nodes: u16,
    kind: Kind,
    options: &Options<'_>,
) -> Result<Construction, ConfigError> {
    Ok(match kind {
        Kind::Majority => Construction::Majority,
        Kind::Counts => {
            let read = options.count("read", nodes)?;
            let write = options.count("write", nodes)?;
            let write =
                write.unwrap_or_else(|| read.map_or(nodes / 2 + 1, |read| nodes + 1 - read));
            Construction::Counts { read: read.unwrap_or(nodes + 1 - write), write }
        }
        Kind::Weighted => Construction::Weighted { weights: options.weights(nodes)? },
        Kind::Grid(form) => {
            let (rows, cols) = grid_size(nodes, options)?;
            Construction::Grid { form, rows, cols }
        }
        Kind::Dissemination => Construction::Dissemination { b: options.liars(nodes, kind, 3)? },
        Kind::Masking => Construction::Masking { b: options.liars(nodes, kind, 4)? },
    })
}

/// The sizes given, or the grid nearest to a square. A single row or column is taken only when asked for.
fn grid_size(nodes: u16, options: &Options<'_>) -> Result<(u16, u16), ConfigError> {
    let rows = options.count("rows", nodes)?;
    let cols = options.count("cols", nodes)?;
    let wrong = |what: String| {
        let fits: Vec<String> = (1..=nodes)
            .filter(|rows| nodes.is_multiple_of(*rows))
            .map(|rows| format!("rows={rows} cols={}", nodes / rows))
            .collect();
        Err(ConfigError::Impossible(format!("{what}; what fits: {}", fits.join(", "))))
    };
    match (rows, cols) {
        (Some(rows), Some(cols)) if u32::from(rows) * u32::from(cols) == u32::from(nodes) => {
            Ok((rows, cols))
        }
        (Some(rows), Some(cols)) => wrong(format!(
            "a grid of {rows} rows and {cols} columns is not filled by {nodes} nodes"
        )),
        (Some(rows), None) if nodes.is_multiple_of(rows) => Ok((rows, nodes / rows)),
        (Some(rows), None) => wrong(format!("{nodes} nodes do not fill {rows} equal rows")),
        (None, Some(cols)) if nodes.is_multiple_of(cols) => Ok((nodes / cols, cols)),
        (None, Some(cols)) => wrong(format!("{nodes} nodes do not fill {cols} equal columns")),
        (None, None) => {
            let nearest =
                (2..=nodes).rev().find(|rows| rows * rows <= nodes && nodes.is_multiple_of(*rows));
            match nearest {
                Some(rows) => Ok((rows, nodes / rows)),
                None => wrong(format!(
                    "{nodes} nodes fill no grid of at least 2 rows and 2 columns; 4, 6, 8 or 9 do"
                )),
            }
        }
    }
}

/// Options as given, by name.
struct Options<'a>(&'a BTreeMap<String, String>);

impl Options<'_> {
    fn refuse_unknown(&self) -> Result<(), ConfigError> {
        let known: Vec<&str> = VOCABULARY.options.iter().map(|option| option.name).collect();
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(ConfigError::UnknownOption { name: name.clone(), known: known.join(", ") })
            }
            None => Ok(()),
        }
    }

    fn refuse_foreign_sizes(&self, kind: Kind) -> Result<(), ConfigError> {
        for (owner, other) in Kind::NAMES {
            for size in other.sizes() {
                if self.0.contains_key(*size) && !kind.sizes().contains(size) {
                    return Err(ConfigError::Impossible(format!(
                        "option `{size}` is for quorum={owner}, and this is quorum={}",
                        kind.name()
                    )));
                }
            }
        }
        Ok(())
    }

    fn choice<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        if let Some((_, choice)) = choices.iter().find(|(choice, _)| choice == value) {
            return Ok(Some(*choice));
        }
        let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        let expected = format!("one of {}", names.join(", "));
        Err(ConfigError::BadValue { name, value: value.clone(), expected })
    }

    /// A number of nodes, at least 1.
    fn count(&self, name: &'static str, nodes: u16) -> Result<Option<u16>, ConfigError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        match number(value).and_then(|number| u16::try_from(number).ok()) {
            Some(count) if (1..=nodes).contains(&count) => Ok(Some(count)),
            _ => {
                let expected = format!("a number from 1 to {nodes}, the number of nodes");
                Err(ConfigError::BadValue { name, value: value.clone(), expected })
            }
        }
    }

    /// Who takes part: everybody, unless told.
    fn members(&self, nodes: u16) -> Result<Vec<NodeId>, ConfigError> {
        let Some(value) = self.0.get("members") else {
            return Ok((0..nodes).map(NodeId).collect());
        };
        let node = |text: &str| {
            let place = number(text).and_then(|number| u16::try_from(number).ok());
            place.filter(|place| *place < nodes).map(NodeId)
        };
        let members: Option<Vec<NodeId>> = value.split(',').map(node).collect();
        let is_set = |members: &Vec<NodeId>| {
            let distinct: NodeSet = members.iter().copied().collect();
            usize::try_from(distinct.len()) == Ok(members.len())
        };
        members.filter(is_set).ok_or_else(|| ConfigError::BadValue {
            name: "members",
            value: value.clone(),
            expected: format!("a list of nodes from 0 to {}, each once, such as 0,1", nodes - 1),
        })
    }

    fn weights(&self, nodes: u16) -> Result<Vec<u32>, ConfigError> {
        let Some(value) = self.0.get("weights") else {
            return Ok((0..nodes).map(|_| 1).collect());
        };
        let weights: Option<Vec<u32>> = value.split(',').map(number).collect();
        match weights {
            Some(weights) if weights.len() != usize::from(nodes) => Err(ConfigError::Impossible(
                format!("weights={value} gives {} weights for {nodes} nodes", weights.len()),
            )),
            Some(weights) if weights.iter().all(|weight| *weight == 0) => {
                Err(ConfigError::Impossible(format!("weights={value} leaves nobody with a vote")))
            }
            Some(weights) => Ok(weights),
            None => Err(ConfigError::BadValue {
                name: "weights",
                value: value.clone(),
                expected: format!("{nodes} numbers such as 3,1,1"),
            }),
        }
    }

    /// How many liars: as given, or as many as `nodes` bear when there must be `per` nodes for each and
    /// one more.
    fn liars(&self, nodes: u16, kind: Kind, per: u16) -> Result<u16, ConfigError> {
        let most = (nodes - 1) / per;
        let b = self.count("b", nodes)?.unwrap_or(most.max(1));
        if b > most {
            return Err(ConfigError::Impossible(format!(
                "quorum={} with b={b} needs at least {} nodes ({per}b + 1), there are {nodes}",
                kind.name(),
                per * b + 1
            )));
        }
        Ok(b)
    }
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
