//! What may be known of Viewstamped Replication without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "vr",
    summary: "a key-value store replicated by Viewstamped Replication: a primary for each view, epochs, \
              checkpoints",
    nodes: 5,
    workloads: &["register", "cas-register", "append", "txn", "set", "counter"],
    warm_up_ms: 0,
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const NORMAL: &str = "Liskov, Cowling 2012, VR Revisited, 4.1";
const CHANGE: &str = "Liskov, Cowling 2012, VR Revisited, 4.2";
const RECOVERY: &str = "Liskov, Cowling 2012, VR Revisited, 4.3";
const CHECKPOINTS: &str = "Liskov, Cowling 2012, VR Revisited, 5.1";
const TRANSFER: &str = "Liskov, Cowling 2012, VR Revisited, 5.2; Vanlightly 2022";
const LEASES: &str = "Liskov, Cowling 2012, VR Revisited, 6.3; Gray, Cheriton 1989";
const EPOCHS: &str = "Liskov, Cowling 2012, VR Revisited, 7";
const ELSEWHERE: &str = "Liskov, Cowling 2012, VR Revisited, 4: clients that ask the wrong replica";

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
        "client to primary",
        NORMAL,
        &["epoch", "seq", "key", "value"],
    ),
    message(
        "PREPARE",
        "append this; all up to the commit-number is committed",
        "primary to backups",
        NORMAL,
        &["view", "epoch", "op", "commit", "client", "seq", "key", "value"],
    ),
    message(
        "PREPAREOK",
        "I have all up to this op-number in my log of the view",
        "backup to primary",
        NORMAL,
        &["view", "epoch", "op"],
    ),
    message(
        "REPLY",
        "executed; committed = 0: prepared only, and f others must say the same",
        "primary to client; with replies=prepare every replica",
        NORMAL,
        &["view", "epoch", "op", "seq", "value", "committed"],
    ),
    message(
        "COMMIT",
        "I lead; all up to the commit-number is committed",
        "primary to backups",
        NORMAL,
        &["view", "epoch", "round", "commit"],
    ),
    message(
        "COMMIT_OK",
        "when this round reached me I was in its view; with leases: granted",
        "backup to primary",
        LEASES,
        &["view", "epoch", "round"],
    ),
    message(
        "REDIRECT",
        "I do not lead; this is my view",
        "backup to client",
        ELSEWHERE,
        &["seq", "view", "epoch"],
    ),
    message(
        "RELAY",
        "this client asks me again and again: execute it, and I shall answer",
        "backup to primary",
        ELSEWHERE,
        &["client", "seq", "key", "value"],
    ),
    message(
        "RELAYREPLY",
        "this came of what you passed on",
        "primary to witness",
        ELSEWHERE,
        &["client", "seq"],
    ),
    message(
        "STARTVIEWCHANGE",
        "I want this view; left = 1: I have left all lower ones",
        "replica to all replicas",
        CHANGE,
        &["view", "epoch", "left"],
    ),
    message(
        "DOVIEWCHANGE",
        "I have left all lower views, and this is my log",
        "replica to the primary of the new view",
        CHANGE,
        &["view", "epoch", "last_normal", "op", "commit"],
    ),
    message(
        "STARTVIEW",
        "the view begins with this log",
        "new primary to backups",
        CHANGE,
        &["view", "epoch", "op", "commit"],
    ),
    message(
        "GETSTARTVIEW",
        "with what log did this view begin?",
        "replica to the primary of its view",
        CHANGE,
        &["view", "epoch"],
    ),
    message(
        "RECOVERY",
        "I have forgotten everything",
        "recovering replica to all others",
        RECOVERY,
        &["view", "epoch"],
    ),
    message(
        "RECOVERYRESPONSE",
        "I am in this view; from its primary with the log",
        "replica to recovering replica",
        RECOVERY,
        &["view", "epoch", "op", "commit"],
    ),
    message(
        "GETSTATE",
        "what does the log of this view have after this op-number?",
        "laggard to any replica",
        TRANSFER,
        &["view", "epoch", "op", "joining"],
    ),
    message(
        "NEWSTATE",
        "this, and so much of it is committed",
        "replica to laggard",
        TRANSFER,
        &["view", "epoch", "op", "commit"],
    ),
    message(
        "GETCHECKPOINT",
        "what state do all requests up to this op-number come to?",
        "laggard to any replica",
        CHECKPOINTS,
        &["op"],
    ),
    message(
        "CHECKPOINT",
        "this, up to this op-number or a later one",
        "replica to laggard",
        CHECKPOINTS,
        &["op"],
    ),
    message(
        "RECONFIGURATION",
        "end this epoch; these are the replicas of the next",
        "administrator to primary",
        EPOCHS,
        &["epoch", "seq"],
    ),
    message(
        "STARTEPOCH",
        "this epoch begins after this op-number",
        "replica of the old epoch to replicas of the new one",
        EPOCHS,
        &["view", "epoch", "op"],
    ),
    message(
        "EPOCHSTARTED",
        "I have begun with this epoch",
        "replica of the new epoch to replicas of the old one",
        EPOCHS,
        &["epoch"],
    ),
    message(
        "NEWEPOCH",
        "your epoch is over; these are the replicas now",
        "node to client",
        EPOCHS,
        &["seq", "view", "epoch"],
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
    observation("status", "a replica has another status or view", &["view", "epoch"]),
    observation("appended", "a replica appended an entry of its view", &["view", "epoch", "op"]),
    observation(
        "adopted",
        "a replica took the log of a view for its own",
        &["view", "epoch", "op"],
    ),
    observation("view-started", "a primary begins its view", &["view", "epoch"]),
    observation("committed", "a primary knows what is committed", &["view", "epoch", "op"]),
    observation("learned", "a replica learned what is committed", &["view", "epoch", "op"]),
    observation("executed", "a replica executed an entry", &["op"]),
    observation("checkpoint-taken", "a replica put its state in place of the log", &["op"]),
    observation("checkpoint-installed", "a replica took over another's state", &["op"]),
    observation("released", "a witness dropped what all others have", &["op"]),
    observation(
        "lease-granted",
        "a replica will not vote for others for a while",
        &["view", "epoch"],
    ),
    observation("lease-taken", "a primary holds a lease", &["view", "epoch"]),
    observation("read-served", "a primary answers a read by its lease", &["view", "epoch", "op"]),
    observation("epoch-ended", "a replica's epoch is over", &["view", "epoch", "op"]),
    observation(
        "accepted",
        "a client takes f + 1 equal answers for an outcome",
        &["view", "epoch", "op"],
    ),
];

