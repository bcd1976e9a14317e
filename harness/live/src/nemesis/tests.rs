//! Faults on nodes that only pretend.

use std::sync::atomic::AtomicU64;

use quorate_checkers::history::{Header, What};
use quorate_plan::{Disk, Moment, NodeMatch, Plan, SystemPlan, WorldKind};
use quorate_systems::contract::Lie;

use super::*;
use crate::cluster::Exit;
use crate::protocol::{Control, DiskMode, EXIT_DISK_FAILED, EXIT_REFUSED_TO_START, Ready, Status};

/// Nodes that take orders as real ones do, and write now and then.
#[derive(Debug)]
struct Fake {
    nodes: Vec<Mutex<FakeNode>>,
    /// Orders given, for tests that want to know.
    log: Mutex<Vec<String>>,
    /// How long a node with a bad disk goes on before it writes.
    writes_after: Duration,
    /// The number of starts that fail from now on.
    failing_starts: AtomicU64,
}

#[derive(Debug)]
struct FakeNode {
    life: Life,
    incarnation: u64,
    disk: DiskMode,
    /// A torn write lies at the end of the log.
    torn: bool,
    flipped: bool,
    clock_offset_ms: i64,
    lying: bool,
    lies: u64,
    exit: Option<Exit>,
    born: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Up,
    Stopped,
    Down,
}

impl Fake {
    fn new(count: u16, writes_after: Duration) -> Self {
        let node = || FakeNode {
            life: Life::Up,
            incarnation: 1,
            disk: DiskMode::Good,
            torn: false,
            flipped: false,
            clock_offset_ms: 0,
            lying: false,
            lies: 0,
            exit: None,
            born: Instant::now(),
        };
        Self {
            nodes: (0..count).map(|_| Mutex::new(node())).collect(),
            log: Mutex::default(),
            writes_after,
            failing_starts: AtomicU64::new(0),
        }
    }

    fn at(&self, node: u16) -> MutexGuard<'_, FakeNode> {
        lock(&self.nodes[usize::from(node)])
    }

    fn note(&self, what: String) {
        lock(&self.log).push(what);
    }

    fn boot(&self, node: u16) -> Ready {
        let mut fake = self.at(node);
        assert_eq!(fake.life, Life::Down, "n{node} is started while it is there");
        let torn_bytes = if std::mem::take(&mut fake.torn) { 9 } else { 0 };
        fake.life = Life::Up;
        fake.incarnation += 1;
        fake.disk = DiskMode::Good;
        fake.exit = None;
        fake.born = Instant::now();
        let nowhere = "127.0.0.1:1".parse().unwrap();
        Ready {
            incarnation: fake.incarnation,
            peer_address: nowhere,
            client_address: nowhere,
            records: 1,
            torn_bytes,
        }
    }

    fn serves(&self, node: u16) -> Result<MutexGuard<'_, FakeNode>, Trouble> {
        let fake = self.at(node);
        match fake.life {
            Life::Up => Ok(fake),
            Life::Stopped => Err(Trouble::Stopped { node }),
            Life::Down => Err(Trouble::Down { node }),
        }
    }

    fn status(fake: &mut FakeNode) -> Status {
        fake.lies += if fake.lying { 3 } else { 0 };
        // Far from any edge, so that an offset both ways can be told.
        let clock = 1_000_000 + i64::try_from(fake.born.elapsed().as_micros()).unwrap();
        let clock_us = u64::try_from(clock + fake.clock_offset_ms * 1_000).unwrap();
        Status { clock_us, lies: fake.lies, ..Status::default() }
    }
}

impl Machines for Arc<Fake> {
    fn count(&self) -> u16 {
        u16::try_from(self.nodes.len()).unwrap()
    }

