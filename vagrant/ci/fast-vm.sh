#!/usr/bin/env bash
# The fast lane: boots Debian's cloud kernel under QEMU and runs the tests of the
# packages in vagrant/ci/packages there, on cgroup v2, as root, without systemd.
# A boot takes seconds, because there is nothing else in the machine:
#
#   kernel     Debian's, downloaded once and kept in the cache
#   initramfs  busybox and the modules; loads them and goes over to the disk
#   disk       ext4: the tree of .ci/tree in /src, busybox and a few tools. A disk,
#              because pivot_root(2) refuses to work on an initramfs and because a
#              tmpfs of this kernel has no user.* attributes for rootless overlays
#
# Everything comes over the serial console, between the marks of .ci/tests; a
# console that ends without the last mark is a panic or a hang. There is no KVM on
# purpose: where it exists but does not work a guest hangs without a word. Nobody spies
# on this machine: without the kernel's mitigations it takes a third less time.
#
# usage: vagrant/ci/fast-vm.sh | go run ./internal/lane -console
#   LIMIT  seconds until the machine is ended (900)    MEM  MiB (1536)
#   TREE   a tree of .ci/tree that is there already, of which to take the binaries
#   PACKAGES  package patterns to test instead of those in vagrant/ci/packages
#   COMMAND  a line of shell that the machine runs in the tree instead of the tests;
#            its exit status is told on the console
#   BRING    a directory that is put into the tree for it
set -euo pipefail
exec </dev/null
PATH=$PATH:/usr/sbin:/sbin # where an ordinary user's PATH lacks modprobe
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lab/kernel
KERNEL=linux-image-cloud-amd64

# What the tests may find beside busybox. iptables is left out: it loads its
# matches as plug-ins, and nft(8) shows and makes the same tables.
TOOLS=(chroot dash findmnt flock getcap ip lsns mount newgidmap newuidmap nft nsenter pgrep ping ps
  pstree setpriv strace umount unshare)
# Modules, each with what it depends on. The first two are for the disk.
MODULES=(virtio_pci virtio_blk overlay veth bridge dummy
  nf_tables nf_conntrack nf_nat nft_ct nft_nat nft_masq nft_chain_nat nft_fib_ipv4)

die() {
  echo "fast-vm: $*" >&2
  exit 1
}

# need COMMAND… ends with one line where a command is not installed.
need() {
  local command
  for command; do
    command -v "$command" >/dev/null ||
      die "$command is not here; what the lanes need stands in .ci/debian-packages"
  done
}

