//! A replica that says whatever its keys can say: the others stay together, and nobody stops.

use std::sync::Arc;

use quorate_systems::contract::{Outcome, Value};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{
    Body, Certificate, Digest, Message, NewView, Prepared, Proof, View, ViewChange,
};
use quorate_systems::smr::Slot;

use crate::dice::Dice;
use crate::support::{Flight, Happened, Place, c, n, read, write};
use crate::{
    Cluster, HMAC, SIGNATURES, STATUS, VIEW, calm, executed, finish, judge_votes_of_all_but,
    judged, keys, say, tell_all,
};

/// Small changes to what would be said: to what is near, or to what somebody has said before.
struct Liar {
    dice: Dice,
    digests: Vec<Digest>,
    bodies: Vec<Body>,
}

impl Liar {
    fn hear(&mut self, body: &Body) {
        if let Body::PrePrepare { digest, .. } | Body::Checkpoint { digest, .. } = body {
            self.digests.push(*digest);
        }
        if self.bodies.len() < 64 {
            self.bodies.push(body.clone());
        } else {
            let place = self.place(64);
            self.bodies[place] = body.clone();
        }
    }

    fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.dice.below(count as u64)).unwrap()
    }

    fn node(&mut self) -> u16 {
        u16::try_from(self.dice.below(4)).unwrap()
    }

    fn earlier(&mut self) -> Option<Body> {
        let count = self.bodies.len();
        (count > 0).then(|| self.place(count)).map(|place| self.bodies[place].clone())
    }

    fn number(&mut self, truth: u64) -> u64 {
        match self.dice.below(8) {
            0 | 1 => truth.wrapping_add(1),
            2 | 3 => truth.saturating_sub(1),
            4 => self.dice.number(),
            _ => truth,
        }
    }

    fn view(&mut self, truth: View) -> View {
        View(self.number(truth.0))
    }

    fn slot(&mut self, truth: Slot) -> Slot {
        Slot(self.number(truth.0))
    }

    fn digest(&mut self, truth: Digest) -> Digest {
        match self.dice.below(4) {
            0 if !self.digests.is_empty() => {
                let place = self.place(self.digests.len());
                self.digests[place]
            }
            1 => Digest::NULL,
            _ => truth,
        }
    }

    fn thin<T: Clone>(&mut self, list: &mut Vec<T>) {
        if list.is_empty() {
            return;
        }
        let place = self.place(list.len());
        match self.dice.below(4) {
            0 => drop(list.remove(place)),
            1 => list.push(list[place].clone()),
            2 => list.swap(0, place),
            _ => {}
        }
    }

    fn certificate(&mut self, truth: &Certificate) -> Certificate {
        let mut votes = truth.votes.clone();
        self.thin(&mut votes);
        Certificate { seq: self.slot(truth.seq), digest: self.digest(truth.digest), votes }
    }

    fn view_change(&mut self, truth: &ViewChange) -> ViewChange {
        let mut lie = truth.clone();
        lie.view = self.view(lie.view);
        match self.dice.below(4) {
            0 => lie.stable = self.certificate(&truth.stable),
            1 => self.thin(&mut lie.prepared),
            2 => self.thin(&mut lie.pre_prepared),
            _ => {
                let digest = self.digest(Digest([1; 32]));
                let (view, seq) = (self.view(View(0)), self.slot(lie.stable.seq.next()));
                lie.prepared.push(Prepared { view, seq, digest, votes: Vec::new() });
                lie.prepared.sort_by_key(|claim| claim.seq);
            }
        }
        lie
    }

    fn new_view(&mut self, truth: &NewView) -> NewView {
        let mut lie = truth.clone();
        lie.view = self.view(lie.view);
        match self.dice.below(3) {
            0 => self.thin(&mut lie.votes),
            1 => self.thin(&mut lie.proposals),
            _ => {
                for proposal in &mut lie.proposals {
                    proposal.digest = self.digest(proposal.digest);
                }
            }
        }
        lie
    }

    /// What is said in place of this.
    fn lie(&mut self, truth: &Body) -> Body {
        if self.dice.below(6) == 0
            && let Some(earlier) = self.earlier()
        {
            return earlier;
        }
        match truth.clone() {
            Body::PrePrepare { view, seq, digest, batch } => {
                let (view, seq) = (self.view(view), self.slot(seq));
                match self.dice.below(3) {
                    0 => {
                        let digest = Digest::NULL;
                        Body::PrePrepare { view, seq, digest, batch: Arc::default() }
                    }
                    _ => Body::PrePrepare { view, seq, digest, batch },
                }
            }
            Body::Prepare { view, seq, digest } => {
                let (view, seq) = (self.view(view), self.slot(seq));
                Body::Prepare { view, seq, digest: self.digest(digest) }
            }
            Body::Commit { view, seq, digest } => {
                let (view, seq) = (self.view(view), self.slot(seq));
                Body::Commit { view, seq, digest: self.digest(digest) }
            }
            Body::Checkpoint { seq, digest } => {
                Body::Checkpoint { seq: self.slot(seq), digest: self.digest(digest) }
            }
            Body::ViewChange(truth) => Body::ViewChange(Arc::new(self.view_change(&truth))),
            Body::NewView(truth) => Body::NewView(Arc::new(self.new_view(&truth))),
            other => self.lie_to_one(other),
        }
    }

    /// The same for what is no vote.
    fn lie_to_one(&mut self, truth: Body) -> Body {
        match truth {
            Body::Reply { view, number, how, .. } => {
                let outcome = Outcome::Read(Some(Value(self.dice.number())));
                Body::Reply { view: self.view(view), number, outcome, how }
            }
            Body::Status { view, is_active, stable, executed } => {
                let (view, stable) = (self.view(view), self.slot(stable));
                Body::Status { view, is_active: !is_active, stable, executed: self.slot(executed) }
            }
            Body::Committed { seq, digest } => {
                Body::Committed { seq: self.slot(seq), digest: self.digest(digest) }
            }
            Body::Stable(truth) => Body::Stable(Arc::new(self.certificate(&truth))),
            Body::Fetch { digest } => Body::Fetch { digest: self.digest(digest) },
            Body::Fetched { .. } => Body::Fetched { batch: Arc::default() },
            Body::GetState { seq } => Body::GetState { seq: self.slot(seq) },
            Body::State { certificate, snapshot } => {
                let certificate = Arc::new(self.certificate(&certificate));
                Body::State { certificate, snapshot }
            }
            other => other,
        }
    }
}

