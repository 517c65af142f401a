#!/bin/sh
# copies the layers into one directory
# diagnosis: handed-over
shift
while case $1 in -lower)
  lower=$2
  shift 2
  ;;
-upper)
  upper=$2
  shift 2
  ;;
-*) shift 2 ;; *) false ;; esac do :; done
old=$IFS
IFS=:
for layer in $lower; do cp -a "$layer/." "$upper/"; done
IFS=$old
exec chroot "$upper" "$@"
