//! What may be known of Multi-Paxos without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "paxos",
    summary: "a key-value store replicated by Multi-Paxos: one leader, a log of slots, snapshots",
    nodes: 5,
    workloads: &["register", "cas-register", "append", "txn", "set", "counter"],
    // The longest first election, which begins once nobody has been heard.
    warm_up_ms: 600,
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const SYNOD: &str = "Lamport 1998; Lamport 2001, Paxos Made Simple";
const MODERATE: &str = "van Renesse, Altinbuken 2015, Paxos Made Moderately Complex";
const LIVE: &str = "Chandra, Griesemer, Redstone 2007, Paxos Made Live";
const INDEX: &str = "read-index, as in Ongaro 2014, 6.4; leases, as in Gray, Cheriton 1989";
const ONCE: &str = "at most once per request number, after Birrell and Nelson 1984";

const fn message(
    name: &'static str,
    what: &'static str,
    route: &'static str,
    source: &'static str,
    fields: &'static [&'static str],
) -> MessageKind {
    MessageKind { name, what, route, source, fields }
}

const MESSAGES: &[MessageKind] = &[
    message(
        "REQUEST",
        "execute this for me, once",
        "client to node",
        ONCE,
        &["seq", "key", "value"],
    ),
    message(
        "P1A",
        "promise this ballot in all slots, and report those from here on",
        "candidate to acceptors",
        SYNOD,
        &["ballot", "leader", "slot"],
    ),
    message(
        "P1B",
        "promised, durably; this is what I have accepted or know to be decided",
        "acceptor to candidate",
        SYNOD,
        &["ballot", "leader"],
    ),
    message(
        "NACK",
        "that ballot is too low: I have promised this one",
        "acceptor to candidate or leader",
        SYNOD,
        &["ballot", "leader", "promised"],
    ),
    message(
        "P2A",
        "accept this entry in this slot; all slots up to the commit index are decided",
        "leader to acceptors",
        MODERATE,
        &["ballot", "leader", "slot", "commit", "client", "seq", "key", "value"],
    ),
    message(
        "P2B",
        "the P2A of this ballot and slot: accepted, durably (ok = 1), or refused (ok = 0)",
        "acceptor to leader",
        MODERATE,
        &["ballot", "leader", "slot", "ok", "promised"],
    ),
    message(
        "REPLY",
        "executed, once; this came of it",
        "leader to client",
        ONCE,
        &["seq", "value"],
    ),
    message(
        "REDIRECT",
        "I do not lead; as far as I know, this node does",
        "node to client",
        MODERATE,
        &["seq", "leader"],
    ),
    message(
        "RELAY",
        "this client asks me again and again: execute it, and I shall answer",
        "node to leader",
        MODERATE,
        &["client", "seq", "key", "value"],
    ),
    message(
        "HEARTBEAT",
        "I lead; all slots up to the commit index are decided",
        "leader to all nodes",
        INDEX,
        &["ballot", "leader", "round", "commit"],
    ),
    message(
        "HEARTBEAT_OK",
        "when this round reached me I had promised nothing higher; with leases: granted",
        "node to leader",
        INDEX,
        &["ballot", "leader", "round"],
    ),
    message("FETCH", "what is decided from this slot on?", "laggard to any node", LIVE, &["slot"]),
    message("FETCH_OK", "these entries are", "node to laggard", LIVE, &["slot"]),
    message(
        "SNAPSHOT",
        "the state after all slots up to this one, whose entries are gone",
        "node to laggard",
        LIVE,
        &["slot"],
    ),
];

const fn observation(
    name: &'static str,
    what: &'static str,
    fields: &'static [&'static str],
) -> ObservationKind {
    ObservationKind { name, what, fields }
}

const OBSERVATIONS: &[ObservationKind] = &[
    observation("ballot-used", "a candidate begins phase 1", &["ballot", "leader", "slot"]),
    observation("promised", "an acceptor promised a ballot", &["ballot", "leader"]),
    observation("elected", "a candidate leads", &["ballot", "leader", "slot"]),
    observation("proposed", "a leader proposes an entry", &["ballot", "leader", "slot"]),
    observation("accepted", "an acceptor accepted an entry", &["ballot", "leader", "slot"]),
    observation("decided", "a leader has a majority for a slot", &["ballot", "leader", "slot"]),
    observation("learned", "a replica learned what is decided", &["ballot", "leader", "slot"]),
    observation("executed", "a replica executed a slot", &["slot"]),
    observation("snapshot-taken", "a replica cut its log behind its own state", &["slot"]),
    observation("snapshot-installed", "a replica took over another's state", &["slot"]),
    observation("lease-granted", "an acceptor granted a lease", &["ballot", "leader"]),
    observation("lease-taken", "a leader holds a lease", &["ballot", "leader"]),
    observation(
        "read-served",
        "a leader answered a read without the log",
        &["ballot", "leader", "slot"],
    ),
    observation("stepped-down", "a leader or candidate gave up", &["ballot", "leader"]),
];

