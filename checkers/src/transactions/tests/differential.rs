//! The checker against brute force.

use super::super::{Anomaly, Consistency};
use super::{Owned, brute, judge, random};
use crate::testing::Dice;
use crate::verdict::Verdict;

/// How often what brute force says met what the checker says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    both_accept: u64,
    both_reject: u64,
    /// Brute force rejects, and the checker finds nothing.
    missed: u64,
    /// Brute force rejects, and the checker does not know.
    unknown_of_rejected: u64,
    /// Brute force accepts, and the checker does not know.
    unknown_of_accepted: u64,
}

impl Tally {
    fn add(&mut self, history: &[Owned], consistency: Consistency) {
        let report = judge(history, consistency);
        let is_allowed = brute::allows(history, consistency);
        let told = || format!("{consistency}: {report:#?}\n{history:#?}");
        match (is_allowed, report.verdict) {
            (true, Verdict::Valid) => self.both_accept += 1,
            (true, Verdict::Unknown) => self.unknown_of_accepted += 1,
            (true, Verdict::Invalid) => panic!("a false accusation, {}", told()),
            (false, Verdict::Invalid) => self.both_reject += 1,
            (false, Verdict::Unknown) => self.unknown_of_rejected += 1,
            (false, Verdict::Valid) => {
                self.missed += 1;
                panic!("overlooked, {}", told());
            }
        }
        for finding in &report.findings {
            assert!(finding.forbidden_from <= consistency, "{}", told());
        }
    }
}

/// `QUORATE_CASES=200000 cargo test --release -p quorate-checkers transactions::tests::differential -- --nocapture` tries more.
#[test]
fn nothing_is_accused_falsely_and_nothing_is_overlooked() {
    let cases = std::env::var("QUORATE_CASES").map_or(1_500, |cases| cases.parse().unwrap());
    let mut tallies: Vec<(Consistency, Tally)> =
        Consistency::ALL.map(|consistency| (consistency, Tally::default())).into();
    let mut found = std::collections::BTreeMap::<Anomaly, u64>::new();
    for seed in 0..cases {
        let mut dice = Dice::new(seed);
        let history = random::draw(&mut dice, 5);
        if !history.iter().any(|transaction| transaction.fate == super::Fate::Ok) {
            continue;
        }
        for (consistency, tally) in &mut tallies {
            tally.add(&history, *consistency);
        }
        for finding in judge(&history, Consistency::StrictSerializable).findings {
            *found.entry(finding.anomaly).or_default() += 1;
        }
    }
    println!("{tallies:#?}");
    for (anomaly, count) in &found {
        println!("{anomaly}: {count}");
    }
    for (_, tally) in &tallies {
        assert!(tally.both_accept > cases / 10 && tally.both_reject > cases / 10, "{tally:?}");
    }
}
