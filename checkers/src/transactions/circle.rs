//! A circle of transactions in words: who is in it, and why each comes before the next.

use super::cycles::Step;
use super::explain;
use super::findings::Example;
use super::graph::Kind;
use super::record::Recorded;
use super::table::{AppendId, Id, KeyId, ReadId, TransactionId};

/// How many transactions a sentence names.
const SHOWN: usize = 6;

pub(super) fn example(recorded: &Recorded<'_>, steps: &[Step]) -> Example {
    let mut members: Vec<TransactionId> = Vec::new();
    for step in steps {
        if !members.contains(&step.from) {
            members.push(step.from);
        }
    }
    let named = Named { recorded, members };
    let who = named
        .members
        .iter()
        .map(|id| format!("{}  {}", named.name(*id), explain::line(recorded.transaction(*id))));
    let why = steps.iter().map(|step| {
        format!("{} < {}: {}", named.name(step.from), named.name(step.to), named.reason(step))
    });
    Example {
        sentence: named.sentence(steps),
        lines: who.chain(why).collect(),
        transactions: named.members.iter().map(|id| recorded.transaction(*id).invoke).collect(),
    }
}

/// Transactions that are called T1, T2 and so on.
struct Named<'r, 'a> {
    recorded: &'r Recorded<'a>,
    members: Vec<TransactionId>,
}

impl Named<'_, '_> {
    fn name(&self, id: TransactionId) -> String {
        let place = self.members.iter().position(|member| *member == id).unwrap_or_default();
        format!("T{}", place + 1)
    }

    fn sentence(&self, steps: &[Step]) -> String {
        let way = steps.iter().take(SHOWN).map(|step| {
            let invoke = self.recorded.transaction(step.from).invoke;
            format!("{} (index {invoke})", self.name(step.from))
        });
        let way: Vec<String> = way.collect();
        let more = match steps.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" < … {more} more …"),
        };
        let begin = steps.first().map(|step| self.name(step.from)).unwrap_or_default();
        let reasons = if steps.len() <= 2 {
            let reasons: Vec<String> = steps.iter().map(|step| self.reason(step)).collect();
            format!(": {}", reasons.join("; "))
        } else {
            String::new()
        };
        format!("each comes before the next in {}{more} < {begin}{reasons}", way.join(" < "))
    }

    /// Why the first transaction of a step comes before the second.
    fn reason(&self, step: &Step) -> String {
        let [from, to] = [step.from, step.to].map(|id| self.name(id));
        match step.kind {
            Kind::Ww => self.appended_after(step, &from, &to),
            Kind::Wr => self.was_read(step, &from, &to),
            Kind::Rw => self.missed(step, &from, &to),
            Kind::Process => {
                let process = self.recorded.transaction(step.from).process;
                format!("{process} did {from} first, and then {to}")
            }
            Kind::RealTime | Kind::Onward => {
                let end = self.recorded.transaction(step.from).complete.unwrap_or_default();
                let begin = self.recorded.transaction(step.to).invoke;
                format!("{from} ended at index {end}, before {to} began at index {begin}")
            }
        }
    }

    fn appended_after(&self, step: &Step, from: &str, to: &str) -> String {
        let append = &self.recorded.appends[AppendId::new(step.why)];
        let key = self.recorded.keys[append.key].name;
        let place = append.place.unwrap_or_default() + 1;
        let (element, is_read) = self.next(step, append.key, place);
        let how = if is_read { "right after it" } else { "later, for nobody read that" };
        format!("{from} appended {} to {key}, and {to} appended {element} {how}", append.element)
    }

    fn was_read(&self, step: &Step, from: &str, to: &str) -> String {
        let read = &self.recorded.reads[ReadId::new(step.why)];
        let key = &self.recorded.keys[read.key];
        let last = key.longest.get(read.length.saturating_sub(1) as usize);
        let last = last.map(ToString::to_string).unwrap_or_default();
        format!("{from} appended {last} to {}, and {to} read it", key.name)
    }

    fn missed(&self, step: &Step, from: &str, to: &str) -> String {
        let read = &self.recorded.reads[ReadId::new(step.why)];
        let key = self.recorded.keys[read.key].name;
        let (element, is_read) = self.next(step, read.key, read.length);
        let seen = explain::state(self.recorded, read.key, read.length);
        let how = if is_read { "" } else { " (and nobody read)" };
        format!("{from} read {key} as {seen}, without {element}, which {to} appended{how}")
    }

    /// The element that the second transaction of a step appended, and whether anybody read it.
    fn next(&self, step: &Step, key: KeyId, place: u32) -> (String, bool) {
        let known = self.recorded.keys[key].order.get(place as usize).copied().flatten();
        let append = step.append.map(AppendId::new).or(known).or_else(|| {
            let unread = self.recorded.keys[key].unread.iter().copied();
            unread.into_iter().find(|id| self.recorded.appends[*id].transaction == step.to)
        });
        let element = append.map(|id| self.recorded.appends[id].element.to_string());
        (element.unwrap_or_default(), step.append.is_none() && known.is_some())
    }
}
