//! A decoder with a bug that is there on purpose, to see that fuzzing finds such: the feature `planted` puts it in the
//! place of the right one, in this crate alone.

use postcard::de_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// As [`quorate_systems::wal::decode`], but for a length that is not checked.
pub(super) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut decoder = postcard::Deserializer::from_flavor(Unchecked(bytes));
    let value = T::deserialize(&mut decoder).ok()?;
    let again = postcard::to_allocvec(&value).ok()?;
    (again == bytes).then_some(value)
}

/// Bytes that are still to be read.
struct Unchecked<'de>(&'de [u8]);

impl<'de> Flavor<'de> for Unchecked<'de> {
    type Remainder = &'de [u8];
    type Source = &'de [u8];

    fn pop(&mut self) -> postcard::Result<u8> {
        let (first, rest) =
            self.0.split_first().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.0 = rest;
        Ok(*first)
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        // The bug: there may be fewer.
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<&'de [u8]> {
        Ok(self.0)
    }
}
