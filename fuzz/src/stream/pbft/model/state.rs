//! The replicated state, executed once more.

use std::collections::BTreeMap;

use quorate_systems::contract::{ClientId, Outcome};
use quorate_systems::pbft::{Batch, Digest};
use quorate_systems::smr::{RequestNumber, Session, Slot, Snapshot};

/// The state after a sequence number, and how all requests ended that are known to have.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) snapshot: Snapshot,
    outcomes: BTreeMap<(ClientId, RequestNumber), Outcome>,
}

impl State {
    pub(super) fn load(snapshot: Snapshot) -> Self {
        let known = |(client, session): (&ClientId, &Session)| {
            ((*client, session.number), session.outcome.clone())
        };
        Self { outcomes: snapshot.clients.iter().map(known).collect(), snapshot }
    }

    /// The last sequence number that is executed.
    pub(super) const fn executed(&self) -> Slot {
        self.snapshot.index
    }

    /// Whether no later request of this client was executed, nor this one.
    pub(super) fn is_new(&self, client: ClientId, number: RequestNumber) -> bool {
        self.snapshot.clients.get(&client).is_none_or(|session| session.number < number)
    }

    /// How a request ended.
    pub(super) fn outcome(&self, client: ClientId, number: RequestNumber) -> Option<&Outcome> {
        self.outcomes.get(&(client, number))
    }

    /// Executes the next batch; whose requests these were, and which took effect.
    pub(super) fn execute(
        &mut self,
        digest: Digest,
        batch: &Batch,
    ) -> Vec<(ClientId, RequestNumber, bool)> {
        let index = self.snapshot.index.next();
        self.snapshot.chain = self.snapshot.chain.after(index, digest.short());
        self.snapshot.index = index;
        let mut effects = Vec::new();
        for signed in &batch.0 {
            let (client, number) = (signed.request.client, signed.request.number);
            let is_new = self.is_new(client, number);
            if is_new {
                let outcome = self.snapshot.store.apply(&signed.request.command);
                self.outcomes.insert((client, number), outcome.clone());
                self.snapshot.clients.insert(client, Session { number, outcome });
            }
            effects.push((client, number, is_new));
        }
        effects
    }
}
