//! A TOML text with the place of everything in it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::wording;

/// A text that is TOML.
pub(super) struct Document {
    /// Everything in it; what is above stands before what is in it.
    nodes: Vec<Node>,
}

/// Something in a document.
struct Node {
    /// Where it is, as [`crate::PlanError::field`] says it.
    field: String,
    /// Its name with the bytes where that stands; nothing for what is in a list.
    key: Option<(String, Range<usize>)>,
    /// The bytes of its value; of a table under a header only the header.
    value: Range<usize>,
    /// A text or number, as messages quote it.
    scalar: Option<String>,
}

impl Document {
    /// Nothing if it is no TOML.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let root = DeTable::parse(text).ok()?;
        let mut document = Self { nodes: Vec::new() };
        document.take_table("", root.get_ref());
        Some(document)
    }

    /// Whether there is nothing in it but comments.
    pub(super) const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The bytes of a field's value or, where it does not stand there, of what it would be in.
    pub(super) fn find(&self, mut field: &str) -> Option<Range<usize>> {
        loop {
            if let Some(node) = self.nodes.iter().find(|node| node.field == field) {
                return Some(node.value.clone());
            }
            field = field.get(..field.rfind(['.', '['])?)?;
        }
    }

    /// The innermost field that these bytes are of; empty if they are of none.
    pub(super) fn field_at(&self, span: &Range<usize>) -> &str {
        let holds = |place: &Range<usize>| place.start <= span.start && span.end <= place.end;
        let places = self.nodes.iter().flat_map(|node| {
            let key = node.key.as_ref().map(|(_, key)| key);
            key.into_iter().chain([&node.value]).map(move |place| (place, node))
        });
        let around = places.filter(|(place, _)| holds(place));
        // Of two with the same place, the one below comes first.
        let innermost = around.rev().min_by_key(|(place, _)| place.len());
        innermost.map_or("", |(_, node)| &node.field)
    }

    /// The place of what an error quotes, within the table that the error is said to be in. Where the kind
    /// of a table decides what may stand in it, the error knows no better.
    pub(super) fn narrow(&self, span: Range<usize>, message: &str) -> Range<usize> {
        let Some(quoted) = wording::found(message) else { return span };
        let mut tables =
            self.nodes.iter().filter(|node| node.value == span && node.scalar.is_none());
        let Some(table) = tables.next_back() else { return span };
        let inside = self.nodes.iter().filter(|node| {
            let rest = node.field.strip_prefix(&table.field);
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        let mut places = inside.filter_map(|node| match &node.key {
            Some((key, place)) if key == quoted => Some(place),
            _ => (node.scalar.as_deref() == Some(quoted)).then_some(&node.value),
        });
        places.next().cloned().unwrap_or(span)
    }

    fn take_table(&mut self, field: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref();
            let dot = if field.is_empty() { "" } else { "." };
            let key = Some((name.to_string(), key.span()));
            self.take(&format!("{field}{dot}{name}"), key, value);
        }
    }

    fn take(
        &mut self,
        field: &str,
        key: Option<(String, Range<usize>)>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let scalar = scalar(value.get_ref());
        self.nodes.push(Node { field: field.to_owned(), key, value: value.span(), scalar });
        match value.get_ref() {
            DeValue::Table(table) => self.take_table(field, table),
            DeValue::Array(list) => {
                for (place, element) in list.iter().enumerate() {
                    self.take(&format!("{field}[{place}]"), None, element);
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
