//! Operations in the words of the history (`read`, `cas`, with JSON values) and in those of the systems
//! (`Command`, `Outcome`). The two sides share no types, on purpose; this is where they meet.
//!
//! A compare-and-set has the value `[expected, new]`. A transaction has no key; its value lists its parts, each
//! as `[word, key, argument]`; the completion has what a read saw in the place of its argument, as Jepsen has it.

use quorate_checkers::history;
use quorate_checkers::history::{ProcessId, Step, What};
use quorate_plan::PlannedOperation;
use quorate_systems::contract::{Command, Key, Outcome, Value};

/// What a plan has a client do, as the cores take it.
pub fn asked(planned: &PlannedOperation) -> Command {
    match planned {
        PlannedOperation::Read { key } => Command::Read { key: Key(*key) },
        PlannedOperation::Write { key, value } => {
            Command::Write { key: Key(*key), value: Value(*value) }
        }
        PlannedOperation::Cas { key, expected, value } => {
            Command::Cas { key: Key(*key), expected: Value(*expected), value: Value(*value) }
        }
        PlannedOperation::Append { key, value } => {
            Command::Append { key: Key(*key), value: Value(*value) }
        }
        PlannedOperation::Delete { key } => Command::Delete { key: Key(*key) },
        PlannedOperation::Add { key, value } => {
            Command::Add { key: Key(*key), value: Value(*value) }
        }
        PlannedOperation::Propose { key, value } => {
            Command::Propose { key: Key(*key), value: Value(*value) }
        }
        PlannedOperation::Transaction(parts) => {
            Command::Transaction(parts.iter().map(asked).collect())
        }
    }
}

/// The other way: what a plan says so that a client is asked to do this.
pub fn planned(command: &Command) -> PlannedOperation {
    match command {
        Command::Read { key } => PlannedOperation::Read { key: key.0 },
        Command::Write { key, value } => PlannedOperation::Write { key: key.0, value: value.0 },
        Command::Cas { key, expected, value } => {
            PlannedOperation::Cas { key: key.0, expected: expected.0, value: value.0 }
        }
        Command::Append { key, value } => PlannedOperation::Append { key: key.0, value: value.0 },
        Command::Delete { key } => PlannedOperation::Delete { key: key.0 },
        Command::Add { key, value } => PlannedOperation::Add { key: key.0, value: value.0 },
        Command::Propose { key, value } => PlannedOperation::Propose { key: key.0, value: value.0 },
        Command::Transaction(parts) => {
            PlannedOperation::Transaction(parts.iter().map(planned).collect())
        }
    }
}

/// The first half of an operation, as it stands in a history.
pub fn invocation(process: ProcessId, command: &Command) -> Step {
    let key = command.key().map(|key| history::Key(key.0));
    let f = command.function().into();
    Step { process, f, key, value: argument(command), error: None }
}

/// What a command is given.
fn argument(command: &Command) -> history::Value {
    match command {
        Command::Read { .. } | Command::Delete { .. } => history::Value::Nil,
        Command::Write { value, .. }
        | Command::Append { value, .. }
        | Command::Add { value, .. }
        | Command::Propose { value, .. } => int(*value),
        Command::Cas { expected, value, .. } => {
            history::Value::List(vec![int(*expected), int(*value)])
        }
        Command::Transaction(parts) => {
            history::Value::List(parts.iter().map(|part| micro(part, argument(part))).collect())
        }
    }
}

/// The words for the parts of a transaction, and the functions that they stand for.
const MICRO: &[(&str, &str)] = &[
    ("r", "read"),
    ("w", "write"),
    ("cas", "cas"),
    ("append", "append"),
    ("delete", "delete"),
    ("add", "add"),
    ("propose", "propose"),
];

/// One part of a transaction, with its argument or with what it saw.
fn micro(part: &Command, value: history::Value) -> history::Value {
    let f = part.function();
    let word = MICRO.iter().find(|(_, name)| *name == f).map_or(f, |(word, _)| *word);
    let key =
        part.key().map_or(history::Value::Nil, |key| history::Value::Int(key.0.cast_signed()));
    history::Value::List(vec![history::Value::Text(word.to_owned()), key, value])
}

/// The command that a step of a history asks for.
pub fn command(step: &Step) -> Result<Command, NoCommand> {
    let no = |why| NoCommand { f: step.f.to_string(), why };
    if step.f == "txn" {
        return transaction(&step.value).map_err(no);
    }
    let key = Key(step.key.ok_or_else(|| no("it has no key"))?.0);
    single(&step.f, key, &step.value).map_err(no)
}

