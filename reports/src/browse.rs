//! The page of a store: every run and every campaign in it, to be filtered and sorted. Its fields are a form, and it comes
//! again by itself while something is going on; its script only sees to it that what somebody types meanwhile stays.

use std::cmp::Reverse;
use std::fmt::Write as _;

use askama::Template;

use crate::units::{count, counted, elapsed, span};
use crate::{ReportError, percent};

/// A run, or a campaign, of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The address of its page, from that of the store's.
    pub href: String,
    /// What it is called.
    pub name: String,
    /// When it began, in UTC, as its folder says.
    pub began: String,
    /// `valid`, `invalid`, `unknown`, `broken`; `running` or `stopped` where there is no verdict.
    pub verdict: String,
    /// The system; several are separated by spaces.
    pub system: String,
    /// `sim` or `live`; both for a campaign.
    pub world: String,
    /// The planted bug; empty if there is none.
    pub mutant: String,
    /// Operations of a run, runs of a campaign.
    pub size: u64,
    /// How long it was, in nanoseconds.
    pub duration_ns: u64,
    /// Why it is not valid, in one sentence; empty if it is.
    pub why: String,
    /// Of a campaign.
    pub is_campaign: bool,
    /// It goes on.
    pub is_running: bool,
}

/// What is asked of a store: the fields of the page's form.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Query {
    /// Only with this verdict.
    pub verdict: String,
    /// Only with this system.
    pub system: String,
    /// Only with this text in it.
    pub text: String,
    /// `time` (the latest first), `name`, `verdict` (the gravest first), `size` or `duration` (the largest first).
    pub sort: String,
    /// Which page of many, counted from 0.
    pub page: usize,
}

/// Entries on one page.
const PAGE: usize = 200;

/// The page of a store at `store`, with what is asked of it.
pub fn browse(store: &str, entries: &[Entry], query: &Query) -> Result<String, ReportError> {
    let mut systems: Vec<&str> = entries.iter().flat_map(|e| e.system.split(' ')).collect();
    systems.sort_unstable();
    systems.dedup();
    systems.retain(|system| !system.is_empty());
    let mut found: Vec<&Entry> = entries.iter().filter(|entry| query.matches(entry)).collect();
    query.sort(&mut found);
    let pages = found.len().div_ceil(PAGE).max(1);
    let page = query.page.min(pages - 1);
    let shown = found.iter().skip(page * PAGE).take(PAGE);
    let template = BrowseTemplate {
        store,
        query,
        systems,
        is_running: entries.iter().any(|entry| entry.is_running),
        total: count(entries.len() as u64),
        found: count(found.len() as u64),
        rows: shown.map(|entry| Row::new(entry)).collect(),
        previous: page.checked_sub(1).map(|page| query.address(page)),
        next: (page + 1 < pages).then(|| query.address(page + 1)),
    };
    Ok(template.render()?)
}

impl Query {
    fn matches(&self, entry: &Entry) -> bool {
        let text = self.text.to_lowercase();
        let has = |field: &str| field.to_lowercase().contains(&text);
        let fields = [&entry.name, &entry.why, &entry.began, &entry.mutant, &entry.world];
        (self.verdict.is_empty() || self.verdict == entry.verdict)
            && (self.system.is_empty() || entry.system.split(' ').any(|s| s == self.system))
            && (text.is_empty() || fields.into_iter().any(|field| has(field)))
    }

    fn sort(&self, entries: &mut [&Entry]) {
        // Whatever else they are sorted by: the latest first.
        entries.sort_by(|a, b| (&b.began, &b.href).cmp(&(&a.began, &a.href)));
        match self.sort.as_str() {
            "name" => entries.sort_by(|a, b| a.name.cmp(&b.name)),
            "verdict" => entries.sort_by_key(|entry| gravity(&entry.verdict)),
            "size" => entries.sort_by_key(|entry| Reverse(entry.size)),
            "duration" => entries.sort_by_key(|entry| Reverse(entry.duration_ns)),
            _ => {}
        }
    }

    /// Where another page of the same is.
    fn address(&self, page: usize) -> String {
        let Self { verdict, system, text, sort, .. } = self;
        let fields = [("verdict", verdict), ("system", system), ("text", text), ("sort", sort)];
        let mut address = format!("?page={page}");
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            // Writing to a String cannot fail.
            let _ = write!(address, "&{name}={}", encoded(value));
        }
        address
    }
}

/// A value, or a part of a path, in an address: what is neither a letter nor a digit of ASCII by its bytes.
pub fn encoded(value: &str) -> String {
    percent::encoded(value, b"-._")
}

const VERDICTS: [&str; 6] = ["invalid", "broken", "unknown", "running", "stopped", "valid"];

fn gravity(verdict: &str) -> usize {
    VERDICTS.iter().position(|known| *known == verdict).unwrap_or(VERDICTS.len())
}

#[derive(Template)]
#[template(path = "browse.html")]
struct BrowseTemplate<'a> {
    store: &'a str,
    query: &'a Query,
    systems: Vec<&'a str>,
    is_running: bool,
    total: String,
    found: String,
    rows: Vec<Row<'a>>,
    previous: Option<String>,
    next: Option<String>,
}

