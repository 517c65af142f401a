#!/usr/bin/env bash
# Runs `vagrant up` with libvirt where there is neither systemd nor a usable KVM
# nor a network, and commands in the guest; then destroys it. libvirtd, its
# bridge, dnsmasq, QEMU and Vagrant run in mount, network, PID and IPC namespaces
# of their own, with private copies of the directories they write to: they cannot
# reach this machine's network, cgroups or files, and nothing survives the end of
# the namespaces, however it comes.
#
# usage: vagrant/ci/vagrant-ci.sh BOX TREE COMMAND…
#   BOX      the file of a box                TREE  the checkout that becomes /vagrant
#   COMMAND  run by `vagrant ssh -c` in turn, or here if it begins with `vagrant `;
#            the first that fails ends the lane
#   LIMIT    seconds for all of it (1800)
set -euo pipefail
exec </dev/null
PATH=$PATH:/usr/sbin:/sbin
export BOX_NAME=lab-ci

say() { printf '[%3d s] vm: %s\n' "$SECONDS" "$*"; }

die() {
  echo "vagrant-ci: $*" >&2
  exit 1
}

# end ends what still runs, however this script came to its end. The kernel takes a
# moment for the namespaces.
# shellcheck disable=SC2317 # it is the trap's
end() {
  [ -z "$child" ] || kill -KILL "$child" || true
  rm -rf "$work" || {
    sleep 1
    rm -rf "$work"
  }
}

if [ "${1:-}" != --inside ]; then
  [ $# -ge 3 ] || die "usage: vagrant-ci.sh BOX TREE COMMAND…"
  [ "$(id -u)" = 0 ] || die "needs root"
  work=$(mktemp -d "${TMPDIR:-/tmp}/lab-vagrant.XXXXXX")
  # Whoever waits here may be killed: then the namespaces end, too, and all that is
  # in them. Their first process is this script's shell, for it reaps what libvirtd
  # leaves behind; timeout(1) does not.
  LAB_WORK=$work setpriv --pdeathsig KILL -- timeout -k 30 "${LIMIT:-1800}" \
    setpriv --pdeathsig KILL -- unshare --mount --net --pid --ipc --uts --fork --kill-child \
    --propagation private --mount-proc -- "$(realpath "$0")" --inside "$@" &
  child=$!
  trap end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  status=0
  wait $child || status=$?
  child=
  exit $status
fi
shift
box=$1 tree=$2
shift 2

# Private views: no cgroup for libvirt to write to, and no /dev/kvm to be tempted
# by: where it opens but does not work a guest hangs without a word.
private_machine() {
  local dir name
  ip link set lo up
  umount -R /sys/fs/cgroup 2>/dev/null || umount -l /sys/fs/cgroup || true
  mount -t sysfs -o ro sysfs /sys
  [ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
  mount -t tmpfs -o mode=755 run /run
  mount -t tmpfs -o mode=1777 shm /dev/shm
  mkdir /run/lock
  for dir in etc lib cache log; do
    name=/var/$dir/libvirt
    [ $dir != etc ] || name=/etc/libvirt
    mkdir -p "$LAB_WORK/libvirt/$dir" "$name"
    mount --bind "$LAB_WORK/libvirt/$dir" "$name"
  done
}

# start_libvirt configures it to need nobody else: no polkit, no log daemon, no
# other user for QEMU, no cgroups.
start_libvirt() {
  local tries
  cat >/etc/libvirt/libvirtd.conf <<'CONF'
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
CONF
  cat >/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
seccomp_sandbox = 0
CONF
  libvirtd --daemon --pid-file /run/libvirtd.pid
  for tries in {1..100}; do
    virsh --quiet --connect qemu:///system version >/dev/null 2>&1 && return
    sleep 0.1
  done
  cat /var/log/libvirt/libvirtd.log
  die "libvirtd does not answer after $tries tries"
}

# quiet drops the progress that Vagrant draws even for a pipe, and tells the time.
quiet() {
  local line
  stdbuf -o0 tr '\r' '\n' | while IFS= read -r line; do
    [[ -z $line || $line =~ Progress:\ +[0-9]+% ]] || printf '[%3d s] %s\n' $SECONDS "$line"
  done
}

# up starts the machine; when that fails it shows what the guest said last.
up() {
  vagrant up --no-tty --provider=libvirt 2>&1 | quiet | tee "$LAB_WORK/up" && return
  echo "--- the guest's console"
  tail -n 40 "$LAB_CONSOLE"
  echo "--- libvirtd"
  tail -n 20 /var/log/libvirt/libvirtd.log
  return 1
}

# measured says what measure.sh looks for: how long the machine was on its way to
# an answer of ssh, and what the emulator holds of this machine's memory.
#
#   [ 11 s] ==> default: Starting domain.
#   [ 43 s] ==> default: Machine booted and ready!
measured() {
  say "measured: boot $(awk -F '[][ ]+' '/Starting domain/ {from = $2} /Machine booted/ {print $2 - from}' \
    "$LAB_WORK/up")"
  say "measured: qemu $(awk '$1 == "VmRSS:" {print int($2 / 1024)}' \
    "/proc/$(pgrep -o qemu-system)/status")"
}

# run COMMAND runs it where it belongs.
run() {
  case $1 in
  "vagrant "*) bash -c "$1" | quiet ;;
  *) vagrant ssh -c "$1" -- -T ;;
  esac
}

export HOME=$LAB_WORK/home VAGRANT_HOME=$LAB_WORK/vagrant.d VAGRANT_DOTFILE_PATH=$LAB_WORK/dot
export VAGRANT_CWD=$tree/vagrant VAGRANT_CHECKPOINT_DISABLE=1 VAGRANT_NO_COLOR=1
export VAGRANT_DEFAULT_PROVIDER=libvirt LAB_BOX=$BOX_NAME LAB_LIBVIRT_DRIVER=qemu
export LAB_OFFLINE=${LAB_OFFLINE-1} LAB_PREBUILT=${LAB_PREBUILT-1} LAB_CONSOLE=$LAB_WORK/console
mkdir -p "$HOME" "$VAGRANT_HOME"
: >"$LAB_CONSOLE"

private_machine
start_libvirt
say "libvirtd answers"
vagrant box add --no-tty --force --name "$BOX_NAME" "$box" 2>&1 | quiet
say "vagrant up"
up
say "the guest is up and provisioned"
rc=0
for command; do
  run "$command" || {
    rc=$?
    say "status $rc: $command"
    break
  }
done
measured
say "vagrant destroy"
vagrant destroy --force | quiet
say "done, status $rc"
exit "$rc"
