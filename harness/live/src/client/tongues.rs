//! How the clients of a run are to lie: the nemesis says so, and each heeds it at its next step.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_systems::contract::Lie;

/// What each client was told, and how often it has lied.
#[derive(Debug)]
pub(crate) struct Tongues {
    clients: Vec<Mutex<Tongue>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tongue {
    lie: Option<Lie>,
    lies: u64,
}

/// A client that was told to lie, and how often it had before.
pub(crate) type Told = (u32, u64);

impl Tongues {
    /// All of them are honest.
    pub(crate) fn new(clients: u32) -> Self {
        Self { clients: (0..clients).map(|_| Mutex::default()).collect() }
    }

    /// Those of these clients that do not lie yet are to lie so.
    pub(crate) fn begin(&self, clients: &BTreeSet<u32>, lie: Lie) -> Vec<Told> {
        let mut told = Vec::new();
        for client in clients {
            let Some(mut tongue) = self.of(*client) else { continue };
            if tongue.lie.is_none() {
                tongue.lie = Some(lie);
                told.push((*client, tongue.lies));
            }
        }
        told
    }

    /// They are to be honest again; how often they have lied since.
    pub(crate) fn stop(&self, told: &[Told]) -> u64 {
        let mut lies = 0;
        for (client, before) in told {
            if let Some(mut tongue) = self.of(*client) {
                tongue.lie = None;
                lies += tongue.lies - before;
            }
        }
        lies
    }

    /// How this client is to lie; not at all where there is no such client.
    pub(super) fn heed(&self, client: u32) -> Option<Lie> {
        self.of(client)?.lie
    }

    /// The client has lied so often by now.
    pub(super) fn count(&self, client: u32, lies: u64) {
        if let Some(mut tongue) = self.of(client) {
            tongue.lies = lies;
        }
    }

    fn of(&self, client: u32) -> Option<MutexGuard<'_, Tongue>> {
        let tongue = self.clients.get(usize::try_from(client).ok()?)?;
        Some(tongue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_lies_already_is_left_alone_and_lies_are_counted_for_each_time() {
        let tongues = Tongues::new(2);
        tongues.count(0, 3);
        let first = tongues.begin(&[0, 7].into(), Lie::Equivocate);
        assert_eq!(first, [(0, 3)]);
        assert_eq!(tongues.begin(&[0].into(), Lie::SpoilAuthenticator), []);
        assert_eq!(tongues.heed(0), Some(Lie::Equivocate));
        assert_eq!(tongues.heed(1), None);
        tongues.count(0, 8);
        assert_eq!(tongues.stop(&first), 5);
        assert_eq!(tongues.heed(0), None);
    }
}
