//! The clients: each drives the client core of its system, one operation after the other, and tells the
//! history what it asked and what it was told.

mod administrator;
mod links;
mod operations;
mod pace;
mod script;
mod tongues;

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_checkers::history::{ProcessId, What};
use quorate_plan::Endpoint;
use quorate_systems::contract::{
    Client as _, ClientEffect, ClientId, ClientInput, ClientStart, Command, Describe, Incarnation,
    Key, Keyring, LocalTime, NodeId, Outcome, System,
};
use quorate_world::inputs::{self, Entry};
use quorate_world::invariants::Who;
use quorate_world::liar::Liar;
use quorate_world::{convert, weather};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::happenings::Happenings;
use crate::inputs::SharedInputs;
use crate::observed::{self, Seeing, SharedLog, Sight};
use crate::protocol::ClientEnvelope;
use crate::recorder::Recorder;
use crate::timers::Timers;

pub(crate) use administrator::Administrator;
use links::Links;
pub(crate) use operations::Operations;
use pace::Pace;
use script::Scripted;
pub(crate) use script::Scripts;
pub(crate) use tongues::Tongues;

/// How many clients read each key at the end: two that ask different nodes first see more than one.
const FINAL_READERS: usize = 2;
/// How long a client waits after a final read that failed before it tries again.
const READ_AGAIN: Duration = Duration::from_millis(50);

/// What the clients of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct ClientsConfig {
    /// How many there are.
    pub(crate) clients: u32,
    /// Operations a second over all of them; 0: as fast as answers come.
    pub(crate) rate_per_s: u32,
    /// An operation that takes longer is given up.
    pub(crate) operation_timeout: Duration,
    /// Entropy, pace and timers are drawn from it.
    pub(crate) seed: u64,
    /// The proxy's doors, one for each node by place.
    pub(crate) doors: Vec<SocketAddr>,
    /// Shared, so that connections are.
    pub(crate) http: reqwest::Client,
    /// Where events go.
    pub(crate) recorder: Recorder,
    /// Where what happens to their cores goes.
    pub(crate) observed: Arc<SharedLog>,
    /// Where the inputs of their cores go.
    pub(crate) inputs: Arc<SharedInputs>,
    /// Who is told of operations.
    pub(crate) happenings: Arc<Happenings>,
    /// What some clients do.
    pub(crate) scripts: Arc<Scripts>,
    /// Where the operations of the others come from.
    pub(crate) operations: Arc<Operations>,
    /// How some of them are to lie.
    pub(crate) tongues: Arc<Tongues>,
    /// What they are to do now.
    pub(crate) phase: watch::Receiver<Phase>,
}

/// What the clients are to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Invoke the workload's operations.
    Work,
    /// Finish what is open, and begin nothing new.
    Rest,
    /// Read these keys, each until that succeeds or the time is over; then it is the end.
    FinalReads {
        /// Which.
        keys: Arc<Vec<Key>>,
        /// The time.
        until: Instant,
    },
}

/// One client, with its links open.
#[derive(Debug)]
pub(crate) struct Client<S: System> {
    me: u32,
    config: ClientsConfig,
    core: S::Client,
    process: Process,
    began: Instant,
    links: Links,
    timers: Timers,
    effects: Vec<ClientEffect<S>>,
    liar: Liar<S>,
    /// What a liar needs to know: the cluster's options, and its own keys.
    system: S::Config,
    keys: Keyring,
    /// It has lied: it is not judged any more.
    is_tainted: bool,
    /// It has lied since the last operation began: nobody knows what comes of that.
    has_lied: bool,
}

