#!/usr/bin/env bash
# Prints the table of docs/vm-vs-container.md: the virtual machine of a run of
# vagrant-ci.sh beside a container of step 07, made by the same machine.
#
# usage: vagrant/ci/measure.sh LOG BOX TREE      as root
#   LOG    what vagrant-ci.sh printed    BOX  its box
#   TREE   a tree of .ci/tree
set -euo pipefail
exec </dev/null

if [ "${1:-}" != --inside ]; then
  [ $# = 3 ] || {
    echo "usage: measure.sh LOG BOX TREE" >&2
    exit 2
  }
  # The container's bridge is none of the machine's.
  exec unshare --mount --net --pid --ipc --uts --fork --kill-child --propagation private \
    --mount-proc -- "$(realpath "$0")" --inside "$@"
fi
log=$2 box=$3 bin=$4/bin
runs=20

# measured NAME prints a number of the log, where a line says
#
#   [ 61 s] vm: measured: boot 24.1
measured() { sed -nE "s/.*measured: $1 ([0-9.]+).*/\1/p" "$log" | tail -n 1; }

# milliseconds COMMAND… prints the median of what runs of it take.
milliseconds() {
  local start i
  for ((i = 0; i < runs; i++)); do
    start=${EPOCHREALTIME/./}
    "$@"
    echo $(((${EPOCHREALTIME/./} - start) / 1000))
  done | sort -n | sed -n $((runs / 2))p
}

# pss PID… prints the memory of processes in KiB, what they share divided by who
# shares it.
#
#   Pss:                1234 kB
pss() {
  local pid
  for pid; do cat "/proc/$pid/smaps_rollup"; done | awk '$1 == "Pss:" {sum += $2} END {print sum}'
}

# family PID prints a process and all below it.
family() {
  local child
  echo "$1"
  for child in $(pgrep -P "$1" || true); do family "$child"; done
}

work=$(mktemp -d "${TMPDIR:-/tmp}/lab-measure.XXXXXX")
trap 'rm -rf "$work"' EXIT
ip link set lo up
"$bin/lab" rootfs "$work/root" >/dev/null
flags=(-rootfs "$work/root" -memory 64M -cpus 1 -pids 64)
start=$(milliseconds "$bin/07-volumes" run "${flags[@]}" true)

# The container's whole cost: the program that waits, its init and the command.
"$bin/07-volumes" run "${flags[@]}" sh -c 'echo up; sleep 60' >"$work/said" &
program=$!
for _ in {1..100}; do
  [ ! -s "$work/said" ] || break
  sleep 0.1
done
mapfile -t all < <(family "$program")
memory=$(pss "${all[@]}")
kill "$program"
wait "$program" || true

mib() { awk -v n="$1" 'BEGIN {printf "%.1f MiB\n", n / 1024}'; }
cat <<TABLE
| | virtual machine | container |
| --- | --- | --- |
| start | $(measured boot) s until ssh answers | $start ms for \`true\` with a network, a root and limits |
| memory | $(measured qemu) MiB of the host, of which the guest uses $(measured guest) MiB | $(mib "$memory") |
| image | $(mib "$(du -k "$box" | cut -f1)") | $(mib "$(du -sk "$work/root" | cut -f1)") |
TABLE
