//! Logs that are written, cut, damaged and run again.

use std::collections::BTreeMap;

use quorate_systems::contract::{
    Client as _, ClientEffect, ClientId, ClientInput, ClientStart, Command, Effect, Incarnation,
    Input, Key, Keyring, Lie, LocalTime, NodeId, Outbox, Recovered, Replica as _, Start,
    System as _, TimerId, Value,
};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::quorum::{Message, Quorum, Record};

use super::*;
use crate::invariants::Who;

type Replica = <Quorum as quorate_systems::contract::System>::Replica;
type Client = <Quorum as quorate_systems::contract::System>::Client;
type Config = <Quorum as quorate_systems::contract::System>::Config;

const N0: Who = Who::Node(NodeId(0));
const C0: Who = Who::Client(ClientId(0));

fn config(mutant: Option<Mutant>) -> Config {
    Quorum::configure(3, &BTreeMap::new(), Mutants(mutant)).unwrap()
}

/// The entries of a node and of a client, between which messages go to and fro.
struct Recorded {
    t: u64,
    node: Vec<Entry>,
    client: Vec<Entry>,
    replica: Option<(Replica, Outbox<Quorum>)>,
    asker: Client,
    /// What the node made durable.
    disk: Vec<Record>,
}

impl Recorded {
    fn new() -> Self {
        let start = ClientStart::<Quorum> {
            me: ClientId(0),
            incarnation: Incarnation(1),
            config: config(None),
            keys: Keyring::default(),
            entropy: 7,
        };
        let effects = of_client_step::<Quorum>(&[]);
        let client = vec![client_start(1, &start), Entry::Did { who: C0, effects }];
        let asker = Client::start(start);
        Self { t: 1, node: Vec::new(), client, replica: None, asker, disk: Vec::new() }
    }

    /// The node comes up with all that it made durable, and `more`.
    fn boot(&mut self, incarnation: u64, more: Option<Recovered<Record>>) {
        self.t += 1;
        let records = self.disk.iter().cloned().map(Recovered::Intact);
        let start = Start {
            me: NodeId(0),
            incarnation: Incarnation(incarnation),
            config: config(None),
            keys: Keyring::default(),
            entropy: 9,
            now: LocalTime(0),
            records: records.chain(more).collect(),
        };
        self.node.extend(super::start(self.t, &start));
        let mut outbox = Outbox::default();
        match Replica::start(start, &mut outbox) {
            Ok(replica) => {
                self.replica = Some((replica, outbox));
                self.settle();
            }
            Err(error) => {
                self.replica = None;
                self.node.push(Entry::Did { who: N0, effects: of_refusal(&error) });
            }
        }
    }

    fn node_takes(&mut self, taken: Input<Message>) -> Vec<Effect<Quorum>> {
        self.t += 1;
        self.node.push(input(N0, self.t, LocalTime(self.t * 10), &taken));
        let (replica, outbox) = self.replica.as_mut().unwrap();
        replica.step(LocalTime(self.t * 10), taken, outbox);
        self.settle()
    }

    fn settle(&mut self) -> Vec<Effect<Quorum>> {
        let effects: Vec<_> = self.replica.as_mut().unwrap().1.drain().collect();
        self.node.push(Entry::Did { who: N0, effects: of_step(&effects) });
        effects
    }

    fn client_takes(&mut self, taken: ClientInput<Message>) -> Vec<ClientEffect<Quorum>> {
        self.t += 1;
        self.client.push(client_input(C0, self.t, LocalTime(self.t), &taken));
        let mut effects = Vec::new();
        self.asker.step(LocalTime(self.t), taken, &mut effects);
        self.client.push(Entry::Did { who: C0, effects: of_client_step(&effects) });
        effects
    }

