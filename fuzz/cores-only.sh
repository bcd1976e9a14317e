#!/bin/sh
# rustc, with coverage of nothing but the crate under test: drivers and models are no longer counted, so that
# streams run about twice as fast. For the targets that end in _stream:
#
#     RUSTC_WORKSPACE_WRAPPER=$PWD/cores-only.sh cargo fuzz run -s none quorum_stream
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
