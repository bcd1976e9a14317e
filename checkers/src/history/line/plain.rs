//! Lines of operations as they are written, read without a parser for all of JSON: a history has millions.

use crate::history::{Event, Key, ProcessId, Step, Time, Value, What};

/// The event of a line that is spelled exactly as the writer spells it, if it is of an operation without an error and
/// has no text but plain words. Nothing of all others: they are for the real parser, which says the same of these.
pub(in crate::history) fn event(line: &[u8]) -> Option<Event> {
    let mut rest = Rest(line);
    rest.skip(b"{\"index\":")?;
    let index = rest.number()?;
    rest.skip(b",\"time\":")?;
    let time = Time(rest.number()?);
    rest.skip(b",\"type\":\"")?;
    let kind = rest.word()?;
    rest.skip(b"\",\"process\":")?;
    let process = ProcessId(rest.number()?);
    rest.skip(b",\"f\":\"")?;
    let f = rest.word()?.into();
    rest.skip(b"\"")?;
    let key = match rest.skip(b",\"key\":") {
        Some(()) => Some(Key(rest.number()?)),
        None => None,
    };
    rest.skip(b",\"value\":")?;
    let value = rest.value()?;
    rest.skip(b"}\n")?;
    let step = Step { process, f, key, value, error: None };
    let what = match kind {
        "invoke" => What::Invoke(step),
        "ok" => What::Ok(step),
        "fail" => What::Fail(step),
        "info" => What::Info(step),
        _ => return None,
    };
    rest.0.is_empty().then_some(Event { index, time, what })
}

/// What is left of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Small letters, digits, dashes and underlines.
    fn word(&mut self) -> Option<&'a str> {
        let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let length = self.0.iter().take_while(|byte| is_plain(byte)).count();
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(word).ok()
    }

    /// Digits that do not begin with a zero too many, of a number of 64 bits.
    fn number(&mut self) -> Option<u64> {
        let (mut number, mut rest) = (0_u64, self.0);
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            rest = after;
        }
        let length = self.0.len() - rest.len();
        let is_plain = length == 1 || (length > 1 && !self.0.starts_with(b"0"));
        self.0 = rest;
        is_plain.then_some(number)
    }

    fn integer(&mut self) -> Option<i64> {
        let is_negative = self.skip(b"-").is_some();
        let number = i64::try_from(self.number()?).ok()?;
        match (is_negative, number) {
            (true, 0) => None,
            (true, number) => Some(-number),
            (false, number) => Some(number),
        }
    }

    fn value(&mut self) -> Option<Value> {
        if self.skip(b"null").is_some() {
            return Some(Value::Nil);
        }
        if self.skip(b"[").is_none() {
            return self.integer().map(Value::Int);
        }
        let mut values = Vec::new();
        if self.skip(b"]").is_some() {
            return Some(Value::List(values));
        }
        loop {
            values.push(Value::Int(self.integer()?));
            if self.skip(b"]").is_some() {
                return Some(Value::List(values));
            }
            self.skip(b",")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::*;
    use crate::testing::{Dice, Shape, random_history};

    fn parsed(line: &[u8]) -> Option<Event> {
        let text = std::str::from_utf8(line).ok()?;
        let line: Line<'_> = serde_json::from_str(text.trim_end_matches('\n')).ok()?;
        line.into_event().ok()
    }

    #[test]
    fn what_is_written_is_read_as_the_parser_reads_it() {
        let mut dice = Dice::new(1);
        let shape = Shape {
            processes: 5,
            operations: 200,
            is_unique: true,
            fail_percent: 10,
            info_percent: 10,
            wrong_percent: 0,
        };
        for written in random_history(&mut dice, shape).events() {
            let line = format!("{written}\n");
            assert_eq!(event(line.as_bytes()).as_ref(), Some(written), "{line}");
        }
    }

    #[test]
    fn what_is_spelled_otherwise_is_left_to_the_parser_or_read_alike() {
        let lines = [
            r#"{"index":10,"time":0,"type":"ok","process":3,"f":"read","key":7,"value":[1,-20,3]}"#,
            r#"{"index":9,"time":5,"type":"info","process":3,"f":"a-b_c","value":null}"#,
            r#"{"index":9,"time":5,"type":"fail","process":3,"f":"cas","key":0,"value":[]}"#,
        ];
        let bytes = b"\0 \"-.0159:,[]{}enulzE+\\\x80\n";
        for line in lines {
            let line = format!("{line}\n").into_bytes();
            assert!(event(&line).is_some() && event(&line) == parsed(&line));
            for place in 0..line.len() {
                for &byte in bytes {
                    let mut changed = line.clone();
                    changed[place] = byte;
                    let mut longer = line.clone();
                    longer.insert(place, byte);
                    let mut shorter = line.clone();
                    shorter.remove(place);
                    for line in [changed, longer, shorter] {
                        let plain = event(&line);
                        assert!(plain.is_none() || plain == parsed(&line), "{line:?}");
                    }
                }
            }
        }
    }
}
