//! What can be wrong with transactions, by the names that it has in the literature, and what each rules out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What transactions can be held to, from weak to strong: whatever satisfies one satisfies all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Each transaction reads a snapshot of what had been committed at some moment before, not necessarily the latest,
    /// and of two that append to one key and overlap only one commits. No demand on real time or sessions: the
    /// generalised form (Elnikety, Pedone, Zwaenepoel, SRDS 2005; Adya 1999, PL-SI).
    SnapshotIsolation,
    /// There is an order of all transactions in which each read sees exactly what was appended before (Adya 1999, PL-3).
    Serializable,
    /// The same, and each process's own transactions keep their order (Daudjee and Salem, ICDE 2004).
    StrongSessionSerializable,
    /// The same, and a transaction that completed before another began comes before it (Papadimitriou, JACM 1979; Adya 1999, PL-SS).
    StrictSerializable,
}

impl Consistency {
    /// All, from weak to strong.
    pub const ALL: [Self; 4] = [
        Self::SnapshotIsolation,
        Self::Serializable,
        Self::StrongSessionSerializable,
        Self::StrictSerializable,
    ];

    /// Its name (`strict-serializable`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::SnapshotIsolation => "snapshot-isolation",
            Self::Serializable => "serializable",
            Self::StrongSessionSerializable => "strong-session-serializable",
            Self::StrictSerializable => "strict-serializable",
        }
    }

    /// The one with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|consistency| consistency.name() == name)
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One way in which transactions can be wrong. The order is that of gravity, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Anomaly {
    /// A read returned an element that nobody appended.
    GarbageRead,
    /// A read returned one element twice; each is appended once.
    DuplicateElements,
    /// Two reads of one key returned lists of which neither begins with the other.
    IncompatibleOrder,
    /// What one transaction appended to one key is not there in one piece and in its order.
    TornAppend,
    /// G1a: a read returned an element of a transaction that failed.
    AbortedRead,
    /// G1b: a read returned some of what another transaction appended to the key, and not the rest.
    IntermediateRead,
    /// A transaction does not see what it itself read or appended before.
    Internal,
    /// A transaction saw what it itself appended only later.
    FutureRead,
    /// Two transactions appended to a key of which both had read the same state.
    LostUpdate,
    /// A circle of transactions each of which must come before the next.
    Cycle(Order, Circle),
}

/// What a circle consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Circle {
    /// G0: appends after appends alone.
    G0,
    /// G1c: also reads of what was appended.
    G1c,
    /// Exactly one read that missed an append.
    GSingle,
    /// Several such reads, no two of them in a row.
    GNonadjacent,
    /// Several such reads, two of them in a row. (The G2 of single objects: there are no predicates here.)
    G2Item,
}

/// What else a circle had to rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Nothing: what was read and appended is enough.
    Data,
    /// The order of each process's transactions.
    Process,
    /// Real time.
    RealTime,
}

impl Anomaly {
    /// The weakest consistency that forbids it; all stronger ones do as well.
    ///
    /// | anomaly | forbidden from | source |
    /// |---|---|---|
    /// | `garbage-read`, `duplicate-elements`, `incompatible-order` | snapshot isolation | Kingsbury and Alvaro, VLDB 2020 |
    /// | `torn-append` | snapshot isolation | atomicity: what a transaction appends is installed at its commit, at once |
    /// | `G0`, `G1a`, `G1b`, `G1c` | snapshot isolation | Adya 1999, PL-1 and PL-2, which PL-SI contains |
    /// | `internal`, `future-read` | snapshot isolation | Cerone, Bernardi, Gotsman, CONCUR 2015, axioms INT and EXT |
    /// | `lost-update` | snapshot isolation | Berenson et al., SIGMOD 1995, P4; first committer wins |
    /// | `G-single`, `G-nonadjacent` | snapshot isolation | Cerone and Gotsman, JACM 2018: (WR ∪ WW); RW? has no cycle |
    /// | `G2-item` | serialisability | Adya 1999, PL-2.99 and PL-3 |
    /// | any `-process` | strong session serialisability | Daudjee and Salem, ICDE 2004 |
    /// | any `-realtime` | strict serialisability | Adya 1999, PL-SS |
    pub const fn forbidden_from(self) -> Consistency {
        match self {
            Self::Cycle(Order::RealTime, _) => Consistency::StrictSerializable,
            Self::Cycle(Order::Process, _) => Consistency::StrongSessionSerializable,
            Self::Cycle(Order::Data, Circle::G2Item) => Consistency::Serializable,
            _ => Consistency::SnapshotIsolation,
        }
    }

    /// Every anomaly, the worst first.
    pub fn all() -> impl Iterator<Item = Self> {
        let single = [
            Self::GarbageRead,
            Self::DuplicateElements,
            Self::IncompatibleOrder,
            Self::TornAppend,
            Self::AbortedRead,
            Self::IntermediateRead,
            Self::Internal,
            Self::FutureRead,
            Self::LostUpdate,
        ];
        let circles = |order| {
            use Circle::{G0, G1c, G2Item, GNonadjacent, GSingle};
            [G0, G1c, GSingle, GNonadjacent, G2Item].map(|circle| Self::Cycle(order, circle))
        };
        let orders = [Order::Data, Order::Process, Order::RealTime];
        single.into_iter().chain(orders.into_iter().flat_map(circles))
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (circle, order) = match self {
            Self::GarbageRead => return f.write_str("garbage-read"),
            Self::DuplicateElements => return f.write_str("duplicate-elements"),
            Self::IncompatibleOrder => return f.write_str("incompatible-order"),
            Self::TornAppend => return f.write_str("torn-append"),
            Self::AbortedRead => return f.write_str("G1a"),
            Self::IntermediateRead => return f.write_str("G1b"),
            Self::Internal => return f.write_str("internal"),
            Self::FutureRead => return f.write_str("future-read"),
            Self::LostUpdate => return f.write_str("lost-update"),
            Self::Cycle(order, circle) => (circle, order),
        };
        let circle = match circle {
            Circle::G0 => "G0",
            Circle::G1c => "G1c",
            Circle::GSingle => "G-single",
            Circle::GNonadjacent => "G-nonadjacent",
            Circle::G2Item => "G2-item",
        };
        let order = match order {
            Order::Data => "",
            Order::Process => "-process",
            Order::RealTime => "-realtime",
        };
        write!(f, "{circle}{order}")
    }
}

impl From<Anomaly> for String {
    fn from(anomaly: Anomaly) -> Self {
        anomaly.to_string()
    }
}

impl TryFrom<String> for Anomaly {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = Self::all().find(|anomaly| anomaly.to_string() == name);
        found.ok_or_else(|| format!("no anomaly is named `{name}`"))
    }
}
