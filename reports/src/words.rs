//! Weather, rules and moments in words.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use quorate_plan::{
    Act, Delay, MessageMatch, Moment, NodeMatch, ObservationMatch, OperationMatch, Rule, Weather,
};

use crate::units::{milliseconds, span};

/// `0.5 ms to 5 ms, 1 % lost`.
pub(crate) fn weather(weather: &Weather) -> String {
    let mut text = match weather.delay {
        Delay::Constant { us } => micros(us),
        Delay::Uniform { min_us, max_us } => format!("{} to {}", micros(min_us), micros(max_us)),
        Delay::Exponential { mean_us } => format!("memoryless, {} on average", micros(mean_us)),
        Delay::Priorities { base_us, ranks, changes } => {
            format!("{ranks} ranks of links from {}, {changes} changes of them", micros(base_us))
        }
    };
    for (per_mille, what) in
        [(weather.loss_per_mille, "lost"), (weather.duplicate_per_mille, "doubled")]
    {
        if per_mille > 0 {
            // Writing to a String cannot fail; so below.
            let _ = write!(text, ", {}.{} % {what}", per_mille / 10, per_mille % 10);
        }
    }
    text
}

/// How long disks take.
pub(crate) fn syncs(weather: &Weather) -> String {
    let Weather { sync_min_us, sync_max_us, .. } = weather;
    format!("disks take {} to {}", micros(*sync_min_us), micros(*sync_max_us))
}

fn micros(us: u64) -> String {
    span(us.saturating_mul(1_000))
}

/// `drop READ_OK from n1 to c0, after 200 ms`.
pub(crate) fn rule(rule: &Rule) -> String {
    let Rule { message: which, after, until, act } = rule;
    let which = message(which);
    let mut text = match act {
        Act::Drop => format!("drop {which}"),
        Act::DelayMs(ms) => format!("delay {which} by {}", milliseconds(*ms)),
        Act::DelayUs(us) => format!("delay {which} by {us} µs"),
        Act::DuplicateAfterMs(ms) => format!("double {which} after {}", milliseconds(*ms)),
        Act::Corrupt => format!("corrupt {which}"),
        Act::HoldUntil(until) => format!("hold {which} until {}", moment(until)),
        Act::Hold => format!("hold {which} until all is healed"),
    };
    if let Some(after) = after {
        let _ = write!(text, ", after {}", moment(after));
    }
    if let Some(until) = until {
        let _ = write!(text, ", no more after {}", moment(until));
    }
    text
}

fn moment(moment: &Moment) -> String {
    match moment {
        Moment::AtMs(ms) => milliseconds(*ms),
        Moment::Sent(which) => format!("{} is sent", message(which)),
        Moment::Delivered(which) => format!("{} is delivered", message(which)),
        Moment::Observed(ObservationMatch { by, name, fields, nth }) => {
            let what = matched(name.as_ref(), "observation", fields, *nth);
            format!("{what}{}", place(" of ", by.as_ref()))
        }
        Moment::Invoked(which) => format!("{} begins", operation(which)),
        Moment::Completed(which) => format!("{} ends", operation(which)),
        Moment::Started(which) => format!("{} comes up", node(which)),
        Moment::Crashed(which) => format!("{} goes down", node(which)),
    }
}

fn message(which: &MessageMatch) -> String {
    let MessageMatch { kind, from, to, fields, nth } = which;
    let what = matched(kind.as_ref(), "message", fields, *nth);
    format!("{what}{}{}", place(" from ", from.as_ref()), place(" to ", to.as_ref()))
}

fn operation(which: &OperationMatch) -> String {
    let OperationMatch { client, f, key, nth } = which;
    let fields = key.iter().map(|key| ("key".to_owned(), *key)).collect();
    let what = matched(f.as_ref(), "operation", &fields, *nth);
    format!("{what}{}", place(" of ", client.as_ref()))
}

fn node(which: &NodeMatch) -> String {
    let NodeMatch { node, nth } = which;
    matched(node.map(|node| format!("n{node}")).as_ref(), "node", &BTreeMap::new(), *nth)
}

/// `UPDATE (key 3) no. 2`.
fn matched(
    name: Option<&String>,
    any: &str,
    fields: &BTreeMap<String, u64>,
    nth: Option<u64>,
) -> String {
    let mut text = name.cloned().unwrap_or_else(|| format!("any {any}"));
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if !fields.is_empty() {
        let _ = write!(text, " ({})", fields.join(", "));
    }
    text + &place(" no. ", nth.as_ref())
}

fn place(before: &str, place: Option<&impl Display>) -> String {
    place.map_or_else(String::new, |place| format!("{before}{place}"))
}

#[cfg(test)]
mod tests {
    use quorate_plan::Endpoint;

    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let held = Rule {
            message: MessageMatch {
                kind: Some("UPDATE".to_owned()),
                from: Some(Endpoint::Client(0)),
                to: Some(Endpoint::Node(2)),
                fields: BTreeMap::from([("key".to_owned(), 3)]),
                nth: Some(2),
            },
            after: Some(Moment::AtMs(200)),
            until: None,
            act: Act::HoldUntil(Moment::Completed(OperationMatch {
                f: Some("read".to_owned()),
                client: Some(Endpoint::Client(1)),
                ..OperationMatch::default()
            })),
        };
        assert_eq!(
            rule(&held),
            "hold UPDATE (key 3) no. 2 from c0 to n2 until read of c1 ends, after 200 ms"
        );
        let all = Rule { message: MessageMatch::default(), act: Act::Drop, ..held };
        assert_eq!(rule(&all), "drop any message, after 200 ms");
    }

    #[test]
    fn weather_is_told_by_its_delays_and_what_gets_lost() {
        assert_eq!(weather(&Weather::CALM), "1 ms");
        let rough = Weather { loss_per_mille: 15, ..Weather::default() };
        assert_eq!(weather(&rough), "500 µs to 5 ms, 1.5 % lost");
        assert_eq!(syncs(&rough), "disks take 200 µs to 2 ms");
    }
}
