//! Changes of the configuration in a random schedule.

use std::collections::BTreeMap;

use quorate_systems::contract::{Outcome, System};
use quorate_systems::quorum::{Config, Configuration, Epoch, Observation, Quorum, Record};

use super::support::{Net, c};
use super::{CLIENTS, Dice, Run};

/// They come after the other clients, and take turns.
pub(crate) const ADMINISTRATORS: u32 = 2;

/// What is known of the changes of one run.
pub(crate) struct Changes {
    /// Its own, so that the rest of a schedule is the same with changes and without; none without.
    dice: Option<Dice>,
    /// What the last change that was asked for leads to.
    aim: Config,
    /// Who is at work, counted on.
    administrator: u32,
    is_open: bool,
    made: u64,
    epochs: BTreeMap<u32, Epoch>,
    /// The highest joint configuration that was adopted so widely that whoever takes over must hear of it.
    adopted: u32,
}

impl Changes {
    pub(crate) fn new(is_changing: bool, seed: u64, config: &Config) -> Self {
        let initial = Configuration::initial(config.quorums.form().clone());
        Self {
            dice: is_changing.then_some(Dice(!seed)),
            aim: config.clone(),
            administrator: 0,
            is_open: false,
            made: 0,
            epochs: BTreeMap::from([(0, Epoch::new(initial, config.mutants))]),
            adopted: 0,
        }
    }

    /// The configuration with this id, which somebody is in.
    pub(crate) fn epoch(&self, id: u32) -> &Epoch {
        &self.epochs[&id]
    }

    /// An id means one configuration, and what was adopted is on the disks of those who adopted it.
    pub(crate) fn see(&mut self, observation: &Observation, net: &Net<Quorum>) {
        match observation {
            Observation::Configured { configuration, .. } => {
                let known = self
                    .epochs
                    .entry(configuration.id)
                    .or_insert_with(|| Epoch::new((**configuration).clone(), net.config.mutants));
                assert_eq!(known.configuration(), &**configuration, "one meaning for each id");
            }
            Observation::Adopted { configuration, servers } => {
                if configuration % 2 == 1 {
                    self.adopted = self.adopted.max(*configuration);
                }
                let before = configuration.checked_sub(1).expect("the first is never adopted");
                assert!(self.epoch(before).is_met_by(*servers));
                for node in servers.iter().map(|node| &net.nodes[usize::from(node.0)]) {
                    let is_there = |record: &Record| {
                        matches!(record, Record::Configured { configuration: of }
                            if of.id >= *configuration)
                    };
                    assert!(node.durable.iter().any(is_there), "a crash takes it back");
                }
            }
            _ => {}
        }
    }

    fn client(&self) -> u32 {
        CLIENTS + self.administrator % ADMINISTRATORS
    }
}

impl Run {
    /// Perhaps begins a change, or has another administrator take over the one that is under way.
    pub(crate) fn change(&mut self) {
        self.note_change();
        let Some(dice) = &mut self.changes.dice else { return };
        if self.changes.is_open {
            let ids = self.changes.epochs.keys();
            let begun = ids.copied().filter(|id| id % 2 == 1).max();
            if begun == Some(self.changes.adopted) && dice.chance(2) {
                self.replace_administrator();
                self.ask_for_change();
            }
        } else if dice.chance(3) {
            self.ask_for_change();
        }
    }

    fn ask_for_change(&mut self) {
        let Some(dice) = &mut self.changes.dice else { return };
        let mut throw = |bound: u64| dice.next() % bound;
        let Some(options) = Quorum::draw_change(&self.changes.aim, &mut throw) else { return };
        self.changes.aim = Quorum::change(&self.changes.aim, &options).unwrap();
        self.changes.is_open = true;
        self.net.reconfigure(self.changes.client(), options);
    }

    /// The administrator is gone, and what it said does not arrive any more.
    fn replace_administrator(&mut self) {
        let gone = c(self.changes.client());
        self.net.give_up(self.changes.client());
        self.net.lose(|flight| flight.from == gone);
        self.late.retain(|(_, flight)| flight.from != gone);
        self.changes.administrator += 1;
    }

    fn note_change(&mut self) {
        if !self.changes.is_open {
            return;
        }
        let client = usize::try_from(self.changes.client()).unwrap();
        if let Some(outcome) = self.net.clients[client].outcome.take() {
            assert_eq!(outcome, Outcome::Reconfigured);
            self.changes.is_open = false;
            self.changes.made += 1;
        }
    }

    /// Everything works again: a change that is open must end.
    pub(crate) fn end_change(&mut self) {
        for _ in 0..200 {
            self.net.settle();
            self.note_completions();
            self.note_change();
            if !self.changes.is_open {
                return;
            }
            self.fire_all();
        }
        panic!("a change does not end though everything works: {:?}", self.net.ignored);
    }

    pub(crate) fn changes_made(&self) -> u64 {
        self.changes.made
    }
}
