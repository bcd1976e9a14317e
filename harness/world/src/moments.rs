//! The moments of a plan while it runs: the world tells what happens, and learns what has been reached.

use quorate_plan::{Endpoint, Moment};
use quorate_systems::contract::Describe;

use crate::matching::{MessagePattern, NodePattern, ObservationPattern, OperationPattern};

/// Names a registered moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MomentId(usize);

/// All moments that somebody waits for. Once it has come a moment stays.
///
/// An event may bring several moments at once; they count as reached in the order of their registration.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// Each by its id.
    known: Vec<Moment>,
    marks: Marks,
    times: Vec<(u64, MomentId)>,
    sent: Vec<Watch<MessagePattern>>,
    delivered: Vec<Watch<MessagePattern>>,
    observed: Vec<Watch<ObservationPattern>>,
    invoked: Vec<Watch<OperationPattern>>,
    completed: Vec<Watch<OperationPattern>>,
    started: Vec<Watch<NodePattern>>,
    crashed: Vec<Watch<NodePattern>>,
}

impl Moments {
    /// Nobody waits for anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches out for `moment` from here on. Equal moments have one id.
    pub fn register(&mut self, moment: &Moment) -> MomentId {
        if let Some(place) = self.known.iter().position(|known| known == moment) {
            return MomentId(place);
        }
        let id = MomentId(self.known.len());
        self.known.push(moment.clone());
        self.marks.reached.push(false);
        match moment {
            Moment::AtMs(at_ms) => self.times.push((*at_ms, id)),
            Moment::Sent(asked) => {
                self.sent.push(Watch::new(id, asked.nth, MessagePattern::new(asked)));
            }
            Moment::Delivered(asked) => {
                self.delivered.push(Watch::new(id, asked.nth, MessagePattern::new(asked)));
            }
            Moment::Observed(asked) => {
                self.observed.push(Watch::new(id, asked.nth, ObservationPattern::new(asked)));
            }
            Moment::Invoked(asked) => {
                self.invoked.push(Watch::new(id, asked.nth, OperationPattern::new(asked)));
            }
            Moment::Completed(asked) => {
                self.completed.push(Watch::new(id, asked.nth, OperationPattern::new(asked)));
            }
            Moment::Started(asked) => {
                self.started.push(Watch::new(id, asked.nth, NodePattern::new(asked)));
            }
            Moment::Crashed(asked) => {
                self.crashed.push(Watch::new(id, asked.nth, NodePattern::new(asked)));
            }
        }
        id
    }

    /// A message left its sender, whatever becomes of it; rules are asked before this is told. What a node
    /// sends to itself may be told or not: it counts for nothing.
    pub fn sent<M: Describe>(&mut self, from: Endpoint, to: Endpoint, message: &M) {
        self.marks.count(&mut self.sent, |pattern| pattern.matches(from, to, message));
    }

    /// A message was taken in by its receiver: before the receiver's step, and each copy of it. What a node
    /// sends to itself may be told or not: it counts for nothing.
    pub fn delivered<M: Describe>(&mut self, from: Endpoint, to: Endpoint, message: &M) {
        self.marks.count(&mut self.delivered, |pattern| pattern.matches(from, to, message));
    }

    /// A core told of a transition.
    pub fn observed<O: Describe>(&mut self, by: Endpoint, observation: &O) {
        self.marks.count(&mut self.observed, |pattern| pattern.matches(by, observation));
    }

    /// A client began an operation.
    pub fn invoked(&mut self, client: u32, f: &str, key: Option<u64>) {
        self.marks.count(&mut self.invoked, |pattern| pattern.matches(client, f, key));
    }

    /// A client's operation ended, however it did.
    pub fn completed(&mut self, client: u32, f: &str, key: Option<u64>) {
        self.marks.count(&mut self.completed, |pattern| pattern.matches(client, f, key));
    }

    /// A node came up.
    pub fn started(&mut self, node: u16) {
        self.marks.count(&mut self.started, |pattern| pattern.matches(node));
    }

