//! What may be known of single-decree Paxos without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "paxos-single",
    summary: "consensus on one value for each key, by proposers, acceptors and learners",
    nodes: 3,
    workloads: &["consensus"],
    warm_up_ms: 0,
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const PMS: &str = "Lamport 2001, section 2.2";
const LEARNING: &str = "Lamport 2001, section 2.3";
const SERVICE: &str = "a proposer at a node, as Lamport 2001, section 2.4, has it";

const MESSAGES: &[MessageKind] = &[
    MessageKind {
        name: "REQUEST",
        what: "propose this for me, or read what is decided (proposer=node)",
        route: "client to node",
        source: SERVICE,
        fields: &["key", "value", "seq"],
    },
    MessageKind {
        name: "PREPARE",
        what: "promise to accept nothing below this number",
        route: "proposer to acceptors",
        source: PMS,
        fields: &["key", "round", "node"],
    },
    MessageKind {
        name: "PREPARE_OK",
        what: "promised, durably; this was accepted before",
        route: "acceptor to proposer",
        source: PMS,
        fields: &["key", "round", "node", "value", "accepted"],
    },
    MessageKind {
        name: "ACCEPT",
        what: "accept this value with this number",
        route: "proposer to acceptors",
        source: PMS,
        fields: &["key", "round", "node", "value"],
    },
    MessageKind {
        name: "ACCEPT_OK",
        what: "accepted, durably",
        route: "acceptor to proposer and learners",
        source: PMS,
        fields: &["key", "round", "node", "value"],
    },
    MessageKind {
        name: "NACK",
        what: "not done: a higher number was promised",
        route: "acceptor to proposer",
        source: PMS,
        fields: &["key", "round", "node", "promised"],
    },
    MessageKind {
        name: "LEARN",
        what: "what is decided? I have missed it",
        route: "learner to learners",
        source: LEARNING,
        fields: &["key"],
    },
    MessageKind {
        name: "DECIDED",
        what: "this is: a majority has accepted it with this number",
        route: "learner to learner",
        source: LEARNING,
        fields: &["key", "round", "node", "value"],
    },
    MessageKind {
        name: "ANSWER",
        what: "how the operation ended (proposer=node)",
        route: "node to client",
        source: SERVICE,
        fields: &["value", "seq"],
    },
];

const OBSERVATIONS: &[ObservationKind] = &[
    ObservationKind {
        name: "submitted",
        what: "a client was asked to propose a value",
        fields: &["key", "value"],
    },
    ObservationKind {
        name: "promised",
        what: "an acceptor promised a number",
        fields: &["key", "round", "node"],
    },
    ObservationKind {
        name: "accepted",
        what: "an acceptor accepted a value",
        fields: &["key", "round", "node", "value"],
    },
    ObservationKind {
        name: "proposed",
        what: "a proposer has its promises, and begins phase 2",
        fields: &["key", "round", "node", "value"],
    },
    ObservationKind {
        name: "decided",
        what: "a proposer or a learner knows that a value is decided",
        fields: &["key", "round", "node", "value"],
    },
];

const MILESTONES: &[MilestoneSpec] = &[
    MilestoneSpec {
        name: "adopted-accepted-value",
        what: "a proposer found a value accepted, and proposes it in place of its own",
    },
    MilestoneSpec { name: "outbid", what: "a proposer met a higher number, for the first time" },
    MilestoneSpec {
        name: "duelling",
        what: "a proposer met a higher number, not for the first time",
    },
    MilestoneSpec {
        name: "nothing-accepted",
        what: "a read found a majority that has accepted nothing",
    },
    MilestoneSpec {
        name: "re-acknowledged",
        what: "an acceptor acknowledged again what it had accepted before",
    },
    MilestoneSpec {
        name: "learned-late",
        what: "a learner that had missed a decision was told by another",
    },
];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "proposer",
        values: "node | client",
        default: "node",
        what: "who proposes: a node for its clients, or each client itself",
    },
    OptionSpec {
        name: "acceptors",
        values: "numbers of nodes, each once, as 0,1,4",
        default: "",
        what: "who promises and accepts; all nodes unless given",
    },
    OptionSpec {
        name: "learners",
        values: "numbers of nodes, each once, as 0,1,4",
        default: "",
        what: "who learns what is decided, beside the proposer; all nodes unless given",
    },
    OptionSpec {
        name: "backoff",
        values: "on | off",
        default: "on",
        what: "whether a proposer that was outbid waits, at random and longer each time, or bids at once",
    },
    OptionSpec {
        name: "rules",
        values: "paxos | slide | first-proposal",
        default: "paxos",
        what: "Lamport's, a lecture's pseudo-code to the letter, or a straw man: first come, first accepted",
    },
    OptionSpec {
        name: "lines",
        values: "numbers from 1 to 5, each once, as 1,4",
        default: "",
        what: "rules=slide: which of F-P1 to F-P5 are taken to the letter; all unless given",
    },
];

