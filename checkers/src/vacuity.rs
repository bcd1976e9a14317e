//! Whether a history means anything: a run in which nothing worked, or nothing was broken, proves
//! nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::{Event, History, Key, Nemesis, NemesisPhase, Operation, Time, What};
use crate::verdict::Verdict;

/// What was done to the system, and how it went on meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vacuity {
    /// Valid, or unknown for the reasons in `sentences`; never invalid.
    pub verdict: Verdict,
    /// Why the history proves little.
    pub sentences: Vec<String>,
    /// What is remarkable, but no reason for doubt.
    pub notes: Vec<String>,
    /// By fault class; the demanded ones are always there.
    pub classes: BTreeMap<String, ClassTally>,
    /// Every fault that began, in order.
    pub faults: Vec<FaultRecord>,
}

/// How often faults of one class occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassTally {
    /// Faults that began.
    pub begun: u64,
    /// Of these, faults that were seen to do something.
    pub bitten: u64,
    /// Faults that could not be carried out.
    pub skipped: u64,
}

/// One fault, from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRecord {
    /// Its number in the run.
    pub fault: u32,
    /// Its class.
    pub kind: String,
    /// What exactly, in one line.
    pub what: String,
    /// Nodes and clients that it was aimed at.
    pub targets: Vec<String>,
    /// The index of its beginning.
    pub begin: u64,
    /// When it began.
    pub began_at: Time,
    /// The index of its end; absent if the history stops before.
    pub end: Option<u64>,
    /// When it ended; absent with `end`.
    pub ended_at: Option<Time>,
    /// How often it was seen to do something.
    pub bites: u64,
    /// Operations that were done before it began.
    pub ok_before: u64,
    /// Operations that were done while it was in force.
    pub ok_during: u64,
    /// Operations that were done after it had ended.
    pub ok_after: u64,
}

/// Looks for reasons to doubt. Each of `functions` that was invoked must have succeeded once, and each of
/// `classes` must have had a fault that did something.
pub fn vacuity(
    history: &History,
    operations: &[Operation],
    functions: &[&str],
    classes: &[String],
) -> Vacuity {
    let mut dones: Vec<u64> =
        operations.iter().filter(|o| o.is_ok()).filter_map(|o| o.complete).collect();
    dones.sort_unstable();
    let (mut faults, mut tallies) = read_faults(history, classes);
    for fault in &mut faults {
        fault.count(&dones);
    }
    for fault in &faults {
        let tally = tallies.entry(fault.kind.clone()).or_default();
        tally.begun += 1;
        tally.bitten += u64::from(fault.bites > 0);
    }
    let mut sentences = unplanned(history);
    sentences.extend(silent_functions(operations, functions));
    sentences.extend(only_healed(history, operations, &dones));
    sentences.extend(classes.iter().filter_map(|class| toothless(class, *tallies.get(class)?)));
    sentences
        .extend(tallies.iter().filter_map(|(class, tally)| impossible(class, *tally, classes)));
    sentences.extend(without_work(&faults, operations));
    sentences.extend(stood_still(&faults, operations, &dones));
    let verdict = if sentences.is_empty() { Verdict::Valid } else { Verdict::Unknown };
    let mut notes = never_invoked(operations, functions);
    notes.extend(faults.iter().filter_map(FaultRecord::note));
    Vacuity { verdict, sentences, notes, classes: tallies, faults }
}

impl FaultRecord {
    fn begun(index: u64, time: Time, nemesis: &Nemesis) -> Self {
        Self {
            fault: nemesis.fault,
            kind: nemesis.kind.clone(),
            what: nemesis.what.clone(),
            targets: nemesis.targets.clone(),
            begin: index,
            began_at: time,
            end: None,
            ended_at: None,
            bites: nemesis.bites,
            ok_before: 0,
            ok_during: 0,
            ok_after: 0,
        }
    }

    /// `dones` are the indices of successful completions, in order.
    fn count(&mut self, dones: &[u64]) {
        let before = |index: u64| dones.partition_point(|&done| done < index) as u64;
        let total = dones.len() as u64;
        let until_end = self.end.map_or(total, before);
        self.ok_before = before(self.begin);
        self.ok_during = until_end - self.ok_before;
        self.ok_after = total - until_end;
    }

