#!/bin/sh
# Stands in for `quorate node --config FILE` where a test is about processes and not about replicas.
# The option `how` in its configuration says how it behaves.
how=$(sed -n 's/.*"how": "\([a-z-]*\)".*/\1/p' "$3")
echo "started with $how" >&2
if [ "$how" = stillborn ]; then
    echo "no such luck" >&2
    exit 7
fi
status='{"clock_us":1,"inputs":0,"ignored":{},"undecodable":0,"lies":0,"syncs":0,"records":0'
status="$status"',"unsynced_bytes":0,"checkpoints":0}'
echo '{"ready":{"incarnation":1,"peer_address":"127.0.0.1:1","client_address":"127.0.0.1:1",'\
'"records":0,"torn_bytes":0}}'
while read -r order; do
    id=${order#*\"id\":}
    id=${id%%,*}
    case $order in
    *shutdown*) [ "$how" = stubborn ] || exit 0 ;;
    *lie*)
        if [ "$how" = panics ]; then
            echo "thread 'main' panicked at src/core.rs:1:" >&2
            exit 101
        fi
        ;;
    esac
    echo "{\"done\":{\"id\":$id,\"status\":$status}}"
done
