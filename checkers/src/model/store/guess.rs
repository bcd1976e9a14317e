//! Guesses an order of operations on one key.

use rustc_hash::FxHashMap;

use super::{Content, List, Micro, StoreOp};
use crate::model::Span;
use crate::model::witness::{self, Deed};

/// An order that is legal if there is a legal one, of a list whose elements are unique, or of a register whose values
/// are.
pub(super) fn order(ops: &[StoreOp], spans: &[Span]) -> Option<Vec<usize>> {
    let micros: Vec<&Micro> = ops.iter().map(single).collect::<Option<_>>()?;
    let is_appended = micros.iter().any(|micro| matches!(micro, Micro::Append(_)));
    if is_appended { list_order(&micros) } else { register_order(&micros, spans) }
}

fn single(op: &StoreOp) -> Option<&Micro> {
    match op.parts.as_slice() {
        [(_, micro)] => Some(micro),
        _ => None,
    }
}

fn register_order(micros: &[&Micro], spans: &[Span]) -> Option<Vec<usize>> {
    let mut ids: FxHashMap<Content, u32> = FxHashMap::default();
    ids.insert(Content::Nil, 0);
    let mut id = |content: Content| {
        let fresh = u32::try_from(ids.len()).expect("fewer than 2^32 contents");
        *ids.entry(content).or_insert(fresh)
    };
    let mut deed = |micro: &&Micro| Deed {
        finds: micro.observed().map(&mut id),
        leaves: micro.produced().map(&mut id),
    };
    let deeds: Vec<Deed> = micros.iter().map(&mut deed).collect();
    witness::order(&deeds, spans, ids.len())
}

/// Appends as the longest list has them; then those that no list has.
fn list_order(micros: &[&Micro]) -> Option<Vec<usize>> {
    let list = |micro: &&Micro| match micro {
        Micro::Read(Some(Content::List(list))) => Some(list.clone()),
        Micro::Read(_) | Micro::Write(_) | Micro::Cas(..) | Micro::Append(_) | Micro::Delete => {
            None
        }
    };
    let longest = micros.iter().filter_map(list).max_by_key(List::len).unwrap_or_default();
    let positions: FxHashMap<i64, usize> =
        (1..).zip(longest.values()).map(|(p, v)| (v, p)).collect();
    let rank = |micro: &Micro| match micro {
        Micro::Append(value) => Some((positions.get(value).copied().unwrap_or(usize::MAX), false)),
        Micro::Read(Some(Content::List(list))) => Some((list.len(), true)),
        Micro::Read(Some(Content::Nil)) => Some((0, true)),
        Micro::Read(_) | Micro::Write(_) | Micro::Cas(..) | Micro::Delete => None,
    };
    let ranks: Vec<(usize, bool)> = micros.iter().map(|m| rank(m)).collect::<Option<_>>()?;
    let mut order: Vec<usize> = (0..micros.len()).collect();
    // The sort is stable: equal ones stay by call.
    order.sort_by_key(|place| ranks.get(*place));
    Some(order)
}