impl<S: System> Client<S> {
    /// A client that has not done anything yet. All its streams are open when this returns.
    pub(crate) async fn open(
        me: u32,
        config: ClientsConfig,
        system: S::Config,
        keys: Keyring,
    ) -> reqwest::Result<Self> {
        let number = u64::from(me);
        let links = Links::open(me, &config.doors, &config.http).await?;
        let start = ClientStart::<S> {
            me: ClientId(me),
            incarnation: Incarnation(1),
            config: system.clone(),
            keys: keys.clone(),
            entropy: weather::draw(config.seed, "client entropy", &[number]),
        };
        config.inputs.write(|| inputs::client_start(observed::now(), &start));
        let core = S::Client::start(start);
        let who = Who::Client(ClientId(me));
        config.inputs.add(&Entry::Did { who, effects: inputs::of_client_step::<S>(&[]) });
        let timers = Timers::new(weather::draw(config.seed, "client timers", &[number]));
        let process = Process::first(me, config.clients);
        let began = Instant::now();
        let liar = Liar::new(who, weather::draw(config.seed, "client liar", &[number]));
        let (effects, is_tainted, has_lied) = (Vec::new(), false, false);
        Ok(Self {
            me,
            config,
            core,
            process,
            began,
            links,
            timers,
            effects,
            liar,
            system,
            keys,
            is_tainted,
            has_lied,
        })
    }

    /// Does what the phases say, to the end of the last.
    pub(crate) async fn run(mut self) {
        let scripts = Arc::clone(&self.config.scripts);
        loop {
            let phase = self.config.phase.borrow_and_update().clone();
            match phase {
                Phase::Work => match scripts.of_client(self.me) {
                    Some(script) => self.play(script).await,
                    None => self.work().await,
                },
                Phase::Rest => {
                    self.idle(pending()).await;
                }
                Phase::FinalReads { keys, until } => return self.read_all(&keys, until).await,
            }
        }
    }

    /// Invokes operations of the workload until the phase changes.
    async fn work(&mut self) {
        let (rate, began) = (self.config.rate_per_s, Instant::now());
        let mut pace = Pace::new(self.config.seed, self.me, self.config.clients, rate, began);
        while self.idle(sleep_until(pace.next())).await == Idle::Over {
            match self.config.operations.next(self.me) {
                Some(command) => {
                    pace.invoked(Instant::now());
                    self.perform(command, self.config.operation_timeout).await;
                }
                None => {
                    self.idle(pending()).await;
                }
            }
        }
    }

    /// Invokes the operations of a script, each when its moment has come, until the phase changes.
    async fn play(&mut self, script: &[Scripted]) {
        let happenings = Arc::clone(&self.config.happenings);
        for (begun, Scripted { command, when }) in script.iter().enumerate() {
            let due = async {
                if let Some(moment) = when {
                    happenings.reached(*moment).await;
                }
            };
            if self.idle(due).await == Idle::PhaseChanged {
                return self.config.scripts.stop_one(self.me, begun);
            }
            self.perform(command.clone(), self.config.operation_timeout).await;
        }
        self.config.scripts.end_one();
        self.idle(pending()).await;
    }

    /// Reads this client's share of the keys.
    async fn read_all(&mut self, keys: &[Key], until: Instant) {
        let clients = usize::try_from(self.config.clients.max(1)).unwrap_or(usize::MAX);
        let me = usize::try_from(self.me).unwrap_or(usize::MAX);
        for (place, key) in keys.iter().enumerate() {
            let distance = (me + clients - place % clients) % clients;
            if distance >= FINAL_READERS {
                continue;
            }
            while Instant::now() < until {
                let left = until - Instant::now();
                let timeout = self.config.operation_timeout.min(left);
                if self.perform(Command::Read { key: *key }, timeout).await {
                    break;
                }
                let again = (Instant::now() + READ_AGAIN).min(until);
                self.idle(sleep_until(again)).await;
            }
        }
    }

