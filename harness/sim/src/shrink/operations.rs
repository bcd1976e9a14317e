//! Operations: written out instead of drawn, fewer, by fewer clients, on fewer keys, and each begun by what happened
//! before it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::{
    CLOSING_VALUES, Endpoint, Function, MessageMatch, Moment, OperationMatch, Plan, Script,
    ScriptedOperation, Weather, Workload,
};

use super::cost::cost;
use super::ddmin::ddmin;
use super::judge::When;
use super::rename::{Renaming, with_and_without_trace};
use super::{Work, other_seeds};
use crate::tape::{Ended, Happened, Operation, Tape};

/// Seeds that are tried where scripts alone do not give the failure again.
const SEEDS: u64 = 40;
/// Seeds that are tried for a plan with one operation less.
const SEEDS_EACH: u64 = 12;
/// So few operations are not looked at twice.
const FEW: usize = 4;
/// Messages before an operation that it may wait for.
const ANCHORS_MAX: usize = 8;

/// An operation with its client.
type Scripted = (u32, ScriptedOperation);

impl Work<'_> {
    /// The operations as the run had them, in place of drawn ones.
    pub(super) fn write_scripts(&mut self) {
        if self.current.scripts.len() == self.current.workload.clients as usize {
            return;
        }
        self.as_the_run_had_them(&[false, true]);
    }

    /// What shows only in operations at the end of a run may show as well when a script has them.
    pub(super) fn bring_forward(&mut self) {
        self.as_the_run_had_them(&[true]);
    }

    fn as_the_run_had_them(&mut self, with_late: &[bool]) {
        let tape = self.tape();
        let end = tape.broken_us(&self.demand);
        let mut candidates = Vec::new();
        for with_late in with_late {
            for pace in [Pace::Floor, Pace::Ceiling, Pace::Busy, Pace::Anchored] {
                candidates.push(scripted(&self.current, &tape, end, pace, *with_late));
            }
        }
        if candidates.iter().any(|plan| self.take(plan)) {
            return;
        }
        for plan in &candidates {
            if other_seeds(plan, SEEDS).any(|plan| self.take(&plan)) {
                return;
            }
        }
    }

    /// The operations one after the other, all on one key, without any fault: another failure, perhaps, but of the same
    /// demand, and plainer.
    pub(super) fn bare_scripts(&mut self) -> bool {
        let tape = self.tape();
        let mut plan = scripted(&self.current, &tape, None, Pace::Busy, self.when == When::Late);
        for operation in plan.scripts.iter_mut().flat_map(|script| &mut script.operations) {
            (operation.key, operation.when) = (0, None);
        }
        (plan.faults, plan.fault_classes) = (Vec::new(), Vec::new());
        plan.rules.clear();
        let Weather { sync_min_us, sync_max_us, .. } = plan.weather.unwrap_or_default();
        let calm = Plan {
            weather: Some(Weather { sync_min_us, sync_max_us, ..Weather::CALM }),
            ..plan.clone()
        };
        let uneven = Weather { sync_min_us, sync_max_us, ..Weather::default() };
        let uneven = Plan { weather: Some(uneven), ..plan.clone() };
        [calm, plan, uneven]
            .iter()
            .any(|plan| self.take(plan) || other_seeds(plan, SEEDS).any(|plan| self.take(&plan)))
    }

    pub(super) fn drop_operations(&mut self) {
        let base = self.current.clone();
        ddmin(operations(&base), |left| self.take(&with_operations(&base, left)));
        self.drop_one_by_one();
        if operations(&self.current).len() > FEW && self.drop_pinned() {
            self.drop_one_by_one();
        }
        self.fewer_clients();
        self.fewer_keys();
    }

    fn drop_one_by_one(&mut self) {
        let mut place = operations(&self.current).len();
        while place > 0 {
            place -= 1;
            self.drop_operation(place);
            place = place.min(operations(&self.current).len());
        }
    }

    /// Fewer operations, where each that is left begins when it does now, whatever came before it: some do nothing but
    /// pass the time.
    fn drop_pinned(&mut self) -> bool {
        let before = self.current.clone();
        let mut all = operations(&before);
        let tape = self.tape();
        let mut begun: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for done in tape.operations.iter().filter(|done| !done.is_late) {
            begun.entry(done.client).or_default().push(done.from_us);
        }
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for (client, operation) in &mut all {
            let nth = counts.entry(*client).or_default();
            let from_us = begun.get(client).and_then(|begun| begun.get(*nth));
            if let (None, Some(from_us)) = (&operation.when, from_us) {
                operation.when = Some(Moment::AtMs(from_us / 1_000));
            }
            *nth += 1;
        }
        let pinned = with_operations(&before, &all);
        if !self.fails(&pinned) {
            return false;
        }
        self.current = pinned.clone();
        ddmin(all, |left| self.take(&with_operations(&pinned, left)));
        let is_smaller = cost(&self.current) < cost(&before);
        if !is_smaller {
            self.current = before;
        }
        is_smaller
    }

    /// One operation less, with what counts on it changed along; or with another seed.
    fn drop_operation(&mut self, place: usize) -> bool {
        let mut left = operations(&self.current);
        if place >= left.len() {
            return false;
        }
        let (client, _) = left.remove(place);
        let nth = operations(&self.current)
            .iter()
            .take(place)
            .filter(|(other, _)| *other == client)
            .count();
        let plain = with_operations(&self.current, &left);
        if self.improve(&plain) {
            return true;
        }
        if !self.current.rules.is_empty() {
            let shifted = shift(&plain, &self.tape(), client, nth);
            if self.improve(&shifted) {
                return true;
            }
        }
        self.improve_with_seeds(&plain, SEEDS_EACH)
    }

    /// Clients that do nothing are gone.
    fn fewer_clients(&mut self) {
        let plan = &self.current;
        let idle: BTreeSet<u32> = plan
            .scripts
            .iter()
            .filter(|script| script.operations.is_empty())
            .map(|script| script.client)
            .collect();
        if idle.is_empty() || idle.len() == plan.workload.clients as usize {
            return;
        }
        let all = Renaming::without_clients(plan, &idle).apply(plan);
        if with_and_without_trace(all).any(|plan| self.improve_with_seeds(&plan, SEEDS_EACH)) {
            return;
        }
        for client in idle.into_iter().rev() {
            let plan = &self.current;
            let fewer = Renaming::without_clients(plan, &BTreeSet::from([client])).apply(plan);
            self.improve_with_seeds(&fewer, SEEDS_EACH);
        }
    }

    /// One key if that is enough; keys and values from 0 and 1 on.
    fn fewer_keys(&mut self) {
        let all = operations(&self.current);
        let mut keys = BTreeMap::new();
        for (_, operation) in &all {
            let next = keys.len() as u64;
            keys.entry(operation.key).or_insert(next);
        }
        let with_keys = |plan: &Plan, key: &dyn Fn(u64) -> u64| {
            let renamed = operations(plan).into_iter().map(|(client, operation)| {
                (client, ScriptedOperation { key: key(operation.key), ..operation })
            });
            with_operations(plan, &renamed.collect::<Vec<_>>())
        };
        let one = with_keys(&self.current, &|_| 0);
        if !self.improve(&one) {
            let plain = with_keys(&self.current, &|key| keys.get(&key).copied().unwrap_or(key));
            self.improve(&plain);
        }
        self.smaller_values();
    }

    fn smaller_values(&mut self) {
        let mut values = BTreeMap::new();
        let mut renamed = operations(&self.current);
        let tape = self.tape();
        for operation in &tape.operations {
            if let Some(value) = operation.input.filter(|_| !operation.is_late) {
                let next = values.len() as u64 + 1;
                values.entry(value).or_insert(next);
            }
        }
        for (_, operation) in &mut renamed {
            operation.value = operation.value.map(|value| {
                let next = values.len() as u64 + 1;
                *values.entry(value).or_insert(next)
            });
        }
        let plan = with_operations(&self.current, &renamed);
        self.improve(&plan);
    }

    /// Each operation begins at once, after another one, or after a message; at a time only if need be.
    pub(super) fn plainer_operations(&mut self) {
        self.fewer_keys();
        let count = operations(&self.current).len();
        for place in 0..count {
            let tape = self.tape();
            let mut all = operations(&self.current);
            let Some((client, operation)) = all.get(place) else { return };
            if operation.when.is_none() {
                continue;
            }
            let began = began(&tape, &all, place, *client);
            for when in anchors(&tape, began, Some(*client)) {
                if let Some((_, operation)) = all.get_mut(place) {
                    operation.when = when;
                }
                let plan = with_operations(&self.current, &all);
                if self.improve(&plan) {
                    break;
                }
            }
        }
    }
}

