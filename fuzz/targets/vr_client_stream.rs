//! See [`quorate_fuzz::stream::vr`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::stream::vr::CLIENT_STREAM);
