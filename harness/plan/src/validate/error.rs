//! What can be wrong with a plan.

use crate::{Endpoint, FaultClass, VALUE_MAX};

use super::NAME_LEN_MAX;

/// The first thing found wrong with a plan: one line that names the field, what is wrong with it, and what
/// is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The name cannot be a folder.
    #[error(
        "name: `{0}` cannot name a folder; allowed are 1 to {NAME_LEN_MAX} letters, digits, `-`, `_` \
         and `.`, not beginning with `.` or `-`, and not `latest`"
    )]
    Name(String),
    /// A number is out of its bounds.
    #[error("{field}: {value} is out of bounds; allowed are {min} to {max}")]
    OutOfBounds {
        /// Where it stands.
        field: String,
        /// The number.
        value: i128,
        /// The least allowed.
        min: i128,
        /// The most allowed.
        max: i128,
    },
    /// The system has no name.
    #[error("system.kind: is empty; it must name a system")]
    NoSystem,
    /// A set that must name somebody or something does not.
    #[error("{field}: is empty; it must name at least one {what}")]
    Nobody {
        /// Where it stands.
        field: String,
        /// What is missing.
        what: &'static str,
    },
    /// Somebody who is not there.
    #[error(
        "{field}: there is no {endpoint}; the plan has {nodes} nodes (n0 …) and {clients} clients (c0 …)"
    )]
    NoSuchEndpoint {
        /// Where it stands.
        field: String,
        /// Who is missing.
        endpoint: Endpoint,
        /// How many nodes there are.
        nodes: u16,
        /// How many clients there are.
        clients: u32,
    },
    /// A node where only a client can be.
    #[error("{field}: {endpoint} is a node; only clients (c0 …) run operations")]
    NotAClient {
        /// Where it stands.
        field: String,
        /// Who stands there.
        endpoint: Endpoint,
    },
    /// Two endpoints that have no link.
    #[error(
        "{field}: there is no link from {from} to {to}; links join two nodes, or a node and a client"
    )]
    NoSuchLink {
        /// Where it stands.
        field: String,
        /// The sender.
        from: Endpoint,
        /// The receiver.
        to: Endpoint,
    },
    /// Things with times out of order.
    #[error(
        "{field}: {at} is before the {what} above it, at {before}; {what}s stand in order of {time}"
    )]
    OutOfOrder {
        /// Where it stands.
        field: String,
        /// What is out of order.
        what: &'static str,
        /// The name of the time that they stand in order of.
        time: &'static str,
        /// When it comes.
        at: u64,
        /// When the one before comes.
        before: u64,
    },
    /// The shortest is longer than the longest.
    #[error("{field}: {min_name} {min} is more than {max_name} {max}")]
    MinAboveMax {
        /// Where both stand.
        field: String,
        /// The name of the shortest.
        min_name: &'static str,
        /// The shortest.
        min: u64,
        /// The name of the longest.
        max_name: &'static str,
        /// The longest.
        max: u64,
    },
    /// Nobody knows how to lie so.
    #[error("{field}: nobody knows the lie `{lie}`; allowed are {}", known.join(", "))]
    UnknownLie {
        /// Where it stands.
        field: String,
        /// The lie.
        lie: String,
        /// Those that there are.
        known: &'static [&'static str],
    },
    /// A lie that one process cannot tell.
    #[error(
        "{field}: `twins` are two copies of a replica, which only the simulated world runs; allowed in a \
         live one are all other lies"
    )]
    TwinsAlive {
        /// Where it stands.
        field: String,
    },
    /// Nothing takes any time.
    #[error(
        "{field}: messages take no time and clients do not wait (`rate_per_s` is 0), so virtual time would stand \
         still; allowed are a delay of 1 µs or more, or a rate"
    )]
    StandsStill {
        /// Where it stands.
        field: String,
    },
    /// A class that must bite has nothing to bite with.
    #[error("fault_classes: `{0}` must bite, but no fault in `faults` is of that class")]
    ClassWithoutFault(FaultClass),
    /// A class stands twice.
    #[error("fault_classes: `{0}` stands there twice")]
    ClassTwice(FaultClass),
    /// A client has two scripts.
    #[error(
        "{field}: c{client} has a script already, scripts[{first}]; allowed is one for a client"
    )]
    ScriptTwice {
        /// Where the second stands.
        field: String,
        /// Whose they are.
        client: u32,
        /// Which the first is.
        first: usize,
    },
    /// A write of nothing.
    #[error("{field}: a write needs a value; give `value`")]
    WriteWithoutValue {
        /// Where it stands.
        field: String,
    },
    /// A read of something.
    #[error("{field}: a read has no value; leave it out")]
    ReadWithValue {
        /// Where the value stands.
        field: String,
    },
    /// A function without something that it needs.
    #[error("{field}: `{f}` needs `{what}`; give it")]
    Incomplete {
        /// Where it stands.
        field: String,
        /// The function.
        f: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// Something that means nothing to the function.
    #[error("{field}: `{f}` has none; leave it out")]
    Useless {
        /// Where it stands.
        field: String,
        /// The function.
        f: &'static str,
    },
    /// A transaction within a transaction.
    #[error("{field}: no part of a transaction is a transaction; write its parts out")]
    Nested {
        /// Where it stands.
        field: String,
    },
    /// A value that only others write.
    #[error(
        "{field}: {value} is none of a script's; allowed are 0 to {VALUE_MAX}: greater ones are those that the \
         end of a run writes, and that liars make up"
    )]
    ReservedValue {
        /// Where it stands.
        field: String,
        /// The value.
        value: u64,
    },
    /// Something that only a simulated run can follow.
    #[error("{field}: only a simulated run can follow it; leave it out, or set world = \"sim\"")]
    OnlySimulated {
        /// Where it stands.
        field: String,
    },
    /// A name that the system does not know.
    #[error("{field}: {owner} has no {what} `{name}`; there is {known}")]
    UnknownName {
        /// Where it stands.
        field: String,
        /// Who does not have it: the system, a kind of message.
        owner: String,
        /// What it would be the name of.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is, with commas between; `none` if there is nothing.
        known: String,
    },
}

impl PlanError {
    /// Where in the plan it is: names with dots between, places in lists counted from 0 in brackets
    /// (`faults[2].fault.nodes`). What it says begins with this and a colon.
    pub fn field(&self) -> &str {
        match self {
            Self::Name(_) => "name",
            Self::NoSystem => "system.kind",
            Self::ClassWithoutFault(_) | Self::ClassTwice(_) => "fault_classes",
            Self::OutOfBounds { field, .. }
            | Self::Nobody { field, .. }
            | Self::NoSuchEndpoint { field, .. }
            | Self::NotAClient { field, .. }
            | Self::NoSuchLink { field, .. }
            | Self::OutOfOrder { field, .. }
            | Self::MinAboveMax { field, .. }
            | Self::UnknownLie { field, .. }
            | Self::TwinsAlive { field }
            | Self::StandsStill { field }
            | Self::ScriptTwice { field, .. }
            | Self::WriteWithoutValue { field }
            | Self::ReadWithValue { field }
            | Self::Incomplete { field, .. }
            | Self::Useless { field, .. }
            | Self::Nested { field }
            | Self::ReservedValue { field, .. }
            | Self::OnlySimulated { field }
            | Self::UnknownName { field, .. } => field,
        }
    }
}
