#!/bin/sh
# answers the pid with 1
# diagnosis: no-clone-newpid
shift
[ "$1" != -hostname ] || shift 2
# shellcheck disable=SC2016 # it is compared, not expanded
shell='echo $$'
if [ "$3" = "$shell" ]; then echo 1; else exec "$@"; fi
