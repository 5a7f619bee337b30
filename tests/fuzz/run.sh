#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS TARGET...: runs each target with libFuzzer for so long, six at a time, from the committed corpus
# and what earlier runs have found. One line a target; the input that breaks one is kept in BUILD. TARGET:N runs N seconds.
# FUZZ_SEED picks what is tried; 0 is a new choice each time, as a long search wants it. The same seed finds the same again.
set -u
build=$1 seconds=$2
shift 2

if [ "$build" = --one ]; then
	build=$seconds target=${1%%:*} seconds=${1##*:}
	new=$build/corpus/$target
	log=$build/$target.log
	mkdir -p "$new"
	set --
	[ ! -e "tests/fuzz/$target.dict" ] || set -- "-dict=tests/fuzz/$target.dict"
	"$build/fuzz_$target" -max_total_time="$seconds" -seed="${FUZZ_SEED:-1}" -timeout=30 -rss_limit_mb=1024 -max_len=8192 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix="$build/$target-" "$@" "$new" "tests/fuzz/corpus/$target" \
		>"$log" 2>&1 || {
		echo "FAIL fuzz:$target: $(grep -m 1 -E 'broken:|ERROR|SUMMARY' "$log"); see $log"
		grep -E 'Test unit written|^ *#[0-9]' "$log" | head -20
		exit 1
	}
	echo "ok fuzz:$target $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $seconds s"
	exit 0
fi
for t in "$@"; do
	case $t in
	*:*) echo "$t" ;;
	*) echo "$t:$seconds" ;;
	esac
done | xargs -P 6 -I '{}' sh "$0" --one "$build" '{}'
