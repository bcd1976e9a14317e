//! What may be known of PBFT without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "pbft",
    summary: "a key-value store replicated by Practical Byzantine Fault Tolerance: up to f replicas may lie",
    nodes: 4,
    workloads: &["register", "cas-register", "append", "txn", "set", "counter"],
    warm_up_ms: 0,
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const NORMAL: &str = "Castro, Liskov 1999, 4.2";
const CHECKPOINTS: &str = "Castro, Liskov 1999, 4.3";
const CHANGE: &str = "Castro, Liskov 1999, 4.4; Castro, Liskov 2002, 3.2.4";
const CLIENT: &str = "Castro, Liskov 1999, 4.1, 5.1";
const TRANSFER: &str = "Castro, Liskov 2002, 4.6.2, 5.3";
const STARVED: &str = "Berger, Reiser, Bessani 2021: a replica that the primary leaves out";

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
        "execute this for me, once; read_only = 1: answer at once",
        "client to primary, or to all replicas; replica to primary",
        CLIENT,
        &["client", "number", "key", "value", "read_only"],
    ),
    message(
        "PRE-PREPARE",
        "in this view this batch has this sequence number",
        "primary to backups",
        NORMAL,
        &["view", "seq", "digest", "requests", "client", "number", "key", "value"],
    ),
    message(
        "PREPARE",
        "I have taken that, and take no other",
        "backup to all replicas",
        NORMAL,
        &["view", "seq", "digest"],
    ),
    message(
        "COMMIT",
        "a quorum has taken it",
        "replica to all replicas",
        NORMAL,
        &["view", "seq", "digest"],
    ),
    message(
        "REPLY",
        "it ended so; how = 2: committed, 1: tentative, 0: a read at once",
        "replica to client",
        CLIENT,
        &["view", "number", "value", "how"],
    ),
    message(
        "CHECKPOINT",
        "I have executed all up to there, and have this state",
        "replica to all replicas",
        CHECKPOINTS,
        &["seq", "digest"],
    ),
    message(
        "VIEW-CHANGE",
        "I have left all lower views; this is stable, and that is prepared",
        "replica to all replicas",
        CHANGE,
        &["view", "stable", "prepared"],
    ),
    message(
        "NEW-VIEW",
        "a quorum wants this view; it begins with these proposals",
        "new primary to backups",
        CHANGE,
        &["view", "proposals"],
    ),
    message(
        "STATUS",
        "I wait; this is what I have",
        "replica to all replicas",
        TRANSFER,
        &["view", "active", "stable", "executed"],
    ),
    message(
        "COMMITTED",
        "here this is committed",
        "replica to laggard",
        STARVED,
        &["seq", "digest"],
    ),
    message(
        "STABLE",
        "this checkpoint is stable",
        "replica to laggard",
        TRANSFER,
        &["seq", "digest"],
    ),
    message("FETCH", "what batch has this digest?", "replica to replica", TRANSFER, &["digest"]),
    message("FETCHED", "this one", "replica to replica", TRANSFER, &[]),
    message(
        "GETSTATE",
        "what is the state at this checkpoint, or a later one?",
        "laggard to replica",
        TRANSFER,
        &["seq"],
    ),
    message("STATE", "this, and it is stable", "replica to laggard", TRANSFER, &["seq", "digest"]),
];

const fn observation(
    name: &'static str,
    what: &'static str,
    fields: &'static [&'static str],
) -> ObservationKind {
    ObservationKind { name, what, fields }
}

const OBSERVATIONS: &[ObservationKind] = &[
    observation("view-left", "a replica has left all views below this one", &["view"]),
    observation("view-entered", "a replica takes part in a view", &["view"]),
    observation("pre-prepared", "a replica took a proposal", &["view", "seq", "digest"]),
    observation("prepared", "a batch is prepared at a replica", &["view", "seq", "digest"]),
    observation("committed", "a batch is committed at a replica", &["view", "seq", "digest"]),
    observation("learned", "a replica heard of f + 1 what is committed", &["seq", "digest"]),
    observation("executed", "a replica executed a batch", &["seq", "digest"]),
    observation(
        "tentatively-executed",
        "a replica executed a batch that is not committed",
        &["view", "seq", "digest"],
    ),
    observation("checkpoint-taken", "a replica tells of its state", &["seq", "digest"]),
    observation("checkpoint-stable", "a replica goes on from a checkpoint", &["seq", "digest"]),
    observation("state-installed", "a replica took over another's state", &["seq", "digest"]),
    observation("read-served", "a replica answers a read at once", &["seq"]),
    observation("accepted", "a client takes an operation for done", &[]),
];

const fn milestone(name: &'static str, what: &'static str) -> MilestoneSpec {
    MilestoneSpec { name, what }
}

