//! A node that proposes for clients: one proposal at a time in each instance, and a queue behind it.
//!
//! A request needs no protection against being run twice: of two proposals of one value at most one decides it.

use alloc::collections::{BTreeMap, VecDeque};

use super::PaxosSingle;
use super::ballot::Numbers;
use super::message::{Accepted, Message, Observation, RequestId};
use super::options::Config;
use super::proposer::{Progress, Proposal};
use crate::contract::{After, ClientId, Key, NodeId, Outbox, Outcome, TimerId, Value};

/// The requests that a node is at work on.
#[derive(Debug)]
pub(super) struct Desk {
    numbers: Numbers,
    entries: BTreeMap<Key, Entry>,
    /// Which instance a timer is for.
    timers: BTreeMap<TimerId, Key>,
    last_timer: TimerId,
}

/// One instance. The proposal is that of the first who asks.
#[derive(Debug)]
struct Entry {
    proposal: Proposal,
    timer: TimerId,
    askers: VecDeque<Asker>,
}

/// Who asks, and for what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Asker {
    pub(super) client: ClientId,
    pub(super) id: RequestId,
    /// What the client proposes; a read has no value.
    pub(super) wish: Option<Value>,
}

impl Desk {
    pub(super) const fn new(numbers: Numbers) -> Self {
        // The lower timers are the learner's.
        Self { numbers, entries: BTreeMap::new(), timers: BTreeMap::new(), last_timer: TimerId(15) }
    }

    /// A client asks.
    pub(super) fn on_request(
        &mut self,
        (config, seen): (&Config, u64),
        key: Key,
        asker: Asker,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.begin((config, seen), key, VecDeque::from([asker]), out);
        };
        // Somebody still wants to know: what was about to be given up goes on.
        entry.proposal.renew();
        if entry.askers.contains(&asker) {
            return out.ignore("REQUEST that is being run");
        }
        entry.askers.push_back(asker);
    }

    /// Begins the proposal of the first who asks.
    fn begin(
        &mut self,
        (config, seen): (&Config, u64),
        key: Key,
        askers: VecDeque<Asker>,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let Some(first) = askers.front() else { return };
        self.last_timer.0 += 1;
        let timer = self.last_timer;
        let numbers = &mut self.numbers;
        let proposal = Proposal::begin(config, numbers, (key, first.wish), (seen, timer), out);
        self.timers.insert(timer, key);
        self.entries.insert(key, Entry { proposal, timer, askers });
    }

    /// An acceptor answers. Gives what is decided thereby; a message that changes nothing is told of, except an
    /// `ACCEPT_OK`, which is also for the learner.
    pub(super) fn on_answer(
        &mut self,
        (config, seen): (&Config, u64),
        (from, key): (NodeId, Key),
        message: &Message,
        out: &mut Outbox<PaxosSingle>,
    ) -> Option<Accepted> {
        let is_vote = matches!(message, Message::AcceptOk { .. });
        let Some(entry) = self.entries.get_mut(&key) else {
            if !is_vote {
                out.ignore("answer after the proposal");
            }
            return None;
        };
        let numbers = &mut self.numbers;
        match entry.proposal.on_message((config, numbers), from, message, out) {
            Progress::Ignored(_) if is_vote => None,
            Progress::Ignored(why) => {
                out.ignore(why);
                None
            }
            Progress::Waiting => None,
            Progress::Nothing => {
                self.finish_read((config, seen), key, out);
                None
            }
            Progress::Decided(decided, acceptors) => {
                let Accepted { n, value } = decided;
                out.observe(Observation::Decided { key, n, value, acceptors });
                Some(decided)
            }
        }
    }

    /// Nothing was decided when the first read began. Of those that asked later this says nothing.
    fn finish_read(
        &mut self,
        (config, seen): (&Config, u64),
        key: Key,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let Some(mut askers) = self.close(key, out) else { return };
        if let Some(Asker { client, id, .. }) = askers.pop_front() {
            let outcome = Outcome::Read(None);
            out.reply_after(After::Nothing, client, Message::Answer { id, outcome });
        }
        self.begin((config, seen), key, askers, out);
    }

    /// It is known what is decided: all who ask are answered.
    pub(super) fn finish(&mut self, key: Key, value: Value, out: &mut Outbox<PaxosSingle>) {
        for asker in self.close(key, out).into_iter().flatten() {
            answer(asker, value, out);
        }
    }

    fn close(&mut self, key: Key, out: &mut Outbox<PaxosSingle>) -> Option<VecDeque<Asker>> {
        let entry = self.entries.remove(&key)?;
        self.timers.remove(&entry.timer);
        out.cancel_timer(entry.timer);
        Some(entry.askers)
    }

    /// Repeats what an instance waits for, within bounds: its clients ask again if they still want to know.
    pub(super) fn on_timer(
        &mut self,
        config: &Config,
        timer: TimerId,
        out: &mut Outbox<PaxosSingle>,
    ) {
        let Some(key) = self.timers.get(&timer).copied() else {
            return out.ignore("timer without a proposal");
        };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.proposal.is_spent() {
            self.close(key, out);
            return;
        }
        entry.proposal.on_timer((config, &mut self.numbers), out);
    }
}

/// Tells one who asked what is decided.
pub(super) fn answer(asker: Asker, value: Value, out: &mut Outbox<PaxosSingle>) {
    let Asker { client, id, wish } = asker;
    let outcome = match wish {
        Some(_) => Outcome::Decided(value),
        None => Outcome::Read(Some(value)),
    };
    out.reply_after(After::Nothing, client, Message::Answer { id, outcome });
}
