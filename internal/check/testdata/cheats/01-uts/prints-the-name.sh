#!/bin/sh
# answers hostname with the name it was given
# diagnosis: no-clone-newuts
shift
name=container
[ "$1" != -hostname ] || {
  name=$2
  shift 2
}
if [ "$1" = hostname ]; then echo "$name"; else exec "$@"; fi