const MILESTONES: &[MilestoneSpec] = &[
    milestone("requests-queued", "requests wait for a sequence number, and will share one"),
    milestone("ordered-twice", "a request stands in two places, and is executed once"),
    milestone("restarted", "a replica takes up what it was before"),
    milestone("read-waits", "a read waits until what clients were told tentatively is committed"),
    milestone("equivocation-seen", "somebody says two things that exclude each other"),
    milestone("forged-request", "a primary proposes what no client asked for"),
    milestone("primary-gave-up", "a primary leaves its view, in which it does not get on"),
    milestone("view-change-joined", "a replica leaves its view since f + 1 others have"),
    milestone("view-change-undecided", "a new primary needs more VIEW-CHANGEs than a quorum"),
    milestone("invalid-view-change", "a VIEW-CHANGE claims what it does not prove"),
    milestone("invalid-new-view", "a NEW-VIEW does not follow from what it rests on"),
    milestone("prepared-carried-over", "a view begins with what an earlier one prepared"),
    milestone("null-proposed", "a view begins with nothing in a sequence number"),
    milestone("null-executed", "a replica executes a batch without requests"),
    milestone("learned-committed", "a replica believes f + 1 others that something is committed"),
    milestone("batch-fetched", "a replica gets a batch of which it knew the digest"),
    milestone("state-installed", "a replica takes over another's state"),
    milestone("reply-outvoted", "a client took an outcome that not all told it"),
    milestone("read-at-once", "a client took a read that was answered at once"),
    milestone(
        "read-ordered",
        "a client asked for a read in the ordinary way, since answers differed",
    ),
    milestone("accepted-tentative", "a client went by answers that are not committed"),
];

const fn mutant(
    name: &'static str,
    what: &'static str,
    source: &'static str,
    breaks: &'static str,
    flags: &'static str,
) -> MutantSpec {
    MutantSpec { name, what, source, breaks, flags }
}

const MUTANTS: &[MutantSpec] = &[
    mutant(
        "B01",
        "a client takes the first reply",
        "the lecture's question how many a client should wait for",
        "a client reads what nobody wrote",
        "--mutant B01 --faults byzantine",
    ),
    mutant(
        "B03",
        "a PREPARE of the primary counts as one of a backup",
        "sawtooth-pbft 180ceed; the lecture's 2f PREPAREs",
        "different batches are prepared at one place",
        "--mutant B03 --faults byzantine",
    ),
    mutant(
        "B04",
        "a quorum is 2f + 1, however many replicas there are",
        "Saltini, Hyland-Wood 2019 on IBFT; the lecture's 2f + 1",
        "replicas execute different histories",
        "--mutant B04 --nodes 6 --faults byzantine,partition",
    ),
    mutant(
        "B05",
        "votes are counted by view and sequence number, whatever their digest",
        "sawtooth-pbft beb1bc2",
        "different batches are prepared at one place",
        "--mutant B05 --faults byzantine",
    ),
    mutant(
        "B06",
        "a second PRE-PREPARE for a place takes that of the first",
        "sawtooth-pbft 55fe359",
        "a replica votes twice for one place",
        "--mutant B06 --faults byzantine",
    ),
    mutant(
        "B08",
        "nobody looks at the signatures of clients",
        "FISCO-BCOS #1990",
        "what nobody asked for is executed",
        "--mutant B08 --faults byzantine",
    ),
    mutant(
        "B12",
        "a VIEW-CHANGE tells nothing of what is prepared",
        "raijin #8",
        "an acknowledged write is lost",
        "--mutant B12",
    ),
    mutant(
        "B13",
        "backups take a NEW-VIEW's proposals as they are",
        "FISCO-BCOS FIB-124, #5168",
        "an acknowledged write is lost",
        "--mutant B13 --faults byzantine,partition",
    ),
    mutant(
        "B14",
        "a NEW-VIEW needs one VIEW-CHANGE less than a quorum",
        "the lecture's 2f VIEW-CHANGEs, the primary's own among them",
        "an acknowledged write is lost",
        "--mutant B14 --faults byzantine,partition",
    ),
    mutant(
        "B15",
        "a new primary proposes what was prepared in the lowest view",
        "the classic",
        "an acknowledged write is lost",
        "--mutant B15",
    ),
    mutant(
        "B17",
        "a new view proposes nothing where nothing was prepared",
        "bluzelle/swarmDB #188",
        "nothing is executed any more",
        "--mutant B17",
    ),
    mutant(
        "B18",
        "a PRE-PREPARE is taken for any sequence number",
        "the rule it breaks: Castro, Liskov 1999, 4.2",
        "nothing is executed any more",
        "--mutant B18 --faults byzantine",
    ),
    mutant(
        "B20",
        "a replica drops its messages at its own checkpoint",
        "the lecture's 2f + 1 checkpoint messages",
        "an acknowledged write is lost",
        "--mutant B20 -o checkpoint_every=4",
    ),
    mutant(
        "B25",
        "replicas forget what they have executed for whom, so that a request is executed each time that it is ordered",
        "the rule it breaks: Castro, Liskov 1999, 4.2",
        "an operation takes effect twice",
        "--mutant B25 --faults duplicate",
    ),
    mutant(
        "B26",
        "a new view's timer is not doubled, and starts with one's own VIEW-CHANGE",
        "sawtooth-pbft b231a02, 6e7305f",
        "views come and go, and nothing is executed",
        "--mutant B26 --faults delay",
    ),
    mutant(
        "B29",
        "nobody tells those who have missed it what is committed",
        "Berger, Reiser, Bessani 2021",
        "a read is never answered",
        "--mutant B29 -o reads=read-only --faults byzantine",
    ),
    mutant(
        "B30",
        "reads need a quorum of replies, and writes only f + 1",
        "the lecture's f + 1 identical responses",
        "a read misses a write that is complete",
        "--mutant B30 -o reads=read-only --faults byzantine",
    ),
    mutant(
        "B31",
        "replicas check a client's own word to them, not its signature",
        "Clement, Wong, Alvisi, Dahlin, Marchetti 2009, Aardvark",
        "a client's lie stops everybody",
        "--mutant B31 -o authentication=hmac --faults byzantine",
    ),
];

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
        name: "replies",
        values: "1 to n - f",
        default: "",
        what: "how many equal replies a client waits for; without it f + 1, or a quorum where some answers come early",
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
