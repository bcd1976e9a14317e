//! Leadership for a while: rounds of heartbeats that confirm a leader, and the leases that they carry.
//!
//! ```text
//!   leader     sends the round ────────────── D(1-ρ) ──────────────┤ serves no more
//!                    ╲
//!   grantor           receives it ────────────────── D(1+ρ) ───────────────┤ may promise another
//! ```
//!
//! Each counts on its own clock. A clock that is at most ρ too slow or too fast keeps the first end before
//! the second, whatever the message took (PROTOCOLS A2.2, reads, c).

use alloc::collections::VecDeque;

use crate::contract::{LocalTime, Micros, NodeId};

/// How long a lease is, and how wrong clocks may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// D: its length on a clock that runs right.
    pub length: Micros,
    /// ρ: by how many millionths a clock may run too fast or too slow.
    pub drift_ppm: u64,
}

/// One million: parts of a whole, for drifts.
pub(crate) const PPM: u64 = 1_000_000;

impl Lease {
    /// D·(1-ρ), rounded down: how long its holder counts on it, from the moment of sending.
    pub fn held(self) -> Micros {
        Micros(scaled(self.length, PPM.saturating_sub(self.drift_ppm), 0))
    }

    /// D·(1+ρ), rounded up: how long a grantor keeps to it, from the moment of receipt.
    pub fn granted(self) -> Micros {
        Micros(scaled(self.length, PPM.saturating_add(self.drift_ppm), PPM - 1))
    }
}

fn scaled(span: Micros, parts: u64, rounding: u64) -> u64 {
    let whole = u128::from(span.0) * u128::from(parts) + u128::from(rounding);
    u64::try_from(whole / u128::from(PPM)).unwrap_or(u64::MAX)
}

pub(crate) fn later(now: LocalTime, span: Micros) -> LocalTime {
    LocalTime(now.0.saturating_add(span.0))
}

/// What an acceptor has granted: it answers no P1A of another node before `until`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grant {
    holder: Option<NodeId>,
    until: LocalTime,
}

impl Grant {
    /// After a restart nobody knows to whom an earlier life may have granted one: nobody's ballot is
    /// promised.
    pub(crate) fn unknown(until: LocalTime) -> Self {
        Self { holder: None, until }
    }

    pub(crate) fn extend(&mut self, holder: NodeId, until: LocalTime) {
        self.holder = Some(holder);
        self.until = self.until.max(until);
    }

    /// How long a promise to `node` must still wait; nothing where it need not.
    pub(crate) fn withholds_from(&self, node: NodeId, now: LocalTime) -> Option<Micros> {
        let left = self.until.0.saturating_sub(now.0);
        (left > 0 && self.holder != Some(node)).then_some(Micros(left))
    }
}

/// One round of heartbeats that has no majority yet.
#[derive(Clone, Copy, Debug)]
struct Round<T> {
    number: u64,
    sent: LocalTime,
    tally: T,
}

/// So many rounds wait for answers; of those before, answers are late and not needed.
const ROUNDS_MAX: usize = 16;

/// A leader's rounds of heartbeats, numbered from 1. `T` is who has answered one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds<T> {
    started: u64,
    confirmed: u64,
    lease_until: LocalTime,
    waiting: VecDeque<Round<T>>,
}

/// A round that a majority has answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed<T> {
    pub(crate) round: u64,
    /// When its leader sent it.
    pub(crate) sent: LocalTime,
    pub(crate) tally: T,
}

impl<T: Copy + Default> Rounds<T> {
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    /// Whether a majority has answered this round, or a later one: whoever it was that asked then still
    /// leads.
    pub(crate) fn has_confirmed(&self, round: u64) -> bool {
        round <= self.confirmed
    }

    /// Whether the lease lasts.
    pub(crate) fn holds_lease(&self, now: LocalTime) -> bool {
        now < self.lease_until
    }

