//! PBFT: whom a client asks, and whom it believes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Incarnation, Key, LocalTime,
    Micros, NodeId, Options, Outcome, System, TimerId, Value,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::parties::{NodeSet, Party};
use quorate_systems::pbft::{
    Body, Config, How, Keys, Message, Observation, Pbft, PbftClient, Proof, SignedRequest, View,
};
use quorate_systems::smr::{RequestNumber, Slot};

/// A client, and replicas of which only the words are there.
struct Talk {
    client: PbftClient,
    replicas: Vec<Keys>,
    /// What the client asked for last, and whom.
    asked: Vec<(NodeId, SignedRequest)>,
    done: Option<Outcome>,
    accepted: Option<(How, NodeSet)>,
    timer: Option<(Micros, Micros)>,
    marks: Vec<&'static str>,
    ignored: Vec<&'static str>,
}

const ME: ClientId = ClientId(1);

const READ: Command = Command::Read { key: Key(1) };

fn write(value: u64) -> Command {
    Command::Write { key: Key(1), value: Value(value) }
}

fn saw(value: u64) -> Outcome {
    Outcome::Read(Some(Value(value)))
}

fn configure(nodes: u16, options: &[(&str, &str)], mutant: Option<Mutant>) -> Config {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Pbft::configure(nodes, &options.collect(), Mutants(mutant)).unwrap()
}

impl Talk {
    fn new(nodes: u16, options: &[(&str, &str)], mutant: Option<Mutant>) -> Self {
        let config = configure(nodes, options, mutant);
        let keys = ClusterKeys::simulated(nodes, 3);
        let places = (0..nodes).map(NodeId).zip(&keys.nodes);
        let replicas =
            places.map(|(node, ring)| Keys::new(&config, ring, Party::Node(node))).collect();
        let client = PbftClient::start(ClientStart {
            me: ME,
            incarnation: Incarnation(1),
            config,
            keys: keys.clients[1].clone(),
            entropy: 0,
        });
        Self {
            client,
            replicas,
            asked: Vec::new(),
            done: None,
            accepted: None,
            timer: None,
            marks: Vec::new(),
            ignored: Vec::new(),
        }
    }

    fn step(&mut self, input: ClientInput<Message>) {
        let mut out = Vec::new();
        self.client.step(LocalTime(0), input, &mut out);
        for effect in out {
            match effect {
                ClientEffect::Send { to, message } => {
                    assert_eq!(message.proof, Proof::Itself);
                    let Body::Request(signed) = message.body else { panic!("{message}") };
                    self.asked.push((to, (*signed).clone()));
                }
                ClientEffect::Complete(outcome) => {
                    assert_eq!(self.done.replace(outcome), None);
                }
                ClientEffect::SetTimer { id: _, min, max } => self.timer = Some((min, max)),
                ClientEffect::CancelTimer { .. } => self.timer = None,
                ClientEffect::Observe(Observation::Accepted { how, replicas, .. }) => {
                    self.accepted = Some((how, replicas));
                }
                ClientEffect::Observe(other) => panic!("{other}"),
                ClientEffect::Mark(mark) => self.marks.push(mark.0),
                ClientEffect::Ignore(why) => self.ignored.push(why.0),
            }
        }
    }

    fn invoke(&mut self, command: Command) {
        self.asked.clear();
        self.done = None;
        self.accepted = None;
        self.step(ClientInput::Invoke(command));
    }

    fn wait(&mut self) {
        self.asked.clear();
        assert!(self.timer.is_some());
        self.step(ClientInput::Timer(TimerId(0)));
    }

    /// Whom it has asked.
    fn whom(&self) -> Vec<u16> {
        self.asked.iter().map(|(to, _)| to.0).collect()
    }

    fn number(&self) -> RequestNumber {
        self.asked[0].1.request.number
    }

    fn message(&self, by: u16, body: Body) -> Message {
        let proof = self.replicas[usize::from(by)].prove(Party::Client(ME), &body);
        Message { body, proof }
    }