    async fn start_node(&self, node: u16) -> Result<Ready, Trouble> {
        self.note(format!("start n{node}"));
        let failing = self.failing_starts.load(Ordering::Relaxed);
        if failing > 0 {
            self.failing_starts.store(failing - 1, Ordering::Relaxed);
            return Err(Trouble::NotReady { node, seconds: 20, log: "no port".to_owned() });
        }
        assert!(!self.at(node).flipped, "n{node} must not be started on a damaged disk");
        Ok(self.boot(node))
    }

    async fn try_start(&self, node: u16) -> Result<Started, Trouble> {
        if self.at(node).flipped {
            let why = Some("corrupt record".to_owned());
            let code = Some(EXIT_REFUSED_TO_START);
            return Ok(Started::Refused(Exit { code, signal: None, why, expected: true }));
        }
        Ok(Started::Up(self.boot(node)))
    }

    async fn kill(&self, node: u16) -> Result<(), Trouble> {
        self.note(format!("kill n{node}"));
        let mut fake = self.at(node);
        if fake.life == Life::Down {
            return Err(Trouble::Down { node });
        }
        fake.life = Life::Down;
        Ok(())
    }

    async fn lose_power(&self, node: u16) -> Result<(), Trouble> {
        drop(self.serves(node)?);
        self.kill(node).await
    }

    async fn pause(&self, node: u16) -> Result<(), Trouble> {
        self.note(format!("pause n{node}"));
        self.serves(node)?.life = Life::Stopped;
        Ok(())
    }

    async fn resume(&self, node: u16) -> Result<(), Trouble> {
        self.note(format!("resume n{node}"));
        let mut fake = self.at(node);
        if fake.life == Life::Down {
            return Err(Trouble::Down { node });
        }
        fake.life = Life::Up;
        Ok(())
    }

    async fn order(&self, node: u16, _: Control) -> Result<Status, Trouble> {
        Ok(Fake::status(&mut *self.serves(node)?))
    }

    async fn break_disk(&self, node: u16, mode: DiskMode, _: i32) -> Result<(), Trouble> {
        self.serves(node)?.disk = mode;
        Ok(())
    }

    async fn mend_disk(&self, node: u16) -> Result<(), Trouble> {
        self.serves(node)?.disk = DiskMode::Good;
        Ok(())
    }

    async fn ended(&self, node: u16) -> Option<Exit> {
        if self.at(node).life != Life::Down {
            sleep(self.writes_after).await;
            let mut fake = self.at(node);
            fake.torn = fake.disk == DiskMode::Tear;
            fake.life = Life::Down;
            let code = Some(EXIT_DISK_FAILED);
            fake.exit = Some(Exit { code, signal: None, why: None, expected: true });
        }
        self.at(node).exit.clone()
    }

    fn lives(&self, node: u16) -> bool {
        self.at(node).life != Life::Down
    }

    fn incarnation(&self, node: u16) -> Option<u64> {
        Some(self.at(node).incarnation)
    }

    async fn set_clock(&self, node: u16, offset_ms: i64, _: u32) -> Result<Status, Trouble> {
        let mut fake = self.serves(node)?;
        fake.clock_offset_ms = offset_ms;
        Ok(Fake::status(&mut fake))
    }

    async fn set_lie(&self, node: u16, lie: Option<Lie>) -> Result<Status, Trouble> {
        let mut fake = self.serves(node)?;
        let status = Fake::status(&mut fake);
        fake.lying = lie.is_some();
        Ok(status)
    }

    fn flip_bit(&self, node: u16) -> Result<Option<String>, Trouble> {
        assert_eq!(self.at(node).life, Life::Down, "only the disk of a dead node is touched");
        self.at(node).flipped = true;
        Ok(Some("log-000000, byte 7".to_owned()))
    }

    fn flip_back(&self, node: u16) -> Result<(), Trouble> {
        self.at(node).flipped = false;
        Ok(())
    }
}

/// What a run of the nemesis alone left behind.
struct Outcome {
    events: Vec<Event>,
    machines: Arc<Fake>,
    troubles: Vec<String>,
}

