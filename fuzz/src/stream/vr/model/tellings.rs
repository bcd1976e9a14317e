//! What a replica tells of itself, and whether there is a reason for it.

use quorate_systems::contract::ClientId;
use quorate_systems::parties::NodeSet;
use quorate_systems::smr::{RequestNumber, Slot};
use quorate_systems::vr::{Members, Message, Observation, Status, View};

use super::primary::Primary;
use super::{Node, duties};

impl Node {
    pub(super) fn has_told(&mut self, observation: &Observation) {
        match observation {
            Observation::Status { status, view, last_normal } => {
                self.takes_up(*status, *view, *last_normal);
            }
            Observation::Appended { view, op, entry, ticket } => {
                self.appended(*view, *op, *entry, *ticket);
            }
            Observation::Adopted { view, after, entries, commit, ticket } => {
                self.adopted(*view, (*after, entries), *commit, *ticket);
            }
            Observation::ViewStarted { view, voters } => self.started_view(*view, *voters),
            Observation::Committed { view, op, voters } => self.committed(*view, *op, *voters),
            Observation::Learned { view, commit } => self.learned(*view, *commit),
            Observation::Executed { op, chain: _, request, is_first } => {
                self.has_executed(*op, *request, *is_first);
            }
            Observation::CheckpointTaken { index, .. } => {
                assert!(*index == self.executed, "{index} is not {}", self.executed);
                let steps = index.since(self.checkpoint);
                assert!(steps >= self.config.checkpoint_every, "{steps} after the last checkpoint");
                self.checkpoint = *index;
                self.log.release(*index);
            }
            Observation::CheckpointInstalled { index, .. } => self.installed(*index),
            Observation::Released { op } => {
                assert!(self.is_witness(), "{op} is released by who is no witness");
                assert!(*op <= self.held, "{op} is not held, but {}", self.held);
                self.log.release(*op);
            }
            Observation::LeaseGranted { view, round, micros } => {
                self.granted(*view, *round, *micros);
            }
            Observation::LeaseTaken { view, round, micros, voters } => {
                self.leased(*view, (*round, *voters), *micros);
            }
            Observation::ReadServed { view, applied } => self.served(*view, *applied),
            Observation::EpochEnded { view, op, new } => self.ended_epoch(*view, *op, *new),
            Observation::Accepted { .. } => panic!("a replica is no client: {observation}"),
        }
    }

    fn takes_up(&mut self, status: Status, view: View, last_normal: View) {
        if view.epoch > self.view.epoch {
            self.enters_epoch(view);
        }
        match status {
            Status::Normal if self.status == Status::StateTransfer => self.judge_extension(),
            Status::StateTransfer => assert!(
                view == self.view && last_normal == self.last_normal,
                "it takes up {view} ({last_normal}) before it has the log of that"
            ),
            _ => {}
        }
        if status == Status::Normal {
            assert!(
                view == last_normal,
                "it is in status normal in {view}, and was in {last_normal}"
            );
            let is_led = self.leads(view);
            let may_lead = self.primary_of(view) == self.me && self.lost != Some(view);
            // The first view of an epoch needs no votes.
            if !may_lead || !is_led {
                let leads = may_lead && view.number == 0;
                self.primary = leads.then(|| Primary::new(view, self.log.last()));
            }
        } else {
            if status == Status::StateTransfer {
                self.lost = Some(view);
            }
            self.primary = None;
        }
        if !matches!(status, Status::StateTransfer | Status::Transitioning) {
            self.asked = None;
        }
        (self.status, self.view, self.last_normal) = (status, view, last_normal);
    }

    /// Others have begun a new epoch, and told of it.
    fn enters_epoch(&mut self, view: View) {
        let new = match &self.cause {
            Some((_, Message::StartEpoch { view: told, new, .. })) if *told == view => *new,
            other => panic!("nobody has told of {view}: {other:?}"),
        };
        self.members = new;
        self.offers.clear();
    }

