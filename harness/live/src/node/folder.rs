//! A node's data folder: whose it is, how often it has booted, and the names of the files in it.
//!
//! ```text
//! identity.json      which node of which cluster the folder belongs to; written once
//! incarnation        how often the node has booted; replaced at every boot
//! checkpoint-000007  stands for all logs below 7
//! log-000007         what was persisted since; the highest is written to
//! *.tmp              what a crash left of a file that was to be replaced; of no meaning
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use quorate_systems::SystemKind;
use quorate_systems::contract::Incarnation;
use quorate_systems::wire::crc32c;
use serde::{Deserialize, Serialize};

use super::ending::Ending;
use crate::protocol::NodeConfig;

/// The version of what this module describes.
const FORMAT: u32 = 1;

/// Whose data a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    format: u32,
    system: SystemKind,
    node: u16,
    nodes: u16,
    options: BTreeMap<String, String>,
}

/// The data folder of a running node, locked against a second process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held for its lock only, which goes with the process.
    _lock: File,
}

impl Folder {
    /// Opens the folder, or makes it, and counts a boot. Whatever comes back on an error, the records in
    /// it are untouched.
    pub(super) fn open(config: &NodeConfig) -> Result<(Self, Incarnation), Ending> {
        let path = &config.data;
        let cannot = |what: &str, error: &io::Error| Ending::no_folder(what, path, error);
        fs::create_dir_all(path).map_err(|error| cannot("make the data folder", &error))?;
        let lock = File::open(path).map_err(|error| cannot("open the data folder", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path)),
            Err(TryLockError::Error(error)) => return Err(cannot("lock the data folder", &error)),
        }
        let folder = Self { path: path.clone(), _lock: lock };
        folder.identify(&Identity {
            format: FORMAT,
            system: config.system,
            node: config.node,
            nodes: config.nodes,
            options: config.options.clone(),
        })?;
        let incarnation = folder.boot()?;
        Ok((folder, incarnation))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks whose the folder is; a new one becomes ours.
    fn identify(&self, own: &Identity) -> Result<(), Ending> {
        let path = self.path.join("identity.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let found: Identity = serde_json::from_slice(&bytes).map_err(|error| {
                    Ending::Refused(format!(
                        "{} cannot be read: {error}; put it back, or name another data folder",
                        path.display()
                    ))
                })?;
                found.check(own, &self.path)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(stray) = self.stray_file()? {
                    return Err(Ending::Refused(format!(
                        "{} is there and identity.json is not: this is no whole data folder; \
                         name another one",
                        stray.display()
                    )));
                }
                let bytes = serde_json::to_vec_pretty(own).expect("an identity is plain data");
                replace(&path, &bytes).map_err(|error| Ending::no_folder("write", &path, &error))
            }
            Err(error) => Err(Ending::no_folder("read", &path, &error)),
        }
    }

    /// A file that only a folder with an identity may hold.
    fn stray_file(&self) -> Result<Option<PathBuf>, Ending> {
        let list = || -> io::Result<Option<PathBuf>> {
            let numbered = record_files(&self.path)?.into_iter().next();
            let incarnation = self.incarnation_path();
            Ok(numbered.or_else(|| incarnation.exists().then_some(incarnation)))
        };
        list().map_err(|error| Ending::no_folder("list", &self.path, &error))
    }

    /// Counts a boot, durably, before anything else happens in it. The first boot makes the first log
    /// before that, so that from the first incarnation on a log that is missing has been lost.
    fn boot(&self) -> Result<Incarnation, Ending> {
        let path = self.incarnation_path();
        let cannot = |what: &str, error: &io::Error| Ending::no_folder(what, &path, error);
        let last = match fs::read_to_string(&path) {
            Ok(text) => parse_incarnation(&text).ok_or_else(|| {
                Ending::Refused(format!(
                    "{} is damaged: `{}`; put it back, or name another data folder",
                    path.display(),
                    text.trim()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.first_log()?;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Ending::Refused(format!("{} is damaged", path.display())));
            }
            Err(error) => return Err(cannot("read", &error)),
        };
        let next = last + 1;
        replace(&path, incarnation_text(next).as_bytes())
            .map_err(|error| cannot("write", &error))?;
        Ok(Incarnation(next))
    }

    fn first_log(&self) -> Result<(), Ending> {
        let path = log_path(&self.path, 0);
        let make = || -> io::Result<u64> {
            let log = File::options().create(true).append(true).open(&path)?;
            log.sync_all()?;
            sync_folder(&self.path)?;
            Ok(log.metadata()?.len())
        };
        match make() {
            Ok(0) => Ok(()),
            Ok(_) => Err(Ending::Refused(format!(
                "{} is missing, though the node has written records",
                self.incarnation_path().display()
            ))),
            Err(error) => Err(Ending::no_folder("make", &path, &error)),
        }
    }

    fn incarnation_path(&self) -> PathBuf {
        self.path.join("incarnation")
    }
}

impl Identity {
    fn check(&self, own: &Self, path: &Path) -> Result<(), Ending> {
        if self == own {
            return Ok(());
        }
        Err(Ending::Refused(format!(
            "{} holds the data of {}, and this is {}; name another data folder",
            path.display(),
            self.describe(),
            own.describe()
        )))
    }

    fn describe(&self) -> String {
        let options: Vec<_> =
            self.options.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        let Self { format, system, node, nodes, .. } = self;
        format!("n{node} of {nodes} ({system}{}, format {format})", options.concat())
    }
}

fn in_use(path: &Path) -> Ending {
    Ending::CannotStart(format!(
        "{} is in use by another process; stop that one or name another data folder",
        path.display()
    ))
}

/// The log of this number.
pub(super) fn log_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("log-{number:06}"))
}

