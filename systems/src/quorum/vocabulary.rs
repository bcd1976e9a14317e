//! What may be known of the quorum registers without knowing the cores.

use crate::vocabulary::{
    MessageKind, MilestoneSpec, MutantSpec, ObservationKind, OptionSpec, Vocabulary,
};

pub(super) const VOCABULARY: Vocabulary = Vocabulary {
    name: "quorum",
    summary: "read/write registers replicated over quorums: query then update, or lock and commit",
    nodes: 5,
    workloads: &["register"],
    warm_up_ms: 0,
    messages: MESSAGES,
    observations: OBSERVATIONS,
    milestones: MILESTONES,
    options: OPTIONS,
    mutants: MUTANTS,
};

const ABD: &str = "Attiya, Bar-Noy, Dolev 1995; Lynch and Shvartsman 1997";
const LOCK: &str = "Skeen's timestamp agreement with a two-phase commit";
const CHANGE: &str =
    "a joint phase between two configurations, as in Ongaro 2014, and state transfer";
const SERVICE: &str = "at most once per life of a node, after Birrell and Nelson 1984";

const MESSAGES: &[MessageKind] = &[
    MessageKind {
        name: "REQUEST",
        what: "run this operation for me (coordinator=node)",
        route: "client to node",
        source: SERVICE,
        fields: &["key", "value", "seq"],
    },
    MessageKind {
        name: "QUERY",
        what: "what is stored under a key?",
        route: "coordinator to servers",
        source: ABD,
        fields: &["key", "seq", "attempt", "configuration"],
    },
    MessageKind {
        name: "QUERY_OK",
        what: "the durable value and its timestamp",
        route: "server to coordinator",
        source: ABD,
        fields: &["key", "value", "t", "seq", "attempt"],
    },
    MessageKind {
        name: "UPDATE",
        what: "store this unless something newer is stored",
        route: "coordinator to servers",
        source: ABD,
        fields: &["key", "value", "t", "seq", "attempt", "configuration"],
    },
    MessageKind {
        name: "UPDATE_OK",
        what: "it, or something newer, is durable",
        route: "server to coordinator",
        source: ABD,
        fields: &["key", "seq", "attempt"],
    },
    MessageKind {
        name: "PROPOSE",
        what: "vote on a write (protocol=lock)",
        route: "initiator to members",
        source: LOCK,
        fields: &["key", "value", "initiator", "number"],
    },
    MessageKind {
        name: "OK",
        what: "a durable vote: the write's timestamp must be at least this clock",
        route: "member to initiator",
        source: LOCK,
        fields: &["t", "initiator", "number"],
    },
    MessageKind {
        name: "NO",
        what: "a durable refusal: never voted for it, and never will",
        route: "member to initiator, or to the member that asked",
        source: LOCK,
        fields: &["initiator", "number"],
    },
    MessageKind {
        name: "COMMIT",
        what: "the write is decided, with this timestamp",
        route: "initiator, reader or informed member to members",
        source: LOCK,
        fields: &["key", "value", "t", "seq", "attempt"],
    },
    MessageKind {
        name: "COMMIT_OK",
        what: "it, or something newer, is durable",
        route: "member to whoever sent COMMIT",
        source: LOCK,
        fields: &["initiator", "number"],
    },
    MessageKind {
        name: "ABORT",
        what: "the write will never be committed",
        route: "initiator or informed member to members",
        source: LOCK,
        fields: &["initiator", "number"],
    },
    MessageKind {
        name: "TERMINATE",
        what: "how did this write end? I have voted and heard no more",
        route: "member to all nodes",
        source: LOCK,
        fields: &["initiator", "number"],
    },
    MessageKind {
        name: "ANSWER",
        what: "how the operation ended (coordinator=node)",
        route: "node to client",
        source: SERVICE,
        fields: &["value", "seq"],
    },
    MessageKind {
        name: "WRONG_INCARNATION",
        what: "not run: the request is not for this life of the node (coordinator=node)",
        route: "node to client",
        source: SERVICE,
        fields: &["seq", "incarnation"],
    },
    MessageKind {
        name: "WRONG_CONFIG",
        what: "not done: I am in this other configuration",
        route: "server to coordinator or administrator",
        source: CHANGE,
        fields: &["seq", "attempt", "configuration"],
    },
    MessageKind {
        name: "CONFIGURE",
        what: "go over to this configuration, unless you are in a newer one",
        route: "administrator, or a coordinator that was asked for it, to servers",
        source: CHANGE,
        fields: &["seq", "attempt", "configuration"],
    },
    MessageKind {
        name: "CONFIGURE_OK",
        what: "I am in it, durably",
        route: "server to administrator",
        source: CHANGE,
        fields: &["seq", "attempt"],
    },
    MessageKind {
        name: "FETCH",
        what: "which pairs are stored from this key on?",
        route: "administrator to old members",
        source: CHANGE,
        fields: &["key", "seq", "attempt", "configuration"],
    },
    MessageKind {
        name: "FETCH_OK",
        what: "these are, durably",
        route: "old member to administrator",
        source: CHANGE,
        fields: &["seq", "attempt"],
    },
    MessageKind {
        name: "INSTALL",
        what: "store each of these unless something newer is stored",
        route: "administrator to new members",
        source: CHANGE,
        fields: &["seq", "attempt", "configuration"],
    },
    MessageKind {
        name: "INSTALL_OK",
        what: "they, or something newer, are durable",
        route: "new member to administrator",
        source: CHANGE,
        fields: &["seq", "attempt"],
    },
];

