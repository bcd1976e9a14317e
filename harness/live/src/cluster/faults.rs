//! What the nemesis can do to node processes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use quorate_plan::RIGHT_RATE_PPM;
use quorate_systems::contract::Lie;
use quorate_world::weather;
use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::damage::Flipped;
use super::process::{Exit, Expected, Process};
use super::{Ailments, Cluster, DATA, Trouble, lock, system};
use crate::nemesis::{Machines, Started};
use crate::protocol::{Control, DiskMode, EXIT_REFUSED_TO_START, Ready, Status};

/// How long a node may take from its start until it serves: two slow cores, five nodes at once, and a log
/// to read.
const READY_MAX: Duration = Duration::from_secs(20);
/// How long a node that is not stopped may take to answer an order.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long the kernel may take to stop, continue or end a process.
const SIGNAL_MAX: Duration = Duration::from_secs(10);
/// How long a node keeps its writes in memory before it loses power: long enough that some are on their way.
const POWER_FADES: Duration = Duration::from_millis(30);

/// The state letter in `/proc` of a process that was stopped.
const STOPPED: char = 'T';

impl Machines for Cluster {
    fn count(&self) -> u16 {
        u16::try_from(self.nodes.len()).unwrap_or(u16::MAX)
    }

    async fn start_node(&self, node: u16) -> Result<Ready, Trouble> {
        match self.try_start(node).await? {
            Started::Up(ready) => Ok(ready),
            Started::Refused(exit) => Err(self.stillborn(node, exit)),
        }
    }

    async fn try_start(&self, node: u16) -> Result<Started, Trouble> {
        let process = self.launch(node).await?;
        match timeout(READY_MAX, process.up()).await {
            Ok(Ok(ready)) => {
                self.proxy.node_is_at(node, Some((ready.peer_address, ready.client_address)));
                self.tell_ailments(node).await?;
                self.config.happenings.started(node);
                Ok(Started::Up(ready))
            }
            Ok(Err(exit)) if exit.code == Some(EXIT_REFUSED_TO_START) => Ok(Started::Refused(exit)),
            Ok(Err(exit)) => Err(self.stillborn(node, exit)),
            Err(_) => {
                let log = self.log_tail(node);
                self.kill(node).await?;
                Err(Trouble::NotReady { node, seconds: READY_MAX.as_secs(), log })
            }
        }
    }

