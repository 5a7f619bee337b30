#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what `make bench` measures beside Kiln, from the distribution's packages. Run it as root.
set -eu
cd "$(dirname "$0")"
. ./packages.sh

case $(distribution) in
debian | ubuntu) apt-get install -y --no-install-recommends crun runc containerd docker.io busybox-static util-linux ;;
fedora) dnf install -y crun runc containerd moby-engine busybox util-linux ;;   # untested
*) echo "install by hand: crun runc containerd dockerd busybox (static) util-linux" >&2; exit 1 ;;
esac
