//! Histories of runs as other programs have them.

use super::{Datum, Event, History, Kind, Process, ReadError};
use crate::history::{self, Step, Value, What};

/// A history of a run as one of another program. What the nemesis did is told by `info` events of a process of that name;
/// violations, which only runs have, are left out.
pub fn from_ours(history: &history::History) -> Result<History, ReadError> {
    let mut foreign = History::default();
    for event in history.events() {
        let step = match &event.what {
            What::Invoke(step) => from_step(Kind::Invoke, step),
            What::Ok(step) => from_step(Kind::Ok, step),
            What::Fail(step) => from_step(Kind::Fail, step),
            What::Info(step) => from_step(Kind::Info, step),
            What::Nemesis(nemesis) => Event {
                process: Process::Other("nemesis".into()),
                kind: Kind::Info,
                f: nemesis.kind.as_str().into(),
                key: None,
                value: Datum::Text(nemesis.what.as_str().into()),
                error: None,
                time: None,
                index: None,
                line: 0,
            },
            What::Violation(_) => continue,
        };
        // The header is the first line.
        let line = event.index + 2;
        let time = i64::try_from(event.time.0).ok();
        foreign.push(Event { time, index: Some(event.index), line, ..step })?;
    }
    Ok(foreign)
}

fn from_step(kind: Kind, step: &Step) -> Event {
    Event {
        process: Process::Client(step.process.0),
        kind,
        f: step.f.as_str().into(),
        key: step.key.map(|key| {
            i64::try_from(key.0).map_or_else(|_| Datum::Text(key.to_string().into()), Datum::Int)
        }),
        value: datum(&step.value),
        error: step.error.as_deref().map(|error| Datum::Text(error.into())),
        time: None,
        index: None,
        line: 0,
    }
}

fn datum(value: &Value) -> Datum {
    match value {
        Value::Nil => Datum::Nil,
        Value::Int(number) => Datum::Int(*number),
        Value::Text(text) => Datum::Text(text.as_str().into()),
        Value::List(values) => Datum::Vector(values.iter().map(datum).collect()),
    }
}
