#!/usr/bin/env bash
# Measures Quorate's checker and Porcupine on the same files, in the same run, and prints a table of the two.
#
#   PORCUPINE=/path/to/porcupine checkers/benches/porcupine/porcupine.sh
#
# PORCUPINE is a copy of Porcupine's source (github.com/anishathalye/porcupine) with its test data. Go must be there, 1.16
# or later (Debian: golang-go). Nothing is downloaded. LIMIT is the seconds that a check may take (60), MEMORY the gigabytes
# of address space (12). Each time is that of the check alone, without reading; memory is the peak of the whole process.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
limit=${LIMIT:-60}
memory=${MEMORY:-12}

if ! command -v go >/dev/null; then
    echo "Go is not there, so Porcupine cannot be built and nothing was measured. On Debian: apt-get install golang-go" >&2
    exit 3
fi
if [ ! -f "${PORCUPINE:-}/porcupine.go" ]; then
    echo "Porcupine's source is not there, so nothing was measured: set PORCUPINE to a copy of github.com/anishathalye/porcupine" >&2
    exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/rival"
cp "$here/main.go" "$work/rival/"
cat >"$work/rival/go.mod" <<MODULE
module rival

go 1.16

require github.com/anishathalye/porcupine v0.0.0

replace github.com/anishathalye/porcupine => $(cd "$PORCUPINE" && pwd)
MODULE
(cd "$work/rival" && GOFLAGS=-mod=mod GOPROXY=off go build -o ../porcupine .)
(cd "$root" && cargo build --quiet --release -p quorate-checkers --example families)
families="${CARGO_TARGET_DIR:-$root/target}/release/examples/families"

# Runs a command with the limits; prints its line, or what became of it.
bounded() {
    local out
    if out=$(ulimit -v $((memory << 20)) && timeout $((limit + 30)) "$@" 2>"$work/err"); then
        echo "$out"
    elif grep -qiE "out of memory|cannot allocate|memory allocation" "$work/err"; then
        echo "out-of-memory - -"
    else
        echo "no-answer - -"
    fi
}

rival() { # MODEL REFUSED FILE [explain]
    bounded "$work/porcupine" "$1" "$2" "$limit" ${4:+"$4"} <"$3"
}

ours() { # MODEL REFUSED FILE [decide]
    bounded "$families" "${4:-check}" "$1" "$2" "$limit" "$3"
}

row() { # NAME THEIRS OURS
    local name=$1 their_verdict their_seconds their_peak our_verdict our_seconds our_peak shown
    read -r their_verdict their_seconds their_peak _ <<<"$2"
    read -r our_verdict our_seconds our_peak shown <<<"$3"
    awk -v name="$name" -v tv="$their_verdict" -v ts="$their_seconds" -v tp="$their_peak" \
        -v ov="$our_verdict" -v os="$our_seconds" -v op="$our_peak" -v shown="${shown:-0}" '
        BEGIN {
            ratio = "-"
            if (ts != "-" && os != "-" && os > 0) ratio = sprintf("%s%.1f", tv == "unknown" ? "> " : "", ts / os)
            note = shown > 0 ? " (shown by " shown ")" : ""
            printf "| %s | %s | %s | %s | %s%s | %s | %s | %s |\n", name, tv, ts, tp, ov, note, os, op, ratio
        }'
}

echo "| case | Porcupine | s | MB | Quorate | s | MB | times as fast |"
echo "|---|---|---|---|---|---|---|---|"

# All logs of etcd together: the sum of the times, the largest peak, how many are valid and invalid.
total() {
    awk '{ count[$1]++; seconds += $2; if ($3 > peak) peak = $3 }
        END { for (verdict in count) text = text count[verdict] "-" verdict "/"; print substr(text, 1, length(text) - 1), seconds, peak }'
}
: >"$work/theirs"
: >"$work/ours"
: >"$work/decided"
logs=0
for log in "$PORCUPINE"/test_data/jepsen/*.log; do
    "$families" convert "$log" >"$work/history.json"
    rival register observation "$work/history.json" >>"$work/theirs"
    ours cas-register observation "$work/history.json" >>"$work/ours"
    ours cas-register observation "$work/history.json" decide >>"$work/decided"
    if [ "$(tail -1 "$work/theirs" | cut -d' ' -f1)" != "$(tail -1 "$work/ours" | cut -d' ' -f1)" ]; then
        echo "$(basename "$log"): Porcupine says $(tail -1 "$work/theirs"), Quorate says $(tail -1 "$work/ours")" >&2
    fi
    logs=$((logs + 1))
done
row "$logs logs of etcd" "$(sort -r "$work/theirs" | total)" "$(sort -r "$work/ours" | total)"
row "the same, not explained" "$(sort -r "$work/theirs" | total)" "$(sort -r "$work/decided" | total)"

for name in c10-ok c10-bad c50-ok c50-bad; do
    "$families" convert "$PORCUPINE/test_data/kv/$name.txt" >"$work/history.json"
    theirs=$(rival kv ignored "$work/history.json")
    row "key-value $name" "$theirs" "$(ours kv ignored "$work/history.json")"
    row "the same, not explained" "$theirs" "$(ours kv ignored "$work/history.json" decide)"
done
row "key-value c50-bad, both explained" "$(rival kv ignored "$work/history.json" explain)" \
    "$(ours kv ignored "$work/history.json")"

while read -r name clients operations; do
    "$families" write "$name" "$clients" "$operations" >"$work/history.json"
    row "$name, $clients clients, $operations" "$(rival register ignored "$work/history.json")" \
        "$(ours cas-register ignored "$work/history.json")"
done <<CASES
u 1 1000
u 10 1000
u 20 1000
k 10 1000
k 20 1000
f 10 1000
f 20 1000
ub 10 1000
ub 10 10000
ub 20 1000
kb 10 1000
kb 10 10000
kb 20 1000
fb 10 10000
u 5 10000
u 10 10000
k 10 10000
up10 5 10000
fp3 5 10000
kp10 5 10000
ubp3 5 1000
ubp10 5 1000
fbp3 5 10000
kbp3 5 10000
f 1 10000
f 1 100000
u 5 100000
CASES
