//! Every latency as a dot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use plotters::prelude::*;
use quorate_checkers::history::Operation;
use quorate_checkers::statistics::latency_ns;

use super::ink::embed;
use super::{Kind, Plot, builder, canvas, decades, failed, in_words, mesh, shade};
use crate::ReportError;
use crate::lanes::{Span, to_seconds};

const HEIGHT: u32 = 190;

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

fn latency(
    points: &Points,
    (low, high): (f64, f64),
    spans: &[Span],
    seconds: f64,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    let dots = {
        let root = canvas(&mut svg, HEIGHT);
        let mut chart = builder(&root)
            .build_cartesian_2d(0.0..seconds, (low..high).log_scale())
            .map_err(|error| failed(&error))?;
        shade(&mut chart, spans, seconds, (low, high))?;
        mesh(&mut chart, &|milliseconds| in_words(*milliseconds))?;
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
