//! The space-time diagram as an SVG document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quorate_checkers::history::NemesisPhase;
use quorate_plan::Endpoint;

use super::text::{is_cut, wrapped};
use super::{Story, asked, ms, shows_result};
use crate::tape::{Ended, Fate, Happened, Message, Operation};

/// From one line to the next, in pixels.
const STEP: u64 = 150;
/// Left of the first line: times, and what faults do.
const LEFT: u64 = 110;
const TOP: u64 = 60;
/// Between two times at least, and at most.
const GAP_MIN: u64 = 16;
const GAP_MAX: u64 = 64;
/// Where there are more times than this, they stand closer.
const MANY: usize = 60;
const GAP_MAX_OF_MANY: u64 = 26;
/// A millisecond is so long, within these bounds.
const PER_MS: u64 = 40;
const BELOW: u64 = 30;
const LINE: u64 = 16;

pub(super) fn svg(story: &Story) -> String {
    let picture = Picture::new(story);
    let mut drawn = String::new();
    picture.lines(&mut drawn);
    picture.operations(&mut drawn);
    picture.messages(&mut drawn);
    picture.observations(&mut drawn);
    picture.times(&mut drawn);
    let height = picture.objection(&mut drawn);
    let width = picture.width();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n{STYLE}{drawn}</svg>\n",
        escaped(&format!("A run that breaks {}", story.objection.demand)),
    )
}

