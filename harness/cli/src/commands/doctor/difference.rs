//! Where two runs that should be equal are not.

use serde::Serialize;

use super::record::{Examined, WAYS};
use crate::output;

/// One way to run seeds again, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Way {
    /// How.
    pub(super) name: String,
    /// Why it was not tried.
    pub(super) skipped: Option<String>,
    /// How many differ.
    pub(super) differences: usize,
    /// How many what: seeds, or blocks of them.
    pub(super) unit: String,
    /// The first that does.
    pub(super) first: Option<Difference>,
}

/// Two runs of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// Which seed.
    pub(super) seed: u64,
    /// The first line of the history that differs, counted from 1: the plan is the first, the digest the last.
    /// Absent if the seed did not differ when it was run once more.
    pub(super) line: Option<u64>,
    /// What stands there in the run that came first.
    pub(super) expected: String,
    /// What stands there in the other one.
    pub(super) found: String,
}

impl Difference {
    /// What makes the second history another one.
    pub(super) fn between(seed: u64, first: &[u8], other: &[u8]) -> Option<Self> {
        if first == other {
            return None;
        }
        let mut expected = first.split(|byte| *byte == b'\n');
        let mut found = other.split(|byte| *byte == b'\n');
        let mut number = 0;
        loop {
            number += 1;
            match (expected.next(), found.next()) {
                (Some(expected), Some(found)) if expected == found => {}
                (None, None) => return None,
                (expected, found) => {
                    let text = |line: Option<&[u8]>| {
                        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
                    };
                    let (expected, found) = (text(expected), text(found));
                    return Some(Self { seed, line: Some(number), expected, found });
                }
            }
        }
    }

    /// For people.
    pub(super) fn tell(&self, text: &mut String, way: &Way) {
        let Self { seed, line, expected, found } = self;
        let name = &way.name;
        let Some(line) = line else {
            let what = format!("seed {seed} differed {name}, but not when it was run once more");
            return output::line(text, "first", &what);
        };
        output::line(text, "first", &format!("seed {seed} {name}: line {line} of the history"));
        output::line(text, "", &format!("expected {}", shortened(expected)));
        output::line(text, "", &format!("found    {}", shortened(found)));
        output::line(text, "plan", &format!("quorate hunt --show {seed}"));
    }
}

/// Lines with plans are long.
const SHOWN_MAX: usize = 240;

fn shortened(line: &str) -> String {
    let mut letters = line.chars();
    let shown: String = letters.by_ref().take(SHOWN_MAX).collect();
    if letters.next().is_some() { format!("{shown}…") } else { shown }
}

impl Way {
    /// The ways within this process, over all seeds.
    pub(super) fn in_process(examined: &[Examined]) -> Vec<Self> {
        let way = |(place, name): (usize, &&str)| {
            let differ = || examined.iter().filter_map(|seed| seed.differences.get(place)?.clone());
            Self {
                name: (*name).to_owned(),
                skipped: None,
                differences: differ().count(),
                unit: "seeds".to_owned(),
                first: differ().next(),
            }
        };
        WAYS.iter().enumerate().map(way).collect()
    }

    /// A way that could not be gone.
    pub(super) fn skipped(name: &str, why: String) -> Self {
        let unit = "seeds".to_owned();
        Self { name: name.to_owned(), skipped: Some(why), differences: 0, unit, first: None }
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let came = match (&self.skipped, self.differences) {
            (Some(why), _) => format!("not tried: {why}"),
            (None, 0) => "equal".to_owned(),
            (None, count) => format!("{count} {} differ", self.unit),
        };
        format!("{}: {came}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        let of = |first: &str, other: &str| {
            Difference::between(7, first.as_bytes(), other.as_bytes())
                .map(|found| (found.line.unwrap(), found.expected, found.found))
        };
        assert_eq!(of("a\nb\n", "a\nb\n"), None);
        assert_eq!(of("a\nb\nc\n", "a\nx\nc\n"), Some((2, "b".into(), "x".into())));
        assert_eq!(of("a\n", "a\nb\n"), Some((2, String::new(), "b".into())));
        assert_eq!(of("a\nb", "a"), Some((2, "b".into(), String::new())));
    }

    #[test]
    fn ways_count_the_seeds_that_differ_and_keep_the_first() {
        let difference = |seed| Difference::between(seed, b"a", b"b");
        let examined = |seed, place: usize| {
            let mut differences = [const { None }; 3];
            differences[place] = difference(seed);
            Examined { digest: blake3::hash(b""), differences }
        };
        let ways = Way::in_process(&[examined(1, 2), examined(2, 2), examined(3, 0)]);
        let counts: Vec<_> = ways.iter().map(|way| way.differences).collect();
        assert_eq!(counts, [1, 0, 2]);
        assert_eq!(ways[2].first.as_ref().unwrap().seed, 1);
        assert!(ways[2].line().ends_with("2 seeds differ") && ways[1].line().ends_with("equal"));
    }
}
