//! Lists whose places are numbers of one kind, so that a key's number never finds a transaction.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A number that names one of many things of a kind, counted from 0.
pub(super) trait Id: Copy {
    fn new(number: u32) -> Self;
    fn number(self) -> u32;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(u32);

        impl Id for $name {
            fn new(number: u32) -> Self {
                Self(number)
            }

            fn number(self) -> u32 {
                self.0
            }
        }
    )* };
}

ids! {
    /// A transaction, by its place in what was handed in.
    TransactionId
    /// A list that is appended to.
    KeyId
    /// An append of any transaction.
    AppendId
    /// What a transaction saw of a key before it appended there.
    ReadId
    /// A vertex of a graph.
    Node
    /// Where a walk through a graph stands.
    Spot
}

/// Something for each number.
#[derive(Clone, Debug)]
pub(super) struct Table<I, T> {
    rows: Vec<T>,
    kind: PhantomData<I>,
}

impl<I: Id, T> Table<I, T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), kind: PhantomData }
    }

    /// The same for each of `count`.
    pub(super) fn filled(count: usize, row: T) -> Self
    where
        T: Clone,
    {
        Self { rows: vec![row; count], kind: PhantomData }
    }

    /// Adds a row and says its number.
    pub(super) fn push(&mut self, row: T) -> I {
        let id = I::new(self.count());
        self.rows.push(row);
        id
    }

    /// How many there are; always fewer than 2^32.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("a history has fewer than 2^32 of anything")
    }

    /// All numbers.
    pub(super) fn ids(&self) -> impl Iterator<Item = I> + use<I, T> {
        (0..self.count()).map(I::new)
    }

    /// All rows with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.ids().zip(&self.rows)
    }

    /// The rows from number `first` up to, not including, number `end`.
    pub(super) fn between(&self, first: u32, end: u32) -> &[T] {
        self.rows.get(first as usize..end as usize).expect("numbers stay within the table")
    }

    /// As [`Table::between`].
    pub(super) fn between_mut(&mut self, first: u32, end: u32) -> &mut [T] {
        self.rows.get_mut(first as usize..end as usize).expect("numbers stay within the table")
    }
}

impl<I: Id, T> Index<I> for Table<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        self.rows.get(id.number() as usize).expect("numbers stay within the table")
    }
}

impl<I: Id, T> IndexMut<I> for Table<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        self.rows.get_mut(id.number() as usize).expect("numbers stay within the table")
    }
}
