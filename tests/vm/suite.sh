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
	install -m 755 build/kilnd build/kiln build/kiln-runtime /usr/local/bin/
	groupadd -f --system kiln
	local unit
	for unit in contrib/systemd/*.in; do
		[ "$init" != systemd ] || sed 's|@bindir@|/usr/local/bin|' "$unit" >"/etc/systemd/system/$(basename "$unit" .in)"
	done
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
		systemctl daemon-reload
		systemctl start kilnd.service
	else
		setsid /usr/local/bin/kilnd >"$work/kilnd.log" 2>&1 </dev/null &
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
		[ "$(cat /sys/fs/cgroup/*/system.slice/kiln.scope/"$id"*/"${file%=*}" | sort -u)" = "${file#*=}" ] || fail "not $file"
	done
	# Freezer and devices too, though nothing was asked of them there.
	for file in memory cpu,cpuacct pids cpuset freezer devices; do
		grep -qx "$pid" /sys/fs/cgroup/$file/system.slice/kiln.scope/"$id"*/tasks || fail "not in $file"
	done
	docker exec "$id" cat /proc/self/cgroup >"$work/inside"
	if grep -v ':/$' "$work/inside"; then fail "the namespace's root is not the group"; fi
	docker rm -f "$id"
	if ls -d /sys/fs/cgroup/*/system.slice/kiln.scope/"$id"*; then fail "groups are left"; fi
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
	systemctl show -P MainPID kilnd.service | xargs -I{} readlink /proc/{}/exe | grep -qx /usr/local/bin/kilnd
}
test_unit_restart() { survives restart_unit; }
test_unit_kill() { survives kill_unit; }

# The socket is systemd's: it is there before kilnd, starts it, and nobody is refused while it is restarted.
test_socket_activation() {
	local asker
	[ "$(stat -c '%a %U %G' $socket)" = "660 root kiln" ]
	systemctl stop kilnd.service
	[ -S $socket ]
	docker ps -q
	systemctl is-active kilnd.service
	(set -e; for _ in 1 2 3 4 5 6; do docker ps -q; done) &
	asker=$!
	systemctl restart kilnd.service
	wait $asker || fail "a client was refused during the restart"
}

# What is wrong in the configuration fails the reload, and kilnd goes on; what is right counts at once.
test_unit_reload() {
	local pid
	pid=$(systemctl show -P MainPID kilnd.service)
	mkdir -p /etc/kiln
	echo '{"log-level": "nonsense"}' >/etc/kiln/kilnd.json
	if systemctl reload kilnd.service; then fail "a wrong configuration was taken"; fi
	echo '{"debug": true}' >/etc/kiln/kilnd.json
	systemctl reload kilnd.service
	eventually 10 has_debug
	[ "$(systemctl show -P MainPID kilnd.service)" = "$pid" ]
	rm /etc/kiln/kilnd.json
	systemctl reload kilnd.service
}
has_debug() { docker info -f '{{.Debug}}' | grep -qx true; }

# What the unit imposes is in force for kilnd's own group and process, and not for what is started from it.
test_unit_sandbox() {
	local pid disk
	pid=$(systemctl show -P MainPID kilnd.service)
	disk=$(findmnt -n -o SOURCE /)
	says "closed" systemctl show -P DevicePolicy kilnd.service
	says "process" systemctl show -P KillMode kilnd.service
	says "1min" systemctl show -P WatchdogUSec kilnd.service
	in_unit head -c 512 /dev/null
	in_unit mknod "$work/node" b "$(stat -c %Hr "$disk")" "$(stat -c %Lr "$disk")"
	if in_unit head -c 512 "$disk"; then fail "the unit's group may read $disk"; fi
	if in_unit head -c 512 "$work/node"; then fail "the unit's group may read a node of $disk"; fi
	head -c 512 "$work/node" >/dev/null
	docker run --rm --network none --privileged busybox head -c 512 "$disk" >/dev/null
	says -500 cat "/proc/$pid/oom_score_adj"
	says 0 docker run --rm --network none busybox cat /proc/self/oom_score_adj
	grep -E '^Max open files +524288 +524288' "/proc/$pid/limits" || { cat "/proc/$pid/limits"; fail "open files"; }
	says 700 stat -c %a /var/lib/kiln
	says 711 stat -c %a /run/kiln
}
# says TEXT COMMAND...
says() {
	local want=$1 got
	shift
	got=$("$@")
	[ "$got" = "$want" ] || fail "$*: '$got' instead of '$want'"
}
in_unit() { sh -c 'echo $$ >/sys/fs/cgroup/system.slice/kilnd.service/cgroup.procs && exec "$@"' in "$@" >/dev/null; }

# --- the scope -------------------------------------------------------------------------------------

scope=/sys/fs/cgroup/system.slice/kiln.scope

launcher_pid() { pgrep -o -x kiln-launcher; }

# kilnd alone is in its unit, everything else in a scope that systemd knows, processes in leaves only.
test_scope() {
	local id
	id=$(docker run -d --network none busybox sleep 1000)
	[ "$(cat /sys/fs/cgroup/system.slice/kilnd.service/cgroup.procs)" = "$(systemctl show -P MainPID kilnd.service)" ]
	[ "$(systemctl show -P Delegate kiln.scope)" = yes ]
	[ -z "$(cat $scope/cgroup.procs)" ] || fail "processes in the scope's own group"
	grep -qx "$(launcher_pid)" $scope/launcher/cgroup.procs
	grep -qx "$(pid_of "$id")" "$scope/$id/cgroup.procs"
	systemctl status --no-pager kiln.scope >"$work/status" || fail "status"
	grep -q 'sleep 1000' "$work/status" || { cat "$work/status"; fail "status does not show the program"; }
	systemd-cgls --no-pager -u kiln.scope >"$work/cgls"
	grep -q "$id" "$work/cgls"
	docker rm -f "$id"
}

# A launcher that comes after a dead one joins the scope, with what runs there.
test_scope_next_launcher() {
	local id old
	id=$(docker run -d --network none busybox sleep 1000)
	old=$(launcher_pid)
	kill -9 "$old"
	eventually 20 other_launcher "$old"
	grep -qx "$(launcher_pid)" $scope/launcher/cgroup.procs
	[ "$(docker exec "$id" echo in)" = in ]
	[ "$(docker run --rm --network none busybox echo new)" = new ]
	is_running "$id"
	docker rm -f "$id"
}
other_launcher() {
	local now
	now=$(launcher_pid)
	[ -n "$now" ] && [ "$now" != "$1" ] && docker run --rm --network none busybox true
}

# The operator's hammer: programs get SIGTERM, their ends are recorded, and the next container has a scope again.
test_scope_stop() {
	docker run -d --name hit --network none busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done'
	sleep 1
	systemctl stop kiln.scope
	eventually 20 has_ended hit
	[ "$(docker inspect -f '{{.State.ExitCode}}' hit)" = 7 ]
	eventually 20 docker run --rm --network none busybox true
	systemctl is-active kiln.scope
	docker rm -f hit
}
has_ended() { [ "$(docker inspect -f '{{.State.Running}}' "$1")" = false ]; }

# Daemons beside each other have scopes of their own, in the slice that is asked for; each is gone with its processes.
test_scope_of_another() {
	local more='--data-root /var/lib/kiln2 --exec-root /run/kiln2' pid id host=unix:///run/kiln2/kiln.sock
	local parent=/tenants.slice/tenants-a.slice/b.scope
	for expected in /system.slice/kiln-run-kiln2.scope $parent; do
		# shellcheck disable=SC2086
		kilnd $more ${group:-} >"$work/kilnd2.log" 2>&1 &
		pid=$!
		eventually 20 docker -H $host load -i "$work/busybox.tar"
		id=$(docker -H $host run -d --network none busybox sleep 1000)
		grep -qx "$(docker -H $host inspect -f '{{.State.Pid}}' "$id")" "/sys/fs/cgroup$expected/$id/cgroup.procs"
		docker -H $host rm -f "$id"
		kill $pid
		wait $pid
		systemctl stop "${expected##*/}"
		eventually 20 test ! -d "/sys/fs/cgroup$expected"
		group="--cgroup-parent $parent"
	done
	rm -rf /var/lib/kiln2 /run/kiln2
}

