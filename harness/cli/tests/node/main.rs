//! Node processes as their harness sees them: real processes, real disks, real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests and their helpers may panic"
)]

mod client;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command as Shell, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use client::TestClient;
use process::{Process, cluster, command, single};
use quorate_live::node::record_files;
use quorate_live::protocol::{
    Control, DiskMode, EXIT_CANNOT_START, EXIT_DISK_FAILED, EXIT_REFUSED_TO_START, NodeConfig,
    Notice,
};
use quorate_systems::contract::{Command, Key, Lie, Outcome, Value};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio::task::JoinSet;

fn write(key: u64, value: u64) -> Command {
    Command::Write { key: Key(key), value: Value(value) }
}

fn read(key: u64) -> Command {
    Command::Read { key: Key(key) }
}

fn saw(value: u64) -> Outcome {
    Outcome::Read(Some(Value(value)))
}

/// Starts all nodes; their addresses for clients.
fn start_all(configs: &[NodeConfig]) -> (Vec<Process>, Vec<SocketAddr>) {
    let nodes: Vec<_> = configs.iter().map(Process::start).collect();
    let addresses = nodes.iter().map(|node| node.ready().client_address).collect();
    (nodes, addresses)
}

/// A single node that has written `values` under key 1.
async fn single_with(config: &NodeConfig, values: &[u64]) -> (Process, SocketAddr) {
    let node = Process::start(config);
    let ready = node.ready();
    let mut client = TestClient::connect(&[ready.client_address], ready.incarnation).await;
    for value in values {
        assert_eq!(client.run(write(1, *value)).await, Outcome::Written);
    }
    (node, ready.client_address)
}

async fn read_one(config: &NodeConfig) -> Outcome {
    let node = Process::start(config);
    let ready = node.ready();
    let mut client = TestClient::connect(&[ready.client_address], ready.incarnation).await;
    client.run(read(1)).await
}

#[tokio::test]
async fn a_write_is_read_back_by_another_client_after_all_nodes_were_killed() {
    let temp = TempDir::new().unwrap();
    let configs = cluster(temp.path(), 3);
    let (nodes, addresses) = start_all(&configs);
    let mut client = TestClient::connect(&addresses, 1).await;
    assert_eq!(client.run(read(1)).await, Outcome::Read(None));
    assert_eq!(client.run(write(1, 7)).await, Outcome::Written);
    nodes.into_iter().for_each(Process::kill);

    let (_nodes, addresses) = start_all(&configs);
    let mut client = TestClient::connect(&addresses, 2).await;
    assert_eq!(client.run(read(1)).await, saw(7));
}

#[tokio::test]
async fn a_minority_may_be_gone_and_comes_back_with_its_records() {
    let temp = TempDir::new().unwrap();
    let configs = cluster(temp.path(), 3);
    let (mut nodes, addresses) = start_all(&configs);
    let mut client = TestClient::connect(&addresses, 1).await;
    assert_eq!(client.run(write(1, 7)).await, Outcome::Written);

    nodes.remove(0).kill();
    assert_eq!(client.run(write(2, 8)).await, Outcome::Written);
    let back = Process::start(&configs[0]);
    let ready = back.ready();
    assert_eq!((ready.incarnation, ready.records, ready.torn_bytes), (2, 1, 0));

    nodes.remove(0).kill();
    let mut addresses = addresses;
    addresses[0] = ready.client_address;
    let mut client = TestClient::connect(&addresses, 2).await;
    assert_eq!(client.run(read(1)).await, saw(7));
    assert_eq!(client.run(read(2)).await, saw(8));
}

#[tokio::test]
async fn nodes_that_coordinate_talk_to_each_other() {
    let temp = TempDir::new().unwrap();
    let mut configs = cluster(temp.path(), 3);
    for config in &mut configs {
        config.options.insert("coordinator".to_owned(), "node".to_owned());
    }
    let (nodes, addresses) = start_all(&configs);
    let options = configs[0].options.clone();
    let mut client = TestClient::connect_as(0, &addresses, 1, &options).await;
    assert_eq!(client.run(write(1, 7)).await, Outcome::Written);
    assert_eq!(client.run(read(1)).await, saw(7));
    drop(nodes);
}

#[tokio::test]
async fn clients_that_write_at_once_share_syncs() {
    let temp = TempDir::new().unwrap();
    let mut node = Process::start(&single(temp.path()));
    let address = node.ready().client_address;
    let mut clients = JoinSet::new();
    for number in 0..10 {
        clients.spawn(async move {
            let options = BTreeMap::new();
            let mut client = TestClient::connect_as(number, &[address], 1, &options).await;
            for value in 0..30 {
                let key = u64::from(number);
                assert_eq!(client.run(write(key, value)).await, Outcome::Written);
            }
        });
    }
    clients.join_all().await;
    let status = node.obey(Control::Status);
    assert_eq!(status.records, 300);
    assert!(status.syncs < 300, "{status:?}");
}

