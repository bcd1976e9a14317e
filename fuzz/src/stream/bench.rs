//! From the bytes of an input to the core that they are for.

use std::cell::RefCell;
use std::rc::Rc;

use quorate_plan::Endpoint;
use quorate_world::invariants::Who;

use super::step::{Header, Step, input, steps};
use super::trail::Trail;
use super::{Cluster, Streamed, recorded};
use crate::Seed;

/// A core with the world around it, which goes from one input to the next.
pub(super) trait Machine<S: Streamed>: Sized {
    /// One for inputs that are for this cluster.
    fn new(cluster: &Rc<Cluster<S>>) -> Self;

    /// Begins anew, telling of what happens.
    fn begin(&mut self, header: Header, trail: &Trail);

    /// Lets a step happen.
    ///
    /// # Panics
    /// Where something is wrong.
    fn next(&mut self, step: Step);

    /// What the core would hear, and from whom, if this step happened now; nothing where that is no message.
    fn hears(&self, step: Step) -> Option<(Who, S::Message)>;

    /// Whether a disk is behind.
    fn is_behind(&self) -> bool;
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

    /// Inputs that follow a run of each cluster, as it was for the core at the same place.
    pub(super) fn recorded(&self, me: u8, who: Endpoint) -> Vec<Seed> {
        let seed = |(cluster, place): (&Rc<Cluster<S>>, u8)| {
            let node = match who {
                Endpoint::Node(node) => node % cluster.nodes,
                Endpoint::Client(_) => 0,
            };
            let seat = match who {
                Endpoint::Node(_) => Endpoint::Node(node),
                Endpoint::Client(_) => who,
            };
            let tape = recorded::run(cluster, node);
            let header = [place, me];
            let (of, _) = Header::split(&header).expect("it has its length");
            let mut machine = M::new(cluster);
            machine.begin(of, &Trail::default());
            let functions = S::functions(&cluster.config);
            let happenings = recorded::happenings(&tape, seat, functions);
            let steps = recorded::follow(&mut machine, &happenings);
            Seed { name: format!("recorded-{place}"), bytes: input(header, &steps) }
        };
        self.clusters.iter().zip(0..).map(seed).collect()
    }

    /// A finding takes the machine with it, so that nothing is left of it for the next input.
    fn feed(&self, bytes: &[u8], trail: &Trail) {
        let Some((header, steps_of)) = Header::split(bytes) else { return };
        let place = usize::from(header.cluster).checked_rem(self.clusters.len());
        let Some((place, cluster)) =
            place.and_then(|place| Some((place, self.clusters.get(place)?)))
        else {
            return;
        };
        let kept = self.machines.borrow_mut().get_mut(place).and_then(Option::take);
        let mut machine = kept.unwrap_or_else(|| Box::new(M::new(cluster)));
        machine.begin(header, trail);
        for step in steps(steps_of) {
            machine.next(step);
        }
        if let Some(free) = self.machines.borrow_mut().get_mut(place) {
            *free = Some(machine);
        }
    }
}