    fn hear(&mut self, from: u16, message: Message) {
        self.step(ClientInput::Message { from: NodeId(from), message });
    }

    fn reply_in(&mut self, view: u64, by: u16, outcome: Outcome, how: How) {
        let body = Body::Reply { view: View(view), number: self.number(), outcome, how };
        let message = self.message(by, body);
        self.hear(by, message);
    }

    /// A replica says that the request is committed and ended so.
    fn reply(&mut self, by: u16, outcome: Outcome) {
        self.reply_in(0, by, outcome, How::Committed);
    }

    fn read_only(&mut self, by: u16, outcome: Outcome) {
        self.reply_in(0, by, outcome, How::ReadOnly);
    }

    /// That the last input had no effect, for this reason.
    fn was_ignored(&mut self, why: &str) {
        assert_eq!(self.ignored.pop(), Some(why));
        assert_eq!(self.done, None);
    }
}

fn nodes(places: &[u16]) -> NodeSet {
    places.iter().map(|place| NodeId(*place)).collect()
}

#[test]
fn the_primary_is_asked_first_and_all_when_it_does_not_answer() {
    for way in ["signatures", "hmac"] {
        let mut talk = Talk::new(4, &[("authentication", way)], None);
        talk.invoke(write(7));
        assert_eq!(talk.whom(), [0]);
        let first = talk.asked[0].1.clone();
        assert_eq!((first.request.client, &first.request.command), (ME, &write(7)));
        assert!(!first.is_read_only);
        assert_eq!(talk.timer, Some((Micros(100_000), Micros(200_000))));
        talk.wait();
        assert_eq!(talk.whom(), [0, 1, 2, 3]);
        for (node, signed) in &talk.asked {
            assert_eq!(*signed, first);
            let keys = &talk.replicas[usize::from(node.0)];
            assert!(keys.is_direct_request_authentic(ME, signed));
            assert!(keys.is_request_authentic(signed));
        }
        assert_eq!(talk.timer, Some((Micros(200_000), Micros(400_000))));
        for _ in 0..40 {
            talk.wait();
        }
        assert_eq!(talk.timer, Some((Micros(300_000), Micros(500_000))));
    }
}

#[test]
fn f_plus_1_equal_replies_of_different_replicas_are_believed() {
    let mut talk = Talk::new(7, &[], None);
    talk.invoke(READ);
    talk.reply(3, saw(7));
    talk.reply(3, saw(7));
    talk.reply(4, saw(8));
    talk.reply(5, saw(7));
    assert_eq!(talk.done, None, "two of seven may lie");
    talk.reply(6, saw(7));
    assert_eq!(talk.done, Some(saw(7)));
    assert_eq!(talk.accepted, Some((How::Committed, nodes(&[3, 5, 6]))));
    assert_eq!(talk.marks, ["reply-outvoted"]);
    assert_eq!(talk.timer, None);
}

#[test]
fn b01_believes_the_first_reply() {
    let mut talk = Talk::new(4, &[], Some(Mutant::B01));
    talk.invoke(READ);
    talk.reply(3, saw(666));
    assert_eq!(talk.done, Some(saw(666)));
}

#[test]
fn as_many_replies_are_waited_for_as_are_asked_for() {
    for (option, count) in [("1", 1), ("2", 2), ("5", 5)] {
        let mut talk = Talk::new(7, &[("replies", option)], None);
        talk.invoke(write(7));
        for by in 0..count {
            assert_eq!(talk.done, None, "{option}: {by}");
            talk.reply(by, Outcome::Written);
        }
        assert_eq!(talk.done, Some(Outcome::Written), "{option}");
    }
}

