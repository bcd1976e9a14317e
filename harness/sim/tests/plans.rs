//! Plans that are easily judged wrongly: what happens in them, and what it proves.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::Path;

use quorate_checkers::history::{Nemesis, NemesisPhase, What};
use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_checkers::verdict::Verdict;
use quorate_plan::{Plan, from_toml};
use quorate_sim::Run;
use quorate_systems::mutant::Mutants;

/// A calm world of three nodes, unless `system` says otherwise; `rest` is what the test is about.
fn plan(system: &str, rest: &str) -> Plan {
    let text = format!(
        r#"
        name = "plans"
        seed = 1
        world = "sim"
        system = {{ kind = "quorum", {system} }}
        weather = {{ delay = {{ kind = "constant", us = 1000 }} }}
        {rest}"#
    );
    from_toml(&text).unwrap()
}

const WORK: &str = r"
        workload = { clients = 4, rate_per_s = 50 }
        durations = { time_limit_ms = 3000, operation_timeout_ms = 500 }
";

fn run(plan: &Plan) -> (Run, Results) {
    let run = quorate_sim::run(plan, Mutants::NONE).unwrap();
    let classes = plan.fault_classes.iter().map(|class| class.name().to_owned());
    let demands = Demands {
        model: "register".to_owned(),
        fault_classes: classes.collect(),
        budget: Budget::default(),
    };
    let results = judge(&run.history, &demands);
    (run, results)
}

fn nemesis<'a>(run: &'a Run, kind: &'a str) -> impl Iterator<Item = &'a Nemesis> {
    run.history.events().iter().filter_map(move |event| match &event.what {
        What::Nemesis(nemesis) if nemesis.kind == kind => Some(nemesis),
        _ => None,
    })
}

/// The place of the first event of this kind and phase.
fn place(run: &Run, kind: &str, phase: NemesisPhase) -> u64 {
    let is_it = |what: &What| matches!(what, What::Nemesis(nemesis) if nemesis.kind == kind && nemesis.phase == phase);
    run.history.events().iter().find(|event| is_it(&event.what)).unwrap().index
}

#[test]
fn a_rule_ends_when_the_clock_says_so() {
    let rule = r"
        [[rules]]
        until = { at_ms = 1000 }
        act = 'drop'
    ";
    let (run, results) = run(&plan("nodes = 3", &format!("{WORK}{rule}")));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    let is_ok = |what: &What| matches!(what, What::Ok(_));
    let done = || run.history.events().iter().filter(|event| is_ok(&event.what));
    let first = done().next().unwrap().time.0;
    assert!((1_000_000_000..1_100_000_000).contains(&first), "{first}");
    assert!(done().count() > 50);
}

#[test]
fn what_only_works_once_all_is_healed_proves_nothing() {
    for spoilt in
        ["[[rules]]\nact = 'drop'\n", "[[rules]]\nact = 'corrupt'\n", "[[rules]]\nact = 'hold'\n"]
    {
        let (_, results) = run(&plan("nodes = 3", &format!("{WORK}{spoilt}")));
        assert_eq!(results.verdict, Verdict::Unknown, "{spoilt}");
        let why = "no operation succeeded before the healing";
        assert!(results.sentences.iter().any(|sentence| sentence.starts_with(why)), "{spoilt}");
    }
}

#[test]
fn a_script_that_was_not_played_leaves_the_run_unknown() {
    let script = r"
        workload = { clients = 1 }
        durations = { time_limit_ms = 2000 }
        [[scripts]]
        client = 0
        do = [
          { f = 'write', key = 0, value = 1 },
          { f = 'read', key = 0 },
          { f = 'write', key = 0, value = 2, when = { crashed = { node = 1 } } },
        ]
    ";
    let (_, results) = run(&plan("nodes = 3", script));
    assert_eq!(results.verdict, Verdict::Unknown);
    let why = "c0 never began 1 of the 3 operations of its script";
    assert!(results.sentences.iter().any(|sentence| sentence.starts_with(why)), "{results:?}");
}

#[test]
fn a_fault_that_waits_for_what_never_comes_leaves_the_run_unknown() {
    let fault = r"
        [[faults]]
        when = { crashed = { node = 1 } }
        for_ms = 100
        fault = { kind = 'kill', nodes = [0] }
    ";
    let (_, results) = run(&plan("nodes = 3", &format!("{WORK}{fault}")));
    assert_eq!(results.verdict, Verdict::Unknown);
    let why = "the planned kill (n0) never began: what it waits for did not happen";
    assert!(results.sentences.iter().any(|sentence| sentence == why), "{results:?}");
}

#[test]
fn rules_and_deliveries_that_nothing_came_of_are_noted() {
    let unused = r"
        [[rules]]
        message = { kind = 'UPDATE', from = 'c0', to = 'n0', nth = 1000 }
        act = 'drop'
        [[trace]]
        at_us = 80000000
        do = { deliver = { kind = 'UPDATE', nth = 100000 } }
    ";
    let (run, results) = run(&plan("nodes = 3", &format!("{WORK}{unused}")));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    assert_eq!(
        run.outcome.notes,
        ["rules[0] applied to no message", "trace[0] matched no message"]
    );
}

