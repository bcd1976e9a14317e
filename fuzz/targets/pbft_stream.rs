//! See [`quorate_fuzz::stream::pbft`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::stream::pbft::STREAM);
