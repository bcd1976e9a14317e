//! The weather: first a rule for every message that says what became of it, then only those that are needed.

use std::collections::BTreeSet;

use quorate_plan::{Act, Delay, Endpoint, Fault, MessageMatch, Plan, Rule, TraceStep, Weather};

use super::cost::{cost, is_calm};
use super::{Work, other_seeds};
use crate::tape::{Fate, Happened, Message, Tape};

/// Seeds that are tried for each plainer weather.
const SEEDS: u64 = 12;

impl Work<'_> {
    /// Every message takes a millisecond, and rules say which does not arrive, or late.
    pub(super) fn calm_weather(&mut self) {
        let is_done = self.current.trace.is_empty()
            && is_calm(&self.current.weather.unwrap_or_default())
            && !self.current.faults.iter().any(|planned| is_of_links(&planned.fault));
        if !is_done {
            self.plainer_syncs();
            let before = self.current.clone();
            let mut best: Option<Plan> = None;
            for (with_faults, detail) in [
                (true, None),
                (false, Some(Detail::Lost)),
                (false, Some(Detail::Late)),
                (false, Some(Detail::Undone)),
                (false, Some(Detail::Rough)),
                (false, Some(Detail::Exact)),
                (false, Some(Detail::ExactOnce)),
            ] {
                if !with_faults && best.as_ref().is_some_and(has_no_link_faults) {
                    break;
                }
                self.current = before.clone();
                let tape = self.tape();
                let plan = calmed(&before, &tape, with_faults, detail);
                if !self.fails(&plan) {
                    continue;
                }
                self.current = plan;
                self.drop_rules();
                self.plainer_rules();
                self.merge_rules();
                if best.as_ref().is_none_or(|best| cost(&self.current) < cost(best)) {
                    best = Some(self.current.clone());
                }
            }
            self.current = before;
            if let Some(best) = best.filter(|best| cost(best) < cost(&self.current)) {
                self.accept(best);
            } else {
                self.plainer_weather();
            }
        }
        self.plainer_syncs();
    }

    /// Where it cannot be calm it may be calmer.
    fn plainer_weather(&mut self) {
        let now = |plan: &Plan| plan.weather.unwrap_or_default();
        let weathers: [fn(Weather) -> Weather; 7] = [
            |weather| Weather { duplicate_per_mille: 0, ..weather },
            |weather| Weather { loss_per_mille: 0, ..weather },
            |weather| Weather { delay: Delay::Constant { us: 1_000 }, ..weather },
            |weather| Weather { delay: Delay::Constant { us: 10_000 }, ..weather },
            |weather| Weather { delay: Delay::Constant { us: 50_000 }, ..weather },
            |weather| Weather { delay: Delay::Constant { us: 200_000 }, ..weather },
            |weather| Weather { duplicate_per_mille: 0, loss_per_mille: 0, ..weather },
        ];
        for change in weathers {
            let plan = Plan { weather: Some(change(now(&self.current))), ..self.current.clone() };
            let _ =
                self.improve(&plan) || other_seeds(&plan, SEEDS).any(|plan| self.improve(&plan));
        }
    }

    /// A disk takes always the same time.
    fn plainer_syncs(&mut self) {
        let Weather { sync_min_us, sync_max_us, .. } = self.current.weather.unwrap_or_default();
        let calm = Weather::CALM.sync_min_us;
        if (sync_min_us, sync_max_us) == (calm, calm) {
            return;
        }
        let middle = u64::midpoint(sync_min_us, sync_max_us);
        for us in [calm, 1_000, 5_000, 20_000, sync_min_us, middle, sync_max_us] {
            let weather = self.current.weather.unwrap_or_default();
            let weather = Weather { sync_min_us: us, sync_max_us: us, ..weather };
            let plan = Plan { weather: Some(weather), ..self.current.clone() };
            if self.improve(&plan) || other_seeds(&plan, SEEDS).any(|plan| self.improve(&plan)) {
                return;
            }
        }
    }
}

/// How exactly rules repeat what became of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Those that did not arrive do not.
    Lost,
    /// And those that took much longer than most are held back until all is over.
    Late,
    /// And those that came so late that a disk may not have been done with them when all was over do not arrive.
    Undone,
    /// Those that did not arrive do not, and every other one takes so many milliseconds.
    Rough,
    /// Every message takes as long as it took, to the microsecond.
    Exact,
    /// As [`Detail::Exact`], but none arrives twice.
    ExactOnce,
}

fn has_no_link_faults(plan: &Plan) -> bool {
    !plan.faults.iter().any(|planned| is_of_links(&planned.fault))
}

const fn is_of_links(fault: &Fault) -> bool {
    match fault {
        Fault::Partition { .. }
        | Fault::Delay { .. }
        | Fault::Loss { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. } => true,
        Fault::Kill { .. }
        | Fault::PowerLoss { .. }
        | Fault::Pause { .. }
        | Fault::Clock { .. }
        | Fault::Disk { .. }
        | Fault::Byzantine { .. }
        | Fault::ByzantineClients { .. }
        | Fault::Reconfigure { .. } => false,
    }
}

