use alloc::vec;

use proptest::prelude::*;

use super::*;

const K: Key = Key(7);
const L: Key = Key(8);

const fn read(key: Key) -> Command {
    Command::Read { key }
}

const fn write(key: Key, value: u64) -> Command {
    Command::Write { key, value: Value(value) }
}

const fn cas(key: Key, expected: u64, value: u64) -> Command {
    Command::Cas { key, expected: Value(expected), value: Value(value) }
}

const fn append(key: Key, value: u64) -> Command {
    Command::Append { key, value: Value(value) }
}

const fn add(key: Key, value: u64) -> Command {
    Command::Add { key, value: Value(value) }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed(why.into())
}

/// A store after these, none of which is refused.
fn after(commands: &[Command]) -> Store {
    let mut store = Store::new();
    for command in commands {
        let outcome = store.apply(command);
        assert!(outcome.is_done(), "{command}: {outcome}");
    }
    store
}

#[test]
fn a_key_holds_what_was_written_last() {
    let mut store = Store::new();
    assert_eq!(store.apply(&read(K)), Outcome::Read(None));
    assert_eq!(store.apply(&write(K, 1)), Outcome::Written);
    assert_eq!(store.apply(&write(K, 2)), Outcome::Written);
    assert_eq!(store.apply(&read(K)), Outcome::Read(Some(Value(2))));
    assert_eq!(store.apply(&read(L)), Outcome::Read(None));
}

#[test]
fn a_compare_and_set_needs_what_it_expects() {
    let mut store = Store::new();
    assert_eq!(store.apply(&cas(K, 0, 1)), Outcome::NotSwapped(None));
    store.apply(&write(K, 1));
    assert_eq!(store.apply(&cas(K, 2, 3)), Outcome::NotSwapped(Some(Value(1))));
    assert_eq!(store.apply(&cas(K, 1, 3)), Outcome::Swapped);
    assert_eq!(store.apply(&read(K)), Outcome::Read(Some(Value(3))));
}

#[test]
fn a_list_grows_at_its_end_and_a_counter_adds_up() {
    let mut store = after(&[append(L, 5), append(L, 4), append(L, 5), add(K, 2), add(K, 3)]);
    assert_eq!(store.apply(&read(L)), Outcome::List(vec![Value(5), Value(4), Value(5)]));
    assert_eq!(store.apply(&read(K)), Outcome::Read(Some(Value(5))));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut store = after(&[append(L, 1), write(K, u64::MAX)]);
    let before = store.clone();
    assert_eq!(store.apply(&append(K, 1)), failed("key 7 holds a number"));
    assert_eq!(store.apply(&add(L, 1)), failed("key 8 holds a list"));
    assert_eq!(store.apply(&cas(L, 1, 2)), failed("key 8 holds a list"));
    assert_eq!(store.apply(&add(K, 1)), failed("the sum under key 7 would be too great"));
    assert_eq!(store, before);
    assert_eq!(store.apply(&write(L, 3)), Outcome::Written, "a write replaces a list");
}

#[test]
fn a_deleted_key_is_as_new() {
    let mut store = after(&[append(L, 1), write(K, 2)]);
    for key in [K, L, Key(9)] {
        assert_eq!(store.apply(&Command::Delete { key }), Outcome::Deleted);
        assert_eq!(store.apply(&read(key)), Outcome::Read(None));
    }
    assert_eq!((store.len(), store.digest()), (0, Store::new().digest()));
}

#[test]
fn the_parts_of_a_transaction_see_each_other() {
    let mut store = Store::new();
    let parts = vec![read(K), write(K, 1), cas(K, 1, 2), append(L, 3), read(L), read(K)];
    let outcomes = vec![
        Outcome::Read(None),
        Outcome::Written,
        Outcome::Swapped,
        Outcome::Appended,
        Outcome::List(vec![Value(3)]),
        Outcome::Read(Some(Value(2))),
    ];
    let command = Command::Transaction(parts);
    let outcome = store.apply(&command);
    assert_eq!(outcome, Outcome::Transaction(outcomes));
    assert!(command.is_answered_by(&outcome));
}

#[test]
fn a_transaction_happens_as_a_whole_or_not_at_all() {
    let mut store = after(&[write(K, 1)]);
    let before = store.clone();
    let parts = vec![append(L, 1), append(L, 2), Command::Delete { key: K }, cas(K, 1, 2)];
    let outcome = store.apply(&Command::Transaction(parts));
    assert_eq!(outcome, failed("part 4: key 7 holds nothing, not 1"));
    assert_eq!(store, before);
}

#[test]
fn malformed_transactions_are_refused() {
    let mut store = Store::new();
    let too_long = vec![write(K, 1); Command::PARTS_MAX + 1];
    for parts in [vec![], too_long, vec![write(K, 1), Command::Transaction(vec![read(K)])]] {
        let outcome = store.apply(&Command::Transaction(parts));
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome}");
        assert!(store.is_empty());
    }
    assert!(after(&[Command::Transaction(vec![write(K, 1); Command::PARTS_MAX])]).len() == 1);
}

#[test]
fn the_digest_tells_a_number_from_a_list_and_keys_from_values() {
    let stores = [
        after(&[]),
        after(&[write(K, 1)]),
        after(&[append(K, 1)]),
        after(&[write(K, 8), write(L, 7)]),
        after(&[write(K, 7), write(L, 8)]),
        after(&[append(K, 1), append(K, 2)]),
        after(&[append(K, 2), append(K, 1)]),
    ];
    for (place, store) in stores.iter().enumerate() {
        let same = stores.iter().filter(|other| other.digest() == store.digest());
        assert_eq!(same.count(), 1, "store {place}");
    }
}