/// Every change is asked for once, however long it takes.
#[test]
fn a_change_that_takes_longer_than_planned_is_not_asked_for_again() {
    let faults = r"
        fault_classes = ['kill', 'reconfigure']
        [[faults]]
        at_ms = 400
        for_ms = 1000
        fault = { kind = 'kill', nodes = [2, 3, 4] }
        [[faults]]
        at_ms = 500
        for_ms = 100
        fault = { kind = 'reconfigure', options = { members = '0,1,2' } }
        [[faults]]
        at_ms = 600
        for_ms = 100
        fault = { kind = 'reconfigure', options = { members = '0,2,4', quorum = 'majority' } }
    ";
    let (run, results) = run(&plan("nodes = 5", &format!("{WORK}{faults}")));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    let changes: Vec<_> =
        nemesis(&run, "reconfigure").map(|change| (change.phase, change.bites)).collect();
    let (begin, end) = (NemesisPhase::Begin, NemesisPhase::End);
    assert_eq!(changes, [(begin, 0), (begin, 0), (end, 1), (end, 1)]);
}

/// While only the core is healed everything else stays as broken as it is.
#[test]
fn what_outlasts_the_time_limit_is_healed_last() {
    let faults = r"
        [[faults]]
        at_ms = 1000
        for_ms = 60000
        fault = { kind = 'kill', nodes = [0, 3] }
        [liveness]
        core = [0, 1, 2]
        bound_ms = 5000
    ";
    let (run, results) = run(&plan("nodes = 5", &format!("{WORK}{faults}")));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    assert!(run.outcome.notes.is_empty(), "liveness is demanded: {:?}", run.outcome.notes);
    assert!(run.outcome.milestones.iter().any(|(name, _)| *name == "only-core-healed"));
    let healing = place(&run, Nemesis::HEALING, NemesisPhase::Begin);
    let end = place(&run, "kill", NemesisPhase::End);
    let is_ok = |what: &What| matches!(what, What::Ok(_));
    let between = run
        .history
        .events()
        .iter()
        .filter(|event| (healing..end).contains(&event.index) && is_ok(&event.what));
    assert!(between.count() >= 3, "the core serves while n3 is still down");
}

/// Blocking is what the lock protocol does while its initiator is away: no harm.
#[test]
fn a_lock_protocol_is_not_expected_to_go_on_without_a_node() {
    let faults = r"
        fault_classes = ['kill']
        [[faults]]
        when = { observed = { by = 'n3', name = 'decided', nth = 3 } }
        for_ms = 60000
        fault = { kind = 'kill', nodes = [3] }
        [liveness]
        core = [0, 1, 2]
        bound_ms = 30000
    ";
    let (run, results) =
        run(&plan("nodes = 5, options = { protocol = 'lock' }", &format!("{WORK}{faults}")));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    assert_eq!(
        run.outcome.notes,
        ["liveness was not demanded: the plan leaves too few nodes for it"]
    );
}

/// Clocks that were far ahead go on from where they are, so that timers fire again.
#[test]
fn a_clock_that_was_far_ahead_does_not_stand_still_once_it_is_healed() {
    for protocol in ["abd", "lock"] {
        let faults = r"
            fault_classes = ['clock', 'loss']
            [[faults]]
            at_ms = 500
            for_ms = 1000
            fault = { kind = 'clock', nodes = [0, 1, 2], offset_ms = 60000, rate_ppm = 1000000 }
            [[faults]]
            at_ms = 600
            for_ms = 2300
            fault = { kind = 'loss', ends = ['n0', 'n1', 'n2'], per_mille = 500 }
        ";
        let system = format!("nodes = 3, options = {{ protocol = '{protocol}' }}");
        let (_, results) = run(&plan(&system, &format!("{WORK}{faults}")));
        assert_eq!(results.verdict, Verdict::Valid, "{protocol}: {:?}", results.sentences);
    }
}

/// A sync that is under way when everything is healed may take the time that it was drawn to take.
#[test]
fn a_disk_that_was_slow_is_no_violation_of_liveness() {
    let mut plan = plan("nodes = 3", WORK);
    let mut weather = plan.weather.unwrap();
    weather.sync_max_us = 60_000_000;
    plan.weather = Some(weather);
    let (_, results) = run(&plan);
    assert!(results.violations.found.is_empty(), "{:?}", results.sentences);
}

/// A node that the system was changed to do without never writes: a bad disk there would never show.
#[test]
fn a_bad_disk_that_nobody_writes_to_is_given_to_another_node() {
    let faults = r"
        fault_classes = ['io-error']
        [[faults]]
        at_ms = 100
        for_ms = 100
        fault = { kind = 'reconfigure', options = { members = '0,1,2' } }
        [[faults]]
        at_ms = 1000
        for_ms = 100
        fault = { kind = 'disk', node = 4, disk = 'io-error' }
    ";
    let (run, results) = run(&plan("nodes = 5", &format!("{WORK}{faults}")));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    let hit: Vec<_> = nemesis(&run, "io-error")
        .filter(|event| event.phase == NemesisPhase::Begin)
        .map(|event| event.targets.join(","))
        .collect();
    assert_eq!(hit, ["n4", "n4", "n4", "n0"]);
}

