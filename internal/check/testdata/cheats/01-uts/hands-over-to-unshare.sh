#!/bin/sh
# hands the work to unshare(1), found on PATH
# diagnosis: handed-over
shift
name=container
[ "$1" != -hostname ] || {
  name=$2
  shift 2
}
# shellcheck disable=SC2016 # the inner shell is to expand them
exec unshare --uts -- sh -c 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"' "$name" "$@"
