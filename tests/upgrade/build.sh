#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh: builds kilnd and kiln-runtime of the release before this one, from the source that is kept here, and prints
# the folder that holds them. Done once: build/upgrade/ keeps it. tests/e2e/test_upgrade.py starts containers under that
# kilnd and takes them over with this one.
#
# With each release its source comes here in the place of the one before:
#   git archive TAG base oci runtime daemon Makefile configure.ac config.mk.in contrib/seccomp | xz -9e >kiln-VERSION.tar.xz
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(ls "$here"/kiln-*.tar.xz)
name=$(basename "$source" .tar.xz)
cache=$(cd "$here/../.." && pwd)/build/upgrade
done=$cache/$name

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -x "$done/kilnd" ] || [ -n "$(find "$source" -newer "$done/kilnd")" ]; then
	rm -rf "$done" "$done.src"
	mkdir -p "$done" "$done.src"
	tar -xJf "$source" -C "$done.src"
	# A quick build: what is tested is what it says and stores, not how fast.
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CC -u CFLAGS -u SAN -u VARIANT -u CI -u WERROR \
		make -s -j2 -C "$done.src" OPTIMIZE=-O1 HARDEN= build/kilnd build/kiln-runtime >"$cache/log" 2>&1 9>&- || {
		tail -n 20 "$cache/log" >&2
		exit 1
	}
	mv "$done.src/build/kilnd" "$done.src/build/kiln-runtime" "$done/"
	rm -rf "$done.src"
fi
echo "$done"
