//! Words that people and plans name things by, and the options of systems.

use std::fmt::Debug;
use std::str::FromStr;

use quorate_plan::{Endpoint, FaultChoice, FaultClass};
use quorate_systems::contract::{Lie, NodeId, Options, System};
use quorate_systems::mutant::{Mutant, Mutants};
use quorate_systems::{SystemKind, WithSystem, with_system};

use super::{Numbered, every_system};
use crate::{Seed, Target, memory};

/// A word is a name or it is none, and each thing has one name. Options are taken or refused with a reason, and what a
/// system can change to by its own word, it can.
///
/// The first byte says what the others are: a word; or options, as the number of nodes, a planted bug or none, and lines
/// `name=value`; those behind an empty line are to be changed to.
pub const TARGET: Target = Target {
    name: "words",
    about: "Names of ends, faults, lies, systems and bugs, and options of systems: taken or refused with a reason.",
    body,
    seeds,
    show,
};

/// Sentences about what is wrong quote it.
const HELD_PER_BYTE: usize = 64;

fn body(input: &[u8]) {
    match input.split_first() {
        Some((0, word)) => {
            if let Ok(word) = std::str::from_utf8(word) {
                memory::within(word.len(), HELD_PER_BYTE, || read_word(word));
            }
        }
        Some((_, options)) => {
            for kind in SystemKind::ALL {
                with_system(*kind, Configure(options));
            }
        }
        None => {}
    }
}

fn read_word(word: &str) {
    one_name::<Endpoint>(word, Endpoint::to_string);
    one_name::<FaultClass>(word, FaultClass::to_string);
    one_name::<SystemKind>(word, SystemKind::to_string);
    one_name::<Mutant>(word, Mutant::to_string);
    one_name::<Lie>(word, |lie| lie.name().to_owned());
    if let Some(choice) = word_as::<FaultChoice>(word) {
        assert_eq!(word_as(&choice.to_string()), Some(choice), "{word:?}");
    }
}

fn word_as<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

fn one_name<T: FromStr + Debug>(word: &str, name: impl FnOnce(&T) -> String) {
    if let Some(thing) = word_as::<T>(word) {
        assert_eq!(name(&thing), word, "{thing:?} has another name");
    }
}

/// Nodes, a planted bug, and lines of options; then lines of options to change to.
struct Asked {
    nodes: u16,
    mutants: Mutants,
    options: Options,
    change: Options,
}

impl Asked {
    fn of(input: &[u8]) -> Self {
        let ([nodes, mutant], text) = input.split_first_chunk().unwrap_or((&[3, 0], &[]));
        let text = String::from_utf8_lossy(text);
        let (options, change) = text.split_once("\n\n").unwrap_or((&text, ""));
        // 0 is none of them.
        let mutant = usize::from(*mutant).checked_sub(1).and_then(|place| Mutant::ALL.get(place));
        Self {
            // The largest clusters take long to check: they are for a few inputs.
            nodes: u16::from(if *nodes < 240 { *nodes % 12 } else { *nodes - 236 }),
            mutants: Mutants(mutant.copied()),
            options: lines(options),
            change: lines(change),
        }
    }
}

fn lines(text: &str) -> Options {
    let option = |line: &str| line.split_once('=').map(|(name, value)| (name.into(), value.into()));
    text.lines().filter_map(option).collect()
}

struct Configure<'a>(&'a [u8]);

impl WithSystem for Configure<'_> {
    type Out = ();

    fn with<S: System>(self) {
        let asked = Asked::of(self.0);
        let configure = || S::configure(asked.nodes, &asked.options, asked.mutants);
        let config = match memory::within(self.0.len(), HELD_PER_BYTE, configure) {
            Ok(config) => config,
            Err(error) => return assert!(!error.to_string().is_empty(), "{error:?}"),
        };
        look_at::<S>(&config, &asked);
        if let Err(error) = S::change(&config, &asked.change) {
            assert!(!error.to_string().is_empty(), "{error:?}");
        }
        let mut draws = 0_u64;
        let mut dice = |bound: u64| {
            draws += 1;
            draws.wrapping_mul(0x9E37_79B9_7F4A_7C15) % bound.max(1)
        };
        if let Some(drawn) = S::draw_change(&config, &mut dice) {
            let changed = S::change(&config, &drawn);
            assert!(changed.is_ok(), "{drawn:?} cannot be reached: {changed:?}");
        }
    }
}

/// All that is asked of a configuration.
fn look_at<S: System>(config: &S::Config, asked: &Asked) {
    assert!(!S::functions(config).is_empty());
    let everybody: Vec<NodeId> = (0..asked.nodes).map(NodeId).collect();
    if asked.mutants == Mutants::NONE {
        assert!(S::is_live(config, &everybody), "{:?}: not even all nodes suffice", asked.options);
    }
    assert!(!S::is_live(config, &[]), "{:?}: nobody suffices", asked.options);
    assert!(S::liars_tolerated(config) < asked.nodes.max(1), "{:?}", asked.options);
    let _ = S::signs(config);
}

fn seeds() -> Vec<Seed> {
    struct Drawn;
    impl WithSystem for Drawn {
        type Out = Vec<(String, Vec<u8>)>;

        fn with<S: System>(self) -> Self::Out {
            let drawn = (0..40).map(|seed: u64| {
                let mut draws = seed;
                let mut dice = |bound: u64| {
                    draws = draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
                    (draws >> 33) % bound.max(1)
                };
                let (nodes, options) = S::draw_cluster(&mut dice);
                let config = S::configure(nodes, &options, Mutants::NONE).ok();
                let change = config.and_then(|config| S::draw_change(&config, &mut dice));
                let nodes = u8::try_from(nodes).unwrap_or(u8::MAX);
                let change = text_of(&change.unwrap_or_default());
                let text = format!("{}\n{change}", text_of(&options));
                [&[1, nodes, 0], text.as_bytes()].concat()
            });
            Numbered::new(S::KIND.name()).named("options", drawn).collect()
        }
    }
    let words = ["n0", "c31", "partition,kill", "all", "power-loss", "Q01", "twins", "quorum"];
    let words = words
        .iter()
        .map(|word| Seed { name: format!("word-{word}"), bytes: [&[0], word.as_bytes()].concat() });
    words.chain(every_system(|kind| with_system(kind, Drawn))).collect()
}

fn text_of(options: &Options) -> String {
    let lines = options.iter().flat_map(|(name, value)| [name, "=", value, "\n"]);
    lines.collect()
}

fn show(input: &[u8]) -> String {
    match input.split_first() {
        Some((0, word)) => format!("word {:?}", String::from_utf8_lossy(word)),
        Some((_, options)) => {
            struct Show<'a>(&'a [u8]);
            impl WithSystem for Show<'_> {
                type Out = String;

                fn with<S: System>(self) -> String {
                    let Asked { nodes, mutants, options, change } = Asked::of(self.0);
                    let config = S::configure(nodes, &options, mutants);
                    let asked = format!("{nodes} nodes, {mutants:?}, {options:?}, {change:?}");
                    let changed = config.as_ref().map(|config| S::change(config, &change));
                    let changed = changed.map(|config| format!("{config:?}")).unwrap_or_default();
                    format!("{asked}:\n{config:?}\nchanged to {changed}")
                }
            }
            let shown = SystemKind::ALL.iter().map(|kind| with_system(*kind, Show(options)));
            shown.collect::<Vec<_>>().join("\n")
        }
        None => String::new(),
    }
}
