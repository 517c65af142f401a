#!/bin/sh
# Makes a Debian machine the lab's: `vagrant up` runs it in the guest, as root. It
# installs what is missing and writes what is different, so a second run changes
# nothing; `vagrant provision` after an update of the checkout builds again.
#
#   packages   of debian-packages
#   Go         the release that go.mod asks for, in /usr/local/go
#   programs   lab, the steps and what else there is, in /usr/local/bin, built on
#              the guest's own disk as the user, whose build cache it is
#   kernel     the modules that the steps need, now and at each boot
#   name       lab, so that the prompt says where one is
#   greeting   three lines after `vagrant ssh`
#
# The environment:
#   LAB_OFFLINE=1    what would have to be downloaded is an error, at once
#   LAB_PREBUILT=1   install the programs of the checkout's bin/; no Go is needed
#   LAB_SOURCE       the checkout (/vagrant)
#   LAB_USER         whose machine it is (vagrant)
#   LAB_GO_DL        where the archives of Go's releases lie (https://go.dev/dl)
set -eu
export DEBIAN_FRONTEND=noninteractive
source=${LAB_SOURCE:-/vagrant}
user=${LAB_USER:-vagrant}
offline=${LAB_OFFLINE:-}
prebuilt=${LAB_PREBUILT:-}
releases=${LAB_GO_DL:-https://go.dev/dl}

die() {
  echo "provision: $1" >&2
  [ $# = 1 ] || echo "hint: $2" >&2
  exit 1
}

# as_user COMMAND… runs it as the machine's user, with Go on PATH.
as_user() {
  runuser -u "$user" -- env -u XDG_CACHE_HOME HOME="$home" PATH="/usr/local/go/bin:$PATH" "$@"
}

# put MODE FILE writes its input to FILE if that is not what it holds.
put() {
  new=$(mktemp)
  cat >"$new"
  cmp -s "$new" "$2" || {
    install -D -m "$1" "$new" "$2"
    echo "provision: $2"
  }
  rm "$new"
}

packages() {
  missing=
  while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing="$missing $package"
  done <"$source/vagrant/debian-packages"
  [ "$missing" ] || return 0
  [ ! "$offline" ] || die "packages are missing and LAB_OFFLINE is set:$missing" \
    "run it once with a network, or start from a class box"
  echo "provision: installing$missing"
  apt_get update
  # shellcheck disable=SC2086 # one word for each package
  apt_get install --no-install-recommends $missing ||
    die "cannot install$missing" "has this machine a network?"
}

# apt_get does not wait for a network that is not there.
apt_get() {
  apt-get -q -y -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 -o DPkg::Lock::Timeout=120 "$@" >/dev/null
}

# go_version prints what go.mod asks for:
#
#   go 1.26.0
go_version() { awk '$1 == "go" {print $2}' "$source/go.mod"; }

# go_there tells whether a Go that is new enough is installed.
#
#   go version go1.26.0 linux/amd64
go_there() {
  [ -x /usr/local/go/bin/go ] || return 1
  there=$(GOTOOLCHAIN=local /usr/local/go/bin/go version | awk '{print substr($3, 3)}')
  oldest=$(printf '%s\n' "$wanted" "$there" | sort -V | head -n 1)
  [ "$oldest" = "$wanted" ]
}

go_toolchain() {
  wanted=$(go_version)
  go_there && return
  [ ! "$offline" ] || die "Go $wanted is missing and LAB_OFFLINE is set" \
    "run it once with a network, or start from a class box"
  archive=go$wanted.linux-$(dpkg --print-architecture).tar.gz
  echo "provision: $archive"
  new=$(mktemp -d /usr/local/go.XXXXXX)
  if curl -fsSL --connect-timeout 20 --retry 2 -o "$new/$archive" "$releases/$archive" &&
    tar -C "$new" -xzf "$new/$archive"; then
    rm -rf /usr/local/go
    mv "$new/go" /usr/local/go
    rm -r "$new"
  else
    rm -r "$new"
    die "cannot get $releases/$archive" "has this machine a network?"
  fi
}

# programs prints the directories of the programs that the checkout has.
programs() {
  cd "$source"
  for dir in cmd/lab steps/[0-9]* final/cmd/*; do
    [ ! -d "$dir" ] || echo "./$dir"
  done
}

# build DIR puts the programs into a directory.
build() {
  if [ "$prebuilt" ]; then
    [ -x "$source/bin/lab" ] || die "there is no $source/bin/lab to install" "make build"
    # bin/ has also what only tests run.
    for dir in $(programs); do
      cp "$source/bin/${dir##*/}" "$1/"
    done
    return
  fi
  go_toolchain
  proxy=$(as_user go env GOPROXY)
  [ ! "$offline" ] || proxy=off
  # shellcheck disable=SC2046 # one word for each directory
  as_user GOPROXY="$proxy" CGO_ENABLED=0 go -C "$source" build -trimpath -buildvcs=false \
    -ldflags='-s -w' -o "$1/" $(programs) ||
    die "cannot build the programs" "is the network there for Go's modules?"
}

# install_programs builds and copies what is new.
install_programs() {
  made=$(as_user mktemp -d)
  build "$made"
  for program in "$made"/*; do
    put 755 "/usr/local/bin/${program##*/}" <"$program"
  done
  rm -r "$made"
  /usr/local/bin/lab completion bash | put 644 /usr/share/bash-completion/completions/lab
}

