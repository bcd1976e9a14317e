//! From an account of a run of real processes to a plan that has a simulated run do the same.
//!
//! Clients have scripts, with the operations that they began; a trace says when each message arrives, and rules
//! and the trace say which do not; nodes go down and come up when they did. What is left to the simulator are
//! timers, the time that a disk takes, and what only a run of its own would bring about.

use std::collections::{BTreeMap, BTreeSet};

use quorate_checkers::history::{History, Nemesis, NemesisPhase, What};
use quorate_plan::{
    Act, Endpoint, Fault, FaultClass, MessageMatch, Moment, OperationMatch, Plan, PlannedFault,
    Rule, Script, ScriptedOperation, TraceEntry, TraceStep, Weather, WorldKind,
};

use super::account::{Account, Asked, NUMBER, Passage};
use crate::convert;

const MS: u64 = 1_000_000;
const US: u64 = 1_000;
/// A simulated run begins so long before its first operation: nodes have to come up.
const LEAD: u64 = 2 * MS;
/// A run goes on so long after its last operation.
const REST_MS: u64 = 100;

/// A node that was made to go down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// Which.
    pub node: u16,
    /// When, on the clock of the logs, in nanoseconds.
    pub at: u64,
    /// Whether what it had not synced is lost.
    pub loses_unsynced: bool,
}

/// How long disks take in a simulated run that is to do what another did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// Each record is durable when it was; what nobody wrote then takes so many microseconds.
    AsTheyWere(u64),
    /// So many microseconds for every sync.
    All(u64),
}

impl Syncs {
    const fn usual_us(self) -> u64 {
        match self {
            Self::AsTheyWere(us) | Self::All(us) => us,
        }
    }
}

/// Which part of a run is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Only operations on this key; absent: on all.
    pub key: Option<u64>,
    /// Of these the first that is told, counted from 0 in the order in which they began.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl Account {
    /// Every key that somebody used, with the number of operations on it.
    pub fn keys(&self) -> BTreeMap<u64, usize> {
        let mut keys = BTreeMap::new();
        for asked in &self.asked {
            for key in asked.keys() {
                *keys.entry(key).or_default() += 1;
            }
        }
        keys
    }

    /// How many operations there are.
    pub const fn operations(&self) -> usize {
        self.asked.len()
    }

    /// How long a disk took, in microseconds: less than a tenth of the times, the middle one, more than nine
    /// tenths, the longest. Nothing if nobody wrote.
    pub fn syncs_us(&self) -> Option<[u64; 4]> {
        let mut syncs = self.syncs.clone();
        syncs.sort_unstable();
        let us = |ns: &u64| (ns / US).max(1);
        let at = |tenths: usize| syncs.get(syncs.len() * tenths / 10).map(us);
        Some([at(1)?, at(5)?, at(9)?, syncs.last().map(us)?])
    }

    /// The nodes that the history of the run says were made to go down.
    pub fn downs(&self, history: &History) -> Vec<Down> {
        let Some(ahead) = self.ahead_of(history) else { return Vec::new() };
        let clock = |time: u64| time + ahead;
        let events = history.events().iter();
        let begun = events.filter_map(|event| match &event.what {
            What::Nemesis(nemesis) if nemesis.phase == NemesisPhase::Begin => {
                Some((clock(event.time.0), loses_unsynced(nemesis)?, &nemesis.targets))
            }
            What::Nemesis(_)
            | What::Invoke(_)
            | What::Ok(_)
            | What::Fail(_)
            | What::Info(_)
            | What::Violation(_) => None,
        });
        begun.flat_map(|(at, lost, targets)| self.downs_of(at, lost, targets)).collect()
    }

    fn downs_of(&self, at: u64, loses_unsynced: bool, targets: &[String]) -> Vec<Down> {
        let nodes = targets.iter().filter_map(|target| match target.parse() {
            Ok(Endpoint::Node(node)) => Some(node),
            Ok(Endpoint::Client(_)) | Err(_) => None,
        });
        nodes.map(|node| Down { node, at: self.end_of_life(node, at), loses_unsynced }).collect()
    }

    /// When a life was over that was to end at `at`: what a node took in a little later it still lived to do.
    fn end_of_life(&self, node: u16, at: u64) -> u64 {
        let Some(times) = self.nodes.get(&node) else { return at };
        let up = times.starts.iter().find(|start| **start > at).copied().unwrap_or(u64::MAX);
        let last = times.inputs.iter().take_while(|input| **input < up).last().copied();
        last.map_or(at, |last| at.max(last + 1))
    }

    /// A plan whose simulated run does what this part of the run did; nothing if there is no such part. `run` is the
    /// plan that the run had.
    pub fn plan(&self, run: &Plan, downs: &[Down], cut: &Cut, syncs: Syncs) -> Option<Plan> {
        let telling = Telling::new(self, run, cut)?;
        let (rules, mut trace) = telling.messages();
        if let Syncs::AsTheyWere(_) = syncs {
            trace.extend(telling.syncs());
        }
        trace.sort_by_key(|entry| entry.at_us);
        let sync_us = syncs.usual_us();
        let weather = Weather { sync_min_us: sync_us, sync_max_us: sync_us, ..Weather::CALM };
        let mut plan = Plan {
            world: WorldKind::Sim,
            scripts: telling.scripts(),
            weather: Some(weather),
            fault_classes: Vec::new(),
            faults: telling.faults(downs),
            rules,
            trace,
            liveness: None,
            shows: None,
            ..run.clone()
        };
        plan.durations.time_limit_ms = telling.limit_ms();
        Some(plan)
    }
}

