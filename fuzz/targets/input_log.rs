//! See [`quorate_fuzz::parsers::input_log`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::input_log::TARGET);
