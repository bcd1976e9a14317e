//! See [`quorate_fuzz::stream::paxos`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::stream::paxos::CLIENT_STREAM);
