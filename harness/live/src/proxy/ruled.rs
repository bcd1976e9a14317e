//! What the rules of a plan do to the messages of a link, and what is told of these.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_plan::{
    Act, Delay, Endpoint, MessageMatch, Moment, NodeMatch, OperationMatch, Plan, PlannedFault,
    Rule, SystemPlan, Weather, WorldKind,
};
use tokio::time::{Instant, timeout};

use super::link::Link;
use super::{NetworkRule, Rules, frames};
use crate::happenings::{Eyes, Happenings, Onlooker};
use crate::samples::{Note, VOCABULARY, frame, note_in};

const FROM: Endpoint = Endpoint::Node(0);
const TO: Endpoint = Endpoint::Node(1);

/// A link of a plan with these rules.
struct Ruled {
    link: Arc<Link>,
    network: Arc<Rules>,
    happenings: Arc<Happenings>,
}

fn plan(rules: Vec<Rule>) -> Plan {
    let system = SystemPlan { kind: "notes".to_owned(), nodes: 2, options: [].into() };
    Plan { rules, ..Plan::new("test", 1, WorldKind::Live, system) }
}

fn ruled(plan: &Plan) -> Ruled {
    let happenings = Arc::new(Happenings::of(plan));
    assert!(happenings.looks_into_messages());
    let eyes = Arc::new(Eyes::<Note, Note>::new(Arc::clone(&happenings), &VOCABULARY));
    let network = Arc::new(Rules::new(3));
    let turns = eyes.turns();
    let link = Arc::new(Link::new(FROM, TO, Arc::clone(&network), Some(eyes), frames::damage));
    tokio::spawn(super::let_go(vec![Arc::clone(&link)], turns));
    Ruled { link, network, happenings }
}

impl Ruled {
    fn offer(&self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.link.offer("NOTE", frame(number).into());
        }
    }

    /// All that comes out until nothing has come for long, with the milliseconds after which it does; damage
    /// has no number. Time passes only while everybody waits.
    async fn drain(&self) -> Vec<(Option<u64>, u128)> {
        let (began, mut out) = (Instant::now(), Vec::new());
        while let Ok(parcel) = timeout(Duration::from_mins(1), self.link.next()).await {
            self.link.delivered(&parcel);
            out.push((note_in(&parcel.message), began.elapsed().as_millis()));
        }
        out
    }
}

fn note(number: u64) -> MessageMatch {
    let fields = [("number".to_owned(), number)].into();
    MessageMatch { kind: Some("NOTE".to_owned()), fields, ..MessageMatch::default() }
}

fn rule(number: u64, act: Act) -> Rule {
    Rule { message: note(number), after: None, until: None, act }
}

fn crashed(node: u16) -> Moment {
    Moment::Crashed(NodeMatch { node: Some(node), nth: None })
}