# modules loads what the steps need. In the kernels of some boxes they are built
# in, and a class box is made where no module can be loaded.
modules() {
  printf '%s\n' overlay veth bridge nf_tables | put 644 /etc/modules-load.d/lab.conf
  [ -d "/lib/modules/$(uname -r)" ] || return 0
  while read -r module; do
    modprobe "$module" || die "the kernel $(uname -r) has no module $module"
  done </etc/modules-load.d/lab.conf
}

# greeting has the shell of a login say three lines, without others before.
greeting() {
  put 644 /etc/profile.d/lab.sh <<'PROFILE'
# Written by the lab's provision.sh.
PATH=$PATH:/usr/local/go/bin
case $- in
*i*)
  echo "This is the lab's VM: your files are in ~/workspace, the checkout in /vagrant."
  echo "  lab         who and where you are, and what to do next"
  echo "  lab tour    every step at work; as root: sudo lab tour"
  ;;
esac
PROFILE
  [ -e "$home/.hushlogin" ] || as_user touch "$home/.hushlogin"
  # The name is short and the same whether the sync is two-way or one-way.
  as_user mkdir -p "$source/workspace"
  [ -e "$home/workspace" ] || as_user ln -s "$source/workspace" "$home/workspace"
}

# name gives the machine its name, which sudo wants to find in /etc/hosts. Where a
# class box is made the running machine is another, which keeps its own.
name() {
  [ -d "/lib/modules/$(uname -r)" ] || return 0
  [ "$(hostname)" != lab ] || return 0
  grep -q '^127.0.1.1 lab$' /etc/hosts || echo 127.0.1.1 lab >>/etc/hosts
  echo lab >/etc/hostname
  hostname lab
}

# cgroups are the one thing about which a box can be wrong. Where a class box is
# made there are none.
cgroups() {
  [ -d "/lib/modules/$(uname -r)" ] || return 0
  [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || die "cgroups are not v2 here" \
    "boot without systemd.unified_cgroup_hierarchy=0"
}

[ "$(id -u)" = 0 ] || die "needs root" "sudo $0"
home=$(getent passwd "$user" | cut -d: -f6)
[ "$home" ] || die "there is no user $user" "set LAB_USER"
[ -f "$source/go.mod" ] || die "there is no checkout in $source" "set LAB_SOURCE"
packages
install_programs
modules
greeting
name
cgroups
# shellcheck source=/dev/null
echo "provision: ready: $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r)"
