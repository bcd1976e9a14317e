//! What may be known of the quorum registers without knowing the cores.

use crate::vocabulary::{MessageKind, MutantSpec, OptionSpec, Vocabulary};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "quorum",
    summary: "read/write registers replicated over quorums: query, then update",
    nodes: 5,
    workloads: &["register"],
    messages: MESSAGES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const MESSAGES: &[MessageKind] = &[
    MessageKind {
        name: "QUERY",
        what: "what is stored under a key?",
        route: "coordinator to servers",
        source: ABD,
    },
    MessageKind {
        name: "QUERY_OK",
        what: "the durable value and its timestamp",
        route: "server to coordinator",
        source: ABD,
    },
    MessageKind {
        name: "UPDATE",
        what: "store this unless something newer is stored",
        route: "coordinator to servers",
        source: ABD,
    },
    MessageKind {
        name: "UPDATE_OK",
        what: "it, or something newer, is durable",
        route: "server to coordinator",
        source: ABD,
    },
];

const OPTIONS: &[OptionSpec] = &[];

const MUTANTS: &[MutantSpec] = &[
    MutantSpec {
        name: "Q01",
        what: "a read returns the highest pair without writing it back",
        source: "Attiya, Bar-Noy, Dolev 1995; scylladb #3696, CASSANDRA-14635",
        breaks: "a read sees a value, a later one an older value",
        flags: "--mutant Q01 --faults partition",
    },
    MutantSpec {
        name: "Q03",
        what: "timestamps carry no writer id",
        source: "ailidani/paxi abd/replica.go at 6823d0b",
        breaks: "two concurrent writes share a timestamp, and reads disagree for ever",
        flags: "--mutant Q03 --faults partition",
    },
];

const ABD: &str = "Attiya, Bar-Noy, Dolev 1995; Lynch and Shvartsman 1997";