#[tokio::test(start_paused = true)]
async fn a_rule_does_what_it_says_to_its_message_and_the_others_pass() {
    let ruled = ruled(&plan(vec![
        rule(1, Act::Drop),
        rule(2, Act::DelayMs(50)),
        rule(3, Act::DuplicateAfterMs(70)),
        rule(4, Act::Corrupt),
    ]));
    ruled.offer(0..=5);
    let expected =
        [(Some(0), 0), (Some(3), 0), (None, 0), (Some(5), 0), (Some(2), 50), (Some(3), 70)];
    assert_eq!(ruled.drain().await, expected);
    assert_eq!(ruled.link.traffic().dropped, 1);
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_a_link_touches_a_message_that_a_rule_is_about() {
    let ruled = ruled(&plan(vec![rule(1, Act::DelayMs(0)), rule(2, Act::DelayMs(40))]));
    ruled.network.begin(1, NetworkRule::Cut([(TO, [FROM].into())].into()));
    ruled.offer(1..=3);
    assert_eq!(ruled.drain().await, [(Some(1), 0), (Some(2), 40)]);
    assert_eq!(ruled.network.end(1), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_goes_on_when_its_moment_comes_or_all_is_healed() {
    let ruled = ruled(&plan(vec![rule(1, Act::HoldUntil(crashed(1))), rule(2, Act::Hold)]));
    ruled.offer(1..=3);
    assert_eq!(ruled.drain().await, [(Some(3), 0)]);
    ruled.happenings.crashed(0);
    assert!(ruled.drain().await.is_empty());
    ruled.happenings.crashed(1);
    assert_eq!(ruled.drain().await, [(Some(1), 0)]);
    ruled.offer([1]);
    assert_eq!(ruled.drain().await, [(Some(1), 0)], "its moment has come long ago");
    ruled.happenings.heal();
    assert_eq!(ruled.drain().await, [(Some(2), 0)]);
    ruled.offer([2]);
    assert_eq!(ruled.drain().await, [(Some(2), 0)], "rules have no say after the healing");
}

#[tokio::test(start_paused = true)]
async fn messages_are_moments_when_they_are_sent_and_when_they_are_delivered() {
    let sent = Moment::Sent(MessageMatch { nth: Some(2), ..note(1) });
    let delivered = Moment::Delivered(note(1));
    let mut plan = plan(vec![rule(1, Act::HoldUntil(sent.clone()))]);
    let at = |when: &Moment| PlannedFault {
        when: Some(when.clone()),
        at_ms: 0,
        for_ms: 1,
        fault: quorate_plan::Fault::Pause { nodes: [0].into() },
    };
    plan.faults = vec![at(&sent), at(&delivered)];
    let ruled = ruled(&plan);
    let is_reached = async |moment| {
        let id = ruled.happenings.id(moment);
        timeout(Duration::from_millis(1), ruled.happenings.reached(id)).await.is_ok()
    };
    ruled.offer([0, 1]);
    assert_eq!(ruled.drain().await, [(Some(0), 0)]);
    assert!(!is_reached(&sent).await && !is_reached(&delivered).await);
    ruled.link.offer("NOTE", frames::damage(&frame(1).into(), 7));
    ruled.drain().await;
    assert!(!is_reached(&sent).await, "damage is no message");
    ruled.offer([1]);
    assert!(is_reached(&sent).await && !is_reached(&delivered).await);
    assert_eq!(ruled.drain().await.len(), 2);
    assert!(is_reached(&delivered).await);
}

#[tokio::test(start_paused = true)]
async fn the_clock_and_operations_bring_moments_too() {
    let asked = OperationMatch { f: Some("write".to_owned()), ..OperationMatch::default() };
    let moments = [Moment::AtMs(30), Moment::Invoked(asked.clone()), Moment::Completed(asked)];
    let rules = moments.iter().map(|moment| rule(1, Act::HoldUntil(moment.clone()))).collect();
    let happenings = Happenings::of(&plan(rules));
    let began = Instant::now();
    happenings.keep_time(began).await;
    happenings.reached(happenings.id(&moments[0])).await;
    assert_eq!(began.elapsed(), Duration::from_millis(30));
    let soon = Duration::from_millis(1);
    for (moment, tell) in [
        (&moments[1], Happenings::invoked as fn(&Happenings, u32, &str, Option<u64>)),
        (&moments[2], Happenings::completed),
    ] {
        let id = happenings.id(moment);
        tell(&happenings, 0, "read", Some(4));
        assert!(timeout(soon, happenings.reached(id)).await.is_err());
        tell(&happenings, 0, "write", Some(4));
        assert!(timeout(soon, happenings.reached(id)).await.is_ok());
    }
}

/// What comes out of a link in this weather of so many messages, in its order.
async fn in_weather(weather: Weather, count: u64) -> Vec<u64> {
    let rules = Rules::new(3).with_weather(weather, Duration::from_secs(10), 2);
    let link = Link::new(FROM, TO, Arc::new(rules), None, frames::damage);
    for number in 0..count {
        link.offer("NOTE", frame(number).into());
    }
    let mut out = Vec::new();
    while let Ok(parcel) = timeout(Duration::from_mins(1), link.next()).await {
        out.push(note_in(&parcel.message).unwrap());
    }
    out
}

#[tokio::test(start_paused = true)]
async fn weather_delays_loses_and_doubles_and_calm_weather_keeps_the_order() {
    let calm = in_weather(Weather::CALM, 100).await;
    assert_eq!(calm, (0..100).collect::<Vec<_>>());
    for delay in
        [Delay::Uniform { min_us: 1_000, max_us: 9_000 }, Delay::Exponential { mean_us: 5_000 }]
    {
        let out = in_weather(Weather { delay, ..Weather::CALM }, 100).await;
        assert_eq!(out.iter().collect::<BTreeSet<_>>().len(), 100);
        assert!(!out.is_sorted(), "{delay:?}");
    }
    let ranked = Delay::Priorities { base_us: 100, ranks: 8, changes: 3 };
    assert!(in_weather(Weather { delay: ranked, ..Weather::CALM }, 100).await.is_sorted());
    let rough = Weather { loss_per_mille: 200, duplicate_per_mille: 0, ..Weather::CALM };
    let lost = in_weather(rough, 1_000).await.len();
    assert!((750..850).contains(&lost), "{lost}");
    let double = Weather { loss_per_mille: 0, duplicate_per_mille: 200, ..Weather::CALM };
    let doubled = in_weather(double, 1_000).await.len();
    assert!((1_150..1_250).contains(&doubled), "{doubled}");
}
