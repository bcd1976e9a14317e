//! Targets, binaries, corpora and the README agree with each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;

use quorate_fuzz::{TARGETS, Target, tool};

/// Whoever clones the repository gets all of them.
const CORPORA_BYTES_MAX: u64 = 1 << 20;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names() -> BTreeSet<String> {
    TARGETS.iter().map(|target| target.name.to_owned()).collect()
}

#[test]
fn every_target_has_a_name_of_its_own_and_a_binary_of_that_name() {
    let names = names();
    assert_eq!(names.len(), TARGETS.len());
    let manifest: toml::Table =
        fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let binaries = manifest["bin"].as_array().unwrap();
    let listed: BTreeSet<String> =
        binaries.iter().map(|binary| binary["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, names);
    for binary in binaries {
        let name = binary["name"].as_str().unwrap();
        assert_eq!(binary["path"].as_str().unwrap(), format!("targets/{name}.rs"));
        assert!(root().join("targets").join(format!("{name}.rs")).is_file(), "{name}");
    }
}

#[test]
fn every_target_has_a_small_corpus_and_stands_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut bytes = 0;
    for name in names() {
        let folder = root().join("corpus").join(&name);
        let inputs = tool::files(&[folder]).unwrap();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        bytes += inputs.iter().map(|input| fs::metadata(input).unwrap().len()).sum::<u64>();
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the README");
    }
    assert!(bytes < CORPORA_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn nothing_is_kept_for_a_target_that_there_is_not() {
    for kept in ["corpus", "regressions", "dictionaries"] {
        let Ok(entries) = fs::read_dir(root().join(kept)) else { continue };
        for entry in entries {
            let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names().contains(&name), "{kept}/{name}");
        }
    }
}

#[test]
fn seeds_are_the_same_each_time_and_nothing_is_wrong_with_them() {
    thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(|| nothing_is_wrong_with_the_seeds_of(target));
        }
    });
}

fn nothing_is_wrong_with_the_seeds_of(target: &Target) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{}", target.name);
    assert_eq!(seeds, (target.seeds)(), "{}", target.name);
    let names: BTreeSet<&String> = seeds.iter().map(|seed| &seed.name).collect();
    assert_eq!(names.len(), seeds.len(), "{}", target.name);
    for seed in seeds {
        (target.body)(&seed.bytes);
        assert!(!(target.show)(&seed.bytes).is_empty(), "{}: {}", target.name, seed.name);
    }
}
