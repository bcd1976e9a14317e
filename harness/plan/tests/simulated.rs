//! What is refused in those parts of a plan that direct a run: scripts, weather, moments, rules, traces.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::{
    Act, Delay, Fault, Function, Kind, Liveness, MessageMatch, Moment, NodeMatch, ObservationMatch,
    OperationMatch, Plan, PlannedFault, Rule, Script, ScriptedOperation, SystemPlan, TraceEntry,
    TraceStep, VALUE_MAX, Vocabulary, Weather, Workload, WorldKind, check_names,
};

/// Three nodes, two clients, and nothing that happens to them.
fn plan() -> Plan {
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 3, options: BTreeMap::new() };
    Plan {
        workload: Workload { clients: 2, ..Workload::default() },
        ..Plan::new("directed", 7, WorldKind::Sim, system)
    }
}

fn changed(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan();
    change(&mut plan);
    plan
}

/// What is said of the plan after this change to it.
fn complaint(change: impl FnOnce(&mut Plan)) -> String {
    let error = changed(change).validate().unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line");
    assert!(text.starts_with(&format!("{}: ", error.field())), "{text}");
    text
}

fn accept(change: impl FnOnce(&mut Plan)) {
    assert_eq!(changed(change).validate(), Ok(()));
}

const fn call(f: Function, key: Option<u64>, value: Option<u64>) -> ScriptedOperation {
    ScriptedOperation { f, key, value, expected: None, parts: Vec::new(), when: None }
}

const fn write(value: Option<u64>) -> ScriptedOperation {
    call(Function::Write, Some(0), value)
}

const fn read(value: Option<u64>) -> ScriptedOperation {
    call(Function::Read, Some(0), value)
}

fn script(client: u32, operations: Vec<ScriptedOperation>) -> Script {
    Script { client, operations }
}

fn rule(act: Act) -> Rule {
    Rule { message: MessageMatch::default(), after: None, until: None, act }
}

fn message(from: &str, to: &str) -> MessageMatch {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    MessageMatch { from: Some(from), to: Some(to), ..MessageMatch::default() }
}

fn kill(when: Option<Moment>, at_ms: u64) -> PlannedFault {
    let fault = Fault::Kill { nodes: BTreeSet::from([0]), after_effects: None };
    PlannedFault { when, at_ms, for_ms: 100, fault }
}

#[test]
fn a_client_has_one_script_of_operations_that_make_sense() {
    let scripts = |scripts: Vec<Script>| move |plan: &mut Plan| plan.scripts = scripts;
    accept(scripts(vec![
        script(1, vec![write(Some(0)), write(Some(VALUE_MAX)), read(None)]),
        script(0, vec![]),
    ]));
    assert_eq!(
        complaint(scripts(vec![script(2, vec![])])),
        "scripts[0].client: there is no c2; the plan has 3 nodes (n0 …) and 2 clients (c0 …)"
    );
    assert_eq!(
        complaint(scripts(vec![script(1, vec![]), script(0, vec![]), script(1, vec![])])),
        "scripts[2].client: c1 has a script already, scripts[0]; allowed is one for a client"
    );
    assert_eq!(
        complaint(scripts(vec![script(0, vec![read(None), write(None)])])),
        "scripts[0].do[1]: a write needs a value; give `value`"
    );
    assert_eq!(
        complaint(scripts(vec![script(0, vec![read(Some(1))])])),
        "scripts[0].do[0].value: a read has no value; leave it out"
    );
    assert_eq!(
        complaint(scripts(vec![script(0, vec![write(Some(VALUE_MAX + 1))])])),
        "scripts[0].do[0].value: 900000000000 is none of a script's; allowed are 0 to 899999999999: greater \
         ones are those that the end of a run writes, and that liars make up"
    );
}

