#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# sudo sh contrib/quickstart.sh        builds Kiln, starts kilnd and runs a web server that stays up
# sudo sh contrib/quickstart.sh stop   removes the daemon, the container, the image and all their files
#
# QUICKSTART_ROOT=DIR keeps everything (data, sockets) under DIR instead of /var/lib/kiln and /run/kiln, beside
# whatever else runs. QUICKSTART_PORT=N chooses the port; otherwise the first free one from 8080 on.
set -eu
cd "$(dirname "$0")/.."
. contrib/packages.sh

if [ -n "${QUICKSTART_ROOT:-}" ]; then
	data_root=$QUICKSTART_ROOT/data
	exec_root=$QUICKSTART_ROOT/run
	cgroup_parent=/kiln/quickstart-$(printf '%s' "$QUICKSTART_ROOT" | cksum | cut -d ' ' -f 1)
else
	data_root=/var/lib/kiln
	exec_root=/run/kiln
	cgroup_parent=/kiln
fi
socket=$exec_root/kiln.sock
mark=$data_root/.quickstart              # what this script made, it may remove
pid_file=$exec_root/quickstart.pid
image=kiln-hello:latest
name=hello

step() { printf '\n==> %s\n' "$*"; }
say() { printf '    %s\n' "$*"; }
die() {
	printf '\nquickstart: %s\n' "$1" >&2
	shift
	for line in "$@"; do printf '  %s\n' "$line" >&2; done
	exit 1
}

[ "$(id -u)" -eq 0 ] || die "this needs root: a container daemon mounts and makes namespaces" "run: sudo sh $0 $*"

# The docker client, talking to our socket whatever the caller's environment says.
client() { env -u DOCKER_CONTEXT -u DOCKER_TLS_VERIFY DOCKER_HOST="unix://$socket" "$docker" "$@"; }
now_ms() { date +%s%3N; }
daemon_runs() { [ -r "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; }

# --- stop ---------------------------------------------------------------------------------------------

# Every process of this kilnd: its pid file, and those that name its exec root in their command line.
processes_of() {
	for p in /proc/[0-9]*; do
		{ tr '\0' '\n' <"$p/cmdline" | grep -qxF -e "$1"; } 2>/dev/null || continue
		case $(readlink "$p/exe" 2>/dev/null) in
		*kilnd* | *kiln-runtime* | *memfd:*) echo "${p#/proc/}" ;;
		esac
	done
}

remove_cgroups() {
	for mount in $(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts); do
		[ -d "$mount$cgroup_parent" ] || continue
		find "$mount$cgroup_parent" -depth -type d -exec rmdir {} + 2>/dev/null || :
	done
}

stop() {
	[ -e "$mark" ] || { say "nothing here that quickstart.sh started"; return; }
	docker=$(docker_cli) || docker=
	if daemon_runs && [ -n "$docker" ]; then
		step "removing every container"
		ids=$(client ps -aq) || ids=
		# shellcheck disable=SC2086
		[ -z "$ids" ] || client rm -f $ids
	fi
	step "stopping kilnd"
	if daemon_runs; then
		pid=$(cat "$pid_file")
		kill -TERM "$pid"
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			kill -0 "$pid" 2>/dev/null || break
			sleep 1
		done
	fi
	# The launcher and the monitors outlive kilnd on purpose; this is the end of them.
	for pid in $(processes_of "$exec_root"); do kill -KILL "$pid" 2>/dev/null || :; done
	sleep 1
	step "removing $data_root and $exec_root"
	remove_cgroups
	rm -rf "$data_root" "$exec_root"
	say "all gone; packages and build/ stay"
}

# --- start --------------------------------------------------------------------------------------------

build() {
	step "installing what is missing"
	install_packages build demo || die "the packages above are needed"

	step "building with make (about a minute)"
	make -j"$(nproc)" >/dev/null || die "the build failed; the lines above say where" "see docs/dependencies.md"
	say "build/kilnd, build/kiln-runtime, build/kiln"
	# The caller's own 'make' must be able to go on in this tree.
	[ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" build
}

start_daemon() {
	step "starting kilnd"
	if daemon_runs; then
		say "it runs already, process $(cat "$pid_file")"
		return
	fi
	if [ -d "$data_root" ] && [ ! -e "$mark" ] && [ -n "$(ls -A "$data_root")" ]; then
		die "$data_root holds another Kiln's data, which quickstart.sh does not touch" \
			"run it beside: sudo QUICKSTART_ROOT=/tmp/kiln-quickstart sh contrib/quickstart.sh"
	fi
	mkdir -p "$data_root" "$exec_root"
	: >"$mark"
	# The shell's own pid is kilnd's, by exec; setsid lets the daemon outlive this terminal.
	setsid sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$pid_file" "$PWD/build/kilnd" --data-root "$data_root" \
		--exec-root "$exec_root" -H "unix://$socket" --cgroup-parent "$cgroup_parent" \
		>>"$data_root/kilnd.log" 2>&1 </dev/null &
	for _ in $(seq 100); do
		client version >/dev/null 2>&1 && break
		sleep 0.1
	done
	client version >/dev/null 2>&1 || {
		tail -n 5 "$data_root/kilnd.log" >&2
		die "kilnd did not answer on $socket within 10 seconds" "its log: $data_root/kilnd.log"
	}
	say "process $(cat "$pid_file"), socket $socket, log $data_root/kilnd.log"
}

# A docker-archive image, by hand: one layer with the static busybox and a page, a config, a manifest.
make_image() {
	step "making a small image from the distribution's static busybox"
	busybox=$(command -v busybox) || die "busybox is not here" "install busybox-static (Fedora: busybox)"
	work=$(mktemp -d)
	mkdir -p "$work/root/bin" "$work/root/www" "$work/root/etc" "$work/root/tmp"
	cp "$busybox" "$work/root/bin/busybox"
	for tool in sh httpd wget ls ps cat echo id sleep mount hostname; do
		ln -s busybox "$work/root/bin/$tool"
	done
	echo 'root:x:0:0:root:/:/bin/sh' >"$work/root/etc/passwd"
	echo 'root:x:0:' >"$work/root/etc/group"
	echo '<h1>Hello from Kiln</h1>' >"$work/root/www/index.html"
	chmod 1777 "$work/root/tmp"
	tar -C "$work/root" --owner=0 --group=0 --numeric-owner --sort=name --mtime=@0 -cf "$work/layer.tar" .
	layer=$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)
	case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
	cat >"$work/config.json" <<-JSON
	{"architecture":"$arch","os":"linux","created":"1970-01-01T00:00:00Z",
	 "config":{"Env":["PATH=/bin","PORT=8080"],"WorkingDir":"/www","StopSignal":"SIGKILL",
	  "Cmd":["sh","-c","exec httpd -f -p 127.0.0.1:\$PORT -h /www"],
	  "Healthcheck":{"Test":["CMD-SHELL","wget -q -O /dev/null http://127.0.0.1:\$PORT/"],
	   "Interval":1000000000,"Timeout":2000000000,"Retries":3}},
	 "rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},
	 "history":[{"created":"1970-01-01T00:00:00Z","created_by":"contrib/quickstart.sh"}]}
	JSON
	config=$(sha256sum "$work/config.json" | cut -d ' ' -f 1)
	mkdir "$work/image" "$work/image/$layer"
	mv "$work/layer.tar" "$work/image/$layer/layer.tar"
	mv "$work/config.json" "$work/image/$config.json"
	printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["%s/layer.tar"]}]\n' "$config" "$image" "$layer" \
		>"$work/image/manifest.json"
	tar -C "$work/image" -cf "$work/image.tar" .
	say "$image, $(($(wc -c <"$work/image.tar") / 1024)) KiB"

	step "docker load"
	client load -i "$work/image.tar" || die "the image was not loaded; the line above is kilnd's reason"
	rm -rf "$work"
}

