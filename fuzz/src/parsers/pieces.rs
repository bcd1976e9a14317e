//! Inputs that are lists of pieces: what checksums would keep a fuzzer from comes as pieces to be sealed.

/// What an input says of one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// What to make of it.
    pub(super) tag: u8,
    /// Its bytes.
    pub(super) bytes: &'a [u8],
}

/// The pieces of an input: each has a tag, its length and its bytes. The last one may be shorter than it says.
pub(super) fn pieces(mut input: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        let ([tag, len], rest) = input.split_first_chunk::<2>()?;
        let (bytes, behind) = rest.split_at(rest.len().min(usize::from(*len)));
        input = behind;
        Some(Piece { tag: *tag, bytes })
    })
}

/// The input that has such a piece; for seeds. Longer ones than a byte can say are cut.
pub(super) fn piece(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.get(..usize::from(u8::MAX)).unwrap_or(bytes);
    let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[tag, len], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_as_they_were_written() {
        let input = [piece(3, b"abc"), piece(7, b"")].concat();
        let read: Vec<_> = pieces(&input).collect();
        assert_eq!(read, [Piece { tag: 3, bytes: b"abc" }, Piece { tag: 7, bytes: b"" }]);
        let cut: Vec<_> = pieces(&input[..4]).collect();
        assert_eq!(cut, [Piece { tag: 3, bytes: b"ab" }]);
    }
}
