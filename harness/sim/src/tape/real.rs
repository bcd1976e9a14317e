//! The tape of a run of real processes, from what its cores did again and from its history.

use quorate_checkers::history::{History, What};
use quorate_world::inputs::{Account, Down, Passage, Told};

use super::{Detail, Fate, Happened, Message, Tape};

const NS_PER_US: u64 = 1_000;
/// A message that nobody took in is drawn as if it had been under way for so long.
const LOST_US: u64 = 1_000;

/// What is put on the tape, in this order where times are equal.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Up(u16),
    Recorded(&'a What),
    Arrived(usize),
    Told(&'a Told),
    Sent(usize, &'a Passage),
    Down(u16),
}

impl Entry<'_> {
    const fn rank(&self) -> u8 {
        match self {
            Self::Up(_) => 0,
            Self::Recorded(_) => 1,
            Self::Arrived(_) => 2,
            Self::Told(_) => 3,
            Self::Sent(..) => 4,
            Self::Down(_) => 5,
        }
    }
}

impl Tape {
    /// What an account and the history of one run tell together. Times are those of the history, in microseconds; nothing
    /// if nobody asked for anything. What a liar said instead of what its core meant is not known, nor which copy of a
    /// message that was taken in twice came when.
    pub fn of_real(
        account: &Account,
        downs: &[Down],
        history: &History,
        (nodes, clients): (u16, u32),
    ) -> Option<Self> {
        let ahead = account.ahead_of(history)?;
        let passages = account.passages();
        // The places on the tape are those in the order of sending.
        let mut by_time: Vec<&Passage> = passages.iter().collect();
        by_time.sort_by_key(|passage| passage.sent);
        let mut entries: Vec<(u64, Entry<'_>)> = Vec::new();
        for (place, passage) in by_time.into_iter().enumerate() {
            entries.push((passage.sent, Entry::Sent(place, passage)));
            entries.extend(passage.taken.map(|at| (at, Entry::Arrived(place))));
        }
        entries.extend(account.told().iter().map(|told| (told.at, Entry::Told(told))));
        entries.extend(account.starts().map(|(node, at)| (at, Entry::Up(node))));
        entries.extend(downs.iter().map(|down| (down.at, Entry::Down(down.node))));
        let events = history.events().iter();
        entries.extend(events.map(|event| (event.time.0 + ahead, Entry::Recorded(&event.what))));
        entries.sort_by_key(|(at, entry)| (*at, entry.rank()));

        let mut tape = Self::new(nodes, clients, Detail::All);
        for (at, entry) in entries {
            tape.put(at.saturating_sub(ahead) / NS_PER_US, ahead, entry);
        }
        Some(tape)
    }

    fn put(&mut self, at_us: u64, ahead: u64, entry: Entry<'_>) {
        match entry {
            Entry::Up(node) => self.node(at_us, node, true),
            Entry::Down(node) => self.node(at_us, node, false),
            Entry::Recorded(what) => self.recorded(at_us, what),
            Entry::Told(Told { by, kind, text, .. }) => {
                self.push(at_us, Happened::Observed { by: *by, kind, text: text.clone() });
            }
            Entry::Arrived(place) => self.push(at_us, Happened::Arrived(place)),
            Entry::Sent(place, passage) => {
                let taken = passage.taken.map(|at| at.saturating_sub(ahead) / NS_PER_US);
                self.messages.push(Message {
                    from: passage.from,
                    to: passage.to,
                    kind: passage.kind,
                    text: passage.text.clone(),
                    nth: 1,
                    sent_us: at_us,
                    fate: if taken.is_some() { Fate::Travels } else { Fate::Lost },
                    due_us: vec![taken.unwrap_or(at_us + LOST_US)],
                    arrived_us: taken.into_iter().collect(),
                    is_late: self.is_healed,
                });
                debug_assert_eq!(place + 1, self.messages.len(), "in the order of sending");
                self.push(at_us, Happened::Sent(place));
            }
        }
    }
}
