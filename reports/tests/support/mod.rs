//! Runs that never happened: a register that is served by nobody but a random number, under planned faults.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shared by tests and an example"
)]

use std::collections::{BTreeMap, BTreeSet};

use quorate_checkers::history::{
    Builder, Header, History, Key, Nemesis, NemesisPhase, ProcessId, Step, Time, Value, What,
};
use quorate_checkers::judge::{Demands, Results, judge};
use quorate_checkers::linearizability::Budget;
use quorate_plan::{
    Bearing, Durations, FaultChoice, FaultClass, FaultRequest, Generator, Plan, PlannedOperation,
    SystemPlan, Vocabulary, Workload, WorldKind, faults,
};
use quorate_reports::{Log, Page, ReportError, Subject, page};

/// All that a page needs.
pub(crate) struct Specimen {
    pub(crate) header: Header,
    pub(crate) plan: Plan,
    pub(crate) history: History,
    pub(crate) results: Results,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) commands: Vec<(String, String)>,
    pub(crate) story: Option<String>,
    pub(crate) logs: Vec<Log>,
}

impl Specimen {
    /// A specimen of this history.
    pub(crate) fn new(plan: Plan, history: History, mutant: Option<&str>) -> Self {
        let demands = Demands {
            model: "register".to_owned(),
            fault_classes: plan.fault_classes.iter().map(ToString::to_string).collect(),
            budget: Budget::default(),
        };
        let results = judge(&history, &demands);
        let header = Header {
            program: "quorate 0.1.0".to_owned(),
            started: "2026-11-23T21:47:02Z".to_owned(),
            mutant: mutant.map(str::to_owned),
            model: "register".to_owned(),
            plan: serde_json::to_value(&plan).unwrap(),
        };
        let command = |what: &str, command: &str| (what.to_owned(), command.to_owned());
        Self {
            header,
            plan,
            history,
            results,
            vocabulary: vocabulary(),
            story: None,
            logs: Vec::new(),
            commands: vec![
                command("Check the history again", "quorate check store/latest/history.jsonl"),
                command(
                    "Run the same plan again",
                    "quorate run --plan store/latest/plan.json --mutant Q01",
                ),
            ],
        }
    }

    /// Its page.
    pub(crate) fn try_page(&self) -> Result<String, ReportError> {
        page(&Page {
            subject: Subject::Run {
                header: &self.header,
                plan: &self.plan,
                history: &self.history,
                vocabulary: &self.vocabulary,
            },
            results: &self.results,
            commands: &self.commands,
            story: self.story.as_deref(),
            logs: &self.logs,
        })
    }

    /// Its page.
    pub(crate) fn page(&self) -> String {
        self.try_page().unwrap()
    }
}

fn vocabulary() -> Vocabulary {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    Vocabulary {
        name: "quorum".to_owned(),
        summary: "multi-writer registers over quorums".to_owned(),
        messages: Vec::new(),
        observations: Vec::new(),
        options: vec![pair("quorums", "which sets of nodes must answer")],
        mutants: vec![pair("Q01", "a read returns without writing back what it has seen")],
    }
}

/// A plan of a run so long.
pub(crate) fn plan(seed: u64, time_limit_ms: u64, choice: &FaultChoice) -> Plan {
    let bearing = Bearing {
        liars: 0,
        lying_clients: false,
        drift_ppm: None,
        memory: None,
        is_changing: false,
    };
    let classes = choice.classes(bearing).unwrap();
    let request = FaultRequest {
        seed,
        classes: classes.clone(),
        nodes: 5,
        clients: 15,
        time_limit_ms,
        liars: 0,
        lies: Vec::new(),
        client_lies: Vec::new(),
        drift_ppm: None,
        memory: None,
        changes: Vec::new(),
        mid_step: false,
    };
    let system = SystemPlan {
        kind: "quorum".to_owned(),
        nodes: 5,
        options: BTreeMap::from([("quorums".to_owned(), "majority".to_owned())]),
    };
    Plan {
        durations: Durations { time_limit_ms, ..Durations::default() },
        fault_classes: classes,
        faults: faults(&request).unwrap(),
        ..Plan::new("quorum-majority", seed, WorldKind::Live, system)
    }
}