struct Row<'a> {
    entry: &'a Entry,
    mark: &'static str,
    began: String,
    size: String,
    duration: String,
}

impl<'a> Row<'a> {
    fn new(entry: &'a Entry) -> Self {
        let mark = match entry.verdict.as_str() {
            "valid" => "✓",
            "invalid" => "✗",
            "running" => "…",
            "broken" => "!",
            _ => "?",
        };
        let what = if entry.is_campaign { "run" } else { "operation" };
        Self {
            entry,
            mark,
            began: moment(&entry.began),
            size: if entry.size > 0 { counted(entry.size, what) } else { String::new() },
            duration: match entry.duration_ns {
                0 => String::new(),
                ns if entry.is_campaign => elapsed(ns / 1_000_000),
                ns => span(ns),
            },
        }
    }
}

/// `2026-11-27T11-18-16.905Z`, the name of a folder, as a person writes it: `2026-11-27 11:18:16`.
fn moment(folder: &str) -> String {
    let whole = folder.split_once('.').map_or(folder, |(whole, _)| whole);
    match whole.split_once('T') {
        Some((day, time)) => format!("{day} {}", time.replace('-', ":")),
        None => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, verdict: &str, began: &str, size: u64) -> Entry {
        Entry {
            href: format!("store/{name}/{began}/report.html"),
            name: name.to_owned(),
            began: began.to_owned(),
            verdict: verdict.to_owned(),
            system: name.split('-').next().unwrap_or_default().to_owned(),
            world: "sim".to_owned(),
            mutant: String::new(),
            size,
            duration_ns: size,
            why: "</script><b>".to_owned(),
            is_campaign: false,
            is_running: verdict == "running",
        }
    }

    fn store() -> Vec<Entry> {
        vec![
            entry("vr-register", "valid", "2026-11-01", 5),
            entry("paxos-txn", "invalid", "2026-11-02", 9),
            entry("vr-kv", "unknown", "2026-11-03", 7),
        ]
    }

    /// Where each name stands in the page, in this order.
    fn order(page: &str) -> Vec<String> {
        let names = ["vr-register", "paxos-txn", "vr-kv"];
        let mut places: Vec<_> = names
            .iter()
            .filter_map(|name| Some((page.find(&format!("store/{name}/"))?, (*name).to_owned())))
            .collect();
        places.sort();
        places.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn entries_are_filtered_and_sorted() {
        let asked = |query: Query| order(&browse("store", &store(), &query).unwrap());
        assert_eq!(asked(Query::default()), ["vr-kv", "paxos-txn", "vr-register"]);
        let by = |sort: &str| Query { sort: sort.to_owned(), ..Query::default() };
        assert_eq!(asked(by("name")), ["paxos-txn", "vr-kv", "vr-register"]);
        assert_eq!(asked(by("verdict")), ["paxos-txn", "vr-kv", "vr-register"]);
        assert_eq!(asked(by("size")), ["paxos-txn", "vr-kv", "vr-register"]);
        let of = Query { system: "vr".to_owned(), ..Query::default() };
        assert_eq!(asked(of), ["vr-kv", "vr-register"]);
        let invalid = Query { verdict: "invalid".to_owned(), ..Query::default() };
        assert_eq!(asked(invalid), ["paxos-txn"]);
        let text = Query { text: "KV".to_owned(), ..Query::default() };
        assert_eq!(asked(text), ["vr-kv"]);
    }

    #[test]
    fn what_goes_on_makes_the_page_come_again_and_nothing_becomes_markup() {
        let mut entries = store();
        let page = browse("store", &entries, &Query::default()).unwrap();
        assert!(!page.contains("http-equiv=\"refresh\"") && !page.contains("</script><b>"));
        entries.push(entry("pbft-kv", "running", "2026-11-04", 0));
        let text = "\"><script>".to_owned();
        let page = browse("store", &entries, &Query { text, ..Query::default() }).unwrap();
        assert!(page.contains("http-equiv=\"refresh\"") && page.matches("<script").count() == 1);
    }

    #[test]
    fn the_name_of_a_folder_is_told_as_a_moment() {
        assert_eq!(moment("2026-11-27T11-18-16.905Z"), "2026-11-27 11:18:16");
        assert_eq!(moment("mine"), "mine");
    }

    #[test]
    fn many_entries_have_several_pages() {
        let many: Vec<Entry> =
            (0..450).map(|n| entry(&format!("vr-{n}"), "valid", &format!("{n:04}"), n)).collect();
        let query = Query { page: 1, text: "vr & more?".to_owned(), ..Query::default() };
        assert_eq!(query.address(2), "?page=2&text=vr%20%26%20more%3F");
        let page = browse("store", &many, &Query { page: 1, ..Query::default() }).unwrap();
        assert_eq!(page.matches("report.html").count(), 200);
        assert!(page.contains("?page=0") && page.contains("?page=2"));
        let last = browse("store", &many, &Query { page: 99, ..Query::default() }).unwrap();
        assert_eq!(
            last.matches("report.html").count(),
            50,
            "the last page, if there is none so far"
        );
    }
}
