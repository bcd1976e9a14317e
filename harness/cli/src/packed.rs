//! A run in one file, to send to somebody: a compressed tar archive of its folder, which any other tool opens, too.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header};
use tempfile::TempDir;

use crate::error::CliError;
use crate::regular;
use crate::store;

/// How the names of packed runs end.
pub(crate) const ENDING: &str = ".tar.gz";
/// What a node keeps of its own and no command reads.
const DATA: &str = "data";
/// No run is larger when it is unpacked, in bytes: a small file must not fill a disk.
const UNPACKED_MAX: u64 = 16 << 30;

/// The name of a packed run without its ending; nothing if this is none.
pub(crate) fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let (stem, ending) = name.split_at_checked(name.len().checked_sub(ENDING.len())?)?;
    (ending.eq_ignore_ascii_case(ENDING) && !path.is_dir()).then_some(stem)
}

/// Whether this is the name of a packed run.
pub(crate) fn is_packed(path: &Path) -> bool {
    stem(path).is_some()
}

/// Puts the files of a run's folder into one: how many there are. What nodes kept on their disks stays out.
pub(crate) fn pack(folder: &Path, out: &Path) -> Result<usize, CliError> {
    let name = name_of(folder)?;
    let mut files = BTreeSet::new();
    find(folder, Path::new(""), &mut files)?;
    let made = File::create_new(out).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            store::is_there_already(out)
        } else {
            store::cannot("make", out, &error)
        }
    })?;
    let written = write(made, folder, Path::new(&name), &files);
    written.map_err(|error| {
        // Half of a run is of no use to anybody.
        let _ = fs::remove_file(out);
        store::cannot("write", out, &error)
    })?;
    Ok(files.len())
}

/// `quorum-register-2026-11-23T21-47-02.113Z`: by where it is in the store.
pub(crate) fn name_of(folder: &Path) -> Result<String, CliError> {
    let real = folder.canonicalize().map_err(|error| store::cannot("read", folder, &error))?;
    let mut names = real.iter().rev().filter_map(OsStr::to_str);
    let time = names.next().unwrap_or("run");
    Ok(names.next().map_or_else(|| time.to_owned(), |test| format!("{test}-{time}")))
}

fn find(root: &Path, below: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), CliError> {
    let folder = root.join(below);
    let cannot = |error| store::cannot("read", &folder, &error);
    for entry in fs::read_dir(&folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let kind = entry.file_type().map_err(cannot)?;
        let path = below.join(entry.file_name());
        if kind.is_dir() && entry.file_name() != DATA {
            find(root, &path, files)?;
        } else if kind.is_file() {
            files.insert(path);
        }
    }
    Ok(())
}

fn write(out: File, folder: &Path, name: &Path, files: &BTreeSet<PathBuf>) -> io::Result<()> {
    let mut archive = Builder::new(GzEncoder::new(BufWriter::new(out), Compression::default()));
    for path in files {
        let mut file = File::open(folder.join(path))?;
        let mut header = Header::new_gnu();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o644);
        header.set_entry_type(EntryType::Regular);
        archive.append_data(&mut header, name.join(path), &mut file)?;
    }
    archive.into_inner()?.finish()?.into_inner()?.sync_all()
}

/// A run at a path, or at the place where it was unpacked for as long as this lives.
pub(crate) struct Opened {
    path: PathBuf,
    /// Removed when it is dropped.
    _unpacked: Option<TempDir>,
}

impl Opened {
    /// Unpacks a packed run; leaves everything else as it is.
    pub(crate) fn at(path: &Path) -> Result<Self, CliError> {
        if !is_packed(path) {
            return Ok(Self { path: path.to_owned(), _unpacked: None });
        }
        let folder = tempfile::Builder::new()
            .prefix("quorate-")
            .tempdir()
            .map_err(|error| store::cannot("make a folder in", &std::env::temp_dir(), &error))?;
        unpack(path, folder.path())?;
        let run = run_in(folder.path())
            .ok_or_else(|| wrong(path, &format_args!("it holds no {}", store::HISTORY)))?;
        Ok(Self { path: run, _unpacked: Some(folder) })
    }

    /// Where the run is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> CliError {
    CliError::damaged(format_args!("{} is no packed run: {why}", path.display()))
        .hint("`quorate pack` makes one of a run's folder")
}

fn unpack(path: &Path, into: &Path) -> Result<(), CliError> {
    let file = regular::open(path).map_err(|error| regular::cannot_read(path, &error))?;
    // What is left of the stream is read as well: only its end has the checksum.
    let mut stream = GzDecoder::new(BufReader::new(file)).take(UNPACKED_MAX);
    let mut archive = Archive::new(&mut stream);
    for entry in archive.entries().map_err(|error| wrong(path, &error))? {
        let mut entry = entry.map_err(|error| wrong(path, &error))?;
        let name = entry.path().map_err(|error| wrong(path, &error))?.into_owned();
        let is_plain = entry.header().entry_type() == EntryType::Regular
            && name.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain {
            let why = format_args!("it holds {}, which is no plain file", name.display());
            return Err(wrong(path, &why));
        }
        let to = into.join(&name);
        let folder = to.parent().unwrap_or(into);
        fs::create_dir_all(folder).map_err(|error| store::cannot("make", folder, &error))?;
        let mut made = File::create_new(&to).map_err(|error| {
            wrong(path, &format_args!("it holds {} twice ({error})", name.display()))
        })?;
        copy(&mut entry, &mut made)
            .map_err(|error| store::cannot("write", &to, &error))?
            .map_err(|error| wrong(path, &error))?;
    }
    copy(&mut stream, &mut io::sink())
        .map_err(|error| store::cannot("read", path, &error))?
        .map_err(|error| wrong(path, &error))?;
    if stream.limit() == 0 {
        let why = format_args!("it is larger than {} GiB when it is unpacked", UNPACKED_MAX >> 30);
        return Err(wrong(path, &why));
    }
    let mut behind = stream.into_inner().into_inner();
    match behind.fill_buf() {
        Ok([]) => Ok(()),
        Ok(_) => Err(wrong(path, &"something follows its end")),
        Err(error) => Err(regular::cannot_read(path, &error)),
    }
}

