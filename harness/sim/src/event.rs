//! What can happen in a run.

/// One thing that the queue makes happen. Small and plain: what it is about lies in the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A message arrives: the place of its flight.
    Deliver(u32),
    /// A message that a liar kept back leaves it: the place of its flight.
    Depart(u32),
    /// A replica's timers are looked at: its slot.
    WakeNode(u16),
    /// A client's timers, deadline and pace are looked at.
    WakeClient(u32),
    /// A disk has finished a sync: the slot, and which span of its syncs.
    Synced(u16, u32),
    /// A planned fault begins: its place in the plan.
    FaultBegins(u32),
    /// A fault ends: its place in the plan, and which attempt.
    FaultEnds(u32, u32),
    /// A moment of the clock has come: its place among those.
    Moment(u32),
    /// An entry of the trace fires a timer or ends a sync: its place among such entries.
    Poke(u32),
    /// The next phase of the run begins.
    Phase(Phase),
}

/// The parts of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Clients work, faults come and go.
    Safety,
    /// The core is healed, everything else stays as broken as it is; what is open must complete.
    Core,
    /// All is healed; every key is read once more.
    Whole,
    /// It is over.
    Over,
}
