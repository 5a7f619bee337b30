#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# image.sh: builds what run.sh boots (kernel, initramfs, root disk) and prints the folder that holds it.
#
# Debian 12's own kernel is unpacked, not installed; the root file system is debootstrap's, put into an
# ext4 image once. The folder's name is a hash of everything that went in, so a change builds a new one
# and old ones are removed. Root and Debian's mirror are all that it needs.
#
#   KILN_VM_CACHE=dir   keep it there instead of build/vm (CI keeps this folder between runs)
#   KILN_VM_MIRROR=url  another mirror
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
cache=${KILN_VM_CACHE:-$(cd "$here/../.." && pwd)/build/vm}
mirror=${KILN_VM_MIRROR:-}   # empty: what debootstrap takes by itself
suite=bookworm

say() { echo "vm image: $*" >&2; }

skip() {
	echo "SKIP $*" >&2
	exit 77
}

for tool in debootstrap mkfs.ext4 busybox cpio apt-get dpkg; do
	command -v $tool >/dev/null || skip "tests/vm needs '$tool' (apt-get install debootstrap e2fsprogs busybox-static cpio)"
done
[ "$(id -u)" = 0 ] || skip "tests/vm needs root to build the disk image"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "tests/vm boots amd64 only"

newest_kernel() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }'
}

kernel_package=$(newest_kernel)
[ -n "$kernel_package" ] || { apt-get -qq update >&2 && kernel_package=$(newest_kernel); }
[ -n "$kernel_package" ] || skip "apt knows no linux-image-cloud-amd64"
kernel_version=${kernel_package#linux-image-}
clients=$(ls /usr/bin/docker /usr/local/bin/docker 2>/dev/null || true)

key=$({
	echo "$kernel_package" "$suite"
	apt-cache policy "$kernel_package" | sed -n 3p
	# shellcheck disable=SC2086
	[ -z "$clients" ] || stat -Lc '%n %s' $clients
	cat "$here/packages.list" "$here/image.sh"
} | sha256sum | cut -c1-12)
image=$cache/$key

mkdir -p "$cache"
exec 9>"$cache/lock"
command -v flock >/dev/null && flock 9
if [ -f "$image/ready" ]; then
	echo "$image"
	exit 0
fi

# Images of older keys.
find "$cache" -mindepth 1 -maxdepth 1 -type d -name '????????????' -exec rm -rf {} +
mkdir -p "$image" "$cache/debs"
root=$image/root

say "fetching $kernel_package"
deb=$(find "$cache/debs" -name "${kernel_package}_*.deb" | head -n 1)
if [ -z "$deb" ]; then
	# As root: apt's own user may not be able to write here.
	(cd "$cache/debs" && apt-get -qq -o APT::Sandbox::User=root download "$kernel_package") >&2
	deb=$(find "$cache/debs" -name "${kernel_package}_*.deb" | head -n 1)
fi
dpkg -x "$deb" "$image/kernel"
mv "$image/kernel/boot/vmlinuz-$kernel_version" "$image/vmlinuz"

say "unpacking Debian ($suite)"
include=$(sed 's/#.*//' "$here/packages.list" | tr -s ' \n' ',' | sed 's/^,//; s/,$//')
# shellcheck disable=SC2086
debootstrap --variant=minbase --cache-dir="$cache/debs" --include="$include" "$suite" "$root" $mirror \
	>"$image/debootstrap.log" 2>&1 || {
	tail -n 20 "$image/debootstrap.log" >&2
	exit 1
}
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc \
	"$root"/usr/share/man "$root"/usr/share/locale
mkdir -p "$root/lib/modules" "$root/kiln"
cp -a "$image/kernel/lib/modules/$kernel_version" "$root/lib/modules/"
chroot "$root" depmod -a "$kernel_version"
for c in $clients; do
	install -D -m 755 "$(readlink -f "$c")" "$root$c"
done

# Nothing that only costs boot time. (The guest's own few files come with each boot: see run.sh.)
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
	fstrim.timer getty.target systemd-timesyncd.service systemd-pstore.service \
	systemd-journal-flush.service systemd-update-utmp.service systemd-hwdb-update.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
echo kiln-vm >"$root/etc/hostname"
printf '127.0.0.1 localhost kiln-vm\n::1 localhost\n' >"$root/etc/hosts"
echo '/dev/vda / ext4 defaults 0 0' >"$root/etc/fstab"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo virtio_console >"$root/etc/modules-load.d/kiln-vm.conf"

say "building the initramfs"
early=$image/early
mkdir -p "$early/bin" "$early/modules" "$early/dev" "$early/proc" "$early/newroot"
cp "$(command -v busybox)" "$early/bin/busybox"
# modprobe prints dependencies before what needs them.
for m in virtio_pci virtio_blk virtio_console; do
	chroot "$root" modprobe -S "$kernel_version" --show-depends $m | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r ko; do
	cp "$root$ko" "$early/modules/"
	echo "/modules/${ko##*/}"
done >"$early/modules/order"
(cd "$early" && find . | cpio -o -H newc --quiet | gzip -1) >"$image/initrd"

say "building the disk"
truncate -s 6G "$image/disk"
mkfs.ext4 -q -F -L kiln-vm -m 0 -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$image/disk"
rm -rf "$root" "$early" "$image/kernel"
: >"$image/ready"
say "ready: $(du -sh "$image" | cut -f1) in $image"
echo "$image"
