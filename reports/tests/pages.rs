//! What may be relied on in every page.

mod support;

use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use quorate_checkers::history::{
    Builder, History, Key, Nemesis, NemesisPhase, ProcessId, Step, Time, Value, Violation, What,
    operations,
};
use quorate_checkers::verdict::Verdict;
use quorate_plan::{
    Act, Expectation, Fault, FaultChoice, FaultClass, Liveness, MessageMatch, PlannedFault, Rule,
    Script, Workload, WorldKind,
};

use quorate_reports::{Foreign, Log, Page, Subject, page};
use sha2::Digest as _;

use support::{Manner, Specimen, invalid, plan, run, short, unknown, valid};

fn step(process: u64, f: &str, value: Value, error: Option<&str>) -> Step {
    let error = error.map(str::to_owned);
    Step { process: ProcessId(process), f: f.into(), key: Some(Key(0)), value, error }
}

fn specimen_of(events: Vec<What>) -> Specimen {
    let mut builder = Builder::new();
    for (number, what) in (0..).zip(events) {
        builder.push(Time(number * 1_000_000), what).expect("can follow");
    }
    specimen(builder.finish())
}

fn specimen(history: History) -> Specimen {
    Specimen::new(plan(1, 5_000, &FaultChoice::Named(Vec::new())), history, None)
}

fn nemesis(phase: NemesisPhase, kind: &str, what: &str) -> What {
    What::Nemesis(Nemesis {
        fault: 0,
        kind: kind.to_owned(),
        phase,
        targets: vec!["n0".to_owned()],
        what: what.to_owned(),
        bites: u64::from(phase == NemesisPhase::End),
    })
}

/// A page without what stands in its scripts, and what stands in each.
fn scripts(page: &str) -> (String, Vec<&str>) {
    let (mut markup, mut scripts, mut rest) = (String::new(), Vec::new(), page);
    while let Some(at) = rest.find("<script") {
        let from = at + rest[at..].find('>').expect("a tag ends") + 1;
        let to = from + rest[from..].find("</script>").expect("a script ends");
        markup.push_str(&rest[..from]);
        scripts.push(&rest[from..to]);
        rest = &rest[to..];
    }
    (markup + rest, scripts)
}

