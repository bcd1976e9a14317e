//! Files that are read from beginning to end, or standard input; what is compressed is read as it was before.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::regular;

/// Opens a file, or standard input if it is `-`. What gzip or zstd made is recognised by its first bytes.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(regular::open(path)?))
    };
    plain(input)
}

fn plain(mut input: Box<dyn BufRead>) -> io::Result<Box<dyn BufRead>> {
    let head = input.fill_buf()?;
    Ok(if head.starts_with(&GZIP) {
        Box::new(BufReader::new(MultiGzDecoder::new(input)))
    } else if head.starts_with(&ZSTD) || is_skippable(head) {
        Box::new(BufReader::new(Frames::Between(input)))
    } else {
        input
    })
}

/// How files begin that gzip made (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How files begin that zstd made (RFC 8878 §3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether a frame begins here that holds something else, and is to be skipped (RFC 8878 §3.1.2).
fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Skips such a frame: what it is, how long the rest is, the rest.
fn skip(input: &mut impl BufRead) -> io::Result<()> {
    let mut header = [0; 8];
    input.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if io::copy(&mut input.take(length), &mut io::sink())? < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(())
}

/// The frames of a file that zstd made, one after the other: the library knows only single ones.
enum Frames<R: BufRead> {
    Between(R),
    In(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    /// At the end, or after an error.
    Over,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Self::Over) {
                Self::Over => return Ok(0),
                Self::Between(mut input) => {
                    let head = input.fill_buf()?;
                    if head.is_empty() {
                        return Ok(0);
                    }
                    if is_skippable(head) {
                        skip(&mut input)?;
                        *self = Self::Between(input);
                        continue;
                    }
                    let frame = StreamingDecoder::new(input).map_err(io::Error::other)?;
                    *self = Self::In(Box::new(frame));
                }
                Self::In(mut frame) => {
                    let count = frame.read(into)?;
                    if count > 0 || into.is_empty() {
                        *self = Self::In(frame);
                        return Ok(count);
                    }
                    let told = frame.decoder.get_checksum_from_data();
                    if told.is_some() && told != frame.decoder.get_calculated_checksum() {
                        return Err(io::Error::other("the checksum of what zstd made is wrong"));
                    }
                    *self = Self::Between(frame.into_inner());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::plain;

    const TEXT: &[u8] = b"{:process 0, :type :invoke, :f :read}\n";

    fn read(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        plain(Box::new(std::io::Cursor::new(bytes)))?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn gzipped() -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(TEXT).unwrap();
        gzip.finish().unwrap()
    }

    fn zstd() -> Vec<u8> {
        compress_to_vec(TEXT, CompressionLevel::Fastest)
    }

    #[test]
    fn what_is_compressed_is_read_as_it_was_even_in_two_pieces() {
        assert_eq!(read(TEXT.to_vec()).unwrap(), TEXT);
        assert_eq!(read(Vec::new()).unwrap(), b"");
        for compressed in [gzipped(), zstd()] {
            assert_eq!(read(compressed.clone()).unwrap(), TEXT);
            assert_eq!(read(compressed.repeat(2)).unwrap(), TEXT.repeat(2));
        }
    }

    #[test]
    fn frames_that_hold_something_else_are_skipped() {
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        for file in [
            [skipped.clone(), zstd()].concat(),
            [zstd(), skipped.clone()].concat(),
            [skipped.clone(), skipped.clone(), zstd()].concat(),
        ] {
            assert_eq!(read(file).unwrap(), TEXT);
        }
        assert_eq!(read(skipped.clone()).unwrap(), b"");
        for len in 4..skipped.len() {
            assert!(read(skipped[..len].to_vec()).is_err(), "{len} bytes were enough");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_noticed() {
        for compressed in [gzipped(), zstd()] {
            for len in 5..compressed.len() {
                assert!(read(compressed[..len].to_vec()).is_err(), "{len} bytes were enough");
            }
        }
        let mut changed = zstd();
        *changed.last_mut().unwrap() ^= 1;
        assert!(read(changed).is_err());
    }
}
