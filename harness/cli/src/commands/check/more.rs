//! What is told beside a verdict: an order of the operations, and what a history without one still satisfies.

use quorate_checkers::history::{Key, Operation};
use quorate_checkers::linearizability::{Budget, KeyOrder, Linearizability};
use quorate_checkers::model::{AnyModel, Satisfied};
use quorate_checkers::verdict::Verdict;
use serde_json::Value;

use crate::output;

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct More {
    /// Where they were asked for, and all keys have one.
    orders: Vec<KeyOrder>,
    satisfied: Vec<Satisfied>,
}

impl More {
    /// Finds out what is to be told. With a budget, orders are asked for.
    pub(super) fn of(
        model: &dyn AnyModel,
        operations: &[Operation],
        judged: &Linearizability,
        for_orders: Option<Budget>,
    ) -> Self {
        let asked = for_orders.filter(|_| judged.verdict == Verdict::Valid);
        Self {
            orders: asked.map_or_else(Vec::new, |budget| model.orders(operations, budget)),
            satisfied: model.satisfied(operations, judged),
        }
    }

    /// As lines behind the verdict.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Satisfied { key, conditions } in &self.satisfied {
            for condition in conditions {
                let told = format!("{}{}", on_key(*key), condition.text);
                output::line(&mut text, "note", &told);
            }
        }
        for order in &self.orders {
            add_order(&mut text, order);
        }
        text
    }

    /// The results as JSON, with all this in fields of their own: `satisfies`, `witness`.
    pub(super) fn with(&self, mut results: Value) -> Value {
        let told = [
            ("satisfies", self.satisfied.is_empty(), serde_json::to_value(&self.satisfied)),
            ("witness", self.orders.is_empty(), serde_json::to_value(&self.orders)),
        ];
        for (name, is_empty, value) in told {
            if let (Some(fields), false) = (results.as_object_mut(), is_empty) {
                fields.insert(name.to_owned(), value.expect("it has text keys"));
            }
        }
        results
    }
}

fn on_key(key: Option<Key>) -> String {
    key.map_or_else(String::new, |key| format!("key {key}: "))
}

/// One line for each operation: the index of its invocation, what it did, what the object holds then.
fn add_order(text: &mut String, order: &KeyOrder) {
    let on_key = on_key(order.key);
    let Some(steps) = &order.order else {
        let why = order.why.as_deref().unwrap_or_default();
        output::line(text, "order", &format!("{on_key}none can be shown: {why}"));
        return;
    };
    let without = match order.left_out.len() {
        0 => String::new(),
        count => format!(", without {count} that failed, need not have happened, or say nothing"),
    };
    let count = output::count(steps.len() as u64, "operation");
    output::line(text, "order", &format!("{on_key}{count}{without}"));
    let width = steps.iter().map(|step| step.text.chars().count()).max().unwrap_or(0).min(TEXT_MAX);
    for step in steps {
        let told = format!("{:>7}  {:width$}  then {}", step.operation, step.text, step.holds);
        output::line(text, "", &told);
    }
}

/// Wider texts are not lined up.
const TEXT_MAX: usize = 40;
