//! Colours by name: the page decides on them, in light and in dark.

use plotters::prelude::*;

use super::Kind;
use crate::lanes::Family;

/// A colour that the page decides on. While drawing, a colour that stands for it and nothing else.
#[derive(Clone, Copy)]
pub(super) enum Ink {
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

    pub(super) const fn of(kind: Kind) -> Self {
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

    pub(super) const fn colour(self) -> RGBColor {
        RGBColor(self.number(), 0, 0)
    }
}

/// The picture as part of a page: colours by name, no namespace, `extra` drawn last.
pub(super) fn embed(svg: &str, extra: &str) -> String {
    let mut text = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "").replace('\n', "");
    for ink in Ink::ALL {
        let stands_for = format!("\"#{:02X}0000\"", ink.number());
        text = text.replace(&stands_for, &format!("\"var(--{})\"", ink.variable()));
    }
    let body = text.strip_suffix("</svg>").unwrap_or(&text);
    format!("{body}{extra}</svg>")
}
