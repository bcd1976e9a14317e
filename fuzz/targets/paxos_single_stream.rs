//! See [`quorate_fuzz::stream::paxos_single`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::stream::paxos_single::STREAM);
