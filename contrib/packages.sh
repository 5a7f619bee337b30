# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Package names per distribution, and how to install those that are missing. Sourced by quickstart.sh and check.sh.
#
# Debian 12 is what these are tried on. Ubuntu's and Fedora's names are untested.

# packages_for SET: the packages of a set: build, demo or test
packages_for() {
	case $(distribution):$1 in
	debian:build | ubuntu:build)
		echo gcc libc6-dev make autoconf pkg-config libseccomp-dev libcap-dev libarchive-dev \
			libjansson-dev libcgroup-dev check libuv1-dev libhttp-parser-dev libssl-dev \
			libisal-dev zlib1g-dev libzstd-dev libsqlite3-dev libsystemd-dev ;;
	debian:demo | ubuntu:demo)
		echo busybox-static ;;
	debian:test | ubuntu:test)
		echo git python3 python3-docker clang libclang-rt-14-dev clang-format shellcheck busybox-static skopeo buildah \
			podman uidmap umoci crun runc debootstrap strace procps attr curl xz-utils zstd cpio e2fsprogs \
			qemu-system-x86 zsh man-db ;;
	fedora:build)       # untested
		echo gcc make autoconf pkgconf-pkg-config libseccomp-devel libcap-devel libarchive-devel \
			jansson-devel libcgroup-devel check-devel libuv-devel http-parser-devel openssl-devel \
			isa-l-devel zlib-devel libzstd-devel sqlite-devel systemd-devel ;;
	fedora:demo)        # untested
		echo busybox tar ;;
	fedora:test)        # untested
		echo git python3 python3-docker clang clang-tools-extra ShellCheck busybox skopeo buildah podman \
			crun runc debootstrap strace procps-ng attr curl xz zstd cpio e2fsprogs qemu-system-x86 zsh man-db ;;
	esac
}

# distribution: debian, ubuntu, fedora, or unknown
distribution() {
	[ -r /etc/os-release ] || { echo unknown; return; }
	# shellcheck disable=SC1091
	(
		. /etc/os-release
		for id in ${ID:-} ${ID_LIKE:-}; do
			case $id in debian | ubuntu | fedora) echo "$id"; exit ;; esac
		done
		echo unknown
	)
}

package_is_installed() {
	case $(distribution) in
	debian | ubuntu) dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii' ;;
	fedora) rpm -q "$1" >/dev/null 2>&1 ;;
	esac
}

# install_packages SET...: installs what is missing of these sets, and nothing when nothing is
install_packages() {
	missing=
	for set in "$@"; do
		for p in $(packages_for "$set"); do
			package_is_installed "$p" || missing="$missing $p"
		done
	done
	case $(distribution) in
	unknown)
		echo "This distribution is not known here. Install what configure.ac and docs/dependencies.md name," >&2
		echo "then go on with 'make'." >&2
		return 0 ;;
	esac
	[ -n "$missing" ] || { echo "all packages are here"; return 0; }
	if [ "$(id -u)" -ne 0 ]; then
		echo "these packages are missing, and installing them needs root:$missing" >&2
		return 1
	fi
	echo "installing:$missing"
	# shellcheck disable=SC2086
	case $(distribution) in
	debian | ubuntu)
		apt-get -qq update &&
			DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $missing >/dev/null ;;
	fedora)
		dnf -q -y install $missing ;;
	esac || {
		echo "the packages could not be installed; the lines above say why. Is the network there, and is no other" >&2
		echo "package manager running?" >&2
		return 1
	}
}

# docker_cli: prints the path of a docker command line client. Where none is installed, takes only that one program
# out of the distribution's package, so that no second daemon gets installed and started beside kilnd.
docker_cli() {
	command -v docker 2>/dev/null && return
	[ -x build/tools/docker ] && { echo "$PWD/build/tools/docker"; return; }
	case $(distribution) in
	debian | ubuntu)
		mkdir -p build/tools/get && chmod 777 build/tools/get || return 1
		for package in docker-cli docker.io; do
			(
				cd build/tools/get && apt-get -qq download "$package" >/dev/null 2>&1 &&
					dpkg-deb -x "$package"_*.deb . && cp usr/bin/docker ../docker
			) && break
		done
		rm -rf build/tools/get ;;
	fedora)
		dnf -q -y install docker-cli >/dev/null 2>&1 && command -v docker && return ;;
	esac
	[ -x build/tools/docker ] || return 1
	echo "$PWD/build/tools/docker"
}

# container_engines: prints a folder for $PATH with containerd, its shim, ctr and dockerd, which the tests run kiln-runtime under. What is
# not installed is taken out of the distribution's packages, so that no service is started; fails where it cannot be had.
container_engines() {
	folder=$PWD/build/tools/engines missing=
	programs='containerd containerd-shim-runc-v2 ctr dockerd'
	for program in $programs; do
		PATH=$PATH:/usr/sbin:$folder command -v "$program" >/dev/null || { missing=1; break; }
	done
	[ -n "$missing" ] || { echo "$folder"; return; }
	case $(distribution) in
	debian | ubuntu) ;;
	*) return 1 ;;
	esac
	mkdir -p build/tools/get "$folder" && chmod 777 build/tools/get || return 1
	(
		cd build/tools/get && apt-get -qq download containerd docker.io >/dev/null 2>&1 || exit
		for package in containerd_*.deb docker.io_*.deb; do
			dpkg-deb --fsys-tarfile "$package" | tar -x ./usr/bin ./usr/sbin 2>/dev/null
		done
		for program in $programs; do
			mv usr/*bin/"$program" "$folder/"
		done
	)
	rm -rf build/tools/get
	[ -x "$folder/dockerd" ] && [ -x "$folder/containerd" ] || return 1
	echo "$folder"
}
