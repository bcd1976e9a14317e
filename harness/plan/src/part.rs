//! Whom a fault is aimed at, and what of a node it takes hold of.

use std::collections::BTreeSet;

use crate::{Endpoint, Fault};

/// The part of a node that a fault takes hold of. Two faults that are in force at once never hold the same part
/// of the same node: the end of one would put right what the other did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Whether its process runs, and the disk that this depends on.
    Life,
    /// Its clock.
    Clock,
    /// What it says.
    Tongue,
}

impl Part {
    /// Its name in sentences about it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Life => "process",
            Self::Clock => "clock",
            Self::Tongue => "tongue",
        }
    }
}

impl Fault {
    /// The part that it takes hold of, of each of its [`Self::nodes`]; none for faults of the network, which add
    /// up, for lying clients, and for changes of the system.
    pub const fn part(&self) -> Option<Part> {
        match self {
            Self::Kill { .. } | Self::PowerLoss { .. } | Self::Pause { .. } | Self::Disk { .. } => {
                Some(Part::Life)
            }
            Self::Clock { .. } => Some(Part::Clock),
            Self::Byzantine { .. } => Some(Part::Tongue),
            Self::Partition { .. }
            | Self::Delay { .. }
            | Self::Loss { .. }
            | Self::Duplicate { .. }
            | Self::Reorder { .. }
            | Self::Corrupt { .. }
            | Self::ByzantineClients { .. }
            | Self::Reconfigure { .. } => None,
        }
    }

    /// The nodes that something is done to. None for faults of the network, which are done to links, for lying clients,
    /// and for changes of the system: exactly those that have no [`Self::part`].
    pub fn nodes(&self) -> BTreeSet<u16> {
        match self {
            Self::Kill { nodes, .. }
            | Self::PowerLoss { nodes, .. }
            | Self::Pause { nodes }
            | Self::Clock { nodes, .. }
            | Self::Byzantine { nodes, .. } => nodes.clone(),
            Self::Disk { node, .. } => BTreeSet::from([*node]),
            Self::Partition { .. }
            | Self::Delay { .. }
            | Self::Loss { .. }
            | Self::Duplicate { .. }
            | Self::Reorder { .. }
            | Self::Corrupt { .. }
            | Self::ByzantineClients { .. }
            | Self::Reconfigure { .. } => BTreeSet::new(),
        }
    }

    /// Its [`Self::nodes`], to be changed; none for a bad disk, which has one node and always one.
    pub const fn nodes_mut(&mut self) -> Option<&mut BTreeSet<u16>> {
        match self {
            Self::Kill { nodes, .. }
            | Self::PowerLoss { nodes, .. }
            | Self::Pause { nodes }
            | Self::Clock { nodes, .. }
            | Self::Byzantine { nodes, .. } => Some(nodes),
            Self::Partition { .. }
            | Self::Delay { .. }
            | Self::Loss { .. }
            | Self::Duplicate { .. }
            | Self::Reorder { .. }
            | Self::Corrupt { .. }
            | Self::Disk { .. }
            | Self::ByzantineClients { .. }
            | Self::Reconfigure { .. } => None,
        }
    }

    /// The nodes and clients that it is aimed at: those whose links it changes, or its [`Self::nodes`].
    pub fn targets(&self) -> BTreeSet<Endpoint> {
        match self {
            Self::Partition { grudge, .. } => {
                let senders = grudge.values().flatten();
                grudge.keys().chain(senders).copied().collect()
            }
            Self::Delay { ends, .. }
            | Self::Loss { ends, .. }
            | Self::Duplicate { ends, .. }
            | Self::Reorder { ends, .. }
            | Self::Corrupt { ends, .. } => ends.clone(),
            Self::Kill { .. }
            | Self::PowerLoss { .. }
            | Self::Pause { .. }
            | Self::Clock { .. }
            | Self::Byzantine { .. }
            | Self::Disk { .. } => self.nodes().into_iter().map(Endpoint::Node).collect(),
            Self::ByzantineClients { clients, .. } => {
                clients.iter().copied().map(Endpoint::Client).collect()
            }
            // It concerns everybody, and is aimed at nobody.
            Self::Reconfigure { .. } => BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{FaultClass, FaultRequest, faults};

    #[test]
    fn a_fault_has_nodes_exactly_if_it_holds_a_part_of_them() {
        let planned = faults(&FaultRequest {
            seed: 3,
            classes: FaultClass::ALL.to_vec(),
            nodes: 5,
            clients: 15,
            time_limit_ms: 300_000,
            liars: 1,
            lies: vec!["silent".to_owned()],
            client_lies: vec!["equivocate".to_owned()],
            drift_ppm: None,
            memory: None,
            changes: vec![[("quorum".to_owned(), "grid".to_owned())].into()],
            mid_step: true,
        })
        .unwrap();
        for class in FaultClass::ALL {
            let mut of_class = planned.iter().map(|planned| &planned.fault);
            let fault = of_class.find(|fault| fault.class() == *class).unwrap();
            assert_eq!(fault.part().is_some(), !fault.nodes().is_empty(), "{fault}");
            if fault.part().is_some() {
                assert_eq!(fault.targets().len(), fault.nodes().len(), "{fault}");
            }
        }
    }
}
