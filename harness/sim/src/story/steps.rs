//! The story in words.

use quorate_checkers::history::{Nemesis, NemesisPhase};
use quorate_plan::Endpoint;
use quorate_systems::contract::Command;

use super::{Story, asked};
use crate::tape::{Ended, Fate, Happened, Operation};

pub(super) fn steps(story: &Story) -> Vec<String> {
    let mut steps = Vec::new();
    let mut lost: Vec<Loss> = Vec::new();
    for event in story.events() {
        if let Happened::Sent(place) | Happened::Missed(place) = event.what {
            let is_missed = matches!(event.what, Happened::Missed(_));
            note_loss(story, place, is_missed, &mut lost);
            continue;
        }
        let step = match &event.what {
            Happened::Invoked(place) => operation(story, *place).map(begun),
            Happened::Completed(place) => {
                operation(story, *place).map(|operation| ended(story, *place, operation))
            }
            Happened::Started(node) if event.at_us > 0 => Some(format!("n{node} is up again")),
            Happened::Crashed(node) => Some(format!("n{node} is down")),
            Happened::Fault(nemesis) => fault(nemesis),
            Happened::Healed => Some("no more faults come, and all is healed".to_owned()),
            Happened::Violated(violation) => {
                Some(format!("{} is broken: {}", violation.demand, violation.what))
            }
            Happened::Started(_)
            | Happened::Arrived(_)
            | Happened::Observed { .. }
            | Happened::Sent(_)
            | Happened::Missed(_) => None,
        };
        if let Some(step) = step {
            steps.extend(lost.drain(..).map(Loss::sentence));
            steps.push(step);
        }
    }
    steps.extend(lost.drain(..).map(Loss::sentence));
    steps.push(format!("{} is broken: {}", story.objection.demand, story.objection.what));
    steps
}

fn operation(story: &Story, place: usize) -> Option<&Operation> {
    story.tape.operations.get(place)
}

fn begun(operation: &Operation) -> String {
    let Operation { client, f, command, .. } = operation;
    match command {
        Command::Read { key } | Command::Delete { key } => {
            format!("c{client} begins to {f} key {}", key.0)
        }
        Command::Write { key, value }
        | Command::Append { key, value }
        | Command::Add { key, value }
        | Command::Propose { key, value } => {
            format!("c{client} begins to {f} {} to key {}", value.0, key.0)
        }
        Command::Cas { key, expected, value } => format!(
            "c{client} begins to put {} in the place of {} under key {}",
            value.0, expected.0, key.0
        ),
        Command::Transaction(_) => format!("c{client} begins {}", asked(operation)),
    }
}

fn ended(story: &Story, place: usize, operation: &Operation) -> String {
    let Operation { client, f, command, .. } = operation;
    let how = match (&operation.ended, command) {
        (Ended::Ok(_), Command::Write { value, .. }) => {
            format!("c{client} has written {}", value.0)
        }
        (Ended::Ok(value), Command::Read { key }) => {
            format!("c{client} reads {value} from key {}", key.0)
        }
        (Ended::Ok(_), Command::Append { value, .. }) => {
            format!("c{client} has appended {}", value.0)
        }
        (Ended::Ok(value), Command::Propose { key, .. }) => {
            format!("c{client} learns that {value} is decided for key {}", key.0)
        }
        (Ended::Ok(_), Command::Add { value, .. }) => format!("c{client} has added {}", value.0),
        (Ended::Ok(_), Command::Delete { key }) => format!("c{client} has deleted key {}", key.0),
        (Ended::Ok(_), Command::Cas { expected, value, .. }) => {
            format!("c{client} has put {} in the place of {}", value.0, expected.0)
        }
        (Ended::Ok(value), Command::Transaction(_)) => {
            format!("the transaction of c{client} is done: {value}")
        }
        (Ended::Fail, _) => format!("the {f} of c{client} fails"),
        (Ended::Info | Ended::Open, _) => {
            format!("c{client} gives up its {f}: whether it happened, nobody knows")
        }
    };
    let heard = heard(story, place, operation);
    if heard.is_empty() { how } else { format!("{how}: {}", heard.join("; ")) }
}

/// Of whom a client heard what while its operation was open. What arrives at the moment of its end, behind it, is not
/// meant: the order of events tells, not the time.
fn heard(story: &Story, ended: usize, operation: &Operation) -> Vec<String> {
    let is_end = |what: &Happened| matches!(what, Happened::Completed(place) if *place == ended);
    let me = Endpoint::Client(operation.client);
    let mut heard: Vec<(&str, Vec<String>)> = Vec::new();
    for event in story.events().take_while(|event| !is_end(&event.what)) {
        let Happened::Arrived(place) = event.what else { continue };
        let Some(message) = story.tape.messages.get(place) else { continue };
        // What arrives for the operation was sent in it, so that it also arrives in it.
        if message.to != me || message.sent_us < operation.from_us {
            continue;
        }
        let from = story.name(message.from);
        match heard.iter_mut().find(|(kind, _)| *kind == message.kind) {
            Some((_, whom)) if whom.contains(&from) => {}
            Some((_, whom)) => whom.push(from),
            None => heard.push((message.kind, vec![from])),
        }
    }
    let told = heard.into_iter().map(|(kind, whom)| format!("{kind} from {}", list(&whom)));
    told.collect()
}

/// Messages of one kind from one sender that do not arrive.
struct Loss {
    kind: &'static str,
    from: String,
    to: Vec<String>,
    how: &'static str,
}

impl Loss {
    fn sentence(self) -> String {
        let Self { kind, from, to, how } = self;
        format!("{kind} from {from} to {} {how}", list(&to))
    }
}

fn note_loss(story: &Story, place: usize, is_missed: bool, noted: &mut Vec<Loss>) {
    let Some(message) = story.tape.messages.get(place) else { return };
    let is_slow = message.due_us.first().is_some_and(|due| *due >= message.sent_us + SLOW_US);
    let how = match message.fate {
        Fate::Travels if is_missed => "comes in vain: it is down",
        Fate::Travels if message.due_us.len() > 1 => "is to arrive twice",
        Fate::Travels if is_slow => "is slow",
        Fate::Travels => return,
        Fate::Lost => "is lost",
        Fate::Corrupted => "is damaged on the way",
        Fate::Held => "is held back",
    };
    let (from, to) = (story.name(message.from), story.name(message.to));
    let is_same =
        |loss: &&mut Loss| loss.kind == message.kind && loss.from == from && loss.how == how;
    match noted.iter_mut().find(is_same) {
        Some(loss) if loss.to.contains(&to) => {}
        Some(loss) => loss.to.push(to),
        None => noted.push(Loss { kind: message.kind, from, to: vec![to], how }),
    }
}

/// A message that takes so long is a step, in microseconds.
const SLOW_US: u64 = 5_000;

fn fault(nemesis: &Nemesis) -> Option<String> {
    let Nemesis { kind, phase, what, .. } = nemesis;
    if kind == Nemesis::TROUBLE || kind == Nemesis::DEATH {
        return Some(what.clone());
    }
    match phase {
        NemesisPhase::Begin => Some(format!("{kind} begins: {what}")),
        NemesisPhase::End => Some(format!("{kind} ends")),
        NemesisPhase::Skipped => None,
    }
}

/// `n0`, `n0 and n1`, `n0, n1 and n2`.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [firsts @ .., last] => format!("{} and {last}", firsts.join(", ")),
    }
}
