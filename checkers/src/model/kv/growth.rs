//! Sees dead ends of a search for an order of operations on a text: how it must still grow.

use super::branches::Branches;
use super::pieces::{Piece, Pieces};
use super::{KvOp, Prefix, Text};
use crate::model::{Lookahead, Span};
use crate::rules::{Rule, holds};

/// What the texts must still become for those who have yet to see them.
#[derive(Debug)]
pub struct Growth(Known);

#[derive(Debug)]
enum Known {
    /// Each content can be taken apart in one way.
    Pieces(PieceByPiece),
    /// In several ways perhaps.
    Beginnings(Prefix),
}

impl Growth {
    pub(super) fn new(initial: &str, ops: &[KvOp], spans: &[Span]) -> Self {
        Self(match Pieces::new(initial, ops, spans) {
            Some(pieces) => Known::Pieces(PieceByPiece::new(initial, &pieces, ops)),
            None => Known::Beginnings(Prefix::new(ops)),
        })
    }
}

impl Lookahead<Text> for Growth {
    fn take(&mut self, op: usize) {
        match &mut self.0 {
            Known::Pieces(pieces) => pieces.take(op),
            Known::Beginnings(prefix) => prefix.take(op),
        }
    }

    fn put_back(&mut self, op: usize) {
        match &mut self.0 {
            Known::Pieces(pieces) => pieces.put_back(op),
            Known::Beginnings(prefix) => prefix.put_back(op),
        }
    }

    fn forbids(&mut self, op: usize) -> bool {
        match &mut self.0 {
            Known::Pieces(pieces) => {
                pieces.take(op);
                let is_doomed = pieces.is_doomed();
                pieces.put_back(op);
                is_doomed
            }
            Known::Beginnings(_) => false,
        }
    }

    fn is_at_ease(&self, op: usize) -> bool {
        match &self.0 {
            Known::Pieces(pieces) => pieces.is_at_ease(op),
            Known::Beginnings(_) => false,
        }
    }

    fn is_past_caring(&self) -> bool {
        match &self.0 {
            Known::Pieces(pieces) => pieces.is_past_caring(),
            Known::Beginnings(_) => false,
        }
    }

    fn is_doomed(&self, state: &Text) -> bool {
        match &self.0 {
            Known::Pieces(pieces) => pieces.is_doomed(),
            Known::Beginnings(prefix) => prefix.is_doomed(state),
        }
    }
}

/// What operations mean to the tree of what is seen.
#[derive(Debug)]
struct PieceByPiece {
    parts: Vec<Part>,
    branches: Branches,
    /// How many have yet to see what is not in the tree.
    elsewhere: usize,
    /// Whether something is seen that nobody writes.
    is_impossible: bool,
}

/// What an operation means.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// It sees what a node stands for.
    Sees(usize),
    /// It sees what may come from a put, and may come from the initial content.
    SeesAnyhow,
    /// It makes a branch of this kind at the root.
    Puts(usize),
    /// It makes a branch of this kind where the content is.
    Appends(usize),
}

impl PieceByPiece {
    fn new(initial: &str, pieces: &Pieces<'_>, ops: &[KvOp]) -> Self {
        let counts = |piece: &Piece<'_>| [piece.puts, piece.appends];
        let mut branches = Branches::new(pieces.all().iter().flat_map(counts));
        let place = |text: &str| pieces.place(text).unwrap_or_default();
        let part = |op: &KvOp| match op {
            KvOp::Get(_) => Part::SeesAnyhow,
            KvOp::Put(text) => Part::Puts(put(place(text.as_str()))),
            KvOp::Append(text) => Part::Appends(append(place(text))),
        };
        let mut parts: Vec<Part> = ops.iter().map(part).collect();
        let is_impossible = add_contents(&mut branches, initial, pieces, ops, &mut parts).is_none();
        branches.begin();
        let elsewhere = parts.iter().filter(|part| matches!(part, Part::SeesAnyhow)).count();
        Self { parts, branches, elsewhere, is_impossible }
    }

    fn take(&mut self, op: usize) {
        match self.part(op) {
            Part::Sees(node) => self.branches.satisfy(node),
            Part::SeesAnyhow => self.elsewhere -= 1,
            Part::Puts(kind) => self.branches.put(kind),
            Part::Appends(kind) => self.branches.append(kind),
        }
    }

