//! The campaign in Markdown, for the summary of a job.

use std::fmt::Write;

use super::{Commands, Results, share};
use crate::units::{count, elapsed};

/// More failures than this are not read there.
const FAILURES_MAX: usize = 20;

/// The verdict, what failed, and the numbers.
pub fn summary(results: &Results, commands: &Commands) -> String {
    let mut text = String::new();
    let mark = match results.verdict.as_str() {
        "valid" => "✓",
        "unknown" => "?",
        _ => "✗",
    };
    // Writing to a String cannot fail; so below.
    let _ = writeln!(text, "## {mark} quorate torture: {}\n", plain(&results.verdict));
    let _ = writeln!(text, "{}.\n", plain(&results.sentence));
    for failure in results.failures.iter().take(FAILURES_MAX) {
        let _ = writeln!(
            text,
            "- **{}** ({}): {}",
            plain(&failure.signature),
            plain(&failure.world),
            plain(&failure.sentence)
        );
    }
    if results.failures.len() > FAILURES_MAX {
        let _ = writeln!(text, "- and {} more", results.failures.len() - FAILURES_MAX);
    }
    for reason in &results.broken {
        let what = plain(&reason.reason);
        let _ = writeln!(text, "- the harness broke in {} runs: {what}", count(reason.runs));
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
    text += "| system | world | workload | runs | valid | invalid | unknown | broken |\n";
    text += "|---|---|---|--:|--:|--:|--:|--:|\n";
    for cell in &results.cells {
        let runs = cell.runs;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            plain(&cell.system),
            plain(&cell.world),
            plain(&cell.workload),
            count(runs.total()),
            count(runs.valid),
            count(runs.invalid),
            count(runs.unknown),
            count(runs.broken),
        );
    }
    let runs = results.runs();
    let _ = writeln!(
        text,
        "\n{} runs in {}, {} without a verdict. Again: `{}`",
        count(runs.total()),
        elapsed(results.times.elapsed_ms),
        share(runs.unknown, runs.total()),
        commands.again.replace('`', "'"),
    );
    text
}

/// A text in which nothing is markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => plain += "&lt;",
            '>' => plain += "&gt;",
            '&' => plain += "&amp;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '$' => {
                plain.push('\\');
                plain.push(letter);
            }
            _ if letter.is_control() => plain.push(' '),
            _ => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::night::testing::{EVIL, commands, results};

    #[test]
    fn nothing_in_it_is_markup() {
        let text = summary(&results(), &commands());
        // Within backticks everything stands as it is.
        let prose: String = text.split('`').step_by(2).collect();
        assert!(!prose.contains(EVIL) && !prose.contains("<b>"), "{text}");
        assert_eq!(plain("a|b\n*c*"), "a\\|b \\*c\\*");
        assert!(text.starts_with("## ✗ quorate torture: invalid\n"), "{text}");
    }
}
