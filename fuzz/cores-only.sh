#!/bin/sh
# rustc, with coverage of nothing but the protocol cores: what drives them, the models and the simulator are no longer
# counted, so that streams and schedules run three times as fast. For the targets that end in _stream or _schedule:
#
#     RUSTC_WORKSPACE_WRAPPER=$PWD/cores-only.sh cargo fuzz run -s none --no-trace-compares quorum_stream
#
# Cargo gives the path of rustc first, then its arguments.
rustc=$1
shift
for argument; do
    [ "$previous" = --crate-name ] && crate=$argument
    previous=$argument
done
[ "$crate" = quorate_systems ] && exec "$rustc" "$@"
for argument; do
    shift
    case $argument in
    -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
exec "$rustc" "$@"
