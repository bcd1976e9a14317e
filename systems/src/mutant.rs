//! Planted bugs: published mistakes, each off by default and at exactly one place in the code.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// One planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mutant {
    /// A read returns the highest pair without writing it back: only regular, not atomic (Attiya,
    /// Bar-Noy, Dolev 1995; the read repair that Cassandra and Scylla must wait for).
    Q01,
    /// Timestamps carry no writer id, so two writers can choose the same one (as in paxi's `abd`).
    Q03,
    /// A node stores what its own coordinator chose without a look at what it has stored meanwhile (as in
    /// paxi's `abd`).
    Q04,
    /// A write whose update is not acknowledged in time begins anew, with a fresh timestamp.
    Q05,
    /// A server acknowledges an update before it is durable.
    Q06,
    /// Grid: the timestamp query asks the writing row, and two rows never meet.
    Q08,
    /// Weighted majorities: half of the votes is taken for a majority.
    Q10,
    /// Members or weights change without a joint configuration and without moving what is stored.
    Q11,
    /// Lock: the client is answered when the commit goes out: before the decision is durable, and before
    /// anybody has acknowledged it.
    Q15,
    /// Masking: the highest pair is believed, however few servers vouch for it (what Malkhi and Reiter 1998
    /// rule out).
    Q18,
    /// ACCEPT does not raise the promise (Brooker 2021; CASSANDRA-17162; the slides).
    P01,
    /// A promise is answered before it is durable.
    P02,
    /// An acceptance is answered before it is durable.
    P03,
    /// A proposer keeps its own value, whatever was accepted before.
    P05,
    /// A proposer takes the first value that it is told, not that with the highest number (as omnipaxos
    /// before 974b7ff).
    P06,
    /// Two proposers can choose the same number (as phxpaxos #145; the slides).
    P07,
    /// A `PREPARE_OK` counts for whatever number its proposer has by now (as in luohaha/MyPaxos #18; the
    /// slides).
    P09,
    /// Answers are counted, not those who answer (as in an early vsr-rs; the slides).
    P10,
    /// A learner adds up the acceptances of different numbers (as jjzhang/booth #47; the slides).
    P11,
    /// A refusal looks like an acceptance (as in paxi's `HandleP2a`).
    P12,
    /// A promise leaves out what is decided (as in paxi's `HandleP1a`).
    P13,
    /// Slots are executed past a hole.
    P14,
    /// A leader's own acceptance decides.
    P16,
    /// An acceptor tells a new proposer what it has accepted, and promises nothing (the slides' recovery).
    P19,
    /// A leader answers reads without a proof that it still leads.
    P20,
    /// A lease is counted from the arrival of its grant, without a margin for drift.
    P21,
    /// A damaged record is taken for the end of the log (Alagappan et al. 2018).
    P26,
    /// The log is followed by index, without a look at ballots.
    P28,
    /// A new primary takes the longest log, whatever view it is of (the slides; neon #847).
    V01,
    /// A state transfer begins by dropping what is not known to be committed (VRR 5.2; Vanlightly 2022).
    V02,
    /// A state transfer begins by taking on the new view, before its log has come (vsr-tlaplus 04108cf).
    V03,
    /// A recovering replica takes answers to an earlier question (what VRR 4.3 rules out).
    V06,
    /// A replica without a disk forgets what it vowed in a view change (VRR 4.3; Michael et al. 2017).
    V07,
    /// A STARTVIEW or NEWSTATE lowers the commit-number (apache/iggy #4191).
    V10,
    /// A PREPARE is appended wherever the log ends.
    V11,
    /// A PREPAREOK counts for one op-number, and those are committed in any order (penberg/vsr-rs at
    /// ed62654).
    V12,
    /// A view change empties the table of clients (the slides).
    V15,
    /// A request counts as known from its PREPARE on, also once a view change has dropped it (UWSysLab/tapir
    /// #16).
    V16,
    /// A DOVIEWCHANGE says how long the log is, and does not carry it (apache/iggy #3824).
    V19,
    /// A damaged record counts as one that was never written (tigerbeetle #645, #618, #2385).
    V20,
    /// A primary answers reads without a lease (the slides).
    V23,
    /// A replica votes in a view change while its lease lasts.
    V24,
    /// A client counts answers of different views and op-numbers as equal (the slides).
    V25,
    /// A leased read waits for what was committed when it came, not for what was prepared (the slides).
    V26,
    /// A witness acknowledges and votes without storing anything (the slides).
    V27,
    /// A STARTVIEW that comes again is taken again (VRR 4.2 to the letter).
    V31,
    /// A client takes the first reply that it gets (the slides ask how many it should wait for).
    B01,
    /// A PREPARE of the primary counts as one of a backup (as in sawtooth-pbft 180ceed; the slides).
    B03,
    /// A quorum is 2f + 1, however many replicas there are (Saltini, Hyland-Wood 2019, on IBFT; the slides).
    B04,
    /// Votes are counted by view and sequence number, whatever their digest (as in sawtooth-pbft beb1bc2).
    B05,
    /// A second PRE-PREPARE for a view and sequence number takes the place of the first (as in sawtooth-pbft
    /// 55fe359).
    B06,
    /// Nobody looks at the signatures of clients (as in FISCO-BCOS #1990).
    B08,
    /// A VIEW-CHANGE tells nothing of what is prepared (as in raijin #8).
    B12,
    /// Backups take a NEW-VIEW's proposals as they are (as in FISCO-BCOS FIB-124, #5168).
    B13,
    /// A NEW-VIEW needs one VIEW-CHANGE less than a quorum, the primary's own among them (the slides).
    B14,
    /// A new primary proposes what was prepared in the lowest view, not in the highest (the classic).
    B15,
    /// A new view proposes nothing for sequence numbers at which nothing was prepared (as in swarmDB #188).
    B17,
    /// A PRE-PREPARE is taken for any sequence number, without watermarks (the rule it breaks: `PBFT OSDI'99
    /// §4.2`).
    B18,
    /// A replica drops its messages at its own checkpoint, before that is stable (the slides).
    B20,
    /// Replicas forget what they have executed for whom, so that a request is executed each time that it is ordered
    /// (the rule it breaks: `PBFT OSDI'99 §4.2`).
    B25,
    /// The timer of a new view is not doubled, and starts with a replica's own VIEW-CHANGE (as in sawtooth-pbft
    /// b231a02, 6e7305f).
    B26,
    /// Replicas do not tell those who have missed it what is committed (Berger, Reiser, Bessani 2021).
    B29,
    /// Reads need a quorum of replies, and writes only f + 1 (the slides).
    B30,
    /// Replicas check a client's own word to them, not its signature (Clement et al. 2009, Aardvark).
    B31,
}

