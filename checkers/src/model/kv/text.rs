//! A text that grows.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashSet;

/// What a key holds. It is hashed by a number that is kept beside it, and compared as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    hash: u64,
    content: Arc<str>,
}

impl Text {
    pub(super) fn new(content: &str) -> Self {
        Self { hash: hash(0, content), content: Arc::from(content) }
    }

    /// The text with this after it.
    pub(super) fn append(&self, end: &str) -> Self {
        let content = [&self.content, end].concat();
        Self { hash: hash(self.hash, end), content: Arc::from(content) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.content
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Goes on with a hash over more bytes: a polynomial of them (Karp and Rabin 1987), so it does not matter in how many
/// pieces they come. Eight at a time do not wait for one another.
fn hash(begun: u64, bytes: &str) -> u64 {
    let (eights, rest) = bytes.as_bytes().as_chunks::<8>();
    let eight = |hash: u64, eight: &[u8; 8]| {
        let terms = eight.iter().zip(POWERS).map(|(byte, power)| power.wrapping_mul(term(*byte)));
        terms.fold(hash.wrapping_mul(POWER_OF_EIGHT), u64::wrapping_add)
    };
    let one = |hash: u64, byte: &u8| hash.wrapping_mul(BASE).wrapping_add(term(*byte));
    rest.iter().fold(eights.iter().fold(begun, eight), one)
}

/// A byte as a coefficient: none is 0, so a text of zeros is not like a shorter one.
fn term(byte: u8) -> u64 {
    u64::from(byte) + 1
}

/// Odd and without a pattern (the golden ratio's fraction).
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
/// The powers of it that belong to the eight bytes, the highest one first.
const POWERS: [u64; 8] = [
    BASE.wrapping_pow(7),
    BASE.wrapping_pow(6),
    BASE.wrapping_pow(5),
    BASE.wrapping_pow(4),
    BASE.wrapping_pow(3),
    BASE.wrapping_pow(2),
    BASE,
    1,
];
const POWER_OF_EIGHT: u64 = BASE.wrapping_pow(8);

/// A text for people: of a long one the end, where it differs from others.
pub(super) fn shown(text: &str) -> String {
    let count = text.chars().count();
    match text.char_indices().nth(count.saturating_sub(SHOWN_CHARS)) {
        Some((cut, _)) if cut > 0 => {
            format!("\"...{}", text.get(cut..).map_or_else(String::new, quoted_end))
        }
        _ => format!("{text:?}"),
    }
}

fn quoted_end(end: &str) -> String {
    format!("{end:?}").chars().skip(1).collect()
}

/// As much of a text as is read.
const SHOWN_CHARS: usize = 40;

/// How much of a text, from its beginning on, could come from these pieces in some order: the most bytes that a row
/// of them makes after the initial text or after one of them.
pub(super) fn built(text: &str, initial: &str, pieces: &FxHashSet<String>) -> usize {
    let mut reached = vec![false; text.len() + 1];
    let mut most = 0;
    let starts = pieces.iter().map(String::as_str).chain([initial, ""]);
    for start in starts.filter(|start| text.starts_with(start)) {
        reached.get_mut(start.len()).into_iter().for_each(|reached| *reached = true);
    }
    for at in 0..=text.len() {
        let Some(rest) = text.get(at..).filter(|_| reached.get(at) == Some(&true)) else {
            continue;
        };
        most = most.max(at);
        for piece in pieces.iter().filter(|piece| rest.starts_with(piece.as_str())) {
            reached.get_mut(at + piece.len()).into_iter().for_each(|reached| *reached = true);
        }
    }
    most
}
