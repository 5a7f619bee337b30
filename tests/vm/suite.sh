#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh systemd|plain|hybrid|v1: runs in the guest. kilnd as it is installed (a unit, or a plain process), driven
# by the docker client, and then the end-to-end tests that subset.list names for this kind of machine, each of which
# starts a kilnd of its own. hybrid and v1 are systemd with the older layouts of the control groups.
# A line is a test: `ok vm:NAME` or `FAIL vm:NAME`, and `ok vm:MACHINE:e2e:NAME` for the end-to-end ones.
set -u
cd "$(dirname "$0")/../.." || exit
machine=$1
init=systemd
[ "$machine" = plain ] && init=plain
socket=/run/kiln/kiln.sock
export DOCKER_HOST=unix://$socket HOME=/root
# Where contrib/check.sh has put a client on a machine without one.
PATH=$PATH:$PWD/build/tools
work=$(mktemp -d)
passed=0
failed=0

begin=$SECONDS
note() { echo "# $((SECONDS - begin)) s: $*"; }

# run NAME...: each is a function test_NAME that fails by returning so.
run() {
	local name
	for name in "$@"; do
		# Not as a condition: bash would ignore set -e inside.
		(set -e; "test_$name") >"$work/$name.log" 2>&1
		if [ $? -eq 0 ]; then
			echo "ok vm:$name"
			passed=$((passed + 1))
		else
			echo "FAIL vm:$name"
			sed 's/^/  /' "$work/$name.log"
			kilnd_log | tail -n 20 | sed 's/^/  kilnd: /'
			failed=$((failed + 1))
		fi
	done
}

fail() {
	echo "$*"
	return 1
}

# eventually SECONDS COMMAND...
eventually() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || { fail "not in time: $*"; return 1; }
		sleep 0.2
	done
}

install_kiln() {
	install -D -m 755 build/kilnd /usr/local/sbin/kilnd
	install -m 755 build/kiln build/kiln-runtime /usr/local/bin/
	groupadd -f --system kiln
	python3 -c "
import sys
sys.path.insert(0, 'tests/e2e')
import harness
open('$work/busybox.tar', 'wb').write(harness.busybox_archive())"
}

kilnd_log() {
	if [ "$init" = systemd ]; then
		journalctl -q -o cat -u kilnd.service
	else
		cat "$work/kilnd.log"
	fi
}

