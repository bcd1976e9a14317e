//! Replication protocols as pure state machines: the subjects that the harness tortures.
//!
//! No clock, socket, disk, thread, randomness or hash order can be named here: the crate is `no_std`.
//! Whoever drives a core (a real process, a simulator, a fuzzer, a test) feeds it inputs and carries out
//! its effects; [`contract`] says how. The sequential models that judge these protocols live in another
//! crate and share no code with this one, on purpose: an oracle must not inherit its subject's bugs.
//!
//! Adding a protocol: a module beside [`quorum`], one variant of [`SystemKind`], one arm in [`with_system`].
#![no_std]

extern crate alloc;

mod canonical;
mod command;
pub mod contract;
mod dice;
pub mod keys;
pub mod kv;
pub mod lies;
pub mod mutant;
mod options;
pub mod parties;
pub mod paxos;
pub mod paxos_single;
pub mod pbft;
pub mod psb;
pub mod quorum;
pub mod smr;
pub mod vocabulary;
pub mod vr;
pub mod wal;
pub mod wire;

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::contract::System;
use crate::mutant::Mutant;
use crate::vocabulary::Vocabulary;

/// Which protocol family is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemKind {
    /// Replicated registers over quorums (Attiya, Bar-Noy, Dolev 1995; Malkhi and Reiter 1998).
    Quorum,
    /// Consensus on one value for each key (Lamport 1998, 2001).
    PaxosSingle,
    /// A key-value store replicated by Multi-Paxos (Lamport 1998; van Renesse, Altinbuken 2015).
    Paxos,
    /// The same replicated after "Paxos for System Builders" (Kirsch, Amir 2008): any server serves clients,
    /// and all tell all what they accept.
    Psb,
    /// The same replicated by Viewstamped Replication (Oki, Liskov 1988; Liskov, Cowling 2012).
    Vr,
    /// The same replicated by Practical Byzantine Fault Tolerance (Castro, Liskov 1999): replicas may lie.
    Pbft,
}

impl SystemKind {
    /// Every system, in the order in which people see them.
    pub const ALL: &[Self] =
        &[Self::Quorum, Self::PaxosSingle, Self::Paxos, Self::Psb, Self::Vr, Self::Pbft];

    /// The name on the command line and in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::PaxosSingle => "paxos-single",
            Self::Paxos => "paxos",
            Self::Psb => "psb",
            Self::Vr => "vr",
            Self::Pbft => "pbft",
        }
    }

    /// The bugs that can be planted in it, in the order of its vocabulary.
    pub fn mutants(self) -> impl Iterator<Item = Mutant> {
        let listed = self.vocabulary().mutants.iter();
        listed.map(|spec| spec.name.parse().expect("a vocabulary lists mutants that there are"))
    }

    /// What the rest of the harness may know of the system, as data.
    pub fn vocabulary(self) -> &'static Vocabulary {
        struct Get;
        impl WithSystem for Get {
            type Out = &'static Vocabulary;
            fn with<S: System>(self) -> Self::Out {
                S::vocabulary()
            }
        }
        with_system(self, Get)
    }
}

impl fmt::Display for SystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SystemKind {
    type Err = UnknownSystem;

    fn from_str(name: &str) -> Result<Self, UnknownSystem> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownSystem)
    }
}

/// No system has the name that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no system has this name")]
pub struct UnknownSystem;

/// Something to be done with a system whose type is known only at run time.
pub trait WithSystem {
    /// What comes out of it.
    type Out;

    /// Does it with the system's types.
    fn with<S: System>(self) -> Self::Out;
}

/// The one place where a [`SystemKind`] becomes a type.
pub fn with_system<W: WithSystem>(kind: SystemKind, job: W) -> W::Out {
    match kind {
        SystemKind::Quorum => job.with::<quorum::Quorum>(),
        SystemKind::PaxosSingle => job.with::<paxos_single::PaxosSingle>(),
        SystemKind::Paxos => job.with::<paxos::Paxos>(),
        SystemKind::Psb => job.with::<psb::Psb>(),
        SystemKind::Vr => job.with::<vr::Vr>(),
        SystemKind::Pbft => job.with::<pbft::Pbft>(),
    }
}
