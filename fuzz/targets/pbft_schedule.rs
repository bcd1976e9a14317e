//! See [`quorate_fuzz::schedule`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::schedule::PBFT);