/// Copies all there is; the inner error is one of reading, the outer one of writing.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<io::Result<()>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(count) => to.write_all(buffer.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// The folder itself or the only one in it, whichever has a history.
fn run_in(folder: &Path) -> Option<PathBuf> {
    let inner = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut places = std::iter::once(folder.to_owned()).chain(inner);
    places.find(|place| place.join(store::HISTORY).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run's folder with a history and what a node took in.
    fn run(store: &Path) -> PathBuf {
        let run = store.join("test").join("2026");
        fs::create_dir_all(run.join("nodes/n0/data")).unwrap();
        fs::write(run.join("history.jsonl"), "history").unwrap();
        fs::write(run.join("nodes/n0/inputs.log"), "inputs").unwrap();
        fs::write(run.join("nodes/n0/data/wal"), "records").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", run.join("link")).unwrap();
        run
    }

    fn packed() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run.tar.gz");
        assert_eq!(pack(&run(folder.path()), &out).unwrap(), 2);
        (folder, out)
    }

    fn complaint(path: &Path) -> String {
        Opened::at(path).err().unwrap().message().to_owned()
    }

    #[test]
    fn what_is_packed_is_unpacked_and_gone_afterwards() {
        let (_folder, out) = packed();
        let opened = Opened::at(&out).unwrap();
        let run = opened.path().to_owned();
        assert!(run.ends_with("test-2026"), "{}", run.display());
        assert_eq!(fs::read_to_string(run.join("history.jsonl")).unwrap(), "history");
        assert_eq!(fs::read_to_string(run.join("nodes/n0/inputs.log")).unwrap(), "inputs");
        assert!(!run.join("nodes/n0/data").exists() && !run.join("link").exists());
        drop(opened);
        assert!(!run.exists());
    }

    #[test]
    fn equal_runs_are_packed_to_equal_bytes_and_nothing_is_written_over() {
        let (one, out) = packed();
        let (_two, other) = packed();
        assert_eq!(fs::read(&out).unwrap(), fs::read(&other).unwrap());
        let refused = pack(&one.path().join("test/2026"), &out).unwrap_err();
        assert!(refused.message().ends_with("run.tar.gz is there already"));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let (folder, out) = packed();
        let bytes = fs::read(&out).unwrap();
        let damaged = folder.path().join("damaged.tar.gz");
        for len in 0..bytes.len() {
            fs::write(&damaged, &bytes[..len]).unwrap();
            assert!(complaint(&damaged).contains("is no packed run: "), "{len}");
        }
        // The first ten bytes are the header of gzip, most of which nobody needs.
        let mut harmless = 0;
        for bit in (80..bytes.len() * 8).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&damaged, &bytes).unwrap();
            match Opened::at(&damaged) {
                Err(error) => assert!(error.message().contains("is no packed run: "), "{bit}"),
                // A few bits fill up a byte and say nothing.
                Ok(opened) => {
                    harmless += 1;
                    let read = |file| fs::read_to_string(opened.path().join(file)).unwrap();
                    assert_eq!(
                        read("history.jsonl") + &read("nodes/n0/inputs.log"),
                        "historyinputs"
                    );
                }
            }
        }
        assert!(harmless < 8, "{harmless}");
    }

    #[test]
    fn whatever_follows_is_refused() {
        let (folder, out) = packed();
        let bytes = fs::read(&out).unwrap();
        let longer = folder.path().join("longer.tar.gz");
        for more in [&b"\0"[..], b"junk", &bytes] {
            fs::write(&longer, [&bytes, more].concat()).unwrap();
            let told = complaint(&longer);
            assert!(told.ends_with("is no packed run: something follows its end"), "{told}");
        }
    }

    #[test]
    fn an_archive_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("other.tar.gz");
        let archive = |put: &dyn Fn(&mut Builder<GzEncoder<File>>)| {
            let file = File::create(&out).unwrap();
            let mut archive = Builder::new(GzEncoder::new(file, Compression::fast()));
            put(&mut archive);
            archive.into_inner().unwrap().finish().unwrap();
            complaint(&out)
        };
        let entry = |archive: &mut Builder<GzEncoder<File>>, kind: EntryType, name: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name);
            header.set_size(0);
            header.set_cksum();
            archive.append(&header, io::empty()).unwrap();
        };
        assert!(archive(&|_| {}).contains("it holds no history.jsonl"));
        let escaped = archive(&|archive| entry(archive, EntryType::Regular, b"../escaped"));
        assert!(escaped.contains("it holds ../escaped, which is no plain file"), "{escaped}");
        let root = archive(&|archive| entry(archive, EntryType::Regular, b"/escaped"));
        assert!(root.contains("which is no plain file"), "{root}");
        let link = archive(&|archive| entry(archive, EntryType::Symlink, b"history.jsonl"));
        assert!(link.contains("it holds history.jsonl, which is no plain file"), "{link}");
        let twice = archive(&|archive| {
            entry(archive, EntryType::Regular, b"history.jsonl");
            entry(archive, EntryType::Regular, b"history.jsonl");
        });
        assert!(twice.contains("it holds history.jsonl twice"), "{twice}");
    }
}
