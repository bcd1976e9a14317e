//! The loop that drives one replica core: inputs in, one at a time; effects out, in order.

use std::collections::{BTreeMap, VecDeque};
use std::future;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quorate_systems::contract::{
    Incarnation, Input, Keyring, LocalTime, NodeId, Outbox, Replica, System, Ticket,
};
use quorate_systems::wal;
use quorate_systems::wire::{self, Envelope};
use quorate_world::gate::{Deed, Departure, Gate};
use quorate_world::invariants::Who;
use quorate_world::liar::Liar;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep_until;

use super::clients::Streams;
use super::clock::Clock;
use super::console::Log;
use super::diary::Diary;
use super::ending::Ending;
use super::inputs::Inputs;
use super::peers::Peers;
use super::storage::{Report, Storage};
use crate::protocol::{Control, Notice, Order, Status};
use crate::timers::Timers;

/// How many messages may wait for the disk before no more are taken in.
const HELD_MAX: usize = 10_000;

/// What is asked of a running node from outside its protocol.
#[derive(Debug)]
pub(super) enum Ask {
    /// By the harness.
    Order(Order),
    /// By somebody who wants to know how it stands.
    Status(oneshot::Sender<Status>),
    /// The harness closed the node's standard input.
    EndOfOrders,
    /// A signal that means "end cleanly".
    Terminate,
}

/// Says something to the harness.
pub(super) type Tell<'a> = dyn FnMut(&Notice) + 'a;

/// Where a node's inputs come from.
pub(super) struct Sources<S: System> {
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
    pub(super) arrivals: mpsc::Receiver<Input<S::Message>>,
    /// Everything that runs beside the loop, and never ends unless it panics.
    pub(super) tasks: JoinSet<()>,
}

/// One node: a replica core and all that it needs of the world.
pub(super) struct Node<S: System> {
    pub(super) me: NodeId,
    pub(super) incarnation: Incarnation,
    pub(super) replica: S::Replica,
    pub(super) outbox: Outbox<S>,
    pub(super) gate: Gate<S>,
    pub(super) clock: Clock,
    pub(super) timers: Timers,
    pub(super) storage: Storage,
    pub(super) liar: Liar<S>,
    /// What a liar needs to know: the cluster's options, and its own keys.
    pub(super) system: S::Config,
    pub(super) keys: Keyring,
    /// What a slow liar keeps back, each with the time at which it leaves.
    pub(super) late: VecDeque<(Instant, Departure<S::Message>)>,
    pub(super) inputs: Inputs,
    pub(super) diary: Diary<S>,
    pub(super) peers: Peers,
    pub(super) streams: Arc<Streams>,
    /// What the node said to itself and has not heard yet.
    pub(super) local: VecDeque<S::Message>,
    pub(super) counts: Counts,
    /// Whether the end of orders means that the harness is gone.
    pub(super) has_parent: bool,
    pub(super) log: Log,
}

/// What is counted of inputs.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) inputs: u64,
    pub(super) ignored: BTreeMap<&'static str, u64>,
    pub(super) undecodable: Arc<AtomicU64>,
}

/// What the loop does next.
enum Next<M> {
    Ask(Ask),
    Report(Report),
    TimerDue,
    LateDue,
    Local,
    Arrival(Input<M>),
    TaskEnded(Result<(), JoinError>),
}

impl<S: System> Node<S> {
    /// Carries out what the core wanted at its start, says that it is ready, and serves until it ends.
    pub(super) async fn serve(
        mut self,
        mut sources: Sources<S>,
        ready: Notice,
        tell: &mut Tell<'_>,
    ) -> Ending {
        self.diary.begin();
        let now = self.clock.show(Instant::now());
        if let Err(ending) = self.carry_out(now) {
            return ending;
        }
        tell(&ready);
        loop {
            self.diary.news().for_each(|notice| tell(&notice));
            let next = self.next(&mut sources).await;
            let went = match next {
                Next::Ask(Ask::Order(Order { id, what: Control::Shutdown })) => {
                    return self.shut_down(sources, |status| tell(&Notice::Done { id, status }));
                }
                Next::Ask(Ask::Terminate) => return self.shut_down(sources, |_| ()),
                Next::Ask(Ask::EndOfOrders) if self.has_parent => {
                    return self.shut_down(sources, |_| ());
                }
                Next::Ask(ask) => self.answer(ask, tell),
                Next::Report(report) => self.on_report(report),
                Next::TimerDue => self.fire_timer(),
                Next::LateDue => self.let_one_go(),
                Next::Local => self.hear_itself(),
                Next::Arrival(input) => self.take(input),
                Next::TaskEnded(ended) => Err(task_ended(ended)),
            };
            if let Err(ending) = went {
                return ending;
            }
        }
    }