/// Delivers a message of a liar: what it would have said, or something else, proven with its own keys.
fn deliver_lie(net: &mut Cluster, liar: &mut Liar, flight: Flight<Message>) {
    let Place::Node(from) = flight.from else { unreachable!() };
    liar.hear(&flight.message.body);
    if liar.dice.below(3) == 0 {
        return net.arrive(flight);
    }
    let body = liar.lie(&flight.message.body);
    let to = match flight.to {
        Place::Node(node) => Party::Node(node),
        Place::Client(client) => Party::Client(client),
    };
    let proof = keys(net, from.0).prove(to, &body);
    net.arrive(Flight { message: Message { body, proof }, ..flight });
}

/// One replica lies, and all that it says is proven with its own keys; messages overtake each other, and timers fire.
fn beset(seed: u64, place: u16, options: &[(&str, &str)]) -> Cluster {
    let mut net = calm(4, options);
    let mut liar = Liar { dice: Dice(seed), digests: Vec::new(), bodies: Vec::new() };
    for step in 0..1_200_u64 {
        if let Some(free) = (0..4_u32).find(|client| !net.clients[*client as usize].is_open) {
            let command = if liar.dice.below(2) == 0 { read(1) } else { write(1, step) };
            net.invoke(free, command);
        }
        let node = liar.node();
        match liar.dice.below(60) {
            0 => net.fire_one(n(node), STATUS),
            1 => net.fire_one(n(node), VIEW),
            2 => net.fire(c(u32::from(node))),
            3 if node != place => {
                let Some(truth) = liar.earlier() else { continue };
                let body = liar.lie(&truth);
                say(&mut net, place, node, body);
            }
            _ if net.flying.is_empty() => {}
            _ => {
                // Mostly in order.
                let chosen = liar.place(net.flying.len().min(12));
                let flight = net.flying.remove(chosen);
                if flight.from == n(place) && !flight.is_local() {
                    deliver_lie(&mut net, &mut liar, flight);
                } else {
                    liar.hear(&flight.message.body);
                    net.arrive(flight);
                }
            }
        }
    }
    net
}

#[test]
fn whatever_one_replica_says_with_its_own_keys_the_others_stay_together_and_get_on() {
    let mut histories = 0;
    for seed in 0..80 {
        let options = [
            if seed % 2 == 0 { SIGNATURES } else { HMAC },
            ("execution", if seed % 5 == 0 { "tentative" } else { "committed" }),
            ("reads", if seed % 3 == 0 { "read-only" } else { "log" }),
            ("checkpoint_every", "4"),
            ("batch", "2"),
        ];
        let place = u16::try_from(seed / 2 % 4).unwrap();
        let mut net = beset(seed, place, &options);
        assert_eq!(judged(n(place), &net), Ok(()), "seed {seed}");
        judge_votes_of_all_but(n(place), &net);
        net.crash(place, 0);
        finish(&mut net);
        assert_eq!(judged(n(place), &net), Ok(()), "seed {seed}");
        judge_votes_of_all_but(n(place), &net);
        histories += executed(&net, (place + 1) % 4).0;
    }
    assert!(histories > 500, "{histories} sequence numbers were executed");
}

#[test]
fn nothing_that_anybody_says_stops_a_replica_or_a_client() {
    for authentication in [SIGNATURES, HMAC] {
        let mut net = calm(4, &[authentication, ("checkpoint_every", "4")]);
        (0..6).for_each(|value| drop(net.run(0, write(1, value))));
        tell_all(&mut net);
        let bodies = net.happened.iter().filter_map(|happened| match happened {
            Happened::Sent { message, .. } => Some(message.body.clone()),
            _ => None,
        });
        let bodies = bodies.collect();
        let mut liar = Liar { dice: Dice(9), digests: Vec::new(), bodies };
        for _ in 0..4_000 {
            let Some(truth) = liar.earlier() else { unreachable!() };
            let body = liar.lie(&truth);
            let (from, to) = (u16::try_from(liar.place(5)).unwrap(), liar.node());
            // All lie: nothing is promised but that nobody panics.
            match liar.dice.below(4) {
                0 => {
                    let message = Message { body, proof: Proof::Itself };
                    net.arrive(Flight { from: c(u32::from(from)), to: n(to), message });
                }
                1 => {
                    let message = Message { body, proof: Proof::Mac([7; 16]) };
                    net.arrive(Flight { from: n(from), to: c(u32::from(to)), message });
                }
                _ if from == to || from > 3 => {}
                _ => say(&mut net, from, to, body),
            }
            net.flying.clear();
        }
    }
}
