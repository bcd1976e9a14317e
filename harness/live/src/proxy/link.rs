//! One direction of one link: the rules decide, then the message waits until it is due.

use std::cmp;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use quorate_plan::Endpoint;
use quorate_world::moments::MomentId;
use quorate_world::rules::Decision;
use quorate_world::weather;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::rules::{Bite, Fate, Passage, Rules};
use crate::happenings::Onlooker;

/// More messages than this waiting on one link are not kept: a node that is stopped for a while must not
/// cost the harness its memory, and a real socket buffer is not larger either.
const WAITING_MAX: usize = 4_096;

/// How a message is changed by one draw; the result must never pass the receiver's checksum.
pub(crate) type Damage = fn(&Bytes, u64) -> Bytes;

/// The way from one endpoint to another. Messages go in with [`Link::offer`] and come out of
/// [`Link::next`] when they are due.
///
/// Messages keep their order, delayed ones too, unless a fault lets some be overtaken. A copy is a message
/// of its own behind the original, and does not hold up those between. A message that is on its way when a
/// partition begins is lost if the partition still stands when it would have arrived. A message that a rule of
/// the plan is about goes by that rule alone.
#[derive(Debug)]
pub(crate) struct Link {
    from: Endpoint,
    to: Endpoint,
    rules: Arc<Rules>,
    /// Looks into the messages, where the plan has rules or moments about some.
    onlooker: Option<Arc<dyn Onlooker>>,
    damage: Damage,
    counters: Counters,
    queue: Mutex<Queue>,
    wake: Notify,
}

impl Link {
    /// An empty link under `rules`, on which messages are damaged by `damage`.
    pub(crate) fn new(
        from: Endpoint,
        to: Endpoint,
        rules: Arc<Rules>,
        onlooker: Option<Arc<dyn Onlooker>>,
        damage: Damage,
    ) -> Self {
        Self {
            from,
            to,
            rules,
            onlooker,
            damage,
            counters: Counters::default(),
            queue: Mutex::new(Queue::new(Instant::now())),
            wake: Notify::new(),
        }
    }

