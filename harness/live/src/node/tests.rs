//! The node around a toy system, on a thread of its own instead of in a process.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_systems::contract::{ClientId, Incarnation, Lie, Micros, NodeId};
use quorate_systems::wire::{self, Envelope};
use quorate_world::inputs;
use quorate_world::invariants::Who;
use tempfile::TempDir;

use super::testing::config;
use super::toy::{Message, SLOWNESS, Toy};
use super::*;
use crate::protocol::{ClientEnvelope, Control, InputsFile, Notice, Order, Ready, Status};

const PATIENCE: Duration = Duration::from_secs(20);

/// A node with the toy's counter in it.
struct ToyNode {
    asks: mpsc::Sender<Ask>,
    notices: Receiver<Notice>,
    thread: JoinHandle<Ending>,
    ready: Ready,
}

impl ToyNode {
    fn start(config: NodeConfig) -> Self {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (say, notices) = channel();
        let own_asks = asks.clone();
        let thread = thread::spawn(move || {
            guarded(async || {
                let log = Log::of(config.node);
                match start::start::<Toy>(&config, own_asks, asked, log).await {
                    Ok(started) => {
                        let tell = &mut |notice: &Notice| say.send(notice.clone()).unwrap();
                        started.node.serve(started.sources, started.ready, tell).await
                    }
                    Err(ending) => ending,
                }
            })
        });
        let Ok(Notice::Ready(ready)) = notices.recv_timeout(PATIENCE) else {
            panic!("not ready: {:?}", thread.join());
        };
        Self { asks, notices, thread, ready }
    }

    fn obey(&self, what: Control) -> Status {
        self.asks.blocking_send(Ask::Order(Order { id: 1, what })).unwrap();
        match self.notices.recv_timeout(PATIENCE) {
            Ok(Notice::Done { id: 1, status }) => status,
            other => panic!("{other:?}"),
        }
    }

    fn shut_down(self) {
        self.obey(Control::Shutdown);
        assert_eq!(self.thread.join().unwrap(), Ending::Asked);
    }

    fn client(&self, client: u32) -> Http {
        Http::open(format!("http://{}/clients/{client}/messages", self.ready.client_address))
    }

    fn peer(&self) -> TcpStream {
        let stream = TcpStream::connect(self.ready.peer_address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits until the node's status is as it should be.
    fn until(&self, fits: impl Fn(&Status) -> bool) -> Status {
        let start = Instant::now();
        loop {
            let status = self.obey(Control::Status);
            if fits(&status) {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{status:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A client that posts and hears.
struct Http {
    url: String,
    runtime: tokio::runtime::Runtime,
    poster: reqwest::Client,
    stream: reqwest::Response,
    text: Vec<u8>,
}

impl Http {
    fn open(url: String) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let http = reqwest::Client::new();
        let stream = runtime.block_on(http.get(&url).send()).unwrap();
        Self { url, runtime, poster: http, stream, text: Vec::new() }
    }

    fn post(&self, message: &Message) {
        let body = ClientEnvelope::seal(message).to_line();
        let answer = self.runtime.block_on(self.poster.post(&self.url).body(body).send());
        assert_eq!(answer.unwrap().status(), 202);
    }

    /// The next message; `None` when the stream ends.
    fn hear(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = self.text.drain(..=end).collect();
                let envelope: ClientEnvelope = serde_json::from_slice(&line).unwrap();
                return Some(envelope.open().unwrap());
            }
            let chunk = self
                .runtime
                .block_on(async { tokio::time::timeout(PATIENCE, self.stream.chunk()).await });
            self.text.extend_from_slice(&chunk.expect("something comes").unwrap()?);
        }
    }

    fn ask(&mut self, message: &Message) -> Message {
        self.post(message);
        self.hear().unwrap()
    }
}

fn add(number: u64) -> Message {
    Message::Add { number, padding: 0 }
}

fn frame(from: u16, number: u64) -> Vec<u8> {
    let message = add(number);
    let envelope = Envelope { from: NodeId(from), incarnation: Incarnation(1), message };
    wire::encode(Toy::vocabulary(), &envelope).unwrap()
}

#[test]
fn answers_come_after_their_records_are_durable() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut client = node.client(0);
    assert_eq!(client.ask(&add(2)), Message::Sum(2));
    assert_eq!(client.ask(&add(3)), Message::Sum(5));
    let status = node.obey(Control::Status);
    assert_eq!((status.records, status.syncs, status.unsynced_bytes), (2, 2, 0));
    node.shut_down();
}

#[test]
fn what_a_node_says_to_itself_arrives() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut client = node.client(4);
    let echo = Message::Echo { client: ClientId(4), times: 9 };
    assert_eq!(client.ask(&echo), Message::Sum(0));
    assert_eq!(node.obey(Control::Status).inputs, 11);
    node.shut_down();
}

#[test]
fn timers_follow_the_nodes_own_clock() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut client = node.client(0);
    let start = Instant::now();
    assert_eq!(client.ask(&Message::Later(Micros::from_millis(50))), Message::Sum(0));
    assert!(start.elapsed() >= Duration::from_millis(50));

    client.post(&Message::Later(Micros::from_millis(3_600_000)));
    node.until(|status| status.inputs == 3);
    node.obey(Control::Clock { offset_ms: 3_600_000, rate_ppm: 1_000_000 });
    assert_eq!(client.hear(), Some(Message::Sum(0)));
    node.shut_down();
}

#[test]
fn a_long_log_is_replaced_by_a_checkpoint_that_says_the_same() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut client = node.client(0);
    let padding = 100_000;
    for number in 1..=20 {
        client.ask(&Message::Add { number, padding });
    }
    node.until(|status| status.checkpoints == 1);
    client.ask(&add(7));
    node.shut_down();

