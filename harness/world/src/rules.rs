//! The rules of a plan while it runs: what becomes of a message that is about to leave.

use std::collections::BTreeMap;

use quorate_plan::{Act, Endpoint, Rule};
use quorate_systems::contract::Describe;

use crate::matching::MessagePattern;
use crate::moments::{MomentId, Moments};

/// All rules, in their order.
///
/// A world asks [`Rules::decide`] once for every message as it leaves its sender, before it tells
/// [`Moments::sent`] of that message: a rule `until` a message was sent still applies to that message, and
/// one `after` it does not.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    all: Vec<Compiled>,
    /// How many messages each decided about.
    applied: Vec<u64>,
    /// The places of the rules that may be about a message on any link.
    of_any: Vec<usize>,
    /// For links that rules name: the places of those, and of the ones for any link, in their order. A plan that tells
    /// a run message by message has thousands.
    of_links: BTreeMap<(Endpoint, Endpoint), Vec<usize>>,
}

/// What becomes of a message that a rule is about. Nothing else touches it: neither weather nor faults of
/// links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It never arrives.
    Drop,
    /// It arrives after exactly so long.
    Delay {
        /// Microseconds; 0 for as soon as it can.
        us: u64,
    },
    /// It arrives as usual, and once more.
    Duplicate {
        /// How long after the first, in microseconds.
        after_us: u64,
    },
    /// Its bytes are changed on the way, and it does not arrive.
    Corrupt,
    /// It is held back, and arrives as soon as it can after that.
    Hold {
        /// Until this has come, which it had not when the rule was asked; until all is healed if `None`.
        until: Option<MomentId>,
    },
}

impl Rules {
    /// The rules of a plan; the moments that they wait for are registered.
    pub fn new(rules: &[Rule], moments: &mut Moments) -> Self {
        let link = |rule: &Rule| Some((rule.message.from?, rule.message.to?));
        let mut of_any = Vec::new();
        let mut of_links: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate() {
            match link(rule) {
                Some(link) => of_links.entry(link).or_default().push(place),
                None => of_any.push(place),
            }
        }
        for places in of_links.values_mut() {
            places.extend_from_slice(&of_any);
            places.sort_unstable();
        }
        let applied = vec![0; rules.len()];
        let all = rules.iter().map(|rule| Compiled::new(rule, moments)).collect();
        Self { all, applied, of_any, of_links }
    }

    /// The first rule that applies to this message, by its place in the plan, and what it demands. Nothing
    /// for what a node sends to itself.
    ///
    /// The nth message of a rule is counted over the whole run: also while its `after` has not come yet or
    /// its `until` has, and also where an earlier rule decided.
    pub fn decide<M: Describe>(
        &mut self,
        moments: &Moments,
        from: Endpoint,
        to: Endpoint,
        message: &M,
    ) -> Option<(usize, Decision)> {
        let mut decided = None;
        for place in self.of_links.get(&(from, to)).unwrap_or(&self.of_any) {
            let Some(rule) = self.all.get_mut(*place) else { continue };
            let may_matter = if decided.is_none() { rule.nth.is_open() } else { rule.nth.counts() };
            if !may_matter || !rule.message.matches(from, to, message) {
                continue;
            }
            if rule.nth.is_this_one() && decided.is_none() && rule.is_in_force(moments) {
                decided = Some((*place, rule.demand(moments)));
            }
        }
        if let Some(applied) = decided.and_then(|(place, _)| self.applied.get_mut(place)) {
            *applied += 1;
        }
        decided
    }

    /// Nothing has been sent yet; the rules stay.
    pub fn reset(&mut self) {
        self.applied.fill(0);
        for rule in &mut self.all {
            rule.nth.restart();
        }
    }

    /// Whether there are none: then nobody needs to be asked.
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many messages each rule decided about, in the order of the plan.
    pub fn applied(&self) -> &[u64] {
        &self.applied
    }
}

