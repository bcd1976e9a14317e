//! One client in the simulated world, and the administrator, who is a client with other tasks.

use std::collections::VecDeque;

use quorate_checkers::history::{ProcessId, What};
use quorate_plan::{CLOSING_VALUES, Endpoint, Generator, PlannedOperation, WorkloadKind};
use quorate_systems::contract::{
    Client as _, ClientEffect, ClientId, ClientInput, Command, FORGED_VALUES, Key, Lie, LocalTime,
    Options, Outcome, TimerId,
};
use quorate_world::convert;
use quorate_world::invariants::{Seen, Watched, Who};
use quorate_world::liar::Liar;
use quorate_world::moments::MomentId;
use quorate_world::pace::Pace;

use crate::event::Event;
use crate::milestones;
use crate::stage::Stage;
use crate::timers::Timers;

/// A client: its core, and what it is to do.
pub(crate) struct Client<S: Watched> {
    pub(crate) me: ClientId,
    core: Option<S::Client>,
    timers: Timers,
    effects: Vec<ClientEffect<S>>,
    liar: Liar<S>,
    /// It has lied: it is not judged any more, and nothing is demanded of it.
    pub(crate) is_tainted: bool,
    process: u64,
    /// How many clients take part, by which its process ids are apart.
    clients: u64,
    pub(crate) open: Option<Open>,
    work: Work,
    /// What is left to be done at the end of the run, each until it succeeds.
    pub(crate) closing: VecDeque<Closing>,
    /// Since when it is busy with the first of what it has to do at the end of the run.
    pub(crate) task_since: u64,
    /// What is asked for, which says what a write of the end is.
    pub(crate) kind: WorkloadKind,
    /// What the next write of the end writes.
    next_value: u64,
    /// No new operation before this.
    not_before: u64,
    wake_at: u64,
    /// How long an operation may take; 0: for ever.
    pub(crate) timeout: u64,
}

/// An operation that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) what: Asked,
    pub(crate) since: u64,
    deadline: u64,
    /// It is the first of the last tasks.
    is_closing: bool,
    /// The client has lied while it was open.
    is_tainted: bool,
}

/// One of the last tasks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Writes go on being possible. What a crash left half done may need another write, too, before reads of a
    /// masking quorum can agree on a pair.
    Write(Key),
    /// Reads do, and tell how all ended.
    Read(Key),
}

/// What was asked of a core.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// An operation of the history.
    Operation(Command),
    /// A change of the system, for the fault at this place in the plan.
    Change(u32),
}

/// Where a client's operations come from.
#[derive(Debug)]
enum Work {
    /// Drawn, as fast as its pace allows.
    Drawn(Pace),
    /// Written out.
    Scripted { operations: Vec<(PlannedOperation, Option<MomentId>)>, next: usize },
    /// Changes of the system, one after the other.
    Changes(VecDeque<(u32, Options)>),
    /// Nothing any more.
    Done,
}

/// What came of an input to a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// Nothing that concerns others.
    Going,
    /// The operation that was open has ended, in whatever way.
    Ended,
    /// The change of the system for this fault is complete.
    Changed(u32),
}

// What the end of a run writes is told from what liars make up.
const _: () = assert!(CLOSING_VALUES < FORGED_VALUES);

const NEVER: u64 = u64::MAX;
/// How long after a last task that failed it is tried again.
const AGAIN_US: u64 = 50_000;
/// While only the core is healed an operation may take so long, whatever the plan gives it, and longer where
/// messages are slow: longer than it takes to find out that a node is down, and to ask another.
pub(crate) const PATIENCE_US: u64 = 3_000_000;

impl<S: Watched> Client<S> {
    pub(crate) fn new() -> Self {
        Self {
            me: ClientId(0),
            core: None,
            timers: Timers::default(),
            effects: Vec::new(),
            liar: Liar::new(Who::Client(ClientId(0)), 0),
            is_tainted: false,
            process: 0,
            clients: 1,
            open: None,
            work: Work::Done,
            closing: VecDeque::new(),
            task_since: 0,
            kind: WorkloadKind::Register,
            next_value: 0,
            not_before: 0,
            wake_at: NEVER,
            timeout: 0,
        }
    }

    fn reset(&mut self, stage: &Stage<S>, me: ClientId, clients: u32, work: Work, timeout: u64) {
        self.me = me;
        self.core = Some(S::Client::start(stage.start_of_client(me)));
        self.timers.clear();
        self.effects.clear();
        self.liar = Liar::new(Who::Client(me), stage.client_liar_seed(me));
        self.is_tainted = false;
        self.process = u64::from(me.0);
        self.clients = u64::from(clients);
        self.open = None;
        self.work = work;
        self.closing.clear();
        self.next_value = CLOSING_VALUES + u64::from(me.0);
        self.not_before = 0;
        self.wake_at = NEVER;
        self.timeout = timeout;
    }