const OBSERVATIONS: &[ObservationKind] = &[
    ObservationKind {
        name: "stored",
        what: "a server stored a pair",
        fields: &["key", "t", "value"],
    },
    ObservationKind {
        name: "acknowledged",
        what: "a server acknowledges that it stores this timestamp or a newer one",
        fields: &["key", "t", "seq", "attempt"],
    },
    ObservationKind {
        name: "chosen",
        what: "a coordinator chose the pair to return or to write",
        fields: &["key", "t", "value", "seq", "attempt"],
    },
    ObservationKind {
        name: "completed",
        what: "a coordinator's operation is complete",
        fields: &["key", "t", "value", "seq", "attempt", "configuration"],
    },
    ObservationKind {
        name: "voted",
        what: "a member voted for a write (protocol=lock)",
        fields: &["key", "t", "initiator", "number"],
    },
    ObservationKind {
        name: "refused",
        what: "a member will never vote for a write (protocol=lock)",
        fields: &["initiator", "number"],
    },
    ObservationKind {
        name: "decided",
        what: "the initiator decided to commit (protocol=lock)",
        fields: &["t", "initiator", "number"],
    },
    ObservationKind {
        name: "committed",
        what: "a member took over a commit (protocol=lock)",
        fields: &["t", "initiator", "number"],
    },
    ObservationKind {
        name: "aborted",
        what: "a write will never be committed (protocol=lock)",
        fields: &["initiator", "number"],
    },
    ObservationKind {
        name: "configured",
        what: "a server went over to a configuration",
        fields: &["configuration"],
    },
    ObservationKind {
        name: "adopted",
        what: "the servers in a configuration meet every quorum of the one before",
        fields: &["configuration"],
    },
];

const MILESTONES: &[MilestoneSpec] = &[
    MilestoneSpec {
        name: "query-restarted",
        what: "a coordinator started its query anew in a newer configuration",
    },
    MilestoneSpec {
        name: "update-restarted",
        what: "a coordinator started its update anew, with the same pair, in a newer configuration",
    },
    MilestoneSpec {
        name: "told-by-coordinator",
        what: "a server heard of a configuration from a coordinator first",
    },
    MilestoneSpec {
        name: "interrupted-change-finished",
        what: "an administrator finished a change that another had begun",
    },
    MilestoneSpec { name: "wrote-back", what: "a read made a write quorum hold what it returns" },
    MilestoneSpec {
        name: "write-back-skipped",
        what: "a read found its pair at a write quorum, and returned it at once",
    },
    MilestoneSpec {
        name: "outvoted",
        what: "a read passed over a newer pair that too few servers vouch for (quorum=masking)",
    },
    MilestoneSpec {
        name: "nothing-believed",
        what: "a whole quorum answered, and no pair had enough vouchers (quorum=masking)",
    },
    MilestoneSpec {
        name: "unsigned-refused",
        what: "an answer was passed over for want of a signature (quorum=dissemination)",
    },
    MilestoneSpec {
        name: "reader-waits",
        what: "a member kept a reader waiting for a pending write (protocol=lock)",
    },
    MilestoneSpec {
        name: "late-proposal-refused",
        what: "a member refused a proposal because it had refused or aborted it (protocol=lock)",
    },
    MilestoneSpec {
        name: "outcome-told",
        what: "a member that knew a commit told one that asked (protocol=lock)",
    },
    MilestoneSpec {
        name: "aborted-by-refusals",
        what: "a member aborted a write since those that refuse it leave no quorum (protocol=lock)",
    },
    MilestoneSpec {
        name: "blocked",
        what: "a member asked how a write ended, and nobody could tell (protocol=lock)",
    },
    MilestoneSpec {
        name: "decision-resumed",
        what: "an initiator went on to tell a decision of an earlier life (protocol=lock)",
    },
];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "protocol",
        values: "abd | lock",
        default: "abd",
        what: "query then update, or lock, propose a timestamp and commit",
    },
    OptionSpec {
        name: "coordinator",
        values: "client | node",
        default: "",
        what: "who runs an operation: the client (default with abd), or a node for it (lock always)",
    },
    OptionSpec {
        name: "quorum",
        values: "majority | counts | weighted | grid | grid-symmetric | grid-cover | dissemination \
                 | masking",
        default: "majority",
        what: "how quorums are formed; the last two bear lying nodes",
    },
    OptionSpec {
        name: "read",
        values: "1 to the number of members",
        default: "",
        what: "quorum=counts: size of a read quorum; members + 1 - write unless given",
    },
    OptionSpec {
        name: "write",
        values: "1 to the number of members",
        default: "",
        what: "quorum=counts: size of a write quorum; members + 1 - read, or a majority, unless given",
    },
    OptionSpec {
        name: "weights",
        values: "one number per member, as 3,1,1",
        default: "",
        what: "quorum=weighted: the votes of each member; one each unless given, 0 only observes",
    },
    OptionSpec {
        name: "rows",
        values: "a divisor of the number of members",
        default: "",
        what: "quorum=grid…: how many rows; nearest to a square unless given",
    },
    OptionSpec {
        name: "cols",
        values: "a divisor of the number of members",
        default: "",
        what: "quorum=grid…: how many columns; nearest to a square unless given",
    },
    OptionSpec {
        name: "b",
        values: "from 1",
        default: "",
        what: "quorum=dissemination or masking: how many nodes may lie; as many as fit unless given",
    },
    OptionSpec {
        name: "contact",
        values: "all | quorum",
        default: "all",
        what: "send to every member at once, or first to one quorum drawn at random",
    },
    OptionSpec {
        name: "members",
        values: "numbers of nodes, each once, as 0,1,4",
        default: "",
        what: "who takes part, in the order in which sizes count them; all nodes unless given",
    },
];

