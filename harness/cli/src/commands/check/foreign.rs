//! Histories of other programs: how they are to be read, and what is said of them.

use std::io::BufRead;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use quorate_checkers::explain::Counterexample;
use quorate_checkers::foreign::{
    self, Format, History, MODELS, Meaning, NamedKey, NilReads, Prepared, Problem, ReadError,
    RefusedCas, Results, Unjudged,
};
use quorate_checkers::history::Value;
use quorate_checkers::linearizability::Budget;
use quorate_checkers::model;

use super::Judged;
use super::checkers::CheckerArguments;
use super::more::More;
use crate::error::CliError;
use crate::output;

/// What the file does not say of itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Histories of other programs")]
pub(crate) struct ForeignArguments {
    /// The model to judge by; for one of Quorate's own instead of the one in its header.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(models()))]
    model: Option<String>,

    /// The format of the history, where it is not to be recognised by its first bytes.
    #[arg(long)]
    format: Option<FormatArgument>,

    /// What a `cas` says that failed: that it found something else, or nothing.
    #[arg(long, value_name = "MEANING")]
    refused_cas: Option<RefusedCasArgument>,

    /// What a read says that returned nil: that there is no value, or nothing.
    #[arg(long, value_name = "MEANING")]
    nil_reads: Option<NilReadsArgument>,

    /// What each register holds at first, as EDN: `0`, `nil`, `"text"`.
    #[arg(long, value_name = "VALUE", value_parser = initial)]
    init: Option<Value>,