/// Colours that tell apart on paper as well, and white behind words.
const STYLE: &str = "<style>
svg { background: #fff; font: 12px ui-sans-serif, system-ui, sans-serif; fill: #222 }
.name { font-weight: 600; font-size: 14px; text-anchor: middle }
.time { fill: #777; font-size: 11px; text-anchor: end }
.line { stroke: #bbb; stroke-width: 1.5 }
.down { stroke: #c33; stroke-width: 1.5; stroke-dasharray: 2 5 }
.message { stroke: #35608f; stroke-width: 1.3; fill: none }
.lie { stroke: #b5359c; stroke-width: 2; fill: none }
.copy { stroke: #35608f; stroke-width: 1.3; stroke-dasharray: 1 3; fill: none }
.lost { stroke: #c33; stroke-width: 1.3; stroke-dasharray: 5 3; fill: none }
.held { stroke: #b07a00; stroke-width: 1.3; stroke-dasharray: 6 3; fill: none }
.cross { stroke: #c33; stroke-width: 2 }
.word { font-size: 11px; text-anchor: middle; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.operation { fill: #e3ecf6; stroke: #35608f; stroke-width: 1 }
.asked { font-size: 12px; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.told { fill: #6b4fa0 }
.state { fill: #6b4fa0; font-size: 10.5px; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.fault { fill: #a33; font-size: 11px }
.objection { stroke: #c00; stroke-width: 2 }
.verdict { fill: #c00; font-weight: 600 }
</style>
<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#35608f\"/></marker></defs>
";

struct Picture<'a> {
    story: &'a Story,
    cast: Vec<Endpoint>,
    /// How far down each time is at which something happens.
    heights: BTreeMap<u64, u64>,
    bottom: u64,
    /// Who lied, from when to when.
    lies: Vec<(Endpoint, u64, u64)>,
}

impl<'a> Picture<'a> {
    fn new(story: &'a Story) -> Self {
        let end = story.objection.at_us;
        let mut times: Vec<u64> = story.events().map(|event| event.at_us).collect();
        times.push(end);
        times.sort_unstable();
        times.dedup();
        let gap_max = if times.len() > MANY { GAP_MAX_OF_MANY } else { GAP_MAX };
        let (mut y, mut last) = (TOP + BELOW, times.first().copied().unwrap_or_default());
        let mut heights = BTreeMap::new();
        for time in times {
            if time > last {
                y += ((time - last) * PER_MS / 1_000).clamp(GAP_MIN, gap_max);
            }
            heights.insert(time, y);
            last = time;
        }
        Self { story, cast: story.cast(), heights, bottom: y, lies: lies(story) }
    }

    fn width(&self) -> u64 {
        LEFT + self.cast.len() as u64 * STEP + 40
    }

    fn x(&self, end: Endpoint) -> u64 {
        let place = self.cast.iter().position(|other| *other == end).unwrap_or_default();
        LEFT + STEP / 2 + place as u64 * STEP
    }

    /// How far down a time is; what comes after the end is at the end.
    fn y(&self, at_us: u64) -> u64 {
        self.heights.range(at_us..).next().map_or(self.bottom, |(_, y)| *y)
    }

    /// The line of each, broken where a node is down.
    fn lines(&self, out: &mut String) {
        for end in &self.cast {
            let (x, name) = (self.x(*end), escaped(&self.story.name(*end)));
            put(out, format_args!("<text class=\"name\" x=\"{x}\" y=\"{TOP}\">{name}</text>"));
            let (mut from, mut is_up) = (TOP + 10, self.is_up_at_first(*end));
            for event in self.story.events() {
                let now_up = match event.what {
                    Happened::Started(node) if Endpoint::Node(node) == *end => true,
                    Happened::Crashed(node) if Endpoint::Node(node) == *end => false,
                    _ => continue,
                };
                if now_up != is_up {
                    let y = self.y(event.at_us);
                    line(out, if is_up { "line" } else { "down" }, (x, from), (x, y));
                    (from, is_up) = (y, now_up);
                }
            }
            line(out, if is_up { "line" } else { "down" }, (x, from), (x, self.bottom + 10));
        }
    }

    /// Whether somebody is up when the part that is told begins.
    fn is_up_at_first(&self, end: Endpoint) -> bool {
        let mut is_up = true;
        for event in self.story.before() {
            match event.what {
                Happened::Started(node) if Endpoint::Node(node) == end => is_up = true,
                Happened::Crashed(node) if Endpoint::Node(node) == end => is_up = false,
                _ => {}
            }
        }
        is_up
    }

    fn operations(&self, out: &mut String) {
        for operation in self.story.operations() {
            self.operation(out, operation);
        }
    }

    fn operation(&self, out: &mut String, operation: &Operation) {
        let end = self.story.objection.at_us;
        let x = self.x(Endpoint::Client(operation.client));
        let top = self.y(operation.from_us);
        let ended = operation.to_us.filter(|to| *to <= end);
        let bottom = ended.map_or(self.bottom, |to| self.y(to)).max(top + 4);
        put(
            out,
            format_args!(
                "<rect class=\"operation\" x=\"{}\" y=\"{top}\" width=\"10\" height=\"{}\"/>",
                x - 5,
                bottom - top
            ),
        );
        let asked = escaped(&asked(operation));
        put(
            out,
            format_args!(
                "<text class=\"asked\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{asked}</text>",
                x - 9,
                top + 4
            ),
        );
        let how = match &operation.ended {
            _ if ended.is_none() => return,
            Ended::Ok(value) if shows_result(operation) => format!("= {value}"),
            Ended::Ok(_) => "done".to_owned(),
            Ended::Fail => "fails".to_owned(),
            Ended::Info | Ended::Open => "unknown".to_owned(),
        };
        put(
            out,
            format_args!(
                "<text class=\"asked\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                x - 9,
                bottom + 4,
                escaped(&how)
            ),
        );
    }

    /// Messages that were sent, or taken in, in the part that is told.
    fn messages(&self, out: &mut String) {
        let places: BTreeSet<usize> = self
            .story
            .events()
            .filter_map(|event| match event.what {
                Happened::Sent(place) | Happened::Arrived(place) => Some(place),
                _ => None,
            })
            .collect();
        for place in places {
            if let Some(message) = self.story.tape.messages.get(place) {
                self.message(out, place, message);
            }
        }
    }

    /// Whether the sender lied at that time.
    fn lies(&self, message: &Message) -> bool {
        self.lies
            .iter()
            .any(|(who, from, to)| *who == message.from && (*from..=*to).contains(&message.sent_us))
    }

    /// What cores told of themselves: a mark each, with its name where there is room.
    fn observations(&self, out: &mut String) {
        let told = self.story.events().filter_map(|event| match &event.what {
            Happened::Observed { by, kind, text } => Some((event.at_us, *by, *kind, text)),
            _ => None,
        });
        let mut free: BTreeMap<Endpoint, u64> = BTreeMap::new();
        for (at_us, by, kind, text) in told {
            let (x, y) = (self.x(by), self.y(at_us));
            put(
                out,
                format_args!(
                    "<path class=\"told\" d=\"M{} {y}l4 -4 4 4 -4 4z\"><title>{}</title></path>",
                    x - 4,
                    escaped(text)
                ),
            );
            let below = free.entry(by).or_default();
            if y >= *below {
                *below = y + 12;
                put(
                    out,
                    format_args!(
                        "<text class=\"state\" x=\"{}\" y=\"{}\">{}</text>",
                        x + 8,
                        y + 4,
                        escaped(kind)
                    ),
                );
            }
        }
    }

    fn message(&self, out: &mut String, place: usize, message: &Message) {
        let end = self.story.objection.at_us;
        let from = (self.x(message.from), self.y(message.sent_us));
        let arrivals: Vec<u64> =
            message.arrived_us.iter().copied().filter(|at| *at <= end).collect();
        let class = match message.fate {
            Fate::Held => "held",
            _ if self.lies(message) => "lie",
            _ => "message",
        };
        for (copy, at_us) in arrivals.iter().enumerate() {
            let class = if copy > 0 { "copy" } else { class };
            let to = (self.x(message.to), self.y(*at_us));
            let (x1, y1, x2, y2) = (from.0, from.1, to.0, to.1);
            put(
                out,
                format_args!(
                    "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" \
                     marker-end=\"url(#tip)\"/>"
                ),
            );
            // At the end where the messages of one sender, or to one receiver, are apart.
            word(out, message, along(from, to, if to.0 > from.0 { 7 } else { 3 }));
        }
        if !arrivals.is_empty() {
            return;
        }
        let due = message.due_us.first().copied().unwrap_or(message.sent_us + 1_000);
        let goal = (self.x(message.to), self.y(due.min(end)).max(from.1 + 6));
        match message.fate {
            Fate::Held => stopped(out, message, "held", from, goal),
            Fate::Lost | Fate::Corrupted => stopped(out, message, "lost", from, goal),
            Fate::Travels if is_cut(self.story, place, message) || due <= end => {
                stopped(out, message, "lost", from, goal);
            }
            // It is under way when the story ends.
            Fate::Travels => {}
        }
    }

    /// When something happens that is no message, and what faults do.
    fn times(&self, out: &mut String) {
        let mut last = 0;
        for event in self.story.events() {
            let y = self.y(event.at_us);
            if y >= last + 12 {
                put(
                    out,
                    format_args!(
                        "<text class=\"time\" x=\"{}\" y=\"{}\">{} ms</text>",
                        LEFT - 20,
                        y + 4,
                        ms(event.at_us)
                    ),
                );
                last = y;
            }
            if let Happened::Fault(nemesis) = &event.what {
                let word = match nemesis.phase {
                    NemesisPhase::Begin => format!("{}: {}", nemesis.kind, nemesis.what),
                    NemesisPhase::End => format!("{} ends", nemesis.kind),
                    NemesisPhase::Skipped => continue,
                };
                put(
                    out,
                    format_args!(
                        "<text class=\"fault\" x=\"{}\" y=\"{}\">{}</text>",
                        LEFT - 10,
                        y - 4,
                        escaped(&word)
                    ),
                );
            }
        }
    }

    /// The line where somebody objects, with the words; how high the picture is.
    fn objection(&self, out: &mut String) -> u64 {
        let objection = &self.story.objection;
        let y = self.bottom + 14;
        line(out, "objection", (LEFT - 90, y), (self.width() - 10, y));
        for end in &self.cast {
            if objection.targets.contains(&end.to_string()) {
                let x = self.x(*end);
                put(out, format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"6\" fill=\"#c00\"/>"));
            }
        }
        let words = format!("{} is broken: {}", objection.demand, objection.what);
        let mut below = y + LINE + 6;
        // A character has about seven pixels.
        let columns = usize::try_from((self.width() - 30) / 7).unwrap_or(80);
        for words in wrapped(&words, columns) {
            put(
                out,
                format_args!(
                    "<text class=\"verdict\" x=\"20\" y=\"{below}\">{}</text>",
                    escaped(&words)
                ),
            );
            below += LINE;
        }
        below + 6
    }
}

/// Who lied, from when to when: nodes and clients that a fault has lie.
fn lies(story: &Story) -> Vec<(Endpoint, u64, u64)> {
    let mut lies = Vec::new();
    let mut numbers: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for event in &story.tape.events {
        let Happened::Fault(nemesis) = &event.what else { continue };
        if !matches!(nemesis.kind.as_str(), "byzantine" | "byzantine-clients") {
            continue;
        }
        match nemesis.phase {
            NemesisPhase::Begin => {
                for who in nemesis.targets.iter().filter_map(|target| target.parse().ok()) {
                    numbers.entry(nemesis.fault).or_default().push(lies.len());
                    lies.push((who, event.at_us, u64::MAX));
                }
            }
            NemesisPhase::End => {
                for place in numbers.remove(&nemesis.fault).unwrap_or_default() {
                    if let Some((_, _, to)) = lies.get_mut(place) {
                        *to = event.at_us;
                    }
                }
            }
            NemesisPhase::Skipped => {}
        }
    }
    lies
}

/// A message that does not come to its receiver, or not yet.
fn stopped(out: &mut String, message: &Message, class: &str, from: (u64, u64), goal: (u64, u64)) {
    let stop = along(from, goal, 8);
    line(out, class, from, stop);
    let (x, y) = stop;
    if class == "lost" {
        line(out, "cross", (x - 5, y - 5), (x + 5, y + 5));
        line(out, "cross", (x - 5, y + 5), (x + 5, y - 5));
    } else {
        line(out, "held", (x, y - 7), (x, y + 7));
    }
    word(out, message, along(from, goal, 5));
}

/// The place so many tenths of the way along.
fn along(from: (u64, u64), to: (u64, u64), tenths: u64) -> (u64, u64) {
    let between = |a: u64, b: u64| (a * (10 - tenths) + b * tenths) / 10;
    (between(from.0, to.0), between(from.1, to.1))
}

fn line(out: &mut String, class: &str, (x1, y1): (u64, u64), (x2, y2): (u64, u64)) {
    put(
        out,
        format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"),
    );
}

/// The kind of a message at its arrow; all that it says appears under the pointer.
fn word(out: &mut String, message: &Message, (x, y): (u64, u64)) {
    let (kind, text) = (escaped(message.kind), escaped(&message.text));
    put(
        out,
        format_args!(
            "<text class=\"word\" x=\"{x}\" y=\"{}\">{kind}<title>{text}</title></text>",
            y.saturating_sub(3)
        ),
    );
}

fn put(out: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{element}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
