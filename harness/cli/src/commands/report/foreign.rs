//! A history of another program, made ready for a page.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use quorate_checkers::foreign::{self, Event, NamedKey, Prepared};
use quorate_checkers::history::Time;
use quorate_checkers::judge::Results;
use quorate_checkers::linearizability::Budget;
use quorate_checkers::statistics::statistics;
use quorate_checkers::vacuity::Vacuity;
use quorate_checkers::verdict::Verdict;
use quorate_checkers::violations::Violations;
use quorate_reports::Foreign;

use super::quoted;
use crate::commands::check::foreign::ForeignArguments;
use crate::commands::run::PROGRAM;
use crate::error::CliError;

/// What a page tells of a foreign history.
pub(super) struct Told {
    pub(super) foreign: Foreign,
    pub(super) results: Results,
    model: String,
}

impl Told {
    /// The command that judges the file again.
    pub(super) fn command(&self, file: &Path) -> String {
        format!("quorate check {} --model {}", quoted(file), self.model)
    }
}

/// Where the file has no times each event is given so many nanoseconds, to tell the order.
const UNTIMED_NS: u64 = 1_000_000;

/// Reads and judges it.
pub(super) fn told(
    arguments: &ForeignArguments,
    name: &str,
    input: impl BufRead,
    budget: Budget,
) -> Result<Told, CliError> {
    let (format, history) = arguments.read(name, input)?;
    let model = arguments.model_of_another(name, format)?;
    let prepared = arguments.prepare(name, format, &history)?;
    let judged = prepared.judge(budget);
    let (times, is_timed) = times(history.events());
    let at = |place: u64| {
        usize::try_from(place).ok().and_then(|place| times.get(place)).copied().unwrap_or_default()
    };
    let Prepared { mut operations, .. } = prepared;
    for operation in &mut operations {
        operation.invoked_at = at(operation.invoke);
        operation.completed_at = operation.complete.map(at);
    }
    let end = times.last().map_or(0, |time| time.0);
    let results = Results {
        verdict: judged.verdict,
        sentences: judged.sentences,
        statistics: statistics(end, &operations),
        violations: Violations { verdict: Verdict::Valid, found: Vec::new() },
        vacuity: Vacuity {
            verdict: Verdict::Valid,
            sentences: Vec::new(),
            notes: Vec::new(),
            classes: std::collections::BTreeMap::new(),
            faults: foreign::faults(&history, |place| at(place as u64)),
        },
        linearizability: judged.linearizability,
        check_ns: judged.check_ns,
    };
    let keys = judged.keys.into_iter().map(|NamedKey { key, name }| (key, name)).collect();
    let foreign = Foreign {
        name: Path::new(name)
            .file_name()
            .map_or_else(|| name.to_owned(), |name| name.to_string_lossy().into_owned()),
        format: format.to_string(),
        program: PROGRAM.to_owned(),
        operations,
        is_timed,
        keys,
    };
    Ok(Told { foreign, results, model: model.to_owned() })
}

/// When each event happened, since the first one: clocks that go back stand still. Where the file does not say, times
/// stand for the order.
fn times(events: &[Event]) -> (Vec<Time>, bool) {
    let first = events.iter().filter_map(|event| event.time).min();
    let Some(first) = first.filter(|_| events.iter().filter_map(|event| event.time).max() != first)
    else {
        let spread = (0..events.len() as u64).map(|place| Time(place * UNTIMED_NS));
        return (spread.collect(), false);
    };
    let mut now = 0;
    let since = |event: &Event| {
        let said = event.time.map_or(0, |time| time.saturating_sub(first).max(0).unsigned_abs());
        now = said.max(now);
        Time(now)
    };
    (events.iter().map(since).collect(), true)
}

/// The page of a file stands beside it.
pub(super) fn beside(file: &Path) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut stem = name.unwrap_or_else(|| "history".to_owned());
    for ending in [".gz", ".zst", ".edn", ".log", ".jsonl", ".json", ".txt"] {
        if let Some(shorter) = stem.strip_suffix(ending).filter(|shorter| !shorter.is_empty()) {
            stem = shorter.to_owned();
        }
    }
    if stem == "-" {
        "history".clone_into(&mut stem);
    }
    file.with_file_name(format!("{stem}.html"))
}
