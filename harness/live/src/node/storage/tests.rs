//! Storage is tested without its thread, so that a crash can fall between any two things that it does: a
//! crash is a copy of the folder as it is.

use quorate_systems::contract::Recovered;
use quorate_systems::wal;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use super::super::recovery::recover;
use super::super::testing::config;
use super::*;

/// A storage without a thread, whose records are numbers; a checkpoint lists all of them.
struct Bench {
    temp: TempDir,
    storage: Storage,
    written: Vec<u64>,
}

impl Bench {
    fn new() -> Self {
        Self::open(TempDir::new().unwrap())
    }

    fn open(temp: TempDir) -> Self {
        let (folder, _) = Folder::open(&config(temp.path())).unwrap();
        let found = recover::<u64>(folder.path()).unwrap();
        let written = intact(&found);
        let shared = Arc::new(Shared::open(folder, &found, 1).unwrap());
        Self { temp, storage: Storage { shared, thread: None }, written }
    }

    fn folder(&self) -> PathBuf {
        config(self.temp.path()).data
    }

    fn try_append(&mut self, number: u64) -> Result<(), DiskError> {
        let mut bytes = Vec::new();
        wal::append(&mut bytes, &number).unwrap();
        let ticket = Ticket(self.storage.shared.lock().appended.0 + 1);
        self.storage.append(ticket, &bytes)?;
        self.written.push(number);
        Ok(())
    }

    fn append(&mut self, number: u64) {
        self.try_append(number).unwrap();
    }

    fn turn(&self) -> Report {
        self.storage.shared.turn().unwrap().unwrap()
    }

    fn rotate(&self) {
        self.storage.rotate(wal::encode_checkpoint(&self.written).unwrap()).unwrap();
    }

    /// What a node finds that starts from the folder as it is now.
    fn crash(&self) -> Vec<u64> {
        let copy = copy_of(&self.folder());
        let found = recover::<u64>(copy.path()).unwrap();
        assert_eq!(found.intact(), found.records.len() as u64, "{:?}", found.records);
        intact(&found)
    }

    fn power_off(self) -> Self {
        let Self { temp, storage, .. } = self;
        drop(storage);
        Self::open(temp)
    }
}

fn intact(found: &Recovery<u64>) -> Vec<u64> {
    found
        .records
        .iter()
        .filter_map(|record| match record {
            Recovered::Intact(number) => Some(*number),
            Recovered::Corrupt { .. } => None,
        })
        .collect()
}

fn corrupt(folder: &Path) -> Vec<String> {
    let found = recover::<u64>(folder).unwrap();
    found
        .records
        .into_iter()
        .filter_map(|record| match record {
            Recovered::Intact(_) => None,
            Recovered::Corrupt { place } => Some(place),
        })
        .collect()
}

