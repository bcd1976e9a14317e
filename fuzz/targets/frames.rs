//! See [`quorate_fuzz::parsers::frames`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::frames::TARGET);