    /// A client whose operations are drawn.
    pub(crate) fn reset_drawn(
        &mut self,
        stage: &Stage<S>,
        me: ClientId,
        plan: &quorate_plan::Plan,
    ) {
        let workload = &plan.workload;
        let pace = Pace::new(plan.seed, me.0, workload.clients, workload.rate_per_s);
        let timeout = plan.durations.operation_timeout_ms * 1_000;
        self.reset(stage, me, workload.clients, Work::Drawn(pace), timeout);
        self.kind = workload.kind;
    }

    /// A client with a script.
    pub(crate) fn reset_scripted(
        &mut self,
        stage: &Stage<S>,
        me: ClientId,
        plan: &quorate_plan::Plan,
        operations: Vec<(PlannedOperation, Option<MomentId>)>,
    ) {
        let timeout = plan.durations.operation_timeout_ms * 1_000;
        let work = Work::Scripted { operations, next: 0 };
        self.reset(stage, me, plan.workload.clients, work, timeout);
        self.kind = plan.workload.kind;
    }

    /// The administrator, with nothing to do yet.
    pub(crate) fn reset_administrator(&mut self, stage: &Stage<S>, me: ClientId) {
        self.reset(stage, me, me.0, Work::Changes(VecDeque::new()), 0);
    }

    /// The administrator is asked for a change.
    pub(crate) fn ask(&mut self, stage: &mut Stage<S>, fault: u32, options: Options) {
        if let Work::Changes(changes) = &mut self.work {
            changes.push_back((fault, options));
        }
        self.plan_wake(stage);
    }

    /// Whether it has a script, and has come to its end.
    pub(crate) fn has_ended_script(&self) -> bool {
        self.open.is_none()
            && matches!(&self.work, Work::Scripted { operations, next } if *next >= operations.len())
    }

    /// How many operations of its script it has begun, and of how many.
    pub(crate) fn script_progress(&self) -> Option<(usize, usize)> {
        match &self.work {
            Work::Scripted { operations, next } => Some((*next, operations.len())),
            Work::Drawn(_) | Work::Changes(_) | Work::Done => None,
        }
    }

    /// Whether it waits to be told what to change.
    pub(crate) fn has_changes(&self) -> bool {
        matches!(&self.work, Work::Changes(changes) if !changes.is_empty())
    }

    /// Whether it has not done all that the end of a run asks of it.
    pub(crate) fn is_busy(&self) -> bool {
        !self.is_tainted && (self.open.is_some() || !self.closing.is_empty() || self.has_changes())
    }

    /// Whether it lies at present.
    pub(crate) const fn is_lying(&self) -> bool {
        !self.liar.is_honest()
    }

    /// How many lies it has told.
    pub(crate) const fn lies(&self) -> u64 {
        self.liar.lies()
    }

    /// It lies so from now on.
    pub(crate) fn begin_to_lie(&mut self, stage: &mut Stage<S>, lie: Lie) {
        let who = Who::Client(self.me);
        if !self.is_tainted {
            self.is_tainted = true;
            stage.witness.see(stage.now, &Seen::Lies { who });
        }
        self.liar.begin(lie, stage.config().clone(), stage.keys_of(who));
        if let Some(open) = &mut self.open {
            open.is_tainted = true;
        }
    }

    /// It is honest from now on, and gives up what it has lied about.
    pub(crate) fn stop_lying(&mut self, stage: &mut Stage<S>) {
        self.liar.stop();
        if self.open.as_ref().is_some_and(|open| open.is_tainted) {
            self.give_up(stage);
        }
        self.plan_wake(stage);
    }

    /// It begins nothing of its own any more.
    pub(crate) fn stop_working(&mut self) {
        if !matches!(self.work, Work::Changes(_)) {
            self.work = Work::Done;
        }
    }

    /// An operation may take the time that it takes to go round nodes that are down, and no longer: the node that was
    /// asked to run it may not come back.
    pub(crate) fn be_patient(&mut self, now: u64, patience_us: u64) {
        self.timeout = patience_us;
        if let Some(open) = &mut self.open
            && matches!(open.what, Asked::Operation(_))
        {
            open.deadline = open.deadline.min(now + patience_us);
        }
    }

    /// What is open may take as long as it takes.
    pub(crate) fn wait_for_ever(&mut self) {
        self.timeout = 0;
        if let Some(open) = &mut self.open {
            open.deadline = NEVER;
        }
    }

