//! Drawing.

use crate::contract::Dice;

/// One of these, each as likely as its weight says; the weights are not all 0.
pub(crate) fn pick<T: Copy>(dice: &mut Dice<'_>, choices: &[(u64, T)]) -> T {
    let mut rest = dice(choices.iter().map(|(weight, _)| weight).sum());
    for (weight, choice) in choices {
        if rest < *weight {
            return *choice;
        }
        rest -= weight;
    }
    unreachable!("the dice is below the sum of the weights")
}
