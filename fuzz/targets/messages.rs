//! See [`quorate_fuzz::parsers::messages`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::messages::TARGET);
