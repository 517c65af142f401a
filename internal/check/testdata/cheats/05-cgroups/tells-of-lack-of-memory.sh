#!/bin/sh
# says that the OOM killer was there, whatever happened
# diagnosis: flag-unknown
shift
while case $1 in -*)
  limit=$2
  shift 2
  ;;
*) false ;; esac do :; done
"$@"
status=$?
[ -z "$limit" ] || echo "05-cgroups: killed by the OOM killer: limit $limit" >&2
exit $status
