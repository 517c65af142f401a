#!/bin/sh
# hands the work to a copy of unshare(1) with another name
# diagnosis: handed-over
shift
name=container
[ "$1" != -hostname ] || {
  name=$2
  shift 2
}
tool=$(mktemp)
cat "$(command -v unshare)" >"$tool"
chmod +x "$tool"
# shellcheck disable=SC2016 # the inner shell is to expand them
exec "$tool" --uts -- sh -c 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"' "$name" "$@"
