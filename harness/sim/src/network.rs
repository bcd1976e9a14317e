//! Messages under way: what the weather, faults and rules make of them.

use std::collections::BTreeSet;

use quorate_plan::{Delay, Endpoint, Fault, Plan, Rule, TraceStep, Weather};
use quorate_systems::contract::{ClientId, Describe, Identify, Incarnation, NodeId};
use quorate_systems::wire::{self, Envelope};
use quorate_world::invariants::{Watched, Who};
use quorate_world::matching::MessagePattern;
use quorate_world::moments::{MomentId, Moments};
use quorate_world::rules::{Decision, Rules};
use quorate_world::weather::{self, Purpose};

use crate::event::Event;
use crate::milestones;
use crate::queue::Queue;
use crate::repeats::{Repeats, window};
use crate::tape;
use crate::witness::{Witness, endpoint};

/// A message on its way.
pub(crate) struct Flight<M> {
    pub(crate) from: Who,
    pub(crate) to: Who,
    /// When it was sent.
    pub(crate) at: u64,
    pub(crate) message: M,
}

pub(crate) struct Network<S: Watched> {
    nodes: u32,
    ends: u32,
    flights: Vec<Option<Flight<S::Message>>>,
    free: Vec<u32>,
    weather: Weather,
    fates: Purpose,
    faults_purpose: Purpose,
    ranks: Ranks,
    repeats: Repeats,
    /// Faults of links that are in force.
    faults: Vec<LinkFault>,
    rules: Rules,
    has_rules: bool,
    /// Nothing but the delay of a message has to be drawn.
    is_plain: bool,
    /// What becomes of each message is recorded.
    is_taped: bool,
    /// Held back, until a moment or the healing.
    held: Vec<(Option<MomentId>, u32)>,
    /// How many messages were let go because all was healed, and not because what they waited for had happened.
    held_in_vain: u64,
    trace: Option<Trace>,
    pub(crate) sent: u64,
}

/// A fault of links, ready to be asked about every message.
struct LinkFault {
    /// Its place in the plan.
    fault: u32,
    harm: Harm,
    bites: u64,
}

enum Harm {
    /// Whether messages are dropped, by sender and receiver.
    Cut(Vec<bool>),
    /// What is done to messages of these ends.
    At { ends: Vec<bool>, what: AtEnds },
}

#[derive(Clone, Copy)]
enum AtEnds {
    Delay { min_us: u64, max_us: u64 },
    Lose { per_mille: u16 },
    Duplicate { per_mille: u16, within_us: u64 },
    Reorder { per_mille: u16, within_us: u64 },
    Corrupt { per_mille: u16 },
}

/// What becomes of one message.
#[derive(Clone, Copy, Default)]
struct Fate {
    delay: u64,
    copy_after: Option<u64>,
    corrupt: bool,
    lost: bool,
}

impl<S: Watched> Network<S> {
    pub(crate) fn new() -> Self {
        Self {
            nodes: 0,
            ends: 0,
            flights: Vec::new(),
            free: Vec::new(),
            weather: Weather::CALM,
            fates: Purpose::new(0, "fate"),
            faults_purpose: Purpose::new(0, "fault of links"),
            ranks: Ranks::default(),
            repeats: Repeats::new(),
            faults: Vec::new(),
            rules: Rules::new(&[], &mut Moments::new()),
            has_rules: false,
            is_plain: false,
            is_taped: false,
            held: Vec::new(),
            held_in_vain: 0,
            trace: None,
            sent: 0,
        }
    }

    /// Begins a run. `clients` counts the administrator.
    pub(crate) fn reset(
        &mut self,
        plan: &Plan,
        clients: u32,
        moments: &mut Moments,
        is_taped: bool,
    ) {
        self.is_taped = is_taped;
        self.nodes = u32::from(plan.system.nodes);
        self.ends = self.nodes + clients;
        self.flights.clear();
        self.free.clear();
        self.weather = plan.weather.unwrap_or_default();
        self.fates = Purpose::new(plan.seed, "fate");
        self.faults_purpose = Purpose::new(plan.seed, "fault of links");
        self.ranks.reset(plan, self.weather.delay);
        self.repeats.reset();
        self.faults.clear();
        let rules: &[Rule] = &plan.rules;
        self.has_rules = !rules.is_empty();
        if self.has_rules || !self.rules.is_empty() {
            self.rules = Rules::new(rules, moments);
        }
        self.held.clear();
        self.held_in_vain = 0;
        self.trace = (!plan.trace.is_empty()).then(|| Trace::new(plan));
        self.sent = 0;
        self.find_out_plainness();
    }