    /// A node went down.
    pub fn crashed(&mut self, node: u16) {
        self.marks.count(&mut self.crashed, |pattern| pattern.matches(node));
    }

    /// The moment has come. Only for those of [`Moments::times`] must it be said; once is enough.
    pub fn reach(&mut self, id: MomentId) {
        self.marks.reach(id);
    }

    /// Adds those that were reached since the last call, in the order in which they were reached.
    pub fn take_new(&mut self, out: &mut Vec<MomentId>) {
        out.append(&mut self.marks.new);
    }

    /// Nothing has happened yet; who waits for what stays.
    pub fn reset(&mut self) {
        self.marks.reached.fill(false);
        self.marks.new.clear();
        restart(&mut self.sent);
        restart(&mut self.delivered);
        restart(&mut self.observed);
        restart(&mut self.invoked);
        restart(&mut self.completed);
        restart(&mut self.started);
        restart(&mut self.crashed);
    }

    /// Whether nobody waits for anything: then nothing needs to be told.
    pub const fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether there are moments of messages: else neither sending nor delivering needs to be told.
    pub const fn watches_messages(&self) -> bool {
        !self.sent.is_empty() || !self.delivered.is_empty()
    }

    /// Whether there are moments of observations: else they need not be told.
    pub const fn watches_observations(&self) -> bool {
        !self.observed.is_empty()
    }

    /// Whether it has come.
    pub fn is_reached(&self, id: MomentId) -> bool {
        self.marks.reached.get(id.0).copied().unwrap_or_default()
    }

    /// Whether some moment has come that [`Moments::take_new`] has not handed out.
    pub const fn has_new(&self) -> bool {
        !self.marks.new.is_empty()
    }

    /// The moments that the clock brings: milliseconds after the first operation, and which it is. At that
    /// time the world calls [`Moments::reach`].
    pub fn times(&self) -> impl Iterator<Item = (u64, MomentId)> {
        self.times.iter().copied()
    }
}

/// What has come.
#[derive(Clone, Debug, Default)]
struct Marks {
    /// Whether each moment has, by its id.
    reached: Vec<bool>,
    /// Those that came since somebody last asked, in their order.
    new: Vec<MomentId>,
}

impl Marks {
    fn reach(&mut self, id: MomentId) {
        let Some(reached) = self.reached.get_mut(id.0) else { return };
        if !*reached {
            *reached = true;
            self.new.push(id);
        }
    }

    /// Something happened that only these watches are about.
    fn count<P>(&mut self, watches: &mut [Watch<P>], is_meant: impl Fn(&P) -> bool) {
        for watch in watches {
            if watch.missing > 0 && is_meant(&watch.pattern) {
                watch.missing -= 1;
                if watch.missing == 0 {
                    self.reach(watch.id);
                }
            }
        }
    }
}

/// One moment that is watched out for.
#[derive(Clone, Debug)]
struct Watch<P> {
    id: MomentId,
    pattern: P,
    /// Which match is meant, counted from 1.
    nth: u64,
    /// How many matches are still to come; 0 once the moment has.
    missing: u64,
}

impl<P> Watch<P> {
    fn new(id: MomentId, nth: Option<u64>, pattern: P) -> Self {
        // There is no match number 0; a plan that asks for it is refused before it runs.
        let nth = nth.unwrap_or(1).max(1);
        Self { id, pattern, nth, missing: nth }
    }
}

fn restart<P>(watches: &mut [Watch<P>]) {
    for watch in watches {
        watch.missing = watch.nth;
    }
}

#[cfg(test)]
mod tests {
    use quorate_plan::{MessageMatch, NodeMatch, ObservationMatch, OperationMatch};

    use super::*;
    use crate::samples::{C0, C1, N0, N1, Said};

    const NONE: [MomentId; 0] = [];

    /// A message or observation of this kind about this key.
    const fn said(kind: &'static str, key: u64) -> Said {
        Said { kind, key: Some(key) }
    }

