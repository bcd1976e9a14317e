//! Options, and the checks that refuse what cannot work.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::view::View;
use super::vocabulary::VOCABULARY;
use crate::contract::{ConfigError, Dice, Micros, NodeId, Options};
use crate::dice::pick;
use crate::mutant::{Mutant, Mutants};
use crate::options::{number, refuse_unknown};

/// Checked options of a cluster of PBFT replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many replicas there are: n.
    pub nodes: u16,
    /// How many of them may lie: f.
    pub f: u16,
    /// What proves who sent a message of the normal case.
    pub authentication: Authentication,
    /// How what changes nothing is answered.
    pub reads: Reads,
    /// When a batch is executed.
    pub execution: Execution,
    /// So many equal replies a client waits for, where that is not as many as it takes.
    pub replies: Option<u32>,
    /// At most so many requests share a sequence number.
    pub batch: usize,
    /// A primary has at most so many sequence numbers under way that it has not executed.
    pub in_flight: u64,
    /// So many sequence numbers are executed from one checkpoint to the next: K.
    pub checkpoint_every: u64,
    /// How long a replica waits for a request to be executed before it leaves the view, at first: T.
    pub timeout: Micros,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

/// What proves who sent a message of the normal case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// An Ed25519 signature, which can be shown to anybody (`PBFT OSDI'99 §4`).
    Signatures,
    /// An HMAC with the key that sender and receiver share (`PBFT OSDI'99 §5.2`).
    Hmac,
}

/// How what changes nothing is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As everything else, in the order of sequence numbers.
    Log,
    /// By each replica at once, from what it has executed (`PBFT OSDI'99 §5.1`).
    ReadOnly,
}

/// When a batch is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Once it is committed.
    Committed,
    /// Once it is prepared and all before it is committed (`PBFT OSDI'99 §5.1`).
    Tentative,
}

impl Config {
    /// Every replica.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes).map(NodeId)
    }

    /// Whether it is one of the replicas.
    pub fn has(&self, node: NodeId) -> bool {
        node.0 < self.nodes
    }

    /// Q: so many replicas that any two such sets have f + 1 in common, one of which is correct. That is 2f + 1 with
    /// n = 3f + 1, and with nothing else.
    pub fn quorum(&self) -> u32 {
        let (n, f) = (u32::from(self.nodes), u32::from(self.f));
        if self.mutants.deviates(Mutant::B04) { 2 * f + 1 } else { (n + f + 1).div_ceil(2) }
    }

    /// f + 1: so many that one of them is correct.
    pub fn weak(&self) -> u32 {
        u32::from(self.f) + 1
    }

    /// Who leads a view.
    pub fn primary(&self, view: View) -> NodeId {
        view.primary(self.nodes)
    }

    /// L: so many sequence numbers after a stable checkpoint can be under way.
    pub fn window(&self) -> u64 {
        2 * self.checkpoint_every
    }

    /// Whether a PREPARE of `by` in this view counts: with its PRE-PREPARE the primary has said all (F-B1).
    pub fn counts_prepare(&self, view: View, by: NodeId) -> bool {
        self.has(by) && (by != self.primary(view) || self.mutants.deviates(Mutant::B03))
    }

    /// So many replicas may lie that a client which has the replies that it waits for was told the truth: one fewer than
    /// these, and f at most.
    pub fn liars_tolerated(&self) -> u16 {
        let believed = self.replies.and_then(|replies| u16::try_from(replies - 1).ok());
        believed.map_or(self.f, |liars| liars.min(self.f))
    }

    /// Whether some answers rest on nothing but a quorum of equal ones. Then those to all other requests need a quorum
    /// as well: otherwise a read could miss a write that is complete (F-B5).
    pub fn has_early_answers(&self) -> bool {
        self.reads == Reads::ReadOnly || self.execution == Execution::Tentative
    }
}

/// Why nothing changes while the system runs.
pub(super) const FIXED: &str = "PBFT keeps its members and options while it runs";

/// More nodes would be no better, and a set of them has a bound.
const NODES_MAX: u16 = 16;
/// A batch travels in one message.
const BATCH_MAX: u64 = 256;
const IN_FLIGHT_MAX: u64 = 1_024;
/// What is prepared since the last stable checkpoint travels in one message.
const CHECKPOINT_EVERY_MAX: u64 = 1_024;
/// A minute is more than any network takes.
const TIMEOUT_MS_MAX: u64 = 60_000;

const BATCH: u64 = 16;
const IN_FLIGHT: u64 = 8;
const CHECKPOINT_EVERY: u64 = 128;
const TIMEOUT_MS: u64 = 400;

