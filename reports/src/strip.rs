//! When which fault was in force: one row a class, above the plots and as wide as they are.

use std::collections::BTreeMap;

use askama::Template;

use crate::lanes::{Family, Span};
use crate::plots::{LEFT, RIGHT, WIDTH};
use crate::units::moment;

/// A picture of all faults.
#[derive(Template)]
#[template(path = "strip.html")]
pub(crate) struct Strip {
    width: i32,
    height: i32,
    left: i32,
    right: i32,
    rows: Vec<Row>,
}

struct Row {
    kind: String,
    family: &'static str,
    y: i32,
    label_y: i32,
    line_y: i32,
    bars: Vec<Bar>,
}

struct Bar {
    x: String,
    width: String,
    title: String,
}

const ROW_HEIGHT: i32 = 18;

impl Strip {
    pub(crate) fn new(spans: &[Span], seconds: f64) -> Self {
        let mut by_kind: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        for span in spans {
            by_kind.entry(&span.kind).or_default().push(span);
        }
        // In the order in which they first came, so that the picture reads like stairs.
        let mut kinds: Vec<(&str, Vec<&Span>)> = by_kind.into_iter().collect();
        kinds.sort_by_key(|(_, spans)| spans.iter().map(|span| span.begin).min());
        let rows: Vec<Row> =
            (0..).zip(&kinds).map(|(row, kind)| Row::new(row, kind, seconds)).collect();
        let height = i32::try_from(rows.len()).unwrap_or(0) * ROW_HEIGHT + 4;
        Self { width: WIDTH, height, left: LEFT, right: WIDTH - RIGHT, rows }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Row {
    fn new(row: i32, (kind, spans): &(&str, Vec<&Span>), seconds: f64) -> Self {
        let y = row * ROW_HEIGHT + 4;
        Self {
            kind: (*kind).to_owned(),
            family: Family::of(kind).name(),
            y,
            label_y: y + 10,
            line_y: y + 6,
            bars: spans.iter().map(|span| Bar::new(span, seconds)).collect(),
        }
    }
}

impl Bar {
    fn new(span: &Span, seconds: f64) -> Self {
        let place = |at: f64| {
            f64::from(LEFT) + at.clamp(0.0, seconds) / seconds * f64::from(WIDTH - LEFT - RIGHT)
        };
        let (from, to) = (place(span.from), place(span.to.unwrap_or(seconds)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a label")]
        let at = moment((span.from * 1e9) as u64);
        Self {
            x: format!("{from:.1}"),
            width: format!("{:.1}", (to - from).max(2.0)),
            title: format!("fault {} at {at}: {} {}", span.number, span.kind, span.what),
        }
    }
}
