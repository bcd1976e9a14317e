//! Signatures that were verified before.

use alloc::collections::BTreeSet;

/// So many are remembered before the older ones are forgotten: a certificate for each sequence number between the
/// watermarks, of seven replicas, has fewer. Twice as many take a megabyte.
const YOUNG_MAX: usize = 8_192;

/// Remembers signatures that were found to be right, the latest ones.
///
/// A replica meets the same signature many times: in a PREPARE, in the certificate of each VIEW-CHANGE that claims
/// the batch, and in each NEW-VIEW that such a VIEW-CHANGE stands in. To verify all of them anew would take seconds where a
/// checkpoint is far away, and its timers would end first.
#[derive(Debug, Default)]
pub(super) struct Verified {
    young: BTreeSet<Mark>,
    old: BTreeSet<Mark>,
}

/// A SHA-256 of what was signed, by whom, and of the signature: nobody can make another signature look like it.
pub(super) type Mark = [u8; 32];

impl Verified {
    /// Whether it was verified lately.
    pub(super) fn has(&mut self, mark: &Mark) -> bool {
        if self.young.contains(mark) {
            return true;
        }
        let is_old = self.old.contains(mark);
        if is_old {
            self.add(*mark);
        }
        is_old
    }

    /// It is verified.
    pub(super) fn add(&mut self, mark: Mark) {
        if self.young.len() >= YOUNG_MAX {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: usize) -> Mark {
        let mut mark = [0; 32];
        mark.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        mark
    }

    #[test]
    fn what_is_met_again_stays_and_the_rest_is_forgotten_in_time() {
        let mut verified = Verified::default();
        assert!(!verified.has(&mark(0)));
        for number in 0..4 * YOUNG_MAX {
            verified.add(mark(number));
            assert!(verified.has(&mark(0)), "{number}");
        }
        assert!(!verified.has(&mark(1)));
        assert!(verified.has(&mark(4 * YOUNG_MAX - 1)));
        assert!(verified.young.len() + verified.old.len() <= 2 * YOUNG_MAX);
    }
}
