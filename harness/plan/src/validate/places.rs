//! Where in a plan moments and matches stand.

use crate::{Act, MessageMatch, Moment, Plan, TraceStep};

/// Something with its place, as [`super::PlanError::field`] writes it.
pub(super) type Placed<'a, T> = (String, &'a T);

impl Plan {
    /// Every moment, in the order of the file.
    pub(super) fn moments(&self) -> impl Iterator<Item = Placed<'_, Moment>> {
        let scripts = self.scripts.iter().enumerate().flat_map(|(script, written)| {
            let operations = written.operations.iter().enumerate();
            operations.filter_map(move |(place, operation)| {
                let when = operation.when.as_ref()?;
                Some((format!("scripts[{script}].do[{place}].when"), when))
            })
        });
        let faults = self.faults.iter().enumerate().filter_map(|(place, planned)| {
            Some((format!("faults[{place}].when"), planned.when.as_ref()?))
        });
        let rules = self.rules.iter().enumerate().flat_map(|(place, rule)| {
            let held = match &rule.act {
                Act::HoldUntil(moment) => Some(moment),
                Act::Drop
                | Act::DelayMs(_)
                | Act::DelayUs(_)
                | Act::DuplicateAfterMs(_)
                | Act::Corrupt
                | Act::Hold => None,
            };
            let all = [
                ("after", rule.after.as_ref()),
                ("until", rule.until.as_ref()),
                ("act.hold_until", held),
            ];
            let there = all.into_iter().filter_map(|(name, moment)| Some((name, moment?)));
            there.map(move |(name, moment)| (format!("rules[{place}].{name}"), moment))
        });
        scripts.chain(faults).chain(rules)
    }

    /// Every match of messages: those in moments, then those of rules and of the trace.
    pub(super) fn message_matches(&self) -> impl Iterator<Item = Placed<'_, MessageMatch>> {
        let in_moments = self.moments().filter_map(|(place, moment)| match moment {
            Moment::Sent(asked) => Some((format!("{place}.sent"), asked)),
            Moment::Delivered(asked) => Some((format!("{place}.delivered"), asked)),
            Moment::AtMs(_)
            | Moment::Observed(_)
            | Moment::Invoked(_)
            | Moment::Completed(_)
            | Moment::Started(_)
            | Moment::Crashed(_) => None,
        });
        let rules = self.rules.iter().enumerate();
        let in_rules =
            rules.map(|(place, rule)| (format!("rules[{place}].message"), &rule.message));
        let trace = self.trace.iter().enumerate();
        let in_trace = trace.filter_map(|(place, entry)| match &entry.step {
            TraceStep::Deliver(asked) => Some((format!("trace[{place}].do.deliver"), asked)),
            TraceStep::Lose(asked) => Some((format!("trace[{place}].do.lose"), asked)),
            TraceStep::Wake { .. } | TraceStep::Sync { .. } => None,
        });
        in_moments.chain(in_rules).chain(in_trace)
    }
}
