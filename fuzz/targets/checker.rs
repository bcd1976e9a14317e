//! See [`quorate_fuzz::checker`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::checker::TARGET);
