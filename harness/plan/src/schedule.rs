//! Which faults come when.
//!
//! ```text
//!          lead-in   first round: every class has its turn   quiet   rounds drawn at random      quiet
//! partition        ▓▓▓▓▓▓     ▓▓▓▓▓▓▓▓                              ▓▓▓▓▓▓▓▓    ▓▓▓▓▓▓
//! messages         ▓▓▓▓▓ ▓▓▓▓ ▓▓▓▓▓▓ ▓▓▓▓▓ ▓▓▓                         ▓▓▓▓▓ ▓▓▓▓▓▓
//! disks            ▓▓▓▓▓▓ ▓▓▓▓▓▓ ▓▓▓▓▓▓▓ ▓▓▓▓                       ▓▓▓▓▓▓▓
//! processes        ▓▓▓▓▓▓▓▓  ▓▓▓▓▓▓▓▓▓  ▓▓▓▓▓                                  ▓▓▓▓▓▓▓▓
//! clocks, liars    ▓▓▓▓▓▓▓▓▓▓▓   ▓▓▓▓▓▓▓▓▓▓▓▓                       ▓▓▓▓▓▓▓▓
//! ```
//!
//! Classes that must not overlap each other share a lane; lanes overlap freely.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::draw::Drawer;
use crate::seed::{Seed, Stream};
use crate::{Bearing, FaultClass, FaultsError, PlannedFault};

/// What a schedule of faults is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRequest {
    /// The seed of the run.
    pub seed: u64,
    /// Which classes are wanted: each has a turn within the first 60 % of the time limit (if that is long
    /// enough for all of them), and possibly more later.
    pub classes: Vec<FaultClass>,
    /// How many nodes there are.
    pub nodes: u16,
    /// How many clients there are.
    pub clients: u32,
    /// When all faults are over, in milliseconds after the first operation.
    pub time_limit_ms: u64,
    /// How many nodes may lie: the same ones through the whole run.
    pub liars: u16,
    /// How they may lie: some of [`crate::LIES`].
    pub lies: Vec<String>,
    /// How clients may lie: some of [`crate::CLIENT_LIES`]; none where they are believed.
    pub client_lies: Vec<String>,
    /// By how many millionths clocks may go too fast or too slow, and then they do not jump; absent where
    /// they may show what they like.
    pub drift_ppm: Option<u32>,
    /// In how many nodes processes may end, where nodes keep their memory in themselves: the same ones through the
    /// whole run; absent where they may end in any.
    pub memory: Option<u16>,
    /// The options that the system can change to while it runs, one after the other; none where it cannot.
    pub changes: Vec<BTreeMap<String, String>>,
    /// Whether about half of the kills and power losses come in the middle of a step: only where the world
    /// can carry out part of a step, which the simulated one can. Nothing else depends on it.
    pub mid_step: bool,
}

impl FaultRequest {
    /// What the system bears.
    const fn bearing(&self) -> Bearing {
        Bearing {
            liars: self.liars,
            lying_clients: !self.client_lies.is_empty(),
            drift_ppm: self.drift_ppm,
            memory: self.memory,
            is_changing: !self.changes.is_empty(),
        }
    }

    /// How many nodes may be down at once: a minority, but at least one.
    pub(crate) fn down_max(&self) -> u16 {
        (self.nodes.saturating_sub(1) / 2).max(1)
    }
}

/// Draws the faults of a run: a pure function of the request. In order of their times.
///
/// At most a minority of the nodes is down (killed, without power, paused, or with a bad disk) at once,
/// except that now and then all of them are killed for a moment, which a durable system survives. Where nodes keep
/// their memory in themselves, processes end in as many nodes only as may forget, and in all of these now and then.
pub fn faults(request: &FaultRequest) -> Result<Vec<PlannedFault>, FaultsError> {
    let bearing = request.bearing();
    request.classes.iter().try_for_each(|class| bearing.check(*class))?;
    if request.classes.contains(&FaultClass::Byzantine) && request.lies.is_empty() {
        return Err(FaultsError::NoLies { class: FaultClass::Byzantine });
    }
    if request.classes.is_empty() {
        return Ok(Vec::new());
    }
    if request.nodes == 0 {
        return Err(FaultsError::NoNodes);
    }
    let swarm = Swarm::draw(request);
    let timetable = Timetable::new(request, &swarm);
    timetable.check_room()?;
    let turns = timetable.turns();
    Ok(Drawer::new(request, &swarm).fill(&turns))
}

/// A class's turn: what exactly happens is drawn later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) at_ms: u64,
    pub(crate) for_ms: u64,
    pub(crate) class: FaultClass,
}

