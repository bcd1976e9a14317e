//! Whether the sentence of a counterexample is true of the history.

use quorate_checkers::history::{Operation, Outcome, Value};

/// Holds a sentence against all operations on the key; the error says what is not so.
pub(super) fn check(sentence: &str, accused: &Operation, all: &[Operation]) -> Result<(), String> {
    if sentence.starts_with("no order of these ") {
        return Ok(());
    }
    let [seen, index, why] = holes("read {} at index {}, {}", sentence).ok_or("what it says")?;
    let court = Court { read: accused, seen: value(seen), all };
    let is_accused = accused.f == "read"
        && accused.outcome == Outcome::Ok(court.seen.clone())
        && accused.invoke.to_string() == index;
    demand(is_accused, "the accused is the read that it names")?;
    court.hear(why)
}

/// What is said about one read.
struct Court<'a> {
    read: &'a Operation,
    seen: Value,
    all: &'a [Operation],
}

impl Court<'_> {
    fn hear(&self, why: &str) -> Result<(), String> {
        if let Some([_]) = holes("but nobody ever wrote {}", why) {
            return demand(self.writes().count() == 0, "nobody wrote it");
        }
        if let Some([_, at]) = holes("but the write of {} at index {} had failed", why) {
            let failed = self.write(at)?.outcome == Outcome::Fail;
            return demand(failed && self.writes().count() == 1, "the only one had failed");
        }
        if let Some([_]) = holes("but every write of {} had failed", why) {
            return demand(self.writes().all(|write| write.outcome == Outcome::Fail), "all failed");
        }
        if let Some([_, at]) =
            holes("but the write of {} began only after that read had ended, at index {}", why)
        {
            let is_late = self.is_late(self.write(at)?);
            return demand(is_late && self.producers().count() == 0, "it began later");
        }
        let too_late = "but every write of {} had failed, or began only after that read had ended";
        if let Some([_]) = holes(too_late, why) {
            return demand(self.producers().count() == 0, "none was in time");
        }
        self.hear_of_overwriting(why)
    }

    fn hear_of_overwriting(&self, why: &str) -> Result<(), String> {
        if let Some([_, at]) =
            holes("but the write of {} at index {} had ended before it began", why)
        {
            let write = self.named(at, "write")?;
            let is_over = self.seen == Value::Nil && before(write, self.read);
            return demand(is_over, "something was written before");
        }
        let once = "but the write of {} at index {} had been overwritten before it began, by the write \
                    of {} at index {}";
        if let Some([_, at, _, by]) = holes(once, why) {
            self.write(at)?;
            demand(self.producers().count() == 1, "there is no other write of it")?;
            return self.overwritten_by(by);
        }
        let often = "but every write of {} had been overwritten before it began, at last by the write of \
                     {} at index {}";
        if let Some([_, _, by]) = holes(often, why) {
            return self.overwritten_by(by);
        }
        self.hear_of_reads(why)
    }

    fn hear_of_reads(&self, why: &str) -> Result<(), String> {
        if let Some([_, at]) =
            holes("after the read of {} at index {} had already seen a newer value", why)
        {
            let newer = self.named(at, "read")?;
            demand(before(newer, self.read), "that read was over")?;
            return self.is_newer(newer);
        }
        let shown = "but the write of {} at index {} had overwritten {} before that, as the read of {} at \
                     index {} shows";
        if let Some([_, by, _, _, at]) = holes(shown, why) {
            let (by, newer) = (self.named(by, "write")?, self.named(at, "read")?);
            demand(newer.outcome == Outcome::Ok(by.input.clone()), "it shows that write")?;
            demand(before(by, self.read), "that write was over")?;
            return self.is_newer(newer);
        }
        let again = "but {}, which had been read at index {} before, was overwritten before it began, by the \
                     write of {} at index {}";
        if let Some([_, at, _, by]) = holes(again, why) {
            let (first, by) = (self.named(at, "read")?, self.named(by, "write")?);
            demand(first.outcome == Outcome::Ok(self.seen.clone()), "it had been read")?;
            demand(self.producers().count() == 1, "it was written once")?;
            let between = before(first, by) && before(by, self.read) && by.input != self.seen;
            return demand(between, "something else was written in between");
        }
        Err("nothing that is known to be said".to_owned())
    }

    fn overwritten_by(&self, at: &str) -> Result<(), String> {
        let by = self.named(at, "write")?;
        let is_over = by.input != self.seen && before(by, self.read);
        demand(is_over, "something else was written before")?;
        demand(self.producers().all(|write| before(write, by)), "that came after every write of it")
    }

    /// What the other read returned was certainly written after what this one returned: all writes of that were over, or
    /// its only one had been seen.
    fn is_newer(&self, other: &Operation) -> Result<(), String> {
        demand(other.outcome != Outcome::Ok(self.seen.clone()), "it returned something else")?;
        let over = self.producers().all(|write| before(write, other));
        let is_seen = |read: &Operation| {
            read.f == "read"
                && read.outcome == Outcome::Ok(self.seen.clone())
                && before(read, other)
        };
        let seen = self.producers().count() == 1 && self.all.iter().any(is_seen);
        demand(over || seen, "that is newer")
    }

    /// Every write of what was read, whatever became of it.
    fn writes(&self) -> impl Iterator<Item = &Operation> {
        self.all.iter().filter(|o| o.f == "write" && o.input == self.seen)
    }

    /// Those that may have happened in time.
    fn producers(&self) -> impl Iterator<Item = &Operation> {
        self.writes().filter(|write| write.outcome != Outcome::Fail && !self.is_late(write))
    }

    fn is_late(&self, write: &Operation) -> bool {
        self.read.complete.is_some_and(|end| end < write.invoke)
    }

    /// The write of what was read that began at an index.
    fn write(&self, at: &str) -> Result<&Operation, String> {
        let named = self.writes().find(|write| write.invoke.to_string() == at);
        named.ok_or(format!("there is no such write at index {at}"))
    }

    fn named(&self, at: &str, f: &str) -> Result<&Operation, String> {
        let mut all = self.all.iter();
        let named = all.find(|operation| operation.f == f && operation.invoke.to_string() == at);
        named.ok_or(format!("there is no {f} at index {at}"))
    }
}

fn demand(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what.to_owned()) }
}

fn before(first: &Operation, second: &Operation) -> bool {
    first.is_ok() && first.complete.is_some_and(|end| end < second.invoke)
}

fn value(text: &str) -> Value {
    text.parse().map_or(Value::Nil, Value::Int)
}

/// What stands in the holes of a form, if the text has it.
fn holes<'t, const N: usize>(form: &str, text: &'t str) -> Option<[&'t str; N]> {
    let mut parts = form.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = [""; N];
    for (hole, part) in found.iter_mut().zip(parts.by_ref()) {
        (*hole, rest) = if part.is_empty() { (rest, "") } else { rest.split_once(part)? };
    }
    (rest.is_empty() && parts.next().is_none()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_a_form_or_has_it_not() {
        assert_eq!(holes("a {} b {}", "a 1 b 22"), Some(["1", "22"]));
        assert_eq!(holes("a {} b", "a 1 b"), Some(["1"]));
        assert_eq!(holes::<1>("a {} b", "a 1 b c"), None);
        assert_eq!(holes::<1>("a {} b", "x 1 b"), None);
    }
}