/// One rule.
#[derive(Clone, Debug)]
struct Compiled {
    message: MessagePattern,
    nth: Nth,
    after: Option<MomentId>,
    until: Option<MomentId>,
    act: Decision,
}

impl Compiled {
    fn new(rule: &Rule, moments: &mut Moments) -> Self {
        let Rule { message, after, until, act } = rule;
        Self {
            message: MessagePattern::new(message),
            nth: Nth::new(message.nth),
            after: after.as_ref().map(|after| moments.register(after)),
            until: until.as_ref().map(|until| moments.register(until)),
            act: decision(act, moments),
        }
    }

    fn is_in_force(&self, moments: &Moments) -> bool {
        self.after.is_none_or(|after| moments.is_reached(after))
            && !self.until.is_some_and(|until| moments.is_reached(until))
    }

    /// What is to be done now: there is nothing to wait for in a moment that has come.
    fn demand(&self, moments: &Moments) -> Decision {
        match self.act {
            Decision::Hold { until: Some(moment) } if moments.is_reached(moment) => {
                Decision::Delay { us: 0 }
            }
            act => act,
        }
    }
}

fn decision(act: &Act, moments: &mut Moments) -> Decision {
    match act {
        Act::Drop => Decision::Drop,
        Act::DelayMs(ms) => Decision::Delay { us: micros(*ms) },
        Act::DelayUs(us) => Decision::Delay { us: *us },
        Act::DuplicateAfterMs(ms) => Decision::Duplicate { after_us: micros(*ms) },
        Act::Corrupt => Decision::Corrupt,
        Act::HoldUntil(moment) => Decision::Hold { until: Some(moments.register(moment)) },
        Act::Hold => Decision::Hold { until: None },
    }
}

/// Which of the messages that match a rule is about.
#[derive(Clone, Copy, Debug)]
enum Nth {
    /// All of them.
    Every,
    /// Only one.
    Only {
        /// Which, counted from 1.
        nth: u64,
        /// How many matches are still to come, it included; 0 once it has been sent.
        missing: u64,
    },
}

impl Nth {
    fn new(nth: Option<u64>) -> Self {
        // There is no match number 0; a plan that asks for it is refused before it runs.
        nth.map_or(Self::Every, |nth| Self::Only { nth: nth.max(1), missing: nth.max(1) })
    }

    /// Counts one that matches: whether it is meant.
    const fn is_this_one(&mut self) -> bool {
        match self {
            Self::Every => true,
            Self::Only { missing, .. } => {
                *missing = missing.saturating_sub(1);
                *missing == 0
            }
        }
    }

    const fn restart(&mut self) {
        match self {
            Self::Every => {}
            Self::Only { nth, missing } => *missing = *nth,
        }
    }

    /// Whether one that matches may be meant.
    const fn is_open(self) -> bool {
        match self {
            Self::Every => true,
            Self::Only { missing, .. } => missing > 0,
        }
    }

    /// Whether those that match are still counted.
    const fn counts(self) -> bool {
        match self {
            Self::Every => false,
            Self::Only { missing, .. } => missing > 0,
        }
    }
}

const fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use quorate_plan::{MessageMatch, Moment, NodeMatch};

    use super::*;
    use crate::samples::{C0, N0, N1, Said};

    const UPDATE: Said = Said { kind: "UPDATE", key: Some(3) };
    const QUERY: Said = Said { kind: "QUERY", key: Some(3) };
    /// No message at all.
    const NONE: [u64; 0] = [];

    fn all(act: Act) -> Rule {
        Rule { message: MessageMatch::default(), after: None, until: None, act }
    }

    fn updates(act: Act) -> Rule {
        let message = MessageMatch { kind: Some("UPDATE".to_owned()), ..MessageMatch::default() };
        Rule { message, ..all(act) }
    }

    fn nth(nth: u64, rule: Rule) -> Rule {
        Rule { message: MessageMatch { nth: Some(nth), ..rule.message }, ..rule }
    }

    fn crash() -> Moment {
        Moment::Crashed(NodeMatch::default())
    }

    /// Rules, and the moments that they wait for.
    struct Running {
        rules: Rules,
        moments: Moments,
    }

    impl Running {
        fn new(rules: &[Rule]) -> Self {
            let mut moments = Moments::new();
            Self { rules: Rules::new(rules, &mut moments), moments }
        }

        fn send(&mut self, message: &Said) -> Option<(usize, Decision)> {
            let decided = self.rules.decide(&self.moments, N0, N1, message);
            self.moments.sent(N0, N1, message);
            decided
        }

        /// Which of so many updates, counted from 1, a rule decided about.
        fn hits(&mut self, messages: u64) -> Vec<u64> {
            (1..=messages).filter(|_| self.send(&UPDATE).is_some()).collect()
        }
    }

    #[test]
    fn every_act_becomes_its_decision() {
        let decide = |act| Running::new(&[all(act)]).send(&UPDATE).map(|(_, decision)| decision);
        assert_eq!(decide(Act::Drop), Some(Decision::Drop));
        assert_eq!(decide(Act::DelayMs(0)), Some(Decision::Delay { us: 0 }));
        assert_eq!(decide(Act::DelayMs(3)), Some(Decision::Delay { us: 3_000 }));
        assert_eq!(decide(Act::DelayUs(3)), Some(Decision::Delay { us: 3 }));
        assert_eq!(decide(Act::DelayMs(u64::MAX)), Some(Decision::Delay { us: u64::MAX }));
        assert_eq!(decide(Act::DuplicateAfterMs(2)), Some(Decision::Duplicate { after_us: 2_000 }));
        assert_eq!(decide(Act::Corrupt), Some(Decision::Corrupt));
        assert_eq!(decide(Act::Hold), Some(Decision::Hold { until: None }));
    }

    #[test]
    fn a_message_that_no_rule_matches_is_left_alone() {
        let mut running = Running::new(&[updates(Act::Drop)]);
        assert_eq!(running.send(&QUERY), None);
        assert_eq!(running.rules.decide(&running.moments, N1, N1, &UPDATE), None, "to itself");
        assert_eq!(running.rules.applied(), [0]);
        assert!(Running::new(&[]).rules.is_empty());
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let mut running = Running::new(&[updates(Act::Drop), all(Act::Corrupt), all(Act::Hold)]);
        assert_eq!(running.send(&UPDATE), Some((0, Decision::Drop)));
        assert_eq!(running.send(&QUERY), Some((1, Decision::Corrupt)));
        assert_eq!(running.send(&QUERY), Some((1, Decision::Corrupt)));
        assert_eq!(running.rules.applied(), [1, 2, 0]);
    }

    #[test]
    fn rules_heed_both_ends_of_a_link() {
        let message = MessageMatch { from: Some(C0), to: Some(N0), ..MessageMatch::default() };
        let mut running = Running::new(&[Rule { message, ..all(Act::Drop) }]);
        assert_eq!(running.send(&UPDATE), None);
        let decided = running.rules.decide(&running.moments, C0, N0, &UPDATE);
        assert_eq!(decided, Some((0, Decision::Drop)));
    }

    #[test]
    fn rules_for_one_link_and_for_all_are_asked_in_their_order() {
        let on_link = |act| {
            let message = MessageMatch { from: Some(C0), to: Some(N0), ..MessageMatch::default() };
            Rule { message, ..all(act) }
        };
        let rules = [nth(2, all(Act::Drop)), on_link(Act::Corrupt), all(Act::Hold)];
        let mut running = Running::new(&rules);
        let mut decide = |from, to| {
            running.rules.decide(&running.moments, from, to, &UPDATE).map(|(place, _)| place)
        };
        assert_eq!(decide(C0, N0), Some(1));
        // The second of all messages, whatever link they are on.
        assert_eq!(decide(C0, Endpoint::Node(1)), Some(0));
        assert_eq!(decide(C0, Endpoint::Node(1)), Some(2));
        assert_eq!(decide(C0, N0), Some(1));
    }

    #[test]
    fn with_nth_only_that_one_is_meant() {
        let mut running = Running::new(&[nth(2, updates(Act::Drop))]);
        assert_eq!(running.send(&QUERY), None, "does not match, and is not counted");
        assert_eq!(running.hits(4), [2]);
    }

    #[test]
    fn matches_are_counted_where_an_earlier_rule_decides() {
        let mut running = Running::new(&[nth(1, updates(Act::Drop)), nth(2, all(Act::Corrupt))]);
        assert_eq!(running.send(&UPDATE), Some((0, Decision::Drop)));
        assert_eq!(running.send(&UPDATE), Some((1, Decision::Corrupt)));
        assert_eq!(running.send(&UPDATE), None);
        // The one that is meant is gone where another rule took it.
        let mut running = Running::new(&[nth(2, updates(Act::Drop)), nth(2, all(Act::Corrupt))]);
        assert_eq!(running.send(&UPDATE), None);
        assert_eq!(running.send(&UPDATE), Some((0, Decision::Drop)));
        assert_eq!(running.send(&UPDATE), None);
        assert_eq!(running.rules.applied(), [1, 0]);
    }

    #[test]
    fn matches_are_counted_while_a_rule_is_not_in_force() {
        let after = Some(crash());
        let rule = Rule { after: after.clone(), ..nth(3, updates(Act::Drop)) };
        let mut running = Running::new(&[rule]);
        assert_eq!(running.hits(2), NONE);
        running.moments.crashed(0);
        assert_eq!(running.hits(2), [1], "the third of all");

        let mut running = Running::new(&[Rule { after, ..nth(1, updates(Act::Drop)) }]);
        assert_eq!(running.hits(1), NONE);
        running.moments.crashed(0);
        assert_eq!(running.hits(2), NONE, "the first is over");
    }

    #[test]
    fn a_rule_is_in_force_from_after_to_until() {
        let started = Moment::Started(NodeMatch::default());
        let rule = Rule { after: Some(crash()), until: Some(started), ..updates(Act::Drop) };
        let mut running = Running::new(&[rule]);
        assert_eq!(running.hits(1), NONE);
        running.moments.crashed(0);
        assert_eq!(running.hits(2), [1, 2]);
        running.moments.started(0);
        assert_eq!(running.hits(2), NONE);
        running.moments.crashed(0);
        assert_eq!(running.hits(1), NONE, "once it has come a moment stays");
        assert_eq!(running.rules.applied(), [2]);
    }

    #[test]
    fn a_message_that_brings_a_moment_is_still_before_it() {
        let third = Moment::Sent(MessageMatch { nth: Some(3), ..MessageMatch::default() });
        let until = Rule { until: Some(third.clone()), ..updates(Act::Drop) };
        assert_eq!(Running::new(&[until]).hits(5), [1, 2, 3]);
        let after = Rule { after: Some(third), ..updates(Act::Drop) };
        assert_eq!(Running::new(&[after]).hits(5), [4, 5]);
    }

    #[test]
    fn what_is_held_for_a_moment_that_has_come_goes_on_at_once() {
        let mut running = Running::new(&[updates(Act::HoldUntil(crash()))]);
        let crash = running.moments.register(&crash());
        assert_eq!(running.send(&UPDATE), Some((0, Decision::Hold { until: Some(crash) })));
        running.moments.crashed(1);
        assert_eq!(running.send(&UPDATE), Some((0, Decision::Delay { us: 0 })));
        assert_eq!(running.rules.applied(), [2]);
    }

    #[test]
    fn a_reset_begins_counting_again() {
        let mut running = Running::new(&[nth(1, updates(Act::Drop))]);
        assert_eq!(running.hits(2), [1]);
        running.rules.reset();
        assert_eq!(running.rules.applied(), [0]);
        assert_eq!(running.hits(2), [1]);
    }
}