impl Turn {
    pub(crate) const fn end_ms(&self) -> u64 {
        self.at_ms + self.for_ms
    }

    pub(crate) const fn overlaps(&self, other: &Self) -> bool {
        self.at_ms < other.end_ms() && other.at_ms < self.end_ms()
    }
}

/// What a run is like as a whole, drawn before anything else: runs that differ in kind find more than runs
/// that are all the same mixture (Groce et al., "Swarm Testing", 2012).
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    /// How often a class comes again, against the others of its lane.
    weights: BTreeMap<FaultClass, u32>,
    /// How likely a lane takes part in a round.
    join_percent: u32,
    /// Long or short faults.
    pace_percent: u64,
    /// How strong message faults are.
    pub(crate) strength: Strength,
}

/// How much of the traffic a message fault hits, and how hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    Mild,
    Middling,
    Harsh,
}

impl Swarm {
    fn draw(request: &FaultRequest) -> Self {
        let mut rng = Seed(request.seed).stream(Stream::Swarm);
        let strength = match rng.random_range(0..3_u32) {
            0 => Strength::Mild,
            1 => Strength::Middling,
            _ => Strength::Harsh,
        };
        Self {
            strength,
            join_percent: rng.random_range(40..=90),
            pace_percent: rng.random_range(80..=120),
            // Drawn for every class, so that asking for one more does not change the others.
            weights: FaultClass::ALL
                .iter()
                .map(|class| (*class, rng.random_range(1..=4)))
                .collect(),
        }
    }

    fn choose(&self, lane: &[FaultClass], rng: &mut impl Rng) -> Option<FaultClass> {
        let weight = |class: &FaultClass| self.weights.get(class).copied().unwrap_or(1);
        let mut ticket = rng.random_range(0..lane.iter().map(weight).sum::<u32>().max(1));
        lane.iter().copied().find(|class| match ticket.checked_sub(weight(class)) {
            Some(rest) => {
                ticket = rest;
                false
            }
            None => true,
        })
    }
}

/// Draws the turns.
struct Timetable<'a> {
    request: &'a FaultRequest,
    swarm: &'a Swarm,
    lanes: Vec<Vec<FaultClass>>,
    /// What stands for a second: less in short runs, more in very long ones.
    second_ms: u64,
    rng: ChaCha8Rng,
}

/// When the first round begins and ends at the latest, and when the last fault ends.
struct Frame {
    lead: u64,
    first_round_end: u64,
    end: u64,
}

/// A run of more than this many of its own seconds gets longer faults rather than more of them.
const SECONDS_MAX: u64 = 600;
/// A run of fewer seconds than this gets shorter faults.
const SECONDS_MIN: u64 = 15;
/// Below this, killing a node and starting it again takes longer than the fault.
const SLOT_MIN_MS: u64 = 700;

impl<'a> Timetable<'a> {
    fn new(request: &'a FaultRequest, swarm: &'a Swarm) -> Self {
        let limit = request.time_limit_ms;
        Self {
            request,
            swarm,
            lanes: lanes(request),
            second_ms: second_ms(limit),
            rng: Seed(request.seed).stream(Stream::FaultTimes),
        }
    }

    /// The classes of each lane have their turns one after the other, a millisecond each at least.
    fn check_room(&self) -> Result<(), FaultsError> {
        let asked = self.request.time_limit_ms;
        let needed = self.longest_lane();
        let has_room = |limit: &u64| {
            let Frame { lead, first_round_end, .. } = self.frame(*limit);
            first_round_end - lead >= needed
        };
        if has_room(&asked) {
            return Ok(());
        }
        let at_least_ms = (asked..u64::MAX).find(has_room).expect("there is room in some time");
        let classes = self.request.classes.len();
        Err(FaultsError::TooShort { time_limit_ms: asked, classes, at_least_ms })
    }

    /// How many classes the lane with the most has.
    fn longest_lane(&self) -> u64 {
        self.lanes.iter().map(Vec::len).max().unwrap_or(0) as u64
    }

    /// The frame of a run with this time limit.
    fn frame(&self, limit: u64) -> Frame {
        let second_ms = second_ms(limit);
        // Operations before the first fault and after the last are what faults are compared with.
        let lead = limit.min(second_ms.max(1_000).min(limit / 5));
        let end = limit - second_ms.max(1_000).min(limit / 10);
        let classes = self.longest_lane();
        // Long enough for the lane with the most classes, within the first 60 % if that will do.
        let early = (limit * 3 / 5).max(lead + classes * SLOT_MIN_MS);
        let first_round_end = end.min(early).min(lead + classes * 6 * second_ms).max(lead);
        Frame { lead, first_round_end, end }
    }