    /// Waits for the next thing to do. Orders and the disk come before timers, and what the node says to
    /// itself before the network, whose senders can wait.
    async fn next(&mut self, sources: &mut Sources<S>) -> Next<S::Message> {
        let real = Instant::now();
        let wake = self.timers.next().map(|at| {
            self.clock.show(real);
            self.clock.wake(real, at)
        });
        let late = self.late.front().map(|(at, _)| *at);
        let has_local = !self.local.is_empty();
        let has_room = self.gate.held() < HELD_MAX;
        tokio::select! {
            biased;
            Some(ask) = sources.asks.recv() => Next::Ask(ask),
            Some(report) = sources.reports.recv() => Next::Report(report),
            () = until(wake) => Next::TimerDue,
            () = until(late) => Next::LateDue,
            () = future::ready(()), if has_local => Next::Local,
            Some(ended) = sources.tasks.join_next() => Next::TaskEnded(ended),
            Some(input) = sources.arrivals.recv(), if has_room => Next::Arrival(input),
        }
    }

    fn fire_timer(&mut self) -> Result<(), Ending> {
        let now = self.clock.show(Instant::now());
        match self.timers.pop_due(now) {
            Some(id) => self.take(Input::Timer(id)),
            None => Ok(()),
        }
    }

    fn hear_itself(&mut self) -> Result<(), Ending> {
        match self.local.pop_front() {
            Some(message) => self.take(Input::Message { from: self.me, message }),
            None => Ok(()),
        }
    }

    fn on_report(&mut self, report: Report) -> Result<(), Ending> {
        match report {
            Report::Durable(ticket) => self.on_durable(ticket),
            Report::Checkpointed(number) => {
                self.log.say(format_args!("checkpoint {number} stands for all logs before it"));
                Ok(())
            }
            Report::Failed(why) => Err(Ending::DiskFailed(why)),
        }
    }

    fn on_durable(&mut self, ticket: Ticket) -> Result<(), Ending> {
        let persisted = Input::Persisted(ticket);
        let now = self.expect(&persisted)?;
        let mut released = Vec::new();
        self.gate.durable(ticket, &mut released);
        self.diary.durable(ticket);
        let leaving: Vec<_> =
            released.into_iter().flat_map(|departure| self.words(departure)).collect();
        self.diary.write()?;
        for departure in leaving {
            self.depart(departure)?;
        }
        self.step(now, persisted)
    }

    fn take(&mut self, input: Input<S::Message>) -> Result<(), Ending> {
        let now = self.expect(&input)?;
        self.step(now, input)
    }

    /// An input is about to be taken, at this time of the local clock. It is written down before anything
    /// comes of it.
    fn expect(&mut self, input: &Input<S::Message>) -> Result<LocalTime, Ending> {
        self.diary.begin();
        let now = self.clock.show(Instant::now());
        self.inputs.takes(now, input)?;
        Ok(now)
    }

    /// One step of the core.
    fn step(&mut self, now: LocalTime, input: Input<S::Message>) -> Result<(), Ending> {
        self.counts.inputs += 1;
        if !self.liar.is_honest() {
            self.liar.hear_input(&input);
        }
        self.replica.step(now, input, &mut self.outbox);
        self.carry_out(now)
    }

    fn carry_out(&mut self, now: LocalTime) -> Result<(), Ending> {
        let effects: Vec<_> = self.outbox.drain().collect();
        self.inputs.did(&effects)?;
        let mut deeds = Vec::new();
        for effect in effects {
            match self.gate.pass(effect) {
                Some(Deed::Depart(departure)) => {
                    deeds.extend(self.words(departure).into_iter().map(Deed::Depart));
                }
                Some(deed) => {
                    self.diary.deed(&deed);
                    deeds.push(deed);
                }
                None => {}
            }
        }
        // Whatever these cause elsewhere is later than what is written here.
        self.diary.write()?;
        for deed in deeds {
            self.perform(now, deed)?;
        }
        if self.storage.wants_checkpoint() { self.checkpoint() } else { Ok(()) }
    }

    fn perform(&mut self, now: LocalTime, deed: Deed<S>) -> Result<(), Ending> {
        match deed {
            Deed::Persist { ticket, record } => self.persist(ticket, &record)?,
            Deed::Depart(departure) => self.depart(departure)?,
            Deed::SetTimer { id, min, max } => self.timers.set(now, id, min, max),
            Deed::CancelTimer { id } => self.timers.cancel(id),
            // The diary has it.
            Deed::Observe(_) | Deed::Mark(_) => {}
            Deed::Ignore(why) => *self.counts.ignored.entry(why.0).or_default() += 1,
        }
        Ok(())
    }

    fn persist(&self, ticket: Ticket, record: &S::Record) -> Result<(), Ending> {
        let mut bytes = Vec::new();
        wal::append(&mut bytes, record).map_err(|error| bug(&error))?;
        self.storage.append(ticket, &bytes).map_err(|error| Ending::DiskFailed(error.to_string()))
    }