    /// A message leaves its sender: it is lost, or a delivery is planned, or two.
    #[inline]
    pub(crate) fn send(
        &mut self,
        now: u64,
        queue: &mut Queue,
        witness: &mut Witness<S>,
        flight: Flight<S::Message>,
    ) {
        self.sent += 1;
        if self.is_plain {
            witness.sent(now, flight.from, flight.to, &flight.message);
            let draw = self.draw(now, &flight);
            let delay = weather::delay_us(&self.weather.delay, draw, 0);
            return self.deliver_at(now + delay, queue, flight);
        }
        self.send_through(now, queue, witness, flight);
    }

    /// As [`Self::send`], where there are rules, faults of links, a trace, or bad weather.
    fn send_through(
        &mut self,
        now: u64,
        queue: &mut Queue,
        witness: &mut Witness<S>,
        flight: Flight<S::Message>,
    ) {
        let (from, to) = (flight.from, flight.to);
        // A rule until a message still applies to it.
        let decision = if self.has_rules {
            let (from, to) = (endpoint(from), endpoint(to));
            self.rules.decide(&witness.moments, from, to, &flight.message)
        } else {
            None
        };
        witness.sent(now, from, to, &flight.message);
        if let Some((_, decision)) = decision {
            return self.obey(now, queue, witness, decision, flight);
        }
        let fate = match &mut self.trace {
            Some(trace) => trace.fate(now, &flight, weather::shortest_us(&self.weather.delay)),
            None => self.draw_fate(now, &flight),
        };
        if fate.lost {
            return witness.fated(tape::Fate::Lost, None);
        }
        if fate.corrupt {
            witness.mark(milestones::CORRUPTED);
            witness.fated(tape::Fate::Corrupted, None);
            if let Some(flight) = corrupted::<S>(&flight, fate.delay) {
                self.deliver_at(now + fate.delay, queue, flight);
            }
            return;
        }
        let copy = fate.copy_after.map(|after| now + fate.delay + after);
        witness.fated(tape::Fate::Travels, [now + fate.delay].into_iter().chain(copy));
        if let Some(after) = fate.copy_after {
            witness.mark(milestones::DUPLICATED);
            let copy = Flight { from, to, at: flight.at, message: flight.message.clone() };
            self.deliver_at(now + fate.delay + after, queue, copy);
        }
        self.deliver_at(now + fate.delay, queue, flight);
    }

    /// The number that a message's fate is drawn from: by what it is, and how often it was sent before.
    #[inline]
    fn draw(&mut self, now: u64, flight: &Flight<S::Message>) -> u64 {
        let (from, to) = (self.place(flight.from), self.place(flight.to));
        let link = u64::from(from) << 32 | u64::from(to);
        let key = self.fates.draw([link ^ flight.message.identity()]);
        let count = self.repeats.count(key) << 32 | window(now);
        if count == 0 { key } else { Purpose::of(key).draw([count]) }
    }

    /// Whether nothing but the delay has to be drawn: looked at again whenever something changes.
    fn find_out_plainness(&mut self) {
        self.is_plain = !self.is_taped
            && !self.has_rules
            && self.faults.is_empty()
            && self.trace.is_none()
            && self.weather.loss_per_mille == 0
            && self.weather.duplicate_per_mille == 0
            && !matches!(self.weather.delay, Delay::Priorities { .. });
    }