impl Outcome {
    /// Kind and phase of each event, with its bites where it ended.
    fn story(&self) -> Vec<String> {
        self.events
            .iter()
            .map(|event| match event.phase {
                NemesisPhase::Begin => format!("{} begins", event.kind),
                NemesisPhase::End => format!("{} ends, bites {}", event.kind, event.bites),
                NemesisPhase::Skipped => format!("{} skipped", event.kind),
            })
            .collect()
    }

    fn all_are_well(&self) -> bool {
        (0..self.machines.count()).all(|node| {
            let fake = self.machines.at(node);
            fake.life == Life::Up
                && fake.disk == DiskMode::Good
                && !fake.lying
                && !fake.flipped
                && fake.clock_offset_ms == 0
        })
    }
}

/// Carries out these faults on five nodes, and heals after so many milliseconds. Time is virtual.
async fn play(machines: Fake, liars_max: u16, heal_ms: u64, faults: Vec<PlannedFault>) -> Outcome {
    play_in(machines, liars_max, heal_ms, faults, None, async |_| {}).await
}

/// As [`play`], in a system that can be changed, and in which something happens.
async fn play_in(
    machines: Fake,
    liars_max: u16,
    heal_ms: u64,
    faults: Vec<PlannedFault>,
    administrator: Option<Administrator>,
    happens: impl AsyncFnOnce(&Happenings),
) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let header = Header {
        program: String::new(),
        started: String::new(),
        mutant: None,
        model: "register".to_owned(),
        plan: serde_json::Value::Null,
    };
    let recorder = Recorder::create(&folder.path().join("history.jsonl"), &header).unwrap();
    let machines = Arc::new(machines);
    let (heal, healing) = watch::channel(false);
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 5, options: Options::new() };
    let mut plan = Plan::new("test", 1, WorldKind::Live, system);
    plan.faults.clone_from(&faults);
    let happenings = Arc::new(Happenings::of(&plan));
    let required: BTreeSet<FaultClass> = faults.iter().map(|fault| fault.fault.class()).collect();
    let nemesis = Nemesis::new(
        Means {
            machines: Arc::new(Arc::clone(&machines)),
            rules: Arc::new(Rules::new(1)),
            administrator,
            tongues: Arc::new(Tongues::new(2)),
            happenings: Arc::clone(&happenings),
            recorder: recorder.clone(),
        },
        required,
        liars_max,
        healing,
    );
    let heals = async {
        sleep(Duration::from_millis(heal_ms)).await;
        heal.send_replace(true);
    };
    tokio::join!(nemesis.run(faults, Instant::now()), heals, happens(&happenings));
    assert!(nemesis.current().is_empty(), "nothing is in force any more");
    let history = recorder.close().unwrap();
    let events = history.history().events().iter().map(|event| match &event.what {
        What::Nemesis(event) => event.clone(),
        other => panic!("{other:?}"),
    });
    Outcome { events: events.collect(), machines, troubles: nemesis.troubles() }
}

#[tokio::test(start_paused = true)]
async fn clients_that_are_told_to_lie_and_say_nothing_have_not_lied() {
    let lie = |clients| Fault::ByzantineClients { clients, lie: "equivocate".to_owned() };
    let faults = vec![at(0, 300, lie([0, 1].into())), at(100, 100, lie([1].into()))];
    let outcome = play(fake(), 1, 250, faults).await;
    let story = outcome.story();
    assert_eq!(story.first().map(String::as_str), Some("byzantine-clients begins"));
    assert_eq!(story.get(1).map(String::as_str), Some("byzantine-clients skipped"));
    assert!(outcome.events[1].what.ends_with("its clients lie already"));
    assert_eq!(outcome.events[0].targets, ["c0", "c1"]);
}

fn fake() -> Fake {
    Fake::new(5, Duration::from_millis(10))
}

fn at(at_ms: u64, for_ms: u64, fault: Fault) -> PlannedFault {
    PlannedFault { when: None, at_ms, for_ms, fault }
}