fn single(f: &str, key: Key, value: &history::Value) -> Result<Command, &'static str> {
    match (f, value) {
        ("read", history::Value::Nil) => Ok(Command::Read { key }),
        ("read", _) => Err("a read has no argument"),
        ("write", history::Value::Int(value)) => Ok(Command::Write { key, value: stored(*value) }),
        ("write", _) => Err("what is written is a number"),
        ("cas", history::Value::List(pair)) => match pair.as_slice() {
            [history::Value::Int(expected), history::Value::Int(value)] => {
                Ok(Command::Cas { key, expected: stored(*expected), value: stored(*value) })
            }
            _ => Err("a compare-and-set has two numbers"),
        },
        ("cas", _) => Err("a compare-and-set has two numbers"),
        ("append", history::Value::Int(value)) => {
            Ok(Command::Append { key, value: stored(*value) })
        }
        ("append", _) => Err("what is appended is a number"),
        ("delete", history::Value::Nil) => Ok(Command::Delete { key }),
        ("delete", _) => Err("a delete has no argument"),
        ("add", history::Value::Int(value)) => Ok(Command::Add { key, value: stored(*value) }),
        ("add", _) => Err("what is added is a number"),
        ("propose", history::Value::Int(value)) => {
            Ok(Command::Propose { key, value: stored(*value) })
        }
        ("propose", _) => Err("what is proposed is a number"),
        _ => Err("no system knows it"),
    }
}

fn transaction(value: &history::Value) -> Result<Command, &'static str> {
    const PARTS: &str = "a transaction has a list of parts, each `[word, key, argument]`";
    let history::Value::List(parts) = value else { return Err(PARTS) };
    if parts.is_empty() || parts.len() > Command::PARTS_MAX {
        return Err("a transaction has 1 to 16 parts");
    }
    let part = |part: &history::Value| match part {
        history::Value::List(part) => match part.as_slice() {
            [history::Value::Text(word), history::Value::Int(key), value] => {
                let f = MICRO.iter().find(|(known, _)| known == word).map(|(_, f)| *f);
                single(f.ok_or("no system knows it")?, Key(key.cast_unsigned()), value)
            }
            _ => Err(PARTS),
        },
        history::Value::Nil | history::Value::Int(_) | history::Value::Text(_) => Err(PARTS),
    };
    parts.iter().map(part).collect::<Result<_, _>>().map(Command::Transaction)
}

/// The second half of an operation, when the client core says how it ended. What only reads and whose end is
/// unknown is `fail`: whether it took place, nobody can tell.
///
/// Panics where the core answers a read with the end of a write, or the other way round.
pub fn completion(process: ProcessId, command: &Command, outcome: Outcome) -> What {
    assert!(command.is_answered_by(&outcome), "{command:?} was answered with {outcome:?}");
    let asked = invocation(process, command);
    match outcome {
        Outcome::Failed(why) => What::Fail(Step { error: Some(why), ..asked }),
        Outcome::NotSwapped(held) => {
            let held = held.map_or(history::Value::Nil, int);
            What::Fail(Step { error: Some(format!("the key held {held}")), ..asked })
        }
        Outcome::Unknown(why) if command.is_read() => {
            What::Fail(Step { error: Some(why), ..asked })
        }
        Outcome::Unknown(why) => What::Info(Step { error: Some(why), ..asked }),
        done @ (Outcome::Read(_)
        | Outcome::List(_)
        | Outcome::Written
        | Outcome::Reconfigured
        | Outcome::Swapped
        | Outcome::Appended
        | Outcome::Deleted
        | Outcome::Added
        | Outcome::Decided(_)
        | Outcome::Transaction(_)) => What::Ok(Step { value: result(command, &done), ..asked }),
    }
}

/// What an operation that was done stands for: what a read saw, what was decided, else the argument.
fn result(command: &Command, outcome: &Outcome) -> history::Value {
    match outcome {
        Outcome::Read(value) => value.map_or(history::Value::Nil, int),
        Outcome::Decided(value) => int(*value),
        Outcome::List(values) => history::Value::List(values.iter().copied().map(int).collect()),
        Outcome::Transaction(outcomes) => {
            let parts = command.parts().iter().zip(outcomes);
            history::Value::List(
                parts.map(|(part, outcome)| micro(part, result(part, outcome))).collect(),
            )
        }
        Outcome::Written
        | Outcome::Reconfigured
        | Outcome::Swapped
        | Outcome::NotSwapped(_)
        | Outcome::Appended
        | Outcome::Deleted
        | Outcome::Added
        | Outcome::Failed(_)
        | Outcome::Unknown(_) => argument(command),
    }
}

/// The second half of an operation that took longer than the client waits.
pub fn time_out(process: ProcessId, command: &Command) -> What {
    completion(process, command, Outcome::Unknown("timed out".to_owned()))
}