    fn note(&self) -> Option<String> {
        let Self { fault, kind, .. } = self;
        if self.end.is_some() && self.ok_during == 0 {
            return Some(format!("no operation succeeded during fault {fault} ({kind})"));
        }
        (self.end.is_some() && self.bites == 0)
            .then(|| format!("fault {fault} ({kind}) was never seen to do anything"))
    }
}

fn read_faults(
    history: &History,
    classes: &[String],
) -> (Vec<FaultRecord>, BTreeMap<String, ClassTally>) {
    let mut tallies: BTreeMap<String, ClassTally> =
        classes.iter().map(|class| (class.clone(), ClassTally::default())).collect();
    let mut faults: Vec<FaultRecord> = Vec::new();
    for event in history.events() {
        let What::Nemesis(nemesis) = &event.what else { continue };
        if !nemesis.is_fault() {
            continue;
        }
        match nemesis.phase {
            NemesisPhase::Begin => {
                faults.push(FaultRecord::begun(event.index, event.time, nemesis));
            }
            NemesisPhase::Skipped => tallies.entry(nemesis.kind.clone()).or_default().skipped += 1,
            NemesisPhase::End => {
                let in_force = |f: &&mut FaultRecord| f.fault == nemesis.fault && f.end.is_none();
                if let Some(fault) = faults.iter_mut().find(in_force) {
                    fault.end = Some(event.index);
                    fault.ended_at = Some(event.time);
                    fault.bites = fault.bites.max(nemesis.bites);
                }
            }
        }
    }
    (faults, tallies)
}

/// What nobody had made happen: with that, what clients saw is no proof of anything.
pub(crate) fn unplanned(history: &History) -> Vec<String> {
    let sentence = |nemesis: &Nemesis| match nemesis.kind.as_str() {
        Nemesis::DEATH => {
            format!("{} ended by itself: {}", nemesis.targets.join(", "), nemesis.what)
        }
        _ => nemesis.what.clone(),
    };
    let unplanned = |event: &Event| match &event.what {
        // Its end event says the same again.
        What::Nemesis(nemesis) if nemesis.phase != NemesisPhase::End && nemesis.is_unplanned() => {
            Some(sentence(nemesis))
        }
        _ => None,
    };
    history.events().iter().filter_map(unplanned).collect()
}

fn silent_functions(operations: &[Operation], functions: &[&str]) -> Vec<String> {
    if !operations.iter().any(Operation::is_ok) {
        return vec!["no operation succeeded".to_owned()];
    }
    let is_silent = |f: &&&str| {
        let mut of_function = operations.iter().filter(|o| o.f == ***f).peekable();
        of_function.peek().is_some() && !of_function.any(Operation::is_ok)
    };
    functions.iter().filter(is_silent).map(|f| format!("no {f} succeeded")).collect()
}

/// Operations that only succeed once everything is put right were not tested by what was broken before.
fn only_healed(history: &History, operations: &[Operation], dones: &[u64]) -> Option<String> {
    let is_healing = |event: &&Event| matches!(&event.what, What::Nemesis(nemesis) if nemesis.kind == Nemesis::HEALING);
    let healing = history.events().iter().find(is_healing)?.index;
    let has_begun = operations.first().is_some_and(|o| o.invoke < healing);
    let first = *dones.first()?;
    (has_begun && first > healing).then(|| {
        "no operation succeeded before the healing: only then did the system work".to_owned()
    })
}

/// What nobody asked for may be missing on purpose: a script need not do everything.
fn never_invoked(operations: &[Operation], functions: &[&str]) -> Vec<String> {
    if operations.is_empty() {
        return Vec::new();
    }
    let is_missing = |f: &&&str| !operations.iter().any(|o| o.f == ***f);
    functions.iter().filter(is_missing).map(|f| format!("no {f} was invoked")).collect()
}

fn toothless(class: &str, tally: ClassTally) -> Option<String> {
    let ClassTally { begun, bitten, skipped } = tally;
    if bitten > 0 {
        return None;
    }
    Some(match (begun, skipped) {
        (0, 0) => format!("no fault of the class {class} occurred"),
        (0, _) => format!("no fault of the class {class} could be carried out ({skipped} skipped)"),
        (1, _) => format!("the only fault of the class {class} was never seen to do anything"),
        _ => format!("none of the {begun} faults of the class {class} was seen to do anything"),
    })
}

