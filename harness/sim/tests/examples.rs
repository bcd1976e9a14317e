//! The plans in `examples/` come to what their comments say.
//!
//! Each has one line for each way to run it, and under it, where that matters, what the run must have come by:
//!
//! ```text
//! # run: quorate run --plan examples/NAME.toml --mutant Q01   -> invalid by Q-I3 and linearizability
//! # reaches: wrote-back, operation timed out
//! ```

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Expectation, Plan};
use quorate_sim::hunt::LINEARIZABILITY;
use quorate_sim::{Outcome, Run};
use quorate_systems::SystemKind;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_world::registry;

/// Fewer than this would not be all that there were.
const EXAMPLES_MIN: usize = 12;

/// A plan with the story that it begins with.
struct Example {
    /// `examples/NAME.toml`
    path: String,
    plan: Plan,
    ways: Vec<Way>,
}

/// One way to run it.
#[derive(Debug, PartialEq, Eq)]
struct Way {
    mutants: Mutants,
    verdict: Verdict,
    /// Demands that must be among those that are broken.
    broken: Vec<String>,
    /// Milestones that must have been reached.
    reached: Vec<String>,
}

#[test]
fn every_example_comes_to_what_it_says() {
    for example in examples() {
        for way in &example.ways {
            let (results, outcome) = example.run(way.mutants);
            let story = || format!("{}, {way:?}:\n{:#?}", example.path, results.sentences);
            assert_eq!(results.verdict, way.verdict, "{}", story());
            let broken = broken(&results);
            for demand in &way.broken {
                assert!(broken.contains(demand.as_str()), "{demand} is not broken: {}", story());
            }
            let reached: Vec<&str> = outcome.milestones.iter().map(|(name, _)| *name).collect();
            for milestone in &way.reached {
                let is_reached = reached.contains(&milestone.as_str());
                assert!(is_reached, "`{milestone}` is not among {reached:?}: {}", story());
            }
        }
    }
}

#[test]
fn every_example_gives_the_same_run_again() {
    for example in examples() {
        for way in &example.ways {
            let [once, again] = [(); 2].map(|()| example.try_run(way.mutants));
            assert_eq!(once.outcome.digest, again.outcome.digest, "{}", example.path);
            assert_eq!(once.history.events(), again.history.events(), "{}", example.path);
        }
    }
}

/// The same plan is clean without the bug: what it shows is the bug.
#[test]
fn every_planted_bug_is_caught_by_an_example_that_is_clean_without_it() {
    let mut caught = BTreeSet::new();
    for example in examples() {
        let planted: Vec<&Way> =
            example.ways.iter().filter(|way| way.mutants != Mutants::NONE).collect();
        for way in &planted {
            assert_eq!(way.verdict, Verdict::Invalid, "{}: a bug that shows", example.path);
            assert!(!way.broken.is_empty(), "{}: what it breaks is said", example.path);
            let results = example.run(way.mutants).0;
            assert_eq!(results.verdict, Verdict::Invalid, "{}", example.path);
            caught.extend(way.mutants.0);
        }
        if !planted.is_empty() {
            let results = example.run(Mutants::NONE).0;
            assert_eq!(results.verdict, Verdict::Valid, "{}: {results:#?}", example.path);
        }
    }
    let listed = SystemKind::ALL.iter().flat_map(|kind| kind.mutants());
    let missing: Vec<Mutant> = listed.filter(|mutant| !caught.contains(mutant)).collect();
    assert!(missing.is_empty(), "no example shows {missing:?}");
}

/// Without a mutant only a plan that says so may do harm.
#[test]
fn the_correct_system_is_never_said_to_break_within_its_promises() {
    for example in examples() {
        let harm = example
            .ways
            .iter()
            .any(|way| way.mutants == Mutants::NONE && way.verdict == Verdict::Invalid);
        let is_control = example.plan.expect == Expectation::Invalid;
        assert_eq!(harm, is_control, "{}", example.path);
    }
}