    /// Invokes an operation and sees it through; whether it succeeded.
    async fn perform(&mut self, command: Command, timeout: Duration) -> bool {
        let process = self.process.id();
        let invocation = convert::invocation(process, &command);
        let f = invocation.f.clone();
        let key = command.key().map(|key| key.0);
        command.keys().for_each(|key| self.config.operations.used(key));
        self.config.recorder.invoke(invocation);
        self.config.happenings.invoked(self.me, &f, key);
        let deadline = Instant::now() + timeout;
        self.has_lied = false;
        let mut outcome = self.step(ClientInput::Invoke(command.clone()));
        let completion = loop {
            if let Some(outcome) = outcome {
                break if self.has_lied {
                    convert::of_liar(process, &command)
                } else {
                    convert::completion(process, &command, outcome)
                };
            }
            outcome = match self.wait(Some(deadline)).await {
                Woken::Input(input) => self.step(input),
                Woken::Time => {
                    self.step(ClientInput::GiveUp);
                    break convert::time_out(process, &command);
                }
                Woken::Noise => None,
            };
        };
        self.process.after(&completion);
        let succeeded = matches!(completion, What::Ok(_));
        self.config.recorder.complete(completion);
        self.config.happenings.completed(self.me, &f, key);
        succeeded
    }

    /// Lets the core go on while no operation is open, until this has come: late answers, its own timers.
    async fn idle(&mut self, end: impl Future<Output = ()>) -> Idle {
        let mut phase = self.config.phase.clone();
        tokio::pin!(end);
        loop {
            let woken = tokio::select! {
                biased;
                // The sender goes only when the run does.
                Ok(()) = phase.changed() => return Idle::PhaseChanged,
                () = &mut end => return Idle::Over,
                woken = self.wait(None) => woken,
            };
            self.hear(woken);
        }
    }

    /// Something happens to the core while no operation is open.
    fn hear(&mut self, woken: Woken<S::Message>) {
        match woken {
            Woken::Input(input) => {
                let outcome = self.step(input);
                assert!(outcome.is_none(), "a core completes what nobody asked for");
            }
            Woken::Time | Woken::Noise => {}
        }
    }

    /// The next thing that happens to the core; `Time` once `until` is reached. Cancelling it loses nothing.
    async fn wait(&mut self, until: Option<Instant>) -> Woken<S::Message> {
        let timer = self.timers.next().map(|at| self.began + Duration::from_micros(at.0));
        tokio::select! {
            biased;
            () = reached(until) => Woken::Time,
            (node, line) = self.links.hear() => match open(&line) {
                Some(message) => {
                    Woken::Input(ClientInput::Message { from: NodeId(node), message })
                }
                None => Woken::Noise,
            },
            () = reached(timer) => match self.timers.pop_due(self.now()) {
                Some(id) => Woken::Input(ClientInput::Timer(id)),
                None => Woken::Noise,
            },
        }
    }

    /// Lies, or lies no more, as it was told.
    fn heed(&mut self) {
        let lie = self.config.tongues.heed(self.me);
        if lie.is_some() != self.liar.is_honest() {
            self.has_lied |= lie.is_some();
            return;
        }
        let who = Who::Client(ClientId(self.me));
        self.config.inputs.write(|| Entry::Lies { who, t: observed::now(), lie });
        match lie {
            None => self.liar.stop(),
            Some(lie) => {
                if !self.is_tainted {
                    let me = Endpoint::Client(self.me);
                    self.config.observed.step::<S>(me, std::iter::once(Sight::Lies));
                }
                (self.is_tainted, self.has_lied) = (true, true);
                self.liar.begin(lie, self.system.clone(), self.keys.clone());
            }
        }
    }

