//! One run, as one line of `results.jsonl`.

use std::collections::BTreeMap;

use quorate_checkers::judge::Results;
use quorate_checkers::verdict::Verdict;
use quorate_plan::WorldKind;
use serde::{Deserialize, Serialize};

use super::draw::Drawn;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Its number in the campaign.
    pub(super) index: u64,
    pub(super) system: String,
    pub(super) world: WorldKind,
    pub(super) workload: String,
    /// What its plan was drawn from.
    pub(super) seed: u64,
    pub(super) ending: Ending,
    /// The demand that is broken first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) breaks: Option<String>,
    /// Why it is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    pub(super) ok: u64,
    pub(super) fail: u64,
    pub(super) info: u64,
    /// Events of the simulated world; of the history in the live one.
    pub(super) events: u64,
    pub(super) virtual_us: u64,
    /// By class: how many faults began, how many of them bit, how many could not be carried out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) faults: BTreeMap<String, [u64; 3]>,
    /// How often each milestone was reached.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) milestones: BTreeMap<String, u64>,
    pub(super) took_us: u64,
    /// When it ended, after the campaign began, breaks left out.
    pub(super) ended_ms: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ending {
    Valid,
    Invalid,
    Unknown,
    /// The harness failed.
    Broken,
}

impl From<Verdict> for Ending {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Valid => Self::Valid,
            Verdict::Invalid => Self::Invalid,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// Longer sentences are cut: a line is a line.
const WHY_MAX: usize = 400;

impl Line {
    /// Of a run that came to nothing, since the harness failed.
    pub(super) fn broken(drawn: &Drawn, why: &str) -> Self {
        Self {
            index: drawn.index,
            system: drawn.system.name().to_owned(),
            world: drawn.plan.world,
            workload: drawn.plan.workload.kind.name().to_owned(),
            seed: drawn.plan.seed,
            ending: Ending::Broken,
            breaks: None,
            why: Some(shortened(why)),
            ok: 0,
            fail: 0,
            info: 0,
            events: 0,
            virtual_us: 0,
            faults: BTreeMap::new(),
            milestones: BTreeMap::new(),
            took_us: 0,
            ended_ms: 0,
        }
    }

    /// Of a run that was judged.
    pub(super) fn judged(drawn: &Drawn, results: &Results, breaks: Option<&str>) -> Self {
        let all = &results.statistics.all;
        let why = results.sentences.first().filter(|_| results.verdict != Verdict::Valid);
        let classes = results.vacuity.classes.iter();
        Self {
            ending: results.verdict.into(),
            breaks: breaks.map(ToOwned::to_owned),
            why: why.map(|why| shortened(why)),
            ok: all.ok,
            fail: all.fail,
            info: all.info + all.pending,
            faults: classes
                .map(|(class, tally)| (class.clone(), [tally.begun, tally.bitten, tally.skipped]))
                .collect(),
            ..Self::broken(drawn, "")
        }
    }

    /// As a line of a file.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a line has text keys") + "\n"
    }

    /// Whether two lines say the same of a run, times aside.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let timeless = |line: &Self| Self { took_us: 0, ended_ms: 0, ..line.clone() };
        timeless(self) == timeless(other)
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= WHY_MAX {
        return text.to_owned();
    }
    text.chars().take(WHY_MAX).chain(['…']).collect()
}
