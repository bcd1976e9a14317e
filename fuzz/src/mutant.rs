//! The planted bug that a fuzzer runs with: the environment names it.

use std::sync::OnceLock;

use quorate_systems::mutant::{Mutant, Mutants};

/// The environment variable that names it; the correct system if it is not set, empty or `none`.
pub const MUTANT: &str = "QUORATE_MUTANT";

/// The planted bug that is on, if any. Looked at once.
///
/// # Panics
/// Where no bug has that name: [`check`] says so before it comes to that.
pub fn mutants() -> Mutants {
    static ASKED: OnceLock<Mutants> = OnceLock::new();
    *ASKED.get_or_init(|| asked().unwrap_or_else(|error| panic!("{error}")))
}

/// Ends the process with 254 and a sentence if the environment names a bug that there is not. A fuzzer would take
/// that for a find, and fuzzing the correct system in its place would find nothing, for the wrong reason.
#[expect(clippy::print_stderr, reason = "this is a command line")]
#[expect(clippy::exit, reason = "nothing has begun")]
pub fn check() {
    if let Err(error) = asked() {
        eprintln!("error: {error}");
        std::process::exit(254);
    }
}

fn asked() -> Result<Mutants, String> {
    parse(&std::env::var(MUTANT).unwrap_or_default())
}

fn parse(name: &str) -> Result<Mutants, String> {
    if name.is_empty() || name == "none" {
        return Ok(Mutants::NONE);
    }
    let known = || Mutant::ALL.iter().map(|mutant| mutant.name()).collect::<Vec<_>>().join(", ");
    let mutant = name.parse::<Mutant>();
    let mutant =
        mutant.map_err(|_| format!("{MUTANT}={name}: there is none; there is {}", known()))?;
    Ok(Mutants(Some(mutant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_that_there_is_not_is_answered_with_those_that_there_are() {
        assert_eq!(parse("Q01"), Ok(Mutants(Some(Mutant::Q01))));
        assert_eq!((parse(""), parse("none")), (Ok(Mutants::NONE), Ok(Mutants::NONE)));
        let error = parse("Q99").unwrap_err();
        assert!(error.starts_with("QUORATE_MUTANT=Q99: there is none; there is Q01, "), "{error}");
    }
}