/// When the operation at this place of all began.
fn began(tape: &Tape, all: &[Scripted], place: usize, client: u32) -> Option<u64> {
    let nth = all.iter().take(place).filter(|(other, _)| *other == client).count();
    let own = tape.operations.iter().filter(|done| done.client == client && !done.is_late);
    own.into_iter().nth(nth).map(|done| done.from_us)
}

/// What something that happened at this time may wait for instead, the plainest first.
pub(super) fn anchors(tape: &Tape, at_us: Option<u64>, client: Option<u32>) -> Vec<Option<Moment>> {
    let mut all = vec![None];
    let Some(at_us) = at_us else { return all };
    let before = |done: &&Operation| !done.is_late && done.from_us <= at_us;
    let known: Vec<&Operation> = tape.operations.iter().filter(before).collect();
    let moment = |done: &Operation, nth: Option<u64>| OperationMatch {
        client: Some(Endpoint::Client(done.client)),
        nth,
        ..OperationMatch::default()
    };
    let nth_of = |done: &Operation| {
        let same = known.iter().filter(|other| other.client == done.client);
        let nth = same.take_while(|other| other.from_us <= done.from_us).count() as u64;
        (nth > 1).then_some(nth)
    };
    for done in known.iter().rev().filter(|done| Some(done.client) != client) {
        if done.to_us.is_some_and(|to| to <= at_us) {
            all.push(Some(Moment::Completed(moment(done, nth_of(done)))));
        } else {
            all.push(Some(Moment::Invoked(moment(done, nth_of(done)))));
        }
    }
    all.extend(messages_before(tape, at_us).into_iter().map(Some));
    let ms = at_us / 1_000;
    let mut unit = 1_000_000_000;
    while unit >= 1 {
        all.extend([ms / unit * unit, ms.div_ceil(unit) * unit].map(|ms| Some(Moment::AtMs(ms))));
        unit /= 10;
    }
    all
}

