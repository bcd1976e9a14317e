//! How a node process ends.

use std::fmt;
use std::path::Path;

use crate::protocol::{
    EXIT_CANNOT_START, EXIT_DISK_FAILED, EXIT_PANIC, EXIT_REFUSED_TO_START, Notice,
};

/// Why a node process ends. Every text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to, and finished what it was writing.
    Asked,
    /// It cannot begin: a port is taken, a folder cannot be written, its config makes no sense.
    CannotStart(String),
    /// It could begin and must not: its disk holds damage, or what is not its own.
    Refused(String),
    /// A write or fsync failed.
    DiskFailed(String),
    /// A bug: the core, or what drives it, broke an assertion.
    Panicked(String),
}

impl Ending {
    /// The exit code of the process.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Asked => 0,
            Self::CannotStart(_) => EXIT_CANNOT_START,
            Self::Refused(_) => EXIT_REFUSED_TO_START,
            Self::DiskFailed(_) => EXIT_DISK_FAILED,
            Self::Panicked(_) => EXIT_PANIC,
        }
    }

    /// What is said of it on standard output; nothing where the harness asked for it.
    pub fn notice(&self) -> Option<Notice> {
        match self {
            Self::Asked => None,
            Self::CannotStart(why)
            | Self::Refused(why)
            | Self::DiskFailed(why)
            | Self::Panicked(why) => Some(Notice::Ending { why: why.clone() }),
        }
    }

    /// A file operation that failed before the node served.
    pub(super) fn no_folder(what: &str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let mend = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space there",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "make it writable, or name another data folder"
            }
            _ => "name another data folder",
        };
        Self::CannotStart(format!("cannot {what} {}: {error}; {mend}", path.display()))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("ended as asked"),
            Self::CannotStart(why) => write!(f, "cannot start: {why}"),
            Self::Refused(why) => write!(f, "does not start: {why}"),
            Self::DiskFailed(why) => write!(f, "ended by its disk: {why}"),
            Self::Panicked(why) => write!(f, "ended by a bug: {why}"),
        }
    }
}
