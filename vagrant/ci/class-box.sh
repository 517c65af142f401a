#!/usr/bin/env bash
# Builds a class box and tries it as a class would without a network: `vagrant up`
# provisions from what is in the box, a step runs, a step is built, the steps'
# tests are built and run. The guest reaches nothing but the host's ssh.
#
# usage: vagrant/ci/class-box.sh FILE.box      as root
set -euo pipefail
exec </dev/null
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
[ $# = 1 ] || {
  echo "usage: class-box.sh FILE.box" >&2
  exit 2
}
box=$(realpath "$1")
mkdir -p "${box%/*}"
"$here/build-image.sh" --with-lab "$box"

# What a person has: a checkout without programs.
work=$(mktemp -d "${TMPDIR:-/tmp}/lab-class.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$top"
git ls-files -z -co --exclude-standard | cpio --quiet -0pdm "$work/checkout"
LAB_PREBUILT='' LAB_OFFLINE=1 LIMIT=${LIMIT:-3600} \
  "$here/vagrant-ci.sh" "$box" "$work/checkout" \
  '! getent hosts go.dev' \
  'lab run 05 -memory 30M -- cat /proc/self/cgroup' \
  'cd /vagrant && time GOPROXY=off go build -o /tmp/05-cgroups ./steps/05-cgroups && ls -l /tmp/05-cgroups' \
  /vagrant/vagrant/run-tests.sh