/// The store as plainly as it can be said: a list of keys, copied for every transaction.
#[derive(Clone, Default)]
struct Naive(Vec<(Key, Content)>);

impl Naive {
    fn set(&mut self, key: Key, content: Option<Content>) {
        self.0.retain(|(other, _)| *other != key);
        self.0.extend(content.map(|content| (key, content)));
    }

    /// What the command answers; nothing if it is refused for another reason than a failed comparison.
    fn apply(&mut self, command: &Command) -> Option<Outcome> {
        let get = |naive: &Self, key| {
            naive.0.iter().find(|(other, _)| *other == key).map(|(_, content)| content.clone())
        };
        let held = command.key().and_then(|key| get(self, key));
        Some(match (command, held) {
            (Command::Transaction(parts), _) => {
                let mut copy = self.clone();
                let mut outcomes = Vec::new();
                for part in parts {
                    outcomes.push(copy.apply(part).filter(Outcome::is_done)?);
                }
                *self = copy;
                Outcome::Transaction(outcomes)
            }
            (Command::Read { .. }, Some(Content::List(values))) => Outcome::List(values),
            (Command::Read { .. }, Some(Content::Number(value))) => Outcome::Read(Some(value)),
            (Command::Read { .. }, None) => Outcome::Read(None),
            (Command::Write { key, value }, _) => {
                self.set(*key, Some(Content::Number(*value)));
                Outcome::Written
            }
            (Command::Delete { key }, _) => {
                self.set(*key, None);
                Outcome::Deleted
            }
            (Command::Cas { key, expected, value }, Some(Content::Number(held)))
                if held == *expected =>
            {
                self.set(*key, Some(Content::Number(*value)));
                Outcome::Swapped
            }
            (Command::Cas { .. }, Some(Content::Number(held))) => Outcome::NotSwapped(Some(held)),
            (Command::Cas { .. }, None) => Outcome::NotSwapped(None),
            (Command::Append { key, value }, None) => {
                self.set(*key, Some(Content::List(vec![*value])));
                Outcome::Appended
            }
            (Command::Append { key, value }, Some(Content::List(values))) => {
                self.set(*key, Some(Content::List([values, vec![*value]].concat())));
                Outcome::Appended
            }
            (Command::Add { key, value }, None) => {
                self.set(*key, Some(Content::Number(*value)));
                Outcome::Added
            }
            (Command::Add { key, value }, Some(Content::Number(held))) => {
                self.set(*key, Some(Content::Number(Value(held.0.checked_add(value.0)?))));
                Outcome::Added
            }
            (Command::Propose { .. }, _)
            | (
                Command::Cas { .. } | Command::Append { .. } | Command::Add { .. },
                Some(Content::List(_) | Content::Number(_)),
            ) => return None,
        })
    }
}

#[test]
fn what_changes_nothing_is_answered_without_a_change() {
    let (key, value) = (Key(1), Value(7));
    let mut store = Store::new();
    store.apply(&Command::Write { key, value });
    let read = Command::Read { key };
    let seen = Outcome::Read(Some(value));
    assert_eq!(store.look(&read), Some(seen.clone()));
    let both = Command::Transaction(vec![read.clone(), read.clone()]);
    assert_eq!(store.look(&both), Some(Outcome::Transaction(vec![seen.clone(), seen])));
    let writes = Command::Transaction(vec![read.clone(), Command::Delete { key }]);
    let none = Command::Transaction(Vec::new());
    let many = Command::Transaction(vec![read; Command::PARTS_MAX + 1]);
    for other in [writes, none, many, Command::Write { key, value }] {
        assert_eq!(store.look(&other), None, "{other}");
    }
}

fn single() -> impl Strategy<Value = Command> {
    let value = prop_oneof![9 => 0..4_u64, 1 => Just(u64::MAX)];
    (0..6, 0..3_u64, value, 0..4_u64).prop_map(|(kind, key, value, expected)| {
        let key = Key(key);
        match kind {
            0 => read(key),
            1 => write(key, value),
            2 => cas(key, expected, value),
            3 => append(key, value),
            4 => Command::Delete { key },
            _ => add(key, value),
        }
    })
}

fn command() -> impl Strategy<Value = Command> {
    let parts = proptest::collection::vec(single(), 1..5);
    prop_oneof![2 => single(), 1 => parts.prop_map(Command::Transaction)]
}

proptest! {
    #[test]
    fn it_does_what_the_naive_store_does(
        commands in proptest::collection::vec(command(), 0..60),
    ) {
        let (mut store, mut naive) = (Store::new(), Naive::default());
        for command in &commands {
            let outcome = store.apply(command);
            match naive.apply(command) {
                Some(expected) => prop_assert_eq!(&outcome, &expected, "{}", command),
                None => prop_assert!(matches!(outcome, Outcome::Failed(_)), "{}", command),
            }
            prop_assert!(command.is_answered_by(&outcome));
            let contents: BTreeMap<_, _> = naive.0.iter().cloned().collect();
            prop_assert_eq!(&store.contents, &contents, "after {}", command);
        }
        let bytes = postcard::to_allocvec(&store).unwrap();
        let copy: Store = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(copy.digest(), store.digest());
        prop_assert_eq!(copy, store);
    }
}
