//! Rules: only those that are needed, each with the plainest act, and one for several messages where that does.

use quorate_plan::{Act, Endpoint, MessageMatch, Moment, OperationMatch, Plan, Rule};

use super::Work;
use super::ddmin::ddmin;
use crate::tape::Tape;

impl Work<'_> {
    /// What a trace says of single messages, as long as there is one.
    pub(super) fn drop_trace(&mut self) {
        if self.current.trace.is_empty() {
            return;
        }
        let base = self.current.clone();
        ddmin(base.trace.clone(), |left| self.take(&Plan { trace: left.to_vec(), ..base.clone() }));
    }

    pub(super) fn drop_rules(&mut self) {
        if self.current.rules.is_empty() {
            return;
        }
        let base = self.current.clone();
        ddmin(base.rules.clone(), |left| self.take(&Plan { rules: left.to_vec(), ..base.clone() }));
    }

    /// Lost rather than held back, held back rather than slow, a round number rather than another one.
    pub(super) fn plainer_rules(&mut self) {
        let mut place = 0;
        while let Some(rule) = self.current.rules.get(place).cloned() {
            let tape = self.tape();
            for act in plainer_acts(&rule.act, &tape) {
                if self.with_rule(place, Rule { act, ..rule.clone() }) {
                    break;
                }
            }
            if let Some(rule) = self.current.rules.get(place).cloned() {
                self.with_rule(place, Rule { after: None, ..rule });
            }
            if let Some(rule) = self.current.rules.get(place).cloned() {
                self.with_rule(place, Rule { until: None, ..rule });
            }
            place += 1;
        }
    }

    fn with_rule(&mut self, place: usize, rule: Rule) -> bool {
        let mut plan = self.current.clone();
        match plan.rules.get_mut(place) {
            Some(old) => *old = rule,
            None => return false,
        }
        self.improve(&plan)
    }

    /// One rule for more messages than one, in place of all that it makes needless.
    pub(super) fn merge_rules(&mut self) {
        let mut place = 0;
        while let Some(rule) = self.current.rules.get(place).cloned() {
            let wider = wider(&rule);
            let tried = wider.into_iter().any(|wider| self.replace(place, &wider));
            // The rules after it have moved up.
            place += usize::from(!tried);
        }
        let mut sorted = self.current.clone();
        sorted.rules.sort_by(|a, b| order(a).cmp(&order(b)));
        if sorted.rules != self.current.rules {
            self.take(&sorted);
        }
    }

    /// This rule in place of the one there and of all that speak of messages that it speaks of as well.
    fn replace(&mut self, place: usize, wider: &Rule) -> bool {
        let mut plan = self.current.clone();
        let others = (0..).zip(&self.current.rules);
        plan.rules = others
            .filter(|(other, rule)| *other == place || !covers(&wider.message, &rule.message))
            .map(|(other, rule)| if other == place { wider.clone() } else { rule.clone() })
            .collect();
        self.improve(&plan)
    }
}

/// By the sender, the receiver, the kind, the number.
fn order(rule: &Rule) -> (Option<Endpoint>, Option<Endpoint>, Option<&str>, Option<u64>) {
    let MessageMatch { kind, from, to, fields: _, nth } = &rule.message;
    (*from, *to, kind.as_deref(), *nth)
}

/// Whether the first is asked about every message that the second is about.
fn covers(wide: &MessageMatch, narrow: &MessageMatch) -> bool {
    fn is_wider<T: PartialEq>(wide: Option<&T>, narrow: Option<&T>) -> bool {
        wide.is_none() || wide == narrow
    }
    is_wider(wide.kind.as_ref(), narrow.kind.as_ref())
        && is_wider(wide.from.as_ref(), narrow.from.as_ref())
        && is_wider(wide.to.as_ref(), narrow.to.as_ref())
        && wide.nth.is_none()
        && wide.fields.is_empty()
}

/// The rule for more messages: those that any of its words but one, two, three says.
fn wider(rule: &Rule) -> Vec<Rule> {
    let mut all = Vec::new();
    for words in [0b000_u8, 0b001, 0b010, 0b100, 0b011, 0b101, 0b110, 0b111] {
        let mut wider = rule.clone();
        wider.message.nth = None;
        wider.message.fields.clear();
        let asked = &mut wider.message;
        if words & 0b001 != 0 {
            asked.kind = None;
        }
        if words & 0b010 != 0 {
            asked.to = None;
        }
        if words & 0b100 != 0 {
            asked.from = None;
        }
        if wider != *rule {
            all.push(wider);
        }
    }
    all
}

/// Acts that say less, the plainest first.
fn plainer_acts(act: &Act, tape: &Tape) -> Vec<Act> {
    let us = match act {
        Act::Drop => return Vec::new(),
        Act::Hold | Act::Corrupt | Act::DuplicateAfterMs(_) => 0,
        Act::HoldUntil(_) => u64::MAX,
        Act::DelayMs(ms) => ms.saturating_mul(1_000),
        Act::DelayUs(us) => *us,
    };
    let mut acts = vec![Act::Drop, Act::Hold];
    if let Act::DuplicateAfterMs(_) = act {
        acts.extend([0, 1, 2, 5, 10, 20, 50].map(Act::DuplicateAfterMs));
    }
    if us > 0 {
        let mut counts = std::collections::BTreeMap::new();
        for done in tape.operations.iter().filter(|done| !done.is_late) {
            let nth = counts.entry(done.client).or_insert(0);
            *nth += 1;
            let client = Some(Endpoint::Client(done.client));
            let nth = (*nth > 1).then_some(*nth);
            let asked = OperationMatch { client, nth, ..OperationMatch::default() };
            acts.push(Act::HoldUntil(Moment::Completed(asked.clone())));
            acts.push(Act::HoldUntil(Moment::Invoked(asked)));
        }
    }
    if us > 0 && us < u64::MAX {
        let ms = us.div_ceil(1_000);
        let round = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
        acts.extend(round.into_iter().filter(|round| *round >= ms).map(Act::DelayMs));
        acts.extend(round.into_iter().rev().filter(|round| *round < ms).map(Act::DelayMs));
        acts.push(Act::DelayMs(ms));
        acts.push(Act::DelayMs(us / 1_000));
    }
    acts
}
