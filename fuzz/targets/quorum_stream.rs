//! See [`quorate_fuzz::stream::quorum`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::stream::quorum::STREAM);
