//! A Byzantine replica or client: a real one, whose words are changed on their way out.

use quorate_systems::contract::{Describe, Input, Keyring, Lie, System, Telling};
use quorate_systems::lies::Memory;

use crate::invariants::Who;
use crate::weather;

/// Stands between a core and everybody else. It does not touch what a replica says to itself: a liar knows the truth.
#[derive(Debug)]
pub struct Liar<S: System> {
    me: Who,
    seed: u64,
    lying: Option<Box<Lying<S>>>,
    told: u64,
    lies: u64,
}

/// How somebody lies, and what for.
#[derive(Debug)]
struct Lying<S: System> {
    lie: Lie,
    config: S::Config,
    keys: Keyring,
    /// Some of what its core has said since it began to lie; of one that replays, some of what left it.
    said: Memory<S::Message>,
    /// Some of what it has heard since then.
    heard: Memory<S::Message>,
}

impl<S: System> Liar<S> {
    /// An honest core, whose later lies are drawn from `seed`.
    pub const fn new(me: Who, seed: u64) -> Self {
        Self { me, seed, lying: None, told: 0, lies: 0 }
    }

    /// Lies so from now on, in a cluster of this configuration and with its own keys. Who is told to be [`Lie::Twins`]
    /// says what it means: that lie is in there being two of them, which is whoever runs them to arrange. Who is told to
    /// be [`Lie::Slow`] as well: whoever runs it lets its words go later, by [`Self::delay_us`].
    pub fn begin(&mut self, lie: Lie, config: S::Config, keys: Keyring) {
        let (said, heard) = (Memory::default(), Memory::default());
        self.lying = Some(Box::new(Lying { lie, config, keys, said, heard }));
    }

    /// Is honest from now on.
    pub fn stop(&mut self) {
        self.lying = None;
    }

    /// Whether it says what it means at present.
    #[inline]
    pub const fn is_honest(&self) -> bool {
        self.lying.is_none()
    }

    /// How long what it says now is to be kept back, in microseconds.
    #[inline]
    pub fn delay_us(&self) -> u64 {
        match &self.lying {
            Some(lying) if lying.lie == Lie::Slow => S::slowness(&lying.config).0,
            Some(_) | None => 0,
        }
    }

    /// How many times it said something else than its core, or nothing, or something late.
    pub const fn lies(&self) -> u64 {
        self.lies
    }

    /// It hears this: what it says later may be made of it.
    #[inline]
    pub fn hear(&mut self, from: Who, message: &S::Message) {
        if let Some(lying) = &mut self.lying {
            let draw = weather::draw(self.seed, "heard", &[self.told]);
            lying.heard.keep(from.into(), message, draw);
        }
    }

    /// A replica takes this input: it hears what is a message of others.
    pub fn hear_input(&mut self, input: &Input<S::Message>) {
        match input {
            Input::Message { from, message } if Who::Node(*from) != self.me => {
                self.hear(Who::Node(*from), message);
            }
            Input::Request { client, message } => self.hear(Who::Client(*client), message),
            Input::Message { .. } | Input::Persisted(_) | Input::Timer(_) => {}
        }
    }

    /// What leaves it for `to` in place of `message`: nothing, one message or several.
    pub fn tell(&mut self, to: Who, message: S::Message) -> Vec<S::Message> {
        let is_deceived = self.is_deceived(to);
        let Some(lying) = &mut self.lying else { return vec![message] };
        self.told += 1;
        let draw = weather::draw(self.seed, "lie", &[self.told]);
        let told = match lying.lie {
            Lie::Silent => Vec::new(),
            Lie::Starve if is_deceived => Vec::new(),
            Lie::Replay => vec![lying.replay(to, &message, draw)],
            Lie::Starve | Lie::Twins | Lie::Slow => vec![message.clone()],
            Lie::WrongValue
            | Lie::WrongTimestamp
            | Lie::Equivocate
            | Lie::LieToClients
            | Lie::ForgeRequest
            | Lie::Mutate
            | Lie::FalseCheckpoint
            | Lie::OmitCertificates
            | Lie::InventCertificates
            | Lie::SpoilAuthenticator => {
                let told = lying.lie_about((self.me, to), &message, is_deceived, self.seed, draw);
                lying.said.keep(to.into(), &message, weather::draw(draw, "said", &[]));
                told
            }
        };
        let is_true = matches!(told.as_slice(), [told] if *told == message);
        self.lies += u64::from(!is_true || lying.lie == Lie::Slow);
        told
    }

