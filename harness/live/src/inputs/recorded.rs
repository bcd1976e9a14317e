//! The operations of a history beside those that clients do once more.

use std::collections::BTreeMap;

use quorate_checkers::history::{History, ProcessId, Step as Asked, What as Event};
use quorate_systems::contract::{ClientEffect, ClientInput, Command, Outcome, System};
use quorate_world::convert;
use quorate_world::inputs::{Step, What};
use quorate_world::invariants::Who;

/// What a client did according to the history, in its order.
#[derive(Debug, Default)]
struct Client<'a> {
    recorded: Vec<Operation<'a>>,
    /// How many of them it has begun again.
    begun: usize,
    /// How many of those have ended again.
    ended: usize,
    /// The operation that it is at.
    open: Option<Command>,
}

#[derive(Debug)]
struct Operation<'a> {
    asked: &'a Asked,
    end: Option<&'a Event>,
}

/// The operations of all clients, compared one by one with those of the history. The recorder is told before a
/// client's core is asked, and after that has answered.
#[derive(Debug)]
pub(super) struct Operations<'a> {
    clients: BTreeMap<u32, Client<'a>>,
    /// Whether the history tells of all that there was.
    is_whole: bool,
    /// The first thing that is different.
    wrong: Option<String>,
}

impl<'a> Operations<'a> {
    pub(super) fn of(history: &'a History, clients: u32, is_whole: bool) -> Self {
        let names = 0..clients;
        let mut all: BTreeMap<u32, Client<'_>> =
            names.map(|client| (client, Client::default())).collect();
        let client_of = |process: ProcessId| process.0.checked_rem(u64::from(clients));
        for event in history.events() {
            let (Event::Invoke(step) | Event::Ok(step) | Event::Fail(step) | Event::Info(step)) =
                &event.what
            else {
                continue;
            };
            let client = client_of(step.process).and_then(|client| u32::try_from(client).ok());
            let Some(client) = client.and_then(|client| all.get_mut(&client)) else { continue };
            if let Event::Invoke(asked) = &event.what {
                client.recorded.push(Operation { asked, end: None });
            } else if let Some(last) = client.recorded.last_mut() {
                // A client does one thing at a time.
                last.end = Some(&event.what);
            }
        }
        Self { clients: all, is_whole, wrong: None }
    }

    /// A core did something once more.
    pub(super) fn note<S: System>(&mut self, step: &Step<'_, S>) {
        let (Who::Client(client), What::ClientTook { input, effects, .. }) = (step.who, &step.what)
        else {
            return;
        };
        // The administrator is none of those that the history tells of.
        let Some(about) = self.clients.get_mut(&client.0) else { return };
        let mut wrong = None;
        if let ClientInput::Invoke(command) = input {
            wrong = about.begin(command, self.is_whole);
        }
        for effect in *effects {
            if let ClientEffect::Complete(outcome) = effect {
                wrong = wrong.or(about.end(outcome.clone(), self.is_whole));
            }
        }
        if matches!(input, ClientInput::GiveUp) {
            let timed_out = |process, command: &Command| convert::time_out(process, command);
            wrong = wrong.or(about.end_as(timed_out, self.is_whole));
        }
        if let (None, Some(wrong)) = (&self.wrong, wrong) {
            self.wrong = Some(format!("of {client} {wrong}"));
        }
    }

    /// What the clients did that the history tells otherwise.
    pub(super) fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// What the history tells of a client that did not do it again: its inputs are missing.
    pub(super) fn missing(&self) -> Option<String> {
        // Of a harness that was killed the recorder may have been told of an operation that nobody was asked
        // for any more.
        let slack = usize::from(!self.is_whole);
        self.clients.iter().find_map(|(client, about)| {
            let known = about.recorded.len();
            let ends = about.recorded.iter().take(about.begun);
            let ends = ends.filter(|operation| operation.end.is_some()).count();
            let is_short = about.begun + slack < known || about.ended < ends;
            is_short.then(|| {
                format!(
                    "of c{client} it has {} operations, {} of them to their end, and the history has {known}",
                    about.begun, about.ended
                )
            })
        })
    }
}

