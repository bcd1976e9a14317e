//! Operations that are written out in the plan.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use quorate_plan::Plan;
use quorate_systems::contract::Command;
use quorate_world::moments::MomentId;
use quorate_world::{convert, untold};
use tokio::sync::watch;

use crate::happenings::Happenings;

/// The scripts of a run, and how many of them have been played.
#[derive(Debug)]
pub(crate) struct Scripts {
    by_client: BTreeMap<u32, Vec<Scripted>>,
    /// Whether no client draws its operations.
    all: bool,
    ended: watch::Sender<usize>,
    /// Who came how far of how many operations, and no further.
    left: Mutex<BTreeMap<u32, (usize, usize)>>,
}

/// One operation of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scripted {
    pub(super) command: Command,
    /// Not before this.
    pub(super) when: Option<MomentId>,
}

impl Scripts {
    /// Those of this plan.
    pub(crate) fn of(plan: &Plan, happenings: &Happenings) -> Self {
        let scripts = plan.scripts.iter().map(|script| {
            let operations = script.operations.iter().map(|operation| Scripted {
                command: convert::asked(operation.planned()),
                when: operation.when.as_ref().map(|moment| happenings.id(moment)),
            });
            (script.client, operations.collect())
        });
        let by_client: BTreeMap<u32, Vec<Scripted>> = scripts.collect();
        let all = (0..plan.workload.clients).all(|client| by_client.contains_key(&client));
        Self { by_client, all, ended: watch::Sender::new(0), left: Mutex::default() }
    }

    /// What this client does, if it has a script.
    pub(super) fn of_client(&self, client: u32) -> Option<&[Scripted]> {
        self.by_client.get(&client).map(Vec::as_slice)
    }

    /// A client has come to the end of its script.
    pub(super) fn end_one(&self) {
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// A client is stopped in its script, of whose operations it has begun so many.
    pub(super) fn stop_one(&self, client: u32, begun: usize) {
        let all = self.of_client(client).map_or(0, <[Scripted]>::len);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(client, (begun, all));
    }

    /// What clients have not begun, once all of them are stopped: one sentence for each client.
    pub(crate) fn untold(&self) -> Vec<String> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let sentence =
            |(client, (begun, all)): (&u32, &(usize, usize))| untold::script(*client, *begun, *all);
        left.iter().filter_map(sentence).collect()
    }

    /// Waits until nobody has anything left to do: for ever, where some draw their operations.
    pub(crate) async fn played(&self) {
        if !self.all {
            return std::future::pending().await;
        }
        let all = self.by_client.len();
        // The sender is here.
        let _ = self.ended.subscribe().wait_for(|ended| *ended >= all).await;
    }
}
