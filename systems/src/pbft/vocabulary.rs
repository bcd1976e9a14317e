//! What may be known of PBFT without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "pbft",
    summary: "a key-value store replicated by Practical Byzantine Fault Tolerance: up to f replicas may lie",
    nodes: 4,
    workloads: &["register", "cas-register", "append", "txn", "set", "counter"],
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const MESSAGES: &[MessageKind] = &[];
const OBSERVATIONS: &[ObservationKind] = &[];
const MILESTONES: &[MilestoneSpec] = &[];
const MUTANTS: &[MutantSpec] = &[];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "f",
        values: "0 to (n - 1) / 3",
        default: "",
        what: "how many replicas may lie; without it as many as n allows",
    },
    OptionSpec {
        name: "authentication",
        values: "signatures | hmac",
        default: "signatures",
        what: "every message is signed, or those of the normal case have a MAC for their receiver",
    },
    OptionSpec {
        name: "reads",
        values: "log | read-only",
        default: "log",
        what: "reads are ordered as writes are, or answered by each replica at once",
    },
    OptionSpec {
        name: "execution",
        values: "committed | tentative",
        default: "committed",
        what: "a batch is executed once it is committed, or once it is prepared",
    },
    OptionSpec {
        name: "batch",
        values: "1 to 256",
        default: "16",
        what: "how many requests may share a sequence number",
    },
    OptionSpec {
        name: "in_flight",
        values: "1 to 1024",
        default: "8",
        what: "how many sequence numbers a primary may have under way",
    },
    OptionSpec {
        name: "checkpoint_every",
        values: "1 to 1024",
        default: "128",
        what: "how many sequence numbers are executed from one checkpoint to the next",
    },
    OptionSpec {
        name: "timeout_ms",
        values: "1 to 60000, in milliseconds",
        default: "400",
        what: "how long a replica waits for a request to be executed before it leaves the view, at first",
    },
];