    /// What weather and faults make of a message, drawn from what it is.
    #[inline]
    fn draw_fate(&mut self, now: u64, flight: &Flight<S::Message>) -> Fate {
        let (from, to) = (self.place(flight.from), self.place(flight.to));
        let draw = self.draw(now, flight);
        let mut fate = Fate::default();
        let link_draw = self.ranks.draw(now, from, to);
        fate.delay = weather::delay_us(&self.weather.delay, draw, link_draw);
        if self.weather.loss_per_mille > 0 {
            fate.lost = chance(draw, 1, self.weather.loss_per_mille);
        }
        if self.weather.duplicate_per_mille > 0 && !fate.lost {
            let again = chance(draw, 2, self.weather.duplicate_per_mille);
            fate.copy_after = again.then(|| Purpose::of(draw).draw([3]) % (4 * fate.delay + 1));
        }
        for fault in &mut self.faults {
            let draw = self.faults_purpose.draw([u64::from(fault.fault), draw]);
            fault.apply(self.ends, from, to, draw, &mut fate);
        }
        fate
    }

    fn obey(
        &mut self,
        now: u64,
        queue: &mut Queue,
        witness: &mut Witness<S>,
        decision: Decision,
        flight: Flight<S::Message>,
    ) {
        match decision {
            Decision::Drop => witness.fated(tape::Fate::Lost, None),
            Decision::Delay { us } => {
                witness.fated(tape::Fate::Travels, [now + us]);
                self.deliver_at(now + us, queue, flight);
            }
            Decision::Duplicate { after_us } => {
                let (from, to) = (flight.from, flight.to);
                let copy = Flight { from, to, at: flight.at, message: flight.message.clone() };
                let usual = now + self.usual_delay(now, &flight);
                witness.fated(tape::Fate::Travels, [usual, usual + after_us]);
                self.deliver_at(usual, queue, flight);
                self.deliver_at(usual + after_us, queue, copy);
            }
            Decision::Corrupt => {
                witness.fated(tape::Fate::Corrupted, None);
                if let Some(flight) = corrupted::<S>(&flight, 0) {
                    let usual = now + self.usual_delay(now, &flight);
                    self.deliver_at(usual, queue, flight);
                }
            }
            Decision::Hold { until } => {
                witness.fated(tape::Fate::Held, None);
                let slot = self.park(flight);
                self.held.push((until, slot));
            }
        }
    }

    fn usual_delay(&mut self, now: u64, flight: &Flight<S::Message>) -> u64 {
        let (from, to) = (self.place(flight.from), self.place(flight.to));
        let draw = self.draw(now, flight);
        let link_draw = self.ranks.draw(now, from, to);
        weather::delay_us(&self.weather.delay, draw, link_draw)
    }

    #[inline]
    fn deliver_at(&mut self, at: u64, queue: &mut Queue, flight: Flight<S::Message>) {
        let slot = self.park(flight);
        queue.push(at, Event::Deliver(slot));
    }

    /// Keeps a message; its place.
    #[inline]
    pub(crate) fn park(&mut self, flight: Flight<S::Message>) -> u32 {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.flights.get_mut(slot as usize)
        {
            *place = Some(flight);
            return slot;
        }
        self.flights.push(Some(flight));
        u32::try_from(self.flights.len() - 1).expect("fewer messages than that are under way")
    }

    /// Takes a message out that was kept.
    #[inline]
    pub(crate) fn unpark(&mut self, slot: u32) -> Option<Flight<S::Message>> {
        self.free.push(slot);
        self.flights.get_mut(slot as usize).and_then(Option::take)
    }

    /// Takes a flight out as it arrives; nothing where its link is cut by now.
    #[inline]
    pub(crate) fn land(&mut self, slot: u32) -> Option<Flight<S::Message>> {
        let flight = self.unpark(slot).expect("what is delivered is under way");
        if self.faults.is_empty() {
            return Some(flight);
        }
        let (from, to) = (self.place(flight.from), self.place(flight.to));
        let ends = self.ends;
        let cut = self.faults.iter_mut().find(|fault| fault.cuts(ends, from, to));
        match cut {
            Some(fault) => {
                fault.bites += 1;
                None
            }
            None => Some(flight),
        }
    }

    /// A planned fault begins; false if it is none of links.
    pub(crate) fn begin(&mut self, place: u32, fault: &Fault) -> bool {
        let Some(harm) = self.harm(fault) else { return false };
        self.faults.push(LinkFault { fault: place, harm, bites: 0 });
        self.find_out_plainness();
        true
    }

