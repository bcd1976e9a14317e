//! How each fault of a node begins and ends, and how it is seen to bite.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::future::join_all;
use quorate_plan::{Disk, Endpoint, Fault, RIGHT_RATE_PPM};
use quorate_systems::contract::Lie;
use tokio::time::Instant;

use super::machines::{Machines, Started};
use crate::cluster::Trouble;
use crate::protocol::{Control, DiskMode, EXIT_DISK_FAILED, Status};

/// What a fault has done to nodes, as far as its end must know of it.
#[derive(Debug)]
pub(super) enum Harm {
    /// These are gone.
    Down(BTreeSet<u16>),
    /// These are stopped.
    Paused(BTreeSet<u16>),
    /// Their clocks are wrong.
    Clocks(Vec<WrongClock>),
    /// The next write of this one is its last.
    BadDisk(u16, DiskMode),
    /// A bit of its disk is flipped, and it refused to start, or did not.
    Damaged { node: u16, refused: bool },
    /// These lie; how often and in which incarnation they had lied before.
    Liars(Vec<(u16, Option<u64>, u64)>),
}

/// What a node's clock showed, and when.
#[derive(Debug)]
pub(super) struct Reading {
    node: u16,
    incarnation: Option<u64>,
    at: Instant,
    clock_us: u64,
    /// How long it took to read, in microseconds.
    blur_us: u64,
}

/// A clock that was made wrong.
#[derive(Debug)]
pub(super) struct WrongClock {
    /// How it stood when it was still right.
    before: Reading,
    /// Whether it was seen to be wrong at once.
    jumped: bool,
}

/// A fault that is in force.
#[derive(Debug)]
pub(super) struct Begun {
    /// What it did.
    pub(super) harm: Harm,
    /// Whom it really hit.
    pub(super) hit: BTreeSet<u16>,
    /// What else is to be said of it.
    pub(super) remark: Option<String>,
}

impl Begun {
    fn plain(harm: Harm, hit: BTreeSet<u16>) -> Self {
        Self { harm, hit, remark: None }
    }

    /// Whom it really hit, as the history has it.
    pub(super) fn targets(&self) -> BTreeSet<Endpoint> {
        self.hit.iter().copied().map(Endpoint::Node).collect()
    }
}

/// Carries out `fault` on `nodes`, which are its to have. The reason if it cannot be done to any of them.
pub(super) async fn begin<M: Machines>(
    machines: &M,
    fault: &Fault,
    nodes: &BTreeSet<u16>,
) -> Result<Begun, String> {
    match fault {
        Fault::Kill { .. } => {
            let hit = on_each(nodes, |node| machines.kill(node)).await?;
            Ok(Begun::plain(Harm::Down(hit.clone()), hit))
        }
        Fault::PowerLoss { .. } => {
            let hit = on_each(nodes, |node| machines.lose_power(node)).await?;
            Ok(Begun::plain(Harm::Down(hit.clone()), hit))
        }
        Fault::Pause { .. } => {
            let hit = on_each(nodes, |node| machines.pause(node)).await?;
            Ok(Begun::plain(Harm::Paused(hit.clone()), hit))
        }
        Fault::Clock { offset_ms, rate_ppm, .. } => {
            set_clocks(machines, nodes, *offset_ms, *rate_ppm).await
        }
        Fault::Disk { disk, .. } => match nodes.first() {
            Some(node) => break_disk(machines, *node, *disk).await,
            None => Err("it names no node".to_owned()),
        },
        Fault::Byzantine { lie, .. } => {
            let lie = lie.parse().map_err(|()| format!("nobody knows the lie `{lie}`"))?;
            if lie == Lie::Twins {
                return Err("only the simulator runs two copies of one replica".to_owned());
            }
            make_liars(machines, nodes, lie).await
        }
        Fault::Reconfigure { .. }
        | Fault::ByzantineClients { .. }
        | Fault::Partition { .. }
        | Fault::Delay { .. }
        | Fault::Loss { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. } => Err("it is no fault of a node".to_owned()),
    }
}

/// Puts right what a fault did. How often it was seen to bite, and what did not go as it should.
pub(super) async fn end<M: Machines>(machines: &M, harm: Harm) -> (u64, Vec<Trouble>) {
    match harm {
        Harm::Down(nodes) => {
            // Their ends were seen.
            let bites = count(nodes.len());
            (
                bites,
                failures(nodes, |node| async move { machines.start_node(node).await.map(drop) })
                    .await,
            )
        }
        Harm::Paused(nodes) => {
            let bites = count(nodes.len());
            (bites, failures(nodes, |node| machines.resume(node)).await)
        }
        Harm::Clocks(readings) => right_clocks(machines, readings).await,
        Harm::BadDisk(node, mode) => mend_disk(machines, node, mode).await,
        Harm::Damaged { node, refused } => {
            let trouble = repair(machines, node).await.err();
            (u64::from(refused), trouble.into_iter().collect())
        }
        Harm::Liars(liars) => silence_liars(machines, liars).await,
    }
}