impl Mutant {
    /// Every planted bug that can be asked for.
    pub const ALL: &[Self] = &[
        Self::Q01,
        Self::Q03,
        Self::Q04,
        Self::Q05,
        Self::Q06,
        Self::Q08,
        Self::Q10,
        Self::Q11,
        Self::Q15,
        Self::Q18,
        Self::P01,
        Self::P02,
        Self::P03,
        Self::P05,
        Self::P06,
        Self::P07,
        Self::P09,
        Self::P10,
        Self::P11,
        Self::P12,
        Self::P13,
        Self::P14,
        Self::P16,
        Self::P19,
        Self::P20,
        Self::P21,
        Self::P26,
        Self::P28,
        Self::V01,
        Self::V02,
        Self::V03,
        Self::V06,
        Self::V07,
        Self::V10,
        Self::V11,
        Self::V12,
        Self::V15,
        Self::V16,
        Self::V19,
        Self::V20,
        Self::V23,
        Self::V24,
        Self::V25,
        Self::V26,
        Self::V27,
        Self::V31,
        Self::B01,
        Self::B03,
        Self::B04,
        Self::B05,
        Self::B06,
        Self::B08,
        Self::B12,
        Self::B13,
        Self::B14,
        Self::B15,
        Self::B17,
        Self::B18,
        Self::B20,
        Self::B25,
        Self::B26,
        Self::B29,
        Self::B30,
        Self::B31,
    ];

    /// Its catalogue name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q01 => "Q01",
            Self::Q03 => "Q03",
            Self::Q04 => "Q04",
            Self::Q05 => "Q05",
            Self::Q06 => "Q06",
            Self::Q08 => "Q08",
            Self::Q10 => "Q10",
            Self::Q11 => "Q11",
            Self::Q15 => "Q15",
            Self::Q18 => "Q18",
            Self::P01 => "P01",
            Self::P02 => "P02",
            Self::P03 => "P03",
            Self::P05 => "P05",
            Self::P06 => "P06",
            Self::P07 => "P07",
            Self::P09 => "P09",
            Self::P10 => "P10",
            Self::P11 => "P11",
            Self::P12 => "P12",
            Self::P13 => "P13",
            Self::P14 => "P14",
            Self::P16 => "P16",
            Self::P19 => "P19",
            Self::P20 => "P20",
            Self::P21 => "P21",
            Self::P26 => "P26",
            Self::P28 => "P28",
            Self::V01 => "V01",
            Self::V02 => "V02",
            Self::V03 => "V03",
            Self::V06 => "V06",
            Self::V07 => "V07",
            Self::V10 => "V10",
            Self::V11 => "V11",
            Self::V12 => "V12",
            Self::V15 => "V15",
            Self::V16 => "V16",
            Self::V19 => "V19",
            Self::V20 => "V20",
            Self::V23 => "V23",
            Self::V24 => "V24",
            Self::V25 => "V25",
            Self::V26 => "V26",
            Self::V27 => "V27",
            Self::V31 => "V31",
            Self::B01 => "B01",
            Self::B03 => "B03",
            Self::B04 => "B04",
            Self::B05 => "B05",
            Self::B06 => "B06",
            Self::B08 => "B08",
            Self::B12 => "B12",
            Self::B13 => "B13",
            Self::B14 => "B14",
            Self::B15 => "B15",
            Self::B17 => "B17",
            Self::B18 => "B18",
            Self::B20 => "B20",
            Self::B25 => "B25",
            Self::B26 => "B26",
            Self::B29 => "B29",
            Self::B30 => "B30",
            Self::B31 => "B31",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Self, UnknownMutant> {
        Self::ALL.iter().copied().find(|mutant| mutant.name() == name).ok_or(UnknownMutant)
    }
}

/// No planted bug has the name that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no mutant has this name")]
pub struct UnknownMutant;

/// Which planted bug is on, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mutants(pub Option<Mutant>);

impl Mutants {
    /// The correct system.
    pub const NONE: Self = Self(None);

    /// Whether the code is to take the wrong turn named `mutant` here.
    pub fn deviates(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
}