# A port that nobody listens on, from /proc/net/tcp (state 0A).
free_port() {
	port=8080
	while cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v want="$(printf ':%04X' $port)" '$4 == "0A" && substr($2, length($2) - 4) == want { f = 1 } END { exit !f }'
	do
		port=$((port + 1))
	done
	echo $port
}

# wait_for STATUS OLD_PID: until the container is healthy with another process than OLD_PID
wait_for_healthy() {
	begin=$(now_ms)
	while :; do
		state=$(client inspect -f '{{.State.Health.Status}} {{.State.Pid}}' "$name" 2>/dev/null) || state=
		pid=${state#* }
		[ "${state%% *}" = healthy ] && [ "$pid" != "${1:-0}" ] && break
		[ $(($(now_ms) - begin)) -lt 60000 ] || {
			client logs "$name" >&2 || :
			client inspect -f '{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}{{end}}' "$name" >&2 || :
			die "the container is not healthy after a minute (state: $state)" "log: $data_root/kilnd.log"
		}
		sleep 0.1
	done
	say "healthy after $(($(now_ms) - begin)) ms, process $pid"
}

fetch() { busybox wget -q -O - "http://127.0.0.1:$port/" || die "the web server does not answer on port $port"; }

run_container() {
	port=${QUICKSTART_PORT:-$(free_port)}
	client rm -f "$name" >/dev/null 2>&1 || :
	step "docker run -d --name $name --restart always --network host -e PORT=$port $image"
	client run -d --name "$name" --restart always --network host -e PORT="$port" "$image" >/dev/null ||
		die "the container did not start; the line above is kilnd's reason"
	wait_for_healthy
	say "http://127.0.0.1:$port/ says: $(fetch)"
	client ps

	step "killing its process, as a crash would"
	kill -KILL "$pid"
	wait_for_healthy "$pid"
	say "http://127.0.0.1:$port/ says again: $(fetch)"
	client ps

	step "kiln health"
	KILN_HOST="unix://$socket" build/kiln health || die "kilnd does not find itself healthy; the lines above say why"
}

what_next() {
	shown=docker
	[ "$docker" = "$(command -v docker 2>/dev/null)" ] || shown=$docker
	cat <<-EOT

	kilnd stays up. Try next (as root, or after: chgrp YOURGROUP $socket):

	  export DOCKER_HOST=unix://$socket
	  $shown ps
	  $shown logs $name
	  $shown exec -it $name sh
	  $shown run --rm -it $image sh

	or keep it beside other engines:

	  $shown context create kiln --docker host=unix://$socket
	  $shown --context kiln ps

	and Kiln's own client:

	  export KILN_HOST=unix://$socket
	  $PWD/build/kiln health

	Remove everything again: sudo ${QUICKSTART_ROOT:+QUICKSTART_ROOT=$QUICKSTART_ROOT }sh contrib/quickstart.sh stop
	EOT
}

case ${1:-start} in
start)
	build
	docker=$(docker_cli) || die "no docker client could be had" \
		"install one (Debian 12: docker.io, newer: docker-cli), then run this again"
	start_daemon
	make_image
	run_container
	what_next ;;
stop) stop ;;
*) die "what is '$1'?" "usage: sudo sh contrib/quickstart.sh [stop]" ;;
esac
