//! What the nemesis of another program did, as spans of time for pictures. Nobody is judged by it.

use super::{Event, History, Process};
use crate::history::Time;
use crate::vacuity::FaultRecord;

/// What the nemesis says that it did, each from one of its words to the one that undoes it: `start` to `stop`, `kill` to
/// `start`, `pause` to `resume`, `start-partition` to `stop-partition`, anything to `heal` or `recover`. What has no such
/// word lasts no time. `time` is when the event at a place happened.
pub fn faults(history: &History, time: impl Fn(usize) -> Time) -> Vec<FaultRecord> {
    let mut faults: Vec<FaultRecord> = Vec::new();
    // Jepsen tells of each act twice: as it is begun, and as it is done. The first word is what counts.
    let mut begun: Option<&str> = None;
    for (place, event) in history.events().iter().enumerate() {
        let Process::Other(name) = &event.process else { continue };
        if &**name != "nemesis" {
            continue;
        }
        if begun.take_if(|word| **word == *event.f).is_some() {
            continue;
        }
        begun = Some(&event.f);
        let at = time(place);
        if !end(&mut faults, &event.f, place as u64, at) {
            faults.push(begin(faults.len(), event, place as u64, at));
        }
    }
    faults
}

fn begin(number: usize, event: &Event, place: u64, at: Time) -> FaultRecord {
    let (kind, lasts) = match event.f.strip_prefix("start-") {
        Some(kind) => (kind, true),
        None => (&*event.f, UNDONE.iter().any(|(word, _)| *word == &*event.f)),
    };
    FaultRecord {
        fault: u32::try_from(number).unwrap_or(u32::MAX),
        kind: kind.to_owned(),
        what: format!("{} {}", event.f, event.value),
        targets: Vec::new(),
        begin: place,
        began_at: at,
        end: (!lasts).then_some(place),
        ended_at: (!lasts).then_some(at),
        bites: 0,
        ok_before: 0,
        ok_during: 0,
        ok_after: 0,
    }
}

/// Words that begin something, with those that undo it.
const UNDONE: [(&str, &[&str]); 7] = [
    ("start", &["stop", "heal", "recover"]),
    ("partition", &["heal", "recover", "stop"]),
    ("kill", &["start", "restart", "recover"]),
    ("stop", &["start", "restart", "recover"]),
    ("pause", &["resume", "recover"]),
    ("bump", &["reset", "recover"]),
    ("strobe", &["reset", "recover"]),
];

/// Whether a word undoes something that goes on; it ends there.
fn end(faults: &mut [FaultRecord], word: &str, place: u64, at: Time) -> bool {
    let ends = |fault: &FaultRecord| {
        let by_name = word.strip_prefix("stop-").is_some_and(|kind| kind == fault.kind);
        let words = UNDONE.iter().filter(|(kind, _)| *kind == fault.kind);
        let is_general = matches!(word, "heal" | "recover");
        by_name || is_general || words.flat_map(|(_, words)| *words).any(|undoes| *undoes == word)
    };
    let mut has_ended = false;
    for fault in faults.iter_mut().filter(|fault| fault.end.is_none() && ends(fault)) {
        (fault.end, fault.ended_at) = (Some(place), Some(at));
        has_ended = true;
    }
    has_ended
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn faults_last_from_a_word_to_the_one_that_undoes_it() {
        let words = [
            "start",
            "start",
            "stop",
            "stop",
            "kill",
            "kill",
            "start",
            "start",
            "start-partition",
            "start-partition",
            "check",
            "check",
            "stop-partition",
            "stop-partition",
            "pause",
        ];
        let line = |(time, word): (usize, &&str)| {
            format!("{{:process :nemesis :type :info :f :{word} :value nil :time {time}}}\n")
        };
        let text: String = words.iter().enumerate().map(line).collect();
        let (_, history) = read(text.as_bytes(), None).expect("a history");
        let time = |place: usize| Time(place as u64);
        let told: Vec<String> = faults(&history, time)
            .iter()
            .map(|f| format!("{} {} {:?}", f.kind, f.began_at.0, f.ended_at.map(|time| time.0)))
            .collect();
        let expected = [
            "start 0 Some(2)",
            "kill 4 Some(6)",
            "partition 8 Some(12)",
            "check 10 Some(10)",
            "pause 14 None",
        ];
        assert_eq!(told, expected);
    }
}