#[test]
fn weather_stays_within_bounds() {
    let weather = |weather: Weather| move |plan: &mut Plan| plan.weather = Some(weather);
    let delay = |delay: Delay| weather(Weather { delay, ..Weather::CALM });
    accept(weather(Weather::CALM));
    accept(weather(Weather::default()));
    accept(|plan| {
        plan.world = WorldKind::Live;
        plan.weather = Some(Weather { loss_per_mille: 1_000, ..Weather::CALM });
    });
    accept(delay(Delay::Priorities { base_us: 100_000, ranks: 16, changes: 255 }));
    assert_eq!(
        complaint(delay(Delay::Uniform { min_us: 6, max_us: 5 })),
        "weather.delay: min_us 6 is more than max_us 5"
    );
    assert_eq!(
        complaint(weather(Weather { sync_min_us: 2, sync_max_us: 1, ..Weather::CALM })),
        "weather: sync_min_us 2 is more than sync_max_us 1"
    );
    assert_eq!(
        complaint(weather(Weather { loss_per_mille: 1_001, ..Weather::CALM })),
        "weather.loss_per_mille: 1001 is out of bounds; allowed are 0 to 1000"
    );
    assert_eq!(
        complaint(delay(Delay::Priorities { base_us: 1, ranks: 17, changes: 0 })),
        "weather.delay.ranks: 17 is out of bounds; allowed are 1 to 16"
    );
    for bad in [
        Delay::Constant { us: 60_000_001 },
        Delay::Uniform { min_us: 0, max_us: 60_000_001 },
        Delay::Exponential { mean_us: 0 },
        Delay::Exponential { mean_us: 60_000_001 },
        Delay::Priorities { base_us: 0, ranks: 1, changes: 0 },
        Delay::Priorities { base_us: 100_001, ranks: 1, changes: 0 },
        Delay::Priorities { base_us: 1, ranks: 0, changes: 0 },
    ] {
        assert!(complaint(delay(bad)).contains("out of bounds"), "{bad:?}");
    }
    for bad in [
        Weather { duplicate_per_mille: 1_001, ..Weather::CALM },
        Weather { sync_max_us: 60_000_001, ..Weather::CALM },
    ] {
        assert!(complaint(weather(bad)).contains("out of bounds"), "{bad:?}");
    }
}

#[test]
fn moments_are_of_those_who_are_there() {
    let when = |moment: Moment| move |plan: &mut Plan| plan.faults = vec![kill(Some(moment), 0)];
    let observed = |by: &str| {
        let by = Some(by.parse().unwrap());
        Moment::Observed(ObservationMatch { by, ..ObservationMatch::default() })
    };
    let of = |client: &str, f: &str| OperationMatch {
        client: Some(client.parse().unwrap()),
        f: Some(f.to_owned()),
        ..OperationMatch::default()
    };
    let node = |node| NodeMatch { node: Some(node), nth: None };
    for good in [
        Moment::AtMs(0),
        Moment::AtMs(29_999),
        Moment::Sent(message("n0", "n2")),
        Moment::Delivered(message("c1", "n0")),
        observed("c1"),
        Moment::Invoked(of("c1", "write")),
        Moment::Completed(of("c0", "read")),
        Moment::Started(node(2)),
        Moment::Crashed(NodeMatch { node: None, nth: Some(2) }),
    ] {
        accept(when(good));
    }
    assert_eq!(
        complaint(when(Moment::AtMs(30_000))),
        "faults[0].when.at_ms: 30000 is out of bounds; allowed are 0 to 29999"
    );
    assert_eq!(
        complaint(when(observed("n3"))),
        "faults[0].when.observed.by: there is no n3; the plan has 3 nodes (n0 …) and 2 clients (c0 …)"
    );
    assert_eq!(
        complaint(when(Moment::Invoked(of("n1", "read")))),
        "faults[0].when.invoked.client: n1 is a node; only clients (c0 …) run operations"
    );
    assert_eq!(
        complaint(when(Moment::Completed(of("c0", "flush")))),
        "faults[0].when.completed.f: the workload has no function `flush`; there is read, write, \
         cas, append, delete, add, propose, txn"
    );
    assert_eq!(
        complaint(when(Moment::Sent(message("c0", "c1")))),
        "faults[0].when.sent: there is no link from c0 to c1; links join two nodes, or a node and a client"
    );
    let nth = MessageMatch { nth: Some(0), ..MessageMatch::default() };
    assert_eq!(
        complaint(when(Moment::Delivered(nth))),
        "faults[0].when.delivered.nth: 0 is out of bounds; allowed are 1 to 1000000000"
    );
    for (bad, field) in [
        (Moment::Sent(message("n3", "n0")), "sent.from: there is no n3"),
        (Moment::Delivered(message("n0", "c2")), "delivered.to: there is no c2"),
        (Moment::Sent(message("n1", "n1")), "sent: there is no link from n1 to n1"),
        (Moment::Invoked(of("c2", "read")), "invoked.client: there is no c2"),
        (Moment::Started(node(3)), "started.node: there is no n3"),
        (Moment::Crashed(NodeMatch { node: None, nth: Some(0) }), "crashed.nth: 0 is out"),
    ] {
        let complaint = complaint(when(bad));
        assert!(complaint.starts_with(&format!("faults[0].when.{field}")), "{complaint}");
    }
}

