//! That what servers do arrives in the words of the log: each invariant with something that breaks it, and
//! what comes nearest to that and is right. What the log itself refuses, the tests of Multi-Paxos show.

use quorate_systems::contract::{ClientId, Command, Incarnation, Key, NodeId, Value};
use quorate_systems::paxos::Entry;
use quorate_systems::psb::{DataList, Message, Observation, Psb, Record, Report, View};
use quorate_systems::smr::{Chain, Request, RequestNumber, Slot, Snapshot};

use super::*;
use crate::invariants::testing::{self, c, n};

type Watch = testing::Watch<Psb>;

impl Watch {
    fn store(&mut self, node: u16, record: &Record) -> &mut Self {
        self.persist(node, record).sync(node)
    }

    fn submit(&mut self, seq: u64) -> &mut Self {
        self.send(c(0), n(0), &Message::ClientUpdate { update: update(seq) })
    }

    /// The server installs the view durably, and answers its leader.
    fn install(&mut self, node: u16, view: u64, reports: &[Report]) -> &mut Self {
        self.store(node, &Record::Installed { view: View(view) });
        self.send(n(node), n(leader(view)), &prepare_ok(view, reports))
    }

    /// The view's leader installs it, with the answers of these, who hold nothing.
    fn lead(&mut self, view: u64, others: &[u16]) -> &mut Self {
        let by = leader(view);
        self.install(by, view, &[]);
        self.observe(n(by), &Observation::BallotUsed { view: View(view), from: Slot(1) });
        for other in others {
            self.install(*other, view, &[]);
        }
        self.elect(view, others)
    }

    fn elect(&mut self, view: u64, others: &[u16]) -> &mut Self {
        let by = leader(view);
        let voters = others.iter().copied().chain([by]).map(NodeId).collect();
        let (commit, adopted) = (Slot::ZERO, Slot::ZERO);
        let elected = Observation::Elected { view: View(view), voters, commit, adopted };
        self.observe(n(by), &elected)
    }

    fn propose(&mut self, slot: u64, view: u64, entry: &Entry) -> &mut Self {
        let by = leader(view);
        self.store(by, &accepted(slot, view, entry));
        self.send(n(by), n((by + 1) % 3), &proposal(slot, view, entry))
    }

    fn accept(&mut self, node: u16, slot: u64, view: u64, entry: &Entry) -> &mut Self {
        self.store(node, &accepted(slot, view, entry));
        self.send(n(node), n(leader(view)), &accept(slot, view, entry))
    }

    fn order(&mut self, node: u16, slot: u64, view: u64, voters: &[u16]) -> &mut Self {
        let voters = voters.iter().copied().map(NodeId).collect();
        let (slot, entry) = (Slot(slot), entry(slot).digest());
        self.observe(n(node), &Observation::Decided { view: View(view), slot, entry, voters })
    }

    fn execute(&mut self, node: u16, slot: u64, seq: u64) -> &mut Self {
        let request = Some((ClientId(0), update(seq).number));
        let (slot, chain) = (Slot(slot), Chain(10 * slot + seq));
        self.observe(n(node), &Observation::Executed { slot, chain, request, is_first: true })
    }
}

fn leader(view: u64) -> u16 {
    View(view).leader(3).0
}

fn update(seq: u64) -> Request {
    let number = RequestNumber { incarnation: Incarnation(1), seq };
    Request {
        client: ClientId(0),
        number,
        command: Command::Write { key: Key(1), value: Value(seq) },
    }
}

fn entry(seq: u64) -> Entry {
    Entry::Request(update(seq))
}

fn accepted(slot: u64, view: u64, entry: &Entry) -> Record {
    Record::Accepted { slot: Slot(slot), view: View(view), entry: entry.clone() }
}

fn proposal(slot: u64, view: u64, entry: &Entry) -> Message {
    Message::Proposal { view: View(view), slot: Slot(slot), entry: entry.clone() }
}

fn accept(slot: u64, view: u64, entry: &Entry) -> Message {
    Message::Accept { view: View(view), slot: Slot(slot), entry: entry.digest() }
}

fn prepare_ok(view: u64, reports: &[Report]) -> Message {
    let data = DataList { snapshot: Slot::ZERO, reports: reports.to_vec() };
    Message::PrepareOk { view: View(view), data: Box::new(data) }
}

/// View 1 is led by n1, view 2 by n2.
fn calm() -> Watch {
    let mut run = Watch::new(3, &[]);
    run.start(0, 1).start(1, 1).start(2, 1).submit(1).submit(2).lead(1, &[0]);
    run
}

#[test]
fn a_calm_run_breaks_nothing() {
    let mut run = calm();
    run.propose(1, 1, &entry(1)).accept(0, 1, 1, &entry(1)).order(0, 1, 1, &[0, 1]);
    run.order(1, 1, 1, &[0, 1]).execute(0, 1, 1).execute(1, 1, 1);
    // What has no slot yet is of no concern to the log.
    run.persist(0, &Record::Pending { update: update(2) }).sync(0).holds();
    run.store(2, &Record::Ordered { slot: Slot(1), entry: entry(1) }).execute(2, 1, 1).holds();
}