/// Reads and checks options for a cluster of `nodes`.
pub(super) fn configure(
    nodes: u16,
    options: &Options,
    mutants: Mutants,
) -> Result<Config, ConfigError> {
    refuse_unknown(&VOCABULARY, options)?;
    if nodes == 0 || nodes > NODES_MAX {
        return Err(ConfigError::Impossible(format!(
            "{nodes} nodes: PBFT runs on 1 to {NODES_MAX} nodes"
        )));
    }
    let ways = [("signatures", Authentication::Signatures), ("hmac", Authentication::Hmac)];
    let times = [("committed", Execution::Committed), ("tentative", Execution::Tentative)];
    let batch = number(options, "batch", (1, BATCH_MAX))?.unwrap_or(BATCH);
    let every = number(options, "checkpoint_every", (1, CHECKPOINT_EVERY_MAX))?;
    let timeout_ms = number(options, "timeout_ms", (1, TIMEOUT_MS_MAX))?;
    let replies = number(options, "replies", (1, NODES_MAX.into()))?;
    let config = Config {
        nodes,
        f: liars(nodes, options)?,
        authentication: word(options, "authentication", &ways)?,
        reads: word(options, "reads", &[("log", Reads::Log), ("read-only", Reads::ReadOnly)])?,
        execution: word(options, "execution", &times)?,
        replies: replies.and_then(|replies| u32::try_from(replies).ok()),
        batch: usize::try_from(batch).unwrap_or(usize::MAX),
        in_flight: number(options, "in_flight", (1, IN_FLIGHT_MAX))?.unwrap_or(IN_FLIGHT),
        checkpoint_every: every.unwrap_or(CHECKPOINT_EVERY),
        timeout: Micros::from_millis(timeout_ms.unwrap_or(TIMEOUT_MS)),
        mutants,
    };
    check_replies(&config)?;
    Ok(config)
}

/// A client waits for no more replies than are sure to come, and for as many as keep what replicas answer at once from
/// being old. Fewer than f + 1 are as many as bear fewer liars.
fn check_replies(config: &Config) -> Result<(), ConfigError> {
    let Some(replies) = config.replies else { return Ok(()) };
    let (sure, quorum) = (u32::from(config.nodes - config.f), config.quorum());
    if replies > sure {
        return Err(ConfigError::Impossible(format!(
            "replies={replies}: of {} nodes f={} may be silent, so that {sure} replies are sure to come, and no more",
            config.nodes, config.f
        )));
    }
    if config.has_early_answers() && replies < quorum {
        return Err(ConfigError::Impossible(format!(
            "replies={replies}: with reads=read-only or execution=tentative a client needs the replies of a quorum, \
             {quorum}: otherwise what it takes for done may be missed by a read, or taken back"
        )));
    }
    Ok(())
}

/// How many may lie: as asked for, or as many as can be borne.
fn liars(nodes: u16, options: &Options) -> Result<u16, ConfigError> {
    let Some(f) = number(options, "f", (0, NODES_MAX.into()))? else {
        return Ok((nodes - 1) / 3);
    };
    let f = u16::try_from(f).unwrap_or(u16::MAX);
    if nodes > 3 * f {
        return Ok(f);
    }
    Err(ConfigError::Impossible(format!(
        "{nodes} nodes with f={f}: where f may lie and f others be slow, those who are left must outnumber the \
         liars: n >= 3f + 1 = {}",
        3 * f + 1
    )))
}

/// One of some words; the first where the option is not given.
fn word<T: Copy>(
    options: &Options,
    name: &'static str,
    words: &[(&'static str, T)],
) -> Result<T, ConfigError> {
    let given = options.get(name).map(String::as_str);
    let found = match given {
        None => words.first(),
        Some(given) => words.iter().find(|(word, _)| *word == given),
    };
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        ConfigError::BadValue {
            name,
            value: given.unwrap_or_default().into(),
            expected: format!("one of {}", known.join(", ")),
        }
    })
}