/// The last messages that came or went before this time.
fn messages_before(tape: &Tape, at_us: u64) -> Vec<Moment> {
    let earlier = tape.events.iter().rev().skip_while(|event| event.at_us > at_us);
    let moments = earlier.filter_map(|event| {
        let (place, is_sent) = match event.what {
            Happened::Sent(place) => (place, true),
            Happened::Arrived(place) => (place, false),
            _ => return None,
        };
        let message = tape.messages.get(place)?;
        let asked = MessageMatch {
            kind: Some(message.kind.to_owned()),
            from: Some(message.from),
            to: Some(message.to),
            nth: (message.nth > 1).then_some(message.nth),
            ..MessageMatch::default()
        };
        Some(if is_sent { Moment::Sent(asked) } else { Moment::Delivered(asked) })
    });
    moments.take(ANCHORS_MAX).collect()
}

/// When the operations of a script begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// At the millisecond in which they began, or as soon as the one before has ended.
    Floor,
    /// At the next one.
    Ceiling,
    /// As soon as they can.
    Busy,
    /// After the last message that came before they began.
    Anchored,
}

/// The plan with the operations of a run written out, those that began before `end`.
fn scripted(plan: &Plan, tape: &Tape, end: Option<u64>, pace: Pace, with_late: bool) -> Plan {
    let end = end.unwrap_or(u64::MAX);
    let counts = |done: &&Operation| done.from_us <= end && (with_late || !done.is_late);
    let mut free: BTreeMap<u32, u64> = BTreeMap::new();
    let mut all: Vec<Scripted> = Vec::new();
    let mut last_ms = 0;
    let mut values = ScriptValues::of_run(tape);
    for done in tape.operations.iter().filter(counts) {
        let Some(f) = Function::named(&done.f) else { continue };
        let since = free.get(&done.client).copied().unwrap_or_default();
        let is_prompt = done.from_us < since + 1_000;
        let at_ms = match pace {
            Pace::Ceiling => done.from_us.div_ceil(1_000),
            Pace::Floor | Pace::Busy | Pace::Anchored => done.from_us / 1_000,
        };
        let when = match pace {
            Pace::Busy => None,
            Pace::Floor | Pace::Ceiling | Pace::Anchored if is_prompt => None,
            Pace::Floor | Pace::Ceiling => Some(Moment::AtMs(at_ms)),
            Pace::Anchored => messages_before(tape, done.from_us).into_iter().next(),
        };
        last_ms = last_ms.max(at_ms);
        let is_open = done.ended == Ended::Open;
        free.insert(done.client, done.to_us.filter(|_| !is_open).unwrap_or(u64::MAX / 2));
        let value = done.input.filter(|_| f != Function::Read).map(|value| values.of(value));
        all.push((done.client, ScriptedOperation { f, key: done.key, value, when }));
    }
    let mut new = with_operations(plan, &all);
    new.durations.time_limit_ms = new.durations.time_limit_ms.max(last_ms + 1_000);
    if with_late && let Some(healed_us) = tape.healed_us() {
        let healed_ms = healed_us.div_ceil(1_000);
        end_harm(&mut new, healed_ms);
        let limit_ms = &mut new.durations.time_limit_ms;
        *limit_ms = (*limit_ms).max(healed_ms + 1_000);
    }
    let clients = plan.workload.clients;
    let kind = plan.workload.kind;
    new.workload = Workload { kind, clients, rate_per_s: 0, keys: 1, ..Workload::default() };
    new
}