const MUTANTS: &[MutantSpec] = &[
    MutantSpec {
        name: "P01",
        what: "ACCEPT does not raise the promise",
        source: "Brooker 2021, \"The bug in Paxos made simple\"; CASSANDRA-17162",
        breaks: "a late proposal overwrites what is decided, and another value is decided",
        flags: "--mutant P01 --world sim --nodes 3 -o proposer=client --faults loss,delay",
    },
    MutantSpec {
        name: "P02",
        what: "a promise is answered before it is durable",
        source: "the classic of storage; a lecture that does not say what is durable",
        breaks: "an acceptor that lost its power accepts what it promised not to",
        flags: "--mutant P02 --world sim --nodes 3 --faults power-loss",
    },
    MutantSpec {
        name: "P03",
        what: "an acceptance is answered before it is durable",
        source: "the classic of storage; a lecture that does not say what is durable",
        breaks: "a decision is forgotten with the power of an acceptor, and another value is decided",
        flags: "--mutant P03 --world sim --nodes 3 --faults power-loss",
    },
    MutantSpec {
        name: "P05",
        what: "a proposer keeps its own value, whatever was accepted before",
        source: "the rule it breaks: Lamport 2001, section 2.2, phase 2 (a)",
        breaks: "two values are decided",
        flags: "--mutant P05 --world sim --nodes 3 -o proposer=client --faults none",
    },
    MutantSpec {
        name: "P06",
        what: "a proposer takes the first value that it is told, not that with the highest number",
        source: "omnipaxos 974b7ff, b67716a: a leader that did not adopt the maximum",
        breaks: "two values are decided",
        flags: "--mutant P06 --world sim --nodes 3 --rate 400 --ops-per-key 8 --time-limit 2m \
                --faults loss,partition",
    },
    MutantSpec {
        name: "P07",
        what: "two proposers can choose the same number",
        source: "a lecture's \"select myn > np\"; Tencent/phxpaxos #145",
        breaks: "two values are accepted with one number, and both decided",
        flags: "--mutant P07 --world sim --nodes 3 -o proposer=client --faults delay",
    },
    MutantSpec {
        name: "P09",
        what: "a PREPARE_OK counts for whatever number its proposer has by now",
        source: "luohaha/MyPaxos #18; a lecture's PREPARE_OK without a number",
        breaks: "a proposer counts promises that it was not given, and two values are decided",
        flags: "--mutant P09 --world sim --nodes 3 --faults delay",
    },
    MutantSpec {
        name: "P10",
        what: "answers are counted, not those who answer",
        source: "an early vsr-rs; a lecture's \"ACCEPT_OK from majority\"",
        breaks: "a duplicate makes a majority of one acceptor",
        flags: "--mutant P10 --world sim --nodes 3 -o proposer=client --faults duplicate",
    },
    MutantSpec {
        name: "P11",
        what: "a learner adds up the acceptances of different numbers",
        source: "jjzhang/booth #47; a lecture's \"ACCEPT_OK from majority\"",
        breaks: "a value counts as decided that was never accepted by a majority at once",
        flags: "--mutant P11 --world sim --nodes 5 --faults loss,partition",
    },
    MutantSpec {
        name: "P19",
        what: "an acceptor tells a new proposer what it has accepted, and promises nothing",
        source: "a lecture's recovery: nodes answer the new leader and still take the old one's proposals",
        breaks: "an older proposal is accepted behind the back of a newer one, and two values are decided",
        flags: "--mutant P19 --world sim --nodes 3 --faults loss,delay",
    },
];
