//! What plans are written with, by the names that stand in them.

/// Kinds of weather, which are also the searches of a hunt.
pub(super) const DELAYS: &[(&str, &str)] = &[
    ("constant", "every message takes the same time, `us`; nothing is reordered"),
    ("uniform", "evenly between `min_us` and `max_us` (the search `swarm`)"),
    ("exponential", "memoryless with the mean `mean_us` (the search `random-walk`)"),
    (
        "priorities",
        "links have one of `ranks` ranks, each twice as slow as the one before, from `base_us`; the ranks \
         of a node's links change `changes` times (the search `priorities`)",
    ),
];

/// What rules do to messages.
pub(super) const ACTS: &[(&str, &str)] = &[
    ("drop", "it never arrives"),
    ("delay_ms", "it arrives after exactly so many milliseconds"),
    ("delay_us", "the same in microseconds"),
    ("duplicate_after_ms", "it arrives as usual, and once more so many milliseconds later"),
    ("corrupt", "its bytes are changed on the way, and it does not arrive"),
    ("hold_until", "it is held back until a moment has come"),
    ("hold", "it is held back until everything is healed"),
];

/// What faults, rules and scripts can wait for.
pub(super) const MOMENTS: &[(&str, &str)] = &[
    ("at_ms", "so many milliseconds after the first operation"),
    ("sent", "a message left its sender: kind, from, to, where, nth"),
    ("delivered", "a message was taken in by its receiver: kind, from, to, where, nth"),
    ("observed", "a core told of a transition: by, name, where, nth"),
    ("invoked", "a client began an operation: client, f, key, nth"),
    ("completed", "a client's operation ended, however it did: client, f, key, nth"),
    ("started", "a node came up: node, nth"),
    ("crashed", "a node went down: node, nth"),
];

#[cfg(test)]
mod tests {
    use quorate_plan::{Act, Delay, Moment};
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    /// What serde says to a name that it does not know lists those that it does.
    fn known<T: DeserializeOwned>(stranger: serde_json::Value) -> Vec<String> {
        let error = serde_json::from_value::<T>(stranger).err().unwrap().to_string();
        let (_, names) = error.split_once("expected one of ").unwrap();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn listed(rows: &[(&str, &str)]) -> Vec<String> {
        rows.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    #[test]
    fn every_name_that_a_plan_can_hold_is_listed() {
        assert_eq!(known::<Delay>(json!({ "kind": "?" })), listed(DELAYS));
        assert_eq!(known::<Act>(json!("?")), listed(ACTS));
        assert_eq!(known::<Moment>(json!({ "?": 1 })), listed(MOMENTS));
    }
}