#[test]
fn moments_are_checked_wherever_they_stand() {
    let late = || Some(Moment::AtMs(99_999));
    let place = |change: fn(&mut Plan, Option<Moment>)| {
        let complaint = complaint(|plan| change(plan, late()));
        complaint.split_once(": ").unwrap().0.to_owned()
    };
    let in_script = place(|plan, late| {
        let scripted = ScriptedOperation { when: late, ..read(None) };
        plan.scripts = vec![script(1, vec![read(None), scripted])];
    });
    assert_eq!(in_script, "scripts[0].do[1].when.at_ms");
    let in_after = place(|plan, late| {
        plan.rules = vec![rule(Act::Drop), Rule { after: late, ..rule(Act::Drop) }];
    });
    assert_eq!(in_after, "rules[1].after.at_ms");
    let in_until = place(|plan, late| {
        plan.rules = vec![Rule { until: late, ..rule(Act::Drop) }];
    });
    assert_eq!(in_until, "rules[0].until.at_ms");
    let in_act = place(|plan, late| plan.rules = vec![rule(Act::HoldUntil(late.unwrap()))]);
    assert_eq!(in_act, "rules[0].act.hold_until.at_ms");
}

#[test]
fn faults_after_a_moment_stand_anywhere() {
    let crash = Some(Moment::Crashed(NodeMatch::default()));
    accept(|plan| {
        plan.faults = vec![kill(None, 500), kill(crash.clone(), 10), kill(None, 500)];
    });
    assert_eq!(
        complaint(|plan| {
            plan.faults = vec![kill(None, 500), kill(crash.clone(), 10), kill(None, 499)];
        }),
        "faults[2].at_ms: 499 is before the fault above it, at 500; faults stand in order of at_ms"
    );
}

#[test]
fn a_kill_in_the_middle_of_a_step_is_after_some_effect() {
    let after = |effects| {
        let fault = Fault::PowerLoss { nodes: BTreeSet::from([0]), after_effects: Some(effects) };
        move |plan: &mut Plan| plan.faults = vec![PlannedFault { fault, ..kill(None, 0) }]
    };
    accept(after(1));
    accept(after(64));
    for effects in [0, 65] {
        assert_eq!(
            complaint(after(effects)),
            format!(
                "faults[0].fault.after_effects: {effects} is out of bounds; allowed are 1 to 64"
            )
        );
    }
}

