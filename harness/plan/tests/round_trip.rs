//! Whatever a plan holds, it is the same after being written and read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use quorate_plan::{
    Act, CLIENT_LIES, Delay, Disk, Durations, Endpoint, Expectation, Fault, Function, Grudge, LIES,
    Liveness, MessageMatch, Moment, NodeMatch, ObservationMatch, OperationMatch, PartitionShape,
    Plan, PlannedFault, PlannedOperation, Rule, Script, ScriptedOperation, SystemPlan, TraceEntry,
    TraceStep, VALUE_MAX, ValueChoice, Weather, Workload, WorldKind, from_json, from_toml, to_toml,
};

const NODES: u16 = 4;
const CLIENTS: u32 = 3;

fn node() -> impl Strategy<Value = u16> {
    0..NODES
}

fn nodes() -> impl Strategy<Value = BTreeSet<u16>> {
    btree_set(node(), 1..4)
}

fn clients() -> impl Strategy<Value = BTreeSet<u32>> {
    btree_set(0..CLIENTS, 1..3)
}

fn client() -> impl Strategy<Value = Endpoint> {
    (0..CLIENTS).prop_map(Endpoint::Client)
}

fn end() -> impl Strategy<Value = Endpoint> {
    prop_oneof![node().prop_map(Endpoint::Node), client()]
}

fn ends() -> impl Strategy<Value = BTreeSet<Endpoint>> {
    btree_set(end(), 1..4)
}

fn is_link(from: Endpoint, to: Endpoint) -> bool {
    from != to && !matches!((from, to), (Endpoint::Client(_), Endpoint::Client(_)))
}

fn fields() -> impl Strategy<Value = BTreeMap<String, u64>> {
    btree_map(prop_oneof![Just("key".to_owned()), Just("t".to_owned())], any::<u64>(), 0..3)
}

fn name() -> impl Strategy<Value = Option<String>> {
    // Also what TOML must quote or escape.
    option::of(prop_oneof![Just("UPDATE_OK".to_owned()), "[ -~]{1,8}", "\\PC{1,4}"])
}

fn nth() -> impl Strategy<Value = Option<u64>> {
    option::of(1..1_000_000_000_u64)
}

fn message() -> BoxedStrategy<MessageMatch> {
    let links = (option::of(end()), option::of(end()));
    let links = links.prop_map(|(from, to)| match (from, to) {
        (Some(from), Some(to)) if !is_link(from, to) => (Some(from), None),
        link => link,
    });
    (name(), links, fields(), nth())
        .prop_map(|(kind, (from, to), fields, nth)| MessageMatch { kind, from, to, fields, nth })
        .boxed()
}

fn observation() -> BoxedStrategy<ObservationMatch> {
    (option::of(end()), name(), fields(), nth())
        .prop_map(|(by, name, fields, nth)| ObservationMatch { by, name, fields, nth })
        .boxed()
}

fn function() -> impl Strategy<Value = Function> {
    prop::sample::select(Function::ALL)
}

fn operation() -> BoxedStrategy<OperationMatch> {
    let f = option::of(function().prop_map(|f| f.name().to_owned()));
    (option::of(client()), f, option::of(any::<u64>()), nth())
        .prop_map(|(client, f, key, nth)| OperationMatch { client, f, key, nth })
        .boxed()
}

fn node_match() -> impl Strategy<Value = NodeMatch> {
    (option::of(node()), nth()).prop_map(|(node, nth)| NodeMatch { node, nth })
}

fn moment() -> BoxedStrategy<Moment> {
    prop_oneof![
        (0..1_000_u64).prop_map(Moment::AtMs),
        message().prop_map(Moment::Sent),
        message().prop_map(Moment::Delivered),
        observation().prop_map(Moment::Observed),
        operation().prop_map(Moment::Invoked),
        operation().prop_map(Moment::Completed),
        node_match().prop_map(Moment::Started),
        node_match().prop_map(Moment::Crashed),
    ]
    .boxed()
}

