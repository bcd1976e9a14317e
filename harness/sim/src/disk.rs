//! A disk in memory: records that are durable, records that are not yet, and what a crash leaves of both.

use quorate_systems::contract::{Recovered, Ticket};
use quorate_systems::wal;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How a disk behaves at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum DiskMode {
    /// As it should.
    #[default]
    Good,
    /// The next write fails, and with it the node.
    Full,
    /// The next sync fails, and with it the node.
    IoError,
    /// The next write is cut off in its middle, and with it the node.
    Tear,
}

/// What a crash does to records that were not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing: they had reached the operating system, which lives on.
    None,
    /// All but the first so many are gone, as when the power fails.
    AllBut(u64),
}

/// One replica's disk. It outlives crashes.
#[derive(Debug)]
pub(crate) struct Disk<R> {
    pub(crate) mode: DiskMode,
    durable: Vec<R>,
    /// Records that wait for a sync: the tickets after `synced`.
    pending: Vec<R>,
    /// The last ticket that is durable.
    synced: Ticket,
    /// A sync is under way, up to this ticket.
    syncing: Option<Ticket>,
    /// A checkpoint that stands for all records up to a ticket, once it is durable.
    checkpoint: Option<(Ticket, Vec<R>)>,
    /// When `durable` is longer than this it is to be replaced by a checkpoint.
    checkpoint_at: usize,
    /// The beginning of a record that was cut off while it was written.
    torn: Option<R>,
    /// The record of which a bit is flipped.
    flipped: Option<usize>,
    /// Where in a torn or damaged record, drawn when it is read.
    pub(crate) entropy: u64,
}

/// Fewer records than this are not worth a checkpoint.
const CHECKPOINT_MIN: usize = 32;

/// What was found on a disk at a start.
#[derive(Debug)]
pub(crate) struct Found<R> {
    pub(crate) records: Vec<Recovered<R>>,
    /// How many bytes of a torn tail were cut.
    pub(crate) torn_bytes: u64,
}

impl<R> Default for Disk<R> {
    fn default() -> Self {
        Self {
            mode: DiskMode::Good,
            durable: Vec::new(),
            pending: Vec::new(),
            synced: Ticket(0),
            syncing: None,
            checkpoint: None,
            checkpoint_at: CHECKPOINT_MIN,
            torn: None,
            flipped: None,
            entropy: 0,
        }
    }
}

impl<R> Disk<R> {
    /// Empty, with the memory that it has.
    pub(crate) fn reset(&mut self) {
        self.durable.clear();
        self.pending.clear();
        let (durable, pending) =
            (std::mem::take(&mut self.durable), std::mem::take(&mut self.pending));
        *self = Self { durable, pending, ..Self::default() };
    }

    /// Takes a record in; it is durable when its ticket is synced.
    #[inline]
    pub(crate) fn append(&mut self, ticket: Ticket, record: R) {
        debug_assert_eq!(ticket.0, self.synced.0 + self.pending.len() as u64 + 1);
        self.pending.push(record);
    }

    /// Begins a sync of everything that waits, if something does and none is under way.
    #[inline]
    pub(crate) fn begin_sync(&mut self) -> bool {
        if self.syncing.is_some() || self.pending.is_empty() {
            return false;
        }
        self.syncing = Some(Ticket(self.synced.0 + self.pending.len() as u64));
        true
    }

