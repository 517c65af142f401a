#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the fast lane's virtual machine (fast-vm.sh): it makes
# what systemd makes elsewhere, runs the tests and switches the machine off.
export PATH=/usr/sbin:/usr/bin HOME=/root TMPDIR=/tmp

# Where an ordinary user made the image, its files are that user's.
[ "$(stat -c %u /etc/passwd)" = 0 ] || chown -hR 0:0 /
chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
ip link set lo up
hostname fast-vm

# A cgroup that holds processes cannot hand out controllers, so this one moves
# into a leaf first.
mkdir /sys/fs/cgroup/init
echo $$ >/sys/fs/cgroup/init/cgroup.procs
echo '+cpu +memory +pids +io +cpuset' >/sys/fs/cgroup/cgroup.subtree_control
echo "fast-vm: up after $(cut -d' ' -f1 /proc/uptime) s, Linux $(uname -r)," \
  "cgroup v2 with $(cat /sys/fs/cgroup/cgroup.subtree_control)"

# The kernel rewrites its scheduler's code when the first quota of processor time comes
# and when the last one goes, and once in a long while a processor that QEMU emulates goes
# on for ever with what was there meanwhile (int3, static keys). One quota that stays makes
# it one time.
mkdir /sys/fs/cgroup/quota
echo '100000 100000' >/sys/fs/cgroup/quota/cpu.max

if [ -e /src/.ci/vm-command ]; then
  cd /src && LAB_LANE=vm-fast LAB_VM=1 LAB_BIN=/src/bin sh .ci/vm-command
  printf '\n##vm-command exit %s\n' "$?"
else
  # The lessons are typed on busybox's root by the machine's own lanes, and there
  # minirun is killed at each of its calls, given hostile files and raced with, which
  # in this machine takes too long.
  LAB_LANE=vm-fast LAB_VM=1 LAB_CHECKS=own TIMEOUT=10m JOBS=2 \
    /src/.ci/tests -test.skip='^TestLesson$/^busybox$|^Test(Fault|HostileConfig|Escape.*Race)'
fi
poweroff -f