/// What a run is like.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// How often a second somebody asks for something.
    pub(crate) rate: u64,
    /// One read in so many returns an old value; 0: none does.
    pub(crate) stale_one_in: u64,
    /// Faults are never seen to do anything.
    pub(crate) toothless: bool,
}

/// Numbers that every machine draws alike: xorshift64* (Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

/// An operation on its way: what it returns is known from its middle on.
struct Flight {
    process: u64,
    operation: PlannedOperation,
    result: Value,
    times_out: bool,
}

const MS: u64 = 1_000_000;

/// Lets the plan happen.
pub(crate) fn run(plan: &Plan, manner: Manner) -> History {
    let mut stage = Stage::new(plan, manner);
    for (number, fault) in plan.faults.iter().enumerate() {
        stage.plan_act(fault.at_ms * MS, Act::Fault(number, NemesisPhase::Begin));
        let end = fault.at_ms + fault.for_ms;
        stage.plan_act(end * MS, Act::Fault(number, NemesisPhase::End));
    }
    for client in 0..plan.workload.clients {
        stage.plan_act(u64::from(client) * 3 * MS, Act::Ask(client));
    }
    while let Some(((now, _), act)) = stage.agenda.pop_first() {
        match act {
            Act::Ask(client) => stage.ask(now, client),
            Act::Effect(client) => stage.effect(client),
            Act::Answer(client) => stage.answer(now, client),
            Act::Fault(number, phase) => stage.fault(now, number, phase),
        }
    }
    stage.builder.finish()
}

#[derive(Clone, Copy)]
enum Act {
    Ask(u32),
    Effect(u32),
    Answer(u32),
    Fault(usize, NemesisPhase),
}

struct Stage<'a> {
    plan: &'a Plan,
    manner: Manner,
    dice: Dice,
    generator: Generator,
    /// How often each client has gone on under a new process id.
    renewals: BTreeMap<u32, u64>,
    flights: BTreeMap<u32, Flight>,
    /// All values that each key has had.
    registers: BTreeMap<u64, Vec<u64>>,
    /// What happens when: ties in the order of planning.
    agenda: BTreeMap<(u64, u64), Act>,
    planned: u64,
    in_force: BTreeSet<usize>,
    builder: Builder,
}

