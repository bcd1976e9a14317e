//! How far a replica's log has reached in each view.

use quorate_systems::smr::Slot;
use quorate_systems::vr::View;

/// The last op-number that it has had in the log of a view, for the highest views that it was in: at most
/// [`VIEWS_MAX`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    /// Sorted by view.
    views: [(View, Slot); VIEWS_MAX],
    count: usize,
    /// Whether a view was forgotten.
    is_partial: bool,
}

const VIEWS_MAX: usize = 8;

impl Reach {
    /// In the log of `view` it has all up to `op`.
    pub(super) fn raise(&mut self, view: View, op: Slot) {
        let known = self.views.get_mut(..self.count).unwrap_or_default();
        if let Some((last, reached)) = known.last_mut()
            && *last == view
        {
            *reached = op.max(*reached);
            return;
        }
        match known.binary_search_by_key(&view, |(view, _)| *view) {
            Ok(place) => {
                if let Some((_, reached)) = known.get_mut(place) {
                    *reached = op.max(*reached);
                }
            }
            Err(place) => self.insert(place, (view, op)),
        }
    }

    fn insert(&mut self, mut place: usize, entry: (View, Slot)) {
        if self.count == VIEWS_MAX {
            self.is_partial = true;
            if place == 0 {
                return;
            }
            self.views.rotate_left(1);
            self.count -= 1;
            place -= 1;
        }
        self.count += 1;
        if let Some(views) = self.views.get_mut(place..self.count) {
            views.rotate_right(1);
        }
        if let Some(free) = self.views.get_mut(place) {
            *free = entry;
        }
    }

    /// Up to where it has had the log of `view`: nothing where that is forgotten.
    pub(super) fn get(&self, view: View) -> Option<Slot> {
        let known = self.views.get(..self.count).unwrap_or_default();
        if let Some((_, op)) = known.iter().rev().find(|(known, _)| *known == view) {
            return Some(*op);
        }
        let is_forgotten = self.is_partial && known.first().is_none_or(|(low, _)| view < *low);
        (!is_forgotten).then_some(Slot::ZERO)
    }

    /// Whether it has never had `op` in the log of `view`, for certain.
    pub(super) fn lacks(&self, view: View, op: Slot) -> bool {
        self.get(view).is_some_and(|reached| reached < op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(number: u64) -> View {
        View { epoch: 0, number }
    }

    #[test]
    fn the_lowest_views_are_forgotten_first() {
        let mut reach = Reach::default();
        for number in (1..=VIEWS_MAX as u64).rev() {
            reach.raise(view(2 * number), Slot(number));
        }
        reach.raise(view(4), Slot(1));
        assert_eq!(reach.get(view(4)), Some(Slot(2)), "it never gets lower");
        assert!(reach.lacks(view(3), Slot(1)) && reach.lacks(view(1), Slot(1)));
        reach.raise(view(5), Slot(9));
        assert_eq!((reach.get(view(2)), reach.get(view(5))), (None, Some(Slot(9))));
        reach.raise(view(1), Slot(9));
        assert!(!reach.lacks(view(1), Slot(100)) && reach.lacks(view(5), Slot(10)));
        assert_eq!(reach.get(view(2 * VIEWS_MAX as u64)), Some(Slot(VIEWS_MAX as u64)));
    }
}
