//! Work spread over threads, with results that do not depend on how many there are.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// As many threads as the machine has processors for, where nobody asks for another number.
pub(crate) fn default_count() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Does the jobs 0 to `jobs - 1`, each once, on so many threads. Every thread works with what `tool` makes
/// for it. The results stand in the order of the jobs.
pub(crate) fn spread<W, T: Send>(
    threads: NonZeroUsize,
    jobs: usize,
    tool: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut tool = tool();
        let mut done = Vec::new();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                return done;
            }
            done.push((job, work(&mut tool, job)));
        }
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get().min(jobs)).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.flat_map(|done| done.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_unstable_by_key(|(job, _)| *job);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_results_stand_in_order() {
        for threads in [1, 3, 16] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let done = spread(
                threads,
                10,
                || 0,
                |count, job| {
                    *count += 1;
                    job * job
                },
            );
            assert_eq!(done, (0..10).map(|job| job * job).collect::<Vec<_>>());
        }
        assert!(spread(NonZeroUsize::MIN, 0, || (), |(), job| job).is_empty());
    }
}
