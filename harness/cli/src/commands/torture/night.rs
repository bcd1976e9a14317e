//! A campaign that goes on: threads that work, and one that keeps the books.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use quorate_plan::WorldKind;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::campaign::{Campaign, Until};
use super::desk::{Clock, Desk, Job, Lively, Numbers, Shrink};
use super::examined::{Examined, FOUND};
use super::failures::{self, Failures, failures};
use super::indices::Indices;
use super::journal::{Journal, Runs};
use super::line::{Ending, Line};
use super::progress::Progress;
use super::sum::Span;
use super::tally::{class_key, demand};
use super::work::Worker;
use super::{draw::Drawer, pages};
use crate::error::CliError;

/// A campaign in its folder.
pub(super) struct Night<'a> {
    pub(super) campaign: Arc<Campaign>,
    pub(super) folder: &'a Path,
    /// When it began, in UTC.
    pub(super) began: String,
    /// Ends it in good order.
    pub(super) stop: &'a AtomicBool,
    pub(super) progress: &'a Progress,
    /// How many earlier campaigns the page shows.
    pub(super) trend: usize,
}

/// What the threads report.
enum News {
    Ran(Box<Line>),
    /// A live run was stopped before its time.
    Stopped(u64),
    Examined(Box<Examined>),
    /// A finding could not be looked at.
    NotExamined {
        index: u64,
        why: String,
    },
}

/// What is known so far.
struct Books {
    journal: Journal,
    examined: BTreeMap<u64, Examined>,
}

/// A live run is thought to take so much longer than its time limit until one was seen: to start, to heal, to read.
const LIVE_MORE: Duration = Duration::from_secs(8);
/// The page is made at the beginning, so that whoever looks at the store sees what goes on, and anew so often.
const PAGE_EACH: Duration = Duration::from_secs(10);
/// Progress is shown so often.
const TICK: Duration = Duration::from_millis(200);