    /// A message arrives.
    #[inline]
    pub(crate) fn hear(
        &mut self,
        stage: &mut Stage<S>,
        from: quorate_systems::contract::NodeId,
        message: S::Message,
    ) -> Progress {
        self.step(stage, ClientInput::Message { from, message })
    }

    /// The time has come for something: a timer, the end of patience, the next operation.
    pub(crate) fn on_wake(
        &mut self,
        stage: &mut Stage<S>,
        at: u64,
        generator: &mut Generator,
    ) -> Progress {
        if at != self.wake_at {
            return Progress::Going;
        }
        self.wake_at = NEVER;
        let mut progress = Progress::Going;
        if self.open.as_ref().is_some_and(|open| open.deadline <= stage.now) {
            self.give_up(stage);
            progress = Progress::Ended;
        }
        while let Some(id) = self.timers.pop_due(LocalTime(stage.now)) {
            stage.witness.note(id.0);
            let came = self.step(stage, ClientInput::Timer(id));
            if came != Progress::Going {
                progress = came;
            }
        }
        if progress == Progress::Going && self.next_at(stage) <= stage.now {
            progress = self.begin(stage, generator);
        }
        self.plan_wake(stage);
        progress
    }

    /// Whether this timer is set.
    pub(crate) fn has_timer(&self, id: TimerId) -> bool {
        self.timers.is_set(id)
    }

    /// Fires one timer now, which is set.
    pub(crate) fn fire(&mut self, stage: &mut Stage<S>, id: TimerId) -> Progress {
        self.timers.cancel(id);
        let progress = self.step(stage, ClientInput::Timer(id));
        self.plan_wake(stage);
        progress
    }

    /// When it may begin its next operation.
    fn next_at(&self, stage: &Stage<S>) -> u64 {
        if self.open.is_some() {
            return NEVER;
        }
        if !self.closing.is_empty() {
            return self.not_before;
        }
        match &self.work {
            Work::Drawn(pace) => pace.next_us().max(self.not_before),
            Work::Scripted { operations, next } => match operations.get(*next) {
                Some((_, None)) => self.not_before,
                Some((_, Some(moment))) if stage.witness.moments.is_reached(*moment) => {
                    self.not_before
                }
                Some(_) | None => NEVER,
            },
            Work::Changes(changes) if changes.is_empty() => NEVER,
            Work::Changes(_) => self.not_before,
            Work::Done => NEVER,
        }
    }

    fn begin(&mut self, stage: &mut Stage<S>, generator: &mut Generator) -> Progress {
        match self.closing.front() {
            Some(Closing::Read(key)) => return self.invoke(stage, Command::Read { key: *key }),
            Some(Closing::Write(key)) => {
                // No value is written twice, also where a write has to be tried again.
                let write = self.kind.closing(key.0, self.next_value);
                self.next_value += self.clients;
                return self.invoke(stage, convert::asked(&write));
            }
            None => {}
        }
        let planned = match &mut self.work {
            Work::Drawn(pace) => {
                pace.invoked(stage.now);
                generator.next(self.me.0)
            }
            Work::Scripted { operations, next } => {
                *next += 1;
                operations.get(*next - 1).map(|(operation, _)| operation.clone())
            }
            Work::Changes(changes) => {
                let Some((fault, options)) = changes.pop_front() else { return Progress::Going };
                let since = stage.now;
                let what = Asked::Change(fault);
                let (is_closing, is_tainted) = (false, false);
                self.open = Some(Open { what, since, deadline: NEVER, is_closing, is_tainted });
                return self.step(stage, ClientInput::Reconfigure(options));
            }
            Work::Done => None,
        };
        match planned {
            Some(planned) => self.invoke(stage, convert::asked(&planned)),
            None => Progress::Going,
        }
    }

    fn invoke(&mut self, stage: &mut Stage<S>, command: Command) -> Progress {
        let step = convert::invocation(ProcessId(self.process), &command);
        if stage.witness.watches_moments() {
            let key = step.key.map(|key| key.0);
            stage.witness.moments.invoked(self.me.0, &step.f, key);
        }
        stage.witness.record(stage.now, What::Invoke(step));
        stage.witness.note_value(&command);
        let since = stage.now;
        let deadline = if self.timeout == 0 { NEVER } else { since + self.timeout };
        let (what, is_closing) = (Asked::Operation(command.clone()), !self.closing.is_empty());
        let is_tainted = self.is_lying();
        self.open = Some(Open { what, since, deadline, is_closing, is_tainted });
        self.step(stage, ClientInput::Invoke(command))
    }

