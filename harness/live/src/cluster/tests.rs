//! Real processes that only pretend to be replicas.

use quorate_plan::{Plan, SystemPlan, WorldKind};
use quorate_systems::SystemKind;
use quorate_world::inputs::RunId;
use tokio::time::sleep;

use super::*;
use crate::happenings::Eyes;
use crate::proxy::Rules;
use crate::samples::Note;

struct Scene {
    folder: tempfile::TempDir,
    news: mpsc::UnboundedReceiver<Death>,
    cluster: Result<Cluster, Trouble>,
}

impl Scene {
    fn log(&self, node: u16) -> String {
        let file = self.folder.path().join(format!("nodes/n{node}/log"));
        fs::read_to_string(file).unwrap()
    }
}

/// Two processes that behave so.
async fn start(how: &str) -> Scene {
    let executable = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/node.sh");
    start_from(executable, how).await
}

async fn start_from(executable: PathBuf, how: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let vocabulary = SystemKind::Quorum.vocabulary();
    let proxy = Proxy::start(2, 0, Arc::new(Rules::new(1)), None, vocabulary).await.unwrap();
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: 2, options: BTreeMap::new() };
    let happenings = Arc::new(Happenings::of(&Plan::new("test", 1, WorldKind::Live, system)));
    let (deaths, news) = mpsc::unbounded_channel();
    let config = ClusterConfig {
        executable,
        folder: folder.path().to_owned(),
        system: SystemKind::Quorum,
        options: [("how".to_owned(), how.to_owned())].into(),
        mutants: Mutants::NONE,
        watched: BTreeSet::new(),
        onlooker: Arc::new(Eyes::<Note, Note>::new(Arc::clone(&happenings), vocabulary)),
        happenings,
        keys: vec![Keyring::default(); 2],
        run: RunId { started: String::new(), plan: String::new() },
        seed: 1,
    };
    let cluster = Cluster::start(config, Arc::new(proxy), deaths).await;
    Scene { folder, news, cluster }
}

fn pid(cluster: &Cluster, node: u16) -> i32 {
    cluster.process(node).unwrap().pid()
}

/// Whether there is still such a process.
fn exists(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn nodes_start_obey_and_end_when_they_are_told_to() {
    let mut scene = start("well").await;
    let cluster = scene.cluster.as_ref().unwrap();
    let pids = [pid(cluster, 0), pid(cluster, 1)];
    assert_eq!(cluster.order(0, Control::Status).await.unwrap().clock_us, 1);
    assert_eq!(cluster.shut_down().await, []);
    assert!(pids.iter().all(|pid| !exists(*pid)));
    assert!(scene.log(1).contains("started with well"));
    let notices = scene.folder.path().join("nodes/n0/notices.jsonl");
    assert_eq!(fs::read_to_string(notices).unwrap().lines().count(), 2, "ready and done");
    assert!(scene.news.try_recv().is_err(), "nobody died");
}

#[tokio::test]
async fn a_node_that_ends_before_it_serves_is_an_error_that_quotes_its_log() {
    let scene = start("stillborn").await;
    let error = scene.cluster.unwrap_err().to_string();
    assert!(error.contains("did not come up: exit code 7"), "{error}");
    assert!(error.ends_with("started with stillborn | no such luck"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let scene = start_from("/nonexistent/quorate".into(), "well").await;
    let error = scene.cluster.unwrap_err().to_string();
    assert!(error.contains("cannot start /nonexistent/quorate: No such file"), "{error}");
}

#[tokio::test]
async fn a_killed_node_is_gone_and_nobody_wonders() {
    let mut scene = start("well").await;
    let cluster = scene.cluster.as_ref().unwrap();
    let victim = pid(cluster, 1);
    cluster.kill(1).await.unwrap();
    assert!(!exists(victim));
    assert!(!cluster.lives(1));
    assert_eq!(cluster.order(1, Control::Status).await, Err(Trouble::Down { node: 1 }));
    cluster.start_node(1).await.unwrap();
    assert!(cluster.lives(1));
    cluster.shut_down().await;
    assert!(scene.news.try_recv().is_err());
}

#[tokio::test]
async fn a_stopped_node_obeys_only_when_it_goes_on() {
    let scene = start("well").await;
    let cluster = scene.cluster.unwrap();
    cluster.pause(0).await.unwrap();
    assert_eq!(cluster.order(0, Control::Status).await, Err(Trouble::Stopped { node: 0 }));
    cluster.resume(0).await.unwrap();
    assert!(cluster.order(0, Control::Status).await.is_ok());
    // One that is stopped when everything ends does not stay behind.
    cluster.pause(1).await.unwrap();
    let stopped = pid(&cluster, 1);
    cluster.shut_down().await;
    assert!(!exists(stopped));
}

#[tokio::test]
async fn a_node_that_dies_on_its_own_account_is_reported_with_the_end_of_its_log() {
    let mut scene = start("panics").await;
    let cluster = scene.cluster.as_ref().unwrap();
    assert_eq!(cluster.set_lie(1, None).await, Err(Trouble::Down { node: 1 }));
    let death = scene.news.recv().await.unwrap();
    assert_eq!(death.node, 1);
    assert!(death.how.starts_with("a panic: exit code 101; its log ends with: "), "{}", death.how);
    assert!(death.how.contains("panicked at src/core.rs:1"), "{}", death.how);
    cluster.shut_down().await;
}

#[tokio::test]
async fn a_node_that_does_not_end_when_it_is_told_to_is_killed_and_complained_about() {
    let scene = start("stubborn").await;
    let cluster = scene.cluster.unwrap();
    let pids = [pid(&cluster, 0), pid(&cluster, 1)];
    let troubles = cluster.shut_down().await;
    assert_eq!(troubles.len(), 2);
    assert_eq!(troubles[0].to_string(), "n0 did not end when it was told to within 5 s");
    assert!(pids.iter().all(|pid| !exists(*pid)));
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster_that_is_dropped() {
    let scene = start("well").await;
    let cluster = scene.cluster.unwrap();
    let pids = [pid(&cluster, 0), pid(&cluster, 1)];
    drop(cluster);
    for _ in 0..500 {
        if pids.iter().all(|pid| !exists(*pid)) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("some of {pids:?} are still there");
}
