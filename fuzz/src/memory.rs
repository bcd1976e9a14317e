//! What an input costs in memory: whoever reads bytes from outside must not be made to take much for few of them.
//!
//! Every allocation of the binaries and tests of this crate is counted, by thread, so that tests that run side by
//! side do not count each other's. Of the crates that do this, those that count by thread are not looked after any
//! more; it is a few lines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What reading may take whatever the input is, in bytes: buffers that are read into, sentences about what is wrong,
/// and what a list allocates ahead.
pub const FREE_BYTES: usize = 64 << 10;

/// Does something to an input of this length, in bytes. Panics where it held more than [`FREE_BYTES`] and `factor`
/// bytes for each byte of the input at once.
pub fn within<T>(input: usize, factor: usize, work: impl FnOnce() -> T) -> T {
    let (done, held) = peak(work);
    let bound = FREE_BYTES + factor * input;
    assert!(held <= bound, "{input} bytes made it hold {held} bytes, and {bound} are allowed");
    done
}

/// Does something, and says how many bytes more than before it held at most. What the allocator itself needs does not
/// count.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    let outer = MOST.replace(before);
    let done = work();
    let most = MOST.get();
    MOST.set(outer.max(most));
    (done, usize::try_from(most - before).unwrap_or(0))
}

thread_local! {
    /// Bytes allocated and not freed. Less than zero where a thread frees what others have allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most of it since somebody asked.
    static MOST: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// No allocation is greater than `isize::MAX`.
fn took(bytes: usize) {
    let held = HELD.get() + bytes.cast_signed();
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

fn gave_back(bytes: usize) {
    HELD.set(HELD.get() - bytes.cast_signed());
}

#[expect(
    unsafe_code,
    reason = "whoever counts allocations must be the allocator, and that is unsafe to be"
)]
// SAFETY: every call goes to `System` as it came, and what came of it goes back as it is. Counting allocates nothing
// and does not panic: the cells are constants at first, and nothing has to be dropped with them.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        gave_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        took(new_size);
        gave_back(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(start, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_was_held_at_once_is_counted() {
        let ((), held) = peak(|| {
            drop(vec![0_u8; 5_000]);
            drop(vec![0_u8; 7_000]);
        });
        assert_eq!(held, 7_000);
        let ((), held) = peak(|| {
            let ((), inner) = peak(|| drop(vec![1_u8; 9_000]));
            assert_eq!(inner, 9_000);
        });
        assert_eq!(held, 9_000, "what is inside counts outside");
        assert_eq!(peak(|| ()).1, 0);
    }

    #[test]
    fn what_grows_counts_old_and_new_at_once() {
        let (grown, held) = peak(|| {
            let mut list = vec![0_u8; 4_096];
            list.reserve_exact(4_096);
            list
        });
        assert_eq!((grown.capacity(), held), (8_192, 12_288));
    }

    #[test]
    #[should_panic(expected = "made it hold")]
    fn too_much_for_an_input_is_found() {
        within(10, 2, || drop(vec![0_u8; FREE_BYTES + 21]));
    }

    #[test]
    fn what_is_allowed_is_allowed() {
        within(10, 2, || drop(vec![0_u8; FREE_BYTES + 20]));
    }
}
