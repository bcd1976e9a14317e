//! Numbers: one proposer uses each (P-I4), with one value (P-I3), on a majority of promises (P-I5).

use quorate_systems::contract::Key;
use quorate_systems::parties::NodeSet;
use quorate_systems::paxos_single::{Accepted, Ballot};

use super::{P_I3, P_I4, P_I5, PaxosSingleInvariants, show};
use crate::invariants::{Broken, Who};

impl PaxosSingleInvariants {
    /// A proposer uses a number.
    pub(super) fn on_bid(&mut self, from: Who, (key, n): (Key, Ballot), broken: &mut Vec<Broken>) {
        let life = match from {
            Who::Node(node) => self.node(node).map_or(0, |node| node.incarnation),
            // Of a client there is one life in a run.
            Who::Client(_) => 0,
        };
        let Some(bid) = self.instances.get(key).bid(n) else { return };
        let (user, first) = *bid.user.get_or_insert((from, life));
        if (user, first) == (from, life) || bid.is_disputed {
            return;
        }
        bid.is_disputed = true;
        let what = if user == from {
            format!("{from} uses {n} under k{} in its life {life}, as in its life {first}", key.0)
        } else {
            format!("{from} uses {n} under k{}, which is {user}'s", key.0)
        };
        broken.push(Broken { invariant: P_I4, by: vec![user, from], what });
    }

    /// Somebody says which value a number stands for.
    pub(super) fn on_valued(
        &mut self,
        by: Who,
        key: Key,
        said: Accepted,
        broken: &mut Vec<Broken>,
    ) {
        let Some(bid) = self.instances.get(key).bid(said.n) else { return };
        let (value, first) = *bid.value.get_or_insert((said.value, by));
        if value != said.value {
            let what = format!(
                "under k{}, {} stands for {} at {by} and for {} at {first}",
                key.0, said.n, said.value.0, value.0
            );
            broken.push(Broken { invariant: P_I3, by: vec![first, by], what });
        }
    }

    /// An acceptor has promised. Its answer is seen as well, unless it is to itself.
    pub(super) fn on_promised(
        &mut self,
        by: Who,
        (key, n): (Key, Ballot),
        accepted: Option<Accepted>,
    ) {
        if let Who::Node(node) = by
            && let Some(bid) = self.instances.get(key).bid(n)
        {
            bid.promises.entry(node).or_insert(accepted);
        }
    }

    /// A proposer has chosen the value of its number.
    pub(super) fn on_proposed(
        &mut self,
        by: Who,
        key: Key,
        proposal: Accepted,
        promisers: NodeSet,
        broken: &mut Vec<Broken>,
    ) {
        let is_majority = self.config.is_majority(promisers);
        let Accepted { n, value } = proposal;
        let instance = self.instances.get(key);
        let is_new = instance.lacks(value);
        let is_partial = instance.is_partial;
        let Some(bid) = instance.bid(n) else { return };
        bid.proposed = Some(value);
        if is_partial {
            return;
        }
        let missing: NodeSet =
            promisers.iter().filter(|node| !bid.promises.contains_key(node)).collect();
        let told = promisers.iter().filter_map(|node| *bid.promises.get(&node)?);
        let highest = told.max();
        let why = if !is_majority {
            format!("on the promises of {promisers}, no majority")
        } else if !missing.is_empty() {
            format!("on promises that {missing} did not give for it")
        } else if let Some(highest) = highest.filter(|highest| highest.value != value) {
            format!("and of those it was told the highest is {highest}")
        } else if highest.is_none() && is_new {
            "which nobody has submitted".to_owned()
        } else {
            return;
        };
        let what = format!("{by} proposes {} with {n} under k{}, {why}", value.0, key.0);
        broken.push(Broken { invariant: P_I5, by: vec![by], what });
    }

    /// A proposal goes out.
    pub(super) fn require_proposed(
        &mut self,
        from: Who,
        key: Key,
        proposal: Accepted,
        broken: &mut Vec<Broken>,
    ) {
        if !self.has_promises() {
            return;
        }
        let instance = self.instances.get(key);
        let is_partial = instance.is_partial;
        let Some(bid) = instance.bid(proposal.n) else { return };
        if is_partial || bid.proposed == Some(proposal.value) {
            return;
        }
        let what = format!(
            "{from} sends a proposal of {} with {} under k{}, and has {} to propose with it",
            proposal.value.0,
            proposal.n,
            key.0,
            show(bid.proposed)
        );
        broken.push(Broken { invariant: P_I5, by: vec![from], what });
    }
}