    fn give_up(&mut self, stage: &mut Stage<S>) {
        self.step(stage, ClientInput::GiveUp);
        if let Some(open) = self.open.take()
            && let Asked::Operation(command) = &open.what
        {
            let process = ProcessId(self.process);
            let completion = if open.is_tainted {
                convert::of_liar(process, command)
            } else {
                stage.witness.mark(milestones::TIMED_OUT);
                convert::time_out(process, command)
            };
            self.complete(stage, completion, open.is_closing);
        }
    }

    #[inline]
    fn step(&mut self, stage: &mut Stage<S>, input: ClientInput<S::Message>) -> Progress {
        let Some(core) = &mut self.core else { return Progress::Going };
        if let ClientInput::Message { from, message } = &input {
            self.liar.hear(Who::Node(*from), message);
        }
        stage.acting = Some(Who::Client(self.me));
        core.step(LocalTime(stage.now), input, &mut self.effects);
        stage.acting = None;
        let mut progress = Progress::Going;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                ClientEffect::Send { to, message } => {
                    let (from, to) = (Who::Client(self.me), Who::Node(to));
                    if self.liar.is_honest() {
                        stage.send(from, to, message);
                    } else {
                        let told = self.liar.tell(to, message);
                        for message in told {
                            stage.send(from, to, message);
                        }
                    }
                }
                ClientEffect::Complete(outcome) => progress = self.ended(stage, outcome),
                ClientEffect::SetTimer { id, min, max } => {
                    let after = stage.draw_timer(Endpoint::Client(self.me.0), id, min, max);
                    self.timers.set(id, LocalTime(stage.now + after));
                }
                ClientEffect::CancelTimer { id } => {
                    self.timers.cancel(id);
                }
                // Who lies is not judged, not even for what it believes.
                ClientEffect::Observe(_) if self.is_tainted => {}
                ClientEffect::Observe(observation) => {
                    stage.witness.observed(stage.now, Who::Client(self.me), &observation);
                }
                ClientEffect::Mark(milestone) => stage.witness.mark(milestone),
                ClientEffect::Ignore(why) => stage.witness.ignore(why),
            }
        }
        self.effects = effects;
        self.plan_wake(stage);
        progress
    }

    fn ended(&mut self, stage: &mut Stage<S>, outcome: Outcome) -> Progress {
        let open = self.open.take().expect("only an open operation completes");
        match open.what {
            Asked::Change(fault) => {
                self.task_since = stage.now;
                match outcome {
                    Outcome::Reconfigured => Progress::Changed(fault),
                    Outcome::Read(_)
                    | Outcome::Written
                    | Outcome::Decided(_)
                    | Outcome::Failed(_)
                    | Outcome::Unknown(_)
                    | Outcome::Swapped
                    | Outcome::NotSwapped(_)
                    | Outcome::Appended
                    | Outcome::Deleted
                    | Outcome::Added
                    | Outcome::List(_)
                    | Outcome::Transaction(_) => Progress::Ended,
                }
            }
            Asked::Operation(command) => {
                stage.witness.note_value(&outcome);
                let process = ProcessId(self.process);
                let completion = if open.is_tainted {
                    convert::of_liar(process, &command)
                } else {
                    convert::completion(process, &command, outcome)
                };
                self.complete(stage, completion, open.is_closing);
                Progress::Ended
            }
        }
    }

    /// Records how an operation ended.
    fn complete(&mut self, stage: &mut Stage<S>, completion: What, is_closing: bool) {
        let ok = matches!(completion, What::Ok(_));
        if let What::Ok(step) | What::Fail(step) | What::Info(step) = &completion
            && stage.witness.watches_moments()
        {
            let key = step.key.map(|key| key.0);
            stage.witness.moments.completed(self.me.0, &step.f, key);
        }
        if matches!(completion, What::Info(_)) {
            self.process += self.clients;
        }
        stage.witness.record(stage.now, completion);
        // Nobody asks twice at one time: where all is instant, time must go on nevertheless.
        self.not_before = stage.now + 1;
        match (is_closing, ok) {
            (true, true) => {
                self.closing.pop_front();
                self.task_since = stage.now;
            }
            (true, false) => self.not_before = stage.now + AGAIN_US,
            (false, _) => self.task_since = stage.now,
        }
    }

    /// Puts a wake for whatever comes next into the queue, unless an earlier one is there.
    #[inline]
    pub(crate) fn plan_wake(&mut self, stage: &mut Stage<S>) {
        let timer = self.timers.next().map_or(NEVER, |at| at.0);
        let own = match &self.open {
            Some(open) => open.deadline,
            None => self.next_at(stage),
        };
        let at = timer.min(own).max(stage.now);
        if at < self.wake_at {
            self.wake_at = at;
            stage.queue.push(at, Event::WakeClient(self.me.0));
        }
    }
}
