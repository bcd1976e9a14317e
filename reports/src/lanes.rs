//! The faults of a run as spans of time, for all pictures alike.

use quorate_checkers::judge::Results;
use quorate_checkers::vacuity::FaultRecord;

use crate::Page;

/// A fault from its beginning to its end, in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) number: u32,
    pub(crate) kind: String,
    pub(crate) what: String,
    pub(crate) from: f64,
    /// Absent if it was never healed.
    pub(crate) to: Option<f64>,
    /// Event indices of both ends.
    pub(crate) begin: u64,
    pub(crate) end: Option<u64>,
}

/// Every fault of the run.
pub(crate) fn spans(results: &Results) -> Vec<Span> {
    let span = |fault: &FaultRecord| Span {
        number: fault.fault,
        kind: fault.kind.clone(),
        what: fault.what.clone(),
        from: to_seconds(fault.began_at.0),
        to: fault.ended_at.map(|time| to_seconds(time.0)),
        begin: fault.begin,
        end: fault.end,
    };
    results.vacuity.faults.iter().map(span).collect()
}

/// How long the run was, for axes of time: never zero.
pub(crate) fn seconds(page: &Page<'_>) -> f64 {
    to_seconds(page.end_ns()).max(0.001)
}

/// Nanoseconds in seconds.
#[expect(clippy::cast_precision_loss, reason = "pixels are coarser")]
pub(crate) fn to_seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// What a class of faults is about: each family has its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Partition,
    Messages,
    Processes,
    Disks,
    Clocks,
    Lies,
    Other,
}

impl Family {
    /// By the name of the class, as histories have it.
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "partition" => Self::Partition,
            "delay" | "loss" | "duplicate" | "reorder" | "corrupt" => Self::Messages,
            "kill" | "power-loss" | "pause" => Self::Processes,
            "disk-full" | "io-error" | "flipped-bit" | "cut-tail" => Self::Disks,
            "clock" => Self::Clocks,
            "byzantine" | "byzantine-clients" => Self::Lies,
            _ => Self::Other,
        }
    }

    /// Its name in the style sheet.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Messages => "messages",
            Self::Processes => "processes",
            Self::Disks => "disks",
            Self::Clocks => "clocks",
            Self::Lies => "lies",
            Self::Other => "other",
        }
    }
}
