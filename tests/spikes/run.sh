#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--vm] [NAME...]: builds the spikes and runs them here (as root), or in the virtual machine with
# Debian's 6.1 and pure cgroup v2 (its plain init). Names are those of the files, without .c.
set -u
cd "$(dirname "$0")/../.." || exit
out=build/spikes
vm=
if [ "${1:-}" = --vm ]; then
	vm=yes
	shift
fi
names=$*
[ -n "$names" ] || names=$(cd tests/spikes && ls ./*.c | sed 's|^\./||; s|\.c$||')

if [ -z "${KILN_SPIKES_BUILT:-}" ]; then
	mkdir -p $out
	for n in $names; do
		libs=$(sed -n 's|^/\* libs: \(.*\) \*/$|\1|p' "tests/spikes/$n.c")
		# shellcheck disable=SC2086
		${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -I. -o "$out/$n" "tests/spikes/$n.c" $libs || exit
	done
fi
if [ -n "$vm" ]; then
	# shellcheck disable=SC2086
	exec tests/vm/run.sh --init "${KILN_SPIKES_INIT:-plain}" "KILN_SPIKES_BUILT=1 bash tests/spikes/run.sh" $names
fi
for n in $names; do
	"$out/$n" || echo "$n: ended with $?"
done
