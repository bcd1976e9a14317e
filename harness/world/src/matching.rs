//! Which messages, observations, operations and nodes a plan means: its matches in the form in which a world
//! asks them.

use quorate_plan::{Endpoint, MessageMatch, NodeMatch, ObservationMatch, OperationMatch};
use quorate_systems::contract::Describe;

/// Which messages, `nth` left aside: whoever asks counts.
#[derive(Clone, Debug)]
pub struct MessagePattern {
    from: Option<Endpoint>,
    to: Option<Endpoint>,
    words: Words,
}

impl MessagePattern {
    /// As the plan says.
    pub fn new(asked: &MessageMatch) -> Self {
        let MessageMatch { kind, from, to, fields, nth: _ } = asked;
        Self { from: *from, to: *to, words: Words::new(kind.as_deref(), fields) }
    }

    /// Whether it is one of them. A node's messages to itself never are: they do not travel, and a world of
    /// real processes does not see them.
    pub fn matches<M: Describe>(&self, from: Endpoint, to: Endpoint, message: &M) -> bool {
        from != to
            && is_or_any(self.from, from)
            && is_or_any(self.to, to)
            && self.words.fit(message)
    }
}

/// Which observations.
#[derive(Clone, Debug)]
pub(crate) struct ObservationPattern {
    by: Option<Endpoint>,
    words: Words,
}

impl ObservationPattern {
    pub(crate) fn new(asked: &ObservationMatch) -> Self {
        let ObservationMatch { by, name, fields, nth: _ } = asked;
        Self { by: *by, words: Words::new(name.as_deref(), fields) }
    }

    pub(crate) fn matches<O: Describe>(&self, by: Endpoint, observation: &O) -> bool {
        is_or_any(self.by, by) && self.words.fit(observation)
    }
}

/// Which operations.
#[derive(Clone, Debug)]
pub(crate) struct OperationPattern {
    client: Option<Endpoint>,
    f: Option<Box<str>>,
    key: Option<u64>,
}

impl OperationPattern {
    pub(crate) fn new(asked: &OperationMatch) -> Self {
        let OperationMatch { client, f, key, nth: _ } = asked;
        Self { client: *client, f: f.as_deref().map(Box::from), key: *key }
    }

    pub(crate) fn matches(&self, client: u32, f: &str, key: Option<u64>) -> bool {
        is_or_any(self.client, Endpoint::Client(client))
            && is_or_any(self.f.as_deref(), f)
            && (self.key.is_none() || self.key == key)
    }
}

/// Which nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodePattern {
    node: Option<u16>,
}

impl NodePattern {
    pub(crate) fn new(asked: &NodeMatch) -> Self {
        let NodeMatch { node, nth: _ } = asked;
        Self { node: *node }
    }

    pub(crate) fn matches(self, node: u16) -> bool {
        is_or_any(self.node, node)
    }
}

/// What something says of itself: its kind, and some of its fields.
#[derive(Clone, Debug)]
struct Words {
    kind: Option<Box<str>>,
    fields: Box<[(Box<str>, u64)]>,
}

impl Words {
    fn new<'a>(
        kind: Option<&str>,
        fields: impl IntoIterator<Item = (&'a String, &'a u64)>,
    ) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (Box::from(name.as_str()), *value));
        Self { kind: kind.map(Box::from), fields: fields.collect() }
    }

    fn fit<D: Describe>(&self, described: &D) -> bool {
        is_or_any(self.kind.as_deref(), described.kind())
            && self.fields.iter().all(|(name, value)| described.field(name) == Some(*value))
    }
}

/// What is left out matches everything.
fn is_or_any<T: Copy + PartialEq>(asked: Option<T>, found: T) -> bool {
    asked.is_none_or(|asked| asked == found)
}
