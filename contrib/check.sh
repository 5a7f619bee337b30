#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# sudo sh contrib/check.sh           installs what the tests need and runs them all
# sudo sh contrib/check.sh SUITE...  only these: build lint unit scripts e2e conformance faults security chaos
#                                    tsan sanitize clang fuzz vm acceptance
#
# Each suite has a budget in seconds; its output is build/results/SUITE.log, in which a line is one test:
# `ok NAME`, `FAIL NAME` or `skip NAME reason`. The last line counts them all.
set -u
cd "$(dirname "$0")/.." || exit 1
. contrib/packages.sh

results=build/results
all_suites='build lint unit scripts e2e conformance faults security chaos tsan sanitize clang fuzz vm acceptance'
failed_suites=

[ "$(id -u)" -eq 0 ] || { echo "this needs root (containers are made): sudo sh $0" >&2; exit 1; }

budget_of() {
	case $1 in
	build) echo 30 ;;
	lint) echo 10 ;;
	unit) echo 40 ;;
	scripts) echo 55 ;;
	e2e) echo 250 ;;
	conformance) echo 30 ;;
	faults) echo 85 ;;
	security) echo 30 ;;
	chaos) echo 25 ;;
	tsan) echo 30 ;;
	sanitize) echo 245 ;;
	clang) echo 25 ;;
	fuzz) echo 210 ;;
	vm) echo 430 ;;
	acceptance) echo 5 ;;
	esac
}

command_of() {
	case $1 in
	build) make "$jobs" WERROR=1 ;;
	lint) make lint WERROR=1 ;;
	unit) make "$jobs" check WERROR=1 ;;
	scripts) make scripts WERROR=1 ;;
	e2e) make e2e WERROR=1 ;;
	# What is asked of kiln-runtime is asked of crun and runc, too.
	conformance) make conformance WERROR=1 ;;
	# Each step of what makes and removes containers and images fails once.
	faults) make "$jobs" faults WERROR=1 ;;
	# Attacks, each also with the defence that repels it switched off.
	security) make "$jobs" security WERROR=1 ;;
	# A hundred processes of Kiln are killed under load.
	chaos) make chaos WERROR=1 ;;
	# kilnd has threads.
	tsan) make "$jobs" tsan WERROR=1 ;;
	# The same tests on binaries with AddressSanitizer and UBSan.
	sanitize)
		make "$jobs" all SAN=address,undefined WERROR=1 &&
			make "$jobs" -k check e2e SAN=address,undefined ;;
	clang) make "$jobs" all CC=clang WERROR=1 ;;
	# A minute for each parser of what comes from outside.
	fuzz) make "$jobs" fuzz ;;
	vm) make vm ;;
	acceptance) make acceptance ;;
	esac
}

# run_suite NAME: shows its output, keeps it, and says so when the budget is overrun. Machines are noisy, so only
# what takes two and a half times its budget is ended, and has failed.
run_suite() {
	suite=$1
	log=$results/$suite.log
	budget=$(budget_of "$suite")
	[ -n "$budget" ] || { echo "no suite is called '$suite'; there are: $all_suites" >&2; exit 2; }
	printf '\n=== %s (budget %s s)\n' "$suite" "$budget"
	begin=$(date +%s)
	# The pipe hides the exit status, so that it goes through a file.
	{
		timeout -k 10 "$((budget * 5 / 2))" sh "$0" --suite "$suite" 2>&1
		echo $? >"$results/.status"
	} | tee "$results/.out"
	status=$(cat "$results/.status")
	mv "$results/.out" "$log"
	took=$(($(date +%s) - begin))
	[ "$status" -ne 124 ] && [ "$status" -ne 137 ] || echo "FAIL suite:$suite: not done within $((budget * 5 / 2)) s" | tee -a "$log"
	if [ "$status" -eq 0 ]; then
		echo "ok suite:$suite" >>"$log"
	else
		failed_suites="$failed_suites $suite"
		grep -q '^FAIL ' "$log" || echo "FAIL suite:$suite: ended with $status" | tee -a "$log"
	fi
	[ "$took" -le "$budget" ] || echo "=== $suite is over its budget of $budget s"
	echo "=== $suite: $took s, $(grep -c '^ok ' "$log") passed, $(grep -c '^FAIL ' "$log") failed," \
		"$(grep -c '^skip ' "$log") skipped"
}

jobs=-j$(nproc)
if [ "${1:-}" = --suite ]; then
	command_of "$2"
	exit
fi

install_packages build test || exit 1
docker=$(docker_cli) || { echo "no docker client could be had; the end-to-end tests need one" >&2; exit 1; }
PATH=$PATH:${docker%/*}
# Tests that find no engine say so.
container_engines >/dev/null || echo "containerd and dockerd could not be had" >&2
# A slow machine is no fault of a unit test: four times the time of each.
export PATH CI=true SHOW_OK=1 CK_TIMEOUT_MULTIPLIER=4

mkdir -p "$results"
if [ $# -eq 0 ]; then
	rm -f "$results"/*.log
	# shellcheck disable=SC2086
	set -- $all_suites
fi
logs=
for s in "$@"; do
	run_suite "$s"
	logs="$logs $results/$s.log"
	[ "$failed_suites" != " build" ] || { echo "what does not build cannot be tested"; break; }
done
rm -f "$results/.status"
# shellcheck disable=SC2086
passed=$(cat $logs | grep -c '^ok ') failed=$(cat $logs | grep -c '^FAIL ')
# shellcheck disable=SC2086
skipped=$(cat $logs | grep '^skip ' | sort -u)
[ -z "$skipped" ] || printf '\nskipped:\n%s\n' "$skipped"
[ -z "$failed_suites" ] || printf '\nsuites that failed:%s (logs in %s)\n' "$failed_suites" "$results"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ -z "$failed_suites" ]