    /// The client asks; what n0 answers it hears from everybody.
    fn perform(&mut self, command: Command) {
        let mut asked = self.client_takes(ClientInput::Invoke(command));
        while let Some(effect) = asked.pop() {
            let ClientEffect::Send { to: NodeId(0), message } = effect else { continue };
            let effects = self.node_takes(Input::Request { client: ClientId(0), message });
            for effect in effects {
                match effect {
                    Effect::Persist { ticket, record } => {
                        self.disk.push(record);
                        self.node_takes(Input::Persisted(ticket));
                    }
                    Effect::Reply { message, .. } => {
                        for from in (0..3).map(NodeId) {
                            let message = message.clone();
                            asked.extend(self.client_takes(ClientInput::Message { from, message }));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// A node with three lives, of which the last is refused, and a client with one.
    fn story() -> Self {
        let mut run = Self::new();
        run.boot(1, None);
        run.perform(Command::Write { key: Key(1), value: Value(5) });
        run.node.push(Entry::Lies { who: N0, t: run.t, lie: Some(Lie::WrongValue) });
        run.perform(Command::Read { key: Key(1) });
        run.boot(2, None);
        run.perform(Command::Write { key: Key(1), value: Value(6) });
        run.boot(3, Some(Recovered::Corrupt { place: "log-000000, byte 16".to_owned() }));
        assert!(run.replica.is_none(), "it refuses");
        assert!(run.disk.len() >= 2, "both writes were stored");
        run
    }

    fn run(&self, mutant: Option<Mutant>) -> Result<Reexecution, BadLog> {
        again(&written(&self.node), &written(&self.client), mutant)
    }
}

/// What a log of this run begins with.
fn title(of: Owner) -> Title {
    let run = RunId { started: "2026-11-23T21:47:02Z".to_owned(), plan: "a plan".to_owned() };
    Title { run, of }
}

/// A log of n0, or of the clients.
fn written(entries: &[Entry]) -> Vec<u8> {
    let of = match entries.first().map(Entry::who) {
        Some(Who::Client(_)) => Owner::Clients,
        Some(Who::Node(_)) | None => Owner::Node(NodeId(0)),
    };
    written_by(of, entries)
}

fn written_by(of: Owner, entries: &[Entry]) -> Vec<u8> {
    let mut log = Vec::new();
    begin(&mut log, &title(of)).unwrap();
    for (number, entry) in (1..).zip(entries) {
        append(&mut log, number, entry).unwrap();
    }
    log
}

/// The logs of n0 and of the clients.
fn logs<'a>(node: &'a [u8], client: &'a [u8]) -> [Log<&'a [u8]>; 2] {
    let logs = [("n0", Owner::Node(NodeId(0)), node), ("clients", Owner::Clients, client)];
    logs.map(|(name, of, source)| Log { name: name.to_owned(), title: title(of), source })
}

fn again(node: &[u8], client: &[u8], mutant: Option<Mutant>) -> Result<Reexecution, BadLog> {
    let mut times = Vec::new();
    let logs = logs(node, client);
    let done = reexecute::<Quorum, _>(logs, &config(mutant), &mut |step| times.push(step.t));
    assert!(times.is_sorted(), "{times:?}");
    done
}

/// What can be read, and how much lies behind it.
fn read(log: &[u8]) -> Result<(Vec<Entry>, u64), BadLog> {
    let mut reader = Reader::new("n0".to_owned(), log);
    let mut entries = Vec::new();
    while let Some(entry) = reader.read()? {
        entries.push(entry);
    }
    assert_eq!(reader.entries(), entries.len() as u64);
    assert_eq!(reader.offset() + reader.cut_bytes(), log.len() as u64);
    Ok((entries, reader.cut_bytes()))
}

/// Where the entries of a log end, the format first.
fn ends(entries: &[Entry]) -> Vec<usize> {
    (0..=entries.len()).map(|count| written(&entries[..count]).len()).collect()
}

#[test]
fn what_was_written_is_read_back() {
    let Recorded { node, client, .. } = Recorded::story();
    for entries in [node, client] {
        assert_eq!(read(&written(&entries)), Ok((entries, 0)));
    }
    assert_eq!(read(&[]), Ok((Vec::new(), 0)));
}

#[test]
fn an_entry_takes_a_few_tens_of_bytes_besides_its_payload() {
    let Recorded { node, .. } = Recorded::story();
    let mut log = Vec::new();
    for entry in &node {
        let Entry::Input { input, .. } = entry else { continue };
        let before = log.len();
        append(&mut log, 1000, entry).unwrap();
        assert!(log.len() - before - input.len() < 40, "{entry:?}");
    }
    assert!(!log.is_empty());
}

#[test]
fn a_log_that_was_cut_anywhere_is_read_and_run_again_to_its_last_whole_entry() {
    let run = Recorded::story();
    let (log, client) = (written(&run.node), written(&run.client));
    let ends = ends(&run.node);
    for cut in 0..log.len() {
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (entries, left) = read(&log[..cut]).unwrap();
        assert_eq!(entries, run.node[..whole.saturating_sub(1)]);
        let end = whole.checked_sub(1).map_or(0, |last| ends[last]);
        assert_eq!(left, (cut - end) as u64);
        let done = again(&log[..cut], &client, None).unwrap();
        let logs_cut: Vec<_> = (left > 0).then(|| "n0".to_owned()).into_iter().collect();
        assert_eq!((done.mismatch, done.logs_cut), (None, logs_cut), "at {cut}");
        let is_open =
            !matches!(entries.last(), None | Some(Entry::Did { .. } | Entry::Lies { .. }));
        let incarnation = entries.iter().rev().find_map(|entry| match entry {
            Entry::Start { incarnation, .. } => Some(*incarnation),
            _ => None,
        });
        let cut_off = incarnation.filter(|_| is_open);
        let lives_cut: Vec<_> = cut_off
            .map(|incarnation| LifeCut { who: N0, incarnation, is_last: true })
            .into_iter()
            .collect();
        assert_eq!(done.lives_cut, lives_cut, "at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_named_with_its_place() {
    let Recorded { node, .. } = Recorded::story();
    let log = written(&node);
    let ends = ends(&node);
    for place in 0..log.len() {
        let mut damaged = log.clone();
        damaged[place] ^= 1 << (place % 8);
        let error = read(&damaged).unwrap_err();
        let begins = ends.iter().rfind(|end| **end <= place).copied().unwrap_or(0);
        let expected =
            BadLog { log: "n0".to_owned(), offset: begins as u64, why: error.why.clone() };
        assert_eq!(error, expected);
        assert!(error.to_string().starts_with(&format!("n0, byte {begins}: ")), "{error}");
        assert_eq!(again(&damaged, &[], None), Err(error));
    }
}

#[test]
fn what_is_no_log_of_inputs_is_said_to_be_none() {
    let mut other = Vec::new();
    quorate_systems::wal::append(&mut other, &"quorate inputs 1").unwrap();
    assert!(read(&other).unwrap_err().why.contains("another format"));
    let mut other = Vec::new();
    let later = ("quorate inputs 3", title(Owner::Clients));
    quorate_systems::wal::append(&mut other, &later).unwrap();
    assert!(read(&other).unwrap_err().why.contains("another format"));
    assert_eq!(read(b"{\"t\":81624011729301,\"by\":\"n0\"}").unwrap_err().offset, 0);
}

#[test]
fn every_core_does_again_what_it_did() {
    let run = Recorded::story();
    let inputs = run.node.iter().chain(&run.client);
    let inputs = inputs.filter(|entry| matches!(entry, Entry::Input { .. })).count() as u64;
    assert!(inputs > 20, "{inputs}");
    let expected = Reexecution { cores: 2, lives: 4, inputs, ..Reexecution::default() };
    assert_eq!(run.run(None), Ok(expected));
}

#[test]
fn a_program_with_another_bug_in_it_is_found_out() {
    // It acknowledges what is not durable: the first step that does so is n0's first update.
    let mismatch = Recorded::story().run(Some(Mutant::Q06)).unwrap().mismatch.unwrap();
    assert_eq!((mismatch.who, mismatch.incarnation), (N0, Incarnation(1)));
    assert!(mismatch.input.contains("Update"), "{mismatch}");
    let said = mismatch.to_string();
    assert!(said.starts_with("n0, life 1, entry ") && said.contains("not the one"), "{said}");
}

#[test]
fn an_input_or_a_digest_that_was_changed_is_a_mismatch_that_names_node_life_and_entry() {
    let story = Recorded::story();
    // The last one of which something comes.
    let nothing = Entry::Did { who: N0, effects: of_step::<Quorum>(&[]) };
    let place = story
        .node
        .windows(2)
        .rposition(|two| matches!(two[0], Entry::Input { .. }) && two[1] != nothing);
    let place = place.unwrap();
    let number = place as u64 + 1;

    let mut changed = Recorded::story();
    let Entry::Did { effects, .. } = &mut changed.node[place + 1] else { panic!() };
    let before = *effects;
    effects.0[3] ^= 1;
    let expected = *effects;
    let mismatch = changed.run(None).unwrap().mismatch.unwrap();
    let named = (mismatch.who, mismatch.incarnation, mismatch.entry);
    assert_eq!(named, (N0, Incarnation(2), number));
    assert_eq!((mismatch.expected, mismatch.found), (expected, Found::Effects(before)));

    let mut changed = Recorded::story();
    let Entry::Input { t, now, .. } = changed.node[place].clone() else { panic!() };
    changed.node[place] = input(N0, t, now, &Input::<Message>::Timer(TimerId(0)));
    let mismatch = changed.run(None).unwrap().mismatch.unwrap();
    assert_eq!((mismatch.who, mismatch.entry), (N0, number));
    assert!(mismatch.input.contains("Timer"), "{mismatch}");
}

#[test]
fn a_log_that_makes_no_sense_is_refused_with_the_place() {
    let Recorded { node, .. } = Recorded::story();
    let first_input = node.iter().position(|entry| matches!(entry, Entry::Input { .. })).unwrap();
    let refused = |entries: &[Entry], why: &str| {
        let error = again(&written(entries), &[], None).unwrap_err();
        assert!(error.why.contains(why) && error.log == "n0", "{error}");
    };
    refused(&node[first_input..], "has not started");
    refused(&[&node[..2], &node[1..2]].concat(), "a digest of nothing");
    refused(&[&node[..=first_input], &node[first_input..]].concat(), "has no digest");
    let found = Entry::Found { who: N0, record: vec![0xff; 40] };
    refused(&[&node[..2], &[found]].concat(), "no record");
    let nonsense = Entry::Input { who: N0, t: 9, now: LocalTime(1), input: vec![0xff; 40] };
    refused(&[&node[..2], &[nonsense]].concat(), "no input");
    refused(&[&node[..], &node[first_input..]].concat(), "gone");
}

#[test]
fn a_log_of_another_run_or_of_somebody_else_is_refused_by_name() {
    let run = Recorded::story();
    let (node, client) = (written(&run.node), written(&run.client));
    let refused = |node: &[u8], client: &[u8], log: &str, why: &str| {
        let error = again(node, client, None).unwrap_err();
        assert!(error.log == log && error.why.contains(why) && error.offset == 0, "{error}");
    };
    let of_run = |run: RunId| {
        let mut log = Vec::new();
        begin(&mut log, &Title { run, of: Owner::Node(NodeId(0)) }).unwrap();
        log
    };
    let RunId { started, plan } = title(Owner::Clients).run;
    let later = of_run(RunId { started: "2026-11-24T00:00:00Z".to_owned(), plan });
    refused(&later, &client, "n0", "another run, begun at 2026-11-24T00:00:00Z");
    let planned = of_run(RunId { started, plan: "another plan".to_owned() });
    refused(&planned, &client, "n0", "another plan");
    refused(&written_by(Owner::Node(NodeId(1)), &[]), &client, "n0", "the log of n1");
    refused(&client, &node, "n0", "the log of the clients, in the place of that of n0");
    refused(&node, &node, "clients", "the log of n0");
}

#[test]
fn an_entry_about_somebody_else_is_refused() {
    let run = Recorded::story();
    let node = written_by(Owner::Node(NodeId(0)), &run.client);
    let error = again(&node, &[], None).unwrap_err();
    assert!(error.why.contains("it is about c0, in the log of n0"), "{error}");
    let client = written_by(Owner::Clients, &run.node);
    let error = again(&[], &client, None).unwrap_err();
    assert!(error.why.contains("it is about n0, in the log of the clients"), "{error}");
}

#[test]
fn entries_that_were_taken_away_or_put_in_are_noticed_by_their_numbers() {
    let run = Recorded::story();
    let log = written(&run.node);
    let ends = ends(&run.node);
    let half = ends.len() / 2;
    let without = [&log[..ends[half]], &log[ends[half + 2]..]].concat();
    let error = read(&without).unwrap_err();
    let said = format!("entry {} stands where entry {} should", half + 3, half + 1);
    assert!(error.why.contains(&said) && error.offset == ends[half] as u64, "{error}");
    let twice = [&log[..ends[half]], &log[ends[half - 1]..]].concat();
    assert!(read(&twice).unwrap_err().why.contains("should"), "an entry stands there twice");
    let twice = [&log[..], &log[ends[0]..]].concat();
    let error = read(&twice).unwrap_err();
    assert!(error.why.contains("entry 1 stands where"), "all of it stands there twice: {error}");
    let twice = [&log[..], &log[..]].concat();
    assert!(read(&twice).is_err(), "and with its title");
}

#[test]
fn what_no_kill_leaves_behind_is_no_entry_that_was_cut_off() {
    let log = written(&Recorded::story().node);
    for garbage in [&b"abc"[..], &[0; 15], &[0; 4096]] {
        let error = read(&[&log, garbage].concat()).unwrap_err();
        assert!(error.why.contains("damaged") && error.offset == log.len() as u64, "{error}");
    }
    assert_eq!(read(&[&log, &b"qRe"[..]].concat()).unwrap().1, 3);
}

#[test]
fn lives_are_counted_from_one_and_none_is_lived_twice() {
    let refused = |incarnations: &[u64], why: &str| {
        let mut run = Recorded::new();
        for incarnation in incarnations {
            run.boot(*incarnation, None);
        }
        let error = again(&written(&run.node), &[], None).unwrap_err();
        assert!(error.why.contains(why), "{error}");
    };
    refused(&[2], "the first life is number 2");
    refused(&[1, 1], "life 1 begins after life 1");
    refused(&[1, 3, 2], "life 2 begins after life 3");
    // The second was killed before its core started.
    let mut run = Recorded::new();
    run.boot(1, None);
    run.boot(3, None);
    assert_eq!(run.run(None).unwrap().lives, 3, "with that of the client");
}

#[test]
fn a_core_that_broke_an_assertion_breaks_it_again() {
    let mut run = Recorded::new();
    let invoke = ClientInput::Invoke(Command::Read { key: Key(1) });
    run.client_takes(invoke.clone());
    // None may be open.
    run.client.push(client_input(C0, run.t, LocalTime(run.t), &invoke));
    let mut panics = 0;
    let client = written(&run.client);
    let done = reexecute::<Quorum, _>(logs(&[], &client), &config(None), &mut |step| {
        panics += u64::from(matches!(step.what, What::Panicked { .. }));
    });
    let done = done.unwrap();
    assert_eq!((done.panics, panics, done.lives_cut, done.mismatch), (1, 1, Vec::new(), None));

    // It did not, when it first ran.
    run.client.push(Entry::Did { who: C0, effects: of_client_step::<Quorum>(&[]) });
    let mismatch = run.run(None).unwrap().mismatch.unwrap();
    assert!(matches!(mismatch.found, Found::Panic(_)), "{mismatch}");
}

#[test]
fn an_account_has_the_operations_the_messages_and_the_lives_of_nodes() {
    let run = Recorded::story();
    let (node, client) = (written(&run.node), written(&run.client));
    let logs = logs(&node, &client);
    let mut accountant = Accountant::default();
    reexecute::<Quorum, _>(logs, &config(None), &mut |step| accountant.note(step)).unwrap();
    let account = accountant.finish();
    let asked: Vec<u64> = account.asked.iter().flat_map(account::Asked::keys).collect();
    assert!(!asked.is_empty() && asked.len() == account.operations());
    assert!(account.asked.iter().all(|asked| asked.seq.is_some()), "{:?}", account.asked);
    let seqs: Vec<u64> = account.asked.iter().filter_map(|asked| asked.seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    assert_eq!(account.nodes[&0].starts.len(), 2, "the third time it refuses");
    // Only one of three servers ran: what went to the others was lost.
    let (to_n0, to_others): (Vec<_>, Vec<_>) = account
        .passages
        .iter()
        .filter(|passage| matches!(passage.from, quorate_plan::Endpoint::Client(_)))
        .partition(|passage| passage.to == quorate_plan::Endpoint::Node(0));
    assert!(to_n0.iter().any(|passage| passage.taken.is_some()), "{to_n0:?}");
    assert!(!to_others.is_empty() && to_others.iter().all(|passage| passage.taken.is_none()));
    for passage in &account.passages {
        assert!(passage.taken.is_none_or(|taken| taken >= passage.sent), "{passage:?}");
        assert!(passage.asked.is_some(), "{passage:?}");
    }
    assert!(!account.syncs.is_empty());
}