/// The second half of an operation of a client that lied meanwhile. Whatever its core believes, nobody knows what came of
/// it: what it asked for may take effect, at any time or never.
pub fn of_liar(process: ProcessId, command: &Command) -> What {
    completion(process, command, Outcome::Unknown("the client lied".to_owned()))
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

/// The other way.
const fn stored(value: i64) -> Value {
    Value(value.cast_unsigned())
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

    /// One of each command that is neither a read nor a write.
    fn others() -> Vec<Command> {
        let (key, value) = (Key(7), Value(3));
        let single = vec![
            Command::Cas { key, expected: Value(2), value },
            Command::Append { key, value },
            Command::Delete { key },
            Command::Add { key, value },
            Command::Propose { key, value },
        ];
        let parts = [vec![read(), write(4)], single.clone()].concat();
        single.into_iter().chain([Command::Transaction(parts)]).collect()
    }

    fn ints(values: &[i64]) -> history::Value {
        history::Value::List(values.iter().copied().map(history::Value::Int).collect())
    }

    fn step(f: &str, value: history::Value, error: Option<&str>) -> Step {
        let error = error.map(str::to_owned);
        Step { process: P, f: f.into(), key: Some(history::Key(7)), value, error }
    }

    #[test]
    fn invocations_are_read_back_as_the_commands_they_came_from() {
        for asked in [read(), write(3), write(u64::MAX)].into_iter().chain(others()) {
            assert_eq!(command(&invocation(P, &asked)), Ok(asked.clone()));
            assert_eq!(super::asked(&planned(&asked)), asked);
        }
        assert_eq!(invocation(P, &write(3)), step("write", history::Value::Int(3), None));
    }

    #[test]
    fn steps_that_are_no_command_are_refused() {
        let argument = step("read", history::Value::Int(1), None);
        let nothing = step("write", history::Value::Nil, None);
        let unknown = step("flush", history::Value::Nil, None);
        let keyless = Step { key: None, ..step("read", history::Value::Nil, None) };
        let single = step("cas", ints(&[1]), None);
        let empty = step("txn", ints(&[]), None);
        let number = step("txn", ints(&[1]), None);
        for bad in [argument, nothing, unknown, keyless, single, empty, number] {
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
    fn what_was_done_is_recorded_with_its_result_or_its_argument() {
        let list = completion(P, &read(), Outcome::List(vec![Value(1), Value(2)]));
        assert_eq!(list, What::Ok(step("read", ints(&[1, 2]), None)));
        let cas = Command::Cas { key: Key(7), expected: Value(2), value: Value(3) };
        let swapped = completion(P, &cas, Outcome::Swapped);
        assert_eq!(swapped, What::Ok(step("cas", ints(&[2, 3]), None)));
        let not = completion(P, &cas, Outcome::NotSwapped(Some(Value(9))));
        assert_eq!(not, What::Fail(step("cas", ints(&[2, 3]), Some("the key held 9"))));
    }

    #[test]
    fn a_transaction_is_recorded_with_what_its_reads_saw() {
        let parts = vec![read(), write(4)];
        let command = Command::Transaction(parts);
        let word = |word: &str, value| {
            history::Value::List(vec![
                history::Value::Text(word.to_owned()),
                history::Value::Int(7),
                value,
            ])
        };
        let value =
            |seen| history::Value::List(vec![word("r", seen), word("w", history::Value::Int(4))]);
        let asked = invocation(P, &command);
        assert_eq!((asked.key, &asked.value), (None, &value(history::Value::Nil)));
        let outcome = Outcome::Transaction(vec![Outcome::Read(Some(Value(1))), Outcome::Written]);
        let seen = value(history::Value::Int(1));
        let done = Step { value: seen, ..asked.clone() };
        assert_eq!(completion(P, &command, outcome), What::Ok(done));
        assert!(matches!(time_out(P, &command), What::Info(_)), "it may have written");
        let reads = Command::Transaction(vec![read()]);
        assert!(matches!(time_out(P, &reads), What::Fail(_)), "it cannot have");
    }

    #[test]
    fn a_transaction_is_answered_part_by_part() {
        let command = Command::Transaction(vec![read(), write(4)]);
        let done = |outcomes| command.is_answered_by(&Outcome::Transaction(outcomes));
        assert!(done(vec![Outcome::Read(None), Outcome::Written]));
        assert!(!done(vec![Outcome::Written, Outcome::Written]));
        assert!(!done(vec![Outcome::Read(None)]));
        assert!(!done(vec![Outcome::Read(None), Outcome::Failed(String::new())]));
    }

    #[test]
    #[should_panic(expected = "was answered with")]
    fn an_answer_to_another_question_is_the_cores_fault() {
        completion(P, &read(), Outcome::Written);
    }
}
