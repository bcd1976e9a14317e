//! Writes and syncs that can be made to fail, and say on which file they failed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::protocol::DiskMode;

/// A write or sync that failed, and on which file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {error}", path.display())]
pub(super) struct DiskError {
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}

impl DiskError {
    /// Makes it of what the operating system said.
    pub(super) fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { what, path: path.to_owned(), error }
    }
}

/// A write to a disk that may be full.
pub(super) fn write(
    mode: DiskMode,
    path: &Path,
    mut file: &File,
    bytes: &[u8],
) -> Result<(), DiskError> {
    let written = match mode {
        DiskMode::Full => Err(Errno::NOSPC.into()),
        DiskMode::Good | DiskMode::IoError | DiskMode::Tear => file.write_all(bytes),
    };
    written.map_err(DiskError::at("write to", path))
}

/// A sync of a disk that may be broken.
pub(super) fn sync(mode: DiskMode, path: &Path, file: &File) -> Result<(), DiskError> {
    let synced = match mode {
        DiskMode::IoError => Err(Errno::IO.into()),
        DiskMode::Good | DiskMode::Full | DiskMode::Tear => file.sync_data(),
    };
    synced.map_err(DiskError::at("sync", path))
}
