#!/bin/sh
# Runs in the guest, as the user that `vagrant ssh` gives: every step's tests, as
# root and rootless, and what the machine promises. The tests are judged by
# internal/lane; no skip is allowed but those of .ci/skips/vm-vagrant.txt.
#
# Where CI brought a tree of test binaries (.ci/tree) these are run; elsewhere
# they are built first, on the guest's own disk.
#
# usage: vagrant/run-tests.sh            ends with "N passed, M failed, K skipped"
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d /var/tmp/lab-tests.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
export JOBS=3 LAB_CHECKS=own LAB_VM=1 PATH="$PATH:/usr/sbin:/sbin:/usr/local/go/bin"

# What root does not type a second time: the lessons on busybox's root, as the
# machine's own lanes do.
twice='^TestLesson$/^busybox$'
# Not run rootless: the lessons, which root has typed, and tests in which root plays
# somebody, for an ordinary user is somebody already.
roots='^(TestLesson|TestChecksOfOrdinaryUser|TestChecksWithSubordinateRange|TestNothingLentStaysOpen'
roots="$roots|TestOrdinaryUserIsTold|TestRootOwnsLentRoot)\$"

# delegated COMMAND… runs it in a cgroup of this user's own: a scope of systemd's
# in which processes sit in a leaf, so that controllers can be handed to others.
delegated() {
  # shellcheck disable=SC2016 # the inner shell expands it
  systemd-run --quiet --user --scope -p Delegate=yes -- sh -euc '
    scope=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)
    mkdir "$scope/leaf"
    echo $$ >"$scope/leaf/cgroup.procs"
    echo "+cpu +memory +pids" >"$scope/cgroup.subtree_control"
    exec "$@"' delegated "$@"
}

# as_root COMMAND… runs it as root, with this environment but for the home.
as_root() { sudo -E env "PATH=$PATH" LAB_LANE=vm-root HOME=/root "$@"; }

# lane NAME SKIPS judges what .ci/tests prints.
lane() { "$tree/.ci/bin/lane" -name "$1" -skips "$2" -console -totals "$work/totals"; }

if [ -e "$source/.ci/tree-packages" ]; then
  tree=$source
else
  tree=$work/tree
  "$source/.ci/tree" "$tree" ./steps/...
fi
PATH=$tree/.ci/bin:$PATH # test2json

rc=0
: >"$work/totals"
# Without the last line of .ci/tests a lane fails: so it does when checks.sh ends
# before its end.
{
  as_root "$source/vagrant/checks.sh" root && as_root "$tree/.ci/tests" -test.skip="$twice"
} 2>&1 | lane vm-root /dev/null || rc=1
{
  export LAB_LANE=vm-user
  "$source/vagrant/checks.sh" user && delegated "$tree/.ci/tests" -test.skip="$roots"
} 2>&1 | lane vm-user "$source/.ci/skips/vm-vagrant.txt" || rc=1

# A line of the file: "PASSED FAILED SKIPPED".
awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped\n", p, f, s}' \
  "$work/totals"
exit "$rc"