/// The checkpoint of this number.
pub(super) fn checkpoint_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("checkpoint-{number:06}"))
}

/// The number of a file with this prefix; `None` for any other file.
pub(super) fn number_of(path: &Path, prefix: &str) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(prefix)?.strip_prefix('-')?.parse().ok()
}

/// The files in a node's data folder that hold its records, checkpoints before logs, in order of age.
/// Whoever wants to damage a node's data finds it here.
pub fn record_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if number_of(&path, "checkpoint").is_some() || number_of(&path, "log").is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Puts a file in place whole: a crash leaves the old one or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("tmp");
    let put = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    if let Err(error) = put() {
        // Nothing half-written stays behind, as far as that is possible on such a disk.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes creations, renames and removals in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn incarnation_text(number: u64) -> String {
    let text = format!("incarnation {number}");
    format!("{text} crc32c {:08x}\n", crc32c(text.as_bytes()))
}

fn parse_incarnation(text: &str) -> Option<u64> {
    let number = text.strip_prefix("incarnation ")?.split(' ').next()?.parse().ok()?;
    (incarnation_text(number) == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::testing::config;
    use super::*;

    fn open(config: &NodeConfig) -> Result<Incarnation, Ending> {
        Folder::open(config).map(|(_, incarnation)| incarnation)
    }

    fn refusal(config: &NodeConfig) -> String {
        match open(config) {
            Err(Ending::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_boot_has_a_higher_incarnation() {
        let temp = TempDir::new().unwrap();
        let config = config(temp.path());
        for boot in 1..=3 {
            assert_eq!(open(&config), Ok(Incarnation(boot)));
        }
    }

    #[test]
    fn a_boot_that_was_cut_short_anywhere_can_be_repeated() {
        let temp = TempDir::new().unwrap();
        let config = config(temp.path());
        open(&config).unwrap();
        // The files in the order in which the first boot makes them: any prefix may be all there is.
        fs::remove_file(config.data.join("incarnation")).unwrap();
        assert_eq!(open(&config), Ok(Incarnation(1)));
        fs::remove_file(config.data.join("incarnation")).unwrap();
        fs::remove_file(log_path(&config.data, 0)).unwrap();
        assert_eq!(open(&config), Ok(Incarnation(1)));
        fs::remove_dir_all(&config.data).unwrap();
        assert_eq!(open(&config), Ok(Incarnation(1)));
        fs::write(config.data.join("incarnation.tmp"), "incarn").unwrap();
        assert_eq!(open(&config), Ok(Incarnation(2)));
    }

    #[test]
    fn the_folder_of_another_node_or_cluster_is_refused() {
        let temp = TempDir::new().unwrap();
        let own = config(temp.path());
        open(&own).unwrap();
        let options = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let other_node = NodeConfig { node: 1, ..own.clone() };
        let other_size = NodeConfig { nodes: 4, ..own.clone() };
        let other_options = NodeConfig { options, ..own.clone() };
        for other in [other_node, other_size, other_options] {
            assert!(refusal(&other).contains("holds the data of n0 of 3"));
        }
        assert_eq!(open(&own), Ok(Incarnation(2)));
    }

    #[test]
    fn two_processes_cannot_share_a_folder() {
        let temp = TempDir::new().unwrap();
        let config = config(temp.path());
        let _first = Folder::open(&config).unwrap();
        let Err(Ending::CannotStart(why)) = open(&config) else { panic!("opened twice") };
        assert!(why.contains("in use"), "{why}");
    }

    #[test]
    fn a_damaged_incarnation_is_refused_and_named() {
        let temp = TempDir::new().unwrap();
        let config = config(temp.path());
        open(&config).unwrap();
        let path = config.data.join("incarnation");
        let good = fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).unwrap();
            assert!(refusal(&config).contains("incarnation is damaged"), "bit {bit}");
        }
    }

    #[test]
    fn records_without_an_identity_or_an_incarnation_are_refused() {
        let temp = TempDir::new().unwrap();
        let config = config(temp.path());
        open(&config).unwrap();
        fs::write(log_path(&config.data, 0), "records").unwrap();
        fs::remove_file(config.data.join("incarnation")).unwrap();
        assert!(refusal(&config).contains("incarnation is missing"));
        fs::remove_file(config.data.join("identity.json")).unwrap();
        assert!(refusal(&config).contains("identity.json is not"));
    }

    #[test]
    fn a_full_disk_is_named_and_nothing_half_written_stays() {
        let temp = TempDir::new().unwrap();
        let config = config(temp.path());
        open(&config).unwrap();
        let half = config.data.join("incarnation.tmp");
        std::os::unix::fs::symlink("/dev/full", &half).unwrap();
        let Err(Ending::CannotStart(why)) = open(&config) else { panic!("opened") };
        assert!(why.contains("data/incarnation: No space left"), "{why}");
        assert!(why.ends_with("free some space there") && !why.contains('\n'), "{why}");
        assert!(!half.is_symlink());
        assert_eq!(open(&config), Ok(Incarnation(2)));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let temp = TempDir::new().unwrap();
        let mut config = config(temp.path());
        fs::write(temp.path().join("file"), "").unwrap();
        config.data = temp.path().join("file/data");
        let Err(Ending::CannotStart(why)) = open(&config) else { panic!("opened") };
        assert!(why.contains("file/data") && !why.contains('\n'), "{why}");
    }
}