#[test]
fn a_replica_s_last_reply_is_the_one_that_counts() {
    let mut talk = Talk::new(4, &[("execution", "tentative")], None);
    talk.invoke(READ);
    talk.reply_in(0, 1, saw(7), How::Tentative);
    talk.reply_in(0, 2, saw(7), How::Tentative);
    // What was tentative was taken back.
    talk.reply(2, saw(8));
    talk.reply(3, saw(7));
    assert_eq!(talk.done, None);
    talk.reply(0, saw(7));
    assert_eq!(talk.done, Some(saw(7)));
    assert_eq!(talk.accepted, Some((How::Tentative, nodes(&[0, 1, 3]))));
    assert_eq!(talk.marks, ["reply-outvoted", "accepted-tentative"]);
}

#[test]
fn a_reply_in_another_s_name_is_none() {
    for way in ["signatures", "hmac"] {
        let mut talk = Talk::new(4, &[("authentication", way)], None);
        talk.invoke(READ);
        let body = |number| {
            let (view, outcome) = (View(0), saw(666));
            Body::Reply { view, number, outcome, how: How::Committed }
        };
        let message = talk.message(3, body(talk.number()));
        talk.hear(3, message.clone());
        // n3 lies, and says that n1 says the same.
        talk.hear(1, message.clone());
        talk.was_ignored("not authentic");
        talk.hear(9, message.clone());
        talk.was_ignored("from outside the cluster");
        let forged = Message { proof: Proof::Itself, ..message.clone() };
        talk.hear(1, forged);
        talk.was_ignored("not authentic");
        let earlier = RequestNumber { seq: 0, ..talk.number() };
        let message = talk.message(1, body(earlier));
        talk.hear(1, message);
        talk.was_ignored("REPLY to another request");
        let message = talk.message(1, Body::GetState { seq: Slot(4) });
        talk.hear(1, message);
        talk.was_ignored("not for a client");
        talk.reply(1, Outcome::Written);
        talk.was_ignored("REPLY that is no answer");
    }
}

#[test]
fn a_mac_for_another_client_is_none() {
    let mut talk = Talk::new(4, &[("authentication", "hmac")], None);
    talk.invoke(READ);
    let body =
        Body::Reply { view: View(0), number: talk.number(), outcome: saw(7), how: How::Committed };
    let proof = talk.replicas[1].prove(Party::Client(ClientId(0)), &body);
    talk.hear(1, Message { body, proof });
    talk.was_ignored("not authentic");
}

const AT_ONCE: &[(&str, &str)] = &[("reads", "read-only")];

#[test]
fn a_read_is_answered_at_once_by_a_quorum_that_has_seen_the_same() {
    let mut talk = Talk::new(5, AT_ONCE, None);
    talk.invoke(READ);
    assert_eq!(talk.whom(), [0, 1, 2, 3, 4]);
    assert!(talk.asked.iter().all(|(_, signed)| signed.is_read_only));
    for by in [0, 1, 2] {
        talk.read_only(by, saw(7));
    }
    assert_eq!(talk.done, None, "2f + 1 are no quorum of five");
    // Whoever has put it in order was not asked to.
    talk.reply(3, saw(7));
    talk.was_ignored("REPLY to what was asked in another way");
    talk.read_only(4, saw(7));
    assert_eq!(talk.done, Some(saw(7)));
    assert_eq!(talk.accepted, Some((How::ReadOnly, nodes(&[0, 1, 2, 4]))));
    assert_eq!(talk.marks, ["read-at-once"]);
}

#[test]
fn a_read_that_no_quorum_agrees_on_is_ordered() {
    let mut talk = Talk::new(4, AT_ONCE, None);
    talk.invoke(READ);
    let number = talk.number();
    talk.read_only(0, saw(7));
    talk.read_only(1, saw(8));
    talk.read_only(2, saw(8));
    assert_eq!(talk.marks, [""; 0], "n3 may still agree");
    talk.read_only(3, saw(7));
    assert_eq!(talk.marks, ["read-ordered"]);
    assert_eq!(talk.whom(), [0, 1, 2, 3, 0]);
    let (_, signed) = talk.asked.last().unwrap();
    assert!(!signed.is_read_only);
    assert_eq!(signed.request.number, number);
    assert!(talk.replicas[2].is_request_authentic(signed), "it is signed anew");
    talk.read_only(1, saw(7));
    talk.was_ignored("REPLY to what was asked in another way");
    for by in [1, 2, 3] {
        assert_eq!(talk.done, None);
        talk.reply(by, saw(8));
    }
    assert_eq!(talk.done, Some(saw(8)));
}

