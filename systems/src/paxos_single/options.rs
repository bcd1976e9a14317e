//! Options, and the checks that refuse what cannot work.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::vocabulary::VOCABULARY;
use crate::contract::{ConfigError, NodeId, Options};
use crate::mutant::Mutants;
use crate::parties::NodeSet;

/// Checked options of a cluster of single-decree Paxos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many nodes run, whatever their roles.
    pub nodes: u16,
    /// Who promises and accepts.
    pub acceptors: NodeSet,
    /// Who learns what is decided.
    pub learners: NodeSet,
    /// Who proposes.
    pub proposer: Seat,
    /// Whether a proposer that was outbid waits before it bids again.
    pub backoff: bool,
    /// Whose rules.
    pub rules: Rules,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

impl Config {
    /// Whether these are more than half of the acceptors.
    pub fn is_majority(&self, nodes: NodeSet) -> bool {
        self.is_enough(nodes.intersection(self.acceptors).len())
    }

    /// Whether so many distinct acceptors are more than half of them.
    pub(super) fn is_enough(&self, count: u32) -> bool {
        2 * count > self.acceptors.len()
    }

    /// Whether this line of the slide is followed to the letter.
    pub(super) fn takes_literally(&self, line: Line) -> bool {
        match self.rules {
            Rules::Paxos | Rules::FirstProposal => false,
            Rules::Slide(lines) => lines.contains(line),
        }
    }

    /// Whether the rules are those of the correct system, without a planted bug.
    pub(super) fn is_sound(&self) -> bool {
        self.rules == Rules::Paxos && self.mutants == Mutants::NONE
    }
}

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The client itself.
    Client,
    /// A node, at the client's request.
    Node,
}

/// Whose rules the roles follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Lamport's, with what he leaves to the implementer done right.
    Paxos,
    /// A lecture's pseudo-code, with these of its lines to the letter.
    Slide(Lines),
    /// A straw man: an acceptor takes the first proposal that it hears of, and no other.
    FirstProposal,
}

/// A line of the slide's pseudo-code that is wrong when taken literally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// F-P1: ACCEPT does not raise np.
    NoRaise = 1,
    /// F-P2: the proposer sends ACCEPT(na, va).
    OldNumber = 2,
    /// F-P3: "otherwise" the proposer sends its own value: without a majority of promises.
    StrayOtherwise = 3,
    /// F-P4: `PREPARE_OK` does not say which number it answers.
    Untagged = 4,
    /// F-P5: a number need only be above np.
    NotUnique = 5,
}

impl Line {
    const ALL: &[Self] =
        &[Self::NoRaise, Self::OldNumber, Self::StrayOtherwise, Self::Untagged, Self::NotUnique];
}

/// Some lines of the slide, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines(u8);

impl Lines {
    /// The whole slide.
    pub const ALL: Self = Self(0b11_1110);

    /// Whether `line` is among them.
    pub const fn contains(self, line: Line) -> bool {
        self.0 & (1 << line as u8) != 0
    }
}

/// The most nodes there can be: as many as a [`NodeSet`] holds.
const NODES_MAX: u16 = NodeSet::CAPACITY;

/// Reads and checks options for a cluster of `nodes`.
pub(super) fn configure(
    nodes: u16,
    options: &Options,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    let options = Given(options);
    options.refuse_unknown()?;
    if nodes == 0 || nodes > NODES_MAX {
        return Err(ConfigError::Impossible(format!(
            "{nodes} nodes: single-decree Paxos runs on 1 to {NODES_MAX} nodes"
        )));
    }
    let proposer = options.choice("proposer", &[("client", Seat::Client), ("node", Seat::Node)])?;
    let proposer = proposer.unwrap_or(Seat::Node);
    let backoff = options.choice("backoff", &[("on", true), ("off", false)])?.unwrap_or(true);
    let rules = [
        ("paxos", Rules::Paxos),
        ("slide", Rules::Slide(Lines::ALL)),
        ("first-proposal", Rules::FirstProposal),
    ];
    let rules = options.choice("rules", &rules)?.unwrap_or(Rules::Paxos);
    let rules = match (rules, options.lines()?) {
        (Rules::Slide(_), Some(lines)) => Rules::Slide(lines),
        (rules, None) => rules,
        (Rules::Paxos | Rules::FirstProposal, Some(_)) => {
            return Err(ConfigError::Impossible("option `lines` is for rules=slide".into()));
        }
    };
    if rules == Rules::FirstProposal && proposer == Seat::Client {
        return Err(ConfigError::Impossible(String::from(
            "rules=first-proposal needs proposer=node: whose proposal comes second never hears of \
             a majority of its own, and only a learner knows how it ended",
        )));
    }
    let acceptors = options.nodes("acceptors", nodes)?;
    let learners = options.nodes("learners", nodes)?;
    Ok(Config { nodes, acceptors, learners, proposer, backoff, rules, mutants })
}

/// Options as given, by name.
struct Given<'a>(&'a Options);

impl Given<'_> {
    fn refuse_unknown(&self) -> Result<(), ConfigError> {
        let known: Vec<&str> = VOCABULARY.options.iter().map(|option| option.name).collect();
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(ConfigError::UnknownOption { name: name.clone(), known: known.join(", ") })
            }
            None => Ok(()),
        }
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

    /// Who has a role: everybody, unless told.
    fn nodes(&self, name: &'static str, nodes: u16) -> Result<NodeSet, ConfigError> {
        let Some(value) = self.0.get(name) else { return Ok(NodeSet::all(nodes)) };
        let mut set = NodeSet::EMPTY;
        let is_list = value.split(',').all(|place| {
            let place = digits(place).and_then(|place| u16::try_from(place).ok());
            place.is_some_and(|place| place < nodes && set.insert(NodeId(place)))
        });
        if is_list {
            return Ok(set);
        }
        let expected = format!("a list of nodes from 0 to {}, each once, such as 0,1", nodes - 1);
        Err(ConfigError::BadValue { name, value: value.clone(), expected })
    }

    fn lines(&self) -> Result<Option<Lines>, ConfigError> {
        let Some(value) = self.0.get("lines") else { return Ok(None) };
        let mut lines = 0;
        let is_list = value.split(',').all(|number| {
            let line = Line::ALL.iter().find(|line| digits(number) == Some(**line as u32));
            let bit = line.map_or(0, |line| 1 << *line as u8);
            let is_new = bit & !lines != 0;
            lines |= bit;
            is_new
        });
        if is_list {
            return Ok(Some(Lines(lines)));
        }
        let expected = "a list of numbers from 1 to 5, each once, such as 1,4".into();
        Err(ConfigError::BadValue { name: "lines", value: value.clone(), expected })
    }
}

/// A number of digits and nothing else.
fn digits(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
