//! Names that come again and again, kept once.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// The names and short texts that were read so far.
#[derive(Debug, Default)]
pub(super) struct Names(FxHashMap<Arc<str>, Arc<str>>);

impl Names {
    /// The same text, shared with those that were equal to it.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if text.len() > SHARED_BYTES_MAX {
            return Arc::from(text);
        }
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(text);
        if self.0.len() < NAMES_MAX {
            self.0.insert(Arc::clone(&name), Arc::clone(&name));
        }
        name
    }
}

/// Longer texts are hardly ever names.
const SHARED_BYTES_MAX: usize = 32;

/// A history with more names has them from its values, which may all differ.
const NAMES_MAX: usize = 1024;
