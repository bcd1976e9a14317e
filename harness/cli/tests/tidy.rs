//! The house rules that can be executed: which crate may know which, and what must not stand in the tree.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which crates of ours each crate may depend on (tests included). Arrows point down only, and systems and
/// checkers never meet: an oracle that shares code with its subject inherits its bugs.
const ARROWS: &[(&str, &[&str])] = &[
    ("quorate-checkers", &[]),
    ("quorate-systems", &[]),
    ("quorate-plan", &["quorate-checkers"]),
    ("quorate-reports", &["quorate-plan", "quorate-checkers"]),
    ("quorate-world", &["quorate-plan", "quorate-systems", "quorate-checkers"]),
    ("quorate-sim", &["quorate-world", "quorate-plan", "quorate-systems", "quorate-checkers"]),
    ("quorate-live", &["quorate-world", "quorate-plan", "quorate-systems", "quorate-checkers"]),
    (
        "quorate-fuzz",
        &["quorate-sim", "quorate-world", "quorate-plan", "quorate-systems", "quorate-checkers"],
    ),
    (
        "quorate-cli",
        &[
            "quorate-live",
            "quorate-sim",
            "quorate-reports",
            "quorate-world",
            "quorate-plan",
            "quorate-systems",
            "quorate-checkers",
        ],
    ),
];

/// Crates that must stay free of input and output, and what would bring it in.
const PURE: &[&str] =
    &["quorate-checkers", "quorate-systems", "quorate-plan", "quorate-world", "quorate-sim"];
const IMPURE: &[&str] = &["tokio", "reqwest", "axum", "hyper", "rustix", "mio", "async-std"];

#[test]
fn crates_know_only_the_crates_below_them() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(allowed) = arrows.get(name) else {
            wrong.push(format!("{name} has no place in the picture of ARCHITECTURE.md"));
            continue;
        };
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            if other.starts_with("quorate-") && !allowed.contains(&other) {
                wrong.push(format!("{name} depends on {other}"));
            }
            let normal = dependency.kind == DependencyKind::Normal;
            if normal && PURE.contains(&name) && IMPURE.contains(&other) {
                wrong.push(format!("{name} is pure and depends on {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Goes by what cargo resolved, so that no detour brings the two together.
#[test]
fn systems_and_checkers_never_meet() {
    let metadata = MetadataCommand::new().exec().unwrap();
    let resolve = metadata.resolve.as_ref().unwrap();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
    let below = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> =
            resolve.nodes.iter().filter(|node| names[&node.id] == start).collect();
        assert_eq!(open.len(), 1, "{start}");
        while let Some(node) = open.pop() {
            for dependency in &node.dependencies {
                if seen.insert(names[dependency]) {
                    open.extend(resolve.nodes.iter().find(|node| node.id == *dependency));
                }
            }
        }
        seen
    };
    assert!(!below("quorate-systems").contains("quorate-checkers"));
    assert!(!below("quorate-checkers").contains("quorate-systems"));
    assert!(!below("quorate-reports").contains("quorate-systems"));
    assert!(below("quorate-world").contains("quorate-systems"), "the search itself works");
}

#[test]
fn protocol_cores_are_no_std() {
    let lib = fs::read_to_string(root().join("systems/src/lib.rs")).unwrap();
    assert!(lib.contains("\n#![no_std]\n"));
    for path in sources("systems/src") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("extern crate std"), "{}", path.display());
    }
}

#[test]
fn sources_hold_no_placeholder_tab_or_trailing_space() {
    // Spelled in two halves so that this file does not accuse itself.
    let banned = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("#[ign", "ore"),
        concat!("db", "g!("),
    ];
    let mut wrong = Vec::new();
    for path in
        ["systems", "checkers", "harness", "reports", "fuzz"].iter().flat_map(|dir| sources(dir))
    {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{}:{number}", path.display());
            wrong.extend(
                banned.iter().filter(|b| line.contains(*b)).map(|b| format!("{place}: {b}")),
            );
            if line.contains('\t') || line.ends_with(' ') {
                wrong.push(format!("{place}: tab or trailing space"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn documents_have_one_title_and_no_dead_relative_link() {
    let mut wrong = Vec::new();
    for path in files(&root(), "md") {
        let text = fs::read_to_string(&path).unwrap();
        let prose = without_code_blocks(&text);
        let titles = prose.lines().filter(|line| line.starts_with("# ")).count();
        if titles != 1 {
            wrong.push(format!("{}: {titles} titles", path.display()));
        }
        for target in links(&prose) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap_or_default();
            if !path.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: dead link {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_mutant_is_in_a_vocabulary_and_in_the_documentation_and_every_command_in_the_readme() {
    use quorate_systems::SystemKind;
    use quorate_systems::mutant::Mutant;

    let listed: Vec<_> = SystemKind::ALL
        .iter()
        .flat_map(|kind| kind.vocabulary().mutants.iter().map(|mutant| mutant.name))
        .collect();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    // The bugs of a system that has a page of its own are listed there.
    let pages = files(&root().join("docs"), "md").into_iter();
    let pages: String = pages.map(|path| fs::read_to_string(path).unwrap()).collect();
    for mutant in Mutant::ALL {
        assert!(listed.contains(&mutant.name()), "{mutant} is in no vocabulary");
        let row = format!("| {mutant} |");
        let is_listed = readme.contains(&row) || pages.contains(&row);
        assert!(is_listed, "{mutant} is neither in the README nor on a page");
    }
    for command in ["run", "torture", "merge", "hunt", "doctor", "check", "report", "list", "node"]
    {
        assert!(readme.contains(&format!("quorate {command}")), "{command}");
    }
}

/// A mutant is one wrong turn at exactly one place of a system.
#[test]
fn every_mutant_is_planted_at_exactly_one_place_of_its_systems() {
    use quorate_systems::SystemKind;
    use quorate_systems::mutant::Mutant;

    let turns = |module: &str, mutant: &Mutant| -> usize {
        let folder = format!("systems/src/{module}");
        let code = sources(&folder)
            .filter(|path| !path.to_string_lossy().contains("test"))
            .map(|path| product_code(&fs::read_to_string(path).unwrap()));
        code.map(|code| code.matches(&format!("deviates(Mutant::{mutant})")).count()).sum()
    };
    for kind in SystemKind::ALL {
        let module = kind.name().replace('-', "_");
        for mutant in Mutant::ALL {
            let expected = usize::from(kind.mutants().any(|own| own == *mutant));
            assert_eq!(turns(&module, mutant), expected, "{mutant} in {module}");
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn sources(folder: &str) -> impl Iterator<Item = PathBuf> {
    let found = files(&root().join(folder), "rs");
    assert!(!found.is_empty(), "{folder}");
    found.into_iter()
}

/// Every file with this extension below a folder, build output and runs left out.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "store" {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

/// A source without its unit tests, which stand at the end of a file.
fn product_code(source: &str) -> String {
    source.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn without_code_blocks(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}
