//! The lines of a history file, as JSON.

mod plain;
mod plan;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Event, Header, Nemesis, NemesisPhase, ProcessId, RunDigest, Sealed, Step, Time, Value,
    Violation, What,
};
use crate::history::Key;

pub(super) use plain::event as plain_event;

/// An event as one flat JSON object. Each kind of event has some of the fields;
/// [`Line::into_event`] insists on exactly these.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    index: u64,
    time: u64,
    #[serde(rename = "type")]
    kind: LineType,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    process: Option<u64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    f: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    key: Option<u64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, Value>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    fault: Option<u32>,
    #[serde(
        rename = "kind",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    fault_kind: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    phase: Option<NemesisPhase>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    targets: Option<Cow<'a, [String]>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    what: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    bites: Option<u64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    demand: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    happened: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LineType {
    Invoke,
    Ok,
    Fail,
    Info,
    Nemesis,
    Violation,
}

impl LineType {
    fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
            Self::Nemesis => "nemesis",
            Self::Violation => "violation",
        }
    }
}

/// A field that is there has a value; `null` is no way to leave it out (and for `value` it is a
/// value).
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    field: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

/// A line whose fields do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// A field is missing.
    #[error("a `{kind}` line must have the field `{field}`, and it is missing")]
    Missing {
        /// The line's type.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field of another type of line.
    #[error("a `{kind}` line must not have the field `{field}`")]
    Foreign {
        /// The line's type.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
}

impl fmt::Display for Event {
    /// The line of the history file that tells of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = serde_json::to_string(&Line::of(self)).map_err(|_| fmt::Error)?;
        f.write_str(&line)
    }
}

impl<'a> Line<'a> {
    /// The line that tells of `event`.
    pub(super) fn of(event: &'a Event) -> Self {
        let (kind, step) = match &event.what {
            What::Invoke(step) => (LineType::Invoke, step),
            What::Ok(step) => (LineType::Ok, step),
            What::Fail(step) => (LineType::Fail, step),
            What::Info(step) => (LineType::Info, step),
            What::Nemesis(nemesis) => return Self::of_nemesis(event, nemesis),
            What::Violation(violation) => return Self::of_violation(event, violation),
        };
        Self {
            process: Some(step.process.0),
            f: Some(Cow::Borrowed(&step.f)),
            key: step.key.map(|key| key.0),
            value: Some(Cow::Borrowed(&step.value)),
            error: step.error.as_deref().map(Cow::Borrowed),
            ..Self::bare(event, kind)
        }
    }

    fn of_nemesis(event: &Event, nemesis: &'a Nemesis) -> Self {
        Self {
            fault: Some(nemesis.fault),
            fault_kind: Some(Cow::Borrowed(&nemesis.kind)),
            phase: Some(nemesis.phase),
            targets: Some(Cow::Borrowed(&nemesis.targets)),
            what: Some(Cow::Borrowed(&nemesis.what)),
            bites: Some(nemesis.bites),
            ..Self::bare(event, LineType::Nemesis)
        }
    }

    fn of_violation(event: &Event, violation: &'a Violation) -> Self {
        Self {
            demand: Some(Cow::Borrowed(&violation.demand)),
            targets: Some(Cow::Borrowed(&violation.targets)),
            what: Some(Cow::Borrowed(&violation.what)),
            happened: violation.happened.map(|time| time.0),
            ..Self::bare(event, LineType::Violation)
        }
    }

    fn bare(event: &Event, kind: LineType) -> Self {
        Self {
            index: event.index,
            time: event.time.0,
            kind,
            process: None,
            f: None,
            key: None,
            value: None,
            error: None,
            fault: None,
            fault_kind: None,
            phase: None,
            targets: None,
            what: None,
            bites: None,
            demand: None,
            happened: None,
        }
    }

    /// The event that this line tells of.
    pub(super) fn into_event(self) -> Result<Event, BadLine> {
        let (index, time) = (self.index, Time(self.time));
        let what = match self.kind {
            LineType::Invoke => What::Invoke(self.into_step()?),
            LineType::Ok => What::Ok(self.into_step()?),
            LineType::Fail => What::Fail(self.into_step()?),
            LineType::Info => What::Info(self.into_step()?),
            LineType::Nemesis => What::Nemesis(self.into_nemesis()?),
            LineType::Violation => What::Violation(self.into_violation()?),
        };
        Ok(Event { index, time, what })
    }

