//! Text in addresses.

use std::fmt::Write as _;

/// A text as a part of an address: bytes that are neither letters nor digits of ASCII nor among `plain` by their numbers.
pub(crate) fn encoded(text: &str, plain: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