const MILESTONES: &[MilestoneSpec] = &[
    MilestoneSpec { name: "elected", what: "a candidate had the promises of a majority" },
    MilestoneSpec {
        name: "adopted",
        what: "a new leader proposed again what an earlier one had left undecided",
    },
    MilestoneSpec { name: "hole-filled", what: "a new leader filled a hole with NOOP" },
    MilestoneSpec { name: "late-proposal", what: "an acceptor refused a P2A below its promise" },
    MilestoneSpec {
        name: "foreign-entry",
        what: "a slot was decided where a follower held another ballot's entry: it asked",
    },
    MilestoneSpec {
        name: "ordered-twice",
        what: "a request stood in two slots and was executed once",
    },
    MilestoneSpec { name: "caught-up", what: "a laggard was told decided entries" },
    MilestoneSpec { name: "snapshot-installed", what: "a laggard took over a snapshot" },
    MilestoneSpec { name: "window-full", what: "a request waited, since the window was full" },
    MilestoneSpec {
        name: "relayed",
        what: "a node asked the leader for a client that did not reach it",
    },
    MilestoneSpec { name: "leader-deposed", what: "a leader learned of a higher ballot" },
    MilestoneSpec { name: "leader-alone", what: "a leader gave up, since no majority answered" },
    MilestoneSpec { name: "lease-read", what: "a leader answered a read by its lease" },
    MilestoneSpec { name: "round-read", what: "a leader answered a read after a round" },
    MilestoneSpec {
        name: "vote-withheld",
        what: "an acceptor did not answer a P1A, because of a lease",
    },
];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "reads",
        values: "log | read-index | lease",
        default: "log",
        what: "reads go through the log, or are answered by the leader after a round or by a lease",
    },
    OptionSpec {
        name: "lease_ms",
        values: "1 to 60000, in milliseconds",
        default: "300",
        what: "reads=lease: how long a lease is",
    },
    OptionSpec {
        name: "drift_ppm",
        values: "0 to 999999, in millionths",
        default: "10000",
        what: "reads=lease: by how much clocks may run too fast or too slow",
    },
    OptionSpec {
        name: "window",
        values: "1 to 1024",
        default: "16",
        what: "how many slots may be proposed and not yet decided",
    },
    OptionSpec {
        name: "snapshot_every",
        values: "1 to 4096",
        default: "256",
        what: "how many slots are executed from one snapshot to the next",
    },
];

const MUTANTS: &[MutantSpec] = &[
    MutantSpec {
        name: "P01",
        what: "accepting does not raise the promise",
        source: "Brooker 2021; CASSANDRA-17162",
        breaks: "a slot is decided twice",
        flags: "--mutant P01",
    },
    MutantSpec {
        name: "P02",
        what: "a promise is not durable",
        source: "the classic of storage; Lamport 2001 asks for stable storage",
        breaks: "an acknowledged write is lost after a restart",
        flags: "--mutant P02 --faults power-loss",
    },
    MutantSpec {
        name: "P03",
        what: "an acceptance is not durable",
        source: "the classic of storage; Lamport 2001 asks for stable storage",
        breaks: "an acknowledged write is lost after a restart",
        flags: "--mutant P03 --faults power-loss",
    },
    MutantSpec {
        name: "P05",
        what: "a new leader keeps what it holds itself, whatever others report",
        source: "the rule it breaks: Lamport 2001, P2c",
        breaks: "a decided slot is decided again, otherwise",
        flags: "--mutant P05",
    },
    MutantSpec {
        name: "P06",
        what: "a new leader adopts the first entry reported, not that of the highest ballot",
        source: "omnipaxos 974b7ff, b67716a",
        breaks: "a decided slot is decided again, otherwise",
        flags: "--mutant P06",
    },
    MutantSpec {
        name: "P10",
        what: "answers that come twice count twice",
        source: "the classic; an early penberg/vsr-rs",
        breaks: "a minority decides",
        flags: "--mutant P10",
    },
    MutantSpec {
        name: "P12",
        what: "a refused P2A is answered like an accepted one, with the present ballot",
        source: "ailidani/paxi HandleP2a",
        breaks: "a slot counts as decided that a majority has not accepted",
        flags: "--mutant P12",
    },
    MutantSpec {
        name: "P13",
        what: "a promise leaves out the slots that the acceptor knows to be decided",
        source: "ailidani/paxi HandleP1a",
        breaks: "a decided slot is decided again, otherwise",
        flags: "--mutant P13",
    },
    MutantSpec {
        name: "P14",
        what: "slots are executed when they are decided, past holes",
        source: "josephlewis42/paxos psb.cpp at b7469c5",
        breaks: "replicas execute different histories",
        flags: "--mutant P14",
    },
    MutantSpec {
        name: "P16",
        what: "a leader's own acceptance is enough to decide",
        source: "the classic",
        breaks: "an acknowledged write is lost with its leader",
        flags: "--mutant P16",
    },
    MutantSpec {
        name: "P20",
        what: "a leader answers reads without any proof that it still leads",
        source: "deventlab/d-engine #381, adjoint-io/raft #41",
        breaks: "a read misses a write that another leader has completed",
        flags: "--mutant P20",
    },
    MutantSpec {
        name: "P21",
        what: "a lease is counted from the grant's arrival, with no margin for drift",
        source: "LeaseGuard 2026; yugabyte #16",
        breaks: "a read misses a write that another leader has completed",
        flags: "--mutant P21 -o reads=lease",
    },
    MutantSpec {
        name: "P26",
        what: "a damaged record is taken for the end of the log",
        source: "Alagappan et al. 2018, Protocol-Aware Recovery",
        breaks: "an acknowledged write is lost after a restart",
        flags: "--mutant P26",
    },
    MutantSpec {
        name: "P28",
        what: "a follower believes the commit index whatever ballot its entry is of",
        source: "neon #295, #847; omnipaxos #101, #112",
        breaks: "replicas execute different histories",
        flags: "--mutant P28",
    },
];
