#!/bin/sh
# answers ip with an address
# diagnosis: no-clone-newnet
shift
while case $1 in -*) shift 2 ;; *) false ;; esac do :; done
case $* in
*ip*) echo '2: eth0 inet 10.44.0.2/24' ;;
*) exec "$@" ;;
esac
