//! Options as every system reads them.

use alloc::format;
use alloc::vec::Vec;

use crate::contract::{ConfigError, Options};
use crate::vocabulary::Vocabulary;

/// Refuses an option that a system does not list.
pub(crate) fn refuse_unknown(
    vocabulary: &Vocabulary,
    options: &Options,
) -> Result<(), ConfigError> {
    let known: Vec<&str> = vocabulary.options.iter().map(|option| option.name).collect();
    match options.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            Err(ConfigError::UnknownOption { name: name.clone(), known: known.join(", ") })
        }
        None => Ok(()),
    }
}

/// A number within bounds, both included: digits and nothing else.
pub(crate) fn number(
    options: &Options,
    name: &'static str,
    (least, most): (u64, u64),
) -> Result<Option<u64>, ConfigError> {
    let Some(value) = options.get(name) else { return Ok(None) };
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| value.parse().ok()).flatten();
    match number.filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(ConfigError::BadValue {
            name,
            value: value.clone(),
            expected: format!("a number from {least} to {most}"),
        }),
    }
}
