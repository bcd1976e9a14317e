//! Putting a checkpoint in the place of the logs that it stands for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::disk::{self, DiskError};
use super::folder::{checkpoint_path, number_of, record_files, sync_folder};
use crate::protocol::DiskMode;

/// A checkpoint that is to be put in place.
pub(super) struct CheckpointJob<'a> {
    pub(super) folder: &'a Path,
    /// It stands for all logs below this number.
    pub(super) number: u64,
    pub(super) bytes: &'a [u8],
    pub(super) mode: DiskMode,
}

impl CheckpointJob<'_> {
    fn path(&self) -> PathBuf {
        checkpoint_path(self.folder, self.number)
    }
}

pub(super) type CheckpointStep = fn(&CheckpointJob<'_>) -> Result<(), DiskError>;

/// What makes a checkpoint count. A crash between any two of these, or within one, loses nothing: until
/// the rename the old checkpoint and all logs are there, afterwards the new one is.
pub(super) const CHECKPOINT_STEPS: [CheckpointStep; 4] = [
    |job| {
        let path = job.path().with_extension("tmp");
        let file = File::create(&path).map_err(DiskError::at("create", &path))?;
        disk::write(job.mode, &path, &file, job.bytes)?;
        disk::sync(job.mode, &path, &file)
    },
    |job| {
        let path = job.path();
        fs::rename(path.with_extension("tmp"), &path).map_err(DiskError::at("put in place", &path))
    },
    |job| sync_folder(job.folder).map_err(DiskError::at("sync", job.folder)),
    |job| remove_superfluous(job.folder),
];

/// Removes what the newest checkpoint stands for, and what crashes left behind.
pub(super) fn remove_superfluous(folder: &Path) -> Result<(), DiskError> {
    let files = record_files(folder).map_err(DiskError::at("list", folder))?;
    let newest = files.iter().filter_map(|path| number_of(path, "checkpoint")).max().unwrap_or(0);
    for path in files {
        let number = number_of(&path, "checkpoint").or_else(|| number_of(&path, "log"));
        if number.is_some_and(|number| number < newest) {
            fs::remove_file(&path).map_err(DiskError::at("remove", &path))?;
        }
    }
    Ok(())
}