    /// Whether a sync is under way.
    pub(crate) fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }

    /// The sync that was under way is done: the ticket up to which all is durable now.
    pub(crate) fn end_sync(&mut self) -> Ticket {
        let up_to = self.syncing.take().expect("a sync is under way");
        let count = usize::try_from(up_to.0 - self.synced.0).expect("they are in memory");
        self.durable.extend(self.pending.drain(..count));
        self.synced = up_to;
        if let Some((stands_for, _)) = &self.checkpoint
            && *stands_for <= up_to
            && let Some((stands_for, records)) = self.checkpoint.take()
        {
            let later = usize::try_from(up_to.0 - stands_for.0).expect("they are in memory");
            let kept = self.durable.split_off(self.durable.len() - later);
            self.durable = records;
            self.checkpoint_at = CHECKPOINT_MIN.max(2 * self.durable.len());
            self.durable.extend(kept);
        }
        up_to
    }

    /// Whether there are enough records for a checkpoint.
    #[inline]
    pub(crate) fn wants_checkpoint(&self) -> bool {
        self.durable.len() > self.checkpoint_at && self.checkpoint.is_none()
    }

    /// Takes a checkpoint in that stands for all records appended so far.
    pub(crate) fn set_checkpoint(&mut self, records: Vec<R>) {
        let stands_for = Ticket(self.synced.0 + self.pending.len() as u64);
        self.checkpoint = Some((stands_for, records));
    }

    /// How many records are not durable.
    pub(crate) fn unsynced(&self) -> u64 {
        self.pending.len() as u64
    }

    /// How many records are durable.
    pub(crate) fn len(&self) -> usize {
        self.durable.len()
    }

    /// The node went down; the next tickets count from 1 again. How many records are lost.
    pub(crate) fn crash(&mut self, loss: Loss) -> u64 {
        let before = self.unsynced();
        if let Loss::AllBut(kept) = loss {
            self.pending.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        let gone = before - self.unsynced();
        self.durable.append(&mut self.pending);
        self.synced = Ticket(0);
        self.syncing = None;
        self.checkpoint = None;
        gone
    }

    /// A write is cut off within this record.
    pub(crate) fn tear(&mut self, record: R) {
        self.torn = Some(record);
    }

    /// Flips a bit of one durable record; false where there is none.
    pub(crate) fn flip(&mut self, draw: u64) -> bool {
        let count = self.durable.len() as u64;
        let Some(place) = draw.checked_rem(count) else { return false };
        self.flipped = usize::try_from(place).ok();
        self.entropy = draw;
        true
    }

    /// Takes over all that another disk holds for good.
    pub(crate) fn copy(&mut self, other: &Self)
    where
        R: Clone,
    {
        self.durable.clone_from(&other.durable);
    }

    /// Puts the flipped bit right.
    pub(crate) fn mend(&mut self) {
        self.flipped = None;
        self.mode = DiskMode::Good;
    }
}

impl<R: Serialize + DeserializeOwned> Disk<R> {
    /// Reads everything back, by way of the bytes of a log: what is torn is cut, what is damaged is named.
    pub(crate) fn recover(&mut self) -> Found<R> {
        let mut log = Vec::new();
        let mut damage = None;
        for (place, record) in self.durable.iter().enumerate() {
            let begin = log.len();
            wal::append(&mut log, record).expect("a core's records can be written");
            if self.flipped == Some(place) {
                damage = Some((begin + wal::RECORD_HEADER_LEN, log.len()));
            }
        }
        let whole = log.len();
        if let Some(torn) = self.torn.take() {
            wal::append(&mut log, &torn).expect("a core's records can be written");
            let len = (log.len() - whole) as u64;
            let part = 1 + self.entropy % (len - 1).max(1);
            log.truncate(whole + usize::try_from(part).expect("a part of a record"));
        }
        if let Some((begin, end)) = damage {
            let bit = self.entropy % ((end - begin) as u64 * 8);
            let byte = begin + usize::try_from(bit / 8).expect("within a record");
            if let Some(byte) = log.get_mut(byte) {
                *byte ^= 1 << (bit % 8);
            }
        }
        let scan = wal::scan(&log);
        let torn_bytes = scan.torn_bytes as u64;
        let records = scan.found.into_iter().map(read_back).collect();
        Found { records, torn_bytes }
    }
}

fn read_back<R: Serialize + DeserializeOwned>(found: wal::Found<'_>) -> Recovered<R> {
    match found {
        wal::Found::Intact { offset, payload } => match wal::decode(payload) {
            Some(record) => Recovered::Intact(record),
            None => Recovered::Corrupt { place: format!("the log, byte {offset}") },
        },
        wal::Found::Corrupt { offset } => {
            Recovered::Corrupt { place: format!("the log, byte {offset}") }
        }
    }
}
