//! Requests that a leader has no room for yet.

use alloc::collections::VecDeque;

use crate::contract::ClientId;

/// So many clients may wait. Each asks again for what is dropped.
const CLIENTS_MAX: usize = 1_024;

/// What waits for a slot, one request of each client, the oldest wait first.
///
/// A client has one request open at a time. The one that it asks for next shows that it gave the last one up: it takes
/// that one's place, so that a client which is less patient than the queue is long is served all the same, and
/// what nobody waits for takes no slot.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: VecDeque<(ClientId, T)>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<T> Queue<T> {
    /// Has a client's request wait; false if too many do.
    pub(crate) fn push(&mut self, client: ClientId, request: T) -> bool {
        if let Some((_, waiting)) = self.waiting.iter_mut().find(|(asked, _)| *asked == client) {
            *waiting = request;
            return true;
        }
        let has_room = self.waiting.len() < CLIENTS_MAX;
        if has_room {
            self.waiting.push_back((client, request));
        }
        has_room
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.waiting.pop_front().map(|(_, request)| request)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_its_place_and_waits_with_its_last_request() {
        let mut queue = Queue::default();
        assert!(queue.push(ClientId(1), "a"));
        assert!(queue.push(ClientId(2), "b"));
        assert!(queue.push(ClientId(1), "c"));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some("c"), Some("b"), None]);
        assert!(queue.is_empty());
    }

    #[test]
    fn too_many_clients_are_refused_and_who_waits_may_still_ask_for_something_else() {
        let mut queue = Queue::default();
        assert!((0..1_024).all(|client| queue.push(ClientId(client), 0)));
        assert!(!queue.push(ClientId(1_024), 0));
        assert!(queue.push(ClientId(0), 1));
        assert_eq!(queue.pop(), Some(1));
    }
}