    let node = ToyNode::start(config(temp.path()));
    assert!(node.ready.records < 20, "{:?}", node.ready);
    assert_eq!(node.client(0).ask(&add(0)), Message::Sum(210 + 7));
    node.shut_down();
}

#[test]
fn a_panic_of_the_core_is_an_ending_with_the_text_of_the_panic() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    node.client(0).post(&Message::Break);
    let ending = node.thread.join().unwrap();
    assert_eq!(ending, Ending::Panicked("told to break".to_owned()));
    assert_eq!(ending.code(), 101);
}

#[test]
fn a_newer_stream_replaces_an_older_one() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut older = node.client(0);
    let mut newer = node.client(0);
    assert_eq!(older.hear(), None);
    older.post(&add(1));
    assert_eq!(newer.hear(), Some(Message::Sum(1)));
    node.shut_down();
}

#[test]
fn lies_are_told_to_others_and_counted() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut client = node.client(0);
    node.obey(Control::Lie(Some(Lie::WrongValue)));
    assert_eq!(client.ask(&add(1)), Message::Sum(2));
    assert_eq!(node.obey(Control::Lie(None)).lies, 1);
    assert_eq!(client.ask(&add(1)), Message::Sum(2));
    node.shut_down();
}

#[test]
fn what_a_slow_liar_says_is_true_and_comes_late() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut client = node.client(0);
    node.obey(Control::Lie(Some(Lie::Slow)));
    let asked = Instant::now();
    assert_eq!(client.ask(&add(1)), Message::Sum(1));
    assert!(asked.elapsed() >= SLOWNESS, "{:?}", asked.elapsed());
    assert_eq!(node.obey(Control::Lie(None)).lies, 1);
    let asked = Instant::now();
    assert_eq!(client.ask(&add(1)), Message::Sum(2));
    assert!(asked.elapsed() < SLOWNESS, "{:?}", asked.elapsed());
    node.shut_down();
}

#[test]
fn inputs_that_change_nothing_are_counted_by_reason() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    node.client(0).post(&Message::Sum(1));
    let status = node.until(|status| status.inputs == 1);
    assert_eq!(status.ignored.get("no question"), Some(&1));
    node.shut_down();
}

#[test]
fn a_damaged_body_costs_one_frame_and_a_damaged_header_the_connection() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    let mut peer = node.peer();
    let mut damaged = frame(1, 20);
    *damaged.last_mut().unwrap() ^= 1;
    peer.write_all(&[frame(1, 1), damaged, frame(1, 300)].concat()).unwrap();
    assert_eq!(node.until(|status| status.inputs == 2).undecodable, 1);
    assert_eq!(node.client(0).ask(&add(0)), Message::Sum(301));

    let mut damaged = frame(1, 4_000);
    damaged[6] ^= 1;
    peer.write_all(&damaged).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the node hangs up");
    assert_eq!(node.until(|status| status.undecodable == 2).inputs, 4);
    node.peer().write_all(&frame(2, 50_000)).unwrap();
    node.until(|status| status.inputs == 5);
    assert_eq!(node.client(0).ask(&add(0)), Message::Sum(50_301));
    node.shut_down();
}

#[test]
fn frames_of_nobody_in_the_cluster_or_of_the_node_itself_are_not_believed() {
    let temp = TempDir::new().unwrap();
    let node = ToyNode::start(config(temp.path()));
    node.peer().write_all(&[frame(3, 1), frame(0, 1), frame(2, 1)].concat()).unwrap();
    let status = node.until(|status| status.inputs == 1);
    assert_eq!(status.undecodable, 2);
    node.shut_down();
}

/// What stands in the file, without the times, which do not fall.
fn observed(path: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut last = 0;
    let lines = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["by"], "n0");
        let time = line["t"].as_u64().unwrap();
        assert!(last <= time);
        last = time;
        line["saw"].clone()
    });
    lines.collect()
}

