//! Latency and throughput over time.

mod ink;
mod latency;
mod quantiles;
mod throughput;

use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;
use quorate_checkers::history::{Operation, Outcome};

use crate::ReportError;
use crate::lanes::{Family, Span, to_seconds};

use ink::Ink;
pub(crate) use latency::latencies;
pub(crate) use quantiles::quantiles;
pub(crate) use throughput::throughput;

/// All pictures over time are so wide, in units of their own that the page scales.
pub(crate) const WIDTH: i32 = 960;
/// What stands left of the axis.
pub(crate) const LEFT: i32 = 84;
/// What stands right of the last moment.
pub(crate) const RIGHT: i32 = 14;

/// A finished picture.
pub(crate) struct Plot {
    /// What it shows, as text.
    pub(crate) title: String,
    /// Markup, to be put into the page as it is: only this module's own text and numbers.
    pub(crate) svg: String,
}

/// How a point is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ok,
    Info,
    Fail,
}

impl Kind {
    /// Nothing for what has not completed: it has no latency.
    fn of(operation: &Operation) -> Option<Self> {
        match operation.outcome {
            Outcome::Ok(_) => Some(Self::Ok),
            Outcome::Info => Some(Self::Info),
            Outcome::Fail => Some(Self::Fail),
            Outcome::Pending => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Fail => "fail",
        }
    }
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b, Y> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<plotters::coord::types::RangedCoordf64, Y>>;

fn canvas(svg: &mut String, height: u32) -> Canvas<'_> {
    SVGBackend::with_string(svg, (WIDTH.unsigned_abs(), height)).into_drawing_area()
}

fn builder<'a, 'b>(root: &'a Canvas<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(root);
    builder.margin_top(8).margin_right(RIGHT).x_label_area_size(24).y_label_area_size(LEFT);
    builder
}

/// Faults as bands behind everything.
fn shade<Y: Ranged<ValueType = f64>>(
    chart: &mut Chart<'_, '_, Y>,
    spans: &[Span],
    seconds: f64,
    (low, high): (f64, f64),
) -> Result<(), ReportError> {
    let shade = shade_of(spans);
    let bands = spans.iter().map(|span| {
        let (from, to) = (span.from.min(seconds), span.to.unwrap_or(seconds).min(seconds));
        let colour = Ink::Fault(Family::of(&span.kind)).colour().mix(shade);
        Rectangle::new([(from, low), (to, high)], colour.filled())
    });
    chart.draw_series(bands).map_err(|error| failed(&error))?;
    Ok(())
}

/// How dark a band is: the more lie on each other, the lighter, or dots could not be seen.
fn shade_of(spans: &[Span]) -> f64 {
    let in_force =
        |at: f64| spans.iter().filter(move |s| s.from <= at && s.to.is_none_or(|to| at < to));
    let most = spans.iter().map(|span| in_force(span.from).count()).max().unwrap_or(1);
    match most {
        0..=2 => 0.13,
        3..=4 => 0.08,
        _ => 0.05,
    }
}

fn mesh<Y>(
    chart: &mut Chart<'_, '_, Y>,
    y_label: &dyn Fn(&f64) -> String,
) -> Result<(), ReportError>
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let font = ("sans-serif", 14).into_font().color(&Ink::Text.colour());
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Ink::Grid.colour())
        .axis_style(Ink::Axis.colour())
        .label_style(font)
        .x_labels(10)
        .y_labels(5)
        .x_label_formatter(&|second| format!("{} s", (second * 1_000.0).round() / 1_000.0))
        .y_label_formatter(&|value| y_label(value))
        .draw()
        .map_err(|error| failed(&error))
}

fn failed(error: &dyn std::error::Error) -> ReportError {
    ReportError::Plot(error.to_string())
}

/// Whole powers of ten around a range.
fn decades(low: f64, high: f64) -> (f64, f64) {
    (10_f64.powf(low.log10().floor()), 10_f64.powf((high * 1.01).log10().ceil()))
}

/// Milliseconds at an axis.
fn in_words(milliseconds: f64) -> String {
    if milliseconds >= 1_000.0 {
        format!("{} s", milliseconds / 1_000.0)
    } else {
        format!("{milliseconds} ms")
    }
}

/// A round width that gives about a hundred stretches.
fn stretch_ns(seconds: f64) -> u64 {
    const ROUND_MS: [u64; 12] =
        [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000, 600_000];
    let fits = |ms: &&u64| seconds / 100.0 <= to_seconds(**ms * 1_000_000);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width will do")]
    let hundredth_ms = (seconds * 10.0) as u64;
    ROUND_MS.iter().find(fits).copied().unwrap_or(hundredth_ms) * 1_000_000
}
