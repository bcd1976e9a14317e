//! See [`quorate_fuzz::certificates`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::certificates::TARGET);