    /// A message of this kind enters the link.
    pub(crate) fn offer(&self, kind: &str, message: Bytes) {
        add(&self.counters.offered);
        let asked = self.onlooker.as_ref();
        if let Some(decision) = asked.and_then(|eyes| eyes.sent(self.from, self.to, &message)) {
            return self.obey(decision, message);
        }
        let passage = match self.rules.fate(self.from, self.to, kind) {
            Fate::Dropped => return add(&self.counters.dropped),
            Fate::Passes(passage) => passage,
        };
        let message = passage
            .corrupt
            .iter()
            .fold(message, |message, (draw, _)| (self.damage)(&message, *draw));
        let overflow = self.lock().push(Instant::now(), &message, passage);
        self.counters.overflowed.fetch_add(overflow, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// A rule decides about a message, and nothing else touches it.
    fn obey(&self, decision: Decision, message: Bytes) {
        let now = Instant::now();
        let after = |us| now + Duration::from_micros(us);
        let overflow = match decision {
            Decision::Drop => return add(&self.counters.dropped),
            Decision::Delay { us } => self.lock().put_free(after(us), message),
            Decision::Duplicate { after_us } => {
                let mut queue = self.lock();
                queue.put_free(now, message.clone()) + queue.put_free(after(after_us), message)
            }
            Decision::Corrupt => {
                let draw = weather::draw(0, "corrupt", &[self.traffic().offered]);
                self.lock().put_free(now, (self.damage)(&message, draw))
            }
            Decision::Hold { until } => {
                let overflow = self.lock().hold(until, message);
                // It may have come while the rule was asked.
                self.let_go();
                overflow
            }
        };
        self.counters.overflowed.fetch_add(overflow, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Lets those messages go on that are held back no longer.
    pub(crate) fn let_go(&self) {
        let Some(onlooker) = &self.onlooker else { return };
        let mut queue = self.lock();
        let free: Vec<Bytes> = queue
            .held
            .extract_if(.., |(until, _)| onlooker.is_released(*until))
            .map(|(_, message)| message)
            .collect();
        let now = Instant::now();
        let overflow = free.into_iter().map(|message| queue.put_free(now, message)).sum();
        drop(queue);
        self.counters.overflowed.fetch_add(overflow, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// The next message, once it is due. One task at a time may wait here.
    pub(crate) async fn next(&self) -> Parcel {
        loop {
            let popped = self.lock().pop(Instant::now());
            let due = match popped {
                Popped::Due(parcel) if !parcel.free && self.rules.cuts(self.from, self.to) => {
                    add(&self.counters.dropped);
                    continue;
                }
                Popped::Due(parcel) => return parcel,
                Popped::NotBefore(due) => Some(due),
                Popped::Empty => None,
            };
            match due {
                // A message that comes in meanwhile may be due earlier.
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// The parcel reached the other end: what was done to it counts as done.
    pub(crate) fn delivered(&self, parcel: &Parcel) {
        add(&self.counters.delivered);
        parcel.bites.iter().for_each(Bite::mark);
        if let Some(onlooker) = &self.onlooker {
            onlooker.delivered(self.from, self.to, &parcel.message);
        }
    }

    /// The parcel could not be handed over: nobody listens there now.
    pub(crate) fn undeliverable(&self) {
        add(&self.counters.undeliverable);
    }

    /// Bytes came in that are no message; the stream they came on is closed.
    pub(crate) fn unreadable(&self) {
        add(&self.counters.unreadable);
    }

    /// What happened on this link so far.
    pub(crate) fn traffic(&self) -> Traffic {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            from: self.from,
            to: self.to,
            offered: load(&self.counters.offered),
            delivered: load(&self.counters.delivered),
            dropped: load(&self.counters.dropped),
            undeliverable: load(&self.counters.undeliverable),
            overflowed: load(&self.counters.overflowed),
            unreadable: load(&self.counters.unreadable),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened to the messages of one direction of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The sender.
    pub from: Endpoint,
    /// The receiver.
    pub to: Endpoint,
    /// Messages that the sender gave to the link.
    pub offered: u64,
    /// Messages that reached the receiver, copies included.
    pub delivered: u64,
    /// Messages that a fault, a rule or the weather took away.
    pub dropped: u64,
    /// Messages that nobody was there to take.
    pub undeliverable: u64,
    /// Messages beyond what one link keeps waiting.
    pub overflowed: u64,
    /// Streams that had to be closed, and posts refused, because what came was no message.
    pub unreadable: u64,
}

/// A message at the end of its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// What to hand over.
    pub(crate) message: Bytes,
    /// What was done to it.
    bites: Vec<Bite>,
    /// A rule has decided about it: no fault may touch it.
    free: bool,
}

#[derive(Debug, Default)]
struct Counters {
    offered: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    undeliverable: AtomicU64,
    overflowed: AtomicU64,
    unreadable: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The messages that wait on a link, by when they are due.
#[derive(Debug)]
struct Queue {
    waiting: BinaryHeap<Waiting>,
    /// What a rule holds back until a moment comes, or until all is healed; in order of arrival.
    held: Vec<(Option<MomentId>, Bytes)>,
    /// Every message that keeps its place is due after this: the last such message's time.
    in_order: Instant,
    /// The place of the next message.
    next: u64,
    /// The highest place that has left so far.
    left: Option<u64>,
}

enum Popped {
    Due(Parcel),
    NotBefore(Instant),
    Empty,
}

impl Queue {
    fn new(now: Instant) -> Self {
        Self { waiting: BinaryHeap::new(), held: Vec::new(), in_order: now, next: 0, left: None }
    }

    /// Takes a message in; how many did not fit, copies counted.
    fn push(&mut self, now: Instant, message: &Bytes, passage: Passage) -> u64 {
        let mut due = (now + passage.delay).max(self.in_order);
        if passage.held_by.is_empty() {
            self.in_order = due;
        } else {
            due += passage.hold;
        }
        // The weather lets messages pass each other, and holds nobody up.
        due += passage.journey;
        let mut bites = passage.delayed_by;
        bites.extend(passage.corrupt.into_iter().map(|(_, bite)| bite));
        // The original first: among equals in time it is not to fall behind its copies.
        let mut overflow = self.put(due, message.clone(), bites, passage.held_by);
        for (distance, bite) in passage.copies {
            overflow += self.put(due + distance, message.clone(), vec![bite], Vec::new());
        }
        overflow
    }

    fn put(&mut self, due: Instant, message: Bytes, bites: Vec<Bite>, held_by: Vec<Bite>) -> u64 {
        self.add(due, Parcel { message, bites, free: false }, held_by)
    }

    /// Takes in a message that a rule has decided about.
    fn put_free(&mut self, due: Instant, message: Bytes) -> u64 {
        self.add(due, Parcel { message, bites: Vec::new(), free: true }, Vec::new())
    }

    /// Takes in a message that a rule holds back.
    fn hold(&mut self, until: Option<MomentId>, message: Bytes) -> u64 {
        if self.held.len() >= WAITING_MAX {
            return 1;
        }
        self.held.push((until, message));
        0
    }

    fn add(&mut self, due: Instant, parcel: Parcel, held_by: Vec<Bite>) -> u64 {
        if self.waiting.len() >= WAITING_MAX {
            return 1;
        }
        let place = self.next;
        self.next += 1;
        self.waiting.push(Waiting { due, place, held_by, parcel });
        0
    }

    fn pop(&mut self, now: Instant) -> Popped {
        match self.waiting.peek() {
            None => return Popped::Empty,
            Some(first) if first.due > now => return Popped::NotBefore(first.due),
            Some(_) => {}
        }
        let Some(Waiting { place, held_by, mut parcel, .. }) = self.waiting.pop() else {
            return Popped::Empty;
        };
        if self.left > Some(place) {
            parcel.bites.extend(held_by);
        }
        self.left = self.left.max(Some(place));
        Popped::Due(parcel)
    }
}

#[derive(Debug)]
struct Waiting {
    due: Instant,
    place: u64,
    /// The faults that hold it back; they bite if a later message has left before it.
    held_by: Vec<Bite>,
    parcel: Parcel,
}

/// The earliest is the greatest, as the heap wants it; among equals in time the first that came.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        (other.due, other.place).cmp(&(self.due, self.place))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::time::{advance, timeout};

    use super::super::rules::{Harm, NetworkRule};
    use super::*;

    const FROM: Endpoint = Endpoint::Node(0);
    const TO: Endpoint = Endpoint::Node(1);

    fn link() -> Link {
        Link::new(FROM, TO, Arc::new(Rules::new(3)), None, |message, _| message.clone())
    }

    fn some(per_mille: u16, harm: Harm) -> NetworkRule {
        NetworkRule::Some { ends: BTreeSet::from([TO]), per_mille, harm }
    }

    fn offer(link: &Link, numbers: impl IntoIterator<Item = u8>) {
        for number in numbers {
            link.offer("QUERY", Bytes::copy_from_slice(&[number]));
        }
    }

    /// All that comes out until nothing has come for long. Time passes only while everybody waits.
    async fn drain(link: &Link) -> Vec<u8> {
        let mut out = Vec::new();
        while let Ok(parcel) = timeout(Duration::from_mins(1), link.next()).await {
            link.delivered(&parcel);
            out.push(parcel.message[0]);
        }
        out
    }

    #[tokio::test(start_paused = true)]
    async fn delayed_messages_keep_their_order() {
        let link = link();
        link.rules.begin(1, NetworkRule::Delay { ends: [TO].into(), min_ms: 1, max_ms: 500 });
        offer(&link, 0..50);
        assert_eq!(drain(&link).await, (0..50).collect::<Vec<u8>>());
        assert_eq!(link.rules.end(1), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_after_the_delay_does_not_pass_those_that_are_delayed() {
        let link = link();
        link.rules.begin(1, NetworkRule::Delay { ends: [TO].into(), min_ms: 100, max_ms: 100 });
        offer(&link, 0..3);
        link.rules.end(1);
        offer(&link, 3..5);
        assert_eq!(drain(&link).await, [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn held_back_messages_are_overtaken_and_only_those_that_were_count() {
        let link = link();
        link.rules.begin(1, some(300, Harm::HoldBack(50)));
        offer(&link, 0..100);
        let out = drain(&link).await;
        let sorted: BTreeSet<u8> = out.iter().copied().collect();
        assert_eq!(sorted.len(), 100, "none is lost");
        let overtaken = (0..out.len())
            .filter(|place| out[..*place].iter().any(|before| *before > out[*place]))
            .count();
        assert!(overtaken > 10, "{overtaken}");
        assert_eq!(link.rules.end(1), u64::try_from(overtaken).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_held_back_but_not_overtaken_is_no_bite() {
        let link = link();
        link.rules.begin(1, some(1_000, Harm::HoldBack(50)));
        offer(&link, [7]);
        assert_eq!(drain(&link).await, [7]);
        assert_eq!(link.rules.end(1), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_comes_after_its_original() {
        let link = link();
        link.rules.begin(1, some(1_000, Harm::Duplicate(30)));
        offer(&link, 0..20);
        let out = drain(&link).await;
        assert_eq!(out.len(), 40);
        let originals: Vec<u8> = (0..20).collect();
        let mut seen = BTreeSet::new();
        let firsts: Vec<u8> = out.into_iter().filter(|number| seen.insert(*number)).collect();
        assert_eq!(firsts, originals);
        assert_eq!(link.rules.end(1), 20);
        assert_eq!((link.traffic().offered, link.traffic().delivered), (20, 40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_would_arrive_during_a_partition_is_lost_with_it() {
        let link = link();
        link.rules.begin(1, NetworkRule::Delay { ends: [TO].into(), min_ms: 100, max_ms: 100 });
        offer(&link, [1]);
        advance(Duration::from_millis(50)).await;
        link.rules.begin(2, NetworkRule::Cut([(TO, [FROM].into())].into()));
        assert!(drain(&link).await.is_empty());
        assert_eq!((link.rules.end(1), link.rules.end(2)), (0, 1));
        assert_eq!(link.traffic().dropped, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_arrives_after_a_partition_has_survived_it() {
        let link = link();
        link.rules.begin(1, NetworkRule::Delay { ends: [TO].into(), min_ms: 100, max_ms: 100 });
        offer(&link, [1]);
        link.rules.begin(2, NetworkRule::Cut([(TO, [FROM].into())].into()));
        advance(Duration::from_millis(50)).await;
        assert_eq!(link.rules.end(2), 0);
        assert_eq!(drain(&link).await, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_counted() {
        let link = link();
        for _ in 0..WAITING_MAX + 5 {
            offer(&link, [0]);
        }
        assert_eq!(link.traffic().overflowed, 5);
        assert_eq!(drain(&link).await.len(), WAITING_MAX);
    }
}