    /// What leaves the node in place of what its core meant, if anything does; it stands in the diary then.
    /// To itself nobody lies.
    fn words(&mut self, departure: Departure<S::Message>) -> Vec<Departure<S::Message>> {
        let said: Vec<_> = match departure {
            departure if self.liar.is_honest() => vec![departure],
            Departure::Send { to, message } if to == self.me => {
                vec![Departure::Send { to, message }]
            }
            Departure::Send { to, message } => {
                let told = self.liar.tell(Who::Node(to), message).into_iter();
                told.map(|message| Departure::Send { to, message }).collect()
            }
            Departure::Reply { client, message } => {
                let told = self.liar.tell(Who::Client(client), message).into_iter();
                told.map(|message| Departure::Reply { client, message }).collect()
            }
        };
        for departure in &said {
            self.diary.sent(departure);
        }
        said
    }

    fn depart(&mut self, departure: Departure<S::Message>) -> Result<(), Ending> {
        let delay_us = self.liar.delay_us();
        match departure {
            Departure::Send { to, message } if to == self.me => self.local.push_back(message),
            departure if delay_us > 0 => {
                let at = Instant::now() + Duration::from_micros(delay_us);
                self.late.push_back((at, departure));
            }
            departure => self.let_go(departure)?,
        }
        Ok(())
    }

    /// The first of what was kept back leaves.
    fn let_one_go(&mut self) -> Result<(), Ending> {
        match self.late.pop_front() {
            Some((_, departure)) => self.let_go(departure),
            None => Ok(()),
        }
    }

    fn let_go(&self, departure: Departure<S::Message>) -> Result<(), Ending> {
        match departure {
            Departure::Send { to, message } => self.send(to, message)?,
            Departure::Reply { client, message } => self.streams.send(client, &message),
        }
        Ok(())
    }

    fn send(&self, to: NodeId, message: S::Message) -> Result<(), Ending> {
        let envelope = Envelope { from: self.me, incarnation: self.incarnation, message };
        let frame = wire::encode(S::vocabulary(), &envelope).map_err(|error| bug(&error))?;
        self.peers.send(to, frame);
        Ok(())
    }

    fn checkpoint(&self) -> Result<(), Ending> {
        let records = self.replica.checkpoint();
        let bytes = wal::encode_checkpoint(&records).map_err(|error| bug(&error))?;
        self.storage.rotate(bytes).map_err(|error| Ending::DiskFailed(error.to_string()))
    }

    fn answer(&mut self, ask: Ask, tell: &mut Tell<'_>) -> Result<(), Ending> {
        match ask {
            Ask::Order(Order { id, what }) => {
                self.obey(&what)?;
                tell(&Notice::Done { id, status: self.status() });
            }
            // Whoever asked may have gone away.
            Ask::Status(answer) => drop(answer.send(self.status())),
            Ask::EndOfOrders | Ask::Terminate => {}
        }
        Ok(())
    }

    fn obey(&mut self, what: &Control) -> Result<(), Ending> {
        match what {
            Control::Status | Control::Shutdown => {}
            Control::Clock { offset_ms, rate_ppm } => {
                self.clock.set(Instant::now(), *offset_ms, *rate_ppm);
            }
            Control::Disk(mode) => self.storage.set_mode(*mode),
            Control::WriteThrough(on) => self
                .storage
                .set_write_through(*on)
                .map_err(|error| Ending::DiskFailed(error.to_string()))?,
            Control::Lie(behaviour) => {
                let name = behaviour.map_or("none", |lie| lie.name());
                self.log.say(format_args!("told to lie: {name}"));
                if behaviour.is_some() {
                    self.diary.lies();
                    self.diary.write()?;
                }
                self.inputs.lies(*behaviour)?;
                match behaviour {
                    Some(lie) => self.liar.begin(*lie, self.system.clone(), self.keys.clone()),
                    None => self.liar.stop(),
                }
            }
        }
        Ok(())
    }

    fn status(&mut self) -> Status {
        let disk = self.storage.counters();
        let ignored = self.counts.ignored.iter();
        Status {
            clock_us: self.clock.show(Instant::now()).0,
            inputs: self.counts.inputs,
            ignored: ignored.map(|(why, count)| ((*why).to_owned(), *count)).collect(),
            undecodable: self.counts.undecodable.load(Ordering::Relaxed),
            lies: self.liar.lies(),
            syncs: disk.syncs,
            records: disk.records,
            unsynced_bytes: disk.unsynced_bytes,
            checkpoints: disk.checkpoints,
        }
    }

    /// Finishes what is being written; what waits for it is not sent any more.
    fn shut_down(mut self, mut sources: Sources<S>, done: impl FnOnce(Status)) -> Ending {
        self.storage.finish();
        while let Ok(report) = sources.reports.try_recv() {
            if let Report::Failed(why) = report {
                return Ending::DiskFailed(why);
            }
        }
        done(self.status());
        Ending::Asked
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => future::pending().await,
    }
}

/// The core made something that its own vocabulary or the formats do not allow.
fn bug(error: &dyn std::error::Error) -> Ending {
    Ending::Panicked(error.to_string())
}

fn task_ended(ended: Result<(), JoinError>) -> Ending {
    match ended.map_err(JoinError::try_into_panic) {
        Err(Ok(panic)) => panic::resume_unwind(panic),
        Ok(()) | Err(Err(_)) => Ending::Panicked("a link stopped working".to_owned()),
    }
}
