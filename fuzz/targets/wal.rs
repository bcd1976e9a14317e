//! See [`quorate_fuzz::parsers::wal`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::wal::TARGET);
