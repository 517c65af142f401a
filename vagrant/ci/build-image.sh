#!/usr/bin/env bash
# Builds a box for Vagrant and libvirt from Debian packages alone: Debian 12 with
# its cloud kernel, systemd, pure cgroup v2 and the packages of debian-packages.
# The sources are the ones that this machine's own apt uses.
#
# It needs root, and no loop device: mke2fs fills the file system of a file, and
# GRUB's two pieces are written where a BIOS looks for them. Its kernel runs
# without mitigations, as that of fast-vm.sh and for the same reason. All happens in mount,
# PID, IPC and UTS namespaces of its own: a run that is killed leaves no mount, and
# what is provisioned in the new root names that one and not this machine.
#
# usage: vagrant/ci/build-image.sh [--with-lab] FILE.box
#   --with-lab   a class box: with Go, the modules, the lab and the steps, as
#                provision.sh installs them; people start from it without a network
#   DISK_SIZE    of the machine's disk, in GiB (4; with the lab 8)
set -euo pipefail
exec </dev/null
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
SUITE=bookworm
KERNEL=linux-image-cloud-amd64

say() { printf '[%3d s] box: %s\n' "$SECONDS" "$*"; }

die() {
  echo "build-image: $*" >&2
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
  [ "$(id -u)" = 0 ] || die "needs root"
  [ "$(uname -m)" = x86_64 ] || die "knows amd64 alone, not $(uname -m)"
  # What builds it ends with the one who waits for it.
  work=$(mktemp -d "${TMPDIR:-/tmp}/lab-box.XXXXXX")
  LAB_WORK=$work setpriv --pdeathsig KILL -- unshare --mount --pid --ipc --uts --fork --kill-child \
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

with_lab=
if [ "${1:-}" = --with-lab ]; then
  with_lab=yes
  shift
fi
[ $# = 1 ] || die "usage: build-image.sh [--with-lab] FILE.box"
box=$(realpath "$1")
gigabytes=${DISK_SIZE:-$([ "$with_lab" ] && echo 8 || echo 4)}

# sources prints a line for each of this machine's package sources:
#
#   deb URI bookworm main
sources() {
  # shellcheck disable=SC2016 # the names are apt's
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' | grep -E " $SUITE(-security|-updates)? " | sort -u
}

# make_root DIR installs the packages.
make_root() {
  local lines packages
  mapfile -t lines < <(sources)
  [ ${#lines[@]} -gt 0 ] || die "apt has no source for $SUITE here: run apt-get update"
  packages=$(grep -v '^#' "$here/../debian-packages" | paste -sd,)
  packages+=,$KERNEL,initramfs-tools,lz4,systemd,systemd-sysv,libpam-systemd,udev,dbus
  packages+=,openssh-server,sudo,bash-completion
  # The first disk of every machine of libvirt: an initramfs with no more is
  # smaller and made faster.
  # shellcheck disable=SC2016 # $1 is the hook's
  mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='force-unsafe-io' \
    --setup-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
    --setup-hook='printf "MODULES=list\nCOMPRESS=lz4\nRESUME=none\n" >"$1/etc/initramfs-tools/conf.d/lab"' \
    --setup-hook='printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"' \
    "$SUITE" "$1" "${lines[@]}"
}

# configure ROOT makes it a machine that Vagrant can enter.
configure() {
  local root=$1 key
  key=$(ruby -e 'print Gem::Specification.find_by_name("vagrant").gem_dir')/keys/vagrant.pub
  chroot "$root" useradd --create-home --shell /bin/bash vagrant
  install -d -m 700 -o 1000 -g 1000 "$root/home/vagrant/.ssh"
  install -m 600 -o 1000 -g 1000 "$key" "$root/home/vagrant/.ssh/authorized_keys"
  install -m 440 /dev/stdin "$root/etc/sudoers.d/vagrant" <<<'vagrant ALL=(ALL) NOPASSWD:ALL'

  echo lab >"$root/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 lab\n' >"$root/etc/hosts"
  echo 'LABEL=lab / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
  cat >"$root/etc/systemd/network/10-dhcp.network" <<'NETWORK'
[Match]
Name=en* eth*
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
NETWORK
  # Whoever starts while udev is still at a link sees it twice, and this networkd's
  # second answer is "Failed to configure DHCPv4 client: Device or resource busy".
  install -D -m 644 /dev/stdin \
    "$root/etc/systemd/system/systemd-networkd.service.d/settle.conf" <<'SETTLE'
[Unit]
Wants=systemd-udev-settle.service
After=systemd-udev-settle.service
SETTLE
  # A quota of processor time that stays, and limits nothing: see fast-vm-init.sh.
  install -D -m 644 /dev/stdin "$root/etc/systemd/system/system.slice.d/quota.conf" <<'QUOTA'
[Slice]
CPUQuota=1000%
QUOTA
  : >"$root/etc/machine-id" # each machine makes its own

  # One key is enough, and one is what an emulated machine checks fast.
  rm -f "$root"/etc/ssh/ssh_host_{rsa,ecdsa}_key*
  printf '%s\n' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'UseDNS no' \
    'PasswordAuthentication no' >"$root/etc/ssh/sshd_config.d/lab.conf"

  chroot "$root" systemctl --quiet enable systemd-networkd ssh
  chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    getty@tty1.service systemd-pstore.service
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
}

# install_lab ROOT provisions it as `vagrant up` does. In place of a network it has
# this machine's Go and, as a proxy, this machine's cache of modules. The user's
# build cache is filled with what the programs and the steps' tests need.
install_lab() {
  local root=$1 modules
  modules=$(go env GOMODCACHE)/cache/download
  (cd "$top" && go mod download)
  cp -r "$(go env GOROOT)" "$root/usr/local/go"
  (cd "$top" && git ls-files -z -co --exclude-standard | cpio --quiet -0pdm "$root/vagrant")
  chroot "$root" chown -R vagrant:vagrant /vagrant
  mkdir "$root/mnt/modules"
  mount --bind "$modules" "$root/mnt/modules"
  mount --bind /proc "$root/proc"
  mount --bind /dev "$root/dev"
  chroot "$root" env GOPROXY=file:///mnt/modules LAB_SOURCE=/vagrant /vagrant/vagrant/provision.sh
  chroot "$root" runuser -u vagrant -- env -u XDG_CACHE_HOME HOME=/home/vagrant \
    PATH="/usr/local/go/bin:$PATH" GOPROXY=file:///mnt/modules sh -euc '
      cd /vagrant
      go mod download
      .ci/tree /tmp/tree ./steps/...
      rm -rf /tmp/tree'
  umount "$root/mnt/modules" "$root/proc" "$root/dev"
  rmdir "$root/mnt/modules"
}

# make_disk ROOT FILE makes a disk with one bootable partition.
make_disk() {
  local root=$1 disk=$2 kernel start=$((1 << 20))
  kernel=$(basename "$root"/boot/vmlinuz-*)
  mkdir -p "$root/boot/grub"
  cat >"$root/boot/grub/grub.cfg" <<GRUB
linux /boot/$kernel root=LABEL=lab rw console=ttyS0 net.ifnames=0 quiet loglevel=3 mitigations=off
initrd /boot/initrd.img-${kernel#vmlinuz-}
boot
GRUB
  truncate -s "${gigabytes}G" "$disk"
  printf 'label: dos\nstart=2048, type=83, bootable\n' | sfdisk --quiet "$disk"
  mke2fs -q -F -t ext4 -L lab -E offset=$start -d "$root" "$disk" \
    $(((gigabytes * (1 << 30) - start) / 1024))k

  # The BIOS starts the first sector, which keeps its partition table in the bytes
  # after 440 and starts the second, where the rest lies before the partition.
  local modules=/usr/lib/grub/i386-pc core=$work/core.img prefix='(hd0,msdos1)/boot/grub'
  echo "configfile $prefix/grub.cfg" >"$work/early.cfg"
  grub-mkimage -O i386-pc -o "$core" -c "$work/early.cfg" -p "$prefix" \
    biosdisk part_msdos ext2 linux configfile normal
  dd if=$modules/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
  dd if="$core" of="$disk" bs=512 seek=1 conv=notrunc status=none
}

# make_box DISK FILE packs a disk as libvirt's boxes are.
make_box() {
  local dir=$work/box
  mkdir "$dir"
  qemu-img convert -O qcow2 -c -o compression_type=zstd "$1" "$dir/box.img"
  echo "{\"provider\":\"libvirt\",\"format\":\"qcow2\",\"virtual_size\":$gigabytes}" \
    >"$dir/metadata.json"
  echo 'Vagrant.configure("2") { |config| config.vm.provider(:libvirt) { |p| p.disk_bus = "virtio" } }' \
    >"$dir/Vagrantfile"
  tar -C "$dir" -cf "$2" metadata.json Vagrantfile box.img
}

work=$LAB_WORK
say "Debian $SUITE"
make_root "$work/root"
configure "$work/root"
if [ "$with_lab" ]; then
  say "the lab in it"
  install_lab "$work/root"
fi
say "disk of $gigabytes GiB"
make_disk "$work/root" "$work/disk"
make_box "$work/disk" "$work/done"
mv "$work/done" "$box.part"
mv "$box.part" "$box"
say "$(du -h "$box" | cut -f1) $box"
