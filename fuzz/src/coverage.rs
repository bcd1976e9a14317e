//! States as coverage: libFuzzer keeps an input that reaches a state which no other has reached, as it keeps one that
//! reaches new code.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// How many counters there are. libFuzzer clears and scans them all at every input: 4 KiB cost next to nothing,
/// 64 KiB a factor of six.
pub const COUNTERS: usize = 4096;

/// libFuzzer finds them by the name of their section, and reads and clears them between inputs.
#[cfg(fuzzing)]
#[expect(unsafe_code, reason = "only the section of a static can tell libFuzzer where they are")]
#[unsafe(link_section = "__libfuzzer_extra_counters")]
#[used]
static REACHED: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

#[cfg(not(fuzzing))]
static REACHED: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

/// The same, of all inputs.
static EVER: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

/// How many inputs there were.
static INPUTS: AtomicU64 = AtomicU64::new(0);

/// The present input has reached a state with this hash; all 64 bits of it should be spread well.
pub fn reached(state: u64) {
    set(&REACHED, state);
    set(&EVER, state);
}

/// As [`reached`], but nobody keeps the input for it.
pub fn seen(state: u64) {
    set(&EVER, state);
}

fn set(counters: &[AtomicU8; COUNTERS], state: u64) {
    let place = usize::try_from(state % COUNTERS as u64).unwrap_or(0);
    if let Some(counter) = counters.get(place) {
        counter.store(1, Ordering::Relaxed);
    }
}

/// How many counters are set: of all inputs since they were last cleared.
pub fn count() -> usize {
    EVER.iter().filter(|counter| counter.load(Ordering::Relaxed) != 0).count()
}

/// Forgets what was reached.
pub fn clear() {
    for counter in REACHED.iter().chain(&EVER) {
        counter.store(0, Ordering::Relaxed);
    }
}

/// One input more is done; after every so many, if a number is given, it is said how many counters are set.
pub fn count_input(every: Option<u64>) {
    let inputs = INPUTS.fetch_add(1, Ordering::Relaxed) + 1;
    if every.is_some_and(|every| inputs.is_multiple_of(every)) {
        eprintln!("{inputs} inputs, {} states", count());
    }
}