fn part() -> impl Strategy<Value = PlannedOperation> {
    (0..6, any::<u64>(), 0..=VALUE_MAX, 0..=VALUE_MAX).prop_map(|(kind, key, value, expected)| {
        match kind {
            0 => PlannedOperation::Read { key },
            1 => PlannedOperation::Write { key, value },
            2 => PlannedOperation::Cas { key, expected, value },
            3 => PlannedOperation::Append { key, value },
            4 => PlannedOperation::Delete { key },
            _ => PlannedOperation::Add { key, value },
        }
    })
}

fn scripted() -> impl Strategy<Value = ScriptedOperation> {
    let operation = prop_oneof![
        3 => part(),
        1 => vec(part(), 1..4).prop_map(PlannedOperation::Transaction),
    ];
    (operation, option::of(moment()))
        .prop_map(|(operation, when)| ScriptedOperation::of(&operation, when))
}

fn scripts() -> BoxedStrategy<Vec<Script>> {
    btree_map(0..CLIENTS, vec(scripted(), 0..4), 0..3)
        .prop_map(|scripts| {
            let scripts = scripts.into_iter();
            scripts.map(|(client, operations)| Script { client, operations }).collect()
        })
        .boxed()
}

fn weather() -> BoxedStrategy<Weather> {
    let span = || (0..60_000_u64, 0..60_000_u64).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let delay = prop_oneof![
        (0..60_000_u64).prop_map(|us| Delay::Constant { us }),
        span().prop_map(|(min_us, max_us)| Delay::Uniform { min_us, max_us }),
        (1..60_000_u64).prop_map(|mean_us| Delay::Exponential { mean_us }),
        (1..100_000_u64, 1..=16_u8, any::<u8>())
            .prop_map(|(base_us, ranks, changes)| Delay::Priorities { base_us, ranks, changes }),
    ];
    (delay, 0..=1_000_u16, 0..=1_000_u16, span())
        .prop_map(|(delay, loss, duplicate, sync)| Weather {
            delay,
            loss_per_mille: loss,
            duplicate_per_mille: duplicate,
            sync_min_us: sync.0,
            sync_max_us: sync.1,
        })
        .boxed()
}

fn partition() -> BoxedStrategy<Fault> {
    let shape = prop::sample::select(PartitionShape::ALL);
    (shape, btree_map(end(), ends(), 0..4))
        .prop_map(|(shape, mut grudge): (_, Grudge)| {
            for (to, dropped) in &mut grudge {
                dropped.retain(|from| is_link(*from, *to));
            }
            grudge.entry(Endpoint::Node(0)).or_default().insert(Endpoint::Node(1));
            Fault::Partition { shape, grudge }
        })
        .boxed()
}

