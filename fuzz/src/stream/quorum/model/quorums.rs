//! Which sets of nodes suffice for what, as sets of bits: said once more, in the words of the definitions.

use quorate_systems::quorum::{Configuration, Construction, Form, GridForm, Purpose, Stage};

/// No cluster changes so often.
const ID_MAX: u32 = 1 << 30;

/// No cluster has more members.
const MEMBERS_MAX: usize = 16;

/// All members of a form.
pub(in crate::stream::quorum) fn members(form: &Form) -> u64 {
    form.members.iter().fold(0, |set, member| set | 1 << member.0)
}

/// All members of a configuration.
pub(in crate::stream::quorum) fn everyone(configuration: &Configuration) -> u64 {
    match &configuration.stage {
        Stage::Stable(form) => members(form),
        Stage::Joint(old, new) => members(old) | members(new),
    }
}

/// Whether `set` suffices in every form of a configuration.
pub(in crate::stream::quorum) fn suffices(
    configuration: &Configuration,
    purpose: Purpose,
    set: u64,
) -> bool {
    match &configuration.stage {
        Stage::Stable(form) => is_quorum(form, purpose, set),
        Stage::Joint(old, new) => is_quorum(old, purpose, set) && is_quorum(new, purpose, set),
    }
}

/// Whether `set` is a quorum of a form. A timestamp quorum is a read quorum.
pub(in crate::stream::quorum) fn is_quorum(form: &Form, purpose: Purpose, set: u64) -> bool {
    let set = set & members(form);
    let (count, all) = (set.count_ones() as usize, form.members.len());
    let is_write = purpose == Purpose::Write;
    match &form.construction {
        Construction::Majority => count > all / 2,
        Construction::Counts { read, write } => {
            count >= usize::from(if is_write { *write } else { *read })
        }
        Construction::Weighted { weights } => {
            let votes = |is_in: &dyn Fn(u16) -> bool| -> u64 {
                let each = form.members.iter().zip(weights);
                each.filter(|(member, _)| is_in(member.0)).map(|(_, votes)| u64::from(*votes)).sum()
            };
            votes(&|member| set >> member & 1 == 1) > votes(&|member| set >> member & 1 == 0)
        }
        Construction::Grid { form: lines, rows, cols } => {
            let grid = Lines { form, set, rows: (*rows).into(), cols: (*cols).into() };
            match (lines, is_write) {
                (GridForm::RowColumn, true) => grid.has_row(),
                (GridForm::RowColumn, false) => grid.has_column(),
                (GridForm::Symmetric, _) => grid.has_row() && grid.has_column(),
                (GridForm::Cover, true) => grid.covers() && grid.has_column(),
                (GridForm::Cover, false) => grid.covers(),
            }
        }
        Construction::Dissemination { b } => 2 * count > all + usize::from(*b),
        Construction::Masking { b } => 2 * count > all + 2 * usize::from(*b),
    }
}

/// A set of members in a grid.
struct Lines<'a> {
    form: &'a Form,
    set: u64,
    rows: usize,
    cols: usize,
}

impl Lines<'_> {
    fn holds(&self, row: usize, col: usize) -> bool {
        let member = self.form.members.get(row * self.cols + col);
        member.is_some_and(|member| self.set >> member.0 & 1 == 1)
    }

    fn has_row(&self) -> bool {
        (0..self.rows).any(|row| (0..self.cols).all(|col| self.holds(row, col)))
    }

    fn has_column(&self) -> bool {
        (0..self.cols).any(|col| (0..self.rows).all(|row| self.holds(row, col)))
    }

    fn covers(&self) -> bool {
        (0..self.cols).all(|col| (0..self.rows).any(|row| self.holds(row, col)))
    }
}

/// Whether a configuration can be one in a cluster of `nodes`: even ids are stable, odd ones joint.
pub(in crate::stream::quorum) fn is_sound(configuration: &Configuration, nodes: u16) -> bool {
    let fits = match &configuration.stage {
        Stage::Stable(form) => configuration.id.is_multiple_of(2) && is_form(form, nodes),
        Stage::Joint(old, new) => {
            configuration.id % 2 == 1 && is_form(old, nodes) && is_form(new, nodes)
        }
    };
    fits && configuration.id <= ID_MAX
}

fn is_form(form: &Form, nodes: u16) -> bool {
    let count = form.members.len();
    if count == 0 || count > MEMBERS_MAX || form.members.iter().any(|member| member.0 >= nodes) {
        return false;
    }
    if members(form).count_ones() as usize != count {
        return false;
    }
    match &form.construction {
        Construction::Majority => true,
        Construction::Counts { read, write } => {
            [read, write].iter().all(|size| (1..=count).contains(&usize::from(**size)))
        }
        Construction::Weighted { weights } => {
            weights.len() == count && weights.iter().any(|weight| *weight != 0)
        }
        Construction::Grid { form: _, rows, cols } => {
            usize::from(*rows) * usize::from(*cols) == count
        }
        Construction::Dissemination { b } => count > 3 * usize::from(*b),
        Construction::Masking { b } => count > 4 * usize::from(*b),
    }
}