    /// Puts what a liar says in the place of what its core says.
    fn lie(&mut self) {
        if self.liar.is_honest() {
            return;
        }
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                ClientEffect::Send { to, message } => {
                    let told = self.liar.tell(Who::Node(to), message).into_iter();
                    self.effects.extend(told.map(|message| ClientEffect::Send { to, message }));
                }
                other => self.effects.push(other),
            }
        }
        self.config.tongues.count(self.me, self.liar.lies());
    }

    /// The client's own clock: since it began.
    fn now(&self) -> LocalTime {
        LocalTime(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Gives the core one input and carries out its effects; the outcome if the open operation ended.
    fn step(&mut self, input: ClientInput<S::Message>) -> Option<Outcome> {
        self.heed();
        let now = self.now();
        let who = Who::Client(ClientId(self.me));
        if let ClientInput::Message { from, message } = &input {
            self.liar.hear(Who::Node(*from), message);
        }
        self.config.inputs.write(|| inputs::client_input(who, observed::now(), now, &input));
        self.core.step(now, input, &mut self.effects);
        let effects = inputs::of_client_step(&self.effects);
        self.config.inputs.add(&Entry::Did { who, effects });
        self.lie();
        let me = Endpoint::Client(self.me);
        let is_tainted = self.is_tainted;
        let sights = self.effects.iter().filter_map(|effect| sight(effect, is_tainted));
        self.config.observed.step::<S>(me, sights);
        let mut outcome = None;
        for effect in self.effects.drain(..) {
            match effect {
                ClientEffect::Send { to, message } => {
                    let envelope = ClientEnvelope::seal(&message).to_line();
                    self.links.send(to.0, envelope.into());
                }
                ClientEffect::Complete(ended) => outcome = Some(ended),
                ClientEffect::SetTimer { id, min, max } => self.timers.set(now, id, min, max),
                ClientEffect::CancelTimer { id } => self.timers.cancel(id),
                ClientEffect::Observe(observation) => {
                    self.config.happenings.observed(me, &observation);
                }
                ClientEffect::Mark(_) | ClientEffect::Ignore(_) => {}
            }
        }
        outcome
    }
}

/// What the invariants are to know of an effect. Who has lied is not judged, not even for what it believes.
fn sight<S: System>(effect: &ClientEffect<S>, is_tainted: bool) -> Option<Seeing<'_, S>> {
    match effect {
        ClientEffect::Observe(_) if is_tainted => None,
        ClientEffect::Send { to, message } => {
            Some(Sight::Sent { to: Endpoint::Node(to.0), message })
        }
        ClientEffect::Observe(observation) => Some(Sight::Observed(observation)),
        ClientEffect::Complete(_)
        | ClientEffect::SetTimer { .. }
        | ClientEffect::CancelTimer { .. }
        | ClientEffect::Mark(_)
        | ClientEffect::Ignore(_) => None,
    }
}

/// What ended a wait.
enum Woken<M> {
    Input(ClientInput<M>),
    Time,
    /// A message that the checksum refuses, or a timer that was cancelled: nothing to the core.
    Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// What was waited for has come.
    Over,
    PhaseChanged,
}

/// Under which id a client acts: after an operation of which nobody knows how it ended, under a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    id: u64,
    clients: u64,
}

impl Process {
    const fn first(client: u32, clients: u32) -> Self {
        Self { id: client as u64, clients: clients as u64 }
    }

    const fn id(self) -> ProcessId {
        ProcessId(self.id)
    }

    fn after(&mut self, completion: &What) {
        if matches!(completion, What::Info(_)) {
            self.id += self.clients;
        }
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// The message on a line of a stream; nothing where it is damaged.
fn open<M: Describe + DeserializeOwned>(line: &[u8]) -> Option<M> {
    serde_json::from_slice::<ClientEnvelope>(line).ok()?.open().ok()
}

#[cfg(test)]
mod tests {
    use quorate_systems::contract::Value;

    use super::*;

    #[test]
    fn after_an_unknown_end_a_client_goes_on_under_the_id_that_is_its_own_modulo_the_clients() {
        let mut process = Process::first(3, 15);
        let write = Command::Write { key: Key(1), value: Value(2) };
        let read = Command::Read { key: Key(1) };
        process.after(&convert::time_out(process.id(), &read));
        assert_eq!(process.id(), ProcessId(3), "a read that timed out had no effect");
        process.after(&convert::completion(process.id(), &write, Outcome::Written));
        assert_eq!(process.id(), ProcessId(3));
        process.after(&convert::time_out(process.id(), &write));
        assert_eq!(process.id(), ProcessId(18));
        process.after(&convert::time_out(process.id(), &write));
        assert_eq!(process.id(), ProcessId(33));
    }
}