    fn watch(moment: &Moment) -> (Moments, MomentId) {
        let mut moments = Moments::new();
        let id = moments.register(moment);
        assert!(!moments.is_reached(id));
        (moments, id)
    }

    fn taken(moments: &mut Moments) -> Vec<MomentId> {
        let mut new = Vec::new();
        moments.take_new(&mut new);
        new
    }

    #[test]
    fn nothing_registered_is_nothing_to_do() {
        let moments = Moments::new();
        assert!(moments.is_empty());
        assert!(!moments.watches_messages() && !moments.watches_observations());
        let (moments, _) = watch(&Moment::Sent(MessageMatch::default()));
        assert!(!moments.is_empty());
        assert!(moments.watches_messages() && !moments.watches_observations());
        let (moments, _) = watch(&Moment::Delivered(MessageMatch::default()));
        assert!(moments.watches_messages());
        let (moments, _) = watch(&Moment::Observed(ObservationMatch::default()));
        assert!(!moments.watches_messages() && moments.watches_observations());
        let (moments, _) = watch(&Moment::Started(NodeMatch::default()));
        assert!(!moments.watches_messages() && !moments.watches_observations());
    }

    #[test]
    fn sending_and_delivering_are_two_moments() {
        let asked = MessageMatch { kind: Some("UPDATE".to_owned()), ..MessageMatch::default() };
        let mut moments = Moments::new();
        let sent = moments.register(&Moment::Sent(asked.clone()));
        let delivered = moments.register(&Moment::Delivered(asked));
        moments.sent(C0, N0, &said("QUERY", 1));
        moments.delivered(C0, N0, &said("QUERY", 1));
        assert_eq!(taken(&mut moments), NONE);
        moments.sent(C0, N0, &said("UPDATE", 1));
        assert_eq!(taken(&mut moments), [sent]);
        assert!(!moments.is_reached(delivered));
        moments.delivered(C0, N0, &said("UPDATE", 1));
        assert_eq!(taken(&mut moments), [delivered]);
    }

    #[test]
    fn each_part_of_a_message_match_must_fit() {
        let asked = MessageMatch {
            kind: Some("UPDATE".to_owned()),
            from: Some(N0),
            to: Some(N1),
            fields: [("key".to_owned(), 3)].into(),
            nth: None,
        };
        let (mut moments, id) = watch(&Moment::Sent(asked));
        moments.sent(N0, N1, &said("QUERY", 3));
        moments.sent(C1, N1, &said("UPDATE", 3));
        moments.sent(N0, C1, &said("UPDATE", 3));
        moments.sent(N0, N1, &said("UPDATE", 4));
        // A field that is not set is no number.
        moments.sent(N0, N1, &Said { kind: "UPDATE", key: None });
        assert!(!moments.is_reached(id));
        moments.sent(N0, N1, &said("UPDATE", 3));
        assert!(moments.is_reached(id));
    }

    #[test]
    fn what_a_node_sends_to_itself_counts_for_nothing() {
        let (mut moments, id) = watch(&Moment::Sent(MessageMatch::default()));
        moments.sent(N0, N0, &said("UPDATE", 1));
        assert!(!moments.is_reached(id));
        moments.sent(N0, N1, &said("UPDATE", 1));
        assert!(moments.is_reached(id));
    }

    #[test]
    fn observations_are_told_apart_by_teller_name_and_fields() {
        let asked = ObservationMatch {
            by: Some(N1),
            name: Some("stored".to_owned()),
            fields: [("key".to_owned(), 3)].into(),
            nth: None,
        };
        let (mut moments, id) = watch(&Moment::Observed(asked));
        moments.observed(N0, &said("stored", 3));
        moments.observed(N1, &said("chosen", 3));
        moments.observed(N1, &said("stored", 4));
        assert!(!moments.is_reached(id));
        moments.observed(N1, &said("stored", 3));
        assert!(moments.is_reached(id));
    }

