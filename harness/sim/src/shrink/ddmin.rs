//! Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), by
//! complements only.

/// The items that are left when no single one can be taken out any more: for each fewer `fails` was asked, and
/// said no. `fails` is true for a list for which what is looked for still happens; it is never asked about the
/// whole list.
pub(super) fn ddmin<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if items.is_empty() || fails(&[]) {
        return Vec::new();
    }
    let mut size = items.len().div_ceil(2);
    loop {
        let is_shorter = one_round(&mut items, size, &mut fails);
        if size == 1 && !is_shorter {
            return items;
        }
        // As long as single ones go, others may go that could not before.
        size = size.div_ceil(2).min(items.len().div_ceil(2)).max(1);
    }
}

/// Takes out one piece of this size after the other, from the end: what comes late matters least.
fn one_round<T: Clone>(
    items: &mut Vec<T>,
    size: usize,
    fails: &mut impl FnMut(&[T]) -> bool,
) -> bool {
    let before = items.len();
    let mut end = items.len();
    while end > 0 {
        let start = end.saturating_sub(size);
        if end - start < items.len() {
            let kept = items.iter().take(start).chain(items.iter().skip(end));
            let kept: Vec<T> = kept.cloned().collect();
            if fails(&kept) {
                *items = kept;
            }
        }
        end = start;
    }
    items.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of so many numbers, where all of `needed` must be there; and how often was asked.
    fn check(count: u32, needed: &[u32]) -> (Vec<u32>, u32) {
        let mut asked = 0;
        let left = ddmin((0..count).collect(), |items| {
            asked += 1;
            assert!(items.len() < count as usize, "it is known of the whole list");
            needed.iter().all(|number| items.contains(number))
        });
        (left, asked)
    }

    #[test]
    fn what_is_needed_is_left_in_its_order() {
        assert_eq!(check(100, &[3, 70, 71]).0, [3, 70, 71]);
        assert_eq!(check(8, &[0]).0, [0]);
        assert_eq!(check(5, &[0, 1, 2, 3, 4]).0, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn where_nothing_is_needed_one_question_is_enough() {
        assert_eq!(check(100, &[]), (Vec::new(), 1));
        let nothing = ddmin(Vec::<u8>::new(), |_| unreachable!("there is nothing to ask"));
        assert!(nothing.is_empty());
    }

    #[test]
    fn few_needed_ones_among_many_are_found_soon() {
        let (left, asked) = check(1_000, &[500]);
        assert_eq!(left, [500]);
        assert!(asked < 60, "{asked} questions");
    }

    #[test]
    fn no_single_one_can_be_taken_out_of_what_is_left() {
        // One of 2 and 3 suffices, and 7 is only needed with 2.
        let fails =
            |items: &[u32]| items.contains(&3) || (items.contains(&2) && items.contains(&7));
        let left = ddmin((0..10).collect(), fails);
        for place in 0..left.len() {
            let mut fewer = left.clone();
            fewer.remove(place);
            assert!(!fails(&fewer), "{left:?} without the one at {place}");
        }
    }
}
