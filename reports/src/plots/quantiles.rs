//! How long most operations took, over time.

use plotters::prelude::*;
use quorate_checkers::history::Operation;
use quorate_checkers::statistics::latency_ns;

use super::ink::{Ink, embed};
use super::{Kind, Plot, builder, canvas, decades, failed, in_words, mesh, shade, stretch_ns};
use crate::ReportError;
use crate::lanes::{Span, to_seconds};

const HEIGHT: u32 = 170;

/// A quantile of fewer latencies says little: a stretch is as long as it takes to have so many.
const ENOUGH: usize = 50;

/// What is drawn, with how thick the line is: the thinner, the rarer.
const DRAWN: [(&str, f64, u32); 4] =
    [("p50", 0.5, 3), ("p90", 0.9, 2), ("p99", 0.99, 1), ("max", 1.0, 1)];

/// Operations that completed in a stretch of time, whatever came of them.
struct Stretch {
    from: f64,
    to: f64,
    /// In milliseconds, in order.
    latencies: Vec<f64>,
}

/// Quantiles of the latency of all functions over time; nothing where there are too few operations for one stretch.
pub(crate) fn quantiles(
    operations: &[Operation],
    spans: &[Span],
    seconds: f64,
) -> Result<Option<Plot>, ReportError> {
    let stretches = stretches(operations, stretch_ns(seconds));
    let Some(first) = stretches.first().filter(|_| stretches.len() > 1) else { return Ok(None) };
    let all = || stretches.iter().flat_map(|stretch| &stretch.latencies).copied();
    let lowest =
        stretches.iter().map(|stretch| stretch.quantile(0.5)).fold(first.quantile(0.5), f64::min);
    let range = decades(lowest, all().fold(lowest, f64::max));
    let svg = draw(&stretches, range, spans, seconds)?;
    Ok(Some(Plot {
        title: "Latency of all: p50 (thick), p90, p99 (thin), longest (dotted)".to_owned(),
        svg,
    }))
}

/// Stretches of a round width, neighbours together until there are enough operations in each.
fn stretches(operations: &[Operation], width_ns: u64) -> Vec<Stretch> {
    let mut done: Vec<(u64, f64)> = operations
        .iter()
        .filter_map(|operation| {
            let latency = to_seconds(latency_ns(operation)?) * 1e3;
            Some((operation.completed_at?.0, latency.max(0.001)))
        })
        .collect();
    done.sort_by_key(|(at, _)| *at);
    let mut stretches: Vec<Stretch> = Vec::new();
    for (at, latency) in done {
        let number = at / width_ns;
        let (from, to) = (
            to_seconds(number * width_ns),
            to_seconds((number * width_ns).saturating_add(width_ns)),
        );
        match stretches.last_mut() {
            Some(last) if last.to >= to || last.latencies.len() < ENOUGH => {
                last.to = last.to.max(to);
                last.latencies.push(latency);
            }
            _ => stretches.push(Stretch { from, to, latencies: vec![latency] }),
        }
    }
    for stretch in &mut stretches {
        stretch.latencies.sort_by(f64::total_cmp);
    }
    stretches
}

impl Stretch {
    /// The least latency that this share of all did not exceed.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    fn quantile(&self, share: f64) -> f64 {
        let place = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(place.saturating_sub(1)).copied().unwrap_or(0.001)
    }
}

fn draw(
    stretches: &[Stretch],
    (low, high): (f64, f64),
    spans: &[Span],
    seconds: f64,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let root = canvas(&mut svg, HEIGHT);
        let mut chart = builder(&root)
            .build_cartesian_2d(0.0..seconds, (low..high).log_scale())
            .map_err(|error| failed(&error))?;
        shade(&mut chart, spans, seconds, (low, high))?;
        mesh(&mut chart, &|milliseconds| in_words(*milliseconds))?;
        let colour = Ink::of(Kind::Ok).colour();
        for (name, share, thickness) in DRAWN {
            let steps = stretches.iter().flat_map(|stretch| {
                let height = stretch.quantile(share);
                [(stretch.from, height), (stretch.to.min(seconds), height)]
            });
            let style = colour.stroke_width(thickness);
            // What never lasts is dotted.
            if name == "max" {
                let dots = DashedLineSeries::new(steps, 2, 3, style);
                chart.draw_series(dots).map_err(|error| failed(&error))?;
            } else {
                chart.draw_series(LineSeries::new(steps, style)).map_err(|error| failed(&error))?;
            }
        }
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(embed(&svg, ""))
}
