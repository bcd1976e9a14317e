//! A plan as JSON that a person can read.

use quorate_plan::Plan;
use serde_json::{Value, to_value};

/// What fits into a line stays in one.
const LINE_MAX: usize = 100;

/// The whole plan, its fields in their own order.
pub(crate) fn pretty(plan: &Plan) -> Result<String, serde_json::Error> {
    let Plan { name, seed, world, system, expect, workload, scripts, durations, weather, .. } =
        plan;
    let Plan { fault_classes, faults, rules, trace, liveness, .. } = plan;
    let mut fields = vec![
        ("name", to_value(name)?),
        ("seed", to_value(seed)?),
        ("world", to_value(world)?),
        ("system", to_value(system)?),
        ("expect", to_value(expect)?),
        ("workload", to_value(workload)?),
        ("scripts", to_value(scripts)?),
        ("durations", to_value(durations)?),
        ("weather", to_value(weather)?),
        ("fault_classes", to_value(fault_classes)?),
        ("faults", to_value(faults)?),
        ("rules", to_value(rules)?),
        ("trace", to_value(trace)?),
        ("liveness", to_value(liveness)?),
    ];
    // What is left out where it says nothing is left out here as well.
    let whole = to_value(plan)?;
    fields.retain(|(name, _)| whole.get(name).is_some());
    let lines: Vec<String> =
        fields.iter().map(|(name, value)| format!("  \"{name}\": {}", layout(value, 2))).collect();
    Ok(format!("{{\n{}\n}}", lines.join(",\n")))
}

/// In one line if it fits, else one part a line.
fn layout(value: &Value, indent: usize) -> String {
    let flat = value.to_string();
    if indent + flat.len() <= LINE_MAX {
        return flat;
    }
    let inner = indent + 2;
    let (open, parts, close): (_, Vec<String>, _) = match value {
        Value::Array(values) => ('[', values.iter().map(|part| layout(part, inner)).collect(), ']'),
        Value::Object(fields) => {
            let field = |(name, part): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), layout(part, inner))
            };
            ('{', fields.iter().map(field).collect(), '}')
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return flat,
    };
    let pad = " ".repeat(inner);
    let body = parts.join(&format!(",\n{pad}"));
    format!("{open}\n{pad}{body}\n{}{close}", " ".repeat(indent))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quorate_plan::{FaultClass, FaultRequest, SystemPlan, WorldKind, faults};

    use super::*;

    #[test]
    fn what_is_shown_is_the_whole_plan() {
        let request = FaultRequest {
            seed: 1,
            classes: FaultClass::DEFAULT.to_vec(),
            nodes: 5,
            clients: 15,
            time_limit_ms: 30_000,
            liars: 0,
            lies: Vec::new(),
            client_lies: Vec::new(),
            drift_ppm: None,
            memory: None,
            changes: Vec::new(),
            mid_step: false,
        };
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options: BTreeMap::new() };
        let plan = Plan {
            fault_classes: FaultClass::DEFAULT.to_vec(),
            faults: faults(&request).unwrap(),
            ..Plan::new("a", 1, WorldKind::Live, system)
        };
        let text = pretty(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        assert!(text.lines().count() < 400, "small parts share a line");
        assert!(text.lines().all(|line| line.len() <= LINE_MAX + 80));
    }
}
