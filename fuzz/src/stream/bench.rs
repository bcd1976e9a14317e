//! From the bytes of an input to the core that they are for.

use std::cell::RefCell;
use std::rc::Rc;

use super::step::Header;
use super::trail::Trail;
use super::{Cluster, Streamed};

/// A core with the world around it, which goes from one input to the next.
pub(super) trait Machine<S: Streamed>: Sized {
    /// One for inputs that are for this cluster.
    fn new(cluster: &Rc<Cluster<S>>) -> Self;

    /// Begins anew, and lets all steps of an input happen, telling of them.
    ///
    /// # Panics
    /// Where something is wrong.
    fn feed(&mut self, header: Header, steps: &[u8], trail: &Trail);
}

/// What all inputs of one target share: its clusters, and memory.
pub(super) struct Bench<S: Streamed, M> {
    clusters: Vec<Rc<Cluster<S>>>,
    /// One for each cluster, once an input was for it.
    machines: RefCell<Vec<Option<Box<M>>>>,
}

impl<S: Streamed, M: Machine<S>> Bench<S, M> {
    pub(super) fn new(clusters: Vec<Cluster<S>>) -> Self {
        let machines = clusters.iter().map(|_| None).collect();
        let clusters = clusters.into_iter().map(Rc::new).collect();
        Self { clusters, machines: RefCell::new(machines) }
    }

    /// Feeds an input to a core.
    ///
    /// # Panics
    /// Where something is wrong.
    pub(super) fn run(&self, bytes: &[u8]) {
        self.feed(bytes, &Trail::default());
    }

    /// What an input means, one line for each step, up to what is wrong.
    pub(super) fn show(&self, bytes: &[u8]) -> String {
        Trail::follow(|trail| self.feed(bytes, trail))
    }

    /// A finding takes the machine with it, so that nothing is left of it for the next input.
    fn feed(&self, bytes: &[u8], trail: &Trail) {
        let Some((header, steps)) = Header::split(bytes) else { return };
        let place = usize::from(header.cluster).checked_rem(self.clusters.len());
        let Some((place, cluster)) =
            place.and_then(|place| Some((place, self.clusters.get(place)?)))
        else {
            return;
        };
        let kept = self.machines.borrow_mut().get_mut(place).and_then(Option::take);
        let mut machine = kept.unwrap_or_else(|| Box::new(M::new(cluster)));
        machine.feed(header, steps, trail);
        if let Some(free) = self.machines.borrow_mut().get_mut(place) {
            *free = Some(machine);
        }
    }
}
