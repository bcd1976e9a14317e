//! Epochs of Viewstamped Replication follow each other, whatever order messages, timers and crashes come in: nothing
//! that was written is lost, replicas execute the same history, and in the end everybody is answered.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]

#[path = "support/dice.rs"]
mod dice;
mod support;

use std::collections::BTreeMap;

use dice::Dice;
use quorate_systems::contract::{LocalTime, Options, Outcome, System, TimerId};
use quorate_systems::mutant::Mutants;
use quorate_systems::smr::{Chain, Slot};
use quorate_systems::vr::{Observation, Vr};
use support::{Net, Place, c, n, read, saw, write};

const NODES: u16 = 5;
const WRITER: u32 = 0;
const READER: u32 = 1;
const ADMINISTRATOR: u32 = 2;

struct Run {
    net: Net<Vr>,
    dice: Dice,
    /// What was written last.
    value: u64,
    crashes: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let has_disks = dice.below(3) > 0;
        let options = [
            ("members", "n0,n1,n2"),
            ("persistence", if has_disks { "durable" } else { "durable-view" }),
            ("replies", if dice.below(2) == 0 { "commit" } else { "prepare" }),
            ("checkpoint_every", if dice.below(2) == 0 { "2" } else { "100" }),
        ];
        let net = Net::with(NODES, 3, &options, Mutants::NONE, seed).unwrap();
        Self { net, dice, value: 0, crashes: has_disks }
    }

    fn is_busy(&self, client: u32) -> bool {
        self.net.clients.get(client as usize).unwrap().is_open
    }

    fn node(&mut self) -> u16 {
        u16::try_from(self.dice.below(u64::from(NODES))).unwrap()
    }

    /// One thing happens.
    fn step(&mut self) {
        self.net.now = LocalTime(self.net.now.0 + 5_000);
        if !self.is_busy(WRITER) {
            self.value += 1;
            self.net.invoke(WRITER, write(1, self.value));
        }
        if !self.is_busy(ADMINISTRATOR) && self.dice.below(80) == 0 {
            let change = self.change();
            self.net.reconfigure(ADMINISTRATOR, change);
        }
        match self.dice.below(100) {
            0..75 => self.deliver(),
            75..96 => self.fire(),
            _ if self.crashes => self.turn_off_or_on(),
            _ => {}
        }
    }

    /// Other replicas than those of the beginning.
    fn change(&mut self) -> Options {
        let config = self.net.config.clone();
        let dice = &mut self.dice;
        Vr::draw_change(&config, &mut |bound| dice.below(bound)).unwrap()
    }

    fn deliver(&mut self) {
        let flying = self.net.flying.len() as u64;
        if flying == 0 {
            return;
        }
        // Most often one of the first.
        let bound = if self.dice.below(3) == 0 { flying } else { flying.min(4) };
        let place = usize::try_from(self.dice.below(bound)).unwrap();
        let is_local = self.net.flying.get(place).unwrap().is_local();
        match self.dice.below(20) {
            0 if !is_local => drop(self.net.flying.remove(place)),
            1 if !is_local => {
                let copy = self.net.flying.get(place).unwrap().clone();
                self.net.flying.push(copy);
            }
            _ => self.net.deliver_at(place),
        }
    }

    fn fire(&mut self) {
        let place = match self.dice.below(4) {
            0 => c(u32::try_from(self.dice.below(3)).unwrap()),
            _ => n(self.node()),
        };
        let timer = TimerId(self.dice.below(4));
        // Views change seldom enough to be of use.
        if timer != TimerId(0) || matches!(place, Place::Client(_)) || self.dice.below(8) == 0 {
            self.net.fire_one(place, timer);
        }
    }

    fn turn_off_or_on(&mut self) {
        let node = self.node();
        let down = self.net.nodes.iter().position(|node| node.replica.is_none());
        match down {
            Some(down) => self.net.restart(u16::try_from(down).unwrap()).unwrap(),
            None => self.net.crash(node, 0),
        }
    }

    /// Nothing is lost any more: everybody must be answered.
    fn calm(&mut self) {
        for node in 0..NODES {
            if self.net.nodes.get(usize::from(node)).unwrap().replica.is_none() {
                self.net.restart(node).unwrap();
            }
        }
        for _ in 0..100 {
            self.net.settle();
            let clients = [WRITER, READER, ADMINISTRATOR];
            if clients.iter().all(|client| !self.is_busy(*client)) {
                return;
            }
            self.net.now = LocalTime(self.net.now.0 + 100_000);
            for timer in [1, 2, 3] {
                (0..NODES).for_each(|node| self.net.fire_one(n(node), TimerId(timer)));
                self.net.settle();
            }
            for client in clients {
                self.net.fire(c(client));
            }
            if self.dice.below(4) == 0 {
                (0..NODES).for_each(|node| self.net.fire_one(n(node), TimerId(0)));
            }
        }
    }

    /// What every node has executed at each op-number is the same.
    fn compare(&self) {
        let mut chains: BTreeMap<Slot, Chain> = BTreeMap::new();
        for (place, observation) in &self.net.observations {
            let (Observation::Executed { op, chain, .. }
            | Observation::CheckpointInstalled { index: op, chain, .. }) = observation
            else {
                continue;
            };
            let known = *chains.entry(*op).or_insert(*chain);
            assert_eq!(known, *chain, "{place} has another history up to {op}");
        }
    }
}

/// How many epochs ended in a run.
fn run(seed: u64) -> u64 {
    let mut run = Run::new(seed);
    for _ in 0..900 {
        run.step();
    }
    run.calm();
    assert_eq!(run.net.outcome(WRITER), Some(Outcome::Written), "seed {seed}");
    let is_changed = run.net.outcome(ADMINISTRATOR);
    assert!(!run.is_busy(ADMINISTRATOR), "seed {seed}: the administrator waits");
    assert!(matches!(is_changed, None | Some(Outcome::Reconfigured)), "seed {seed}");
    run.net.invoke(READER, read(1));
    run.calm();
    assert_eq!(run.net.outcome(READER), saw(run.value), "seed {seed}");
    run.compare();
    let ends = run.net.observations.iter().filter_map(|(_, observation)| match observation {
        Observation::EpochEnded { view, .. } => Some(view.epoch),
        _ => None,
    });
    ends.max().unwrap_or(0)
}

/// `SEEDS=1000 cargo test …` goes through more.
#[test]
fn epochs_follow_each_other_whatever_happens() {
    let seeds = std::env::var("SEEDS").map_or(500, |text| text.parse().unwrap());
    let mut epochs = 0;
    for seed in 0..seeds {
        epochs += run(seed);
    }
    assert!(epochs > seeds, "{epochs} epochs in {seeds} runs");
}
