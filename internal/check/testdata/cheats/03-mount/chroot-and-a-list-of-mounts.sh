#!/bin/sh
# chroot(1) into the root, and no mount namespace
# diagnosis: handed-over
shift
while case $1 in -hostname) shift 2 ;; -rootfs)
  root=$2
  shift 2
  ;;
*) false ;; esac do :; done
if [ -n "$root" ]; then exec /usr/sbin/chroot "$root" "$@"; else exec "$@"; fi