#[test]
fn rules_are_about_links_that_exist_and_do_what_can_be_done() {
    let rules = |rules: Vec<Rule>| move |plan: &mut Plan| plan.rules = rules;
    accept(rules(vec![rule(Act::DelayMs(0)), rule(Act::DuplicateAfterMs(60_000))]));
    assert_eq!(
        complaint(rules(vec![rule(Act::DelayMs(60_001))])),
        "rules[0].act.delay_ms: 60001 is out of bounds; allowed are 0 to 60000"
    );
    assert_eq!(
        complaint(rules(vec![rule(Act::DuplicateAfterMs(60_001))])),
        "rules[0].act.duplicate_after_ms: 60001 is out of bounds; allowed are 0 to 60000"
    );
    let bad = Rule { message: message("n0", "n0"), ..rule(Act::Drop) };
    assert_eq!(
        complaint(rules(vec![rule(Act::Drop), bad])),
        "rules[1].message: there is no link from n0 to n0; links join two nodes, or a node and a client"
    );
}

#[test]
fn a_trace_is_of_a_simulated_run_and_in_order() {
    let wake = |at_us, who: &str| TraceEntry {
        at_us,
        step: TraceStep::Wake { who: who.parse().unwrap(), timer: 1 },
    };
    let deliver = |from, to| TraceEntry { at_us: 5, step: TraceStep::Deliver(message(from, to)) };
    let trace = |trace: Vec<TraceEntry>| move |plan: &mut Plan| plan.trace = trace;
    accept(trace(vec![wake(5, "n2"), deliver("n0", "c1"), wake(5, "c0")]));
    assert_eq!(
        complaint(trace(vec![wake(5, "n0"), wake(4, "n0")])),
        "trace[1].at_us: 4 is before the trace step above it, at 5; trace steps stand in order of at_us"
    );
    assert_eq!(
        complaint(trace(vec![wake(5, "n3")])),
        "trace[0].do.wake.who: there is no n3; the plan has 3 nodes (n0 …) and 2 clients (c0 …)"
    );
    let lost = TraceEntry { at_us: 5, step: TraceStep::Lose(message("n0", "n4")) };
    assert!(complaint(trace(vec![lost])).starts_with("trace[0].do.lose.to: there is no n4"));
    let sync = |node| TraceEntry { at_us: 5, step: TraceStep::Sync { node } };
    accept(trace(vec![sync(2)]));
    assert!(complaint(trace(vec![sync(3)])).starts_with("trace[0].do.sync.node: there is no n3"));
    assert!(complaint(trace(vec![wake(86_400_000_001, "n0")])).contains("out of bounds"));
    assert_eq!(
        complaint(|plan| {
            plan.world = WorldKind::Live;
            plan.trace = vec![wake(5, "n0")];
        }),
        "trace: only a simulated run can follow it; leave it out, or set world = \"sim\""
    );
}

#[test]
fn liveness_is_of_a_simulated_run_and_of_nodes_that_exist() {
    let live = |core: Option<&[u16]>, bound_ms| {
        let core = core.map(|core| core.iter().copied().collect());
        move |plan: &mut Plan| plan.liveness = Some(Liveness { core, bound_ms })
    };
    accept(live(None, 1));
    accept(live(Some(&[0, 2]), 86_400_000));
    assert_eq!(
        complaint(live(Some(&[]), 1)),
        "liveness.core: is empty; it must name at least one node"
    );
    assert_eq!(
        complaint(live(Some(&[0, 3]), 1)),
        "liveness.core: there is no n3; the plan has 3 nodes (n0 …) and 2 clients (c0 …)"
    );
    assert_eq!(
        complaint(live(None, 0)),
        "liveness.bound_ms: 0 is out of bounds; allowed are 1 to 86400000"
    );
    assert_eq!(
        complaint(|plan| {
            plan.world = WorldKind::Live;
            plan.liveness = Some(Liveness { core: None, bound_ms: 1 });
        }),
        "liveness: only a simulated run can follow it; leave it out, or set world = \"sim\""
    );
}

