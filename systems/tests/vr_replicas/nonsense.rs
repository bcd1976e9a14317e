//! Nothing that anybody sends stops a replica or a client.

use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Effect, Incarnation, Input,
    LocalTime, NodeId, Outbox, Replica, Start, TimerId,
};
use quorate_systems::smr::{RequestNumber, Slot};
use quorate_systems::vr::{Config, Message, Observation, Status, View, VrClient, VrReplica};

use crate::configure;
use crate::dice::Dice;
use crate::logs::keyring;
use crate::messages::KINDS;
use crate::support::read;

/// What a replica has told of itself in a storm of nonsense.
#[derive(Default)]
struct Told {
    view: View,
    /// The op-number of the last entry.
    last: Slot,
    statuses: Vec<Status>,
    committed: u64,
    led: u64,
    adopted: u64,
}

impl Told {
    fn take(&mut self, observation: &Observation) {
        match observation {
            Observation::Status { status, view, .. } => {
                self.view = *view;
                self.statuses.push(*status);
            }
            Observation::Appended { op, .. } => self.last = *op,
            Observation::Committed { .. } => self.committed += 1,
            Observation::ViewStarted { .. } => self.led += 1,
            Observation::Adopted { .. } => self.adopted += 1,
            _ => {}
        }
    }
}

fn drawn(dice: &mut Dice) -> Config {
    let sets: [&[(&str, &str)]; 6] = [
        &[],
        &[("replies", "prepare")],
        &[("reads", "lease"), ("lease_ms", "1")],
        &[("witnesses", "yes")],
        &[("persistence", "crash-vector")],
        &[("persistence", "durable-view"), ("replies", "prepare")],
    ];
    let set = sets.get(usize::try_from(dice.below(6)).unwrap()).unwrap();
    let small = [("window", "2"), ("checkpoint_every", "2")];
    let options: Vec<_> = set.iter().chain(&small).copied().collect();
    configure(3, &options).unwrap()
}

/// Messages are not all nonsense: most are of the replica's own view or the next, and of its primary.
#[test]
fn nothing_that_anybody_sends_stops_a_replica() {
    let mut told = Told::default();
    for seed in 0..6_000 {
        let mut dice = Dice(seed);
        let mut out = Outbox::default();
        let (me, config) = (dice.node(), drawn(&mut dice));
        let incarnation = Incarnation(1 + dice.below(2));
        let (keys, now) = (keyring(), LocalTime(0));
        let start = Start { me, incarnation, config, keys, entropy: 0, now, records: Vec::new() };
        let mut replica = VrReplica::start(start, &mut out).unwrap();
        (told.view, told.last) = (View::FIRST, Slot::ZERO);
        let mut own = Vec::new();
        for step in 0..60 {
            for effect in out.drain() {
                match effect {
                    Effect::Observe(observation) => told.take(&observation),
                    Effect::Send { to, message, .. } if to == me => own.push(message),
                    _ => {}
                }
            }
            let view = match dice.below(6) {
                0 => dice.view(),
                1 => told.view.next(),
                _ => told.view,
            };
            let input = match (own.pop(), dice.below(5)) {
                (Some(message), _) => Input::Message { from: me, message },
                (None, 0) => Input::Timer(TimerId(dice.below(5))),
                (None, 1) => {
                    let kind = dice.below(2);
                    Input::Request { client: ClientId(1), message: dice.message(kind, view) }
                }
                (None, _) => {
                    let kind = dice.below(KINDS);
                    let leader = NodeId(u16::try_from(view.number % 3).unwrap());
                    let from = if dice.below(2) == 0 { leader } else { dice.node() };
                    let message = fitting(dice.message(kind, view), told.last, dice.below(3) > 0);
                    Input::Message { from, message }
                }
            };
            replica.step(LocalTime(step * 20_000), input, &mut out);
            replica.checkpoint();
        }
    }
    assert!(told.committed > 200 && told.led > 200 && told.adopted > 1_000, "{}", told.summary());
    for status in [
        Status::Normal,
        Status::ViewChange,
        Status::Recovering,
        Status::StateTransfer,
        Status::Transitioning,
        Status::Outside,
    ] {
        assert!(told.statuses.contains(&status), "{status:?}");
    }
}

/// The message, if it `is_meant`, as one that goes on where the replica's log ends.
fn fitting(mut message: Message, last: Slot, is_meant: bool) -> Message {
    match &mut message {
        Message::PrepareOk { op, .. } if is_meant => *op = last,
        Message::Prepare { op, commit, .. } if is_meant => (*op, *commit) = (last.next(), last),
        _ => {}
    }
    message
}

impl Told {
    fn summary(&self) -> String {
        format!("{} committed, {} led, {} adopted", self.committed, self.led, self.adopted)
    }
}

#[test]
fn nothing_that_anybody_sends_stops_a_client() {
    let mut completed = 0;
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let config = drawn(&mut dice);
        let (me, incarnation, keys) = (ClientId(1), Incarnation(1), keyring());
        let mut client = VrClient::start(ClientStart { me, incarnation, config, keys, entropy: 0 });
        let mut effects = Vec::new();
        client.step(LocalTime(0), ClientInput::Invoke(read(1)), &mut effects);
        for step in 1..40 {
            let input = if dice.below(6) == 0 {
                ClientInput::Timer(TimerId(0))
            } else {
                let (from, kind) = (dice.node(), dice.below(8));
                let view = View { epoch: 0, number: dice.below(3) };
                let mut message = dice.message(kind, view);
                if let Message::Reply { op, number, .. } = &mut message {
                    *op = Slot(dice.below(2));
                    *number = RequestNumber { incarnation: Incarnation(1), seq: 1 };
                }
                ClientInput::Message { from, message }
            };
            client.step(LocalTime(step * 20_000), input, &mut effects);
        }
        let ends = effects.iter().filter(|effect| matches!(effect, ClientEffect::Complete(_)));
        let ends = ends.count();
        assert!(ends <= 1, "an operation ends once");
        completed += ends;
    }
    assert!(completed > 1_000, "{completed} operations ended");
}