fn fault() -> BoxedStrategy<Fault> {
    let mille = || 1..=1_000_u16;
    let span = || 1..60_000_u64;
    let disk = prop::sample::select(&[Disk::Full, Disk::IoError, Disk::FlippedBit, Disk::CutTail]);
    let options = btree_map("[a-z-]{1,6}", "\\PC{1,4}", 0..3);
    let effects = || option::of(1..=64_u8);
    prop_oneof![
        partition(),
        (ends(), span(), span())
            .prop_map(|(ends, a, b)| { Fault::Delay { ends, min_ms: a.min(b), max_ms: a.max(b) } }),
        (ends(), mille()).prop_map(|(ends, per_mille)| Fault::Loss { ends, per_mille }),
        (ends(), mille()).prop_map(|(ends, per_mille)| Fault::Corrupt { ends, per_mille }),
        (ends(), mille(), span()).prop_map(|(ends, per_mille, within_ms)| {
            Fault::Duplicate { ends, per_mille, within_ms }
        }),
        (ends(), mille(), span()).prop_map(|(ends, per_mille, within_ms)| {
            Fault::Reorder { ends, per_mille, within_ms }
        }),
        (nodes(), effects())
            .prop_map(|(nodes, after_effects)| Fault::Kill { nodes, after_effects }),
        (nodes(), effects())
            .prop_map(|(nodes, after_effects)| Fault::PowerLoss { nodes, after_effects }),
        nodes().prop_map(|nodes| Fault::Pause { nodes }),
        (nodes(), -3_600_000..=3_600_000_i64, 100_000..=10_000_000_u32)
            .prop_map(|(nodes, offset_ms, rate_ppm)| Fault::Clock { nodes, offset_ms, rate_ppm }),
        (node(), disk).prop_map(|(node, disk)| Fault::Disk { node, disk }),
        (nodes(), prop::sample::select(LIES))
            .prop_map(|(nodes, lie)| Fault::Byzantine { nodes, lie: lie.to_owned() }),
        (clients(), prop::sample::select(CLIENT_LIES))
            .prop_map(|(clients, lie)| Fault::ByzantineClients { clients, lie: lie.to_owned() }),
        options.prop_map(|options| Fault::Reconfigure { options }),
    ]
    .boxed()
}

fn faults() -> BoxedStrategy<Vec<PlannedFault>> {
    let planned = (option::of(moment()), 0..1_000_u64, 1..5_000_u64, fault())
        .prop_map(|(when, at_ms, for_ms, fault)| PlannedFault { when, at_ms, for_ms, fault });
    vec(planned, 0..5)
        .prop_map(|mut faults| {
            faults.sort_by_key(|planned| planned.at_ms);
            faults
        })
        .boxed()
}

fn rule() -> BoxedStrategy<Rule> {
    let act = prop_oneof![
        Just(Act::Drop),
        (0..60_000_u64).prop_map(Act::DelayMs),
        (0..60_000_u64).prop_map(Act::DuplicateAfterMs),
        Just(Act::Corrupt),
        moment().prop_map(Act::HoldUntil),
        Just(Act::Hold),
    ];
    (message(), option::of(moment()), option::of(moment()), act)
        .prop_map(|(message, after, until, act)| Rule { message, after, until, act })
        .boxed()
}

fn trace() -> BoxedStrategy<Vec<TraceEntry>> {
    let step = prop_oneof![
        message().prop_map(TraceStep::Deliver),
        message().prop_map(TraceStep::Lose),
        (end(), any::<u64>()).prop_map(|(who, timer)| TraceStep::Wake { who, timer }),
        node().prop_map(|node| TraceStep::Sync { node }),
    ];
    let entry = (0..1_000_000_u64, step).prop_map(|(at_us, step)| TraceEntry { at_us, step });
    vec(entry, 0..4)
        .prop_map(|mut trace| {
            trace.sort_by_key(|entry| entry.at_us);
            trace
        })
        .boxed()
}

fn workload() -> BoxedStrategy<Workload> {
    let values = prop::sample::select(ValueChoice::ALL);
    (0..1_000_u32, 1..9_u32, 1..999_u32, 0..=100_u8, values)
        .prop_map(|(rate_per_s, keys, operations_per_key, read_percent, values)| Workload {
            clients: CLIENTS,
            rate_per_s,
            keys,
            operations_per_key,
            read_percent,
            values,
            ..Workload::default()
        })
        .boxed()
}

fn durations() -> impl Strategy<Value = Durations> {
    (1_000..86_400_000_u64, 1..99_999_u64, 1..99_999_u64).prop_map(
        |(time_limit_ms, operation_timeout_ms, final_reads_ms)| Durations {
            time_limit_ms,
            operation_timeout_ms,
            final_reads_ms,
        },
    )
}

