#!/bin/sh
# unshare(1) makes the namespaces, the shell is PID 1
# diagnosis: handed-over
shift
name=container
[ "$1" != -hostname ] || {
  name=$2
  shift 2
}
# shellcheck disable=SC2016 # the inner shell is to expand them
exec unshare --uts --pid --fork --kill-child=KILL -- sh -c 'echo "$0" >/proc/sys/kernel/hostname; "$@"' "$name" "$@"
