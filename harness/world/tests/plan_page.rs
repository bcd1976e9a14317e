//! What docs/plan.md shows is read as it says.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::Path;

use quorate_systems::mutant::Mutants;
use quorate_world::registry;

/// What the parts of a plan on the page belong to.
const HEAD: &str = "name = \"mine\"\nseed = 1\nworld = \"sim\"\n";
const SYSTEM: &str = "system = { kind = \"quorum\", nodes = 3 }\n";

#[test]
fn every_example_on_the_page_is_a_plan_or_a_part_of_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.md");
    let page = fs::read_to_string(page).unwrap();
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 9, "every part has one");
    for example in examples {
        let text = match () {
            () if example.starts_with("name = ") => example.to_owned(),
            () if example.starts_with("[system]") => format!("{HEAD}{example}"),
            () => format!("{HEAD}{SYSTEM}{example}"),
        };
        let plan = quorate_plan::from_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let kind = registry::find(&plan.system.kind).unwrap();
        let system = &plan.system;
        registry::promises(kind, system.nodes, &system.options, Mutants::NONE, 1).unwrap();
        assert_eq!(quorate_plan::check_names(&plan, &registry::vocabulary(kind)), Ok(()), "{text}");
    }
}