impl<'a> Stage<'a> {
    fn new(plan: &'a Plan, manner: Manner) -> Self {
        Self {
            plan,
            manner,
            dice: Dice(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            generator: Generator::new(&plan.workload, plan.seed),
            renewals: BTreeMap::new(),
            flights: BTreeMap::new(),
            registers: BTreeMap::new(),
            agenda: BTreeMap::new(),
            planned: 0,
            in_force: BTreeSet::new(),
            builder: Builder::new(),
        }
    }

    fn plan_act(&mut self, at: u64, act: Act) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), act);
    }

    fn record(&mut self, now: u64, what: What) {
        self.builder.push(Time(now), what).unwrap();
    }

    fn ask(&mut self, now: u64, client: u32) {
        if now >= self.plan.durations.time_limit_ms * MS {
            return;
        }
        let operation = self.generator.next(client).unwrap();
        let renewals = self.renewals.get(&client).copied().unwrap_or(0);
        let process = u64::from(client) + renewals * u64::from(self.plan.workload.clients);
        self.record(now, What::Invoke(step(process, &operation, None)));
        let disturbed = !self.in_force.is_empty();
        let times_out = disturbed && self.dice.below(14) == 0;
        let milliseconds = match (times_out, disturbed) {
            (true, _) => 1_000,
            (_, true) => 3 + self.dice.below(9) * self.dice.below(40),
            _ => 2 + self.dice.below(6) * self.dice.below(3),
        };
        let latency = milliseconds * MS + self.dice.below(MS);
        self.flights.insert(client, Flight { process, operation, result: Value::Nil, times_out });
        self.plan_act(now + latency / 2, Act::Effect(client));
        self.plan_act(now + latency, Act::Answer(client));
    }

    fn effect(&mut self, client: u32) {
        let flight = self.flights.get_mut(&client).unwrap();
        let written = self.registers.entry(flight.operation.key().unwrap()).or_default();
        if let Some(value) = flight.operation.value() {
            written.push(value);
            return;
        }
        let stale_one_in = self.manner.stale_one_in;
        let is_stale = stale_one_in > 0 && written.len() > 4 && self.dice.below(stale_one_in) == 0;
        let back = if is_stale { 3 } else { 1 };
        let seen = written.len().checked_sub(back).and_then(|at| written.get(at));
        flight.result = seen.map_or(Value::Nil, |value| int(*value));
    }

    fn answer(&mut self, now: u64, client: u32) {
        let Flight { process, operation, result, times_out } =
            self.flights.remove(&client).unwrap();
        let mut step = step(process, &operation, (!times_out).then_some(&result));
        step.error = times_out.then(|| "timed out".to_owned());
        let what = match (times_out, operation.value()) {
            (false, _) => What::Ok(step),
            (true, None) => What::Fail(step),
            (true, Some(_)) => What::Info(step),
        };
        if matches!(what, What::Info(_)) {
            *self.renewals.entry(client).or_default() += 1;
        }
        self.record(now, what);
        let pause = u64::from(self.plan.workload.clients) * 1_000 * MS / self.manner.rate;
        let rest = pause / 2 + self.dice.below(pause);
        self.plan_act(now + rest, Act::Ask(client));
    }

    fn fault(&mut self, now: u64, number: usize, phase: NemesisPhase) {
        let is_end = phase == NemesisPhase::End;
        if is_end {
            self.in_force.remove(&number);
        } else {
            self.in_force.insert(number);
        }
        let bites = if is_end && !self.manner.toothless { 1 + self.dice.below(900) } else { 0 };
        let fault = &self.plan.faults[number].fault;
        let nemesis = Nemesis {
            fault: u32::try_from(number).unwrap(),
            kind: fault.class().name().to_owned(),
            phase,
            targets: fault.targets().iter().map(ToString::to_string).collect(),
            what: fault.to_string(),
            bites,
        };
        self.record(now, What::Nemesis(nemesis));
    }
}

fn int(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap())
}

fn step(process: u64, operation: &PlannedOperation, result: Option<&Value>) -> Step {
    let value = match (operation.value(), result) {
        (Some(value), _) => int(value),
        (None, result) => result.cloned().unwrap_or_default(),
    };
    let key = operation.key().map(Key);
    Step { process: ProcessId(process), f: operation.f().into(), key, value, error: None }
}

/// A run of thirty seconds in which everything breaks and all is well.
pub(crate) fn valid() -> Specimen {
    let plan = plan(7, 30_000, &FaultChoice::All);
    let history = run(&plan, Manner { rate: 200, stale_one_in: 0, toothless: false });
    Specimen::new(plan, history, None)
}

/// A run in which some reads are stale.
pub(crate) fn invalid() -> Specimen {
    let plan = plan(11, 30_000, &FaultChoice::default());
    let history = run(&plan, Manner { rate: 200, stale_one_in: 250, toothless: false });
    Specimen::new(plan, history, Some("Q01"))
}

/// A run in which no fault did anything.
pub(crate) fn unknown() -> Specimen {
    let plan = plan(3, 10_000, &FaultChoice::default());
    let history = run(&plan, Manner { rate: 60, stale_one_in: 0, toothless: true });
    Specimen::new(plan, history, None)
}

/// A run so short that all of it is shown.
pub(crate) fn short() -> Specimen {
    let mut plan = plan(5, 2_000, &FaultChoice::Named(vec![FaultClass::Partition]));
    plan.workload = Workload { clients: 4, keys: 1, ..Workload::default() };
    let history = run(&plan, Manner { rate: 22, stale_one_in: 9, toothless: false });
    Specimen::new(plan, history, None)
}

/// A run of about so many operations, a few of which are stale.
pub(crate) fn long(operations: u64) -> Specimen {
    const RATE: u64 = 400;
    // Half of the clients wait.
    let mut plan = plan(13, 2 * operations * 1_000 / RATE, &FaultChoice::default());
    plan.workload.rate_per_s = 0;
    let stale_one_in = operations / 20;
    let history = run(&plan, Manner { rate: RATE, stale_one_in, toothless: false });
    Specimen::new(plan, history, Some("Q01"))
}