    async fn kill(&self, node: u16) -> Result<(), Trouble> {
        let process = self.process(node)?;
        process.expect(Expected::Death);
        process.signal(Signal::KILL);
        match timeout(SIGNAL_MAX, process.ended()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Trouble::TooSlow { node, what: "die", seconds: SIGNAL_MAX.as_secs() }),
        }
    }

    async fn lose_power(&self, node: u16) -> Result<(), Trouble> {
        self.order(node, Control::WriteThrough(false)).await?;
        sleep(POWER_FADES).await;
        self.kill(node).await
    }

    async fn pause(&self, node: u16) -> Result<(), Trouble> {
        let process = self.process(node)?;
        process.signal(Signal::STOP);
        self.reach_state(node, &process, "stop", |state| state == STOPPED).await
    }

    async fn resume(&self, node: u16) -> Result<(), Trouble> {
        let process = self.process(node)?;
        process.signal(Signal::CONT);
        self.reach_state(node, &process, "go on", |state| state != STOPPED).await
    }

    async fn order(&self, node: u16, what: Control) -> Result<Status, Trouble> {
        let process = self.process(node)?;
        let answer = process.order(what);
        if process.state() == Some(STOPPED) {
            return Err(Trouble::Stopped { node });
        }
        tokio::select! {
            biased;
            answer = timeout(ANSWER_MAX, answer) => match answer {
                Ok(Ok(status)) => Ok(status),
                Ok(Err(_)) => Err(Trouble::Down { node }),
                Err(_) => {
                    let seconds = ANSWER_MAX.as_secs();
                    Err(Trouble::TooSlow { node, what: "answer", seconds })
                }
            },
            _ = process.ended() => Err(Trouble::Down { node }),
        }
    }

    async fn break_disk(&self, node: u16, mode: DiskMode, code: i32) -> Result<(), Trouble> {
        self.process(node)?.expect(Expected::Code(code));
        match self.order(node, Control::Disk(mode)).await {
            // It met the bad disk before it could answer.
            Err(Trouble::Down { .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn mend_disk(&self, node: u16) -> Result<(), Trouble> {
        self.order(node, Control::Disk(DiskMode::Good)).await?;
        self.process(node)?.expect(Expected::Life);
        Ok(())
    }

    async fn ended(&self, node: u16) -> Option<Exit> {
        let process = self.last_process(node)?;
        Some(process.ended().await)
    }

    fn lives(&self, node: u16) -> bool {
        self.process(node).is_ok()
    }

    fn incarnation(&self, node: u16) -> Option<u64> {
        self.process(node).ok()?.ready().map(|ready| ready.incarnation)
    }

    async fn set_clock(&self, node: u16, offset_ms: i64, rate_ppm: u32) -> Result<Status, Trouble> {
        if let Some(member) = self.node(node) {
            let right = (offset_ms, rate_ppm) == (0, RIGHT_RATE_PPM);
            lock(&member.ailments).clock = (!right).then_some((offset_ms, rate_ppm));
        }
        self.order(node, Control::Clock { offset_ms, rate_ppm }).await
    }

    async fn set_lie(&self, node: u16, lie: Option<Lie>) -> Result<Status, Trouble> {
        if let Some(member) = self.node(node) {
            lock(&member.ailments).lie = lie;
        }
        self.order(node, Control::Lie(lie)).await
    }

    fn flip_bit(&self, node: u16) -> Result<Option<String>, Trouble> {
        let member = self.node(node).ok_or(Trouble::Down { node })?;
        let count = member.flips.fetch_add(1, Ordering::Relaxed);
        let draw = weather::draw(self.config.seed, "flipped bit", &[u64::from(node), count]);
        let flipped = Flipped::somewhere(&member.folder.join(DATA), draw)
            .map_err(|error| system(node, "flip a bit on its disk", &error))?;
        let place = flipped.as_ref().map(Flipped::place);
        *lock(&member.flipped) = flipped;
        Ok(place)
    }

    fn flip_back(&self, node: u16) -> Result<(), Trouble> {
        let member = self.node(node).ok_or(Trouble::Down { node })?;
        match lock(&member.flipped).take() {
            None => Ok(()),
            Some(flipped) => {
                flipped.flip().map_err(|error| system(node, "put a flipped bit right", &error))
            }
        }
    }
}

impl Cluster {
    async fn tell_ailments(&self, node: u16) -> Result<(), Trouble> {
        let Some(member) = self.node(node) else { return Ok(()) };
        let Ailments { clock, lie } = lock(&member.ailments).clone();
        if let Some((offset_ms, rate_ppm)) = clock {
            self.order(node, Control::Clock { offset_ms, rate_ppm }).await?;
        }
        if lie.is_some() {
            self.order(node, Control::Lie(lie)).await?;
        }
        Ok(())
    }

    async fn reach_state(
        &self,
        node: u16,
        process: &Process,
        what: &'static str,
        reached: impl Fn(char) -> bool,
    ) -> Result<(), Trouble> {
        let look = async {
            loop {
                match process.state() {
                    Some(state) if reached(state) => return Ok(()),
                    Some(_) if process.lives() => sleep(Duration::from_millis(2)).await,
                    Some(_) | None => return Err(Trouble::Down { node }),
                }
            }
        };
        timeout(SIGNAL_MAX, look).await.unwrap_or(Err(Trouble::TooSlow {
            node,
            what,
            seconds: SIGNAL_MAX.as_secs(),
        }))
    }
}
