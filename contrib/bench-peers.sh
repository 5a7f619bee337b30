#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what `make bench` measures beside Kiln, from the distribution's packages. Run it as root.
set -eu
cd "$(dirname "$0")"
. ./packages.sh

case $(distribution) in
debian | ubuntu) apt-get install -y --no-install-recommends crun runc containerd docker.io podman umoci isal \
		busybox-static util-linux debootstrap e2fsprogs zstd openssl ;;
fedora) dnf install -y crun runc containerd moby-engine podman umoci isa-l-tools busybox util-linux \
		debootstrap e2fsprogs zstd openssl ;;   # untested
*) echo "install by hand: crun runc containerd dockerd podman umoci igzip busybox (static) util-linux debootstrap e2fsprogs zstd openssl" >&2; exit 1 ;;
esac