fn kill(nodes: &[u16]) -> Fault {
    Fault::Kill { nodes: nodes.iter().copied().collect(), after_effects: None }
}

fn disk(node: u16, disk: Disk) -> Fault {
    Fault::Disk { node, disk }
}

#[tokio::test(start_paused = true)]
async fn a_kill_begins_at_its_time_and_the_node_is_started_at_its_end() {
    let outcome = play(fake(), 0, 1_000, vec![at(100, 300, kill(&[1, 2]))]).await;
    assert_eq!(outcome.story(), ["kill begins", "kill ends, bites 2"]);
    assert_eq!(
        *lock(&outcome.machines.log),
        [
            "kill n1",
            "kill n2",
            "start n1",
            "start n2",
            "resume n0",
            "resume n1",
            "resume n2",
            "resume n3",
            "resume n4"
        ]
    );
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn two_faults_do_not_fight_over_one_node() {
    // n1 is down from 100 to 400: the pause gets only n2 at first.
    let pause = Fault::Pause { nodes: [1, 2].into() };
    let faults = vec![at(100, 300, kill(&[1])), at(200, 500, pause)];
    let outcome = play(fake(), 0, 1_000, faults).await;
    assert_eq!(
        outcome.story(),
        ["kill begins", "pause begins", "kill ends, bites 1", "pause ends, bites 1"]
    );
    assert_eq!(outcome.events[1].targets, ["n2"]);
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn a_fault_without_a_free_node_is_skipped_with_the_reason_and_tried_again() {
    let faults = vec![at(0, 1_000, kill(&[1])), at(100, 200, Fault::Pause { nodes: [1].into() })];
    let outcome = play(fake(), 0, 3_000, faults).await;
    assert_eq!(
        outcome.story(),
        [
            "kill begins",
            "pause skipped",
            "kill ends, bites 1",
            "pause begins",
            "pause ends, bites 1"
        ]
    );
    assert!(outcome.events[1].what.contains("n1's process is held by fault 0"));
    assert!(outcome.all_are_well());
}

/// It may be one too many that forgets.
#[tokio::test(start_paused = true)]
async fn a_kill_that_is_aimed_again_hits_no_other_node() {
    let pause = Fault::Pause { nodes: [1].into() };
    let outcome = play(fake(), 0, 3_000, vec![at(0, 1_000, pause), at(100, 200, kill(&[1]))]).await;
    assert_eq!(outcome.story()[1..3], ["kill skipped", "pause ends, bites 1"]);
    let log = lock(&outcome.machines.log);
    let kills: Vec<_> = log.iter().filter(|order| order.starts_with("kill")).collect();
    assert_eq!(kills, ["kill n1"]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_can_never_begin_does_not_keep_the_rest_from_healing() {
    let offset = Fault::Clock { nodes: [1].into(), offset_ms: 500, rate_ppm: 1_000_000 };
    let outcome = play(fake(), 0, 1_000, vec![at(0, 900, kill(&[1])), at(10, 900, offset)]).await;
    assert_eq!(outcome.story()[..2], ["kill begins", "clock skipped"]);
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn a_network_fault_that_did_not_bite_is_aimed_again_under_a_new_number() {
    let loss = Fault::Loss { ends: [Endpoint::Node(0)].into(), per_mille: 500 };
    let outcome = play(fake(), 0, 1_000, vec![at(0, 300, loss)]).await;
    assert_eq!(
        outcome.story(),
        ["loss begins", "loss ends, bites 0", "loss begins", "loss ends, bites 0"]
    );
    assert_ne!(outcome.events[0].fault, outcome.events[2].fault);
}

#[tokio::test(start_paused = true)]
async fn a_bad_disk_is_waited_for_until_the_node_writes() {
    let slow = Fake::new(5, Duration::from_millis(700));
    let outcome = play(slow, 0, 2_000, vec![at(0, 100, disk(2, Disk::Full))]).await;
    assert_eq!(outcome.story(), ["disk-full begins", "disk-full ends, bites 1"]);
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn a_bad_disk_on_which_nobody_writes_is_mended_in_the_end() {
    let idle = Fake::new(5, Duration::from_hours(1));
    let outcome = play(idle, 0, 2_000, vec![at(0, 100, disk(2, Disk::IoError))]).await;
    assert_eq!(outcome.story(), ["io-error begins", "io-error ends, bites 0"]);
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn a_torn_write_bites_when_its_tail_is_cut_at_the_next_start() {
    let outcome = play(fake(), 0, 2_000, vec![at(0, 100, disk(2, Disk::CutTail))]).await;
    assert_eq!(outcome.story(), ["cut-tail begins", "cut-tail ends, bites 1"]);
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn a_node_with_a_flipped_bit_refuses_to_start_and_comes_back_once_it_is_right_again() {
    let outcome = play(fake(), 0, 2_000, vec![at(0, 100, disk(3, Disk::FlippedBit))]).await;
    assert_eq!(outcome.story(), ["flipped-bit begins", "flipped-bit ends, bites 1"]);
    assert!(outcome.events[0].what.contains("log-000000, byte 7; it refused to start"));
    assert!(outcome.all_are_well());
    assert!(outcome.troubles.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_clock_and_a_tongue_are_wrong_only_for_their_time() {
    let offset = Fault::Clock { nodes: [0, 1].into(), offset_ms: -500, rate_ppm: 1_000_000 };
    let lie = Fault::Byzantine { nodes: [4].into(), lie: "silent".to_owned() };
    let outcome = play(fake(), 1, 2_000, vec![at(0, 300, offset), at(0, 400, lie)]).await;
    assert_eq!(
        outcome.story(),
        ["clock begins", "byzantine begins", "clock ends, bites 2", "byzantine ends, bites 3"]
    );
    assert!(outcome.all_are_well());
}

#[tokio::test(start_paused = true)]
async fn a_replica_has_no_twin_in_the_live_world() {
    let twins = Fault::Byzantine { nodes: [0].into(), lie: "twins".to_owned() };
    let outcome = play(fake(), 1, 400, vec![at(0, 300, twins)]).await;
    assert_eq!(outcome.story(), ["byzantine skipped"]);
    assert!(outcome.events[0].what.ends_with("only the simulator runs two copies of one replica"));
}

#[tokio::test(start_paused = true)]
async fn no_more_nodes_lie_than_the_system_tolerates() {
    let lie = |node| Fault::Byzantine { nodes: [node].into(), lie: "silent".to_owned() };
    let outcome = play(fake(), 1, 400, vec![at(0, 300, lie(0)), at(100, 100, lie(1))]).await;
    assert_eq!(outcome.story()[..2], ["byzantine begins", "byzantine skipped"]);
    assert!(outcome.events[1].what.ends_with("1 + 1 liars in one run, and 1 are tolerated"));
}

#[tokio::test(start_paused = true)]
async fn at_the_time_limit_everything_heals_whatever_is_in_force() {
    let faults = vec![
        at(0, 60_000, kill(&[0])),
        at(0, 60_000, Fault::Pause { nodes: [1].into() }),
        at(0, 60_000, disk(2, Disk::FlippedBit)),
        at(0, 60_000, disk(3, Disk::Full)),
        at(0, 60_000, Fault::Clock { nodes: [4].into(), offset_ms: 9, rate_ppm: 1_000_000 }),
    ];
    let outcome = play(fake(), 0, 500, faults).await;
    assert_eq!(outcome.story().len(), 10, "{:?}", outcome.story());
    assert!(outcome.all_are_well());
    assert!(outcome.troubles.is_empty(), "{:?}", outcome.troubles);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_come_back_is_told_of_and_tried_again_when_all_heals() {
    let machines = fake();
    machines.failing_starts.store(1, Ordering::Relaxed);
    let outcome = play(machines, 0, 1_000, vec![at(0, 100, kill(&[1]))]).await;
    assert_eq!(outcome.story(), ["kill begins", "kill ends, bites 1"]);
    assert_eq!(outcome.troubles.len(), 1, "{:?}", outcome.troubles);
    assert!(outcome.troubles[0].starts_with("n1 did not come up within 20 s"));
    assert!(outcome.all_are_well());
}

/// A kill of n1, so much after n3 has gone down.
fn after_n3_is_down(at_ms: u64) -> PlannedFault {
    let when = Some(Moment::Crashed(NodeMatch { node: Some(3), nth: None }));
    PlannedFault { when, ..at(at_ms, 10, kill(&[1])) }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_waits_for_something_begins_so_much_after_that() {
    for (heal_ms, begins) in [(249, false), (400, true)] {
        let happens = async |happenings: &Happenings| {
            sleep(Duration::from_millis(100)).await;
            happenings.crashed(2);
            sleep(Duration::from_millis(100)).await;
            happenings.crashed(3);
        };
        let faults = vec![after_n3_is_down(50)];
        let outcome = play_in(fake(), 0, heal_ms, faults, None, happens).await;
        assert_eq!(!outcome.story().is_empty(), begins, "healed after {heal_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_whose_moment_does_not_come_is_skipped() {
    let outcome = play(fake(), 0, 400, vec![after_n3_is_down(0)]).await;
    assert!(outcome.story().is_empty());
    assert_eq!(
        outcome.troubles,
        ["the planned kill (n1) never began: what it waits for did not happen"]
    );
}

fn reconfigure(at_ms: u64, quorum: &str) -> PlannedFault {
    let options = [("quorum".to_owned(), quorum.to_owned())].into();
    at(at_ms, 1, Fault::Reconfigure { options })
}

/// A system that changes in 200 ms: not to `nonsense`, and never to `never`. How many changes go on at once
/// is asserted.
fn changeable() -> Administrator {
    let (administrator, mut asked) = Administrator::new();
    tokio::spawn(async move {
        while let Some(change) = asked.recv().await {
            let quorum = change.options["quorum"].clone();
            if quorum == "nonsense" {
                change.begun.send(Err("it makes no sense".to_owned())).unwrap();
                continue;
            }
            change.begun.send(Ok(())).unwrap();
            if quorum == "never" {
                std::future::pending::<()>().await;
            }
            sleep(Duration::from_millis(200)).await;
            change.ended.send(Ok(())).unwrap();
        }
    });
    administrator
}

async fn change(heal_ms: u64, faults: Vec<PlannedFault>) -> Outcome {
    play_in(fake(), 0, heal_ms, faults, Some(changeable()), async |_| {}).await
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_system_bites_when_it_is_complete_and_the_next_one_waits_for_that() {
    let outcome = change(1_000, vec![reconfigure(10, "grid"), reconfigure(20, "majority")]).await;
    let one = ["reconfigure begins", "reconfigure ends, bites 1"];
    assert_eq!(outcome.story(), [one, one].concat());
    assert!(outcome.troubles.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_under_way_at_the_healing_may_still_be_completed() {
    let outcome = change(100, vec![reconfigure(10, "grid")]).await;
    assert_eq!(outcome.story(), ["reconfigure begins", "reconfigure ends, bites 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_does_not_come_to_an_end_has_not_bitten_and_is_no_trouble() {
    let outcome = change(100, vec![reconfigure(10, "never")]).await;
    assert_eq!(outcome.story(), ["reconfigure begins", "reconfigure ends, bites 0"]);
    assert!(outcome.events[1].what.ends_with("not complete 5 s after the healing"));
    assert!(outcome.troubles.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_system_refuses_is_skipped_with_the_reason() {
    let outcome = change(400, vec![reconfigure(10, "nonsense")]).await;
    assert_eq!(outcome.story(), ["reconfigure skipped"]);
    assert!(outcome.events[0].what.ends_with(": it makes no sense"));
}