#[tokio::test]
async fn status_counts_what_the_node_did() {
    let temp = TempDir::new().unwrap();
    let (mut node, address) = single_with(&single(temp.path()), &[1, 2, 3]).await;
    let status = node.obey(Control::Status);
    assert_eq!((status.records, status.unsynced_bytes, status.lies), (3, 0, 0));
    assert!((1..=3).contains(&status.syncs) && status.inputs >= 9, "{status:?}");
    let page = reqwest::get(format!("http://{address}/status")).await.unwrap();
    assert!(page.text().await.unwrap().contains("\"records\":3"));
}

#[tokio::test]
async fn what_is_no_message_is_answered_with_the_reason() {
    let temp = TempDir::new().unwrap();
    let (mut node, address) = single_with(&single(temp.path()), &[]).await;
    let post = async |body: &'static str, path: &str| {
        let url = format!("http://{address}/clients/{path}/messages");
        let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (code, why) = post("{", "0").await;
    assert!(code == 400 && why.starts_with("no envelope"), "{why}");
    let (code, why) = post(r#"{"crc32c": 1, "kind": "QUERY", "body": {}}"#, "0").await;
    assert!(code == 400 && why.contains("checksum"), "{why}");
    let (code, _) = post("{", "1000000").await;
    assert_eq!(code, 404);
    assert_eq!(node.obey(Control::Status).undecodable, 2);
}

#[tokio::test]
async fn a_disk_that_is_full_or_broken_ends_the_node_and_no_answer_is_given() {
    for (mode, reason) in [(DiskMode::Full, "No space left"), (DiskMode::IoError, "Input/output")] {
        let temp = TempDir::new().unwrap();
        let config = single(temp.path());
        let (mut node, address) = single_with(&config, &[7]).await;
        node.obey(Control::Disk(mode));
        let mut client = TestClient::connect(&[address], 2).await;
        let lost = tokio::time::timeout(Duration::from_secs(2), client.run(write(1, 8))).await;
        assert!(lost.is_err(), "{mode:?}: {lost:?}");
        let (why, code) = node.ending();
        assert_eq!(code, EXIT_DISK_FAILED);
        assert!(why.contains("log-000000") && why.contains(reason), "{why}");
        // What was not acknowledged may or may not be there; what was, must be.
        let seen = read_one(&config).await;
        assert!(seen == saw(7) || (mode == DiskMode::IoError && seen == saw(8)), "{seen:?}");
    }
}

#[tokio::test]
async fn a_torn_write_ends_the_node_and_is_cut_at_the_next_start() {
    let temp = TempDir::new().unwrap();
    let config = single(temp.path());
    let (mut node, address) = single_with(&config, &[7]).await;
    node.obey(Control::Disk(DiskMode::Tear));
    let mut client = TestClient::connect(&[address], 2).await;
    let lost = tokio::time::timeout(Duration::from_secs(2), client.run(write(1, 8))).await;
    assert!(lost.is_err(), "{lost:?}");
    let (why, code) = node.ending();
    assert_eq!(code, EXIT_DISK_FAILED, "{why}");

    let node = Process::start(&config);
    let ready = node.ready();
    assert_eq!(ready.records, 1);
    assert!(ready.torn_bytes > 0);
    node.kill();
    assert_eq!(read_one(&config).await, saw(7));
}

#[tokio::test]
async fn a_flipped_bit_is_named_and_refused_until_it_is_put_right() {
    let temp = TempDir::new().unwrap();
    let config = single(temp.path());
    let (node, _) = single_with(&config, &[7, 8]).await;
    node.kill();
    let file = record_files(&config.data).unwrap().remove(0);
    let good = fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[5] ^= 4;
    fs::write(&file, &bad).unwrap();
    for _ in 0..2 {
        let (why, code) = Process::start(&config).ending();
        assert_eq!(code, EXIT_REFUSED_TO_START);
        assert!(why.contains("log-000000, byte 0"), "{why}");
    }
    assert_eq!(fs::read(&file).unwrap(), bad, "the damage is left as it was found");
    fs::write(&file, &good).unwrap();
    assert_eq!(read_one(&config).await, saw(8));
}

#[tokio::test]
async fn a_power_failure_loses_nothing_that_was_acknowledged() {
    let temp = TempDir::new().unwrap();
    let config = single(temp.path());
    let (mut node, address) = single_with(&config, &[7]).await;
    node.obey(Control::WriteThrough(false));
    let mut client = TestClient::connect(&[address], 2).await;
    assert_eq!(client.run(write(1, 8)).await, Outcome::Written);
    node.kill();
    assert_eq!(read_one(&config).await, saw(8));
}

#[tokio::test]
async fn a_silent_node_counts_its_lies() {
    let temp = TempDir::new().unwrap();
    let (mut node, address) = single_with(&single(temp.path()), &[]).await;
    node.obey(Control::Lie(Some(Lie::Silent)));
    let mut client = TestClient::connect(&[address], 2).await;
    let lost = tokio::time::timeout(Duration::from_secs(1), client.run(read(1))).await;
    assert!(lost.is_err(), "{lost:?}");
    let status = node.obey(Control::Lie(None));
    assert!(status.lies > 0);
}

#[test]
fn a_clock_obeys_and_never_goes_back() {
    let temp = TempDir::new().unwrap();
    let mut node = Process::start(&single(temp.path()));
    node.ready();
    let ahead = node.obey(Control::Clock { offset_ms: 60_000, rate_ppm: 1_000_000 }).clock_us;
    assert!(ahead >= 60_000_000);
    let back = node.obey(Control::Clock { offset_ms: 0, rate_ppm: 1_000_000 }).clock_us;
    assert!((ahead..ahead + 5_000_000).contains(&back));
}

#[test]
fn a_port_that_is_taken_is_named_and_nothing_is_written() {
    let temp = TempDir::new().unwrap();
    let mut config = single(temp.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.client_listen = taken.local_addr().unwrap();
    let (why, code) = Process::start(&config).ending();
    assert_eq!(code, EXIT_CANNOT_START);
    assert!(why.contains(&config.client_listen.to_string()) && !why.contains('\n'), "{why}");
    assert!(!config.data.exists());
}

#[test]
fn the_end_of_orders_ends_a_node_that_has_a_parent() {
    let temp = TempDir::new().unwrap();
    let mut config = single(temp.path());
    config.parent = Some(std::process::id());
    let mut node = Process::start(&config);
    node.ready();
    node.close_orders();
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn a_node_without_a_parent_lives_on_until_it_is_told_to_end() {
    let temp = TempDir::new().unwrap();
    let config = single(temp.path());
    let mut node = Process::start(&config);
    node.ready();
    node.close_orders();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(node.child.try_wait().unwrap(), None);
    kill_process(Pid::from_child(&node.child), Signal::TERM).unwrap();
    assert_eq!(node.wait().code(), Some(0));

    let mut node = Process::start(&config);
    node.ready();
    node.obey(Control::Shutdown);
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn a_node_leaves_ctrl_c_to_its_parent() {
    let temp = TempDir::new().unwrap();
    let mut config = single(temp.path());
    config.parent = Some(std::process::id());
    let mut node = Process::start(&config);
    node.ready();
    kill_process(Pid::from_child(&node.child), Signal::INT).unwrap();
    node.obey(Control::Status);
}

#[test]
fn a_node_whose_parent_is_gone_does_not_start() {
    let temp = TempDir::new().unwrap();
    let mut config = single(temp.path());
    config.parent = Some(1);
    let (why, code) = Process::start(&config).ending();
    assert_eq!(code, EXIT_CANNOT_START);
    assert!(why.contains("is gone") && why.contains("take `parent` out"), "{why}");
}

#[test]
fn a_stopped_node_dies_with_its_parent() {
    let temp = TempDir::new().unwrap();
    let config = single(temp.path());
    let node = command(&config);
    let file = config.data.with_extension("json");
    // A shell is the parent. It keeps the node's standard input open from outside, so that nothing but
    // the parent's death can end the node.
    let script = r#"sed -i "s/\"parent\":null/\"parent\":$$/" "$0"; "$@" <&3 & wait"#;
    let mut shell = Shell::new("sh");
    shell.args(["-c", &format!("exec 3<&0; {script}")]).arg(&file);
    shell.arg(node.get_program()).args(node.get_args());
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let ready = lines.map(Result::unwrap).find_map(|line| {
        let notice = serde_json::from_str(line.get(line.find('{')?..)?).unwrap();
        matches!(notice, Notice::Ready(_)).then_some(())
    });
    assert_eq!(ready, Some(()));

    let pid = only_child(shell.id());
    kill_process(pid, Signal::STOP).unwrap();
    shell.kill().unwrap();
    shell.wait().unwrap();
    let start = Instant::now();
    while test_kill_process(pid).is_ok() && !is_zombie(pid) {
        assert!(start.elapsed() < Duration::from_secs(10), "the node outlives its parent");
        thread::sleep(Duration::from_millis(5));
    }
}

fn only_child(parent: u32) -> Pid {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(path).unwrap();
    Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

/// Whether it is dead and nobody has asked how it ended.
fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}
