//! Numbers for people.

/// Nanoseconds as a span with three digits: `870 µs`, `12.3 ms`, `1.25 s`.
pub fn span(nanoseconds: u64) -> String {
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => three_digits(nanoseconds, 1_000, "µs"),
        1_000_000..1_000_000_000 => three_digits(nanoseconds, 1_000_000, "ms"),
        _ => three_digits(nanoseconds, 1_000_000_000, "s"),
    }
}

/// Nanoseconds as a moment of a run: `12.345 s`.
pub(crate) fn moment(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds / 1_000_000;
    format!("{}.{:03} s", milliseconds / 1_000, milliseconds % 1_000)
}

/// Milliseconds as a person would write them: `30 s`, `1.5 s`, `250 ms`.
pub(crate) fn milliseconds(milliseconds: u64) -> String {
    span(milliseconds.saturating_mul(1_000_000))
}

/// Milliseconds of a campaign: as [`milliseconds`], and from two minutes on `12 min 5 s`, `8 h 0 min`.
pub(crate) fn elapsed(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0..120 => self::milliseconds(milliseconds),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A count with its thousands apart: `12 345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            // A narrow space that does not break.
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// So many of something: `1 node`, `3 nodes`.
pub(crate) fn counted(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    format!("{} {}", count(number), noun(number, what))
}

/// What stands behind a number.
pub(crate) fn noun(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{what}{plural}")
}

fn three_digits(number: u64, unit: u64, name: &str) -> String {
    let (whole, rest) = (number / unit, number % unit);
    let text = match whole {
        0..10 => format!("{whole}.{:02}", rest * 100 / unit),
        10..100 => format!("{whole}.{}", rest * 10 / unit),
        _ => whole.to_string(),
    };
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_keep_three_digits_and_drop_zeros() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_500, "1.5 µs"),
            (12_340_000, "12.3 ms"),
            (200_000_000, "200 ms"),
            (30_000_000_000, "30 s"),
            (1_256_000_000, "1.25 s"),
            (u64::MAX, "18446744073 s"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(span(nanoseconds), text);
        }
        assert_eq!(milliseconds(250), "250 ms");
        assert_eq!(moment(12_345_678_901), "12.345 s");
        assert_eq!(elapsed(61_000), "61 s");
        assert_eq!(elapsed(725_000), "12 min 5 s");
        assert_eq!(elapsed(28_800_000), "8 h 0 min");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