    /// It ends; how often it bit.
    pub(crate) fn end(&mut self, place: u32) -> u64 {
        let index = self.faults.iter().position(|fault| fault.fault == place);
        let bites = index.map_or(0, |index| self.faults.remove(index).bites);
        self.find_out_plainness();
        bites
    }

    /// From here on a fault does not concern links among these ends.
    pub(crate) fn spare(&mut self, spared: &[Endpoint]) {
        let places: Vec<u32> = spared.iter().map(|end| self.place_of(*end)).collect();
        let ends = self.ends;
        for fault in &mut self.faults {
            fault.spare(ends, &places);
        }
    }

    /// Calm weather from here on.
    pub(crate) fn calm(&mut self) {
        self.weather.loss_per_mille = 0;
        self.weather.duplicate_per_mille = 0;
        if self.trace.is_none() {
            self.weather.delay = Delay::Constant { us: 1_000 };
        }
        self.has_rules = false;
        self.find_out_plainness();
    }

    /// Lets go what was held until this moment; all of it if there is none.
    pub(crate) fn release(&mut self, now: u64, queue: &mut Queue, moment: Option<MomentId>) {
        if moment.is_none() {
            let waiting = self.held.iter().filter(|(until, _)| until.is_some()).count();
            self.held_in_vain += waiting as u64;
        }
        let due = self.held.extract_if(.., |(until, _)| moment.is_none() || *until == moment);
        for (_, slot) in due {
            queue.push(now, Event::Deliver(slot));
        }
    }

    /// What the plan says of messages and no message had to do with, one sentence each.
    pub(crate) fn unused(&self) -> Vec<String> {
        let rules = (0..).zip(self.rules.applied()).filter(|(_, applied)| **applied == 0);
        let mut unused: Vec<String> = rules
            .map(|(place, _): (u32, _)| format!("rules[{place}] applied to no message"))
            .collect();
        if self.held_in_vain > 0 {
            unused
                .push(format!("{} messages were held for what did not happen", self.held_in_vain));
        }
        unused.extend(self.trace.iter().flat_map(Trace::unused));
        unused
    }

    fn harm(&self, fault: &Fault) -> Option<Harm> {
        let at = |ends: &BTreeSet<Endpoint>, what| Some(Harm::At { ends: self.mask(ends), what });
        match fault {
            Fault::Partition { grudge, .. } => {
                let mut cut = vec![false; (self.ends * self.ends) as usize];
                for (to, shunned) in grudge {
                    for from in shunned {
                        let index = self.place_of(*from) * self.ends + self.place_of(*to);
                        if let Some(link) = cut.get_mut(index as usize) {
                            *link = true;
                        }
                    }
                }
                Some(Harm::Cut(cut))
            }
            Fault::Delay { ends, min_ms, max_ms } => {
                at(ends, AtEnds::Delay { min_us: min_ms * 1_000, max_us: max_ms * 1_000 })
            }
            Fault::Loss { ends, per_mille } => at(ends, AtEnds::Lose { per_mille: *per_mille }),
            Fault::Duplicate { ends, per_mille, within_ms } => {
                at(ends, AtEnds::Duplicate { per_mille: *per_mille, within_us: within_ms * 1_000 })
            }
            Fault::Reorder { ends, per_mille, within_ms } => {
                at(ends, AtEnds::Reorder { per_mille: *per_mille, within_us: within_ms * 1_000 })
            }
            Fault::Corrupt { ends, per_mille } => {
                at(ends, AtEnds::Corrupt { per_mille: *per_mille })
            }
            Fault::Kill { .. }
            | Fault::PowerLoss { .. }
            | Fault::Pause { .. }
            | Fault::Clock { .. }
            | Fault::Disk { .. }
            | Fault::Byzantine { .. }
            | Fault::ByzantineClients { .. }
            | Fault::Reconfigure { .. } => None,
        }
    }

    fn mask(&self, ends: &BTreeSet<Endpoint>) -> Vec<bool> {
        let mut mask = vec![false; self.ends as usize];
        for end in ends {
            if let Some(bit) = mask.get_mut(self.place_of(*end) as usize) {
                *bit = true;
            }
        }
        mask
    }