    /// On which side of an equivocation `to` stands, through the whole run.
    fn is_deceived(&self, to: Who) -> bool {
        let parts = match to {
            Who::Node(node) => [0, u64::from(node.0)],
            Who::Client(client) => [1, u64::from(client.0)],
        };
        weather::draw(self.seed, "equivocation", &parts) & 1 == 1
    }
}

impl<S: System> Lying<S> {
    fn lie_about(
        &self,
        (me, to): (Who, Who),
        message: &S::Message,
        is_deceived: bool,
        seed: u64,
        draw: u64,
    ) -> Vec<S::Message> {
        let telling = Telling {
            config: &self.config,
            me: me.into(),
            keys: &self.keys,
            to: to.into(),
            message,
            said: &self.said,
            heard: &self.heard,
            is_deceived,
            seed,
            draw,
        };
        S::lie(self.lie, &telling)
    }

    /// The truth, which is then remembered, or an earlier one: of the same kind if there is one, else of
    /// any.
    fn replay(&mut self, to: Who, message: &S::Message, draw: u64) -> S::Message {
        let [is_truth, which] = ["replayed", "which"].map(|what| weather::draw(draw, what, &[]));
        let old = match self.said.of_kind(message.kind()) {
            [] => pick(self.said.all(), which),
            alike => pick(alike.iter(), which),
        };
        if let Some((_, old)) = old
            && is_truth & 1 == 0
        {
            return old.clone();
        }
        self.said.keep(to.into(), message, which);
        message.clone()
    }
}

