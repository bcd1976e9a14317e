//! Things to test nodes with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use quorate_systems::SystemKind;
use quorate_systems::contract::Keyring;
use quorate_systems::mutant::Mutants;

use crate::protocol::NodeConfig;

/// Node 0 of 3, with its data below `folder` and peers that are not there.
pub(super) fn config(folder: &Path) -> NodeConfig {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    NodeConfig {
        node: 0,
        nodes: 3,
        system: SystemKind::Quorum,
        options: BTreeMap::new(),
        mutants: Mutants::NONE,
        data: folder.join("data"),
        observed: None,
        inputs: None,
        watched: BTreeSet::new(),
        peer_listen: any,
        client_listen: any,
        peers: vec![any; 3],
        keys: Keyring::default(),
        entropy: 1,
        parent: None,
    }
}
