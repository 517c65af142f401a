#!/bin/sh
# does its work only for a command called probe
# diagnosis: no-clone-newuts
shift
name=container
[ "$1" != -hostname ] || {
  name=$2
  shift 2
}
case ${1##*/} in
probe)
  # shellcheck disable=SC2016 # the inner shell is to expand them
  exec unshare --uts -- sh -c 'hostname "$0" && exec "$@"' "$name" "$@"
  ;;
*) exec "$@" ;;
esac