    /// Each value is a pair of a key and the value, as jepsen.independent has it.
    #[arg(long)]
    keyed: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    /// A file of `quorate run`.
    Quorate,
    /// Maps or records of EDN: Jepsen's, Knossos's, Porcupine's key-value histories.
    Edn,
    /// Lines of a log of Jepsen, or of its history.txt.
    Log,
    /// Objects of JSON, in a list or one a line.
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RefusedCasArgument {
    /// It found something else than it expected.
    Observation,
    /// It did not happen.
    Ignored,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NilReadsArgument {
    /// There is no value.
    Unset,
    /// It does not tell what it saw.
    Wildcard,
}

impl ForeignArguments {
    /// Whether a history that begins like this is one of Quorate's own.
    pub(crate) fn is_ours(&self, head: &[u8]) -> bool {
        match self.format {
            Some(FormatArgument::Quorate) => true,
            Some(FormatArgument::Edn | FormatArgument::Log | FormatArgument::Json) => false,
            None => foreign::is_ours(head),
        }
    }

    /// The model to judge one of Quorate's own by. It says of itself what it means.
    pub(crate) fn model_of_ours<'a>(
        &'a self,
        name: &str,
        recorded: &'a str,
    ) -> Result<&'a str, CliError> {
        let given = [
            ("--refused-cas", self.refused_cas.is_some()),
            ("--nil-reads", self.nil_reads.is_some()),
            ("--init", self.init.is_some()),
            ("--keyed", self.keyed),
        ];
        if let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
            return Err(CliError::usage(format_args!(
                "{name} is a history of Quorate, and {option} is for those of other programs"
            ))
            .hint(format_args!("leave out {option}")));
        }
        Ok(self.model.as_deref().unwrap_or(recorded))
    }

    /// Reads and judges a history of another program, by its model or by the checker that was asked for.
    pub(crate) fn judge(
        &self,
        name: &str,
        input: impl BufRead,
        budget: Budget,
        checkers: &CheckerArguments,
        is_witness_asked: bool,
    ) -> Result<Judged, CliError> {
        let (format, history) = self.read(name, input)?;
        if checkers.is_asked_for() {
            let recorded = foreign::recorded(&history, self.keyed);
            let recorded = recorded.map_err(|error| unjudged(name, &error))?;
            if let Some(judgement) = checkers.judge(&recorded.operations) {
                return Ok(judgement.judged(name));
            }
        }
        let prepared = self.prepare(name, format, &history)?;
        let results = prepared.judge(budget);
        let Prepared { model, operations, .. } = &prepared;
        let for_orders = is_witness_asked.then_some(budget);
        let more = More::of(&**model, operations, &results.linearizability, for_orders);
        Ok(Judged {
            file: name.to_owned(),
            verdict: results.verdict,
            text: text(format, &history, &results) + &more.text(),
            results: more.with(serde_json::to_value(&results).expect("results have text keys")),
        })
    }

    /// Reads a history of another program.
    pub(in crate::commands) fn read(
        &self,
        name: &str,
        input: impl BufRead,
    ) -> Result<(Format, History), CliError> {
        foreign::read(input, self.format()).map_err(|error| unreadable(name, &error))
    }

    /// Its operations, as the model that was named takes them.
    pub(in crate::commands) fn prepare(
        &self,
        name: &str,
        format: Format,
        history: &History,
    ) -> Result<Prepared, CliError> {
        let model = self.model_of_another(name, format)?;
        foreign::prepare(history, model, &self.meaning(format), self.keyed)
            .map_err(|error| unjudged(name, &error))
    }

    /// The format that was named.
    pub(in crate::commands) fn format(&self) -> Option<Format> {
        self.format.map(FormatArgument::format)
    }

    /// Whether each value is a pair of a key and the value.
    pub(in crate::commands) const fn is_keyed(&self) -> bool {
        self.keyed
    }

    /// The model to judge a history of another program by: it must be named.
    pub(in crate::commands) fn model_of_another(
        &self,
        name: &str,
        format: Format,
    ) -> Result<&str, CliError> {
        self.model.as_deref().ok_or_else(|| {
            CliError::usage(format_args!(
                "{name} is a history of another program ({format}), and does not say what to judge it by"
            ))
            .hint(format_args!("add --model NAME: {}", models().join(", ")))
        })
    }

    pub(in crate::commands) fn meaning(&self, format: Format) -> Meaning {
        let usual = Meaning::of(format);
        Meaning {
            refused_cas: self.refused_cas.map_or(usual.refused_cas, |given| match given {
                RefusedCasArgument::Observation => RefusedCas::Observation,
                RefusedCasArgument::Ignored => RefusedCas::Ignored,
            }),
            nil_reads: self.nil_reads.map_or(usual.nil_reads, |given| match given {
                NilReadsArgument::Unset => NilReads::Unset,
                NilReadsArgument::Wildcard => NilReads::Wildcard,
            }),
            initial: self.init.clone().unwrap_or(usual.initial),
        }
    }
}

impl FormatArgument {
    fn format(self) -> Format {
        match self {
            Self::Quorate => Format::Quorate,
            Self::Edn => Format::Edn,
            Self::Log => Format::Log,
            Self::Json => Format::Json,
        }
    }
}

/// The models that there are, those first that are made for histories of other programs.
fn models() -> Vec<&'static str> {
    let mut names: Vec<&str> = MODELS.iter().map(|(name, _)| *name).collect();
    let others = model::ALL.iter().map(|model| model.name());
    names.extend(others.filter(|name| MODELS.iter().all(|(other, _)| other != name)));
    names
}

fn initial(text: &str) -> Result<Value, String> {
    foreign::datum(text).map(|datum| foreign::value(&datum)).map_err(|error| error.to_string())
}

/// What is wrong with a history of another program, and what to do about it.
pub(crate) fn unreadable(name: &str, error: &ReadError) -> CliError {
    let told = CliError::damaged(format_args!("{name}: {error}"));
    match &error.problem {
        Problem::NoFormat { .. } => told.hint(
            "a history of Quorate is the file history.jsonl in the folder of a run; the format of another one can be \
             given with --format",
        ),
        Problem::Io(_) => told.hint("take an undamaged copy"),
        Problem::Open { .. } | Problem::NotOpen { .. } | Problem::OtherFunction { .. } => told.hint(
            "each operation is one `invoke` and at most one `ok`, `fail` or `info` of the same process after it",
        ),
        Problem::Disorder { .. } => told.hint("sort the events by their index"),
        Problem::NoOperations => told.hint("give the file with the lines of jepsen.util"),
        _ => told.hint("put this place right, or name another format with --format"),
    }
}