/// Whether the fault's work is to be waited for: a bad disk bites when the node writes.
pub(super) async fn bitten<M: Machines>(machines: &M, harm: &Harm) {
    if let Harm::BadDisk(node, _) = harm {
        machines.ended(*node).await;
    }
}

/// Does the same to several nodes at once: to which it could be done, or why to none.
async fn on_each<F>(nodes: &BTreeSet<u16>, act: impl Fn(u16) -> F) -> Result<BTreeSet<u16>, String>
where
    F: Future<Output = Result<(), Trouble>>,
{
    let results = join_all(nodes.iter().map(|node| act(*node))).await;
    let mut hit = BTreeSet::new();
    let mut reasons = Vec::new();
    for (node, result) in nodes.iter().zip(results) {
        match result {
            Ok(()) => {
                hit.insert(*node);
            }
            Err(trouble) => reasons.push(trouble.to_string()),
        }
    }
    if hit.is_empty() { Err(reasons.join(", ")) } else { Ok(hit) }
}

async fn set_clocks<M: Machines>(
    machines: &M,
    nodes: &BTreeSet<u16>,
    offset_ms: i64,
    rate_ppm: u32,
) -> Result<Begun, String> {
    let act = async |node| {
        let before = read_clock(machines, node).await?;
        let after = told(machines, node, machines.set_clock(node, offset_ms, rate_ppm)).await?;
        Ok::<_, Trouble>(WrongClock { jumped: deviates(&before, &after), before })
    };
    let results = join_all(nodes.iter().map(|node| act(*node))).await;
    let reasons: Vec<String> =
        results.iter().filter_map(|r| r.as_ref().err()).map(Trouble::to_string).collect();
    let clocks: Vec<WrongClock> = results.into_iter().filter_map(Result::ok).collect();
    if clocks.is_empty() {
        // It would be told at the next start; a fault that did not begin must not.
        right_all(machines, nodes).await;
        return Err(reasons.join(", "));
    }
    let hit = clocks.iter().map(|clock| clock.before.node).collect();
    Ok(Begun::plain(Harm::Clocks(clocks), hit))
}

async fn right_all<M: Machines>(machines: &M, nodes: &BTreeSet<u16>) {
    for node in nodes {
        // It is down: what matters is that it is not told again when it comes up.
        let _ = machines.set_clock(*node, 0, RIGHT_RATE_PPM).await;
    }
}

async fn read_clock<M: Machines>(machines: &M, node: u16) -> Result<Reading, Trouble> {
    told(machines, node, machines.order(node, Control::Status)).await
}

/// What a node's clock shows after an order.
async fn told<M: Machines>(
    machines: &M,
    node: u16,
    order: impl Future<Output = Result<Status, Trouble>>,
) -> Result<Reading, Trouble> {
    let at = Instant::now();
    let incarnation = machines.incarnation(node);
    let status = order.await?;
    let blur_us = micros(at.elapsed());
    Ok(Reading { node, incarnation, at, clock_us: status.clock_us, blur_us })
}

/// Compares what each clock has gone with the time that went by, and puts it right.
async fn right_clocks<M: Machines>(machines: &M, clocks: Vec<WrongClock>) -> (u64, Vec<Trouble>) {
    let nodes: BTreeSet<u16> = clocks.iter().map(|clock| clock.before.node).collect();
    let seen = join_all(clocks.into_iter().map(async |WrongClock { before, jumped }| {
        // A node that is down or stopped shows nothing; then there is no evidence.
        jumped || read_clock(machines, before.node).await.is_ok_and(|now| deviates(&before, &now))
    }));
    let bites = count(seen.await.into_iter().filter(|seen| *seen).count());
    let troubles = failures(nodes, |node| async move {
        machines.set_clock(node, 0, RIGHT_RATE_PPM).await.map(drop).or_else(will_be_right)
    })
    .await;
    (bites, troubles)
}

/// A node that is down comes up without faults of its own, and a stopped one obeys when it goes on.
fn will_be_right(trouble: Trouble) -> Result<(), Trouble> {
    match trouble {
        Trouble::Down { .. } | Trouble::Stopped { .. } => Ok(()),
        other => Err(other),
    }
}

fn deviates(before: &Reading, after: &Reading) -> bool {
    /// What two readings of a right clock may differ by beyond the time that reading takes.
    const NOISE_US: u64 = 2_000;
    let gone = after.clock_us.saturating_sub(before.clock_us);
    let true_time = micros(after.at.duration_since(before.at));
    let noise = before.blur_us + after.blur_us + NOISE_US;
    before.incarnation == after.incarnation && gone.abs_diff(true_time) > noise
}

