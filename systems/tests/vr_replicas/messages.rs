//! Messages, whatever they are.

use quorate_systems::contract::{ClientId, Incarnation, Outcome};
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::Slot;
use quorate_systems::vr::{
    CrashVector, Entry, Logged, Members, Message, Reconfiguration, State, Suffix, View,
};

use crate::dice::Dice;

/// Parts of messages, whatever they are.
impl Dice {
    pub(crate) fn view(&mut self) -> View {
        let epoch = if self.below(6) == 0 { self.number() } else { 0 };
        View { epoch, number: self.number() }
    }

    pub(crate) fn members(&mut self) -> Members {
        let nodes: NodeSet = (0..3).map(|_| self.node()).collect();
        nodes.try_into().unwrap()
    }

    pub(crate) fn logged_entry(&mut self) -> Entry {
        if self.below(6) > 0 {
            return Entry::Request(self.request());
        }
        let (client, number, members) = (ClientId(2), self.request_number(), self.members());
        Entry::Reconfiguration(Reconfiguration { client, number, members })
    }

    pub(crate) fn state(&mut self) -> State {
        let after = if self.below(2) == 0 { Slot::ZERO } else { self.slot() };
        let count = self.below(4);
        let entries = (0..count).map(|_| Logged { view: self.view(), entry: self.logged_entry() });
        let log = Suffix { entries: entries.collect(), after };
        State { log, commit: self.slot(), held: self.slot() }
    }

    pub(crate) fn crashes(&mut self) -> CrashVector {
        let mut crashes = CrashVector::new();
        for _ in 0..self.below(3) {
            crashes.raise(self.node(), Incarnation(self.below(4)));
        }
        crashes
    }

    /// Any message at all, of this view if it is of one.
    pub(crate) fn message(&mut self, place: u64, view: View) -> Message {
        let (op, commit, held, round) = (self.slot(), self.slot(), self.slot(), self.number());
        let (number, nonce) = (self.request_number(), self.below(4));
        let (state, crashes) = (Box::new(self.state()), self.crashes());
        let (command, client, epoch) = (self.command(), ClientId(1), view.epoch);
        let (flag, outcome) = (self.below(2) == 0, Outcome::Written);
        match place {
            0 => Message::Request { epoch, number, command },
            1 => Message::Reconfiguration { epoch, number, members: self.members() },
            2 => Message::Reply { view, op, number, outcome, is_committed: flag },
            3 => Message::Redirect { number, view },
            4 => Message::NewEpoch { number, view, members: self.members() },
            5 => Message::Relay { client, number, command },
            6 => Message::RelayReply { client, number, outcome },
            7 => Message::Prepare { view, op, entry: self.logged_entry(), commit, held },
            8 => Message::PrepareOk { view, op },
            9 => Message::Commit { view, round, commit, held },
            10 => Message::CommitOk { view, round },
            11 => Message::StartViewChange { view, has_left: flag, crashes },
            12 => Message::DoViewChange { view, last_normal: self.view(), state, crashes },
            13 => Message::StartView { view, state, crashes },
            14 => Message::GetStartView { view },
            15 => Message::Recovery { nonce, view, crashes },
            16 => Message::RecoveryResponse { nonce, view, state: flag.then_some(state), crashes },
            17 => Message::GetState { view, op, nonce, is_joining: flag },
            18 => Message::NewState { view, nonce, state },
            19 => Message::GetCheckpoint { op },
            20 => Message::Checkpoint { snapshot: Box::new(self.snapshot()) },
            21 => Message::StartEpoch {
                view,
                assigned: self.view(),
                op,
                old: self.members(),
                new: self.members(),
            },
            _ => Message::EpochStarted { epoch },
        }
    }
}

pub(crate) const KINDS: u64 = 23;