/// How many nodes, and options that go together. Batches and checkpoints are small often: what they bring about
/// shows in short runs only then.
pub(super) fn draw_cluster(dice: &mut Dice<'_>) -> (u16, Options) {
    let nodes = pick(dice, &[(1, 1), (12, 4), (5, 5), (5, 6), (6, 7), (1, 10)]);
    let mut options = Options::new();
    let mut set = |name: &str, value: &str| options.insert(name.into(), value.into());
    set("authentication", pick(dice, &[(1, "signatures"), (1, "hmac")]));
    set("reads", pick(dice, &[(1, "log"), (1, "read-only")]));
    set("execution", pick(dice, &[(2, "committed"), (1, "tentative")]));
    set("batch", pick(dice, &[(3, "1"), (1, "2"), (2, "16")]));
    set("in_flight", pick(dice, &[(1, "1"), (2, "4"), (3, "8")]));
    let every = pick(dice, &[(1, "1"), (2, "4"), (3, "8"), (2, "16"), (1, "128")]);
    set("checkpoint_every", every);
    (nodes, options)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn configured(nodes: u16, given: &[(&str, &str)]) -> Result<Config, String> {
        let given = given.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        configure(nodes, &given.collect(), Mutants::NONE).map_err(|why| why.to_string())
    }

    #[test]
    fn any_two_quorums_have_somebody_correct_in_common_and_one_can_do_without_the_liars() {
        for nodes in 1..=NODES_MAX {
            for f in 0..=(nodes - 1) / 3 {
                let config = configured(nodes, &[("f", &f.to_string())]).unwrap();
                let (n, f, quorum) = (u32::from(nodes), u32::from(f), config.quorum());
                // What two of them have in common, at least, and what smaller ones would.
                let common = |quorum: u32| 2 * i64::from(quorum) - i64::from(n);
                assert!(common(quorum) > i64::from(f), "{nodes} {f}");
                assert!(common(quorum - 1) <= i64::from(f), "{nodes} {f}: it is the smallest");
                assert!(n - f >= quorum, "{nodes} {f}");
                assert!(quorum > 2 * f && config.weak() == f + 1);
            }
        }
    }

    #[test]
    fn as_many_may_lie_as_n_allows_unless_fewer_are_asked_for() {
        let f = |nodes, given: &[_]| configured(nodes, given).map(|config| config.f);
        for (nodes, most) in [(1, 0), (3, 0), (4, 1), (6, 1), (7, 2), (16, 5)] {
            assert_eq!(f(nodes, &[]), Ok(most));
        }
        assert_eq!(f(7, &[("f", "1")]), Ok(1));
        let why = f(6, &[("f", "2")]).unwrap_err();
        assert!(why.contains("n >= 3f + 1 = 7"), "{why}");
    }

    #[test]
    fn a_client_that_waits_for_fewer_replies_bears_fewer_liars() {
        let borne = |given: &[_]| configured(7, given).map(|config| config.liars_tolerated());
        assert_eq!(borne(&[]), Ok(2));
        for (replies, liars) in [("1", 0), ("2", 1), ("3", 2), ("5", 2)] {
            assert_eq!(borne(&[("replies", replies)]), Ok(liars));
        }
        assert_eq!(borne(&[("replies", "5"), ("reads", "read-only")]), Ok(2));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        for (nodes, given, reason) in [
            (0, &[][..], "PBFT runs on 1 to 16 nodes"),
            (17, &[], "PBFT runs on 1 to 16 nodes"),
            (4, &[("batch", "0")], "a number from 1 to 256"),
            (4, &[("f", "-1")], "a number from 0 to 16"),
            (4, &[("authentication", "trust")], "one of signatures, hmac"),
            (4, &[("reads", "lease")], "one of log, read-only"),
            (4, &[("execution", "never")], "one of committed, tentative"),
            (4, &[("replies", "0")], "a number from 1 to 16"),
            (4, &[("replies", "4")], "3 replies are sure to come, and no more"),
            (4, &[("replies", "2"), ("reads", "read-only")], "needs the replies of a quorum, 3"),
            (
                4,
                &[("replies", "2"), ("execution", "tentative")],
                "needs the replies of a quorum, 3",
            ),
            (4, &[("window", "4")], "the system has no option `window`"),
        ] {
            let why = configured(nodes, given).unwrap_err();
            assert!(why.contains(reason), "{why}");
        }
    }

    #[test]
    fn every_cluster_that_is_drawn_can_be_configured() {
        let mut count = 0_u64;
        let mut dice = |bound| {
            count = count
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (count >> 33) % bound
        };
        let mut liars = 0;
        for _ in 0..500 {
            let (nodes, options) = draw_cluster(&mut dice);
            let config = configure(nodes, &options, Mutants::NONE).unwrap();
            liars += u32::from(config.f > 0);
            assert!(config.window() >= config.checkpoint_every);
        }
        assert!((400..500).contains(&liars), "{liars}");
    }

    #[test]
    fn only_b03_counts_a_prepare_of_the_primary_and_only_b04_a_smaller_quorum() {
        let with = |mutant| configure(5, &Options::new(), Mutants(mutant)).unwrap();
        let (view, primary, backup) = (View(6), NodeId(1), NodeId(2));
        for (mutant, counts) in [(None, false), (Some(Mutant::B03), true)] {
            assert_eq!(with(mutant).counts_prepare(view, primary), counts);
            assert!(with(mutant).counts_prepare(view, backup));
            assert!(!with(mutant).counts_prepare(view, NodeId(5)), "there is no n5");
        }
        assert_eq!((with(None).quorum(), with(Some(Mutant::B04)).quorum()), (4, 3));
    }
}
