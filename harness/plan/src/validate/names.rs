//! Whether a system knows the names that a plan gives to its messages, observations and options.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::Kind;
use crate::{Fault, Moment, Plan, PlanError, Vocabulary};

/// Checks the names in moments, rules, the trace and changes of options against those that the system has.
/// The options that it starts with are checked by the system.
pub fn check_names(plan: &Plan, vocabulary: &Vocabulary) -> Result<(), PlanError> {
    let system = &vocabulary.name;
    let messages =
        Names { system, kinds: &vocabulary.messages, what: ["message", "message field"] };
    for (place, asked) in plan.message_matches() {
        let kind = asked.kind.as_deref().map(|kind| (kind, format!("{place}.kind")));
        messages.check(kind, &asked.fields, &place)?;
    }
    let what = ["observation", "observation field"];
    let observations = Names { system, kinds: &vocabulary.observations, what };
    for (place, moment) in plan.moments() {
        if let Moment::Observed(asked) = moment {
            let place = format!("{place}.observed");
            let name = asked.name.as_deref().map(|name| (name, format!("{place}.name")));
            observations.check(name, &asked.fields, &place)?;
        }
    }
    check_changes(plan, vocabulary)
}

fn check_changes(plan: &Plan, vocabulary: &Vocabulary) -> Result<(), PlanError> {
    let known = || vocabulary.options.iter().map(|(name, _)| name.as_str());
    for (place, planned) in plan.faults.iter().enumerate() {
        let Fault::Reconfigure { options } = &planned.fault else { continue };
        for name in options.keys() {
            if !known().any(|option| option == name) {
                let field = format!("faults[{place}].fault.options.{name}");
                let system = format!("the system `{}`", vocabulary.name);
                return Err(unknown(field, system, "option", name, known()));
            }
        }
    }
    Ok(())
}

/// The names of messages, or of observations.
struct Names<'a> {
    system: &'a str,
    kinds: &'a [Kind],
    /// What one of them is, and what a field of one is.
    what: [&'static str; 2],
}

impl Names<'_> {
    /// The names in one match at `place`: its kind, with its place, and fields. Where it has no kind, a field
    /// of any kind is good.
    fn check(
        &self,
        kind: Option<(&str, String)>,
        fields: &BTreeMap<String, u64>,
        place: &str,
    ) -> Result<(), PlanError> {
        let [kind_word, field_word] = self.what;
        let system = format!("the system `{}`", self.system);
        let (kinds, owner, word) = if let Some((name, at)) = kind {
            let Some(kind) = self.kinds.iter().find(|kind| kind.name == name) else {
                let known = self.kinds.iter().map(|kind| kind.name.as_str());
                return Err(unknown(at, system, kind_word, name, known));
            };
            (std::slice::from_ref(kind), name.to_owned(), "field")
        } else {
            (self.kinds, system, field_word)
        };
        let known = || kinds.iter().flat_map(|kind| &kind.fields).map(String::as_str);
        match fields.keys().find(|name| !known().any(|field| field == name.as_str())) {
            None => Ok(()),
            Some(name) => Err(unknown(format!("{place}.where.{name}"), owner, word, name, known())),
        }
    }
}

fn unknown<'a>(
    field: String,
    owner: String,
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> PlanError {
    let mut seen = BTreeSet::new();
    let known: Vec<&str> = known.filter(|name| seen.insert(*name)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    PlanError::UnknownName { field, owner, what, name: name.to_owned(), known }
}
