#!/bin/sh
# copies the volume into the root
# diagnosis: handed-over
shift
while case $1 in -rootfs)
  root=$2
  shift 2
  ;;
-v)
  v=$2
  shift 2
  ;;
-*) shift 2 ;; *) false ;; esac do :; done
[ -z "$v" ] || {
  to=${v#*:}
  cp -a "${v%%:*}/." "$root/${to%%:*}/"
}
exec chroot "$root" "$@"
