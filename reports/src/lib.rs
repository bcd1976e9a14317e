//! The page of a run: one HTML file that opens offline and says what happened, why that is right or wrong,
//! and how to have it again.
//!
//! A page is a pure function of what it shows: the same input gives the same bytes.

mod facts;
mod faults;
mod lanes;
pub mod night;
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

use askama::Template;
use quorate_checkers::history::{Header, History, Operation, operations};
use quorate_checkers::judge::Results;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Plan, Vocabulary};

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
    /// The first line of the history file.
    pub header: &'a Header,
    /// What was to be run.
    pub plan: &'a Plan,
    /// What happened.
    pub history: &'a History,
    /// The judgement of it.
    pub results: &'a Results,
    /// What the system calls its things; empty if nobody knows the system.
    pub vocabulary: &'a Vocabulary,
    /// Commands that somebody may want next, each with what it does (`check it again`).
    pub commands: &'a [(String, String)],
    /// The space-time diagram of the run as SVG, where it is small enough for one.
    pub story: Option<&'a str>,
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
    /// The plan is no JSON.
    #[error("the plan could not be written: {0}")]
    Plan(#[from] serde_json::Error),
}

/// Makes the page.
pub fn page(page: &Page<'_>) -> Result<String, ReportError> {
    let operations = operations(page.history);
    let spans = lanes::spans(page.results);
    let seconds = lanes::seconds(page);
    let template = PageTemplate {
        title: format!("{}: {}", page.plan.name, page.results.verdict),
        crumbs: facts::crumbs(page),
        headline: Headline::new(page, &operations),
        violations: ViolationTable::new(page),
        proofs: proofs(page, &operations),
        facts: facts::facts(page),
        tables: Tables::new(page.results),
        strip: Strip::new(&spans, seconds),
        latencies: plots::latencies(&operations, &spans, seconds)?,
        throughput: plots::throughput(&operations, &spans, seconds)?,
        whole: Timeline::whole(&operations, page.results),
        story: page.story.map(story::address),
        faults: FaultTable::new(page),
        notes: &page.results.vacuity.notes,
        commands: page.commands,
        plan: plan_text::pretty(page.plan)?,
        program: &page.header.program,
        started: &page.header.started,
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
    strip: Strip,
    latencies: Vec<Plot>,
    throughput: Option<Plot>,
    whole: Option<Timeline>,
    /// The address of its picture.
    story: Option<String>,
    faults: FaultTable,
    notes: &'a [String],
    commands: &'a [(String, String)],
    plan: String,
    program: &'a str,
    started: &'a str,
}

/// The class of a verdict in the style sheet, also the word for it.
const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
    }
}
