//! Plans as text: TOML for people, JSON in histories. Whatever is wrong is said with its line.

mod document;
mod error;
mod wording;
mod write;

pub use error::ReadError;
pub use write::to_toml;

use document::Document;
use serde::de::DeserializeOwned;

use crate::Plan;

/// Reads a plan that somebody wrote, and checks it as [`Plan::validate`] does.
pub fn from_toml(text: &str) -> Result<Plan, ReadError> {
    let plan: Plan = toml::from_str(text).map_err(|error| {
        let is_damaged = Document::parse(text).is_none_or(|document| document.is_empty());
        not_a_plan(text, &error).damaged_if(is_damaged)
    })?;
    plan.validate().map_err(|error| ReadError::of(text, &error))?;
    Ok(plan)
}

/// Reads something else that somebody wrote, in the same way and with the same words for what is wrong with it.
pub fn read_toml<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    toml::from_str(text).map_err(|error| not_a_plan(text, &error))
}

/// Reads a plan as histories hold it, and checks it as [`Plan::validate`] does.
pub fn from_json(text: &str) -> Result<Plan, ReadError> {
    let plan: Plan = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // serde_json says the place a second time.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&place).unwrap_or(&message);
        ReadError::at_line(text, error.line(), error.column(), wording::plain(message, ""))
            .damaged_if(!error.is_data())
    })?;
    plan.validate().map_err(|error| ReadError::of(text, &error))?;
    Ok(plan)
}

/// The text is no TOML, or not that of a plan.
fn not_a_plan(text: &str, error: &toml::de::Error) -> ReadError {
    let message = error.message();
    let Some(span) = error.span().filter(|span| *span != (0..0)) else {
        return ReadError::nowhere(wording::plain(message, ""));
    };
    let Some(document) = Document::parse(text) else {
        return ReadError::at(text, span, message.to_owned());
    };
    let span = document.narrow(span, message);
    let what = wording::plain(message, text.get(span.clone()).unwrap_or_default());
    let field = document.field_at(&span);
    let what = if field.is_empty() { what } else { format!("{field}: {what}") };
    ReadError::at(text, span, what)
}
