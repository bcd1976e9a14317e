//! Completions a second.

use plotters::prelude::*;
use quorate_checkers::history::Operation;
use quorate_checkers::statistics::{Throughput, throughput as completions};

use super::ink::{Ink, embed};
use super::{Kind, Plot, builder, canvas, failed, mesh, shade, stretch_ns};
use crate::ReportError;
use crate::lanes::{Span, to_seconds};

const HEIGHT: u32 = 170;

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
        let root = canvas(&mut svg, HEIGHT);
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