    /// Begins a round; the messages go out at `now`.
    pub(crate) fn start(&mut self, now: LocalTime) -> u64 {
        self.started += 1;
        if self.waiting.len() >= ROUNDS_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Round { number: self.started, sent: now, tally: T::default() });
        self.started
    }

    /// Counts an answer to this round, as `count` does it, which says whether the votes are a majority then. Something
    /// comes back when they are.
    pub(crate) fn answer(
        &mut self,
        number: u64,
        count: impl FnOnce(&mut T) -> bool,
    ) -> Option<Confirmed<T>> {
        let round = self.waiting.iter_mut().find(|round| round.number == number)?;
        if !count(&mut round.tally) {
            return None;
        }
        let Round { sent, tally, .. } = *round;
        self.confirmed = number;
        self.waiting.retain(|round| round.number > number);
        Some(Confirmed { round: number, sent, tally })
    }

    /// The lease lasts until then, or longer.
    pub(crate) fn extend_lease(&mut self, until: LocalTime) {
        self.lease_until = self.lease_until.max(until);
    }

    /// How long the lease lasts from now on; 0 where there are no leases, or where it is over.
    pub(crate) fn lease_left(&self, now: LocalTime) -> Micros {
        Micros(self.lease_until.0.saturating_sub(now.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parties::NodeSet;

    /// The answer of a node, where so many are a majority.
    fn by(node: u16, majority: u32) -> impl FnOnce(&mut NodeSet) -> bool {
        move |voters| {
            voters.insert(NodeId(node));
            voters.len() >= majority
        }
    }

    const LEASE: Lease = Lease { length: Micros(1_000), drift_ppm: 10_001 };

    #[test]
    fn a_holder_counts_less_and_a_grantor_more_and_both_round_to_the_safe_side() {
        assert_eq!(LEASE.held(), Micros(989));
        assert_eq!(LEASE.granted(), Micros(1_011));
    }

    #[test]
    fn a_grant_withholds_promises_from_all_but_its_holder_until_it_is_over() {
        let mut grant = Grant::default();
        assert_eq!(grant.withholds_from(NodeId(1), LocalTime(0)), None);
        grant.extend(NodeId(0), LocalTime(100));
        assert_eq!(grant.withholds_from(NodeId(0), LocalTime(50)), None);
        assert_eq!(grant.withholds_from(NodeId(1), LocalTime(50)), Some(Micros(50)));
        assert_eq!(grant.withholds_from(NodeId(1), LocalTime(100)), None);
        let grant = Grant::unknown(LocalTime(10));
        assert_eq!(grant.withholds_from(NodeId(0), LocalTime(9)), Some(Micros(1)));
    }

    #[test]
    fn a_lease_is_counted_from_the_moment_of_sending() {
        let mut rounds = Rounds::<NodeSet>::default();
        let round = rounds.start(LocalTime(100));
        let mut answer = |node| rounds.answer(round, by(node, 2));
        assert!(answer(0).is_none());
        assert!(answer(0).is_none(), "the same node twice");
        let confirmed = answer(1).unwrap();
        assert_eq!((confirmed.round, confirmed.sent), (round, LocalTime(100)));
        assert!(answer(2).is_none(), "the round is over");
        rounds.extend_lease(later(confirmed.sent, LEASE.held()));
        assert_eq!(rounds.lease_left(LocalTime(600)), Micros(489));
        assert!(rounds.holds_lease(LocalTime(1_088)) && !rounds.holds_lease(LocalTime(1_089)));
    }

    #[test]
    fn a_confirmed_round_confirms_those_before_it_and_none_after_it() {
        let mut rounds = Rounds::<NodeSet>::default();
        let first = rounds.start(LocalTime(0));
        let second = rounds.start(LocalTime(1));
        let third = rounds.start(LocalTime(2));
        assert!(!rounds.has_confirmed(first));
        assert!(rounds.answer(second, by(1, 1)).is_some());
        assert!(rounds.has_confirmed(first) && rounds.has_confirmed(second));
        assert!(!rounds.has_confirmed(third));
        assert!(!rounds.holds_lease(LocalTime(5)), "there are no leases");
    }

    #[test]
    fn rounds_without_answers_are_forgotten_in_the_end() {
        let mut rounds = Rounds::<NodeSet>::default();
        let first = rounds.start(LocalTime(0));
        for _ in 0..ROUNDS_MAX {
            rounds.start(LocalTime(0));
        }
        assert_eq!(rounds.waiting.len(), ROUNDS_MAX);
        assert!(rounds.answer(first, by(1, 1)).is_none());
    }
}