impl Client<'_> {
    /// It begins its next operation; what is wrong with that.
    fn begin(&mut self, command: &Command, is_whole: bool) -> Option<String> {
        let place = self.begun;
        self.begun += 1;
        self.open = Some(command.clone());
        let number = place + 1;
        let Some(operation) = self.recorded.get(place) else {
            return is_whole.then(|| format!("the history has no operation {number}"));
        };
        let asked = convert::invocation(operation.asked.process, command);
        (asked != *operation.asked)
            .then(|| format!("the history has another operation {number} than {command:?}"))
    }

    fn end(&mut self, outcome: Outcome, is_whole: bool) -> Option<String> {
        let fits = match (&outcome, &self.open) {
            (Outcome::Read(_), Some(Command::Read { .. }))
            | (Outcome::Written, Some(Command::Write { .. }))
            | (Outcome::Decided(_), Some(Command::Propose { .. }))
            | (Outcome::Failed(_) | Outcome::Unknown(_), Some(_)) => true,
            (
                Outcome::Read(_) | Outcome::Written | Outcome::Decided(_) | Outcome::Reconfigured,
                _,
            )
            | (Outcome::Failed(_) | Outcome::Unknown(_), None) => false,
        };
        if !fits {
            return Some(format!("nobody asked for what ends as {outcome:?}"));
        }
        self.end_as(|process, command| convert::completion(process, command, outcome), is_whole)
    }

    /// It ends the operation that it is at; what is wrong with that.
    fn end_as(
        &mut self,
        event: impl FnOnce(ProcessId, &Command) -> Event,
        is_whole: bool,
    ) -> Option<String> {
        let command = self.open.take()?;
        self.ended += 1;
        let number = self.begun;
        let operation = self.recorded.get(number.checked_sub(1)?)?;
        let event = event(operation.asked.process, &command);
        match operation.end {
            Some(end) => (event != *end)
                .then(|| format!("operation {number}, {command:?}, ends otherwise in the history")),
            None => is_whole
                .then(|| format!("operation {number}, {command:?}, has no end in the history")),
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_checkers::history::{Builder, Time};
    use quorate_systems::contract::{ClientId, Incarnation, Key, LocalTime, Value};
    use quorate_systems::quorum::Quorum;

    use super::*;

    const P: ProcessId = ProcessId(3);

    fn write(value: u64) -> Command {
        Command::Write { key: Key(1), value: Value(value) }
    }

    /// Two writes of c1, one of two clients: the first succeeds, the second times out.
    fn history() -> History {
        let mut history = Builder::new();
        let mut add = |what| {
            history.push(Time(0), what).unwrap();
        };
        add(Event::Invoke(convert::invocation(P, &write(1))));
        add(convert::completion(P, &write(1), Outcome::Written));
        add(Event::Invoke(convert::invocation(P, &write(2))));
        add(convert::time_out(P, &write(2)));
        history.finish()
    }

    type Taken = (ClientInput<quorate_systems::quorum::Message>, Option<Outcome>);

    /// What is wrong with a client that does this, and what is missing of it.
    fn compared(done: &[Taken], is_whole: bool) -> (Option<String>, Option<String>) {
        let history = history();
        let mut operations = Operations::of(&history, 2, is_whole);
        for (input, outcome) in done {
            let effects: Vec<ClientEffect<Quorum>> =
                outcome.iter().cloned().map(ClientEffect::Complete).collect();
            operations.note(&Step::<Quorum> {
                t: 1,
                who: Who::Client(ClientId(1)),
                incarnation: Incarnation(1),
                entry: 1,
                what: What::ClientTook { now: LocalTime(0), input, effects: &effects },
            });
        }
        (operations.wrong().map(str::to_owned), operations.missing())
    }

    fn invoke(value: u64, outcome: Option<Outcome>) -> Taken {
        (ClientInput::Invoke(write(value)), outcome)
    }

    fn whole() -> Vec<Taken> {
        vec![invoke(1, Some(Outcome::Written)), invoke(2, None), (ClientInput::GiveUp, None)]
    }

    #[test]
    fn clients_that_do_what_the_history_tells_are_not_blamed() {
        for is_whole in [true, false] {
            assert_eq!(compared(&whole(), is_whole), (None, None));
        }
    }

    #[test]
    fn another_operation_another_end_and_one_that_nobody_recorded_are_wrong() {
        let wrong = |change: &dyn Fn(&mut Vec<Taken>)| {
            let mut done = whole();
            change(&mut done);
            compared(&done, true).0.unwrap()
        };
        let said = wrong(&|done| done[0].0 = ClientInput::Invoke(write(7)));
        assert!(said.starts_with("of c1 the history has another operation 1 than Write"), "{said}");
        let said = wrong(&|done| done[0].1 = Some(Outcome::Failed("no".to_owned())));
        assert!(said.contains("operation 1, ") && said.contains("ends otherwise"), "{said}");
        let said = wrong(&|done| done.push(invoke(3, None)));
        assert!(said.contains("no operation 3"), "{said}");
        let said = wrong(&|done| done[0].1 = Some(Outcome::Read(None)));
        assert!(said.contains("nobody asked for"), "{said}");
        let said = wrong(&|done| done.remove(0).1 = None);
        assert!(said.contains("another operation 1"), "{said}");
    }

    #[test]
    fn what_a_whole_history_has_and_a_client_did_not_do_is_missing() {
        let missing = |count: usize, is_whole| compared(&whole()[..count], is_whole).1;
        assert!(missing(2, true).unwrap().contains("of c1 it has 2 operations, 1 of them"));
        assert!(missing(1, true).is_some() && missing(0, true).is_some());
        // Of a harness that was killed an operation may be recorded that no core was asked for.
        assert_eq!(missing(1, false), None);
        assert!(missing(0, false).is_some() && missing(2, false).is_some());
        // And a core may have answered what the recorder was not told of any more.
        let mut more = whole();
        more.push(invoke(3, Some(Outcome::Written)));
        assert_eq!(compared(&more, false), (None, None));
    }
}
