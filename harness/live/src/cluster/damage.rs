//! One flipped bit on a node's disk, and how it is put right again.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use quorate_systems::wal::{Found, RECORD_HEADER_LEN, scan};

use crate::node::record_files;

/// A bit that was flipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flipped {
    file: PathBuf,
    offset: u64,
    mask: u8,
}

impl Flipped {
    /// Flips one bit inside a record of the newest file in the folder `data` that holds any: `draw` says
    /// which. `None` where nothing has been written yet.
    pub(crate) fn somewhere(data: &Path, draw: u64) -> io::Result<Option<Self>> {
        for file in record_files(data)?.into_iter().rev() {
            let bytes = fs::read(&file)?;
            let Some(offset) = inside_a_record(&bytes, draw) else { continue };
            let flipped = Self { file, offset, mask: 1 << (draw % 8) };
            flipped.flip()?;
            return Ok(Some(flipped));
        }
        Ok(None)
    }

    /// Flips it, or flips it back.
    pub(crate) fn flip(&self) -> io::Result<()> {
        let file = fs::File::options().read(true).write(true).open(&self.file)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.offset)?;
        let [value] = byte;
        file.write_all_at(&[value ^ self.mask], self.offset)?;
        file.sync_all()
    }

    /// The file, without its folder, and the byte: for people.
    pub(crate) fn place(&self) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}, byte {}", self.offset)
    }
}

/// A byte of the payload of some intact record.
fn inside_a_record(bytes: &[u8], draw: u64) -> Option<u64> {
    let places: Vec<(usize, usize)> = scan(bytes)
        .found
        .iter()
        .filter_map(|found| match found {
            Found::Intact { offset, payload } if !payload.is_empty() => {
                Some((offset + RECORD_HEADER_LEN, payload.len()))
            }
            Found::Intact { .. } | Found::Corrupt { .. } => None,
        })
        .collect();
    let draw = usize::try_from(draw >> 8).ok()?;
    let (start, len) = *places.get(draw.checked_rem(places.len())?)?;
    u64::try_from(start + (draw >> 16) % len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_systems::wal::append;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_flipped_bit_is_inside_a_record_and_is_put_right_again() {
        let folder = folder();
        let mut log = Vec::new();
        for number in 0..20_u64 {
            append(&mut log, &(number, "payload")).unwrap();
        }
        let file = folder.path().join("log-000003");
        for draw in (0..2_000).map(|n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            fs::write(&file, &log).unwrap();
            let flipped = Flipped::somewhere(folder.path(), draw).unwrap().unwrap();
            let damaged = fs::read(&file).unwrap();
            let bad =
                scan(&damaged).found.iter().filter(|f| matches!(f, Found::Corrupt { .. })).count();
            assert_eq!(bad, 1, "{}", flipped.place());
            flipped.flip().unwrap();
            assert_eq!(fs::read(&file).unwrap(), log);
        }
    }

    #[test]
    fn where_nothing_was_written_nothing_is_flipped() {
        let folder = folder();
        assert_eq!(Flipped::somewhere(folder.path(), 7).unwrap(), None);
        fs::write(folder.path().join("incarnation"), "1").unwrap();
        assert_eq!(Flipped::somewhere(folder.path(), 7).unwrap(), None);
        assert_eq!(fs::read(folder.path().join("incarnation")).unwrap(), b"1");
    }
}