const fn milestone(name: &'static str, what: &'static str) -> MilestoneSpec {
    MilestoneSpec { name, what }
}

const MILESTONES: &[MilestoneSpec] = &[
    milestone(
        "tail-carried-over",
        "a new view began with entries that were not known to be committed",
    ),
    milestone("tail-dropped", "a replica lost entries that it had prepared, by a new view"),
    milestone("own-log-outvoted", "a new primary took another's log for its view"),
    milestone("early-prepare", "a PREPARE waited for one before it"),
    milestone("state-transfer", "a replica began a state transfer"),
    milestone("state-transferred", "a replica got what it lacked"),
    milestone("checkpoint-installed", "a replica took over another's checkpoint"),
    milestone("transfer-abandoned", "a replica left a state transfer for a view change"),
    milestone("start-view-asked", "a replica asked how its view began"),
    milestone("start-view-again", "a STARTVIEW came again"),
    milestone("recovered", "a replica that had forgotten everything recovered"),
    milestone("former-life-refused", "a message of an earlier life was thrown away"),
    milestone("recovery-too-low", "a replica left its view for that of one that recovers"),
    milestone("primary-alone", "a primary that nobody answered gave up"),
    milestone("primary-restarted", "a primary that had been away gave up its view"),
    milestone("window-full", "a request waited for room in the window"),
    milestone("relayed", "a backup passed a request on to the primary"),
    milestone("ordered-twice", "a request stood in the log twice, and took effect once"),
    milestone("rolled-back", "a speculative execution was taken back"),
    milestone("accepted-prepared", "a client went by f + 1 equal answers"),
    milestone("lease-read", "a read was answered by a lease"),
    milestone("lease-read-waited", "a read by a lease waited for what was prepared"),
    milestone("round-read", "a read was answered by a round that confirmed the primary"),
    milestone("lease-withheld", "a DOVIEWCHANGE waited for a lease to run out"),
    milestone("witness-stored", "a witness stored an entry, since another replica was away"),
    milestone("witness-released", "a witness dropped entries that all others have"),
    milestone("epoch-ended", "an epoch ended"),
    milestone("epoch-joined", "a replica got the state of a new epoch"),
    milestone("epoch-left", "a replica that is in the new epoch no more was let go"),
];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "members",
        values: "names of nodes with commas between them",
        default: "",
        what: "the replicas at the beginning; without it all nodes",
    },
    OptionSpec {
        name: "persistence",
        values: "durable | durable-view | crash-vector | paper",
        default: "durable",
        what: "what survives a crash: all; the view; nothing, with crash vectors; nothing, as in the paper (unsafe)",
    },
    OptionSpec {
        name: "replies",
        values: "commit | prepare",
        default: "commit",
        what: "the primary answers what is committed, or all replicas what they have prepared",
    },
    OptionSpec {
        name: "reads",
        values: "log | lease",
        default: "log",
        what: "reads go through the log, or are answered by the primary while it has a lease",
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
        name: "witnesses",
        values: "no | yes",
        default: "no",
        what: "f + 1 replicas execute, the others store only what those may lack",
    },
    OptionSpec {
        name: "window",
        values: "1 to 1024",
        default: "16",
        what: "how many op-numbers may be prepared and not yet committed",
    },
    OptionSpec {
        name: "checkpoint_every",
        values: "1 to 4096",
        default: "256",
        what: "how many op-numbers are executed from one checkpoint to the next",
    },
];

