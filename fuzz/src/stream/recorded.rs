//! Inputs that follow the project's own runs: what came to a core in a simulated run is looked for among all that
//! steps can make it hear.
//!
//! Steps say what happens in a few numbers, so that few of a run's messages can be had exactly. The nearest one is
//! taken: of the same kind, from the same sender, with as many of its words as possible.

use quorate_plan::{
    Delay, Durations, Endpoint, Fault, Plan, PlannedFault, SystemPlan, ValueChoice, Weather,
    Workload, WorldKind,
};
use quorate_sim::tape::{Detail, Happened, Tape};
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::contract::Describe as _;

use super::bench::Machine;
use super::step::{STEPS_MAX, Step};
use super::{Cluster, Dice, Streamed, parse};
use crate::commands::{Choice, choice_of, workload};

/// What happened to one core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// It was told something.
    Heard {
        /// By whom.
        from: String,
        /// The message's kind.
        kind: &'static str,
        /// What it said.
        words: Vec<String>,
    },
    /// It died and came up again.
    Died,
    /// It was asked for an operation.
    Asked(Dice),
}

/// So many clients: fewer than have keys.
const RUN_CLIENTS: u32 = 3;

/// A short run of this cluster in which the node `me` dies once. Two keys, few values, as streams have them.
pub(super) fn run<S: Streamed>(cluster: &Cluster<S>, me: u16) -> Tape {
    let kind = S::KIND.name().to_owned();
    let options = parse(cluster.options);
    let system = SystemPlan { kind, nodes: cluster.nodes, options };
    let dies = Fault::Kill { nodes: [me].into(), after_effects: None };
    let plan = Plan {
        workload: Workload {
            clients: RUN_CLIENTS,
            rate_per_s: 0,
            keys: 2,
            operations_per_key: 100,
            read_percent: 40,
            values: ValueChoice::Few,
            ..workload(S::vocabulary())
        },
        durations: Durations { time_limit_ms: 40, ..Durations::default() },
        weather: Some(Weather {
            delay: Delay::Uniform { min_us: 500, max_us: 3_000 },
            loss_per_mille: 0,
            duplicate_per_mille: 50,
            sync_min_us: 100,
            sync_max_us: 200,
        }),
        faults: vec![PlannedFault { when: None, at_ms: 12, for_ms: 4, fault: dies }],
        ..Plan::new("recorded", 1, WorldKind::Sim, system)
    };
    let mut simulator = simulator(S::KIND, QueueKind::default());
    let ran =
        simulator
            .run_taped(&plan, cluster.mutants, Checks::NONE, Detail::Messages, &mut |_, _| Ok(()));
    ran.map(|(_, tape)| tape).unwrap_or_default()
}

/// What happened to this node or client in a run, in its order.
pub(super) fn happenings(tape: &Tape, who: Endpoint, functions: &[&str]) -> Vec<Happening> {
    let happening = |what: &Happened| match what {
        Happened::Arrived(place) => {
            let message = tape.messages.get(*place)?;
            // What a node says to itself it hears without a step.
            (message.to == who && message.from != who).then(|| Happening::Heard {
                from: message.from.to_string(),
                kind: message.kind,
                words: words(&message.text).map(str::to_owned).collect(),
            })
        }
        Happened::Started(node) => {
            let comes_back = Endpoint::Node(*node) == who;
            comes_back.then_some(Happening::Died)
        }
        Happened::Invoked(place) => {
            let asked = tape.operations.get(*place)?;
            (Endpoint::Client(asked.client) == who).then(|| {
                let Choice { function, data, parts } = choice_of(functions, &asked.command);
                Happening::Asked(Dice { kind: function, data, name: parts, ..Dice::default() })
            })
        }
        Happened::Sent(_)
        | Happened::Missed(_)
        | Happened::Observed { .. }
        | Happened::Completed(_)
        | Happened::Crashed(_)
        | Happened::Fault(_)
        | Happened::Healed
        | Happened::Violated(_) => None,
    };
    let all: Vec<Happening> =
        tape.events.iter().filter_map(|event| happening(&event.what)).collect();
    // The first start is the machine's own.
    let first = usize::from(matches!(all.first(), Some(Happening::Died)));
    all.into_iter().skip(first).collect()
}

/// The steps that come nearest to this, as far as an input goes. The machine has begun, and lives through them.
pub(super) fn follow<S: Streamed, M: Machine<S>>(
    machine: &mut M,
    happenings: &[Happening],
) -> Vec<Step> {
    let mut steps = Vec::new();
    for happening in happenings {
        let step = match happening {
            Happening::Heard { from, kind, words } => nearest(machine, (from, kind, words)),
            Happening::Died => Some(Step::Crash(u8::MAX >> 5)),
            Happening::Asked(dice) => Some(Step::Invoked(*dice)),
        };
        // What steps cannot say is left out.
        let Some(step) = step else { continue };
        let sync = Step::Synced(u8::MAX);
        for step in [step, sync] {
            if steps.len() == STEPS_MAX {
                return steps;
            }
            if step == sync && !machine.is_behind() {
                continue;
            }
            // As its bytes have it.
            let step = Step::of(step.bytes());
            machine.next(step);
            steps.push(step);
        }
    }
    steps
}

/// Dice are drawn so often for each kind of step.
const DRAWS: u64 = 128;
/// The messages that can be answered.
const PLACES: u8 = 8;

/// The step that makes the machine hear what is nearest to this; nothing where none has its sender and kind.
fn nearest<S: Streamed, M: Machine<S>>(
    machine: &M,
    (from, kind, wanted): (&str, &str, &[String]),
) -> Option<Step> {
    let score = |step: Step| {
        let (sender, message) = machine.hears(step)?;
        let fits = message.kind() == kind && sender.to_string() == from;
        fits.then(|| {
            let text = message.to_string();
            words(&text).zip(wanted).filter(|(has, wanted)| has == wanted).count()
        })
    };
    let drawn = (0..DRAWS).map(draw);
    let answers = drawn.clone().flat_map(|dice| {
        let place = dice.who % PLACES;
        [Step::Answered(place, dice), Step::Answered(0, dice)]
    });
    let again = (0..PLACES).map(Step::Again);
    let all = again.chain(answers).chain(drawn.map(Step::Forged));
    let (mut best, mut step) = first_best(all, score)?;
    // Then one number after the other.
    for place in 0..5 {
        if best == wanted.len() {
            break;
        }
        if let Some((better, other)) =
            first_best((0..=u8::MAX).map(|byte| with(step, place, byte)), score)
            && better > best
        {
            (best, step) = (better, other);
        }
    }
    Some(step)
}

/// The first of those with the highest score.
fn first_best(
    steps: impl Iterator<Item = Step>,
    score: impl Fn(Step) -> Option<usize>,
) -> Option<(usize, Step)> {
    steps
        .filter_map(|step| Some((score(step)?, step)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
}

/// The step with another number at this place of its dice.
fn with(step: Step, place: u8, byte: u8) -> Step {
    let change = |mut dice: Dice| {
        let Dice { who, kind, name, time, data } = &mut dice;
        *[who, kind, name, time, data].into_iter().nth(place.into()).expect("one of five") = byte;
        dice
    };
    match step {
        Step::Forged(dice) => Step::Forged(change(dice)),
        Step::Answered(place, dice) => Step::Answered(place, change(dice)),
        _ => step,
    }
}

/// Dice that follow from a number.
fn draw(number: u64) -> Dice {
    let word = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [who, kind, name, time, data, ..] = (word ^ word >> 29).to_be_bytes();
    Dice { who, kind, name, time, data }
}

/// A line's words and numbers.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty())
}