    /// Nodes first, then clients.
    #[inline]
    fn place(&self, who: Who) -> u32 {
        match who {
            Who::Node(NodeId(node)) => u32::from(node),
            Who::Client(ClientId(client)) => self.nodes + client,
        }
    }

    fn place_of(&self, end: Endpoint) -> u32 {
        match end {
            Endpoint::Node(node) => u32::from(node),
            Endpoint::Client(client) => self.nodes + client,
        }
    }
}

#[inline]
fn chance(draw: u64, purpose: u64, per_mille: u16) -> bool {
    weather::chance_per_mille(Purpose::of(draw).draw([purpose]), per_mille)
}

impl LinkFault {
    #[inline]
    fn cuts(&self, ends: u32, from: u32, to: u32) -> bool {
        match &self.harm {
            Harm::Cut(cut) => cut.get((from * ends + to) as usize).copied().unwrap_or(false),
            Harm::At { .. } => false,
        }
    }

    fn apply(&mut self, all: u32, from: u32, to: u32, draw: u64, fate: &mut Fate) {
        let (ends, what) = match &self.harm {
            Harm::Cut(_) => {
                if self.cuts(all, from, to) {
                    fate.lost = true;
                    self.bites += 1;
                }
                return;
            }
            Harm::At { ends, what } => (ends, *what),
        };
        let at = |end: u32| ends.get(end as usize).copied().unwrap_or(false);
        if !(at(from) || at(to)) || fate.lost {
            return;
        }
        let happens = |per_mille| chance(draw, 1, per_mille);
        let within = |us: u64| weather::between(Purpose::of(draw).draw([2]), 0, us);
        let bitten = match what {
            AtEnds::Delay { min_us, max_us } => {
                let extra = weather::between(Purpose::of(draw).draw([2]), min_us, max_us);
                fate.delay += extra;
                extra > 0
            }
            AtEnds::Lose { per_mille } if happens(per_mille) => {
                fate.lost = true;
                true
            }
            AtEnds::Duplicate { per_mille, within_us } if happens(per_mille) => {
                fate.copy_after = Some(within(within_us));
                true
            }
            AtEnds::Reorder { per_mille, within_us } if happens(per_mille) => {
                fate.delay += within(within_us);
                true
            }
            AtEnds::Corrupt { per_mille } if happens(per_mille) => {
                fate.corrupt = true;
                true
            }
            AtEnds::Lose { .. }
            | AtEnds::Duplicate { .. }
            | AtEnds::Reorder { .. }
            | AtEnds::Corrupt { .. } => false,
        };
        self.bites += u64::from(bitten);
    }

    fn spare(&mut self, all: u32, spared: &[u32]) {
        match &mut self.harm {
            Harm::Cut(cut) => {
                for from in spared {
                    for to in spared {
                        if let Some(link) = cut.get_mut((from * all + to) as usize) {
                            *link = false;
                        }
                    }
                }
            }
            // Links between a spared end and another one stay as they are, by the other one.
            Harm::At { ends, .. } => {
                for end in spared {
                    if let Some(bit) = ends.get_mut(*end as usize) {
                        *bit = false;
                    }
                }
            }
        }
    }
}

/// The message with a bit of its frame flipped, if it can still be read: the checksum sees to it that it
/// cannot.
fn corrupted<S: Watched>(flight: &Flight<S::Message>, draw: u64) -> Option<Flight<S::Message>> {
    let vocabulary = S::vocabulary();
    let from = NodeId(0);
    let message = flight.message.clone();
    let envelope = Envelope { from, incarnation: Incarnation(1), message };
    let mut frame = wire::encode(vocabulary, &envelope).ok()?;
    let bit = weather::between(
        Purpose::of(draw).draw([flight.message.identity()]),
        0,
        frame.len() as u64 * 8 - 1,
    );
    if let Some(byte) = frame.get_mut(usize::try_from(bit / 8).ok()?) {
        *byte ^= 1 << (bit % 8);
    }
    let Envelope { message, .. } = wire::decode(vocabulary, &frame).ok()?;
    Some(Flight { from: flight.from, to: flight.to, at: flight.at, message })
}

