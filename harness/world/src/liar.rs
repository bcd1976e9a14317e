//! A Byzantine replica: a real one, whose words are changed on their way out.

use std::collections::BTreeMap;

use quorate_systems::contract::{Describe, Lie, System};

use crate::invariants::Who;
use crate::weather;

/// Stands between a replica and everybody else. It does not touch what the replica says to itself: a liar
/// knows the truth.
#[derive(Debug)]
pub struct Liar<S: System> {
    config: S::Config,
    seed: u64,
    behaviour: Option<Lie>,
    told: u64,
    lies: u64,
    /// Messages that were sent while it replays, by kind: at most [`REMEMBERED_PER_KIND`] of each.
    past: BTreeMap<&'static str, Vec<S::Message>>,
}

/// Enough for old news and for older news, and no more memory than that.
const REMEMBERED_PER_KIND: usize = 8;

impl<S: System> Liar<S> {
    /// An honest replica, whose later lies are drawn from `seed`.
    pub const fn new(config: S::Config, seed: u64) -> Self {
        Self { config, seed, behaviour: None, told: 0, lies: 0, past: BTreeMap::new() }
    }

    /// Lies so from now on, or no more. Who is told to be [`Lie::Twins`] says what it means: that lie is in
    /// there being two of them, which is whoever runs them to arrange.
    pub fn set(&mut self, behaviour: Option<Lie>) {
        self.behaviour = behaviour;
        self.past.clear();
    }

    /// What leaves the node for `to` in place of `message`; `None`: nothing does.
    pub fn tell(&mut self, to: Who, message: S::Message) -> Option<S::Message> {
        let Some(behaviour) = self.behaviour else { return Some(message) };
        self.told += 1;
        let draw = weather::draw(self.seed, "lie", &[self.told]);
        let told = match behaviour {
            Lie::WrongValue | Lie::WrongTimestamp | Lie::Silent => {
                S::lie(&self.config, behaviour, &message, draw)
            }
            Lie::Equivocate if self.is_deceived(to) => self.wrong_value(&message, draw),
            Lie::LieToClients if matches!(to, Who::Client(_)) => self.wrong_value(&message, draw),
            Lie::Replay => Some(self.replay(&message, draw)),
            Lie::Equivocate | Lie::LieToClients | Lie::Twins => return Some(message),
        };
        self.lies += u64::from(told.as_ref() != Some(&message));
        told
    }

    /// How many messages were changed or withheld so far.
    pub const fn lies(&self) -> u64 {
        self.lies
    }

    fn wrong_value(&self, message: &S::Message, draw: u64) -> Option<S::Message> {
        S::lie(&self.config, Lie::WrongValue, message, draw)
    }

    /// On which side of an equivocation `to` stands, through the whole run.
    fn is_deceived(&self, to: Who) -> bool {
        let parts = match to {
            Who::Node(node) => [0, u64::from(node.0)],
            Who::Client(client) => [1, u64::from(client.0)],
        };
        weather::draw(self.seed, "equivocation", &parts) & 1 == 1
    }

    /// The truth, which is then remembered, or an earlier one: of the same kind if there is one, else of
    /// any.
    fn replay(&mut self, message: &S::Message, draw: u64) -> S::Message {
        let [is_truth, which] = ["replayed", "which"].map(|what| weather::draw(draw, what, &[]));
        let old = match self.past.get(message.kind()) {
            Some(alike) => pick(alike.iter(), which),
            None => pick(self.past.values().flatten(), which),
        };
        if let Some(old) = old
            && is_truth & 1 == 0
        {
            return old.clone();
        }
        let alike = self.past.entry(message.kind()).or_default();
        match alike.len() {
            REMEMBERED_PER_KIND => {
                let place = usize::try_from(which % REMEMBERED_PER_KIND as u64).unwrap_or_default();
                if let Some(oldest) = alike.get_mut(place) {
                    oldest.clone_from(message);
                }
            }
            _ => alike.push(message.clone()),
        }
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
    use std::collections::BTreeSet;

    use quorate_systems::contract::{ClientId, NodeId};
    use quorate_systems::mutant::Mutants;
    use quorate_systems::quorum::{Message, Quorum};

    use super::*;
    use crate::samples;

    const C: Who = Who::Client(ClientId(0));

    fn liar(seed: u64) -> Liar<Quorum> {
        let config = Quorum::configure(3, &BTreeMap::new(), Mutants::NONE).unwrap();
        Liar::new(config, seed)
    }

    fn lying(behaviour: Lie) -> Liar<Quorum> {
        let mut liar = liar(1);
        liar.set(Some(behaviour));
        liar
    }

    fn everybody() -> Vec<Who> {
        let nodes = (0..8).map(|place| Who::Node(NodeId(place)));
        nodes.chain((0..8).map(|place| Who::Client(ClientId(place)))).collect()
    }

    #[test]
    fn an_honest_replica_says_what_it_means() {
        let mut liar = liar(1);
        assert_eq!(liar.tell(C, samples::answer(1)), Some(samples::answer(1)));
        assert_eq!(liar.lies(), 0);
    }

    #[test]
    fn a_silent_one_says_nothing_until_it_is_told_to_stop() {
        let mut liar = lying(Lie::Silent);
        assert_eq!(liar.tell(C, samples::message(1)), None);
        assert_eq!(liar.lies(), 1);
        liar.set(None);
        assert_eq!(liar.tell(C, samples::message(2)), Some(samples::message(2)));
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
                .partition(|to| liar.tell(*to, truth.clone()) == Some(truth.clone()));
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
            let told = liar.tell(to, truth.clone()).unwrap();
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
            let told = liar.tell(C, truth.clone()).unwrap();
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
        let kept: usize = liar.past.values().map(Vec::len).sum();
        assert_eq!(kept, 2 * REMEMBERED_PER_KIND);
    }

    #[test]
    fn each_twin_is_honest() {
        let mut liar = lying(Lie::Twins);
        assert_eq!(liar.tell(C, samples::answer(1)), Some(samples::answer(1)));
        assert_eq!(liar.lies(), 0);
    }

    #[test]
    fn the_same_seed_tells_the_same_lies() {
        for behaviour in Lie::ALL {
            let story = |seed| -> Vec<Option<Message>> {
                let mut liar = liar(seed);
                liar.set(Some(*behaviour));
                let round = |n| everybody().into_iter().map(move |to| (to, samples::answer(n)));
                (0..20).flat_map(round).map(|(to, message)| liar.tell(to, message)).collect()
            };
            assert_eq!(story(7), story(7), "{behaviour:?}");
            let is_drawn = !matches!(behaviour, Lie::Silent | Lie::Twins);
            assert_eq!(story(7) != story(8), is_drawn, "{behaviour:?}");
        }
    }
}
