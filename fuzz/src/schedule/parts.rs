//! What single records say: an operation, a fault, a rule, and the moments that these wait for.

use std::collections::{BTreeMap, BTreeSet};

use quorate_plan::{
    Act, Disk, Endpoint, Fault, FaultClass, Grudge, MessageMatch, Moment, NodeMatch,
    ObservationMatch, OperationMatch, PartitionShape, PlannedFault, PlannedOperation, Rule,
    ScriptedOperation, WorkloadKind,
};
use quorate_systems::vocabulary::Vocabulary;

use super::bytes::{Record, one_of, time_ms};

/// Who and what there is that a record can speak of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast {
    pub(super) vocabulary: &'static Vocabulary,
    pub(super) kind: WorkloadKind,
    pub(super) nodes: u16,
    pub(super) clients: u32,
    pub(super) keys: u8,
    pub(super) limit_ms: u64,
    pub(super) few_values: bool,
}

/// A fault as its record has it: what it is depends on those before it, for those that not every system bears.
#[derive(Clone, Debug)]
pub(super) enum FaultDraft {
    /// This one.
    Plain(Fault),
    /// A node like this one, or a client, lies in one of the ways that the system knows.
    Lie { node: u16, client: u32, how: u8 },
    /// The system changes, as dice of these bytes have it.
    Change([u8; 4]),
}

/// A fault with its time.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) when: Option<Moment>,
    pub(super) at_ms: u64,
    pub(super) for_ms: u64,
    pub(super) fault: FaultDraft,
}

impl Timed {
    pub(super) fn planned(&self, fault: Fault) -> PlannedFault {
        let Self { when, at_ms, for_ms, .. } = self;
        PlannedFault { when: when.clone(), at_ms: *at_ms, for_ms: *for_ms, fault }
    }
}

impl Cast {
    /// An operation, and whose; `nth` makes its value its own.
    pub(super) fn operation(&self, record: Record, nth: u64) -> (u32, ScriptedOperation) {
        let Record([_, what, moment @ .., _, _]) = record;
        let client = u32::from(record.choice()) % self.clients;
        let key = u64::from((what >> 1) % self.keys.max(1));
        let when = self.moment(moment);
        let operation = self.command(what & 1 == 0, (key, nth), what >> 2);
        (client, ScriptedOperation::of(&operation, when))
    }

    /// A read, or a change of the workload's kind; which one, where there are several, `choice` says. In a workload
    /// of transactions it is one that begins with that.
    pub(super) fn command(
        &self,
        reads: bool,
        (key, nth): (u64, u64),
        choice: u8,
    ) -> PlannedOperation {
        let value = if self.few_values { nth % FEW } else { nth + 1 };
        match self.kind {
            WorkloadKind::Transaction => self.transaction(reads, (key, nth), choice),
            _ if reads => PlannedOperation::Read { key },
            WorkloadKind::Register => PlannedOperation::Write { key, value },
            WorkloadKind::CasRegister => self.conditional((key, value), nth, choice),
            WorkloadKind::Append => PlannedOperation::Append { key, value },
            // An element is added once.
            WorkloadKind::Set => PlannedOperation::Append { key, value: nth + 1 },
            WorkloadKind::Counter => {
                PlannedOperation::Add { key, value: 1 + u64::from(choice & 3) }
            }
            WorkloadKind::Consensus => PlannedOperation::Propose { key, value },
        }
    }

    /// A write, a delete, or a compare-and-set that expects one of the last values.
    fn conditional(&self, (key, value): (u64, u64), nth: u64, choice: u8) -> PlannedOperation {
        let back = u64::from(choice >> 2 & 3);
        let expected = if self.few_values { back % FEW } else { nth.saturating_sub(back).max(1) };
        match choice & 3 {
            0 => PlannedOperation::Write { key, value },
            1 | 2 => PlannedOperation::Cas { key, expected, value },
            _ => PlannedOperation::Delete { key },
        }
    }

    /// Reads and changes of some keys, those with odd numbers lists.
    fn transaction(&self, reads: bool, (key, nth): (u64, u64), choice: u8) -> PlannedOperation {
        let count = 1 + u64::from(choice & 3) % PARTS_MAX;
        let part = |part: u64| {
            let key = (key + part) % (u64::from(self.keys) + 1);
            let value = if self.few_values { nth % FEW } else { nth * PARTS_MAX + part + 1 };
            let reads = if part == 0 { reads } else { choice >> (1 + part) & 1 == 1 };
            match (reads, key % 2) {
                (true, _) => PlannedOperation::Read { key },
                (false, 0) => PlannedOperation::Write { key, value },
                (false, _) => PlannedOperation::Append { key, value },
            }
        };
        PlannedOperation::Transaction((0..count).map(part).collect())
    }

