//! Operations in the words of the history (`read`, `write` with JSON values) and in those of the systems
//! (`Command`, `Outcome`). The two sides share no types, on purpose; this is where they meet.

use quorate_checkers::history;
use quorate_checkers::history::{ProcessId, Step, What};
use quorate_plan::PlannedOperation;
use quorate_systems::contract::{Command, Key, Outcome, Value};

const READ: &str = "read";
const WRITE: &str = "write";
const PROPOSE: &str = "propose";

/// The first half of an operation, as it stands in a history.
pub fn invocation(process: ProcessId, command: &Command) -> Step {
    let (f, key, value) = match command {
        Command::Read { key } => (READ, key, history::Value::Nil),
        Command::Write { key, value } => (WRITE, key, int(*value)),
        Command::Propose { key, value } => (PROPOSE, key, int(*value)),
    };
    Step { process, f: f.to_owned(), key: Some(history::Key(key.0)), value, error: None }
}

/// The command that a step of a history asks for.
pub fn command(step: &Step) -> Result<Command, NoCommand> {
    let no = |why| NoCommand { f: step.f.clone(), why };
    let key = Key(step.key.ok_or_else(|| no("it has no key"))?.0);
    match (step.f.as_str(), &step.value) {
        (READ, history::Value::Nil) => Ok(Command::Read { key }),
        (READ, _) => Err(no("a read has no argument")),
        (WRITE, history::Value::Int(value)) => {
            Ok(Command::Write { key, value: Value(value.cast_unsigned()) })
        }
        (WRITE, _) => Err(no("what is written is a number")),
        (PROPOSE, history::Value::Int(value)) => {
            Ok(Command::Propose { key, value: Value(value.cast_unsigned()) })
        }
        (PROPOSE, _) => Err(no("what is proposed is a number")),
        _ => Err(no("no system knows it")),
    }
}

/// The second half of an operation, when the client core says how it ended. A read whose end is unknown is
/// `fail`: whether it took place, nobody can tell.
///
/// Panics where the core answers a read with the end of a write, or the other way round.
pub fn completion(process: ProcessId, command: &Command, outcome: Outcome) -> What {
    let asked = invocation(process, command);
    match (outcome, command) {
        (Outcome::Read(value), Command::Read { .. }) => {
            let value = value.map_or(history::Value::Nil, int);
            What::Ok(Step { value, ..asked })
        }
        (Outcome::Written, Command::Write { .. }) => What::Ok(asked),
        (Outcome::Decided(value), Command::Propose { .. }) => {
            What::Ok(Step { value: int(value), ..asked })
        }
        (Outcome::Failed(why), _) | (Outcome::Unknown(why), Command::Read { .. }) => {
            What::Fail(Step { error: Some(why), ..asked })
        }
        (Outcome::Unknown(why), Command::Write { .. } | Command::Propose { .. }) => {
            What::Info(Step { error: Some(why), ..asked })
        }
        (
            outcome @ (Outcome::Read(_)
            | Outcome::Written
            | Outcome::Decided(_)
            | Outcome::Reconfigured),
            _,
        ) => {
            panic!("{command:?} was answered with {outcome:?}")
        }
    }
}

/// What a plan asks for, as the cores take it.
pub fn asked(planned: PlannedOperation) -> Command {
    match planned {
        PlannedOperation::Read { key } => Command::Read { key: Key(key) },
        PlannedOperation::Write { key, value } => {
            Command::Write { key: Key(key), value: Value(value) }
        }
        PlannedOperation::Propose { key, value } => {
            Command::Propose { key: Key(key), value: Value(value) }
        }
    }
}

/// The second half of an operation that took longer than the client waits.
pub fn time_out(process: ProcessId, command: &Command) -> What {
    completion(process, command, Outcome::Unknown("timed out".to_owned()))
}

/// A step of a history that no system can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no system can be asked to `{f}`: {why}")]
pub struct NoCommand {
    /// The function.
    pub f: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A stored value in a history. Those above the range of `i64`, which only liars store, come out negative:
/// different values stay different.
const fn int(value: Value) -> history::Value {
    history::Value::Int(value.0.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: ProcessId = ProcessId(4);

    fn read() -> Command {
        Command::Read { key: Key(7) }
    }

    fn write(value: u64) -> Command {
        Command::Write { key: Key(7), value: Value(value) }
    }

    fn propose(value: u64) -> Command {
        Command::Propose { key: Key(7), value: Value(value) }
    }

    fn step(f: &str, value: history::Value, error: Option<&str>) -> Step {
        let error = error.map(str::to_owned);
        Step { process: P, f: f.to_owned(), key: Some(history::Key(7)), value, error }
    }

    #[test]
    fn invocations_are_read_back_as_the_commands_they_came_from() {
        for asked in [read(), write(3), write(u64::MAX), propose(3)] {
            assert_eq!(command(&invocation(P, &asked)), Ok(asked));
        }
        assert_eq!(invocation(P, &write(3)), step("write", history::Value::Int(3), None));
    }

    #[test]
    fn steps_that_are_no_command_are_refused() {
        let argument = step("read", history::Value::Int(1), None);
        let nothing = step("write", history::Value::Nil, None);
        let unknown = step("cas", history::Value::Nil, None);
        let keyless = Step { key: None, ..step("read", history::Value::Nil, None) };
        for bad in [argument, nothing, unknown, keyless] {
            assert!(command(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn completions_carry_the_result() {
        let seen = completion(P, &read(), Outcome::Read(Some(Value(3))));
        assert_eq!(seen, What::Ok(step("read", history::Value::Int(3), None)));
        let initial = completion(P, &read(), Outcome::Read(None));
        assert_eq!(initial, What::Ok(step("read", history::Value::Nil, None)));
        let decided = completion(P, &propose(3), Outcome::Decided(Value(4)));
        assert_eq!(decided, What::Ok(step("propose", history::Value::Int(4), None)));
        let written = completion(P, &write(3), Outcome::Written);
        assert_eq!(written, What::Ok(step("write", history::Value::Int(3), None)));
    }

    #[test]
    fn a_write_that_timed_out_may_still_happen_and_a_read_does_not_matter() {
        let write = time_out(P, &write(3));
        assert_eq!(write, What::Info(step("write", history::Value::Int(3), Some("timed out"))));
        let proposal = time_out(P, &propose(3));
        let unknown = step("propose", history::Value::Int(3), Some("timed out"));
        assert_eq!(proposal, What::Info(unknown));
        let read = time_out(P, &read());
        assert_eq!(read, What::Fail(step("read", history::Value::Nil, Some("timed out"))));
    }

    #[test]
    #[should_panic(expected = "was answered with")]
    fn an_answer_to_another_question_is_the_cores_fault() {
        completion(P, &read(), Outcome::Written);
    }
}