    fn turns(mut self) -> Vec<Turn> {
        let Frame { lead, first_round_end, end } = self.frame(self.request.time_limit_ms);
        let lanes = self.lanes.clone();
        let mut turns = Vec::new();

        let mut now = first_round_end;
        for lane in &lanes {
            let mut due = lane.clone();
            due.shuffle(&mut self.rng);
            // Where there is time, lanes begin one after the other.
            let room = (now - lead) / (lane.len() as u64 + 1);
            let from = lead + self.tenths(0..=12).min(room / 4);
            // Each has its turn, however short.
            let from = from.min(now - lane.len() as u64);
            self.fill(lane, due, from, now, &mut turns);
        }
        while now + 4 * self.second_ms < end {
            let from = now + self.tenths(7..=15);
            let to = end.min(from + self.tenths(50..=120));
            // A rest that is too short for a round belongs to this one.
            let to = if end - to < 6 * self.second_ms { end } else { to };
            for lane in &self.joining(&lanes) {
                let from = from + self.tenths(0..=20);
                self.fill(lane, Vec::new(), from, to, &mut turns);
            }
            now = to;
        }
        turns.sort_by_key(|turn| turn.at_ms);
        turns
    }

    /// The lanes of one round: at least one.
    fn joining(&mut self, lanes: &[Vec<FaultClass>]) -> Vec<Vec<FaultClass>> {
        let mut joining = lanes.to_vec();
        let percent = self.swarm.join_percent;
        joining.retain(|_| self.rng.random_ratio(percent, 100));
        if joining.is_empty() {
            let lucky = self.rng.random_range(0..lanes.len() as u64);
            joining.extend(usize::try_from(lucky).ok().and_then(|lucky| lanes.get(lucky).cloned()));
        }
        joining
    }

    /// Puts turns of one lane, first those that are due, one after the other between two times.
    fn fill(
        &mut self,
        lane: &[FaultClass],
        mut due: Vec<FaultClass>,
        from: u64,
        to: u64,
        turns: &mut Vec<Turn>,
    ) {
        let mut now = from;
        loop {
            let room = to.saturating_sub(now);
            let shares = (due.len() as u64).max(1);
            let lasts = self.tenths(20..=60) * self.swarm.pace_percent / 100;
            let pause = self.tenths(5..=20);
            let class = match due.pop() {
                Some(class) => Some(class),
                None if room < 2 * self.second_ms || room == 0 => None,
                None => self.swarm.choose(lane, &mut self.rng),
            };
            let Some(class) = class else { return };
            // What does not fit is made to: three parts fault, one part quiet.
            let slot = (lasts + pause).min(room / shares);
            let for_ms = lasts.min(slot * 3 / 4).max(1);
            turns.push(Turn { at_ms: now, for_ms, class });
            now += slot.max(1);
        }
    }

    /// A span, drawn in tenths of what stands for a second.
    fn tenths(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.rng.random_range(range) * self.second_ms / 10
    }
}

/// What stands for a second in a run of this length.
fn second_ms(limit: u64) -> u64 {
    (limit / SECONDS_MIN).clamp(1, 1_000).max(limit / SECONDS_MAX)
}

/// The classes asked for, those in one lane that must not overlap each other.
fn lanes(request: &FaultRequest) -> Vec<Vec<FaultClass>> {
    let disks =
        [FaultClass::DiskFull, FaultClass::IoError, FaultClass::FlippedBit, FaultClass::CutTail];
    let processes = [FaultClass::Kill, FaultClass::PowerLoss, FaultClass::Pause];
    let messages = [
        FaultClass::Delay,
        FaultClass::Loss,
        FaultClass::Duplicate,
        FaultClass::Reorder,
        FaultClass::Corrupt,
    ];
    let mut lanes = vec![
        vec![FaultClass::Partition],
        messages.to_vec(),
        disks.to_vec(),
        processes.to_vec(),
        vec![FaultClass::Clock, FaultClass::Byzantine],
        vec![FaultClass::Reconfigure],
        vec![FaultClass::ByzantineClients],
    ];
    if request.down_max() == 1 {
        // Only one node may be down at once, for whatever reason.
        let processes = lanes.remove(3);
        lanes.iter_mut().filter(|lane| lane.contains(&FaultClass::IoError)).for_each(|lane| {
            lane.extend(&processes);
        });
    }
    let asked: BTreeSet<FaultClass> = request.classes.iter().copied().collect();
    for lane in &mut lanes {
        lane.retain(|class| asked.contains(class));
    }
    lanes.retain(|lane| !lane.is_empty());
    lanes
}