    /// What it lacked of its own view was told, since it asked.
    fn judge_extension(&self) {
        let is_told = match &self.cause {
            Some((_, Message::NewState { view, nonce, .. })) => {
                *view == self.view && self.asked.is_some_and(|(asked, _)| asked == *nonce)
            }
            _ => false,
        };
        assert!(is_told, "nobody has told what it lacks: {:?}, {:?}", self.cause, self.asked);
    }

    fn appended(&mut self, view: View, op: Slot, entry: u64, ticket: u64) {
        let last = self.log.last();
        assert!(self.log.has_heard(entry), "nobody has asked for {op} of {view}");
        assert!(self.status == Status::Normal, "{op} is appended: {:?}", self.status);
        assert!(op == last.next(), "{op} is appended after {last}");
        assert!(view <= self.view, "{op} of {view} is appended in {}", self.view);
        assert!(ticket <= self.tickets, "{op} waits for {ticket} of {}", self.tickets);
        if let Some(primary) = self.primary.as_mut().filter(|primary| primary.view == view) {
            let is_ending = self.log.ends_with(last, view.epoch).is_some();
            assert!(!is_ending, "{op} is prepared after the end of an epoch");
            let open = op.since(self.log.commit);
            assert!(open <= self.config.window, "{open} are open");
            self.log.push(view, entry);
            let asked = self.log.asked(op);
            let is_asked = asked.is_some_and(|asked| self.requested.contains(&asked));
            assert!(is_asked, "nobody has asked for {op}: {asked:?}");
            if let Some(asked) = asked {
                primary.waiting.remove(&asked);
            }
            if asked == self.owes {
                self.owes = None;
            }
        } else {
            self.log.push(view, entry);
            self.is_absurd |= self.log.is_absurd();
        }
        self.log.ticket = ticket;
    }

    fn adopted(
        &mut self,
        view: View,
        (after, entries): (Slot, &[(View, u64)]),
        commit: Slot,
        ticket: u64,
    ) {
        assert!(view >= self.view, "it takes up {view} in {}", self.view);
        self.offers.judge(view, (after, entries), (commit, self.log.commit));
        self.log.adopt(after, entries.iter().copied());
        self.log.raise_commit(commit);
        (self.view, self.last_normal, self.status) = (view, view, Status::Normal);
        self.told = self.log.commit;
        (self.log.ticket, self.view_ticket) = (ticket, ticket);
        self.asked = None;
        self.recovering = None;
        self.offers.settle();
        // What all have who execute is in every later log.
        self.is_absurd |= self.log.is_absurd() || self.log.last() < self.held;
    }

    fn started_view(&mut self, view: View, voters: NodeSet) {
        let is_own = view == self.view && self.primary_of(view) == self.me;
        assert!(is_own, "{view} is begun in {}, and is {}'s", self.view, self.primary_of(view));
        assert!(self.members.is_quorum(voters), "{view} begins by the votes of {voters}");
        assert!(self.offers.have_voted(view, voters), "{voters} have not voted for {view}");
        self.primary = Some(Primary::new(view, self.log.last()));
    }

    /// Whether it is in status normal in a view of its own.
    pub(super) fn leads(&self, view: View) -> bool {
        self.primary.as_ref().is_some_and(|primary| primary.view == view)
    }

    fn committed(&mut self, view: View, op: Slot, voters: NodeSet) {
        let known = self.log.commit;
        let primary = self.primary.as_ref().filter(|primary| primary.view == view);
        let primary =
            primary.unwrap_or_else(|| panic!("{op} is committed in {view} by no primary"));
        assert!(op == known.next(), "{op} is committed after {known}");
        assert!(op <= self.log.last(), "{op} is committed, and there is none");
        primary.judge_commit(op, voters, self.members);
        self.log.raise_commit(op);
    }