# Without D-Bus containers run all the same, and the log says where.
test_scope_without_bus() {
	local pid id host=unix:///run/kiln3/kiln.sock
	unshare -m sh -c 'mount -t tmpfs none /run/dbus && exec kilnd --data-root /var/lib/kiln3 --exec-root /run/kiln3' \
		>"$work/kilnd3.log" 2>&1 &
	pid=$!
	eventually 20 docker -H $host load -i "$work/busybox.tar"
	id=$(docker -H $host run -d --network none busybox sleep 1000)
	ls -d /sys/fs/cgroup/kiln/"$id"
	grep 'connect to the system bus' "$work/kilnd3.log"
	grep "containers are started below '/kiln'" "$work/kilnd3.log"
	docker -H $host rm -f "$id"
	kill $pid
	wait $pid
	kill "$(pgrep -o -f '^kiln-runtime launcher .*/run/kiln3')"
	rm -rf /var/lib/kiln3 /run/kiln3
}

# From the release before, whose containers are below /kiln, to this one with its scope: each is found where it is.
test_upgrade_to_scope() {
	local old more='--data-root /var/lib/kiln4 --exec-root /run/kiln4' host=unix:///run/kiln4/kiln.sock pid id was
	old=$(sh tests/upgrade/build.sh)
	# shellcheck disable=SC2086
	"$old/kilnd" $more --runtime "$old/kiln-runtime" >"$work/kilnd4.log" 2>&1 &
	pid=$!
	eventually 20 docker -H $host load -i "$work/busybox.tar"
	id=$(docker -H $host run -d --network none --memory 64m busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done')
	was=$(docker -H $host inspect -f '{{.State.Pid}}' "$id")
	kill $pid
	wait $pid
	# shellcheck disable=SC2086
	kilnd $more >>"$work/kilnd4.log" 2>&1 &
	pid=$!
	eventually 20 docker -H $host run --rm --network none busybox true
	[ "$(docker -H $host inspect -f '{{.State.Pid}}' "$id")" = "$was" ]
	grep -qx "$was" "/sys/fs/cgroup/kiln/$id/cgroup.procs"
	docker -H $host exec "$id" true
	docker -H $host stop "$id"
	[ "$(docker -H $host inspect -f '{{.State.ExitCode}}' "$id")" = 7 ]
	eventually 10 test ! -d "/sys/fs/cgroup/kiln/$id"
	docker -H $host start "$id"
	ls -d "/sys/fs/cgroup/system.slice/kiln-run-kiln4.scope/$id"
	docker -H $host rm -f "$id"
	kill $pid
	wait $pid
	systemctl stop kiln-run-kiln4.scope
	rm -rf /var/lib/kiln4 /run/kiln4
}

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
	[ "$(readlink "/proc/$kilnd_pid/exe")" = /usr/local/bin/kilnd ]
}
restart_plain() {
	kill -9 "$kilnd_pid"
	eventually 10 sh -c "! kill -0 $kilnd_pid 2>/dev/null"
	start_kilnd
}
test_plain_kill() { survives restart_plain; }