/// Whether nodes that this happens to go down.
pub fn ends_nodes(nemesis: &Nemesis) -> bool {
    loses_unsynced(nemesis).is_some()
}

/// Whether a node that this happens to goes down, and loses what it had not synced.
fn loses_unsynced(nemesis: &Nemesis) -> Option<bool> {
    match nemesis.kind.parse::<FaultClass>().ok()? {
        FaultClass::PowerLoss | FaultClass::CutTail => Some(true),
        FaultClass::Kill | FaultClass::DiskFull | FaultClass::IoError | FaultClass::FlippedBit => {
            Some(false)
        }
        FaultClass::Partition
        | FaultClass::Delay
        | FaultClass::Loss
        | FaultClass::Duplicate
        | FaultClass::Reorder
        | FaultClass::Corrupt
        | FaultClass::Pause
        | FaultClass::Clock
        | FaultClass::Byzantine
        | FaultClass::ByzantineClients
        | FaultClass::Reconfigure => None,
    }
}

/// A plan that is being made.
struct Telling<'a> {
    account: &'a Account,
    run: &'a Plan,
    key: Option<u64>,
    /// The operations that are told, by their places, with the place that each has in its client's script.
    chosen: BTreeMap<usize, usize>,
    /// The numbers that each client's core gives its operations, in their order.
    numbers: BTreeMap<u32, Vec<Option<u64>>>,
    /// When the simulated run begins.
    begin: u64,
    /// When the last operation that is told was over.
    end: u64,
}