#[test]
fn what_happens_to_the_core_stands_in_a_file_before_anybody_else_learns_of_it() {
    use serde_json::json;
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("observed.jsonl");
    let mut config = config(temp.path());
    config.observed = Some(path.clone());
    let node = ToyNode::start(config.clone());
    let mut client = node.client(4);
    client.ask(&add(2));
    let record = json!([2, []]);
    let mut expected = vec![
        json!({ "boot": 1 }),
        json!({ "persist": { "ticket": 1, "record": record } }),
        json!({ "observed": 2 }),
        json!({ "durable": 1 }),
        json!({ "sent": { "to": "c4", "message": { "Sum": 2 } } }),
    ];
    assert_eq!(observed(&path), expected);

    node.obey(Control::Lie(Some(Lie::WrongValue)));
    client.ask(&Message::Later(Micros(0)));
    expected.push(json!("lies"));
    expected.push(json!({ "sent": { "to": "c4", "message": { "Sum": 3 } } }));
    assert_eq!(observed(&path), expected);
    node.shut_down();

    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"{\"t\":1,\"by\":\"n0\",\"saw\":{\"dur").unwrap();
    let node = ToyNode::start(config);
    expected.push(json!({ "boot": 2 }));
    expected.push(json!({ "found": record }));
    assert_eq!(observed(&path), expected);
    node.shut_down();
}

fn run_id() -> inputs::RunId {
    inputs::RunId { started: "2026-11-23T21:47:02Z".to_owned(), plan: "a plan".to_owned() }
}

fn title() -> inputs::Title {
    inputs::Title { run: run_id(), of: inputs::Owner::Node(NodeId(0)) }
}

/// Runs the toy's core again from its log.
fn again(path: &std::path::Path) -> inputs::Reexecution {
    let source = std::fs::File::open(path).unwrap();
    let log = inputs::Log { name: "n0".to_owned(), title: title(), source };
    inputs::reexecute::<Toy, _>([log], &(), &mut |_| ()).unwrap()
}

#[test]
fn what_the_core_takes_stands_in_a_file_from_which_it_is_run_again() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("inputs.log");
    let mut config = config(temp.path());
    config.inputs = Some(InputsFile { path: path.clone(), run: run_id() });
    let node = ToyNode::start(config.clone());
    node.client(4).ask(&add(2));
    // Before anybody learned of the sum: the request, and that its record is durable, whose digest is to come.
    let expected = inputs::Reexecution { cores: 1, lives: 1, inputs: 2, ..Default::default() };
    let (who, incarnation) = (Who::Node(NodeId(0)), Incarnation(1));
    let lives_cut = vec![inputs::LifeCut { who, incarnation, is_last: true }];
    assert_eq!(again(&path), inputs::Reexecution { lives_cut, ..expected.clone() });
    node.obey(Control::Lie(Some(Lie::WrongValue)));
    node.shut_down();
    assert_eq!(again(&path), expected, "it ended properly");

    // A kill cuts an entry off; the next life goes on before it, and finds the record.
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"qRec\x07").unwrap();
    let logs_cut = vec!["n0".to_owned()];
    assert_eq!(again(&path), inputs::Reexecution { logs_cut, ..expected.clone() });
    let node = ToyNode::start(config.clone());
    node.client(4).ask(&add(3));
    node.shut_down();
    assert_eq!(again(&path), inputs::Reexecution { lives: 2, inputs: 4, ..expected });

    // Damage is no such thing.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = crate::inputs::InputLog::open(&path, &title()).unwrap_err().to_string();
    assert!(error.contains("inputs.log, byte "), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "and nothing was cut");
}

#[test]
fn the_input_at_which_a_core_breaks_an_assertion_is_in_the_file() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("inputs.log");
    let mut config = config(temp.path());
    config.inputs = Some(InputsFile { path: path.clone(), run: run_id() });
    let node = ToyNode::start(config);
    node.client(0).post(&Message::Break);
    let ending = node.thread.join().unwrap();
    assert!(matches!(ending, Ending::Panicked(_)), "{ending:?}");
    let expected =
        inputs::Reexecution { cores: 1, lives: 1, inputs: 1, panics: 1, ..Default::default() };
    assert_eq!(again(&path), expected);
}

#[test]
fn observations_that_the_harness_waits_for_are_told_to_it() {
    let temp = TempDir::new().unwrap();
    let mut config = config(temp.path());
    config.watched.insert("added".to_owned());
    let node = ToyNode::start(config);
    node.client(0).post(&add(5));
    let told = node.notices.recv_timeout(PATIENCE).unwrap();
    assert_eq!(told, Notice::Observed { observation: 5.into() });
    node.shut_down();
}
