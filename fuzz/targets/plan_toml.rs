//! See [`quorate_fuzz::parsers::plan_toml`].
#![cfg_attr(fuzzing, no_main)]

quorate_fuzz::target!(quorate_fuzz::parsers::plan_toml::TARGET);
