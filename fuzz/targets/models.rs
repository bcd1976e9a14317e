//! See [`quorate_fuzz::models`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::models::TARGET);
