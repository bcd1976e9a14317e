//! Files that are opened to be read, and nothing else: a pipe would have us wait for ever for whoever writes to it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::CliError;

/// Opens a regular file, or what a link to one leads to.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe already waits.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

/// One line on a file that cannot be opened.
pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> CliError {
    CliError::damaged(format_args!("cannot read {}: {error}", path.display()))
}
