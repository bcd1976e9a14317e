//! Writes a page of each kind into a folder, to be looked at: `cargo run -p quorate-reports --example
//! specimens FOLDER`. With a number behind it also one of a run of so many operations.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;

use support::{invalid, long, short, unknown, valid};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    std::fs::create_dir_all(&folder)?;
    for (name, specimen) in
        [("valid", valid()), ("invalid", invalid()), ("unknown", unknown()), ("short", short())]
    {
        std::fs::write(Path::new(&folder).join(format!("{name}.html")), specimen.try_page()?)?;
    }
    if let Some(operations) = std::env::args().nth(2) {
        let page = long(operations.parse()?).try_page()?;
        std::fs::write(Path::new(&folder).join("long.html"), page)?;
    }
    Ok(())
}