    /// A fault.
    pub(super) fn fault(&self, record: Record) -> Option<Timed> {
        let Record([_, mask, at, lasts, how, first, second, third]) = record;
        let class = one_of(FaultClass::ALL, record.choice())?;
        let nodes = self.node_set(mask);
        let per_mille = one_of(&[50, 200, 500, 1_000], how).unwrap_or(1_000);
        let within_ms = time_ms(how).max(1);
        let ends = self.ends(mask);
        let fault = match class {
            FaultClass::Partition => self.partition(mask, how),
            FaultClass::Delay => Fault::Delay { ends, min_ms: within_ms / 2, max_ms: within_ms },
            FaultClass::Loss => Fault::Loss { ends, per_mille },
            FaultClass::Duplicate => Fault::Duplicate { ends, per_mille, within_ms },
            FaultClass::Reorder => Fault::Reorder { ends, per_mille, within_ms },
            FaultClass::Corrupt => Fault::Corrupt { ends, per_mille },
            FaultClass::Kill => Fault::Kill { nodes, after_effects: after_effects(how) },
            FaultClass::PowerLoss => Fault::PowerLoss { nodes, after_effects: after_effects(how) },
            FaultClass::Pause => Fault::Pause { nodes },
            FaultClass::Clock => clock(nodes, how),
            FaultClass::DiskFull => self.disk(mask, Disk::Full),
            FaultClass::IoError => self.disk(mask, Disk::IoError),
            FaultClass::FlippedBit => self.disk(mask, Disk::FlippedBit),
            FaultClass::CutTail => self.disk(mask, Disk::CutTail),
            FaultClass::Byzantine | FaultClass::ByzantineClients => {
                let node = u16::from(mask) % self.nodes;
                let client = u32::from(mask) % self.clients.max(1);
                let draft = FaultDraft::Lie { node, client, how };
                return Some(self.timed(draft, [at, lasts], [first, second, third]));
            }
            FaultClass::Reconfigure => {
                let draft = FaultDraft::Change([how, mask, third, second]);
                return Some(self.timed(draft, [at, lasts], [first, 0, 0]));
            }
        };
        Some(self.timed(FaultDraft::Plain(fault), [at, lasts], [first, second, third]))
    }

    fn timed(&self, fault: FaultDraft, [at, lasts]: [u8; 2], moment: [u8; 3]) -> Timed {
        let [first, second, third] = moment;
        let when = self.moment([first, second, third, at]);
        let at_ms = if when.is_some() { 0 } else { time_ms(at).min(self.limit_ms - 1) };
        Timed { when, at_ms, for_ms: time_ms(lasts).max(1), fault }
    }

    /// A rule.
    pub(super) fn rule(&self, record: Record) -> Rule {
        let Record([_, kind, ends, how, moment @ ..]) = record;
        let (from, to) = self.link(ends);
        let kinds = self.vocabulary.messages;
        // About one rule in four is for every kind.
        let kind = one_of(kinds, kind).filter(|_| kind < 192).map(|kind| kind.name.to_owned());
        let nth = Some(u64::from(how & 7)).filter(|nth| *nth > 0);
        let message = MessageMatch { kind, from, to, fields: BTreeMap::new(), nth };
        let moment = self.moment(moment);
        let delay_ms = time_ms(how >> 3 << 2 | 3);
        let (act, moment) = match (record.choice() % 6, moment) {
            (0, moment) => (Act::Drop, moment),
            (1, moment) => (Act::DelayMs(delay_ms), moment),
            (2, moment) => (Act::DuplicateAfterMs(delay_ms), moment),
            (3, moment) => (Act::Corrupt, moment),
            (4, moment) => (Act::Hold, moment),
            (_, Some(moment)) => (Act::HoldUntil(moment), None),
            (_, None) => (Act::Hold, None),
        };
        let (after, until) = if how & 8 == 0 { (None, moment) } else { (moment, None) };
        Rule { message, after, until, act }
    }

    /// A moment, if it is one.
    fn moment(&self, [what, kind, who, time]: [u8; 4]) -> Option<Moment> {
        let nth = Some(u64::from(what >> 4 & 3)).filter(|nth| *nth > 0);
        let by = self.endpoint(who & 15);
        let (from, to) = self.link(who);
        let node = match by {
            Some(Endpoint::Node(node)) => Some(node),
            Some(Endpoint::Client(_)) | None => None,
        };
        let client = by.filter(|by| matches!(by, Endpoint::Client(_)));
        let message = || {
            let kind = one_of(self.vocabulary.messages, kind).map(|kind| kind.name.to_owned());
            MessageMatch { kind, from, to, fields: BTreeMap::new(), nth }
        };
        let operation = || {
            let f = one_of(self.kind.functions(), kind).filter(|_| kind < 128);
            let f = f.map(|f| f.name().to_owned());
            OperationMatch { client, f, key: None, nth }
        };
        Some(match what & 15 {
            7 => Moment::AtMs(time_ms(time).min(self.limit_ms - 1)),
            8 => Moment::Sent(message()),
            9 => Moment::Delivered(message()),
            10 | 11 => {
                let name = one_of(self.vocabulary.observations, kind);
                let name = name.map(|kind| kind.name.to_owned());
                Moment::Observed(ObservationMatch { by, name, fields: BTreeMap::new(), nth })
            }
            12 => Moment::Invoked(operation()),
            13 => Moment::Completed(operation()),
            14 => Moment::Started(NodeMatch { node, nth }),
            15 => Moment::Crashed(NodeMatch { node, nth }),
            _ => return None,
        })
    }

