//! What travels, what is made durable, and what is told of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::describe;
use super::view::View;
use crate::contract::{ClientId, Describe, Outcome};
use crate::parties::NodeSet;
use crate::paxos::Entry;
use crate::smr::{Chain, Request, RequestNumber, Short, Slot, Snapshot};

/// What a server holds of one slot, as it tells a new leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Report {
    /// The slot.
    pub slot: Slot,
    /// The view of the Proposal; [`View::ZERO`] where it only learned what is ordered.
    pub view: View,
    /// The entry.
    pub entry: Entry,
    /// Whether it knows that this entry is ordered (a `Globally_Ordered_Update` of the paper).
    pub is_ordered: bool,
}

/// All that a server holds above the leader's `Local_Aru`: Proposals too, and not only what is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataList {
    /// Slots up to here are ordered and no longer in its history: only its snapshot tells of them.
    pub snapshot: Slot,
    /// Every other slot of which it holds something.
    pub reports: Vec<Report>,
}

/// Whatever travels between servers, and between servers and clients.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// A client asks for this update; or the server that it asked, which is responsible for it, asks the
    /// leader to order it.
    ClientUpdate { update: Request },
    /// It was executed, once, and ended so.
    Reply { number: RequestNumber, outcome: Outcome },
    /// The sender attempts to install this view.
    ViewChange { attempted: View },
    /// The sender has installed this view, and has executed all slots up to `aru`.
    VcProof { installed: View, aru: Slot },
    /// The leader of `view` has installed it, durably, and has executed all slots up to `aru`.
    Prepare { view: View, aru: Slot },
    /// The sender has installed `view`, durably, accepts nothing of earlier ones, and holds these.
    PrepareOk { view: View, data: Box<DataList> },
    /// The leader of `view` proposes `entry` for `slot`.
    Proposal { view: View, slot: Slot, entry: Entry },
    /// The sender has accepted that Proposal, durably. `entry` is the digest of what was proposed.
    Accept { view: View, slot: Slot, entry: u64 },
    /// Which entries are ordered from `from` on?
    Fetch { from: Slot },
    /// These, one slot after the other.
    FetchOk { from: Slot, entries: Vec<Entry> },
    /// The state after all slots up to its index, in place of entries that are gone.
    Snapshot { snapshot: Box<Snapshot> },
}

impl Describe for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::ClientUpdate { .. } => "Client_Update",
            Self::Reply { .. } => "Reply",
            Self::ViewChange { .. } => "View_Change",
            Self::VcProof { .. } => "VC_Proof",
            Self::Prepare { .. } => "Prepare",
            Self::PrepareOk { .. } => "Prepare_OK",
            Self::Proposal { .. } => "Proposal",
            Self::Accept { .. } => "Accept",
            Self::Fetch { .. } => "Fetch",
            Self::FetchOk { .. } => "Fetch_OK",
            Self::Snapshot { .. } => "Snapshot",
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        describe::message_field(self, name)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::ClientUpdate { update: Request { client, number, command } } => {
                write!(f, "{client}.{number} {command}")
            }
            Self::Reply { number, outcome } => write!(f, "{number} {outcome}"),
            Self::ViewChange { attempted } => write!(f, "{attempted}"),
            Self::VcProof { installed, aru } => write!(f, "{installed} aru {aru}"),
            Self::Prepare { view, aru } => write!(f, "{view} aru {aru}"),
            Self::PrepareOk { view, data } => {
                write!(f, "{view}")?;
                if data.snapshot > Slot::ZERO {
                    write!(f, " snapshot {}", data.snapshot)?;
                }
                for Report { slot, view, entry, is_ordered } in &data.reports {
                    match is_ordered {
                        true => write!(f, ", {slot} ordered {entry}")?,
                        false => write!(f, ", {slot} proposed {view} {entry}")?,
                    }
                }
                Ok(())
            }
            Self::Proposal { view, slot, entry } => write!(f, "{view} {slot} {entry}"),
            Self::Accept { view, slot, entry } => {
                write!(f, "{view} {slot} {}", Short(*entry))
            }
            Self::Fetch { from } => write!(f, "from {from}"),
            Self::FetchOk { from, entries } => {
                write!(f, "from {from} {} entries", entries.len())
            }
            Self::Snapshot { snapshot } => write!(f, "{} {}", snapshot.index, snapshot.chain),
        }
    }
}

/// What a server makes durable. Replaying them in order gives its durable state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Record {
    /// `view` is installed: nothing of earlier ones is accepted, in any slot.
    Installed { view: View },
    /// This server accepted the Proposal of `entry` for `slot` in `view`, its own included.
    Accepted { slot: Slot, view: View, entry: Entry },
    /// `slot` is ordered, as another server told.
    Ordered { slot: Slot, entry: Entry },
    /// This server is responsible for `update`.
    Pending { update: Request },
    /// All slots up to the snapshot's are ordered, and this is what came of them.
    Snapshot { snapshot: Box<Snapshot> },
}

/// What a core tells of its transitions; the invariants are stated over these. They have the names and the
/// meaning of those of Multi-Paxos, with views for ballots: to install a view is to promise it. `entry` is
/// the entry's [`Entry::digest`], `ticket` the last record that must be durable before anybody may be told.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are what their types say")]
pub enum Observation {
    /// A leader has durably installed the view that it is to lead, and prepares the slots from `from` on.
    BallotUsed { view: View, from: Slot },
    /// A server installed a view.
    Promised { view: View, ticket: u64 },
    /// A leader is in `REG_LEADER`: `voters` sent `Prepare_OK`. It has executed all slots up to `commit`, and
    /// found Proposals up to `adopted`.
    Elected { view: View, voters: NodeSet, commit: Slot, adopted: Slot },
    /// A leader proposes: the entry that was found proposed in the view `adopted`, or its own.
    Proposed { view: View, slot: Slot, entry: u64, adopted: Option<View> },
    /// A server accepted; a leader accepts what it proposes.
    Accepted { view: View, slot: Slot, entry: u64, ticket: u64 },
    /// A server, the leader or not, knows that the leader and the other `voters`, together a majority,
    /// accepted in this view.
    Decided { view: View, slot: Slot, entry: u64, voters: NodeSet },
    /// A server was told what is ordered.
    Learned { slot: Slot, entry: u64 },
    /// A server executed a slot. `chain` stands for all that it has executed; `request` is who and which,
    /// where the slot holds an update, and `is_first` says whether that took effect now.
    Executed {
        slot: Slot,
        chain: Chain,
        request: Option<(ClientId, RequestNumber)>,
        is_first: bool,
    },
    /// A server put its own state in place of the history up to `index`.
    SnapshotTaken { index: Slot, chain: Chain, ticket: u64 },
    /// A server took over another's state.
    SnapshotInstalled { index: Slot, chain: Chain, ticket: u64 },
    /// A leader, or one that was preparing, has given up `view`.
    SteppedDown { view: View },
}

// A message is copied several times on its way: it should be small enough to be copied without a call.
const _: () = assert!(size_of::<Message>() <= 128);