/// What scripts write for what a run wrote: the values of its end are none of a script's.
struct ScriptValues {
    next: u64,
}

impl ScriptValues {
    fn of_run(tape: &Tape) -> Self {
        let written = tape.operations.iter().filter_map(|done| done.input);
        let greatest = written.filter(|value| *value < CLOSING_VALUES).max().unwrap_or_default();
        Self { next: greatest + 1 }
    }

    fn of(&mut self, value: u64) -> u64 {
        if value < CLOSING_VALUES {
            return value;
        }
        self.next += 1;
        self.next - 1
    }
}

/// Operations of the end of a run come into its middle: what was harmful before they began must be over by then.
fn end_harm(plan: &mut Plan, healed_ms: u64) {
    for planned in plan.faults.iter_mut().filter(|planned| planned.when.is_none()) {
        planned.for_ms = planned.for_ms.min(healed_ms.saturating_sub(planned.at_ms)).max(1);
    }
    for rule in &mut plan.rules {
        rule.until.get_or_insert(Moment::AtMs(healed_ms));
    }
}

/// All operations of a plan, each with its client, in the order of the scripts.
pub(super) fn operations(plan: &Plan) -> Vec<Scripted> {
    let of = |script: &Script| {
        let client = script.client;
        let operations = script.operations.iter().cloned();
        operations.map(move |operation| (client, operation)).collect::<Vec<_>>()
    };
    plan.scripts.iter().flat_map(of).collect()
}

/// The plan with these operations and no others: every client has a script.
fn with_operations(plan: &Plan, all: &[Scripted]) -> Plan {
    let script = |client| {
        let own = all.iter().filter(|(other, _)| *other == client);
        Script { client, operations: own.map(|(_, operation)| operation.clone()).collect() }
    };
    Plan { scripts: (0..plan.workload.clients).map(script).collect(), ..plan.clone() }
}

/// The plan after the operation of a client with this place, counted from 0, was taken out of it: what counts
/// messages and operations counts those that are left. `tape` is of the plan with it.
fn shift(plan: &Plan, tape: &Tape, client: u32, place: usize) -> Plan {
    let mut own = tape.operations.iter().filter(|done| done.client == client && !done.is_late);
    let Some(gone) = own.nth(place) else { return plan.clone() };
    let (from, to) = (gone.from_us, gone.to_us.unwrap_or(u64::MAX));
    let end = Endpoint::Client(client);
    let messages = |asked: &MessageMatch| {
        let nth = asked.nth?;
        let matching = tape.messages.iter().filter(|message| {
            asked.kind.as_deref().is_none_or(|kind| kind == message.kind)
                && asked.from.is_none_or(|from| from == message.from)
                && asked.to.is_none_or(|to| to == message.to)
        });
        let is_of_clients = [asked.from, asked.to].into_iter().flatten().any(|asked| asked == end);
        let is_gone = |sent: u64| (from..=to).contains(&sent);
        let earlier = matching.take(usize::try_from(nth).unwrap_or(usize::MAX));
        let fewer = earlier.filter(|message| is_gone(message.sent_us)).count() as u64;
        let concerns = is_of_clients || !tape.messages.iter().any(|message| message.from == end);
        Some(if concerns { nth.saturating_sub(fewer).max(1) } else { nth })
    };
    let mut new = plan.clone();
    for rule in &mut new.rules {
        rule.message.nth = messages(&rule.message);
    }
    let nth = place as u64 + 1;
    let moment = |moment: &mut Moment| {
        if let Moment::Completed(asked) | Moment::Invoked(asked) = moment
            && asked.client == Some(end)
        {
            asked.nth = asked.nth.map(|old| if old > nth { old - 1 } else { old });
        } else if let Moment::Sent(asked) | Moment::Delivered(asked) = moment {
            asked.nth = messages(asked);
        }
    };
    let scripts = new.scripts.iter_mut().flat_map(|script| &mut script.operations);
    let moments = scripts.filter_map(|operation| operation.when.as_mut());
    moments.chain(new.faults.iter_mut().filter_map(|fault| fault.when.as_mut())).for_each(moment);
    new
}