    /// Anybody, or one.
    fn endpoint(&self, nibble: u8) -> Option<Endpoint> {
        match nibble & 15 {
            0 => None,
            node @ 1..=7 => Some(Endpoint::Node(u16::from(node - 1) % self.nodes)),
            client => Some(Endpoint::Client(u32::from(client - 8) % self.clients)),
        }
    }

    /// Both ends of a link, or of many.
    fn link(&self, byte: u8) -> (Option<Endpoint>, Option<Endpoint>) {
        let (from, to) = (self.endpoint(byte), self.endpoint(byte >> 4));
        let are_clients =
            matches!((from, to), (Some(Endpoint::Client(_)), Some(Endpoint::Client(_))));
        (from, to.filter(|_| from != to && !are_clients))
    }

    /// The nodes of a mask; never none.
    fn node_set(&self, mask: u8) -> BTreeSet<u16> {
        let mut nodes: BTreeSet<u16> = (0..self.nodes).filter(|node| bit(mask, *node)).collect();
        if nodes.is_empty() {
            nodes.insert(u16::from(mask) % self.nodes);
        }
        nodes
    }

    /// The nodes of a mask, and all clients if its highest bit is set.
    fn ends(&self, mask: u8) -> BTreeSet<Endpoint> {
        let nodes = self.node_set(mask).into_iter().map(Endpoint::Node);
        let clients = (0..self.clients).map(Endpoint::Client).filter(|_| mask & 128 != 0);
        nodes.chain(clients).collect()
    }

    fn disk(&self, mask: u8, disk: Disk) -> Fault {
        Fault::Disk { node: u16::from(mask) % self.nodes, disk }
    }

    /// The nodes of the mask and some clients on one side, all others on the other; each link the wrong way, or both.
    fn partition(&self, mask: u8, how: u8) -> Fault {
        let inside = self.node_set(mask);
        let is_inside = |end: Endpoint| match end {
            Endpoint::Node(node) => inside.contains(&node),
            Endpoint::Client(client) => how >> (2 + client % 4) & 1 == 1,
        };
        let is_one_way = how & 3 == 3;
        let mut grudge = Grudge::new();
        for to in self.everybody() {
            let cut = self.everybody().filter(|from| {
                let are_clients = matches!((from, to), (Endpoint::Client(_), Endpoint::Client(_)));
                let is_across = is_inside(*from) != is_inside(to);
                is_across && !are_clients && !(is_one_way && is_inside(*from))
            });
            let cut: BTreeSet<Endpoint> = cut.collect();
            if !cut.is_empty() {
                grudge.insert(to, cut);
            }
        }
        if grudge.is_empty() {
            // All stand on one side: a client is cut off from a node.
            grudge.insert(Endpoint::Node(0), [Endpoint::Client(0)].into());
        }
        let shape = if is_one_way { PartitionShape::OneWay } else { PartitionShape::Halves };
        Fault::Partition { shape, grudge }
    }

    fn everybody(&self) -> impl Iterator<Item = Endpoint> + use<> {
        let nodes = (0..self.nodes).map(Endpoint::Node);
        nodes.chain((0..self.clients).map(Endpoint::Client))
    }
}

/// How many values there are where there are few.
const FEW: u64 = 3;
/// A transaction has at most so many parts.
const PARTS_MAX: u64 = 3;

fn bit(mask: u8, node: u16) -> bool {
    mask.checked_shr(node.into()).is_some_and(|rest| rest & 1 == 1)
}

/// Half of the kills come between two steps.
fn after_effects(how: u8) -> Option<u8> {
    (how & 1 == 1).then_some(1 + (how >> 1) % 6)
}

fn clock(nodes: BTreeSet<u16>, how: u8) -> Fault {
    let offset_ms = one_of(&[0, 1, 100, 60_000, -1, -100, -60_000, 0], how & 7).unwrap_or(0);
    let rates = [1_000_000, 100_000, 500_000, 900_000, 1_100_000, 2_000_000, 10_000_000];
    let rate_ppm = one_of(&rates, how >> 3).unwrap_or(1_000_000);
    Fault::Clock { nodes, offset_ms, rate_ppm }
}