# kilnd is not there: whoever stops the containers does it in its place.
test_shutdown_without_kilnd() {
	docker run -d --name alone --network none --restart always busybox \
		sh -c 'trap "echo bye; exit 7" TERM; while :; do sleep 0.1; done'
	sleep 1
	systemctl stop kilnd.socket kilnd.service
	docker_is_away
	systemctl stop kiln-shutdown.service
	if pgrep -f 'echo bye'; then fail "it still runs"; fi
	systemctl start kilnd.socket kilnd.service
	eventually 20 docker ps -q
	[ "$(docker logs alone)" = bye ]
	eventually 20 is_running alone
	docker rm -f alone
}
docker_is_away() { if docker ps; then fail "kilnd is there"; fi; }

# --- a reboot --------------------------------------------------------------------------------------

marks=/var/tmp/kiln-marks

# marked NAME SIGNAL SECONDS OPTION...: a container that writes a mark SECONDS after it has got its SIGNAL
marked() {
	local name=$1 signal=$2 seconds=$3
	shift 3
	docker run -d --name "$name" --network none -v $marks:/marks "$@" busybox sh -c "
		trap 'sleep $seconds; date >>/marks/$name; exit 7' $signal
		echo up; while :; do sleep 0.1; done"
	eventually 20 sh -c "docker logs $name | grep -q up"
}

