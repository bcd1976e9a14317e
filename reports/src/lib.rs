//! The page of a run: one HTML file that opens offline and says what happened, why that is right or wrong,
//! and how to have it again.
//!
//! A page is a pure function of what it shows: the same input gives the same bytes.

pub mod browse;
mod explorer;
mod facts;
mod faults;
mod lanes;
pub mod night;
mod percent;
mod plan_text;
mod plots;
mod statistics;
mod story;
mod strip;
mod timeline;
pub mod units;
mod verdict;
mod violations;
mod words;

use std::borrow::Cow;

use askama::Template;
pub use browse::encoded;
use quorate_checkers::history::{Header, History, Key, Operation, operations};
use quorate_checkers::judge::Results;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Plan, Vocabulary};

use explorer::Explorer;
use facts::Fact;
use faults::FaultTable;
use plots::Plot;
use statistics::Tables;
use strip::Strip;
use timeline::Timeline;
use verdict::Headline;
use violations::ViolationTable;

/// All that a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What is told.
    pub subject: Subject<'a>,
    /// The judgement of it.
    pub results: &'a Results,
    /// Commands that somebody may want next, each with what it does (`check it again`).
    pub commands: &'a [(String, String)],
    /// The space-time diagram of the run as SVG, where there is one.
    pub story: Option<&'a str>,
    /// What nodes wrote, and what was told of them.
    pub logs: &'a [Log],
}

/// A text that a run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What it is.
    pub name: String,
    /// All that is to be read of it.
    pub text: String,
}

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A run of Quorate.
    Run {
        /// The first line of the history file.
        header: &'a Header,
        /// What was to be run.
        plan: &'a Plan,
        /// What happened.
        history: &'a History,
        /// What the system calls its things; empty if nobody knows the system.
        vocabulary: &'a Vocabulary,
    },
    /// A history that another program recorded.
    Foreign(&'a Foreign),
}

/// A history of another program, as far as a page tells of it.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The name of its file.
    pub name: String,
    /// What it is written in (`EDN`).
    pub format: String,
    /// The program that makes the page, with its version.
    pub program: String,
    /// The operations in the order of their invocations.
    pub operations: Vec<Operation>,
    /// Whether the file says when things happened; otherwise their times stand for their order.
    pub is_timed: bool,
    /// Keys whose names are no numbers of their own: what stands for them, and the names.
    pub keys: Vec<(Key, String)>,
}

impl<'a> Page<'a> {
    fn operations(&self) -> Cow<'a, [Operation]> {
        match self.subject {
            Subject::Run { history, .. } => Cow::Owned(operations(history)),
            Subject::Foreign(foreign) => Cow::Borrowed(&foreign.operations),
        }
    }

    /// When the last thing happened, in nanoseconds.
    fn end_ns(&self) -> u64 {
        self.results.statistics.duration_ns
    }

    /// Whether times are times, and not the order of events.
    const fn is_timed(&self) -> bool {
        match self.subject {
            Subject::Run { .. } => true,
            Subject::Foreign(foreign) => foreign.is_timed,
        }
    }

    fn plan(&self) -> Option<&'a Plan> {
        match self.subject {
            Subject::Run { plan, .. } => Some(plan),
            Subject::Foreign(_) => None,
        }
    }
}

/// A page that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The template failed.
    #[error("the page could not be written: {0}")]
    Page(#[from] askama::Error),
    /// A plot failed.
    #[error("a plot could not be drawn: {0}")]
    Plot(String),
    /// The plan, or the operations, are no JSON.
    #[error("the page's data could not be written: {0}")]
    Data(#[from] serde_json::Error),
}

/// Makes the page.
pub fn page(page: &Page<'_>) -> Result<String, ReportError> {
    let operations = page.operations();
    let spans = lanes::spans(page.results);
    let seconds = lanes::seconds(page);
    let clients = page.plan().map(|plan| plan.workload.clients);
    let (name, program, started) = match page.subject {
        Subject::Run { header, plan, .. } => (&plan.name, &header.program, Some(&header.started)),
        Subject::Foreign(foreign) => (&foreign.name, &foreign.program, None),
    };
    let timed = if page.is_timed() { &*operations } else { &[] };
    let template = PageTemplate {
        title: format!("{name}: {}", page.results.verdict),
        crumbs: facts::crumbs(page),
        headline: Headline::new(page, &operations),
        violations: ViolationTable::new(page),
        proofs: proofs(page, &operations),
        facts: facts::facts(page),
        tables: Tables::new(page),
        is_timed: page.is_timed(),
        strip: Strip::new(&spans, seconds),
        latencies: plots::latencies(timed, &spans, seconds)?,
        quantiles: plots::quantiles(timed, &spans, seconds)?,
        throughput: plots::throughput(timed, &spans, seconds)?,
        whole: Timeline::whole(&operations, page.results),
        explorer: Explorer::new(&operations, page.results, &spans, clients, page.end_ns())?,
        script: explorer::SCRIPT,
        script_digest: explorer::script_digest(),
        story: page.story.map(story::address),
        faults: page.plan().map(|_| FaultTable::new(page)),
        notes: &page.results.vacuity.notes,
        logs: page.logs,
        commands: page.commands,
        plan: page.plan().map(plan_text::pretty).transpose()?,
        program,
        started,
    };
    Ok(template.render()?)
}

/// What proves that a run is wrong, for one key.
struct Proof {
    key: Option<String>,
    sentence: String,
    timeline: Timeline,
    /// What could have been instead, in words.
    orders: Vec<String>,
}

/// More than this many proofs are not read; the sentences of all of them stand at the top.
const PROOFS_MAX: usize = 3;

fn proofs(page: &Page<'_>, operations: &[Operation]) -> Vec<Proof> {
    let counterexamples = page.results.linearizability.counterexamples().take(PROOFS_MAX);
    let proof = |counterexample| Proof {
        key: verdict::key_of(counterexample),
        sentence: verdict::sentence(&counterexample.sentence),
        timeline: Timeline::around(counterexample, operations, page.results),
        orders: verdict::orders(counterexample),
    };
    counterexamples.map(proof).collect()
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    title: String,
    crumbs: Vec<String>,
    headline: Headline,
    violations: ViolationTable,
    proofs: Vec<Proof>,
    facts: Vec<Fact>,
    tables: Tables,
    /// Whether there is anything to say of time.
    is_timed: bool,
    strip: Strip,
    latencies: Vec<Plot>,
    quantiles: Option<Plot>,
    throughput: Option<Plot>,
    whole: Option<Timeline>,
    explorer: Option<Explorer>,
    script: &'static str,
    /// What the page lets a browser run, and nothing else.
    script_digest: String,
    /// The address of its picture.
    story: Option<String>,
    /// Those of a run; what a nemesis of another program did is in the pictures.
    faults: Option<FaultTable>,
    notes: &'a [String],
    logs: &'a [Log],
    commands: &'a [(String, String)],
    plan: Option<String>,
    program: &'a str,
    /// When the run began, where that is known.
    started: Option<&'a String>,
}

/// The class of a verdict in the style sheet, also the word for it.
const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
    }
}