#[test]
fn a_way_to_run_is_read_as_it_stands() {
    let story = "# A story.\n\
                 # run: quorate run --plan examples/a.toml --mutant Q01   -> invalid by Q-I3 and x\n\
                 # run: quorate run --plan examples/a.toml   -> unknown\n\
                 # reaches: wrote-back, torn record cut\n\
                 name = \"a\"\n";
    let way = |mutant, verdict, broken: &[&str], reached: &[&str]| Way {
        mutants: Mutants(mutant),
        verdict,
        broken: broken.iter().map(|name| (*name).to_owned()).collect(),
        reached: reached.iter().map(|name| (*name).to_owned()).collect(),
    };
    let expected = vec![
        way(Some(Mutant::Q01), Verdict::Invalid, &["Q-I3", "x"], &[]),
        way(None, Verdict::Unknown, &[], &["wrote-back", "torn record cut"]),
    ];
    assert_eq!(ways("examples/a.toml", story), expected);
}

impl Example {
    fn read(file: &Path) -> Self {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let path = format!("examples/{name}.toml");
        let text = fs::read_to_string(file).unwrap();
        let plan = quorate_plan::from_toml(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(plan.name, name, "{path}: its name is that of its file");
        let kind = registry::find(&plan.system.kind).unwrap();
        let words = registry::vocabulary(kind);
        assert_eq!(quorate_plan::check_names(&plan, &words), Ok(()), "{path}");
        let ways = ways(&path, &text);
        assert!(!ways.is_empty(), "{path}: it says how to run it");
        Self { path, plan, ways }
    }

    fn try_run(&self, mutants: Mutants) -> Run {
        quorate_sim::run(&self.plan, mutants)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    /// A run, and its judgement as `quorate run` gives it.
    fn run(&self, mutants: Mutants) -> (Results, Outcome) {
        let Run { history, outcome } = self.try_run(mutants);
        let Plan { workload, fault_classes, .. } = &self.plan;
        let demands = Demands {
            model: workload.kind.model().to_owned(),
            fault_classes: fault_classes.iter().map(|class| class.name().to_owned()).collect(),
            budget: Budget::default(),
        };
        (judge(&history, &demands), outcome)
    }
}

fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(files.len() >= EXAMPLES_MIN, "there are {} examples", files.len());
    files.iter().map(|file| Example::read(file)).collect()
}

/// What the comment at the beginning says of the runs of this plan.
fn ways(path: &str, text: &str) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for line in text.lines().take_while(|line| line.starts_with('#')) {
        if let Some(way) = line.strip_prefix("# run: ") {
            ways.push(way_of(path, way));
        } else if let Some(milestones) = line.strip_prefix("# reaches: ") {
            let way = ways.last_mut().expect("what is reached stands under a way to run");
            way.reached = milestones.split(", ").map(|name| name.trim().to_owned()).collect();
        }
    }
    ways
}

fn way_of(path: &str, line: &str) -> Way {
    let (command, outcome) = line.split_once(" -> ").unwrap_or_else(|| panic!("{path}: {line}"));
    let words: Vec<&str> = command.split_whitespace().collect();
    let mutants = match *words.as_slice() {
        ["quorate", "run", "--plan", plan] if plan == path => Mutants::NONE,
        ["quorate", "run", "--plan", plan, "--mutant", name] if plan == path => {
            Mutants(Some(name.parse().unwrap()))
        }
        _ => panic!("{path}: no way to run it: {command}"),
    };
    let (verdict, broken) = outcome.trim().split_once(" by ").unwrap_or((outcome.trim(), ""));
    let verdict = [Verdict::Valid, Verdict::Invalid, Verdict::Unknown]
        .into_iter()
        .find(|known| known.to_string() == verdict)
        .unwrap_or_else(|| panic!("{path}: no verdict: {outcome}"));
    let broken = broken.split(" and ").filter(|demand| !demand.is_empty());
    let broken = broken.map(|demand| demand.trim().to_owned()).collect();
    Way { mutants, verdict, broken, reached: Vec::new() }
}

/// The demands that a run broke, by name.
fn broken(results: &Results) -> BTreeSet<&str> {
    let found = &results.violations.found;
    let mut broken: BTreeSet<&str> =
        found.iter().map(|found| found.violation.demand.as_str()).collect();
    if results.linearizability.verdict == Verdict::Invalid {
        broken.insert(LINEARIZABILITY);
    }
    broken
}
