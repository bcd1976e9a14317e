//! See [`quorate_fuzz::parsers::history`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::history::TARGET);