/// The ranks of links, for delays that depend on them.
#[derive(Default)]
struct Ranks {
    purpose: Option<Purpose>,
    /// When one node's links change their ranks: the time and the node, in order.
    changes: Vec<(u64, u32)>,
    done: usize,
    /// How often each node's links have changed theirs.
    epochs: Vec<u64>,
}

impl Ranks {
    fn reset(&mut self, plan: &Plan, delay: Delay) {
        self.changes.clear();
        self.done = 0;
        self.epochs.clear();
        self.purpose = None;
        let Delay::Priorities { changes, .. } = delay else { return };
        let purpose = Purpose::new(plan.seed, "rank");
        self.purpose = Some(purpose);
        let nodes = u64::from(plan.system.nodes);
        self.epochs.resize(usize::from(plan.system.nodes), 0);
        for change in 0..u64::from(changes) {
            let limit = plan.durations.time_limit_ms * 1_000;
            let at = weather::between(purpose.draw([1, change]), 0, limit);
            let node = weather::between(purpose.draw([2, change]), 0, nodes - 1);
            self.changes.push((at, u32::try_from(node).expect("a node")));
        }
        self.changes.sort_unstable();
    }

    #[inline]
    fn draw(&mut self, now: u64, from: u32, to: u32) -> u64 {
        let Some(purpose) = self.purpose else { return 0 };
        while let Some((at, node)) = self.changes.get(self.done)
            && *at <= now
        {
            if let Some(epoch) = self.epochs.get_mut(*node as usize) {
                *epoch += 1;
            }
            self.done += 1;
        }
        let epoch = |end: u32| self.epochs.get(end as usize).copied().unwrap_or(0);
        purpose.draw([3, u64::from(from), u64::from(to), epoch(from) << 32 | epoch(to)])
    }
}

/// The deliveries that a plan spells out.
struct Trace {
    entries: Vec<TraceEntry>,
}

struct TraceEntry {
    /// Its place in the plan.
    place: usize,
    at_us: u64,
    is_lost: bool,
    what: MessagePattern,
    /// Only this one of those that match, counted from 1.
    nth: Option<u64>,
    /// How many messages have matched.
    matched: u64,
    taken: bool,
}

impl Trace {
    fn new(plan: &Plan) -> Self {
        let entries = plan.trace.iter().enumerate().filter_map(|(place, entry)| {
            let (is_lost, what) = match &entry.step {
                TraceStep::Deliver(what) => (false, what),
                TraceStep::Lose(what) => (true, what),
                TraceStep::Wake { .. } | TraceStep::Sync { .. } => return None,
            };
            Some(TraceEntry {
                place,
                at_us: entry.at_us,
                is_lost,
                what: MessagePattern::new(what),
                nth: what.nth,
                matched: 0,
                taken: false,
            })
        });
        Self { entries: entries.collect() }
    }

    fn unused(&self) -> impl Iterator<Item = String> {
        let unused = self.entries.iter().filter(|entry| !entry.taken);
        unused.map(|entry| format!("trace[{}] matched no message", entry.place))
    }

    /// What the first entry that matches says; a constant delay where none does.
    fn fate<M: Describe>(&mut self, now: u64, flight: &Flight<M>, usual: u64) -> Fate {
        let (from, to) = (endpoint(flight.from), endpoint(flight.to));
        let mut fate = None;
        // All of them count it, whoever takes it.
        for entry in self.entries.iter_mut().filter(|entry| !entry.taken) {
            if entry.takes(from, to, &flight.message) && fate.is_none() {
                entry.taken = true;
                let delay = entry.at_us.saturating_sub(now);
                fate = Some(Fate { delay, lost: entry.is_lost, ..Fate::default() });
            }
        }
        fate.unwrap_or(Fate { delay: usual, ..Fate::default() })
    }
}

impl TraceEntry {
    fn takes(&mut self, from: Endpoint, to: Endpoint, message: &impl Describe) -> bool {
        let matches = self.what.matches(from, to, message);
        self.matched += u64::from(matches);
        matches && self.nth.is_none_or(|nth| nth == self.matched)
    }
}