/// Messages that a plan does not tell apart.
type Group = (&'static str, Endpoint, Endpoint, Option<u64>);

impl<'a> Telling<'a> {
    fn new(account: &'a Account, run: &'a Plan, cut: &Cut) -> Option<Self> {
        let clients = run.workload.clients;
        let all = account.asked.iter().enumerate();
        let told = all.filter(|(_, asked)| {
            asked.client < clients && cut.key.is_none_or(|key| asked.keys().any(|own| own == key))
        });
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        let mut chosen = BTreeMap::new();
        let (mut begin, mut end) = (u64::MAX, 0);
        let patience = run.durations.operation_timeout_ms * MS;
        for (place, asked) in told.skip(cut.first).take(cut.count) {
            let count = counts.entry(asked.client).or_default();
            chosen.insert(place, *count);
            *count += 1;
            begin = begin.min(asked.at);
            end = end.max(asked.ended.unwrap_or(asked.at + patience));
        }
        let mut numbers: BTreeMap<u32, Vec<Option<u64>>> = BTreeMap::new();
        for asked in &account.asked {
            numbers.entry(asked.client).or_default().push(asked.seq);
        }
        let begin = begin.saturating_sub(LEAD);
        let telling = Self { account, run, key: cut.key, chosen, numbers, begin, end };
        (!telling.chosen.is_empty()).then_some(telling)
    }

    /// Nanoseconds of the simulated run.
    const fn clock(&self, at: u64) -> u64 {
        at.saturating_sub(self.begin)
    }

    const fn limit_ms(&self) -> u64 {
        self.clock(self.end) / MS + REST_MS
    }

    fn asked(&self) -> impl Iterator<Item = (&'a Asked, usize)> {
        let account = self.account;
        self.chosen.iter().filter_map(|(place, nth)| Some((account.asked.get(*place)?, *nth)))
    }

    /// What each client does; nothing where the part that is told has nothing of it.
    fn scripts(&self) -> Vec<Script> {
        let mut scripts: Vec<Script> = (0..self.run.workload.clients)
            .map(|client| Script { client, operations: Vec::new() })
            .collect();
        for (asked, _) in self.asked() {
            let planned = convert::planned(&asked.command);
            let operation = ScriptedOperation::of(&planned, Some(self.when(asked)));
            let script = scripts.iter_mut().find(|script| script.client == asked.client);
            if let Some(script) = script {
                script.operations.push(operation);
            }
        }
        scripts
    }

    /// When an operation begins: at the last full millisecond, unless somebody else's ended since then. What came
    /// after something else must come after it again.
    fn when(&self, asked: &Asked) -> Moment {
        let at_ms = self.clock(asked.at) / MS;
        let others = self.asked().filter(|(other, _)| other.client != asked.client);
        let before = others
            .filter_map(|(other, nth)| Some((other.ended?, other.client, nth)))
            .filter(|(ended, ..)| *ended <= asked.at && self.clock(*ended) >= at_ms * MS);
        match before.max() {
            Some((_, client, nth)) => Moment::Completed(OperationMatch {
                client: Some(Endpoint::Client(client)),
                nth: Some(nth as u64 + 1),
                ..OperationMatch::default()
            }),
            None => Moment::AtMs(at_ms),
        }
    }

    /// What becomes of messages. Where none of a kind of an operation arrived on a link, none may, however often it
    /// is sent; where some did, each has its time.
    fn messages(&self) -> (Vec<Rule>, Vec<TraceEntry>) {
        let told = self.account.passages.iter();
        let told: Vec<(Group, &Passage)> =
            told.filter_map(|passage| Some((self.group(passage)?, passage))).collect();
        let arrived = told.iter().filter(|(_, passage)| passage.taken.is_some());
        let arrived: BTreeSet<Group> = arrived.map(|(group, _)| *group).collect();
        let lost: BTreeSet<Group> =
            told.iter().map(|(group, _)| *group).filter(|group| !arrived.contains(group)).collect();
        let rules = lost.into_iter().map(|group| Rule {
            message: matching(group),
            after: None,
            until: None,
            act: Act::Drop,
        });
        let of_some = told.iter().filter(|(group, _)| arrived.contains(group));
        let trace: Vec<TraceEntry> = of_some
            .map(|(group, passage)| match passage.taken {
                Some(taken) => self.entry(taken, TraceStep::Deliver(matching(*group))),
                None => self.entry(passage.sent, TraceStep::Lose(matching(*group))),
            })
            .collect();
        (rules.collect(), trace)
    }

    /// When disks had synced what is told.
    fn syncs(&self) -> impl Iterator<Item = TraceEntry> {
        let told = self.account.passages.iter().filter(|passage| self.group(passage).is_some());
        let of_messages = told.filter_map(|passage| match passage.to {
            Endpoint::Node(node) => Some((passage.durable?, node)),
            Endpoint::Client(_) => None,
        });
        let nodes = self.account.nodes.iter();
        let of_others = nodes
            .flat_map(|(node, times)| times.synced.iter().map(|synced| (*synced, *node)))
            .filter(|(synced, _)| (self.begin..=self.end).contains(synced));
        let moments: BTreeSet<(u64, u16)> = of_messages.chain(of_others).collect();
        moments.into_iter().map(|(at, node)| self.entry(at, TraceStep::Sync { node }))
    }

    const fn entry(&self, at: u64, step: TraceStep) -> TraceEntry {
        TraceEntry { at_us: self.clock(at) / US, step }
    }

    /// How a message is named in the plan; nothing if it has no part in what is told.
    fn group(&self, passage: &Passage) -> Option<Group> {
        let Passage { kind, from, to, key, is_numbered, asked, sent, .. } = *passage;
        let is_between_nodes = matches!((from, to), (Endpoint::Node(_), Endpoint::Node(_)));
        if is_between_nodes {
            let is_told = self.key.is_none() || key.is_none() || key == self.key;
            let is_then = (self.begin..=self.end).contains(&sent);
            return (is_told && is_then).then_some((kind, from, to, None));
        }
        let asked = asked?;
        let place = self.chosen.get(&asked)?;
        let number = if is_numbered {
            let client = self.account.asked.get(asked)?.client;
            Some((*self.numbers.get(&client)?.get(*place)?)?)
        } else {
            None
        };
        Some((kind, from, to, number))
    }

    /// Nodes that go down and come up, and what else does not befall messages.
    fn faults(&self, downs: &[Down]) -> Vec<PlannedFault> {
        let mut faults: Vec<PlannedFault> =
            downs.iter().filter_map(|down| self.outage(down)).collect();
        let moved = self.run.faults.iter().filter(|fault| is_of_cores(&fault.fault));
        faults.extend(moved.filter_map(|fault| self.moved(fault)));
        faults.sort_by_key(|fault| fault.at_ms);
        faults
    }

    fn outage(&self, down: &Down) -> Option<PlannedFault> {
        let starts = self.account.nodes.get(&down.node).map_or(&[][..], |times| &times.starts);
        let up = starts.iter().find(|start| **start > down.at).copied();
        if up.is_some_and(|up| up <= self.begin) || down.at > self.end {
            return None;
        }
        let nodes = BTreeSet::from([down.node]);
        let fault = if down.loses_unsynced {
            Fault::PowerLoss { nodes, after_effects: None }
        } else {
            Fault::Kill { nodes, after_effects: None }
        };
        // What was on its way to a dead node is lost by name, so that it may live a little longer.
        let at_ms = self.clock(down.at).div_ceil(MS);
        let up_ms = up.map_or(self.limit_ms(), |up| self.clock(up) / MS);
        let for_ms = up_ms.saturating_sub(at_ms).max(1);
        Some(PlannedFault { when: None, at_ms, for_ms, fault })
    }

    /// A fault of the plan at its time in the simulated run; none if it is over by then.
    fn moved(&self, fault: &PlannedFault) -> Option<PlannedFault> {
        let first = self.account.asked.first()?.at;
        let skipped = self.begin.saturating_sub(first) / MS;
        let end = (fault.at_ms + fault.for_ms).saturating_sub(skipped);
        let at_ms = fault.at_ms.saturating_sub(skipped);
        let lasts = end > at_ms || matches!(fault.fault, Fault::Reconfigure { .. });
        let is_told = fault.when.is_none() && at_ms < self.limit_ms() && lasts;
        let for_ms = (end - at_ms).max(1);
        is_told.then(|| PlannedFault { when: None, at_ms, for_ms, fault: fault.fault.clone() })
    }
}

/// Whether a fault changes what cores are or see, other than by messages that do not come.
const fn is_of_cores(fault: &Fault) -> bool {
    match fault {
        Fault::Clock { .. }
        | Fault::Byzantine { .. }
        | Fault::ByzantineClients { .. }
        | Fault::Reconfigure { .. } => true,
        Fault::Partition { .. }
        | Fault::Delay { .. }
        | Fault::Loss { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. }
        | Fault::Kill { .. }
        | Fault::PowerLoss { .. }
        | Fault::Pause { .. }
        | Fault::Disk { .. } => false,
    }
}

fn matching((kind, from, to, number): Group) -> MessageMatch {
    MessageMatch {
        kind: Some(kind.to_owned()),
        from: Some(from),
        to: Some(to),
        fields: number.map(|number| (NUMBER.to_owned(), number)).into_iter().collect(),
        nth: None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_checkers::history::{Builder, ProcessId, Step, Time, Value as Told};
    use quorate_plan::{Function, SystemPlan, Workload};
    use quorate_systems::contract::{Command, Key, Value};

    use super::super::account::Times;
    use super::*;

    const C0: Endpoint = Endpoint::Client(0);
    const C1: Endpoint = Endpoint::Client(1);
    const N0: Endpoint = Endpoint::Node(0);
    const N1: Endpoint = Endpoint::Node(1);
    const ALL: Cut = Cut { key: None, first: 0, count: 9 };
    const KEY_1: Cut = Cut { key: Some(1), first: 0, count: 9 };

    fn run() -> Plan {
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: 3, options: [].into() };
        let mut plan = Plan::new("test", 1, WorldKind::Live, system);
        plan.workload = Workload { clients: 2, ..plan.workload };
        plan
    }

    fn asked(client: u32, (at, ended): (u64, u64), key: u64, write: bool, seq: u64) -> Asked {
        let key = Key(key);
        let command =
            if write { Command::Write { key, value: Value(7) } } else { Command::Read { key } };
        Asked { client, at: at * US, ended: Some(ended * US), command, seq: Some(seq) }
    }

    /// An operation's message; times in microseconds.
    fn passage(
        kind: &'static str,
        (from, to): (Endpoint, Endpoint),
        asked: usize,
        sent: u64,
        taken: Option<u64>,
    ) -> Passage {
        let (sent, taken) = (sent * US, taken.map(|taken| taken * US));
        let (key, is_numbered) = (Some(1), true);
        Passage {
            kind,
            text: kind.to_owned(),
            from,
            to,
            key,
            is_numbered,
            asked: Some(asked),
            sent,
            taken,
            durable: None,
        }
    }

    /// Client 0 writes, client 1 reads right after it, client 0 reads another key, and then the first.
    fn account() -> Account {
        let times = Times {
            starts: vec![10 * US, 60_700 * US],
            inputs: vec![20 * US, 15_400 * US],
            synced: vec![],
        };
        Account {
            asked: vec![
                asked(0, (10_500, 20_100), 1, true, 5),
                asked(1, (20_300, 30_000), 1, false, 9),
                asked(0, (40_000, 41_000), 2, false, 6),
                asked(0, (50_600, 51_000), 1, false, 7),
            ],
            passages: vec![
                passage("UPDATE", (C0, N0), 0, 10_600, Some(12_000)),
                passage("UPDATE", (C0, N1), 0, 10_600, None),
                passage("UPDATE", (C0, N1), 0, 15_000, None),
                passage("QUERY", (C1, N0), 1, 20_300, None),
                passage("QUERY", (C1, N0), 1, 25_000, Some(26_000)),
                passage("QUERY", (C0, N0), 2, 40_000, Some(40_500)),
                passage("QUERY", (C0, N0), 3, 50_700, Some(50_900)),
            ],
            nodes: [(2, times)].into(),
            syncs: vec![3_000_000, 1_000_000, 2_000_000],
            told: Vec::new(),
        }
    }

    fn named(kind: &'static str, from: Endpoint, to: Endpoint, number: u64) -> MessageMatch {
        matching((kind, from, to, Some(number)))
    }

    #[test]
    fn operations_begin_when_they_began_and_after_what_had_just_ended() {
        let plan = account().plan(&run(), &[], &KEY_1, Syncs::All(5)).unwrap();
        plan.validate().unwrap();
        assert_eq!(plan.world, WorldKind::Sim);
        let moments = |client: usize| -> Vec<&Moment> {
            let operations = &plan.scripts[client].operations;
            operations.iter().map(|operation| operation.when.as_ref().unwrap()).collect()
        };
        // The simulated run begins two milliseconds before the first operation.
        assert_eq!(moments(0), [&Moment::AtMs(2), &Moment::AtMs(42)]);
        let after = OperationMatch { client: Some(C0), nth: Some(1), ..OperationMatch::default() };
        assert_eq!(moments(1), [&Moment::Completed(after)]);
        let write = &plan.scripts[0].operations[0];
        assert_eq!((write.f, write.key, write.value), (Function::Write, Some(1), Some(7)));
        assert_eq!(plan.durations.time_limit_ms, 42 + REST_MS);
        let weather = plan.weather.unwrap();
        assert_eq!((weather.sync_min_us, weather.sync_max_us), (5, 5));
    }

    #[test]
    fn messages_arrive_when_they_did_and_those_that_never_arrived_never_do() {
        let plan = account().plan(&run(), &[], &KEY_1, Syncs::All(5)).unwrap();
        let lost =
            Rule { message: named("UPDATE", C0, N1, 5), after: None, until: None, act: Act::Drop };
        assert_eq!(plan.rules, [lost], "one for both attempts");
        let entry = |at_us, step| TraceEntry { at_us, step };
        let expected = [
            entry(3_500, TraceStep::Deliver(named("UPDATE", C0, N0, 5))),
            entry(11_800, TraceStep::Lose(named("QUERY", C1, N0, 9))),
            entry(17_500, TraceStep::Deliver(named("QUERY", C1, N0, 9))),
            // It is the second operation of its client now, and was the third.
            entry(42_400, TraceStep::Deliver(named("QUERY", C0, N0, 6))),
        ];
        assert_eq!(plan.trace, expected);
    }

    #[test]
    fn disks_sync_what_is_told_when_they_did() {
        let mut account = account();
        let durable = |account: &mut Account, place: usize, at: u64| {
            account.passages[place].durable = Some(at * US);
        };
        durable(&mut account, 0, 13_000);
        // Of another key, which is not told.
        durable(&mut account, 5, 41_000);
        account.passages[5].key = Some(2);
        let times = account.nodes.entry(2).or_default();
        // One before the part begins, one in it, one behind it.
        times.synced = vec![5 * US, 30_000 * US, 90_000 * US];
        let plan = account.plan(&run(), &[], &KEY_1, Syncs::AsTheyWere(9)).unwrap();
        plan.validate().unwrap();
        let syncs = plan.trace.iter().filter_map(|entry| match entry.step {
            TraceStep::Sync { node } => Some((entry.at_us, node)),
            TraceStep::Deliver(_) | TraceStep::Lose(_) | TraceStep::Wake { .. } => None,
        });
        assert_eq!(syncs.collect::<Vec<_>>(), [(4_500, 0), (21_500, 2)]);
        assert_eq!(plan.weather.unwrap().sync_max_us, 9);
    }

    #[test]
    fn a_part_has_the_operations_that_were_asked_for_and_nothing_of_others() {
        let account = account();
        let count = |cut: Cut| -> Option<(usize, usize)> {
            let plan = account.plan(&run(), &[], &cut, Syncs::All(5))?;
            let operations = plan.scripts.iter().map(|script| script.operations.len()).sum();
            Some((operations, plan.trace.len() + plan.rules.len()))
        };
        assert_eq!(count(ALL), Some((4, 6)));
        assert_eq!(count(KEY_1), Some((3, 5)));
        assert_eq!(count(Cut { first: 1, count: 1, ..KEY_1 }), Some((1, 2)));
        assert_eq!(count(Cut { first: 3, ..KEY_1 }), None);
        assert_eq!(count(Cut { key: Some(3), ..ALL }), None);
        assert_eq!(account.keys(), [(1, 3), (2, 1)].into());
        assert_eq!(account.syncs_us(), Some([1_000, 2_000, 3_000, 3_000]));
    }

    fn invoked(time: u64, into: &mut Builder) {
        let (process, f, value) = (ProcessId(0), "read".into(), Told::Nil);
        let key = Some(quorate_checkers::history::Key(1));
        let step = Step { process, f, key, value, error: None };
        into.push(Time(time), What::Invoke(step)).unwrap();
    }

    fn began(time: u64, (fault, kind): (u32, &str), target: &str, into: &mut Builder) {
        let (kind, what, targets) = (kind.to_owned(), String::new(), vec![target.to_owned()]);
        let phase = NemesisPhase::Begin;
        let nemesis = Nemesis { fault, kind, phase, targets, what, bites: 0 };
        into.push(Time(time), What::Nemesis(nemesis)).unwrap();
    }

    #[test]
    fn nodes_go_down_after_what_they_did_last_and_come_up_when_they_did() {
        let mut history = Builder::new();
        // The clock of the logs is 10.4 ms ahead of the history's.
        invoked(100 * US, &mut history);
        began(200 * US, (0, "partition"), "n1", &mut history);
        began(4_600 * US, (1, "power-loss"), "n2", &mut history);
        began(100_000 * US, (2, "kill"), "n0", &mut history);
        let account = account();
        let downs = account.downs(history.history());
        let told: Vec<(u16, u64, bool)> =
            downs.iter().map(|down| (down.node, down.at, down.loses_unsynced)).collect();
        // The node took something in after the nemesis had said that it would go down.
        assert_eq!(told, [(2, 15_400 * US + 1, true), (0, 110_400 * US, false)]);
        let plan = account.plan(&run(), &downs, &ALL, Syncs::All(5)).unwrap();
        plan.validate().unwrap();
        let fault = Fault::PowerLoss { nodes: [2].into(), after_effects: None };
        let expected = PlannedFault { when: None, at_ms: 7, for_ms: 45, fault };
        assert_eq!(plan.faults, [expected], "the other one came when all was over");
    }
}