impl Night<'_> {
    /// Does all runs that are not done yet, until the end; what it came to in the end.
    pub(super) fn go(&self) -> Result<(Runs, Failures, Span), CliError> {
        let mut books = Books {
            journal: Journal::open(self.folder, self.campaign.shrink)?,
            examined: Examined::read_all(self.folder)?,
        };
        let before = Duration::from_millis(books.journal.runs().tally.ended_ms);
        let clock = Clock { began: Instant::now(), before, budget: self.campaign.budget() };
        if self.campaign.worlds.contains(&WorldKind::Live) {
            quorate_live::sweep(self.folder)
                .map_err(|error| crate::store::with_hint(&error.to_string()))?;
        }
        self.work(&mut books, clock)?;
        self.finish(books, clock)
    }

    /// Lets the threads work, and keeps the books meanwhile.
    fn work(&self, books: &mut Books, clock: Clock) -> Result<(), CliError> {
        let done = books.journal.runs().done.clone();
        let desk = Desk::new(
            clock,
            self.stop,
            self.numbers(WorldKind::Sim, &done),
            self.numbers(WorldKind::Live, &done),
            self.lively(),
        );
        ask_again(books, &desk);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::harness(format_args!("cannot start threads: {error}")))?;
        let (news, heard) = channel();
        let (halt, halted) = watch::channel(false);
        thread::scope(|scope| {
            for _ in 0..self.campaign.threads.get() {
                let (news, desk) = (news.clone(), &desk);
                scope.spawn(move || self.simulate(clock, desk, &news));
            }
            for _ in 0..self.lively().threads {
                let (news, desk, runtime) = (news.clone(), &desk, &runtime);
                let halted = halted.clone();
                scope.spawn(move || self.run_live(clock, runtime, desk, &halted, &news));
            }
            drop(news);
            let kept = self.keep_books(books, &desk, clock, &heard, &halt);
            if kept.is_err() {
                // Nothing more is taken down: whoever works may stop.
                self.stop.store(true, Ordering::Relaxed);
                halt.send_replace(true);
            }
            kept
        })
    }

    fn lively(&self) -> Lively {
        let has_live = self.campaign.worlds.contains(&WorldKind::Live);
        Lively {
            threads: if has_live { self.campaign.live_jobs.get() } else { 0 },
            run: self.campaign.time_limit + LIVE_MORE,
        }
    }

    /// The numbers of the runs of a world that are to be done.
    fn numbers<'n>(&self, world: WorldKind, done: &'n Indices) -> Numbers<'n> {
        if !self.campaign.worlds.contains(&world) {
            return Box::new(std::iter::empty());
        }
        let deal = self.campaign.deal();
        let end = match self.campaign.until {
            Until::Runs(runs) => runs,
            Until::Budget(_) => u64::MAX,
        };
        let all = self.campaign.shard.indices().take_while(move |index| *index < end);
        let own = all.filter(move |index| deal.world(*index).0 == world);
        Box::new(own.filter(|index| !done.contains(*index)))
    }

    /// What a thread does that simulates, and makes findings small.
    fn simulate(&self, clock: Clock, desk: &Desk<'_>, news: &Sender<News>) {
        if self.campaign.worlds.contains(&WorldKind::Live) {
            give_way();
        }
        let mut worker = Worker::new(&self.campaign, self.folder, clock);
        while let Some(job) = desk.next() {
            let told = match job {
                Job::Run(index) => News::Ran(Box::new(worker.simulate(index))),
                Job::Shrink(shrink) => match worker.examine(&shrink, self.stop) {
                    Ok(examined) => News::Examined(Box::new(examined)),
                    Err(why) => News::NotExamined { index: shrink.index, why },
                },
            };
            if news.send(told).is_err() {
                return;
            }
        }
    }

    /// What a thread does that runs real processes.
    fn run_live(
        &self,
        clock: Clock,
        runtime: &Runtime,
        desk: &Desk<'_>,
        halted: &watch::Receiver<bool>,
        news: &Sender<News>,
    ) {
        let mut worker = Worker::new(&self.campaign, self.folder, clock);
        while let Some(index) = desk.next_live() {
            let began = Instant::now();
            let told = match worker.run_live(runtime, index, halted.clone()) {
                Some(line) => News::Ran(Box::new(line)),
                None => News::Stopped(index),
            };
            desk.took(began.elapsed());
            if news.send(told).is_err() {
                return;
            }
        }
    }

    /// Takes down what the threads report, until there are none.
    fn keep_books(
        &self,
        books: &mut Books,
        desk: &Desk<'_>,
        clock: Clock,
        heard: &Receiver<News>,
        halt: &watch::Sender<bool>,
    ) -> Result<(), CliError> {
        let mut page_due = Instant::now();
        loop {
            match heard.recv_timeout(TICK) {
                Ok(news) => {
                    self.take(books, desk, news)?;
                    desk.done();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.stop.load(Ordering::Relaxed) {
                halt.send_if_modified(|halted| !std::mem::replace(halted, true));
            }
            self.progress.show(&books.journal.runs().tally, clock, desk.waiting());
            if Instant::now() >= page_due {
                let failures = failures(&books.journal.runs().tally, &books.examined);
                let span = self.span(clock, "running");
                pages::write(self, books.journal.runs(), &failures, &span)?;
                page_due = Instant::now() + PAGE_EACH;
            }
        }
    }

    fn take(&self, books: &mut Books, desk: &Desk<'_>, news: News) -> Result<(), CliError> {
        match news {
            News::Ran(line) => self.take_line(books, desk, &line),
            News::Stopped(index) => {
                forget(&self.found(index));
                Ok(())
            }
            News::Examined(examined) => {
                examined.append(self.folder)?;
                self.progress.examined(&examined, &books.examined);
                if examined.world == WorldKind::Live {
                    slim(&self.found(examined.index), KEPT_BYTES_MAX);
                }
                books.examined.insert(examined.index, *examined);
                Ok(())
            }
            News::NotExamined { index, why } => {
                self.progress.note(&format!("run {index} could not be made small: {why}"));
                Ok(())
            }
        }
    }

    fn take_line(&self, books: &mut Books, desk: &Desk<'_>, line: &Line) -> Result<(), CliError> {
        books.journal.take(line)?;
        let tally = &books.journal.runs().tally;
        if line.world == WorldKind::Live && !failures::is_kept(tally, line.index) {
            forget(&self.found(line.index));
        } else if line.world == WorldKind::Live && line.ending != Ending::Invalid {
            slim(&self.found(line.index), KEPT_BYTES_MAX);
        }
        match line.ending {
            Ending::Valid | Ending::Unknown => {}
            Ending::Broken => {
                let why = line.why.as_deref().unwrap_or_default();
                self.progress.note(&format!("run {} broke the harness: {why}", line.index));
            }
            Ending::Invalid => {
                let demand = demand(line);
                let class = tally.classes.get(&class_key(line.world, &line.system, &demand));
                let place = class
                    .and_then(|class| class.first.keys().position(|index| *index == line.index));
                if let Some(nth) = place {
                    desk.shrink(nth, shrink(line.index, line.world, &line.system, &demand));
                }
            }
        }
        Ok(())
    }

    /// Puts in order what is kept, and writes the pages.
    fn finish(&self, books: Books, clock: Clock) -> Result<(Runs, Failures, Span), CliError> {
        let Books { journal, examined } = books;
        let runs = journal.runs().clone();
        let failures = failures(&runs.tally, &examined);
        self.progress.say("putting what was found in order");
        let mut drawer = Drawer::new(Arc::clone(&self.campaign));
        failures::settle(self.folder, &self.campaign, &mut drawer, &runs, &failures)?;
        failures::clear_found(self.folder, &runs.tally, &examined)?;
        let state = if self.stop.load(Ordering::Relaxed) { "stopped" } else { "finished" };
        let span = self.span(clock, state);
        pages::write(self, &runs, &failures, &span)?;
        Ok((runs, failures, span))
    }

    fn span(&self, clock: Clock, state: &'static str) -> Span {
        Span { began: self.began.clone(), state, elapsed: clock.elapsed() }
    }

    fn found(&self, index: u64) -> PathBuf {
        self.folder.join(FOUND).join(index.to_string())
    }
}

/// Has findings made small of an earlier part of the campaign that nobody has looked at.
fn ask_again(books: &Books, desk: &Desk<'_>) {
    for class in books.journal.runs().tally.classes.values() {
        for (nth, index) in class.first.keys().enumerate() {
            if !books.examined.contains_key(index) {
                let shrink = shrink(*index, class.world, &class.system, &class.demand);
                desk.shrink(nth, shrink);
            }
        }
    }
}

fn shrink(index: u64, world: WorldKind, system: &str, demand: &str) -> Shrink {
    Shrink { index, world, system: system.to_owned(), demand: demand.to_owned() }
}

/// Takes away the folder of a run that is not worth keeping.
fn forget(folder: &Path) {
    // What cannot be removed is left: the next start tries again.
    let _ = fs::remove_dir_all(folder);
}

/// A live run that is kept takes no more room than this, but for its history and pages: a cluster that is too slow for its
/// machine writes gigabytes.
const KEPT_BYTES_MAX: u64 = 256 << 20;

/// Takes away what replicas told of themselves and took in, where that is more than a night has room for.
fn slim(folder: &Path, most: u64) {
    if bytes_in(folder) > most {
        quorate_live::forget_observations(folder);
    }
}

/// How large all is that is in a folder, as far as it can be read.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_in(&entry.path()),
        Ok(_) => entry.metadata().map_or(0, |metadata| metadata.len()),
        Err(_) => 0,
    });
    bytes.sum()
}

/// Lets real processes go first: this thread takes what they leave of the processors.
fn give_way() {
    const NICE: i32 = 10;
    // Without it live clusters are slower, and nothing else.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_too_large_keeps_its_history_and_not_what_replicas_took_in() {
        let run = tempfile::tempdir().unwrap();
        let path = |name: &str| run.path().join(name);
        fs::create_dir_all(path("nodes/n0")).unwrap();
        let files =
            ["history.jsonl", "nodes/n0/log", "nodes/n0/inputs.log", "nodes/n0/observed.jsonl"];
        for file in files {
            fs::write(path(file), [0; 100]).unwrap();
        }
        assert_eq!(bytes_in(run.path()), 400);
        slim(run.path(), 400);
        assert!(files.iter().all(|file| path(file).exists()));
        slim(run.path(), 399);
        assert_eq!(files.map(|file| path(file).exists()), [true, true, false, false]);
    }
}
