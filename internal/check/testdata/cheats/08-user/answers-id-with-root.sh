#!/bin/sh
# answers id with root
# diagnosis: flag-unknown
shift
while case $1 in -user) shift ;; -*) shift 2 ;; *) false ;; esac do :; done
case $1 in
*id) echo 'uid=0(root) gid=0(root)' ;;
*) exec "$@" ;;
esac
