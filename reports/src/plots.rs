//! Latency and throughput over time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;
use quorate_checkers::history::{Operation, Outcome};
use quorate_checkers::statistics::{Throughput, latency_ns, throughput as completions};

use crate::ReportError;
use crate::lanes::{Family, Span, to_seconds};

/// All pictures over time are so wide, in units of their own that the page scales.
pub(crate) const WIDTH: i32 = 960;
/// What stands left of the axis.
pub(crate) const LEFT: i32 = 84;
/// What stands right of the last moment.
pub(crate) const RIGHT: i32 = 14;

const LATENCY_HEIGHT: u32 = 190;
const THROUGHPUT_HEIGHT: u32 = 170;

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

/// Seconds and milliseconds, by outcome.
type Points = BTreeMap<Kind, Vec<(f64, f64)>>;

/// More functions than this are not drawn: the tables have them all.
const FUNCTIONS_MAX: usize = 6;

/// One plot for each function: the time that each operation took, when it began.
pub(crate) fn latencies(
    operations: &[Operation],
    spans: &[Span],
    seconds: f64,
) -> Result<Vec<Plot>, ReportError> {
    let mut points: BTreeMap<&str, Points> = BTreeMap::new();
    for operation in operations {
        let (Some(kind), Some(latency)) = (Kind::of(operation), latency_ns(operation)) else {
            continue;
        };
        let milliseconds = (to_seconds(latency) * 1e3).max(0.001);
        let point = (to_seconds(operation.invoked_at.0), milliseconds);
        points.entry(&operation.f).or_default().entry(kind).or_default().push(point);
    }
    let all = || points.values().flat_map(BTreeMap::values).flatten().map(|point| point.1);
    let range = decades(all().fold(1.0, f64::min), all().fold(10.0, f64::max));
    let draw = |(f, points)| {
        Ok(Plot { title: format!("Latency of {f}"), svg: latency(points, range, spans, seconds)? })
    };
    points.iter().take(FUNCTIONS_MAX).map(draw).collect()
}

/// Whole powers of ten around a range.
fn decades(low: f64, high: f64) -> (f64, f64) {
    (10_f64.powf(low.log10().floor()), 10_f64.powf((high * 1.01).log10().ceil()))
}

fn latency(
    points: &Points,
    (low, high): (f64, f64),
    spans: &[Span],
    seconds: f64,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    let dots = {
        let root = canvas(&mut svg, LATENCY_HEIGHT);
        let mut chart = builder(&root)
            .build_cartesian_2d(0.0..seconds, (low..high).log_scale())
            .map_err(|error| failed(&error))?;
        shade(&mut chart, spans, seconds, (low, high))?;
        mesh(&mut chart, &|milliseconds| {
            if *milliseconds >= 1_000.0 {
                format!("{} s", milliseconds / 1_000.0)
            } else {
                format!("{milliseconds} ms")
            }
        })?;
        root.present().map_err(|error| failed(&error))?;
        // Later ones lie on top: what went wrong must not be hidden.
        let place = |point: &(f64, f64)| chart.backend_coord(point);
        let of_kind = |(kind, points): (&Kind, &Vec<(f64, f64)>)| {
            dots(*kind, points.iter().map(place).collect())
        };
        points.iter().map(of_kind).collect::<String>()
    };
    Ok(embed(&svg, &dots))
}

/// More dots than this make the page slow and the picture no clearer.
const DOTS_MAX: usize = 8_000;

/// One path of dots: each is a line of no length with round ends, the shortest way to say it.
fn dots(kind: Kind, mut places: BTreeSet<(i32, i32)>) -> String {
    // Dots that coincide are one; if that is not enough, they share a coarser and coarser grid, which
    // keeps lonely ones.
    let mut grid = 2;
    while places.len() > DOTS_MAX {
        places = places.iter().map(|(x, y)| (x - x % grid, y - y % grid)).collect();
        grid *= 2;
    }
    let mut path = String::new();
    for (x, y) in places {
        let _ = write!(path, "M{x} {y}h0");
    }
    format!("<path class=\"dots {}\" d=\"{path}\"/>", kind.name())
}

