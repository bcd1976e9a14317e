//! A Byzantine replica: a real one, whose words are changed on their way out.

use quorate_systems::contract::{Lie, System};

use crate::weather;

/// Stands between a replica and everybody else. It does not touch what the replica says to itself: a liar
/// knows the truth.
#[derive(Debug)]
pub struct Liar<S: System> {
    config: S::Config,
    seed: u64,
    behaviour: Option<Lie>,
    told: u64,
    lies: u64,
}

impl<S: System> Liar<S> {
    /// An honest replica, whose later lies are drawn from `seed`.
    pub const fn new(config: S::Config, seed: u64) -> Self {
        Self { config, seed, behaviour: None, told: 0, lies: 0 }
    }

    /// Lies so from now on, or no more.
    pub const fn set(&mut self, behaviour: Option<Lie>) {
        self.behaviour = behaviour;
    }

    /// What leaves the node in place of `message`; `None`: nothing does.
    pub fn tell(&mut self, message: S::Message) -> Option<S::Message> {
        let Some(behaviour) = self.behaviour else { return Some(message) };
        self.told += 1;
        let draw = weather::draw(self.seed, "lie", &[self.told]);
        let told = S::lie(&self.config, behaviour, &message, draw);
        self.lies += u64::from(told.as_ref() != Some(&message));
        told
    }

    /// How many messages were changed or withheld so far.
    pub const fn lies(&self) -> u64 {
        self.lies
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quorate_systems::mutant::Mutants;
    use quorate_systems::quorum::Quorum;

    use super::*;
    use crate::samples;

    fn liar() -> Liar<Quorum> {
        let config = Quorum::configure(3, &BTreeMap::new(), Mutants::NONE).unwrap();
        Liar::new(config, 1)
    }

    #[test]
    fn an_honest_replica_says_what_it_means() {
        let mut liar = liar();
        assert_eq!(liar.tell(samples::message(1)), Some(samples::message(1)));
        assert_eq!(liar.lies(), 0);
    }

    #[test]
    fn a_silent_one_says_nothing_until_it_is_told_to_stop() {
        let mut liar = liar();
        liar.set(Some(Lie::Silent));
        assert_eq!(liar.tell(samples::message(1)), None);
        assert_eq!(liar.lies(), 1);
        liar.set(None);
        assert_eq!(liar.tell(samples::message(2)), Some(samples::message(2)));
        assert_eq!(liar.lies(), 1);
    }
}