    #[test]
    fn operations_are_told_apart_by_client_function_and_key() {
        let asked = OperationMatch {
            client: Some(C1),
            f: Some("write".to_owned()),
            key: Some(3),
            nth: None,
        };
        let mut moments = Moments::new();
        let invoked = moments.register(&Moment::Invoked(asked.clone()));
        let completed = moments.register(&Moment::Completed(asked));
        for (client, f, key) in [(0, "write", 3), (1, "read", 3), (1, "write", 4)] {
            moments.invoked(client, f, Some(key));
            moments.completed(client, f, Some(key));
        }
        assert_eq!(taken(&mut moments), NONE);
        moments.invoked(1, "write", Some(3));
        assert_eq!(taken(&mut moments), [invoked]);
        moments.completed(1, "write", Some(3));
        assert_eq!(taken(&mut moments), [completed]);
    }

    #[test]
    fn nodes_come_up_and_go_down() {
        let of = |node| NodeMatch { node, nth: Some(2) };
        let mut moments = Moments::new();
        let started = moments.register(&Moment::Started(of(Some(1))));
        let crashed = moments.register(&Moment::Crashed(of(None)));
        moments.started(1);
        moments.started(0);
        moments.crashed(0);
        assert_eq!(taken(&mut moments), NONE);
        moments.crashed(1);
        assert_eq!(taken(&mut moments), [crashed]);
        moments.started(1);
        assert_eq!(taken(&mut moments), [started]);
    }

    #[test]
    fn the_nth_is_the_nth_that_matches() {
        let asked = MessageMatch { to: Some(N1), nth: Some(3), ..MessageMatch::default() };
        let (mut moments, id) = watch(&Moment::Sent(asked));
        for to in [N1, C0, N1, C0] {
            moments.sent(N0, to, &said("UPDATE", 1));
        }
        assert!(!moments.is_reached(id));
        moments.sent(N0, N1, &said("UPDATE", 1));
        assert_eq!(taken(&mut moments), [id]);
        moments.sent(N0, N1, &said("UPDATE", 1));
        assert_eq!(taken(&mut moments), NONE, "once it has come a moment stays");
        assert!(moments.is_reached(id));
    }

    #[test]
    fn the_clock_brings_its_moments_when_it_says_so() {
        let mut moments = Moments::new();
        let late = moments.register(&Moment::AtMs(20));
        let early = moments.register(&Moment::AtMs(10));
        assert_eq!(moments.times().collect::<Vec<_>>(), [(20, late), (10, early)]);
        moments.reach(early);
        moments.reach(early);
        assert!(moments.has_new());
        assert_eq!(taken(&mut moments), [early]);
        assert!(!moments.has_new() && !moments.is_reached(late));
    }

    #[test]
    fn equal_moments_are_one_and_what_comes_together_is_in_order_of_registration() {
        let mut moments = Moments::new();
        let any = moments.register(&Moment::Sent(MessageMatch::default()));
        let to_n1 = Moment::Sent(MessageMatch { to: Some(N1), ..MessageMatch::default() });
        let to_n1_id = moments.register(&to_n1);
        assert_eq!(moments.register(&to_n1), to_n1_id);
        assert_ne!(any, to_n1_id);
        moments.sent(N0, N1, &said("UPDATE", 1));
        assert_eq!(taken(&mut moments), [any, to_n1_id]);
    }

    #[test]
    fn a_reset_forgets_what_happened_and_not_who_waits() {
        let asked = MessageMatch { nth: Some(2), ..MessageMatch::default() };
        let (mut moments, id) = watch(&Moment::Sent(asked));
        let message = said("UPDATE", 1);
        moments.sent(N0, N1, &message);
        moments.sent(N0, N1, &message);
        assert!(moments.is_reached(id));
        moments.reset();
        assert!(!moments.is_reached(id) && !moments.has_new());
        moments.sent(N0, N1, &message);
        assert!(!moments.is_reached(id), "counting begins again");
        moments.sent(N0, N1, &message);
        assert_eq!(taken(&mut moments), [id]);
    }
}
