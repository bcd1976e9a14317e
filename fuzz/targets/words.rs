//! See [`quorate_fuzz::parsers::words`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::words::TARGET);
