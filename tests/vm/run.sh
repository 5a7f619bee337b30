#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--init systemd|plain] [--cgroups v2|hybrid|v1] [--timeout SECONDS] [--cpus N] [--memory MIB]
#        [--console] [--reboots] [COMMAND...]
#
# Boots Debian 12's kernel (6.1) under QEMU's TCG, with pure cgroup v2 if nothing else is said, with the tree,
# as it is built, at /kiln, and runs COMMAND (a line of shell) there as root. Its output is our output, its exit
# code ours. Without COMMAND: tests/vm/suite.sh on three machines (systemd, plain, and systemd with cgroup v1).
# The disk is a snapshot: nothing a run does is kept. With --reboots a reboot of the guest is one, and COMMAND runs again
# on the disk as it was left; else the machine ends.
#
# Exit: 77 with a SKIP line when this machine cannot do it; 124 when time ran out; 125 when the machine
# ended without an exit code (the end of its console is shown).
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
init=systemd
cgroups=v2
seconds=420
cpus=2
memory=2048
console=
no_reboot=-no-reboot
: "${KILN_VM_APPEND:=}"
pid=
tmp=

usage() {
	sed -n '4,14s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	[ -z "$pid" ] || wait "$pid" 2>/dev/null
	[ -z "$tmp" ] || rm -rf "$tmp"
}

# What the guest sees of the tree: no history, no objects, no disk images.
pack() {
	tar -C "$tree" -cf "$1" --warning=no-file-changed --exclude-vcs --exclude='./.vm-job' \
		--exclude=./build/vm --exclude=./build/bench --exclude=./build/tools/engines --exclude='./build/*obj' --exclude=./build/unit --exclude=./build/fuzz --exclude=./build/results --exclude='*.o' --exclude='*.a' .
	tar -C "$tmp" -rf "$1" ./.vm-job
	# A disk has whole sectors.
	truncate -s %1M "$1"
}

# The cached initramfs, and behind it a second archive with the guest's few scripts.
early() {
	mkdir -p "$tmp/early/guest"
	install -m 755 "$here/guest/init-early" "$tmp/early/init"
	cp "$here"/guest/* "$tmp/early/guest/"
	chmod 755 "$tmp/early/guest/init-plain" "$tmp/early/guest/start-job"
	cp "$image/initrd" "$1"
	# The kernel looks for the next archive at a multiple of four.
	truncate -s %4 "$1"
	(cd "$tmp/early" && find . | cpio -o -H newc --quiet) >>"$1"
}

boot() {
	local kernel_init=/sbin/init
	local words=$KILN_VM_APPEND
	[ "$init" = plain ] && kernel_init=/usr/local/sbin/init-plain
	# Only systemd mounts the older layouts.
	[ "$cgroups" = v2 ] || words="$words systemd.unified_cgroup_hierarchy=0"
	[ "$cgroups" = v1 ] && words="$words systemd.legacy_systemd_cgroup_controller=1"

	printf '%s\n' "$1" >"$tmp/.vm-job"
	pack "$tmp/tree.tar"
	early "$tmp/initrd"
	# shellcheck disable=SC2086
	TMPDIR=$tmp timeout -k 5 "$seconds" qemu-system-x86_64 \
		-machine q35 -accel tcg,thread=multi -cpu max -smp "$cpus" -m "$memory" \
		-nodefaults -no-user-config -display none $no_reboot \
		-kernel "$image/vmlinuz" -initrd "$tmp/initrd" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr kiln.init=$kernel_init systemd.show_status=no $words" \
		-chardev "file,id=console,path=${console:-$tmp/console},append=on" -serial chardev:console \
		-drive "if=none,id=root,file=$image/disk,format=raw,snapshot=on,cache=unsafe" \
		-device virtio-blk-pci,drive=root,addr=3 \
		-drive "if=none,id=tree,file=$tmp/tree.tar,format=raw,readonly=on" \
		-device virtio-blk-pci,drive=tree,addr=4 \
		-device virtio-serial-pci,addr=5 \
		-chardev stdio,id=out,signal=off -device virtserialport,nr=1,chardev=out,name=kiln.out \
		-chardev "file,id=code,path=$tmp/code" -device virtserialport,nr=2,chardev=code,name=kiln.code \
		<&4 &
	pid=$!
	wait $pid
	local ended=$?
	pid=

	if [ -s "$tmp/code" ]; then
		return "$(cat "$tmp/code")"
	fi
	[ $ended -eq 124 ] && echo "vm: not done after $seconds seconds" >&2
	[ -f "$tmp/console" ] && tail -n 25 "$tmp/console" >&2
	[ $ended -eq 124 ] && return 124
	echo "vm: ended without an exit code" >&2
	return 125
}

while [ $# -gt 0 ]; do
	case $1 in
	--init) init=${2:?} && shift ;;
	--cgroups) cgroups=${2:?} && shift ;;
	--timeout) seconds=${2:?} && shift ;;
	--cpus) cpus=${2:?} && shift ;;
	--memory) memory=${2:?} && shift ;;
	--console) console=/dev/stderr ;;
	--reboots) no_reboot= ;;
	--) shift && break ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
case $init:$cgroups in systemd:v2 | systemd:hybrid | systemd:v1 | plain:v2) ;; *) usage ;; esac

if ! command -v qemu-system-x86_64 >/dev/null; then
	echo "SKIP tests/vm needs qemu-system-x86_64 (apt-get install qemu-system-x86)"
	exit 77
fi
image=$(sh "$here/image.sh") || exit

trap cleanup EXIT
trap 'exit 130' INT TERM HUP
tmp=$(mktemp -d "${TMPDIR:-/tmp}/kiln-vm.XXXXXX")
# QEMU takes the end of its stdin for the end of its stdout: give it one that stays open.
mkfifo "$tmp/stdin"
exec 4<>"$tmp/stdin"

if [ $# -gt 0 ]; then
	boot "$*"
	exit
fi
status=0
for machine in systemd plain v1; do
	echo "# machine: $machine"
	init=systemd
	cgroups=v2
	no_reboot=-no-reboot
	case $machine in
	systemd) no_reboot= ;;
	plain) init=plain ;;
	v1) cgroups=v1 ;;
	esac
	rm -f "$tmp/code"
	boot "bash tests/vm/suite.sh $machine" || status=$?
done
exit $status
