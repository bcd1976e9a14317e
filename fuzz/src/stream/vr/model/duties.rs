//! What a replica owes its clients: requests get op-numbers, reads wait for what is complete, answers are true.

use quorate_systems::contract::ClientId;
use quorate_systems::kv::Store;
use quorate_systems::smr::{Lease, Request, RequestNumber, Slot};
use quorate_systems::vr::{Entry, Message, Reconfiguration, Replies, Status};

use super::Node;

const PPM: u64 = 1_000_000;

/// How long who grants a lease keeps to it, on a clock that may be too fast.
pub(super) fn granted(lease: Lease) -> u64 {
    lease.length.0 + (lease.length.0 * lease.drift_ppm).div_ceil(PPM)
}

/// How long who holds a lease counts on it, on a clock that may be too slow.
pub(super) fn held(lease: Lease) -> u64 {
    lease.length.0 - (lease.length.0 * lease.drift_ppm).div_ceil(PPM)
}

impl Node {
    pub(super) fn on_request(&mut self, client: ClientId, message: &Message) {
        let (epoch, entry) = match message {
            Message::Request { epoch, number, command } => {
                let (number, command) = (*number, command.clone());
                (*epoch, Entry::Request(Request { client, number, command }))
            }
            Message::Reconfiguration { epoch, number, members } => {
                let (number, members) = (*number, *members);
                (*epoch, Entry::Reconfiguration(Reconfiguration { client, number, members }))
            }
            _ => return,
        };
        let (client, number) = entry.asked();
        self.requested.insert((client, number));
        self.log.hear(&entry);
        let is_done = self.table.get(&client).is_some_and(|known| *known >= number);
        if epoch != self.view.epoch || is_done {
            return;
        }
        let is_read =
            entry.request().is_some_and(|request| Store::new().look(&request.command).is_some());
        if is_read && self.config.lease.is_some() {
            return self.on_read(client, number);
        }
        self.owe(client, number);
    }

    /// Where clients go by what is prepared, a read must see that.
    fn on_read(&mut self, client: ClientId, number: RequestNumber) {
        let index = match self.config.replies {
            Replies::Commit => self.log.commit,
            Replies::Prepare => self.log.last(),
        };
        if let Some(primary) = &mut self.primary {
            let index = index.max(primary.began);
            primary.on_read(client, number, index);
        }
    }

    /// A primary gives a new request an op-number at once, or once the window has room.
    fn owe(&mut self, client: ClientId, number: RequestNumber) {
        let last = self.log.last();
        let is_ending = self.log.ends_with(last, self.view.epoch).is_some();
        let is_later =
            |(other, known): (ClientId, RequestNumber)| other == client && known >= number;
        // Whoever says what came before the log may say that there was any number.
        let open = (self.executed.max(self.log.base).0..last.0).map(|before| Slot(before + 1));
        let is_on_its_way = open.filter_map(|op| self.log.asked(op)).any(is_later);
        let has_room = last.since(self.log.commit) < self.config.window;
        let Some(primary) = &mut self.primary else { return };
        let is_waiting = primary.waiting.iter().copied().any(is_later);
        if is_ending || is_on_its_way || is_waiting {
            return;
        }
        if has_room {
            self.owes = Some((client, number));
        } else {
            primary.waiting.insert((client, number));
        }
    }

    /// It answers a client, once the ticket `after` is durable.
    pub(super) fn has_answered(&mut self, client: ClientId, message: &Message, after: u64) {
        match message {
            Message::Reply { view, op, number, is_committed: true, .. } => {
                assert!(*view == self.view, "{message} to {client} in {}", self.view);
                assert!(*op <= self.log.commit, "{message}: not committed: {}", self.log.commit);
                let is_true = self.table.get(&client) == Some(number)
                    || self.may_answer_read(client, *number)
                    || self.was_told(client, message);
                assert!(is_true, "{message} to {client}, and that is not executed: {self:?}");
            }
            Message::Reply { view, op, number, is_committed: false, .. } => {
                assert!(self.config.replies == Replies::Prepare, "{message} of what is prepared");
                let is_normal = self.status == Status::Normal && *view == self.view;
                assert!(is_normal, "{message} in {} {:?}", self.view, self.status);
                let has = self.log.asked(*op);
                assert!(has == Some((client, *number)), "{message} to {client}, and has {has:?}");
                let ticket = self.log.ticket;
                assert!(after >= ticket, "{message} waits for {after}, and should for {ticket}");
            }
            Message::Redirect { view, .. } => {
                assert!(*view == self.view, "{message} in {}", self.view);
            }
            Message::NewEpoch { view, members, .. } => {
                let is_own = (*view, *members) == (self.view, self.members);
                assert!(is_own, "{message} in {} of {}", self.view, self.members);
            }
            _ => panic!("not for a client: {message}"),
        }
    }

    /// All that was complete when the read came is executed, and the view was not over then.
    fn may_answer_read(&self, client: ClientId, number: RequestNumber) -> bool {
        let index = self.primary.as_ref().and_then(|primary| primary.index_of(client, number));
        self.config.lease.is_some() && index.is_some_and(|index: Slot| index <= self.executed)
    }

    /// Whether a witness says what it was told.
    fn was_told(&self, client: ClientId, message: &Message) -> bool {
        let Message::Reply { number: said, outcome: told, .. } = message else { return false };
        matches!(&self.cause, Some((_, Message::RelayReply { client: of, number, outcome }))
            if (*of, number, outcome) == (client, said, told))
    }
}
