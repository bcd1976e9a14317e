//! Writing histories for other programs.

use std::io::{self, Write};

use super::{Datum, Event, Format, History, Process};

/// Writes a history in one of the formats that other programs read, one event a line: [`Format::Edn`] or [`Format::Json`].
/// JSON has fewer kinds of data: names become texts, sets and lists become lists, what is behind a tag stands without it,
/// and a key that is no name stands as EDN. What it has no way to say is an error.
pub fn write(history: &History, format: Format, into: &mut impl Write) -> io::Result<()> {
    for event in history.events() {
        match format {
            Format::Edn => write_edn(event, into)?,
            Format::Json => write_json(event, into)?,
            Format::Log | Format::Quorate => {
                return Err(unsayable(&format!("a history as {format} cannot be written")));
            }
        }
    }
    Ok(())
}

fn write_edn(event: &Event, into: &mut impl Write) -> io::Result<()> {
    write!(into, "{{:process {}", process(&event.process))?;
    write!(into, ", :type :{}, :f {}", event.kind.name(), keyword(&event.f))?;
    if let Some(key) = &event.key {
        write!(into, ", :key {key}")?;
    }
    write!(into, ", :value {}", event.value)?;
    if let Some(error) = &event.error {
        write!(into, ", :error {error}")?;
    }
    if let Some(time) = event.time {
        write!(into, ", :time {time}")?;
    }
    if let Some(index) = event.index {
        write!(into, ", :index {index}")?;
    }
    into.write_all(b"}\n")
}

fn write_json(event: &Event, into: &mut impl Write) -> io::Result<()> {
    write!(into, "{{\"process\":{}", json(&process(&event.process))?)?;
    write!(into, ",\"type\":\"{}\",\"f\":{}", event.kind.name(), json(&keyword(&event.f))?)?;
    if let Some(key) = &event.key {
        write!(into, ",\"key\":{}", json(key)?)?;
    }
    write!(into, ",\"value\":{}", json(&event.value)?)?;
    if let Some(error) = &event.error {
        write!(into, ",\"error\":{}", json(error)?)?;
    }
    if let Some(time) = event.time {
        write!(into, ",\"time\":{time}")?;
    }
    if let Some(index) = event.index {
        write!(into, ",\"index\":{index}")?;
    }
    into.write_all(b"}\n")
}

fn process(process: &Process) -> Datum {
    match process {
        Process::Client(number) => i64::try_from(*number).map_or_else(
            // Readers take no such number, so that there is none.
            |_| Datum::Text(number.to_string().into()),
            Datum::Int,
        ),
        Process::Other(name) => keyword(name),
    }
}

/// A name as a keyword, or as a text if no keyword has such a name.
fn keyword(name: &str) -> Datum {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./?!*+<>=".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_plain) {
        Datum::Keyword(name.into())
    } else {
        Datum::Text(name.into())
    }
}

fn json(datum: &Datum) -> io::Result<serde_json::Value> {
    Ok(match datum {
        Datum::Nil => serde_json::Value::Null,
        Datum::Bool(truth) => (*truth).into(),
        Datum::Int(number) => (*number).into(),
        Datum::Float(number) => serde_json::Number::from_f64(number.get())
            .ok_or_else(|| unsayable(&format!("JSON has no {number}")))?
            .into(),
        Datum::Char(char) => char.to_string().into(),
        Datum::Text(name) | Datum::Keyword(name) | Datum::Symbol(name) => name.to_string().into(),
        Datum::Vector(items) | Datum::List(items) | Datum::Set(items) => {
            items.iter().map(json).collect::<io::Result<Vec<serde_json::Value>>>()?.into()
        }
        Datum::Map(entries) => {
            let mut object = serde_json::Map::new();
            for (key, value) in entries {
                let name = key.name().map_or_else(|| key.to_string(), str::to_owned);
                if object.insert(name, json(value)?).is_some() {
                    return Err(unsayable(&format!(
                        "{datum} has two keys that JSON cannot tell apart"
                    )));
                }
            }
            object.into()
        }
        Datum::Tagged(tagged) => json(&tagged.1)?,
    })
}

fn unsayable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