/// One of these, if there is any.
fn pick<'a, M>(mut among: impl Iterator<Item = &'a M> + Clone, which: u64) -> Option<&'a M> {
    let count = among.clone().count() as u64;
    among.nth(usize::try_from(which.checked_rem(count)?).ok()?)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use quorate_systems::contract::{ClientId, NodeId};
    use quorate_systems::mutant::Mutants;
    use quorate_systems::quorum::{Message, Quorum};

    use super::*;
    use crate::samples;

    const C: Who = Who::Client(ClientId(0));

    fn liar(seed: u64) -> Liar<Quorum> {
        Liar::new(Who::Node(NodeId(0)), seed)
    }

    fn lying(behaviour: Lie) -> Liar<Quorum> {
        let mut liar = liar(1);
        begin(&mut liar, behaviour);
        liar
    }

    fn begin(liar: &mut Liar<Quorum>, behaviour: Lie) {
        let config = Quorum::configure(3, &BTreeMap::new(), Mutants::NONE).unwrap();
        liar.begin(behaviour, config, Keyring::default());
    }

    /// What it says where it says one thing.
    fn told(liar: &mut Liar<Quorum>, to: Who, truth: Message) -> Message {
        let mut told = liar.tell(to, truth);
        assert_eq!(told.len(), 1);
        told.remove(0)
    }

    fn everybody() -> Vec<Who> {
        let nodes = (0..8).map(|place| Who::Node(NodeId(place)));
        nodes.chain((0..8).map(|place| Who::Client(ClientId(place)))).collect()
    }

    #[test]
    fn an_honest_replica_says_what_it_means() {
        let mut liar = liar(1);
        assert_eq!(liar.tell(C, samples::answer(1)), [samples::answer(1)]);
        assert_eq!(liar.lies(), 0);
    }

    #[test]
    fn a_silent_one_says_nothing_until_it_is_told_to_stop() {
        let mut liar = lying(Lie::Silent);
        assert_eq!(liar.tell(C, samples::message(1)), []);
        assert_eq!(liar.lies(), 1);
        liar.stop();
        assert_eq!(liar.tell(C, samples::message(2)), [samples::message(2)]);
        assert_eq!(liar.lies(), 1);
    }

    #[test]
    fn an_equivocator_keeps_to_its_two_stories() {
        let mut liar = lying(Lie::Equivocate);
        let mut deceived: BTreeSet<Who> = BTreeSet::new();
        for round in 0..4 {
            let truth = samples::answer(round);
            let (true_to, false_to): (Vec<_>, Vec<_>) = everybody()
                .into_iter()
                .partition(|to| liar.tell(*to, truth.clone()) == [truth.clone()]);
            assert!(!true_to.is_empty() && !false_to.is_empty());
            let false_to = false_to.into_iter().collect();
            assert!(round == 0 || deceived == false_to, "the same ones in every round");
            deceived = false_to;
        }
        assert_eq!(liar.lies(), 4 * deceived.len() as u64);
        let nodes = deceived.iter().filter(|who| matches!(who, Who::Node(_))).count();
        assert!((1..8).contains(&nodes), "nodes and clients, some of each");
    }

    #[test]
    fn one_that_lies_to_clients_tells_nodes_the_truth() {
        let mut liar = lying(Lie::LieToClients);
        for to in everybody() {
            let truth = samples::answer(1);
            let told = told(&mut liar, to, truth.clone());
            assert_eq!(told != truth, matches!(to, Who::Client(_)), "{to:?}");
        }
        assert_eq!(liar.lies(), 8);
    }

    #[test]
    fn a_replayer_repeats_itself_within_bounds_and_in_kind() {
        let mut liar = lying(Lie::Replay);
        let mut said = Vec::new();
        let mut repeated = 0;
        for number in 0..400 {
            let truth =
                if number % 2 == 0 { samples::message(number) } else { samples::answer(number) };
            let told = told(&mut liar, C, truth.clone());
            if told == truth {
                said.push(truth);
                continue;
            }
            repeated += 1;
            assert!(said.contains(&told), "it says nothing that it has not said");
            let is_known = said.iter().any(|old| old.kind() == truth.kind());
            assert!(!is_known || told.kind() == truth.kind());
        }
        assert!(repeated > 100, "{repeated}");
        assert_eq!(liar.lies(), repeated);
        let kept = liar.lying.map_or(0, |lying| lying.said.all().count());
        assert_eq!(kept, 2 * Memory::<Message>::PER_KIND);
    }

    #[test]
    fn who_starves_others_is_silent_to_the_same_ones_in_every_round() {
        let mut liar = lying(Lie::Starve);
        let mut fed = |round| -> Vec<Who> {
            let is_fed = |to: &Who| match liar.tell(*to, samples::answer(round)).as_slice() {
                [] => false,
                told => {
                    assert_eq!(told, [samples::answer(round)]);
                    true
                }
            };
            everybody().into_iter().filter(is_fed).collect()
        };
        let first = fed(0);
        assert!((1..15).contains(&first.len()), "{first:?}");
        assert_eq!(fed(1), first);
        assert_eq!(liar.lies(), 2 * (16 - first.len() as u64));
    }

    #[test]
    fn what_a_slow_one_says_is_true_and_counts_as_a_lie() {
        let mut liar = lying(Lie::Slow);
        assert_eq!(liar.tell(C, samples::answer(1)), [samples::answer(1)]);
        assert_eq!(liar.lies(), 1);
        assert_eq!(lying(Lie::Replay).delay_us(), 0);
    }

    #[test]
    fn a_liar_remembers_what_it_has_heard_and_said_while_it_lies() {
        let mut liar = liar(1);
        liar.hear(C, &samples::message(1));
        begin(&mut liar, Lie::WrongValue);
        for number in 0..100 {
            liar.hear(C, &samples::message(number));
            liar.tell(C, samples::answer(number));
        }
        let lying = liar.lying.unwrap();
        for (memory, kind) in [(&lying.heard, "QUERY"), (&lying.said, "QUERY_OK")] {
            assert_eq!(memory.of_kind(kind).len(), Memory::<Message>::PER_KIND);
            assert_eq!(memory.all().count(), Memory::<Message>::PER_KIND);
        }
        let said: Vec<_> = (0..100).map(samples::answer).collect();
        assert!(lying.said.all().all(|(to, word)| *to == C.into() && said.contains(word)));
    }

    #[test]
    fn each_twin_is_honest() {
        let mut liar = lying(Lie::Twins);
        assert_eq!(liar.tell(C, samples::answer(1)), [samples::answer(1)]);
        assert_eq!(liar.lies(), 0);
    }

    #[test]
    fn the_same_seed_tells_the_same_lies() {
        for behaviour in Lie::COMMON {
            let story = |seed| -> Vec<Vec<Message>> {
                let mut liar = liar(seed);
                begin(&mut liar, *behaviour);
                let round = |n| everybody().into_iter().map(move |to| (to, samples::answer(n)));
                (0..20).flat_map(round).map(|(to, message)| liar.tell(to, message)).collect()
            };
            assert_eq!(story(7), story(7), "{behaviour:?}");
            let is_drawn = !matches!(behaviour, Lie::Silent | Lie::Twins);
            assert_eq!(story(7) != story(8), is_drawn, "{behaviour:?}");
        }
    }
}