fn copy_of(folder: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

#[test]
fn one_sync_makes_everything_durable_that_came_before_it() {
    let mut bench = Bench::new();
    for number in 1..=3 {
        bench.append(number);
    }
    assert_eq!(bench.turn(), Report::Durable(Ticket(3)));
    bench.append(4);
    assert_eq!(bench.turn(), Report::Durable(Ticket(4)));
    let counters = bench.storage.counters();
    assert_eq!((counters.syncs, counters.records, counters.unsynced_bytes), (2, 4, 0));
}

#[test]
fn written_through_a_record_survives_a_kill_before_it_is_synced() {
    let mut bench = Bench::new();
    bench.append(1);
    assert!(bench.storage.counters().unsynced_bytes > 0);
    assert_eq!(bench.crash(), [1]);
}

#[test]
fn buffered_a_record_is_lost_unless_it_was_synced() {
    let mut bench = Bench::new();
    bench.storage.set_write_through(false).unwrap();
    bench.append(1);
    assert_eq!(bench.crash(), [0; 0]);
    bench.turn();
    bench.append(2);
    assert_eq!(bench.crash(), [1]);
    bench.storage.set_write_through(true).unwrap();
    assert_eq!(bench.crash(), [1, 2]);
}

#[test]
fn a_node_goes_on_where_its_log_ended() {
    let mut bench = Bench::new();
    bench.append(1);
    let mut bench = bench.power_off();
    bench.append(2);
    let bench = bench.power_off();
    assert_eq!(bench.written, [1, 2]);
}

#[test]
fn a_log_that_ends_anywhere_in_what_was_not_synced_loses_only_that() {
    let mut bench = Bench::new();
    bench.append(1);
    bench.append(2);
    bench.turn();
    let path = log_path(&bench.folder(), 0);
    let durable = std::fs::metadata(&path).unwrap().len();
    bench.append(3);
    let whole = std::fs::metadata(&path).unwrap().len();
    for len in durable..whole {
        let copy = copy_of(&bench.folder());
        File::options().write(true).open(log_path(copy.path(), 0)).unwrap().set_len(len).unwrap();
        let found = recover::<u64>(copy.path()).unwrap();
        assert_eq!(intact(&found), [1, 2]);
        assert_eq!(found.torn_bytes, len - durable);
    }
}

#[test]
fn a_torn_tail_is_cut_before_anything_is_written_behind_it() {
    let mut bench = Bench::new();
    bench.append(1);
    bench.turn();
    bench.storage.set_mode(DiskMode::Tear);
    bench.append(2);
    assert_eq!(bench.crash(), [1], "a torn write is one write");
    let error = bench.storage.shared.turn().unwrap_err();
    assert!(error.to_string().contains("cut off inside the last record"), "{error}");
    assert!(recover::<u64>(&bench.folder()).unwrap().torn_bytes > 0);

    let mut bench = bench.power_off();
    bench.append(3);
    assert_eq!(bench.crash(), [1, 3]);
}

#[test]
fn a_torn_group_keeps_the_records_before_its_last() {
    let mut bench = Bench::new();
    bench.storage.set_mode(DiskMode::Tear);
    bench.append(1);
    bench.append(2);
    bench.storage.shared.turn().unwrap_err();
    assert_eq!(bench.crash(), [1]);
}

#[test]
fn a_full_disk_takes_nothing_and_a_broken_one_reports_nothing_durable() {
    let mut bench = Bench::new();
    bench.storage.set_mode(DiskMode::Full);
    let error = bench.try_append(1).unwrap_err().to_string();
    assert!(error.contains("log-000000: No space left on device"), "{error}");
    assert_eq!(bench.crash(), [0; 0]);

    let mut bench = Bench::new();
    bench.storage.set_mode(DiskMode::IoError);
    bench.append(1);
    let error = bench.storage.shared.turn().unwrap_err().to_string();
    assert!(error.contains("log-000000: Input/output error"), "{error}");
}

#[test]
fn a_crash_between_any_two_steps_of_a_checkpoint_loses_and_doubles_nothing() {
    let mut bench = Bench::new();
    for round in 0..3 {
        bench.append(10 * round);
        bench.append(10 * round + 1);
        bench.rotate();
        assert_eq!(bench.crash(), bench.written);
        bench.append(10 * round + 2);
        assert_eq!(bench.crash(), bench.written);

        let Ok(Work::Checkpoint { number, bytes, mode }) = bench.storage.shared.next_work() else {
            panic!("a checkpoint is due");
        };
        let folder = bench.folder();
        let job = CheckpointJob { folder: &folder, number, bytes: &bytes, mode };
        for step in CHECKPOINT_STEPS {
            step(&job).unwrap();
            assert_eq!(bench.crash(), bench.written);
        }
        bench.storage.shared.lock().checkpoint = Checkpoint::NotBefore { log_len: 0 };
    }
}

#[test]
fn a_crash_while_a_checkpoint_is_written_or_logs_are_removed_loses_nothing() {
    let mut bench = Bench::new();
    bench.append(1);
    bench.rotate();
    bench.append(2);
    bench.rotate();
    let Ok(Work::Checkpoint { number, bytes, mode }) = bench.storage.shared.next_work() else {
        panic!("a checkpoint is due");
    };
    let folder = bench.folder();
    let job = CheckpointJob { folder: &folder, number, bytes: &bytes, mode };
    CHECKPOINT_STEPS[0](&job).unwrap();
    let half = checkpoint_file(&folder, number).with_extension("tmp");
    for len in 0..bytes.len() as u64 {
        File::options().write(true).open(&half).unwrap().set_len(len).unwrap();
        assert_eq!(bench.crash(), [1, 2]);
    }
    for step in &CHECKPOINT_STEPS[..3] {
        step(&job).unwrap();
    }
    for log in 0..number {
        assert_eq!(bench.crash(), [1, 2]);
        std::fs::remove_file(log_path(&folder, log)).unwrap();
    }
    assert_eq!(bench.crash(), [1, 2]);
}

fn checkpoint_file(folder: &Path, number: u64) -> PathBuf {
    super::super::folder::checkpoint_path(folder, number)
}

#[test]
fn a_checkpoint_takes_the_place_of_the_logs_before_it() {
    let mut bench = Bench::new();
    bench.append(1);
    bench.rotate();
    bench.append(2);
    assert_eq!(bench.turn(), Report::Checkpointed(1));
    assert_eq!(bench.turn(), Report::Durable(Ticket(2)));
    let names: Vec<_> = super::super::folder::record_files(&bench.folder())
        .unwrap()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["checkpoint-000001", "log-000001"]);
    assert_eq!(bench.storage.counters().checkpoints, 1);
    assert_eq!(bench.power_off().written, [1, 2]);
}