#[test]
fn a_view_before_the_installed_one_breaks_p_i1() {
    let mut run = calm();
    run.install(2, 2, &[]).holds();
    run.store(2, &accepted(1, 1, &entry(1))).breaks(P_I1);
    let mut run = calm();
    run.install(2, 2, &[]).start(2, 2).sync(2).breaks(P_I1);
}

#[test]
fn two_entries_of_one_view_break_p_i3() {
    let mut run = calm();
    run.propose(1, 1, &entry(1)).send(n(1), n(2), &proposal(1, 1, &entry(1))).holds();
    run.send(n(1), n(2), &proposal(1, 1, &entry(2))).breaks(P_I3);
}

#[test]
fn whoever_leads_anothers_view_breaks_p_i4() {
    let mut run = calm();
    run.send(n(1), n(2), &Message::Prepare { view: View(1), aru: Slot::ZERO }).holds();
    run.send(n(0), n(2), &Message::Prepare { view: View(1), aru: Slot::ZERO }).breaks(P_I4);
    // A view belongs to no life of its leader.
    let mut run = calm();
    run.start(1, 2).find(1, &Record::Installed { view: View(1) }).sync(1);
    run.send(n(1), n(2), &Message::Prepare { view: View(1), aru: Slot::ZERO }).holds();
}

#[test]
fn a_proposal_against_what_was_told_breaks_p_i5() {
    let told = Report { slot: Slot(1), view: View(1), entry: entry(1), is_ordered: false };
    let led = |proposed: &Entry| {
        let mut run = calm();
        run.propose(1, 1, &entry(1)).accept(0, 1, 1, &entry(1));
        run.install(2, 2, &[]).install(0, 2, std::slice::from_ref(&told)).elect(2, &[0]);
        run.propose(1, 2, proposed);
        run
    };
    led(&entry(1)).holds();
    led(&entry(2)).breaks(P_I5);
    led(&Entry::Noop).breaks(P_I5);
}

#[test]
fn two_entries_ordered_in_one_slot_break_p_i6() {
    let mut run = calm();
    run.propose(1, 1, &entry(1)).accept(0, 1, 1, &entry(1)).order(0, 1, 1, &[0, 1]).holds();
    let (slot, entry) = (Slot(1), entry(2).digest());
    run.observe(n(2), &Observation::Learned { slot, entry }).breaks(P_I6);
}

#[test]
fn what_nobody_submitted_breaks_p_i7() {
    let mut run = Watch::new(3, &[]);
    run.lead(1, &[0]);
    for node in [0, 1] {
        run.accept(node, 1, 1, &Entry::Noop).accept(node, 2, 1, &entry(2));
    }
    let learn = |run: &mut Watch, slot: u64, entry: &Entry| {
        let (slot, entry) = (Slot(slot), entry.digest());
        run.observe(n(2), &Observation::Learned { slot, entry });
    };
    learn(&mut run, 1, &Entry::Noop);
    run.holds();
    learn(&mut run, 2, &entry(2));
    run.breaks(P_I7);
}

#[test]
fn execution_past_a_hole_breaks_p_i8_and_twice_p_i9() {
    let mut run = calm();
    run.execute(0, 1, 1).execute(0, 2, 2).holds();
    run.execute(1, 2, 2).breaks(P_I8);
    let mut run = calm();
    run.execute(0, 1, 1).execute(0, 2, 1).breaks(P_I9);
}

#[test]
fn what_is_told_before_it_is_durable_breaks_p_i10() {
    let mut run = calm();
    run.persist(0, &accepted(1, 1, &entry(1)));
    run.send(n(0), n(1), &accept(1, 1, &entry(1))).breaks(P_I10);
    let mut run = calm();
    run.persist(1, &accepted(1, 1, &entry(1)));
    run.send(n(1), n(0), &proposal(1, 1, &entry(1))).breaks(P_I10);
    let mut run = calm();
    run.persist(0, &Record::Installed { view: View(2) });
    run.send(n(0), n(2), &prepare_ok(2, &[])).breaks(P_I10);
}

#[test]
fn an_order_that_no_majority_holds_breaks_p_i11() {
    let mut run = calm();
    run.propose(1, 1, &entry(1)).order(1, 1, 1, &[1]).breaks(P_I11);
    let mut run = calm();
    run.propose(1, 1, &entry(1)).order(1, 1, 1, &[0, 1]).breaks(P_I11);
    let mut run = calm();
    let snapshot = Snapshot { index: Slot(1), chain: Chain(11), ..Snapshot::default() };
    run.propose(1, 1, &entry(1)).accept(0, 1, 1, &entry(1)).execute(0, 1, 1);
    run.store(0, &Record::Snapshot { snapshot: Box::new(snapshot) });
    run.order(1, 1, 1, &[0, 1]).holds();
}
