//! Frames between nodes, of every system.

use std::fmt::Write as _;

use quorate_systems::contract::System;
use quorate_systems::wire;
use quorate_systems::{SystemKind, WithSystem, with_system};

use crate::{Seed, Target};

/// A frame is read or refused; what is read is written as it was.
pub const TARGET: Target = Target {
    name: "frames",
    about: "Frames between nodes, of every system: read or refused, and written as they were read.",
    body,
    seeds,
    show,
};

fn body(bytes: &[u8]) {
    for kind in SystemKind::ALL {
        with_system(*kind, Feed(bytes));
    }
}

/// Bytes for the frames of one system.
struct Feed<'a>(&'a [u8]);

impl WithSystem for Feed<'_> {
    type Out = ();

    fn with<S: System>(self) {
        if let Ok(envelope) = wire::decode::<S::Message>(S::vocabulary(), self.0) {
            let again =
                wire::encode(S::vocabulary(), &envelope).expect("what was read can be written");
            assert_eq!(again, self.0, "not as it was read: {envelope:?}");
        }
    }
}

fn seeds() -> Vec<Seed> {
    Vec::new()
}

fn show(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for kind in SystemKind::ALL {
        let _ = writeln!(shown, "{kind}: {}", with_system(*kind, Show(bytes)));
    }
    shown
}

/// Bytes to be shown as a frame of one system.
struct Show<'a>(&'a [u8]);

impl WithSystem for Show<'_> {
    type Out = String;

    fn with<S: System>(self) -> String {
        match wire::decode::<S::Message>(S::vocabulary(), self.0) {
            Ok(envelope) => format!("{envelope:?}"),
            Err(error) => error.to_string(),
        }
    }
}
