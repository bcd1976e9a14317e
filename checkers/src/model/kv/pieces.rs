//! Takes contents apart into the texts that they were made of.

use super::KvOp;
use crate::model::Span;

/// All texts that are put or appended, and the initial one unless it is empty, in order; none begins with another one, so
/// whatever they make can be taken apart in one way only.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    texts: Vec<Piece<'a>>,
}

/// A text, and what is done with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) is_initial: bool,
    pub(super) puts: u32,
    pub(super) appends: u32,
    /// Whether an append of it may have come before all puts.
    pub(super) is_first: bool,
}

impl<'a> Pieces<'a> {
    /// `None` if a text is empty or begins with another one.
    pub(super) fn new(initial: &'a str, ops: &'a [KvOp], spans: &[Span]) -> Option<Self> {
        let puts = ops.iter().zip(spans).filter(|(op, _)| matches!(op, KvOp::Put(_)));
        let put = puts.filter_map(|(_, span)| span.end).min();
        let is_first = |span: &Span| put.is_none_or(|put| span.call < put);
        let written = ops.iter().zip(spans).filter_map(|(op, span)| match op {
            KvOp::Get(_) => None,
            KvOp::Put(text) => Some(Piece { text: text.as_str(), puts: 1, ..Piece::default() }),
            KvOp::Append(text) => {
                let is_first = is_first(span);
                Some(Piece { text, appends: 1, is_first, ..Piece::default() })
            }
        });
        let first = Piece { text: initial, is_initial: true, ..Piece::default() };
        let first = Some(first).filter(|_| !initial.is_empty());
        let mut texts: Vec<Piece<'_>> = first.into_iter().chain(written).collect();
        texts.sort_unstable_by_key(|piece| piece.text);
        texts.dedup_by(|other, kept| {
            let is_same = other.text == kept.text;
            if is_same {
                kept.is_initial |= other.is_initial;
                kept.puts += other.puts;
                kept.appends += other.appends;
                kept.is_first |= other.is_first;
            }
            is_same
        });
        // Between a text and one that begins with it only others stand that do so too.
        let is_begun = texts.windows(2).any(|pair| match pair {
            [one, next] => next.text.starts_with(one.text),
            _ => false,
        });
        let has_empty = texts.first().is_some_and(|piece| piece.text.is_empty());
        (!is_begun && !has_empty).then_some(Self { texts })
    }

    /// Each of them, by place.
    pub(super) fn all(&self) -> &[Piece<'a>] {
        &self.texts
    }

    /// The place of a text that is one of them.
    pub(super) fn place(&self, text: &str) -> Option<usize> {
        self.texts.binary_search_by_key(&text, |piece| piece.text).ok()
    }

    /// The one that `content` begins with, and its place.
    pub(super) fn beginning(&self, content: &str) -> Option<(usize, Piece<'a>)> {
        // A text that is not greater and begins `content` is the last one that is not greater.
        let after = self.texts.partition_point(|piece| piece.text <= content);
        let place = after.checked_sub(1)?;
        let piece = *self.texts.get(place)?;
        content.starts_with(piece.text).then_some((place, piece))
    }
}