/// A fault that could not be carried out is nothing to speak of where others of its class could; else the plan's
/// own story was not told, also where nobody had demanded the class.
fn impossible(class: &str, tally: ClassTally, demanded: &[String]) -> Option<String> {
    let is_demanded = demanded.iter().any(|other| other == class);
    (!is_demanded && tally.begun == 0 && tally.skipped > 0).then(|| toothless(class, tally))?
}

/// Faults that nobody worked under test nothing, however hard they bit.
fn without_work(faults: &[FaultRecord], operations: &[Operation]) -> Option<String> {
    let bitten = || faults.iter().filter(|fault| fault.bites > 0);
    // Where all nodes were down, what was asked meanwhile may be answered when they are back.
    let tests = |fault: &FaultRecord, o: &Operation| {
        let overlaps = fault.end.is_none_or(|end| o.invoke < end);
        o.is_ok() && o.complete > Some(fault.begin) && overlaps
    };
    let is_tested = bitten().any(|fault| operations.iter().any(|o| tests(fault, o)));
    (bitten().next().is_some() && !is_tested && operations.iter().any(Operation::is_ok))
        .then(|| "no operation that succeeded was under way during any fault".to_owned())
}

/// The system must be seen to work after the last fault, and so must each key that was asked for then: a
/// write that got lost shows only to those who read.
fn stood_still(faults: &[FaultRecord], operations: &[Operation], dones: &[u64]) -> Option<String> {
    if let Some(FaultRecord { fault, kind, .. }) = faults.iter().find(|fault| fault.end.is_none()) {
        return Some(format!("the history stops while fault {fault} ({kind}) is in force"));
    }
    let last_end = faults.iter().filter_map(|fault| fault.end).max()?;
    let last_done = *dones.last()?;
    if last_done < last_end {
        return Some(format!(
            "no operation succeeded after the last fault had ended, at index {last_end}"
        ));
    }
    let mut answered: BTreeMap<Option<Key>, bool> = BTreeMap::new();
    for operation in operations.iter().filter(|o| o.invoke > last_end) {
        *answered.entry(operation.key).or_default() |= operation.is_ok();
    }
    let silent: Vec<String> = answered
        .iter()
        .filter(|(_, is_answered)| !**is_answered)
        .filter_map(|(key, _)| Some(key.as_ref()?.to_string()))
        .collect();
    let keys = if silent.len() == 1 { "key" } else { "keys" };
    (!silent.is_empty()).then(|| {
        format!(
            "no operation on {keys} {} succeeded after the last fault had ended, at index {last_end}",
            silent.join(", ")
        )
    })
}

#[cfg(test)]
mod unplanned_tests {
    use crate::history::{Builder, Nemesis, NemesisPhase, Time, What};
    use crate::vacuity::{Vacuity, vacuity};
    use crate::verdict::Verdict;

    fn after(kind: &str, phases: &[NemesisPhase]) -> Vacuity {
        let mut history = Builder::new();
        for phase in phases {
            let event = Nemesis {
                fault: 0,
                kind: kind.to_owned(),
                phase: *phase,
                targets: vec!["n2".to_owned()],
                what: "exit code 101".to_owned(),
                bites: 1,
            };
            history.push(Time(0), What::Nemesis(event)).unwrap();
        }
        vacuity(&history.finish(), &[], &[], &[])
    }

    #[test]
    fn a_node_that_ended_by_itself_leaves_a_run_unknown_and_is_no_fault() {
        let judged = after(Nemesis::DEATH, &[NemesisPhase::Begin, NemesisPhase::End]);
        assert_eq!(judged.verdict, Verdict::Unknown);
        assert_eq!(judged.sentences[0], "n2 ended by itself: exit code 101");
        assert!(!judged.sentences[1].contains("n2"), "said once");
        assert!(judged.faults.is_empty());
    }

    #[test]
    fn trouble_that_nobody_made_leaves_a_run_unknown() {
        let judged = after(Nemesis::TROUBLE, &[NemesisPhase::Skipped]);
        assert_eq!(judged.sentences[0], "exit code 101");
        assert!(judged.classes.is_empty());
    }
}
