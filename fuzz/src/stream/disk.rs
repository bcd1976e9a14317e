//! A replica's disk: what is durable, what is not yet, and what a crash leaves of both.

use quorate_systems::contract::{Recovered, Ticket};

use super::OnDisk;

/// The records of one replica. They outlive its crashes.
#[derive(Debug)]
pub(super) struct Disk<R> {
    /// Everything that was ever written and not lost, in the order of writing; checkpoints change nothing here.
    written: Vec<R>,
    /// How many of them were there when this life began.
    before: usize,
    /// All up to this ticket of this life is durable.
    durable: Ticket,
    /// What stands for the first so many of them.
    checkpoint: Option<(usize, Vec<R>)>,
    /// A checkpoint that stands for so many of them, once these are durable.
    coming: Option<(usize, Vec<R>)>,
}

impl<R: Clone> Disk<R> {
    pub(super) const fn new() -> Self {
        Self { written: Vec::new(), before: 0, durable: Ticket(0), checkpoint: None, coming: None }
    }

    /// As new, with the memory that it has.
    pub(super) fn clear(&mut self) {
        self.written.clear();
        self.before = 0;
        self.durable = Ticket(0);
        self.checkpoint = None;
        self.coming = None;
    }

    /// Takes a record in, which is durable later.
    pub(super) fn write(&mut self, record: R) {
        self.written.push(record);
    }

    /// How many records are not durable.
    pub(super) fn waiting(&self) -> u64 {
        (self.written.len() - self.before) as u64 - self.durable.0
    }

    /// The ticket of the last record of this life.
    pub(super) fn last_ticket(&self) -> u64 {
        (self.written.len() - self.before) as u64
    }

    /// So many more records are durable: the ticket of the last.
    pub(super) fn sync(&mut self, count: u64) -> Ticket {
        self.durable.0 += count.min(self.waiting());
        if self.coming.as_ref().is_some_and(|(stands_for, _)| *stands_for <= self.len_durable()) {
            self.checkpoint = self.coming.take();
        }
        self.durable
    }

    fn len_durable(&self) -> usize {
        self.before + usize::try_from(self.durable.0).expect("they are in memory")
    }

    /// A checkpoint of all that is written so far.
    pub(super) fn set_checkpoint(&mut self, records: Vec<R>) {
        if self.waiting() == 0 {
            self.checkpoint = Some((self.written.len(), records));
        } else {
            self.coming = Some((self.written.len(), records));
        }
    }

    /// The replica dies. Of what was not durable the first `kept` records are left.
    pub(super) fn crash(&mut self, kept: u64) {
        let kept = usize::try_from(kept.min(self.waiting())).expect("they are in memory");
        self.written.truncate(self.len_durable() + kept);
        self.before = self.written.len();
        self.durable = Ticket(0);
        self.coming = None;
    }

    /// Everything that was ever written, and not lost.
    pub(super) fn written(&self) -> &[R] {
        &self.written
    }

    /// What a replica finds when it comes up.
    pub(super) fn found(&self) -> OnDisk<'_, R> {
        let (stands_for, checkpoint) = self.checkpoint();
        let log = self.written.get(stands_for..).unwrap_or_default();
        OnDisk { written: &self.written, checkpoint, log }
    }

    /// The checkpoint, and how many of the records that were written it stands for.
    fn checkpoint(&self) -> (usize, &[R]) {
        match &self.checkpoint {
            Some((stands_for, records)) => (*stands_for, records),
            None => (0, &[]),
        }
    }

    /// What a replica finds when it comes up; one record of it cannot be read back, if one is damaged.
    pub(super) fn read(&self, damaged: Option<u8>) -> Vec<Recovered<R>> {
        let OnDisk { written: _, checkpoint, log } = self.found();
        let all = checkpoint.iter().chain(log);
        let mut found: Vec<Recovered<R>> =
            all.map(|record| Recovered::Intact(record.clone())).collect();
        let place = damaged.and_then(|which| usize::from(which).checked_rem(found.len()));
        if let Some(record) = place.and_then(|place| found.get_mut(place)) {
            *record = Recovered::Corrupt { place: String::from(DAMAGED) };
        }
        found
    }
}

/// Where a damaged record is.
pub(super) const DAMAGED: &str = "the disk";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(disk: &Disk<u8>) -> Vec<u8> {
        let intact = |found| match found {
            Recovered::Intact(record) => record,
            Recovered::Corrupt { .. } => u8::MAX,
        };
        disk.read(None).into_iter().map(intact).collect()
    }

    #[test]
    fn a_crash_takes_only_what_was_not_durable() {
        let mut disk = Disk::new();
        (1..=4).for_each(|record| disk.write(record));
        assert_eq!(disk.sync(2), Ticket(2));
        disk.crash(1);
        assert_eq!(found(&disk), [1, 2, 3]);
        disk.write(5);
        assert_eq!(disk.waiting(), 1);
        assert_eq!(disk.sync(9), Ticket(1));
        disk.crash(0);
        assert_eq!(found(&disk), [1, 2, 3, 5]);
    }

    #[test]
    fn a_checkpoint_stands_for_what_was_written_once_that_is_durable() {
        let mut disk = Disk::new();
        (1..=2).for_each(|record| disk.write(record));
        disk.set_checkpoint(vec![12]);
        disk.write(3);
        disk.sync(1);
        assert_eq!(found(&disk), [1, 2, 3]);
        disk.sync(1);
        assert_eq!(found(&disk), [12, 3]);
        disk.set_checkpoint(vec![13]);
        disk.crash(0);
        assert_eq!(found(&disk), [12]);
        assert_eq!(disk.written(), [1, 2]);
    }

    #[test]
    fn a_damaged_record_is_named() {
        let mut disk = Disk::new();
        disk.write(1);
        let damaged = Recovered::Corrupt { place: String::from(DAMAGED) };
        assert_eq!(disk.read(Some(7)), [damaged]);
    }
}
