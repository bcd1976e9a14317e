//! A text that grows.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashSet;

/// What a key holds. It is hashed by a fingerprint that is kept beside it, and compared as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    fingerprint: u128,
    content: Arc<str>,
}

impl Text {
    pub(super) fn new(content: &str) -> Self {
        Self { fingerprint: fingerprint(EMPTY, content), content: Arc::from(content) }
    }

    /// The text with this after it.
    pub(super) fn append(&self, end: &str) -> Self {
        let content = [&self.content, end].concat();
        Self { fingerprint: fingerprint(self.fingerprint, end), content: Arc::from(content) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.content
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.fingerprint);
    }
}

/// Goes on with a fingerprint over more bytes (FNV-1a of 128 bits, `RFC 9923`).
fn fingerprint(begun: u128, bytes: &str) -> u128 {
    bytes.bytes().fold(begun, |print, byte| (print ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// The fingerprint of nothing.
const EMPTY: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

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