/// How many operations completed a second, by outcome.
pub(crate) fn throughput(
    operations: &[Operation],
    spans: &[Span],
    seconds: f64,
) -> Result<Option<Plot>, ReportError> {
    let width_ns = stretch_ns(seconds);
    let stretches = completions(operations, width_ns);
    if stretches.is_empty() {
        return Ok(None);
    }
    let per_second = 1.0 / to_seconds(width_ns);
    #[expect(clippy::cast_precision_loss, reason = "pixels are coarser")]
    let steps = |number: fn(&Throughput) -> u64| -> Vec<(f64, f64)> {
        let step = |stretch: &Throughput| {
            let rate = number(stretch) as f64 * per_second;
            let from = to_seconds(stretch.from.0);
            [(from, rate), ((from + to_seconds(width_ns)).min(seconds), rate)]
        };
        stretches.iter().flat_map(step).collect()
    };
    let lines = [
        (Kind::Ok, steps(|stretch| stretch.ok)),
        (Kind::Info, steps(|stretch| stretch.info)),
        (Kind::Fail, steps(|stretch| stretch.fail)),
    ];
    let high = lines.iter().flat_map(|(_, line)| line).map(|point| point.1).fold(1.0, f64::max);
    let svg = rates(&lines, high * 1.1, spans, seconds)?;
    Ok(Some(Plot { title: "Completed operations a second".to_owned(), svg }))
}

fn rates(
    lines: &[(Kind, Vec<(f64, f64)>)],
    high: f64,
    spans: &[Span],
    seconds: f64,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let root = canvas(&mut svg, THROUGHPUT_HEIGHT);
        let mut chart = builder(&root)
            .build_cartesian_2d(0.0..seconds, 0.0..high)
            .map_err(|error| failed(&error))?;
        shade(&mut chart, spans, seconds, (0.0, high))?;
        mesh(&mut chart, &|rate| format!("{rate:.0}"))?;
        for (kind, line) in lines {
            let is_zero = line.iter().all(|point| point.1 <= 0.0);
            if *kind != Kind::Ok && is_zero {
                continue;
            }
            let colour = Ink::of(*kind).colour();
            if *kind == Kind::Ok {
                let area = AreaSeries::new(line.iter().copied(), 0.0, colour.mix(0.15));
                chart.draw_series(area).map_err(|error| failed(&error))?;
            }
            let series = LineSeries::new(line.iter().copied(), colour.stroke_width(2));
            chart.draw_series(series).map_err(|error| failed(&error))?;
        }
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(embed(&svg, ""))
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

/// A colour that the page decides on. While drawing, a colour that stands for it and nothing else.
#[derive(Clone, Copy)]
enum Ink {
    Text,
    Grid,
    Axis,
    Ok,
    Info,
    Fail,
    Fault(Family),
}

impl Ink {
    const ALL: [Self; 13] = [
        Self::Text,
        Self::Grid,
        Self::Axis,
        Self::Ok,
        Self::Info,
        Self::Fail,
        Self::Fault(Family::Partition),
        Self::Fault(Family::Messages),
        Self::Fault(Family::Processes),
        Self::Fault(Family::Disks),
        Self::Fault(Family::Clocks),
        Self::Fault(Family::Lies),
        Self::Fault(Family::Other),
    ];

    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Ok => Self::Ok,
            Kind::Info => Self::Info,
            Kind::Fail => Self::Fail,
        }
    }

    /// The variable of the style sheet.
    const fn variable(self) -> &'static str {
        match self {
            Self::Text => "muted",
            Self::Grid => "line",
            Self::Axis => "axis",
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Fail => "fail",
            Self::Fault(family) => family.name(),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Grid => 2,
            Self::Axis => 3,
            Self::Ok => 4,
            Self::Info => 5,
            Self::Fail => 6,
            Self::Fault(family) => 7 + family as u8,
        }
    }

    const fn colour(self) -> RGBColor {
        RGBColor(self.number(), 0, 0)
    }
}

/// The picture as part of a page: colours by name, no namespace, `extra` drawn last.
fn embed(svg: &str, extra: &str) -> String {
    let mut text = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "").replace('\n', "");
    for ink in Ink::ALL {
        let stands_for = format!("\"#{:02X}0000\"", ink.number());
        text = text.replace(&stands_for, &format!("\"var(--{})\"", ink.variable()));
    }
    let body = text.strip_suffix("</svg>").unwrap_or(&text);
    format!("{body}{extra}</svg>")
}