start_kilnd() {
	if [ "$init" = systemd ]; then
		cp contrib/systemd/*.service /etc/systemd/system/
		systemctl daemon-reload
		systemctl start kilnd.service
	else
		setsid /usr/local/sbin/kilnd --runtime /usr/local/bin/kiln-runtime >"$work/kilnd.log" 2>&1 </dev/null &
		kilnd_pid=$!
		disown
		eventually 20 test -S $socket
	fi
}

pid_of() { docker inspect -f '{{.State.Pid}}' "$1"; }
is_running() { [ "$(docker inspect -f '{{.State.Running}}' "$1")" = true ]; }

# --- kilnd as it is installed ----------------------------------------------------------------------

test_main_job() {
	docker load -i "$work/busybox.tar"
	[ "$(docker run --rm --network none busybox echo hello)" = hello ]
	local code=0
	docker run --rm --network none busybox sh -c 'exit 42' || code=$?
	[ $code = 42 ] || fail "exit code $code"
	[ "$(docker run --rm --network none busybox cat /proc/self/cgroup)" = 0::/ ]
	# The image's health check makes it healthy, and its web server answers on the host's network.
	docker run -d --name web --network host --health-cmd 'wget -q -O- http://127.0.0.1:8099/' --health-interval 1s \
		busybox httpd -f -p 8099 -h /www
	eventually 20 web_is_healthy
	[ "$(curl -fsS http://127.0.0.1:8099/)" = "hello from kiln" ]
	docker rm -f web
	[ "$(grep -c kiln /proc/self/mountinfo)" = "$mounts_before" ] || fail "mounted on the host: $(grep kiln /proc/self/mountinfo)"
}
web_is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' web)" = healthy ]; }

test_limits() {
	local id dir
	id=$(docker run -d --network none --memory 64m --cpus 0.5 --pids-limit 64 --cpuset-cpus 0 busybox sleep 1000)
	dir=$(find /sys/fs/cgroup -type d -name "$id*" | head -n 1)
	[ -n "$dir" ] || fail "no control group for $id"
	grep -qx 67108864 "$dir/memory.max"
	grep -qx '50000 100000' "$dir/cpu.max"
	grep -qx 64 "$dir/pids.max"
	grep -qx 0 "$dir/cpuset.cpus"
	grep -qx "$(pid_of "$id")" "$dir/cgroup.procs"
	# The limit holds: what takes more is killed.
	local code=0
	docker run --rm --network none --memory 16m busybox sh -c 'tail -c 64m /dev/zero' || code=$?
	[ $code = 137 ] || fail "over the memory limit: exit code $code"
	docker rm -f "$id"
	[ ! -d "$dir" ] || fail "$dir is still there"
}

# The same on v1: a directory in each hierarchy.
test_limits_v1() {
	local id pid file
	docker load -i "$work/busybox.tar"
	id=$(docker run -d --network none --memory 64m --cpus 0.5 --pids-limit 64 --cpuset-cpus 0 busybox sleep 1000)
	pid=$(pid_of "$id")
	for file in memory.limit_in_bytes=67108864 cpu.cfs_quota_us=50000 cpu.cfs_period_us=100000 pids.max=64 \
		cpuset.cpus=0; do
		[ "$(cat /sys/fs/cgroup/*/kiln/"$id"*/"${file%=*}" | sort -u)" = "${file#*=}" ] || fail "not $file"
	done
	# Freezer and devices too, though nothing was asked of them there.
	for file in memory cpu,cpuacct pids cpuset freezer devices; do
		grep -qx "$pid" /sys/fs/cgroup/$file/kiln/"$id"*/tasks || fail "not in $file"
	done
	docker exec "$id" cat /proc/self/cgroup >"$work/inside"
	if grep -v ':/$' "$work/inside"; then fail "the namespace's root is not the group"; fi
	docker rm -f "$id"
	if ls -d /sys/fs/cgroup/*/kiln/"$id"*; then fail "groups are left"; fi
}

test_hybrid() { [ "$(stat -fc %T /sys/fs/cgroup/unified)" = cgroup2fs ]; }
test_v1() { if grep cgroup2 /proc/mounts; then fail "cgroup2 is mounted"; fi; }

# What a restart and a kill -9 of kilnd leave alone.
survives() {
	local id before
	id=$(docker run -d --network none busybox sh -c 'i=0; while sleep 0.2; do echo $i; i=$((i+1)); done')
	before=$(pid_of "$id")
	"$@"
	eventually 30 docker ps -q >/dev/null
	[ "$(pid_of "$id")" = "$before" ] || fail "another process"
	is_running "$id"
	kill -0 "$before"
	docker stop -t 1 "$id"
	# Every line is there, once and in order.
	docker logs "$id" | awk '$1 != NR - 1 { exit 1 } END { exit NR < 2 }' || fail "output is missing"
	docker rm "$id"
}

restart_unit() { systemctl restart kilnd.service; }

kill_unit() {
	local old
	old=$(systemctl show -P MainPID kilnd.service)
	kill -9 "$old"
	eventually 30 new_main_pid "$old"
}
new_main_pid() {
	local now
	now=$(systemctl show -P MainPID kilnd.service)
	[ "$now" != 0 ] && [ "$now" != "$1" ] && systemctl is-active -q kilnd.service
}

test_systemd() {
	[ "$(ps -o comm= -p 1)" = systemd ]
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
	systemctl is-active kilnd.service
	systemctl show -P MainPID kilnd.service | xargs -I{} readlink /proc/{}/exe | grep -qx /usr/local/sbin/kilnd
}
test_unit_restart() { survives restart_unit; }
test_unit_kill() { survives kill_unit; }

# Stopping kiln-shutdown.service is what systemd does first when the machine goes down.
test_shutdown_stops_containers() {
	docker run -d --name polite --network none busybox \
		sh -c 'trap "echo bye; exit 7" TERM; while :; do sleep 0.1; done'
	systemctl is-active kiln-shutdown.service
	systemctl stop kiln-shutdown.service
	systemctl start kiln-shutdown.service kilnd.service
	eventually 20 docker ps -q
	[ "$(docker inspect -f '{{.State.ExitCode}}' polite)" = 7 ]
	[ "$(docker logs polite)" = bye ]
	docker rm -f polite
}

test_plain() {
	[ "$(ps -o comm= -p 1)" != systemd ]
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
	[ "$(readlink "/proc/$kilnd_pid/exe")" = /usr/local/sbin/kilnd ]
}
restart_plain() {
	kill -9 "$kilnd_pid"
	eventually 10 sh -c "! kill -0 $kilnd_pid 2>/dev/null"
	start_kilnd
}
test_plain_kill() { survives restart_plain; }

# --- the end-to-end tests --------------------------------------------------------------------------

e2e() {
	local names
	names=$(sed 's/#.*//' tests/vm/subset.list | awk -v m="$machine" '$2 == "" || $2 == m { print $1 }')
	# shellcheck disable=SC2086
	E2E_JOBS=2 python3 tests/e2e/run.py -v $names >"$work/e2e.log" 2>&1
	sed -E "s/^(ok|FAIL|skip) e2e:/\\1 vm:$machine:e2e:/" "$work/e2e.log" | grep -vE '^[0-9]+ passed'
	passed=$((passed + $(grep -c '^ok ' "$work/e2e.log")))
	failed=$((failed + $(grep -c '^FAIL ' "$work/e2e.log")))
	grep -qE '^[0-9]+ passed' "$work/e2e.log" || { echo "FAIL vm:$machine:e2e"; failed=$((failed + 1)); }
}

mounts_before=$(grep -c kiln /proc/self/mountinfo)
install_kiln
note "installed"
if ! start_kilnd; then
	echo "FAIL vm:$machine kilnd does not start"
	kilnd_log | tail -n 30
	echo "0 passed, 1 failed"
	exit 1
fi
note "kilnd is up"
run "$machine"
case $machine in
systemd)
	run main_job limits unit_restart unit_kill shutdown_stops_containers
	;;
plain)
	run main_job limits plain_kill
	;;
hybrid | v1)
	run limits_v1
	;;
esac
case $machine in
systemd | plain)
	note "end-to-end tests"
	e2e
	;;
esac
note "done"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