    fn put_back(&mut self, op: usize) {
        match self.part(op) {
            Part::Sees(node) => self.branches.want(node),
            Part::SeesAnyhow => self.elsewhere += 1,
            Part::Puts(_) | Part::Appends(_) => self.branches.go_back(),
        }
    }

    /// Nobody sees what it writes, nor what was there, nor what follows on that.
    fn is_at_ease(&self, op: usize) -> bool {
        match self.part(op) {
            Part::Sees(_) | Part::SeesAnyhow => false,
            Part::Puts(kind) | Part::Appends(kind) => {
                self.is_past_caring() && !self.branches.is_needed(kind)
            }
        }
    }

    /// Nobody sees what is there, nor what follows on it.
    fn is_past_caring(&self) -> bool {
        let is_elsewhere = self.elsewhere > 0 && holds(Rule::SeenAnyhow);
        let is_here = self.branches.is_wanted() && holds(Rule::WantedStays);
        !is_elsewhere && !is_here
    }

    fn is_doomed(&self) -> bool {
        self.is_impossible || self.branches.is_short()
    }

    fn part(&self, op: usize) -> Part {
        *self.parts.get(op).expect("operations are named by their places")
    }
}

/// The kind of the branches that a put of the text at this place makes, and that an append of it makes.
const fn put(place: usize) -> usize {
    2 * place
}

const fn append(place: usize) -> usize {
    2 * place + 1
}

/// Adds what is seen to the tree; `None` if nobody writes something of it.
fn add_contents(
    branches: &mut Branches,
    initial: &str,
    pieces: &Pieces<'_>,
    ops: &[KvOp],
    parts: &mut [Part],
) -> Option<()> {
    let mut contents: Vec<(&str, &mut Part)> = Vec::new();
    for (part, op) in parts.iter_mut().zip(ops) {
        if let KvOp::Get(seen) = op {
            contents.push((seen.as_str(), part));
        }
    }
    contents.sort_unstable_by_key(|&(content, _)| content);
    // The way to the content before: nodes, each with how much of it they stand for.
    let mut way: Vec<(usize, usize)> = Vec::new();
    let mut before = "";
    for (content, part) in contents {
        let common = common_bytes(before, content);
        before = content;
        // What begins with nothing may begin with something else as well.
        while way.pop_if(|&mut (_, length)| length > common || length == 0).is_some() {}
        if way.is_empty() {
            match begun(initial, pieces, content)? {
                Begun::Anyhow => continue,
                Begun::Initial => way.push((Branches::START, initial.len())),
                Begun::Put(place, length) => {
                    way.push((branches.child(Branches::ROOT, put(place)), length));
                }
            }
        }
        let (mut node, mut length) = *way.last()?;
        while length < content.len() {
            let (place, piece) = pieces.beginning(content.get(length..)?)?;
            if piece.appends == 0 {
                return None;
            }
            node = branches.child(node, append(place));
            length += piece.text.len();
            way.push((node, length));
        }
        *part = Part::Sees(node);
        branches.want(node);
    }
    Some(())
}

/// What a content begins with.
enum Begun {
    /// The initial text.
    Initial,
    /// A text that is put: its place, and its length.
    Put(usize, usize),
    /// One of the two.
    Anyhow,
}

/// `None` if nothing that it can begin with is there.
fn begun(initial: &str, pieces: &Pieces<'_>, content: &str) -> Option<Begun> {
    if content.is_empty() {
        // Nobody puts an empty text.
        return initial.is_empty().then_some(Begun::Initial);
    }
    let (place, piece) = pieces.beginning(content)?;
    let is_initial =
        piece.is_initial || (initial.is_empty() && piece.is_first && holds(Rule::AppendedFirst));
    match (is_initial, piece.puts > 0) {
        (true, true) => Some(Begun::Anyhow),
        (true, false) => Some(Begun::Initial),
        (false, true) => Some(Begun::Put(place, piece.text.len())),
        (false, false) => None,
    }
}

/// How many bytes two texts begin with that are the same.
fn common_bytes(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}
