#!/usr/bin/env bash
# The lane vm-vagrant: the box, the tree of test binaries, `vagrant up`, the tests
# in the guest. The box is built when there is none in the cache for its scripts,
# its packages and Debian's kernel of the day; older ones are removed then.
#
# usage: vagrant/ci/lane.sh           needs root and the packages of .ci/debian-packages
#   TREE   a tree of .ci/tree that is there already
set -euo pipefail
exec </dev/null
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
boxes=${XDG_CACHE_HOME:-$HOME/.cache}/lab/box

# child COMMAND… runs it so that it ends with this script.
child() {
  setpriv --pdeathsig TERM -- "$@" &
  wait $!
}

# find_box sets box to the file of the box, which is built if need be.
find_box() {
  local key kernel
  kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
  key=$({
    cat "$here/build-image.sh" "$here/../debian-packages"
    apt-cache policy "${kernel:-linux-image-cloud-amd64}" 2>/dev/null
  } | sha256sum | cut -c 1-16)
  box=$boxes/$key.box
  [ ! -e "$box" ] || return 0
  mkdir -p "$boxes"
  find "$boxes" -mindepth 1 -delete
  child "$here/build-image.sh" "$box"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/lab-vagrant.XXXXXX")
# The signal that comes when our parent has ended, too, is none to be cut short by.
trap 'trap "" INT TERM HUP; rm -rf "$work" || { sleep 1; rm -rf "$work"; }' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
find_box
"$top/.ci/tree" "$work/tree" ./steps/...
# A file that is made in the guest's workspace outlives a sync.
# shellcheck disable=SC2016 # $3 is awk's
child "$here/vagrant-ci.sh" "$box" "$work/tree" \
  'free -m | awk "/^Mem/ {print \"measured: guest\", \$3}"' \
  'touch ~/workspace/made-in-the-guest' 'vagrant rsync' \
  'test -e ~/workspace/made-in-the-guest' \
  /vagrant/vagrant/run-tests.sh > >(tee "$work/log")
"$here/measure.sh" "$work/log" "$box" "$work/tree"