/// The plan with calm weather, without faults of links unless they stay, and with rules that repeat what the tape
/// tells.
fn calmed(plan: &Plan, tape: &Tape, with_faults: bool, detail: Option<Detail>) -> Plan {
    let mut new = plan.clone();
    let weather = plan.weather.unwrap_or_default();
    let Weather { delay, loss_per_mille, duplicate_per_mille, .. } = Weather::CALM;
    new.weather = Some(Weather { delay, loss_per_mille, duplicate_per_mille, ..weather });
    new.trace.retain(|entry| matches!(entry.step, TraceStep::Sync { .. }));
    if !with_faults {
        new.faults.retain(|planned| !is_of_links(&planned.fault));
    }
    if let Some(detail) = detail {
        let told = Told {
            detail,
            usual_us: usual_us(tape),
            undone_us: tape.objection().map(|(at, _)| at.saturating_sub(weather.sync_max_us)),
            end_us: tape.end_us(),
        };
        let missed: BTreeSet<usize> = missed(tape);
        let early = tape.messages.iter().enumerate().filter(|(_, message)| !message.is_late);
        new.rules.extend(early.filter_map(|(place, message)| {
            let act = told.act(message, missed.contains(&place))?;
            Some(Rule { message: exactly(tape, place), after: None, until: None, act })
        }));
    }
    new
}

/// The message at this place of the tape and no other. The administrator has no name in plans: it is left out, and
/// more is counted.
pub(super) fn exactly(tape: &Tape, place: usize) -> MessageMatch {
    let Some(message) = tape.messages.get(place) else { return MessageMatch::default() };
    let named = |end: Endpoint| (end != Endpoint::Client(tape.clients)).then_some(end);
    let (from, to) = (named(message.from), named(message.to));
    if from.is_some() && to.is_some() {
        let (kind, nth) = (Some(message.kind.to_owned()), Some(message.nth));
        return MessageMatch { kind, from, to, nth, ..MessageMatch::default() };
    }
    let is_like_it = |other: &&Message| {
        other.kind == message.kind
            && from.is_none_or(|from| from == other.from)
            && to.is_none_or(|to| to == other.to)
    };
    let nth = tape.messages.iter().take(place + 1).filter(is_like_it).count() as u64;
    let (kind, nth) = (Some(message.kind.to_owned()), Some(nth));
    MessageMatch { kind, from, to, nth, ..MessageMatch::default() }
}

/// How a run is told, and what must be known of it.
struct Told {
    detail: Detail,
    /// How long half of the messages took at most.
    usual_us: u64,
    /// What a node took in later than this may not have been durable when a demand was broken.
    undone_us: Option<u64>,
    end_us: u64,
}

impl Told {
    /// What a rule does to a message so that the same becomes of it; nothing if it is what the weather does anyway.
    fn act(&self, message: &Message, was_missed: bool) -> Option<Act> {
        let due = message.due_us.first().copied();
        let took_us = match message.fate {
            // What held it is in the plan, and goes on to hold it.
            Fate::Held => return None,
            Fate::Lost | Fate::Corrupted => return Some(Act::Drop),
            Fate::Travels => due.map_or(0, |due| due - message.sent_us),
        };
        let is_cut =
            message.never_arrived() && !was_missed && due.is_some_and(|due| due < self.end_us);
        if is_cut {
            return Some(Act::Drop);
        }
        match (self.detail, message.due_us.as_slice()) {
            (Detail::Lost, _) => None,
            (Detail::Undone, [due, ..]) if self.is_undone(message, *due) => Some(Act::Drop),
            (Detail::Late | Detail::Undone, _) => {
                (took_us > 4 * self.usual_us).then_some(Act::Hold)
            }
            (_, [first, second, ..]) if self.detail != Detail::ExactOnce => {
                Some(Act::DuplicateAfterMs(first.abs_diff(*second).div_ceil(1_000)))
            }
            (Detail::Rough, _) => Some(Act::DelayMs(took_us.div_ceil(1_000))),
            (Detail::Exact | Detail::ExactOnce, _) => Some(Act::DelayUs(took_us)),
        }
    }

    fn is_undone(&self, message: &Message, due: u64) -> bool {
        matches!(message.to, Endpoint::Node(_)) && self.undone_us.is_some_and(|undone| due > undone)
    }
}

/// How long half of the messages took at most.
fn usual_us(tape: &Tape) -> u64 {
    let took = tape
        .messages
        .iter()
        .filter_map(|message| message.due_us.first().map(|due| due - message.sent_us));
    let mut took: Vec<u64> = took.collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied().unwrap_or_default()
}

/// Messages that came to a node that was down: no rule is needed for that.
fn missed(tape: &Tape) -> BTreeSet<usize> {
    let missed = tape.events.iter().filter_map(|event| match event.what {
        Happened::Missed(place) => Some(place),
        _ => None,
    });
    missed.collect()
}