fn vocabulary() -> Vocabulary {
    let kind = |name: &str, fields: &[&str]| Kind {
        name: name.to_owned(),
        what: String::new(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    Vocabulary {
        name: "quorum".to_owned(),
        summary: String::new(),
        messages: vec![kind("QUERY", &["key", "seq"]), kind("UPDATE", &["key", "t"])],
        observations: vec![kind("stored", &["key"]), kind("silent", &[])],
        options: vec![("read".to_owned(), String::new())],
        mutants: vec![],
    }
}

/// What is said of the names in the plan after this change to it.
fn misnomer(change: impl FnOnce(&mut Plan)) -> String {
    let error = check_names(&changed(change), &vocabulary()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: ", error.field())), "{text}");
    text
}

fn asked(kind: Option<&str>, field: Option<&str>) -> MessageMatch {
    let fields = field.map(|field| (field.to_owned(), 1)).into_iter().collect();
    MessageMatch { kind: kind.map(str::to_owned), fields, ..MessageMatch::default() }
}

#[test]
fn messages_are_called_as_the_system_calls_them() {
    let dropped = |kind, field| {
        let message = asked(kind, field);
        move |plan: &mut Plan| plan.rules = vec![Rule { message, ..rule(Act::Drop) }]
    };
    for good in [(None, None), (Some("UPDATE"), Some("t")), (None, Some("seq"))] {
        assert_eq!(check_names(&changed(dropped(good.0, good.1)), &vocabulary()), Ok(()));
    }
    assert_eq!(
        misnomer(dropped(Some("update"), None)),
        "rules[0].message.kind: the system `quorum` has no message `update`; there is QUERY, UPDATE"
    );
    assert_eq!(
        misnomer(dropped(Some("UPDATE"), Some("seq"))),
        "rules[0].message.where.seq: UPDATE has no field `seq`; there is key, t"
    );
    assert_eq!(
        misnomer(dropped(None, Some("view"))),
        "rules[0].message.where.view: the system `quorum` has no message field `view`; \
         there is key, seq, t"
    );
}

#[test]
fn names_are_checked_wherever_they_stand() {
    let delivered = misnomer(|plan| {
        let entry = TraceEntry { at_us: 0, step: TraceStep::Deliver(asked(Some("NO"), None)) };
        plan.trace = vec![entry];
    });
    assert!(delivered.starts_with("trace[0].do.deliver.kind: "), "{delivered}");
    let held = misnomer(|plan| {
        plan.rules = vec![rule(Act::HoldUntil(Moment::Sent(asked(Some("NO"), None))))];
    });
    assert!(held.starts_with("rules[0].act.hold_until.sent.kind: "), "{held}");
    let observed = |name: &str, field: Option<&str>| {
        let MessageMatch { kind, fields, .. } = asked(Some(name), field);
        let asked = ObservationMatch { name: kind, fields, ..ObservationMatch::default() };
        move |plan: &mut Plan| plan.faults = vec![kill(Some(Moment::Observed(asked)), 0)]
    };
    assert_eq!(check_names(&changed(observed("stored", Some("key"))), &vocabulary()), Ok(()));
    assert_eq!(
        misnomer(observed("restored", None)),
        "faults[0].when.observed.name: the system `quorum` has no observation `restored`; \
         there is stored, silent"
    );
    assert_eq!(
        misnomer(observed("silent", Some("key"))),
        "faults[0].when.observed.where.key: silent has no field `key`; there is none"
    );
}

#[test]
fn a_change_is_of_options_that_the_system_has() {
    let to = |name: &str| {
        let options = BTreeMap::from([(name.to_owned(), "2".to_owned())]);
        let fault = Fault::Reconfigure { options };
        move |plan: &mut Plan| plan.faults = vec![PlannedFault { fault, ..kill(None, 0) }]
    };
    assert_eq!(check_names(&changed(to("read")), &vocabulary()), Ok(()));
    assert_eq!(
        misnomer(to("raed")),
        "faults[0].fault.options.raed: the system `quorum` has no option `raed`; there is read"
    );
}
