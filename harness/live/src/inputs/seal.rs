//! Which run files are of, and that they are still what they were at its end.

use std::fs::File;
use std::io;
use std::path::Path;

use quorate_checkers::history::{Header, Sealed};
use quorate_systems::contract::NodeId;
use quorate_world::inputs::{Owner, RunId};

use super::{CLIENT_INPUTS, INPUTS};
use crate::cluster::NODES;

/// What tells the run with this header from others.
pub(crate) fn run_id(header: &Header) -> RunId {
    let plan = blake3::hash(header.plan.to_string().as_bytes()).to_hex().to_string();
    RunId { started: header.started.clone(), plan }
}

/// The files of a run with so many nodes, by their names within its folder, and whose they are.
pub(super) fn files(nodes: u16) -> impl Iterator<Item = (String, Owner)> {
    let of_node = |node| (format!("{NODES}/n{node}/{INPUTS}"), Owner::Node(NodeId(node)));
    let clients = (CLIENT_INPUTS.to_owned(), Owner::Clients);
    (0..nodes).map(of_node).chain([clients])
}

/// What the files of a run are, to which nobody writes any more; and what cannot be said of which.
pub(crate) fn seal(folder: &Path, nodes: u16) -> (Vec<Sealed>, Vec<String>) {
    let mut sealed = Vec::new();
    let mut troubles = Vec::new();
    for (file, _) in files(nodes) {
        match measure(&folder.join(&file)) {
            Ok((bytes, digest)) => sealed.push(Sealed { file, bytes, digest }),
            Err(error) => {
                troubles.push(format!("the run cannot be replayed: cannot read {file}: {error}"));
            }
        }
    }
    (sealed, troubles)
}

/// How long a file is, and its digest.
fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.count(), hasher.finalize().to_hex().to_string()))
}

/// What became of a file since its run was over.
pub(super) enum Kept {
    /// It is what it was.
    Whole,
    /// So many bytes of it are left.
    Short { left: u64 },
    /// It is another one, for this reason.
    Changed(String),
}

/// Compares a file with what it was.
pub(super) fn compare(path: &Path, sealed: &Sealed) -> io::Result<Kept> {
    let (bytes, digest) = measure(path)?;
    let Sealed { bytes: expected, digest: was, .. } = sealed;
    Ok(if bytes < *expected {
        Kept::Short { left: bytes }
    } else if bytes > *expected {
        Kept::Changed(format!("it has {bytes} bytes, and had {expected} at the end of the run"))
    } else if digest != *was {
        Kept::Changed("its digest is not the one that it had at the end of the run".to_owned())
    } else {
        Kept::Whole
    })
}