    fn into_step(self) -> Result<Step, BadLine> {
        let kind = self.kind.name();
        absent(kind, "fault", self.fault.as_ref())?;
        absent(kind, "kind", self.fault_kind.as_ref())?;
        absent(kind, "phase", self.phase.as_ref())?;
        absent(kind, "targets", self.targets.as_ref())?;
        absent(kind, "what", self.what.as_ref())?;
        absent(kind, "bites", self.bites.as_ref())?;
        absent(kind, "demand", self.demand.as_ref())?;
        absent(kind, "happened", self.happened.as_ref())?;
        if matches!(self.kind, LineType::Invoke | LineType::Ok) {
            absent(kind, "error", self.error.as_ref())?;
        }
        Ok(Step {
            process: ProcessId(needed(kind, "process", self.process)?),
            f: needed(kind, "f", self.f)?.into(),
            key: self.key.map(Key),
            value: needed(kind, "value", self.value)?.into_owned(),
            error: self.error.map(Cow::into_owned),
        })
    }

    fn into_nemesis(self) -> Result<Nemesis, BadLine> {
        let kind = self.kind.name();
        absent(kind, "process", self.process.as_ref())?;
        absent(kind, "f", self.f.as_ref())?;
        absent(kind, "key", self.key.as_ref())?;
        absent(kind, "value", self.value.as_ref())?;
        absent(kind, "error", self.error.as_ref())?;
        absent(kind, "demand", self.demand.as_ref())?;
        absent(kind, "happened", self.happened.as_ref())?;
        Ok(Nemesis {
            fault: needed(kind, "fault", self.fault)?,
            kind: needed(kind, "kind", self.fault_kind)?.into_owned(),
            phase: needed(kind, "phase", self.phase)?,
            targets: needed(kind, "targets", self.targets)?.into_owned(),
            what: needed(kind, "what", self.what)?.into_owned(),
            bites: needed(kind, "bites", self.bites)?,
        })
    }

    fn into_violation(self) -> Result<Violation, BadLine> {
        let kind = self.kind.name();
        absent(kind, "process", self.process.as_ref())?;
        absent(kind, "f", self.f.as_ref())?;
        absent(kind, "key", self.key.as_ref())?;
        absent(kind, "value", self.value.as_ref())?;
        absent(kind, "error", self.error.as_ref())?;
        absent(kind, "fault", self.fault.as_ref())?;
        absent(kind, "kind", self.fault_kind.as_ref())?;
        absent(kind, "phase", self.phase.as_ref())?;
        absent(kind, "bites", self.bites.as_ref())?;
        Ok(Violation {
            demand: needed(kind, "demand", self.demand)?.into_owned(),
            targets: needed(kind, "targets", self.targets)?.into_owned(),
            what: needed(kind, "what", self.what)?.into_owned(),
            happened: self.happened.map(Time),
        })
    }
}

fn needed<T>(kind: &'static str, field: &'static str, value: Option<T>) -> Result<T, BadLine> {
    value.ok_or(BadLine::Missing { kind, field })
}

fn absent<T>(kind: &'static str, field: &'static str, value: Option<&T>) -> Result<(), BadLine> {
    value.map_or(Ok(()), |_| Err(BadLine::Foreign { kind, field }))
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine {
    pub(super) quorate: String,
    pub(super) version: u64,
    program: String,
    started: String,
    /// Must be there: "no mutant" is said, not left out.
    #[serde(deserialize_with = "Option::deserialize")]
    mutant: Option<String>,
    model: String,
    #[serde(deserialize_with = "plan::strict")]
    plan: serde_json::Value,
}

impl HeaderLine {
    pub(super) fn of(header: &Header) -> Self {
        Self {
            quorate: HEADER_MARK.to_owned(),
            version: VERSION,
            program: header.program.clone(),
            started: header.started.clone(),
            mutant: header.mutant.clone(),
            model: header.model.clone(),
            plan: header.plan.clone(),
        }
    }

    pub(super) fn into_header(self) -> Header {
        Header {
            program: self.program,
            started: self.started,
            mutant: self.mutant,
            model: self.model,
            plan: self.plan,
        }
    }
}

/// The last line of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FooterLine {
    pub(super) quorate: String,
    pub(super) events: u64,
    pub(super) digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunDigest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) inputs: Vec<Sealed>,
    pub(super) verdict: crate::verdict::Verdict,
}

/// What every line but the events says of itself; all else is skipped.
#[derive(Deserialize)]
pub(super) struct Mark {
    pub(super) quorate: Option<serde_json::Value>,
    pub(super) version: Option<serde_json::Value>,
}

/// `quorate` in the first line.
pub(super) const HEADER_MARK: &str = "history";

/// `quorate` in the last line.
pub(super) const FOOTER_MARK: &str = "footer";

/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u64 = 1;
