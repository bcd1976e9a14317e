//! What makes a list of events a history.

use std::collections::BTreeMap;
use std::fmt;

use rustc_hash::FxHashMap;

use super::{Event, Key, Nemesis, NemesisPhase, ProcessId, SmolStr, Step, Time, What};

/// An event that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// Indices count from 0 without gaps.
    #[error("index {found} where {expected} was expected: indices count from 0 without gaps")]
    Index {
        /// The next index.
        expected: u64,
        /// The event's.
        found: u64,
    },
    /// Time never decreases.
    #[error("time goes back to {now} ns after {before} ns", now = now.0, before = before.0)]
    TimeBack {
        /// The time of the event before.
        before: Time,
        /// The event's.
        now: Time,
    },
    /// A process does one thing at a time.
    #[error(
        "process {process} invokes `{f}` while its `{busy}` of index {invoked} is still in flight"
    )]
    Busy {
        /// Who.
        process: ProcessId,
        /// What it invokes.
        f: SmolStr,
        /// What it is doing.
        busy: SmolStr,
        /// Since when.
        invoked: u64,
    },
    /// A process whose operation ended as `info` goes on under a new id.
    #[error(
        "process {process} acts again after its operation ended as info at index {ended}; \
         expected a new process id"
    )]
    Retired {
        /// Who.
        process: ProcessId,
        /// Where its last operation ended.
        ended: u64,
    },
    /// A completion needs its invocation.
    #[error("completion of `{f}` for process {process}, which has no operation in flight")]
    NothingInFlight {
        /// Who.
        process: ProcessId,
        /// What is said to complete.
        f: SmolStr,
    },
    /// A completion repeats the function and key of its invocation.
    #[error(
        "process {process} completes {found}, but the operation that it has in flight since index \
         {invoked} is {expected}"
    )]
    OtherOperation {
        /// Who.
        process: ProcessId,
        /// Since when.
        invoked: u64,
        /// Function and key of the invocation.
        expected: Named,
        /// Function and key of the completion.
        found: Named,
    },
    /// Only what failed or is unknown has a reason.
    #[error("an event of process {process} that is neither fail nor info carries an error")]
    ErrorOutOfPlace {
        /// Who.
        process: ProcessId,
    },
    /// A fault ends only if it has begun.
    #[error("fault {fault} (`{kind}`) ends, but it is not in force")]
    FaultNotBegun {
        /// Which.
        fault: u32,
        /// Its class.
        kind: String,
    },
    /// A fault that is in force does not begin, nor is it skipped.
    #[error(
        "fault {fault} (`{kind}`) begins or is skipped, but it is in force since index {begun}"
    )]
    FaultInForce {
        /// Which.
        fault: u32,
        /// Its class.
        kind: String,
        /// Where it began.
        begun: u64,
    },
    /// The end of a fault repeats its class.
    #[error("fault {fault} began as `{expected}`, but ends as `{found}`")]
    FaultKind {
        /// Which.
        fault: u32,
        /// As it began.
        expected: String,
        /// As it ends.
        found: String,
    },
}

/// An operation by its function and key, for messages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Named {
    /// The function.
    pub f: SmolStr,
    /// The key.
    pub key: Option<Key>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "`{}` on key {key}", self.f),
            None => write!(f, "`{}` without a key", self.f),
        }
    }
}

/// What is known after some events, as far as the next one must agree with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    next: u64,
    now: Time,
    processes: FxHashMap<ProcessId, Process>,
    /// Faults in force: where they began, and as what.
    faults: BTreeMap<u32, (u64, String)>,
}

/// A process that has acted.
#[derive(Clone, Debug, Default)]
struct Process {
    doing: Doing,
    /// What it did last.
    operation: Named,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, Default)]
enum Doing {
    #[default]
    Idle,
    InFlight {
        invoked: u64,
    },
    Retired {
        ended: u64,
    },
}

impl Ledger {
    /// Takes the next event, or says why it cannot be the next; then nothing has changed.
    pub(super) fn admit(&mut self, event: &Event) -> Result<(), Inconsistency> {
        if event.index != self.next {
            return Err(Inconsistency::Index { expected: self.next, found: event.index });
        }
        if event.time < self.now {
            return Err(Inconsistency::TimeBack { before: self.now, now: event.time });
        }
        match &event.what {
            What::Invoke(step) => self.invoke(event.index, step)?,
            What::Ok(step) => {
                no_error(step)?;
                self.complete(step, Doing::Idle)?;
            }
            What::Fail(step) => self.complete(step, Doing::Idle)?,
            What::Info(step) => self.complete(step, Doing::Retired { ended: event.index })?,
            What::Nemesis(nemesis) => self.nemesis(event.index, nemesis)?,
            // It can be found at any time.
            What::Violation(_) => {}
        }
        self.next += 1;
        self.now = event.time;
        Ok(())
    }

    /// The index of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The time of the last event.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    fn invoke(&mut self, index: u64, step: &Step) -> Result<(), Inconsistency> {
        no_error(step)?;
        let process = step.process;
        let Process { doing, operation } = self.processes.entry(process).or_default();
        match *doing {
            Doing::Idle => {
                *doing = Doing::InFlight { invoked: index };
                *operation = named(step);
                Ok(())
            }
            Doing::InFlight { invoked } => Err(Inconsistency::Busy {
                process,
                f: step.f.clone(),
                busy: operation.f.clone(),
                invoked,
            }),
            Doing::Retired { ended } => Err(Inconsistency::Retired { process, ended }),
        }
    }

    fn complete(&mut self, step: &Step, then: Doing) -> Result<(), Inconsistency> {
        let process = step.process;
        let nothing = || Inconsistency::NothingInFlight { process, f: step.f.clone() };
        let Process { doing, operation } = self.processes.get_mut(&process).ok_or_else(nothing)?;
        match *doing {
            Doing::InFlight { invoked } if *operation != named(step) => {
                Err(Inconsistency::OtherOperation {
                    process,
                    invoked,
                    expected: operation.clone(),
                    found: named(step),
                })
            }
            Doing::InFlight { .. } => {
                *doing = then;
                Ok(())
            }
            Doing::Retired { ended } => Err(Inconsistency::Retired { process, ended }),
            Doing::Idle => Err(nothing()),
        }
    }

    fn nemesis(&mut self, index: u64, nemesis: &Nemesis) -> Result<(), Inconsistency> {
        let (fault, kind) = (nemesis.fault, nemesis.kind.clone());
        match (nemesis.phase, self.faults.get(&fault)) {
            (NemesisPhase::Begin, None) => {
                self.faults.insert(fault, (index, kind));
            }
            (NemesisPhase::Skipped, None) => {}
            (NemesisPhase::Begin | NemesisPhase::Skipped, Some(&(begun, _))) => {
                return Err(Inconsistency::FaultInForce { fault, kind, begun });
            }
            (NemesisPhase::End, None) => return Err(Inconsistency::FaultNotBegun { fault, kind }),
            (NemesisPhase::End, Some((_, expected))) if *expected != kind => {
                let expected = expected.clone();
                return Err(Inconsistency::FaultKind { fault, expected, found: kind });
            }
            (NemesisPhase::End, Some(_)) => {
                self.faults.remove(&fault);
            }
        }
        Ok(())
    }
}

fn no_error(step: &Step) -> Result<(), Inconsistency> {
    match step.error {
        Some(_) => Err(Inconsistency::ErrorOutOfPlace { process: step.process }),
        None => Ok(()),
    }
}

fn named(step: &Step) -> Named {
    Named { f: step.f.clone(), key: step.key }
}
