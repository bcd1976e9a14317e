//! What may be known of Paxos for System Builders without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "psb",
    summary: "a key-value store replicated as in Paxos for System Builders: any server accepts updates",
    nodes: 5,
    workloads: &["register", "cas-register", "append", "txn", "set", "counter"],
    warm_up_ms: 0,
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const PSB: &str = "Kirsch, Amir 2008, Paxos for System Builders";
const LIVE: &str = "Chandra, Griesemer, Redstone 2007, Paxos Made Live";
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
        "Client_Update",
        "have this ordered and executed, once",
        "client to any server; from there to the leader",
        PSB,
        &["client", "seq", "key", "value"],
    ),
    message(
        "Proposal",
        "accept this entry in this slot",
        "leader to all servers",
        PSB,
        &["view", "slot", "client", "seq", "key", "value"],
    ),
    message("Accept", "accepted, durably", "non-leader to all servers", PSB, &["view", "slot"]),
    message(
        "Reply",
        "executed, once; this came of it",
        "responsible server to client",
        ONCE,
        &["seq", "value"],
    ),
    message(
        "View_Change",
        "I attempt to install this view",
        "server to all servers",
        PSB,
        &["view"],
    ),
    message(
        "VC_Proof",
        "I have installed this view, and executed all slots up to this one",
        "server to all servers",
        PSB,
        &["view", "slot"],
    ),
    message(
        "Prepare",
        "I lead this view and have executed all slots up to this one: what is after it?",
        "leader to all servers",
        PSB,
        &["view", "slot"],
    ),
    message(
        "Prepare_OK",
        "installed, durably; this is what I hold, proposals included",
        "server to leader",
        PSB,
        &["view"],
    ),
    message(
        "Fetch",
        "what is ordered from this slot on?",
        "laggard to any server",
        LIVE,
        &["slot"],
    ),
    message("Fetch_OK", "these entries are", "server to laggard", LIVE, &["slot"]),
    message(
        "Snapshot",
        "the state after all slots up to this one, whose entries are gone",
        "server to laggard",
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
    observation("ballot-used", "a leader prepares its view", &["view", "slot"]),
    observation("promised", "a server installed a view", &["view"]),
    observation("elected", "a leader is in REG_LEADER", &["view", "slot"]),
    observation("proposed", "a leader proposes an entry", &["view", "slot"]),
    observation("accepted", "a server accepted an entry", &["view", "slot"]),
    observation("decided", "a server has counted a majority for a slot", &["view", "slot"]),
    observation("learned", "a server was told what is ordered", &["slot"]),
    observation("executed", "a server executed a slot", &["slot"]),
    observation("snapshot-taken", "a server cut its history behind its own state", &["slot"]),
    observation("snapshot-installed", "a server took over another's state", &["slot"]),
    observation("stepped-down", "a leader gave up its view", &["view"]),
];