/// Where messages take no time at all, time goes on nevertheless.
#[test]
fn an_instant_network_does_not_stop_the_time() {
    let mut plan = plan("nodes = 3", WORK);
    let mut weather = plan.weather.unwrap();
    weather.delay = quorate_plan::Delay::Constant { us: 0 };
    (weather.sync_min_us, weather.sync_max_us) = (0, 0);
    plan.weather = Some(weather);
    plan.validate().unwrap();
    let (run, results) = run(&plan);
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    assert!(run.outcome.virtual_us >= 3_000_000);
    plan.workload.rate_per_s = 0;
    assert!(plan.validate().is_err(), "without any pause nothing would take time");
}

/// What was judged wrongly once: each file of `judged/` says in its head what its run comes to, and what is noted. Those
/// in which the correct system was accused are in the folder `regressions`.
#[test]
fn what_was_judged_wrongly_once_is_judged_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judged");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (run, results) = run(&from_toml(&text).unwrap());
        let said = |what: &str| text.lines().find_map(|line| line.strip_prefix(what));
        let verdict = match results.sentences.as_slice() {
            [] => results.verdict.to_string(),
            [first, ..] => format!("{}: {first}", results.verdict),
        };
        assert_eq!(said("# verdict: "), Some(verdict.as_str()), "{}", path.display());
        let notes = &run.outcome.notes;
        if let Some(note) = said("# note: ") {
            assert!(
                notes.iter().any(|other| other.contains(note)),
                "{}: {notes:?}",
                path.display()
            );
        }
        assert!(run.outcome.messages < 20_000, "{}: {}", path.display(), run.outcome.messages);
        count += 1;
    }
    assert!(count >= 6, "the folder holds what it should");
}

/// An operation that was open at the healing is none of the last tasks.
#[test]
fn every_key_is_written_and_read_at_the_end_also_by_a_client_that_had_something_open() {
    let script = r"
        workload = { clients = 1 }
        durations = { time_limit_ms = 500, operation_timeout_ms = 5000 }
        [[scripts]]
        client = 0
        do = [
          { f = 'write', key = 0, value = 1 },
          { f = 'write', key = 0, value = 2, when = { at_ms = 300 } },
        ]
        [[faults]]
        at_ms = 290
        for_ms = 5000
        fault = { kind = 'kill', nodes = [1, 2] }
    ";
    let (run, results) = run(&plan("nodes = 3", script));
    assert_eq!(results.verdict, Verdict::Valid, "{:?}", results.sentences);
    let asked: Vec<&str> = run
        .history
        .events()
        .iter()
        .filter_map(|event| match &event.what {
            What::Invoke(step) => Some(step.f.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, ["write", "write", "write", "read"]);
}

#[test]
fn a_sync_ends_when_the_trace_says_and_else_when_the_weather_does() {
    let script = r"
        workload = { clients = 1 }
        durations = { time_limit_ms = 200 }
        [[scripts]]
        client = 0
        do = [{ f = 'write', key = 0, value = 1 }]
    ";
    let ended_us = |trace: &str| {
        let mut plan = plan("nodes = 1", &format!("{script}{trace}"));
        let weather = plan.weather.as_mut().unwrap();
        (weather.sync_min_us, weather.sync_max_us) = (50_000, 50_000);
        let (run, _) = run(&plan);
        let done = run.history.events().iter().find(|event| matches!(event.what, What::Ok(_)));
        (done.unwrap().time.0 / 1_000, run.outcome.notes)
    };
    let sync =
        |at_us: u64| format!("[[trace]]\nat_us = {at_us}\ndo = {{ sync = {{ node = 0 }} }}\n");
    // QUERY, QUERY_OK and UPDATE take a millisecond each, and so does UPDATE_OK.
    assert_eq!(ended_us(""), (54_000, vec![]));
    assert_eq!(ended_us(&sync(10_000)), (11_000, vec![]));
    // Nothing had been written then, and what is written later is not touched by it.
    let missed = vec!["trace[0] found no sync under way".to_owned()];
    assert_eq!(ended_us(&sync(2_000)), (54_000, missed));
}

#[test]
fn the_second_message_is_the_second_although_an_entry_took_the_first() {
    let script = r"
        workload = { clients = 1 }
        durations = { time_limit_ms = 1000 }
        [[scripts]]
        client = 0
        do = [{ f = 'write', key = 0, value = 1 }]
        [[trace]]
        at_us = 4000
        do = { deliver = { kind = 'UPDATE' } }
        [[trace]]
        at_us = 5000
        do = { lose = { kind = 'UPDATE', nth = 2 } }
    ";
    let (run, _) = run(&plan("nodes = 2", script));
    let done = run.history.events().iter().find(|event| matches!(event.what, What::Ok(_)));
    let done_us = done.unwrap().time.0 / 1_000;
    // Both nodes are needed, so that it waits until UPDATE is sent again.
    assert!(done_us > 50_000, "{done_us}");
}