/// Plans with every feature. Who takes part is always the same.
fn plans() -> impl Strategy<Value = Plan> {
    let options = btree_map("[a-z-]{1,6}", "\\PC{1,4}", 0..3);
    let head = ("[a-z][a-zA-Z0-9._-]{0,20}", any::<u64>(), options, any::<bool>());
    let liveness = (option::of(nodes()), 1..86_400_000_u64)
        .prop_map(|(core, bound_ms)| Liveness { core, bound_ms });
    let what = (workload(), durations(), option::of(weather()), option::of(liveness));
    let happens = (scripts(), faults(), vec(rule(), 0..4), trace());
    let all = (head, what, happens);
    all.prop_map(|((name, seed, options, valid), what, (scripts, faults, rules, trace))| {
        let (workload, durations, weather, liveness) = what;
        let classes: BTreeSet<_> = faults.iter().map(|planned| planned.fault.class()).collect();
        let system = SystemPlan { kind: "quorum".to_owned(), nodes: NODES, options };
        Plan {
            expect: if valid { Expectation::Valid } else { Expectation::Invalid },
            workload,
            scripts,
            durations,
            weather,
            fault_classes: classes.into_iter().collect(),
            faults,
            rules,
            trace,
            liveness,
            ..Plan::new(&name, seed, WorldKind::Sim, system)
        }
    })
}

proptest! {
    #[test]
    fn a_plan_is_the_same_after_being_written_and_read(plan in plans()) {
        prop_assume!(plan.name != "latest");
        prop_assert_eq!(plan.validate(), Ok(()));
        let text = to_toml(&plan);
        match from_toml(&text) {
            Ok(read) => prop_assert_eq!(read, plan.clone()),
            Err(error) => prop_assert!(false, "{error}\n{text}"),
        }
        prop_assert_eq!(from_json(&serde_json::to_string(&plan).unwrap()), Ok(plan));
    }
}

#[test]
fn a_plan_is_written_as_a_person_would() {
    let text = concat!(
        "name = \"stale-read\"\nseed = 7\nworld = \"sim\"\nexpect = \"invalid\"\n",
        "fault_classes = [\"partition\", \"kill\"]\n",
        "\n[system]\nkind = \"quorum\"\nnodes = 3\noptions = { read = \"1\", write = \"2\" }\n",
        "\n[workload]\nkind = \"register\"\nclients = 2\nrate_per_s = 200\nkeys = 3\n",
        "operations_per_key = 300\nread_percent = 50\nvalues = \"unique\"\n",
        "\n[durations]\ntime_limit_ms = 1000\noperation_timeout_ms = 1000\nfinal_reads_ms = 30000\n",
        "\n[weather]\ndelay = { kind = \"uniform\", min_us = 500, max_us = 5000 }\n",
        "loss_per_mille = 0\nduplicate_per_mille = 0\nsync_min_us = 200\nsync_max_us = 2000\n",
        "\n[liveness]\ncore = [0, 1]\nbound_ms = 5000\n",
        "\n[[scripts]]\nclient = 0\ndo = [\n    { f = \"write\", key = 0, value = 1 },\n",
        "    { f = \"read\", key = 0, when = { started = { node = 2 } } },\n]\n",
        "\n[[faults]]\nat_ms = 100\nfor_ms = 50\n[faults.fault]\nkind = \"partition\"\n",
        "shape = \"isolate-one\"\n[faults.fault.grudge]\nn0 = [\"n1\", \"c1\"]\nc1 = [\"n0\"]\n",
        "\n[[faults]]\nwhen = { observed = { by = \"n2\", name = \"stored\" } }\nat_ms = 0\n",
        "for_ms = 50\nfault = { kind = \"kill\", nodes = [2], after_effects = 1 }\n",
        "\n[[rules]]\nmessage = { kind = \"UPDATE\", where = { key = 0 } }\nact = \"drop\"\n",
        "\n[[trace]]\nat_us = 40\ndo = { wake = { who = \"n0\", timer = 1 } }\n",
    );
    let plan = from_toml(text).unwrap();
    assert_eq!(to_toml(&plan), text);
}
