//! The edges between transactions.
//!
//! Their number is linear in the history. Where everyone of one group must come before everyone of another, a node that is
//! no transaction stands between the two: behind the last known version of a key, and along the line of time.

use std::collections::BTreeMap;

use super::graph::{Edge, Graph, Kind};
use super::record::Recorded;
use super::table::{AppendId, Id, KeyId, Node, Table, TransactionId};
use super::{Consistency, Fate};

/// The graph of all transactions that happened: node n is transaction n; nodes after them stand between.
pub(super) fn dependencies(recorded: &Recorded<'_>, consistency: Consistency) -> Graph {
    let mut drawing = Drawing {
        recorded,
        edges: Vec::new(),
        nodes: recorded.is_committed.count(),
        last_seen: Table::filled(recorded.keys.count() as usize, Vec::new()),
    };
    drawing.appends_after_appends();
    drawing.reads();
    drawing.unread();
    if consistency >= Consistency::StrongSessionSerializable {
        drawing.processes();
    }
    if consistency >= Consistency::StrictSerializable {
        drawing.real_time();
    }
    Graph::new(drawing.nodes, drawing.edges)
}

/// The node of a transaction.
pub(super) fn node(transaction: TransactionId) -> Node {
    Node::new(transaction.number())
}

/// The transaction of a node, if it is one.
pub(super) fn transaction(recorded: &Recorded<'_>, node: Node) -> Option<TransactionId> {
    let is_one = node.number() < recorded.is_committed.count();
    is_one.then(|| TransactionId::new(node.number()))
}

struct Drawing<'r, 'a> {
    recorded: &'r Recorded<'a>,
    edges: Vec<Edge>,
    nodes: u32,
    /// Who saw the last known version of each key, or appended it: who comes before all appends that nobody read.
    last_seen: Table<KeyId, Vec<Source>>,
}

/// Where an edge begins, and why.
#[derive(Clone, Copy)]
struct Source {
    from: TransactionId,
    kind: Kind,
    why: u32,
}

impl Drawing<'_, '_> {
    fn draw(&mut self, source: Source, to: TransactionId) {
        if source.from != to {
            let Source { from, kind, why } = source;
            self.edges.push(Edge { from: node(from), to: node(to), kind, why });
        }
    }

    fn appends_after_appends(&mut self) {
        for (id, key) in self.recorded.keys.iter() {
            for (place, version) in (0..).zip(&key.order) {
                let after = self.recorded.writer(id, place + 1);
                let from = self.recorded.writer(id, place);
                let (Some(from), Some(append)) = (from, *version) else { continue };
                let source = Source { from, kind: Kind::Ww, why: append.number() };
                if let Some(after) = after {
                    self.draw(source, after);
                } else if key.order.len() == place as usize + 1 {
                    self.last_seen[id].push(source);
                }
            }
        }
    }

    fn reads(&mut self) {
        for (id, read) in self.recorded.reads.iter() {
            let why = id.number();
            let last = read.length.checked_sub(1);
            let before = last.and_then(|last| self.recorded.writer(read.key, last));
            if let Some(from) = before {
                self.draw(Source { from, kind: Kind::Wr, why }, read.transaction);
            }
            let source = Source { from: read.transaction, kind: Kind::Rw, why };
            if let Some(after) = self.recorded.writer(read.key, read.length) {
                self.draw(source, after);
            } else if self.recorded.keys[read.key].order.len() == read.length as usize {
                self.last_seen[read.key].push(source);
            }
        }
    }

    /// Appends that nobody read come after the last version that somebody did. Their own order is not known.
    fn unread(&mut self) {
        for id in self.recorded.keys.ids() {
            let mut writers: Vec<(TransactionId, AppendId)> = Vec::new();
            for append in &self.recorded.keys[id].unread {
                let writer = self.recorded.appends[*append].transaction;
                // Those of one transaction stand together.
                if writers.last().is_none_or(|(last, _)| *last != writer) {
                    writers.push((writer, *append));
                }
            }
            let sources = std::mem::take(&mut self.last_seen[id]);
            if !writers.is_empty() && !sources.is_empty() {
                self.fan(&sources, &writers);
            }
        }
    }

    /// Draws edges from all sources to all writers. `writers` is sorted.
    fn fan(&mut self, sources: &[Source], writers: &[(TransactionId, AppendId)]) {
        let between = Node::new(self.nodes);
        self.nodes += 1;
        for (to, append) in writers {
            let why = append.number();
            self.edges.push(Edge { from: between, to: node(*to), kind: Kind::Onward, why });
        }
        // A source that is a writer as well must not come before itself. One of them is drawn to every writer, the others
        // to that one, which puts them all in one circle, as it must: each is before each other.
        let mut first: Option<TransactionId> = None;
        for source in sources {
            let is_writer = writers.binary_search_by_key(&source.from, |(to, _)| *to).is_ok();
            match first {
                _ if !is_writer => {
                    let Source { from, kind, why } = *source;
                    self.edges.push(Edge { from: node(from), to: between, kind, why });
                }
                Some(first) if first != source.from => self.draw(*source, first),
                Some(_) | None => {
                    first = Some(source.from);
                    for (to, _) in writers {
                        self.draw(*source, *to);
                    }
                }
            }
        }
    }

    /// From each transaction of a process that is known to have ended to the next one that happened.
    fn processes(&mut self) {
        let mut last = BTreeMap::new();
        for id in self.by_beginning() {
            let transaction = self.recorded.transaction(id);
            if let Some(from) = last.get(&transaction.process) {
                self.draw(Source { from: *from, kind: Kind::Process, why: 0 }, id);
            }
            if transaction.fate == Fate::Ok {
                last.insert(transaction.process, id);
            }
        }
    }

    /// A line of nodes, one for each stretch of the history in which transactions end and none begins: whoever ended comes
    /// before the node, and the node before the next one and before whoever begins until then.
    fn real_time(&mut self) {
        let by_beginning = self.by_beginning();
        let mut ends: Vec<(u64, TransactionId)> = by_beginning
            .iter()
            .filter_map(|id| {
                let transaction = self.recorded.transaction(*id);
                let complete = transaction.complete.filter(|_| transaction.fate == Fate::Ok)?;
                Some((complete, *id))
            })
            .collect();
        ends.sort_unstable();
        let mut ends = ends.into_iter().peekable();
        let mut line: Option<Node> = None;
        for id in by_beginning {
            let begin = self.recorded.transaction(id).invoke;
            let mut is_new = false;
            while let Some((_, ended)) = ends.next_if(|(end, _)| *end < begin) {
                if !is_new {
                    is_new = true;
                    let next = Node::new(self.nodes);
                    self.nodes += 1;
                    let onward = |from| Edge { from, to: next, kind: Kind::Onward, why: 0 };
                    self.edges.extend(line.map(onward));
                    line = Some(next);
                }
                if let Some(to) = line {
                    self.edges.push(Edge { from: node(ended), to, kind: Kind::RealTime, why: 0 });
                }
            }
            let onward = |from| Edge { from, to: node(id), kind: Kind::Onward, why: 0 };
            self.edges.extend(line.map(onward));
        }
    }

    /// All that happened.
    fn by_beginning(&self) -> Vec<TransactionId> {
        let committed = self.recorded.is_committed.iter().filter(|(_, is)| **is);
        let mut ids: Vec<TransactionId> = committed.map(|(id, _)| id).collect();
        ids.sort_by_key(|id| self.recorded.transaction(*id).invoke);
        ids
    }
}
