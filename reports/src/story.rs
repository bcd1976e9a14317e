//! The picture of a small run, set into the page.

use crate::percent;

/// The picture as an address that holds all of it. Its styles are its own: set into the page as it is, they would be those
/// of everything there.
pub(crate) fn address(svg: &str) -> String {
    let picture = percent::encoded(svg, b"-_.!~*'() /:;=,");
    format!("data:image/svg+xml,{picture}")
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn nothing_of_a_picture_can_end_the_attribute_it_stands_in() {
        let address = address("<svg a=\"1\">#ü\n</svg>");
        assert_eq!(address, "data:image/svg+xml,%3Csvg a=%221%22%3E%23%C3%BC%0A%3C/svg%3E");
    }
}