    fn learned(&mut self, view: View, commit: Slot) {
        assert!(view <= self.view, "it learns of {view} in {}", self.view);
        assert!(commit > self.log.commit, "it learns of {commit}, and knew {}", self.log.commit);
        assert!(commit <= self.log.last(), "{commit} is committed, and not in the log");
        let told = self.told.max(self.held);
        assert!(commit <= told, "{commit} is committed, and it was told of {told}");
        self.log.raise_commit(commit);
    }

    fn has_executed(&mut self, op: Slot, asked: (ClientId, RequestNumber), is_first: bool) {
        assert!(!self.is_witness(), "a witness executes {op}");
        assert!(op == self.executed.next(), "{op} is executed after {}", self.executed);
        assert!(op <= self.log.commit, "{op} is executed, and {} committed", self.log.commit);
        let has = self.log.asked(op);
        assert!(has == Some(asked), "{asked:?} is executed as {op}, which is {has:?}");
        let (client, number) = asked;
        let last = self.table.get(&client).copied();
        let is_new = last.is_none_or(|last| last < number);
        assert!(
            is_first == is_new,
            "{number} of {client} takes effect: {is_first}, after {last:?}"
        );
        if is_first {
            self.table.insert(client, number);
        }
        self.executed = op;
    }

    fn installed(&mut self, index: Slot) {
        let snapshot = match &self.cause {
            Some((_, Message::Checkpoint { snapshot })) if snapshot.index == index => {
                snapshot.clone()
            }
            other => panic!("nobody has told the state after {index}: {other:?}"),
        };
        assert!(self.offers.wants_checkpoint(index), "{index} is no log's beginning");
        let has = self.executed;
        assert!(self.is_witness() || index > has, "it takes over {index}, and has executed {has}");
        self.log.restart(index);
        self.load(&snapshot);
    }

    fn granted(&mut self, view: View, round: u64, micros: u64) {
        let from = match &self.cause {
            Some((from, Message::Commit { view: v, round: r, .. }))
                if (*v, *r) == (view, round) =>
            {
                *from
            }
            other => panic!("nobody asks for a lease in {view}: {other:?}"),
        };
        let span = self.config.lease.map(duties::granted);
        assert!(span == Some(micros), "a lease of {micros} us is granted, and should be {span:?}");
        let (_, until) = self.grant;
        self.grant = (Some(from), until.max(self.now + micros));
    }

    fn leased(&mut self, view: View, round: (u64, NodeSet), micros: u64) {
        let of = (self.me, self.members);
        let now = self.now;
        let held = self.config.lease.map(duties::held);
        let (Some(primary), Some(held)) = (&mut self.primary, held) else {
            panic!("a lease for {view} where there is none");
        };
        assert!(primary.view == view, "a lease for {view} in {}", primary.view);
        primary.take_lease(of, round, (now, micros, held));
    }

    fn served(&self, view: View, applied: Slot) {
        let until = self.primary.as_ref().filter(|primary| primary.view == view);
        let until = until.map_or(0, |primary| primary.lease_until);
        assert!(self.config.lease.is_some(), "a read is served, and there are no leases");
        assert!(self.now < until, "a read is served at {}, by a lease until {until}", self.now);
        assert!(applied == self.executed, "{applied} is not {}", self.executed);
    }

    fn ended_epoch(&mut self, view: View, op: Slot, new: Members) {
        assert!(op == self.executed, "{op} ends the epoch, and {} is executed", self.executed);
        let says = self.log.ends_with(op, self.view.epoch);
        assert!(says == Some(new), "{op} ends an epoch with {new}, and says {says:?}");
        assert!(view == self.view.next_epoch(), "{view} follows {}", self.view);
        (self.members, self.view) = (new, view);
        self.primary = None;
        self.told = self.log.commit;
        self.view_ticket = 0;
        self.offers.clear();
        self.recovering = None;
        if new.contains(self.me) {
            (self.status, self.last_normal) = (Status::Normal, view);
            self.log.cut(self.log.commit);
        }
    }
}