before_reboot() {
	mkdir -p $marks
	marked plain TERM 0
	marked slow TERM 5 --stop-timeout 30
	marked own USR1 0 --stop-signal USR1
	marked always TERM 0 --restart always
	marked unless TERM 0 --restart unless-stopped
	marked halted TERM 0 --restart unless-stopped
	docker stop -t 2 halted
	rm $marks/halted
	systemctl enable kilnd.service
}

test_reboot_stops_containers() {
	local name
	ls -l $marks
	for name in plain slow own always unless; do
		[ "$(wc -l <$marks/$name)" = 1 ] || fail "$name was not stopped by its signal"
	done
	for name in plain slow own; do
		[ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' $name)" = "exited 7" ] ||
			fail "$name: $(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' $name)"
	done
}

test_reboot_brings_back() {
	eventually 20 is_running always
	eventually 20 is_running unless
	if is_running halted; then fail "halted was stopped by hand"; fi
	[ ! -e $marks/halted ]
	docker rm -f plain slow own always unless halted
}

# What was counted until now goes on in the second boot.
reboot() {
	note "reboot"
	(set -e; before_reboot) >"$work/before_reboot.log" 2>&1 || { echo "FAIL vm:before_reboot"; cat "$work/before_reboot.log"; }
	echo "passed=$passed failed=$failed" >/var/tmp/kiln-vm-phase
	sync
	touch /run/kiln-vm-reboot
	systemctl reboot
	sleep 120
	echo "FAIL vm:reboot: the machine still runs"
	exit 1
}

# --- the end-to-end tests --------------------------------------------------------------------------

e2e() {
	local names suite
	for suite in e2e security chaos conformance; do
		names=$(sed 's/#.*//' tests/vm/subset.list | awk -v m="$machine" '$2 == "" || $2 == m { print $1 }' |
			sed "/:/!s/^/e2e:/" | sed -n "s/^$suite://p")
		[ -n "$names" ] || continue
		# shellcheck disable=SC2086
		E2E_JOBS=2 KILN_KILLS=12 python3 tests/e2e/run.py --suite $suite -v $names >"$work/$suite.log" 2>&1
		sed -E "s/^(ok|FAIL|skip) $suite:/\\1 vm:$machine:$suite:/" "$work/$suite.log" | grep -vE '^[0-9]+ passed'
		passed=$((passed + $(grep -c '^ok ' "$work/$suite.log")))
		failed=$((failed + $(grep -c '^FAIL ' "$work/$suite.log")))
		grep -qE '^[0-9]+ passed' "$work/$suite.log" || { echo "FAIL vm:$machine:$suite"; failed=$((failed + 1)); }
	done
}

if [ -f /var/tmp/kiln-vm-phase ]; then
	# shellcheck disable=SC1091
	. /var/tmp/kiln-vm-phase
	note "booted again"
	eventually 60 docker ps -q >/dev/null || failed=$((failed + 1))
	run reboot_stops_containers reboot_brings_back
	[ -n "${NO_E2E:-}" ] || e2e
	note "done"
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
fi
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
	run ${ONLY:-main_job socket_activation unit_reload unit_sandbox scope limits unit_restart unit_kill scope_next_launcher scope_stop scope_of_another \
		scope_without_bus shutdown_stops_containers shutdown_without_kilnd upgrade_to_scope}
	reboot
	;;
plain)
	run main_job limits plain_kill
	;;
hybrid | v1)
	run limits_v1
	;;
esac
case $machine in
plain)
	note "end-to-end tests"
	[ -n "${NO_E2E:-}" ] || e2e
	;;
esac
note "done"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