const MUTANTS: &[MutantSpec] = &[
    MutantSpec {
        name: "Q01",
        what: "a read returns the highest pair without writing it back",
        source: "Attiya, Bar-Noy, Dolev 1995; scylladb #3696, CASSANDRA-14635",
        breaks: "a read sees a value, a later read an older one",
        flags: "--mutant Q01 --nodes 3 --concurrency 10n --rate 400 -o contact=quorum --faults loss",
    },
    MutantSpec {
        name: "Q03",
        what: "timestamps carry no writer id",
        source: "ailidani/paxi abd/replica.go at 6823d0b",
        breaks: "two concurrent writes share a timestamp, and reads disagree for ever",
        flags: "--mutant Q03 --faults partition",
    },
    MutantSpec {
        name: "Q04",
        what: "a node stores what its own coordinator chose over what it has stored meanwhile",
        source: "ailidani/paxi abd/replica.go at 6823d0b",
        breaks: "of two completed writes, readers see now the one, now the other",
        flags: "--mutant Q04 --nodes 3 --concurrency 10n --rate 400 -o coordinator=node \
                -o contact=quorum --faults delay",
    },
    MutantSpec {
        name: "Q05",
        what: "a write that is not acknowledged in time begins anew, with a fresh timestamp",
        source: "the rule it breaks: one write, one timestamp (Lynch and Shvartsman 1997)",
        breaks: "a value that was overwritten comes back",
        flags: "--mutant Q05 --world sim --nodes 3 --rate 400 --timeout 5s --time-limit 2m --faults loss",
    },
    MutantSpec {
        name: "Q06",
        what: "an update is acknowledged before it is durable",
        source: "the classic of storage; ABD asks servers that crash and recover for stable storage",
        breaks: "a completed write is lost with the power of a server",
        flags: "--mutant Q06 --world sim --nodes 3 --rate 400 --faults power-loss",
    },
    MutantSpec {
        name: "Q08",
        what: "grid: the timestamp query asks the writing row, and two rows never meet",
        source: "a lecture's grid, taken literally: write to a row, query the row written to",
        breaks: "a completed write is overruled by an older one, without any fault",
        flags: "--mutant Q08 --nodes 4 -o quorum=grid -o contact=quorum --faults none",
    },
    MutantSpec {
        name: "Q10",
        what: "half of the votes is taken for a majority",
        source: "Gifford 1979 asks for more than half; integer division forgets it",
        breaks: "both halves of a partition read and write on their own",
        flags: "--mutant Q10 --nodes 6 -o quorum=weighted --faults partition",
    },
    MutantSpec {
        name: "Q11",
        what: "members or weights change without a joint phase and without state transfer",
        source: "scylla 4.2-rc3 (Jepsen 2020), microsoft/CCF #3948, riak_ensemble #7",
        breaks: "an acknowledged write is not seen after the change",
        flags: "--mutant Q11 --nodes 5 -o contact=quorum --faults reconfigure",
    },
    MutantSpec {
        name: "Q15",
        what: "lock: the client is answered when the commit is sent, before the decision is durable",
        source: "a lecture's lock write, which does not say when to answer",
        breaks: "a completed write is aborted when its initiator loses its power",
        flags: "--mutant Q15 --world sim --nodes 3 -o protocol=lock --rate 400 --faults power-loss",
    },
    MutantSpec {
        name: "Q18",
        what: "masking: the highest pair is believed, however few servers vouch for it",
        source: "Malkhi and Reiter 1998 ask for b + 1; a lecture says \"arbitrary failures\"",
        breaks: "a read returns a value that nobody wrote",
        flags: "--mutant Q18 --nodes 5 -o quorum=masking --faults byzantine",
    },
];