async fn break_disk<M: Machines>(machines: &M, node: u16, disk: Disk) -> Result<Begun, String> {
    let hit = BTreeSet::from([node]);
    let mode = match disk {
        Disk::Full => DiskMode::Full,
        Disk::IoError => DiskMode::IoError,
        Disk::CutTail => DiskMode::Tear,
        Disk::FlippedBit => return damage(machines, node).await,
    };
    let told = machines.break_disk(node, mode, EXIT_DISK_FAILED).await;
    told.map_err(|trouble| trouble.to_string())?;
    Ok(Begun::plain(Harm::BadDisk(node, mode), hit))
}

/// Kills a node, flips a bit on its disk, and starts it.
async fn damage<M: Machines>(machines: &M, node: u16) -> Result<Begun, String> {
    let text = |trouble: Trouble| trouble.to_string();
    machines.kill(node).await.map_err(text)?;
    let place = match machines.flip_bit(node) {
        Ok(Some(place)) => place,
        other => {
            machines.start_node(node).await.map_err(text)?;
            return Err(match other {
                Err(trouble) => text(trouble),
                Ok(_) => format!("n{node} has no record on its disk yet"),
            });
        }
    };
    let (refused, remark) = match machines.try_start(node).await {
        Ok(Started::Refused(exit)) => (true, format!("{place}; it refused to start: {exit}")),
        Ok(Started::Up(_)) => (false, format!("{place}; it started all the same")),
        Err(trouble) => (false, format!("{place}; {trouble}")),
    };
    let hit = BTreeSet::from([node]);
    Ok(Begun { harm: Harm::Damaged { node, refused }, hit, remark: Some(remark) })
}

/// Puts a flipped bit right and starts the node. That it had started with it is a finding.
async fn repair<M: Machines>(machines: &M, node: u16) -> Result<(), Trouble> {
    let started = machines.lives(node);
    if started {
        machines.kill(node).await?;
    }
    machines.flip_back(node)?;
    machines.start_node(node).await?;
    if started { Err(Trouble::AcceptedDamage { node }) } else { Ok(()) }
}

async fn mend_disk<M: Machines>(machines: &M, node: u16, mode: DiskMode) -> (u64, Vec<Trouble>) {
    if machines.lives(node) {
        match machines.mend_disk(node).await {
            Ok(()) => return (0, Vec::new()),
            // It met the bad disk just now.
            Err(Trouble::Down { .. }) => {}
            Err(trouble) => return (0, vec![trouble]),
        }
    }
    let by_its_disk =
        machines.ended(node).await.is_some_and(|exit| exit.code == Some(EXIT_DISK_FAILED));
    match machines.start_node(node).await {
        Err(trouble) => (u64::from(by_its_disk), vec![trouble]),
        // A torn tail has to be there to be cut.
        Ok(ready) if mode == DiskMode::Tear => {
            (u64::from(by_its_disk && ready.torn_bytes > 0), Vec::new())
        }
        Ok(_) => (u64::from(by_its_disk), Vec::new()),
    }
}

async fn make_liars<M: Machines>(
    machines: &M,
    nodes: &BTreeSet<u16>,
    lie: Lie,
) -> Result<Begun, String> {
    let act = async |node| {
        let incarnation = machines.incarnation(node);
        let status = machines.set_lie(node, Some(lie)).await?;
        Ok::<_, Trouble>((node, incarnation, status.lies))
    };
    let results = join_all(nodes.iter().map(|node| act(*node))).await;
    let reasons: Vec<String> =
        results.iter().filter_map(|r| r.as_ref().err()).map(Trouble::to_string).collect();
    let liars: Vec<_> = results.into_iter().filter_map(Result::ok).collect();
    if liars.is_empty() {
        for node in nodes {
            let _ = machines.set_lie(*node, None).await;
        }
        return Err(reasons.join(", "));
    }
    let hit = liars.iter().map(|(node, ..)| *node).collect();
    Ok(Begun::plain(Harm::Liars(liars), hit))
}

async fn silence_liars<M: Machines>(
    machines: &M,
    liars: Vec<(u16, Option<u64>, u64)>,
) -> (u64, Vec<Trouble>) {
    let mut bites = 0;
    let mut troubles = Vec::new();
    for (node, incarnation, before) in liars {
        match machines.set_lie(node, None).await {
            Ok(status) if machines.incarnation(node) == incarnation => {
                bites += status.lies.saturating_sub(before);
            }
            // It has booted since, and counts anew.
            Ok(status) => bites += status.lies,
            Err(trouble) => troubles.extend(will_be_right(trouble).err()),
        }
    }
    (bites, troubles)
}

/// Does the same to several nodes at once; what went wrong.
async fn failures<F>(nodes: BTreeSet<u16>, act: impl Fn(u16) -> F) -> Vec<Trouble>
where
    F: Future<Output = Result<(), Trouble>>,
{
    let results = join_all(nodes.into_iter().map(act)).await;
    results.into_iter().filter_map(Result::err).collect()
}

fn count(len: usize) -> u64 {
    len.try_into().unwrap_or(u64::MAX)
}

fn micros(duration: std::time::Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
