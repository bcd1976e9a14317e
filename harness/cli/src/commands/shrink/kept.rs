//! What is kept of a shrunk plan: the plan with its story, the history of its run, the story as text and picture.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use quorate_checkers::judge::Results;
use quorate_checkers::linearizability::Budget;
use quorate_plan::{Plan, Shows};
use quorate_sim::shrink::{Shrunk, Size};
use quorate_sim::story::Story;
use quorate_systems::mutant::Mutants;
use serde::Serialize;

use super::subject::name_of;
use crate::commands::{report, run};
use crate::error::CliError;
use crate::output;
use crate::store;

const PLAN: &str = "plan.toml";
const STORY: &str = "story.txt";
/// Comments in plans are so wide.
const COMMENT_WIDTH: usize = 106;

/// What was kept.
pub(crate) struct Kept {
    folder: PathBuf,
    mutants: Mutants,
    pub(crate) results: Results,
    pub(crate) steps: Vec<String>,
    pub(super) story: String,
}

/// The outcome for programs.
#[derive(Serialize)]
pub(super) struct Outcome<'a> {
    /// Which way the plan came from a run of real processes, if it is from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a str>,
    demand: &'a str,
    mutant: Option<&'static str>,
    before: Sizes,
    after: Sizes,
    plans: u64,
    seconds: f64,
    complete: bool,
    steps: &'a [String],
    folder: &'a PathBuf,
    plan: PathBuf,
}

#[derive(Serialize)]
struct Sizes {
    operations: u64,
    faults: u64,
    rules: u64,
    clients: u64,
    nodes: u64,
    calm: bool,
}

/// Runs the shrunk plan once more and writes everything into the folder.
pub(crate) fn keep(
    folder: &Path,
    shrunk: &Shrunk,
    mutants: Mutants,
    now: Timestamp,
) -> Result<Kept, CliError> {
    let ended = run::simulated::record(folder, &shrunk.plan, mutants, run::started(now))?;
    let (file, finished) = run::conclude(&shrunk.plan, folder, ended, Budget::default())?;
    let tape = run::story::simulated(&shrunk.plan, mutants)?;
    let story = Story::new(tape, &shrunk.demand, run::story::what(&finished.results));
    let steps = story.steps();
    let told = format!("{}\n{}", numbered(&steps, "", ""), story.text());
    let mut plan = shrunk.plan.clone();
    plan.shows = finished.breaks.clone().map(|breaks| Shows {
        breaks,
        mutant: name_of(mutants).map(ToOwned::to_owned),
        digest: finished.digest(),
    });
    let plan = plan_text(&plan, &shrunk.demand, mutants, &steps);
    for (name, content) in [(PLAN, plan), (STORY, told.clone())] {
        store::write_whole(&folder.join(name), content.as_bytes())?;
    }
    run::story::keep(folder, &story)?;
    let (history, page) = (folder.join(store::HISTORY), folder.join(store::REPORT));
    report::write(&page, &history, &file, &shrunk.plan, &finished.results)?;
    let results = finished.results;
    Ok(Kept { folder: folder.to_owned(), mutants, results, steps, story: told })
}

/// The plan as a person would keep it: the story, how to run it and what comes of it, then the plan itself.
fn plan_text(plan: &Plan, demand: &str, mutants: Mutants, steps: &[String]) -> String {
    let mutant = name_of(mutants).map(|name| format!(" --mutant {name}")).unwrap_or_default();
    format!(
        "# A run that breaks {demand}.\n#\n{}#\n# run: quorate run --plan {PLAN}{mutant}   -> invalid by {demand}\n\n{}",
        numbered(steps, "# ", "#    "),
        quorate_plan::to_toml(plan),
    )
}

/// `1. c0 begins …`, one step a line, or several where one is long.
fn numbered(steps: &[String], first: &str, others: &str) -> String {
    let mut text = String::new();
    for (number, step) in (1..).zip(steps) {
        let mut line = format!("{first}{number}.");
        for word in step.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > COMMENT_WIDTH {
                text += &line;
                text.push('\n');
                line = if others.is_empty() { "  ".to_owned() } else { others.to_owned() };
            }
            if !line.ends_with(' ') {
                line.push(' ');
            }
            line += word;
        }
        text += &line;
        text.push('\n');
    }
    text
}

impl Kept {
    pub(super) fn outcome<'a>(
        &'a self,
        shrunk: &'a Shrunk,
        live: Option<&'a str>,
        took: Duration,
    ) -> Outcome<'a> {
        Outcome {
            live,
            demand: &shrunk.demand,
            mutant: name_of(self.mutants),
            before: Sizes::of(&shrunk.before),
            after: Sizes::of(&shrunk.after),
            plans: shrunk.tries,
            seconds: took.as_secs_f64(),
            complete: shrunk.is_complete,
            steps: &self.steps,
            folder: &self.folder,
            plan: self.folder.join(PLAN),
        }
    }

    /// What can be done with it next.
    pub(super) fn commands(&self, text: &mut String) {
        let history = self.folder.join(store::HISTORY);
        let plan = self.folder.join(PLAN);
        output::line(text, "plan", &plan.display().to_string());
        output::line(text, "replay", &report::replay(&plan));
        output::line(text, "check", &report::check(&history));
        output::line(text, "picture", &self.folder.join(store::STORY).display().to_string());
        output::line(text, "report", &self.folder.join(store::REPORT).display().to_string());
    }
}

impl Sizes {
    const fn of(size: &Size) -> Self {
        let Size { operations, faults, rules, clients, nodes, is_calm } = *size;
        Self { operations, faults, rules, clients, nodes, calm: is_calm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_and_long_ones_go_on_in_the_next_line() {
        let steps = ["c0 begins".to_owned(), "word ".repeat(30)];
        let text = numbered(&steps, "# ", "#    ");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "# 1. c0 begins");
        assert!(lines[1].starts_with("# 2. word word"));
        assert!(lines[2].starts_with("#    word"));
        assert!(lines.iter().all(|line| line.len() <= COMMENT_WIDTH));
    }
}