# newest_kernel prints "PACKAGE VERSION" of the kernel that apt would install.
newest_kernel() {
  local package version
  package=$(apt-cache depends "$KERNEL" 2>/dev/null |
    awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
  [ -n "$package" ] || return 1
  version=$(apt-cache policy "$package" | awk '/Candidate:/ {print $2}')
  echo "$package" "$version"
}

# fetch_kernel PACKAGE VERSION puts kernel and modules into the cache; a run that
# is killed on the way leaves nothing that looks whole.
fetch_kernel() {
  local target=$cache/$1_$2 part
  part=$(mktemp -d "$cache/part.XXXXXX")
  (
    cd "$part"
    apt-get -q -o APT::Sandbox::User= download "$1=$2" >/dev/null 2>&1 &&
      dpkg-deb -x ./*.deb . && rm ./*.deb &&
      depmod -b . "$(ls lib/modules)" && chmod -R a+rX .
  ) && mv "$part" "$target" && return
  rm -rf "$part"
  return 1
}

# kernel prints the directory of the kernel, which is downloaded if need be.
# Package lists that are missing or too old are renewed once.
kernel() {
  local round package version kept
  mkdir -p "$cache"
  for round in 1 2; do
    if read -r package version < <(newest_kernel); then
      kept=$cache/${package}_$version
      if [ -d "$kept" ] || fetch_kernel "$package" "$version"; then
        echo "$kept"
        return
      fi
    fi
    [ "$round" = 2 ] || apt-get -q update >/dev/null 2>&1 || true
  done
  kept=$(find "$cache" -mindepth 1 -maxdepth 1 -name 'linux-image-*' | sort -V | tail -n 1)
  [ -n "$kept" ] ||
    die "$KERNEL is not in $cache and cannot be downloaded: run once with a network"
  echo "$kept"
}

# bring ROOT FILE… copies programs with their loader and libraries.
bring() {
  local root=$1 file needed
  shift
  for file; do
    # Text of ldd(1): "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f…)".
    for needed in "$file" $(ldd "$file" | awk '{for (i = 1; i <= NF; i++) if ($i ~ "^/") print $i}'); do
      mkdir -p "$root${needed%/*}"
      [ -e "$root$needed" ] || cp -L --preserve=mode "$needed" "$root$needed"
    done
  done
}

# make_root ROOT fills the directory that becomes the disk.
make_root() {
  local root=$1 tool applet
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{dev,etc,mnt,proc,root,run,src,sys,tmp}
  for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$root/$dir"; done
  chmod 1777 "$root/tmp"
  for tool in "${TOOLS[@]}"; do
    need "$tool"
    bring "$root" "$(realpath "$(command -v "$tool")")"
  done
  ln -s dash "$root/bin/sh" # busybox's shell prefers its own ip and mount
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in $(busybox --list); do
    [ -e "$root/bin/$applet" ] || [ -e "$root/sbin/$applet" ] ||
      ln -s busybox "$root/bin/$applet"
  done
  printf '%s\n' root:x:0:0:root:/root:/bin/sh \
    daemon:x:1:1::/:/bin/sh labci:x:1000:1000::/tmp:/bin/sh \
    nobody:x:65534:65534::/:/bin/sh >"$root/etc/passwd"
  printf '%s\n' root:x:0: daemon:x:1: labci:x:1000: nogroup:x:65534: >"$root/etc/group"
  echo 'labci:100000:65536' | tee "$root/etc/subuid" >"$root/etc/subgid"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  echo 'nameserver 192.0.2.53' >"$root/etc/resolv.conf" # documentation's network
  install -m 755 "$here/fast-vm-init.sh" "$root/sbin/init"
}

# make_initramfs KERNEL DIR FILE packs what runs until the disk is there.
make_initramfs() {
  local kernel=$1 dir=$2 release ko
  release=$(ls "$kernel/lib/modules")
  mkdir -p "$dir"/{bin,dev,modules,new,sys}
  cp "$(command -v busybox)" "$dir/bin/busybox"
  # Text of modprobe(8): "insmod /…/net/llc/llc.ko", dependencies first.
  for module in "${MODULES[@]}"; do
    modprobe -d "$kernel" -S "$release" --show-depends "$module" ||
      die "the kernel has no module $module"
  done | awk '/^insmod/ && !seen[$2]++ {print $2}' | while read -r ko; do
    cp "$ko" "$dir/modules/"
    echo "/modules/${ko##*/}"
  done >"$dir/modules/order"
  printf '%s\n' "${MODULES[@]}" >"$dir/modules/wanted"
  cat >"$dir/init" <<'INIT'
#!/bin/busybox sh
# A module for a processor that is not there (crc32c-intel) refuses to load; what
# counts is that the ones asked for did.
while read -r ko; do /bin/busybox insmod "$ko" 2>/dev/null; done </modules/order
/bin/busybox mount -t sysfs sys /sys
while read -r m; do
  [ -d "/sys/module/$m" ] || echo "fast-vm: the module $m does not load"
done </modules/wanted
/bin/busybox umount /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t ext4 -o noinit_itable /dev/vda /new
/bin/busybox umount /dev
exec /bin/busybox switch_root /new /sbin/init
INIT
  chmod +x "$dir/init"
  (cd "$dir" && find . | cpio --quiet -o -H newc -R 0:0) >"$3"
}

need qemu-system-x86_64 busybox modprobe cpio mke2fs
[ "$(uname -m)" = x86_64 ] || die "this lane knows amd64 alone, not $(uname -m)"

work=$(mktemp -d "${TMPDIR:-/tmp}/fast-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
kernel=$(kernel)

make_root "$work/root"
mapfile -t patterns < <(grep -v '^#' "$here/packages")
[ -z "${PACKAGES:-}" ] || read -ra patterns <<<"$PACKAGES"
[ -z "${COMMAND:-}" ] || patterns=(./internal/need) # no test of it is run
"$top/.ci/tree" "$work/root/src" "${patterns[@]}"
[ -z "${COMMAND:-}" ] || echo "$COMMAND" >"$work/root/src/.ci/vm-command"
[ -z "${BRING:-}" ] || cp -a "$BRING" "$work/root/src/"

# Twice what is in it and 2 GiB to work in; the file is sparse.
size=$(du -sm "$work/root" | cut -f1)
truncate -s $((size * 2 + 2048))M "$work/disk"
mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=0 -d "$work/root" "$work/disk"
make_initramfs "$kernel" "$work/initramfs" "$work/initramfs.cpio"
rm -rf "$work/root"

# no_timer_check: on a busy host the emulated timer is late, and the kernel would give up.
setpriv --pdeathsig TERM timeout -k 5 "${LIMIT:-900}" \
  setpriv --pdeathsig KILL qemu-system-x86_64 -machine q35 -accel tcg,thread=multi \
  -cpu qemu64 -smp 2 -m "${MEM:-1536}" -nodefaults -no-user-config -display none \
  -no-reboot -serial stdio -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initramfs.cpio" \
  -drive file="$work/disk",format=raw,if=virtio,cache=unsafe \
  -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off no_timer_check" || {
  [ $? != 124 ] || die "the machine still ran after ${LIMIT:-900} s"
  die "the emulator failed"
}
