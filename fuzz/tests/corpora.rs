//! Everything that fuzzing ever kept, fed to its target once more.

use std::fs;
use std::path::PathBuf;

use quorate_fuzz::{TARGETS, tool};

#[test]
fn what_was_kept_is_still_taken() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for target in TARGETS {
        let folders = ["corpus", "regressions"].map(|kept| root.join(kept).join(target.name));
        let folders: Vec<PathBuf> = folders.into_iter().filter(|folder| folder.is_dir()).collect();
        for file in tool::files(&folders).unwrap() {
            let bytes = fs::read(&file).unwrap();
            let body = target.body;
            let taken = std::panic::catch_unwind(|| body(&bytes));
            assert!(taken.is_ok(), "{}: {}", target.name, file.display());
        }
    }
}