#[test]
fn a_read_that_is_not_answered_in_time_is_ordered() {
    let mut talk = Talk::new(4, AT_ONCE, None);
    talk.invoke(READ);
    talk.read_only(1, saw(7));
    talk.wait();
    assert_eq!(talk.whom(), [0]);
    assert!(!talk.asked[0].1.is_read_only);
    assert_eq!(talk.timer, Some((Micros(100_000), Micros(200_000))));
    talk.wait();
    assert_eq!(talk.whom(), [0, 1, 2, 3]);
    assert!(talk.asked.iter().all(|(_, signed)| !signed.is_read_only));
}

#[test]
fn where_reads_go_by_a_quorum_writes_need_one() {
    // F-B5: a write that n0, which lies, and n1 answer, and a read that misses it.
    let mut talk = Talk::new(4, AT_ONCE, None);
    talk.invoke(write(7));
    assert_eq!(talk.whom(), [0]);
    assert!(!talk.asked[0].1.is_read_only);
    talk.reply(0, Outcome::Written);
    talk.reply(1, Outcome::Written);
    assert_eq!(talk.done, None);
    talk.reply(2, Outcome::Written);
    assert_eq!(talk.done, Some(Outcome::Written));

    let mut lax = Talk::new(4, AT_ONCE, Some(Mutant::B30));
    lax.invoke(write(7));
    lax.reply(0, Outcome::Written);
    lax.reply(1, Outcome::Written);
    assert_eq!(lax.done, Some(Outcome::Written));
    lax.invoke(READ);
    lax.read_only(0, Outcome::Read(None));
    lax.read_only(2, Outcome::Read(None));
    assert_eq!(lax.done, None, "reads need a quorum as before");
}

#[test]
fn the_primary_of_a_view_that_somebody_correct_is_in_is_asked_next() {
    let mut talk = Talk::new(4, &[], None);
    talk.invoke(READ);
    talk.reply_in(1_000_003, 3, saw(7), How::Committed);
    talk.reply_in(2, 1, saw(7), How::Committed);
    assert_eq!(talk.done, Some(saw(7)));
    talk.invoke(READ);
    assert_eq!(talk.whom(), [2], "one of two may lie");
    // A view that is over is not gone back to.
    talk.reply_in(0, 1, saw(7), How::Committed);
    talk.reply_in(1, 2, saw(7), How::Committed);
    talk.invoke(READ);
    assert_eq!(talk.whom(), [2]);
}

#[test]
fn what_is_given_up_is_over_and_numbers_go_on() {
    let mut talk = Talk::new(4, &[], None);
    talk.invoke(READ);
    let first = talk.number();
    talk.reply(0, saw(7));
    talk.step(ClientInput::GiveUp);
    assert_eq!(talk.timer, None);
    talk.reply(1, saw(7));
    talk.was_ignored("REPLY for nothing");
    talk.step(ClientInput::Timer(TimerId(0)));
    talk.was_ignored("timer without an operation");
    talk.invoke(READ);
    assert!(talk.number() > first);
    talk.reply(1, saw(7));
    assert_eq!(talk.done, None, "n0 answered something else");
}

#[test]
fn nothing_is_changed_while_it_runs() {
    let mut talk = Talk::new(4, &[], None);
    talk.step(ClientInput::Reconfigure(Options::new()));
    assert!(matches!(talk.done, Some(Outcome::Failed(_))));
    assert!(Pbft::change(&configure(4, &[], None), &BTreeMap::new()).is_err());
}
