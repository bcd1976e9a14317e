//! Operations on a register without their values: only which are equal matters to most of what is asked.

use super::{Content, RegisterOp};
use crate::model::numbering::{Named, Numbering};
use crate::model::witness::Deed;

/// What operations find and leave, by numbers.
#[derive(Debug)]
pub(super) struct Deeds {
    /// By place. The initial content is 0.
    pub(super) deeds: Vec<Deed>,
    /// How many contents there are.
    pub(super) contents: usize,
}

impl Deeds {
    pub(super) fn of<'a>(initial: &'a Content, ops: &'a [RegisterOp]) -> Self {
        let contents = ops.iter().flat_map(|op| [op.finds(), op.leaves()]).flatten();
        let integers = contents.filter_map(|content| match content {
            Content::Int(integer) => Some(*integer),
            Content::Nil | Content::Other(_) => None,
        });
        let mut numbering = Numbering::of(integers);
        let mut number = |content: &'a Content| {
            numbering.number(match content {
                &Content::Int(integer) => Named::Integer(integer),
                other @ (Content::Nil | Content::Other(_)) => Named::Other(other),
            })
        };
        number(initial);
        let deed = |op: &'a RegisterOp| Deed {
            finds: op.finds().map(&mut number),
            leaves: op.leaves().map(&mut number),
        };
        let deeds = ops.iter().map(deed).collect();
        Self { deeds, contents: numbering.count() }
    }
}