const MUTANTS: &[MutantSpec] = &[
    MutantSpec {
        name: "V01",
        what: "a new primary takes the longest log, whatever view it is of",
        source: "the lecture's double booking slide; neon #847",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V01",
    },
    MutantSpec {
        name: "V02",
        what: "a state transfer begins by dropping what is not known to be committed",
        source: "VR Revisited, 5.2; Vanlightly 2022",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V02",
    },
    MutantSpec {
        name: "V03",
        what: "a state transfer begins by taking on the new view, before its log has come",
        source: "Vanlightly, vsr-tlaplus 04108cf",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V03",
    },
    MutantSpec {
        name: "V06",
        what: "a recovering replica takes answers to an earlier question",
        source: "the rule it breaks: VR Revisited, 4.3",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V06 -o persistence=durable-view",
    },
    MutantSpec {
        name: "V07",
        what: "a replica without a disk forgets what it vowed in a view change",
        source: "VR Revisited, 4.3; Michael, Ports, Sharma, Szekeres 2017",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V07 -o persistence=crash-vector",
    },
    MutantSpec {
        name: "V10",
        what: "a STARTVIEW or NEWSTATE lowers the commit-number",
        source: "the classic; apache/iggy #4191",
        breaks: "a replica takes back what it knew to be committed",
        flags: "--mutant V10",
    },
    MutantSpec {
        name: "V11",
        what: "a PREPARE is appended wherever the log ends",
        source: "the classic",
        breaks: "replicas execute different histories",
        flags: "--mutant V11 --faults reorder",
    },
    MutantSpec {
        name: "V12",
        what: "a PREPAREOK counts for one op-number, and those are committed in any order",
        source: "penberg/vsr-rs at ed62654",
        breaks: "replicas execute different histories",
        flags: "--mutant V12 --faults loss",
    },
    MutantSpec {
        name: "V15",
        what: "a view change empties the table of clients",
        source: "VR Revisited has it; the lecture leaves it out",
        breaks: "an operation takes effect twice",
        flags: "--mutant V15",
    },
    MutantSpec {
        name: "V16",
        what: "a request counts as known from its PREPARE on, also once a view change has dropped it",
        source: "UWSysLab/tapir #16",
        breaks: "a client is never answered",
        flags: "--mutant V16 --world sim",
    },
    MutantSpec {
        name: "V19",
        what: "a DOVIEWCHANGE says how long the log is, and does not carry it",
        source: "apache/iggy #3824",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V19",
    },
    MutantSpec {
        name: "V20",
        what: "a damaged record counts as one that was never written",
        source: "tigerbeetle #645, #618, #2385",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V20 --faults flipped-bit,kill",
    },
    MutantSpec {
        name: "V23",
        what: "a primary answers reads without a lease",
        source: "the lecture's slide on reads",
        breaks: "a read misses a write that another primary has completed",
        flags: "--mutant V23",
    },
    MutantSpec {
        name: "V24",
        what: "a replica votes in a view change while its lease lasts",
        source: "the lecture; LeaseGuard 2026",
        breaks: "a read misses a write that another primary has completed",
        flags: "--mutant V24 -o reads=lease",
    },
    MutantSpec {
        name: "V25",
        what: "a client counts answers of different views and op-numbers as equal",
        source: "the lecture's slide on three messages",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V25 -o replies=prepare",
    },
    MutantSpec {
        name: "V26",
        what: "a leased read waits for what was committed when it came, not for what was prepared",
        source: "the lecture's two optimisations together",
        breaks: "a read misses a write that is complete",
        flags: "--mutant V26 -o replies=prepare -o reads=lease",
    },
    MutantSpec {
        name: "V27",
        what: "a witness acknowledges and votes without storing anything",
        source: "the lecture's slide on witnesses",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V27 -o witnesses=yes",
    },
    MutantSpec {
        name: "V31",
        what: "a STARTVIEW that comes again is taken again",
        source: "VR Revisited, 4.2, to the letter",
        breaks: "an acknowledged write is lost",
        flags: "--mutant V31 --faults duplicate",
    },
];
