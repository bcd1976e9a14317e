//! See [`quorate_fuzz::parsers::foreign`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::foreign::TARGET);