/// What cannot be judged as it was asked for, and what to do about it.
pub(in crate::commands) fn unjudged(name: &str, error: &Unjudged) -> CliError {
    let told = CliError::usage(format_args!("{name}: {error}"));
    match error {
        Unjudged::NoModel { .. } | Unjudged::NoFunction { .. } => {
            told.hint(format_args!("name another one with --model: {}", models().join(", ")))
        }
        Unjudged::NoStream { .. } => told.hint("leave out --stream"),
        Unjudged::NoInitial { .. } => told.hint("leave out --init"),
        Unjudged::Initial { .. } => {
            told.hint(r#"give one as EDN: --init '"abc"', --init '{:x 0}'"#)
        }
        Unjudged::NoPair { .. } => told.hint("leave out --keyed"),
        Unjudged::HasKey { .. } => told.hint("leave out --keyed: the `key`s are used without it"),
    }
}

/// The verdict with its reasons, the first counterexample, and the numbers.
fn text(format: Format, history: &History, results: &Results) -> String {
    let mut text = String::new();
    let name = results.verdict.to_string().to_uppercase();
    let summary = summary(format, results);
    match results.sentences.split_first() {
        Some((first, others)) => {
            output::reasons(&mut text, &name, first, others, "--json");
        }
        None => output::line(&mut text, &name, &format!("linearizable: {summary}")),
    }
    if let Some(counterexample) = results.linearizability.counterexamples().next() {
        output::picture(&mut text, counterexample);
        output::line(&mut text, "lines", &lines(history, counterexample));
    }
    if !results.sentences.is_empty() {
        output::line(&mut text, "", &summary);
    }
    if results.operations == 0 {
        output::line(&mut text, "note", &nothing_judged(history));
    }
    add_names(&mut text, &results.keys);
    text
}

/// Which numbers stand for which keys.
pub(super) fn add_names(text: &mut String, keys: &[NamedKey]) {
    for named in keys.iter().take(KEYS_MAX) {
        output::line(text, "note", &format!("key {} is {}", named.key, named.name));
    }
}

/// Why there was nothing to judge.
fn nothing_judged(history: &History) -> String {
    match history.events().len() as u64 {
        0 => "0 operations judged: there are no events in it".to_owned(),
        count => format!(
            "0 operations judged: none of {} is of a client; clients are processes with numbers",
            output::count(count, "event")
        ),
    }
}

/// `85 operations on 1 key, read as log; checked in 3 ms`.
fn summary(format: Format, results: &Results) -> String {
    let keys = results.linearizability.keys.len() as u64;
    let (operations, keys) =
        (output::count(results.operations, "operation"), output::count(keys, "key"));
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are shown without a fraction")]
    let check_ms = results.check_ns as f64 / 1e6;
    format!("{operations} on {keys}, read as {format}; checked in {check_ms:.0} ms")
}

/// Where the events stand that a counterexample names by their places.
fn lines(history: &History, counterexample: &Counterexample) -> String {
    let shown = counterexample.operations.iter();
    let mut places: Vec<u64> = shown
        .flat_map(|involved| [Some(involved.operation.invoke), involved.operation.complete])
        .flatten()
        .collect();
    places.sort_unstable();
    let line = |place: &u64| {
        let event = history.events().get(usize::try_from(*place).ok()?)?;
        Some(format!("index {place}: line {}", event.line))
    };
    let mut lines: Vec<String> = places.iter().take(LINES_MAX).filter_map(line).collect();
    if places.len() > LINES_MAX {
        lines.push("…".to_owned());
    }
    lines.join(", ")
}

/// More lines are not looked up by hand.
const LINES_MAX: usize = 16;
/// More names of keys are not read; all are in the JSON.
const KEYS_MAX: usize = 10;
