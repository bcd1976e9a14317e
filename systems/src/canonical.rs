//! Decoding that takes one form only: bytes are a value if and only if they are what it is encoded as.
//!
//! postcard alone is more liberal: it takes a number with needless leading zeros (`80 00` for 0) and a map in any
//! order. Were that allowed, two frames or records could differ in their bytes, and so in their checksums, and
//! mean the same.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The value that is encoded as exactly these bytes. It is encoded once more to find that out, and compared on
/// the way: nothing is allocated for that.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, []) = postcard::take_from_bytes::<T>(bytes).ok()? else { return None };
    let unmatched = postcard::serialize_with_flavor(&value, Expected(bytes)).ok()?;
    unmatched.is_empty().then_some(value)
}

/// What an encoder must still write; it is stopped where it writes something else.
struct Expected<'a>(&'a [u8]);

impl<'a> Flavor for Expected<'a> {
    type Output = &'a [u8];

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0 = self.0.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<&'a [u8]> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_value_has_one_form() {
        type Value = (u64, Option<String>, Vec<u8>);
        let value: Value = (300, Some(String::from("x")), Vec::from([0, 128, 255]));
        let bytes = postcard::to_allocvec(&value).unwrap();
        assert_eq!(decode::<Value>(&bytes), Some(value));
        for len in 0..bytes.len() {
            assert_eq!(decode::<Value>(&bytes[..len]), None, "{len} bytes");
        }
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert_eq!(decode::<Value>(&longer), None);
    }

    #[test]
    fn a_number_with_needless_zeros_is_refused() {
        assert_eq!(postcard::from_bytes::<u64>(&[0x80, 0x00]), Ok(0), "postcard takes it");
        assert_eq!(decode::<u64>(&[0x80, 0x00]), None);
        assert_eq!(decode::<u64>(&[0x00]), Some(0));
        // Lengths and the numbers of variants are such numbers as well.
        assert_eq!(decode::<String>(&[0x81, 0x00, b'x']), None);
        assert_eq!(decode::<Option<Result<u8, u8>>>(&[1, 0x81, 0x00, 7]), None);
    }

    #[test]
    fn a_map_out_of_order_or_with_a_key_twice_is_refused() {
        type Map = BTreeMap<u8, u8>;
        assert_eq!(decode::<Map>(&[2, 1, 5, 2, 6]), Some(Map::from([(1, 5), (2, 6)])));
        assert_eq!(decode::<Map>(&[2, 2, 6, 1, 5]), None);
        assert_eq!(decode::<Map>(&[2, 1, 4, 1, 5]), None);
    }
}