#[test]
fn a_checkpoint_is_wanted_when_the_log_is_long_and_none_is_under_way() {
    let mut bench = Bench::new();
    let record = vec![0; 1 << 16];
    let mut ticket = 0;
    while ticket < LOG_MAX_BYTES >> 16 {
        ticket += 1;
        assert!(!bench.storage.wants_checkpoint());
        bench.storage.append(Ticket(ticket), &record).unwrap();
    }
    assert!(!bench.storage.wants_checkpoint());
    bench.storage.append(Ticket(ticket + 1), &record).unwrap();
    assert!(bench.storage.wants_checkpoint());
    bench.written.clear();
    bench.rotate();
    assert!(!bench.storage.wants_checkpoint());
    assert_eq!(bench.turn(), Report::Checkpointed(1));
    assert!(!bench.storage.wants_checkpoint());
}

#[test]
fn a_flipped_bit_anywhere_in_a_folder_is_named() {
    let mut bench = Bench::new();
    bench.append(1);
    bench.append(2);
    bench.rotate();
    bench.append(3);
    bench.append(4);
    bench.turn();
    bench.turn();
    let folder = bench.folder();
    for path in super::super::folder::record_files(&folder).unwrap() {
        let good = std::fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bad).unwrap();
            let places = corrupt(&folder);
            let name = path.to_str().unwrap();
            assert!(places.first().is_some_and(|place| place.starts_with(name)), "bit {bit}");
        }
        std::fs::write(&path, &good).unwrap();
        assert!(corrupt(&folder).is_empty());
    }
}

#[test]
fn a_log_that_is_missing_or_cut_before_a_later_one_is_named() {
    let mut bench = Bench::new();
    bench.append(1);
    bench.rotate();
    bench.append(2);
    let folder = bench.folder();
    let first = log_path(&folder, 0);
    File::options().write(true).open(&first).unwrap().set_len(9).unwrap();
    assert_eq!(corrupt(&folder), [format!("{}, byte 0", first.display())]);
    std::fs::remove_file(&first).unwrap();
    assert_eq!(corrupt(&folder), [format!("{}: the file is missing", first.display())]);
}

#[test]
fn the_thread_reports_in_ticket_order_and_finishes_what_it_was_given() {
    let temp = TempDir::new().unwrap();
    let (folder, _) = Folder::open(&config(temp.path())).unwrap();
    let path = folder.path().to_owned();
    let found = recover::<u64>(&path).unwrap();
    let (reporter, mut reports) = unbounded_channel();
    let mut storage = Storage::open(folder, &found, 1, reporter).unwrap();
    for number in 1..=200_u64 {
        let mut bytes = Vec::new();
        wal::append(&mut bytes, &number).unwrap();
        storage.append(Ticket(number), &bytes).unwrap();
    }
    storage.finish();
    let mut last = Ticket(0);
    while let Ok(report) = reports.try_recv() {
        let Report::Durable(ticket) = report else { panic!("{report:?}") };
        assert!(ticket > last);
        last = ticket;
    }
    assert_eq!(last, Ticket(200));
    assert!(storage.counters().syncs <= 200);
    assert_eq!(intact(&recover(&path).unwrap()), (1..=200).collect::<Vec<_>>());
}