/// Each opened element of a page is closed, in order.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 4] = ["meta", "link", "br", "input"];
    let mut open: Vec<&str> = Vec::new();
    let (page, _) = scripts(page);
    for tag in page.split('<').skip(1).filter_map(|text| text.split('>').next()) {
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else if !tag.starts_with('!') && !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_page_stands_alone() {
    for specimen in [valid(), invalid(), unknown(), short()] {
        let page = specimen.page();
        let (markup, scripts) = scripts(&page);
        for word in ["http:", "https:", "src=", "@import", "url(", "NaN", "inf", " on"] {
            let found = markup.find(word).map(|at| &markup[at..(at + 60).min(markup.len())]);
            // "info" is a word that begins like infinity, and "on" is one in prose.
            let is_word =
                found.is_none_or(|found| found.starts_with("info") || !found.contains('='));
            assert!(is_word, "{word}: {found:?}");
        }
        assert_eq!(scripts.len(), 2, "the data, and what draws them");
        for word in ["http:", "https:", "innerHTML", "eval(", "fetch(", "import "] {
            assert!(!scripts[1].contains(word), "{word}");
        }
        assert_well_formed(&page);
        assert!(page.len() < 400_000, "{} bytes", page.len());
    }
}

#[test]
fn a_verdict_is_said_in_words_with_its_reason() {
    let page = valid().page();
    assert!(page.contains("Linearizable</h1>") && page.contains("valid</span>"));
    assert!(page.contains("can be put in one order"));

    let specimen = invalid();
    assert_eq!(specimen.results.verdict, Verdict::Invalid, "the specimen is what it should be");
    let page = specimen.page();
    assert!(page.contains("Not linearizable</h1>") && page.contains("What went wrong"));
    let sentence = &specimen.results.linearizability.counterexamples().next().unwrap().sentence;
    assert!(page.contains(sentence.get(1..).unwrap()), "{sentence}");
    assert!(page.contains("class=\"op ok accused\""), "the accused operation is marked");
    assert!(page.contains("class=\"op ok involved\"") && page.contains("neighbour"));

    let page = unknown().page();
    assert!(page.contains("Not decided</h1>"));
    assert!(page.contains("was never seen to do anything"));
}

#[test]
fn what_was_run_stands_there_and_can_be_run_again() {
    let specimen = invalid();
    let page = specimen.page();
    for text in [
        "a read returns without writing back what it has seen",
        "multi-writer registers over quorums",
        "quorate check store/latest/history.jsonl",
        "seed 11",
        "&#34;operations_per_key&#34;",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn every_fault_is_in_the_pictures_and_in_the_table() {
    let specimen = valid();
    let page = specimen.page();
    assert!(specimen.results.vacuity.faults.len() >= 14);
    for fault in &specimen.results.vacuity.faults {
        assert!(
            page.contains(&format!("text-anchor=\"end\">{}</text>", fault.kind)),
            "in the strip"
        );
        let what = fault.what.replace('+', "&#43;");
        assert!(page.contains(&fault.what) || page.contains(&what), "{}", fault.what);
    }
    // Two latencies, their quantiles and the throughput, each with a band for every fault.
    let bands = page.matches("opacity=\"0.05\" fill=\"var(--").count();
    assert_eq!(bands, 4 * specimen.results.vacuity.faults.len());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(invalid().page(), invalid().page());
}

#[test]
fn a_run_that_has_a_picture_shows_it_and_keeps_its_styles_to_itself() {
    let svg = "<svg><style>.line{stroke:red}</style></svg>";
    let page = Specimen { story: Some(svg.to_owned()), ..short() }.page();
    assert!(page.contains("Message by message"));
    assert!(page.contains("src=\"data:image/svg+xml,%3Csvg%3E"));
    assert!(!page.contains(svg));
    assert!(!short().page().contains("Message by message"));
}

#[test]
fn a_short_run_is_shown_whole_and_a_long_one_is_not() {
    assert!(short().page().contains("The whole run"));
    assert!(!valid().page().contains("The whole run"));
}

#[test]
fn markup_in_a_history_stays_text() {
    let evil = "<script>alert('x')</script>&\"";
    let value = || Value::Text(evil.to_owned());
    let mut specimen = specimen_of(vec![
        nemesis(NemesisPhase::Begin, evil, evil),
        What::Invoke(step(0, "write", value(), None)),
        What::Invoke(step(1, evil, value(), None)),
        What::Info(step(0, "write", value(), Some(evil))),
        What::Ok(step(1, evil, value(), None)),
        nemesis(NemesisPhase::End, evil, evil),
        nemesis(NemesisPhase::Skipped, evil, evil),
    ]);
    specimen.plan.name = evil.to_owned();
    specimen.plan.system.options.insert(evil.to_owned(), evil.to_owned());
    specimen.header.mutant = Some(evil.to_owned());
    specimen.header.program = evil.to_owned();
    specimen.commands.push((evil.to_owned(), evil.to_owned()));
    specimen.logs.push(Log { name: evil.to_owned(), text: evil.to_owned() });
    let page = specimen.page();
    let (markup, scripts) = scripts(&page);
    assert!(!page.contains("<script>alert"), "escaped");
    assert!(markup.contains("&#60;script&#62;"), "and still there");
    assert_eq!(markup.matches("<script").count(), 2, "the page's own");
    assert_eq!(scripts[1], scripts_of(&short()), "no script is made of data");
    let data: serde_json::Value = serde_json::from_str(scripts[0]).unwrap();
    assert!(!scripts[0].contains(['<', '>', '&']));
    assert_eq!(data["texts"].as_str().unwrap().matches("<script>").count(), 3, "{data}");
    assert_eq!(data["errors"][0][1], evil);
    assert_eq!(data["faults"][0]["kind"], evil);
    assert_well_formed(&page);
}

fn scripts_of(specimen: &Specimen) -> String {
    let page = specimen.page();
    scripts(&page).1.last().copied().unwrap_or_default().to_owned()
}

#[test]
fn a_browser_is_told_to_run_the_pages_own_script_and_nothing_else() {
    let page = short().page();
    let (_, scripts) = scripts(&page);
    let digest = BASE64_STANDARD.encode(sha2::Sha256::digest(scripts[1]));
    let policy = format!("script-src &#39;sha256-{digest}&#39;");
    let plain = policy.replace("&#39;", "'");
    assert!(page.contains(&policy) || page.contains(&plain), "{policy}");
    assert!(page.contains("default-src 'none'"));
}

/// Numbers in seven bits a byte, as the script reads them.
fn numbers(columns: &str) -> Vec<u64> {
    let (mut numbers, mut number, mut shift) = (Vec::new(), 0, 0);
    for byte in BASE64_STANDARD.decode(columns).expect("Base64") {
        number |= u64::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    numbers
}

#[test]
fn every_operation_is_in_the_data_of_a_page() {
    let mut builder = Builder::new();
    let mut push = |ms: u64, what| {
        builder.push(Time(ms * 1_000_000), what).expect("can follow");
    };
    push(1, What::Invoke(step(0, "write", Value::Int(7), None)));
    push(2, What::Invoke(step(1, "read", Value::Nil, None)));
    push(5, What::Ok(step(1, "read", Value::Int(7), None)));
    push(6, What::Info(step(0, "write", Value::Int(7), Some("timed out"))));
    push(300, What::Invoke(step(15, "read", Value::Nil, None)));
    let page = specimen(builder.finish()).page();
    let data: serde_json::Value = serde_json::from_str(scripts(&page).1[0]).unwrap();
    assert_eq!(data["count"], 3);
    assert_eq!(data["texts"], "write 7\nread → 7\nread");
    assert_eq!(data["errors"], serde_json::json!([[0, "timed out"]]));
    assert_eq!(data["lanes"], serde_json::json!(["c0", "c1"]), "15 clients: p15 is c0 again");
    assert_eq!(data["span"], 300_000);
    let expected = [
        // Lane, process, key + 1, outcome, index and time since the one before, then both to its end.
        [0, 0, 1, 2, 0, 1_000, 3, 5_000].as_slice(),
        &[1, 1, 1, 0, 1, 1_000, 1, 3_000],
        &[0, 15, 1, 3, 3, 298_000],
    ];
    assert_eq!(numbers(data["columns"].as_str().unwrap()), expected.concat());
}

#[test]
fn clients_of_a_history_without_a_plan_take_over_each_others_lanes() {
    let mut builder = Builder::new();
    for process in 0..200 {
        let mut push = |what| {
            builder.push(Time(process * 1_000), what).expect("can follow");
        };
        push(What::Invoke(step(process, "write", Value::Int(1), None)));
        push(What::Ok(step(process, "write", Value::Int(1), None)));
    }
    let history = builder.finish();
    let specimen = specimen(history.clone());
    let foreign = Foreign {
        name: "a.edn".to_owned(),
        format: "EDN".to_owned(),
        program: "quorate".to_owned(),
        operations: operations(&history),
        is_timed: true,
        keys: vec![(Key(0), ":x".to_owned())],
    };
    let page = page(&Page {
        subject: Subject::Foreign(&foreign),
        results: &specimen.results,
        commands: &[],
        story: None,
        logs: &[],
    })
    .unwrap();
    assert_well_formed(&page);
    let data: serde_json::Value = serde_json::from_str(scripts(&page).1[0]).unwrap();
    assert_eq!(data["lanes"], serde_json::json!(["1"]), "one after the other");
    assert!(page.contains("a history of another program") && !page.contains("The plan"));
}

#[test]
fn an_empty_history_has_a_page() {
    let page = specimen(History::default()).page();
    assert!(page.contains("No operation completed: there is nothing to plot."));
    assert_well_formed(&page);
}

#[test]
fn one_operation_has_a_page() {
    let answered = specimen_of(vec![
        What::Invoke(step(0, "write", Value::Int(1), None)),
        What::Ok(step(0, "write", Value::Int(1), None)),
    ]);
    let page = answered.page();
    assert!(page.contains("write 1</text>") && page.contains("Latency of write"));
    let unanswered = specimen_of(vec![What::Invoke(step(0, "read", Value::Nil, None))]);
    let page = unanswered.page();
    assert!(page.contains("class=\"op pending plain\"") && page.contains("class=\"tail\""));
}

#[test]
fn a_history_of_faults_alone_has_a_page() {
    let specimen = specimen_of(vec![
        nemesis(NemesisPhase::Begin, "kill", "n0"),
        nemesis(NemesisPhase::End, "kill", "n0"),
        nemesis(NemesisPhase::Skipped, "pause", "n1 is gone"),
        nemesis(NemesisPhase::Begin, "clock", "+5 ms at n0"),
    ]);
    let page = specimen.page();
    assert!(page.contains("until the history stops"));
    assert!(page.contains("pause could not be carried out: n1 is gone"));
    assert_well_formed(&page);
}

#[test]
fn strange_values_and_times_do_no_harm() {
    let values = [
        Value::Int(i64::MIN),
        Value::Text("long ".repeat(500)),
        Value::List(vec![Value::Nil, Value::List(vec![Value::Text("💥\u{0}\n".to_owned())])]),
    ];
    let mut builder = Builder::new();
    let mut push = |time: u64, what| {
        builder.push(Time(time), what).expect("can follow");
    };
    for (process, value) in (0..).zip(values) {
        push(process, What::Invoke(step(process, "write", value.clone(), None)));
    }
    push(u64::MAX, What::Ok(step(0, "write", Value::Int(i64::MIN), None)));
    push(u64::MAX, What::Fail(step(1, "write", Value::Nil, Some("because"))));
    let page = specimen(builder.finish()).page();
    assert_well_formed(&page);
    assert!(page.len() < 100_000);
}

#[test]
fn a_long_busy_run_stays_small() {
    let mut plan = plan(2, 60_000, &FaultChoice::All);
    plan.workload = Workload { rate_per_s: 0, ..Workload::default() };
    let history = run(&plan, Manner { rate: 900, stale_one_in: 0, toothless: false });
    assert!(history.len() > 12_000, "{} events", history.len());
    let page = Specimen::new(plan, history, None).page();
    assert!(page.len() < 700_000, "{} bytes", page.len());
}

#[test]
fn a_run_without_faults_says_so() {
    let plan = plan(2, 2_000, &FaultChoice::Named(Vec::<FaultClass>::new()));
    let history = run(&plan, Manner { rate: 100, stale_one_in: 0, toothless: false });
    let page = Specimen::new(plan, history, None).page();
    assert!(page.contains("<p class=\"note\">None.</p>"));
    assert!(!page.contains("shaded: a fault is in force"));
}

#[test]
fn how_long_the_check_took_is_not_on_the_page() {
    let mut specimen = valid();
    let first = specimen.page();
    specimen.results.check_ns += 1_000_000_000;
    assert_eq!(specimen.page(), first, "a history gives the same page whenever it is made");
}

#[test]
fn violations_stand_before_the_proof_with_their_place_and_their_doers() {
    let violation = |demand: &str, what: &str| {
        What::Violation(Violation {
            demand: demand.to_owned(),
            targets: vec!["n2".to_owned()],
            what: what.to_owned(),
            happened: None,
        })
    };
    let value = || Value::Int(1);
    let specimen = specimen_of(vec![
        What::Invoke(step(0, "write", value(), None)),
        violation("Q-I3", "n2 acknowledged what it does not hold"),
        What::Ok(step(0, "write", value(), None)),
    ]);
    assert_eq!(specimen.results.verdict, Verdict::Invalid);
    let page = specimen.page();
    assert_well_formed(&page);
    assert!(page.contains("A rule is broken</h1>"), "the order of operations is fine");
    assert!(!page.contains("Not linearizable"));
    for text in ["Q-I3", "n2 acknowledged what it does not hold.", "<td>n2</td>", "0.001 s"] {
        assert!(page.contains(text), "{text}");
    }
    let still = specimen_of(vec![violation(Violation::LIVENESS, "n2 is down")]);
    assert!(still.page().contains("Stands still</h1>"));
}

#[test]
fn a_simulated_run_tells_its_weather_its_rules_and_its_scripts() {
    let mut specimen = short();
    specimen.plan.world = WorldKind::Sim;
    specimen.plan.expect = Expectation::Invalid;
    specimen.plan.rules =
        vec![Rule { message: MessageMatch::default(), after: None, until: None, act: Act::Hold }];
    specimen.plan.scripts = vec![Script { client: 3, operations: Vec::new() }];
    let fault = Fault::Pause { nodes: BTreeSet::from([1]) };
    specimen.plan.fault_classes = Vec::new();
    specimen.plan.faults = vec![PlannedFault { when: None, at_ms: 1, for_ms: 1, fault }];
    specimen.plan.liveness = Some(Liveness { core: Some(BTreeSet::from([1, 2])), bound_ms: 2_000 });
    let page = specimen.page();
    for text in [
        "virtual time",
        "500 µs to 5 ms",
        "swarm; disks take",
        "hold any message until all is healed",
        "Script of c3",
        "1 fault in the plan",
        "n1 n2 must suffice",
        "Harm was expected",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!short().page().contains("Weather"), "a live run has what its machine brings");
}