const MILESTONES: &[MilestoneSpec] = &[
    MilestoneSpec {
        name: "lost-patience",
        what: "nothing got on for too long: a server attempted the next view",
    },
    MilestoneSpec { name: "joined", what: "a server joined an attempt at a later view" },
    MilestoneSpec {
        name: "went-back",
        what: "a server had attempted a view in vain, and the installed one went on",
    },
    MilestoneSpec {
        name: "pulled",
        what: "a server heard of a later view, that others had installed, without its Prepare",
    },
    MilestoneSpec { name: "elected", what: "a leader had Prepare_OK from a majority" },
    MilestoneSpec {
        name: "adopted",
        what: "a new leader proposed again what an earlier one had left unordered",
    },
    MilestoneSpec { name: "hole-filled", what: "a new leader filled a hole with NOOP" },
    MilestoneSpec {
        name: "late-proposal",
        what: "a server refused a Proposal of an earlier view than the installed one",
    },
    MilestoneSpec { name: "leader-deposed", what: "a leader went to a later view" },
    MilestoneSpec {
        name: "forwarded-again",
        what: "an update was pending for long, and was forwarded to the leader again",
    },
    MilestoneSpec {
        name: "ordered-twice",
        what: "an update stood in two slots and was executed once",
    },
    MilestoneSpec {
        name: "told-again",
        what: "a client asked for an update that had been executed, and was told its result",
    },
    MilestoneSpec { name: "caught-up", what: "a laggard was told ordered entries" },
    MilestoneSpec { name: "snapshot-installed", what: "a laggard took over a snapshot" },
    MilestoneSpec { name: "window-full", what: "an update waited, since the window was full" },
];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "window",
        values: "1 to 512",
        default: "16",
        what: "how many slots may be proposed and not yet ordered",
    },
    OptionSpec {
        name: "snapshot_every",
        values: "1 to 2048",
        default: "256",
        what: "how many slots are executed from one snapshot to the next",
    },
    OptionSpec {
        name: "progress_ms",
        values: "50 to 10000, in milliseconds",
        default: "300",
        what: "how long there may be something to do without progress; doubles up to four times that",
    },
];

const MUTANTS: &[MutantSpec] = &[
    MutantSpec {
        name: "P02",
        what: "an installed view is not durable",
        source: "the classic of storage; the paper syncs here",
        breaks: "an acknowledged write is lost after a restart",
        flags: "--mutant P02 --faults power-loss",
    },
    MutantSpec {
        name: "P03",
        what: "an accepted Proposal is not durable",
        source: "the classic of storage; the paper syncs here",
        breaks: "an acknowledged write is lost after a restart",
        flags: "--mutant P03 --faults power-loss",
    },
    MutantSpec {
        name: "P05",
        what: "a new leader applies no Proposals of other servers' data lists",
        source: "the rule it breaks: Lamport 2001, P2c",
        breaks: "an ordered slot is ordered again, otherwise",
        flags: "--mutant P05",
    },
    MutantSpec {
        name: "P06",
        what: "a new leader keeps the first Proposal it is told, not that of the latest view",
        source: "omnipaxos 974b7ff, b67716a",
        breaks: "an ordered slot is ordered again, otherwise",
        flags: "--mutant P06",
    },
    MutantSpec {
        name: "P10",
        what: "answers that come twice count twice",
        source: "the classic; an early penberg/vsr-rs",
        breaks: "a minority orders",
        flags: "--mutant P10",
    },
    MutantSpec {
        name: "P11",
        what: "Accepts of different views are added up",
        source: "jjzhang/booth #47",
        breaks: "a minority orders",
        flags: "--mutant P11",
    },
    MutantSpec {
        name: "P13",
        what: "a data list leaves out the slots that are known to be ordered",
        source: "ailidani/paxi HandleP1a",
        breaks: "an ordered slot is ordered again, otherwise",
        flags: "--mutant P13",
    },
    MutantSpec {
        name: "P14",
        what: "slots are executed when they are ordered, past holes",
        source: "josephlewis42/paxos psb.cpp at b7469c5",
        breaks: "replicas execute different histories",
        flags: "--mutant P14",
    },
    MutantSpec {
        name: "P16",
        what: "a Proposal is ordered as soon as it is seen",
        source: "the classic",
        breaks: "an acknowledged write is lost with its leader",
        flags: "--mutant P16",
    },
    MutantSpec {
        name: "P19",
        what: "a server answers Prepare, and goes on accepting Proposals of the view before",
        source: "the lecture's recovery case, taken literally",
        breaks: "a slot is ordered twice",
        flags: "--mutant P19",
    },
    MutantSpec {
        name: "P26",
        what: "a damaged record is taken for the end of the log",
        source: "Alagappan et al. 2018, Protocol-Aware Recovery",
        breaks: "an acknowledged write is lost after a restart",
        flags: "--mutant P26",
    },
];
