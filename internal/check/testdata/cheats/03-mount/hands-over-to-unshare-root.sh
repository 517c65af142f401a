#!/bin/sh
# unshare(1) changes the root
# diagnosis: handed-over
shift
while case $1 in -hostname)
  shift 2
  ;;
-rootfs)
  root=$2
  shift 2
  ;;
*) false ;; esac do :; done
exec unshare --uts --pid --mount --fork --kill-child=KILL ${root:+--root="$root"} --mount-proc -- "$@"
